"""How right an answer's queries are. Pure but for `Prometheus`, which runs a query.

The agent's last query and a reference are run at the same moments, so that what changes from second to second changes in
both; they are equal when they give the same values for the same labels."""

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field

QUERIES = ("execute_instant_query", "execute_range_query", "histogram_quantile", "run_panel")
SYNTAX = ("bad_data", "bad_arguments")
TOLERANCE = 1e-6

Result = dict[tuple[tuple[str, str], ...], float]


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def get(self, path: str, **params: object) -> object:
        with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(params)}", timeout=60) as answer:
            return json.load(answer)["data"]

    def names(self) -> set[str]:
        return set(self.get("/api/v1/label/__name__/values"))  # type: ignore[call-overload]

    def run(self, query: str, at: float) -> Result | None:
        """None: it is refused."""
        try:
            data = self.get("/api/v1/query", query=query, time=at)
        except urllib.error.HTTPError:
            return None
        if data["resultType"] == "scalar":  # type: ignore[index,call-overload]
            return {(): float(data["result"][1])}  # type: ignore[index,call-overload]
        if data["resultType"] != "vector":  # type: ignore[index,call-overload]
            return None
        return {tuple(sorted((k, v) for k, v in row["metric"].items() if k != "__name__")): float(row["value"][1])
                for row in data["result"]}  # type: ignore[index,call-overload]


def same(a: Result | None, b: Result | None) -> bool:
    if not a or not b or a.keys() != b.keys():
        return False
    return all(math.isclose(a[k], b[k], rel_tol=TOLERANCE, abs_tol=1e-9) or (math.isnan(a[k]) and math.isnan(b[k]))
               for k in a)


def metrics_of(query: str, names: set[str]) -> set[str]:
    bare = re.sub(r'"(\\.|[^"\\])*"|\'[^\']*\'|\{[^}]*\}|\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)',
                  " ", query)
    words = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()", bare))
    return words & names if words & names else words


def agree(prometheus: Prometheus, query: str, reference: str, moments: Iterable[float]) -> bool:
    """The same result at all moments that have one, and one has."""
    any_result = False
    for at in moments:
        # A scrape that ends between the two gives its sample to one of them only: then they are run again.
        for _ in range(3):
            mine, wanted = prometheus.run(query, at), prometheus.run(reference, at)
            if same(mine, wanted):
                any_result = True
                break
        else:
            if mine or wanted:
                return False
    return any_result


@dataclass
class Score:
    question: str
    query: str = ""
    right: bool = False
    metric: bool = False
    queries: int = 0
    well_formed: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    note: str = ""


def judge(prometheus: Prometheus, question: dict, tools: Iterable[tuple[dict, dict]], moments: Iterable[float],
          names: set[str]) -> Score:
    """tools: the turn's calls with their results, in order."""
    score = Score(question["id"])
    for call, response in tools:
        score.calls += 1
        if call["tool_name"] not in QUERIES:
            continue
        score.queries += 1
        try:
            result = json.loads(response["content"])
        except ValueError:
            continue
        if result.get("kind") == "error":
            score.well_formed += result.get("code") not in SYNTAX
            continue
        score.well_formed += 1
        score.query = result.get("query", "")
    if not score.query:
        score.note = "no query ran"
        return score
    score.metric = any(metrics_of(score.query, names) == metrics_of(r, names) for r in question["accepted"])
    score.right = any(agree(prometheus, score.query, reference, moments) for reference in question["accepted"])
    return score


@dataclass
class Table:
    scores: list[Score] = field(default_factory=list)

    def share(self, what: str) -> float:
        return sum(bool(getattr(s, what)) for s in self.scores) / len(self.scores) if self.scores else 0.0

    @property
    def syntax(self) -> float:
        queries = sum(s.queries for s in self.scores)
        return sum(s.well_formed for s in self.scores) / queries if queries else 0.0

    def lines(self, model: str) -> list[str]:
        count = len(self.scores) or 1
        return [
            "| model | questions | execution | metric | syntax | tokens | tool calls | seconds |",
            "|---|---|---|---|---|---|---|---|",
            f"| {model} | {len(self.scores)} | {self.share('right'):.1%} | {self.share('metric'):.1%} | {self.syntax:.1%} "
            f"| {sum(s.tokens for s in self.scores) / count:.0f} | {sum(s.calls for s in self.scores) / count:.1f} "
            f"| {sum(s.seconds for s in self.scores) / count:.1f} |"]
