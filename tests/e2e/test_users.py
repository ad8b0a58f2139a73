"""Who the user is: identities from Perses, and what each may see."""

import json
import threading
import time

import pytest

from fakes import perses as fake_perses
from fakes.model import Call, Gate
from fakes.server import Exchange, Request
from fakes.upstream import Upstream
from harness.client import DATASOURCE, Client
from harness.services import Perses, Prometheus
from harness.stack import Stack
from harness.wait import until


@pytest.mark.core
def test_two_users_cannot_see_each_others_sessions(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("private", ["my secret", gate, "."])
    alice, bob = stack.client("alice"), stack.client("bob")
    session = alice.session(title="alice's")
    stream = alice.turn(session, "private matters")
    turn = stream.wait_for("turn_start")["turn_id"]
    gate.wait()
    assert bob.sessions() == [] and bob.sessions("?q=private") == []
    for method, path, body in [
            ("GET", "", None), ("PATCH", "", {"title": "mine"}), ("POST", "/fork", {"message_id": 1}),
            ("PATCH", "/message/1", {"excluded": True}), ("DELETE", "/message/1", None),
            ("POST", f"/turn?datasource_path={DATASOURCE}", {"message": "let me in"}),
            ("GET", f"/turn/{turn}/events", None), ("POST", f"/turn/{turn}/cancel", None),
            ("POST", f"/turn/{turn}/resume", {"decisions": []}), ("DELETE", "", None)]:
        theirs = bob.request(method, f"/session/{session}{path}", body)
        nobodys = bob.request(method, f"/session/{'0' * 32}{path}", body)
        assert theirs.status == 404, (method, path, theirs)
        # Exactly as one that does not exist.
        assert (theirs.status, theirs.body) == (nobodys.status, nobodys.body), (method, path)
    # A turn of one's own session does not open another's.
    own = bob.session()
    assert bob.get(f"/session/{own}/turn/{turn}/events").status == 404
    assert bob.post(f"/session/{own}/turn/{turn}/cancel").status == 404
    gate.open()
    assert stream.finish().answer() == "my secret."
    assert alice.sessions()[0]["title"] == "alice's"


@pytest.mark.core
def test_bearer_and_cookies_are_the_same_person(stack: Stack) -> None:
    cookies, bearer = stack.client(), stack.client(bearer=True)
    session = cookies.session()
    assert bearer.ask(session, "hello").answer()
    assert [s["session_id"] for s in bearer.sessions()] == [session]


@pytest.mark.core
@pytest.mark.parametrize("headers", [
    {}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer "}, {"Authorization": "Basic YTpi"},
    {"Authorization": "Bearer " + "a" * 10000}, {"Cookie": "jwtPayload=a.b"}, {"Cookie": "jwtSignature=x"},
    {"Cookie": "jwtPayload=a.b; jwtSignature=c"}, {"Cookie": "jwtPayload=" + "a" * 5000 + "; jwtSignature=b"},
    {"Authorization": "Bearer a.b.c\tX: y"}, {"Cookie": ";;;=;jwtPayload;"}])
def test_without_a_good_token(stack: Stack, headers: dict[str, str]) -> None:
    nobody = Client(stack.gateway.url)
    for method, path, body in [("POST", "/session", {}), ("GET", "/sessions", None), ("GET", "/models", None),
                               ("POST", "/session/x/turn?datasource_path=" + DATASOURCE, {"message": "x"})]:
        answer = nobody.request(method, path, body, headers=headers)
        assert answer.status in (401, 400, 431), (path, answer)
        if answer.status == 401:
            assert answer.code == "unauthenticated"
    assert stack.model.chats() == []


@pytest.mark.core
def test_a_forged_token(stack: Stack) -> None:
    """Alice's payload with bob's signature, and a payload that was changed."""
    alice, bob = stack.client("alice"), stack.client("bob")
    mixed = {"jwtPayload": alice.cookies["jwtPayload"], "jwtSignature": bob.cookies["jwtSignature"]}
    assert Client(stack.gateway.url, mixed).get("/sessions").status == 401
    assert alice.get("/sessions").status == 200
    assert Client(stack.gateway.url, mixed).get("/sessions").status == 401
    changed = {**alice.cookies, "jwtPayload": alice.cookies["jwtPayload"][:-2] + "xx"}
    assert Client(stack.gateway.url, changed).get("/sessions").status == 401


def test_a_user_without_rights_gets_the_tools_refusal(stack: Stack) -> None:
    """Mallory may sign in and chat; Perses refuses her the datasource, and the model is told."""
    stack.model.when("look", [Call("list_metrics", {})], ["I may not."])
    mallory = stack.client("mallory")
    log = mallory.ask(mallory.session(), "look around")
    assert log.answer() == "I may not."
    assert "403" in log.tools()[0][1]["content"] or "forbidden" in log.tools()[0][1]["content"].lower()


def test_whoami_is_asked_once_a_minute(make_stack: object) -> None:
    with Upstream() as upstream, fake_perses.Perses(upstream.url) as perses:
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        client = stack.client()
        for _ in range(20):
            assert client.get("/sessions").status == 200
        assert len(perses.seen(lambda r: r.path == "/api/v1/user/whoami")) <= 2


@pytest.mark.parametrize("bearer", [False, True], ids=["cookies", "bearer"])
def test_a_datasources_own_401_is_a_failed_call(make_stack: object, bearer: bool) -> None:
    """Perses passes on what the server behind it answers: no sign-in helps, and the other call has its result. A Bearer can't
    be refreshed: Perses is asked whether it still takes it."""
    def refuse(exchange: Exchange, request: Request) -> bool:
        if request.path.endswith("/api/v1/rules"):
            exchange.reply(401, b"wrong secret")
        return request.path.endswith("/api/v1/rules")

    with Upstream() as upstream, fake_perses.Perses(upstream.url) as perses:
        perses.behave = refuse
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        stack.model.when("both", [Call("execute_instant_query", {"query": "up"}), Call("list_rules", {})], ["done"])
        client = Client(stack.gateway.url, bearer=perses.token("alice", 900)) if bearer else stack.client()
        log = client.ask(client.session(), "both")
        assert log.answer() == "done"
        (_, query), (_, rules) = log.tools()
        assert not query["failed"] and rules["failed"] and "datasource behind it" in rules["content"], rules
        refreshed, asked = (len(perses.seen(lambda r, path=path: r.path == path)) for path in
                            ("/api/auth/refresh", "/api/v1/user/whoami"))
        assert (refreshed, asked) == ((0, 2) if bearer else (1, 1))  # once


def test_perses_is_asked_the_operators_way_only(make_stack: object) -> None:
    """No header of a request moves where whoami or a tool goes to."""
    with Upstream() as evil, Upstream() as upstream, fake_perses.Perses(upstream.url) as perses:
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        stack.model.when("look", [Call("list_metrics", {})], ["done"])
        client = stack.client()
        host = f"127.0.0.1:{evil.port}"
        headers = {"X-Forwarded-Host": host, "Origin": evil.url, "Referer": evil.url + "/x", "X-Perses-Url": evil.url,
                   "Forwarded": f"host={host}", "X-Original-URL": evil.url}
        assert client.turn(client.session(), "look", headers=headers).finish().answer() == "done"
        assert evil.requests == [] and upstream.requests


def test_an_expiring_token_is_refreshed_during_the_turn(make_stack: object) -> None:
    with Upstream() as upstream, fake_perses.Perses(upstream.url) as perses:
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        gate = Gate()
        stack.model.when("late", ["a ", gate, Call("execute_instant_query", {"query": "up"})], ["done"])
        client = Client(stack.gateway.url, perses.sign_in("alice", ttl=5, refresh_ttl=900))
        began = time.monotonic()
        stream = client.turn(client.session(), "late tools")
        gate.wait()
        until(lambda: time.monotonic() - began > 6, "the token to expire")
        gate.open()
        log = stream.finish()
        assert log.answer() == "done"
        assert "canary_temperature_celsius" in log.tools()[0][1]["content"]
        assert perses.seen(lambda r: r.path == "/api/auth/refresh")


def test_a_bearer_that_expires_ends_the_turn(make_stack: object) -> None:
    with Upstream() as upstream, fake_perses.Perses(upstream.url) as perses:
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        gate = Gate()
        stack.model.when("late", ["a ", gate, Call("execute_instant_query", {"query": "up"})], ["done"])
        client = Client(stack.gateway.url, bearer=perses.token("alice", 8))
        began = time.monotonic()
        session = client.session()
        stream = client.turn(session, "late tools")
        gate.wait()
        until(lambda: time.monotonic() - began > 9, "the token to expire")
        gate.open()
        final = stream.finish(60).final()
        assert final["event_type"] == "error" and final["code"] == "token_expired"
        again = stack.client("alice")
        assert again.ask(session, "hello").answer()


def test_a_revoked_token_is_refused_after_the_cache(make_stack: object) -> None:
    """At most a minute: the cache's age is bounded by the token's own end, too."""
    with fake_perses.Perses() as perses:
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        client = Client(stack.gateway.url, bearer=perses.token("alice", 3))
        assert client.get("/sessions").status == 200
        until(lambda: client.get("/sessions").status == 401, "the token to be refused", 10)


@pytest.mark.parametrize("behave", ["nonsense", "hang", "failing", "down"])
def test_a_perses_that_is_ill(make_stack: object, behave: str) -> None:
    with fake_perses.Perses() as perses:
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        client = stack.client()
        if behave == "down":
            perses.stop()
        else:
            perses.behave = {"nonsense": fake_perses.nonsense, "hang": fake_perses.hang,
                             "failing": fake_perses.failing(500)}[behave]
        answer = client.get("/sessions")
        assert answer.status == 503 and answer.code == "perses_unavailable", answer
        assert int(answer.headers["Retry-After"]) > 0
        if behave == "down":
            perses.start()
        perses.behave = lambda exchange, request: False
        until(lambda: client.get("/sessions").status == 200, "Perses to be believed again", 20)


def test_a_slow_perses_holds_up_only_its_own_request(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        stack = make_stack(perses.url, perses.sign_in).start()  # type: ignore[operator]
        known = stack.client("alice")
        session = known.session()
        release = threading.Event()
        perses.behave = fake_perses.held(release)
        slow = stack.client("bob")
        bob = slow.cookies["jwtSignature"].encode()
        connection = slow.connect()
        connection.request("GET", "/sessions", headers=slow.headers())
        until(lambda: perses.seen(lambda r: "whoami" in r.path and bob in r.raw()), "bob's whoami")
        assert known.ask(session, "meanwhile").answer()  # Perses answers nobody before it is released
        release.set()
        assert connection.getresponse().status == 200
        connection.close()


def test_perses_without_authentication(make_stack: object, tmp_path: object, service_logs: object,
                                       prometheus: Prometheus) -> None:
    """403 and what to set; never 401, which would make the Perses page repeat the request."""
    perses = Perses(tmp_path / "perses-open", service_logs, {"prometheus": prometheus.url}, auth=False)  # type: ignore
    perses.start()
    try:
        stack = make_stack(perses.url).start()  # type: ignore[operator]
        for client in (Client(stack.gateway.url), Client(stack.gateway.url, bearer="a.b.c")):
            answer = client.get("/sessions")
            assert answer.status == 403 and answer.code == "perses_auth_off", answer
            assert "enable_auth" in answer.json()["detail"]["response"]
    finally:
        perses.process.terminate()


def test_auth_false_serves_one_person_on_loopback(make_stack: object, prometheus: Prometheus, tmp_path: object,
                                                  service_logs: object) -> None:
    perses = Perses(tmp_path / "perses-open", service_logs, {"prometheus": prometheus.url}, auth=False)  # type: ignore
    perses.start()
    try:
        stack = make_stack(perses.url).start(gateway_env={"PERSAI_AUTH": "false"})  # type: ignore[operator]
        client = Client(stack.gateway.url)
        stack.model.when("rooms", [Call("list_label_values", {"label": "room"})], ["three"])
        log = client.ask(client.session(), "which rooms")
        assert log.answer() == "three" and "kitchen" in log.tools()[0][1]["content"]
        assert b"PERSAI_AUTH" in stack.gateway.process.log_bytes() or b"auth" in stack.gateway.process.log_bytes()
    finally:
        perses.process.terminate()


def test_cors_is_closed_unless_it_is_set(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_CORS_ORIGINS": "https://perses.example"})
    alice = stack.client()
    good = alice.get("/sessions", headers={"Origin": "https://perses.example"})
    assert good.headers["Access-Control-Allow-Origin"] == "https://perses.example"
    bad = alice.get("/sessions", headers={"Origin": "https://evil.example"})
    assert bad.headers.get("Access-Control-Allow-Origin") is None
    preflight = Client(stack.gateway.url).request("OPTIONS", "/session", headers={
        "Origin": "https://perses.example", "Access-Control-Request-Method": "POST"})
    assert preflight.status in (200, 204)
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://perses.example"
    assert json.dumps(alice.sessions()) == "[]"
