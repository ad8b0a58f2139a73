"""A model behind TLS: certificates are verified, connections and HTTP/2 streams shared, proxy variables honoured."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.model import Gate
from fakes.tls import Authority, TlsModel, Tunnel, nginx_settings
from harness.process import Process
from harness.sse import Stream
from harness.stack import Stack
from harness.wait import free_port, until

STREAMS = 20


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def secured(bare: Stack, authority: Authority) -> Iterator[TlsModel]:
    """In place of the stack's model; nothing is started yet."""
    bare.model.stop()
    bare.model = TlsModel(authority)
    yield bare.model


def trusting(authority: Authority, **more: str) -> dict[str, str]:
    return {"SSL_CERT_FILE": str(authority.ca), "PERSAI_MODEL_TRIES": "1", **more}


def at_once(stack: Stack, gate: Gate) -> list[Stream]:
    """Streams that are all open before the first one ends."""
    asked = len(stack.model.chats("together"))
    stack.model.when("together", lambda body: ["to", gate, "gether"])
    alice = stack.client()
    turns = [alice.turn(alice.session(), f"together {n}") for n in range(STREAMS)]
    until(lambda: len(stack.model.chats("together")) == asked + STREAMS, "all of them to reach the model")
    for turn in turns:
        turn.wait_text("to")
    gate.open()
    return turns


def test_one_handshake_serves_turn_after_turn(bare: Stack, secured: TlsModel, authority: Authority) -> None:
    bare.start(worker_env=trusting(authority))
    alice = bare.client()
    for n in range(12):
        assert alice.ask(alice.session(), f"question {n}").answer() == "This is the default answer."
    assert secured.handshakes == 1, f"{secured.handshakes} handshakes for 12 turns"


def test_streams_at_once_have_their_connections_again(bare: Stack, secured: TlsModel, authority: Authority) -> None:
    bare.start(worker_env=trusting(authority))
    for _ in range(3):  # HTTP/1.1: none waits for another's connection
        for turn in at_once(bare, Gate()):
            assert turn.finish().answer() == "together"
    assert secured.handshakes <= STREAMS + 1, f"{secured.handshakes} handshakes for 3 times {STREAMS} streams"
    print(f"{secured.handshakes} handshakes, {secured.resumed} resumed")


@pytest.mark.parametrize("trusted", ["another", "the system's"])
def test_a_certificate_that_is_not_trusted_ends_the_turn(bare: Stack, secured: TlsModel, tmp_path: Path, trusted: str) -> None:
    env = {"PERSAI_MODEL_TRIES": "1"}
    if trusted == "another":
        env = trusting(Authority(tmp_path / "another"))
    bare.start(worker_env=env)
    alice = bare.client()
    final = alice.ask(alice.session(), "hello").final()
    assert final["event_type"] == "error" and final["code"] == "model_unavailable", final
    assert "certificate is not trusted" in final["message"]
    assert not secured.seen(), "nothing was sent over it"


def test_a_certificate_of_another_host_ends_the_turn(bare: Stack, authority: Authority) -> None:
    with TlsModel(authority, host="127.0.0.2") as elsewhere:
        bare.start(worker_env=trusting(authority, OPENAI_BASE_URL=elsewhere.base_url))
        alice = bare.client()
        final = alice.ask(alice.session(), "hello").final()
        assert final["event_type"] == "error" and final["code"] == "model_unavailable", final
        assert "another host's" in final["message"] and not elsewhere.seen()


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_is_asked_for_the_model_only(bare: Stack, secured: TlsModel, authority: Authority, variable: str) -> None:
    with Tunnel() as proxy:
        bare.start(worker_env=trusting(authority, **{variable: proxy.url, "http_proxy": proxy.url}))
        alice = bare.client()
        assert alice.ask(alice.session(), "hello").answer() == "This is the default answer."
        assert {(r.method, r.target) for r in proxy.seen()} == {("CONNECT", f"127.0.0.1:{secured.port}")}
        assert secured.handshakes == 1, "the certificate is verified through it"


def test_no_proxy_is_honoured(bare: Stack, secured: TlsModel, authority: Authority) -> None:
    with Tunnel() as proxy:
        bare.start(worker_env=trusting(authority, https_proxy=proxy.url, no_proxy="127.0.0.1"))
        alice = bare.client()
        assert alice.ask(alice.session(), "hello").answer() == "This is the default answer."
        assert not proxy.seen()


def test_http2_streams_share_a_connection(bare: Stack, authority: Authority, tmp_path: Path) -> None:
    port, folder = free_port(), tmp_path / "nginx"
    settings = nginx_settings(folder, port, bare.model.url, authority)
    nginx = Process("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-c", settings, "-e", "stderr"], bare.logs).start()
    bare.others.append(nginx)
    bare.start(worker_env=trusting(authority, OPENAI_BASE_URL=f"https://127.0.0.1:{port}/v1"))
    for turn in at_once(bare, Gate()):
        assert turn.finish().answer() == "together"
    lines = until(lambda: found if len(found := (folder / "access.log").read_text().split("\n")) > STREAMS else None,
                  "all requests in nginx's log")
    assert {line.split()[0] for line in lines if line} == {"HTTP/2.0"}
    connections = {line.split()[1] for line in lines if line}
    assert len(connections) == 1, f"{STREAMS} streams over {len(connections)} connections"
