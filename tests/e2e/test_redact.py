"""What PERSAI_REDACT names never reaches a model's provider, by whatever way it came in; the person and the queries have it."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from fakes.mcp_server import McpServer
from fakes.model import Call, Reasoning, Status
from fakes.providers import KEY, Providers
from harness.alerts import SERVICE, firing, notify
from harness.client import Client
from harness.stack import Stack, program
from harness.wait import free_port, until

RULES = "# of this test\ninclude email, ipv4\ncanary =~ (?i)canary-[a-z]+\nseries =~ x_total\n"
MASKED = re.compile(r"MASKED_[A-Z0-9_]+_[0-9a-f]{8}")


def words(body: dict, rule: str) -> list[str]:
    """Masked words of a rule that the model was sent, the newest message's first."""
    text = json.dumps(list(reversed(body["messages"])))
    return [w for w in MASKED.findall(text) if w.startswith(f"MASKED_{rule}_")]


def query(body: dict) -> list:
    return [Call("execute_instant_query", {"query": f'up{{instance=~"{words(body, "IPV4")[0]}:.*"}}'}, split=3),
            Call("search_docs", {"query": "pumps"}), Call("list_label_values", {"label": "instance"})]


def say(body: dict) -> list:
    text = f"It is {words(body, 'CANARY')[0]} of {words(body, 'EMAIL')[0]}, as MASKED_."
    return [Reasoning(f"So {words(body, 'CANARY')[0]}?"), *[text[i:i + 5] for i in range(0, len(text), 5)]]


def sent(stack: Stack) -> str:
    return "\n".join(r.body.decode() for r in stack.model.seen(lambda r: r.path.endswith("/chat/completions")))


def masked_stack(bare: Stack, tmp_path: Path, gateway_env: dict[str, str] | None = None, **env: str) -> Stack:
    rules, docs = tmp_path / "rules", tmp_path / "docs"
    rules.write_text(RULES, encoding="utf-8")
    docs.mkdir()
    (docs / "Pumps.md").write_text("# Pumps\nThe pumps are canary-doc's, 127.0.0.9 knows.\n")
    return bare.start(workers=2, gateway_env=gateway_env or {}, worker_env={
        "PERSAI_REDACT": str(rules), "PERSAI_DOCS": str(docs), "PERSAI_SYSTEM_PROMPT": "Greet as canary-prompt does.", **env})


def asked(stack: Stack) -> tuple[Client, str]:
    stack.model.when("who is it?", query, say)
    alice = stack.client()
    session = alice.session(title="canary-title")
    log = alice.ask(session, "who is it? 127.0.0.1, canary-question or ann@canary.example, says Ünïcode\n\"canary-quoted\"",
                    context={"dashboard": {"project": "canary-project", "name": "canary-board"},
                             "variables": {"host": "canary-variable"}})
    assert log.final()["event_type"] == "turn_complete", log.final()
    return alice, session


@pytest.mark.core
def test_nothing_that_a_rule_names_reaches_the_provider(bare: Stack, tmp_path: Path) -> None:
    stack = masked_stack(bare, tmp_path)
    alice, session = asked(stack)
    stack.model.when("and now?", say)
    answer = alice.ask(session, "and now?").answer()
    left = sent(stack)
    assert len(MASKED.findall(left)) > 8
    for what in ("127.0.0.", "ann@", "canary-", "Canary-"):
        assert what not in left, what
    # The same words in the second turn, whichever worker had it.
    asked_first = stack.model.chats("who is it?")[0]["messages"][-1]["content"].split("\n\n[Said by PersAI")[0]
    assert set(MASKED.findall(asked_first)) <= set(
        MASKED.findall(json.dumps(stack.model.chats("and now?")[0]["messages"])))
    assert "MASKED_KIND_" in stack.model.chats("and now?")[0]["messages"][0]["content"]
    # The person's own view has it all, the query ran with it.
    assert re.fullmatch(r"It is canary-\w+ of ann@canary.example, as MASKED_\.", answer), answer
    messages = json.dumps(alice.messages(session), ensure_ascii=False)
    assert not MASKED.search(messages), MASKED.findall(messages)
    assert "ann@canary.example, as MASKED_." in messages
    instant = next(call for m in alice.messages(session) for call in m.get("tool_calls", [])
                   if call["tool_name"] == "execute_instant_query")
    assert '127.0.0.1:.*"' in json.dumps(instant["arguments"]).replace("\\", ""), instant
    assert "127.0.0.1:" in messages.replace(json.dumps(instant), "")


def test_a_stream_and_its_replay_show_values(bare: Stack, tmp_path: Path) -> None:
    stack = masked_stack(bare, tmp_path)
    alice, session = asked(stack)
    # Arguments in one piece, which are told of while they are being written.
    stack.model.when("in one", lambda body: [
        Call("execute_instant_query", {"query": f"up{{a='{words(body, 'CANARY')[0]}'}}"})], say)
    for turn in (alice.messages(session)[-1]["turn_id"], alice.start(session, "in one: canary-again, ann@canary.example")):
        shown = json.dumps([e.payload for e in alice.follow(session, turn)])
        assert not MASKED.search(shown), MASKED.findall(shown)


def test_what_a_provider_says_of_a_request_shows_values(bare: Stack, tmp_path: Path) -> None:
    stack = masked_stack(bare, tmp_path)
    stack.model.when("refuse", lambda body: [Status(400, json.dumps({"error": {
        "message": f"no {words(body, 'CANARY')[0]} here"}}).encode())])
    alice = stack.client()
    session = alice.session()
    error = alice.ask(session, "refuse canary-refused").final()
    assert error["code"] == "model_refused" and error["message"].endswith("no canary-refused here"), error
    logs = b"".join(process.log_bytes() for process in stack.processes())
    assert b"canary-refused" not in logs


def test_no_door_lets_a_value_through(bare: Stack, tmp_path: Path) -> None:
    stack = masked_stack(bare, tmp_path, gateway_env=SERVICE)
    alice = stack.client(bearer=True)
    answer = alice.post("/v1/chat/completions", {"model": "persai", "messages": [
        {"role": "system", "content": "For canary-system."}, {"role": "user", "content": "Who is canary-before?"},
        {"role": "assistant", "content": "It is canary-said of 10.1.2.3."},
        {"role": "user", "content": [{"type": "text", "text": "by openai: canary-part"},
                                     {"type": "text", "text": "ann@canary.example"}]}]})
    assert answer.status == 200, answer.body
    run = {"threadId": "canary-thread", "runId": "canary-run", "tools": [], "state": {}, "forwardedProps": {}, "messages": [
        {"id": "1", "role": "user", "content": "by agui: canary-asked"}],
        "context": [{"description": "the canary-described", "value": json.dumps({"line": "x\ncanary-noted"})}]}
    alice.stream("POST", "/agui", run).close()
    alice.post("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "ask", "arguments": {"question": "by mcp: canary-tool"}}})
    notify(stack, firing("canary-alert", host="canary-host"))
    for words in ("by openai", "by agui", "by mcp", "MASKED_CANARY_"):
        until(lambda words=words: stack.model.chats(words), words, 30)
    left = sent(stack)
    for what in ("canary-", "10.1.2.3", "ann@"):
        assert what not in left, left[left.index(what) - 200:][:300]


@pytest.mark.parametrize(("api", "provider"), [("chat", "openai"), ("responses", "openai"), ("messages", "anthropic"),
                                               ("generate", "google")])
def test_no_providers_format_lets_a_value_through(bare: Stack, tmp_path: Path, api: str, provider: str) -> None:
    models = tmp_path / "models.json"
    with Providers() as fake:
        models.write_text(json.dumps([{"name": "m", "provider": provider, "model": "tools", "api": api, "key_env": "TEST_KEY",
                                       "base_url": fake.base_url(api)}]))
        stack = masked_stack(bare, tmp_path, PERSAI_CHECK_ANSWERS="false", PERSAI_MODELS=str(models), TEST_KEY=KEY,
                             PERSAI_DEFAULT_MODEL="m", OPENAI_API_KEY="", OPENAI_BASE_URL="")
        alice = stack.client()
        session = alice.session()
        for question in ("of canary-asked \\u0063anary-hidden", "and canary-again?"):
            log = alice.ask(session, question, context={
                "dashboard": {"project": "canary-project", "name": "canary-board"},
                "variables": {"canary-name": ["canary-value"]},
                "notes": [{"description": "canary-described", "value": "10.1.2.3"}]})
            assert log.final()["event_type"] == "turn_complete", log.final()
        bodies = [r.body.decode() for r in fake.seen(lambda r: r.method == "POST")]
    assert len(bodies) > 2 and "MASKED_SERIES_" in bodies[-1]
    for what in ("canary-", "anary-hidden", "x_total", "10.1.2.3"):
        assert not [body for body in bodies if what in body], what
    calls = [call for m in alice.messages(session) for call in m.get("tool_calls", [])]
    assert any("x_total" in json.dumps(call["arguments"]) for call in calls), calls


def run(*args: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run([program("worker"), *args], capture_output=True, text=True, timeout=60,
                          env={"PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "k", **env})


def test_rules_that_are_none_stop_the_start_and_others_can_be_tried(tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.write_text("a\nb\nc\nd\ne\nf\n(broken\n", encoding="utf-8")
    started = run(PERSAI_REDACT=str(rules))
    assert started.returncode == 1 and "line 7" in started.stderr and "PERSAI_REDACT" in started.stderr, started
    assert "PERSAI_REDACT" in run(PERSAI_REDACT=str(tmp_path / "none")).stderr
    rules.write_text(RULES, encoding="utf-8")
    tried = run("--check", PERSAI_REDACT=str(rules), PERSAI_REDACT_TEXT="Is ann@canary.example at 10.0.0.1?")
    assert re.search(r"leaves as: Is MASKED_EMAIL_\w{8} at MASKED_IPV4_\w{8}\?", tried.stdout), tried.stdout


def test_an_mcp_server_is_not_told(bare: Stack, tmp_path: Path) -> None:
    with McpServer(free_port()) as server:
        servers = tmp_path / "mcp.json"
        servers.write_text(json.dumps([{"name": "tix", "url": server.url, "key_env": "TIX_KEY", "tools": {"search": "read"}}]))
        stack = masked_stack(bare, tmp_path, PERSAI_MCP=str(servers), TIX_KEY="tix-key-1")
        until(lambda: any(t["name"] == "mcp_tix_search" for t in stack.client().get("/tools").json()), "its tools", 60)
        stack.model.when("tickets", lambda body: [Call("mcp_tix_search", {"word": words(body, "CANARY")[0], "limit": 1})],
                         ["Done."])
        alice = stack.client()
        log = alice.ask(alice.session(), "any tickets of canary-mcp?")
        assert log.answer() == "Done."
        call, response = log.tools()[0]
        assert json.loads(response["content"])["structured"]["tickets"] == ["canary-mcp-0"], response
        assert "canary-mcp" in json.dumps(call), call
        assert b"MASKED_CANARY_" in b"".join(server.seen) and b"canary-" not in b"".join(server.seen)
