"""What is no Prometheus and answers as it should not: logs, traces, profiles and alerts. Their tools say so, and nothing else
is the worse for it."""

import gzip
import json
from collections.abc import Callable, Iterator

import pytest

from fakes import upstream as up
from fakes.model import Call
from fakes.server import Exchange, Request
from fakes.sources import PROFILE, TRACE, span
from harness.services import Perses
from harness.stack import Stack

KINDS = {"logs": "LokiDatasource", "traces": "TempoDatasource", "profiles": "PyroscopeDatasource",
         "alerts": "AlertManagerDatasource"}
CALLS = [("logs", "loki_query", {"query": '{job="api"}'}), ("logs", "loki_query", {"query": 'count_over_time({job="api"}[5m])'}),
         ("logs", "loki_labels", {}), ("logs", "loki_series", {"match": '{job="api"}'}),
         ("logs", "loki_patterns", {"match": '{job="api"}'}), ("logs", "loki_volume", {"match": '{job="api"}'}),
         ("traces", "tempo_search", {"query": "{ status = error }"}), ("traces", "tempo_trace", {"trace_id": TRACE}),
         ("traces", "tempo_tags", {}), ("traces", "tempo_tags", {"tag": "resource.service.name"}),
         ("profiles", "pyroscope_profile_types", {}),
         ("profiles", "pyroscope_top_functions", {"query": PROFILE + '{service_name="shop"}'}),
         ("alerts", "alertmanager_alerts", {}), ("alerts", "alertmanager_silences", {})]
Behave = Callable[[Exchange, Request], None]


def said(body: bytes, **headers: str) -> Behave:
    return lambda exchange, request: exchange.reply(200, body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def spans(count: int) -> bytes:
    """Each the parent of the next."""
    each = [span(n, n - 1, "x" * 50, n, 1) for n in range(1, count)]
    return json.dumps({"batches": [{"resource": {"attributes": []}, "scopeSpans": [{"spans": each}]}]}).encode()


def flames(levels: list, names: list, ticks: object = 1) -> bytes:
    return json.dumps({"version": 1, "flamebearer": {"names": names, "levels": levels, "numTicks": ticks, "maxSelf": 1},
                       "metadata": {"format": "single", "sampleRate": 0, "units": "samples"},
                       "timeline": {"startTime": -1, "samples": [1e308, -1e308], "durationDelta": 0}}).encode()


SHAPES: dict[str, bytes] = {
    "a chain of 50,000 spans": spans(50_000),
    "a span that is its own parent": spans(2).replace(b'"name": "xx', b'"parentSpanId": "AAAAAAAAAAE=", "name": "xx'),
    "names that are not there": flames([[0, 1e300, -5, 7, 0, 2 ** 53, 3, -1], [0.5, None, "x", {}], [1] * 200_001],
                                       ["a", 7, None], "x"),
    "100,000 levels": flames([[0, 1, 0, 0]] * 100_000, ["a" * 1000]),
    "all of it null": json.dumps(dict.fromkeys(("status", "data", "traces", "batches", "flamebearer", "profileTypes",
                                                "scopes", "tagValues"))).encode(),
    "all of it lists": json.dumps(dict.fromkeys(("data", "traces", "batches", "flamebearer", "profileTypes", "scopes",
                                                 "tagValues"), [[], [[]], {"a": [{}] * 1000}])).encode(),
    "lists of what is none": json.dumps({
        "status": "success", "data": {"resultType": "streams", "result": [
            {"stream": {"a": {"b": 1}}, "values": [["-1", 1], [[], {}], ["99999999999999999999999", "\u202e\x00"]]}] * 500},
        "traces": [{"traceID": {"a": 1}, "durationMs": -1e308, "startTimeUnixNano": "x" * 100}] * 2000,
        "scopes": [{"tags": ["a" * 10_000] * 200}] * 3, "tagValues": [{"value": "y" * 100_000}] * 50,
        "profileTypes": [{"ID": "z" * 100_000}] * 20}).encode(),
    "a list at its top": b"[" + b",".join([b'{"labels":{"alertname":"' + b"q" * 50_000 + b'"},"matchers":[1,null,{"name":[]}],'
                                           b'"startsAt":"9999999-99-99","status":{"state":[]}}'] * 100) + b"]",
    "another's compression": b"\x1f\x8b\x08\x00" + b"\xff" * 4000,
}
WAYS: dict[str, Behave] = {
    **{name: behave for name, behave in up.HOSTILE.items() if name != "redirect"}, **{n: said(b) for n, b in SHAPES.items()},
    "another's compression": said(SHAPES["another's compression"], Content_Encoding="gzip"),
    "a bomb": said(gzip.compress(b'{"traces":[],"data":["' + b"a" * (256 << 20), 1), Content_Encoding="gzip"),
    "a megabyte of headers": said(b"{}", **{f"X_{n}": "h" * 8000 for n in range(90)}, X_Last="h" * 300_000),
    "no end": up.endless,
}


@pytest.fixture(scope="module")
def hostile(perses: Perses) -> Iterator[up.Upstream]:
    with up.Upstream() as fake:
        for name, kind in KINDS.items():
            perses.put_datasource(f"hostile-{name}", Perses.closed_datasource(fake.url, kind))
        yield fake


def look(stack: Stack, word: str, prefix: str) -> list[tuple[str, dict]]:
    made = [Call(tool, {**arguments, "datasource": f"/proxy/globaldatasources/{prefix}{kind}"})
            for kind, tool, arguments in CALLS]
    stack.model.when(word, made, ["Seen."])
    alice = stack.client()
    log = alice.turn(alice.session(), word).finish(100)
    assert log.answer() == "Seen."
    return [(call["tool_name"], response) for call, response in log.tools()]


def test_hostile_answers_of_all_kinds(bare: Stack, perses: Perses, hostile: up.Upstream) -> None:
    stack = bare.start()  # what is huge is read in its time, also on a busy machine: else its source is left alone
    before = stack.worker.process.memory_bytes()
    for n, (name, behave) in enumerate(WAYS.items()):
        hostile.behave = behave
        seen = len(hostile.requests)
        for tool, response in look(stack, f"look {n}.", "hostile-"):
            content = response["content"]
            assert 0 < len(content) < 64 << 10 and json.loads(content), (name, tool)
            assert "\u202e" not in content and "\x00" not in content, (name, tool)
        assert len(hostile.requests) - seen >= len(CALLS), name
        grown = stack.worker.process.memory_bytes() - before
        assert grown < 150 << 20, f"{name}: {grown >> 20} MiB"


def test_the_sign_in_follows_no_redirect(stack: Stack, perses: Perses, hostile: up.Upstream) -> None:
    with up.Upstream() as evil:
        hostile.behave = lambda exchange, request: exchange.reply(307, b"", headers={"Location": evil.url + request.path})
        for tool, response in look(stack, "look there", "hostile-"):
            assert response["failed"], tool
        assert evil.requests == []
