"""Asks a running PersAI the questions and scores what it did."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from eval.score import Prometheus, Score, Table, judge, unsupported

QUESTIONS = Path(__file__).with_name("questions.json")
AGES = (0.0, 30.0)  # seconds before now at which two queries must agree


def questions(world: str = "demo", half: str = "", file: Path = QUESTIONS) -> list[dict]:
    """world: demo (what the tests and the quick start scrape), exporters (the names of catalogs/exporters.txt, served by
    fakes/exporters.py; all: both of them) or loki (logs of test_real_sources.py).
    half: tuned (prompts and tables are made with these in view) or measured (nobody looks at what fails of them)."""
    found = json.loads(file.read_text(encoding="utf-8"))
    worlds = ("demo", "exporters") if world == "all" else (world,)
    return [q for q in found if q.get("world", "demo") in worlds and half in ("", q["half"])]


def askable(prometheus: Prometheus, found: Iterable[dict]) -> list[dict]:
    """Those whose references have a result here: not every Prometheus has every exporter."""
    now = time.time()
    return [q for q in found if any(prometheus.run(r, now) for r in q["accepted"])]


def told_of(lines: Iterable[str]) -> set[str]:
    """Metrics of what was looked up; of a histogram or summary all series."""
    names: set[str] = set()
    for found in map(json.loads, lines):
        names.add(found["metric"])
        if "series" in found:
            names |= {found["metric"] + end for end in ("_bucket", "_sum", "_count")}
    return names


def evaluate(prometheus: Prometheus, found: Iterable[dict], ask: Callable[[dict], tuple[list, dict]],
             tell: Callable[[Score], None] = lambda score: None,
             looked_up: Callable[[], list[str]] = list) -> Table:
    """ask(question) → the turn's calls with results, and its final payload; looked_up() → what was looked up for its
    model, a line of JSON for each metric."""
    table, names = Table(), prometheus.names()
    for question in found:
        begun = time.monotonic()
        tools, final = ask(question)
        seconds = time.monotonic() - begun
        now = time.time()
        score = judge(prometheus, question, tools, [now - age for age in AGES], names)
        usage = final.get("turn", {}).get("usage", {})
        turn = final.get("turn", {})
        score.tokens = usage.get("input_tokens", 0) + usage.get("output_tokens", 0)
        score.cached = usage.get("cached_input_tokens", 0)
        score.input = usage.get("input_tokens", 0)
        score.seconds = seconds
        score.told = looked_up()
        told = told_of(score.told)
        score.recall = any(prometheus.parts(r, names) <= told for r in question["accepted"]) if told else False
        score.made = [{"tool": c["tool_name"], "arguments": c["arguments"], "result": r["content"]} for c, r in tools]
        score.answer = answer = turn.get("output_message", {}).get("content") or ""
        score.unsupported = bool(unsupported(answer, [r["content"] for _, r in tools] + [question["question"]] +
                                             [json.dumps(c["arguments"]) for c, _ in tools]))
        if final.get("event_type") != "turn_complete":
            score.note = f"ended with {final.get('event_type')}: {final.get('code', '')}"
        table.scores.append(score)
        tell(score)
    return table
