"""What the doors have in common: bodies that are too large and clients that never read, each in the door's own words."""

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.model import Call, Gate
from harness.doors import DOORS, MCP, question, shape
from harness.stack import Stack, metric
from harness.wait import SLOWNESS, until


def chunks(size: int) -> Iterator[bytes]:
    """Of a text that is larger than any limit, and never of a length that was said before."""
    yield b'{"text": "'
    for _ in range(size // (1 << 16)):
        yield b"x" * (1 << 16)
    yield b'"}'


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_over_the_limit(stack: Stack, door: str, chunked: bool) -> None:
    alice = stack.client("alice", bearer=True)
    connection = http.client.HTTPConnection("127.0.0.1", stack.gateway.port, timeout=20 * SLOWNESS)
    connection.request("POST", door, chunks(11 << 20) if chunked else b"".join(chunks(11 << 20)), {
        "Authorization": f"Bearer {alice.bearer}", "Content-Type": "application/json", **(MCP if door == "/mcp" else {})},
        encode_chunked=chunked)
    answer = connection.getresponse()
    assert answer.status == 413 and answer.headers["Content-Type"] == "application/json"
    assert shape(door, json.loads(answer.read())) == "too_large"
    connection.close()


@pytest.mark.parametrize("path", ["/v1", "/v1/none", "/mcp/", "/mcp/none", "/agui/", "/agui/none"])
def test_no_such_path_below_a_door(stack: Stack, path: str) -> None:
    answer = stack.client("alice", bearer=True).request("POST", path, {})
    assert answer.status == 404 and shape("/" + path.split("/")[1], answer.json()) == "not_found"


def test_what_only_begins_like_a_door_is_none(stack: Stack) -> None:
    answer = stack.client("alice", bearer=True).request("POST", "/mcpx", {})
    assert answer.status == 404 and answer.json()["detail"]["code"] == "not_found"


@pytest.mark.parametrize("door", DOORS)
def test_where_there_is_no_memory(bare: Stack, door: str) -> None:
    """A chunked body that outgrows what all bodies may hold."""
    stack = bare.start(gateway_env={"PERSAI_HTTP_MEMORY": "1MiB"})
    alice = stack.client("alice", bearer=True)
    connection = http.client.HTTPConnection("127.0.0.1", stack.gateway.port, timeout=20 * SLOWNESS)
    connection.request("POST", door, chunks(4 << 20), {
        "Authorization": f"Bearer {alice.bearer}", "Content-Type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    code = shape(door, json.loads(answer.read()))
    assert (answer.status, code) in ((413, "too_large"), (429, "rate_limited"), (503, "busy"))
    assert answer.status == 413 or answer.headers["Retry-After"]
    connection.close()


@pytest.mark.parametrize("door", DOORS)
def test_a_client_that_never_reads(bare: Stack, tmp_path: Path, door: str) -> None:
    """Its answer is made without it, costs bounded memory, and holds nobody up; what it left unread is given back."""
    models = tmp_path / "models.json"
    models.write_text(json.dumps([{"name": "wide", "provider": "openai", "model": "scripted", "window": 4000000,
                                   "base_url": bare.model.base_url}]))
    stack = bare.start(gateway_env={"PERSAI_TAIL": "64KiB"},
                       worker_env={"PERSAI_MODELS": str(models), "PERSAI_DEFAULT_MODEL": "wide"})
    gate = Gate()
    much = [f"{n} ".ljust(240, "z") for n in range(350)]  # and never more than a step may say
    stack.model.when("flood", *[[*much, Call("list_label_values", {"label": "room"})]] * 4, [*much, gate, "end"])
    stack.model.when("hello", ["Hi."])
    alice = stack.client("alice", bearer=True)
    assert alice.ask(alice.session(), "hello").answer() == "Hi."
    before, stalled = stack.gateway.process.memory_bytes(), []
    for n in range(8):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(20 * SLOWNESS)
        s.connect(("127.0.0.1", stack.gateway.port))
        body = json.dumps(question(door, f"flood {n}")).encode()
        extra = "".join(f"{k}: {v}\r\n" for k, v in MCP.items()) if door == "/mcp" else ""
        s.sendall(f"POST {door} HTTP/1.1\r\nHost: 127.0.0.1:{stack.gateway.port}\r\nAuthorization: Bearer {alice.bearer}\r\n"
                  f"Content-Type: application/json\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        stalled.append(s)
    gate.wait(20 * SLOWNESS)
    until(lambda: metric(stack.worker.url, "turns_running") == 8, "all turns to run", 30)
    assert alice.ask(alice.session(), "hello").answer() == "Hi."
    gate.open()
    until(lambda: metric(stack.worker.url, "turns_running") == 0, "all turns to end while nobody reads", 60)
    grown = stack.gateway.process.memory_bytes() - before
    assert grown < 24 * int(SLOWNESS) << 20, f"{grown >> 20} MiB more"
    for s in stalled:
        s.close()
    until(lambda: metric(stack.gateway.url, "persai_streams") == 0, "the streams to be gone", 30)
