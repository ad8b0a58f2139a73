"""SIGHUP reads models, redaction, MCP and secrets again, all or nothing; --check-config looks at what would be read."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from fakes.collector import Collector
from fakes.mcp_server import McpServer
from fakes.model import Call, Gate
from harness.alerts import PATH, SERVICE, firing, notification
from harness.client import Client
from harness.stack import Stack, metrics, program
from harness.wait import free_port, until


def hang_up(stack: Stack, part: str = "worker") -> str:
    process, event = (stack.worker if part == "worker" else stack.gateway).process, f"event={part}.hangup"
    before = process.log.read_text().count(event)
    process.signal(signal.SIGHUP)
    until(lambda: process.log.read_text().count(event) > before, "the signal to be heard")
    return [line for line in process.log.read_text().splitlines() if event in line][-1]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("models", "rules", "mcp")}
    found["rules"].write_text("first =~ canary-[a-z]+\n")
    found["mcp"].write_text("[]")
    return found


def model(stack: Stack, name: str, identity: str) -> dict:
    return {"name": name, "provider": "openai", "model": identity, "base_url": stack.model.base_url}


def begin(bare: Stack, files: dict[str, Path]) -> Stack:
    files["models"].write_text(json.dumps([model(bare, "one", "scripted-one")]))
    return bare.start(worker_env={"PERSAI_MODELS": str(files["models"]), "PERSAI_REDACT": str(files["rules"]),
                                  "PERSAI_MCP": str(files["mcp"]), "PERSAI_DEFAULT_MODEL": "one"})


def asked(stack: Stack, word: str) -> list[dict]:
    return stack.model.chats(word)


def test_new_turns_have_what_is_new_and_running_ones_what_they_began_with(bare: Stack, files: dict[str, Path]) -> None:
    stack = begin(bare, files)
    gate = Gate()
    stack.model.when("long", ["a", gate, Call("execute_instant_query", {"query": "up"})], ["b"])
    alice = stack.client()
    stream = alice.turn(alice.session(), "long canary-one pump-seven")
    gate.wait()
    files["rules"].write_text("second =~ pump-[a-z]+\n")
    files["models"].write_text(json.dumps([model(stack, "one", "scripted-two"), model(stack, "other", "scripted-three")]))
    assert "files=read generation=2" in hang_up(stack)
    assert alice.ask(alice.session(), "short canary-two pump-eight").final()["event_type"] == "turn_complete"
    gate.open()
    assert stream.finish().final()["event_type"] == "turn_complete"
    new, = asked(stack, "short")
    assert new["model"] == "scripted-two" and "canary-two" in json.dumps(new) and "pump-eight" not in json.dumps(new)
    old = asked(stack, "long")
    assert len(old) == 2 and {body["model"] for body in old} == {"scripted-one"}
    assert all("canary-one" not in json.dumps(body) and "pump-seven" in json.dumps(body) for body in old)
    assert alice.ask(alice.session(), "third", model="other").final()["event_type"] == "turn_complete"
    assert asked(stack, "third")[0]["model"] == "scripted-three"
    found = metrics(stack.worker.url)
    assert found['persai_worker_redactions_total{rule="second"}'] > 0


@pytest.mark.parametrize(("name", "text", "says"), [
    ("rules", "# one\n\n# three\nfine =~ a+\n# five\n# six\nbroken =~ a(b\n", "line 7"),
    ("models", '[\n {"name": "x",\n  "provider": "nobody", "model": "m"}\n]', "PERSAI_MODELS"),
    ("models", "{", "PERSAI_MODELS"),
    ("mcp", '[{"name": "tix"}]', "PERSAI_MCP"),
])
def test_a_broken_file_is_refused_whole(bare: Stack, files: dict[str, Path], name: str, text: str, says: str) -> None:
    stack = begin(bare, files)
    files["models"].write_text(json.dumps([model(stack, "one", "scripted-two")]))
    files["rules"].write_text("second =~ pump-[a-z]+\n")
    files[name].write_text(text)
    line = hang_up(stack)
    assert "files=as_before" in line and says in line and "level=error" in line, line
    alice = stack.client()
    assert alice.ask(alice.session(), "still canary-one pump-one").final()["event_type"] == "turn_complete"
    body, = asked(stack, "still")
    assert body["model"] == "scripted-one" and "canary-one" not in json.dumps(body) and "pump-one" in json.dumps(body)


def test_a_key_that_was_rotated_is_used(bare: Stack, tmp_path: Path) -> None:
    """OPENAI_API_KEY_FILE, as a Docker secret or a volume has it; one that is gone or empty changes nothing."""
    key = tmp_path / "key"
    key.write_text("sk-of-yesterday\n")
    stack = bare.start(worker_env={"OPENAI_API_KEY": "", "OPENAI_API_KEY_FILE": str(key)})
    alice = stack.client()

    def sent(word: str) -> str:
        assert alice.ask(alice.session(), word).final()["event_type"] == "turn_complete"
        return [r.header("Authorization") for r in stack.model.seen() if word.encode() in r.body][-1]

    assert sent("first") == "Bearer sk-of-yesterday"
    key.write_text("sk-of-today\n")
    assert "files=read" in hang_up(stack)
    assert sent("second") == "Bearer sk-of-today"
    for word, text in (("emptied", ""), ("too long", "x" * 5000), ("gone", None)):
        if text is None:
            key.unlink()
        else:
            key.write_text(text)
        line = hang_up(stack)
        assert "files=as_before" in line and "OPENAI_API_KEY" in line and "sk-of" not in line, line
        assert sent(word) == "Bearer sk-of-today"


def test_the_gateways_secrets_that_were_rotated_are_used(bare: Stack, tmp_path: Path) -> None:
    """Each by its _FILE, as Docker and Kubernetes have them: all are taken, or with one fault none."""
    with Collector() as collector:
        words = {"PERSAI_DATASOURCE_SECRET": "the-word-of-yesterday", "PERSAI_WEBHOOK_TOKEN": "the-hook-of-yesterday",
                 "PERSAI_SERVICE_PASSWORD": "the-password-before", "OTEL_EXPORTER_OTLP_HEADERS": "x-key=yesterday"}
        given = {name: tmp_path / name for name in words}

        def write(**new: str) -> None:
            for name, word in new.items():
                given[name].write_text(word + "\n")

        write(**words)
        env = {f"{name}_FILE": str(path) for name, path in given.items()} | {
            "PERSAI_SERVICE_USER": "robot", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}"}
        stack = bare.start(gateway_env=env, worker_env={name: v for name, v in env.items() if name.startswith("OTEL")})
        cookies = stack.client().cookies

        def people(word: str) -> int:
            return Client(stack.gateway.url, cookies, bearer=word).get("/sessions").status

        def hook(word: str) -> int:
            return Client(stack.gateway.url, bearer=word).post(PATH, notification(firing("RoomHot"))).status

        def keys(part: str) -> set[str]:
            """That a part's spans come with now."""
            alice = Client(stack.gateway.url, cookies, bearer=now)
            turn = alice.start(session := alice.session(), "hello")
            alice.follow(session, turn)
            until(lambda: {s.service for s in collector.of(turn)} == {"persai-gateway", "persai-worker"}, "its spans", 30)
            return {r.header("x-key") for r in collector.requests if turn.encode() in r.body and part.encode() in r.body}

        now = words["PERSAI_DATASOURCE_SECRET"]
        assert people(now) == 200 and hook("the-hook-of-yesterday") == 503  # Perses has another password
        assert keys("persai-gateway") == keys("persai-worker") == {"yesterday"}
        write(PERSAI_DATASOURCE_SECRET="the-word-of-today", PERSAI_WEBHOOK_TOKEN="the-hook-of-today",
              PERSAI_SERVICE_PASSWORD=SERVICE["PERSAI_SERVICE_PASSWORD"], OTEL_EXPORTER_OTLP_HEADERS="x-key=today")
        assert "secrets=read" in hang_up(stack, "gateway")
        hang_up(stack)
        assert people(now) == 403 and hook("the-hook-of-yesterday") == 401
        now = "the-word-of-today"
        assert people(now) == 200 and hook("the-hook-of-today") == 202
        assert keys("persai-gateway") == keys("persai-worker") == {"today"}
        for name, wrong in (("PERSAI_DATASOURCE_SECRET", "short"), ("PERSAI_WEBHOOK_TOKEN", "short"),
                            ("PERSAI_SERVICE_PASSWORD", ""), ("OTEL_EXPORTER_OTLP_HEADERS", "no pair"),
                            ("PERSAI_DATASOURCE_SECRET", None)):
            kept = {n: path.read_text().strip() for n, path in given.items()}
            write(**{n: f"{word}-and-tomorrow" for n, word in kept.items()})
            if wrong is None:
                given[name].unlink()
            else:
                write(**{name: wrong})
            line = hang_up(stack, "gateway")
            assert "secrets=as_before" in line and name in line and "level=error" in line, line
            assert people(now) == 200 and hook("the-hook-of-today") == 202, name
            write(**kept)
        assert keys("persai-gateway") == {"today"}
        assert not any(word.encode() in stack.gateway.process.log_bytes() for word in ("-of-today", "-of-yesterday"))


def test_servers_of_mcp_come_and_go(bare: Stack, files: dict[str, Path]) -> None:
    with McpServer(free_port()) as server:
        stack = begin(bare, files)
        alice = stack.client()

        def tools() -> set[str]:
            return {t["name"] for t in alice.get("/tools").json() if t["name"].startswith("mcp_")}

        assert tools() == set()
        files["mcp"].write_text(json.dumps([{"name": "tix", "url": server.url, "tools": {"search": "read"}}]))
        hang_up(stack)
        until(lambda: tools() == {"mcp_tix_search"}, "the new server's tool", 60)
        stack.model.when("tickets", [Call("mcp_tix_search", {"word": "disk", "limit": 1})], ["One."])
        assert alice.ask(alice.session(), "tickets").answer() == "One."
        files["mcp"].write_text("[]")
        hang_up(stack)
        until(lambda: tools() == set(), "the server's tool to go", 60)


def run(part: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program(part), *args], env=env, capture_output=True, text=True, timeout=30)


def test_check_config_looks_at_files_and_asks_nobody(tmp_path: Path) -> None:
    rules, models, keys = tmp_path / "rules", tmp_path / "models", tmp_path / "keys"
    rules.write_text("fine =~ a+\n")
    models.write_text('[{"name": "x", "provider": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}]')
    keys.write_text("[]")
    base = {"PERSAI_REDIS": "redis://127.0.0.1:1/0", "PERSES_API_URL": "http://127.0.0.1:1", "XDG_RUNTIME_DIR": str(tmp_path)}
    worker = base | {"PERSAI_REDACT": str(rules), "PERSAI_MODELS": str(models), "PERSAI_DEFAULT_MODEL": "x"}
    good = run("worker", "--check-config", **worker)
    assert good.returncode == 0, good.stdout + good.stderr
    good = run("gateway", "--check-config", **base, PERSAI_API_KEYS=str(keys))
    assert good.returncode == 0, good.stdout + good.stderr

    rules.write_text("\n" * 6 + "broken =~ a(b\n")
    bad = run("worker", "--check-config", **worker)
    assert bad.returncode == 1 and "line 7" in bad.stdout + bad.stderr
    keys.write_text('[\n {"name": 1}]')
    bad = run("gateway", "--check-config", **base, PERSAI_API_KEYS=str(keys))
    assert bad.returncode == 1 and "line 2" in bad.stdout + bad.stderr
    bad = run("gateway", "--check-config", **base, PERSAI_BROKER=" ,")
    assert bad.returncode == 1 and "PERSAI_BROKER names no endpoint" in bad.stdout
    for part in ("gateway", "worker"):
        for name, value, says in (("PERSAI_AUDIT", f"{tmp_path}/nowhere/audit", "No such file"),
                                  ("PERSAI_AUDIT", tmp_path, "directory"),
                                  ("PERSAI_REDIS", f"rediss://127.0.0.1:1/0?ca={tmp_path}/none", "authorities"),
                                  ("PERSAI_REDIS", f"rediss://127.0.0.1:1/0?ca={rules}", "authorities"),
                                  ("PERSAI_KEYS", tmp_path / "none", "can't be read")):
            bad = run(part, "--check-config", **base | {name: str(value)})
            assert bad.returncode == 1 and name in bad.stdout and says in bad.stdout, (part, name, value, bad.stdout)
        assert run(part, "--check-config", **base | {"PERSAI_AUDIT": f"{tmp_path}/audit", "OPENAI_API_KEY": "k"}).returncode == 0
        assert not (tmp_path / "audit").exists()
        bad = run(part, "--check-config", **base | {"PERSAI_REDIS": "http://x"})
        assert bad.returncode == 1 and "PERSAI_REDIS" in bad.stdout + bad.stderr
        bad = run(part, "--check-config", "--log-level", "loud", **base)
        assert bad.returncode == 1 and "LOG_LEVEL" in bad.stdout + bad.stderr
