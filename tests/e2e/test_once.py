"""A tool of an MCP server that changes something: what a person said yes to once is sent once, whatever dies beside it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.mcp_server import McpServer
from fakes.model import Call
from fakes.relay import Hold
from harness.stack import Stack, metric
from harness.wait import free_port, until


@pytest.fixture
def server() -> Iterator[McpServer]:
    with McpServer(free_port()) as server:
        yield server


@pytest.fixture
def tickets(bare: Stack, tmp_path: Path, server: McpServer) -> Stack:
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps([{"name": "tix", "url": server.url, "tools": {"create": "ask"}}]))
    stack = bare.start(workers=2, worker_env={"PERSAI_MCP": str(path)})
    until(lambda: "mcp_tix_create" in {t["name"] for t in stack.client().get("/tools").json()}, "the server's tools", 60)
    return stack


def test_a_call_that_its_worker_did_not_survive_is_not_sent_again(tickets: Stack, server: McpServer) -> None:
    """Nobody knows whether it was done: the model is told that."""
    stack = tickets
    server.hold = hold = Hold()
    stack.model.when("do it", [Call("mcp_tix_create", {"title": "Full disk"})], ["As it stands."])
    carol = stack.client("carol")
    session = carol.session()
    turn = carol.start(session, "do it")
    log = carol.events(session, turn).finish()
    call, = log.final()["turn"]["tool_calls"]
    decisions = [{"call_id": call["call_id"], "approve": True, "arguments_hash": call["arguments_hash"]}]
    assert carol.post(f"/session/{session}/turn/{turn}/resume", {"decisions": decisions}).status == 202
    stream = carol.events(session, turn, log[-1].id)
    hold.wait()
    victim = stack.working()
    lost = metric(stack.gateway.url, "workers_lost")
    victim.process.kill()
    until(lambda: metric(stack.gateway.url, "workers_lost") > lost, "the death to be seen")
    hold.open()
    rest = stream.finish(60)
    assert rest.answer() == "As it stands."
    (_, response), = rest.tools()
    assert server.created == ["Full disk"]
    assert response["failed"] and json.loads(response["content"])["code"] == "maybe_done", response
