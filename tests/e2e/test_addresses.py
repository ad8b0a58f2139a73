"""Addresses: their passwords are in no output, and the worker's own port answers to no other site's name."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.check import check
from harness.client import Client
from harness.services import Perses
from harness.stack import Stack, program
from harness.wait import until

HUSH = "hush-1f9a"


def with_password(url: str) -> str:
    return re.sub("^([a-z]+)://", rf"\1://somebody:{HUSH}@", url)


def test_no_output_has_an_addresss_password(perses: Perses, make_stack: Callable[..., Stack], tmp_path: Path) -> None:
    """In every setting that takes one, at both programs: as they run, are told to check, and are refused."""
    dead = f"http://somebody:{HUSH}@127.0.0.1:1"
    models = tmp_path / "models.json"
    models.write_text(json.dumps([{"name": "m", "provider": "openai", "model": "m", "base_url": dead, "key": "k" * 20}]))
    servers = tmp_path / "mcp.json"
    servers.write_text(json.dumps([{"name": "far", "url": dead + "/mcp", "allow": ["*"]}]))
    both = {"PERSES_API_URL": with_password(perses.url), "OTEL_EXPORTER_OTLP_ENDPOINT": dead, "LOG_LEVEL": "debug"}
    worker = {**both, "OPENAI_BASE_URL": dead, "ANTHROPIC_BASE_URL": dead, "GOOGLE_BASE_URL": dead, "ANTHROPIC_API_KEY": "k" * 20,
              "GOOGLE_API_KEY": "k" * 20}
    stack = make_stack(perses.url, perses.sign_in).start(gateway_env=both, worker_env=worker)
    alice = stack.client()
    alice.ask(alice.session(), "hello")
    said = b"".join(p.log_bytes() for p in stack.processes())
    assert b"gateway.ready" in said and b"worker.ready" in said and f'perses="{perses.url}"'.encode() in said
    assert HUSH.encode() not in said
    assert HUSH.encode() not in stack.redis.dump()
    for name, process, more in (("gateway", stack.gateway.process, {"PERSES_API_URL": dead}),
                                ("worker", stack.worker.process, {"PERSES_API_URL": dead}),
                                ("worker", stack.worker.process, {"PERSAI_MODELS": str(models), "PERSAI_MCP": str(servers)})):
        env = {k: v for k, v in process.env.items() if k not in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "PATH", "HOME", "LANG")}
        lines = check(name, {**env, **more})
        assert HUSH not in repr(lines), (name, more)


@pytest.mark.parametrize("setting", ["PERSES_API_URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL",
                                     "GOOGLE_BASE_URL", "PERSAI_REDIS"])
def test_what_is_said_of_a_wrong_address_has_no_password(setting: str) -> None:
    for wrong in (f"http://somebody:{HUSH}@host:99999", f"ftp://somebody:{HUSH}@host", f"somebody:{HUSH}@host",
                  f"http://somebody:a/{HUSH}@ho st", f"http://somebody:a?{HUSH}@ho st", f"redis://somebody:{HUSH}@host:x"):
        for name in ("worker",) if setting.endswith("BASE_URL") else ("gateway", "worker"):
            answer = subprocess.run([program(name)], capture_output=True, text=True, timeout=60, env={setting: wrong})
            said = answer.stdout + answer.stderr
            assert answer.returncode != 0 and setting in said, (name, said)
            assert HUSH not in said, said


def test_a_workers_port_answers_to_no_other_sites_name(bare: Stack) -> None:
    """A name that leads here for a browser only (DNS rebinding)."""
    stack = bare.start(worker_env={"PERSAI_HOSTS": "metrics.lan, other.lan:9000"})
    port = stack.worker.url.rsplit(":", 1)[1]
    client = Client(stack.worker.url)

    def asked(host: str, path: str = "/metrics") -> int:
        connection, answer = client.send("GET", path, headers={"Host": host})
        try:
            body = answer.read()
            assert answer.status == 200 or json.loads(body)["detail"]["code"] == "bad_host", body
            return answer.status
        finally:
            connection.close()

    for host in ("evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "evil.metrics.lan",
                 "other.lan", "other.lan:9001", "127.0.0.1:evil", "worker:99999", "[::1]x", "worker.", "127.0.0.1."):
        for path in ("/metrics", "/healthz", "/readyz", "/nothing"):
            assert asked(host, path) == 403, host
    for host in ("127.0.0.1", f"127.0.0.1:{port}", "localhost", f"[::1]:{port}", f"192.0.2.7:{port}", f"worker:{port}",
                 "a.localhost", "METRICS.lan", f"metrics.lan:{port}", "other.lan:9000"):
        until(lambda host=host: asked(host) == 200, f"{host} to be answered", 5)
