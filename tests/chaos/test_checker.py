"""The checker finds what it is there for: each planted wrong is one."""

import pytest

from chaos.checker import check_conversation, check_replay, check_view
from harness.sse import Event, Log

SPOKEN = {0: ["one", "one again"], 1: ["two"]}
DONE = {"turn_complete"}
MESSAGES = [
    {"role": "user", "content": "q"}, {"role": "assistant", "content": "one again", "stop_reason": "tool_calls"},
    {"role": "tool", "content": "", "tool_responses": [{"call_id": "c", "content": "r"}]},
    {"role": "assistant", "content": "two", "stop_reason": "stop"}]


def event(at: str, kind: str, **fields: object) -> Event:
    epoch, seq = (int(n) for n in at.split("-"))
    return Event(epoch, seq, {"event_type": kind, **fields})


def text(at: str, step: str, words: str) -> Event:
    return event(at, "step_progress", step_type="inference", step_id=step, delta={"type": "text", "text": words})


def said(at: str, step: str, words: str) -> Event:
    return event(at, "step_complete", step_details={
        "step_type": "inference", "step_id": step, "model_response": {"content": words, "stop_reason": "stop"}})


def good() -> Log:
    """Its worker died in the first step; the tool and the rest ran in the second epoch."""
    return Log([
        event("1-1", "turn_start", turn_id="t", session_id="s"),
        event("1-2", "step_start", step_type="inference", step_id="t-1", attempt=1), text("1-3", "t-1", "on"),
        event("2-1", "step_start", step_type="inference", step_id="t-1", attempt=2), text("2-2", "t-1", "one again"),
        said("2-3", "t-1", "one again"),
        event("2-4", "step_start", step_type="tool_execution", step_id="t-2", attempt=1),
        event("2-5", "step_complete", step_details={
            "step_type": "tool_execution", "step_id": "t-2", "tool_calls": [{"call_id": "c"}],
            "tool_responses": [{"call_id": "c", "content": "r"}]}),
        event("2-6", "step_start", step_type="inference", step_id="t-3", attempt=1), text("2-7", "t-3", "two"),
        said("2-8", "t-3", "two"),
        event("2-9", "turn_complete", turn={"output_message": {"content": "two"}})])


def test_a_good_log_passes() -> None:
    check_view(good(), SPOKEN, DONE)
    check_conversation(good(), "q", MESSAGES)
    stored = good()
    stored.pop(2)  # said, and not stored when its worker died
    check_replay(good(), stored)


WRONGS = {
    "a gap": lambda log: log.pop(6),
    "a repeat": lambda log: log.insert(6, log[6]),
    "two final events": lambda log: log.append(event("2-10", "turn_complete", turn=log[-1].payload["turn"])),
    "no final event": lambda log: log.pop(),
    "an old epoch after a new one": lambda log: log.insert(4, event("1-4", "turn_cancelled")),
    "another text than the model's": lambda log: log.__setitem__(
        slice(9, 11), [text("2-7", "t-3", "2"), said("2-8", "t-3", "2")]),
    "text that is not the step's": lambda log: log.__setitem__(4, text("2-2", "t-1", "one agai")),
    "an attempt that does not grow": lambda log: log.__setitem__(
        3, event("2-1", "step_start", step_type="inference", step_id="t-1", attempt=1)),
    "a step that completes twice": lambda log: log.__setitem__(6, said("2-4", "t-1", "one again")),
    "an end that is not right here": lambda log: log.__setitem__(-1, event("2-9", "error", code="worker_lost", message="x")),
    "a missing step": lambda log: log.__delitem__(slice(8, 11)),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_a_wrong_log_is_found(wrong: str) -> None:
    log = good()
    WRONGS[wrong](log)
    with pytest.raises(AssertionError):
        check_view(log, SPOKEN, DONE)


def test_a_wrong_replay_is_found() -> None:
    for change in (lambda log: log.__setitem__(4, text("2-2", "t-1", "one AGAIN")),
                   lambda log: log.pop(), lambda log: log.insert(3, text("1-4", "t-1", "e"))):
        stored = good()
        change(stored)
        with pytest.raises(AssertionError):
            check_replay(good(), stored)


def test_a_wrong_conversation_is_found() -> None:
    for messages in (MESSAGES[:-1], [*MESSAGES, MESSAGES[-1]], [*MESSAGES[:3], {**MESSAGES[3], "content": "2"}],
                     [MESSAGES[0], *MESSAGES[2:]]):
        with pytest.raises(AssertionError):
            check_conversation(good(), "q", messages)
