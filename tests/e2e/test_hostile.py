"""No input makes a process crash, hang or grow without bound."""

import os
import resource
import socket
import struct
import time

import msgpack
import pytest
import zmq

from fakes import upstream as up
from fakes.model import Call, Gate
from harness.client import DATASOURCE, Client
from harness.services import Perses
from harness.stack import Stack, metrics, seeded
from harness.wait import SLOWNESS, until

pytestmark = pytest.mark.asan


def raw(stack: Stack, data: bytes, seconds: float = 1) -> bytes:
    """Bytes on a connection of one's own, and what comes back until the end or a silence."""
    with socket.create_connection(("127.0.0.1", stack.gateway.port), timeout=seconds * SLOWNESS) as s:
        try:
            s.sendall(data)
            answer = b""
            while piece := s.recv(65536):
                answer += piece
        except OSError:
            pass
    return answer


def well(stack: Stack) -> None:
    alice = stack.client()
    assert alice.ask(alice.session(), "are you well").answer()


HTTP = {
    "garbage": b"\x00\x01\x02\xff" * 100, "no version": b"GET /sessions\r\n\r\n", "bad version": b"GET / HTTP/9.9\r\n\r\n",
    "endless line": b"GET /" + b"a" * 200000, "endless header": b"GET / HTTP/1.1\r\nX: " + b"a" * 200000,
    "many headers": b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n",
    "negative length": b"POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "wild length": b"POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nx",
    "two lengths": b"POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 200\r\n\r\n{}",
    "bad chunk": b"POST /session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "huge chunk": b"POST /session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n",
    "null in path": b"GET /sess\x00ions HTTP/1.1\r\nHost: x\r\n\r\n", "absolute": b"GET http://evil/ HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\n\r\n", "half a request": b"POST /session HTTP/1.1\r\nHo",
    "bad percent": b"GET /session/%zz%f HTTP/1.1\r\nHost: x\r\n\r\n", "only newlines": b"\r\n" * 10000,
    "cookie flood": b"GET /sessions HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * 5000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", HTTP)
def test_hostile_http(stack: Stack, name: str) -> None:
    raw(stack, HTTP[name])
    well(stack)


def test_random_bytes_on_every_port(stack: Stack) -> None:
    with seeded(int(os.environ.get("PERSAI_TEST_SEED", "1"))) as rng:
        for n in range(200):
            port = rng.choice([stack.gateway.port, stack.worker.port, int(stack.gateway.broker.rsplit(":", 1)[1])])
            try:
                with socket.create_connection((stack.broker_host if port not in (stack.gateway.port, stack.worker.port)
                                               else "127.0.0.1", port), timeout=2) as s:
                    s.sendall(rng.randbytes(rng.choice([1, 10, 100, 5000])))
            except ConnectionError:
                pass
    well(stack)


def test_slow_senders_are_bounded(stack: Stack) -> None:
    """Connections that say nothing or only half a request keep nobody out."""
    kept = []
    for n in range(300):
        s = socket.create_connection(("127.0.0.1", stack.gateway.port), timeout=5)
        s.sendall(b"POST /session HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"[: n % 70])
        kept.append(s)
    well(stack)
    for s in kept:
        s.close()


def frames(stack: Stack, messages: list[list[bytes]]) -> None:
    """As a worker without keys would send them to the broker."""
    context = zmq.Context()
    try:
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 500
        dealer.connect(stack.gateway.broker)
        for message in messages:
            dealer.send_multipart(message)
        dealer.close()
    finally:
        context.term()


def test_hostile_frames(stack: Stack) -> None:
    """Whatever a peer writes to the broker: the gateway logs it and goes on."""
    pack = msgpack.packb
    turn = b"\x01" * 16
    hostile = [
        [b""], [b"\xc1"], [b"\x00" * 1000], [os.urandom(500)], [pack([])], [pack({})], [pack("x")], [pack([999])],
        [pack([1])], [pack([1, "x", 7])], [pack([1, 1, "n" * 5000, 1, 1, b"", b""])], [pack([3, b"short", 1, 1, 0, b"{}"])],
        [pack([3, turn, 1, 1, 0, b"{}"])], [pack([3, turn, 4294967295, 4294967295, 1, b"\xff" * 1000])],
        [pack([4, turn, 1, 99])], [pack([5, turn, 1, "r" * 1000])], [pack([6, turn, 7])], [pack([2, 0])] * 1,
        [pack([16, turn, turn, 1, b"token"])], [pack([1, 0, "old", 1, 0, b"", b""])], [pack([20, "bye"])],
        [b"\xdd\xff\xff\xff\xff"], [b"\xc6\xff\xff\xff\xff"], [b"\x91" * 100000], [pack([3, turn, 1, 1, 0, b"x" * (4 << 20)])],
        [b"a", b"b", b"c"], [pack([-1])], [pack([1.5])], [pack([3, turn, -1, 1, 0, b"{}"])], [pack([2, 2 ** 63])],
    ]
    frames(stack, hostile)
    with seeded(2) as rng:
        frames(stack, [[rng.randbytes(rng.randrange(1, 300))] for _ in range(500)])
        good = pack([3, turn, 1, 1, 0, b'{"event":{}}'])
        for _ in range(300):
            bent = bytearray(good)
            bent[rng.randrange(len(bent))] = rng.randrange(256)
            frames_one = bytes(bent[:rng.randrange(1, len(bent) + 1)])
            hostile.append([frames_one])
    frames(stack, hostile)
    well(stack)


@pytest.mark.parametrize("version", [1, 3, 4711])
def test_a_worker_of_another_version_is_refused(stack: Stack, version: int) -> None:
    """An older one, or a later: with a line in the log; it gets no turn."""
    context = zmq.Context()
    try:
        dealer = context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.connect(stack.gateway.broker)
        dealer.send(msgpack.packb([1, version, "other-worker", 256, 0, b"[]", b"[]"]))
        line = f"event=worker.refused worker=\"other-worker\" version={version} ours=".encode()
        until(lambda: line in stack.gateway.process.log_bytes(), "the log line")
        alice = stack.client()
        for n in range(5):
            alice.ask(alice.session(), f"question {n}")
        got = b""
        while dealer.poll(200):
            got += b"".join(dealer.recv_multipart())
        assert b"version" in got, got
        assert alice.cookies["jwtSignature"].encode() not in got
        dealer.close()
    finally:
        context.term()


def test_a_worker_may_not_write_into_a_turn_it_does_not_run(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("mine", ["a", gate, "b"])
    alice = stack.client()
    stream = alice.turn(alice.session(), "mine")
    gate.wait()
    turn = bytes.fromhex(stream.wait_for("turn_start")["turn_id"])
    fake = b'{"event":{"payload":{"event_type":"error","code":"x","message":"injected"}}}'
    frames(stack, [[msgpack.packb([3, turn, 1, seq, final, fake])] for seq in range(1, 10) for final in (0, 1)])
    frames(stack, [[msgpack.packb([4, turn, 1, 3])], [msgpack.packb([5, turn, 1, "give it to me"])]])
    gate.open()
    log = stream.finish()
    assert log.answer() == "ab"


# ---- what comes from behind the proxy ----
@pytest.mark.parametrize("how", [*up.HOSTILE, "bomb"])
def test_hostile_answers_of_a_datasource(stack: Stack, perses: Perses, how: str) -> None:
    with up.Upstream() as upstream:
        upstream.behave = up.bomb if how == "bomb" else up.HOSTILE[how]
        perses.put_datasource("hostile", Perses.closed_datasource(upstream.url))
        queries = [Call("execute_range_query", {"query": "canary_temperature_celsius"}), Call("list_metrics", {}),
                   Call("execute_instant_query", {"query": "canary_temperature_celsius"})]
        stack.model.when("look", queries, ["Seen."])
        alice = stack.client()
        log = alice.turn(alice.session(), "look", datasource="/proxy/globaldatasources/hostile").finish(100)
        assert log.answer() == "Seen."
        for _, response in log.tools():
            assert 0 < len(response["content"]) < 64 << 10
            assert "<script>" not in response["content"] or how != "html_error" or len(response["content"]) < 4000
        assert stack.worker.process.memory_bytes() < 300 << 20
    well(stack)


def test_a_silent_datasource_is_cancelled_with_its_turn(stack: Stack, perses: Perses) -> None:
    with up.Upstream() as upstream:
        upstream.behave = up.hang
        perses.put_datasource("silent", Perses.closed_datasource(upstream.url))
        stack.model.when("look", [Call("list_metrics", {})], ["Seen."])
        alice = stack.client()
        session = alice.session()
        stream = alice.turn(session, "look", datasource="/proxy/globaldatasources/silent")
        turn = stream.wait_for("turn_start")["turn_id"]
        until(lambda: upstream.requests, "the tool's request")
        assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202
        assert stream.finish().types()[-1] == "turn_cancelled"
    well(stack)


def test_a_silent_datasource_times_out(bare: Stack, perses: Perses) -> None:
    """After PERSAI_TOOL_TIMEOUT the model is told, and the turn goes on."""
    stack = bare.start(worker_env={"PERSAI_TOOL_TIMEOUT": "2s"})
    with up.Upstream() as upstream:
        upstream.behave = up.drip
        perses.put_datasource("drip", Perses.closed_datasource(upstream.url))
        stack.model.when("look", [Call("execute_instant_query", {"query": "canary_temperature_celsius"})], ["Seen."])
        alice = stack.client()
        log = alice.turn(alice.session(), "look", datasource="/proxy/globaldatasources/drip").finish(80)
        assert log.answer() == "Seen."
        evaluated = [r for r in upstream.requests if r.path in ("/api/v1/query", "/api/v1/query_range")]
        assert evaluated and all(r.param("timeout") == "2s" for r in evaluated)
        assert "time" in log.tools()[0][1]["content"].lower()


# ---- slow clients ----
def test_a_stalled_client_costs_bounded_memory_and_slows_nobody(stack: Stack) -> None:
    """It reads nothing while its answer is made; others stream on; it gets all of it when it reads on."""
    pieces = [f"{n:07d}" + "y" * 2000 for n in range(40)]
    stack.model.when("big", pieces)
    alice = stack.client()
    well(stack)
    before = stack.gateway.process.memory_bytes()
    stalled = []
    for _ in range(20):
        session = alice.session()
        s = socket.create_connection(("127.0.0.1", stack.gateway.port))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        cookie = "; ".join(f"{k}={v}" for k, v in alice.cookies.items())
        body = b'{"message":"big one"}'
        s.sendall(f"POST /session/{session}/turn?datasource_path={DATASOURCE} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n"
                  f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        stalled.append((session, s))
    until(lambda: all(alice.sessions()[n]["turns"] >= 1 for n in range(20)), "all turns to begin", 30)

    def over() -> bool:
        return all(len(alice.messages(session)) == 2 for session, _ in stalled)

    until(over, "all turns to end while nobody reads", 60)
    grown = stack.gateway.process.memory_bytes() - before
    assert grown < 60 * int(SLOWNESS) << 20, f"{grown >> 20} MiB more"
    well(stack)
    session, s = stalled[0]
    s.settimeout(20 * SLOWNESS)
    data = b""
    while b"turn_complete" not in data and (piece := s.recv(1 << 16)):
        data += piece
    for n in (0, 20, 39):
        assert pieces[n].encode() in data.replace(b"\r\n", b"") or pieces[n][:7].encode() in data
    for _, s in stalled:
        s.close()


def test_clients_that_come_and_go(stack: Stack) -> None:
    """Hundreds of streams that are opened and dropped leave nothing behind."""
    gate = Gate()
    stack.model.when("watched", ["a", gate, "b"])
    alice = stack.client()
    session = alice.session()
    turn = alice.start(session, "watched")
    gate.wait()
    files = len(os.listdir(f"/proc/{stack.gateway.process.pid}/fd"))
    with seeded(3) as rng:
        for _ in range(200):
            stream = alice.events(session, turn)
            if rng.random() < 0.5:
                stream.connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.close()
    gate.open()
    assert alice.events(session, turn).finish().answer() == "ab"
    until(lambda: len(os.listdir(f"/proc/{stack.gateway.process.pid}/fd")) < files + 10, "the connections to be closed", 40)
    assert metrics(stack.gateway.url)


def test_requests_that_are_sent_and_dropped(stack: Stack) -> None:
    alice = stack.client()
    cookie = "; ".join(f"{k}={v}" for k, v in alice.cookies.items())
    for n in range(100):
        s = socket.create_connection(("127.0.0.1", stack.gateway.port))
        s.sendall(f"GET /sessions HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
    well(stack)


def test_keep_alive_and_pipelining(stack: Stack) -> None:
    alice = stack.client()
    cookie = "; ".join(f"{k}={v}" for k, v in alice.cookies.items())
    one = f"GET /sessions HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode()
    last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert raw(stack, one * 9 + last).count(b"HTTP/1.1 200") == 10
    assert Client(stack.gateway.url).get("/healthz").status == 200


# ---- at the limit of connections ----
def many(port: int, count: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(count)]


def close(sockets: list[socket.socket]) -> None:
    for s in sockets:
        s.close()


def test_it_hears_again_after_a_burst(bare: Stack) -> None:
    """At its limit of connections, then all clients gone: the next one is answered, by gateway and worker."""
    bare.start(gateway_env={"PERSAI_CONNECTIONS": "40"})
    for port, url in ((bare.gateway.port, bare.gateway.url), (bare.worker.port, bare.worker.url)):
        for _ in range(3):
            burst = many(port, 300)
            time.sleep(0.2)  # they are taken, up to the limit
            close(burst)
            until(lambda url=url: Client(url).get("/healthz").status == 200, f"{url} to answer again", 5)
    well(bare)
    log = bare.gateway.process.log_bytes()
    assert 1 <= log.count(b"event=http.full ") == log.count(b"event=http.full_over") <= 12, "not a line for each connection"


def test_probes_are_answered_while_others_fill_it(bare: Stack) -> None:
    bare.start(gateway_env={"PERSAI_CONNECTIONS": "40"})
    full = many(bare.gateway.port, 40)
    until(lambda: b"event=http.full " in bare.gateway.process.log_bytes(), "the limit to be met")
    full += many(bare.gateway.port, 60)
    for _ in range(50):
        for path in ("/healthz", "/readyz", "/metrics"):
            assert Client(bare.gateway.url).get(path).status == 200
    refused = bare.client().get("/sessions")
    assert refused.status == 503 and refused.code == "busy" and int(refused.headers["Retry-After"]) > 0
    close(full)
    until(lambda: bare.client().get("/sessions").status == 200, "room", 5)
    full = many(bare.worker.port, 64 + 30)
    assert Client(bare.worker.url).get("/metrics").status == 200
    close(full)


def test_it_hears_again_after_it_ran_out_of_descriptors(bare: Stack) -> None:
    bare.start()
    pid = bare.gateway.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 20, before[1]))
    burst = many(bare.gateway.port, 100)
    until(lambda: b"event=http.starved " in bare.gateway.process.log_bytes(), "the log line")
    close(burst)
    until(lambda: Client(bare.gateway.url).get("/healthz").status == 200, "it to answer again", 5)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    well(bare)
    log = bare.gateway.process.log_bytes()
    assert log.count(b"event=http.starved ") == 1 and b"event=http.starved_over" in log
