"""Administrators of Perses, and what they do without a restart: turns, doors, models and tools are switched off with a sentence
that people see, by the file, the command and the API, and turns that run are ended."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from fakes.model import Call, Gate
from harness.client import DATASOURCE, Client, Response
from harness.keys import Keys
from harness.services import ADMIN
from harness.stack import Stack, program
from harness.wait import until

SORRY = "We move house until noon."


def put(stack: Stack, name: str, off: bool = True, user: str = ADMIN, **more: object) -> dict:
    body = {"name": name, "off": off} | ({"sentence": SORRY} if off else {}) | more
    answer = stack.client(user).request("PUT", "/admin/switches", body)
    assert answer.status == 200, answer.body
    return answer.json()


def ask(client: Client) -> Response:
    return client.post(f"/session/{client.session()}/turn?datasource_path={DATASOURCE}", {"message": "hi"})


def tools(stack: Stack) -> set[str]:
    return {t["name"] for t in stack.client().get("/tools").json()}


def test_only_administrators_of_perses_may(stack: Stack) -> None:
    alice, admin = stack.client("alice"), stack.client(ADMIN)
    assert alice.get("/admin").json() == {"administrator": False}
    assert admin.get("/admin").json() == {"administrator": True}
    session = alice.session()
    turn = alice.ask(session, "hello").final()["turn"]["turn_id"]
    for who in ("alice", "carol", "mallory"):
        client = stack.client(who)
        for method, path, body in (("GET", "/admin/turns", None), ("GET", "/admin/switches", None),
                                   ("PUT", "/admin/switches", {"name": "turns", "off": True, "sentence": "x"}),
                                   ("POST", f"/admin/session/{session}/turn/{turn}/cancel", None)):
            answer = client.request(method, path, body)
            assert answer.status == 403 and answer.code == "not_administrator", (who, path, answer.body)
    assert admin.get("/admin/switches").json()["switches"] == []


def test_wrong_switches_are_refused(stack: Stack) -> None:
    admin = stack.client(ADMIN)
    for body in ({}, {"name": "turns"}, {"name": "turns", "off": "yes"}, {"name": "turns", "off": True},
                 {"name": "turns", "off": True, "sentence": " "}, {"name": "turns", "off": True, "sentence": "a\nb"},
                 {"name": "turns", "off": True, "sentence": "x" * 501}, {"name": "door:cellar", "off": True, "sentence": "x"},
                 {"name": "door:", "off": True, "sentence": "x"}, {"name": "tool:", "off": False}, {"name": "all", "off": False},
                 {"name": "tool:" + "x" * 400, "off": True, "sentence": "x"}):
        answer = admin.request("PUT", "/admin/switches", body)
        assert answer.code in ("invalid", "too_large"), (body, answer.status, answer.body)
    assert admin.get("/admin/switches").json()["switches"] == []


@pytest.mark.core
def test_all_turns_are_off_at_each_gateway_and_on_again(bare: Stack) -> None:
    stack = bare.start(gateways=2)
    alice, other = stack.client(), stack.client(gateway=1)
    session = alice.session()
    gate = Gate()
    stack.model.when("long", ["a ", gate, "b"])
    running = alice.turn(session, "long")
    running.wait_text("a ")
    listed = put(stack, "turns")
    row, = listed["switches"]
    assert row["by"] == ADMIN and row["from"] == "store" and row["sentence"] == SORRY
    refused = ask(alice)
    assert refused.status == 503 and refused.code == "switched_off"
    assert refused.json()["detail"]["response"] == SORRY
    until(lambda: ask(other).code == "switched_off", "the other gateway to hear of it")
    gate.open()
    assert running.finish().answer() == "a b"  # what runs goes on
    assert put(stack, "turns", off=False)["switches"] == []
    assert alice.ask(session, "hello").final()["event_type"] == "turn_complete"


def test_a_tool_that_is_off_is_not_offered_and_does_not_run(stack: Stack) -> None:
    alice = stack.client()
    put(stack, "tool:list_datasources")
    until(lambda: "list_datasources" not in tools(stack), "the tool to be gone")
    stack.model.when("which", [Call("list_datasources", {})], ["As it is."])
    log = alice.ask(alice.session(), "which are there?")
    assert log.answer().startswith("As it is.")
    assert [r["tool_name"] for _, r in log.tools() if SORRY in r["content"]] == ["list_datasources"]
    for request in stack.model.chats("which"):
        assert "list_datasources" not in {t["function"]["name"] for t in request.get("tools", [])}
    put(stack, "tool:list_datasources", off=False)
    until(lambda: "list_datasources" in tools(stack), "the tool to be back")


def test_a_model_that_is_off_says_so(stack: Stack) -> None:
    alice = stack.client()
    name = alice.get("/models").json()[0]["name"]
    put(stack, f"model:{name}")
    assert alice.get("/models").json()[0]["off"] == SORRY

    def ends() -> dict:
        return alice.ask(alice.session(), "hello").final()
    event = until(lambda: (e := ends())["event_type"] == "error" and e, "the worker to hear of it")
    assert event["code"] == "switched_off" and event["message"] == SORRY
    put(stack, f"model:{name}", off=False)
    until(lambda: ends()["event_type"] == "turn_complete", "the model to be on")


def test_a_door_is_shut_and_administrators_still_come_in(bare: Stack, tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    keys.make("robot", doors=["openai", "mcp"])
    stack = bare.start(gateway_env=keys.env())
    alice = stack.client()
    chat = {"model": "persai", "messages": [{"role": "user", "content": "x"}]}
    for door, path, body in (("openai", "/v1/chat/completions", chat),
                             ("mcp", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"}), ("agui", "/agui", {}),
                             ("api", "/session", {})):
        put(stack, f"door:{door}")
        answer = alice.post(path, body)
        assert answer.status == 503 and SORRY in answer.body.decode(), (door, answer.body)
    assert stack.client(ADMIN).get("/admin").json() == {"administrator": True}
    assert alice.get("/healthz").status == 200
    for door in ("openai", "mcp", "agui", "api"):
        put(stack, f"door:{door}", off=False)
    assert alice.post("/session", {}).status == 201


def test_the_file_is_read_at_start_and_on_a_signal(bare: Stack, tmp_path: Path) -> None:
    file = tmp_path / "switches.json"
    file.write_text(json.dumps({"tool:list_datasources": SORRY}))
    env = {"PERSAI_SWITCHES": str(file)}
    stack = bare.start(gateway_env=env, worker_env=env)
    assert "list_datasources" not in tools(stack)
    file.write_text('{\n"turns": "closed",\n"door:nowhere": "x"}')
    for process in stack.processes():
        if "redis" not in process.name:
            process.signal(signal.SIGHUP)
            until(lambda p=process: "switches=as_before" in p.log.read_text(), "it to be refused")
            assert "line 3: a switch is turns" in process.log.read_text()
    assert stack.client(ADMIN).get("/admin/switches").json()["switches"][0]["from"] == "file"
    file.write_text('{"turns": "closed for today"}')
    stack.gateway.process.signal(signal.SIGHUP)
    client = stack.client()
    answer = until(lambda: (a := ask(client)).code == "switched_off" and a, "the file to be read")
    assert answer.json()["detail"]["response"] == "closed for today"
    file.write_text("{")
    checked = subprocess.run([program("gateway"), "--check-config"], capture_output=True, text=True, env=env, timeout=30)
    assert checked.returncode == 1 and "PERSAI_SWITCHES" in checked.stdout


def test_an_operator_switches_by_the_command(stack: Stack) -> None:
    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program("gateway"), "--switch", *args], capture_output=True, text=True, timeout=60,
                              env={"PERSAI_REDIS": stack.redis.url, "PATH": "/usr/bin:/bin"})
    done = run("turns", SORRY)
    assert done.returncode == 0 and f"turns: {SORRY}" in done.stdout
    alice = stack.client()
    until(lambda: ask(alice).code == "switched_off", "the gateway to hear of it")
    assert stack.client(ADMIN).get("/admin/switches").json()["switches"][0]["by"] == "operator"
    assert run("turns", "").returncode == 1 and f"turns: {SORRY}" in run("model:x", "ON").stdout  # a variable was unset
    assert run("turns", "On").returncode == 0
    until(lambda: alice.ask(alice.session(), "hello").final()["event_type"] == "turn_complete", "it to be on again")
    for wrong in (("cellar", SORRY), ("turns", " "), ("door:x", SORRY), ("turns", "a\nb")):
        assert run(*wrong).returncode == 1, wrong


def test_an_administrator_sees_what_runs_and_ends_it(stack: Stack) -> None:
    alice, admin = stack.client("alice"), stack.client(ADMIN)
    gate = Gate()
    stack.model.when("secret plan", ["a ", gate, *["more "] * 50])
    session = alice.session(title="of hers")
    stream = alice.turn(session, "secret plan")
    stream.wait_text("a ")
    answer = admin.get("/admin/turns")
    row, = answer.json()["turns"]
    assert row["user"] == "alice" and row["session_id"] == session and row["state"] == "running"
    assert b"secret" not in answer.body and b"of hers" not in answer.body
    assert admin.get(f"/session/{session}").status == 404  # hers it stays
    path = f"/admin/session/{session}/turn/{row['turn_id']}/cancel"
    assert admin.post(path).status == 202
    assert stream.finish().final()["event_type"] == "turn_cancelled"
    gate.open()
    until(lambda: admin.get("/admin/turns").json()["turns"] == [], "it to be over")
    assert admin.post(path).status == 202
    assert admin.post(f"/admin/session/{'0' * 32}/turn/{row['turn_id']}/cancel").code == "turn_not_found"


def test_administrators_see_what_people_used(stack: Stack) -> None:
    alice, bob, admin = stack.client("alice"), stack.client("bob"), stack.client(ADMIN)
    assert admin.get("/admin/usage").json() == {"days": 7, "rows": []}
    session = alice.session()
    alice.ask(session, "hello")
    alice.ask(session, "hello again")
    bob.ask(bob.session(), "hello")
    answer = alice.messages(session)[-1]["message_id"]
    for said, good, bad in ((1, 1, 0), (1, 1, 0), (-1, 0, 1)):
        path = f"/session/{session}/message/{answer}/feedback"
        assert alice.request("PUT", path, {"sentiment": said}).status == 200

        def sums() -> list[tuple]:
            rows = admin.get("/admin/usage?days=2").json()["rows"]
            return sorted((r["user"], r["turns"], r["errors"], r["good"], r["bad"]) for r in rows)
        until(lambda g=good, b=bad: sums() == [("alice", 2, 0, g, b), ("bob", 1, 0, 0, 0)], f"what was used: {sums()}")
    row = next(r for r in admin.get("/admin/usage").json()["rows"] if r["user"] == "alice")
    assert row["input_tokens"] > 0 and row["output_tokens"] > 0 and row["model"] == alice.get("/models").json()[0]["name"]
    for wrong in ("0", "36", "x", "-1", ""):
        assert admin.get(f"/admin/usage?days={wrong}").code == "invalid", wrong
    assert alice.get("/admin/usage").code == "not_administrator"
