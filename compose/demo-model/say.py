"""Answers: what the queries brought, in words. Every figure is of a tool result."""

from __future__ import annotations

import math
from datetime import datetime, timezone

from choose import Seen, Vocabulary
from queries import Plan, label_values
from results import Answered, Series
from words import Clause


def none_found(clause: Clause, vocabulary: Vocabulary, seen: Seen) -> str:
    metric, _, missing = vocabulary.best(clause, seen)
    named = " or ".join(f"“{clause.named[w]}”" for w in missing or clause.subjects)
    near = f" The nearest by name is `{metric.name}`, which is not that." if metric else ""
    return f"For “{clause.text}” I found no matching metric: none of those listed carries {named}.{near}"


def figure(value: float | None, unit: str) -> str:
    if value is None:
        return "no value"
    if math.isnan(value):
        return "no number (NaN)"
    if math.isinf(value):
        return "infinite"
    if value == int(value) and abs(value) < 1e15:
        text = str(int(value))
    else:
        text = f"{value:.4g}"
        if "e" in text and 1e-6 < abs(value) < 1e15:
            text = f"{value:.0f}" if abs(value) >= 1 else f"{value:.8f}".rstrip("0")
    if unit == "percent":
        return text + " %"
    if unit == "moment":
        return f"{text} ({datetime.fromtimestamp(value, timezone.utc):%Y-%m-%d %H:%M:%S} UTC)"
    if unit == "bytes":
        for size, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if abs(value) >= size:
                return f"{text} bytes ({value / size:.3g} {name})"
    return f"{text} {unit}".strip()


def name_of(series: Series, all_labels: dict[str, list[str]]) -> str:
    """The labels that tell this series from the others."""
    differing = [k for k in series.labels if k not in ("__name__",) and (len(all_labels.get(k, [])) > 1)]
    shown = differing or [k for k in series.labels if k != "__name__"][:2]
    return ", ".join(f"{k}={series.labels[k]}" for k in shown)


def describe(plan: Plan, answered: Answered) -> str:
    """What a query brought, in figures of its result."""
    head = f"**{plan.clause.text[:1].upper()}{plan.clause.text[1:]}** — `{plan.query}`"
    if plan.meaning:
        head += f" ({plan.meaning})"
    if answered.error:
        return f"{head}: the query failed: {answered.error}"
    if not answered.series:
        return f"{head}: no data; the query returned no series."
    words = " and ".join(f"“{plan.clause.named[w]}”" for w in plan.missing)
    note = f"\nNeither this metric's name nor a label of its series carries {words}." if words else ""
    labels = label_values(answered.series)
    if plan.is_state and plan.kind == "instant":
        return head + ":" + describe_state(answered, labels) + note
    shown = sorted(answered.series, key=lambda s: -(s.last if s.last is not None and s.last == s.last else -math.inf))
    lines = []
    numbers = [s for s in shown if s.last is None or not math.isnan(s.last)]
    if not numbers:
        return f"{head}: no number; nothing of it happened in that time.{note}"
    for series in numbers[:10]:
        name = name_of(series, labels)
        line = figure(series.last, plan.unit)
        if plan.kind == "range" and series.low is not None and series.high is not None:
            line += f" at last, from {figure(series.low, plan.unit)} to {figure(series.high, plan.unit)}"
            if series.avg is not None and not math.isnan(series.avg):
                line += f", {figure(series.avg, plan.unit)} on average"
        lines.append((name, line))
    left = answered.total - (len(shown) - len(numbers)) - len(lines)
    if len(lines) == 1 and left <= 0:
        name, line = lines[0]
        return f"{head}: {line}{f' ({name})' if name else ''}.{note}"
    text = "".join(f"\n- {name}: {line}" if name else f"\n- {line}" for name, line in lines)
    return f"{head}:{text}" + (f"\n- … {left} more series" if left > 0 else "") + note


def describe_state(answered: Answered, labels: dict[str, list[str]]) -> str:
    text = ""
    for value, word in ((1.0, "1 (yes)"), (0.0, "0 (no)")):
        names = [name_of(s, labels) for s in answered.series if s.last == value]
        if not names:
            text += f"\n- {word}: none"
        else:
            text += f"\n- {word}, {len(names)} of {answered.total}: " + "; ".join(names[:20])
            text += f" … {len(names) - 20} more" if len(names) > 20 else ""
    return text
