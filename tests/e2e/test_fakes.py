"""The suite's own tools are tested first: a checker that accepts anything would prove nothing."""

import json
import threading

import pytest

from fakes.model import DEFAULT, Attempts, Call, Cut, Delay, Finish, Gate, Hang, Model, Raw, Status
from fakes.perses import Perses as FakePerses
from fakes.upstream import Upstream
from harness import spec
from harness.client import Client
from harness.sse import BadStream, Event, Log, Parser, check_log, check_once

pytestmark = pytest.mark.core


def ev(at: str, kind: str, **more: object) -> Event:
    epoch, seq = at.split("-")
    return Event(int(epoch), int(seq), {"event_type": kind, **more})


def text(at: str, step: str, words: str) -> Event:
    return ev(at, "step_progress", step_type="inference", step_id=step, delta={"type": "text", "text": words})


def done(at: str, step: str, words: str) -> Event:
    return ev(at, "step_complete", step_details={
        "step_type": "inference", "step_id": step, "model_response": {"content": words, "stop_reason": "stop"}})


def complete(at: str, words: str) -> Event:
    return ev(at, "turn_complete", turn={"output_message": {"content": words}})


GOOD = [ev("1-1", "turn_start"), ev("1-2", "step_start", step_id="s", attempt=1), text("1-3", "s", "He"),
        text("1-4", "s", "llo"), done("1-5", "s", "Hello"), complete("1-6", "Hello")]


def test_checker_accepts_a_good_log() -> None:
    check_log(GOOD)
    check_log(GOOD[3:], after="1-3")
    assert Log(GOOD).text() == "Hello"


def test_checker_accepts_a_second_attempt_in_the_next_epoch() -> None:
    log = [*GOOD[:4], ev("2-1", "step_start", step_id="s", attempt=2), text("2-2", "s", "Hi"), done("2-3", "s", "Hi"),
           complete("2-4", "Hi")]
    check_log(log)
    assert Log(log).text() == "Hi"


BAD = {
    "gap": GOOD[:2] + GOOD[3:],
    "repeat": GOOD[:3] + [GOOD[2]] + GOOD[3:],
    "epoch goes back": [ev("2-1", "turn_start"), ev("1-2", "step_start", step_id="s", attempt=1), complete("1-3", "")],
    "next epoch does not begin at 1": GOOD[:4] + [ev("2-5", "error")],
    "no end": GOOD[:5],
    "two ends": GOOD + [ev("1-7", "turn_cancelled")],
    "no beginning": [ev("1-1", "step_start", step_id="s", attempt=1)] + GOOD[2:],
    "text differs": GOOD[:4] + [done("1-5", "s", "Hullo"), complete("1-6", "Hullo")],
    "answer differs": GOOD[:5] + [complete("1-6", "Bye")],
    "step completes twice": GOOD[:5] + [done("1-6", "s", "Hello"), complete("1-7", "Hello")],
    "complete step starts again": GOOD[:5] + [ev("1-6", "step_start", step_id="s", attempt=2), complete("1-7", "Hello")],
    "attempt does not grow": GOOD[:3] + [ev("2-1", "step_start", step_id="s", attempt=1), ev("2-2", "error")],
    "progress of an unknown step": [GOOD[0], text("1-2", "s", "x"), ev("1-3", "error")],
    "empty": [],
}


@pytest.mark.parametrize("name", BAD)
def test_checker_refuses(name: str) -> None:
    with pytest.raises(BadStream):
        check_log(BAD[name])


def test_checker_refuses_a_wrong_resume() -> None:
    with pytest.raises(BadStream):
        check_log(GOOD[3:], after="1-2")
    with pytest.raises(BadStream):
        check_log(GOOD[3:], after="1-4")


def test_checker_refuses_an_id_with_something_else() -> None:
    check_once(GOOD, GOOD)
    check_once(GOOD[:3], [Event(2, 1, GOOD[0].payload)])
    with pytest.raises(BadStream):
        check_once(GOOD, [Event(GOOD[0].epoch, GOOD[0].seq, GOOD[1].payload)])


def test_parser_reads_bytes_split_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spec, "check_event", lambda payload: None)  # these are shorter than the API's
    stream = b": ping\n\n" + b"".join(
        f'id: {e.id}\ndata: {json.dumps({"event": {"payload": e.payload}})}\n\n'.encode() for e in GOOD)
    for size in (1, 2, 3, 7, 1000):
        parser = Parser()
        for at in range(0, len(stream), size):
            parser.feed(stream[at:at + size])
        assert parser.events == GOOD and parser.comments == [": ping"]


@pytest.mark.parametrize("bad", [
    b"data: {}\n\n", b"id: 1-1\n\n", b'id: 0-1\ndata: {"event":{"payload":{"event_type":"error"}}}\n\n',
    b'id: 1-1\ndata: {"event":{"payload":{}}}\n\n', b'id: 1-1\ndata: {"payload":{"event_type":"error"}}\n\n'])
def test_parser_refuses(bad: bytes) -> None:
    with pytest.raises(BadStream):
        Parser().feed(bad)


def chat(model: Model, words: str, after: list[dict] | None = None) -> bytes:
    body = {"model": "x", "stream": True, "messages": [{"role": "user", "content": words}, *(after or [])]}
    return Client(model.url).post("/v1/chat/completions", body).body


def test_model_follows_its_script() -> None:
    with Model() as model:
        model.when("weather", [Call("look", {"place": "here and there"}, split=3)], ["It is ", Delay(0.01), "fine."])
        first = chat(model, "the weather?").decode()
        pieces = [json.loads(line[6:]) for line in first.split("\n\n") if line.startswith("data: {")]
        arguments = "".join(c["function"]["arguments"] for p in pieces for ch in p["choices"]
                            for c in ch["delta"].get("tool_calls", []))
        assert json.loads(arguments) == {"place": "here and there"}
        assert '"finish_reason": "tool_calls"' in first and first.endswith("data: [DONE]\n\n")
        second = chat(model, "the weather?", [{"role": "assistant"}, {"role": "tool"}])
        assert b"It is " in second and b'"finish_reason": "stop"' in second
        assert DEFAULT[0].encode() in chat(model, "other")
        assert len(model.chats("weather")) == 2


def test_model_attempts_errors_and_raw_bytes() -> None:
    with Model() as model:
        model.when("flaky", Attempts([Status(503)], ["fine", Raw(b": comment\n\n"), Finish("length")]))
        body = {"stream": True, "messages": [{"role": "user", "content": "flaky"}]}
        assert Client(model.url).post("/v1/chat/completions", body).status == 503
        answer = chat(model, "flaky")
        assert b": comment\n\n" in answer and b'"length"' in answer


def test_model_gate_holds_until_opened() -> None:
    with Model() as model:
        gate = Gate()
        model.when("held", ["a", gate, "b"])
        answers: list[bytes] = []
        thread = threading.Thread(target=lambda: answers.append(chat(model, "held")))
        thread.start()
        gate.wait()
        assert not answers
        gate.open()
        thread.join(10)
        assert b'"b"' in answers[0]


@pytest.mark.parametrize("end", [Cut(), Hang()])
def test_model_cuts_and_hangs(end: object) -> None:
    with Model() as model:
        model.when("bad", ["a", end])
        client = Client(model.url)
        body = {"stream": True, "messages": [{"role": "user", "content": "bad"}]}
        connection, response = client.send("POST", "/v1/chat/completions", body, seconds=1)
        with pytest.raises(Exception):
            response.read()
        connection.close()


def test_upstream_records_and_answers() -> None:
    with Upstream() as upstream:
        answer = Client(upstream.url, bearer="canary").get("/api/v1/query?query=up")
        assert answer.json()["data"]["resultType"] == "vector"
        assert upstream.requests[0].param("query") == "up" and b"canary" in upstream.requests[0].raw()


def test_fake_perses_knows_its_tokens() -> None:
    with Upstream() as upstream, FakePerses(upstream.url) as perses:
        cookies = perses.sign_in("alice")
        answer = Client(perses.url, cookies).get("/api/v1/user/whoami")
        assert answer.json()["metadata"]["name"] == "alice"
        assert Client(perses.url).get("/api/v1/user/whoami").status == 401
        assert Client(perses.url, perses.sign_in("bob", ttl=-1)).get("/api/v1/user/whoami").status == 401
        fresh = Client(perses.url).post("/api/auth/refresh", {"refresh_token": cookies["jwtRefreshToken"]})
        assert Client(perses.url, bearer=fresh.json()["access_token"]).get("/api/v1/user/whoami").status == 200
        path = "/proxy/globaldatasources/prometheus/api/v1/query?query=up"
        assert Client(perses.url, cookies).get(path).json()["status"] == "success"
