"""Percentiles of classic and of native histograms, from the real Prometheus."""

import json

from fakes.model import Call
from harness.services import Prometheus
from harness.stack import Stack
from harness.wait import until


def quantile(stack: Stack, arguments: dict) -> dict:
    stack.model.when("how long", [Call("histogram_quantile", arguments)], ["So long."])
    alice = stack.client()
    (_, response), = alice.ask(alice.session(), "how long").tools()
    assert not response["failed"], response
    return json.loads(response["content"])


def test_a_native_histogram_is_known_as_one(stack: Stack, prometheus: Prometheus) -> None:
    until(lambda: prometheus.query("histogram_count(rate(wait_seconds[10s])) > 0"), "two scrapes of the histogram", 60)
    answer = quantile(stack, {"metric": "wait_seconds", "quantile": 0.5, "by": "queue", "window": "10s",
                              "start": "now-1m", "step": "5s"})
    assert answer["query"] == "histogram_quantile(0.5, sum by (queue) (rate(wait_seconds[10s])))"
    series, = answer["series"]
    assert series["labels"] == {"queue": "mail"} and abs(series["last"] - 2) < 1e-9, series


def test_a_classic_histogram_is_read_by_its_buckets(stack: Stack, prometheus: Prometheus) -> None:
    name = "prometheus_http_request_duration_seconds"
    until(lambda: prometheus.query(f"rate({name}_count[10s]) > 0"), "two scrapes of the histogram", 60)
    answer = quantile(stack, {"metric": name, "by": "handler", "window": "10s", "start": "now-1m", "step": "5s"})
    assert answer["query"] == f"histogram_quantile(0.95, sum by (le, handler) (rate({name}_bucket[10s])))"
    # A handler that nobody asked within the window has no quantile: its last value is the text "NaN".
    asked = [s for s in answer["series"] if s["last"] != "NaN"]
    assert any(s["labels"]["handler"].startswith("/") and s["last"] > 0 for s in asked), answer
