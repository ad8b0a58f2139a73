"""/openapi.json: valid, whole, and true of what is answered. (harness/spec.py asks it of each answer of each test.)"""

import copy
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from fakes.model import Call
from harness import spec
from harness.client import DATASOURCE, Client
from harness.stack import Stack
from harness.alerts import SERVICE, TOKEN

TOOLS = Path(sys.executable).parent  # of the tests' virtual environment


@pytest.mark.core
def test_openapi_is_valid_and_names_every_row(stack: Stack) -> None:
    document = Client(stack.gateway.url).get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()
    rows = {(method.upper(), path) for path, item in document["paths"].items() for method in item
            if method in ("get", "post", "patch", "delete")}
    shapes = {(m, "/".join("{}" if part.startswith("{") else part for part in p.split("/"))) for m, p in rows}
    assert shapes >= {
        ("POST", "/session"), ("GET", "/sessions"), ("DELETE", "/session/{}"), ("POST", "/session/{}/turn"),
        ("GET", "/session/{}"), ("PATCH", "/session/{}"), ("POST", "/session/{}/fork"),
        ("PATCH", "/session/{}/message/{}"), ("DELETE", "/session/{}/message/{}"),
        ("GET", "/session/{}/turn/{}/events"), ("POST", "/session/{}/turn/{}/cancel"),
        ("POST", "/session/{}/turn/{}/resume"), ("GET", "/models"), ("GET", "/tools"), ("GET", "/healthz"),
        ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/openapi.json")}


def test_what_is_printed_is_what_is_answered(stack: Stack) -> None:
    assert Client(stack.gateway.url).get("/openapi.json").json() == spec.document()


def test_each_body_has_an_example_that_fits() -> None:
    document = spec.document()
    bodies = [operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]
              for item in document["paths"].values() for operation in item.values() if "requestBody" in operation]
    assert len(bodies) > 9
    for name in bodies:
        examples = document["components"]["schemas"][name].get("examples")
        assert examples, name
        for example in examples:
            Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"}).validate(example)


def test_the_check_of_each_answer_sees_a_fault() -> None:
    """Of harness/spec.py itself."""
    good = {"session_id": "0" * 32, "session_name": "", "title": "", "started_at": "2026-01-01T00:00:00Z", "model": "",
            "updated_at": "2026-01-01T00:00:00Z", "turns": 0}
    spec.check("SessionHead", good)
    for bad in ({**good, "more": 1}, {**good, "turns": "0"}, {**good, "started_at": "yesterday"}, {"title": ""}):
        with pytest.raises(spec.NotAsDescribed):
            spec.check("SessionHead", bad)
    spec.check_event({"event_type": "turn_cancelled", "turn_id": "0" * 32})
    smell = {"step_type": "inference", "step_id": "1", "delta": {"type": "smell", "text": ""}}
    for event in ({"event_type": "turn_cancelled"}, {"event_type": "turn_paused"}, {"event_type": "step_progress", **smell},
                  {"event_type": "error", "code": "x", "message": ""}):
        with pytest.raises(spec.NotAsDescribed):
            spec.check_event(event)
    ours = {"PersAI-API": "1", "Content-Type": "application/json"}
    done = b'{"response": "ok"}'
    spec.check_answer("DELETE", "/session/x", 200, ours, done)
    page, running = {**ours, "Content-Type": "text/html"}, b'{"detail": {"response": "x", "code": "turn_running"}}'
    for method, status, headers, body in (("DELETE", 204, ours, b""), ("DELETE", 200, page, done), ("DELETE", 200, ours, b"{}"),
                                          ("PUT", 405, ours, b"{}"), ("DELETE", 409, ours, running)):
        with pytest.raises(spec.NotAsDescribed):
            spec.check_answer(method, "/session/x", status, headers, body)


# ---- a client that is made of it ----
@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    folder = tmp_path_factory.mktemp("made")
    (folder / "openapi.json").write_text(json.dumps(spec.document()))
    answer = subprocess.run(
        [TOOLS / "openapi-python-client", "generate", "--path", folder / "openapi.json", "--output-path", folder / "persai_made",
         "--meta", "none", "--fail-on-warning"],
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{TOOLS}:{os.environ['PATH']}"})
    assert answer.returncode == 0, answer.stdout + answer.stderr
    sys.path.insert(0, str(folder))
    yield importlib.import_module("persai_made")
    sys.path.remove(str(folder))


def test_a_generated_client_asks_with_all_that_a_person_sees(stack: Stack, made: ModuleType) -> None:
    """The whole context of a turn has a place in it, and goes over the wire."""
    models = importlib.import_module("persai_made.models")
    api = importlib.import_module("persai_made.api.default.turns_post")
    sessions = importlib.import_module("persai_made.api.default.sessions_post")
    listed = importlib.import_module("persai_made.api.default.sessions_list")
    shown = importlib.import_module("persai_made.api.default.sessions_get")
    stack.model.when("made", [Call("list_metrics", {})], ["Well ", "asked."])
    token = stack.client(bearer=True).bearer
    client = made.AuthenticatedClient(base_url=stack.gateway.url, token=token)
    session = sessions.sync(client=client, body=models.NewSession(title="Made")).session_id
    variables = models.TurnContextVariablesType0.from_dict({"namespace": "shop", "pod": ["a", "b"]})
    panel = models.PanelContext(title="Burning CPUs", kind="TimeSeriesChart", unit="percent", queries=["up{x='1'}"])
    context = models.TurnContext(
        time_range=models.TimeRange(start="2026-01-01T00:00:00Z", end=1767229200000), timezone="Europe/Berlin",
        datasources=[DATASOURCE], dashboard=models.DashboardContext(project="shop", name="board"), panels=[panel],
        variables=variables, alert=models.Alert(labels=models.AlertLabels.from_dict({"alertname": "Hot"})))
    begun = api.sync_detailed(session, client=client, datasource_path=DATASOURCE, prefer="respond-async",
                              idempotency_key="made-1", body=models.TurnRequest(message="made well?", context=context))
    assert begun.status_code == 202 and begun.parsed.session_id == session
    alice = stack.client()
    log = alice.events(session, begun.parsed.turn_id).finish()
    assert log.answer() == "Well asked."
    for event in log:
        assert models.Event.from_dict({"event": {"payload": event.payload}}).to_dict() == {"event": {"payload": event.payload}}
    whole = shown.sync(session, client=client)
    assert whole.messages[0].context.to_dict() == context.to_dict()
    assert [m.role.value for m in whole.messages] == ["user", "assistant", "tool", "assistant"]
    assert [s.session_id for s in listed.sync(client=client, limit=5)] == [session]
    asked = json.dumps(stack.model.chats("made well")[0]["messages"])
    for part in ("Burning CPUs", "TimeSeriesChart", "shop", "Europe/Berlin", "Hot"):
        assert part in asked, part
    refused = api.sync_detailed(session, client=client, datasource_path="/proxy/unsaved/x", body=models.TurnRequest(message="x"))
    assert refused.status_code == 400 and refused.parsed.detail.code.value == "bad_datasource_path"


# ---- what schemathesis makes of it ----
# A schema can't say all: bytes of UTF-8, limits of the JSON reader (a NUL in a key, numbers over 64 bits), one decision a call.
SETTINGS = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 503]
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 401, 403, 404, 409, 410, 413, 422, 429, 503]
[generation]
database = "none"
allow-extra-parameters = false
"""
WEBHOOK = """
[[operations]]
include-operation-id = "webhook_alertmanager"
headers = {{ Authorization = "Bearer {}" }}
"""


def schemathesis(stack: Stack, seconds: int, document: dict, settings: str, *args: str) -> None:
    """Requests that the document allows, and such as it does not: no 500, nothing that it does not say."""
    config, described = stack.folder / "schemathesis.toml", stack.folder / "openapi.json"
    config.write_text(SETTINGS + settings)
    described.write_text(json.dumps(document))
    answer = subprocess.run(
        [TOOLS / "schemathesis", "--config-file", config, "run", described, "--url", stack.gateway.url, "--no-color",
         "--max-time", str(seconds), "--continue-on-failure", "--seed", os.environ.get("PERSAI_TEST_SEED", "1"), *args],
        capture_output=True, text=True, timeout=seconds * 3 + 120, stdin=subprocess.DEVNULL, cwd=stack.folder)
    print(answer.stdout[-2000:])
    assert answer.returncode == 0, answer.stdout[-20000:] + answer.stderr


def with_all_there(stack: Stack, seconds: int) -> None:
    """One whose session, turn and message are there: deeper than 404."""
    alice = stack.client(bearer=True)
    session = alice.session()
    turn = alice.ask(session, "hello").of("turn_start")[0]["turn_id"]
    document = copy.deepcopy(spec.document())
    for name, value in (("session", session), ("turn", turn)):
        document["components"]["parameters"][name]["schema"] = {"type": "string", "enum": [value]}
    schemathesis(stack, seconds, document, WEBHOOK.format(TOKEN), "-H", f"Authorization: Bearer {alice.bearer}",
                 "--exclude-operation-id", "sessions_delete")
    assert alice.get(f"/session/{session}").status == 200
    assert alice.ask(alice.session(), "are you well").answer()


def test_schemathesis_of_one_who_has_something(bare: Stack) -> None:
    with_all_there(bare.start(gateway_env=SERVICE), 25)


def test_schemathesis_of_one_who_has_nothing(stack: Stack) -> None:
    schemathesis(stack, 15, spec.document(), "", "-H", f"Authorization: Bearer {stack.client(bearer=True).bearer}")


def test_schemathesis_of_nobody(stack: Stack) -> None:
    schemathesis(stack, 8, spec.document(), "")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_schemathesis_for_long(bare: Stack) -> None:
    with_all_there(bare.start(gateway_env=SERVICE), 660)
