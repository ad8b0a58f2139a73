"""From a metric to a query: by its type, the question's words and the labels that its series have."""

from __future__ import annotations

from dataclasses import dataclass, field

from choose import RANGE_LABELS, Vocabulary, kind_of
from results import Answered, Known, Metric, Series
from words import Clause, name_tokens, same, stem

DEFAULT_WINDOW_S = 15 * 60
WORD_MIN = 4  # "in" and "to" are values, too, but hardly what was meant
FREE = {stem(w) for w in ("free", "avail", "available")}
WHOLE = {stem(w) for w in ("size", "total", "capacity")}


@dataclass
class Plan:
    """How one clause is answered: a metric, and the query that was or will be made of it."""

    clause: Clause
    metric: Metric
    missing: list[str] = field(default_factory=list)  # words of the question that this metric does not carry
    kind: str = "instant"
    query: str = ""
    meaning: str = ""  # what the number is
    unit: str = ""
    is_state: bool = False  # 0 or 1


def window(clause: Clause) -> str:
    """The window of rate(): short beside what is looked at, long enough for a few scrapes of a minute each only
    when much is looked at."""
    looked_at = clause.window_s or DEFAULT_WINDOW_S
    return "1m" if looked_at <= 1800 else "5m" if looked_at <= 6 * 3600 else "30m"


def duration(seconds: int) -> str:
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def label_values(series: list[Series]) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for s in series:
        for label, value in s.labels.items():
            if label not in RANGE_LABELS and value not in values.setdefault(label, []):
                values[label].append(value)
    return values


def grouping(clause: Clause, labels: dict[str, list[str]]) -> list[str]:
    """ "by mode", "which device": labels that the series have, and whose values differ."""
    chosen = []
    for word in clause.groups:
        options = [name for name in labels if set(same(word)) & set(name_tokens(name))]
        if word == stem("target") and not options:
            options = [name for name in ("instance", "job") if name in labels][:1]
        chosen += [name for name in options if name not in chosen]
    return chosen


def matching(
    subjects: list[str], metric: Metric, labels: dict[str, list[str]], vocabulary: Vocabulary
) -> dict[str, str]:
    """ "of the gateway": label="…gateway…" where exactly one value of one label says so."""
    found: dict[str, str] = {}
    used = [w for w in subjects if w in vocabulary.tokens.get(metric.name, [])]
    for label, values in labels.items():
        if len(values) < 2:
            continue
        for word in subjects:
            hits = [v for v in values if v.lower() == word] or [v for v in values if word in name_tokens(v)]
            if word not in used and len(hits) == 1 and label not in found:
                found[label] = hits[0]
                used.append(word)
    return found


def selector(name: str, matchers: dict[str, str]) -> str:
    inner = ",".join(f"{k}={quoted(v)}" for k, v in matchers.items())
    return f"{name}{{{inner}}}" if inner else name


def by(labels: list[str]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""


def partner(metric: Metric, vocabulary: Vocabulary) -> Metric | None:
    """Of "…free…" the "…size…" that it is a part of: the same name but for that one word, or with a word less."""
    tokens = vocabulary.tokens[metric.name]
    rest = [t for t in tokens if t not in FREE]
    if len(rest) == len(tokens):
        return None
    for name, others in vocabulary.tokens.items():
        if name != metric.name and [t for t in others if t not in WHOLE] == rest and len(others) > len(rest):
            return vocabulary.metrics[name]
    return None


def finish(plan: Plan, probe: Answered, known: Known, vocabulary: Vocabulary) -> None:
    """The plan's query, by the metric's type, the question's words and the labels that its series have."""
    clause, metric = plan.clause, plan.metric
    labels = label_values(probe.series)
    group = grouping(clause, labels)
    # Also words that name no metric may be a value: "the right tank".
    words = clause.subjects + [w for w in clause.words if len(w) >= WORD_MIN and any(w in v for v in labels.values())]
    matchers = matching(words, metric, labels, vocabulary)
    plan.missing = [w for w in plan.missing if w not in {t for label in group for t in name_tokens(label)}]
    kind = kind_of(metric, known.metrics)
    name, w = metric.name, window(clause)
    plan.kind = "range" if clause.over_time or kind in ("counter", "histogram") else "instant"
    tokens = vocabulary.tokens.get(name, name_tokens(name))

    if kind == "histogram":
        base = name.removesuffix("_bucket")
        plan.unit = unit_of(base)
        of = matchers
        if clause.says("average", "mean", "avg"):
            plan.meaning = "average"
            total, count = selector(f"{base}_sum", of), selector(f"{base}_count", of)
            plan.query = f"sum{by(group)} (rate({total}[{w}])) / sum{by(group)} (rate({count}[{w}]))"
        elif clause.says("many", "often", "rate"):
            plan.meaning, plan.unit = "per second", ""
            plan.query = f"sum{by(group)} (rate({selector(f'{base}_count', of)}[{w}]))"
        else:
            q = clause.quantile or 0.95
            plan.meaning = f"{q:g} quantile"
            buckets = selector(f"{base}_bucket", of)
            plan.query = f"histogram_quantile({q:g}, sum{by(['le', *group])} (rate({buckets}[{w}])))"
        return

    if kind == "counter":
        idle = next((label for label, values in labels.items() if "idle" in values), None)
        if idle and stem("seconds") in tokens and not group and stem("idle") not in clause.subjects:
            # Seconds by what was done in them: what is not idle is busy. As a share of all of them it is right
            # also when the window is not yet full of data.
            share = [label for label in ("instance",) if label in labels]
            all_of, idle_of = selector(name, matchers), selector(name, matchers | {idle: "idle"})
            plan.meaning, plan.unit = "busy, in percent (all that is not idle)", "percent"
            sums = [f"sum{by(share)} (rate({of}[{w}]))" for of in (idle_of, all_of)]
            plan.query = f"100 * (1 - {sums[0]} / {sums[1]})"
            return
        if clause.says("many") and clause.window_s:
            plan.kind = "instant"
            plan.meaning = f"in the last {duration(clause.window_s)}"
            plan.query = f"sum{by(group)} (increase({selector(name, matchers)}[{duration(clause.window_s)}]))"
        else:
            plan.meaning, plan.unit = "per second", unit_of(name)
            plan.query = f"sum{by(group)} (rate({selector(name, matchers)}[{w}]))"
    else:
        plan.unit = unit_of(name)
        whole = partner(metric, vocabulary)
        values = {s.last for s in probe.series}
        if plan.unit == "seconds" and values and all(v is not None and 1e9 < v < 4e9 for v in values):
            plan.unit = "moment"  # seconds since 1970
        plan.is_state = bool(values) and values <= {0.0, 1.0} and len(tokens) <= 2
        if whole and clause.wants_fraction:
            plan.meaning, plan.unit = "used, in percent", "percent"
            plan.query = f"100 * (1 - {selector(name, matchers)} / {selector(whole.name, matchers)})"
        elif clause.says("total", "sum", "altogether", "overall") and len(probe.series) > 1:
            plan.meaning = "sum"
            plan.query = f"sum{by(group)} ({selector(name, matchers)})"
        elif clause.says("average", "mean") and len(probe.series) > 1:
            plan.meaning = "average"
            plan.query = f"avg{by(group)} ({selector(name, matchers)})"
        else:
            plan.query = selector(name, matchers)
    if clause.top and len(probe.series) > 1 and not plan.is_state:
        if not group and kind == "counter":
            inner = plan.query.removeprefix("sum (").removesuffix(")")
            plan.query = f"topk({clause.top}, {inner})"
        else:
            plan.query = f"topk({clause.top}, {plan.query})"
        plan.kind = "instant"


def unit_of(name: str) -> str:
    for unit in ("bytes", "seconds", "celsius", "ratio", "percent", "volts"):
        if unit in name.lower().split("_"):
            return unit
    return ""
