"""The door for OpenAI's clients, asked by programs of PyPI that people use: LiteLLM, and Open WebUI whole."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from fakes.model import Call
from harness.client import Client
from harness.keys import Keys
from harness.process import Process
from harness.stack import Stack
from harness.wait import SLOWNESS, free_port, until

PYPI = Path(__file__).parents[1] / "pypi"
TOOLS = (Call("list_label_values", {"label": "room"}), Call("execute_range_query", {"query": "room_temperature_celsius"}))


def installed(name: str) -> Path:
    """The folder of the programs of an environment that has it."""
    done = subprocess.run([PYPI / "build", name], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.split("\n")[-2])


@pytest.fixture
def served(bare: Stack) -> tuple[Stack, str]:
    """A stack, and a key for its /v1."""
    keys = Keys(bare.folder)
    key = keys.make("chat")
    return bare.start(gateway_env=keys.env()), key


@pytest.mark.timeout(600)  # it may have to be installed first
def test_litellm(served: tuple[Stack, str]) -> None:
    stack, key = served
    stack.model.when("Is it up?", ["Let me look.", Call("execute_range_query", {"query": "up"})], ["It is ", "up."])
    done = subprocess.run([installed("litellm") / "python", PYPI / "ask_litellm.py", stack.gateway.url + "/v1", key],
                          capture_output=True, text=True, timeout=120 * SLOWNESS, stdin=subprocess.DEVNULL,
                          env={"HOME": str(stack.folder), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"],
                               "LITELLM_LOCAL_MODEL_COST_MAP": "True"})
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["whole"] == told["stream"] == "Let me look.\n\nIt is up." and told["finish"] == "stop"
    assert told["usage"] > 0 and not told["calls"]
    assert told["wrong"] == {"key": ["AuthenticationError", 401], "model": ["NotFoundError", 404],
                             "answers": ["BadRequestError", 400]}


@pytest.mark.long  # a gigabyte of packages, once; then 30 s
@pytest.mark.timeout(1200)
def test_open_webui(served: tuple[Stack, str]) -> None:
    """As its page asks: the answer is in its own chat, on real data, and each tool was run once (open-webui#23957)."""
    stack, key = served
    stack.model.when("How warm", ["Let me look. ", TOOLS[0]], [TOOLS[1]], ["The kitchen is the warmest."])
    port, home = free_port(), stack.folder / "open-webui"
    home.mkdir()
    web = Process("open-webui", [installed("open-webui") / "open-webui", "serve", "--host", "127.0.0.1", "--port", str(port)],
                  stack.logs, {
        "HOME": str(home), "DATA_DIR": str(home / "data"), "WEBUI_AUTH": "false", "WEBUI_SECRET_KEY": "test",
        "OPENAI_API_BASE_URL": stack.gateway.url + "/v1", "OPENAI_API_KEY": key, "ENABLE_OLLAMA_API": "false",
        "DEFAULT_MODEL_METADATA": '{"capabilities": {"builtin_tools": false}}', "OFFLINE_MODE": "true",
        "HF_HUB_OFFLINE": "1", "RAG_EMBEDDING_ENGINE": "openai", "DO_NOT_TRACK": "true"})
    web.start()
    try:
        page = Client(f"http://127.0.0.1:{port}")
        until(lambda: page.get("/health").status == 200, "Open WebUI to answer", 120 * SLOWNESS)
        page.bearer = page.post("/api/v1/auths/signin", {"email": "", "password": ""}).json()["token"]
        assert "persai" in [m["id"] for m in page.get("/api/models").json()["data"]]
        asked, answer = {"id": str(uuid.uuid4()), "role": "user", "content": "How warm is it?"}, str(uuid.uuid4())
        chat = page.post("/api/v1/chats/new", {"chat": {"title": "t", "models": ["persai"], "history": {
            "currentId": answer, "messages": {
                asked["id"]: {**asked, "parentId": None, "childrenIds": [answer]},
                answer: {"id": answer, "role": "assistant", "content": "", "parentId": asked["id"], "childrenIds": [],
                         "model": "persai"}}}}}).json()["id"]
        begun = page.post("/api/chat/completions", {
            "model": "persai", "stream": True, "messages": [{"role": "user", "content": asked["content"]}],
            "chat_id": chat, "id": answer, "parent_id": asked["id"], "session_id": "none"})
        assert begun.status == 200, begun.body

        def said() -> str:
            found = page.get(f"/api/v1/chats/{chat}").json()["chat"]["history"]["messages"].get(answer, {})
            return found.get("content", "") if found.get("done") else ""

        assert "The kitchen is the warmest." in until(said, "the answer to be in its chat", 60 * SLOWNESS)
    finally:
        web.kill()
    assert len(stack.model.chats("How warm")) == 3  # steps of one turn
    log = (stack.logs / "worker-0.log").read_text()
    for tool in TOOLS:
        assert len([line for line in log.splitlines() if "event=tool.done" in line and f"tool={tool.name} " in line]) == 1
