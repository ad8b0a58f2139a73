"""What one person does, or one datasource that hangs, costs the others next to nothing."""

import json
import time

from fakes import upstream as up
from fakes.model import Call
from harness.client import Client
from harness.clock import by_the_clock
from harness.services import Perses
from harness.stack import Stack
from harness.wait import until

HANGING = "/proxy/globaldatasources/hanging"
TURNS, CALLS = 8, 16


@by_the_clock
def test_who_floods_a_hanging_datasource_waits_alone(stack: Stack, perses: Perses) -> None:
    """128 calls of one person at a datasource that never answers, and one of another at a good one: 0.1 s. Without
    rounds hers waits until those before it have timed out."""
    with up.Upstream() as upstream:
        upstream.behave = up.hang
        perses.put_datasource("hanging", Perses.closed_datasource(upstream.url))
        stack.model.when("flood", [Call("list_label_names", {"datasource": HANGING}) for _ in range(CALLS)], ["ok"])
        stack.model.when("is it up", [Call("execute_instant_query", {"query": "up"})], ["It is."])
        mallory, alice = stack.client("bob"), stack.client()
        flooding = [mallory.start(session, "flood") for session in [mallory.session() for _ in range(TURNS)]]
        assert len(flooding) == TURNS
        until(lambda: len(upstream.requests) >= CALLS, "the flood to hang", 20)
        started = time.monotonic()
        log = alice.ask(alice.session(), "is it up")
        took = time.monotonic() - started
        content = json.loads(log.tools()[0][1]["content"])
        assert log.answer() == "It is." and content["kind"] == "instant", content
        print(f"the other's turn took {took:.2f} s")
        assert took < 5, took
        assert len(upstream.requests) <= 16, "more at once than a datasource may have"


@by_the_clock
def test_bodies_without_end_hold_nobody_up(stack: Stack, perses: Perses) -> None:
    """16 calls at once that are sent more than can be read, again and again; the worker answers others meanwhile."""
    with up.Upstream() as upstream:
        upstream.behave = up.endless
        perses.put_datasource("hanging", Perses.closed_datasource(upstream.url))
        stack.model.when("flood", *[[Call("list_label_names", {"datasource": HANGING}) for _ in range(CALLS)] for _ in range(3)],
                         ["ok"])
        stack.model.when("is it up", [Call("execute_instant_query", {"query": "up"})], ["It is."])
        mallory, alice, worker = stack.client("bob"), stack.client(), Client(stack.worker.url)
        flooded = mallory.session()
        turn = mallory.start(flooded, "flood")
        until(lambda: len(upstream.requests) >= CALLS, "the flood to begin", 20)
        turns, looks, session = [], [], alice.session()
        for _ in range(8):
            started = time.monotonic()
            assert worker.get("/healthz").status == 200
            looks.append(time.monotonic() - started)
            assert alice.ask(session, "is it up").answer() == "It is."
            turns.append(time.monotonic() - started - looks[-1])
        mallory.events(flooded, turn).finish()
        print(f"others' turns took {sorted(turns)[4]:.2f} s, at most {max(turns):.2f} s; /healthz at most {max(looks):.2f} s; "
              f"{len(upstream.requests)} calls")
        assert max(turns) < 5, turns
        assert max(looks) < 2, looks


@by_the_clock
def test_a_datasource_that_never_answers_is_left_alone_and_it_is_said(make_stack: object, perses: Perses,
                                                                      sign_in: object) -> None:
    """After a few calls without any answer the next are told at once; a good datasource is asked as ever."""
    stack = make_stack(perses.url, sign_in).start(worker_env={"PERSAI_TOOL_TIMEOUT": "1s"})
    with up.Upstream() as upstream:
        upstream.behave = up.hang
        perses.put_datasource("hanging", Perses.closed_datasource(upstream.url))
        ask = Call("list_label_names", {"datasource": HANGING})
        stack.model.when("try", [ask] * 6, ["ok"])
        stack.model.when("again", [ask, Call("execute_instant_query", {"query": "up"})], ["ok"])
        alice = stack.client()
        assert alice.ask(alice.session(), "try").answer() == "ok"
        before, started = len(upstream.requests), time.monotonic()
        silent, good = (json.loads(response["content"]) for _, response in alice.ask(alice.session(), "again").tools())
        assert time.monotonic() - started < 1, "it was waited for"
        assert silent["code"] == "silent" and "left alone" in silent["error"], silent
        assert good["kind"] == "instant", good
        assert len(upstream.requests) == before
