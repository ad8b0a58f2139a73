"""The regression floor of the evaluation: a scripted model replays good, clumsy and bad tool sequences over the questions,
so that the tools, what they say of mistakes, and the scoring itself are exercised without a key."""

import json
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eval.ask import askable, evaluate, questions
from eval.score import Prometheus as Scored
from eval.score import Table, load, metrics_of, same
from fakes.exporters import World
from fakes.model import Call
from harness.client import DATASOURCE
from harness.loki import get
from harness.services import ExportersWorld, Perses, Prometheus
from harness.stack import Stack
from harness.wait import free_port

EVAL = Path(__file__).resolve().parent.parent / "eval" / "run"
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


def play(stack: Stack, usable: list[dict], prometheus: Prometheus, way: Callable[[dict], list],
         datasource: str = DATASOURCE) -> tuple[Table, list]:
    client, results = stack.client(), []

    def ask(question: dict) -> tuple[list, dict]:
        stack.model.scripts.clear()
        stack.model.when(question["question"], *way(question))
        log = client.ask(client.session(), question["question"], datasource=datasource)
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


def test_good_sequences_are_right(stack: Stack, usable: list[dict], prometheus: Prometheus,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    the_oracle_is_right(*play(stack, usable, prometheus, good), Scored(prometheus.url).names(), capsys)


def the_oracle_is_right(table: Table, results: list, names: set[str], capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():  # the numbers are what it is for
        print("", table.cost(), sep="\n")
    wrong = [(s.question, s.query, s.note) for s in table.scores if not s.right or not s.metric]
    assert not wrong, wrong
    assert table.syntax == 1
    assert not table.too_dear(), [(s.question, s.calls, s.read) for s in table.too_dear()]
    # looking finds what the reference needs
    missed = []
    for question, tools in results:
        listed = {m["name"] for m in json.loads(tools[0][1]["content"])["metrics"]}
        if not metrics_of(question["accepted"][0], names) & listed:
            missed.append(question["id"])
    assert len(missed) <= len(results) // 20, missed


def test_clumsy_sequences_recover(stack: Stack, usable: list[dict], prometheus: Prometheus) -> None:
    the_clumsy_recover(*play(stack, usable[::3], prometheus, clumsy), Scored(prometheus.url).names())


def the_clumsy_recover(table: Table, results: list, names: set[str]) -> None:
    assert all(s.right for s in table.scores), [s for s in table.scores if not s.right]
    assert 0 < table.syntax < 1
    helped = 0
    for question, tools in results:
        contents = [result["content"] for _, result in tools]
        assert "There is no metric" in contents[0], contents[0]
        helped += any(m in contents[0] for m in metrics_of(question["accepted"][0], names))
        assert "bad_data" in contents[1] and "unknown_tool" in contents[2]
    assert helped >= len(results) * 0.8, f"the nearest names held the right one in {helped} of {len(results)}"


def test_bad_sequences_are_scored_wrong(stack: Stack, usable: list[dict], prometheus: Prometheus) -> None:
    table, _ = play(stack, usable[::6], prometheus, bad)
    assert not any(s.right for s in table.scores)


def copies(body: dict) -> list:
    """What no model needs to know: that it is so. Where nothing was run for it, what is up."""
    if any(m["content"].startswith("Result of ") for m in body["messages"]):
        return [json.dumps({"answer": "So it is."})]
    return [json.dumps({"tool": "execute_instant_query", "arguments": {"query": "up"}})]


def command(stack: Stack, folder: Path, *options: object) -> str:
    """What tests/eval/run prints."""
    token = folder / "token"
    token.write_text(stack.client(bearer=True).bearer, encoding="utf-8")
    ran = subprocess.run([sys.executable, EVAL, "--gateway", stack.gateway.url, "--token-file", token, *map(str, options)],
                         capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def small(stack: Stack, folder: Path, **env: str) -> Stack:
    path = folder / "models.json"
    path.write_text(json.dumps([{"name": "copies", "provider": "openai", "model": "copies", "size": "small",
                                 "base_url": stack.model.base_url}]), encoding="utf-8")
    return stack.start(worker_env={"PERSAI_MODELS": str(path), "PERSAI_DEFAULT_MODEL": "copies", **env})


def test_a_model_that_copies_what_it_is_told_is_often_right(bare: Stack, prometheus: Prometheus, tmp_path: Path,
                                                            capsys: pytest.CaptureFixture[str]) -> None:
    """The floor of a small model's answers, and the evaluation as a command: what is looked up and suggested on a real
    Prometheus is right without any thought. In each language, and as people on call write."""
    small(bare, tmp_path)
    bare.model.when("", copies)
    saved = tmp_path / "now.jsonl"
    said = command(bare, tmp_path, "--prometheus", prometheus.url, "--model", "copies", "--save", saved)
    with capsys.disabled():  # the numbers are what it is for
        print("", *said.splitlines()[-3:], sep="\n")
    table = load(saved)
    assert said.splitlines()[-1].startswith("| copies |")
    assert len(table.scores) >= 80
    for what, least in (("right", 0.84), ("values", 0.85), ("metric", 0.9), ("recall", 0.95)):
        assert table.share(what) >= least, (what, table.share(what))
    assert table.syntax >= 0.99 and table.mean("calls") == 1
    assert len(bare.model.chats()) <= 1.05 * len(table.scores), "a model reads the first suggested query's result at once"
    assert all(s.made[0]["result"] and s.answer for s in table.scores)
    # On a busy machine the catalog is late now and then, and the question goes without it.
    assert sum(bool(s.told) for s in table.scores) >= 0.95 * len(table.scores)
    # the same run paired with itself differs nowhere
    paired = command(bare, tmp_path, "--compare", saved, saved).splitlines()
    assert len(paired) == 5 and all(line.endswith("| 1.000 |") for line in paired[2:]), paired


@pytest.mark.parametrize("call", [{"query": "sum(room_temperature_celsius) by rooms"}, {"query": "room_temperature_celsius"}],
                         ids=["refused", "answered"])
def test_a_small_model_that_calls_for_ever_ends_with_a_plain_word(bare: Stack, tmp_path: Path, call: dict) -> None:
    """Even where its form is not held to. A refused call that it repeats is run as it was suggested, once it was told."""
    small(bare, tmp_path)
    bare.model.when("", [json.dumps({"tool": "execute_instant_query", "arguments": call})])
    alice = bare.client()
    session = alice.session()
    log = alice.ask(session, "How warm are the rooms?")
    final = log.final()
    assert final["event_type"] == "error" and final["code"] == "step_limit", final
    assert "more steps" in final["message"], final["message"]
    assert len(log.tools()) == 15 and len(bare.model.chats()) == 15
    suggested, *results = [json.loads(r["content"]) for _, r in log.tools()]
    assert suggested["query"] == "room_temperature_celsius", suggested
    if "by" in call["query"]:  # two faults
        assert results[0]["kind"] == "error" and results[0]["suggestion"], results[0]
        assert results[1]["query"] == "sum(room_temperature_celsius) by (room)", results[1]
        assert any("You made this same call before" in note for note in results[1]["notes"]), results[1]
    # what repeats a call that worked is offered none any more, and its form is held to an answer
    schemas = [json.dumps(body["response_format"]) for body in bare.model.chats()]
    worked = 3 if "by" in call["query"] else 1
    assert ["execute_instant_query" in s for s in schemas] == [True] * worked + [False] * (15 - worked)
    bare.model.scripts.clear()
    bare.model.when("", [json.dumps({"answer": "Hello."})])
    assert alice.ask(session, "hello").answer() == "Hello.", "the conversation goes on"


def test_a_small_model_may_choose_another_query_than_the_one_that_was_run_for_it(bare: Stack, tmp_path: Path) -> None:
    small(bare, tmp_path)

    def chooses(body: dict) -> list:
        words = body["messages"][-1]["content"]
        if "max(room_temperature_celsius)" in words:
            return [json.dumps({"answer": "Its result is there."})]
        return [json.dumps({"tool": "execute_instant_query", "arguments": {"query": "max(room_temperature_celsius)"}})]

    bare.model.when("", chooses)
    alice = bare.client()
    session = alice.session()
    log = alice.ask(session, "How warm are the rooms?")
    assert log.answer() == "Its result is there."
    assert [json.loads(r["content"])["query"] for _, r in log.tools()] == \
        ["room_temperature_celsius", "max(room_temperature_celsius)"]
    first = bare.model.chats()[0]["messages"]
    assert "room_temperature_celsius" in first[-1]["content"] and first[-1]["content"].startswith("Result of "), first[-1]
    # nothing fits: nothing is run
    bare.model.scripts.clear()
    bare.model.when("", [json.dumps({"answer": "Hello."})])
    assert alice.ask(alice.session(), "zzz qqq").tools() == []


def test_a_small_model_of_one_step_is_asked_in_it(bare: Stack, tmp_path: Path) -> None:
    small(bare, tmp_path, PERSAI_STEPS="1")
    bare.model.when("", [json.dumps({"answer": "Not known."})])
    alice = bare.client()
    log = alice.ask(alice.session(), "How warm are the rooms?")
    assert log.answer().startswith("Not known.") and log.tools() == []


EXPORTERS = "/proxy/globaldatasources/exporters"


@pytest.fixture(scope="module")
def exporters(run_folder: Path, service_logs: Path, perses: Perses) -> Iterator[ExportersWorld]:
    world = ExportersWorld(run_folder / "exporters", service_logs).start()
    perses.put_datasource("exporters", Perses.closed_datasource(world.url))
    yield world
    world.stop()


def test_the_same_start_is_the_same_world() -> None:
    one, same_again, other = World(1.7e9), World(1.7e9), World(1.6e9)
    for place in one.pages:
        assert one.page(place, 1.7e9 + 60) == same_again.page(place, 1.7e9 + 60), place
    place = ("redis", "redis:9000")
    assert one.page(place, 1.7e9) != one.page(place, 1.7e9 + 60) and one.page(place, 1.7e9) != other.page(place, 1.6e9)
    assert list(one.history(1.7e9, 120, 2)) == list(same_again.history(1.7e9, 120, 2))


def test_exporters_can_be_scraped_by_anyones_prometheus(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, EVAL.with_name("exporters"), "--port", str(port), "--start", "1700000000"]
    printed = subprocess.run([*command, "--print"], capture_output=True, text=True, timeout=60, check=True).stdout
    config = tmp_path / "prometheus.yml"
    config.write_text(printed, encoding="utf-8")  # JSON is YAML
    subprocess.run(["promtool", "check", "config", config], check=True, stdout=subprocess.DEVNULL, timeout=60)
    job = next(job for job in json.loads(printed)["scrape_configs"] if job["job_name"] == "redis")
    target = job["static_configs"][0]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout and "serving" in serving.stdout.readline()
            page = get(f"http://{target['targets'][0]}{target['labels']['__metrics_path__']}").decode()
        finally:
            serving.send_signal(signal.SIGINT)
        assert serving.wait(10) == 0
    assert "\n# TYPE redis_connected_clients gauge\nredis_connected_clients " in page


def nobody_is_right_by_chance(exporters: ExportersWorld, found: list[dict]) -> None:
    """What is asked for differs from what any other metric is, but for what is 0 or 1."""
    now, values = time.time(), defaultdict(list)
    for row in exporters.query('{__name__!=""}', time=now)["result"]:
        values[row["metric"]["__name__"]].append(float(row["value"][1]))
    alike = []
    for question in found:
        result = Scored(exporters.url).run(question["accepted"][0], now) or {}
        mine = sorted(result.values())
        if set(mine) - {0.0, 1.0}:
            alike += [(question["id"], name) for name, those in values.items()
                      if sorted(those) == mine and name not in " ".join(question["accepted"])]
    assert len(alike) <= 3, alike


def test_exporters_have_all_metrics_of_the_catalog(exporters: ExportersWorld) -> None:
    catalog = (EVAL.parent / "catalogs" / "exporters.txt").read_text(encoding="utf-8")
    kinds = dict(line.split() for line in catalog.splitlines())
    assert Scored(exporters.url).names() == kinds.keys()
    known = exporters.get("/api/v1/metadata")
    for name, kind in kinds.items():
        if name in known and not name.startswith(("up", "scrape_")):
            assert known[name][0]["type"] == kind and known[name][0]["help"], (name, known[name])
    found = questions("exporters")
    nobody_is_right_by_chance(exporters, found)
    assert len(found) >= 70 and len({q["id"] for q in found}) == len(found)
    there = askable(Scored(exporters.url), found)
    assert there == found, [q["id"] for q in found if q not in there]


def test_good_sequences_over_2000_metrics_are_right(stack: Stack, exporters: ExportersWorld,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    found = questions("exporters")
    table, results = play(stack, found, exporters, good, EXPORTERS)
    the_oracle_is_right(table, results, Scored(exporters.url).names(), capsys)
    the_clumsy_recover(*play(stack, found[::4], exporters, clumsy, EXPORTERS), Scored(exporters.url).names())
    wrong, _ = play(stack, found[::7], exporters, bad, EXPORTERS)
    assert not any(s.right or s.values for s in wrong.scores)


def test_what_is_suggested_of_2000_metrics_is_often_right(bare: Stack, exporters: ExportersWorld, tmp_path: Path,
                                                         capsys: pytest.CaptureFixture[str]) -> None:
    small(bare, tmp_path)
    bare.model.when("", copies)
    saved = tmp_path / "now.jsonl"
    said = command(bare, tmp_path, "--prometheus", exporters.url, "--model", "copies", "--save", saved, "--world", "exporters",
                   "--datasource", EXPORTERS)
    with capsys.disabled():
        print("", *said.splitlines()[-3:], sep="\n")
    table = load(saved)
    assert len(table.scores) >= 70 and table.syntax >= 0.97
    for what, least in (("right", 0.58), ("values", 0.58), ("metric", 0.74), ("recall", 0.9)):
        assert table.share(what) >= least, (what, table.share(what))


def test_equal_is_labels_and_values() -> None:
    a = {(("job", "x"),): 1.0}
    assert same(a, {(("job", "x"),): 1.0 + 1e-9}) and not same(a, {(("job", "y"),): 1.0})
    assert not same(a, {(("job", "x"),): 1.1}) and not same({}, {}) and not same(None, a)
    names = {"up", "x_total"}
    assert metrics_of('sum by (job) (rate(x_total{a="up"}[5m])) / on (up) count(up)', names) == {"x_total", "up"}
