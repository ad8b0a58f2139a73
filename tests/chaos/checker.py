"""What must hold of each client's log, of the conversation in Redis, and between them.

The order of ids, epochs and steps within one log is checked by harness.sse.check_log, which every log goes
through first."""

from harness.sse import Event, Log, check_log


class Wrong(AssertionError):
    pass


def check_view(log: list[Event], spoken: dict[int, list[str]], ends: set[str]) -> None:
    """One client's whole log of a turn. spoken: what the scripted model said, for each of its steps the text
    of each attempt; ends: the types of a final event that are right here."""
    check_log(log, whole=True)
    finals = [e for e in log if e.final and e.type != "turn_awaiting_input"]  # after that it goes on
    if len(finals) != 1:
        raise Wrong(f"{len(finals)} final events")
    if finals[0].type not in ends:
        raise Wrong(f"it ended with {finals[0]}, not with one of {sorted(ends)}")
    texts = [d["model_response"]["content"] for d in completed(log, "inference")]
    for n, text in enumerate(texts):
        if text not in spoken.get(n, []):
            raise Wrong(f"step {n} says {text!r}, the model said one of {spoken.get(n)!r}")
    if finals[0].type == "turn_complete" and len(texts) != len(spoken):
        raise Wrong(f"{len(texts)} steps of the model, it spoke {len(spoken)}")


def completed(log: list[Event], step_type: str = "") -> list[dict]:
    found = [e.payload["step_details"] for e in log if e.type == "step_complete"]
    return [d for d in found if not step_type or d["step_type"] == step_type]


def check_replay(log: list[Event], replay: list[Event]) -> None:
    """A replay from the start tells the same story. What was said live and not stored before its worker died
    is missing in it, at the end of an epoch only: whatever else is there is the same, event by event."""
    check_log(replay, whole=True)
    if completed(log) != completed(replay):
        raise Wrong("the replay has other completed steps")
    if log[-1].id != replay[-1].id or log[-1].payload != replay[-1].payload:
        raise Wrong(f"the replay ends with {replay[-1]}, the client saw {log[-1]}")
    for epoch in {e.epoch for e in replay} | {e.epoch for e in log}:
        live, stored = ([(e.seq, e.payload) for e in events if e.epoch == epoch] for events in (log, replay))
        if stored != live[:len(stored)]:
            at = next(i for i, pair in enumerate(stored) if live[i:i + 1] != [pair])
            raise Wrong(f"epoch {epoch}: replayed {stored[at]!r:.200}, seen {live[at:at + 1]!r:.200}")
        lost = [payload["event_type"] for _, payload in live[len(stored):]]
        if set(lost) - {"step_start", "step_progress"}:
            raise Wrong(f"epoch {epoch}: the replay lacks {lost}")


def check_conversation(log: Log, question: str, messages: list[dict]) -> None:
    """GET /session's messages of this turn are what its client saw."""
    want: list[tuple] = [("user", question)]
    for details in completed(log):
        if details["step_type"] == "inference":
            want.append(("assistant", details["model_response"]["content"]))
        else:
            want.append(("tool", [(r["call_id"], r["content"]) for r in details["tool_responses"]]))
    have = [seen_of(m) for m in messages]
    last = log.final()["event_type"]
    if last in ("turn_cancelled", "error") and len(have) == len(want) + 1:
        partial, reason = have.pop(), messages[-1]["stop_reason"]
        if partial[0] != "assistant" or reason != {"turn_cancelled": "cancelled", "error": "error"}[last]:
            raise Wrong(f"{last} left {partial!r} ({reason})")
        if partial[1] != provisional(log):
            raise Wrong(f"what was streamed before {last} is {provisional(log)!r}, kept is {partial[1]!r}")
    if have != want:
        raise Wrong(f"the conversation is {have!r}, its client saw {want!r}")


def seen_of(message: dict) -> tuple:
    if message["role"] == "tool":
        return "tool", [(r["call_id"], r["content"]) for r in message["tool_responses"]]
    return message["role"], message["content"]


def provisional(log: list[Event]) -> str:
    """The text of the step that never completed."""
    text = ""
    for e in log:
        if e.type in ("step_start", "step_complete"):
            text = ""
        elif e.type == "step_progress" and e.payload["delta"]["type"] == "text":
            text += e.payload["delta"]["text"]
    return text
