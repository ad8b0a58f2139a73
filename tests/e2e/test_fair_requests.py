"""What one person asks of the store, others hardly notice."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from fakes.model import Call, Gate
from fakes.perses import Perses as FakePerses
from fakes.server import Exchange, Request
from harness.client import DATASOURCE, Client
from harness.clock import by_the_clock
from harness.doors import question
from harness.stack import Stack
from harness.wait import SLOWNESS, until

CONNECTIONS, SESSIONS = 150, 200


@contextmanager
def flood(stack: Stack, person: Client, method: str, path: str, body: bytes) -> Iterator[list[int]]:
    """As many requests at once as a person may have, each asked again when it was answered; how many were."""
    cookies = "; ".join(f"{k}={v}" for k, v in person.cookies.items())
    request = (f"{method} {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\nContent-Type: application/json\r\n"
               f"Content-Length: {len(body)}\r\n\r\n").encode() + body
    over, answered = threading.Event(), [0]

    def ask(s: socket.socket) -> None:
        try:
            s.sendall(request)
            while not over.is_set() and (data := s.recv(1 << 20)):
                if b"HTTP/1.1 " in data:
                    answered[0] += 1
                    s.sendall(request)
        except OSError:
            pass

    sockets = [socket.create_connection(("127.0.0.1", stack.gateway.port), timeout=60) for _ in range(CONNECTIONS)]
    threads = [threading.Thread(target=ask, args=(s,), daemon=True) for s in sockets]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        over.set()
        for s in sockets:
            s.close()
        for thread in threads:
            thread.join(10)


def longest(person: Client, count: int) -> float:
    session, times = person.session(), []
    for _ in range(count):
        began = time.monotonic()
        assert person.ask(session, "hello").answer()
        times.append(time.monotonic() - began)
    return max(times)


@pytest.fixture
def busy(bare: Stack) -> tuple[Stack, Client, str, str]:
    """alice has many conversations and a long one; its last turn."""
    stack = bare.start(gateway_env={"LOG_LEVEL": "info"}, worker_env={"LOG_LEVEL": "info"})
    stack.model.when("much", ["x" * 60000])
    alice = stack.client()
    session = alice.session()
    for n in range(20):
        turn = alice.start(session, f"much {n} " + "y" * 60000)
        alice.follow(session, turn)
    for _ in range(SESSIONS):
        alice.session(title="t" * 200)
    return stack, alice, session, turn


FLOODS = {
    "lists": ("GET", "/sessions?limit=200", b""), "a conversation": ("GET", "/session/{session}", b""),
    "a replay": ("GET", "/session/{session}/turn/{turn}/events", b""), "searches": ("GET", "/sessions?q=nowhere", b""),
    "settings": ("PATCH", "/session/{session}", json.dumps({"panels": {"x": "z" * 60000}}).encode()),
    "pins": ("PATCH", "/session/{session}/message/1", b'{"pinned":true}'),
}


@by_the_clock
@pytest.mark.parametrize("what", FLOODS)
def test_one_persons_requests_keep_nobody_waiting(busy: tuple[Stack, Client, str, str], what: str) -> None:
    stack, alice, session, turn = busy
    method, path, body = FLOODS[what]
    bob = stack.client("bob")
    quiet = longest(bob, 10)
    with flood(stack, alice, method, path.format(session=session, turn=turn), body) as answered:
        until(lambda: answered[0] > 20, "the flood to run", 30)
        noisy = longest(bob, 10)
    print(f"{what}: {quiet * 1000:.0f} ms quiet, {noisy * 1000:.0f} ms beside the flood, {answered[0]} answers")
    assert noisy < 1 * SLOWNESS, (quiet, noisy)
    assert json.loads(alice.get("/sessions?limit=200").body), "hers go on too"
    log = stack.gateway.process.log_bytes()
    assert b"redis.down" not in log, "the link was taken for dead"


def test_who_leaves_with_requests_under_way_takes_nothing_along(stack: Stack) -> None:
    """Searches that replace each other, lists and a conversation, their clients gone at once, at each time of their way."""
    alice, bob = stack.client(), stack.client("bob")
    session = alice.session()
    cookies = "; ".join(f"{k}={v}" for k, v in alice.cookies.items())
    for path in [f"/session/{session}", "/sessions?limit=200", "/sessions?q=nowhere"] * 4:
        sockets = []
        for _ in range(60):
            sockets.append(socket.create_connection(("127.0.0.1", stack.gateway.port), timeout=10))
            sockets[-1].sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookies}\r\n\r\n".encode())
        for s in sockets:
            s.close()
    assert bob.ask(bob.session(), "hello").answer()
    until(lambda: alice.get("/sessions").status == 200, "her places to be free")


LONG = {
    "an answer in one piece": ("POST", "/v1/chat/completions", {
        "model": "persai", "messages": [{"role": "user", "content": "wait"}]}, {"X-PersAI-Datasource": DATASOURCE}),
    "a question without a datasource": ("POST", "/agui", question("/agui", "wait"), {}),
    "what somebody may": ("GET", "/admin", None, {}),
    "an administrator's list": ("GET", "/admin/turns", None, {}),
    "a shared conversation": ("GET", "/shared/{share}", None, {}),
    "a token that is refreshed first": ("POST", "/session/{session}/turn?datasource_path=" + DATASOURCE, {"message": "wait"}, {}),
}


@pytest.mark.parametrize("what", LONG)
def test_who_waits_for_something_else_keeps_nobody_from_the_store(make_stack: Callable[..., Stack], what: str) -> None:
    """As many requests as may be at the store at once; they wait for a model, or for a Perses that is slow to say something."""
    method, path, body, headers = LONG[what]
    release, gate = threading.Event(), Gate()

    def is_slow(request: Request) -> bool:
        return request.path.endswith(("/permissions", "/api/v1/globaldatasources", "/globaldatasources/prometheus", "/refresh"))

    def behave(exchange: Exchange, request: Request) -> bool:
        return is_slow(request) and not release.wait(60)

    with FakePerses() as perses, ThreadPoolExecutor(4 * 16) as at_once:
        stack = make_stack(perses.url, lambda user: perses.sign_in(user, 290)).start()
        stack.model.when("wait", ["It ", gate, "waited."])
        *people, last = [stack.client(f"person-{n}") for n in range(17)]
        for one in (*people, last):
            assert one.sessions() == []  # Perses has said who they are
        stack.model.when("look", [Call("execute_instant_query", {"query": "up"})], ["Seen."])
        looks = last.session()
        last.ask(looks, "look")
        share = last.post(f"/session/{looks}/share").json()["share_id"]
        paths = [path.format(share=share, session=one.session()) for one in people]
        perses.behave = behave
        for one, theirs in zip(people * 4, paths * 4, strict=True):
            at_once.submit(one.request, method, theirs, body, headers=headers)
        try:
            until(lambda: len(perses.seen(is_slow)) + len(stack.model.chats("wait")) >= 64, "all to wait", 30)
            for one in (last, people[0]):
                began = time.monotonic()
                one.sessions()
                assert time.monotonic() - began < 2 * SLOWNESS
        finally:
            gate.open()
            release.set()


def many(one: str, size: int) -> bytes:
    """A body of that many bytes, all of it such values."""
    return b'{"model":"persai","messages":[' + ",".join([one] * (size // (len(one) + 1))).encode() + b"]}"


# Each is read into a tree of up to a hundred times its length.
VALUES = ["{}", "[]", "0", '{"a":0}', "[[[[]]]]", '{"a":{},"b":[]}', '""']


@by_the_clock
def test_bodies_of_many_small_values_cost_others_nothing(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_BODY_MAX": "2MiB"})
    alice, bob = stack.client("alice"), stack.client("bob")
    bob.session()
    assert alice.get("/sessions").status == bob.get("/sessions").status == 200
    memory, before, longest, answers = stack.gateway.process.memory_bytes, stack.gateway.process.memory_bytes(), 0.0, set()

    def send(job: tuple[str, bytes]) -> None:
        path, body = job
        answers.add((path, alice.request("POST", path, raw=body).status))

    jobs = [(path, many(one, size)) for path in ("/v1/chat/completions", "/mcp", "/agui", "/session")
            for one in VALUES for size in (2_000_000, 120_000)]
    with ThreadPoolExecutor(4) as pool:
        under_way = [pool.submit(send, job) for job in jobs * 3]
        while not all(one.done() for one in under_way):
            began = time.monotonic()
            assert bob.get("/sessions").status == 200
            longest = max(longest, time.monotonic() - began)
    for one in under_way:
        one.result()
    grown = memory() - before
    print(f"bob's longest list {longest * 1000:.0f} ms, gateway grew by {grown >> 20} MiB; {sorted(answers)}")
    assert all(400 <= status < 500 for _, status in answers), answers
    assert ("/v1/chat/completions", 413) in answers
    assert longest < 0.5 * SLOWNESS
    assert grown < 64 << 20
