"""A conversation is called by its model in a few words, after its first answer; nobody waits for that."""

import json
import threading

import pytest

from fakes.model import Call, Gate
from harness.client import Client
from harness.stack import Stack
from harness.wait import until

ASKS = "Write the title of a conversation"
LINE = "which pods burn the most CPU"


@pytest.fixture
def titled(bare: Stack) -> Stack:
    return bare.start(worker_env={"PERSAI_TITLES": "true"})


def title(alice: Client, session: str) -> str:
    return alice.get(f"/session/{session}").json()["title"]


def output_tokens(alice: Client, session: str) -> int:
    return alice.get(f"/session/{session}").json()["usage"]["output_tokens"]


def titles_asked(stack: Stack) -> list[dict]:
    bodies = [json.loads(r.body) for r in stack.model.seen(lambda r: r.path.endswith("/chat/completions"))]
    return [b for b in bodies if b["messages"][0]["content"].startswith(ASKS)]


def scripted(stack: Stack, word: str, answer: list, said: list) -> None:
    """The answer; and what is said when the title is asked for."""
    stack.model.when(word, lambda body: said if body["messages"][0]["content"].startswith(ASKS) else answer)


def over(stack: Stack, event: str = "turn.titled") -> None:
    """A worker is done with a title."""
    until(lambda: any(event in log.read_text() for log in stack.logs.glob("worker*")), event)


def test_the_model_names_it_after_the_first_answer(titled: Stack) -> None:
    alice = titled.client()
    gate = Gate()
    said = [gate, '**"CPU use of pods."**\n']
    scripted(titled, LINE, [f"Those named pump do. {'x' * 9000}"], said)
    session = alice.session()
    before = alice.ask(session, f"{LINE}?\nSince the deploy.").answer()
    assert before.startswith("Those named pump do.")
    gate.wait()
    assert title(alice, session) == f"{LINE}?", "nobody waited"
    used = output_tokens(alice, session)
    gate.open()
    until(lambda: title(alice, session) == "CPU use of pods", "the title")
    asked = titles_asked(titled)[0]
    assert not asked.get("tools") and len(json.dumps(asked)) < 8192
    assert LINE in asked["messages"][1]["content"] and "Those named pump do." in asked["messages"][1]["content"]
    assert output_tokens(alice, session) > used, "what it took counts"
    alice.ask(session, "and now?")
    assert len(titles_asked(titled)) == 1 and title(alice, session) == "CPU use of pods"


@pytest.mark.parametrize("said", [[""], ["Of pods.\n\nI can also help with more."], ["x" * 200], ["a\tb\x01c"],
                                  [Call("list_metrics", {})]], ids=["empty", "chat", "long", "control", "call"])
def test_what_is_no_title_changes_nothing(titled: Stack, said: list) -> None:
    alice = titled.client()
    scripted(titled, LINE, ["Those."], said)
    session = alice.session()
    alice.ask(session, LINE)
    over(titled)
    assert title(alice, session) == LINE


def test_what_a_person_called_it_stays(titled: Stack) -> None:
    alice = titled.client()
    gate = Gate()
    scripted(titled, LINE, ["Those."], [gate, "CPU use of pods"])
    named = alice.session(title="Mine")
    alice.ask(named, LINE)
    session = alice.session()
    alice.ask(session, LINE)
    gate.wait()
    assert alice.request("PATCH", f"/session/{session}", {"title": "Renamed meanwhile"}).status == 200
    gate.open()
    over(titled)
    assert [title(alice, s) for s in (named, session)] == ["Mine", "Renamed meanwhile"]
    assert len(titles_asked(titled)) == 1


def test_an_answer_that_did_not_come_has_no_title_but_its_question_s(titled: Stack) -> None:
    alice = titled.client()
    gate = Gate()
    titled.model.when(LINE, ["a ", gate])
    session = alice.session()
    stream = alice.turn(session, LINE)
    stream.wait_text("a ")
    turn = stream.log[0].payload["turn_id"]
    done = threading.Thread(target=stream.finish)
    done.start()
    assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    done.join()
    gate.open()
    assert title(alice, session) == LINE and titles_asked(titled) == []


def test_who_has_no_budget_left_is_not_charged_for_a_title(bare: Stack) -> None:
    stack = bare.start(worker_env={"PERSAI_TITLES": "true", "PERSAI_USER_TOKENS": "1"})
    alice = stack.client()
    scripted(stack, LINE, ["Those."], ["CPU use of pods"])
    session = alice.session()
    alice.ask(session, LINE)
    over(stack)
    assert titles_asked(stack) == [] and title(alice, session) == LINE
