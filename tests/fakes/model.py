"""A scripted model: an OpenAI Chat Completions server that streams what a test tells it to.

    model.when("weather", [Call("list_metrics", {})], ["It is ", "fine."])

A question (the conversation's last user message) that contains "weather" gets the first reply; once a
tool has answered, the second. The reply is chosen by how many assistant messages follow the question,
so a step that is run again gets the same reply, unless the script names attempts:

    model.when("flaky", Attempts([Status(503)], ["fine"]))

A reply is a list of pieces: a str is a piece of text; the classes below are everything else. A reply
without Finish ends as a good provider's does. An unscripted question gets DEFAULT.
"""

import json
import threading
import time
from dataclasses import dataclass, field

from fakes.server import Exchange, Fake, Request

DEFAULT = ["This ", "is the ", "default ", "answer."]


@dataclass
class Delay:
    seconds: float


@dataclass
class Gate:
    """Waits until the test opens it; `reached` tells the test that the stream is here."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def open(self) -> None:
        self.opened.set()

    def wait(self, seconds: float = 20) -> None:
        assert self.reached.wait(seconds), "the model was not asked so far"


@dataclass
class Ticking:
    """Numbered pieces of text, one every `seconds`, until the test sets `enough`; `sent` counts them."""

    seconds: float
    sent: int = 0
    enough: threading.Event = field(default_factory=threading.Event)

    def text(self) -> str:
        return "".join(f"{n} " for n in range(self.sent))


@dataclass
class Call:
    """A tool call. Its arguments are cut into pieces of `split` characters, anywhere."""

    name: str
    arguments: dict | str
    split: int = 7
    call_id: str = ""


@dataclass
class Reasoning:
    text: str


@dataclass
class Raw:
    """Bytes into the body of the stream, as they are."""

    data: bytes


@dataclass
class Status:
    """Instead of a stream: an error answer."""

    status: int
    body: bytes = b'{"error":{"message":"scripted error","type":"server_error"}}'
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Cut:
    """The connection breaks."""


class Hang:
    """Nothing more comes until the client leaves."""


@dataclass
class Finish:
    reason: str
    usage: bool = True


@dataclass
class Attempts:
    """One reply for each time that this step is asked; the last one for all later times."""

    replies: tuple

    def __init__(self, *replies: list) -> None:
        self.replies = replies


class Model(Fake):
    def __init__(self, *args: object, **kw: object) -> None:
        self.scripts: list[tuple[str, tuple]] = []
        self.asked: dict[tuple[str, int], int] = {}
        self.name = "scripted"
        super().__init__(*args, **kw)  # type: ignore[arg-type]

    @property
    def base_url(self) -> str:
        return self.url + "/v1"

    def when(self, words: str, *replies: object) -> None:
        """The newest matching script counts."""
        self.scripts.insert(0, (words, replies))

    def chats(self, words: str = "") -> list[dict]:
        """Bodies of the requests whose conversation ends in a question with these words."""
        bodies = [json.loads(r.body) for r in self.seen(lambda r: r.path.endswith("/chat/completions"))]
        return [b for b in bodies if words in question(b)[0]]

    def answer(self, exchange: Exchange, request: Request) -> None:
        if request.method == "GET" and request.path == "/v1/models":
            exchange.reply(200, json.dumps({"object": "list", "data": [{"id": self.name}]}).encode())
        elif request.method == "POST" and request.path == "/v1/chat/completions":
            self.chat(exchange, json.loads(request.body))
        else:
            exchange.reply(404, b'{"error":{"message":"no such path"}}')

    def reply_for(self, body: dict) -> list:
        text, step = question(body)
        for words, replies in self.scripts:
            if words in text:
                reply = replies[min(step, len(replies) - 1)]
                with self.lock:
                    attempt = self.asked.get((words, step), 0)
                    self.asked[(words, step)] = attempt + 1
                if isinstance(reply, Attempts):
                    reply = reply.replies[min(attempt, len(reply.replies) - 1)]
                return reply(body) if callable(reply) else reply
        return DEFAULT

    def chat(self, exchange: Exchange, body: dict) -> None:
        reply = self.reply_for(body)
        if reply and isinstance(reply[0], Status):
            bad = reply[0]
            exchange.reply(bad.status, bad.body, bad.content_type, bad.headers)
            return
        if not body.get("stream"):
            self.whole(exchange, reply)
            return
        Writer(self, exchange).run(reply)

    def whole(self, exchange: Exchange, reply: list) -> None:
        message = {"role": "assistant", "content": "".join(p for p in reply if isinstance(p, str))}
        answer = {"id": "x", "object": "chat.completion", "model": self.name,
                  "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                  "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}
        exchange.reply(200, json.dumps(answer).encode())


def question(body: dict) -> tuple[str, int]:
    """The last user message's text, and how many assistant messages came after it. What PersAI says beside a question, or of
    an answer that is none yet, is no part of it."""
    step = 0
    for message in reversed(body.get("messages", [])):
        if message["role"] == "user":
            content = message.get("content") or ""
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            content, beside, _ = content.partition("[Said by PersAI")
            if content or not beside:
                return content.removesuffix("\n\n") if beside else content, step
        step += message["role"] == "assistant"
    return "", step


class Writer:
    """Writes one reply as server-sent events."""

    def __init__(self, model: Model, exchange: Exchange) -> None:
        self.model, self.exchange = model, exchange
        self.tokens = 0
        self.calls = 0

    def chunk(self, delta: dict | None, finish: str | None = None, **more: object) -> None:
        choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
        body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": int(time.time()),
                "model": self.model.name, "choices": choices, **more}
        self.exchange.send(b"data: " + json.dumps(body).encode() + b"\n\n")

    def run(self, reply: list) -> None:
        self.exchange.start_stream("text/event-stream; charset=utf-8")
        self.chunk({"role": "assistant", "content": None})
        for piece in reply:
            if not self.piece(piece):
                return
        self.finish(Finish("tool_calls" if self.calls else "stop"))

    def piece(self, piece: object) -> bool:
        """False: the reply is over."""
        if isinstance(piece, str):
            self.tokens += 1
            self.chunk({"content": piece})
        elif isinstance(piece, Reasoning):
            self.chunk({"reasoning_content": piece.text})
        elif isinstance(piece, Delay):
            time.sleep(piece.seconds)
        elif isinstance(piece, Gate):
            piece.reached.set()
            self.exchange.hang(piece.opened)
        elif isinstance(piece, Ticking):
            while not piece.enough.wait(piece.seconds):
                self.piece(f"{piece.sent} ")
                piece.sent += 1
        elif isinstance(piece, Raw):
            self.exchange.send(piece.data)
        elif isinstance(piece, Call):
            self.call(piece)
        elif isinstance(piece, Finish):
            self.finish(piece)
            return False
        elif isinstance(piece, Cut):
            self.exchange.cut()
            return False
        elif isinstance(piece, Hang):
            self.exchange.hang()
            self.exchange.close_connection = True
            return False
        else:
            raise TypeError(f"not a piece of a reply: {piece!r}")
        return True

    def call(self, call: Call) -> None:
        text = call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments)
        index, self.calls = self.calls, self.calls + 1
        call_id = call.call_id or f"call_{index}_{call.name}"
        head = {"index": index, "id": call_id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        self.chunk({"tool_calls": [head]})
        for at in range(0, len(text), call.split):
            part = {"index": index, "function": {"arguments": text[at:at + call.split]}}
            self.chunk({"tool_calls": [part]})

    def finish(self, how: Finish) -> None:
        self.chunk({}, how.reason)
        if how.usage:
            self.chunk(None, usage={"prompt_tokens": 11, "completion_tokens": self.tokens, "total_tokens": 11 + self.tokens})
        self.exchange.send(b"data: [DONE]\n\n")
        self.exchange.end_stream()
