"""A test server of each provider's API, which streams what tests/fakes/streams holds.

The model asked for is the stream's name: model `tools` of the Messages API gets streams/messages/tools.sse.
Once a conversation's last question has tool results, the answer is the stream `text`. NAME.json says what
the stream means. Requests are held to what the providers document and refuse to do without; the official
SDKs read the same streams (tests/e2e/test_providers.py), so a wrong shape shows.
"""

import json
import re
from pathlib import Path

from fakes.server import Exchange, Fake, Request

STREAMS = Path(__file__).with_name("streams")
KEY = "sk-provider-canary-51c3"


def names(api: str) -> list[str]:
    return sorted(p.stem for p in (STREAMS / api).glob("*.sse"))


def meaning(api: str, name: str) -> dict:
    return json.loads((STREAMS / api / f"{name}.json").read_text(encoding="utf-8"))


class Refused(Exception):
    """The request is not as the API wants it."""


def want(condition: object, why: str) -> None:
    if not condition:
        raise Refused(why)


def check_chat(request: Request, body: dict) -> tuple[str, bool]:
    want(request.header("Authorization") == f"Bearer {KEY}", "key")
    roles = [m["role"] for m in body["messages"]]
    asked: list[str] = []
    for message in body["messages"]:
        if message["role"] == "tool":
            want(message["tool_call_id"] in asked, "a tool message without its call")
            asked.remove(message["tool_call_id"])
        else:
            want(not asked, "calls without results")
            asked = [c["id"] for c in message.get("tool_calls") or []]
    return body["model"], roles[-1] == "tool"


def check_responses(request: Request, body: dict) -> tuple[str, bool]:
    want(request.header("Authorization") == f"Bearer {KEY}", "key")
    want(body.get("store") is False or "store" not in body, "store")
    items = body["input"] if isinstance(body["input"], list) else []
    calls = [i["call_id"] for i in items if i.get("type") == "function_call"]
    results = [i["call_id"] for i in items if i.get("type") == "function_call_output"]
    want(calls == results, "calls and outputs differ")
    for item in items:
        if item.get("type") == "reasoning":
            want(item in meaning("responses", "tools")["state"], "a reasoning item that was never given")
    return body["model"], bool(items) and items[-1].get("type") == "function_call_output"


def check_messages(request: Request, body: dict) -> tuple[str, bool]:
    want(KEY in (request.header("x-api-key"), request.header("Authorization").removeprefix("Bearer ")), "key")
    want(request.header("anthropic-version") == "2026-10-21", "anthropic-version")
    want(not {"temperature", "top_p", "top_k"} & body.keys(), "sampling parameters are removed")
    want(isinstance(body.get("max_tokens"), int), "max_tokens: Field required")
    want(json.dumps(body).count('"cache_control"') <= 4, "more than 4 cache breakpoints")
    blocks = [[m["role"], m["content"] if isinstance(m["content"], list) else [{"type": "text", "text": m["content"]}]]
              for m in body["messages"]]
    for (role, content), (after, results) in zip(blocks, blocks[1:] + [["", []]]):
        want(content and role != after, "roles must alternate, contents must not be empty")
        want(all(b["type"] != "text" or b["text"].strip() for b in content), "text content blocks must be non-empty")
        uses = [b["id"] for b in content if b["type"] == "tool_use"]
        given = [b["tool_use_id"] for b in results if b["type"] == "tool_result"]
        want(role != "assistant" or uses == given, "tool_use ids were found without tool_result blocks")
        for block in content:
            if "thinking" in block["type"]:
                want(block in meaning("messages", "thinking")["state"], "thinking blocks cannot be modified")
    return body["model"], blocks[-1][1][0]["type"] == "tool_result"


def check_generate(request: Request, body: dict) -> tuple[str, bool]:
    want(request.header("x-goog-api-key") == KEY, "key")
    found = re.fullmatch(r"/v1(?:beta)?/models/([^/:]+):streamGenerateContent", request.path)
    want(found and request.param("alt") == "sse", "path")
    contents = body["contents"]
    for content, after in zip(contents, contents[1:] + [{"parts": []}]):
        calls = [p["functionCall"]["name"] for p in content["parts"] if "functionCall" in p]
        results = [p["functionResponse"]["name"] for p in after["parts"] if "functionResponse" in p]
        want(calls == results, "the number of function response parts is not that of the function call parts")
        for part in content["parts"]:
            if "thoughtSignature" in part:
                want(part["thoughtSignature"] in json.dumps(meaning("generate", "tools")), "thought signature is not valid")
    return found[1] if found else "", "functionResponse" in contents[-1]["parts"][0]


PATHS = {"/v1/chat/completions": ("chat", check_chat), "/v1/responses": ("responses", check_responses),
         "/v1/messages": ("messages", check_messages)}


class Providers(Fake):
    """All of the APIs on one port."""

    def __init__(self, *args: object, **kw: object) -> None:
        self.refused: list[str] = []
        super().__init__(*args, **kw)  # type: ignore[arg-type]

    def base_url(self, api: str) -> str:
        """As each provider's SDK wants it."""
        return self.url + ("/v1" if api in ("chat", "responses") else "")

    def answer(self, exchange: Exchange, request: Request) -> None:
        api, check = PATHS.get(request.path, ("generate", check_generate))
        try:
            name, answered = check(request, json.loads(request.body))
        except Refused as why:
            self.refused.append(f"{api}: {why}")
            exchange.reply(400, json.dumps({"error": {"message": str(why), "type": "invalid_request_error"}}).encode())
            return
        path = STREAMS / api / ("text.sse" if answered else f"{name}.sse")
        if not path.exists():
            exchange.reply(404, b'{"error":{"message":"no such model","type":"not_found_error"}}')
            return
        exchange.start_stream("text/event-stream")
        exchange.send(path.read_bytes())
        exchange.end_stream()
