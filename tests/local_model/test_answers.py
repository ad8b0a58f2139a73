"""How right the answers of a real model are (Qwen2.5-Coder-1.5B-Instruct), on a real Prometheus with a node exporter: the
evaluation of tests/eval, one run a way. On demand, a quiet machine, 15 s a question.

With "--world exporters" in PERSAI_TEST_EVAL the Prometheus scrapes fakes/exporters.py instead: 2,174 metrics of 30 exporters.

PERSAI_TEST_WAYS: names of WAYS, comma-separated; default: now. PERSAI_TEST_EVAL: more options of tests/eval/run, as
"--every 3 --half measured". PERSAI_TEST_SEEDS: how many runs of each way; default 1."""

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.client import Client
from harness.process import Process
from harness.services import ExportersWorld, Perses, Prometheus
from harness.stack import Stack
from harness.wait import free_port, until

EVAL = Path(__file__).resolve().parent.parent / "eval" / "run"
FEW = ["list_metrics", "execute_instant_query", "execute_range_query", "describe_metric"]
LARGE: dict = {"tools": "json", "offers": FEW}
# What the models file says of the model, and the worker's settings: each part of the work switched off alone.
WAYS: dict[str, tuple[dict, dict[str, str]]] = {
    "now": ({"size": "small"}, {}),
    "without-look-up": ({"size": "small"}, {"PERSAI_LOOK_UP": "false"}),
    "without-check": ({"size": "small"}, {"PERSAI_CHECK_ANSWERS": "false"}),
    "long-prompt": (LARGE, {}),
    "plain": (LARGE, {"PERSAI_LOOK_UP": "false", "PERSAI_CHECK_ANSWERS": "false"}),
    "before": (LARGE, {}),  # of programs that know no size and no switches
}


class World(Prometheus):
    """The tests' Prometheus, and the machine's node exporter."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.node_port = free_port()
        self.node = Process("node-exporter",
                            ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.node_port}"], logs)
        super().__init__(folder, logs)

    def scrapes(self) -> list[dict]:
        return [*super().scrapes(),
                {"job_name": "node", "static_configs": [{"targets": [f"127.0.0.1:{self.node_port}"]}]}]

    def start(self) -> "World":
        self.node.start()
        super().start()
        return self

    def stop(self) -> None:
        super().stop()
        self.node.terminate()


OPTIONS = shlex.split(os.environ.get("PERSAI_TEST_EVAL", ""))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, service_logs: Path) -> Iterator[Prometheus]:
    made = (ExportersWorld if "exporters" in OPTIONS else World)(tmp_path_factory.mktemp("world"), service_logs)
    yield made.start()
    made.stop()


@pytest.fixture(scope="session")
def perses(tmp_path_factory: pytest.TempPathFactory, service_logs: Path, world: Prometheus) -> Iterator[Perses]:
    service = Perses(tmp_path_factory.mktemp("perses"), service_logs, {"prometheus": world.url})
    service.start()
    yield service
    service.process.terminate()


@pytest.fixture(scope="session")
def answering(service_logs: Path) -> Iterator[str]:
    """llama-server's address."""
    root, port = Path(os.environ["PERSAI_TEST_LOCAL_MODEL"]) / "root", free_port()
    process = Process("llama-answers", [
        "nice", "-n", "15", "chroot", "--userspec=65534:65534", root, "/usr/bin/llama-server", "-m", "/model/answers.gguf",
        "--host", "127.0.0.1", "--port", str(port), "-c", "16384", "-np", "1", "-t", "2", "--cache-ram", "512",
        "--jinja"], service_logs).start()
    url = f"http://127.0.0.1:{port}"
    until(lambda: Client(url).get("/health").status == 200 or not process.running(), "the model to be loaded", 300)
    assert process.running(), process.tail()
    yield url
    process.terminate()


def evaluated(stack: Stack, world: Prometheus, folder: Path, name: str) -> str:
    """What tests/eval/run prints."""
    token, printed, keep = folder / "token", folder / "printed", Path(os.environ.get("PERSAI_TEST_LOGS", folder))
    keep.mkdir(parents=True, exist_ok=True)
    token.write_text(stack.client(bearer=True).bearer, encoding="utf-8")
    with printed.open("w", encoding="utf-8") as out:
        run = subprocess.Popen(
            [sys.executable, EVAL, "--gateway", stack.gateway.url, "--token-file", token, "--prometheus", world.url,
             "--model", "answers", "--save", keep / f"answers-{name}.jsonl",
             *OPTIONS],
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        while run.poll() is None:  # a token of Perses's ends after 15 minutes
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(300)
            fresh = folder / "fresh"
            fresh.write_text(stack.client(bearer=True).bearer, encoding="utf-8")
            fresh.replace(token)
    said = printed.read_text(encoding="utf-8")
    (keep / f"answers-{name}.txt").write_text(said, encoding="utf-8")
    assert run.returncode == 0, said
    return said


@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("seed", range(int(os.environ.get("PERSAI_TEST_SEEDS", "1"))))
@pytest.mark.parametrize("way", os.environ.get("PERSAI_TEST_WAYS", "now").split(","))
def test_answers(bare: Stack, world: Prometheus, answering: str, tmp_path: Path, way: str, seed: int) -> None:
    said, settings = WAYS[way]
    path = tmp_path / "models.json"
    options = {"temperature": 0} if seed == 0 else {"temperature": 0.4, "seed": seed}
    path.write_text(json.dumps([{"name": "answers", "provider": "openai", "model": "answers", "base_url": answering + "/v1",
                                 "window": 16384, "max_output_tokens": 400, "options": options, **said}]), encoding="utf-8")
    bare.start(worker_env={"PERSAI_MODELS": str(path), "PERSAI_DEFAULT_MODEL": "answers", "OPENAI_BASE_URL": "",
                           "OPENAI_API_KEY": "", "PERSAI_STEPS": "6", "PERSAI_TITLES": "false", **settings})
    table = evaluated(bare, world, tmp_path, f"{way}-{seed}")
    print(table)
    assert "| answers |" in table.splitlines()[-1]
