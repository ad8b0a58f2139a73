"""What a browser may be made to do by another site's page: nothing. And what one person's requests may hold."""

import socket
import threading
from urllib.parse import urlsplit

import pytest

from fakes.model import Gate
from harness.client import Client
from harness.services import Perses
from harness.stack import Stack
from harness.wait import until

OURS = "https://perses.example"


def host(stack: Stack) -> str:
    return f"127.0.0.1:{stack.gateway.port}"


@pytest.fixture
def open_stack(make_stack: object) -> Stack:
    """PERSAI_AUTH=false, and one name beside loopback's."""
    return make_stack("http://127.0.0.1:1").start(workers=0, gateway_env={  # type: ignore[operator]
        "PERSAI_AUTH": "false", "PERSAI_HOSTS": "persai.lan, other.lan:8000", "PERSAI_CORS_ORIGINS": OURS})


def asked(client: Client, headers: dict[str, str], method: str = "POST", path: str = "/session") -> tuple[int, str]:
    answer = client.request(method, path, headers=headers)
    return answer.status, answer.code if answer.status >= 400 else ""


def test_other_sites_pages_change_nothing(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_CORS_ORIGINS": OURS}, workers=0)
    alice = stack.client()
    own = f"http://{host(stack)}"
    refused = [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "nonsense"},
               {"Sec-Fetch-Site": "cross-site", "Origin": own}, {"Sec-Fetch-Site": "same-site", "Origin": own},
               {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1"}, {"Origin": own + "0"},
               {"Origin": f"http://evil.example/{host(stack)}"}, {"Origin": "https://evil.perses.example"},
               {"Origin": OURS + ".evil.example"}, {"Origin": "https://a", "X-Forwarded-Host": "b"},
               # A name that differs by case is a line of its own: what is no list is neither of the two.
               {"Origin": own, "origin": "https://evil.example"}, {"Origin": "https://evil.example", "origin": own},
               {"Origin": OURS, "origin": "https://evil.example"},
               {"Sec-Fetch-Site": "same-origin", "sec-fetch-site": "cross-site"},
               {"Origin": "https://a", "X-Forwarded-Host": "b", "x-forwarded-host": "c"}]
    for headers in refused:
        assert asked(alice, headers) == (403, "cross_site"), headers
        assert asked(alice, {**headers, "Content-Type": "text/plain"}) == (403, "cross_site"), headers
        assert asked(alice, headers, "DELETE", "/session/" + "0" * 32) == (403, "cross_site"), headers
        assert asked(alice, headers, "GET", "/sessions") == (200, ""), "reading is what the browser itself keeps apart"
        assert asked(Client(stack.gateway.url), headers) == (403, "cross_site"), "before anybody is asked who it is"
    assert alice.sessions() == []
    allowed = [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": own},
               {"Sec-Fetch-Site": "cross-site", "Origin": OURS}, {"Origin": OURS},
               {"Origin": "https://a.example", "X-Forwarded-Host": "a.example"},
               {"Origin": "https://a.example", "X-Forwarded-Host": "x, A.example:443"},
               {"Origin": "http://a.example:8080", "X-Forwarded-Host": "a.example:8080"},
               {"Origin": "https://a.example", "X-Forwarded-Host": "x", "x-forwarded-host": "A.example:443"},
               {"Sec-Fetch-Site": "same-origin", "Origin": "https://perses.behind.a.proxy"}]
    for headers in allowed:
        assert asked(alice, headers) == (201, ""), headers
    assert len(alice.sessions()) == len(allowed)


def test_other_sites_pages_lend_no_token(bare: Stack) -> None:
    """A GET brings a waiting turn the token that it lacks: not one that another site's page had sent."""
    stack = bare.start(gateway_env={"PERSAI_LEASE": "1s"}, worker_env={"PERSAI_LEASE": "1s"})
    gate = Gate()
    stack.model.when("slow", ["a ", gate, "b"])
    alice = stack.client()
    session = alice.session()
    alice.start(session, "slow")
    gate.wait()
    for process in (stack.gateway.process, stack.worker.process):
        process.kill()
    stack.gateway.start()
    stack.worker.start()
    stack.gateway.wait_ready()
    path = f"/session/{session}"
    evil = {"Sec-Fetch-Site": "cross-site"}

    def waits() -> bool:
        return alice.get(path, headers=evil).json()["turn"]["state"] == "waiting_for_sign_in"

    until(waits, "the lease to end")
    assert waits() and waits()
    gate.open()
    until(lambda: alice.get(path).json()["turn"] is None, "the turn to go on with its owner's own request", 30)


def test_a_browsers_page_of_perses_is_no_other_site(stack: Stack, perses: Perses) -> None:
    """Through Perses's real proxy, over plain HTTP too, where browsers send no Sec-Fetch-Site."""
    prefix = perses.put_gateway(stack.gateway.url)
    alice = Client(perses.url, perses.sign_in("alice"), prefix=prefix)
    json_type = {"Content-Type": "application/json"}
    assert asked(alice, {"Origin": perses.url, **json_type}) == (201, ""), "its proxy tells no host"
    assert asked(alice, {"Origin": perses.url, "Idempotency-Key": "k"}) == (201, "")
    assert asked(alice, {"Origin": perses.url, "Sec-Fetch-Site": "same-origin"}) == (201, "")
    session = alice.sessions()[0]["session_id"]
    assert asked(alice, {"Origin": perses.url}, "DELETE", f"/session/{session}") == (200, "")
    assert asked(alice, {"Origin": "https://evil.example"}) == (403, "cross_site"), "as a form of another site can send"
    assert asked(alice, {"Origin": "https://evil.example", "Content-Type": "text/plain"}) == (403, "cross_site")
    assert asked(alice, {"Origin": perses.url, "Sec-Fetch-Site": "cross-site", **json_type}) == (403, "cross_site")
    ask = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = alice.request("OPTIONS", "/session", headers=ask)
    assert "Access-Control-Allow-Origin" not in preflight.headers, "and what it would have to ask for is not granted"


def test_a_preflight_is_for_those_who_may(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_CORS_ORIGINS": f"https://b.example, {OURS}"}, workers=0)
    anybody = Client(stack.gateway.url)
    ask = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "content-type"}
    good = anybody.request("OPTIONS", "/session", headers={"Origin": OURS, **ask})
    assert good.status == 204 and good.headers["Access-Control-Allow-Origin"] == OURS and good.headers["Vary"] == "Origin"
    assert "PATCH" in good.headers["Access-Control-Allow-Methods"]
    bad = anybody.request("OPTIONS", "/session", headers={"Origin": "https://evil.example", **ask})
    assert bad.status == 405 and "Access-Control-Allow-Origin" not in bad.headers and bad.headers["Vary"] == "Origin"
    plain = anybody.request("OPTIONS", "/session", headers={"Origin": OURS})
    assert plain.status == 405 and "POST" in plain.headers["Allow"], "no preflight: nothing is asked for"
    refused = anybody.post("/session", headers={"Origin": OURS})
    assert refused.status == 401 and refused.headers["Access-Control-Allow-Origin"] == OURS, "an error can be read too"


def test_without_authentication_only_our_names_are_answered(open_stack: Stack) -> None:
    nobody = Client(open_stack.gateway.url)
    port = open_stack.gateway.port
    for name in ("evil.example", f"evil.example:{port}", "192.0.2.1", "localhost.evil.example", "evil.persai.lan", "other.lan",
                 "other.lan:9000", "127.0.0.1.evil.example", "[2001:db8::1]", "128.0.0.1", "[::1]evil.com", "[::1]:x", "[::1]80",
                 "127.0.0.1:evil", "127.0.0.1:99999", "localhost:evil", "localhost:80:80", "localhost:-1", "[127.0.0.1]",
                 "persai.lan:evil", "persai.lan:65536", "[persai.lan]"):
        for path, method in (("/sessions", "GET"), ("/session", "POST"), ("/openapi.json", "GET"), ("/nothing", "GET")):
            assert asked(nobody, {"Host": name}, method, path) == (403, "bad_host"), (name, path)
    for name in ("localhost", f"localhost:{port}", "127.0.0.1", f"127.0.0.1:{port}", "127.1.2.3", "[::1]", f"[::1]:{port}",
                 "LOCALHOST", "a.localhost", "persai.lan", f"persai.lan:{port}", "other.lan:8000"):
        assert asked(nobody, {"Host": name}, "GET", "/healthz") == (200, ""), name
    line = f"GET http://evil.example/sessions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(line.encode())
        assert b"bad_host" in s.recv(65536), "what the request line names is what counts"


def test_with_authentication_any_name_is_fine(stack: Stack) -> None:
    assert asked(stack.client(), {"Host": "persai.example"}, "GET", "/sessions") == (200, "")


def test_a_body_is_json_or_not_there(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    for kind in ("text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx"):
        for method, path in (("POST", "/session"), ("DELETE", f"/session/{session}"), ("POST", alice.turn_path(session)),
                             ("POST", f"/session/{session}/turn/{'0' * 32}/cancel")):
            answer = alice.request(method, path, raw=b'{"message":"x"}', headers={"Content-Type": kind})
            assert (answer.status, answer.code) == (415, "unsupported_media_type"), (kind, method, path)
    assert alice.request("POST", "/session", raw=b"", headers={"Content-Type": "text/plain"}).status == 201
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        assert alice.request("POST", "/session", raw=b"{}", headers={"Content-Type": kind}).status == 201
    assert alice.request("DELETE", f"/session/{session}", raw=b"{}").status == 200


def test_every_answer_is_what_it_says(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    for path in ("/sessions", f"/session/{session}", "/models", "/tools", "/healthz", "/readyz", "/metrics", "/openapi.json",
                 "/nothing"):
        answer = alice.get(path)
        assert answer.headers["X-Content-Type-Options"] == "nosniff", path
        if path != "/metrics":
            assert answer.headers["Content-Type"].startswith("application/json"), path
            assert answer.headers["Cache-Control"] == "no-store", path
    stream = alice.turn(session, "hello")
    assert stream.response.headers["X-Content-Type-Options"] == "nosniff"
    stream.finish()


# ---- what is held for one person ----
def test_who_is_unknown_sends_no_body(stack: Stack) -> None:
    """Route and sender come first: megabytes that nobody asked for are never held."""
    before = stack.gateway.process.memory_bytes()
    kept = []
    for _ in range(300):
        s = socket.create_connection(("127.0.0.1", stack.gateway.port), timeout=10)
        s.setblocking(False)
        try:
            s.send(b"POST /session/x/turn HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                   b"Content-Length: 262144\r\n\r\n" + b" " * 262143)
        except BlockingIOError:
            pass
        kept.append(s)
    until(lambda: Client(stack.gateway.url).get("/healthz").status == 200, "it to answer")
    grown = stack.gateway.process.memory_bytes() - before
    for s in kept:
        s.close()
    assert grown < 20 << 20, f"{grown >> 20} MiB"


def test_requests_at_once_of_one_person_are_bounded(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_USER_REQUESTS": "5"})
    gate = Gate()
    stack.model.when("slow", ["a ", gate, "b"])
    alice, bob = stack.client(), stack.client("bob")
    session = alice.session()
    turn = alice.start(session, "slow")
    gate.wait()
    streams = [alice.events(session, turn) for _ in range(5)]
    refused = alice.get("/sessions")
    assert refused.status == 429 and refused.code == "rate_limited" and int(refused.headers["Retry-After"]) == 1
    assert bob.get("/sessions").status == 200
    streams.pop().close()
    until(lambda: alice.get("/sessions").status == 200, "a place to be free")
    gate.open()
    for stream in streams:
        stream.finish()
    until(lambda: alice.get("/sessions").status == 200, "all to be free")


def slow_body(client: Client, path: str, length: int) -> tuple[socket.socket, int]:
    """The head alone; and its answer: 100, or what it is refused with."""
    one = socket.create_connection(("127.0.0.1", urlsplit(client.base).port), timeout=10)
    one.sendall((f"POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {client.headers()['Cookie']}\r\nExpect: 100-continue\r\n"
                 f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n").encode())
    return one, int(one.recv(100).split()[1])


def test_bodies_have_a_budget(bare: Stack) -> None:
    """Slow ones hold what they announce; who comes when it is used up is told to come again."""
    stack = bare.start(workers=0, gateway_env={"PERSAI_HTTP_MEMORY": "1MiB"})
    alice = stack.client()
    session = alice.session()
    slow = [slow_body(stack.client(who), "/session/x/turn", 250000) for who in ("bob", "carol", "mallory", "robot")]
    assert [status for _, status in slow] == [100] * 4
    body = b'{"title":"' + b"x" * 100000 + b'"}'
    answer = alice.request("PATCH", f"/session/{session}", raw=body)
    assert (answer.status, answer.code) == (503, "busy") and int(answer.headers["Retry-After"]) > 0
    assert Client(stack.gateway.url).get("/metrics").status == 200
    for s, _ in slow:
        s.close()
    until(lambda: alice.request("PATCH", f"/session/{session}", raw=body).status == 413, "the budget to be free")


def test_one_persons_bodies_are_a_quarter_of_the_budget(bare: Stack) -> None:
    """Who sends slowly holds what others need."""
    stack = bare.start(workers=0, gateway_env={"PERSAI_HTTP_MEMORY": "16MiB"})
    alice, bob = stack.client(), stack.client("bob")
    slow = [slow_body(alice, "/agui", 2_000_000) for _ in range(4)]
    assert [status for _, status in slow] == [100, 100, 429, 429]
    assert alice.request("POST", "/session", {"title": "x" * 10_000}).status == 413  # of this there is room for more
    assert bob.request("POST", "/v1/chat/completions", raw=b'{"model":"none","x":"' + b"x" * 1_900_000 + b'"}').status == 404
    for s, _ in slow:
        s.close()
    until(lambda: slow_body(alice, "/agui", 2_000_000)[1] == 100, "hers to be free")


TREES = {"/v1/chat/completions": b'{"model":"persai","messages":[{"role":"user","content":"hi"}],"x":[%s]}',
         "/agui": b'{"threadId":"t","runId":"r","messages":[{"id":"1","role":"user","content":"hi"}],"state":[%s]}',
         "/mcp": b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask","_meta":[%s]}}'}


@pytest.mark.parametrize("path", TREES)
def test_values_that_are_made_of_few_bytes_cost_little(bare: Stack, path: str) -> None:
    """Fifty bytes are made of two; 60 requests of one person took 2.2 GiB while they waited for their turn."""
    stack = bare.start(workers=0)
    alice = stack.client()
    before = stack.gateway.process.memory_bytes()
    peaks: list[int] = []
    for unit, count in ((b"0", 120_000), (b"{}", 60_000), (b'{"a":[""]}', 20_000)):
        raw = TREES[path] % b",".join([unit] * (count if path != "/mcp" else count // 5))
        asked = [threading.Thread(target=lambda raw=raw: alice.send("POST", path, raw=raw)[1].read()) for _ in range(40)]
        for thread in asked:
            thread.start()
        while any(thread.is_alive() for thread in asked):
            peaks.append(stack.gateway.process.memory_bytes() - before)
            asked[-1].join(0.01)
    assert max(peaks) < 160 << 20, f"{max(peaks) >> 20} MiB"
    assert alice.get("/sessions").status == 200


def test_a_long_conversation_costs_each_reader_a_page(bare: Stack) -> None:
    """Megabytes of messages, and many who read nothing of them: one that reads has all, in order."""
    stack = bare.start(gateway_env={"PERSAI_USER_TURNS": "0", "PERSAI_USER_TURNS_PER_MINUTE": "0"})
    big = "y" * 25000
    stack.model.when("more", [big] * 2)
    alice = stack.client()
    session = alice.session()
    for n in range(4):
        assert alice.ask(session, f"more {n}").answer() == big * 2
    # What makes it long is put into the store as it is there: 30 MiB.
    store, key = stack.redis.client, f"p:m:{{{session}}}"
    record = store.hget(key, "8")
    store.hset(key, mapping={str(n): record for n in range(9, 9 + (30 << 20) // len(record))})
    store.hset(f"p:s:{{{session}}}", "mseq", store.hlen(key))
    messages = alice.messages(session)
    assert len(messages) == store.hlen(key) and sum(len(m["content"]) for m in messages) > 29 << 20
    assert [m["content"][:8].strip() for m in messages[:8:2]] == [f"more {n}" for n in range(4)]
    assert all(m["content"] == big * 2 for m in messages[1:8:2] + messages[8:])
    share = alice.post(f"/session/{session}/share").json()["share_id"]
    cookie = "; ".join(f"{k}={v}" for k, v in alice.cookies.items())
    whole, lazy = f"/session/{session}", []
    for path in (whole, f"{whole}/export?format=md", f"{whole}/export?format=json", f"/shared/{share}"):
        before = stack.gateway.process.memory_bytes()
        for _ in range(45):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.connect(("127.0.0.1", stack.gateway.port))
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
            lazy.append(s)
        until(lambda: all(s.recv(1, socket.MSG_PEEK) for s in lazy), "all answers to begin")
        grown = stack.gateway.process.memory_bytes() - before
        print(f"45 readers of 30 MiB by {path}: {grown / 1e6:.1f} MB more")
        assert grown < 40 << 20, f"{path}: {grown >> 20} MiB"
    assert len(alice.messages(session)) == len(messages)
    head = Client(stack.gateway.url, alice.cookies).request("HEAD", f"/session/{session}")
    assert head.status == 200 and head.body == b""
    for s in lazy:
        s.close()
