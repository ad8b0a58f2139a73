"""Canary tokens: the user's tokens and the provider's key are nowhere but where they must be."""

import json
import os
import shutil
import socket
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote, urlsplit

import pytest

from fakes.model import Attempts, Call, Gate, Status
from fakes.server import Exchange, Request
from fakes.upstream import Upstream, prometheus, success
from harness.client import Client
from harness.core import core_of, has_piece
from harness.keys import Keys
from harness.process import Process
from harness.services import PASSWORD, Perses
from harness.stack import MODEL_KEY, Stack, make_keys
from harness.wait import SLOWNESS, free_port, until

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "compose" / "lib"))


@pytest.fixture
def recorded(perses: Perses) -> Iterator[Upstream]:
    """An upstream behind a datasource that is provisioned as ours are: it sees what reaches a data source."""
    with Upstream() as upstream:
        perses.put_datasource("recorded", Perses.closed_datasource(upstream.url))
        yield upstream


def canaries(cookies: dict[str, str]) -> dict[str, bytes]:
    """Parts that identify a token wherever a piece of it turns up."""
    refresh = cookies["jwtRefreshToken"].split(".")
    return {"access payload": cookies["jwtPayload"].split(".")[-1].encode(),
            "access signature": cookies["jwtSignature"].encode(), "refresh payload": refresh[1].encode(),
            "refresh signature": refresh[2].encode(), "model key": MODEL_KEY.encode()}


@pytest.mark.core
def test_no_token_is_anywhere_it_must_not_be(stack: Stack, perses: Perses, recorded: Upstream) -> None:
    cookies = perses.sign_in("alice")
    alice = Client(stack.gateway.url, cookies)
    # As in the proxy of Perses, which rebuilds the Bearer beside the cookies.
    both = Client(stack.gateway.url, cookies, bearer=f"{cookies['jwtPayload']}.{cookies['jwtSignature']}")
    path = "/proxy/globaldatasources/recorded"
    stack.model.when("look", [Call("list_metrics", {}), Call("execute_instant_query", {"query": "canary_temperature_celsius"}),
                              Call("execute_range_query", {"query": "canary_temperature_celsius"}),
                              Call("list_label_values", {"label": "instance"})], ["Seen."])
    stack.model.when("refused", [Status(401, b'{"error":{"message":"bad key"}}')])
    # A model that says back all that it was sent.
    stack.model.when("echo me", lambda body: [json.dumps(body)])
    bodies: list[bytes] = []
    for client in (alice, both):
        session = client.session()
        for question in ("look at it", "refused", "echo me"):
            stream = client.turn(session, question, datasource=path)
            stream.finish()
            bodies.append(stream.parser.raw)
        bodies.append(client.get(f"/session/{session}").body)
        bodies.append(client.get("/sessions").body)
        # Errors on the way in, too.
        bodies.append(client.post(f"/session/{session}/turn?datasource_path=nonsense", {"message": "x"}).body)
        bodies.append(client.post(f"/session/{session}/turn", raw=b"{").body)
    for url in (stack.gateway.url, stack.worker.url):
        bodies.append(Client(url).get("/metrics").body)
        bodies.append(Client(url).get("/healthz").body)
    bodies += [alice.get("/models").body, alice.get("/tools").body, alice.get("/openapi.json").body]
    assert recorded.requests, "the tools did not reach the upstream"

    places = {"the events and answers": b"\n".join(bodies), "Redis": stack.redis.dump(),
              "the upstream": b"\n".join(r.raw() for r in recorded.requests)}
    places |= {f"the log of {p.name}": p.log_bytes() for p in stack.processes()}
    model = b"\n".join(r.raw() for r in stack.model.requests)
    places["the requests to the model"] = model.replace(b"Bearer " + MODEL_KEY.encode(), b"")
    assert MODEL_KEY.encode() in model, "the provider got no key"
    hits = [f"{name} is in {place}" for place, data in places.items() for name, word in canaries(cookies).items()
            if word in data]
    assert not hits, hits
    for request in recorded.requests:
        assert request.header("Cookie") == "" and request.header("Authorization") == "Bearer none"


def test_a_datasource_that_repeats_its_request(stack: Stack, perses: Perses) -> None:
    """It is handed the sign-in, and says so: in an error, in labels, in a URL, in base64. Nobody is shown it."""
    with Upstream() as upstream:
        spec = Perses.closed_datasource(upstream.url)
        spec["plugin"]["spec"]["proxy"]["spec"] = {"url": upstream.url}
        perses.put_datasource("open", spec)

        def behave(exchange: Exchange, request: Request) -> None:
            raw = request.raw()
            signs = {"url": quote(raw), "base64": b64encode(raw).decode(),
                     "cut": request.header("Authorization").split(".")[-1][:80]}
            if request.param("query").startswith("label_replace(count("):  # how much it would read
                prometheus(exchange, request)
            elif "labels" in request.path:
                exchange.reply(200, success([*signs.values(), raw.decode()]))
            elif request.path.endswith("/query"):
                exchange.reply(400, json.dumps({"status": "error", "errorType": "bad_data", "error": raw.decode()}).encode())
            else:
                series = {"metric": signs, "values": [[time.time(), "1"]]}
                exchange.reply(200, success({"resultType": "matrix", "result": [series]}))

        upstream.behave = behave
        stack.model.when("repeat", [Call("execute_instant_query", {"query": "up"}), Call("list_label_names", {}),
                                    Call("execute_range_query", {"query": "up"})], ["Seen."])
        cookies = perses.sign_in("alice")
        alice = Client(stack.gateway.url, cookies)
        session = alice.session()
        stream = alice.turn(session, "repeat", datasource="/proxy/globaldatasources/open")
        assert stream.finish().answer() == "Seen."
        handed = b"".join(r.raw() for r in upstream.requests)
        assert cookies["jwtSignature"].encode() in handed, "the upstream was not handed the sign-in"
        places = {"the events": stream.parser.raw, "Redis": stack.redis.dump(),
                  "what is read": alice.get(f"/session/{session}").body,
                  "the requests to the model": b"".join(r.raw() for r in stack.model.requests)}
        places |= {f"the log of {p.name}": p.log_bytes() for p in stack.processes()}
        assert "bad_data" in stream.log.tools()[0][1]["content"] and b"*****" in places["the requests to the model"]
        hits = [f"{name} is in {place}" for place, data in places.items() for name, word in repeated(cookies).items()
                if word in data]
        assert not hits, hits


def repeated(cookies: dict[str, str]) -> dict[str, bytes]:
    """The begin of each part of a token, and what of it is in the base64 of any text that has it."""
    parts = {n: w[:40] for n, w in canaries(cookies).items() if n.startswith("access")}
    return {**parts, **{f"{n} in base64 behind {k}": b64encode(b"x" * k + w)[4:-4] for n, w in parts.items() for k in range(3)}}


def test_tokens_are_not_in_the_environment_or_arguments(stack: Stack, perses: Perses) -> None:
    """Nor does a key that came by the environment stay on a command line."""
    alice = stack.client()
    alice.ask(alice.session(), "hello")
    for process in (stack.gateway.process, stack.worker.process):
        with open(f"/proc/{process.pid}/cmdline", "rb") as f:
            line = f.read()
        assert MODEL_KEY.encode() not in line and alice.cookies["jwtSignature"].encode() not in line


def test_a_crash_leaves_no_token_behind(bare: Stack, perses: Perses) -> None:
    """A worker that is killed while it holds a token: not in its log, not in Redis; and it may not dump core."""
    stack = bare.start(workers=2)
    gate = Gate()
    stack.model.when("hold", Attempts(["a", gate], ["b"]))
    cookies = perses.sign_in("bob")
    bob = Client(stack.gateway.url, cookies)
    stream = bob.turn(bob.session(), "hold my token")
    gate.wait()
    process = stack.working().process
    with open(f"/proc/{process.pid}/limits") as f:
        core = next(line for line in f if line.startswith("Max core file size"))
    dumpable = not core.split()[4:6] == ["0", "0"]
    if dumpable:
        # Then the kernel must have been told to leave the process alone.
        assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0, core
    process.kill()
    assert stream.finish(60).answer() == "b"
    data = stack.redis.dump() + b"".join(p.log_bytes() for p in stack.processes())
    for name, word in canaries(cookies).items():
        assert word not in data, name


@pytest.mark.core
@pytest.mark.parametrize("way", ["cookies", "bearer", "both"])
def test_memory_forgets_tokens(stack: Stack, perses: Perses, way: str) -> None:
    check_that_memory_forgets(stack, perses, way)


def test_memory_forgets_tokens_that_went_over_curve(bare: Stack, perses: Perses, tmp_path: Path) -> None:
    bare.keys = make_keys(tmp_path / "own-keys")
    check_that_memory_forgets(bare.start(), perses, "both")


def check_that_memory_forgets(stack: Stack, perses: Perses, way: str) -> None:
    """After their turns no part of the tokens is in the gateway's or the worker's memory any more."""
    people = {name: perses.sign_in(name) for name in ("alice", "bob")}
    for cookies in people.values():
        bearer = f"{cookies['jwtPayload']}.{cookies['jwtSignature']}" if way != "cookies" else ""
        client = Client(stack.gateway.url, {} if way == "bearer" else cookies, bearer=bearer)
        stack.model.when("look", [Call("list_label_values", {"label": "room"})], ["three"])
        session = client.session()
        for _ in range(3):
            assert client.ask(session, "look").answer() == "three"
        # Through other paths, too: listing, an error, a cancel, a refused body.
        client.get("/sessions"), client.get(f"/session/{session}"), client.get("/session/nonsense")
        client.post(f"/session/{session}/turn", raw=b"{"), client.request("DELETE", f"/session/{session}")
    words = {f"{who}'s {name}": word for who, cookies in people.items() for name, word in canaries(cookies).items()
             if name != "model key"}
    processes = (stack.gateway.process, stack.worker.process)

    def left() -> list[str]:
        memory = {p.name: memory_of(p.pid) for p in processes}
        return [f"{word} in {name} ({data.count(value)})" for name, data in memory.items()
                for word, value in words.items() if value in data]

    try:
        until(lambda: not left(), "the tokens to be gone", 5)
    except AssertionError:
        raise AssertionError(left()) from None


ASK = {"role": "user", "content": "look"}
DOORS = {"/v1/chat/completions": {"model": "persai", "messages": [ASK]},
         "/agui": {"threadId": "t", "runId": "r", "messages": [{"id": "1", **ASK}]},
         "/mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                  "params": {"name": "ask", "arguments": {"question": "look"}}}}


def door(who: Client, path: str, body: dict) -> tuple[int, bytes]:
    """What it says, a stream or not."""
    connection, response = who.send("POST", path, body)
    try:
        return response.status, response.read()
    finally:
        connection.close()


def test_nothing_keeps_what_came_through_a_door(bare: Stack, perses: Perses, tmp_path: Path) -> None:
    """Neither a person's token, by either way, nor a program's key; of the password that goes with a key no core."""
    keys = Keys(bare.folder)
    key = keys.make("ci")
    stack = bare.start(gateways=2, gateway_env=keys.env())
    stack.model.when("look", [Call("list_label_values", {"label": "room"})], ["three"])
    cookies = perses.sign_in("alice")
    token = f"{cookies['jwtPayload']}.{cookies['jwtSignature']}"
    for n, who in enumerate((Client("", cookies), Client("", bearer=token), Client("", cookies, token), Client("", bearer=key))):
        for path, body in DOORS.items():
            who.base = stack.gateways[n % 2].url
            status, answer = door(who, path, body)
            assert status == 200 and b"three" in answer, answer
            assert door(who, path, {**body, "messages": "none", "jsonrpc": "1"})[0] in (400, 422)
        assert Client(who.base, bearer=key + "x").get("/v1/models").status == 401
    words = {"the key": key[3:].encode(), **{n: w for n, w in canaries(cookies).items() if n != "model key"}}
    processes = [g.process for g in stack.gateways] + [stack.worker.process]

    def left() -> list[str]:
        memory = {p.name: memory_of(p.pid) for p in processes}
        return [f"{word} in {name}" for name, data in memory.items() for word, value in words.items() if value in data]

    try:
        until(lambda: not left(), "the tokens to be gone", 10)
    except AssertionError:
        raise AssertionError(left()) from None
    words["its user's password"] = PASSWORD.format("robot").encode()
    places = {"Redis": stack.redis.dump(), **{f"the log of {p.name}": p.log_bytes() for p in stack.processes()}}
    if shutil.which("gcore"):
        places |= {f"the core of {p.name}": core_of(p.pid, tmp_path) for p in processes}
    hits = [f"{name} is in {place}" for place, data in places.items() for name, word in words.items() if word in data]
    assert not hits, hits


def test_memory_forgets_what_came_with_requests_that_need_no_sign_in(stack: Stack) -> None:
    """A browser sends its cookies with everything: with a page, a probe, and what is refused by its head. All at once,
    so that no connection is given the memory of another."""
    url, words, kept = urlsplit(stack.gateway.url), {}, []
    typed = "Content-Type: application/json\r\n"
    lines = ["GET /docs", "GET /healthz", "GET /nothing", "DELETE /sessions", "GET /sessions?a=%zz", "BREW /sessions",
             f"POST /webhook/alertmanager\r\n{typed}Content-Length: 0", "POST /session\r\nSec-Fetch-Site: cross-site",
             f"POST /session\r\nIdempotency-Key: {'k' * 1100}", "GET /sessions\r\nHost: second",
             "GET /sessions\r\nX-Folded: a\r\n b", "GET /v1/nothing", "OPTIONS /session\r\nOrigin: http://elsewhere"]
    secrets = {"cookie": "Cookie: jwtPayload=e30.{0}; jwtSignature={0}; jwtRefreshToken={0}",
               "bearer": "Authorization: Bearer e30.{0}.x", "key": "Authorization: Bearer pk-{0}"}
    for line in lines:
        for name, secret in secrets.items():
            word = words[f"{name} of {line:.40}"] = token_hex(24)
            asked, _, more = line.partition("\r\n")
            one = socket.create_connection((url.hostname, url.port), 10)
            head = [f"{asked} HTTP/1.1", f"Host: {url.netloc}", secret.format(word), *([more] if more else []), "", ""]
            one.sendall("\r\n".join(head).encode())
            kept.append(one)
    for one in kept:
        assert one.recv(100).startswith(b"HTTP/1.1 ")
    for one in kept:
        one.close()

    def left() -> list[str]:
        memory = memory_of(stack.gateway.process.pid)
        return [name for name, word in words.items() if word.encode() in memory]

    try:
        until(lambda: not left(), "the words to be gone", 10)
    except AssertionError:
        raise AssertionError(left()) from None


def memory_of(pid: int) -> bytes:
    """All of a process's private writable memory."""
    parts = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            span, rights = line.split()[:2]
            if rights.startswith("rw") and "[v" not in line:
                low, high = (int(x, 16) for x in span.split("-"))
                if high - low > 1 << 30:
                    continue
                try:
                    mem.seek(low)
                    parts.append(mem.read(high - low))
                except OSError:
                    pass
    return b"".join(parts)


@pytest.mark.skipif(shutil.which("gcore") is None, reason="gdb is not here")
@pytest.mark.parametrize("way", ["cookies", "bearer", "both"])
def test_a_forced_core_has_no_token(bare: Stack, perses: Perses, tmp_path: Path, way: str) -> None:
    """Taken by root while turns run with the token, and when they are over: secrets lie where no core reaches
    (MADV_DONTDUMP), and what they passed through is wiped."""
    stack = bare.start()
    gate = Gate()
    stack.model.when("hold", [Call("list_label_values", {"label": "room"})], [gate, "held"])
    cookies = perses.sign_in("alice")
    bearer = f"{cookies['jwtPayload']}.{cookies['jwtSignature']}" if way != "cookies" else ""
    alice = Client(stack.gateway.url, {} if way == "bearer" else cookies, bearer=bearer)
    stream = alice.turn(alice.session(), "hold my token")
    gate.wait()
    check_cores(stack, cookies, tmp_path, "a turn runs")
    gate.open()
    assert stream.finish(60).answer() == "held"
    check_cores(stack, cookies, tmp_path, "its turns are over")


@pytest.mark.skipif(shutil.which("gcore") is None, reason="gdb is not here")
def test_a_core_has_no_token_while_a_datasource_is_silent(bare: Stack, perses: Perses, tmp_path: Path) -> None:
    """However long an answer takes, what it was asked with lies where no core reaches."""
    with Upstream() as upstream:
        asked, go = threading.Event(), threading.Event()

        def behave(exchange: Exchange, request: Request) -> None:
            asked.set()
            go.wait(60 * SLOWNESS)
            prometheus(exchange, request)

        upstream.behave = behave
        perses.put_datasource("silent", Perses.closed_datasource(upstream.url))
        stack = bare.start()
        stack.model.when("look", [Call("list_label_values", {"label": "room"})], ["Seen."])
        cookies = perses.sign_in("alice")
        alice = Client(stack.gateway.url, cookies)
        stream = alice.turn(alice.session(), "look", datasource="/proxy/globaldatasources/silent")
        assert asked.wait(30 * SLOWNESS)
        check_cores(stack, cookies, tmp_path, "a tool waits")
        go.set()
        assert stream.finish(60).answer() == "Seen."


def check_cores(stack: Stack, cookies: dict[str, str], folder: Path, when: str) -> None:
    seen: list[list[str]] = []

    def left() -> list[str]:
        cores = {p.name: core_of(p.pid, folder) for p in (stack.gateway.process, stack.worker.process)}
        seen.append([f"{word} in the core of {name} ({core.count(value)})" for name, core in cores.items()
                     for word, value in canaries(cookies).items() if word != "model key"
                     and (value in core or "signature" in word and has_piece(core, value))])
        return seen[-1]

    try:  # what is under way is gone in moments; a core of a busy machine takes seconds
        until(lambda: not left(), "no token in a core", 20)
    except AssertionError:
        raise AssertionError(f"while {when}: {seen}") from None


def test_composes_own_provisioning_keeps_tokens(tmp_path: Path) -> None:
    """The datasources that compose/run provisions, with recording upstreams behind each."""
    import files as compose_files  # of compose/lib

    folder = tmp_path / "perses"
    folder.mkdir()
    port = free_port()
    with Upstream() as upstream, Upstream() as gateway:
        shutil.copytree(os.environ["PERSAI_TEST_PERSES_PLUGINS"], folder / "plugins")
        args = compose_files.perses(folder, os.environ["PERSAI_TEST_PERSES"], port, upstream.url, gateway.url, "word",
                                    {"admin": PASSWORD.format("admin"), "demo": PASSWORD.format("demo")})
        process = Process("perses", args, tmp_path).start()
        try:
            base = f"http://127.0.0.1:{port}"
            until(lambda: Client(base).get("/api/v1/health").status == 200, "Perses", 60)
            login = {"login": "demo", "password": PASSWORD.format("demo")}
            answer = until(lambda: (a := Client(base).post("/api/auth/providers/native/login", login)).status == 200 and a,
                           "the demo user to sign in", 60)
            cookies = dict(line.split(";", 1)[0].split("=", 1) for line in answer.headers.get_all("Set-Cookie"))
            demo = Client(base, cookies)

            def provisioned() -> dict[str, str]:
                answer = demo.get("/api/v1/globaldatasources")
                found = answer.json() if answer.status == 200 else []  # 403: the roles are not active yet
                return {d["metadata"]["name"]: d["spec"]["plugin"]["kind"] for d in found}

            until(lambda: len(provisioned()) >= 2, "the datasources to be provisioned", 60)
            names = provisioned()
            for name, kind in names.items():
                before = len(upstream.requests)
                path = "sessions" if kind == "PersAIDatasource" else "api/v1/query?query=up"  # ours allows its own only
                assert demo.get(f"/proxy/globaldatasources/{name}/{path}").status in (200, 404)
                if kind == "PersAIDatasource":
                    assert cookies["jwtSignature"].encode() in gateway.requests[-1].raw()
                else:
                    assert len(upstream.requests) > before, f"its upstream was not reached through {name}"
            sent = b"\n".join(r.raw() for r in upstream.requests)
            assert not [n for n, w in canaries(cookies).items() if w in sent]
            body = {"kind": "User", "metadata": {"name": "eve"}, "spec": {"nativeProvider": {"password": "x" * 12}}}
            assert Client(base).post("/api/v1/users", body).status in (401, 403, 404, 405)
            assert Client(base).get("/api/v1/globaldatasources").status == 401
        finally:
            process.terminate()
