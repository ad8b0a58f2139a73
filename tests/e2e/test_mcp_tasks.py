"""Tasks of MCP are turns: they outlive workers and gateways, ask for a yes, and are cancelled; and resources."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import ElicitResult

from fakes import perses as fake_perses
from fakes.model import Call, Gate, Status
from fakes.server import Exchange, Request
from harness.approvals import PROJECT, Dashboard, saves
from harness.mcp_tasks import META, MODERN, Tasks
from harness.stack import Stack
from harness.wait import SLOWNESS, until


def accepted(requests: dict, approve: bool = True) -> dict:
    return {key: {"action": "accept", "content": {"approve": approve}} for key in requests}


def test_a_task_is_answered(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("rooms", ["Let me see.", Call("list_label_values", {"label": "room"})], [gate, "Three rooms."])
    tasks = Tasks(stack.client("alice", bearer=True))
    task = tasks.ask("which rooms")
    gate.wait()
    assert tasks.get(task)["status"] == "working"
    gate.open()
    done = tasks.until(task, "completed")
    assert done["result"]["content"][0]["text"] == "Three rooms." and not done["result"]["isError"]
    told = done["result"]["structuredContent"]
    assert told["status"] == "answered" and told["queries"][0]["tool"] == "list_label_values"
    assert stack.client("alice").messages(told["conversation"])[-1]["content"] == "Three rooms."
    # What is over can be asked again, updated and cancelled: nothing comes of it.
    again = tasks.get(task)
    assert again["result"] == done["result"] and again["createdAt"] == done["createdAt"]
    assert tasks.cancel(task).json()["result"] == {"resultType": "complete"}
    assert tasks.update(task, {"x": {"action": "accept"}}).json()["result"] == {"resultType": "complete"}
    assert tasks.get(task)["status"] == "completed"


def test_a_failed_turn_is_a_completed_task(stack: Stack) -> None:
    """The protocol's `failed` is of requests that failed, not of answers that say so."""
    stack.model.when("fail", [Status(401)])
    tasks = Tasks(stack.client("alice", bearer=True))
    done = tasks.until(tasks.ask("fail"), "completed", "failed")
    assert done["status"] == "completed" and done["result"]["isError"] and done["result"]["content"][0]["text"]


def test_a_task_is_cancelled(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("long", ["It begins", gate, "never"])
    tasks = Tasks(stack.client("alice", bearer=True))
    task = tasks.ask("long")
    gate.wait()
    assert tasks.cancel(task).json()["result"] == {"resultType": "complete"}
    assert "result" not in tasks.until(task, "cancelled")
    gate.open()


def test_a_task_asks_for_a_yes(stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call())
    tasks = Tasks(stack.client("carol", bearer=True))
    task = tasks.ask("save it")
    waits = tasks.until(task, "input_required")
    (key, request), = waits["inputRequests"].items()
    assert request["method"] == "elicitation/create" and request["params"]["mode"] == "form"
    assert "save_panel" in request["params"]["message"] and "Kitchen" in request["params"]["message"]
    assert request["params"]["requestedSchema"]["required"] == ["approve"]
    assert tasks.get(task)["inputRequests"] == waits["inputRequests"]
    # Unknown keys and a question that was put off change nothing.
    for nothing in ({}, {"other": {"action": "accept", "content": {"approve": True}}}, {key: {"action": "cancel"}},
                    {key: "yes"}, {key: {}}):
        assert tasks.update(task, nothing).json()["result"] == {"resultType": "complete"}
    assert tasks.get(task)["status"] == "input_required" and board.panels() == {}
    # A client that can't ask its person is told to wait.
    unable = Tasks(tasks.client, {"extensions": {META + "tasks": {}}}).get(task)
    assert unable["status"] == "working" and "PersAI" in unable["statusMessage"]
    assert tasks.update(task, accepted(waits["inputRequests"])).status == 200
    done = tasks.until(task, "completed")
    assert done["result"]["content"][0]["text"] == "Saved." and board.titles() == ["Kitchen"]
    assert tasks.update(task, accepted(waits["inputRequests"], False)).status == 200  # late: it is asked no more
    assert len(board.panels()) == 1


@pytest.mark.parametrize("response", [{"action": "decline"}, {"action": "accept", "content": {"approve": False}},
                                      {"action": "accept"}, {"action": "accept", "content": {"approve": "true"}}])
def test_only_a_yes_is_one(stack: Stack, board: Dashboard, response: dict) -> None:
    saves(stack, board.call())
    tasks = Tasks(stack.client("carol", bearer=True))
    task = tasks.ask("save it")
    key, = tasks.until(task, "input_required")["inputRequests"]
    assert tasks.update(task, {key: response}).status == 200
    tasks.until(task, "completed")
    assert board.panels() == {}


def test_what_a_form_cant_show_whole_is_decided_in_persai(stack: Stack, board: Dashboard) -> None:
    """The end of it would be what the person did not see."""
    saves(stack, board.call(query="vector(1) + " * 400 + "vector(666)"))
    tasks = Tasks(stack.client("carol", bearer=True))
    task = tasks.ask("save it")
    session, turn = task.split(".")[:2]
    until(lambda: "statusMessage" in tasks.get(task), "it to wait")
    waits = tasks.get(task)
    assert waits["status"] == "working" and session in waits["statusMessage"]
    carol = stack.client("carol")
    call, = carol.get(f"/session/{session}").json()["turn"]["tool_calls"]
    key = call["arguments_hash"] + ":" + call["call_id"]
    assert tasks.update(task, accepted({key: 0})).status == 200 and "statusMessage" in tasks.get(task)
    decision = {"call_id": call["call_id"], "approve": False, "arguments_hash": call["arguments_hash"]}
    assert carol.post(f"/session/{session}/turn/{turn}/resume", {"decisions": [decision]}).status == 202
    tasks.until(task, "completed")
    assert board.panels() == {}


def test_several_calls_are_decided_together(stack: Stack, board: Dashboard) -> None:
    stack.model.when("save", [board.call("One"), board.call("Two")], ["Saved."])
    tasks = Tasks(stack.client("carol", bearer=True))
    task = tasks.ask("save both")
    requests = tasks.until(task, "input_required")["inputRequests"]
    first, second = requests
    partly = tasks.update(task, accepted({first: 0}))
    assert partly.status == 400 and partly.json()["error"]["code"] == -32602
    assert tasks.update(task, {**accepted({first: 0}), second: {"action": "decline"}}).status == 200
    tasks.until(task, "completed")
    assert board.titles() in (["One"], ["Two"])


def test_a_write_tool_by_itself(stack: Stack, board: Dashboard) -> None:
    """Without a model: it is asked for its yes, run once, and its answer is the tool's."""
    arguments = board.call().arguments
    tasks = Tasks(stack.client("carol", bearer=True))
    task = tasks.call("save_panel", arguments)
    assert task["resultType"] == "task"
    requests = tasks.until(task["taskId"], "input_required")["inputRequests"]
    assert tasks.update(task["taskId"], accepted(requests)).status == 200
    done = tasks.until(task["taskId"], "completed")
    assert "panel_saved" in done["result"]["content"][0]["text"] and board.titles() == ["Kitchen"]
    assert stack.client("carol").sessions() == [] and stack.model.chats() == []


def test_strangers_tasks_are_unknown(stack: Stack) -> None:
    stack.model.when("q", ["Yes."])
    alice, bob = Tasks(stack.client("alice", bearer=True)), Tasks(stack.client("bob", bearer=True))
    task = alice.ask("q")
    alice.until(task, "completed")
    session, turn, _ = task.split(".")
    for who, name in ((bob, task), (alice, "x"), (alice, f"{session}.{'0' * 32}.1"), (alice, f"{turn}.{session}.1"),
                      (alice, session), (alice, task + ".1"), (alice, f"{session}.{turn}.-1"), (alice, f"{session}.{turn}")):
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            answer = who.send(method, name, {"taskId": name, "inputResponses": {}})
            if method == "tasks/update" and name.endswith(".1") and name.startswith(session):
                continue  # nothing waits in this conversation: nothing is to be said to it
            assert answer.status == 400 and answer.json()["error"]["code"] == -32602, (method, name, answer.body)
    without = Tasks(alice.client, {})
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        answer = without.send(method, task, {"taskId": task})
        assert answer.status == 400 and answer.json()["error"]["code"] == -32021
        assert META + "tasks" in answer.json()["error"]["data"]["requiredCapabilities"]["extensions"]


def test_a_task_outlives_its_worker_and_its_gateway(bare: Stack) -> None:
    stack = bare.start(gateways=2, workers=2)
    gate = Gate()
    stack.model.when("story", ["One. ", gate, "Two."])
    here = Tasks(stack.client("alice", bearer=True))
    there = Tasks(stack.client("alice", gateway=1, bearer=True))
    task = here.ask("a story")
    gate.wait()
    stack.gateways[0].process.kill()
    assert there.get(task)["status"] == "working"
    stack.working().process.kill()
    gate.open()
    done = there.until(task, "completed")
    assert done["result"]["content"][0]["text"] == "One. Two."


# ---- the official SDK: input_required of a call, and resources ----

def with_client(stack: Stack, work: Callable[[McpClient], Awaitable[Any]], user: str = "carol", mode: str = MODERN,
                **more: Any) -> Any:
    person = stack.client(user, bearer=True)

    async def run() -> Any:
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {person.bearer}"}, timeout=60 * SLOWNESS) as http:
            transport = streamable_http_client(stack.gateways[0].url + "/mcp", http_client=http)
            async with McpClient(transport, mode=mode, **more) as client:
                return await work(client)

    return asyncio.run(run())


@pytest.mark.parametrize("tool", ["ask", "save_panel"])
@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
def test_a_call_asks_before_it_writes(stack: Stack, board: Dashboard, tool: str, action: str) -> None:
    saves(stack, board.call())
    asked: list[str] = []

    async def on_elicit(context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action=action, content={"approve": True} if action == "accept" else None)  # type: ignore[arg-type]

    async def work(client: McpClient) -> Any:
        tools = {t.name: t for t in (await client.list_tools()).tools}
        assert tools["save_panel"].annotations.read_only_hint is False and tools["save_panel"].annotations.destructive_hint
        return await client.call_tool(tool, {"question": "save it"} if tool == "ask" else board.call().arguments)

    result = with_client(stack, work, elicitation_callback=on_elicit)
    assert len(asked) == 1 and "save_panel" in asked[0]
    assert board.titles() == (["Kitchen"] if action == "accept" else [])
    if action == "accept":
        assert ("Saved." if tool == "ask" else "panel_saved") in result.content[0].text and not result.is_error
    if action == "cancel":
        assert "waits" in result.content[0].text


def test_a_retry_is_the_callers_own(stack: Stack, board: Dashboard) -> None:
    """requestState names a turn: a forged one opens nothing of somebody else's."""
    saves(stack, board.call())
    can = {"elicitation": {}}
    carol, bob = Tasks(stack.client("carol", bearer=True), can), Tasks(stack.client("bob", bearer=True), can)
    result = carol.call("ask", {"question": "save it"})
    assert result["resultType"] == "input_required"
    retry = {"name": "ask", "arguments": {"question": "save it"}, "requestState": result["requestState"],
             "inputResponses": accepted(result["inputRequests"])}
    assert b"not found" in bob.send("tools/call", "ask", retry).body
    for state in ("x", result["requestState"] + "0.0", "0" * 200):
        assert carol.send("tools/call", "ask", {**retry, "requestState": state}).status == 400
    assert board.panels() == {}
    said = carol.send("tools/call", "ask", retry)
    assert b"Saved." in said.body and board.titles() == ["Kitchen"]
    assert b"Saved." in carol.send("tools/call", "ask", retry).body  # its client lost the answer
    assert len(board.panels()) == 1


@pytest.mark.parametrize("mode", [MODERN, "legacy"])
def test_resources(stack: Stack, board: Dashboard, mode: str) -> None:
    stack.model.when("rooms", ["Three rooms."])
    carol = stack.client("carol")
    session = carol.session(title="Rooms")
    carol.ask(session, "which rooms")
    conversation, dashboard = f"persai://conversation/{session}", f"perses://dashboard/{PROJECT}/{board.name}"

    async def work(client: McpClient) -> Any:
        listed = {r.uri: r for r in (await client.list_resources()).resources}
        templates = (await client.list_resource_templates()).resource_templates
        texts = [(await client.read_resource(uri)).contents[0] for uri in (conversation, dashboard)]
        for wrong in (f"persai://conversation/{'0' * 32}", "persai://conversation/x", "perses://dashboard/../x",
                      f"perses://dashboard/{PROJECT}/none", "file:///etc/passwd", ""):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(wrong)
            assert refused.value.error.code == (-32602 if mode == MODERN else -32002)
        return listed, templates, texts

    listed, templates, texts = with_client(stack, work, mode=mode)
    assert listed[conversation].name == "Rooms" and listed[dashboard].mime_type == "application/json"
    assert listed[dashboard].name == board.name  # Perses is not asked for what is in all of them, titles neither
    assert [t.uri_template for t in templates] == ["persai://conversation/{id}", "perses://dashboard/{project}/{name}"]
    assert "which rooms" in texts[0].text and "Three rooms." in texts[0].text
    assert json.loads(texts[1].text)["metadata"]["name"] == board.name

    async def foreign(client: McpClient) -> Any:
        assert conversation not in [r.uri for r in (await client.list_resources()).resources]
        with pytest.raises(MCPError):
            await client.read_resource(conversation)

    with_client(stack, foreign, user="bob", mode=mode)


def test_a_long_list_of_resources_comes_in_pages(stack: Stack) -> None:
    dave = stack.client("bob")
    made = {f"persai://conversation/{dave.session(title=f'n {i}')}" for i in range(130)}

    async def work(client: McpClient) -> Any:
        first = await client.list_resources()
        second = await client.list_resources(cursor=first.next_cursor)
        return [r.uri for r in (*first.resources, *second.resources)], second.next_cursor

    listed, last = with_client(stack, work, user="bob")
    assert made == {uri for uri in listed if uri.startswith("persai:")} and last is None


def large(exchange: Exchange, request: Request) -> bool:
    """Of each person's dashboards one that is large, and a list that is."""
    if request.path == "/api/v1/projects/p/dashboards/large":
        exchange.reply(200, json.dumps({"text": "x" * (1 << 20)}).encode())
    elif request.path == "/api/v1/projects/p/dashboards/just":
        exchange.reply(200, json.dumps({"text": '"' * (500 << 10)}).encode())
    elif request.path == "/api/v1/dashboards":
        exchange.reply(200, json.dumps([{"metadata": {"project": "p", "name": f"d{i}"}} for i in range(30000)]).encode())
    else:
        return False
    return True


def test_what_is_large_is_not_read_whole(make_stack: Callable[..., Stack]) -> None:
    """Nor by one person again and again."""
    with fake_perses.Perses() as perses:
        perses.behave = large
        stack = make_stack(perses.url, perses.sign_in).start(workers=0, gateway_env={"PERSAI_HTTP_MEMORY": "32MiB"})
        carol = stack.client("carol", bearer=True)
        conversation = carol.session()

        async def work(client: McpClient) -> Any:
            with pytest.raises(MCPError) as refused:
                await client.read_resource("perses://dashboard/p/large")
            assert "larger than 1 MiB" in refused.value.error.message and refused.value.error.data == {"code": "too_large"}
            assert len((await client.read_resource("perses://dashboard/p/just")).contents[0].text) > 1 << 20 - 1
            assert [r.uri for r in (await client.list_resources()).resources] == [f"persai://conversation/{conversation}"]

        with_client(stack, work)


def test_waiting_elsewhere_is_seen(stack: Stack, board: Dashboard) -> None:
    """A yes that is given in PersAI is one for the task, too."""
    saves(stack, board.call())
    carol = stack.client("carol", bearer=True)
    tasks = Tasks(carol)
    task = tasks.ask("save it")
    tasks.until(task, "input_required")
    session, turn, _ = task.split(".")
    call, = carol.get(f"/session/{session}").json()["turn"]["tool_calls"]
    decided = carol.post(f"/session/{session}/turn/{turn}/resume", {"decisions": [{"call_id": call["call_id"], "approve": True}]})
    assert decided.status == 202
    assert tasks.until(task, "completed")["result"]["content"][0]["text"] == "Saved."
