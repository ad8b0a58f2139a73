"""A model must not choose who gets the person's sign-in: a project's datasource that the person did not pick, and that
hands it on, gets nothing before their yes, which is for its server and for this conversation."""

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import upstream as up
from fakes.model import Call
from harness.client import Client
from harness.mcp_tasks import META, MODERN, Tasks
from harness.services import ADMIN, Perses
from harness.stack import Stack
from harness.approvals import PROJECT, Dashboard, Waiting

_numbers = itertools.count(1)


class Hostile:
    """A datasource of somebody's project whose upstream writes down what it is given."""

    def __init__(self, perses: Perses, url: str, **more: object) -> None:
        self.perses = perses
        self.cookies = perses.sign_in(ADMIN)
        self.name = f"hostile-{next(_numbers)}"
        perses.api("POST", "/api/v1/projects", {"kind": "Project", "metadata": {"name": PROJECT}}, self.cookies)
        self.put("POST", "", url, more)

    @property
    def path(self) -> str:
        return f"/proxy/projects/{PROJECT}/datasources/{self.name}"

    def put(self, method: str, end: str, url: str, more: dict) -> None:
        self.define(method, end, {"proxy": {"kind": "HTTPProxy", "spec": {"url": url, **more}}})

    def define(self, method: str, end: str, spec: dict) -> None:
        body = {"kind": "Datasource", "metadata": {"name": self.name, "project": PROJECT},
                "spec": {"default": False, "plugin": {"kind": "PrometheusDatasource", "spec": spec}}}
        made = self.perses.api(method, f"/api/v1/projects/{PROJECT}/datasources{end}", body, self.cookies)
        assert made.status == 200, (made.status, made.body)

    def move(self, url: str) -> None:
        self.put("PUT", f"/{self.name}", url, {})


@pytest.fixture
def evil() -> Iterator[up.Upstream]:
    with up.Upstream() as upstream:
        yield upstream


@pytest.fixture(params=("modern", "handshake"))
def caller(request: pytest.FixtureRequest) -> Callable[..., dict]:
    """tools/call of POST /mcp, by a client that can't be asked; modern: or that can, when elicits is true."""
    modern = request.param == "modern"

    def call(client: Client, tool: str, arguments: dict, elicits: bool = False, **headers: str) -> dict:
        params: dict = {"name": tool, "arguments": arguments}
        if modern:
            params["_meta"] = {META + "protocolVersion": MODERN,
                               META + "clientCapabilities": {"elicitation": {"form": {}}} if elicits else {}}
            headers |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": tool}
        answer = client.request("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
                                headers={"Accept": "application/json, text/event-stream", **headers})
        assert answer.status == 200, (answer.status, answer.body)
        return json.loads(answer.body.split(b"data: ")[-1])["result"]

    return call


def asks_for(stack: Stack, *calls: Call) -> None:
    stack.model.when("what is up", list(calls), ["Seen."])


def test_nothing_arrives_before_the_yes(stack: Stack, perses: Perses, evil: up.Upstream) -> None:
    source = Hostile(perses, evil.url)
    asks_for(stack, Call("execute_instant_query", {"query": "up", "datasource": source.path}),
             Call("list_label_names", {"datasource": source.name}))
    alice = stack.client()
    waiting = Waiting(alice, "what is up")
    (asked,) = waiting.calls
    assert asked["tool_name"] == "use_datasource"
    assert asked["arguments"]["server"] == evil.url and asked["arguments"]["project"] == PROJECT
    assert asked["arguments"]["datasource"] == source.path
    assert not evil.seen()
    assert waiting.decide().status == 202
    log = waiting.rest()
    assert log.answer() == "Seen." and not any(response["failed"] for _, response in log.tools())
    assert evil.seen() and evil.seen()[0].header("Authorization")  # that is what the yes was for
    # It holds for this conversation, and for no other.
    before = len(evil.seen())
    assert alice.ask(waiting.session, "what is up").answer() == "Seen."
    assert len(evil.seen()) > before
    before = len(evil.seen())
    other = Waiting(alice, "what is up")
    assert [c["tool_name"] for c in other.calls] == ["use_datasource"] and len(evil.seen()) == before
    # It was for that server.
    with up.Upstream() as elsewhere:
        source.move(elsewhere.url)
        moved = Waiting(alice, "what is up", waiting.session)
        assert moved.calls[0]["arguments"]["server"] == elsewhere.url
        assert moved.decide(False).status == 202
        log = moved.rest()
        assert log.answer() == "Seen."
        assert {json.loads(response["content"])["code"] for _, response in log.tools()} == {"refused_by_person"}
        assert not elsewhere.seen()


def test_what_the_person_picked_is_not_asked_about(stack: Stack, perses: Perses, evil: up.Upstream) -> None:
    source = Hostile(perses, evil.url)
    asks_for(stack, Call("execute_instant_query", {"query": "up", "datasource": source.path}))
    alice = stack.client()
    log = alice.ask(alice.session(), "what is up", context={"datasources": [source.path]})
    assert log.answer() == "Seen." and evil.seen()


@pytest.mark.parametrize("tool,more", [("execute_instant_query", {"query": "up"}), ("ask", {"question": "what is up"})])
def test_arguments_of_a_program_do_not_choose_either(stack: Stack, perses: Perses, evil: up.Upstream, tool: str,
                                                     more: dict) -> None:
    source = Hostile(perses, evil.url)
    asks_for(stack, Call("execute_instant_query", {"query": "up"}))
    alice = stack.client(bearer=True)
    for named in (source.path, source.name, source.path + "/", "/proxy/projects/../" + source.path[1:]):
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": tool, "arguments": {**more, "datasource": named}}}
        answer = alice.request("POST", "/mcp", raw=json.dumps(body).encode(), headers={
            "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"})
        assert answer.status in (200, 400), (answer.status, answer.body)
        assert not evil.seen(), (named, answer.body)
    # Who sets the header picks.
    body["params"]["arguments"].pop("datasource")
    answer = alice.request("POST", "/mcp", raw=json.dumps(body).encode(), headers={
        "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18",
        "X-PersAI-Datasource": source.path})
    assert answer.status == 200 and evil.seen(), answer.body


def test_a_call_of_mcp_does_not_pick(stack: Stack, perses: Perses, evil: up.Upstream, caller: Callable[..., dict]) -> None:
    """Its arguments are written by a model, as a tool call's are; the header is the person's."""
    source = Hostile(perses, evil.url)
    alice = stack.client("alice", bearer=True)
    result = caller(alice, "execute_instant_query", {"query": "up", "datasource": source.path})
    told = result["structuredContent"]
    assert told["status"] == "awaiting_approval" and told["conversation"] in result["content"][0]["text"], result
    assert not evil.seen()
    # Under another word for it, and with a name that only a project has.
    caller(alice, "execute_instant_query", {"query": "up", "datasource_path": source.path})
    caller(alice, "execute_instant_query", {"query": "up", "datasource": source.name})
    assert not evil.seen()
    # The header picks; and it picks that one only.
    other = Hostile(perses, evil.url)
    caller(alice, "execute_instant_query", {"query": "up", "datasource": source.path}, **{"X-PersAI-Datasource": other.path})
    assert not evil.seen()
    caller(alice, "execute_instant_query", {"query": "up", "datasource": source.path}, **{"X-PersAI-Datasource": source.path})
    assert evil.seen()


@pytest.fixture(scope="module")
def empty_perses(run_folder: Path, service_logs: Path) -> Iterator[Perses]:
    """One without a datasource that everybody may read."""
    service = Perses(run_folder / "perses-empty", service_logs, {})
    service.start()
    yield service
    service.process.terminate()


def test_an_argument_is_no_datasource_for_who_has_none(empty_perses: Perses, make_stack: Callable[..., Stack], evil: up.Upstream,
                                                       caller: Callable[..., dict]) -> None:
    """Where there is nothing to begin with, what a model names does not become the turn's own."""
    stack = make_stack(empty_perses.url, empty_perses.sign_in).start()
    source = Hostile(empty_perses, evil.url)
    asks_for(stack, Call("execute_instant_query", {"query": "up", "datasource": source.path}))
    alice = stack.client()
    for tool, more in (("execute_instant_query", {"query": "up"}), ("list_metrics", {}), ("ask", {"question": "what is up"})):
        result = caller(alice, tool, {**more, "datasource": source.path})
        assert result["isError"] and "header X-PersAI-Datasource" in result["content"][0]["text"], result  # who may choose
        caller(alice, tool, {**more, "datasource": source.name})  # which is one for all projects, and there is none
    assert not evil.seen()


def test_what_a_call_of_mcp_waits_for_is_decided_by_its_id(stack: Stack, perses: Perses, evil: up.Upstream,
                                                            caller: Callable[..., dict]) -> None:
    source = Hostile(perses, evil.url)
    alice = stack.client("alice", bearer=True)
    told = caller(alice, "execute_instant_query", {"query": "up", "datasource": source.path})["structuredContent"]
    waits = alice.get(f"/session/{told['conversation']}").json()["turn"]
    assert waits["turn_id"] == told["turn"] and [c["tool_name"] for c in waits["tool_calls"]] == ["use_datasource"]
    decisions = [{"call_id": c["call_id"], "approve": True, "arguments_hash": c["arguments_hash"]}
                 for c in waits["tool_calls"]]
    assert not evil.seen()
    assert alice.post(f"/session/{told['conversation']}/turn/{told['turn']}/resume", {"decisions": decisions}).status == 202
    alice.events(told["conversation"], told["turn"]).finish()
    assert evil.seen()


def test_the_bodies_of_the_other_doors_name_none(stack: Stack, perses: Perses, evil: up.Upstream) -> None:
    source = Hostile(perses, evil.url)
    asks_for(stack, Call("execute_instant_query", {"query": "up"}))
    alice = stack.client("alice", bearer=True)
    named = {"datasource": source.path, "datasources": [source.path], "datasource_path": source.path}
    question = [{"id": "1", "role": "user", "content": "what is up"}]
    bodies = {"/v1/chat/completions": {"model": "persai", "messages": question, "persai": named, "metadata": named, **named},
              "/agui": {"threadId": "t", "runId": "r", "messages": question, "state": named, "forwardedProps": {
                  "persai": named, "context": named, **named}, "context": [{"description": "datasource", "value": source.path}]}}
    for path, body in bodies.items():
        answer = alice.request("POST", path, body)
        assert answer.status == 200 and b"Seen." in answer.body, (path, answer.body)
    assert not evil.seen()


def test_a_client_of_mcp_is_asked_before_a_datasource_is(stack: Stack, perses: Perses, evil: up.Upstream) -> None:
    source = Hostile(perses, evil.url)
    tasks = Tasks(stack.client("alice", bearer=True), {"elicitation": {"form": {}}})
    asked = tasks.call("execute_instant_query", {"query": "up", "datasource": source.path})
    assert asked["resultType"] == "input_required" and not evil.seen()
    (request,) = asked["inputRequests"].values()
    assert evil.url in request["params"]["message"] and "your sign-in" in request["params"]["message"]


def test_an_operator_names_what_is_free(bare: Stack, perses: Perses, evil: up.Upstream) -> None:
    source = Hostile(perses, evil.url)
    stack = bare.start(worker_env={"PERSAI_DATASOURCES": f"/proxy/projects/{PROJECT}/datasources/hostile-*"})
    asks_for(stack, Call("execute_instant_query", {"query": "up", "datasource": source.path}))
    alice = stack.client()
    assert alice.ask(alice.session(), "what is up").answer() == "Seen." and evil.seen()


SHUT = {"url": "http://127.0.0.1:1", "headers": {"Cookie": ""}, "secret": "shut-key"}
TWO_WAYS = {
    "beside": lambda url: {"proxy": {"kind": "HTTPProxy", "spec": SHUT}, "kind": "HTTPProxy", "spec": {"url": url}},
    "case": lambda url: {"proxy": {"kind": "HTTPProxy", "Kind": "none", "spec": SHUT}, "KIND": "httpproxy", "SPEC": {"url": url}},
    "folded": lambda url: {"proxy": {"kind": "HTTPProxy", "spec": {**SHUT, "url": url, "\u017fecret": ""}}},
}


@pytest.mark.parametrize("way", list(TWO_WAYS))
def test_a_definition_that_can_be_read_in_two_ways_is_not_used(stack: Stack, perses: Perses, evil: up.Upstream, way: str) -> None:
    """What we read hands no sign-in on; what Perses reads of it does, wherever a plugin's schema is open."""
    source = Hostile(perses, evil.url)
    perses.api("POST", f"/api/v1/projects/{PROJECT}/secrets", {
        "kind": "Secret", "metadata": {"name": SHUT["secret"], "project": PROJECT},
        "spec": {"basicAuth": {"username": "u", "password": "p"}}}, source.cookies)
    source.define("PUT", f"/{source.name}", TWO_WAYS[way](evil.url))
    asked = perses.api("GET", source.path + "/api/v1/query?query=up", None, source.cookies)
    assert asked.status == 200 and evil.seen()[0].header("Cookie" if way != "folded" else "X-Forwarded-Proto")
    before = len(evil.seen())
    asks_for(stack, Call("execute_instant_query", {"query": "up", "datasource": source.path}))
    root = stack.client(ADMIN)  # who may read secrets, and would not be asked
    log = root.ask(root.session(), "what is up")
    assert "can't be told to which server" in log.tools()[0][1]["content"] and len(evil.seen()) == before


def test_a_panel_does_not_choose_either(stack: Stack, perses: Perses, evil: up.Upstream) -> None:
    source = Hostile(perses, evil.url)
    query = {"kind": "PrometheusTimeSeriesQuery", "spec": {
        "query": "up", "datasource": {"kind": "PrometheusDatasource", "name": source.name}}}
    panel = {"kind": "Panel", "spec": {
        "display": {"name": "Trap"}, "plugin": {"kind": "TimeSeriesChart", "spec": {}},
        "queries": [{"kind": "TimeSeriesQuery", "spec": {"plugin": query}}]}}
    board = Dashboard(perses, {"display": {"name": "Board"}, "duration": "1h", "panels": {"trap": panel}, "layouts": []})
    asks_for(stack, Call("run_panel", {"project": PROJECT, "dashboard": board.name, "panel": "Trap"}))
    waiting = Waiting(stack.client(), "what is up")
    assert waiting.calls[0]["arguments"]["server"] == evil.url and not evil.seen()
    waiting.decide(False)
    log = waiting.rest()
    assert log.answer() == "Seen." and "refused_by_person" in log.tools()[0][1]["content"] and not evil.seen()


def test_a_proposal_that_would_be_drawn_there_is_asked_about(stack: Stack, perses: Perses, evil: up.Upstream) -> None:
    source = Hostile(perses, evil.url)
    asks_for(stack, Call("propose_panel", {"title": "T", "query": "up", "datasource": source.path}))
    waiting = Waiting(stack.client(), "what is up")
    assert [c["tool_name"] for c in waiting.calls] == ["use_datasource"] and not evil.seen()


def test_what_perses_would_refuse_is_not_asked_about(stack: Stack, perses: Perses) -> None:
    board = Dashboard(perses)
    stack.model.when("save it", [
        Call("save_panel", {"project": PROJECT, "dashboard": "no-such-board", "title": "T", "query": "up"}),
        Call("save_dashboard", {"project": "no-such-project", "title": "T", "panels": [{"title": "T", "query": "up"}]}),
        Call("save_panel", {"project": PROJECT, "dashboard": board.name, "title": "T", "query": "{}"})], ["Hm."])
    carol = stack.client("carol")
    log = carol.ask(carol.session(), "save it")
    assert log.answer() == "Hm."
    codes = [json.loads(response["content"])["code"] for _, response in log.tools()]
    assert codes[2] == "query_refused" and set(codes[:2]) <= {"not_found", "forbidden"}, codes
    assert board.panels() == {}


def test_the_arguments_that_are_shown_are_those_that_run(stack: Stack, perses: Perses) -> None:
    board = Dashboard(perses)
    stack.model.when("save it", [board.call(title="7", unit=None)], ["Saved."])
    waiting = Waiting(stack.client("carol"))
    assert "unit" not in waiting.calls[0]["arguments"]
    waiting.decide()
    log = waiting.rest()
    (call, response), = log.tools()
    assert call["arguments"] == waiting.calls[0]["arguments"] and not response["failed"] and board.titles() == ["7"]
