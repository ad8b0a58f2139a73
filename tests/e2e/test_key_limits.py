"""A provider's key and its limit, with many workers and people: no turn fails for it, and nobody waits for another's
many turns. The model enforces the limit. What takes minutes runs with --long only."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes.limits import Bucket, LimitedModel, Window
from fakes.model import Gate, question
from fakes.perses import Perses as FakePerses
from harness.clock import by_the_clock
from harness.stack import Stack, metric
from harness.wait import until
from harness.models_file import models, usual

PEOPLE, WORKERS = 500, 8


@pytest.fixture
def crowd(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """Nothing is started yet. Its Perses knows whoever comes: to sign 500 people in at the real one takes a minute."""
    with FakePerses() as perses:
        yield make_stack(perses.url, perses.sign_in)


def limited(stack: Stack, limit: Bucket | Window) -> LimitedModel:
    stack.model.stop()
    stack.model = LimitedModel(limit)
    return stack.model


def everybody_asks(stack: Stack, seconds: float) -> None:
    """Each a question, all at once; each answer is whole, and the person's own."""
    stack.model.when("question", lambda body: ["The answer ", "to ", question(body)[0].split()[-1]])
    ready = threading.Barrier(50)

    def ask(n: int) -> None:
        person = stack.client(f"person-{n}")
        # From an address of their own: of one, so many new ones at once may be more than wait for a busy Perses.
        assert person.get("/sessions", headers={"X-Forwarded-For": f"198.51.{100 + n // 250}.{n % 250}"}).status == 200
        session = person.session()
        if n < 50:
            ready.wait(60)  # the first of them really at once
        turn = person.start(session, f"my question {n}")
        log = person.follow(session, turn, seconds=seconds)
        assert log.final()["event_type"] == "turn_complete", (n, log.final())
        assert log.answer() == f"The answer to {n}"

    with ThreadPoolExecutor(PEOPLE) as threads:
        for done in [threads.submit(ask, n) for n in range(PEOPLE)]:
            done.result()


@by_the_clock
def test_500_people_and_8_workers_at_a_limited_key(crowd: Stack, tmp_path: Path) -> None:
    # As 60 a minute, thirty times as fast: 180 at once, then 30 a second.
    model = limited(crowd, Bucket(1800, at_once=181))
    crowd.start(workers=WORKERS, worker_env=models(tmp_path, usual(crowd, limits={"requests_per_minute": 1800})))
    everybody_asks(crowd, 120)
    assert len(model.allowed) == PEOPLE
    print(f"refused: {model.refused}")
    assert model.refused <= PEOPLE // 10, "the workers together keep to the limit, but for what this machine delays"
    assert all(metric(w.url, "turns_total") > 0 for w in crowd.workers)


def test_500_people_at_a_key_whose_limit_nobody_told(crowd: Stack, tmp_path: Path) -> None:
    model = limited(crowd, Bucket(900, at_once=16))  # less than this machine asks, however busy it is
    crowd.start(workers=WORKERS, worker_env=models(tmp_path, usual(crowd)))
    everybody_asks(crowd, 170)
    assert len(model.allowed) == PEOPLE
    print(f"refused: {model.refused}")
    assert 0 < model.refused < 2 * PEOPLE, "the workers learn how fast they may ask"


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_500_people_and_60_requests_a_minute(crowd: Stack, tmp_path: Path) -> None:
    model = limited(crowd, Window(60, 60))
    crowd.start(workers=WORKERS, worker_env=models(tmp_path, usual(crowd, limits={"requests_per_minute": 60})))
    everybody_asks(crowd, 1200)
    assert len(model.allowed) == PEOPLE
    print(f"refused: {model.refused}")
    assert model.refused <= WORKERS


def test_one_persons_many_turns_delay_anothers_by_about_one_call(crowd: Stack, tmp_path: Path) -> None:
    model = limited(crowd, Bucket(600, at_once=61))
    crowd.start(workers=2, worker_env=models(tmp_path, usual(crowd, limits={"requests_per_minute": 600})))
    alice, bob = crowd.client("alice"), crowd.client("bob")
    turns = []
    for n in range(200):
        session = alice.session()
        turns.append((session, alice.start(session, f"alice {n}")))
    session = bob.session()
    turn = bob.start(session, "bob")
    before = len(model.allowed)
    log = bob.follow(session, turn)
    assert log.final()["event_type"] == "turn_complete"
    place = model.allowed.index("bob")
    assert before < 150, "alice's turns still wait: else this shows nothing"
    assert place - before <= 5, f"{place - before} of alice's calls went before bob's"
    for session, turn in turns:
        assert alice.follow(session, turn).final()["event_type"] == "turn_complete"


def reserved(stack: Stack, user: str) -> tuple[int, list[int]]:
    """The tokens that count for the person today, and those of calls that are not settled."""
    keys = list(stack.redis.client.scan_iter(f"p:b:{{o:*{user}*}}:*"))
    assert len(keys) == 1, keys
    fields = stack.redis.client.hgetall(keys[0])
    return int(fields[b"tokens"]), [int(v.split()[0]) for k, v in fields.items() if k.startswith(b"r:")]


def test_a_killed_workers_call_stays_counted(bare: Stack, tmp_path: Path) -> None:
    env = models(tmp_path, usual(bare))
    bare.start(workers=2, worker_env={**env, "PERSAI_USER_TOKENS": "10M"}, gateway_env={"PERSAI_USER_TOKENS": "10M"})
    gate = Gate()
    bare.model.when("lost", lambda body: ["so ", gate, "far"])
    alice = bare.client()
    stream = alice.turn(alice.session(), "lost")
    gate.wait()
    tokens, open_calls = reserved(bare, "alice")
    assert open_calls == [tokens] and tokens > 0, "the call is reserved before it goes"
    bare.working().process.kill()
    until(lambda: len(bare.model.chats("lost")) == 2, "another worker to go on")
    gate.open()
    assert stream.finish().answer() == "so far"
    until(lambda: len(reserved(bare, "alice")[1]) == 1, "the second call to be settled")
    after, open_calls = reserved(bare, "alice")
    assert open_calls == [tokens], "what the lost one may have used is not forgotten"
    assert after == tokens + 11 + 2, "and the other counts by what it used"


def test_a_killed_workers_call_leaves_nothing_to_overspend(bare: Stack, tmp_path: Path) -> None:
    env = models(tmp_path, usual(bare))
    bare.start(workers=2, worker_env={**env, "PERSAI_USER_TOKENS": "1000"}, gateway_env={"PERSAI_USER_TOKENS": "1000"})
    gate = Gate()
    bare.model.when("lost", lambda body: ["so ", gate, "far"])
    alice = bare.client()
    session = alice.session()
    stream = alice.turn(session, "lost")
    gate.wait()
    tokens, _ = reserved(bare, "alice")
    assert tokens > 1000, "one step may go over the budget"
    bare.working().process.kill()
    final = stream.finish().final()
    assert final["event_type"] == "error" and final["code"] == "budget_exceeded", final
    gate.open()
    assert len(bare.model.chats("lost")) == 1, "no second step is paid for"
    assert reserved(bare, "alice") == (tokens, [tokens])
    refused = alice.post(alice.turn_path(session), {"message": "again"})
    assert refused.status == 429 and refused.code == "budget_exceeded"


def test_calls_at_once_are_limited_and_a_killed_workers_slots_are_free_soon(bare: Stack, tmp_path: Path) -> None:
    env = {**models(tmp_path, usual(bare, limits={"concurrent": 2})), "PERSAI_LEASE": "2s"}
    bare.start(worker_env=env, gateway_env={"PERSAI_LEASE": "2s"})
    lost, gate = Gate(), Gate()
    calls: list[str] = []

    def reply(body: dict) -> list:
        calls.append(body["messages"][-1]["content"])
        return ["so ", lost if len(calls) <= 2 else gate, "far"]

    bare.model.when("held", reply)
    alice = bare.client()
    streams = [alice.turn(alice.session(), f"held {n}") for n in range(5)]
    until(lambda: len(calls) == 2, "two calls")
    time.sleep(4)
    assert len(calls) == 2, "slots are kept for longer than a lease"
    killed = bare.working()
    bare.add_worker(**env)
    killed.process.kill()
    until(lambda: len(calls) == 4, "the slots to be free again", 30)
    time.sleep(1)
    assert len(calls) == 4
    lost.open()
    gate.open()
    for stream in streams:
        assert stream.finish().answer() == "so far"
    assert len(calls) == 7
