"""How right an answer's queries are. Pure but for `Prometheus`, which runs a query.

The agent's last query and a reference are run at the same moments, so that what changes from second to second changes in
both; they are equal when they give the same values for the same labels."""

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

QUERIES = ("execute_instant_query", "execute_range_query", "histogram_quantile", "run_panel", "loki_query")
SYNTAX = ("bad_data", "bad_arguments")
TOLERANCE = 1e-6
ORACLE_CALLS, ORACLE_TOKENS = 8, 8000  # what right calls may cost a question

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

    def parts(self, query: str, names: set[str]) -> set[str]:
        """What a query is of."""
        return metrics_of(query, names)


class Loki(Prometheus):
    """Of a log query the result is how many lines each stream has in the hour before."""

    def names(self) -> set[str]:
        return set()

    def run(self, query: str, at: float) -> Result | None:
        lines = query.lstrip().startswith("{")
        times = {"start": f"{at - 3600:.0f}", "end": f"{at:.0f}", "limit": 5000} if lines else {"time": f"{at:.0f}"}
        try:
            data = self.get("/loki/api/v1/query_range" if lines else "/loki/api/v1/query", query=query, **times)
        except urllib.error.HTTPError:
            return None
        if lines:
            return {tuple(sorted(row["stream"].items())): float(len(row["values"]))
                    for row in data["result"]}  # type: ignore[index,call-overload]
        return {tuple(sorted(row["metric"].items())): float(row["value"][1])
                for row in data["result"]}  # type: ignore[index,call-overload]

    def parts(self, query: str, names: set[str]) -> set[str]:
        """The matchers of its selectors."""
        found = re.findall(r"\{([^}]*)\}", query)
        return {re.sub(r"\s", "", matcher) for selector in found for matcher in re.findall(r'[^,"]+"[^"]*"', selector)}


def same(a: Result | None, b: Result | None) -> bool:
    if not a or not b or a.keys() != b.keys():
        return False
    return all(math.isclose(a[k], b[k], rel_tol=TOLERANCE, abs_tol=1e-9) or (math.isnan(a[k]) and math.isnan(b[k]))
               for k in a)


def same_values(a: Result | None, b: Result | None) -> bool:
    """Whatever the labels: how a result is grouped matters less to who asked for a number."""
    if not a or not b or len(a) != len(b):
        return False
    return all(math.isclose(x, y, rel_tol=TOLERANCE, abs_tol=1e-9) or (math.isnan(x) and math.isnan(y))
               for x, y in zip(sorted(a.values()), sorted(b.values()), strict=True))


SCALES = (1, 1e3, 1e6, 1e9, 2**10, 2**20, 2**30, 1e-3, 1e-6, 60, 3600, 86400, 0.01, 100)


def unsupported(answer: str, read: Iterable[str]) -> list[str]:
    """Numbers of an answer that nothing which was read has, in any unit: worker/turn/claims.c, seen from outside and
    more forgiving."""
    known = {float(n) for text in read for n in re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)}
    bare = re.sub(r"```.*?```|`[^`]*`|\d+(?:[:/-]\d+)+\S*|\d+\.\d+\.\d+", " ", answer, flags=re.DOTALL)
    found = []
    for text in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", bare):
        number, digits = float(text.replace(",", "").rstrip(".")), len(text.partition(".")[2])
        slack = max(0.5 * 10.0**-digits, abs(number) * 0.005)
        if not any(abs(number * s - k) <= slack * s for s in SCALES for k in known):
            found.append(text)
    return found


def metrics_of(query: str, names: set[str]) -> set[str]:
    bare = re.sub(r'"(\\.|[^"\\])*"|\'[^\']*\'|\{[^}]*\}|\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)',
                  " ", query)
    words = set(re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()", bare))
    return words & names if words & names else words


def agree(prometheus: Prometheus, query: str, reference: str, moments: Iterable[float],
          alike: Callable[[Result | None, Result | None], bool] = same) -> bool:
    """The same result at all moments that have one, and one has."""
    any_result = False
    for at in moments:
        # A scrape that ends between the two gives its sample to one of them only: then they are run again.
        for _ in range(3):
            mine, wanted = prometheus.run(query, at), prometheus.run(reference, at)
            if alike(mine, wanted):
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
    values: bool = False
    metric: bool = False
    recall: bool = False
    unsupported: bool = False
    queries: int = 0
    well_formed: int = 0
    calls: int = 0
    tokens: int = 0
    input: int = 0
    cached: int = 0
    seconds: float = 0.0
    note: str = ""
    told: list[str] = field(default_factory=list)  # what was looked up for the model, a line of JSON a metric
    read: int = 0  # tokens of all results: JSON with numbers has 3 bytes each (worker/llm/token_estimate.h)
    made: list[dict] = field(default_factory=list)  # each call with its arguments and the result as the model read it
    answer: str = ""


def judge(prometheus: Prometheus, question: dict, tools: Iterable[tuple[dict, dict]], moments: Iterable[float],
          names: set[str]) -> Score:
    """tools: the turn's calls with their results, in order."""
    score = Score(question["id"])
    for call, response in tools:
        score.calls += 1
        score.read += len(response["content"].encode()) // 3 + 1
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
    score.metric = any(prometheus.parts(score.query, names) == prometheus.parts(r, names) for r in question["accepted"])
    moments = list(moments)
    score.right = any(agree(prometheus, score.query, reference, moments) for reference in question["accepted"])
    score.values = score.right or any(agree(prometheus, score.query, reference, moments, same_values)
                                      for reference in question["accepted"])
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

    def column(self, what: str) -> str:
        """A share with its 95 % interval (Wilson's), in per cent."""
        low, high = interval(sum(bool(getattr(s, what)) for s in self.scores), len(self.scores))
        return f"{self.share(what):.0%} ({low:.0%}–{high:.0%})"

    def mean(self, what: str) -> float:
        return sum(getattr(s, what) for s in self.scores) / len(self.scores) if self.scores else 0.0

    def cost(self) -> str:
        """Of the dearest questions."""
        calls, read = (max(self.scores, key=lambda s: getattr(s, what)) for what in ("calls", "read"))
        return (f"{len(self.scores)} questions: at most {calls.calls} calls ({calls.question}) and {read.read} tokens of results "
                f"({read.question}) each, {self.mean('calls'):.1f} and {self.mean('read'):.0f} on average")

    def too_dear(self) -> list[Score]:
        return [s for s in self.scores if s.calls > ORACLE_CALLS or s.read > ORACLE_TOKENS]

    def lines(self, model: str) -> list[str]:
        cached = self.mean("cached") / self.mean("input") if self.mean("input") else 0.0
        return [
            "| model | questions | execution | values equal | metric | recall@12 | syntax | unsupported numbers | tokens "
            "| cached | tool calls | seconds |",
            "|---|---|---|---|---|---|---|---|---|---|---|---|",
            f"| {model} | {len(self.scores)} | {self.column('right')} | {self.column('values')} | {self.column('metric')} "
            f"| {self.share('recall'):.0%} | {self.syntax:.0%} | {self.share('unsupported'):.0%} | {self.mean('tokens'):.0f} "
            f"| {cached:.0%} | {self.mean('calls'):.1f} | {self.mean('seconds'):.1f} |"]

    def save(self, path: Path) -> None:
        path.write_text("".join(json.dumps(asdict(s), ensure_ascii=False) + "\n" for s in self.scores), encoding="utf-8")


def load(path: Path) -> Table:
    return Table([Score(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()])


def interval(hits: int, count: int) -> tuple[float, float]:
    """Wilson's score interval, 95 %."""
    if count == 0:
        return 0.0, 1.0
    z, share = 1.959964, hits / count
    middle = share + z * z / (2 * count)
    spread = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return (max(0.0, (middle - spread) / (1 + z * z / count)), min(1.0, (middle + spread) / (1 + z * z / count)))


def compare(a: Table, b: Table) -> list[str]:
    """The same questions of two runs, paired: McNemar's exact test of each share."""
    pairs = [(x, y) for x in a.scores for y in b.scores if x.question == y.question]
    lines = ["| of the same questions | first alone | second alone | both | neither | p |", "|---|---|---|---|---|---|"]
    for what in ("right", "values", "metric"):
        seen = [(bool(getattr(x, what)), bool(getattr(y, what))) for x, y in pairs]
        first, second = seen.count((True, False)), seen.count((False, True))
        differing = first + second
        tail = sum(math.comb(differing, k) for k in range(min(first, second) + 1)) / 2**differing if differing else 0.5
        lines.append(f"| {what} ({len(pairs)}) | {first} | {second} | {seen.count((True, True))} "
                     f"| {seen.count((False, False))} | {min(1.0, 2 * tail):.3f} |")
    return lines
