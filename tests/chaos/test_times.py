"""How long a failover takes: printed, never asserted (tests/run chaos SEED --times). Default beats; the stack's own
processes only, no line of the test's between them."""

import itertools
import os
import platform
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import perses as fake_perses
from fakes.model import Attempts, Gate
from harness.sse import Stream
from harness.stack import Stack, metrics
from harness.wait import until

pytestmark = [pytest.mark.times, pytest.mark.timeout(900)]


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with fake_perses.Perses() as perses:
        made = Stack(tmp_path, perses.url, perses.sign_in).start(gateways=2, workers=2)
        yield made
        made.stop()


def whole(stack: Stack) -> None:
    for process in (*stack.gateways, *stack.workers):
        if not process.process.running():
            process.start()
    for gateway in stack.gateways:
        until(lambda g=gateway: metrics(g.url)["persai_workers"] == len(stack.workers), "all workers", 30)


def next_event(stream: Stream, known: int) -> float:
    """When the event after this number of them came."""
    while len(stream.parser.events) <= known:
        assert not stream.ended.is_set(), "the stream ended"
        time.sleep(0.0005)
    return time.monotonic()


def of_worker(stack: Stack, count: int, what: Callable[[Stack, Stream], float]) -> list[float]:
    """Seconds from what is done to the worker of a turn until its client's connection has the next event."""
    found = []
    for n in range(count):
        whole(stack)
        gate = Gate()
        stack.model.when(f"{what.__name__} {n} ", Attempts(["before ", gate], ["after"]))
        alice = stack.client()
        stream = alice.turn(alice.session(), f"{what.__name__} {n} of them")
        stream.wait_text("before ")
        gate.wait()
        known = len(stream.parser.events)
        began = what(stack, stream)
        found.append(next_event(stream, known) - began)
        for worker in stack.workers:
            worker.process.signal(signal.SIGCONT) if worker.process.running() else None
        gate.open()
        assert stream.finish(60).answer() == "after"
    return found


def kill(stack: Stack, stream: Stream) -> float:
    process = stack.working().process
    began = time.monotonic()
    process.kill()
    return began


def freeze(stack: Stack, stream: Stream) -> float:
    process = stack.working().process
    began = time.monotonic()
    process.signal(signal.SIGSTOP)
    return began


def reconnects(stack: Stack, count: int) -> list[float]:
    """From connecting to the other gateway, when the first is dead, to the first replayed event."""
    gate = Gate()
    stack.model.when("long one", [*(f"w{n} " for n in range(200)), gate, "end"])
    one, two = stack.client(gateway=0), stack.client(gateway=1)
    session = one.session()
    stream = one.turn(session, "long one")
    stream.wait_text("w199 ")
    turn = stream.wait_for("turn_start")["turn_id"]
    client = stack.redis.client
    key = f"p:t:{{{session}}}:{turn}"
    last = stream.log[-1]
    until(lambda: (int(client.hget(key, "le")), int(client.hget(key, "ls"))) >= (last.epoch, last.seq), "all to be stored")
    stack.gateway.process.kill()
    found = []
    for _ in range(count):
        began = time.monotonic()
        again = two.events(session, turn, after="1-1")
        found.append(next_event(again, 0) - began)
        again.close()
    gate.open()
    two.events(session, turn).finish()
    return found


class Endless:
    def __init__(self) -> None:
        self.ended, self.at = threading.Event(), 0.0

    def __getitem__(self, index: int) -> str:
        return "more "

    def __iter__(self) -> Iterator[str]:
        try:
            for n in itertools.count():
                yield f"w{n} "
                time.sleep(0.002)
        finally:
            self.at = time.monotonic()
            self.ended.set()


def cancels(stack: Stack, count: int) -> list[float]:
    """From the request at the gateway that does not drive the turn to the provider's last byte."""
    whole(stack)
    one, two = stack.client(gateway=0), stack.client(gateway=1)
    found = []
    for n in range(count):
        reply = Endless()
        stack.model.when(f"endless {n} ", reply)
        session = one.session()
        stream = one.turn(session, f"endless {n} of them")
        stream.wait_text("w10 ")
        turn = stream.wait_for("turn_start")["turn_id"]
        began = time.monotonic()
        assert two.post(f"/session/{session}/turn/{turn}/cancel").status == 202
        assert reply.ended.wait(20)
        found.append(reply.at - began)
        assert stream.finish().types()[-1] == "turn_cancelled"
    return found


def percentile(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def test_times(stack: Stack, request: pytest.FixtureRequest) -> None:
    before = os.getloadavg()[0]
    rows = [("what", "of", "measured", "goal")]
    for what, values, goals in (
            ("worker killed to the next event, same connection", of_worker(stack, 60, kill), ("≤ 700", "≤ 1500")),
            ("worker frozen to the next event, same connection", of_worker(stack, 20, freeze), ("", "")),
            ("reconnect at another gateway to the first replayed event", reconnects(stack, 200), ("", "≤ 50")),
            ("cancel at another gateway to the provider's last byte", cancels(stack, 60), ("", "≤ 250"))):
        for name, value, goal in (("p50", statistics.median(values), goals[0]), ("p99", percentile(values, 0.99), goals[1])):
            rows.append((what, f"{name} of {len(values)}", f"{value * 1000:.1f} ms", goal))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    load = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}; {load}"
    request.config.times = ["", machine, "", *lines, ""]  # type: ignore[attr-defined]
