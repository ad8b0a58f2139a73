"""The demo model's rules, on lists of metrics and results made up here."""

from __future__ import annotations

import json
from typing import Any

import pytest
from agent import TOOLS, Conversation, tool

from words import Clause, clauses, name_tokens, stem  # isort: skip

METRICS = [
    ("up", "gauge", ""),
    ("zeta_cpu_seconds_total", "counter", "Seconds the processors spent in each state."),
    ("zeta_mem_available_bytes", "gauge", "Memory that can be had."),
    ("zeta_mem_total_bytes", "gauge", "All memory."),
    ("zeta_http_request_duration_seconds_bucket", "histogram", "How long requests took."),
    ("zeta_http_request_duration_seconds_count", "histogram", "How long requests took."),
    ("zeta_http_request_duration_seconds_sum", "histogram", "How long requests took."),
    ("zeta_http_requests_total", "counter", "Requests that came in."),
    ("zeta_queue_length", "gauge", "Jobs that wait."),
    ("zeta_boot_time_seconds", "gauge", "When it started, in seconds since 1970."),
]
SERIES: dict[str, list[dict[str, Any]]] = {
    "up": [
        {"labels": {"job": "shop", "instance": "a:1"}, "last": 1},
        {"labels": {"job": "till", "instance": "b:1"}, "last": 0},
    ],
    "zeta_cpu_seconds_total": [
        {"labels": {"job": "shop", "instance": "a:1", "state": state}, "last": 7.5} for state in ("idle", "user")
    ],
    "zeta_queue_length": [
        {"labels": {"job": "shop", "queue": "mails"}, "last": 12},
        {"labels": {"job": "shop", "queue": "orders"}, "last": 345},
    ],
    "zeta_boot_time_seconds": [{"labels": {"job": "shop"}, "last": 1700000000}],
}


class Tools:
    """Answers list_metrics from METRICS and queries from SERIES, else with one series of 42."""

    def __init__(self, metrics: list[tuple[str, str, str]] = METRICS) -> None:
        self.metrics = metrics
        self.answers: dict[str, Any] = {}

    def __call__(self, name: str, arguments: dict[str, Any]) -> Any:
        if name == "list_metrics":
            rows = [{"name": n, "type": t, "help": h} for n, t, h in self.metrics]
            return {"metrics": rows, "total": len(rows)}
        query = arguments["query"]
        if query in self.answers:
            return self.answers[query]
        series = SERIES.get(query, [{"labels": {"job": "shop"}, "last": 42, "min": 40, "max": 44, "avg": 41.5}])
        return {"series": series, "series_total": len(series)}


@pytest.fixture
def conversation() -> Conversation:
    return Conversation(Tools())


def test_every_answer_says_that_it_is_the_demo_model(conversation: Conversation) -> None:
    for question in ("hello", "who are you?", "how long is the queue?", "how many unicorns are there?", "¿?"):
        assert "demo model" in conversation.ask(question).lower()


BESIDE = (
    "\n\n[Said by PersAI, not by the person:\nNow it is 2026-11-28 15:00 (UTC).\nDatasource in use: "
    '/proxy/globaldatasources/prometheus\nMetrics that may fit, best first:\n{"metric":"zeta_mem_total_bytes"}\n]\n'
)


def test_what_persai_says_beside_a_question_is_not_the_persons(conversation: Conversation) -> None:
    plain = Conversation(Tools())
    for question in ("how long is the queue?", "and by queue?", "hello"):
        assert conversation.ask(question + BESIDE) == plain.ask(question)
        assert conversation.calls == plain.calls
        # Of an earlier question nothing of it is sent again.
        conversation.messages = [
            {**m, "content": m["content"].replace(BESIDE, "")} if m["role"] == "user" else m for m in conversation.messages
        ]


def test_an_answer_that_is_doubted_is_given_again(conversation: Conversation) -> None:
    for question in ("who are you?", "how long is the queue of orders?"):
        said = conversation.ask(question + BESIDE)
        assert conversation.ask("[Said by PersAI: your answer states 345, which no result has.]") == said
        assert conversation.calls == []


def test_no_name_is_known_before_the_tools_told_it(conversation: Conversation) -> None:
    conversation.ask("how busy is the cpu?")
    assert conversation.calls[0] == ("list_metrics", {})


@pytest.mark.parametrize(
    ("question", "query", "kind"),
    [
        ("how long is the queue?", "zeta_queue_length", "instant"),
        ("how long is the queue of orders?", 'zeta_queue_length{queue="orders"}', "instant"),
        ("how did the queue length change in the last 3 hours?", "zeta_queue_length", "range"),
        ("what is the total length of all queues?", "sum (zeta_queue_length)", "instant"),
        ("which queue is the longest, top 1 by length?", "topk(1, zeta_queue_length)", "instant"),
        ("how many http requests come in?", "sum (rate(zeta_http_requests_total[1m]))", "range"),
        (
            "how many http requests came in within the last 10 minutes?",
            "sum (increase(zeta_http_requests_total[10m]))",
            "instant",
        ),
        (
            "what is the p99 latency of http requests?",
            "histogram_quantile(0.99, sum by (le) (rate(zeta_http_request_duration_seconds_bucket[1m])))",
            "range",
        ),
        (
            "what is the average duration of http requests?",
            "sum (rate(zeta_http_request_duration_seconds_sum[1m])) / "
            "sum (rate(zeta_http_request_duration_seconds_count[1m]))",
            "range",
        ),
        (
            "how busy is the processor?",
            '100 * (1 - sum by (instance) (rate(zeta_cpu_seconds_total{state="idle"}[1m])) / '
            "sum by (instance) (rate(zeta_cpu_seconds_total[1m])))",
            "range",
        ),
        ("cpu time by state?", "sum by (state) (rate(zeta_cpu_seconds_total[1m]))", "range"),
        ("how much memory is available?", "zeta_mem_available_bytes", "instant"),
        ("how much of the RAM is used?", "100 * (1 - zeta_mem_available_bytes / zeta_mem_total_bytes)", "instant"),
    ],
)
def test_the_query_fits_the_type_and_the_words(
    conversation: Conversation, question: str, query: str, kind: str
) -> None:
    conversation.ask(question)
    name, arguments = conversation.calls[-1]
    assert (arguments["query"], name) == (query, f"execute_{kind}_query")


def test_two_questions_in_one_are_both_answered(conversation: Conversation) -> None:
    answer = conversation.ask("Which targets are up, and how long is the queue?")
    assert "`up`" in answer
    assert "job=shop" in answer
    assert "345" in answer


def test_a_state_is_told_for_each_target(conversation: Conversation) -> None:
    answer = conversation.ask("Which targets are down?")
    assert "0 (no), 1 of 2: job=till, instance=b:1" in answer


def test_a_moment_is_told_as_a_date(conversation: Conversation) -> None:
    assert "2023-11-14 22:13:20 UTC" in conversation.ask("when did it boot?")


@pytest.mark.parametrize(
    "question",
    [
        "How many unicorns live in the stable?",
        "What is the lag of the Kafka consumers?",
        "How many pods are pending in the namespace kitchen?",
        "what is the temperature of the reactor?",
    ],
)
def test_nothing_is_queried_for_what_no_metric_names(conversation: Conversation, question: str) -> None:
    answer = conversation.ask(question)
    assert "no matching metric" in answer
    assert [q for q in conversation.queries if q != "up"] == []


def test_an_empty_list_of_metrics_is_said() -> None:
    assert "found no metric" in Conversation(Tools([])).ask("how busy is the cpu?")


def test_a_failed_query_is_said_in_its_own_words() -> None:
    tools = Tools()
    tools.answers["zeta_queue_length"] = {"error": "Perses answered 403"}
    assert "Perses answered 403" in Conversation(tools).ask("how long is the queue?")


def test_no_data_is_said() -> None:
    tools = Tools()
    tools.answers["zeta_queue_length"] = {"series": [], "series_total": 0}
    assert "no data" in Conversation(tools).ask("how long is the queue?")


def test_a_result_that_was_left_out_of_a_long_conversation_is_asked_for_again(conversation: Conversation) -> None:
    conversation.ask("how long is the queue?")
    for message in conversation.messages:
        if message["role"] == "tool":
            message["content"] = "[left out to save room]"
    conversation.ask("how hot is the cpu?")
    assert conversation.calls[0] == ("list_metrics", {})


def test_a_failed_list_is_said() -> None:
    def broken(name: str, arguments: dict[str, Any]) -> Any:
        return {"error": "the datasource is down"}

    assert "the datasource is down" in Conversation(broken).ask("how busy is the cpu?")


def test_results_in_other_shapes_are_read_or_left_out() -> None:
    raw = {"data": {"result": [{"metric": {"queue": "mails"}, "value": [1, "77"]}]}}
    for content, figure in (
        (f"Result of the tool, not an instruction:\n{json.dumps(raw)}\nEnd.", "77"),
        ({"result": [{"metric": {"queue": "m"}, "values": [[1, "5"], [2, "78"]]}]}, "78"),
        ("garbage { that [ is no JSON", "garbage"),
        ([1, None, {"labels": 3}], "no data"),
    ):
        tools = Tools()
        tools.answers["zeta_queue_length"] = content
        assert figure in Conversation(tools).ask("how long is the queue?")


def test_times_are_sent_as_the_tool_wants_them() -> None:
    tools = [
        tool("list_metrics", []),
        tool("execute_range_query", ["query", "start", "end"], query="string", start="integer", end="integer"),
        tool("execute_instant_query", ["query"], query="string"),
    ]
    conversation = Conversation(Tools(), tools)
    conversation.ask("how did the queue length change over the last 2 hours?")
    _, arguments = conversation.calls[-1]
    assert arguments["end"] - arguments["start"] == 7200


def test_a_follow_up_is_about_the_question_before(conversation: Conversation) -> None:
    conversation.ask("how many http requests come in?")
    conversation.ask("and within the last 2 hours?")
    assert conversation.queries[-1] == "sum (increase(zeta_http_requests_total[2h]))" or conversation.queries[-1] == (
        "sum (rate(zeta_http_requests_total[5m]))"
    )
    assert ("list_metrics", {}) not in conversation.calls  # known from before


def test_where_the_tool_can_search_the_words_of_the_question_are_searched() -> None:
    tools = Tools()

    def search(name: str, arguments: dict[str, Any]) -> Any:
        if name != "list_metrics":
            return tools(name, arguments)
        rows = [{"name": n, "type": t} for n, t, _ in METRICS if arguments["search"] in n]
        return {"metrics": rows, "total": len(rows), "metrics_total": 5000}

    conversation = Conversation(search, [tool("list_metrics", [], search="string"), *TOOLS[1:]])
    conversation.ask("how long is the queue of orders?")
    assert conversation.queries[-1] == 'zeta_queue_length{queue="orders"}'
    assert conversation.calls[0] == ("list_metrics", {"search": "queu"})


def test_without_tools_nothing_is_made_up() -> None:
    answer = Conversation(Tools(), []).ask("how busy is the cpu?")
    assert "cannot answer" in answer


def test_it_always_comes_to_an_answer() -> None:
    """Tools that always name something new do not keep it busy for ever."""
    count = 0

    def endless(name: str, arguments: dict[str, Any]) -> Any:
        nonlocal count
        count += 1
        if name == "list_metrics":
            return {"metrics": [f"queue_{count}_{i}" for i in range(50)], "total": 10**6}
        return {"series": [{"labels": {"job": f"queue{count}"}, "last": count}], "series_total": 10**6}

    tools = [tool("list_metrics", [], search="string"), *TOOLS[1:]]
    assert Conversation(endless, tools).ask("how long is the queue of the shop and the till?")


def test_words() -> None:
    assert name_tokens("node_memory_MemAvailable_bytes") == ["node", "memory", "mem", "availabl", "byte"]
    assert name_tokens("node_load15") == ["node", "load", "15"]
    assert stem("queries") == stem("query")
    assert stem("appended") == stem("appends") == stem("append")
    assert [c.text for c in clauses("Is it up? How much CPU and memory is used, and how full is the disk?")] == [
        "Is it up",
        "How much CPU and memory is used",
        "how full is the disk",
    ]
    assert Clause("over the last 90 minutes").window_s == 5400
    assert Clause("in the past day").window_s == 86400
    assert Clause("the 99th percentile").quantile == 0.99
    assert Clause("p99.9 please").quantile == pytest.approx(0.999)
    assert Clause("has the load gone up").subjects == ["load"]
