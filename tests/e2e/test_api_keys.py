"""Keys for programs: as whom they act, what they open, and how they are cut off."""

import json
import re
import signal
import subprocess

import pytest

from fakes.model import Gate
from harness.client import DATASOURCE, Client
from harness.keys import Keys
from harness.stack import Stack, metrics, program
from harness.wait import until
from harness.alerts import PATH, notification


@pytest.fixture
def keys(bare: Stack) -> Keys:
    return Keys(bare.folder)


def hang_up(stack: Stack, wanted: str, gateway: int = 0) -> None:
    process = stack.gateways[gateway].process
    before = process.log.read_text().count("event=gateway.hangup")
    process.signal(signal.SIGHUP)
    until(lambda: process.log.read_text().count("event=gateway.hangup") > before, "the signal to be heard")
    line = [line for line in process.log.read_text().splitlines() if "event=gateway.hangup" in line][-1]
    assert wanted in line, line


def test_a_program_acts_as_its_user(bare: Stack, keys: Keys) -> None:
    key = keys.make("ci", datasource=DATASOURCE)
    stack = bare.start(gateway_env=keys.env())
    program_ = Client(stack.gateway.url, bearer=key)
    stack.model.when("Is it up?", ["Yes."])
    session = program_.session()
    assert program_.ask(session, "Is it up?").answer() == "Yes."
    assert stack.client("robot").messages(session)[0]["content"] == "Is it up?"
    assert stack.client("alice").get(f"/session/{session}").status == 404
    assert metrics(stack.gateway.url)['persai_api_key_requests_total{key="ci"}'] == 2
    # Neither key nor password is in a log.
    logs = stack.gateway.process.log.read_text()
    assert key not in logs and "signed_in" in logs


def test_a_wrong_key_and_a_closed_door(bare: Stack, keys: Keys) -> None:
    mcp_only = keys.make("mcp-only", doors=["mcp"])
    few = keys.make("few", requests_per_minute=2)
    stack = bare.start(gateway_env=keys.env())
    for wrong in ("pk-" + "A" * 43, few[:-1], few + "x", "pk-"):
        answer = Client(stack.gateway.url, bearer=wrong).get("/sessions")
        assert (answer.status, answer.code) == (401, "unauthenticated")
    answer = Client(stack.gateway.url, bearer=mcp_only).get("/sessions")
    assert (answer.status, answer.code) == (403, "forbidden")
    program_ = Client(stack.gateway.url, bearer=few)
    answers = [program_.get("/sessions") for _ in range(3)]
    assert [a.status for a in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 31
    # A person beside it is not kept.
    assert stack.client("alice").get("/sessions").status == 200


def test_a_user_that_cannot_sign_in(bare: Stack, keys: Keys) -> None:
    key = keys.make("ci", user="robot")
    (bare.folder / "robot.password").write_text("wrong")
    stack = bare.start(gateway_env=keys.env())
    answer = Client(stack.gateway.url, bearer=key).get("/sessions")
    assert (answer.status, answer.code) == (503, "perses_unavailable")
    assert "event=service.sign_in" in stack.gateway.process.log.read_text()


def test_the_file_is_read_again(bare: Stack, keys: Keys) -> None:
    old = keys.make("old")
    stack = bare.start(gateway_env=keys.env())
    assert Client(stack.gateway.url, bearer=old).get("/sessions").status == 200
    new = keys.make("new")
    assert Client(stack.gateway.url, bearer=new).get("/sessions").status == 401
    hang_up(stack, "keys=read")
    assert Client(stack.gateway.url, bearer=new).get("/sessions").status == 200
    # A fault leaves the whole file out, and says where it is.
    keys.path.write_text(keys.path.read_text().replace('"name": "new"', '"nome": "new"'))
    hang_up(stack, "keys=as_before")
    assert re.search(r"event=gateway.hangup .*line 1\d: it has a field that no row has", stack.gateway.process.log.read_text())
    for key in (old, new):
        assert Client(stack.gateway.url, bearer=key).get("/sessions").status == 200
    keys.drop("old")
    hang_up(stack, "keys=read")
    assert Client(stack.gateway.url, bearer=old).get("/sessions").status == 401
    assert Client(stack.gateway.url, bearer=new).get("/sessions").status == 200


def test_a_revoked_key_is_cut_off_at_once(bare: Stack, keys: Keys) -> None:
    key, other = keys.make("gone"), keys.make("stays")
    stack = bare.start(gateway_env=keys.env())
    gate = Gate()
    stack.model.when("Slowly", ["One ", gate, "two."])
    streams = []
    for bearer in (key, other):
        client = Client(stack.gateway.url, bearer=bearer)
        streams.append(client.turn(client.session(), "Slowly"))
        streams[-1].wait_text("One")
    keys.drop("gone")
    hang_up(stack, "keys=read")
    assert streams[0].ended.wait(10)
    assert not streams[0].log[-1].final
    gate.open()
    assert streams[1].finish().answer() == "One two."


def test_the_webhook_by_a_key(bare: Stack, keys: Keys) -> None:
    key = keys.make("alertmanager", doors=["webhook"])
    stack = bare.start(gateway_env=keys.env())
    stack.model.when("Investigate the alert", ["Hot."])
    alert = {"status": "firing", "labels": {"alertname": "RoomHot"}, "annotations": {},
             "startsAt": "2026-11-25T10:00:00Z"}
    answer = Client(stack.gateway.url, bearer=key).post(PATH, notification(alert))
    assert answer.status == 202, answer.body
    begun, = answer.json()["investigations"]
    assert stack.client("robot").events(begun["session_id"], begun["turn_id"]).finish().answer() == "Hot."
    assert Client(stack.gateway.url, bearer=key).get("/sessions").status == 403


@pytest.mark.parametrize("text, said", [
    ("[{", "line 1"), ('[\n{"name": "a"}]', "line 2: sha256"), (None, "No such file")])
def test_a_gateway_does_not_start_with_a_broken_file(bare: Stack, keys: Keys, text: str | None, said: str) -> None:
    keys.path.unlink()
    if text:
        keys.path.write_text(text)
    env = {"PATH": "/usr/bin:/bin", **keys.env()}
    ended = subprocess.run([program("gateway")], env=env, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1 and "PERSAI_API_KEYS: " in ended.stderr and said in ended.stderr, ended.stderr


def test_check_looks_at_the_keys(bare: Stack, keys: Keys) -> None:
    keys.make("ci")
    env = {"PATH": "/usr/bin:/bin", **keys.env()}
    ended = subprocess.run([program("gateway"), "--check"], env=env, capture_output=True, text=True, timeout=60)
    assert "PERSAI_API_KEYS can be read: 1 keys" in ended.stdout, ended.stdout
    keys.path.write_text(json.dumps([{**keys.rows[0], "password_file": "/nowhere"}]))
    ended = subprocess.run([program("gateway"), "--check"], env=env, capture_output=True, text=True, timeout=60)
    assert "the password_file of ci can't be read" in ended.stdout, ended.stdout
