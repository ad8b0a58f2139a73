"""The door for OpenAI's clients, asked by OpenAI's own SDK."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import openai
import pytest

from fakes.model import Call, Finish, Gate, Status
from harness.client import DATASOURCE, Client
from harness.keys import Keys
from harness.stack import Stack, metric
from harness.wait import until

ASK = [{"role": "user", "content": "Is it up?"}]


@pytest.fixture
def keys(bare: Stack) -> Keys:
    return Keys(bare.folder)


def sdk(stack: Stack, key: str, gateway: int = 0, **kw: object) -> openai.OpenAI:
    kw.setdefault("max_retries", 0)
    return openai.OpenAI(base_url=stack.gateways[gateway].url + "/v1", api_key=key, **kw)  # type: ignore[arg-type]


@pytest.fixture
def served(bare: Stack, keys: Keys) -> Iterator[tuple[Stack, openai.OpenAI]]:
    key = keys.make("chat")
    stack = bare.start(gateway_env=keys.env())
    with sdk(stack, key) as client:
        yield stack, client


def words(stream: Iterator) -> tuple[str, str, list]:
    """What is said, what is reasoned, all chunks."""
    chunks = list(stream)
    deltas = [c.choices[0].delta for c in chunks if c.choices]
    return ("".join(d.content or "" for d in deltas),
            "".join(getattr(d, "reasoning_content", None) or "" for d in deltas), chunks)


def test_a_question_with_tools(served: tuple[Stack, openai.OpenAI]) -> None:
    stack, client = served
    stack.model.when("Is it up?", ["Let me look.", Call("execute_range_query", {"query": "up"})], ["It ", "is up \"🟢\"."])
    text, reasoned, chunks = words(client.chat.completions.create(
        model="persai", messages=ASK, stream=True, stream_options={"include_usage": True}))
    assert text == 'Let me look.\n\nIt is up "🟢".' and reasoned == ""
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(c.id == chunks[0].id and c.object == "chat.completion.chunk" and c.model == "persai" for c in chunks)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert not any(c.choices and c.choices[0].delta.tool_calls for c in chunks)
    usage = chunks[-1].usage
    assert not chunks[-1].choices and usage and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0
    # In one piece, with what was done.
    whole = client.chat.completions.create(model="persai", messages=ASK, extra_body={"persai": {"activity": True}})
    assert whole.choices[0].message.content == text and whole.usage == usage
    done = whole.choices[0].message.reasoning_content  # type: ignore[attr-defined]
    assert "✓ execute_range_query" in done and '{"query":"up"' in done, ascii(done)
    assert whole.choices[0].finish_reason == "stop" and not whole.choices[0].message.tool_calls
    _, reasoned, _ = words(client.chat.completions.create(
        model="persai", messages=ASK, stream=True, extra_body={"persai": {"activity": True}}))
    assert "✓ execute_range_query" in reasoned
    # Nothing of it is listed, or left.
    assert stack.client("robot").sessions() == []
    until(lambda: not [k for k in stack.redis.client.keys("p:s:*")], "the sessions to be gone")


def test_the_history_is_the_clients(served: tuple[Stack, openai.OpenAI]) -> None:
    stack, client = served
    stack.model.when("And now?", ["Still up."])
    answer = client.chat.completions.create(model="persai", messages=[
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it up?"},
        {"role": "assistant", "content": "Yes, it is."}, {"role": "user", "content": [
            {"type": "text", "text": "And"}, {"type": "text", "text": "And now?"}]}],
        temperature=0.3, user="someone", seed=7, extra_body={"anything": {"else": [1]}})
    assert answer.choices[0].message.content == "Still up."
    sent = [m for m in stack.model.chats("And now?")[-1]["messages"] if m["role"] != "system"]
    assert [m["role"] for m in sent] == ["user", "assistant", "user"]
    assert "Be brief." in str(sent[0]) and "Is it up?" in str(sent[0]) and "Yes, it is." in str(sent[1])


def test_whoever_says_the_last_message_is_answered(served: tuple[Stack, openai.OpenAI]) -> None:
    stack, client = served
    stack.model.when("Is it up?", ["It is."])
    stack.model.when("Go on", [" and fast."])
    said = {"role": "assistant", "content": [{"type": "text", "text": "It is up"}, {"type": "refusal", "refusal": "I won't"}]}
    for messages, text, roles in (([{"role": "system", "content": "Is it up?"}], "It is.", ["user"]),
                                  ([{"role": "developer", "content": "Is it up?"}], "It is.", ["user"]),
                                  ([said, {"role": "system", "content": "Is it up?"}], "It is.", ["assistant", "user"]),
                                  ([*ASK, {"role": "assistant", "content": ""}], "It is.", ["user"]),
                                  ([*ASK, said], " and fast.", ["user", "assistant", "user"])):
        answer = client.chat.completions.create(model="persai", messages=messages)  # type: ignore[arg-type]
        assert answer.choices[0].message.content == text, messages
        sent = [m for m in stack.model.chats()[-1]["messages"] if m["role"] != "system"]
        assert [m["role"] for m in sent] == roles, messages
    assert "It is up\nI won't" in str(sent[1]["content"])


def test_models(served: tuple[Stack, openai.OpenAI]) -> None:
    stack, client = served
    names = [m.id for m in client.models.list()]
    assert names[0] == "persai" and "persai/openai/scripted" in names
    stack.model.when("Is it up?", ["Yes."])
    assert client.chat.completions.create(model=names[1], messages=ASK).model == names[1]
    with pytest.raises(openai.NotFoundError) as fault:
        client.chat.completions.create(model="gpt-5", messages=ASK)
    assert fault.value.code == "model_not_found" and fault.value.param == "model"
    for name in ("persai/nothing", "persai/"):
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=name, messages=ASK)
    alice = stack.client(bearer=True)
    for name in names:
        assert client.models.retrieve(name).id == alice.get(f"/v1/models/{name}").json()["id"] == name
    for name in ("gpt-5", "persai/", "persai/nothing", "persai/openai", f"{names[1]}/", "%"):
        with pytest.raises(openai.NotFoundError) as fault:
            client.models.retrieve(name)
        assert fault.value.code == "model_not_found", name
    for path in ("/v1/models/", "/v1/models/%zz", "/v1/models/persai%"):
        answer = alice.get(path)
        assert answer.status == 404 and answer.json()["error"]["type"] == "invalid_request_error", answer.body


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]


@pytest.mark.parametrize("body, code", [
    ({"tools": [TOOL]}, "client_tools_unsupported"),
    ({"functions": [{"name": "f"}]}, "client_tools_unsupported"),
    ({"messages": [*ASK, {"role": "tool", "tool_call_id": "1", "content": "x"}, *ASK]}, "client_tools_unsupported"),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}, *ASK]}, "client_tools_unsupported"),
    ({"messages": [{"role": "user", "content": IMAGE}]}, "unsupported_content"),
    ({"messages": [{"role": "user", "content": 7}]}, "invalid_type"),
    ({"messages": [{"role": "user", "content": "  "}]}, "invalid_value"),
    ({"messages": [{"role": "robot", "content": "x"}, *ASK]}, "invalid_value"),
    ({"messages": [*ASK, {"role": "assistant", "content": "Yes"}, {"role": "user", "content": " "}]}, "invalid_value"),
    ({"messages": [{"role": "assistant", "content": " "}]}, "invalid_value"),
    ({"messages": []}, "missing_required_parameter"), ({"messages": "hello"}, "missing_required_parameter"),
    ({"messages": [*ASK, {"role": "assistant", "content": "Yes"}] * 256}, "context_length_exceeded"),  # and one to go on
    ({"messages": ASK * 1000}, "context_length_exceeded"), ({"n": 2}, "unsupported_value"), ({"n": "1"}, "invalid_type"),
    ({"n": True}, "invalid_type"), ({"n": 1.5}, "invalid_type"),
    ({"stream": "yes"}, "invalid_type"), ({"model": 7}, "missing_required_parameter"),
])
def test_what_is_refused(refusing: openai.OpenAI, body: dict, code: str) -> None:
    with pytest.raises(openai.APIStatusError) as fault:
        refusing.chat.completions.create(**{"model": "persai", "messages": ASK, "extra_body": body})
    assert fault.value.status_code == 400 and isinstance(fault.value, openai.BadRequestError)
    assert fault.value.code == code and fault.value.type == "invalid_request_error"
    assert fault.value.body["message"]  # type: ignore[index]


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory, perses: object, sign_in: object) -> Iterator[openai.OpenAI]:
    stack = Stack(tmp_path_factory.mktemp("refusing"), perses.url, sign_in)  # type: ignore[attr-defined]
    keys = Keys(stack.folder)
    key = keys.make("chat")
    try:
        stack.start(gateway_env=keys.env())
        with sdk(stack, key) as client:
            yield client
        stack.stop()
    finally:
        stack.kill_all()


def test_errors_are_openais(served: tuple[Stack, openai.OpenAI], keys: Keys) -> None:
    stack, client = served
    base = client.base_url
    with openai.OpenAI(base_url=base, api_key="pk-wrong", max_retries=0) as stranger, \
            pytest.raises(openai.AuthenticationError) as fault:
        stranger.models.list()
    assert fault.value.code == "unauthenticated" and fault.value.type == "authentication_error"
    with openai.OpenAI(base_url=base, api_key="no-token", max_retries=0) as stranger, \
            pytest.raises(openai.AuthenticationError):
        stranger.models.list()
    with pytest.raises(openai.NotFoundError) as missing:
        client.embeddings.create(model="persai", input="x")
    assert missing.value.code == "not_found"
    with pytest.raises(openai.APIStatusError) as large:
        client.chat.completions.create(model="persai", messages=[{"role": "user", "content": "x" * (10 << 20)}])
    assert large.value.status_code == 413 and large.value.code == "too_large"
    with pytest.raises(openai.BadRequestError) as path:
        client.chat.completions.create(model="persai", messages=ASK, extra_headers={"X-PersAI-Datasource": "/proxy/unsaved/x"})
    assert path.value.code == "bad_datasource_path"
    for body in (b"", b"{", b"[]", b'{"model": "persai", "model": "persai"}'):
        connection = http.client.HTTPConnection(urlsplit(stack.gateway.url).netloc, timeout=20)
        connection.request("POST", "/v1/chat/completions", body,
                           {"Authorization": f"Bearer {client.api_key}", "Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 400 and json.loads(answer.read())["error"]["code"] == "bad_json"
        connection.close()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_why_an_answer_is_not_whole_is_told(served: tuple[Stack, openai.OpenAI], reason: str, stream: bool) -> None:
    stack, client = served
    stack.model.when("Is it up?", ["It is ", Finish(reason)])
    made = client.chat.completions.create(model="persai", messages=ASK, stream=stream)
    assert (list(made)[-1] if stream else made).choices[0].finish_reason == reason


def test_a_model_that_fails(served: tuple[Stack, openai.OpenAI]) -> None:
    stack, client = served
    stack.model.when("Is it up?", [Status(401)])
    with pytest.raises(openai.InternalServerError) as fault:
        client.with_options(max_retries=2).chat.completions.create(model="persai", messages=ASK)
    assert fault.value.code == "model_refused"
    asked = len(stack.model.chats("Is it up?"))
    with pytest.raises(openai.APIError) as streamed:
        words(client.chat.completions.create(model="persai", messages=ASK, stream=True))
    assert streamed.value.code == "model_refused"
    assert len(stack.model.chats("Is it up?")) == 2 * asked, "a failed turn was asked again"


TOO_LONG = b'{"error": {"message": "maximum context length is 8192 tokens", "code": "context_length_exceeded"}}'


@pytest.mark.parametrize("stream", [True, False])
def test_a_conversation_that_is_too_long(served: tuple[Stack, openai.OpenAI], stream: bool) -> None:
    """Clients cut it shorter by this answer, and take 500 for a broken server."""
    stack, client = served
    stack.model.when("Is it up?", [Status(400, TOO_LONG)])
    with pytest.raises(openai.APIError) as fault:
        words(client.chat.completions.create(model="persai", messages=ASK, stream=True)) if stream else \
            client.with_options(max_retries=2).chat.completions.create(model="persai", messages=ASK)
    assert stream or isinstance(fault.value, openai.BadRequestError)
    assert fault.value.code == "context_length_exceeded" and fault.value.param == "messages"
    assert fault.value.type == "invalid_request_error" and "too long" in fault.value.message


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_cancels(served: tuple[Stack, openai.OpenAI], stream: bool) -> None:
    stack, client = served
    gate = Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    if stream:
        answer = client.chat.completions.create(model="persai", messages=ASK, stream=True)
        next(iter(answer))
        gate.wait()
        answer.close()
    else:
        def ask() -> None:
            with pytest.raises(openai.APITimeoutError):
                client.with_options(timeout=2).chat.completions.create(model="persai", messages=ASK)
        asking = threading.Thread(target=ask)
        asking.start()
        gate.wait()
        asking.join()
    until(lambda: metric(stack.worker.url, "turns_running") == 0, "the turn to be cancelled")
    gate.open()
    assert stack.client("robot").sessions() == []


def test_a_worker_that_dies_amid_the_answer(served: tuple[Stack, openai.OpenAI]) -> None:
    stack, client = served
    second = stack.add_worker()
    stack.wait_worker(second)
    gate = Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    stream = iter(client.chat.completions.create(model="persai", messages=ASK, stream=True))
    got = ""
    while got != "One ":
        got += next(stream).choices[0].delta.content or ""
    gate.wait()
    stack.working().process.kill()
    gate.open()
    rest, _, _ = words(stream)
    assert got + rest == "One two."


def test_where_it_looks(bare: Stack, keys: Keys) -> None:
    own = keys.make("own", datasource="/proxy/globaldatasources/another")
    none = keys.make("none")
    stack = bare.start(gateway_env=keys.env())
    stack.model.when("Is it up?", [Call("execute_range_query", {"query": "up"})], ["Yes."])
    for key, headers, wanted in ((none, {}, DATASOURCE), (own, {}, "/proxy/globaldatasources/another"),
                                 (own, {"X-PersAI-Datasource": DATASOURCE}, DATASOURCE)):
        with sdk(stack, key, default_headers=headers) as client:
            answer = client.chat.completions.create(model="persai", messages=ASK, extra_body={"persai": {"activity": True}})
        failed = "✗" in answer.choices[0].message.reasoning_content  # type: ignore[attr-defined]
        assert failed == (wanted != DATASOURCE)


def test_a_person_with_their_own_token(stack: Stack) -> None:
    stack.model.when("Is it up?", ["Yes."])
    token = stack.client("alice", bearer=True).bearer
    with sdk(stack, token) as client:
        assert client.chat.completions.create(model="persai", messages=ASK).choices[0].message.content == "Yes."


def test_many_at_once(served: tuple[Stack, openai.OpenAI]) -> None:
    stack, client = served
    gate = Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(
        words(client.chat.completions.create(model="persai", messages=ASK, stream=True))[0])) for _ in range(40)]
    for thread in threads:
        thread.start()
    gate.wait()
    time.sleep(0.2)
    gate.open()
    for thread in threads:
        thread.join()
    assert texts == ["One two."] * 40
    assert Client(stack.gateway.url).get("/readyz").status == 200
