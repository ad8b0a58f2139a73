"""Logs, traces, profiles and alerts: the tools, through a real Perses and its proxy, on a server that speaks the
documented HTTP APIs of Loki, Tempo, Pyroscope and Alertmanager."""

import json
from collections.abc import Iterator

import pytest

from fakes.model import Call
from fakes.sources import ALERT, PROFILE, TRACE, Sources
from harness.client import DATASOURCE
from harness.services import Perses
from harness.stack import Stack

KINDS = {"logs": "LokiDatasource", "traces": "TempoDatasource", "profiles": "PyroscopeDatasource",
         "alerts": "AlertManagerDatasource"}


@pytest.fixture(scope="module")
def sources(perses: Perses) -> Iterator[Sources]:
    with Sources() as fake:
        for name, kind in KINDS.items():
            perses.put_datasource(name, Perses.closed_datasource(fake.url, kind))
        yield fake
        assert not fake.errors, fake.errors[:3]


def calls(stack: Stack, *made: Call, **context: object) -> list[tuple[dict, dict]]:
    """(answer, response) of each call of one turn, which makes them at once."""
    stack.model.when("look around", list(made), ["Seen."])
    alice = stack.client()
    log = alice.ask(alice.session(), "look around", **({"context": context} if context else {}))
    assert log.answer() == "Seen."
    found = [(json.loads(response["content"]), response) for _, response in log.tools()]
    assert [call["tool_name"] for call, _ in log.tools()] == [call.name for call in made]
    for (answer, response), call in zip(found, made):
        assert not response.get("is_error"), (call.name, answer)
    return found


def test_each_tool_asks_its_own_kind_of_datasource(stack: Stack, sources: Sources) -> None:
    made = {
        "logs": Call("loki_query", {"query": '{job="api"} |= "deadlock"', "start": "now-10m", "end": "now"}),
        "traces": Call("tempo_search", {"query": "{ status = error }"}),
        "profiles": Call("pyroscope_top_functions", {"query": PROFILE + '{service_name="shop"}'}),
        "alerts": Call("alertmanager_alerts", {}),
    }
    found = dict(zip(made, calls(stack, *made.values())))
    for name, (answer, response) in found.items():
        assert response["datasource"] == f"/proxy/globaldatasources/{name}", response
        if name != "alerts":
            assert answer["start"] < answer["end"], answer
    lines = [line for stream in found["logs"][0]["streams"] for line in stream["lines"]]
    assert 5 <= len(lines) <= 8 and all("deadlock" in text for _, text in lines), lines
    assert [trace["trace_id"] for trace in found["traces"][0]["traces"]] == [TRACE]
    assert found["profiles"][0]["functions"][0]["function"] == "checkout"
    assert found["alerts"][0]["alerts"][0]["name"] == ALERT


def test_what_the_others_say_is_read(stack: Stack, sources: Sources) -> None:
    found = [answer for answer, _ in calls(
        stack,
        Call("loki_query", {"query": 'sum by (level) (count_over_time({job="api"}[5m]))'}),
        Call("loki_labels", {"label": "level"}),
        Call("loki_series", {"match": '{job="api"}'}),
        Call("tempo_trace", {"trace_id": TRACE}),
        Call("tempo_tags", {"tag": "resource.service.name"}),
        Call("pyroscope_profile_types", {}),
        Call("alertmanager_silences", {}),
    )]
    numbers, labels, series, trace, tags, types, silences = found
    assert {s["labels"]["level"]: s["last"] for s in numbers["series"]} == {"error": 4, "info": 8}
    assert labels["values"] == ["error", "info"]
    assert [s["stream"]["level"] for s in series["streams"]] == ["error", "info"]
    assert trace["spans_total"] == 3 and trace["errors"] == 1 and trace["duration_ms"] == 120
    assert next(s for s in trace["spans"] if s.get("error"))["message"] == "deadlock"
    assert tags["values"] == ["shop", "orders"]
    assert types["types"][0]["id"] == PROFILE
    assert silences["silences"][0]["by"] == "ann"


def test_nothing_of_the_persons_sign_in_reaches_them(stack: Stack, sources: Sources) -> None:
    calls(stack, Call("loki_labels", {}), Call("tempo_tags", {}), Call("pyroscope_profile_types", {}))
    token = stack.client().cookies["jwtSignature"]
    assert len(sources.seen()) >= 3
    assert not [r for r in sources.seen() if token.encode() in r.raw()]


def test_of_two_of_a_kind_the_conversations_comes_first(stack: Stack, perses: Perses, sources: Sources) -> None:
    perses.put_datasource("logs-2", Perses.closed_datasource(sources.url, "LokiDatasource"))
    other = "/proxy/globaldatasources/logs-2"
    [(_, response)] = calls(stack, Call("loki_labels", {}), datasources=[other])
    assert response["datasource"] == other
    question = next(m for m in stack.model.chats("look around")[-1]["messages"] if m["role"] == "user")["content"]
    assert f"Datasource in use: {DATASOURCE}" in question and f"Another datasource: {other}" in question


def test_a_query_is_not_sent_to_a_datasource_of_another_kind(stack: Stack, sources: Sources) -> None:
    """PromQL to a Loki: by a model in a conversation that has it, and by a program that names it."""
    logs = "/proxy/globaldatasources/logs"
    words = f"The datasource {logs} is a LokiDatasource; this tool needs a PrometheusDatasource"
    before = len(sources.seen())
    for named in ("logs", logs):
        stack.model.when("look around", [Call("execute_instant_query", {"query": "up", "datasource": named})], ["Seen."])
        alice = stack.client()
        log = alice.ask(alice.session(), "look around", context={"datasources": [logs]})
        assert words in log.tools()[0][1]["content"], log.tools()
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                "params": {"name": "execute_instant_query", "arguments": {"query": "up", "datasource": named}}}
        bob = stack.client("bob", bearer=True)
        answer = bob.request("POST", "/mcp", call, headers={"Accept": "application/json, text/event-stream"})
        assert words in answer.body.decode(), answer.body
    assert [r.path for r in sources.seen()[before:]] == []
    call["params"]["arguments"]["datasource"] = "prometheus"  # type: ignore[index]
    right = bob.request("POST", "/mcp", call, headers={"Accept": "application/json, text/event-stream"})
    assert b'"isError":false' in right.body, right.body


def test_a_conversation_about_another_kind_finds_a_prometheus(stack: Stack, sources: Sources) -> None:
    alice, logs = stack.client(), "/proxy/globaldatasources/logs"
    stack.model.when("look around", [Call("list_datasources", {})],
                     [Call("execute_instant_query", {"query": "up"}), Call("loki_labels", {})], ["Seen."])
    log = alice.ask(alice.session(), "look around", datasource=logs, context={"datasources": [DATASOURCE]})
    assert [response["datasource"] for _, response in log.tools()[1:]] == [DATASOURCE, logs], log.tools()


def test_a_query_that_is_none_is_told_to_the_model(stack: Stack, sources: Sources) -> None:
    stack.model.when("look around", [Call("loki_query", {"query": "deadlock"})], ["Seen."])
    alice = stack.client()
    log = alice.ask(alice.session(), "look around")
    assert "stream selector" in log.tools()[0][1]["content"]
    stack.model.when("look around", [Call("pyroscope_top_functions", {"query": "cpu"})], ["Seen."])
    log = alice.ask(alice.session(), "look around")
    assert "has one selector" in log.tools()[0][1]["content"]
    stack.model.when("look around", [Call("pyroscope_top_functions", {"query": 'cpu{service_name="shop"}'})], ["Seen."])
    log = alice.ask(alice.session(), "look around")
    assert "profile type is required" in log.tools()[0][1]["content"]
