"""A model that is down, slow, breaks off or talks nonsense: a retry, or a clear error event; never silence."""

import json

import pytest

from fakes.model import Attempts, Call, Cut, Finish, Gate, Hang, Raw, Status
from harness.stack import Stack
from harness.wait import until

OK = ["Fine ", "now."]


def chunk(**delta: object) -> Raw:
    return Raw(b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n")


def ask(stack: Stack, *reply: object) -> dict:
    stack.model.when("question", *reply)
    alice = stack.client()
    session = alice.session()
    log = alice.turn(session, "the question").finish(120)
    stack.model.when("next one", OK)
    assert alice.ask(session, "next one").answer() == "Fine now."  # the session is free, the worker well
    return log.final()


RETRIED = {
    "503": [Status(503)], "500": [Status(500)], "502 with a page": [Status(502, b"<html>Bad Gateway</html>", "text/html")],
    "429 with Retry-After": [Status(429, headers={"Retry-After": "1"})],
    "cut before the first token": [Cut()], "cut in the middle": ["Some ", "te", Cut()],
}


@pytest.mark.parametrize("how", RETRIED)
def test_what_passes_is_tried_again(stack: Stack, how: str) -> None:
    final = ask(stack, Attempts(RETRIED[how], OK))
    assert final["event_type"] == "turn_complete", final
    assert final["turn"]["output_message"]["content"] == "Fine now."


REFUSED = {
    "401": [Status(401, b'{"error":{"message":"Incorrect API key provided: sk-model-canary"}}')],
    "403": [Status(403)], "404": [Status(404, b'{"error":{"message":"The model `x` does not exist"}}')],
    "400": [Status(400, b'{"error":{"message":"bad request, says the provider"}}')],
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_will_not_pass_is_an_error_at_once(stack: Stack, how: str) -> None:
    final = ask(stack, REFUSED[how])
    assert final["event_type"] == "error" and final["code"] in ("model_refused", "model_unknown"), final
    assert len(stack.model.chats("the question")) == 1
    assert "sk-model-canary" not in json.dumps(final)


@pytest.mark.parametrize("level", ["info", "debug"])
def test_what_a_provider_says_of_an_error_is_logged_for_debugging_alone(bare: Stack, level: str) -> None:
    """It repeats the question now and then. The person is told."""
    stack = bare.start(worker_env={"LOG_LEVEL": level}, gateway_env={"LOG_LEVEL": level})
    for status, words in ((400, "no such thing as a hush-canary"), (503, "overloaded by hush-canary")):
        final = ask(stack, [Status(status, json.dumps({"error": {"message": words}}).encode())])
        assert final["event_type"] == "error", final
    logs = b"".join(p.log_bytes() for p in stack.processes())
    assert b"llm.failed" in logs and (b"hush-canary" in logs) == (level == "debug")


def test_a_conversation_that_is_too_long_for_the_model(stack: Stack) -> None:
    body = {"error": {"message": "This model's maximum context length is 8 tokens", "code": "context_length_exceeded"}}
    final = ask(stack, [Status(400, json.dumps(body).encode())])
    assert final["event_type"] == "error" and final["code"] == "context_too_long", final


def test_a_model_that_is_down(stack: Stack) -> None:
    stack.model.stop()
    alice = stack.client()
    session = alice.session()
    final = alice.turn(session, "anybody there").finish(120).final()
    assert final["event_type"] == "error" and final["code"] == "model_unavailable", final
    stack.model.start()

    def answers() -> bool:
        return alice.ask(session, "and now").final()["event_type"] == "turn_complete"

    until(answers, "the model to be believed again", 60)


def test_a_model_that_stays_ill(stack: Stack) -> None:
    final = ask(stack, [Status(503)])
    assert final["event_type"] == "error" and final["code"] == "model_unavailable", final
    assert 2 <= len(stack.model.chats("the question")) <= 10


NONSENSE = {
    "html with 200": [Raw(b"<html><body>Welcome to the hotel's network</body></html>")],
    "binary": [Raw(b"\x00\xff\xfe" * 1000)],
    "bad JSON": [Raw(b"data: {\"choices\":[{\"delta\":\n\n")],
    "wrong types": [Raw(b'data: {"choices":"none"}\n\ndata: [1,2]\n\ndata: 7\n\ndata: "x"\n\ndata: null\n\n')],
    "bad UTF-8": [Raw(b'data: {"choices":[{"index":0,"delta":{"content":"\xff\xfe\xed\xa0\x80"}}]}\n\n')],
    "deep JSON": [Raw(b"data: " + b"[" * 200000 + b"\n\n")],
    "error in the stream": [Raw(b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n')],
    "tool call without a name": [chunk(tool_calls=[{"index": 0, "id": "a", "function": {"arguments": "{}"}}])],
    "tool call with a wild index": [chunk(tool_calls=[{"index": 2000000000, "id": "a", "function": {"name": "x"}}])],
    "negative index": [chunk(tool_calls=[{"index": -1, "id": "a", "function": {"name": "x", "arguments": "{}"}}])],
    "thousands of tool calls": [chunk(tool_calls=[{"index": i, "id": f"c{i}", "function": {
        "name": "list_metrics", "arguments": "{}"}} for i in range(3000)])],
    "unknown finish": ["text", Finish("because")],
    "nothing": [], "empty pieces": ["", "", ""],
    "end without [DONE]": ["text", Raw(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'), Cut()],
}


@pytest.mark.asan
@pytest.mark.parametrize("how", NONSENSE)
def test_nonsense_ends_in_an_answer_or_an_error(stack: Stack, how: str) -> None:
    final = ask(stack, Attempts(NONSENSE[how], NONSENSE[how], NONSENSE[how], NONSENSE[how], NONSENSE[how], OK))
    assert final["event_type"] in ("error", "turn_complete"), final
    if final["event_type"] == "error":
        assert final["code"].startswith("model_") and final["message"]


@pytest.mark.asan
def test_an_endless_line_is_cut_off(stack: Stack) -> None:
    """A provider that never ends its line: bounded memory, a clear error."""
    final = ask(stack, [Raw(b"data: " + b"a" * (1 << 20))] + [Raw(b"a" * (1 << 20))] * 60)
    assert final["event_type"] == "error" and final["code"] in ("model_broken", "output_limit", "model_unavailable"), final
    assert stack.worker.process.memory_bytes() < 400 << 20


@pytest.mark.asan
def test_an_endless_answer_is_cut_off(stack: Stack) -> None:
    final = ask(stack, ["x" * 10000] * 6000)
    assert final["event_type"] in ("error", "turn_complete")
    if final["event_type"] == "error":
        assert final["code"] == "output_limit", final
    assert stack.worker.process.memory_bytes() < 400 << 20


@pytest.mark.asan
def test_endless_arguments_are_cut_off(stack: Stack) -> None:
    final = ask(stack, [Call("list_metrics", "{\"a\":\"" + "x" * (30 << 20), split=1 << 18)], ["ok"])
    assert final["event_type"] in ("error", "turn_complete"), final
    assert stack.worker.process.memory_bytes() < 400 << 20


def test_a_hanging_model_is_given_up(bare: Stack) -> None:
    stack = bare.start(worker_env={"PERSAI_MODEL_IDLE": "2s", "PERSAI_MODEL_TIMEOUT": "2s"})
    final = ask(stack, ["a ", Hang()])
    assert final["event_type"] == "error" and final["code"] in ("model_timeout", "model_unavailable"), final


def test_a_length_stop_is_told(stack: Stack) -> None:
    final = ask(stack, ["An answer that is cut ", Finish("length")])
    assert final["event_type"] == "turn_complete"
    assert final["turn"]["output_message"]["stop_reason"] in ("length", "max_tokens", "out_of_tokens")


def test_missing_usage_is_no_error(stack: Stack) -> None:
    final = ask(stack, ["text", Finish("stop", usage=False)])
    assert final["turn"]["output_message"]["content"] == "text"
    assert set(final["turn"]["usage"]) == {"input_tokens", "output_tokens", "cached_input_tokens"}


def test_a_slow_model_holds_up_nobody(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("slow", ["a", gate])
    alice = stack.client()
    slow = alice.turn(alice.session(), "slow one")
    gate.wait()
    assert alice.ask(alice.session(), "quick one").answer()
    gate.open()
    slow.finish()


def test_an_unknown_model_is_refused(stack: Stack) -> None:
    alice = stack.client()
    made = alice.post("/session", {"model": "openai/not-configured"})
    if made.status == 201:
        final = alice.ask(made.json()["session_id"], "hello").final()
        assert final["event_type"] == "turn_complete" or final["code"] in ("model_unknown", "model_refused"), final
    else:
        assert made.status == 422
    made = alice.post("/session", {"model": "nosuchprovider/x"})
    if made.status == 201:
        final = alice.ask(made.json()["session_id"], "hello").final()
        assert final["event_type"] == "error" and final["code"] == "model_unknown", final
