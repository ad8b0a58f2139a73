"""Reading a turn's stream, and the checker that every stream read in this suite goes through."""

import http.client
import json
import re
import threading
from dataclasses import dataclass, field

from harness import spec
from harness.wait import SLOWNESS, until

CHECKED_MAX = 500  # events of one stream whose schema is looked at: a long one's are alike
FINAL = {"turn_complete", "turn_awaiting_input", "turn_cancelled", "error"}
ID = re.compile(r"^([1-9]\d*)-([1-9]\d*)$")


@dataclass(frozen=True)
class Event:
    epoch: int
    seq: int
    payload: dict = field(hash=False)

    @property
    def type(self) -> str:
        return self.payload["event_type"]

    @property
    def id(self) -> str:
        return f"{self.epoch}-{self.seq}"

    @property
    def final(self) -> bool:
        return self.type in FINAL

    def __str__(self) -> str:
        return f"{self.id} {json.dumps(self.payload)[:300]}"


class BadStream(AssertionError):
    pass


class Parser:
    """Bytes → events, split anywhere; strict: one id line and one data line a message, or a comment."""

    def __init__(self) -> None:
        self.rest = b""
        self.raw = b""
        self.events: list[Event] = []
        self.comments: list[str] = []
        self.given_up: dict | None = None  # an error of this stream, not of the turn: it has no id

    def feed(self, data: bytes) -> None:
        self.raw += data
        self.rest += data
        while b"\n\n" in self.rest:
            block, self.rest = self.rest.split(b"\n\n", 1)
            self.block(block.decode("utf-8"))

    def block(self, text: str) -> None:
        lines = text.split("\n")
        while lines and lines[0].startswith(":"):
            self.comments.append(lines.pop(0))
        if not lines:
            return
        if self.given_up:
            raise BadStream(f"more after the stream was given up: {text!r}")
        if len(lines) == 1 and lines[0].startswith('data: {"event":{"payload":{"event_type":"error",'):
            self.given_up = json.loads(lines[0][6:])["event"]["payload"]
            spec.check_event(self.given_up)
            return
        if len(lines) != 2 or not lines[0].startswith("id: ") or not lines[1].startswith("data: "):
            raise BadStream(f"not one id and one data line: {text!r}")
        match = ID.match(lines[0][4:])
        if not match:
            raise BadStream(f"not EPOCH-SEQ: {lines[0]!r}")
        body = json.loads(lines[1][6:])
        if set(body) != {"event"} or "event_type" not in body["event"].get("payload", {}):
            raise BadStream(f"not an event's shape: {lines[1]!r}")
        if len(self.events) < CHECKED_MAX or body["event"]["payload"]["event_type"] in FINAL:
            spec.check_event(body["event"]["payload"])
        self.events.append(Event(int(match[1]), int(match[2]), body["event"]["payload"]))


def check_log(events: list[Event], *, whole: bool = True, after: str | None = None) -> None:
    """What holds for every client's log of one turn: ids in order, none missing, none twice, epochs never
    decrease, nothing after the final event, final text equals what was streamed. whole: it begins at the
    turn's start and has its end; after: the log begins behind this id."""
    if not events:
        if whole:
            raise BadStream("no event at all")
        return
    epoch, seq = (int(n) for n in after.split("-")) if after else (0, 0)
    first = after is None
    for event in events:
        place = f"at {event}"
        if event.epoch < epoch:
            raise BadStream(f"the epoch decreases {place}")
        want = seq + 1 if event.epoch == epoch else 1
        if event.seq != want and not (first and not whole):
            raise BadStream(f"expected {event.epoch}-{want} {place}: an event is missing or came twice")
        epoch, seq, first = event.epoch, event.seq, False
    for event, after_it in zip(events, events[1:]):
        # What waits for its person goes on in the next epoch, once it was decided.
        decided = event.type == "turn_awaiting_input" and after_it.epoch > event.epoch
        if event.final and not decided:
            raise BadStream(f"events follow the final {event}")
    if whole:
        if not events[-1].final:
            raise BadStream(f"the stream ended without a final event, after {events[-1]}")
        if after is None and events[0].type != "turn_start":
            raise BadStream(f"the first event is {events[0]}")
    check_steps(events, whole and after is None)


def check_once(seen: list[Event], events: list[Event]) -> None:
    """What holds for one who had to read anew: no id that was seen comes with something else."""
    known = {event.id: event.payload for event in seen}
    for event in events:
        if known.get(event.id, event.payload) != event.payload:
            raise BadStream(f"{event.id} was given out twice")


def check_steps(events: list[Event], whole: bool) -> None:
    """Steps begin before they go on, complete at most once, and their text is what was streamed."""
    attempts: dict[str, int] = {}
    texts: dict[str, str] = {}
    complete: dict[str, dict] = {}
    for event in events:
        p = event.payload
        if event.type == "step_start":
            step = p["step_id"]
            if step in complete:
                raise BadStream(f"a complete step starts again at {event}")
            if p["attempt"] <= attempts.get(step, 0):
                raise BadStream(f"the attempt does not grow at {event}")
            attempts[step], texts[step] = p["attempt"], ""
        elif event.type == "step_progress":
            step = p["step_id"]
            if step in complete or (whole and step not in attempts):
                raise BadStream(f"progress outside of its step at {event}")
            if p["delta"]["type"] == "text":
                texts[step] = texts.get(step, "") + p["delta"]["text"]
        elif event.type == "step_complete":
            details = p["step_details"]
            step = details["step_id"]
            if step in complete:
                raise BadStream(f"a step completes twice at {event}")
            complete[step] = details
            if details["step_type"] == "inference" and step in attempts:
                content = details["model_response"]["content"]
                if texts.get(step, "") != content:
                    raise BadStream(f"streamed {texts.get(step)!r}, complete says {content!r}")
    if whole and events[-1].type == "turn_complete":
        answers = [d["model_response"]["content"] for d in complete.values() if d["step_type"] == "inference"]
        content = events[-1].payload["turn"]["output_message"]["content"]
        if not answers or answers[-1] != content:
            raise BadStream(f"turn_complete says {content!r}, its last step {answers[-1:]!r}")


class Log(list[Event]):
    """A list of events with what tests ask of it."""

    def of(self, kind: str) -> list[dict]:
        return [e.payload for e in self if e.type == kind]

    def types(self) -> list[str]:
        return [e.type for e in self]

    def text(self) -> str:
        """What a person sees at the end: provisional text of dropped attempts is gone."""
        texts: dict[str, str] = {}
        for e in self:
            if e.type == "step_start":
                texts[e.payload["step_id"]] = ""
            elif e.type == "step_progress" and e.payload["delta"]["type"] == "text":
                step = e.payload["step_id"]
                texts[step] = texts.get(step, "") + e.payload["delta"]["text"]
        return "".join(texts.values())

    def tools(self) -> list[tuple[dict, dict]]:
        """(call, response) of every completed tool call."""
        found = []
        for p in self.of("step_complete"):
            details = p["step_details"]
            if details["step_type"] == "tool_execution":
                answers = {r["call_id"]: r for r in details["tool_responses"]}
                found += [(c, answers[c["call_id"]]) for c in details["tool_calls"]]
        return found

    def final(self) -> dict:
        assert self and self[-1].final, f"no final event: {[str(e) for e in self[-3:]]}"
        return self[-1].payload

    def answer(self) -> str:
        final = self.final()
        assert final["event_type"] == "turn_complete", final
        return final["turn"]["output_message"]["content"]


class Stream:
    """One connection that reads a turn's stream in a thread of its own."""

    def __init__(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse,
                 after: str | None = None) -> None:
        self.connection, self.response, self.after = connection, response, after
        self.status = response.status
        self.headers = response.headers
        self.parser = Parser()
        self.error: BaseException | None = None
        self.ended = threading.Event()
        self.paused = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            while True:
                data = self.response.read1(65536)
                if not data:
                    break
                self.parser.feed(data)
        except (http.client.HTTPException, OSError, ValueError, AttributeError) as error:
            self.error = error
        except BaseException as error:
            self.error = error
        finally:
            self.ended.set()

    @property
    def log(self) -> Log:
        if isinstance(self.error, (BadStream, spec.NotAsDescribed)):
            raise self.error
        return Log(self.parser.events)

    @property
    def last_id(self) -> str | None:
        return self.parser.events[-1].id if self.parser.events else self.after

    def wait_for(self, kind: str, count: int = 1, seconds: float = 20) -> dict:
        """The count-th event of this type."""
        until(lambda: len(self.log.of(kind)) >= count or self.ended.is_set(), f"event {kind} no. {count}", seconds)
        found = self.log.of(kind)
        assert len(found) >= count, f"the stream ended without {kind} no. {count}: {[str(e) for e in self.log]}"
        return found[count - 1]

    def wait_text(self, text: str, seconds: float = 20) -> None:
        until(lambda: text in self.log.text() or self.ended.is_set(), f"the text {text!r}", seconds)
        assert text in self.log.text(), f"the stream ended without {text!r}: {[str(e) for e in self.log]}"

    def finish(self, seconds: float = 90) -> Log:
        """Reads to the end; checks the log; it must have its final event."""
        assert self.ended.wait(seconds * SLOWNESS), f"the stream did not end: {[str(e) for e in self.log[-5:]]}"
        log = self.log
        check_log(log, whole=True, after=self.after)
        self.close()
        return log

    def close(self) -> None:
        try:
            if self.connection.sock is not None:
                self.connection.sock.shutdown(2)
        except OSError:
            pass
        self.ended.wait(5)
        self.connection.close()
