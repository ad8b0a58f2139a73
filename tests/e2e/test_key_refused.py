"""A provider that refuses a key for a while: who waits is told, who would wait for too long is not kept, and nobody
else waits with them."""

import os
import subprocess
import threading
import time
from pathlib import Path

from fakes.model import Attempts, Model, Status
from fakes.server import Exchange, Request
from harness.clock import by_the_clock
from harness.sse import Stream
from harness.stack import Stack, program
from harness.wait import SLOWNESS, until
from harness.models_file import models, usual

SLOW = b'{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}'


def refusal(seconds: float | str, **headers: str) -> Status:
    return Status(429, SLOW, headers={"Retry-After": str(seconds), **headers})


def notices(stream: Stream) -> list[str]:
    deltas = [p["delta"] for p in stream.log.of("step_progress")]
    return [d["text"] for d in deltas if d["type"] == "notice"]


def told(stream: Stream, since: float, seconds: float = 2) -> str:
    """What the person is told of the wait, within 2 s of asking."""
    until(lambda: notices(stream), "the wait to be told")
    assert time.monotonic() - since < seconds * SLOWNESS
    return notices(stream)[0]


def key_reset(redis: str, code: int = 0) -> str:
    answer = subprocess.run([program("gateway"), "--key-reset"], capture_output=True, text=True, timeout=30 * SLOWNESS,
                            env={**os.environ, "PERSAI_REDIS": redis}, stdin=subprocess.DEVNULL)
    assert answer.returncode == code, answer.stdout + answer.stderr
    return answer.stdout


@by_the_clock
def test_hours_of_retry_after_fail_at_once_and_are_lifted_by_hand(bare: Stack, tmp_path: Path) -> None:
    with Model() as other:
        rows = [usual(bare), usual(bare, name="backed", fallbacks=["other"]),
                usual(bare, name="other", base_url=other.base_url)]
        bare.start(workers=2, worker_env=models(tmp_path, *rows))
        bare.model.when("blocked", [refusal(7200)])
        alice, bob = bare.client("alice"), bare.client("bob")
        final = alice.ask(alice.session(model="usual"), "blocked?").final()
        assert (final["event_type"], final["code"]) == ("error", "model_unavailable"), final
        assert "limits requests; it can be asked again in 2 h (at " in final["message"], final
        since = time.monotonic()
        final = bob.ask(bob.session(model="usual"), "and I?").final()
        assert (final["event_type"], final["code"]) == ("error", "model_unavailable"), final
        assert " in 2 h (at " in final["message"], final
        assert time.monotonic() - since < 5 * SLOWNESS and not bare.model.chats("and I"), "a blocked key is not asked"
        assert bob.ask(bob.session(model="backed"), "the other one?").answer() == "This is the default answer."
        assert not bare.model.chats("the other") and len(other.chats("the other")) == 1
        assert bob.ask(bob.session(model="other"), "another key?").final()["event_type"] == "turn_complete"
        said = key_reset(bare.redis.url)
        assert "The key of usual was blocked for another 7" in said and said.count("\n") == 1, said
        assert bob.ask(bob.session(model="usual"), "and now?").final()["event_type"] == "turn_complete"
        assert "No provider's key was blocked" in key_reset(bare.redis.url)
        assert "FAIL  Redis: " in key_reset("redis://127.0.0.1:1/0", 1)


@by_the_clock
def test_everybody_in_the_line_is_told_and_goes_on_when_it_is_free(bare: Stack, tmp_path: Path) -> None:
    bare.start(workers=2, worker_env=models(tmp_path, usual(bare)))
    bare.model.when("first", Attempts([refusal(300)], ["It is ", "fine."]))
    alice = bare.client("alice")
    since = time.monotonic()
    first = alice.turn(alice.session(), "first?")
    assert told(first, since) == ("The provider limits requests; trying again in about 300 s. "
                                  "You can stop, or ask another model.")
    streams = []
    for n in range(4):
        person = bare.client(("alice", "bob")[n % 2])
        since = time.monotonic()
        streams.append(person.turn(person.session(), f"next {n}"))
        assert told(streams[-1], since).startswith("The provider limits requests; trying again in about ")
    assert len(bare.model.chats()) == 1
    key_reset(bare.redis.url)
    for stream in (first, *streams):  # each asks again within 15 s
        assert stream.finish().final()["event_type"] == "turn_complete"


def test_who_is_in_line_when_a_refusal_is_past_patience_fails_too(bare: Stack, tmp_path: Path) -> None:
    bare.start(worker_env={**models(tmp_path, usual(bare)), "PERSAI_MODEL_PATIENCE": "1m"})
    bare.model.when("first", Attempts([refusal(3)], [refusal(90)]))
    alice = bare.client()
    first = alice.turn(alice.session(), "first?")
    until(lambda: notices(first), "the first to wait")
    second = alice.turn(alice.session(), "second")
    until(lambda: notices(second), "the second to wait")
    for stream in (first, second):
        final = stream.finish(30).final()
        assert final["code"] == "model_unavailable" and "limits requests; it can be asked again in " in final["message"], final
    assert not bare.model.chats("second")


def test_without_retry_after_the_vendors_headers_say_when(bare: Stack, tmp_path: Path) -> None:
    rows = [usual(bare, name=name, key_env=f"KEY_{n}") for n, name in enumerate(("openai", "anthropic", "nothing"))]
    bare.start(worker_env={**models(tmp_path, *rows), "KEY_0": "a", "KEY_1": "b", "KEY_2": "c"})
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 7200))
    headers = {"openai": {"x-ratelimit-remaining-requests": "99", "x-ratelimit-reset-requests": "9ms",
                          "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h59m0s"},
               "anthropic": {"anthropic-ratelimit-input-tokens-remaining": "0",
                             "anthropic-ratelimit-input-tokens-reset": later}}
    alice = bare.client()
    for name, answered in headers.items():
        bare.model.when(name, [Status(429, SLOW, headers=answered)])
        final = alice.ask(alice.session(model=name), f"{name}?").final()
        assert final["event_type"] == "error" and "asked again in 2 h" in final["message"], (name, final)
    bare.model.when("nothing", Attempts([Status(429, SLOW)], [Status(429, SLOW)], ["fine"]))
    assert alice.ask(alice.session(model="nothing"), "nothing?").answer() == "fine"


@by_the_clock
def test_a_fallback_that_is_limited_too_is_told_of(bare: Stack, tmp_path: Path) -> None:
    with Model() as other:
        rows = [usual(bare, fallbacks=["other"]), usual(bare, name="other", base_url=other.base_url)]
        bare.start(worker_env=models(tmp_path, *rows))
        bare.model.when("both", [refusal(25)])
        other.when("both", Attempts([refusal(25)], ["fine"]))
        alice = bare.client()
        session = alice.session(model="usual")
        since = time.monotonic()
        stream = alice.turn(session, "both?")
        assert "trying again in about 2" in told(stream, since)
        assert alice.post(f"/session/{session}/turn/{stream.log.of('turn_start')[0]['turn_id']}/cancel").status == 202
        assert stream.finish().final()["event_type"] == "turn_cancelled"


class Dripping(Model):
    """Its first answer is a refusal whose body stops in the middle."""

    def answer(self, exchange: Exchange, request: Request) -> None:
        if len(self.requests) > 1:
            super().answer(exchange, request)
            return
        exchange.send_response(429)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", "999"), ("Retry-After", "2")):
            exchange.send_header(name, value)
        exchange.end_headers()
        exchange.wfile.write(b'{"error":')
        exchange.hang()
        exchange.close_connection = True


def test_a_refusal_whose_body_never_ends_is_told_in_time(bare: Stack, tmp_path: Path) -> None:
    bare.model.stop()
    bare.model = Dripping()
    bare.start(worker_env=models(tmp_path, usual(bare)))
    alice = bare.client()
    since = time.monotonic()
    stream = alice.turn(alice.session(), "drips?")
    told(stream, since)
    assert stream.finish().final()["event_type"] == "turn_complete"


@by_the_clock
def test_a_500s_retry_waits_for_itself_and_not_in_the_line(bare: Stack, tmp_path: Path) -> None:
    # 60 a minute: six at once, then one in 1.1 s: twenty that wait take 22 s.
    bare.start(worker_env=models(tmp_path, usual(bare, limits={"requests_per_minute": 60})))
    opened = threading.Event()

    def fault(_: dict) -> list:
        opened.wait(60)
        return [Status(500)]

    bare.model.when("faulty", Attempts(fault, ["fine"]))  # type: ignore[arg-type]
    alice, bob = bare.client("alice"), bare.client("bob")
    faulty = alice.turn(alice.session(), "faulty?")
    until(lambda: bare.model.chats("faulty"), "the first try")
    sessions = [bob.session() for _ in range(25)]
    others = [bob.turn(session, f"other {n}") for n, session in enumerate(sessions)]
    until(lambda: sum(len(notices(s)) > 0 for s in others) >= 15, "a line")
    opened.set()
    since = time.monotonic()
    assert faulty.finish().answer() == "fine"
    took = time.monotonic() - since
    print(f"the retry took {took:.1f} s")
    assert took < 3 * SLOWNESS, took
    for session, stream in zip(sessions, others):
        bob.post(f"/session/{session}/turn/{stream.wait_for('turn_start')['turn_id']}/cancel")
    for stream in others:
        stream.finish()
