"""What Perses is asked about who somebody is: no more than needed, whatever strangers send."""

from collections.abc import Callable

import pytest

from fakes import perses as fake_perses
from fakes.server import Exchange, Request
from harness.client import Client


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
