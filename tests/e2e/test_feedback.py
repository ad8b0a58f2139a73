"""What people think of answers: kept with the conversation, counted by model, exported for tests/eval."""

import json
import subprocess
from pathlib import Path

import pytest

from eval.ask import askable, questions
from eval.score import Prometheus as Evaluated
from eval.score import Result, judge
from fakes.model import Call
from harness.client import Client
from harness.stack import Stack, metrics, program


class Scored(Evaluated):
    """A Prometheus that knows one query, whatever it is asked with."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")

    def run(self, query: str, at: float) -> Result | None:
        return {(): 1.0} if query in ("x", "max(room_temperature_celsius)") else None


def export(stack: Stack, redis: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("gateway"), "--export-feedback"], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env={"PERSAI_REDIS": redis or stack.redis.url, "PATH": "/usr/bin:/bin"})


def answered(stack: Stack, client: Client, question: str, query: str) -> tuple[str, str]:
    """A session and its last answer."""
    stack.model.when(question, [Call("execute_instant_query", {"query": query})], ["Done."])
    session = client.session()
    client.ask(session, question)
    return session, client.messages(session)[-1]["message_id"]


def counted(stack: Stack) -> dict[str, float]:
    return {k: v for k, v in metrics(stack.gateway.url).items() if k.startswith("persai_feedback_total")}


@pytest.mark.core
def test_the_last_word_counts(stack: Stack) -> None:
    alice = stack.client()
    session, answer = answered(stack, alice, "how warm", "room_temperature_celsius")
    path = f"/session/{session}/message/{answer}/feedback"

    def said() -> object:
        return alice.messages(session)[-1]["feedback"]

    assert said() is None
    assert alice.request("PUT", path, {"sentiment": 1}).status == 200
    assert said() == {"sentiment": 1, "comment": ""}
    down = {"sentiment": -1, "comment": "Wrong \"unit\"\n\u2713"}
    for _ in range(2):  # the same again is one
        assert alice.request("PUT", path, down).status == 200
    assert said() == down
    up, thumbs_down = (f'persai_feedback_total{{model="openai/scripted",sentiment="{word}"}}' for word in ("up", "down"))
    assert counted(stack) == {up: 1, thumbs_down: 1}
    assert alice.request("DELETE", path).status == 200 and said() is None
    assert alice.request("DELETE", path).status == 200
    assert counted(stack) == {up: 1, thumbs_down: 1}


def test_what_is_no_feedback_is_refused(stack: Stack) -> None:
    alice, bob = stack.client("alice"), stack.client("bob")
    session, answer = answered(stack, alice, "how warm", "up")
    path = f"/session/{session}/message/{answer}/feedback"
    for body in ({}, {"sentiment": 0}, {"sentiment": 2}, {"sentiment": "1"}, {"sentiment": 0.5}, {"sentiment": True},
                 {"sentiment": 1, "comment": 5}, {"sentiment": 1, "stars": 5}):
        assert alice.request("PUT", path, body).code == "invalid", body
    assert alice.request("PUT", path, {"sentiment": 1, "comment": "x" * 4001}).code == "too_large"
    assert alice.request("PUT", f"/session/{session}/message/1/feedback", {"sentiment": 1}).code == "invalid"
    assert alice.request("PUT", f"/session/{session}/message/99/feedback", {"sentiment": 1}).code == "message_not_found"
    assert alice.request("PUT", f"/session/{session}/message/x/feedback", {"sentiment": 1}).code == "message_not_found"
    for method, body in (("PUT", {"sentiment": 1}), ("DELETE", None)):
        assert bob.request(method, path, body).code == "session_not_found"
    assert counted(stack) == {}
    assert json.loads(export(stack).stdout) == []


def test_it_goes_with_its_message_and_is_not_copied(stack: Stack) -> None:
    alice = stack.client()
    session, answer = answered(stack, alice, "how warm", "up")
    alice.request("PUT", f"/session/{session}/message/{answer}/feedback", {"sentiment": 1, "comment": "mine"})
    alice.ask(session, "and now?")
    last = alice.messages(session)[-1]["message_id"]
    copy = alice.post(f"/session/{session}/fork", {"message_id": int(last)}).json()["session_id"]
    assert all(m.get("feedback") is None for m in alice.messages(copy))
    assert len(json.loads(export(stack).stdout)) == 1
    assert alice.request("DELETE", f"/session/{session}/message/{answer}").status == 200
    assert json.loads(export(stack).stdout) == []
    for one in (session, copy):
        assert alice.request("DELETE", f"/session/{one}").status == 200
    assert stack.redis.client.zcard("p:rated") == 0


def test_the_export_is_what_the_evaluation_reads(stack: Stack, tmp_path: Path) -> None:
    alice, bob = stack.client("alice"), stack.client("bob")
    # What failed, and what was searched for in documents, is no query that the answer rests on.
    stack.model.when("how warm", [Call("execute_instant_query", {"query": "max(room_temp("}),
                                  Call("search_docs", {"query": "warm rooms"}),
                                  Call("execute_instant_query", {"query": "max(room_temperature_celsius)"})], ["Done."])
    good = alice.session()
    alice.ask(good, "how warm")
    answer = alice.messages(good)[-1]["message_id"]
    alice.request("PUT", f"/session/{good}/message/{answer}/feedback", {"sentiment": 1})
    bad, worse = answered(stack, bob, "which doors", "doors_opened_total")
    bob.request("PUT", f"/session/{bad}/message/{worse}/feedback", {"sentiment": -1, "comment": "a rate is meant"})
    done = export(stack)
    assert done.returncode == 0, done.stderr
    found = {q["question"]: q for q in json.loads(done.stdout)}
    up, down = found["how warm"], found["which doors"]
    assert up["accepted"] == ["max(room_temperature_celsius)"] and up["search"] == "how warm" and up["half"] == "tuned"
    assert up["id"] == f"feedback-{good[:8]}-{answer}" and up["sentiment"] == 1 and up["model"] == "openai/scripted"
    assert down["accepted"] == [] and down["rejected"] == ["doors_opened_total"] and down["comment"] == "a rate is meant"
    assert not any("alice" in str(q) or "bob" in str(q) for q in found.values())
    file = tmp_path / "feedback.json"
    file.write_text(done.stdout, encoding="utf-8")
    asked = questions("demo", "tuned", file)
    scored = judge(Scored(), up, [({"tool_name": "execute_instant_query"}, {"content": '{"query":"x"}'})], [0.0], set())
    assert {q["id"] for q in asked} >= {up["id"], down["id"]} and askable(Scored(), asked) == [up] and scored.right
    away = export(stack, "redis://127.0.0.1:1")
    assert away.returncode == 1 and "Redis does not answer" in away.stderr and away.stdout == ""
