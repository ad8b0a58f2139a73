"""A real model on this machine, and PersAI with it."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import Client
from harness.process import Process
from harness.stack import Stack
from harness.wait import free_port, until

pytest_plugins = ["e2e.conftest"]
TOOLS = ["list_metrics", "execute_instant_query"]  # what it is shown in chat.jinja; of more it makes nothing


@pytest.fixture(scope="session")
def server(service_logs: Path) -> Iterator[str]:
    """llama-server's address."""
    root, port = Path(os.environ["PERSAI_TEST_LOCAL_MODEL"]) / "root", free_port()
    shutil.copy(Path(__file__).with_name("chat.jinja"), root / "model")
    process = Process("llama", [
        "chroot", "--userspec=65534:65534", root, "/usr/bin/llama-server", "-m", "/model/small.gguf", "--host", "127.0.0.1",
        "--port", str(port), "-c", "8192", "-np", "1", "-t", "1", "--jinja", "--chat-template-file", "/model/chat.jinja",
    ], service_logs).start()
    url = f"http://127.0.0.1:{port}"
    until(lambda: Client(url).get("/health").status == 200 or not process.running(), "the model to be loaded", 120)
    assert process.running(), process.tail()
    yield url
    process.terminate()


# What chat.jinja shows of native calls, for a model that has none: a deployment's own instructions may do so too.
EXAMPLES = """Examples of what you write:
How many disks are there in prometheus? {"tool": "list_metrics", "arguments": {"search": "disk", "datasource": "prometheus"}}
How many users are there in prometheus? {"tool": "list_metrics", "arguments": {"search": "users", "datasource": "prometheus"}}
Result of list_metrics: {"metrics": [{"name": "users"}]}
{"tool": "execute_instant_query", "arguments": {"query": "sum(users)", "datasource": "prometheus"}}
Result of execute_instant_query: {"series": [{"value": 4}]} {"answer": "There are 4 users."}
"""


@pytest.fixture
def local(bare: Stack, server: str, tmp_path: Path, request: pytest.FixtureRequest) -> Stack:
    """local: by its native tool calls; local-json: as a model that has none; local-query: told of queries alone;
    local-wide: with a window it has not. The parameter: more instructions for it."""
    row = {"provider": "openai", "model": "smollm2", "base_url": server + "/v1", "window": 8192, "max_output_tokens": 300,
           "offers": TOOLS, "options": {"temperature": 0}}
    path = tmp_path / "models.json"
    path.write_text(json.dumps([{**row, "name": "local"}, {**row, "name": "local-json", "tools": "json"},
                                {**row, "name": "local-query", "offers": TOOLS[1:]},
                                {**row, "name": "local-wide", "window": 200000}]), encoding="utf-8")
    return bare.start(worker_env={"PERSAI_MODELS": str(path), "PERSAI_DEFAULT_MODEL": "local", "OPENAI_BASE_URL": "",
                                  "OPENAI_API_KEY": "", "PERSAI_STEPS": "4",
                                  "PERSAI_SYSTEM_PROMPT": getattr(request, "param", "")})
