"""What models and their servers want of a request, and what one model wrote as the next one is sent it.

Every request that our worker writes is held to the official SDKs' types."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.providers import STREAMS
from fakes.server import Exchange, Fake, Request
from harness.stack import Stack
from harness.vendor_types import check_types

APIS = {"chat": "openai", "responses": "openai", "messages": "anthropic", "generate": "google"}
THOUGHT = "I look at the list \U0001f600"
LONG_ID = "functions.list_metrics:0/" + "x" * 60


def api_of(path: str) -> str:
    return next((a for a, end in (("chat", "/completions"), ("responses", "/responses"), ("messages", "/messages"))
                 if path.endswith(end)), "generate")


class Server(Fake):
    """Each of the APIs; a model's name says what it does. A conversation's first question is answered with a call."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, dict]] = []
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        api, body = api_of(request.path), json.loads(request.body)
        model = body.get("model", "")
        check_types(api, body)
        with self.lock:
            self.bodies.append((api, body))
        refused = self.refusal(model, body)
        if refused:
            exchange.reply(400, json.dumps({"error": {"message": refused, "type": "invalid_request_error"}}).encode())
        elif model == "zipped":
            raw = gzip.compress((STREAMS / "chat" / "text.sse").read_bytes())
            exchange.reply(200, raw, "text/event-stream", {"Content-Encoding": "gzip"})
        elif model == "zipped-error":
            raw = gzip.compress(b'{"error":{"message":"so it is not","type":"invalid_request_error"}}')
            exchange.reply(400, raw, "application/json", {"Content-Encoding": "gzip"})
        elif model == "thinker" and body["messages"][-1]["role"] == "user":
            self.chunks(exchange, self.thinking())
        elif model == "uncounted":
            self.chunks(exchange, [{"choices": [{"index": 0, "delta": {"content": "Four words, no count"}}]},
                                   {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
                                    "usage": {"prompt_tokens": 0, "completion_tokens": 0}}])
        else:
            exchange.start_stream("text/event-stream")
            exchange.send((STREAMS / api / "text.sse").read_bytes())
            exchange.end_stream()

    def chunks(self, exchange: Exchange, chunks: list[dict]) -> None:
        exchange.start_stream("text/event-stream")
        for chunk in chunks:
            exchange.send(b"data: " + json.dumps(chunk).encode() + b"\n\n")
        exchange.send(b"data: [DONE]\n\n")
        exchange.end_stream()

    def thinking(self) -> list[dict]:
        halves = ["I look at ", "the list \ud83d", "\ude00"]  # one character, cut in two
        call = {"index": 0, "id": LONG_ID, "function": {"name": "list_metrics", "arguments": "{}"}}
        later = {"index": 0, "id": "another", "function": {"arguments": '{"search": "cpu"}'}}
        deltas = [*({"reasoning_content": t} for t in halves), {"tool_calls": [call]}, {"tool_calls": [later]}]
        return [*({"choices": [{"index": 0, "delta": d}]} for d in deltas),
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]

    def refusal(self, model: str, body: dict) -> str:
        if model == "thinker":
            lacking = [m for m in body["messages"] if m.get("tool_calls") and m.get("reasoning_content") != THOUGHT]
            return "The `reasoning_content` in the thinking mode must be passed back to the API." if lacking else ""
        if model == "picky":
            if "max_tokens" in body:
                return ("Unsupported parameter: 'max_tokens' is not supported with this model. "
                        "Use 'max_completion_tokens' instead.")
            if body["max_completion_tokens"] > 1234:
                return "max_completion_tokens is too large: 4096. This model supports at most 1234 completion tokens."
            if "temperature" in body:
                return "Unsupported value: 'temperature' does not support 0.5 with this model."
            if "stream_options" in body:
                return "Unrecognized request argument supplied: stream_options"
        return ""

    def asked(self, model: str) -> list[dict]:
        with self.lock:
            return [b for _, b in self.bodies if b.get("model") == model]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as fake:
        yield fake
        assert not fake.errors, fake.errors


def start(bare: Stack, folder: Path, server: Server, *rows: dict) -> Stack:
    models = [{"key_env": "TEST_KEY", "provider": "openai", "base_url": f"{server.url}/v1", **row} for row in rows]
    path = folder / "models.json"
    path.write_text(json.dumps(models), encoding="utf-8")
    return bare.start(worker_env={"PERSAI_CHECK_ANSWERS": "false",  # what is said is made up
                                  "PERSAI_MODELS": str(path), "TEST_KEY": "sk-x", "PERSAI_DEFAULT_MODEL": "",
                                  "LOG_LEVEL": "info",
                                  "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "PERSAI_MODEL_BACKOFF": "1ms"})


def test_thoughts_and_ids_go_back_as_each_server_wants_them(bare: Stack, tmp_path: Path, server: Server) -> None:
    """A model thinks and calls a tool; it gets its thoughts back, in the next turn too, after its worker was killed;
    the others get neither thoughts nor an id that their API refuses."""
    rows = [{"name": "thinker", "model": "thinker"}, {"name": "mistral", "model": "mistral-large"}]
    rows += [{"name": api, "model": "other", "api": api, "provider": provider,
              "base_url": server.url + ("/v1" if provider == "openai" else "")} for api, provider in APIS.items()]
    stack = start(bare, tmp_path, server, *rows)
    alice = stack.client()
    session = alice.session(model="thinker")
    log = alice.ask(session, "how busy?")
    assert log.final()["event_type"] == "turn_complete", log.final()
    calls = [p["delta"] for p in log.of("step_progress") if p["delta"]["type"] == "tool_call"]
    assert calls and all(c["call_id"] for c in calls), calls
    assert [c["arguments"] for m in alice.messages(session) for c in m.get("tool_calls") or []] == [{"search": "cpu"}]
    stack.worker.process.kill()
    stack.worker.start()
    assert alice.ask(session, "and now?").final()["event_type"] == "turn_complete"
    patterns = {"chat": r"[\w-]{1,40}", "responses": r"[\w-]{1,64}", "messages": r"[\w-]{1,64}", "mistral": r"[a-zA-Z0-9]{9}"}
    for name in (*APIS, "mistral"):
        assert alice.request("PATCH", f"/session/{session}", {"model": name}).status == 200
        before = len(server.bodies)
        assert alice.ask(session, f"and {name}?").final()["event_type"] == "turn_complete", name
        for _, body in server.bodies[before:]:
            text = json.dumps(body, ensure_ascii=False)
            assert THOUGHT not in text and "reasoning_content" not in text, name
            ids = re.findall(r'"(?:tool_call_id|call_id|tool_use_id)": "([^"]*)"', text)
            assert name == "generate" or (ids and all(re.fullmatch(patterns[name], i) for i in ids)), (name, ids)


def test_what_a_server_refuses_by_name_is_left_out_from_then_on(bare: Stack, tmp_path: Path, server: Server) -> None:
    stack = start(bare, tmp_path, server, {"name": "picky", "model": "picky", "options": {"temperature": 0.5}},
                  {"name": "told", "model": "told", "max_tokens_field": "max_completion_tokens"})
    alice = stack.client()
    assert alice.ask(alice.session(model="picky"), "how busy?").final()["event_type"] == "turn_complete"
    assert len(server.asked("picky")) == 5
    assert alice.ask(alice.session(model="picky"), "how busy?").final()["event_type"] == "turn_complete"
    assert len(server.asked("picky")) == 6 and server.asked("picky")[-1]["max_completion_tokens"] == 1234
    assert alice.ask(alice.session(model="told"), "how busy?").final()["event_type"] == "turn_complete"
    assert "max_tokens" not in server.asked("told")[0]


def test_what_comes_compressed_is_read_and_what_is_not_counted_is_estimated(bare: Stack, tmp_path: Path, server: Server) -> None:
    stack = start(bare, tmp_path, server, *({"name": n, "model": n} for n in ("zipped", "zipped-error", "uncounted")))
    alice = stack.client()
    assert alice.ask(alice.session(model="zipped"), "how busy?").final()["event_type"] == "turn_complete"
    assert all(r.header("Accept-Encoding") == "identity" for r in server.requests)
    final = alice.ask(alice.session(model="zipped-error"), "how busy?").final()
    assert final["code"] == "model_refused" and "so it is not" in final["message"]
    assert b"so it is not" not in stack.worker.process.log_bytes(), "a provider's words at info"
    usage = alice.ask(alice.session(model="uncounted"), "how busy?").final()["turn"]["usage"]
    assert usage["input_tokens"] > 500 and usage["output_tokens"] > 2
