"""Variables of a project and of all projects, and all values of those that the datasource knows: of a real Perses, whose
panels run in a real Prometheus."""

import json
from collections.abc import Iterator

import pytest

from fakes.model import Call
from harness.approvals import PROJECT, Dashboard
from harness.services import ADMIN, Perses, Prometheus
from harness.stack import Stack

TEMPERATURE = "room_temperature_celsius"


def listed(plugin: str, spec: dict, **more: object) -> dict:
    return {"kind": "ListVariable", "spec": {"name": "ignored", "allowAllValue": True, "allowMultiple": True,
                                             "defaultValue": "$__all", "plugin": {"kind": plugin, "spec": spec}, **more}}


@pytest.fixture
def board(perses: Perses) -> Iterator[Dashboard]:
    source = {"kind": "PrometheusDatasource", "name": "prometheus"}
    query = {"kind": "PrometheusTimeSeriesQuery", "spec": {
        "query": '${metric}{room=~"$warm",room=~"$start.*",room!~"$gone"} * $factor',
        "datasource": source}}
    panel = {"kind": "Panel", "spec": {
        "display": {"name": "Warm"}, "plugin": {"kind": "TimeSeriesChart", "spec": {}},
        "queries": [{"kind": "TimeSeriesQuery", "spec": {"plugin": query}}]}}
    gone = {"kind": "TextVariable", "spec": {"name": "gone", "value": "cellar"}}
    made = Dashboard(perses, {"display": {"name": "Board"}, "duration": "1h", "variables": [gone],
                              "panels": {"warm": panel}, "layouts": []})
    of_project = {
        "warm": listed("PrometheusPromQLVariable", {
            "datasource": source, "expr": "sort($metric > 15)", "labelName": "room"}),
        "start": listed("PrometheusLabelValuesVariable", {
            "datasource": source, "labelName": "room", "matchers": ["$metric"]}, capturingRegexp="^(.)(.).*$"),
        "gone": {"kind": "TextVariable", "spec": {"name": "ignored", "value": "kitchen"}},
        "factor": {"kind": "TextVariable", "spec": {"name": "ignored", "value": "2"}},
    }
    paths = []
    for name, spec in of_project.items():
        paths.append(f"/api/v1/projects/{PROJECT}/variables")
        body = {"kind": "Variable", "metadata": {"name": name, "project": PROJECT}, "spec": spec}
        answer = perses.api("POST", paths[-1], body, made.cookies)
        assert answer.status == 200, (answer.status, answer.body)
        paths[-1] += f"/{name}"
    perses.put_global("GlobalVariable", "metric", {"kind": "TextVariable", "spec": {"name": "ignored", "value": TEMPERATURE}})
    yield made
    for path in (*paths, "/api/v1/globalvariables/metric"):
        perses.api("DELETE", path, cookies=perses.sign_in(ADMIN))


def test_a_panel_is_run_and_read_with_variables_of_outside(stack: Stack, board: Dashboard) -> None:
    whose = {"project": PROJECT, "dashboard": board.name, "panel": "Warm"}
    stack.model.when("how warm", [Call("run_panel", whose), Call("get_panel", whose)], ["Seen."])
    alice = stack.client()
    log = alice.ask(alice.session(), "how warm")
    assert log.answer() == "Seen."
    run, read = (json.loads(response["content"]) for _, response in log.tools())
    assert run["kind"] != "error", run
    assert run["query"] == (f'{TEMPERATURE}{{room=~"(kitchen|attic)",room=~"(at|ce|ki).*",room!~"cellar"}} * 2'), run
    assert {s["labels"]["room"]: s["last"] for s in run["series"]} == {"kitchen": 43, "attic": 66}, run
    assert read["panels"][0]["queries"][0]["query"] == (
        f'{TEMPERATURE}{{room=~"$warm",room=~"$start.*",room!~"cellar"}} * 2'), read
    assert any("$warm is all of its values" in note and "run_panel" in note for note in read["notes"]), read
    assert {v["name"]: (v.get("of"), v["value"]) for v in read["variables"]} == {
        "gone": (None, "cellar"), "warm": ("project", "$__all"), "start": ("project", "$__all"),
        "factor": ("project", "2"), "metric": ("all projects", TEMPERATURE)}, read
    assert not any("no default" in note for note in read["notes"]), read


def test_a_panels_datasource_may_be_a_variable(stack: Stack, perses: Perses, prometheus: Prometheus) -> None:
    """Of the dashboard or of outside; without one name as its value it is the default, as Perses has it."""
    def panel(source: str) -> dict:
        query = {"kind": "PrometheusTimeSeriesQuery", "spec": {"query": 'up{job=~"$job"}', "datasource": source}}
        return {"kind": "Panel", "spec": {"display": {"name": source}, "plugin": {"kind": "TimeSeriesChart", "spec": {}},
                                          "queries": [{"kind": "TimeSeriesQuery", "spec": {"plugin": query}}]}}

    both = ["elsewhere", "prometheus"]
    several = listed("PrometheusLabelValuesVariable", {"labelName": "x"}, name="several", defaultValue=both)
    job = listed("PrometheusLabelValuesVariable", {"labelName": "job", "matchers": ["up"], "datasource": "${source}"})
    job["spec"]["name"] = "job"
    perses.put_datasource("elsewhere", Perses.closed_datasource(prometheus.url))
    perses.put_global("GlobalVariable", "outside", {"kind": "TextVariable", "spec": {"name": "ignored", "value": "elsewhere"}})
    made = Dashboard(perses, {"display": {"name": "Board"}, "duration": "1h", "layouts": [], "variables": [
        {"kind": "TextVariable", "spec": {"name": "source", "value": "elsewhere"}}, several, job],
        "panels": {"a": panel("$source"), "b": panel("${outside}"), "c": panel("$several"), "d": panel("$none")}})
    calls = [Call("run_panel", {"project": PROJECT, "dashboard": made.name, "panel": p}) for p in "abcd"]
    read = Call("get_panel", {"project": PROJECT, "dashboard": made.name, "panel": "a"})
    stack.model.when("where is it", [*calls, read], ["Seen."])
    alice = stack.client()
    log = alice.ask(alice.session(), "where is it")
    perses.api("DELETE", "/api/v1/globalvariables/outside", cookies=perses.sign_in(ADMIN))
    *runs, shown = (json.loads(response["content"]) for _, response in log.tools())
    assert [run.get("datasource") for run in runs] == ["/proxy/globaldatasources/elsewhere"] * 2 + [
        "/proxy/globaldatasources/prometheus"] * 2, runs
    assert ['the variable $' in str(run["notes"]) for run in runs] == [False, False, True, True], runs
    assert runs[0]["query"].startswith('up{job=~"') and ".*" not in runs[0]["query"], "its values are from there"
    assert shown["panels"][0]["queries"][0]["datasource"] == "$source"
