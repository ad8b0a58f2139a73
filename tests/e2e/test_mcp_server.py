"""POST /mcp, by the official SDK's client at each revision, and by hand where it does nothing wrong."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import mcp.client.session as session_module
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from fakes.model import Call, Finish, Gate
from harness.approvals import Dashboard
from harness.client import Client, Response
from harness.stack import Stack
from harness.wait import SLOWNESS, until

MODERN = "2026-07-28"
HANDSHAKES = ("2025-11-25", "2025-06-18", "2025-03-26")
META = "io.modelcontextprotocol/"


@pytest.fixture(params=(MODERN, *HANDSHAKES))
def version(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The SDK offers the newest of the handshakes only: for the older ones it is told that they are that."""
    if request.param != MODERN:
        monkeypatch.setattr(session_module, "LATEST_HANDSHAKE_VERSION", request.param)
    return request.param


def with_client(stack: Stack, version: str, work: Callable[[McpClient], Awaitable[Any]], user: str = "alice",
                headers: dict[str, str] | None = None) -> Any:
    person = stack.client(user, bearer=True)

    async def run() -> Any:
        auth = {"Authorization": f"Bearer {person.bearer}", **(headers or {})}
        async with httpx2.AsyncClient(headers=auth, timeout=60 * SLOWNESS) as http:
            transport = streamable_http_client(stack.gateways[0].url + "/mcp", http_client=http)
            async with McpClient(transport, mode=MODERN if version == MODERN else "legacy") as client:
                return await work(client)

    return asyncio.run(run())


def post(client: Client, body: dict | bytes, headers: dict[str, str] | None = None) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.request("POST", "/mcp", raw=raw, headers={"Accept": "application/json, text/event-stream", **(headers or {})})


def modern(method: str, params: dict | None = None, **headers: str) -> tuple[dict, dict[str, str]]:
    meta = {META + "protocolVersion": MODERN, META + "clientCapabilities": {}}
    return ({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta, **(params or {})}},
            {"MCP-Protocol-Version": MODERN, "Mcp-Method": method, **headers})


def test_ask_is_answered_with_its_queries_and_progress(stack: Stack, version: str) -> None:
    stack.model.when("rooms", ["Let me see. ", Call("list_label_values", {"label": "room"})], ["Three ", "rooms."])
    told: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message))

    async def work(client: McpClient) -> Any:
        tools = (await client.list_tools()).tools
        first = await client.call_tool("ask", {"question": "which rooms", "time_range": {"duration": "1h"}},
                                       progress_callback=on_progress)
        again = await client.call_tool("ask", {"question": "which rooms",
                                               "conversation": first.structured_content["conversation"]})
        return tools, first, again

    tools, first, again = with_client(stack, version, work)
    ask = next(t for t in tools if t.name == "ask")
    assert ask.output_schema and ask.annotations.read_only_hint is False
    assert first.content[0].text == "Three rooms." and not first.is_error
    assert first.structured_content["status"] == "answered"
    assert first.structured_content["queries"] == [{"tool": "list_label_values", "arguments": {"label": "room"}}]
    assert told and told[0][1] == "list_label_values: running" and [p for p, _ in told] == sorted(p for p, _ in told)
    session = first.structured_content["conversation"]
    assert again.structured_content["conversation"] == session
    assert [s["session_id"] for s in stack.client("alice").sessions()] == [session]


def test_one_tool_runs_without_a_model(stack: Stack, version: str) -> None:
    async def work(client: McpClient) -> Any:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        rooms = await client.call_tool("list_label_values", {"label": "room"})
        wrong = await client.call_tool("execute_instant_query", {"query": "sum("})
        unknown = await client.call_tool("list_label_values", {"label": "room", "nonsense": 1})
        return tools, rooms, wrong, unknown

    tools, rooms, wrong, unknown = with_client(stack, version, work)
    assert "save_panel" not in tools and tools["execute_range_query"].annotations.read_only_hint
    assert "kitchen" in rooms.content[0].text and rooms.structured_content and not rooms.is_error
    assert wrong.is_error and unknown.is_error and "nonsense" in unknown.content[0].text
    assert stack.model.chats() == []
    until(lambda: stack.client("alice").sessions() == [], "its conversation to go")


def test_whoever_calls_uses_their_own_rights(stack: Stack) -> None:
    async def work(client: McpClient) -> Any:
        return await client.call_tool("list_label_values", {"label": "room"})

    denied = with_client(stack, MODERN, work, user="mallory")
    assert denied.is_error and "kitchen" not in denied.content[0].text
    with pytest.raises(ExceptionGroup) as caught:
        with_client(stack, MODERN, lambda c: c.call_tool("ask", {"question": "q"}),
                    headers={"Authorization": "Bearer no.such.token"})
    assert caught.group_contains(MCPError, match="Sign in")


def test_what_a_model_leaves_empty_is_not_given(stack: Stack) -> None:
    """Many fill in each argument of the schema."""
    stack.model.when("which rooms", ["Three rooms."])
    for name, arguments in (("ask", {"datasource": None, "time_range": None, "conversation": None}),
                            ("ask", {"datasource": "", "time_range": {}, "conversation": " "}),
                            ("ask", {"time_range": {"start": "", "end": None, "duration": "1h"}}),
                            ("list_datasources", None)):
        async def work(client: McpClient, name: str = name, arguments: dict | None = arguments) -> Any:
            return await client.call_tool(name, {"question": "which rooms", **(arguments or {})} if name == "ask" else arguments)

        result = with_client(stack, HANDSHAKES[0], work)
        assert not result.is_error and result.content[0].text, (arguments, result.content)
    alice = stack.client("alice", bearer=True)
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "list_datasources", "arguments": None}}
    assert b'"isError":false' in post(alice, call).body


def test_what_a_call_lacks_is_for_its_model_to_read(stack: Stack) -> None:
    for arguments, words in (({}, "question must be"), ({"question": "q", "x": 1}, "ask takes"),
                             ({"question": "q", "conversation": "mine"}, "conversation must be"),
                             ({"question": "q", "conversation": "0" * 32}, "Session not found"),
                             ({"question": "q", "datasource": "../x"}, "datasource path"),
                             ({"question": "q", "datasource": ["loki"]}, "datasource must be a string"),
                             ({"question": "q", "time_range": {"start": []}}, "time_range"),
                             ({"question": "q", "time_range": {"duration": "3 hours"}}, "time_range.duration must be"),
                             ({"question": "q", "time_range": {"end": "now"}}, "time_range needs start"),
                             ({"question": " "}, "question must be")):
        async def work(client: McpClient, arguments: dict = arguments) -> Any:
            return await client.call_tool("ask", arguments)

        result = with_client(stack, MODERN, work)
        assert result.is_error and words in result.content[0].text, (arguments, result.content)


def test_an_answer_that_is_not_whole_says_so(stack: Stack) -> None:
    for reason, words in (("length", "output limit"), ("content_filter", "content filter")):
        stack.model.when(reason, ["Half ", Finish(reason)])

        async def work(client: McpClient, reason: str = reason) -> Any:
            return await client.call_tool("ask", {"question": reason})

        result = with_client(stack, MODERN, work)
        assert not result.is_error and result.content[0].text.startswith("Half ") and words in result.content[0].text


def test_a_write_waits_for_the_person(stack: Stack, board: Dashboard, version: str) -> None:
    """Of a client that can't be asked, the yes is given in PersAI; the same tool by itself is not offered."""
    stack.model.when("save", [board.call()], ["Saved."])

    async def work(client: McpClient) -> Any:
        with pytest.raises(MCPError) as refused:
            await client.call_tool("save_panel", board.call().arguments)
        return await client.call_tool("ask", {"question": "save it"}), refused.value

    result, refused = with_client(stack, version, work)
    assert result.structured_content["status"] == "awaiting_approval" and "yes" in result.content[0].text
    assert refused.error.code == (-32021 if version == MODERN else -32602)
    assert board.panels() == {}


def test_prompts(stack: Stack, version: str) -> None:
    async def work(client: McpClient) -> Any:
        names = [p.name for p in (await client.list_prompts()).prompts]
        return names, await client.get_prompt("investigate_alert", {"alert": "RoomTooWarm"})

    names, prompt = with_client(stack, version, work)
    assert names == ["investigate_alert", "explain_panel"]
    assert "RoomTooWarm" in prompt.messages[0].content.text


def test_a_client_that_closes_its_stream_takes_the_question_back(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("long", ["It begins", gate, "never"])
    alice = stack.client("alice", bearer=True)
    body, headers = modern("tools/call", {"name": "ask", "arguments": {"question": "long"}}, **{"Mcp-Name": "ask"})
    connection, response = alice.send("POST", "/mcp", body, {"Accept": "text/event-stream", **headers})
    assert response.status == 200
    gate.wait()
    connection.sock.close() if connection.sock else response.close()
    connection.close()
    response.close()
    session = until(lambda: alice.sessions(), "the conversation")[0]["session_id"]
    until(lambda: alice.get(f"/session/{session}").json()["turn"] is None, "the turn to end")
    gate.open()
    assert "never" not in json.dumps(alice.messages(session))


def test_a_call_of_a_handshake_is_taken_back(stack: Stack) -> None:
    gate, alice = Gate(), stack.client("alice", bearer=True)
    stack.model.when("endless", ["one ", gate, "two"])
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": HANDSHAKES[1], "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}
    clients = [{"Mcp-Session-Id": post(alice, hello).headers["Mcp-Session-Id"]} for _ in range(2)]
    assert clients[0] != clients[1]
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "ask", "arguments": {"question": "endless"}}}

    def cancel(client: dict[str, str], id_: object, person: Client = alice) -> None:
        assert post(person, {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id_}},
                    client).status == 202

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(post, alice, ask, client) for client in clients]
        until(lambda: len(stack.model.chats("endless")) == 2, "both to be asked")
        for stranger in ((clients[0], 2), (clients[0], "1"), (clients[0], None), ({}, 1), ({"Mcp-Session-Id": "x"}, 1),
                         (clients[0], 1, stack.client("bob", bearer=True))):
            cancel(*stranger)  # type: ignore[arg-type]
        cancel(clients[0], 1)
        body = calls[0].result(20 * SLOWNESS).body
        assert b'"status":"cancelled"' in body and b'"isError":true' in body, body
        gate.open()
        assert b'"status":"answered"' in calls[1].result(20 * SLOWNESS).body


def test_a_killed_worker_loses_no_answer(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("story", ["One. ", gate, "Two."])
    other = stack.add_worker()
    stack.wait_worker(other)

    async def work(client: McpClient) -> Any:
        asked = asyncio.create_task(client.call_tool("ask", {"question": "a story"}))
        await asyncio.to_thread(gate.wait)
        await asyncio.to_thread(stack.working().process.kill)
        gate.open()
        return await asked

    result = with_client(stack, MODERN, work)
    assert result.content[0].text == "One. Two." and not result.is_error


def test_errors_have_the_protocols_codes(stack: Stack) -> None:
    alice = stack.client("alice", bearer=True)

    def error(answer: Response) -> tuple[int, int]:
        assert answer.json()["jsonrpc"] == "2.0" and "detail" not in answer.json()
        return answer.status, answer.json()["error"]["code"]

    body, headers = modern("server/discover")
    discovered = post(alice, body, headers).json()["result"]
    assert discovered["resultType"] == "complete" and discovered["supportedVersions"] == [MODERN, *HANDSHAKES]
    assert discovered["cacheScope"] == "private" and discovered["ttlMs"] > 0
    assert error(post(alice, body, {**headers, "Mcp-Method": "tools/list"})) == (400, -32020)
    assert error(post(alice, body, {"Mcp-Method": "server/discover"})) == (400, -32020)
    called, named = modern("tools/call", {"name": "ask", "arguments": {}}, **{"Mcp-Name": "other"})
    assert error(post(alice, called, named)) == (400, -32020)
    assert post(alice, called, {**named, "Mcp-Name": "=?base64?YXNr?="}).status == 200
    assert post(alice, called, {**named, "Mcp-Name": " ask \t"}).status == 200  # blanks are not of a header's value
    none, headers_of_none = modern("tools/none")
    assert error(post(alice, none, headers_of_none)) == (404, -32601)
    removed, headers_of_removed = modern("tasks/result", {"taskId": "x"})
    assert error(post(alice, removed, headers_of_removed)) == (404, -32601)
    future, _ = modern("tools/list")
    future["params"]["_meta"][META + "protocolVersion"] = "2099-01-01"
    answer = post(alice, future, {"MCP-Protocol-Version": "2099-01-01", "Mcp-Method": "tools/list"})
    assert error(answer) == (400, -32022) and MODERN in answer.json()["error"]["data"]["supported"]
    assert answer.json()["error"]["data"]["requested"] == "2099-01-01"
    bare, headers_of_bare = modern("tools/list")
    del bare["params"]["_meta"][META + "clientCapabilities"]
    assert error(post(alice, bare, headers_of_bare)) == (400, -32602)
    old = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    unspoken = post(alice, old, {"MCP-Protocol-Version": "1999-01-01"})
    assert error(unspoken) == (400, -32022) and unspoken.json()["error"]["data"]["requested"] == "1999-01-01"
    assert error(post(alice, {"jsonrpc": "1.0", "id": 1, "method": "ping"})) == (400, -32600)
    assert error(post(alice, {"jsonrpc": "2.0", "id": {}, "method": "ping"})) == (400, -32600)
    assert error(post(alice, b"{")) == (400, -32700)
    assert error(post(alice, {"jsonrpc": "2.0", "id": 2, "method": "none"})) == (200, -32601)
    for method, params in (("resources/list", {"cursor": "nonsense"}), ("resources/read", {}), ("resources/read", {"uri": 7}),
                           ("prompts/get", {"name": "explain_panel"}), ("prompts/get", {"name": "none"}), ("prompts/get", {}),
                           ("tools/call", {"name": "none"}), ("tools/call", {})):
        assert error(post(alice, {"jsonrpc": "2.0", "id": 2, "method": method, "params": params})) == (200, -32602), method
    assert post(alice, {"jsonrpc": "2.0", "method": "notifications/initialized"}).status == 202
    assert post(alice, {"jsonrpc": "2.0", "id": 7, "method": "ping"}).json() == {"jsonrpc": "2.0", "id": 7, "result": {}}
    tool, headers_of_tool = modern("tools/call", {"name": "save_panel", "arguments": {}}, **{"Mcp-Name": "save_panel"})
    assert error(post(alice, tool, headers_of_tool)) == (400, -32021)  # nobody could be asked for a yes
    assert alice.get("/mcp").status == 405 and alice.request("DELETE", "/mcp").status == 405
    foreign = post(alice, body, {**headers, "Origin": "https://evil.example"})
    assert error(foreign) == (403, -32000) and foreign.json()["error"]["data"]["code"] == "cross_site"
    assert error(post(Client(alice.base), body, headers)) == (401, -32000)


def test_what_initialize_agrees_on(stack: Stack) -> None:
    alice = stack.client("alice", bearer=True)
    for offered, agreed in ((HANDSHAKES[2], HANDSHAKES[2]), ("1999-01-01", HANDSHAKES[0]), (MODERN, HANDSHAKES[0])):
        answer = post(alice, {"jsonrpc": "2.0", "id": "a", "method": "initialize", "params": {
            "protocolVersion": offered, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}}).json()
        assert answer["id"] == "a" and answer["result"]["protocolVersion"] == agreed
        assert answer["result"]["serverInfo"]["name"] == "persai"
