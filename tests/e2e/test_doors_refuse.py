"""What each door refuses, in its own words: one table for all of them."""

import http.client
import json
import signal
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from fakes.model import Gate
from harness.client import Client, Response
from harness.doors import DOORS, MCP, question, shape
from harness.keys import Keys
from harness.stack import Stack, metric
from harness.wait import SLOWNESS, until

LARGE = 10 << 20
OTHERS = ("HEAD", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "post")
KEYS = {"all": ["openai", "mcp", "agui"], "none": ["api", "webhook"]}


@dataclass
class Doors:
    """A gateway, and the keys that its file has."""

    stack: Stack
    keys: Keys
    said: dict[str, str]

    def ask(self, door: str, raw: bytes | None, headers: dict[str, str] | None = None, method: str = "POST",
            key: str = "all") -> Response:
        client = Client(self.stack.gateway.url, bearer=self.said.get(key, key))
        return client.request(method, door, raw=raw, headers={**(MCP if door == "/mcp" else {}), **(headers or {})})

    def head(self, door: str, *lines: str, key: str = "all", host: bool = True) -> tuple[int, http.client.HTTPMessage, bytes]:
        """What answers a request's head alone, whose body never comes."""
        with socket.create_connection(("127.0.0.1", self.stack.gateway.port), timeout=20 * SLOWNESS) as s:
            bearer = f"Authorization: Bearer {self.said.get(key, key)}"
            s.sendall("\r\n".join([f"POST {door} HTTP/1.1", *["Host: 127.0.0.1"][:host], bearer, *lines, "", ""]).encode())
            answer = http.client.HTTPResponse(s)
            answer.begin()
            return answer.status, answer.headers, answer.read()


def make(stack: Stack, **env: str) -> Doors:
    keys = Keys(stack.folder)
    said = {name: keys.make(name, doors=opens) for name, opens in KEYS.items()}
    return Doors(stack.start(gateway_env={**keys.env(), **env}), keys, said)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, perses: object, sign_in: object) -> Iterator[Doors]:
    stack = Stack(tmp_path_factory.mktemp("doors"), perses.url, sign_in)  # type: ignore[attr-defined]
    try:
        yield make(stack)
        stack.stop()
    finally:
        stack.kill_all()


def bytes_of(door: str, **more: object) -> bytes:
    return json.dumps({**question(door, "Is it up?"), **more}).encode()


# what is sent instead of a question: its bytes, more headers; the answer's status and word.
BODIES = {
    "of another type": (b"a question", {"Content-Type": "text/plain"}, 415, "unsupported_media_type"),
    "of a form": (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_media_type"),
    "of no type": (b"{}", {"Content-Type": ""}, 415, "unsupported_media_type"),
    "of a type like JSON's": (b"{}", {"Content-Type": "application/jsonp"}, 415, "unsupported_media_type"),
    "empty": (b"", {}, 400, "bad_json"),
    "empty and of no type": (b"", {"Content-Type": ""}, 400, "bad_json"),
    "bad UTF-8": (b'{"model": "\xff"}', {}, 400, "bad_json"),
    "half a character": (b'{"model": "\xe2\x82"}', {}, 400, "bad_json"),
    "half a pair": (b'{"model": "\\ud800"}', {}, 400, "bad_json"),
    "UTF-16": ('{"model": "persai"}'.encode("utf-16"), {}, 400, "bad_json"),
    "a NUL": (b'{"model": "a\x00b"}', {}, 400, "bad_json"),
    "an escaped NUL": (b'{"model": "a\\u0000b"}', {}, 400, "bad_json"),
    "NULs": (b"\x00" * 1000, {}, 400, "bad_json"),
    "a list": (b"[]", {}, 400, "bad_json"), "a list of requests": (b"[{}, {}]", {}, 400, "bad_json"),
    "a text": (b'"x"', {}, 400, "bad_json"), "a number": (b"7", {}, 400, "bad_json"),
    "null": (b"null", {}, 400, "bad_json"), "true": (b"true", {}, 400, "bad_json"),
    "nothing but blanks": (b" \r\n\t", {}, 400, "bad_json"),
    "half an object": (b'{"model": ', {}, 400, "bad_json"),
    "two objects": (b"{}{}", {}, 400, "bad_json"),
    "a field twice": (b'{"model": "a", "model": "b"}', {}, 400, "bad_json"),
    "a number that is too large": (b'{"model": 1e999}', {}, 400, "bad_json"),
    "an integer that is too large": (b'{"model": 99999999999999999999999}', {}, 400, "bad_json"),
    "deep lists": (b"[" * 100_000, {}, 400, "bad_json"),
    "deep objects": (b'{"a":' * 40_000, {}, 400, "bad_json"),
    "compressed": (b"\x1f\x8b\x08\x00", {"Content-Encoding": "gzip"}, 415, "unsupported_media_type"),
    "said to be compressed": (b"{}", {"Content-Encoding": "br"}, 415, "unsupported_media_type"),
}


def word_of(door: str, headers: Mapping[str, str], body: bytes) -> str:
    assert headers["Content-Type"] == "application/json" and headers["Cache-Control"] == "no-store"
    return shape("/" + door.split("/")[1], json.loads(body))


def refused(door: str, answer: Response) -> tuple[int, str]:
    return answer.status, word_of(door, answer.headers, answer.body)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("door", DOORS)
def test_a_body_that_is_none(doors: Doors, door: str, name: str) -> None:
    raw, headers, status, word = BODIES[name]
    assert refused(door, doors.ask(door, raw, headers)) == (status, word)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("door", DOORS)
def test_another_method(doors: Doors, door: str, method: str) -> None:
    answer = doors.ask(door, b"{}" if method in ("PUT", "PATCH", "post") else None, method=method)
    assert answer.status == 405 and answer.headers["Allow"] == "POST"
    assert method == "HEAD" and not answer.body or refused(door, answer) == (405, "method_not_allowed")


# Who waits to be told to go on; and whose body nobody would read to its end.
@pytest.mark.parametrize("lines", [("Content-Length: 10485760", "Expect: 100-continue"), ("Content-Length: 10737418240",)])
@pytest.mark.parametrize("door", DOORS)
def test_a_large_body_is_refused_before_it_comes(doors: Doors, door: str, lines: tuple[str, ...]) -> None:
    status, headers, body = doors.head(door, "Content-Type: application/json", *lines)
    assert (status, word_of(door, headers, body)) == (413, "too_large")


@pytest.mark.parametrize("door", DOORS)
def test_who_is_not_let_in_is_told_before_the_body_comes(doors: Doors, door: str) -> None:
    lines = ("Content-Type: application/json", f"Content-Length: {LARGE}", "Expect: 100-continue")
    for key, status, word in (("pk-" + "A" * 43, 401, "unauthenticated"), ("pk-", 401, "unauthenticated"),
                              ("none", 403, "forbidden"), ("no.token", 401, "unauthenticated")):
        said, headers, body = doors.head(door, *lines, key=key)
        assert (said, word_of(door, headers, body)) == (status, word), key
        assert headers["WWW-Authenticate"] == ("Bearer" if status == 401 else None), key


@pytest.mark.parametrize("door", DOORS)
def test_pages_of_others(doors: Doors, door: str) -> None:
    asked = bytes_of(door)
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"}):
        assert refused(door, doors.ask(door, asked, headers)) == (403, "cross_site"), headers


@pytest.mark.parametrize("line", ["Host: a b", "Host: evil.example/x", "Host: 127.0.0.1\r\nHost: 127.0.0.1", "X: a\x01b",
                                  "Content-Length: 2\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip",
                                  "Content-Length: 2\r\nContent-Length: 2"])
@pytest.mark.parametrize("door", DOORS)
def test_a_head_that_is_broken(doors: Doors, door: str, line: str) -> None:
    status, headers, body = doors.head(door, line, host=not line.startswith("Host"))
    assert (status, word_of(door, headers, body)) == (400, "bad_request")


@pytest.mark.parametrize("door", DOORS)
def test_another_host_where_nobody_signs_in(bare: Stack, door: str) -> None:
    stack = bare.start(workers=0, gateway_env={"PERSAI_AUTH": "false"})
    answer = Client(stack.gateway.url).request("POST", door, raw=bytes_of(door), headers={"Host": "evil.example"})
    assert refused(door, answer) == (403, "bad_host")


@pytest.mark.parametrize("door", DOORS)
def test_a_query_that_is_broken(doors: Doors, door: str) -> None:
    for query in ("?a=%zz", "?a=1&a=2", "?%"):
        assert refused(door, doors.ask(door + query, b"{}")) == (400, "bad_request"), query


@pytest.mark.parametrize("door", DOORS)
def test_a_datasource_that_is_none(doors: Doors, door: str) -> None:
    for path in ("/proxy/unsaved/x", "/proxy/globaldatasources/../x", "http://evil.example/", "x"):
        answer = doors.ask(door, bytes_of(door), {"X-PersAI-Datasource": path})
        assert answer.status < 500 and b"bad_datasource_path" in answer.body or door == "/mcp", (path, answer)
        assert answer.status == (200 if door == "/mcp" else 400), (path, answer)


# ---- long histories ----

def turns(count: int, words: str) -> list[dict]:
    return [{"id": str(n), "role": "user" if n % 2 else "assistant", "content": f"{words} {n}"} for n in range(count)]


def test_a_thousand_messages(doors: Doors) -> None:
    """Of OpenAI's they are the history, and too many; AG-UI's last is the question, and the rest is known."""
    answer = doors.ask("/v1/chat/completions", bytes_of("/v1/chat/completions", messages=turns(1000, "Is it up?")))
    assert refused("/v1", answer) == (400, "context_length_exceeded")
    answer = doors.ask("/agui", bytes_of("/agui", messages=turns(1000, "Is it up?")))
    assert answer.status == 200 and b"RUN_FINISHED" in answer.body


@pytest.mark.parametrize("door", DOORS)
def test_ten_megabytes_of_messages(doors: Doors, door: str) -> None:
    raw = bytes_of(door, messages=turns(1000, "x" * (LARGE // 1000)))
    assert len(raw) > LARGE and refused(door, doors.ask(door, raw)) == (413, "too_large")


@pytest.mark.parametrize("door", ["/v1/chat/completions", "/agui"])
def test_a_body_of_too_many_values(doors: Doors, door: str) -> None:
    """Small as bytes, and not as what is made of them."""
    assert refused(door, doors.ask(door, bytes_of(door, more=[0] * 600_000))) == (413, "too_large")


# ---- a key that goes ----

@pytest.mark.parametrize("door", DOORS)
def test_a_key_that_is_revoked_amid_an_answer(bare: Stack, door: str) -> None:
    """Its stream breaks off without an end that could be taken for the answer's."""
    doors, gate = make(bare), Gate()
    doors.stack.model.when("Slowly", ["One ", gate, "two."])
    client = Client(doors.stack.gateway.url, bearer=doors.said["all"])
    connection, response = client.send("POST", door, question(door, "Slowly"), MCP if door == "/mcp" else {})
    until(lambda: metric(doors.stack.worker.url, "turns_running") == 1, "the turn to run")
    gate.wait(20 * SLOWNESS)
    doors.keys.drop("all")
    doors.stack.gateway.process.signal(signal.SIGHUP)
    try:
        said = response.read()
    except http.client.IncompleteRead as error:
        said = error.partial
    connection.close()
    assert b"[DONE]" not in said and b"RUN_FINISHED" not in said and b'"result"' not in said, said
    assert refused(door, doors.ask(door, bytes_of(door))) == (401, "unauthenticated")
    gate.open()
