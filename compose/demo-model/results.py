"""Reads the tool results of a conversation. They are JSON, maybe with text around it; what cannot be read is left
out, so a result in another shape means that the demo model knows less, never that it makes something up."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Metric:
    name: str
    type: str = ""
    help: str = ""
    unit: str = ""


@dataclass
class Series:
    labels: dict[str, str]
    last: float | None = None
    avg: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass
class Answered:
    """What a query brought."""

    series: list[Series] = field(default_factory=list)
    total: int = 0
    error: str = ""


@dataclass
class Known:
    """All that the tools have told."""

    metrics: dict[str, Metric] = field(default_factory=dict)
    listed: int = 0  # list_metrics calls that were answered
    errors: list[str] = field(default_factory=list)  # of listing metrics
    answers: dict[tuple[str, str], Answered] = field(default_factory=dict)  # (range|instant, query), of this turn
    searched: set[str] = field(default_factory=set)


def parse(content: Any) -> Any:
    """The first JSON value in a tool message; None when there is none."""
    if isinstance(content, list):
        content = text_of(content)
    if not isinstance(content, str):
        return content
    decoder = json.JSONDecoder()
    for found in re.finditer(r"[{\[]", content):
        try:
            return decoder.raw_decode(content, found.start())[0]
        except ValueError:
            continue
    return None


def text_of(content: Any) -> str:
    if isinstance(content, list):  # content parts
        texts = [p.get("text") for p in content if isinstance(p, dict)]
        content = "".join(t for t in texts if isinstance(t, str))
    return content if isinstance(content, str) else json.dumps(content)


def list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def error_of(value: Any, content: Any) -> str:
    """A result that says what went wrong instead of a result."""
    if isinstance(value, dict):
        for key in ("error", "failed"):
            if value.get(key):
                error = value[key]
                if isinstance(error, dict):
                    error = error.get("message", error)
                return str(error if error is not True else value.get("message", "the tool failed"))[:500]
        if value.get("status") == "error":
            return str(value.get("message", "the tool failed"))[:500]
        return ""
    return text_of(content).strip()[:500] or "the tool gave nothing" if value is None else ""


def lists(value: Any, *names: str) -> list[Any]:
    """The list of that name, wherever it is in the value."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        for name in names:
            if isinstance(value.get(name), list):
                return value[name]
        for inner in value.values():
            if isinstance(inner, dict) and (found := lists(inner, *names)):
                return found
    return []


def read_metrics(known: Known, content: Any, search: str, of_this_turn: bool) -> None:
    value = parse(content)
    error = error_of(value, content)
    rows = lists(value, "metrics", "data", "names", "result")
    if error and not rows:
        if of_this_turn:  # of an earlier one it may also be a result that was left out to save room: ask again
            known.searched.add(search)
            known.errors.append(error)
        return
    known.searched.add(search)
    known.listed += 1
    for row in rows:
        if isinstance(row, str):
            known.metrics.setdefault(row, Metric(row))
        elif isinstance(row, dict) and isinstance(name := row.get("name") or row.get("metric"), str):
            known.metrics[name] = Metric(name, *(str(row.get(k) or "").strip() for k in ("type", "help", "unit")))


def number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def read_series(row: Any) -> Series | None:
    if not isinstance(row, dict):
        return None
    labels = row.get("labels", row.get("metric", {}))
    if not isinstance(labels, dict):
        return None
    series = Series({str(k): str(v) for k, v in labels.items()})
    points = list_of(row.get("points")) or list_of(row.get("values"))
    values = [v for p in points if isinstance(p, list) and len(p) == 2 and (v := number(p[1])) is not None]
    single = row.get("value")
    if isinstance(single, list) and len(single) == 2:
        single = single[1]

    def first_of(*options: Any) -> float | None:
        return next((v for o in options if (v := number(o)) is not None), None)

    series.last = first_of(row.get("last"), single, values[-1] if values else None)
    series.avg = first_of(row.get("avg"), row.get("mean"), sum(values) / len(values) if values else None)
    series.low = first_of(row.get("min"), min(values) if values else None)
    series.high = first_of(row.get("max"), max(values) if values else None)
    return series


def read_answer(content: Any) -> Answered:
    value = parse(content)
    rows = lists(value, "series", "result", "results", "data")
    error = error_of(value, content)
    if error and not rows:
        return Answered(error=error)
    series = [s for row in rows if (s := read_series(row)) is not None]
    total = len(series)
    if isinstance(value, dict):
        total = next((v for k, v in value.items() if k in ("series_total", "total") and isinstance(v, int)), total)
    return Answered(series, max(total, len(series)))


SEARCH_NAMES = ("search", "filter", "contains", "match", "pattern", "query", "name", "prefix", "text")


def read(messages: list[dict[str, Any]]) -> Known:
    """Metrics are known from the whole conversation, answers to queries only from after its last question."""
    known = Known()
    last_user = max((i for i, m in enumerate(messages) if m.get("role") == "user"), default=-1)
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    for i, message in enumerate(messages):
        for call in list_of(message.get("tool_calls")):
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                continue
            arguments = parse(function.get("arguments") or "{}")
            calls[str(call.get("id"))] = (
                str(function.get("name")),
                arguments if isinstance(arguments, dict) else {},
            )
        if message.get("role") != "tool":
            continue
        name, arguments = calls.get(str(message.get("tool_call_id")), ("", {}))
        content = message.get("content")
        if name == "list_metrics":
            search = next((str(arguments[k]) for k in SEARCH_NAMES if arguments.get(k)), "")
            read_metrics(known, content, search, i > last_user)
        elif name in ("execute_range_query", "execute_instant_query") and i > last_user:
            kind = "range" if name == "execute_range_query" else "instant"
            known.answers[kind, str(arguments.get("query", ""))] = read_answer(content)
    return known
