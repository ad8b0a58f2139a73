"""A turn whose token is gone, since its gateway and its worker both died: it waits for its owner, and not for ever."""

import time

import pytest

from fakes import perses as fake_perses
from fakes.model import Attempts, Call, Gate
from fakes.upstream import Upstream
from harness.client import Client
from harness.stack import Stack
from harness.wait import until
from harness.held import LEASE, state_in_redis, unheld


def orphan(stack: Stack, client: Client, words: str = "orphan") -> tuple[str, str]:
    """A turn that runs into the death of the gateway and worker that have it; session and turn."""
    gate = Gate()
    stack.model.when(words, Attempts(["lost words", gate], [Call("list_label_values", {"label": "room"})]),
                     ["Three rooms."])
    session = client.session()
    turn = client.start(session, words)
    gate.wait()
    stack.gateways[0].process.kill()
    stack.workers[0].process.kill()
    return session, turn


def two_gateways(stack: Stack, **env: str) -> Stack:
    """The turns begin at the first; the second and its worker stay."""
    stack.start(gateways=2, workers=0, gateway_env={**LEASE, **env})
    stack.add_worker(**LEASE)
    for gateway in stack.gateways:
        gateway.wait_ready()
    return stack


def rescue(stack: Stack) -> None:
    worker = stack.add_worker(**LEASE)
    stack.wait_worker(worker)
    stack.gateways[1].wait_ready()


REQUESTS = {
    "get": ("GET", "", None), "patch": ("PATCH", "", {"title": "mine"}),
    "fork": ("POST", "/fork", {"message_id": 1}), "flag": ("PATCH", "/message/1", {"pinned": True}),
    "delete": ("DELETE", "/message/999", None),
    "ask": ("POST", "/turn?datasource_path=/proxy/globaldatasources/prometheus", {"message": "me too"}),
}


@pytest.mark.parametrize("name", list(REQUESTS))
def test_any_request_of_the_owner_for_the_session_goes_on(bare: Stack, name: str) -> None:
    stack = two_gateways(bare)
    session, turn = orphan(stack, stack.client())
    rescue(stack)
    until(lambda: unheld(stack, session, turn), "its lease to end")
    alice, bob = stack.client(gateway=1), stack.client("bob", gateway=1)
    method, path, body = REQUESTS[name]
    # Neither another's request nor one for another session is of any use.
    assert bob.request(method, f"/session/{session}{path}", body).status == 404
    assert bob.post(f"/session/{session}/turn/{turn}/cancel").status == 404
    alice.request(method, f"/session/{alice.session()}{path}", body)
    alice.sessions()
    time.sleep(1.5)
    assert unheld(stack, session, turn)
    answer = alice.request(method, f"/session/{session}{path}", body)
    if name == "get":
        assert answer.json()["turn"] == {"turn_id": turn, "state": "waiting_for_sign_in"}
    until(lambda: state_in_redis(stack, session, turn)[0] == "done", "the turn to be answered")
    log = alice.events(session, turn).finish()
    assert log.answer() == "Three rooms." and "kitchen" in log.tools()[0][1]["content"]
    assert alice.get(f"/session/{session}").json()["turn"] is None
    assert "lost words" not in log.text()


def test_who_reads_on_brings_it(bare: Stack) -> None:
    """The client's line broke with the gateway; it comes to the other one at once, before the lease has ended."""
    stack = two_gateways(bare)
    session, turn = orphan(stack, stack.client())
    stream = stack.client(gateway=1).events(session, turn)
    rescue(stack)
    assert stream.finish(60).answer() == "Three rooms."


@pytest.mark.core
def test_nobody_comes(bare: Stack) -> None:
    stack = two_gateways(bare, PERSAI_TOKEN_WAIT="1s")
    session, turn = orphan(stack, stack.client())
    rescue(stack)
    until(lambda: state_in_redis(stack, session, turn)[0] == "failed", "it to be given up", 30)
    alice = stack.client(gateway=1)
    final = alice.events(session, turn).finish().final()
    assert final["event_type"] == "error" and final["code"] == "token_expired"
    detail = alice.get(f"/session/{session}").json()
    assert detail["turn"] is None and [m["role"] for m in detail["messages"]] == ["user"]
    assert alice.ask(session, "hello again").answer()


def test_it_can_be_cancelled_while_it_waits(bare: Stack) -> None:
    stack = two_gateways(bare)
    session, turn = orphan(stack, stack.client())
    rescue(stack)
    until(lambda: unheld(stack, session, turn), "its lease to end")
    alice = stack.client(gateway=1)
    assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    assert alice.events(session, turn).finish().types()[-1] == "turn_cancelled"
    assert alice.ask(session, "hello again").answer()


def test_everything_restarts_and_it_waits(bare: Stack) -> None:
    """Redis too: what waits is in it, and only the token is not."""
    stack = bare.start(gateway_env=LEASE, worker_env=LEASE)
    session, turn = orphan(stack, stack.client())
    stack.redis.process.kill()
    stack.redis.start()
    stack.gateway.start()
    stack.worker.start()
    stack.gateway.wait_ready()
    alice = stack.client()
    until(lambda: unheld(stack, session, turn), "its lease to end")
    assert alice.get(f"/session/{session}").json()["turn"]["state"] == "waiting_for_sign_in"
    assert alice.events(session, turn).finish(60).answer() == "Three rooms."


def test_a_token_that_has_expired_meanwhile(make_stack: object) -> None:
    """Who comes with a fresh one has it; a turn that goes on with a Bearer alone ends with it."""
    with Upstream() as upstream, fake_perses.Perses(upstream.url) as perses:
        stack = two_gateways(make_stack(perses.url, perses.sign_in))  # type: ignore[operator]
        gate = Gate()
        # not what the catalog, which the look-up has just read, knows without a request
        again = ["a ", second := Gate(), Call("execute_instant_query", {"query": "up"})]
        stack.model.when("orphan", Attempts(["lost", gate], again), ["done"])
        bearer = Client(stack.gateways[0].url, bearer=perses.token("alice", 900))
        session = bearer.session()
        turn = bearer.start(session, "orphan")
        gate.wait()
        stack.gateways[0].process.kill()
        stack.workers[0].process.kill()
        rescue(stack)
        until(lambda: unheld(stack, session, turn), "its lease to end")
        began = time.monotonic()
        brief = Client(stack.gateways[1].url, bearer=perses.token("alice", 4))
        assert brief.get(f"/session/{session}").status == 200
        second.wait()
        until(lambda: time.monotonic() - began > 5, "the token to expire")
        second.open()
        final = stack.client("alice", gateway=1).events(session, turn).finish(60).final()
        assert final["event_type"] == "error" and final["code"] == "token_expired"
        assert stack.client("alice", gateway=1).ask(session, "hello").answer()


def test_the_token_is_nowhere_but_in_memory(bare: Stack) -> None:
    """Neither while it waits nor after it was brought."""
    stack = two_gateways(bare)
    alice = stack.client()
    session, turn = orphan(stack, alice)
    rescue(stack)
    until(lambda: unheld(stack, session, turn), "its lease to end")
    other = stack.client(gateway=1)
    assert other.get(f"/session/{session}").status == 200
    assert other.events(session, turn).finish(60).answer() == "Three rooms."
    secrets = [v.encode() for v in (alice.cookies["jwtSignature"], alice.cookies["jwtRefreshToken"])]
    places = [stack.redis.dump(), *(p.log_bytes() for p in stack.processes())]
    assert not any(secret in place for secret in secrets for place in places)
