"""Streams as no provider should send them, in each of the four wire formats.

A model's base URL names the case: URL/CASE (and /v1 where the API has it), so that each case is an account
of its own. What a case answers is made of tests/fakes/streams.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

from fakes.providers import STREAMS
from fakes.server import Exchange, Fake, Request

APIS = ("chat", "responses", "messages", "generate")
PROVIDER = {"chat": "openai", "responses": "openai", "messages": "anthropic", "generate": "google"}
RESULT = {"chat": '"role":"tool"', "responses": "function_call_output", "messages": "tool_result", "generate": "functionResponse"}
# Asks for a tool with arguments that are none.
BAD_CALL = {
    "chat": [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {
            "name": "list_metrics", "arguments": '{"search": oops'}}]}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}],
    "responses": [
        {"type": "response.output_item.added", "output_index": 0, "item": {
            "id": "f1", "type": "function_call", "arguments": "", "call_id": "c1", "name": "list_metrics"}},
        {"type": "response.function_call_arguments.delta", "item_id": "f1", "output_index": 0, "delta": '{"search": oops'},
        {"type": "response.output_item.done", "output_index": 0, "item": {
            "id": "f1", "type": "function_call", "arguments": '{"search": oops', "call_id": "c1", "name": "list_metrics"}},
        {"type": "response.completed", "response": {"id": "r1", "status": "completed", "output": [],
                                                    "usage": {"input_tokens": 1, "output_tokens": 1}}}],
    "messages": [
        {"type": "message_start", "message": {"id": "m1", "role": "assistant", "content": [], "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {
            "type": "tool_use", "id": "c1", "name": "list_metrics", "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"search": oops'}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 1}},
        {"type": "message_stop"}],
    "generate": [{"candidates": [{"index": 0, "finishReason": "STOP", "content": {"role": "model", "parts": [
        {"functionCall": {"name": "list_metrics", "args": "oops"}}]}}]}],
}
# What must be skipped: nothing chosen, and news of a later version.
UNKNOWN = {
    "chat": [{"choices": []}, {}, {"choices": [{"index": 0, "delta": {"news": {"a": [1]}}}]}],
    "responses": [{"type": "response.news", "delta": "x"}, {"type": "response.news"}, {}],
    "messages": [{"type": "ping"}, {"type": "news", "delta": {"text": "x"}}, {}],
    "generate": [{"candidates": []}, {}, {"news": 1}],
}
WRONG = [b"[1,2]", b"7", b'"x"', b"null", b'{"choices":"none","candidates":{"a":1},"type":[],"delta":[],"error":null}']


def text(api: str) -> bytes:
    return (STREAMS / api / "text.sse").read_bytes().replace(b"\r\n", b"\n")


def events(api: str) -> list[bytes]:
    return [event + b"\n\n" for event in text(api).split(b"\n\n") if event.strip()]


def written(api: str, bodies: list[dict]) -> list[bytes]:
    names = api in ("responses", "messages")
    return [(f"event: {b.get('type', 'news')}\n" if names else "").encode() + b"data: " + json.dumps(b).encode() + b"\n\n"
            for b in bodies]


def half(api: str) -> list[bytes]:
    """Up to its first piece of text."""
    all_of_it = events(api)
    return all_of_it[:1 + next(n for n, e in enumerate(all_of_it) if b"CPU is " in e)]


ERROR = {"error": {"message": "Overloaded", "type": "server_error", "code": 503}}
ERROR_EVENT = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
# As LiteLLM tells that its upstream was cut, in each format; and statuses as numbers or text, in an object or open.
ERROR_CUT = {"error": {"message": "Stream was cut", "type": "None", "param": "None", "code": "500"}}
Pieces = Iterator[bytes] | list[bytes]
# What means the same, in other bytes.
SAME: dict[str, Callable[[str], Pieces]] = {
    "crlf": lambda api: [text(api).replace(b"\n", b"\r\n")],
    "cr": lambda api: [text(api).replace(b"\n", b"\r")],
    "single_bytes": lambda api: (bytes([b]) for b in text(api)),
    "no_blank": lambda api: [text(api).replace(b"data: ", b"data:").replace(b"event: ", b"event:")],
    "lines": lambda api: [re.sub(rb"(?m)^data: \{", b"data: {\ndata:", text(api))],
    "comments": lambda api: [piece for e in events(api)
                             for piece in (b": keep-alive\n\n", b":\n", b"retry: 9\nid: 1\n", e, b"\n\n")],
    "unknown": lambda api: [piece for e in events(api) for piece in (*written(api, UNKNOWN[api]), e)],
    "mark": lambda api: [b"\xef\xbb\xbf", text(api)],
    "more": lambda api: [text(api), b"data: {\"err", b"<html>" * 1000],
    "no_end": lambda api: events(api)[:-1] if api in ("chat", "messages") else events(api),
    "usage_first": lambda api: [events(api)[-2], *events(api)[:-2], events(api)[-1]] if api == "chat" else events(api),
}
# What breaks off, of which the next attempt goes well. None: the connection breaks there.
BROKEN: dict[str, Callable[[str], list]] = {
    "cut_first": lambda api: [None],
    "cut": lambda api: [*half(api), None],
    "cut_in_event": lambda api: [*half(api), events(api)[-2][:-9], None],
    "ends": half,
    "error": lambda api: [(STREAMS / api / "error.sse").read_bytes()],
    "error_text_500": lambda api: [*half(api), *written(api, [ERROR_CUT])],
    "error_first_500": lambda api: [b"event: error\ndata: " + json.dumps(ERROR_CUT["error"]).encode() + b"\n\n"],
    "error_text_429": lambda api: written(api, [{"error": {"message": "slow", "code": "429"}}]),
    "error_api": lambda api: [*half(api), *written(api, [{"type": "error", "error": {"type": "api_error", "message": "x"}}])],
    "error_in_list": lambda api: [b'data: [{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}]\n\n'
                                  if api == "generate" else b"data: " + json.dumps(ERROR_CUT).encode() + b"\n\n"],
    "error_alone": lambda api: [*half(api), *written(api, [{"error": {"message": "the upstream went away"}}])],
    "error_as_text": lambda api: [*half(api), *written(api, [{"error": "the upstream went away"}])],
    "error_plain": lambda api: [*half(api), *written(api, [ERROR if api in ("chat", "generate") else ERROR_EVENT])],
}
# What never goes well.
HOPELESS: dict[str, Callable[[str], list]] = {
    "page": lambda api: [b"<html><body>Welcome to the hotel's network</body></html>"],
    "page_as_stream": lambda api: [b"<html>\n\n<body>data: Welcome</body></html>\n\n"],
    "bad_json": lambda api: [*half(api), b"data: {\"type\": \"x\n\n"],
    "wrong_types": lambda api: [b"data: " + w + b"\n\n" for w in WRONG],
    "nothing": lambda api: [],
    "always_cut": lambda api: [*half(api), None],
}
STATUS = {  # and then it is fine again
    "busy": (429, b'{"error":{"message":"slow down"}}'), "late": (408, b""),
    "overloaded": (529, b'{"type":"error","error":{"type":"overloaded_error"}}'),
    "away": (503, b'{"error":{"code":503,"status":"UNAVAILABLE","message":"x"}}'),
    "bad_gateway": (502, b"<html>Bad Gateway</html>"),
}
SILENT = ("hangs_first", "hangs", "drips_first", "drips")  # those that drip send comments, and nothing else
CALLS = ("bad_call", "bad_calls")
CASES = (*SAME, *BROKEN, *HOPELESS, *STATUS, *SILENT, *CALLS)


class Hostile(Fake):
    def __init__(self) -> None:
        self.asked: Counter = Counter()
        super().__init__()

    def rows(self, cases: object) -> list[dict]:
        """For a models file; the models are called API-CASE."""
        return [{"name": f"{api}-{case}", "provider": PROVIDER[api], "api": api, "model": "m", "key_env": "TEST_KEY",
                 "base_url": f"{self.url}/{case}" + ("/v1" if api in ("chat", "responses") else "")}
                for api in APIS for case in cases]  # type: ignore[attr-defined]

    def answer(self, exchange: Exchange, request: Request) -> None:
        case = request.path.split("/")[1]
        api = next((a for a, end in (("chat", "/completions"), ("responses", "/responses"), ("messages", "/messages"))
                    if request.path.endswith(end)), "generate")
        with self.lock:
            self.asked[api, case] += 1
            first = self.asked[api, case] == 1
        if case in SAME:
            self.stream(exchange, SAME[case](api))
        elif case in HOPELESS:
            self.stream(exchange, HOPELESS[case](api), "text/html" if case == "page" else "text/event-stream")
        elif case == "hangs_first":
            self.stream(exchange, [...])
        elif case == "bad_calls" or (case == "bad_call" and RESULT[api] not in request.body.decode()):
            self.stream(exchange, written(api, BAD_CALL[api]))
        elif case in STATUS and first:
            exchange.reply(*STATUS[case])
        elif case in BROKEN and first:
            self.stream(exchange, BROKEN[case](api))
        elif case == "hangs" and first:
            self.stream(exchange, [*half(api), ...])
        elif case == "drips_first" or (case == "drips" and first):
            self.stream(exchange, chain(half(api) if case == "drips" else [], self.comments()))
        else:
            self.stream(exchange, [text(api)])

    def comments(self) -> Iterator[bytes]:
        while not self.stopping.wait(0.1):
            yield b": keep-alive\n\n"

    def stream(self, exchange: Exchange, pieces: object, content_type: str = "text/event-stream") -> None:
        exchange.start_stream(content_type)
        for piece in pieces:  # type: ignore[attr-defined]
            if piece is None:
                exchange.cut()
                return
            if piece is ...:
                exchange.hang()
                exchange.close_connection = True
                return
            exchange.send(piece)
        exchange.end_stream()
