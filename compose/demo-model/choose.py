"""Which metric a question means: the one whose name, help and label values share most words with it."""

from __future__ import annotations

import math

from results import Answered, Known, Metric
from words import WEAK_STEMS, Clause, name_tokens, question_words, same, stem

LOOKS_MAX = 5  # series looked at for a word of a label; after that names alone decide
RANGE_LABELS = {"le", "quantile", "__name__"}


class Vocabulary:
    def __init__(self, metrics: dict[str, Metric]) -> None:
        self.metrics = {k: m for k, m in metrics.items() if not self.is_part(k, metrics)}
        self.tokens = {name: name_tokens(name) for name in self.metrics}
        self.help = {name: set(map(stem, question_words(m.help))) for name, m in self.metrics.items()}
        self.frequency: dict[str, int] = {}
        for tokens in self.tokens.values():
            for token in set(tokens):
                self.frequency[token] = self.frequency.get(token, 0) + 1

    @staticmethod
    def is_part(name: str, metrics: dict[str, Metric]) -> bool:
        """NAME_bucket, _sum and _count belong to the histogram NAME."""
        for suffix in ("_bucket", "_sum", "_count"):
            base = name.removesuffix(suffix)
            if base != name and (base in metrics or (suffix != "_bucket" and f"{base}_bucket" in metrics)):
                return True
        return False

    def weight(self, word: str) -> float:
        """A rare word tells more; one of place less."""
        weight = math.log(1 + (len(self.metrics) + 1) / (1 + max(self.frequency.get(s, 0) for s in same(word))))
        return 0.15 * weight if word in WEAK_STEMS else weight

    def carries(self, name: str, word: str) -> float:
        """1: the name has the word; less: a synonym, or only the help text; 0: nothing."""
        tokens = self.tokens[name]
        if word in tokens:
            return 1.0
        if any(s in tokens for s in same(word)):
            return 0.9
        if any(s in self.help[name] for s in same(word)):
            return 0.35
        return 0.0

    def best(self, clause: Clause, seen: Seen) -> tuple[Metric | None, float, list[str]]:
        """The metric that carries most of the clause's words, how much of them, and which it does not."""
        subjects = clause.subjects
        groups = {stem(w) for w in clause.groups}
        needed = {w: self.weight(w) * (0.3 if w in groups else 1.0) for w in subjects}
        whole = sum(needed.values())
        best: tuple[float, float, Metric] | None = None
        for name, metric in self.metrics.items():
            carried = {w: self.carries(name, w) for w in subjects}
            if not any(c >= 0.9 for c in carried.values()):
                continue  # a label alone names no metric
            got = sum(needed[w] * max(carried[w], seen.carries(name, w)) for w in subjects)
            # Of two that carry the same the plainer name wins: fewer other words in it.
            other = len([t for t in self.tokens[name] if not any(t in same(w) for w in subjects)])
            score = got / whole - 0.02 * other - (0.03 if name.endswith(("_info", "_created")) else 0)
            if best is None or score > best[0]:
                best = (score, got / whole, metric)
        if best is None:
            return None, 0.0, subjects
        metric = best[2]
        missing = [w for w in subjects if not self.carries(metric.name, w) and not seen.carries(metric.name, w)]
        return metric, best[1], missing


class Seen:
    """Which words the label values of series carry: of a metric that was looked at its own; of another, what any
    target has, as a guess that a look at it will settle."""

    def __init__(self, known: Known) -> None:
        self.by_query = {
            query: words_of(answer) for (kind, query), answer in known.answers.items() if kind == "instant"
        }
        self.names = known.metrics
        self.any = set().union(*self.by_query.values())

    def carries(self, name: str, word: str) -> float:
        own = self.by_query.get(probe_query(self.names[name], self.names))
        if own is None:
            return 0.9 if word in self.any and len(self.by_query) <= LOOKS_MAX else 0.0
        return 1.0 if word in own else 0.0


def words_of(answer: Answered) -> set[str]:
    return {
        token
        for series in answer.series
        for label, value in series.labels.items()
        if label not in RANGE_LABELS
        for token in name_tokens(value)
    }


def kind_of(metric: Metric, names: dict[str, Metric]) -> str:
    if metric.type in ("counter", "gauge", "histogram", "summary"):
        return metric.type
    if f"{metric.name}_bucket" in names:
        return "histogram"
    if metric.name.endswith("_bucket"):
        return "histogram"
    return "counter" if metric.name.endswith(("_total", "_count", "_sum")) else "gauge"


def probe_query(metric: Metric, names: dict[str, Metric]) -> str:
    """A histogram's own name has no series; its count has all labels but le."""
    if kind_of(metric, names) == "histogram":
        return metric.name.removesuffix("_bucket") + "_count"
    return metric.name
