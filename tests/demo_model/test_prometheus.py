"""The demo model over a real Prometheus whose metrics have names that no rule can know: each query must be one that
Prometheus takes, made of names that the tools returned, and each figure of an answer must be in the results."""

from __future__ import annotations

import http.server
import json
import math
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent import Conversation, Prometheus
from harness.wait import free_port

HISTOGRAM_LE = ("0.1", "0.5", "1", "+Inf")


def exposition(began: float) -> str:
    """A shop's numbers. Counters grow with time, so that rate() has data."""
    age = time.time() - began
    lines = [
        "# HELP acme_rig_cpu_seconds_total Seconds each core spent in a kind of work.",
        "# TYPE acme_rig_cpu_seconds_total counter",
    ]
    for core in ("0", "1"):
        lines += [
            f'acme_rig_cpu_seconds_total{{core="{core}",kind="idle"}} {1000 + age * 0.7}',
            f'acme_rig_cpu_seconds_total{{core="{core}",kind="user"}} {500 + age * 0.3}',
        ]
    lines += [
        "# HELP acme_basket_latency_seconds How long a basket took.",
        "# TYPE acme_basket_latency_seconds histogram",
    ]
    for shop, speed in (("north", 10), ("south", 4)):
        count = int(age * speed)
        for le, share in zip(HISTOGRAM_LE, (0.5, 0.9, 1, 1)):
            lines.append(f'acme_basket_latency_seconds_bucket{{shop="{shop}",le="{le}"}} {int(count * share)}')
        lines.append(f'acme_basket_latency_seconds_sum{{shop="{shop}"}} {count * 0.3}')
        lines.append(f'acme_basket_latency_seconds_count{{shop="{shop}"}} {count}')
    lines += [
        "# HELP acme_orders_refused_total Orders that were refused.",
        "# TYPE acme_orders_refused_total counter",
        f'acme_orders_refused_total{{shop="north"}} {7 + int(age)}',
        f'acme_orders_refused_total{{shop="south"}} {9 + int(age * 3)}',
        "# HELP acme_tank_temperature_celsius Of the tanks.",
        "# TYPE acme_tank_temperature_celsius gauge",
        'acme_tank_temperature_celsius{tank="left"} 21.75',
        'acme_tank_temperature_celsius{tank="right"} 88.125',
        "# TYPE acme_volume_free_bytes gauge",
        'acme_volume_free_bytes{volume="data"} 250000000',
        "# TYPE acme_volume_size_bytes gauge",
        'acme_volume_size_bytes{volume="data"} 1000000000',
        "",
    ]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if not shutil.which("prometheus"):
        pytest.fail("prometheus is not installed")
    began = time.time()

    class Exporter(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(exposition(began).encode())

        def log_message(self, *args: Any) -> None:
            pass

    exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    folder: Path = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    target = f"127.0.0.1:{exporter.server_address[1]}"
    scrape = {"job_name": "shop", "static_configs": [{"targets": [target]}]}
    config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    client = Prometheus(f"http://127.0.0.1:{port}")
    try:
        give_up = time.monotonic() + 60
        while not ready(client):
            assert time.monotonic() < give_up, (folder / "log").read_text()[-2000:]
            time.sleep(0.2)
        yield client
    finally:
        process.terminate()
        process.wait(20)
        exporter.shutdown()


def ready(client: Prometheus) -> bool:
    try:
        data = client.get("query", query="min(increase(acme_orders_refused_total[1m])) > 0")
        return bool(data.get("result"))
    except OSError:
        return False


def figures(value: Any) -> list[float]:
    """Every number in the results, and how many there are of each list."""
    if isinstance(value, dict):
        return [f for v in value.values() for f in figures(v)]
    if isinstance(value, list):
        return [float(len(value)), *(f for v in value for f in figures(v))]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return [float(value)]
    if isinstance(value, str):
        return [float(n) for n in re.findall(r"\d+(?:\.\d+)?", value)]
    return []


def told(answer: str, question: str) -> list[float]:
    """The numbers that an answer states: not those of a query, of the question, or of what a figure means."""
    text = re.sub(r"`[^`]*`|\([^)]*quantile\)|\(in the last [^)]*\)|\(\d[^)]* [KMGT]iB\)", " ", answer)
    for part in re.split(r"[?,]| and ", question):
        text = re.sub(re.escape(part.strip()), " ", text, flags=re.IGNORECASE) if part.strip() else text
    text = re.sub(r"\b\d+ \((?:yes|no)\), \d+ of \d+|\b\d \((?:yes|no)\): none", " ", text)
    return [float(n) for n in re.findall(r"(?<![\w.:=])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)]


QUESTIONS = [
    ("How hot are the tanks?", "tank", ["acme_tank_temperature_celsius"]),
    ("What is the temperature of the right tank?", "temperature", ['{tank="right"}']),
    ("How busy is the cpu of the rig?", "busy", ['kind="idle"', "rate("]),
    ("Which shop refused the most orders?", "refused", ["topk(", "by (shop)", "rate("]),
    ("How many orders were refused in the last minute by shop?", "refused", ["increase(", "by (shop)"]),
    ("What is the p90 latency of baskets per shop?", "latency", ["histogram_quantile(0.9,", "shop"]),
    ("What is the average basket latency in the south?", "latency", ["_sum", "_count", 'shop="south"']),
    ("How full is the volume?", "volume", ["acme_volume_free_bytes / acme_volume_size_bytes"]),
    ("Did the temperature of the tanks change over the last 10 minutes?", "temperature", ["acme_tank_temperature"]),
    ("Which targets are up, and how hot is the left tank?", "tank", ["up", '{tank="left"}']),
]


@pytest.mark.parametrize(("question", "_subject", "parts"), QUESTIONS, ids=[q for q, _, _ in QUESTIONS])
def test_a_question_is_answered_from_results(
    prometheus: Prometheus, question: str, _subject: str, parts: list[str]
) -> None:
    conversation = Conversation(prometheus.run)
    answer = conversation.ask(question)
    said = f"{question}\n{answer}\n{conversation.queries}"
    assert not [r for r in conversation.results if "error" in r], said
    for part in parts:
        assert any(part in q for q in conversation.queries), said
    known = {m["name"] for m in conversation.results[0]["metrics"]}
    for query in conversation.queries:
        for name in re.findall(r"\bacme_\w+", query):
            assert name in known, said
    results = [f for r in conversation.results for f in figures(r) if not math.isnan(f)]
    stated = told(answer, question)
    assert stated, said
    for number in stated:
        assert any(math.isclose(number, f, rel_tol=6e-4, abs_tol=1e-9) for f in results), f"{number} in {said}"


def test_the_figures_are_right(prometheus: Prometheus) -> None:
    answer = Conversation(prometheus.run).ask("What is the temperature of the right tank?")
    assert "88.12 celsius" in answer
    assert "21.75" not in answer
    assert "75 %" in Conversation(prometheus.run).ask("How full is the volume?")
    answer = Conversation(prometheus.run).ask("How busy is the cpu of the rig?")
    busy = re.search(r": (\d+(?:\.\d+)?) % at last", answer)
    assert busy, answer
    assert float(busy[1]) == pytest.approx(30, abs=3)


@pytest.mark.parametrize(
    "question", ["How many llamas graze on the roof?", "What is the replication lag of Postgres?", "Is Kafka healthy?"]
)
def test_what_is_not_there_is_not_made_up(prometheus: Prometheus, question: str) -> None:
    conversation = Conversation(prometheus.run)
    answer = conversation.ask(question)
    assert "no matching metric" in answer, answer
    assert not re.search(r"\d", re.sub(r"“[^”]*”|`[^`]*`", "", answer)), answer
