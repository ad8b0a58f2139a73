"""Idempotency-Key: the same request again is the same session or turn; another request under it is refused."""

import json
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.model import Gate
from harness.client import DATASOURCE, Client, Response
from harness.stack import Stack
from harness.wait import until

CONTEXT = {"time_range": {"duration": "1h"}, "timezone": "Europe/Vienna"}
ASKED = {"message": "once only", "model": "openai/scripted", "context": CONTEXT}


def begin(client: Client, session: str, body: object = None, key: str = "k1", datasource: str = DATASOURCE,
          raw: bytes | None = None) -> Response:
    return client.post(client.turn_path(session, datasource), ASKED if body is None else body, raw=raw,
                       headers={"Idempotency-Key": key, "Prefer": "respond-async"})


def is_refused(answer: Response) -> bool:
    return answer.status == 422 and answer.code == "idempotency_mismatch"


def test_another_body_under_the_same_key_is_refused(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("once", ["a", gate, "b"])
    alice, bob = stack.client("alice"), stack.client("bob")
    session = alice.session()
    first = begin(alice, session)
    turn = first.json()["turn_id"]
    others = [{**ASKED, "message": "once only!"}, {**ASKED, "model": "openai/other"}, {"message": "once only"},
              {**ASKED, "context": {**CONTEXT, "timezone": "UTC"}}, {**ASKED, "context": {}}]

    def check() -> None:
        for other in others:
            assert is_refused(begin(alice, session, other)), other
        assert is_refused(begin(alice, session, datasource="/proxy/globaldatasources/other"))
        assert begin(alice, session).json()["turn_id"] == turn
        written_otherwise = b'{ "context":{"timezone":"Europe\\/Vienna","time_range":{"duration":"1h"}},\n' \
                            b'"model":"openai\\u002fscripted", "message":"once only"}'
        assert begin(alice, session, raw=written_otherwise).json()["turn_id"] == turn

    gate.wait()
    check()  # while it runs
    gate.open()
    assert alice.events(session, turn).finish().answer() == "ab"
    check()  # and when it is over
    # Another person's key is another key, and so is that of another conversation.
    for client in (alice, bob):
        answer = begin(client, client.session(), others[2])
        assert answer.status == 202 and answer.json()["turn_id"] != turn
    # An answer that streams is refused as well, before its first byte.
    streamed = alice.post(alice.turn_path(session), others[0], headers={"Idempotency-Key": "k1"})
    assert is_refused(streamed)
    assert [m["role"] for m in alice.messages(session)] == ["user", "assistant"]
    # A new key is a new turn.
    assert begin(alice, session, others[0], key="k2").status == 202


def test_a_session_of_the_same_key_and_another_body(stack: Stack) -> None:
    alice, bob = stack.client("alice"), stack.client("bob")
    key = {"Idempotency-Key": "make"}
    first = alice.post("/session", {"title": "one", "model": "openai/scripted"}, headers=key)
    session = first.json()["session_id"]
    for other in ({"title": "two", "model": "openai/scripted"}, {"title": "one"}, {}, None):
        assert is_refused(alice.post("/session", other, headers=key)), other
    again = alice.post("/session", {"model": "openai/scripted", "title": "one"}, headers=key)
    assert again.status == 201 and again.json()["session_id"] == session
    assert bob.post("/session", {"title": "two"}, headers=key).json()["session_id"] != session
    assert [s["session_id"] for s in alice.sessions()] == [session]
    # None says as much as an empty one.
    empty = {"Idempotency-Key": "empty"}
    assert alice.post("/session", None, headers=empty).json() == alice.post("/session", {}, headers=empty).json()
    # Deleted, its key is free.
    assert alice.request("DELETE", f"/session/{session}").status == 200
    assert alice.post("/session", {"title": "two"}, headers=key).status == 201


def test_it_holds_after_a_restart_and_at_another_gateway(bare: Stack) -> None:
    stack = bare.start(gateways=2)
    alice, there = stack.client(), stack.client(gateway=1)
    session = alice.session()
    turn = begin(alice, session).json()["turn_id"]
    other = {**ASKED, "message": "something else"}
    assert is_refused(begin(there, session, other))
    assert begin(there, session).json()["turn_id"] == turn
    assert alice.follow(session, turn).answer()
    for process in (stack.gateway.process, stack.worker.process, stack.redis.process):
        process.kill()
    stack.redis.start()
    stack.gateway.start()
    stack.worker.start()
    # Each gateway finds the store anew, in its own time.
    for client in (alice, there):
        assert is_refused(until(lambda: (a := begin(client, session, other)).status != 503 and a, "the store"))
        assert begin(client, session).json()["turn_id"] == turn


def race(stack: Stack, ask: Callable[[Client, int], Response]) -> list[Response]:
    """Twenty at once, at both gateways."""
    clients = [stack.client(gateway=0), stack.client(gateway=1)]
    for client in clients:
        client.sessions()
    barrier = threading.Barrier(20)

    def one(n: int) -> Response:
        barrier.wait()
        return ask(clients[n % 2], n)

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(one, range(20)))


def test_many_bodies_race_for_one_key(bare: Stack) -> None:
    """One of them wins; all others are refused, whichever gateway they came to."""
    stack = bare.start(gateways=2)
    session = stack.client().session()
    answers = race(stack, lambda client, n: begin(client, session, {"message": f"question {n % 4}"}))
    assert {a.status for a in answers} == {202, 422}
    assert all(is_refused(a) for a in answers if a.status == 422)
    assert len({a.json()["turn_id"] for a in answers if a.status == 202}) == 1
    assert len({n % 4 for n, a in enumerate(answers) if a.status == 202}) == 1
    assert [m["role"] for m in stack.client().messages(session)][:1] == ["user"]

    made = race(stack, lambda client, n: client.post("/session", {"title": f"title {n % 4}"}, headers={"Idempotency-Key": "x"}))
    assert {a.status for a in made} == {201, 422} and all(is_refused(a) for a in made if a.status == 422)
    assert len({a.json()["session_id"] for a in made if a.status == 201}) == 1
    assert len({n % 4 for n, a in enumerate(made) if a.status == 201}) == 1


def test_a_refused_one_takes_and_frees_no_place(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_USER_TURNS": "2", "PERSAI_USER_SESSIONS": "3"})
    gate = Gate()
    stack.model.when("once", [gate, "b"])
    alice = stack.client()
    session = alice.session()
    assert begin(alice, session).status == 202
    gate.wait()
    for _ in range(5):
        assert is_refused(begin(alice, session, {"message": "another"}))
    second = alice.session()
    stack.model.when("second", [hold := Gate(), "b"])
    assert begin(alice, second, {"message": "second"}, key="k2").status == 202
    hold.wait()
    third = alice.session()
    full = begin(alice, third, {"message": "third"}, key="k3")
    assert full.status == 429 and full.code == "rate_limited", "the first still has its place"
    gate.open()
    hold.open()


def test_who_leaves_while_it_asks_again_frees_no_place(bare: Stack) -> None:
    """The turn that its key has begun runs on, and counts."""
    stack = bare.start(gateway_env={"PERSAI_USER_TURNS": "1"})
    gate = Gate()
    stack.model.when("once", [gate, "b"])
    alice, gateway, store = stack.client(), stack.gateway.process, stack.redis.process
    session, other = alice.session(), alice.session()
    assert begin(alice, session).status == 202
    gate.wait()
    before = gateway.descriptors()
    store.signal(signal.SIGSTOP)
    try:
        again = alice.connect()
        again.request("POST", alice.turn_path(session), json.dumps(ASKED),
                      {**alice.headers(), "Content-Type": "application/json", "Idempotency-Key": "k1", "Prefer": "respond-async"})
        until(lambda: gateway.descriptors() > before, "it to be heard")
        again.close()
        until(lambda: gateway.descriptors() <= before, "it to be seen to leave")
    finally:
        store.signal(signal.SIGCONT)
    full = begin(alice, other, {"message": "other"}, key="k2")
    assert full.status == 429 and full.code == "rate_limited", "the first still has its place"
    gate.open()


@pytest.mark.parametrize("missing", ["turn", "session"])
def test_what_an_older_version_began_is_found_by_its_key(stack: Stack, missing: str) -> None:
    """It kept no hash: its key alone tells."""
    alice = stack.client()
    made = alice.post("/session", {"title": "one"}, headers={"Idempotency-Key": "make"}).json()["session_id"]
    turn = begin(alice, made).json()["turn_id"]
    alice.follow(made, turn)
    stack.redis.client.hdel(f"p:t:{{{made}}}:{turn}" if missing == "turn" else f"p:s:{{{made}}}", "body")
    if missing == "turn":
        assert begin(alice, made, {"message": "else"}).json()["turn_id"] == turn
    else:
        assert alice.post("/session", {}, headers={"Idempotency-Key": "make"}).json()["session_id"] == made
