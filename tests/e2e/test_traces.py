"""Traces: one a turn over gateway, worker, models and tools; what a collector that is slow, dead or refuses costs."""

import html
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from fakes.collector import Collector, Span
from fakes.mcp_server import McpServer
from fakes.model import Call, Gate, Status
from harness.client import Client
from harness.process import Process
from harness.stack import Stack, metrics, program
from harness.wait import free_port, until

INTERNAL, SERVER, CLIENT = 1, 2, 3
SECRET = "canary-pump-7"


@pytest.fixture
def collector() -> Iterator[Collector]:
    fake = Collector()
    yield fake
    fake.hold.set()
    fake.stop()
    assert not fake.problems, fake.problems


def start(bare: Stack, collector: Collector, **worker: str) -> Stack:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}/", "OTEL_RESOURCE_ATTRIBUTES": "zone=lab%201,x=y",
           "OTEL_EXPORTER_OTLP_HEADERS": "x-key=abc%3D"}
    return bare.start(gateway_env=env, worker_env={**env, **worker})


def whole(collector: Collector, trace: str) -> list[Span]:
    """All spans of a turn that is over: the roots are told last."""
    until(lambda: {"turn", "invoke_agent persai"} <= {s.name for s in collector.of(trace)}, "the whole trace", 30)
    return collector.of(trace)


def one(spans: list[Span], name: str) -> Span:
    found = [s for s in spans if s.name == name]
    assert len(found) == 1, (name, [s.name for s in spans])
    return found[0]


def outcomes(url: str) -> dict[str, float]:
    return {k.split('"')[1]: v for k, v in metrics(url).items() if k.startswith("persai_trace_spans_total")}


@pytest.mark.core
def test_a_turn_is_one_trace(bare: Stack, collector: Collector) -> None:
    stack = start(bare, collector)
    stack.model.when("how warm", [Call("execute_instant_query", {"query": "up"})], ["Warm."])
    alice = stack.client()
    session = alice.session()
    turn = alice.start(session, "how warm?")
    assert alice.follow(session, turn).answer() == "Warm."
    spans = whole(collector, turn)  # without a client's the trace's id is the turn's
    root, agent = one(spans, "turn"), one(spans, "invoke_agent persai")
    assert (root.parent, root.kind, root.service) == ("", SERVER, "persai-gateway")
    assert (agent.parent, agent.kind, agent.service) == (root.id, INTERNAL, "persai-worker")
    assert root.resource["zone"] == "lab 1" and root.resource["x"] == "y" and root.resource["service.instance.id"]
    assert one(spans, "queue").parent == one(spans, "turn_begin").parent == root.id
    seals = [s for s in spans if s.name == "turn_seal"]
    assert len(seals) == 3 and {s.parent for s in seals} == {agent.id} and one(spans, "turn_load").parent == agent.id
    assert all(s.attributes["db.system.name"] == "redis" and s.kind == CLIENT for s in [*seals, one(spans, "turn_begin")])
    chats = [s for s in spans if s.name == "chat scripted"]
    assert len(chats) == 2 and all(s.kind == CLIENT and s.parent == agent.id for s in chats)
    for chat in chats:
        a = chat.attributes
        assert a["gen_ai.operation.name"] == "chat" and a["gen_ai.provider.name"] == "openai"
        assert a["gen_ai.request.model"] == "scripted" and a["gen_ai.request.stream"] is True
        assert a["gen_ai.conversation.id"] == session
        assert a["gen_ai.usage.input_tokens"] > 0 and a["gen_ai.usage.output_tokens"] > 0
        assert a["gen_ai.response.time_to_first_chunk"] > 0
    assert [c.attributes["gen_ai.response.finish_reasons"] for c in sorted(chats, key=lambda s: s.start_ns)] == [
        ["tool_calls"], ["stop"]]
    tool = one(spans, "execute_tool execute_instant_query")
    assert tool.kind == INTERNAL and tool.parent == agent.id and not tool.failed
    assert tool.attributes["gen_ai.operation.name"] == "execute_tool"
    assert tool.attributes["gen_ai.tool.name"] == "execute_instant_query" and tool.attributes["gen_ai.tool.type"] == "function"
    assert agent.attributes["gen_ai.operation.name"] == "invoke_agent" and agent.attributes["gen_ai.agent.name"] == "persai"
    assert agent.attributes["persai.outcome"] == "done" and agent.attributes["persai.turn"] == turn
    assert all(s.end_ns >= s.start_ns > 0 for s in spans)
    assert all(root.start_ns - 50_000_000 <= s.start_ns and s.end_ns <= root.end_ns + 5_000_000_000 for s in spans)
    assert not [s for s in spans for name in s.attributes if "messages" in name or "arguments" in name]
    # Log lines carry the trace's id.
    for process in (stack.gateway.process, stack.worker.process):
        assert f"turn={turn} trace_id={turn}".encode() in process.log_bytes()
    assert collector.requests[0].header("x-key") == "abc="
    until(lambda: outcomes(stack.worker.url)["sent"] >= 8, "the worker to have its answer")


def test_a_clients_traceparent_is_taken_up_and_passed_on(bare: Stack, collector: Collector, tmp_path: Path) -> None:
    with McpServer(free_port()) as server:
        path = tmp_path / "mcp.json"
        path.write_text(json.dumps([{"name": "tix", "url": server.url, "tools": {"search": "read"}}]))
        stack = start(bare, collector, PERSAI_MCP=str(path))
        until(lambda: any(t["name"] == "mcp_tix_search" for t in stack.client().get("/tools").json()), "the MCP tools", 60)
        stack.model.when("tickets", [Call("mcp_tix_search", {"word": "disk", "limit": 1})], ["One."])
        trace, parent = secrets.token_hex(16), secrets.token_hex(8)
        alice = stack.client()
        log = alice.turn(alice.session(), "tickets", headers={"traceparent": f"00-{trace}-{parent}-01"}).finish()
        assert log.answer() == "One."
        spans = whole(collector, trace)
        assert one(spans, "turn").parent == parent
        tool = one(spans, "execute_tool mcp_tix_search")
        assert tool.attributes["gen_ai.tool.type"] == "extension" and tool.attributes["persai.mcp_server"] == "tix"
        ids = {s.id for s in spans if s.name == "chat scripted"}
        asked = [r.header("traceparent").split("-") for r in stack.model.seen(lambda r: r.path.endswith("/chat/completions"))]
        assert {a[2] for a in asked if a[1] == trace} == ids and len(ids) == 2
        calls = [seen for seen in server.seen if b'"method":"tools/call"' in seen]
        assert len(calls) == 1 and f"00-{trace}-{tool.id}-01".encode() in calls[0], calls


def traceparent(trace: str = "1" * 32, version: str = "00", more: str = "") -> str:
    return f"{version}-{trace}-{'1' * 16}-01{more}"


@pytest.mark.parametrize("given", ["nonsense", traceparent("0" * 32), traceparent(version="ff"), traceparent("A" * 32),
                                   traceparent(more="-more")])
def test_what_is_no_traceparent_counts_as_none(bare: Stack, collector: Collector, given: str) -> None:
    stack = start(bare, collector)
    alice = stack.client()
    session = alice.session()
    log = alice.turn(session, "hello", headers={"traceparent": given}).finish()
    assert log.final()["event_type"] == "turn_complete"
    turn = log.final()["turn"]["turn_id"]
    assert one(whole(collector, turn), "turn").parent == ""


def test_who_does_not_sample_gets_no_spans_but_ids_go_on(bare: Stack, collector: Collector) -> None:
    stack = start(bare, collector)
    trace = secrets.token_hex(16)
    alice = stack.client()
    alice.turn(alice.session(), "hello quiet", headers={"traceparent": f"00-{trace}-{'2' * 16}-00"}).finish()
    turn = alice.start(session := alice.session(), "hello loud")
    alice.follow(session, turn)
    whole(collector, turn)
    assert not collector.of(trace)
    headers = [r.header("traceparent") for r in stack.model.seen(lambda r: r.path.endswith("/chat/completions"))]
    assert any(h.startswith(f"00-{trace}-") and h.endswith("-00") for h in headers), headers


def test_content_only_when_asked_for_and_masked(bare: Stack, collector: Collector, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("canary =~ canary-[a-z0-9-]+\nplace =~ globaldatasources/\\w+\n")
    stack = start(bare, collector, PERSAI_REDACT=str(rules),
                  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true")
    stack.model.when("tell me", [Call("execute_instant_query", {"query": f'up{{job="{SECRET}"}}'})], [f"It is {SECRET}."])
    alice = stack.client()
    turn = alice.start(session := alice.session(), f"tell me of {SECRET}")
    assert SECRET in alice.follow(session, turn).answer()
    spans = whole(collector, turn)
    chats = sorted((s for s in spans if s.name == "chat scripted"), key=lambda s: s.start_ns)
    messages = json.loads(str(chats[1].attributes["gen_ai.input.messages"]))
    assert [m["role"] for m in messages][-3:] == ["user", "assistant", "tool"]
    assert "tell me of MASKED_CANARY_" in messages[-3]["parts"][0]["content"]
    assert messages[-2]["parts"][-1]["type"] == "tool_call" and messages[-1]["parts"][0]["type"] == "tool_call_response"
    output = json.loads(str(chats[1].attributes["gen_ai.output.messages"]))
    assert output[0]["parts"][0]["content"].startswith("It is MASKED_CANARY_") and output[0]["finish_reason"] == "stop"
    assert json.loads(str(chats[1].attributes["gen_ai.system_instructions"]))[0]["content"]
    tool = one(spans, "execute_tool execute_instant_query")
    assert "MASKED_CANARY_" in str(tool.attributes["gen_ai.tool.call.arguments"])
    assert tool.attributes["gen_ai.tool.call.result"]
    assert str(tool.attributes["persai.datasource"]).startswith("/proxy/MASKED_PLACE_"), tool.attributes
    assert SECRET.encode() not in b"".join(r.raw() for r in collector.requests)


def test_a_failed_call_says_why(bare: Stack, collector: Collector) -> None:
    stack = start(bare, collector)
    stack.model.when("break", [Status(400, b'{"error":{"message":"no"}}')])
    alice = stack.client()
    turn = alice.start(session := alice.session(), "break")
    log = alice.follow(session, turn)
    assert log.final()["event_type"] == "error"
    spans = whole(collector, turn)
    chat, agent = one(spans, "chat scripted"), one(spans, "invoke_agent persai")
    assert chat.failed and agent.failed
    assert chat.attributes["error.type"] == log.final()["code"] == agent.attributes["error.type"]
    found = metrics(stack.worker.url)
    assert any(k.startswith("gen_ai_client_operation_duration_seconds_count{") and "error_type" in k for k in found), found


def test_a_collector_that_fails_for_a_while_gets_all(bare: Stack, collector: Collector) -> None:
    collector.statuses = [503, 429]
    stack = start(bare, collector)
    alice = stack.client()
    turn = alice.start(session := alice.session(), "hello")
    alice.follow(session, turn)
    spans = whole(collector, turn)
    assert len(spans) == len({s.id for s in spans})
    until(lambda: outcomes(stack.gateway.url)["sent"] + outcomes(stack.worker.url)["sent"] >= len(spans), "all to be counted")
    assert outcomes(stack.gateway.url)["dropped"] == outcomes(stack.worker.url)["dropped"] == 0


def test_what_a_collector_refuses_is_dropped_and_counted_and_said_once(bare: Stack, collector: Collector) -> None:
    collector.statuses = [500] * 100
    stack = start(bare, collector)
    alice = stack.client()
    for _ in range(2):
        before = outcomes(stack.worker.url)["refused"]
        assert alice.ask(alice.session(), "hello").final()["event_type"] == "turn_complete"
        until(lambda: outcomes(stack.worker.url)["refused"] > before, "spans to be refused")
    assert stack.worker.process.log_bytes().count(b"event=trace.collector") == 1


@pytest.mark.parametrize("after", ["1000", "date"])
def test_a_collector_that_wants_a_long_pause_has_it(bare: Stack, collector: Collector, after: str) -> None:
    """No batch comes before that, neither the refused one nor another; it is said once, and no end waits for it."""
    collector.statuses = [429] * 100
    collector.headers = {"Retry-After": formatdate(time.time() + 1000, usegmt=True) if after == "date" else after}
    stack = start(bare, collector)
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").final()["event_type"] == "turn_complete"
    until(lambda: len(collector.requests) == 2, "gateway and worker to be refused")
    began = time.monotonic()
    while time.monotonic() - began < 8:  # it took 1, 2 and 4 s to give up
        assert alice.ask(alice.session(), "again").final()["event_type"] == "turn_complete"
    assert len(collector.requests) == 2
    for process in (stack.gateway.process, stack.worker.process):
        line, = [line for line in process.log.read_text().splitlines() if "event=trace.collector" in line]
        assert "takes_spans=0 status=429" in line and "waits_ms=900000" in line, line
        process.terminate()
    assert len(collector.requests) == 2


def test_a_short_pause_is_kept_and_nothing_is_lost(bare: Stack, collector: Collector) -> None:
    collector.statuses, collector.headers = [503, 503], {"Retry-After": "4"}
    stack = start(bare, collector)
    alice = stack.client()
    alice.follow(session := alice.session(), turn := alice.start(session, "hello"))
    whole(collector, turn)
    first, second, *later = collector.requests
    assert all(r.at - second.at > 3 for r in later) and first.at <= second.at
    until(lambda: outcomes(stack.gateway.url)["sent"] + outcomes(stack.worker.url)["sent"] >= len(collector.of(turn)), "counts")
    assert outcomes(stack.gateway.url)["dropped"] == outcomes(stack.worker.url)["dropped"] == 0
    assert b"event=trace.collector" not in stack.gateway.process.log_bytes() + stack.worker.process.log_bytes()


@pytest.mark.parametrize("status", [400, 401, 404, 408, 413, 500, 501])
def test_what_may_not_be_sent_again_is_not(bare: Stack, collector: Collector, status: int) -> None:
    """OTLP/HTTP: all but 429, 502, 503 and 504; a Retry-After does not change that."""
    collector.statuses, collector.headers = [status] * 100, {"Retry-After": "1"}
    stack = start(bare, collector)
    alice = stack.client()
    alice.ask(alice.session(), "hello")
    until(lambda: outcomes(stack.gateway.url)["refused"] > 0 < outcomes(stack.worker.url)["refused"], "spans to be refused")
    sent = [r.body for r in collector.requests]
    assert len(sent) == len(set(sent))


def test_what_is_taken_in_part_is_counted_and_said(bare: Stack, collector: Collector) -> None:
    collector.said = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}).encode()
    stack = start(bare, collector)
    alice = stack.client()
    for _ in range(2):
        before = outcomes(stack.worker.url)["refused"]
        alice.ask(alice.session(), "hello")
        until(lambda: outcomes(stack.worker.url)["refused"] == before + 1, "a span to be refused")
    line, = [line for line in stack.worker.process.log.read_text().splitlines() if "event=trace.collector" in line]
    assert "refused=1" in line and "too old" in line, line
    ids = [s.id for s in collector.spans]
    assert len(ids) == len(set(ids))


def test_a_dead_or_slow_collector_delays_no_turn(bare: Stack, collector: Collector) -> None:
    collector.hold.clear()
    stack = start(bare, collector)
    alice = stack.client()
    for n in range(5):
        assert alice.ask(alice.session(), f"hello {n}").final()["event_type"] == "turn_complete"
    assert outcomes(stack.worker.url)["sent"] == 0
    collector.hold.set()
    until(lambda: outcomes(stack.worker.url)["sent"] > 20, "the slow collector to take them", 30)
    dead = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    worker = stack.add_worker(**dead)
    stack.wait_worker(worker)
    stack.workers[0].process.terminate()
    assert alice.ask(alice.session(), "hello again").final()["event_type"] == "turn_complete"
    until(lambda: outcomes(worker.url)["dropped"] > 0, "spans to be dropped", 60)


def test_nothing_of_it_is_there_when_it_is_off(stack: Stack) -> None:
    alice = stack.client()
    alice.turn(alice.session(), "hello", headers={"traceparent": f"00-{'3' * 32}-{'4' * 16}-01"}).finish()
    assert not any(r.header("traceparent") for r in stack.model.requests)
    assert b"trace_id" not in stack.gateway.process.log_bytes() + stack.worker.process.log_bytes()
    assert sum(outcomes(stack.worker.url).values()) == 0
    found = metrics(stack.worker.url)  # the metrics are there always
    labels = '{gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="scripted"'
    assert found[f"gen_ai_client_operation_duration_seconds_count{labels}}}"] == 1
    assert found[f'gen_ai_client_token_usage_count{labels},gen_ai_token_type="input"}}'] == 1
    assert found[f"gen_ai_client_inference_usage_input_tokens_total{labels}}}"] > 0
    assert any(k.startswith("gen_ai_invoke_agent_duration_seconds_count") for k in found)


@pytest.mark.parametrize(("name", "value"), [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
                                             ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"), ("OTEL_RESOURCE_ATTRIBUTES", "a=b,=c")])
@pytest.mark.parametrize("part", ["gateway", "worker"])
def test_what_can_not_be_is_refused_at_start(part: str, name: str, value: str) -> None:
    answer = subprocess.run([program(part)], env={name: value}, capture_output=True, text=True, timeout=30)
    assert answer.returncode != 0 and name in answer.stderr, answer.stderr


def test_what_is_said_of_a_cancelled_turn_names_its_trace(bare: Stack, collector: Collector) -> None:
    stack = start(bare, collector)
    alice = stack.client()
    gate = Gate()
    stack.model.when("long", ["a ", gate, "b"])
    session = alice.session()
    turn = alice.start(session, "long")
    gate.wait()
    assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    assert alice.follow(session, turn).final()["event_type"] == "turn_cancelled"
    gate.open()
    assert f"event=turn.cancel turn={turn} trace_id={turn}".encode() in stack.gateway.process.log_bytes()


def picture(address: str, file: Path, home: Path) -> str:
    """Of a page, as Chromium draws it; its text is what stands in it then."""
    done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home}/chromium",
                           "--window-size=1400,900", "--virtual-time-budget=30000", f"--screenshot={file}", "--dump-dom",
                           address], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and file.stat().st_size > 20_000, done.stderr
    return html.unescape(done.stdout)


@pytest.mark.long  # 0.9 GB of packages, once; then 40 s
@pytest.mark.timeout(1800)
def test_phoenix_shows_a_turn(bare: Stack) -> None:
    """Arize Phoenix takes protobuf alone: it is reached by a collector, as gateway/README.md says. Logs have a picture."""
    done = subprocess.run([Path(__file__).parents[1] / "pypi" / "build", "arize-phoenix"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    port, home = free_port(), bare.folder / "phoenix"
    home.mkdir()
    phoenix = Process("phoenix", [Path(done.stdout.split("\n")[-2]) / "phoenix", "serve"], bare.logs, {
        "HOME": str(home), "PATH": os.environ["PATH"], "PHOENIX_WORKING_DIR": str(home), "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port), "PHOENIX_GRPC_PORT": str(free_port()), "PHOENIX_TELEMETRY_ENABLED": "false"})
    phoenix.start()
    collector = Collector(onward=f"http://127.0.0.1:{port}/v1/traces")
    try:
        page = Client(f"http://127.0.0.1:{port}")
        until(lambda: page.get("/healthz").status == 200, "Phoenix to answer", 180)
        stack = start(bare, collector)
        stack.model.when("how warm", [Call("execute_instant_query", {"query": "up"})], ["Warm."])
        alice = stack.client()
        session = alice.session()
        turn = alice.start(session, "how warm?")
        alice.follow(session, turn)
        sent = {s.id: s for s in whole(collector, turn)}

        def shown() -> dict[str, dict]:
            found = page.get("/v1/projects/default/spans?limit=100")
            data = json.loads(found.body)["data"] if found.status == 200 else []
            return {s["context"]["span_id"]: s for s in data if s["context"]["trace_id"] == turn}

        until(lambda: set(shown()) == set(sent), "all spans to be shown", 60)
        for id_, span in shown().items():
            assert span["name"] == sent[id_].name and (span["parent_id"] or "") == sent[id_].parent, span
        assert not collector.problems, collector.problems
        drawn = picture(f"{page.base}/redirects/traces/{turn}", bare.logs / "phoenix.png", home)
        missing = {s.name for s in sent.values() if s.name not in drawn}
        assert not missing, missing
    finally:
        collector.stop()
        phoenix.kill()
