"""The agent's turn end to end: tools on real data, several steps, several turns, many at once."""

import datetime
import json
import re
import threading

import pytest

from fakes.model import Attempts, Call, Cut, Delay, Gate, Reasoning
from harness.client import DATASOURCE
from harness.services import HISTORY_STEP, Prometheus
from harness.sse import Log
from harness.stack import Stack

pytestmark = pytest.mark.core


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)]


def holds(text: str, value: float) -> bool:
    """The text says this number (to the four digits that a summary keeps)."""
    return any(abs(n - value) <= 1e-3 * max(1, abs(value)) for n in numbers(text))


def one_tool(stack: Stack, name: str, arguments: dict | str, **kw: object) -> tuple[dict, dict, Log]:
    """(call, response, log) of a turn in which the model makes this one call."""
    stack.model.when("use the tool", [Call(name, arguments)], ["Done."])
    alice = stack.client()
    log = alice.ask(alice.session(), "use the tool", **kw)  # type: ignore[arg-type]
    assert log.answer() == "Done."
    call, response = log.tools()[0]
    assert call["tool_name"] == response["tool_name"] == name
    return call, response, log


def test_a_plan_and_its_progress_are_events(stack: Stack) -> None:
    def plan(*states: str) -> Call:
        return Call("show_plan", {"steps": [{"step": f"part {i}", "state": s} for i, s in enumerate(states)]})

    stack.model.when("in steps", ["Let me see. ", plan("doing", "todo"), Call("list_label_values", {"label": "room"})],
                     [plan("done", "doing"), Call("execute_instant_query", {"query": "up"})], ["So it is."])
    alice = stack.client()
    session = alice.session()
    log = alice.ask(session, "in steps")
    deltas = [p["delta"] for p in log.of("step_progress") if p["step_type"] == "tool_execution"]
    shown = [(d["state"], [s["state"] for s in json.loads(d["arguments"])["steps"]])
             for d in deltas if d["tool_name"] == "show_plan"]
    assert shown == [(state, steps) for steps in (["doing", "todo"], ["done", "doing"]) for state in ("running", "done")]
    others = [(d["tool_name"], d["state"]) for d in deltas if d["tool_name"] != "show_plan"]
    assert others == [(name, state) for name in ("list_label_values", "execute_instant_query") for state in ("running", "done")]
    kept = [c["arguments"]["steps"] for m in alice.messages(session) for c in m.get("tool_calls") or []
            if c["tool_name"] == "show_plan"]
    assert [[s["state"] for s in steps] for steps in kept] == [["doing", "todo"], ["done", "doing"]]


# ---- tools, compared with what Prometheus says directly ----
def test_instant_query_is_what_prometheus_says(stack: Stack, prometheus: Prometheus) -> None:
    _, response, _ = one_tool(stack, "execute_instant_query", {"query": "room_temperature_celsius"})
    direct = prometheus.query("room_temperature_celsius")["result"]
    assert len(direct) == 3
    for series in direct:
        assert series["metric"]["room"] in response["content"]
        assert holds(response["content"], float(series["value"][1])), (series, response["content"])


def test_instant_query_at_a_time(stack: Stack, prometheus: Prometheus) -> None:
    at = prometheus.history_start + 50 * HISTORY_STEP
    _, response, _ = one_tool(stack, "execute_instant_query", {"query": 'history_load{host="b"}', "time": iso(at)})
    direct = prometheus.query('history_load{host="b"}', time=at)["result"][0]["value"][1]
    assert holds(response["content"], float(direct)), response["content"]


def iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_range_query_is_what_prometheus_says(stack: Stack, prometheus: Prometheus) -> None:
    start, end = prometheus.history_start + 600, prometheus.history_end - 600
    _, response, _ = one_tool(stack, "execute_range_query", {
        "query": "history_load", "start": iso(start), "end": iso(end), "step": "1m"})
    content = response["content"]
    direct = prometheus.query_range("history_load", start, end, 60)
    assert len(direct) == 3
    for series in direct:
        values = [float(v) for _, v in series["values"]]
        for name, value in [("min", min(values)), ("max", max(values)), ("avg", sum(values) / len(values)),
                            ("last", values[-1])]:
            assert holds(content, value), f"{name} {value} of {series['metric']} is not in {content}"


def test_range_query_takes_the_selected_time_range(stack: Stack, prometheus: Prometheus) -> None:
    """What the person has selected in Perses is what a query without times looks at."""
    start, end = prometheus.history_start + 3600, prometheus.history_start + 7200
    _, response, _ = one_tool(stack, "execute_range_query", {"query": 'history_load{host="a"}'},
                              context={"time_range": {"start": iso(start), "end": iso(end)}})
    values = [float(v) for _, v in prometheus.query_range('history_load{host="a"}', start, end, 60)[0]["values"]]
    assert holds(response["content"], max(values)) and holds(response["content"], min(values)), response["content"]


def test_list_metrics_is_what_prometheus_has(stack: Stack, prometheus: Prometheus) -> None:
    _, response, _ = one_tool(stack, "list_metrics", {})
    names = prometheus.get("/api/v1/label/__name__/values")
    content = json.loads(response["content"])
    assert content["total"] == len(names) and 0 < content["shown"] <= len(names)  # what was cut is said
    listed = [n for n in names if re.search(rf"\b{re.escape(n)}\b", response["content"])]
    assert len(listed) >= content["shown"]


def test_list_label_values_is_what_prometheus_has(stack: Stack, prometheus: Prometheus) -> None:
    _, response, _ = one_tool(stack, "list_label_values", {"label": "room"})
    direct = prometheus.get("/api/v1/label/room/values")
    assert direct == ["attic", "cellar", "kitchen"]
    for value in direct:
        assert value in response["content"]


def test_an_error_of_prometheus_reaches_the_model(stack: Stack) -> None:
    _, response, _ = one_tool(stack, "execute_instant_query", {"query": "sum(room_temperature_celsius"})
    assert "no closing" in response["content"], response["content"]
    sent = stack.model.chats("use the tool")[-1]["messages"][-1]
    assert sent["role"] == "tool" and "error" in sent["content"].lower()


@pytest.mark.parametrize("name,arguments", [
    ("no_such_tool", {}), ("execute_instant_query", "{not json"), ("execute_instant_query", {}),
    ("execute_instant_query", {"query": 7}), ("execute_instant_query", []), ("execute_instant_query", '"text"'),
    ("execute_range_query", {"query": "up{job=\"x\"}", "start": "yesterday-ish"}),
    ("list_label_values", {"label": "../../admin"}), ("list_label_values", {"label": "a/b?c"})])
def test_a_bad_call_is_told_to_the_model(stack: Stack, name: str, arguments: dict | str) -> None:
    call, response, log = one_tool(stack, name, arguments)
    assert response["content"], response
    sent = stack.model.chats("use the tool")[-1]["messages"]
    tool = [m for m in sent if m["role"] == "tool"]
    assert len(tool) == 1 and tool[0]["tool_call_id"] == call["call_id"]
    # The assistant message that goes back to the provider must be one that it accepts.
    assert all(isinstance(c["function"]["arguments"], str) for m in sent for c in m.get("tool_calls") or [])
    json.loads(next(m for m in sent if m.get("tool_calls"))["tool_calls"][0]["function"]["arguments"])


def test_parallel_calls_are_all_answered_in_order(stack: Stack) -> None:
    rooms = ["kitchen", "cellar", "attic"]
    stack.model.when("all rooms", [*(Call("execute_instant_query", {"query": f'room_temperature_celsius{{room="{r}"}}'},
                                          split=1, call_id=f"c-{r}") for r in rooms)], ["33 degrees."])
    alice = stack.client()
    log = alice.ask(alice.session(), "all rooms")
    tools = log.tools()
    assert [c["call_id"] for c, _ in tools] == [f"c-{r}" for r in rooms]
    for (_, response), value in zip(tools, [21.5, 12.25, 33], strict=True):
        assert holds(response["content"], value)
    sent = stack.model.chats("all rooms")[1]["messages"]
    asked = [c["id"] for m in sent for c in m.get("tool_calls") or []]
    answered = [m["tool_call_id"] for m in sent if m["role"] == "tool"]
    assert asked == answered == [f"c-{r}" for r in rooms]


def test_a_datasource_that_is_down_is_a_tool_error(stack: Stack) -> None:
    path = "/proxy/globaldatasources/closed-port"
    _, response, log = one_tool(stack, "execute_instant_query", {"query": "room_temperature_celsius"}, datasource=path)
    assert "error" in response["content"].lower() or "fail" in response["content"].lower(), response
    assert log.final()["event_type"] == "turn_complete"


def test_a_datasource_that_is_not_there_is_a_tool_error(stack: Stack) -> None:
    _, response, _ = one_tool(stack, "list_metrics", {}, datasource="/proxy/globaldatasources/not-there")
    assert "403" in response["content"] or "404" in response["content"] or "not" in response["content"].lower()


def test_each_tool_call_says_its_datasource(stack: Stack) -> None:
    _, response, log = one_tool(stack, "list_metrics", {})
    assert DATASOURCE in json.dumps(log.of("step_complete"))


# ---- steps and turns ----
def test_many_steps(stack: Stack) -> None:
    steps = [[f"Step {n}. ", Call("list_label_values", {"label": "room"})] for n in range(6)]
    stack.model.when("deep dive", *steps, ["All done."])
    alice = stack.client()
    log = alice.ask(alice.session(), "deep dive")
    assert log.answer() == "All done."
    assert log.text() == "".join(f"Step {n}. " for n in range(6)) + "All done."
    assert len(log.tools()) == 6
    kinds = [p["step_details"]["step_type"] for p in log.of("step_complete")]
    assert kinds == ["inference", "tool_execution"] * 6 + ["inference"]


def test_a_model_that_never_stops_calling_is_stopped(stack: Stack) -> None:
    stack.model.when("forever", [Call("list_label_values", {"label": "room"})])
    alice = stack.client()
    session = alice.session()
    log = alice.ask(session, "forever and ever")
    final = log.final()
    assert final["event_type"] == "error" and final["code"] == "step_limit" or final["event_type"] == "turn_complete"
    assert len(stack.model.chats("forever")) < 60
    assert alice.ask(session, "next").answer()


def test_a_conversation_remembers(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    stack.model.when("my name", ["Hello, ", "Ada."])
    alice.ask(session, "my name is Ada")
    alice.ask(session, "who am I?")
    sent = stack.model.chats("who am I")[0]["messages"]
    said = [(m["role"], m["content"]) for m in sent if m["role"] in ("user", "assistant")]
    assert [r for r, _ in said] == ["user", "assistant", "user"]
    assert "my name is Ada" in said[0][1] and said[1][1] == "Hello, Ada." and "who am I?" in said[2][1]


def test_reasoning_is_streamed_and_not_part_of_the_answer(stack: Stack) -> None:
    stack.model.when("think", [Reasoning("Let me "), Reasoning("think."), "42"])
    alice = stack.client()
    log = alice.ask(alice.session(), "think about it")
    assert log.answer() == "42"
    thoughts = [p["delta"]["text"] for p in log.of("step_progress") if p["delta"]["type"] == "reasoning"]
    assert "".join(thoughts) == "Let me think."


def test_tokens_come_as_they_are_made(stack: Stack) -> None:
    """Not in one lump at the end: each piece is seen before the next one is made."""
    gates = [Gate() for _ in range(4)]
    stack.model.when("slowly", [x for n, g in enumerate(gates) for x in (f"piece{n} ", g)])
    alice = stack.client()
    stream = alice.turn(alice.session(), "slowly")
    for n, gate in enumerate(gates):
        stream.wait_text(f"piece{n} ")
        gate.wait()
        assert f"piece{n + 1}" not in stream.log.text()
        gate.open()
    stream.finish()


def test_many_turns_at_once(stack: Stack) -> None:
    """Each gets its own answer, byte for byte."""
    count = 40
    for n in range(count):
        stack.model.when(f"[{n}]", [f"{n}:{i} " if i % 5 else Delay(0.01) for i in range(60)])
    alice, bob = stack.client("alice"), stack.client("bob")
    answers: dict[int, str] = {}
    problems: list[BaseException] = []

    def run(n: int) -> None:
        try:
            client = alice if n % 2 else bob
            answers[n] = client.ask(client.session(), f"question [{n}]").answer()
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(100)
    assert not problems, problems[0]
    for n in range(count):
        assert answers[n] == "".join(f"{n}:{i} " for i in range(60) if i % 5)


def test_a_long_answer_arrives_whole(stack: Stack) -> None:
    pieces = [f"word{n} " for n in range(5000)]
    stack.model.when("a novel", pieces)
    alice = stack.client()
    session = alice.session()
    assert alice.ask(session, "a novel").answer() == "".join(pieces)
    assert alice.messages(session)[-1]["content"] == "".join(pieces)


# ---- the original plugin ----
def test_the_original_plugins_exact_requests(stack: Stack) -> None:
    """What the first PersAI's plugin sends through llama-stack-client's base class, and the fields it reads."""
    stack.model.when("cpu", ["Looking. ", Call("execute_range_query", {"query": "history_load", "step": "1m"})],
                     ["CPU is ", "fine."])
    alice = stack.client()
    headers = {"Accept": "application/json", "Content-Type": "application/json", "X-Stainless-Lang": "js",
               "X-Stainless-Retry-Count": "0", "User-Agent": "LlamaStackClient/JS 0.2.12"}
    made = alice.post("/session", {}, headers=headers)
    assert made.status == 201 and list(made.json())[0] == "session_id"
    session = made.json()["session_id"]
    listed = alice.get("/sessions", headers=headers)
    assert isinstance(listed.json(), list)
    assert set(listed.json()[0]) >= {"session_id", "session_name", "started_at"}
    stream = alice.stream("POST", f"/session/{session}/turn?datasource_path=/proxy/globaldatasources/prometheus",
                          {"message": "how is the cpu"}, {**headers, "Accept": "text/event-stream"})
    log = stream.finish()
    for line in stream.parser.raw.decode().split("\n"):
        assert line == "" or line.startswith(("id: ", "data: {", ": "))
        if line.startswith("data: "):
            assert json.loads(line[6:])["event"]["payload"]["event_type"]
    deltas = [p["delta"] for p in log.of("step_progress") if p["delta"]["type"] == "text"]
    assert "".join(d["text"] for d in deltas) == "Looking. CPU is fine."
    details = next(p["step_details"] for p in log.of("step_complete")
                   if p["step_details"]["step_type"] == "tool_execution")
    call, answer = details["tool_calls"][0], details["tool_responses"][0]
    assert call["tool_name"] == "execute_range_query" and call["call_id"] == answer["call_id"]
    arguments = call["arguments"]
    arguments = json.loads(arguments) if isinstance(arguments, str) else arguments
    assert arguments["query"] == "history_load"
    assert log.final()["turn"]["output_message"] == {"role": "assistant", "content": "CPU is fine.", "stop_reason":
                                                     log.final()["turn"]["output_message"]["stop_reason"]}
    assert alice.request("DELETE", f"/session/{session}", headers=headers).status == 200
    gone = alice.request("DELETE", f"/session/{session}", headers=headers)
    assert gone.status == 404 and gone.json()["detail"]["response"] == "Session not found"


def test_the_models_second_attempt_replaces_the_first(stack: Stack) -> None:
    """A provider's stream that breaks in its middle is asked again; what was shown is dropped by a higher attempt."""
    stack.model.when("shaky", Attempts(["Half an ans", Cut()], ["A whole answer."]))
    alice = stack.client()
    log = alice.ask(alice.session(), "shaky")
    assert log.answer() == log.text() == "A whole answer."
