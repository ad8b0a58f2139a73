"""The demo model as a server: the wire format that a client of OpenAI's API expects."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from agent import TOOLS
from harness.wait import free_port

SERVER = pathlib.Path(__file__).resolve().parents[2] / "compose" / "demo-model" / "server.py"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    port = free_port()
    process = subprocess.Popen([sys.executable, str(SERVER), str(port)], stderr=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}"
        give_up = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(base + "/health").close()
                break
            except OSError:
                assert time.monotonic() < give_up, "the server does not come up"
                time.sleep(0.05)
        yield base
    finally:
        process.terminate()
        process.wait(10)


def post(url: str, body: bytes | dict[str, Any]) -> tuple[int, bytes]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url + "/v1/chat/completions", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read()


def request(**more: Any) -> dict[str, Any]:
    return {"model": "demo", "messages": [{"role": "user", "content": "How busy is the CPU?"}], **more}


def chunks(body: bytes) -> list[dict[str, Any]]:
    lines = [line for line in body.decode().split("\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def test_a_stream_of_a_tool_call(url: str) -> None:
    status, body = post(url, request(tools=TOOLS, stream=True, stream_options={"include_usage": True}))
    assert status == 200
    received = chunks(body)
    assert received[0]["choices"][0]["delta"]["role"] == "assistant"
    assert all(c["object"] == "chat.completion.chunk" and c["id"] == received[0]["id"] for c in received)
    calls = [t for c in received for ch in c["choices"] for t in ch["delta"].get("tool_calls", [])]
    assert calls[0]["id"]
    assert calls[0]["function"]["name"] == "list_metrics"
    assert json.loads("".join(t["function"]["arguments"] for t in calls)) == {}
    assert received[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert received[-1]["choices"] == []
    usage = received[-1]["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


def test_no_usage_unless_it_is_asked_for(url: str) -> None:
    _, body = post(url, request(tools=TOOLS, stream=True))
    assert all("usage" not in c for c in chunks(body))


def test_a_whole_answer(url: str) -> None:
    status, body = post(url, request())
    answer = json.loads(body)
    assert status == 200
    assert "demo model" in answer["choices"][0]["message"]["content"].lower()
    assert answer["choices"][0]["finish_reason"] == "stop"


def test_it_lists_its_model(url: str) -> None:
    with urllib.request.urlopen(url + "/v1/models") as answer:
        assert [m["id"] for m in json.load(answer)["data"]] == ["demo"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[" * 100_000, 400),
        (b"\xff\xfe", 400),
        ({"model": "demo"}, 400),
        ({"model": "demo", "messages": []}, 400),
        ({"model": "demo", "messages": "hello"}, 400),
        ({"model": "other", "messages": [{"role": "user", "content": "x"}]}, 404),
    ],
)
def test_bad_requests_are_refused(url: str, body: Any, status: int) -> None:
    got, text = post(url, body)
    assert got == status
    assert json.loads(text)["error"]["message"]


@pytest.mark.parametrize(
    "messages",
    [
        [1, None, "x"],
        [{"role": "user"}],
        [{"role": "user", "content": None}, {"role": "assistant", "tool_calls": [{}]}],
        [{"role": "user", "content": [{"type": "text", "text": "How busy is the CPU?"}]}],
        [{"role": "tool", "tool_call_id": "none", "content": "{}"}, {"role": "user", "content": "cpu?"}],
        [{"role": "user", "content": "cpu? " * 20_000}],
    ],
)
def test_odd_messages_are_answered(url: str, messages: Any) -> None:
    for tools in ([], TOOLS, [{"type": "function"}, None, {"function": {"name": "list_metrics", "parameters": 3}}]):
        status, _ = post(url, {"model": "demo", "messages": messages, "tools": tools})
        assert status == 200
