"""A worker is killed in the middle of a tool loop: the one that goes on hands back what the server needs of its thoughts,
in requests as the official SDKs write them."""

import json
import re
import threading
from pathlib import Path

import pytest

from fakes.providers import KEY, PATHS, STREAMS, Providers, check_generate
from fakes.server import Exchange, Fake, Request
from harness.stack import Stack
from harness.wait import until
from harness.vendor_types import check_types

PROVIDER = {"chat": "openai", "responses": "openai", "messages": "anthropic", "generate": "google"}
# Of each API: a stream that thinks and calls a tool, where the request has the conversation, what must go back.
THINKS = {"chat": ("thinks", "messages", '"reasoning_content": "Let me look."'),
          "responses": ("tools", "input", '"encrypted_content"'), "messages": ("thinking", "messages", '"signature"'),
          "generate": ("tools", "contents", '"thoughtSignature"')}


class Held(Providers):
    """The request with the tool's results is not answered until `opened`; then it is."""

    def __init__(self) -> None:
        self.bodies: list[dict] = []
        self.opened = threading.Event()
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        body = json.loads(request.body)
        _, answered = PATHS.get(request.path, ("generate", check_generate))[1](request, body)
        with self.lock:
            self.bodies.append(body)
        if answered and not self.opened.is_set():
            exchange.hang(self.opened)
            exchange.close_connection = True
        elif body.get("model") == "thinks" and not answered:
            call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "list_metrics", "arguments": "{}"}}
            exchange.start_stream("text/event-stream")
            for delta, finish in (({"reasoning_content": "Let me "}, None), ({"reasoning_content": "look."}, None),
                                  ({"tool_calls": [call]}, None), ({}, "tool_calls")):
                choice = {"index": 0, "delta": delta, "finish_reason": finish}
                exchange.send(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
            exchange.send(b"data: [DONE]\n\n")
            exchange.end_stream()
        else:
            super().answer(exchange, request)


@pytest.mark.parametrize("api", THINKS)
def test_thoughts_survive_the_worker_that_had_them(bare: Stack, tmp_path: Path, api: str) -> None:
    name, field, needed = THINKS[api]
    assert name == "thinks" or (STREAMS / api / f"{name}.sse").exists()
    with Held() as held:
        path = tmp_path / "models.json"
        path.write_text(json.dumps([{"name": "m", "provider": PROVIDER[api], "model": name, "api": api, "key_env": "TEST_KEY",
                                     "base_url": held.base_url(api)}]), encoding="utf-8")
        stack = bare.start(workers=2, worker_env={
            "PERSAI_CHECK_ANSWERS": "false", "PERSAI_LOOK_UP": "false",  # what is said is made up; values change
            "PERSAI_MODELS": str(path), "TEST_KEY": KEY, "PERSAI_DEFAULT_MODEL": "", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""})
        alice = stack.client()
        session = alice.session(model="m")
        turn = alice.start(session, "how busy?")
        until(lambda: len(held.bodies) == 2, "the results to be handed in")
        stack.working().process.kill()
        until(lambda: len(held.bodies) == 3, "another worker to hand them in", 40)
        held.opened.set()
        assert alice.follow(session, turn).final()["event_type"] == "turn_complete"
        # The time stands beside the question.
        said = [[m for m in held.bodies[n][field] if m.get("role") != "system"] for n in (1, 2)]
        first, second = (re.sub(r"Now it is .*?UTC", "", json.dumps(messages)) for messages in said)
        assert needed in second and second == first
        assert not held.refused and not held.errors, (held.refused, held.errors)
        for body in held.bodies:
            check_types(api, body)


# Of a server of Chat Completions: what a delta has of its thoughts, which is what the message has later.
FIELDS = {
    "vllm": {"reasoning": "Hm."},
    "openrouter": {"reasoning": "Hm.", "reasoning_details": [
        {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0}]},
    "copilot": {"reasoning_text": "Hm.", "reasoning_opaque": "b3BhcXVl"},
}
# Of each call: Gemini's signatures, as Google's own server and LiteLLM have them.
OF_CALLS = {
    "google": {"extra_content": {"google": {"thought_signature": "c2ln"}}},
    "litellm": {"provider_specific_fields": {"thought_signature": "c2ln"}},
}


class Thinkers(Fake):
    def __init__(self) -> None:
        self.bodies: list[dict] = []
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        body = json.loads(request.body)
        with self.lock:
            self.bodies.append(body)
        call = {"index": 0, "id": "c1", "function": {"name": "list_metrics", "arguments": "{}"},
                **OF_CALLS.get(body["model"], {})}
        deltas = [({"content": "Fine."}, "stop")]
        if body["messages"][-1]["role"] == "user":
            deltas = [(FIELDS.get(body["model"], {}), None), ({"tool_calls": [call]}, "tool_calls")]
        exchange.start_stream("text/event-stream")
        for delta, finish in deltas:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            exchange.send(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        exchange.send(b"data: [DONE]\n\n")
        exchange.end_stream()


def test_thoughts_go_back_in_the_fields_they_came_in(bare: Stack, tmp_path: Path) -> None:
    with Thinkers() as server:
        rows = [{"name": name, "provider": "openai", "model": name, "key_env": "TEST_KEY", "base_url": f"{server.url}/v1"}
                for name in (*FIELDS, *OF_CALLS, "another")]
        path = tmp_path / "models.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        bare.start(worker_env={"PERSAI_CHECK_ANSWERS": "false",  # what is said is made up
                               "PERSAI_MODELS": str(path), "TEST_KEY": KEY, "PERSAI_DEFAULT_MODEL": "", "OPENAI_API_KEY": "",
                               "OPENAI_BASE_URL": ""})
        alice = bare.client()
        for name, thoughts in (FIELDS | OF_CALLS).items():
            session = alice.session(model=name)
            for question in ("how busy?", "and now?"):
                assert alice.ask(session, question).final()["event_type"] == "turn_complete"
                called = [m for m in server.bodies[-1]["messages"] if m.get("tool_calls")]
                called = [m["tool_calls"][0] for m in called] if name in OF_CALLS else called
                assert called and all({k: m.get(k) for k in thoughts} == thoughts for m in called), (name, called)
            assert alice.ask(session, "and you?", model="another").final()["event_type"] == "turn_complete"
            told = json.dumps(server.bodies[-1]["messages"])
            assert not any(f'"{k}"' in told for k in thoughts), "another's are not its to read"
        assert not server.errors, server.errors


class Unsigned(Fake):
    """DeepSeek's Messages: its thoughts have no signature, and are wanted back all the same with the calls that they led to."""

    def __init__(self, has_end: bool) -> None:
        self.has_end, self.refused, self.bodies = has_end, 0, []
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        body = json.loads(request.body)
        called = [m["content"] for m in body["messages"] if m["role"] == "assistant"
                  and any(part["type"] == "tool_use" for part in m["content"])]
        thinks = body.get("thinking", {}).get("type") != "disabled"
        if thinks and not all(part[0] == {"type": "thinking", "thinking": "Hm."} for part in called):
            self.refused += 1
            words = "The `content[].thinking` in the thinking mode must be passed back to the API."
            exchange.reply(400, json.dumps({"error": {"message": words, "type": "invalid_request_error"}}).encode(),
                           "application/json")
            return
        with self.lock:
            self.bodies.append(body)
        asks = any(part["type"] == "text" for part in body["messages"][-1]["content"])
        call = {"type": "tool_use", "id": "c1", "name": "list_metrics", "input": {}}
        block = call if asks else {"type": "text", "text": "Fine."}
        ends = [{"type": "content_block_stop", "index": 0}] if self.has_end else []
        exchange.start_stream("text/event-stream")
        for event in ({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
                      {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}}, *ends,
                      {"type": "content_block_start", "index": 1, "content_block": block},
                      {"type": "message_delta", "delta": {"stop_reason": "tool_use" if asks else "end_turn"}},
                      {"type": "message_stop"}):
            exchange.send(b"data: " + json.dumps(event).encode() + b"\n\n")
        exchange.end_stream()


@pytest.mark.parametrize("has_end", [True, False])
def test_thoughts_without_a_signature_go_back(bare: Stack, tmp_path: Path, has_end: bool) -> None:
    with Unsigned(has_end) as server, Thinkers() as other:
        rows = [{"name": "m", "provider": "anthropic", "model": "deepseek", "key_env": "TEST_KEY", "base_url": server.url},
                {"name": "other", "provider": "openai", "model": "vllm", "key_env": "TEST_KEY", "base_url": f"{other.url}/v1"}]
        path = tmp_path / "models.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        bare.start(worker_env={"PERSAI_CHECK_ANSWERS": "false", "PERSAI_LOOK_UP": "false", "PERSAI_MODELS": str(path),
                               "TEST_KEY": KEY, "PERSAI_DEFAULT_MODEL": "", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""})
        alice = bare.client()
        session = alice.session(model="m")
        for question in ("how busy?", "and now?"):
            assert alice.ask(session, question).answer() == "Fine."
        assert not server.refused and len(server.bodies) == 4
        assert alice.ask(session, "and you?", model="other").answer() == "Fine."
        assert alice.ask(session, "again?").answer() == "Fine.", "what another model called has no thoughts of this one"
        assert not server.errors and not other.errors


THOUGHTS = "Hm. \"busy\"?"


def parts(text: str) -> list[dict]:
    """As https://docs.mistral.ai/studio-api/conversations/reasoning has a message."""
    answer = [{"type": "text", "text": text}] if text else []
    return [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHTS}]}, *answer]


class Mistral(Fake):
    """Thinks before each message, in parts; knows nothing of a message that is not in its schema. plain: it takes no parts."""

    def __init__(self, plain: bool) -> None:
        self.plain, self.refused, self.bodies = plain, 0, []
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        body = json.loads(request.body)
        messages = [m for m in body["messages"] if m["role"] == "assistant"]
        known = all(set(m) <= {"role", "content", "tool_calls"} for m in messages)
        if not known or (self.plain and any(isinstance(m["content"], list) for m in messages)):
            self.refused += 1
            words = {"detail": [{"type": "extra_forbidden", "loc": ["body", "messages", 2, "assistant", "content", 0, "thinking"],
                                 "msg": "Extra inputs are not permitted"}]}
            exchange.reply(422, json.dumps({"object": "error", "message": words}).encode(), "application/json")
            return
        with self.lock:
            self.bodies.append(body)
        asks = body["messages"][-1]["role"] == "user" and "busy" in body["messages"][-1]["content"]
        call = {"id": "aB3dE5gH7", "function": {"name": "list_metrics", "arguments": "{}"}, "index": 0}
        think = [{"type": "thinking", "thinking": [{"type": "text", "text": piece}]} for piece in (THOUGHTS[:5], THOUGHTS[5:])]
        deltas = [({"content": [think[0]]}, None)]
        if asks:
            deltas += [({"content": [think[1]]}, None), ({"content": "", "tool_calls": [call]}, "tool_calls")]
        else:
            deltas += [({"content": [think[1], {"type": "text", "text": "All is "}]}, None), ({"content": "fine."}, "stop")]
        exchange.start_stream("text/event-stream")
        for delta, finish in deltas:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            exchange.send(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        exchange.send(b"data: [DONE]\n\n")
        exchange.end_stream()


@pytest.mark.parametrize("plain", [False, True])
def test_mistral_gets_its_messages_back_whole(bare: Stack, tmp_path: Path, plain: bool) -> None:
    """With every message, turns without tools included; one that takes no thoughts refuses them once."""
    with Mistral(plain) as server:
        row = {"name": "m", "provider": "openai", "model": "mistral-medium-3-5", "key_env": "TEST_KEY",
               "base_url": f"{server.url}/v1"}
        path = tmp_path / "models.json"
        path.write_text(json.dumps([row]), encoding="utf-8")
        bare.start(worker_env={"PERSAI_CHECK_ANSWERS": "false",  # what is said is made up
                               "PERSAI_MODELS": str(path), "TEST_KEY": KEY, "PERSAI_DEFAULT_MODEL": "m", "OPENAI_API_KEY": "",
                               "OPENAI_BASE_URL": ""})
        alice = bare.client()
        session = alice.session()
        for question in ("how busy?", "thanks", "well?"):
            assert alice.ask(session, question).final()["event_type"] == "turn_complete"
        sent = [m for m in server.bodies[-1]["messages"] if m["role"] == "assistant"]
        assert [bool(m.get("tool_calls")) for m in sent] == [True, False, False]
        texts = ["", "All is fine.", "All is fine."]
        assert [m["content"] for m in sent] == ([text or None for text in texts] if plain else [parts(text) for text in texts])
        assert server.refused == int(plain) and not server.errors, (server.refused, server.errors)
