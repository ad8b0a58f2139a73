"""The regression floor of the evaluation: a scripted model replays good, clumsy and bad tool sequences over the questions,
so that the tools, what they say of mistakes, and the scoring itself are exercised without a key."""

import json

import pytest

from eval.ask import askable, evaluate, questions
from eval.score import Prometheus as Scored
from eval.score import metrics_of, same
from fakes.model import Call
from harness.services import Prometheus
from harness.stack import Stack

WRONG = 'count({__name__="up"}) + 1000'


def good(question: dict) -> list[list]:
    """Looks first, then runs the reference."""
    return [[Call("list_metrics", {"search": question["search"], "limit": 20})],
            [Call("execute_instant_query", {"query": question["accepted"][0]})], ["So it is."]]


def clumsy(question: dict) -> list[list]:
    """Guesses a name, writes what no parser reads, names no tool; then does it right."""
    guess = "_".join(question["search"].split()) + "_guessed_total"
    return [[Call("execute_instant_query", {"query": guess}), Call("execute_range_query", {"query": "grate(up[5m])"})],
            [Call("frobnicate", {"q": "x"}), Call("execute_instant_query", {"query": question["accepted"][0], "time": "now"})],
            ["So it is."]]


def bad(question: dict) -> list[list]:
    """A valid query of something else."""
    return [[Call("execute_instant_query", {"query": WRONG})], ["So it is."]]


def play(stack: Stack, usable: list[dict], prometheus: Prometheus, way: object) -> tuple[object, list]:
    client, results = stack.client(), []

    def ask(question: dict) -> tuple[list, dict]:
        stack.model.scripts.clear()
        stack.model.when(question["question"], *way(question))  # type: ignore[operator]
        log = client.ask(client.session(), question["question"])
        results.append((question, log.tools()))
        return log.tools(), log.final()

    return evaluate(Scored(prometheus.url), usable, ask), results


@pytest.fixture
def usable(prometheus: Prometheus) -> list[dict]:
    found = [q for q in questions() if "lang" not in q and "style" not in q]  # said anew, they ask for the same
    assert len(found) >= 60 and len({q["id"] for q in found}) == len(found)
    there = askable(Scored(prometheus.url), found)
    assert len(there) >= 50, [q["id"] for q in found if q not in there]
    return there


def test_good_sequences_are_right(stack: Stack, usable: list[dict], prometheus: Prometheus) -> None:
    table, results = play(stack, usable, prometheus, good)
    wrong = [(s.question, s.query, s.note) for s in table.scores if not s.right or not s.metric]  # type: ignore[attr-defined]
    assert not wrong, wrong
    assert table.syntax == 1  # type: ignore[attr-defined]
    print("\n".join(table.lines("scripted, good")))  # type: ignore[attr-defined]
    # looking finds what the reference needs
    missed = []
    names = Scored(prometheus.url).names()
    for question, tools in results:
        listed = {m["name"] for m in json.loads(tools[0][1]["content"])["metrics"]}
        if not metrics_of(question["accepted"][0], names) & listed:
            missed.append(question["id"])
    assert len(missed) <= len(usable) // 20, missed


def test_clumsy_sequences_recover(stack: Stack, usable: list[dict], prometheus: Prometheus) -> None:
    table, results = play(stack, usable[::3], prometheus, clumsy)
    assert all(s.right for s in table.scores), [s for s in table.scores if not s.right]  # type: ignore[attr-defined]
    assert 0 < table.syntax < 1  # type: ignore[attr-defined]
    helped = 0
    names = Scored(prometheus.url).names()
    for question, tools in results:
        contents = [result["content"] for _, result in tools]
        assert "There is no metric" in contents[0], contents[0]
        helped += any(m in contents[0] for m in metrics_of(question["accepted"][0], names))
        assert "bad_data" in contents[1] and "unknown_tool" in contents[2]
    assert helped >= len(results) * 0.8, f"the nearest names held the right one in {helped} of {len(results)}"


def test_bad_sequences_are_scored_wrong(stack: Stack, usable: list[dict], prometheus: Prometheus) -> None:
    table, _ = play(stack, usable[::6], prometheus, bad)
    assert not any(s.right for s in table.scores)  # type: ignore[attr-defined]


def test_equal_is_labels_and_values() -> None:
    a = {(("job", "x"),): 1.0}
    assert same(a, {(("job", "x"),): 1.0 + 1e-9}) and not same(a, {(("job", "y"),): 1.0})
    assert not same(a, {(("job", "x"),): 1.1}) and not same({}, {}) and not same(None, a)
    names = {"up", "x_total"}
    assert metrics_of('sum by (job) (rate(x_total{a="up"}[5m])) / on (up) count(up)', names) == {"x_total", "up"}
