"""Each provider's API: what its own SDK makes of the test servers' streams, and what our worker does."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import anthropic
import openai
import pytest
from google import genai
from google.genai import types
from openai.types import chat, responses
from openai.types.chat import chat_completion_chunk as chunks
from pydantic import TypeAdapter

from fakes.providers import KEY, Providers, meaning, names
from fakes.providers import STREAMS as FOLDER
from harness.stack import Stack

APIS = ("chat", "responses", "messages", "generate")
PROVIDER = {"chat": "openai", "responses": "openai", "messages": "anthropic", "generate": "google"}
STREAMS = [(api, name) for api in APIS for name in names(api)]
STOPS = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
         "STOP": "stop", "MAX_TOKENS": "length"}


@pytest.fixture
def providers() -> Iterator[Providers]:
    with Providers() as fake:
        yield fake
        assert not fake.refused, fake.refused
        assert not fake.errors, fake.errors


# ---- the official SDKs read the test servers' streams; each returns what NAME.json holds ----


def read_chat(url: str, name: str) -> dict:
    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
    stream = client.chat.completions.create(model=name, messages=[{"role": "user", "content": "hi"}], stream=True,
                                            stream_options={"include_usage": True})
    text, stop, calls, usage = "", "", {}, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += (choice.delta.content or "") + (choice.delta.refusal or "")
            stop = choice.finish_reason or stop
            for part in choice.delta.tool_calls or []:
                call = calls.setdefault(part.index, {"id": part.id, "name": part.function.name, "arguments": ""})
                call["arguments"] += part.function.arguments or ""
    if not stop or (stop == "content_filter" and not text):
        return {"error": stop or "cut"}
    return {"text": text, "reasoning": "", "stop": stop, "input": usage.prompt_tokens,
            "output": usage.completion_tokens, "cached": usage.prompt_tokens_details.cached_tokens,
            "calls": [{**c, "arguments": json.loads(c["arguments"])} for c in calls.values()]}


def read_responses(url: str, name: str) -> dict:
    client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
    last, text, thoughts = None, "", []
    for event in client.responses.create(model=name, input="hi", stream=True):
        if event.type in ("response.output_text.delta", "response.refusal.delta"):
            text += event.delta
        elif event.type == "response.reasoning_summary_part.added":
            thoughts.append("")
        elif event.type == "response.reasoning_summary_text.delta":
            thoughts[-1] += event.delta
        elif event.type == "response.reasoning_text.delta":
            thoughts = [*thoughts, event.delta]
        elif event.type == "error":
            return {"error": event.code}
        last = event
    if last.type not in ("response.completed", "response.incomplete"):
        return {"error": last.type}
    whole = last.response
    why = whole.incomplete_details.reason if whole.incomplete_details else ""
    if why == "content_filter":
        return {"error": why}
    calls = [{"id": i.call_id, "name": i.name, "arguments": json.loads(i.arguments)}
             for i in whole.output if i.type == "function_call"]
    assert whole.output_text in ("", text)
    return {"text": text, "reasoning": "\n\n".join(thoughts), "calls": calls,
            "stop": "length" if why else "tool_calls" if calls else "stop", "input": whole.usage.input_tokens,
            "output": whole.usage.output_tokens, "cached": whole.usage.input_tokens_details.cached_tokens}


def read_messages(url: str, name: str) -> dict:
    client = anthropic.Anthropic(base_url=url, api_key=KEY, max_retries=0)
    with client.messages.stream(model=name, max_tokens=99, messages=[{"role": "user", "content": "hi"}]) as stream:
        whole = stream.get_final_message()
    if not whole.stop_reason or whole.stop_reason == "refusal":
        return {"error": whole.stop_reason or "cut"}
    usage, blocks = whole.usage, whole.content
    return {"text": "".join(b.text for b in blocks if b.type == "text"),
            "reasoning": "".join(b.thinking for b in blocks if b.type == "thinking"),
            "calls": [{"id": b.id, "name": b.name, "arguments": b.input} for b in blocks if b.type == "tool_use"],
            "stop": STOPS[whole.stop_reason], "output": usage.output_tokens, "cached": usage.cache_read_input_tokens,
            "input": usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens}


def read_generate(url: str, name: str) -> dict:
    client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=url))
    parts, finish, usage = [], None, None
    for chunk in client.models.generate_content_stream(model=name, contents="hi"):
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            return {"error": chunk.prompt_feedback.block_reason.value}
        candidate = chunk.candidates[0]
        parts += (candidate.content.parts or []) if candidate.content else []
        finish, usage = candidate.finish_reason or finish, chunk.usage_metadata or usage
    if finish is None or finish.value not in STOPS:
        return {"error": str(finish)}
    calls = [{"id": p.function_call.id or "", "name": p.function_call.name, "arguments": p.function_call.args}
             for p in parts if p.function_call]
    return {"text": "".join(p.text or "" for p in parts if not p.thought),
            "reasoning": "".join(p.text or "" for p in parts if p.thought), "calls": calls,
            "stop": "tool_calls" if calls else STOPS[finish.value],
            "input": usage.prompt_token_count + (usage.tool_use_prompt_token_count or 0),
            "output": (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
            "cached": usage.cached_content_token_count or 0}


READERS: dict[str, Callable[[str, str], dict]] = {
    "chat": read_chat, "responses": read_responses, "messages": read_messages, "generate": read_generate}


@pytest.mark.parametrize(("api", "name"), STREAMS)
def test_the_providers_own_sdk_reads_the_same(providers: Providers, api: str, name: str) -> None:
    want = {k: v for k, v in meaning(api, name).items() if k != "state"}  # SDKs leave that to their callers
    try:
        got = READERS[api](providers.base_url(api), name)
    except (openai.APIError, anthropic.APIError, genai.errors.APIError, json.JSONDecodeError, AssertionError) as error:
        got = {"error": repr(error)}
    assert ("error" in got) == ("error" in want), got
    assert "error" in want or got == want


# ---- the streams hold all that the SDKs know of, in the shapes that they know ----

EVENTS: dict[str, TypeAdapter] = {
    "chat": TypeAdapter(chat.ChatCompletionChunk), "responses": TypeAdapter(responses.ResponseStreamEvent),
    "messages": TypeAdapter(anthropic.types.RawMessageStreamEvent), "generate": TypeAdapter(types.GenerateContentResponse)}
OF_UPLOADS = {"audioTranscription", "mediaProcessing", "speechMetadata", "documentMetadata", "spreadsheetMetadata",
              "audioMetadata"}  # what was made of a file that was sent: we send none
UNTYPED = ("error", "ping")  # documented, but no types of the SDKs


def events(api: str) -> list[dict]:
    lines = [line for name in names(api) for line in (FOLDER / api / f"{name}.sse").read_text(encoding="utf-8").split("\n")]
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ") and line != "data: [DONE]"]


def members(union: object) -> list[type]:
    """The models of a union of unions."""
    args = [a for a in get_args(union) if isinstance(a, type) or get_args(a)]
    return [m for a in args for m in members(a)] if args else [union]  # type: ignore[list-item]


def literals(annotation: object) -> set[str]:
    """The words of an optional Literal."""
    return {word for a in get_args(annotation) for word in get_args(a)}


def kinds(union: object) -> set[str]:
    """The words in "type" by which a union's models are told apart."""
    return {get_args(m.model_fields["type"].annotation)[0] for m in members(union)}  # type: ignore[attr-defined]


@pytest.mark.parametrize("api", APIS)
def test_each_event_has_the_shape_that_the_sdk_knows(api: str) -> None:
    for event in events(api):
        if event.get("type") not in UNTYPED and "error" not in event:
            EVENTS[api].validate_python(event)


def test_no_event_type_of_the_sdks_is_missing() -> None:
    assert kinds(responses.ResponseStreamEvent) <= {e["type"] for e in events("responses")}
    ours = events("messages")
    assert kinds(anthropic.types.RawMessageStreamEvent) | set(UNTYPED) <= {e["type"] for e in ours}
    assert kinds(anthropic.types.RawContentBlockDelta) <= {e["delta"]["type"] for e in ours if e["type"] == "content_block_delta"}
    assert kinds(anthropic.types.ContentBlock) <= {e["content_block"]["type"] for e in ours if "content_block" in e}
    fields = {f for e in events("chat") for c in e.get("choices", []) for f in c["delta"]}
    assert set(chunks.ChoiceDelta.model_fields) - {"function_call"} <= fields, "function_call: what tool_calls replaced"
    candidates = [c for e in events("generate") for c in e.get("candidates", [])]
    assert {f.alias for f in types.Candidate.model_fields.values()} - {"continuationToken"} <= {f for c in candidates for f in c}
    parts = {f for c in candidates for p in c.get("content", {}).get("parts", []) for f in p}
    assert {f.alias for f in types.Part.model_fields.values()} - parts == OF_UPLOADS


def test_no_reason_to_stop_of_the_sdks_is_missing() -> None:
    known = {api: set(v["stops"]) for api, v in json.loads((FOLDER / "stops.json").read_text(encoding="utf-8")).items()}
    assert known["messages"] == set(get_args(anthropic.types.StopReason))
    assert known["generate"] == {r.value for r in types.FinishReason}
    assert known["chat"] >= literals(chunks.Choice.model_fields["finish_reason"].annotation), "and those of other servers"
    assert known["responses"] == literals(responses.response.IncompleteDetails.model_fields["reason"].annotation)


# ---- our worker reads them, and answers with what the next request must hold ----


def write_models(folder: Path, providers: Providers) -> Path:
    models = [{"name": f"{api}-{name}", "provider": PROVIDER[api], "model": name, "api": api, "key_env": "TEST_KEY",
               "base_url": providers.base_url(api)} for api, name in STREAMS]
    path = folder / "models.json"
    path.write_text(json.dumps(models), encoding="utf-8")
    return path


def start(bare: Stack, models: Path) -> Stack:
    # What these streams say is made up: it is not held against data.
    return bare.start(worker_env={"PERSAI_CHECK_ANSWERS": "false",
                                  "PERSAI_MODELS": str(models), "TEST_KEY": KEY, "PERSAI_DEFAULT_MODEL": "",
                                  "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "PERSAI_MODEL_BACKOFF": "1ms",
                                  "PERSAI_MODEL_TRIES": "2", "PERSAI_STEP_ATTEMPTS": "2"})


def test_our_worker_reads_the_same_and_goes_on_with_tools(bare: Stack, tmp_path: Path) -> None:
    with Providers() as providers:
        stack = start(bare, write_models(tmp_path, providers))
        alice = stack.client()
        for api, name in STREAMS:
            want = meaning(api, name)
            made = alice.post("/session", {"model": f"{api}-{name}"})
            assert made.status == 201
            session = made.json()["session_id"]
            final = alice.ask(session, "how busy?").final()
            where = f"{api} {name}: {final}"
            if "error" in want:
                assert final["event_type"] == "error" and final["code"] == want["error"], where
                continue
            assert final["event_type"] == "turn_complete", where
            last = meaning(api, "text") if want["calls"] else want
            message = final["turn"]["output_message"]
            assert (message["content"], message["stop_reason"]) == (last["text"], last["stop"]), where
            used = [want, last] if want["calls"] else [want]
            assert final["turn"]["usage"]["input_tokens"] == sum(u["input"] for u in used), where
            assert final["turn"]["usage"]["cached_input_tokens"] == sum(u["cached"] for u in used), where
            assert final["turn"]["usage"]["output_tokens"] == sum(u["output"] for u in used), where
            messages = alice.get(f"/session/{session}").json()["messages"]
            calls = [c for m in messages for c in m.get("tool_calls") or []]
            assert [(c["tool_name"], c["arguments"]) for c in calls] == \
                [(c["name"], c["arguments"]) for c in want["calls"]], where
        assert not providers.refused, providers.refused
        assert not providers.errors, providers.errors
