"""A conversation that outgrows its model: the oldest turns are summarised by it, the person is told, nothing is lost."""

from pathlib import Path

from fakes.model import Attempts, Gate, Status
from harness.client import Client
from harness.sse import Log
from harness.stack import Stack
from harness.models_file import models, usual

LONG = ["word " * 1000] * 18  # 90 KB: two of them do not fit 176 KB, whatever is said beside them; one does
SUMMARY = '{"person":'


def grow(bare: Stack, folder: Path, *summary: object, workers: int = 1) -> tuple[Client, str]:
    """A conversation whose next question does not fit."""
    bare.start(workers=workers, worker_env=models(folder, usual(bare, window=45000, max_output_tokens=1000,
                                                                price={"input": 1, "output": 1})))
    bare.model.when("long", LONG)
    bare.model.when("and now", ["Fine."])
    bare.model.when(SUMMARY, *summary)
    alice = bare.client()
    session = alice.session()
    for n in (1, 2):
        assert alice.ask(session, f"long {n}").answer()
    assert not bare.model.chats(SUMMARY)
    return alice, session


def notices(log: Log) -> list[str]:
    """But those of what was looked up."""
    return [p["delta"]["text"] for p in log.of("step_progress")
            if p["delta"]["type"] == "notice" and "detail" not in p["delta"]]


def told(bare: Stack) -> list[dict]:
    """What the model was sent with the last question."""
    return bare.model.chats("and now")[-1]["messages"]


def test_old_turns_are_summarised_by_the_model_and_the_person_is_told(bare: Stack, tmp_path: Path) -> None:
    alice, session = grow(bare, tmp_path, ["They said ", "\"word\"."])
    log = alice.ask(session, "and now?")
    assert log.answer() == log.text() == "Fine."
    assert len(notices(log)) == 1 and "are being summarised" in notices(log)[0]
    summary = bare.model.chats(SUMMARY)
    assert len(summary) == 1 and "tools" not in summary[0] and summary[0]["max_tokens"] == 1000
    assert "long 1" in summary[0]["messages"][-1]["content"]
    assert '{"summary":"They said \\"word\\"."}' in told(bare)[0]["content"]
    assert [m["content"].split("\n\n[Said by PersAI")[0] for m in told(bare) if m["role"] == "user"] == ["long 2", "and now?"]
    shown = alice.get(f"/session/{session}").json()
    assert shown["summary"] == {"message_id": "2", "text": 'They said "word".'}
    assert [m["content"] for m in shown["messages"]][:2] == ["long 1", "".join(LONG)], "the conversation stays whole"
    used = log.final()["turn"]["usage"]
    assert (used["input_tokens"], used["output_tokens"], used["cost"]) == (22, 3, 25e-6), "of both calls"
    log = alice.ask(session, "and now?")
    assert log.answer() and not notices(log) and len(bare.model.chats(SUMMARY)) == 1, "it is kept"
    assert alice.request("PATCH", f"/session/{session}/message/1", {"excluded": True}).status == 200
    assert "summary" not in alice.get(f"/session/{session}").json(), "what was made of a message goes with it"
    fork = alice.post(f"/session/{session}/fork", {"message_id": "5"}).json()["session_id"]
    assert "summary" not in alice.get(f"/session/{fork}").json()


def test_without_a_summary_the_question_is_answered_all_the_same(bare: Stack, tmp_path: Path) -> None:
    alice, session = grow(bare, tmp_path, [Status(400, b'{"error":{"message":"no"}}')])
    log = alice.ask(session, "and now?")
    assert log.answer() == "Fine."
    assert "does not see the oldest 2 messages" in notices(log)[-1]
    assert "oldest 2 messages are not shown to you" in told(bare)[0]["content"]
    assert "summary" not in alice.get(f"/session/{session}").json()


def test_a_worker_killed_while_it_summarises_is_replaced(bare: Stack, tmp_path: Path) -> None:
    gate = Gate()
    alice, session = grow(bare, tmp_path, Attempts(["They", gate], ["They said it."]), workers=2)
    stream = alice.turn(session, "and now?")
    gate.wait()
    bare.working().process.kill()
    log = stream.finish(60)
    assert log.answer() == log.text() == "Fine."
    assert alice.get(f"/session/{session}").json()["summary"]["text"] == "They said it."
    assert [m["role"] for m in alice.messages(session)] == ["user", "assistant"] * 3


def refused_once(stack: Stack, too_long: Status) -> tuple[Log, dict, dict]:
    """A question in a long conversation: its log, what was refused and what was asked instead."""
    stack.model.when("long", LONG)
    stack.model.when("and now", Attempts([too_long], ["Fine."]))
    stack.model.when(SUMMARY, ["They said it."])
    alice = stack.client()
    session = alice.session()
    assert alice.ask(session, "long 1").answer()
    log = alice.ask(session, "and now?")
    assert log.answer() == log.text() == "Fine."
    first, second = stack.model.chats("and now")
    return log, first, second


def test_a_provider_that_finds_it_too_long_is_asked_once_more_with_less(bare: Stack, tmp_path: Path) -> None:
    bare.start(worker_env=models(tmp_path, usual(bare, window=45000, max_output_tokens=1000)))
    log, first, second = refused_once(
        bare, Status(400, b'{"error":{"message":"maximum context length is 8 tokens","code":"context_length_exceeded"}}'))
    assert len(str(second["messages"])) < len(str(first["messages"])) / 2
    assert len(notices(log)) == 1 and "are being summarised" in notices(log)[0], "the person is told"
    assert '{"summary":"They said it."}' in second["messages"][0]["content"]


def test_a_server_whose_window_is_smaller_than_was_thought_is_asked_with_half_of_what_it_refused(bare: Stack,
                                                                                               tmp_path: Path) -> None:
    # vLLM counts the answer's limit in (github.com/vllm-project/vllm/issues/42474).
    bare.start(worker_env=models(tmp_path, usual(bare, window=400000, max_output_tokens=300000)))
    too_long = Status(400, b'{"error":{"message":"This model\'s maximum context length is 16384 tokens. However, you requested '
                           b'4096 output tokens and your prompt contains at least 12289 input tokens"}}')
    _, first, second = refused_once(bare, too_long)
    assert len(str(second["messages"])) < len(str(first["messages"])) * 0.6
    assert first["max_tokens"] == 200000 and second["max_tokens"] == 100000
