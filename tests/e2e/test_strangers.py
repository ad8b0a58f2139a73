"""Who comes with what belongs to another, by every route and door; and a worker that is short of something amid a turn."""

import json
import re
import resource
from pathlib import Path

import pytest

from fakes.model import Call, Gate
from harness.approvals import Dashboard
from harness.client import DATASOURCE, Client, Response
from harness.doors import DOORS, MCP, question
from harness.mcp_tasks import Tasks
from harness.sse import Stream
from harness.stack import Stack, metric
from harness.wait import until

TABLE = Path(__file__).parents[2] / "gateway" / "routes.def"
BODIES = {"turns_post": {"message": "let me in"}, "sessions_patch": {"title": "mine"}, "sessions_fork": {"message_id": 2},
          "sessions_message_patch": {"excluded": True}, "feedback_put": {"sentiment": 1}, "turns_resume": {
              "decisions": [{"call_id": "call_0", "approve": True}]}}
QUERIES = {"turns_post": f"?datasource_path={DATASOURCE}", "sessions_export": "?format=json"}


def routes() -> list[tuple[str, str, str]]:
    """Those whose path has an id of somebody's."""
    found = re.findall(r'^ROUTE\((\w+), "((?!/v1/)[^"]*\{[^"]*)", \w+, (\w+),', TABLE.read_text(), re.M)
    assert len(found) > 15
    return found


def asked(who: Client, method: str, path: str, handler: str, ids: dict[str, str]) -> Response:
    return who.request(method, path.format(**ids) + QUERIES.get(handler, ""), BODIES.get(handler))


@pytest.mark.parametrize("state", ["over", "running", "awaiting"])
def test_no_route_opens_anothers(stack: Stack, board: Dashboard, state: str) -> None:
    """Whatever of carol's ids bob has, and in whatever state her turn is, all is as if they were nobody's."""
    gate = Gate()
    stack.model.when("private", [board.call()] if state == "awaiting" else
                     ["my secret", *([gate] if state == "running" else []), "."])
    carol, bob = stack.client("carol"), stack.client("bob")
    session = carol.session(title="carol's")
    stream = carol.turn(session, "private matters")
    turn = stream.wait_for("turn_start")["turn_id"]
    if state == "running":
        gate.wait()
    else:
        assert stream.finish().types()[-1] == ("turn_awaiting_input" if state == "awaiting" else "turn_complete")
    hers = {"session": session, "turn": turn, "message": "2", "share": session}
    before = carol.get(f"/session/{session}").json()
    for method, path, handler in routes():
        none = {**hers, **{name: "0" * 32 for name in ("session", "turn", "share")}}
        theirs, nobodys = (asked(bob, method, path, handler, ids) for ids in (hers, none))
        assert theirs.status in (403, 404), (method, path, theirs)
        assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body), (method, path)
    own = bob.session()
    for method, path, handler in routes():
        if "{turn}" in path and not path.startswith("/admin"):
            assert asked(bob, method, path, handler, {**hers, "session": own}).status == 404, path
    assert carol.get(f"/session/{session}").json() == before
    assert bob.sessions() == [{**bob.sessions()[0], "session_id": own, "turns": 0}]
    if state == "running":
        gate.open()
        assert stream.finish().answer() == "my secret."


def said(who: Client, door: str, body: dict, **headers: str) -> bytes:
    connection, response = who.send("POST", door, body, headers={**(MCP if door == "/mcp" else {}), **headers})
    try:
        return response.read()
    finally:
        connection.close()


def test_no_door_opens_anothers(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("private", ["my secret", gate, "."])
    stack.model.when("let me in", ["Who are you?"])
    alice, bob = stack.client("alice", bearer=True), stack.client("bob", bearer=True)
    task = Tasks(alice).ask("private matters")
    gate.wait()
    told = Tasks(alice).get(task)
    session = next(iter(stack.redis.client.scan_iter("p:s:*"))).decode().split("{")[1].rstrip("}")
    for door in DOORS:
        body = {**question(door, "let me in"), "threadId": session, "conversation": session, "session_id": session}
        assert b"secret" not in said(bob, door, body, **{"Idempotency-Key": task})
    for method in ("tasks/get", "tasks/cancel", "tasks/update", "tasks/result", "resources/read"):
        for ids in ({"taskId": task}, {"taskId": session}, {"uri": f"persai://session/{session}"}):
            params = {**ids, "_meta": question("/mcp", "")["params"]["_meta"]}
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            answer = said(bob, "/mcp", body, **{"Mcp-Method": method, "Mcp-Name": next(iter(ids.values()))})
            assert b"secret" not in answer and b"alice" not in answer and b'"error"' in answer, (method, answer)
    assert Tasks(alice).get(task)["status"] == told["status"] == "working"
    gate.open()
    assert Tasks(alice).until(task, "completed")["result"]["content"][0]["text"] == "my secret."
    assert [m["content"] for m in alice.messages(session)] == ["private matters", "my secret."]


def tools(stream: Stream) -> list[str]:
    """What each call came to."""
    return [json.loads(response["content"])["kind"] for _, response in stream.log.tools()]


def test_a_worker_without_descriptors_amid_a_turn(bare: Stack) -> None:
    """It can open nothing: calls for which it has no connection say so, what has one goes on, and with descriptors all is as
    before."""
    stack = bare.start()
    gate, other = Gate(), Gate()
    stack.model.when("look", ["I look. ", gate, *[Call("execute_instant_query", {"query": f"up + {n}"}) for n in range(12)]],
                     ["Seen."])
    stack.model.when("talk", ["So ", other, "it goes."])
    alice, bob, process = stack.client("alice"), stack.client("bob"), stack.worker.process
    looks = alice.turn(alice.session(), "look")
    gate.wait()
    talks = bob.turn(bob.session(), "talk")
    other.wait()
    before = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (process.descriptors(), before[1]))
    gate.open()
    last = looks.finish(100).final()
    assert len(tools(looks)) == 12 and "error" in tools(looks), "it had descriptors"
    assert last["event_type"] in ("turn_complete", "error"), last  # its model's connection may be there still
    other.open()
    assert talks.finish().answer() == "So it goes."
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, before)
    until(lambda: metric(stack.worker.url, "turns_running") == 0, "its port to be heard again", 30)
    gate.open()
    again = alice.turn(alice.session(), "look")
    assert again.finish().answer() == "Seen." and "error" not in tools(again)
    assert stack.worker.process is process and process.running()
