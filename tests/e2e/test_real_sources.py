"""Logs of a real Loki and alerts of a real Alertmanager, through a real Perses. (Tempo and Pyroscope are not to be had as
packages: test_sources.py.)"""

import datetime
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eval.ask import askable, evaluate, questions
from eval.score import Loki as ScoredLoki
from eval.score import Table
from fakes.model import Call
from harness.loki import Alertmanager, Loki, post
from harness.services import Perses
from harness.stack import Stack
from harness.wait import until

SECOND = 10**9
LINES = 300


def say(stack: Stack, *made: Call) -> list[dict]:
    """What each call of one turn was answered."""
    stack.model.scripts.clear()
    stack.model.when("look there", list(made), ["Seen."])
    alice = stack.client()
    log = alice.ask(alice.session(), "look there")
    assert log.answer() == "Seen."
    return [json.loads(response["content"]) for _, response in log.tools()]


def local(name: str) -> str:
    return f"/proxy/globaldatasources/{name}"


@pytest.fixture(scope="module")
def loki(run_folder: Path, service_logs: Path, perses: Perses) -> Iterator[Loki]:
    service = Loki(os.environ["PERSAI_TEST_LOKI"], run_folder / "loki", service_logs).start()
    now = time.time_ns() - 60 * SECOND
    service.push({"app": "shop", "level": "info"}, [
        (now - (LINES - n) * SECOND, f"order {n} of customer {n * 7} took {n % 50} ms") for n in range(LINES)])
    service.push({"app": "shop", "level": "error"}, [
        (now - n * 10 * SECOND, f"order {n} failed: deadlock detected") for n in range(12, 0, -1)])
    service.push({"app": "mail", "level": "info"}, [(now, "sent \u202ereversed\u202c mail")])
    perses.put_datasource("real-loki", Perses.closed_datasource(service.url, "LokiDatasource"))
    yield service
    service.process.terminate()


def test_logs_of_a_real_loki(stack: Stack, loki: Loki) -> None:
    there = {"datasource": local("real-loki"), "start": "now-1h", "end": "now"}
    lines, counts, labels, levels, series = say(
        stack, Call("loki_query", {"query": '{app="shop"} |= "deadlock"', **there}),
        Call("loki_query", {"query": 'sum by (level) (count_over_time({app="shop"}[1h]))', **there}),
        Call("loki_labels", there), Call("loki_labels", {"label": "level", "match": '{app="shop"}', **there}),
        Call("loki_series", {"match": '{app="shop"}', **there}))
    found = [text for stream in lines["streams"] for _, text in stream["lines"]]
    assert len(found) == 12 and all("deadlock" in text for text in found), lines
    assert {s["labels"]["level"]: s["last"] for s in counts["series"]} == {"info": LINES, "error": 12}, counts
    assert {"app", "level"} <= set(labels["labels"]), labels
    assert levels["values"] == ["error", "info"], levels
    assert sorted(s["stream"]["level"] for s in series["streams"]) == ["error", "info"], series


def test_patterns_and_volume_of_a_real_loki(stack: Stack, loki: Loki) -> None:
    there = {"match": '{app="shop"}', "datasource": local("real-loki"), "start": "now-1h", "end": "now"}

    def asked() -> tuple[dict, dict]:
        patterns, volume = say(stack, Call("loki_patterns", there), Call("loki_volume", there))
        return (patterns, volume) if patterns["patterns"] and volume["volumes"] else ()  # type: ignore[return-value]

    patterns, volume = until(asked, "patterns to be found", 60)
    assert any("customer" in p["pattern"] and "<_>" in p["pattern"] for p in patterns["patterns"]), patterns
    assert volume["volumes"][0]["bytes"] > LINES * 20, volume


def test_what_a_real_loki_refuses_is_told(stack: Stack, loki: Loki) -> None:
    there = {"datasource": local("real-loki"), "start": "now-1h", "end": "now"}
    broken, blanket, nothing, hostile = say(
        stack, Call("loki_query", {"query": '{app="shop"} |= ', **there}),
        Call("loki_query", {"query": '{app=~".+"}', **there}),
        Call("loki_query", {"query": '{app="nobody"}', **there}),
        Call("loki_query", {"query": '{app="mail"}', **there}))
    assert broken["kind"] == "error" and "parse error" in broken["error"], broken
    assert blanket["kind"] == "error" and blanket["code"] == "query_refused", blanket
    assert nothing["streams"] == [] and nothing["kind"] != "error", nothing
    assert hostile["streams"][0]["lines"][0][1] == "sent reversed mail", hostile


def test_questions_about_logs_are_scored(stack: Stack, loki: Loki, capsys: pytest.CaptureFixture[str]) -> None:
    """The evaluation's questions over logs: right calls are right, those that select too much are not."""
    source, found = ScoredLoki(loki.url), questions("loki")
    usable = askable(source, found)
    assert len(usable) == len(found) >= 12, [q["id"] for q in found if q not in usable]
    client = stack.client()

    def table_of(query_of: Callable[[dict], str]) -> Table:
        def ask(question: dict) -> tuple[list, dict]:
            stack.model.scripts.clear()
            call = Call("loki_query", {"query": query_of(question), "datasource": local("real-loki"), "start": "now-1h",
                                       "end": "now"})
            stack.model.when(question["question"], [call], ["So it is."])
            log = client.ask(client.session(), question["question"])
            return log.tools(), log.final()

        return evaluate(source, usable, ask)

    right = table_of(lambda q: q["accepted"][-1])
    with capsys.disabled():
        print("", right.cost(), sep="\n")
    assert not right.too_dear(), [(s.question, s.calls, s.read) for s in right.too_dear()]
    assert right.share("right") == right.share("metric") == right.syntax == 1, [s for s in right.scores if not s.right]
    wrong = table_of(lambda q: 'sum(count_over_time({app=~"mail|shops"}[2h])) + 1')
    assert wrong.share("right") == wrong.share("metric") == 0, [s for s in wrong.scores if s.right]


@pytest.fixture(scope="module")
def alertmanager(run_folder: Path, service_logs: Path, perses: Perses) -> Iterator[Alertmanager]:
    service = Alertmanager(run_folder / "alertmanager-api", service_logs).start()
    perses.put_datasource("real-alertmanager", Perses.closed_datasource(service.url, "AlertManagerDatasource"))
    yield service
    service.process.terminate()


def test_alerts_and_silences_of_a_real_alertmanager(stack: Stack, alertmanager: Alertmanager) -> None:
    now = datetime.datetime.now(datetime.timezone.utc)
    for name, room in (("RoomHot", "attic"), ("RoomCold", "cellar")):
        post(f"{alertmanager.url}/api/v2/alerts", [
            {"labels": {"alertname": name, "room": room}, "annotations": {"summary": f"{room} is {name[4:].lower()}"},
             "startsAt": (now - datetime.timedelta(minutes=5)).isoformat()}])
    post(f"{alertmanager.url}/api/v2/silences", {
        "matchers": [{"name": "room", "value": "cellar", "isRegex": False, "isEqual": True}], "createdBy": "ann",
        "comment": "the heating is repaired", "startsAt": now.isoformat(),
        "endsAt": (now + datetime.timedelta(hours=1)).isoformat()})
    there = {"datasource": local("real-alertmanager")}

    def asked() -> tuple[dict, dict]:
        alerts, silences = say(stack, Call("alertmanager_alerts", there), Call("alertmanager_silences", there))
        states = {a["name"]: a["state"] for a in alerts["alerts"]}
        both = states == {"RoomHot": "active", "RoomCold": "suppressed"}
        return (alerts, silences) if both else ()  # type: ignore[return-value]

    alerts, silences = until(asked, "one alert to be silenced", 30)
    assert {a["labels"]["room"] for a in alerts["alerts"]} == {"attic", "cellar"}, alerts
    assert [(s["by"], s["comment"]) for s in silences["silences"]] == [("ann", "the heating is repaired")], silences


def test_what_would_end_loki_is_not_asked(stack: Stack, loki: Loki) -> None:
    """A label of more than 16 MB ends Loki's process, with everybody's queries."""
    series = 'label_replace(sum(count_over_time({app="shop"}[1h])), "a", "' + "x" * 1000 + '", "", "")'
    for _ in range(5):
        series = f'label_replace({series}, "a", "' + "$1" * 10 + '", "a", "(.*)")'
    held = "{{ $a := __line__ }}" + ('{{ $a = printf "' + "%s" * 10 + '"' + " $a" * 10 + " }}") * 5 + "{{ $a }}"
    there = {"datasource": local("real-loki"), "start": "now-1h", "end": "now"}
    *refused, fine = say(
        stack, Call("loki_query", {"query": f"count({series})", **there}),
        Call("loki_query", {"query": f'{{app="shop"}} | label_format a=`{held}`', **there}),
        Call("loki_query", {"query": '{app="shop"} | line_format `{{ .level }} {{ __line__ | trunc 5 }}`', **there}))
    assert [one["code"] for one in refused] == ["bad_arguments"] * 2, refused
    assert fine["kind"] == "logs" and " order" in json.dumps(fine), fine
    assert loki.process.running()
