"""The audit: one JSON line for each act, whichever door it came by; never a token or an answer."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from fakes.model import Attempts, Call, Gate
from harness.alerts import SERVICE, TOKEN, firing, notify
from harness.approvals import Dashboard, Waiting, saves
from harness import spec
from harness.client import DATASOURCE, Client
from harness.mcp_tasks import Tasks
from harness.stack import MODEL_KEY, Stack, metric, program
from harness.wait import until

QUERY = "room_temperature_celsius"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def audited(stack: Stack, **env: str) -> Path:
    path = stack.folder / "audit.jsonl"
    both = {"PERSAI_AUDIT": str(path), **env}
    stack.start(gateway_env={**SERVICE, **both}, worker_env=both)
    return path


def acts(path: Path, act: str) -> list[dict]:
    return [line for line in lines(path) if line["act"] == act]


@pytest.mark.core
def test_each_act_is_a_line(bare: Stack) -> None:
    path = audited(bare, PERSAI_AUDIT_ARGUMENTS="true")
    stack, alice = bare, bare.client()
    stack.model.when("how warm", [Call("execute_instant_query", {"query": QUERY})], ["CANARY-ANSWER"])
    session = alice.session(title="CANARY-TITLE")
    turn = alice.start(session, "how warm is CANARY-QUESTION?")
    alice.follow(session, turn)
    for method, way in (("GET", ""), ("GET", "/export"), ("POST", "/share"), ("DELETE", "/share"), ("DELETE", "")):
        assert alice.request(method, f"/session/{session}{way}").status in (200, 201)
    assert stack.client("bob").get(f"/session/{session}").status == 404
    assert Client(stack.gateway.url, bearer="a.b.c").get("/sessions").status == 401

    end = until(lambda: acts(path, "turn_end"), "the turn's end")[0]
    assert end["user"] == "alice" and end["account"].startswith("alice:") and end["outcome"] == "done"
    assert (end["session_id"], end["turn_id"]) == (session, turn) and end["model"] and end["input_tokens"] >= 0
    tool, = acts(path, "tool")
    assert tool["tool"] == "execute_instant_query" and tool["datasource"] == DATASOURCE and tool["outcome"] == "ok"
    assert json.loads(tool["arguments"]) == {"query": QUERY} and len(tool["arguments_hash"]) == 32
    asked, = acts(path, "turns_post")
    assert asked["door"] == "api" and asked["user"] == "alice" and asked["status"] == 202 and asked["outcome"] == "ok"
    assert asked["turn_id"] == turn and asked["datasource"] == DATASOURCE and asked["key"] == ""
    said = [(line["act"], line["user"], line["outcome"]) for line in lines(path)]
    for one in (("sessions_post", "alice", "ok"), ("turns_events", "alice", "ok"), ("sessions_export", "alice", "ok"),
                ("share_post", "alice", "ok"), ("share_delete", "alice", "ok"), ("sessions_delete", "alice", "ok"),
                ("sessions_get", "bob", "session_not_found"), ("sessions_list", "", "unauthenticated")):
        assert one in said, one
    text = path.read_text()
    cookies = alice.cookies.values()
    assert not any(word in text for word in ("CANARY", MODEL_KEY, TOKEN, "a.b.c", *cookies))
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_door_writes_its_name(bare: Stack) -> None:
    path = audited(bare)
    alice = bare.client(bearer=True)
    bare.model.when("RoomHot", ["Hot."])
    bare.model.when("hello", ["Hi."])
    hello = {"model": "persai", "messages": [{"role": "user", "content": "hello"}]}
    assert alice.post("/v1/chat/completions", hello).status == 200
    alice.stream("POST", "/agui", {"threadId": "t", "runId": "r", "messages": [
        {"id": "1", "role": "user", "content": "hello"}], "tools": [], "context": []}).close()
    alice.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "ping"})
    begun, = notify(bare, firing("RoomHot"))
    doors = {line["act"]: (line["door"], line["user"]) for line in lines(path) if line["program"] == "gateway"}
    assert doors["openai_chat"] == ("openai", "alice") and doors["agui_run"] == ("agui", "alice")
    assert doors["mcp_post"] == ("mcp", "alice") and doors["webhook_alertmanager"] == ("webhook", "")
    alert, = acts(path, "alert")
    assert alert["user"] == "robot" and alert["turn_id"] == begun["turn_id"] and alert["door"] == "webhook"
    # Nothing but its hash is said of arguments unless it is asked for.
    assert not any("arguments" in line for line in acts(path, "tool"))


def test_nothing_from_outside_begins_a_line(bare: Stack) -> None:
    path = audited(bare, PERSAI_AUDIT_ARGUMENTS="true")
    alice = bare.client()
    evil = '"}\n{"act":"forged","user":"admin"}\n\u2028\x00'
    bare.model.when("go", [Call('execute_instant_query', {"query": evil})], [Call("no_such\n{}", {})], ["Done."])
    session = alice.session()
    alice.ask(session, "go", datasource="/proxy/globaldatasources/prometheus")
    alice.request("POST", f"/session/{session}/turn?datasource_path=%0A%7B%22act%22%3A%22forged%22%7D", {"message": "x"})
    until(lambda: acts(path, "turn_end"), "the end")
    assert not acts(path, "forged") and {line["program"] for line in lines(path)} == {"gateway", "worker"}


def test_it_is_opened_anew_and_a_full_disk_stops_nothing(bare: Stack) -> None:
    path = audited(bare)
    alice = bare.client()
    alice.session()
    path.rename(old := path.with_suffix(".1"))
    alice.session()
    assert len(acts(old, "sessions_post")) == 2
    os.kill(bare.gateway.process.pid, signal.SIGHUP)
    until(lambda: path.exists(), "the new file")
    alice.session()
    assert len(acts(path, "sessions_post")) == 1
    # No room: what is done goes on, and is counted.
    path.unlink()
    path.symlink_to("/dev/full")
    os.kill(bare.gateway.process.pid, signal.SIGHUP)
    until(lambda: alice.session() and metric(bare.gateway.url, "persai_audit_lost_total") > 0, "lines to be lost")


def test_nobody_fills_the_disk_by_being_refused(bare: Stack, board: Dashboard) -> None:
    """2,000 requests without a sign-in were 578 KB in 0.3 s. Who is refused has some lines; what was done has each its own."""
    path = audited(bare)
    stack, alice = bare, bare.client()
    saves(stack, board.call())
    carol = Waiting(stack.client("carol"))
    before, earlier = path.stat().st_size, len(lines(path))
    wrong = "/session/" + "0" * 32 + "/turn?datasource_path=/proxy/" + "x" * 400
    refused: list[tuple[dict[str, str], str, dict | None]] = [
        ({}, wrong, {}), (alice.headers(), wrong, {}), (alice.headers(), "/mcp", None),
        (carol.client.headers(), carol.path, {"decisions": [{"call_id": f"c{n}", "approve": True} for n in range(60)]})]
    for headers, target, body in refused:
        connection = Client(stack.gateway.url).connect()
        for _ in range(300):
            connection.request("POST", target, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json", **headers})
            answer = connection.getresponse()
            answer.read()
            assert answer.status >= 400
        connection.close()
    written = lines(path)
    assert path.stat().st_size - before < 3 * 130 * 900, path.stat().st_size - before
    assert 100 <= len([line for line in written if line["outcome"] == "unauthenticated"]) < 160
    for _ in range(120):  # and who is refused so is not left out with what is done
        assert alice.get("/sessions").status == 200
    done = [line for line in lines(path)[len(written):] if line["act"] == "sessions_list"]
    assert len(done) == 120 and sum("left_out" in line for line in done) <= 1
    hers = [line for line in lines(path)[earlier:] if line["account"].startswith("alice:")]
    few = [line for line in hers if line["act"] != "sessions_list"]  # a slow machine has a line more each second
    assert 100 <= len(few) < 300 and len(few) + sum(line.get("left_out", 0) for line in hers) == 600
    assert carol.decide().status == 202
    assert {"approved"} == {line["decision"] for line in acts(path, "decision")[-1:]} and carol.rest().answer() == "Saved."


def test_strict_begins_nothing_that_is_not_written(bare: Stack) -> None:
    path = audited(bare, PERSAI_AUDIT_STRICT="true")
    alice = bare.client()
    alice.session()
    path.unlink()
    path.symlink_to("/dev/full")
    os.kill(bare.gateway.process.pid, signal.SIGHUP)
    until(lambda: alice.post("/session", {}).status == 503, "what can't be written to be refused")
    answer = alice.post("/session", {})
    assert answer.code == "audit_unavailable" and answer.headers["Retry-After"]
    assert Client(bare.gateway.url).get("/healthz").status == 200
    path.unlink()
    os.kill(bare.gateway.process.pid, signal.SIGHUP)
    until(lambda: alice.post("/session", {}).status == 201, "it to go on")
    # What can't be opened when it is opened anew is known before the first line is lost.
    before = len(acts(path, "sessions_post"))
    path.rename(old := path.with_suffix(".1"))
    path.mkdir()
    os.kill(bare.gateway.process.pid, signal.SIGHUP)
    until(lambda: b"event=audit.open" in bare.gateway.process.log_bytes(), "it to be said")
    assert alice.post("/session", {}).code == "audit_unavailable" and len(acts(old, "sessions_post")) == before


def test_a_place_that_is_none_is_an_error_at_start(bare: Stack) -> None:
    for name in ("gateway", "worker"):
        answer = subprocess.run([program(name)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                                env={"PERSAI_AUDIT": "/nowhere/at/all", "OPENAI_API_KEY": "x", "PATH": "/usr/bin:/bin"})
        assert answer.returncode == 1 and "/nowhere/at/all: No such file" in answer.stderr, answer.stderr


def test_a_decision_names_its_door(bare: Stack, board: Dashboard) -> None:
    path = audited(bare)
    saves(bare, board.call())
    tasks = Tasks(bare.client("carol", bearer=True))
    task = tasks.ask("save it")
    key, = tasks.until(task, "input_required")["inputRequests"]
    tasks.update(task, {key: {"action": "decline"}})
    tasks.until(task, "completed")
    assert Waiting(bare.client("carol")).decide(False).status == 202
    until(lambda: len(acts(path, "decision")) == 2, "both decisions to be audited")
    assert [(line["door"], line["decision"]) for line in acts(path, "decision")] == [("mcp", "refused"), ("api", "refused")]


def test_no_route_and_no_tool_is_without_a_line(bare: Stack) -> None:
    path = audited(bare)
    stack, alice = bare, bare.client()
    nobody = {"session": "0" * 32, "turn": "0" * 32, "message": "1", "share": "0" * 64, "model_id": "none"}
    wanted = set()
    for way, operations in spec.document()["paths"].items():
        for method, operation in operations.items():
            if not operation["security"]:
                continue
            wanted.add(operation["operationId"])
            bearer = {"Authorization": f"Bearer {TOKEN}"} if "webhook" in way else {}
            body = None if method == "get" else {}
            alice.request(method.upper(), way.format(**nobody), body, headers=bearer)
    assert len(wanted) > 25 and wanted <= {line["act"] for line in lines(path)}, wanted - {line["act"] for line in lines(path)}

    names = sorted(tool["name"] for tool in alice.get("/tools").json())
    for name in names:
        stack.model.when(f"call {name} now", [Call(name, {"no_such_argument": 1})], ["Done."])
        alice.ask(alice.session(), f"call {name} now")
    until(lambda: {line["tool"] for line in acts(path, "tool")} >= set(names), "a line for each tool")


def test_what_an_operator_does_by_a_command_is_a_line(bare: Stack) -> None:
    path = audited(bare)
    stack, alice = bare, bare.client()
    session = alice.session(title="Rooms")
    stack.client("bob").session()

    def run(*args: str, audit: Path | str = path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program("gateway"), *args], capture_output=True, text=True, timeout=60, env={
            "PERSAI_REDIS": stack.redis.url, "PATH": "/usr/bin:/bin", "PERSAI_AUDIT": str(audit), **env})

    nowhere = stack.folder / "none.jsonl"
    refused = run("--erase-user", "alice", audit=nowhere, PERSAI_AUDIT_STRICT="true")
    assert refused.returncode == 1 and "PERSAI_AUDIT" in refused.stderr
    assert alice.get(f"/session/{session}").status == 200
    assert run("--export-feedback", audit=nowhere).stdout == "[]\n" and not nowhere.exists()
    shown = run("--export-user", "alice", audit="-")
    assert json.loads(shown.stdout)["user"] == "alice" and '"act":"export_user"' in shown.stderr

    assert run("--switch", "model:x", "closed").returncode == run("--export-user", "alice").returncode == 0
    assert run("--hand-over", "alice", "bob").returncode == run("--export-feedback").returncode == 0
    assert run("--hand-over", "nobody", "bob").returncode == 1 and run("--erase-user", "bob").returncode == 0
    found = [(line["act"], line["subject"], line["to"], line["outcome"]) for line in lines(path) if line.get("door") == "command"]
    both = [("switch", "model:x", "closed", "ok"), ("export_user", "alice", "", "ok"), ("hand_over", "alice", "bob", "ok"),
            ("export_feedback", "", "", "ok"), ("hand_over", "nobody", "bob", "failed"), ("erase_user", "bob", "", "ok")]
    assert found == [one for line in both for one in ((*line[:3], "begun"), line)]
    assert all(line["uid"] == os.getuid() for line in lines(path) if line.get("door") == "command")


def test_a_turn_that_no_worker_ends_has_its_line_and_its_count(bare: Stack) -> None:
    path = audited(bare)
    stack, alice, gates = bare, bare.client(), [Gate() for _ in range(3)]
    stack.model.when("poison", Attempts(*[["x", gate] for gate in gates]))
    session = alice.session()
    turn = alice.start(session, "poison")
    stream = alice.events(session, turn)
    for gate in gates:
        gate.wait(60)
        stack.workers[-1].process.kill()
        stack.add_worker()
    assert stream.finish(90).final()["code"] == "worker_lost"
    line = until(lambda: acts(path, "turn_end"), "its line")[0]
    assert (line["user"], line["turn_id"], line["outcome"], line["error"]) == ("alice", turn, "failed", "worker_lost")
    assert line["program"] == "gateway" and line["session_id"] == session
    assert metric(stack.gateway.url, "turns_given_up") == 1
