"""What Perses is asked about who somebody is: no more than needed, whatever strangers send."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes import perses as fake_perses
from fakes.server import Exchange, Request
from harness.client import Client, Response
from harness.clock import by_the_clock
from harness.stack import Stack, metric
from harness.wait import until


def config_is(status: int, body: bytes = b"", content_type: str = "application/json") -> Callable[[Exchange, Request], bool]:
    def behave(exchange: Exchange, request: Request) -> bool:
        if request.path != "/api/config":
            return False
        exchange.reply(status, body, content_type)
        return True

    return behave


def config_hangs(exchange: Exchange, request: Request) -> bool:
    return request.path == "/api/config" and fake_perses.hang(exchange, request)


def config_is_cut(exchange: Exchange, request: Request) -> bool:
    if request.path != "/api/config":
        return False
    exchange.cut()
    return True


HIDDEN = {
    "401": config_is(401, b"{}"), "403": config_is(403, b"no"), "404": config_is(404), "405": config_is(405),
    "500": config_is(500), "302": config_is(302), "page": config_is(200, b"<html>sign in</html>", "text/html"),
    "empty": config_is(200), "list": config_is(200, b"[]"), "object": config_is(200, b"{}"),
    "unknown": config_is(200, b'{"config":{"security":{}}}'),
    "text": config_is(200, b'{"config":{"security":{"enable_auth":"no"}}}'), "large": config_is(200, b" " * (2 << 20)),
    "hangs": config_hangs, "cut": config_is_cut,
}


@pytest.mark.parametrize("hidden", list(HIDDEN))
def test_who_sends_no_good_token_is_unauthenticated_whatever_the_configuration_says(make_stack: object, hidden: str) -> None:
    with fake_perses.Perses() as perses:
        perses.behave = HIDDEN[hidden]
        stack = make_stack(perses.url, perses.sign_in).start(workers=0)  # type: ignore[operator]
        nobody, forged = Client(stack.gateway.url), Client(stack.gateway.url, bearer="a.b.c")
        for client in (nobody, forged, nobody, Client(stack.gateway.url, {"jwtPayload": "a.b", "jwtSignature": "c"})):
            answer = client.get("/sessions")
            assert answer.status == 401 and answer.code == "unauthenticated", answer
        assert stack.client().get("/sessions").status == 200
        assert len(perses.seen(lambda r: r.path == "/api/config")) <= 2, "its silence is remembered for a while"


def test_without_a_token_it_is_unauthenticated_while_perses_is_down(make_stack: object) -> None:
    stack = make_stack("http://127.0.0.1:1").start(workers=0)  # type: ignore[operator]
    answer = Client(stack.gateway.url).get("/sessions")
    assert answer.status == 401 and answer.code == "unauthenticated", answer
    answer = Client(stack.gateway.url, bearer="a.b.c").get("/sessions")
    assert answer.status == 503 and answer.code == "perses_unavailable", answer


# ---- how much it is asked ----

WHOAMI = "/api/v1/user/whoami"


class Counting:
    """Behaves as the stand-in always does, after a while; counts questions about tokens."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds, self.lock = seconds, threading.Lock()
        self.now = self.most = self.asked = 0

    def __call__(self, exchange: Exchange, request: Request) -> bool:
        if request.path != WHOAMI:
            return False
        with self.lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.seconds)
        with self.lock:
            self.now -= 1
        return False


def counting(make_stack: object, perses: fake_perses.Perses, seconds: float = 0, **env: str) -> tuple[Stack, Counting]:
    perses.behave = counted = Counting(seconds)
    return make_stack(perses.url, perses.sign_in).start(workers=0, gateway_env=env), counted  # type: ignore[operator]


def at_once(count: int, ask: Callable[[int], Response]) -> list[Response]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def forged(stack: Stack, n: int, sender: str = "", said: str = "") -> Response:
    """A token of one's own making; sender: as a proxy says, in a line of its own after what the sender said itself."""
    headers = {"x-forwarded-for": said} if said else {}
    return Client(stack.gateway.url, bearer=f"a.b.{n}").get(
        "/sessions", headers={**headers, "X-Forwarded-For": sender} if sender else headers)


@pytest.mark.parametrize("credential", ["bearer", "cookies"])
def test_a_refused_credential_is_asked_for_once(make_stack: object, credential: str) -> None:
    with fake_perses.Perses() as perses:
        stack, counted = counting(make_stack, perses)
        expired = perses.sign_in("alice", ttl=-1)
        client = Client(stack.gateway.url, bearer=perses.token("alice", -1))
        if credential == "cookies":
            client = Client(stack.gateway.url, expired)
        for _ in range(50):
            answer = client.get("/sessions")
            assert answer.status == 401 and answer.code == "unauthenticated"
        assert counted.asked <= 2, "once in five seconds"
        # With another signature or payload it is another's.
        assert Client(stack.gateway.url, {**expired, "jwtSignature": "x"}).get("/sessions").status == 401
        assert stack.client("alice").get("/sessions").status == 200


def test_a_refused_token_is_believed_again_when_perses_does(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        stack, _ = counting(make_stack, perses)
        client = Client(stack.gateway.url, bearer=perses.token("alice", 900))
        perses.revoked.add(client.bearer)
        assert client.get("/sessions").status == 401
        perses.revoked.clear()
        assert client.get("/sessions").status == 401
        until(lambda: client.get("/sessions").status == 200, "it to be asked for again", 15)


def test_that_perses_was_silent_is_not_kept(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        stack, _ = counting(make_stack, perses)
        client = stack.client()
        perses.behave = fake_perses.failing(500)
        assert client.get("/sessions").status == 503
        perses.behave = lambda exchange, request: False
        assert client.get("/sessions").status == 200


@pytest.mark.parametrize("good", [True, False])
def test_many_requests_with_one_token_are_one_question(make_stack: object, good: bool) -> None:
    with fake_perses.Perses() as perses:
        stack, counted = counting(make_stack, perses, 0.5)
        client = Client(stack.gateway.url, bearer=perses.token("alice", 900 if good else -1))
        answers = at_once(40, lambda n: client.get("/sessions"))
        assert {a.status for a in answers} == {200 if good else 401}
        assert counted.asked == 1


def test_questions_at_once_are_few_and_each_is_answered(make_stack: object) -> None:
    """People who come back at once, each from an address of their own: all wait for their turn."""
    with fake_perses.Perses() as perses:
        stack, counted = counting(make_stack, perses, 0.05, PERSAI_WHOAMI_MAX="8")
        people = [stack.client(f"user{n}") for n in range(120)]
        answers = at_once(120, lambda n: people[n].get("/sessions", headers={"X-Forwarded-For": f"192.0.2.{n}"}))
        assert {a.status for a in answers} == {200}
        assert counted.most <= 6 and counted.asked == 120, "a quarter is kept for those it knew"


@by_the_clock
def test_a_flood_of_one_sender_keeps_nobody_out(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        stack, counted = counting(make_stack, perses, 0.2, PERSAI_WHOAMI_MAX="16", PERSAI_WHOAMI_KEEP="0s")
        known, new = stack.client("alice"), stack.client("bob")
        assert known.get("/sessions").status == 200
        stop = threading.Event()

        def flood(n: int) -> list[int]:
            seen = []
            while not stop.is_set():
                seen.append(forged(stack, n * 1000 + len(seen), "203.0.113.9").status)
            return seen

        with ThreadPoolExecutor(60) as pool:
            floods = [pool.submit(flood, n) for n in range(60)]
            try:
                until(lambda: counted.asked > 20, "the flood")
                took = []
                for client, sender in ((known, "203.0.113.9"), (new, "203.0.113.10")):
                    began = time.monotonic()
                    assert client.get("/sessions", headers={"X-Forwarded-For": sender}).status == 200
                    took.append(time.monotonic() - began)
            finally:
                stop.set()
            statuses = {s for f in floods for s in f.result()}
        print(f"asked {counted.asked} times, at most {counted.most} at once; answers in {took} s")
        assert statuses <= {401, 429}
        assert counted.most <= 4 + 2, "a quarter for the flood's sender, and the two others"
        assert max(took) < 5, "0.2 s are Perses's own"


def test_refused_tokens_of_one_sender_become_few_a_second(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        stack, counted = counting(make_stack, perses)
        began = time.monotonic()
        answers = [forged(stack, n, "203.0.113.9") for n in range(1500)]
        allowed = 100 + 5 * (time.monotonic() - began) + 20
        limited = [a for a in answers if a.status == 429]
        assert counted.asked <= allowed and len(answers) - len(limited) <= allowed, (counted.asked, allowed)
        assert limited[0].code == "rate_limited" and int(limited[0].headers["Retry-After"]) > 0
        assert forged(stack, 0, "203.0.113.10").status == 401, "another sender"
        assert metric(stack.gateway.url, "whoami_limited_total") == len(limited)
        # Who sends no token at all asks nothing of Perses.
        asked = counted.asked
        assert {Client(stack.gateway.url).get("/sessions").status for _ in range(50)} == {401}
        assert counted.asked == asked


def test_who_leaves_the_line_is_not_asked_for(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        stack, counted = counting(make_stack, perses, PERSAI_WHOAMI_MAX="4")
        release = threading.Event()

        def held(exchange: Exchange, request: Request) -> bool:
            counted(exchange, request)
            assert release.wait(60)
            return False

        perses.behave = held
        connections, before = [], stack.gateway.process.descriptors()
        for n in range(50):
            client = Client(stack.gateway.url, bearer=f"a.b.{n}")
            connections.append(client.connect())
            connections[-1].request("GET", "/sessions", headers=client.headers())
        until(lambda: counted.asked == 1, "the first to be asked for")
        until(lambda: stack.gateway.process.descriptors() >= before + 50, "all of them to be there")
        for connection in connections:
            connection.close()
        # What it asks Perses by stays: a connection, and what its loop is woken by.
        until(lambda: stack.gateway.process.descriptors() <= before + 5, "them to be gone")
        release.set()
        assert stack.client().get("/sessions").status == 200
        assert counted.asked == 2


def test_who_waits_for_a_silent_perses_is_told(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        stack, counted = counting(make_stack, perses, PERSAI_WHOAMI_MAX="4")
        perses.behave = fake_perses.hang
        answers = at_once(6, lambda n: forged(stack, n))
        assert {(a.status, a.code) for a in answers} <= {(503, "perses_unavailable"), (503, "busy")}, answers


def test_a_real_perses_is_asked_for_a_stranger_no_more_than_so_often(bare: Stack) -> None:
    stack = bare.start(workers=0)
    for client in (stack.client("alice"), stack.client("alice", bearer=True)):
        assert client.get("/sessions").status == 200
    before = metric(stack.gateway.url, "whoami_total")
    began = time.monotonic()
    answers = [forged(stack, n, "203.0.113.9", f"198.51.100.{n % 250}") for n in range(600)]  # it names another each time
    asked = metric(stack.gateway.url, "whoami_total") - before
    assert {a.status for a in answers} == {401, 429}
    assert asked <= 100 + 5 * (time.monotonic() - began) + 20
    assert stack.client("bob").get("/sessions", headers={"X-Forwarded-For": "203.0.113.10"}).status == 200
    assert stack.client("alice").get("/sessions", headers={"X-Forwarded-For": "203.0.113.9"}).status == 200
