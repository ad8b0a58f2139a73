"""The real compose file in a real Docker engine, once for all tests of the folder."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "tests" / "e2e"), str(Path(__file__).parent)]

from docker import OURS, Compose, Engine, note  # noqa: E402
from harness.client import Client  # noqa: E402
from harness.wait import free_port  # noqa: E402

PROXY = "/proxy/globaldatasources/persai"


@dataclass
class Stack:
    compose: Compose
    port: int
    started: str  # what the set-up said

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def setup_file(self, path: str) -> str:
        """The last line of a file that the set-up made."""
        return self.compose.run("run", "--rm", "--no-deps", "setup", "cat", f"/persai/{path}").strip().splitlines()[-1]

    def password(self, user: str) -> str:
        return self.setup_file(f"passwords/{user}")

    def sign_in(self, user: str) -> Client:
        plain = Client(self.url)
        answer = plain.post("/api/auth/providers/native/login", {"login": user, "password": self.password(user)})
        assert answer.status == 200, answer.body
        cookies = dict(h.split(";")[0].split("=", 1) for h in answer.headers.get_all("Set-Cookie") or [])
        return Client(self.url, cookies=cookies, prefix=PROXY)

    def wait_ready(self, client: Client, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        # /readyz is not reached through Perses; a worker that is heard has models.
        while (answer := client.get("/models")).status != 200 or not json.loads(answer.body):
            assert time.monotonic() < end, (answer.status, answer.body, self.compose.run("ps"))
            time.sleep(0.3)


@pytest.fixture(scope="session")
def logs() -> Path:
    folder = Path(os.environ["PERSAI_TEST_LOGS"])
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def engine(logs: Path) -> Iterator[Engine]:
    engine = Engine(logs)
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def images(engine: Engine) -> Iterator[None]:
    began = time.monotonic()
    standins = engine.official()
    archive = TOP / "compose" / "plugin.tar.gz"
    settings = {}
    ready = engine.offline()
    if ready:
        subprocess.run([TOP / "plugin" / "build", archive], check=True, capture_output=True, timeout=1200)
        settings["PERSAI_PLUGIN"] = "ready"
    engine.made += [image for image in OURS if not engine.has(image)]
    try:
        Compose(engine, "persai-images", settings).run("build", seconds=1200)
    finally:
        if ready:
            archive.unlink(missing_ok=True)
    note(f"images: {time.monotonic() - began:.0f} s; stand-ins: {', '.join(standins) or 'none made now'}")
    yield


@pytest.fixture(scope="session")
def stack(engine: Engine, images: None, logs: Path) -> Iterator[Stack]:
    port = free_port()
    settings = {"PERSAI_PORT": str(port), "PERSAI_PLUGIN": "ready"}
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "PERSAI_DEFAULT_MODEL"):
        settings[name] = ""
    compose = Compose(engine, f"persai-test-{secrets.token_hex(3)}", settings)
    began = time.monotonic()
    try:
        compose.run("up", "-d")
        stack = Stack(compose, port, compose.logs("setup"))
        client = Client(stack.url)
        end = time.monotonic() + 180
        while True:
            try:
                if client.get("/api/v1/health").status == 200:
                    break
            except OSError:
                pass
            assert time.monotonic() < end, compose.run("ps") + compose.logs("perses")[-2000:]
            time.sleep(0.5)
        stack.wait_ready(stack.sign_in("demo"))
        note(f"the stack: ready {time.monotonic() - began:.0f} s after up")
        yield stack
    finally:
        (logs / "compose.log").write_text(compose.run("logs", "--no-color", check=False))
        compose.remove()


def pytest_sessionfinish() -> None:
    shutil.rmtree(Path(__file__).parent / "__pycache__", ignore_errors=True)
