"""Streams that end late, twice, elsewhere or not at all: slow clients, many clients, expiry, cancellation."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from fakes.model import Call, Gate, Ticking
from harness.client import DATASOURCE
from harness.sse import Log, Parser, check_log
from harness.stack import Stack, metric
from harness.wait import SLOWNESS, until


def test_a_finished_turn_is_replayed_until_it_expires(bare: Stack) -> None:
    stack = bare.start(gateways=2, gateway_env={"PERSAI_EVENTS_KEEP": "3s"}, worker_env={"PERSAI_EVENTS_KEEP": "3s"})
    alice, other = stack.client(gateway=0), stack.client(gateway=1)
    session = alice.session()
    log = alice.ask(session, "short")
    turn = log.of("turn_start")[0]["turn_id"]
    for client in (alice, other):
        assert client.events(session, turn).finish() == log
        assert client.events(session, turn, after=log[2].id).finish() == log[3:]
    path = f"/session/{session}/turn/{turn}/events"
    until(lambda: alice.get(path).status == 410, "the events to expire")
    for client in (alice, other):
        for headers in ({}, {"Last-Event-ID": log[2].id}):
            answer = client.get(path, headers=headers)
            assert answer.status == 410 and answer.code == "events_expired"
    assert [m["role"] for m in alice.messages(session)] == ["user", "assistant"]  # the conversation stays


def test_several_clients_follow_one_turn(bare: Stack) -> None:
    """From its start and from its middle, at both gateways, by POST and by GET: each gets all of it, once."""
    stack = bare.start(gateways=2)
    gates = [Gate(), Gate()]
    stack.model.when("watched", [*(f"a{n} " for n in range(50)), gates[0], *(f"b{n} " for n in range(50)), gates[1], "end"])
    here, there = stack.client(gateway=0), stack.client(gateway=1)
    session = here.session()
    first = here.turn(session, "watched")
    gates[0].wait()
    first.wait_text("a49 ")
    turn = first.wait_for("turn_start")["turn_id"]
    middle = first.last_id
    streams = [here.events(session, turn), there.events(session, turn), there.events(session, turn, after=middle)]
    gates[0].open()
    gates[1].wait()
    streams += [here.events(session, turn), there.events(session, turn, after="1-1")]
    gates[1].open()
    whole = first.finish()
    assert whole.text() == whole.answer()
    for stream in streams:
        after = tuple(int(n) for n in (stream.after or "0-0").split("-"))
        assert stream.finish() == Log(e for e in whole if (e.epoch, e.seq) > after)


def test_an_id_that_no_event_has_ends_its_stream_at_the_turns_end(bare: Stack) -> None:
    """At the gateway that drives the turn and at another: who is ahead of it waits for nothing, and not for ever."""
    stack = bare.start(gateways=2)
    running, ended = Gate(), Gate()
    stack.model.when("made up", ["a ", running, "b ", ended, "c"])
    here, there = stack.client(gateway=0), stack.client(gateway=1)
    session = here.session()
    turn = here.start(session, "made up")
    running.wait()
    ahead = [c.events(session, turn, after=after) for c in (here, there) for after in ("1-4000000000", "9-9")]
    running.open()
    ended.wait()
    commands = stack.redis.client.info("stats")["total_commands_processed"]
    ended.open()
    assert here.follow(session, turn).answer() == "a b c"
    for stream in ahead:
        stream.ended.wait(20 * SLOWNESS)
        assert stream.parser.given_up and stream.parser.given_up["code"] == "history_lost"
    assert stack.redis.client.info("stats")["total_commands_processed"] - commands < 2000
    for bad in ("4294967295-4294967295", "1-4294967295", "-1--1", "1-1-1", "last"):
        answer = here.get(f"/session/{session}/turn/{turn}/events", headers={"Last-Event-ID": bad})
        assert answer.status == 400 and answer.code == "bad_request", bad


def test_a_made_up_id_is_waited_for_no_longer_than_a_store_is(bare: Stack) -> None:
    """The turn runs on; its stream ends after 10 s all the same, and asks the store for nothing meanwhile."""
    stack = bare.start()
    gate = Gate()
    stack.model.when("long", ["a ", gate, "b"])
    alice = stack.client()
    session = alice.session()
    turn = alice.start(session, "long")
    gate.wait()
    stream = alice.events(session, turn, after="1-999")
    stream.ended.wait(20 * SLOWNESS)
    assert stream.parser.given_up and stream.parser.given_up["code"] == "history_lost"
    gate.open()


def test_many_followers_elsewhere_cost_the_store_what_one_does(bare: Stack) -> None:
    """150 at a gateway that does not drive the turn; each asking for itself they made 17,000 commands a second."""
    stack = bare.start(gateways=2)
    tick = Ticking(0.02)
    stack.model.when("ticking", [tick])
    here, there = stack.client(gateway=0), stack.client(gateway=1)
    session = here.session()
    turn = here.start(session, "ticking")
    until(lambda: tick.sent > 5, "some of the answer")

    def asked() -> float:
        return metric(there.base, "followers_behind")

    streams = [there.events(session, turn) for _ in range(150)]
    until(lambda: all(s.last_id for s in streams), "all to have some of it")
    before, began = asked(), time.monotonic()
    time.sleep(2)
    rate = (asked() - before) / (time.monotonic() - began)
    streams[0].close()  # the others go on without it
    tick.enough.set()
    logs = [stream.finish() for stream in streams[1:]]
    print(f"the store was asked {rate:.0f} times a second")
    assert all(log == logs[0] for log in logs) and logs[0].answer() == tick.text()
    assert rate < 150, rate


def test_a_stream_costs_the_gateway_little_memory(bare: Stack) -> None:
    """Each on a connection that has been used before, as behind a load balancer: its buffers are all written to."""
    stack = bare.start(gateway_env={"PERSAI_USER_REQUESTS": "0"})
    gate = Gate()
    stack.model.when("slow", ["one ", gate, "two"])
    alice = stack.client("alice", bearer=True)
    session = alice.session()
    turn = alice.start(session, "slow")
    gate.wait()

    def follows() -> socket.socket:
        s = socket.create_connection(("127.0.0.1", stack.gateway.port), 20 * SLOWNESS)
        head = f"Host: 127.0.0.1:{stack.gateway.port}\r\nAuthorization: Bearer {alice.bearer}\r\n\r\n"
        for path, end in (("/models", b"]"), (f"/session/{session}/turn/{turn}/events", b"one ")):
            s.sendall(f"GET {path} HTTP/1.1\r\n{head}".encode())
            read = b""
            while end not in read.partition(b"\r\n\r\n")[2]:
                read += s.recv(65536)
                assert read.startswith(b"HTTP/1.1 200"), read
        return s

    streams = [follows() for _ in range(50)]
    before = stack.gateway.process.memory_bytes()
    streams += [follows() for _ in range(300)]
    grown = (stack.gateway.process.memory_bytes() - before) / 300
    print(f"a stream takes {grown / 1024:.1f} KiB of the gateway")
    for s in streams:
        s.close()
    gate.open()
    assert grown < 18 * 1024 * SLOWNESS, grown


STEPS, PIECES = 10, 300


def test_clients_that_stop_reading_cost_bounded_memory_and_read_on_whole(bare: Stack, tmp_path: Path) -> None:
    """Thousands of events flow while they read nothing: the gateway drops its copies, and reads on from Redis at
    their pace."""
    models = tmp_path / "models.json"
    models.write_text(json.dumps([{"name": "wide", "provider": "openai", "model": "scripted", "window": 4000000,
                                   "base_url": bare.model.base_url}]))
    stack = bare.start(gateway_env={"PERSAI_TAIL": "64KiB"},
                       worker_env={"PERSAI_MODELS": str(models), "PERSAI_DEFAULT_MODEL": "wide"})
    steps = [[f"{step}.{n} ".ljust(240, "z") for n in range(PIECES)] for step in range(STEPS)]
    calls = [[*pieces, Call("list_label_values", {"label": "room"})] for pieces in steps[:-1]]
    stack.model.when("flood", *calls, steps[-1])
    alice = stack.client()
    alice.ask(alice.session(), "warm up")
    before = stack.gateway.process.memory_bytes()
    stalled = []
    for _ in range(6):
        session = alice.session()
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(60 * SLOWNESS)
        s.connect(("127.0.0.1", stack.gateway.port))
        cookie = "; ".join(f"{k}={v}" for k, v in alice.cookies.items())
        body = b'{"message":"flood"}'
        s.sendall(f"POST {alice.turn_path(session, DATASOURCE)} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n"
                  f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        stalled.append((session, s))
    most = 0

    def over() -> bool:
        nonlocal most
        most = max(most, stack.gateway.process.memory_bytes() - before)
        return metric(stack.worker.url, "turns_running") == 0 and alice.get("/healthz").status == 200

    until(lambda: metric(stack.worker.url, "turns_running") == 6, "all turns to run", 30)
    until(over, "all turns to end while nobody reads", 120)
    assert most < 24 * int(SLOWNESS) << 20, f"{most >> 20} MiB more"
    for _, s in stalled:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # fast again
        log = read_whole(s)
        check_log(log)
        assert len(log) > STEPS * 4 and log.answer() == "".join(steps[-1])
        assert log.text() == "".join("".join(pieces) for pieces in steps)
        s.close()
    assert metric(stack.gateway.url, "followers_behind_total") > 6


def read_whole(s: socket.socket) -> Log:
    """A chunked answer to its end."""
    file = s.makefile("rb")
    assert b" 200 " in file.readline()
    while file.readline().strip():
        pass
    parser = Parser()
    while length := int(file.readline(), 16):
        parser.feed(file.read(length))
        file.readline()
    return Log(parser.events)


class Endless:
    """A reply that a model goes on with until nobody reads it any more."""

    def __init__(self) -> None:
        self.sent = 0
        self.ended = threading.Event()

    def __getitem__(self, index: int) -> str:
        return "more "

    def __iter__(self) -> Iterator[str]:
        try:
            while True:
                self.sent += 1
                yield f"w{self.sent} "
                time.sleep(0.002)
        finally:
            self.ended.set()


def test_cancel_at_any_gateway_stops_the_providers_stream_and_is_final(bare: Stack) -> None:
    stack = bare.start(gateways=2, workers=2)
    clients = [stack.client(gateway=n) for n in range(2)]
    for at in (0, 1, 1, 0):
        reply = Endless()
        stack.model.when(f"endless {at}", reply)
        session = clients[0].session()
        stream = clients[0].turn(session, f"endless {at}")
        stream.wait_text("w20 ")
        turn = stream.wait_for("turn_start")["turn_id"]
        assert clients[at].post(f"/session/{session}/turn/{turn}/cancel").status == 202
        assert reply.ended.wait(10 * SLOWNESS), "the provider still writes"
        log = stream.finish()
        assert log.types()[-1] == "turn_cancelled" and log.text()
        kept = clients[1 - at].messages(session)
        assert [m["content"] for m in kept[1:]] == [log.text()] and kept[1]["stop_reason"] == "cancelled"
        for client in clients:
            assert client.post(f"/session/{session}/turn/{turn}/cancel").status == 202
            assert client.events(session, turn).finish() == log
            assert client.messages(session) == kept
        assert clients[at].ask(session, "and now").answer()
