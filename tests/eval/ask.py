"""Asks a running PersAI the questions and scores what it did."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from eval.score import Prometheus, Score, Table, judge

QUESTIONS = Path(__file__).with_name("questions.json")
AGES = (0.0, 30.0)  # seconds before now at which two queries must agree


def questions() -> list[dict]:
    return json.loads(QUESTIONS.read_text(encoding="utf-8"))


def askable(prometheus: Prometheus, found: Iterable[dict]) -> list[dict]:
    """Those whose references have a result here: not every Prometheus has every exporter."""
    now = time.time()
    return [q for q in found if any(prometheus.run(r, now) for r in q["accepted"])]


def evaluate(prometheus: Prometheus, found: Iterable[dict], ask: Callable[[dict], tuple[list, dict]],
             tell: Callable[[Score], None] = lambda score: None) -> Table:
    """ask(question) → the turn's calls with results, and its final payload."""
    table, names = Table(), prometheus.names()
    for question in found:
        begun = time.monotonic()
        tools, final = ask(question)
        seconds = time.monotonic() - begun
        now = time.time()
        score = judge(prometheus, question, tools, [now - age for age in AGES], names)
        usage = final.get("turn", {}).get("usage", {})
        score.tokens = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
        score.seconds = seconds
        if final.get("event_type") != "turn_complete":
            score.note = f"ended with {final.get('event_type')}: {final.get('code', '')}"
        table.scores.append(score)
        tell(score)
    return table
