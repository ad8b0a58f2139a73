"""Several hosts with addresses and names of their own: three gateways and four workers that find each other by a name,
over CURVE. A new worker gets its share, a gateway that is removed is left. The times are printed, not asserted."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.model import Gate
from harness.client import Client
from harness.hosts import Hosts
from harness.process import Process
from harness.stack import Stack, make_keys, program
from harness.wait import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")


class Net:
    """No Perses: PERSAI_AUTH is off, and no tool is called."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.hosts = stack, Hosts(folder)
        self.keys = make_keys(folder / "net-keys")
        stack.redis.start()
        self.redis = self.hosts.forward(stack.redis.port)
        self.model = self.hosts.forward(int(stack.model.base_url.split(":")[2].split("/")[0]))
        self.gateways: dict[str, str] = {}
        self.workers: dict[str, str] = {}

    def env(self, **more: str) -> dict[str, str]:
        return {"PERSAI_REDIS": f"redis://{self.hosts.here}:{self.redis}/0", "PERSAI_KEYS": str(self.keys), **more}

    def start(self, name: str, what: str, env: dict[str, str]) -> Process:
        process = Process(name, self.hosts.on(name, program(what)), self.stack.logs, env)  # type: ignore[arg-type]
        self.stack.others.append(process)
        return process.start()

    def gateway(self, name: str) -> Process:
        address = self.hosts.add(name)
        self.gateways[name] = address
        self.hosts.name("gateways", *self.gateways.values())
        return self.start(name, "gateway", self.env(
            PERSAI_LISTEN=f"{address}:8000", PERSAI_BROKER=f"tcp://{address}:8100", PERSAI_AUTH="false",
            PERSAI_AUTH_OFF_ANYWHERE="true", PERSAI_HOSTS=address))

    def worker(self, name: str) -> Process:
        address = self.hosts.add(name)
        self.workers[name] = address
        return self.start(name, "worker", self.env(
            PERSAI_GATEWAYS="tcp://gateways:8100", PERSAI_METRICS_LISTEN=f"{address}:8200",
            OPENAI_BASE_URL=f"http://{self.hosts.here}:{self.model}/v1", OPENAI_API_KEY="x",
            PERSAI_DEFAULT_MODEL="openai/scripted"))

    def client(self, name: str) -> Client:
        return Client(f"http://{self.gateways[name]}:8000")

    def seen(self, address: str, port: int, metric: str) -> float:
        text = Client(f"http://{address}:{port}").get("/metrics").body.decode()
        return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(metric + " "))

    def workers_of(self, name: str) -> float:
        return self.seen(self.gateways[name], 8000, "persai_workers")

    def gateways_of(self, name: str) -> float:
        return self.seen(self.workers[name], 8200, "persai_worker_gateways")

    def running(self, name: str) -> float:
        return self.seen(self.workers[name], 8200, "persai_worker_turns_running")


@pytest.fixture
def net(make_stack: object, tmp_path: Path) -> Iterator[Net]:
    net = Net(make_stack("http://127.0.0.1:1"), tmp_path)  # type: ignore[operator]
    yield net
    for process in reversed(net.stack.others):
        process.terminate()
    net.hosts.remove()


def test_hosts_find_and_leave_each_other(net: Net) -> None:
    for n in range(3):
        net.gateway(f"g{n}")
    for n in range(3):
        net.worker(f"w{n}")
    until(lambda: all(net.workers_of(g) == 3 for g in net.gateways), "three workers at each gateway", 30)
    gate = Gate()
    net.stack.model.when("long", ["word ", gate, "end"])
    turns: list[tuple[Client, str, str]] = []

    def ask(gateway: str) -> None:
        client = net.client(gateway)
        session = client.session()
        turns.append((client, session, client.start(session, "long")))
        until(lambda: sum(net.running(w) for w in net.workers) == len(turns), "the turn to run")

    # A new worker: each gateway finds it, and it gets its share of the next turns.
    for n in range(6):
        ask(f"g{n % 3}")
    began = time.monotonic()
    net.worker("w3")
    until(lambda: all(net.workers_of(g) == 4 for g in net.gateways), "a fourth worker at each gateway", 30)
    found = time.monotonic() - began
    for n in range(6):
        ask(f"g{n % 3}")
    print(f"a new worker was found in {found:.2f} s, and had {net.running('w3'):.0f} of 6 new turns "
          f"{time.monotonic() - began:.2f} s after its start")
    assert net.running("w3") >= 2, {w: net.running(w) for w in net.workers}

    # A gateway is taken away: its name first, then it drains; its turns are just ending.
    gate.open()
    gone = net.gateways.pop("g2")
    net.hosts.name("gateways", *net.gateways.values())
    began = time.monotonic()
    next(p for p in net.stack.others if p.name == "g2").signal(15)
    until(lambda: all(net.gateways_of(w) == 2 for w in net.workers), "every worker to leave the gateway", 40)
    print(f"a removed gateway was left in {time.monotonic() - began:.2f} s")
    left = [net.client(g) for g in net.gateways]
    for client, session, turn in turns:
        client = left[0] if gone in client.base else client
        assert client.follow(session, turn, others=left, seconds=60).answer() == "word end"
