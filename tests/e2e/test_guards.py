"""No query can hurt a production Prometheus, and none the worker."""

import datetime
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import upstream as up
from fakes.model import Call, Ticking
from harness.client import Client
from harness.clock import by_the_clock
from harness.services import Perses, Prometheus
from harness.stack import Stack
from harness.wait import until

BIG = "/proxy/globaldatasources/big"


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory, perses: Perses, service_logs: Path) -> Iterator[Prometheus]:
    """100,000 series of one metric."""
    service = Prometheus(tmp_path_factory.mktemp("big"), service_logs, series=100_000).start()
    until(lambda: service.query("count(big_series)")["result"][0]["value"][1] == "100000", "100,000 series", 90)
    perses.put_datasource("big", Perses.closed_datasource(service.url))
    yield service
    service.stop()


def call(stack: Stack, name: str, arguments: dict, datasource: str) -> str:
    stack.model.when("guard", [Call(name, arguments)], ["ok"])
    alice = stack.client()
    log = alice.turn(alice.session(), "guard", datasource=datasource).finish(60)
    assert log.answer() == "ok"
    return log.tools()[0][1]["content"]


@pytest.mark.parametrize("query", ["big_series", "sum by (id) (big_series)", "rate(big_series[5m])", "big_series * 2"])
def test_a_query_of_too_many_series_is_refused_with_a_ready_topk(stack: Stack, big: Prometheus, query: str) -> None:
    content = call(stack, "execute_range_query", {"query": query}, BIG)
    assert "topk" in content and re.search(r"100[,.]?000|series", content), content


def test_a_bounded_query_of_the_same_metric_runs(stack: Stack, big: Prometheus) -> None:
    content = call(stack, "execute_instant_query", {"query": 'sum(big_series{shard="7"})'}, BIG)
    want = sum(n for n in range(100_000) if n % 100 == 7)
    found = [float(n) for n in re.findall(r"\d+(?:\.\d+)?(?:e\+?\d+)?", content)]
    assert any(abs(n - want) < want * 1e-3 for n in found), content


@pytest.mark.parametrize("query", ["{}", '{job=~".+"}', '{__name__=~".+"}', '{instance!="x"}', 'count({__name__!=""})',
                                   'sum(rate({job=~".*"}[5m]))', '{__name__=~"a|b|.*"}', 'up or {job=~".+"}'])
def test_a_selector_of_everything_is_refused(stack: Stack, perses: Perses, query: str) -> None:
    """Before it runs: the upstream sees no query."""
    with up.Upstream() as upstream:
        perses.put_datasource("watched", Perses.closed_datasource(upstream.url))
        for tool in ("execute_instant_query", "execute_range_query"):
            content = call(stack, tool, {"query": query}, "/proxy/globaldatasources/watched")
            assert content
        assert not [r for r in upstream.requests if r.path.endswith(("/query", "/query_range"))], "it was run"


def test_the_step_is_raised(stack: Stack, perses: Perses) -> None:
    """A month in steps of a second: so that a series has at most 11,000 points, and it is said."""
    with up.Upstream() as upstream:
        perses.put_datasource("watched", Perses.closed_datasource(upstream.url))
        content = call(stack, "execute_range_query", {
            "query": "canary_temperature_celsius", "start": "2026-10-01T00:00:00Z", "end": "2026-10-31T00:00:00Z",
            "step": "1s"}, "/proxy/globaldatasources/watched")
        sent = [r for r in upstream.requests if r.path.endswith("/query_range")]
        assert sent, [(r.target, r.body) for r in upstream.requests]
        for request in sent:
            span = float(seconds(request.param("end"))) - float(seconds(request.param("start")))
            step = float(request.param("step").rstrip("s"))
            assert span / step <= 11_000, (span, step)
            assert request.param("timeout"), "no timeout was sent along"
        assert "step" in content.lower(), content


def seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_an_answer_is_cut_off_while_it_arrives(stack: Stack, perses: Perses) -> None:
    """64 MiB come; 16 are read at most, and the tool says what it did."""
    with up.Upstream() as upstream:
        upstream.behave = lambda e, r: up.prometheus(e, r) if "label_replace(" in r.param("query") else (
            up.huge(64)(e, r))
        perses.put_datasource("huge", Perses.closed_datasource(upstream.url))
        before = stack.worker.process.memory_bytes()
        content = call(stack, "execute_range_query", {"query": "canary_temperature_celsius"},
                       "/proxy/globaldatasources/huge")
        assert re.search(r"cut|large|limit|big|MiB|bytes", content, re.I), content
        assert stack.worker.process.memory_bytes() - before < 150 << 20


def test_results_for_the_model_are_bounded_and_say_what_was_cut(stack: Stack, big: Prometheus) -> None:
    content = call(stack, "execute_instant_query", {"query": 'big_series{shard="3"}'}, BIG)
    assert len(content) <= 20 << 10, len(content)
    assert re.search(r"1,?000", content), f"the series' count is not told: {content[:500]}"
    assert re.search(r"more|cut|of 1,?000|shown|truncated|first|omitted|top", content, re.I), content[:500]
    # What the person's event says is the same as what the model was told.
    told = [m["content"] for m in stack.model.chats("guard")[-1]["messages"] if m["role"] == "tool"]
    assert content in told[-1] or told[-1] in content or json.dumps(content)[1:-1] in told[-1]


def test_list_metrics_and_label_values_are_bounded(stack: Stack, big: Prometheus) -> None:
    content = call(stack, "list_label_values", {"label": "id"}, BIG)
    assert len(content) <= 20 << 10 and re.search(r"100[,.]?000|more|cut|truncated|first", content, re.I), content[:300]


@by_the_clock
def test_ten_expensive_queries_at_once(stack: Stack, big: Prometheus) -> None:
    """Bounded memory in the worker, and other turns' tokens keep flowing."""
    expensive = [Call("execute_range_query", {"query": q, "start": start, "end": end, "step": "1s"}, call_id=f"c{n}")
                 for n, (q, (start, end)) in enumerate(
                     (q, (stamp(3600), stamp(0))) for q in (
                         'big_series{shard="1"}', 'big_series{shard=~"1.*"}', "topk(5, big_series)",
                         'sum by (shard) (big_series{shard=~"[0-4]."})', "big_series", 'big_series{shard="2"}',
                         'big_series{shard=~"2.*"}', "sum by (id) (big_series)", 'rate(big_series{shard="3"}[5m])',
                         'big_series{shard=~"[5-9]."}'))]
    stack.model.when("heavy", expensive, ["Heavy is done."])
    ticking = Ticking(0.01)
    stack.model.when("light", [ticking])
    alice, bob = stack.client("alice"), stack.client("bob")
    well = alice.ask(alice.session(), "warm up")
    assert well.answer()
    light = bob.turn(bob.session(), "light")
    light.wait_text("3 ")
    peak, lag, gap, done = [0], [0], [0.0], threading.Event()

    def watch() -> None:
        last_count, last_change = 0, time.monotonic()
        while not done.is_set():
            peak[0] = max(peak[0], stack.worker.process.memory_bytes())
            sent, seen, now = ticking.sent, len(light.parser.events), time.monotonic()
            if seen != last_count:
                last_count, last_change = seen, now
            lag[0], gap[0] = max(lag[0], sent - seen), max(gap[0], now - last_change)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = ticking.sent
    try:
        heavy = alice.turn(alice.session(), "heavy", datasource=BIG).finish(120)
    finally:
        done.set()
        meanwhile = ticking.sent - before
        ticking.enough.set()
        watcher.join()
    assert light.finish(60).answer() == ticking.text()
    assert heavy.answer() == "Heavy is done."
    assert len(heavy.tools()) == 10 and all(r["content"] for _, r in heavy.tools())
    print(f"worker's peak {peak[0] >> 20} MiB; of {meanwhile} tokens that the other turn's model sent meanwhile at most "
          f"{lag[0]} were not there yet; its longest silence was {gap[0] * 1000:.0f} ms")
    assert peak[0] < 512 << 20, f"{peak[0] >> 20} MiB"
    # Relative to the heavy work, whatever the machine: the other turn never stood still for half of it.
    assert lag[0] < max(100, meanwhile / 2), f"{lag[0]} of {meanwhile} tokens were late"


def stamp(ago: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ago))


def test_prometheus_is_well_after_all_that(big: Prometheus, stack: Stack) -> None:
    assert big.query("count(big_series)")["result"]
    assert Client(stack.worker.url).get("/healthz").status == 200
