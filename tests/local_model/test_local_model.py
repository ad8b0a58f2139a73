"""A real small model through the whole of PersAI, on the real Prometheus. What it says is not judged: it has 135 million
parameters. That its turns are whole, its tool calls run, and its stream is read as it is meant, is."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from local_model.conftest import EXAMPLES
from harness.client import Client
from harness.services import Prometheus
from harness.sse import Log
from harness.stack import MODEL_KEY, Stack

QUESTIONS = ("How many targets are up?", "How many rooms are there?", "How many goroutines are there?",
             "What is the temperature of the kitchen?", "How many doors were opened?", "How much memory is used?")
EVAL = Path(__file__).resolve().parent.parent / "eval" / "run"


def asks(client: Client, model: str, questions: Iterable[str]) -> list[Log]:
    """Each question in a session of its own; every turn is whole, and the conversation has what was streamed."""
    logs = []
    for question in questions:
        session = client.session(model=model)
        log = client.follow(session, client.start(session, question), seconds=600)
        final = log.final()
        print(f"{model}: {question} {[(c['tool_name'], c['arguments']) for c, _ in log.tools()]} "
              f"→ {final.get('turn', {}).get('output_message', {}).get('content', final)!r:.200}")
        assert final["event_type"] == "turn_complete", final
        assert final["turn"]["usage"]["input_tokens"] > 0 and final["turn"]["usage"]["output_tokens"] > 0
        kept = [c["call_id"] for m in client.messages(session) for c in m.get("tool_calls") or []]
        assert kept == [c["call_id"] for c, _ in log.tools()]
        logs.append(log)
    return logs


def ran(logs: list[Log]) -> int:
    """In how many turns did a query or a search give a result?"""
    return sum(any(json.loads(r["content"]).get("kind") != "error" for _, r in log.tools()) for log in logs)


def test_turns_are_whole_and_their_tool_calls_run(local: Stack) -> None:
    logs = asks(local.client(), "local", QUESTIONS)
    assert ran(logs) >= len(logs) // 2
    assert any(log.answer() for log in logs)


@pytest.mark.parametrize("local", [EXAMPLES], indirect=True, ids=["examples"])
def test_turns_by_json_are_whole_and_their_tool_calls_run(local: Stack) -> None:
    logs = asks(local.client(), "local-json", [q.replace("?", " in prometheus?") for q in QUESTIONS[:4]])
    assert ran(logs) >= len(logs) // 2
    assert not any("{\"tool\"" in log.text() for log in logs)


def test_a_cancelled_stream_leaves_the_model_free(local: Stack) -> None:
    client = local.client()
    session = client.session()
    turn = client.turn(session, "Tell me all that you know about rooms.")
    turn.wait_for("step_start")
    assert client.post(f"/session/{session}/turn/{turn.wait_for('turn_start')['turn_id']}/cancel").status == 202
    assert turn.finish().final()["event_type"] in ("turn_cancelled", "turn_complete")
    session = client.session()
    final = client.follow(session, client.start(session, QUESTIONS[0]), seconds=600).final()
    assert final["event_type"] == "turn_complete", final


def test_a_question_that_is_too_long_for_it_is_a_clear_error(local: Stack) -> None:
    client = local.client()
    for model in ("local", "local-wide"):  # by our estimate, and by what the server says
        session = client.session(model=model)
        final = client.follow(session, client.start(session, "room " * 12000), seconds=600).final()
        assert final["event_type"] == "error" and final["code"] == "context_too_long", final


@pytest.mark.parametrize("model", ["local", "local-query"])
def test_the_evaluation_runs_as_a_command(local: Stack, prometheus: Prometheus, tmp_path: Path, model: str) -> None:
    """PERSAI_TEST_EVAL: IDs of questions in place of these three; empty: all."""
    token, printed = tmp_path / "token", tmp_path / "printed"
    only = os.environ.get("PERSAI_TEST_EVAL", "up-count,goroutines,threads")
    token.write_text(local.client(bearer=True).bearer, encoding="utf-8")
    with printed.open("w", encoding="utf-8") as out:
        run = subprocess.Popen(
            [sys.executable, EVAL, "--gateway", local.gateway.url, "--token-file", token, "--prometheus", prometheus.url,
             "--model", model, "--only", only], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        while run.poll() is None:  # a token of Perses's ends after 15 minutes
            with contextlib.suppress(subprocess.TimeoutExpired):
                run.wait(300)
            fresh = tmp_path / "fresh"
            fresh.write_text(local.client(bearer=True).bearer, encoding="utf-8")
            fresh.replace(token)
    said = printed.read_text(encoding="utf-8")
    print(said)
    assert run.returncode == 0
    assert f"| {model} |" in said.splitlines()[-1]
    assert MODEL_KEY not in said
