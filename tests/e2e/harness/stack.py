"""Gateways and workers of one test, with their Redis and scripted model."""

import os
import random
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes.model import Model
from harness.client import Client
from harness.process import Process
from harness.services import Redis
from harness.wait import free_port, until

MODEL_KEY = "sk-model-canary-7f3a9c"
NAMESPACE_HOST = "10.77.1.1"
# One person of a test does more than a person does; tests of the limits set their own.
UNLIMITED = {"PERSAI_USER_TURNS": "0", "PERSAI_USER_TURNS_PER_MINUTE": "0"}


def program(name: str) -> Path:
    build = os.environ.get("PERSAI_BUILD")
    assert build, "PERSAI_BUILD names no build folder: run this by tests/run e2e"
    path = Path(build) / name / f"persai-{name}"
    assert path.is_file(), f"{path} is not built"
    return path


def make_keys(folder: Path) -> Path:
    answer = subprocess.run([program("gateway"), "--make-keys", folder], capture_output=True, text=True, timeout=30,
                            stdin=subprocess.DEVNULL)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return folder


class Gateway:
    def __init__(self, stack: "Stack", name: str, **env: str) -> None:
        self.stack = stack
        self.port = int(env.pop("port", 0)) or free_port()
        self.broker = f"tcp://{stack.broker_host}:{free_port()}"
        settings = {
            "PERSAI_LISTEN": f"127.0.0.1:{self.port}", "PERSAI_BROKER": self.broker,
            "PERSAI_REDIS": stack.redis.url, "PERSES_API_URL": stack.perses_url, "LOG_LEVEL": "debug",
            **UNLIMITED, **stack.keys_env(), **env}
        self.process = Process(name, [program("gateway")], stack.logs, settings)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Gateway":
        self.process.start()
        until(lambda: self.alive() or not self.process.running(), f"{self.process.name} to answer")
        assert self.process.running(), f"{self.process.name} did not start:\n{self.process.tail()}"
        return self

    def alive(self) -> bool:
        return Client(self.url).get("/healthz").status == 200

    def wait_store(self) -> "Gateway":
        """Redis answers it; whether there is a worker is no matter."""
        def reads() -> bool:
            answer = Client(self.url).get("/readyz")
            return answer.status == 200 or b"worker" in answer.body
        until(reads, f"{self.process.name} to reach Redis")
        return self

    def wait_ready(self, seconds: float = 60) -> "Gateway":
        until(lambda: Client(self.url).get("/readyz").status == 200, f"{self.process.name} to be ready", seconds)
        return self


class Worker:
    def __init__(self, stack: "Stack", name: str, gateways: str, **env: str) -> None:
        self.port = free_port()
        settings = {
            "PERSAI_GATEWAYS": gateways, "PERSAI_METRICS_LISTEN": f"127.0.0.1:{self.port}",
            "PERSAI_REDIS": stack.redis.url, "PERSES_API_URL": stack.perses_url, "LOG_LEVEL": "debug",
            "OPENAI_API_KEY": MODEL_KEY, "OPENAI_BASE_URL": stack.model.base_url,
            "PERSAI_TITLES": "false",  # one more call that no test but its own expects
            "PERSAI_DEFAULT_MODEL": "openai/scripted", **stack.keys_env(), **env}
        self.process = Process(name, [program("worker")], stack.logs, settings)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Worker":
        self.process.start()
        return self


class Stack:
    """One Redis, one scripted model, as many gateways and workers as asked for."""

    def __init__(self, folder: Path, perses_url: str, sign_in: object = None, curve: bool = False) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.perses_url = perses_url
        self._sign_in = sign_in
        self.broker_host = NAMESPACE_HOST if curve else "127.0.0.1"
        self.keys = make_keys(folder / "keys") if curve else None
        self.redis = Redis(folder / "redis", self.logs)
        self.model = Model()
        self.gateways: list[Gateway] = []
        self.workers: list[Worker] = []
        self.others: list[Process] = []

    def keys_env(self) -> dict[str, str]:
        return {"PERSAI_KEYS": str(self.keys)} if self.keys else {"PERSAI_BROKER_OPEN": "true"}

    def start(self, gateways: int = 1, workers: int = 1, gateway_env: dict[str, str] | None = None,
              worker_env: dict[str, str] | None = None) -> "Stack":
        self.redis.start()
        for _ in range(gateways):
            self.add_gateway(**(gateway_env or {}))
        for _ in range(workers):
            self.add_worker(**(worker_env or {}))
        for gateway in self.gateways:
            gateway.wait_ready() if workers else gateway.wait_store()
        if workers:
            for worker in self.workers:
                self.wait_worker(worker)
        return self

    def add_gateway(self, **env: str) -> Gateway:
        gateway = Gateway(self, f"gateway-{len(self.gateways)}", **env)
        self.gateways.append(gateway)
        return gateway.start()

    def add_worker(self, **env: str) -> Worker:
        gateways = env.pop("PERSAI_GATEWAYS", ",".join(g.broker for g in self.gateways))
        worker = Worker(self, f"worker-{len(self.workers)}", gateways, **env)
        self.workers.append(worker)
        return worker.start()

    def wait_worker(self, worker: Worker, seconds: float = 60) -> None:
        until(lambda: Client(worker.url).get("/healthz").status == 200, f"{worker.process.name} to answer", seconds)

    @property
    def gateway(self) -> Gateway:
        return self.gateways[0]

    @property
    def worker(self) -> Worker:
        return self.workers[0]

    def client(self, user: str = "alice", gateway: int = 0, bearer: bool = False) -> Client:
        """A signed-in person."""
        cookies = self._sign_in(user) if self._sign_in and user else {}  # type: ignore[operator]
        if bearer:
            return Client(self.gateways[gateway].url, bearer=f"{cookies['jwtPayload']}.{cookies['jwtSignature']}")
        return Client(self.gateways[gateway].url, cookies)

    def working(self) -> Worker:
        """The worker that runs a turn now, by its own metrics."""
        def found() -> Worker | None:
            for worker in self.workers:
                if worker.process.running() and metric(worker.url, "turns_running") > 0:
                    return worker
            return None

        return until(found, "a worker that runs a turn")

    def processes(self) -> list[Process]:
        return [*(w.process for w in self.workers), *(g.process for g in self.gateways), self.redis.process,
                *self.others]

    def stop(self) -> None:
        """Ends everything, and looks whether each process was well to its end."""
        problems, store = [], self.redis.process  # of a pair its Sentinel tells, while it runs
        for kind in [w.process for w in self.workers], [g.process for g in self.gateways], self.others:
            running = [p for p in kind if p.running()]
            for process in running:
                process.ask_to_end()
            for process in kind:
                try:
                    if process in running:
                        process.ended()
                    process.check()
                except AssertionError as error:
                    problems.append(str(error))
        store.kill()  # nobody needs its data any more, and asked it takes up to 100 ms
        self.model.stop()
        if self.model.errors:
            problems.append(f"the scripted model failed: {self.model.errors[:3]}")
        assert not problems, "\n".join(problems)

    def kill_all(self) -> None:
        for process in self.processes():
            process.kill()
        self.model.stop()


def exposition(url: str) -> str:
    answer = Client(url).get("/metrics")
    assert answer.status == 200, answer.status
    return answer.body.decode()


def series_of(page: str) -> dict[str, float]:
    found = {}
    for line in page.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


def metrics(url: str) -> dict[str, float]:
    """Name with labels → value."""
    return series_of(exposition(url))


def metric(url: str, word: str) -> float:
    """The sum of all series whose name contains the word: there may be none yet, but then the metric is declared."""
    page = exposition(url)
    found = [v for k, v in series_of(page).items() if word in k.split("{")[0]]
    assert found or re.search(rf"^# TYPE \S*{word}", page, re.M), f"no metric has {word!r} in its name"
    return sum(found)


@contextmanager
def seeded(seed: int) -> Iterator[random.Random]:
    print(f"seed {seed}")
    yield random.Random(seed)
