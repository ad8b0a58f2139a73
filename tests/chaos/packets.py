"""Each worker in a network namespace of its own, joined to ours by a veth pair on which packets can be dropped:
what a broken switch looks like, down to TCP's retransmissions."""

import os
import subprocess
from pathlib import Path

from chaos.lines import Line, StoreLine
from chaos.world import Guarded, World
from harness.stack import NAMESPACE_HOST, Stack, Worker, program
from harness.wait import until

WAIT = 'until ip route show default | grep -q .; do sleep 0.01; done; exec "$0"'


def run(*words: object) -> None:
    answer = subprocess.run([str(w) for w in words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert answer.returncode == 0, f"{words}: {answer.stderr}"


class ApartWorker(Worker):
    def __init__(self, stack: Stack, number: int, gateways: str, **env: str) -> None:
        self.number = number
        self.address = f"10.77.{10 + number}.2"
        super().__init__(stack, f"worker-{number}", gateways, **env)
        self.process.env["PERSAI_METRICS_LISTEN"] = f"{self.address}:{self.port}"
        self.process.args = ["unshare", "--net", "sh", "-c", WAIT, str(program("worker"))]

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"

    @property
    def ours(self) -> str:
        return f"veth{self.number}"

    def inside(self, *words: object) -> None:
        run("nsenter", "-t", self.process.pid, "-n", *words)

    def start(self) -> "ApartWorker":
        subprocess.run(["ip", "link", "delete", self.ours], stderr=subprocess.DEVNULL)  # of one that was killed
        super().start()
        pid, gateway = self.process.pid, self.address[:-1] + "1"
        until(lambda: os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/self/ns/net"), "its namespace")
        run("ip", "link", "add", self.ours, "type", "veth", "peer", "name", "out", "netns", pid)
        run("ip", "address", "add", f"{gateway}/24", "dev", self.ours)
        run("ip", "link", "set", self.ours, "up")
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "address", "add", f"{self.address}/24", "dev", "out")
        self.inside("ip", "link", "set", "out", "up")
        self.inside("ip", "route", "add", "default", "via", gateway)
        return self

    def drop(self) -> None:
        """Every packet, both ways."""
        run("tc", "qdisc", "add", "dev", self.ours, "root", "blackhole")
        self.inside("tc", "qdisc", "add", "dev", "out", "root", "blackhole")

    def let_pass(self) -> None:
        run("tc", "qdisc", "delete", "dev", self.ours, "root")
        self.inside("tc", "qdisc", "delete", "dev", "out", "root")


class Apart(Guarded):
    worker: ApartWorker

    def cut(self) -> None:
        self.worker.drop()

    def heal(self) -> None:
        self.worker.let_pass()


class PacketWorld(World):
    """Between gateways and workers is CURVE, as between machines."""

    def __init__(self, folder: Path, capacity: int) -> None:
        super().__init__(folder, capacity, curve=True)
        self.services = {name: Line(fake.port, NAMESPACE_HOST) for name, fake in
                         (("model", self.stack.model), ("perses", self.perses))}

    def add_worker(self) -> None:
        store = StoreLine(self.stack.redis.port, NAMESPACE_HOST)
        worker = ApartWorker(
            self.stack, len(self.guarded), ",".join(g.broker for g in self.stack.gateways),
            PERSAI_REDIS=f"redis://{NAMESPACE_HOST}:{store.port}/0", PERSAI_CAPACITY=str(self.capacity),
            OPENAI_BASE_URL=f"http://{NAMESPACE_HOST}:{self.services['model'].port}/v1",
            PERSES_API_URL=f"http://{NAMESPACE_HOST}:{self.services['perses'].port}", **self.env)
        self.stack.workers.append(worker)
        self.guarded.append(Apart(worker.start(), store, []))

    def stop(self) -> None:
        super().stop()
        for line in self.services.values():
            line.stop()
