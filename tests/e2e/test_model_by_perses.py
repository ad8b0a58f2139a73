"""A model that is a datasource of Perses, and a token that it does not take any more in the middle of a turn."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes.perses import Perses
from fakes.server import Exchange, Request
from harness.client import Client
from harness.stack import Stack
from harness.wait import until
from harness.held import LEASE, unheld

PATH = "/proxy/globaldatasources/model"


@pytest.fixture
def perses() -> Iterator[Perses]:
    with Perses() as fake:
        yield fake


@pytest.fixture
def made(make_stack: Callable[..., Stack], perses: Perses) -> Stack:
    """Nothing is started yet; behind Perses there is the scripted model."""
    stack = make_stack(perses.url, perses.sign_in)
    perses.upstream = stack.model.url
    return stack


def by_perses(stack: Stack) -> dict[str, str]:
    path = stack.folder / "models.json"
    row = {"name": "usual", "provider": "openai", "model": "scripted", "base_url": f"perses:{PATH}/v1"}
    Path(path).write_text(json.dumps([row]), encoding="utf-8")
    return {"PERSAI_MODELS": str(path), "PERSAI_DEFAULT_MODEL": "", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}


def token(client: Client) -> str:
    return f"{client.cookies['jwtPayload']}.{client.cookies['jwtSignature']}"


def asked(perses: Perses) -> list[str]:
    """The tokens with which the model was asked."""
    return [r.header("Authorization") for r in perses.seen(lambda r: r.path.startswith(PATH))]


def test_a_refused_token_is_refreshed_and_the_call_goes_on(made: Stack, perses: Perses) -> None:
    made.start(worker_env=by_perses(made))
    alice = made.client()
    session = alice.session()
    assert alice.ask(session, "hello").answer()
    perses.revoked.add(token(alice))
    log = alice.ask(session, "hello again")
    assert log.answer() == log.text() == "This is the default answer."
    assert [p["attempt"] for p in log.of("step_start")] == [1], "nothing of it had begun"
    first, refused, fresh = asked(perses)
    assert first == refused == f"Bearer {token(alice)}" and fresh not in (first, "")
    assert len(perses.seen(lambda r: r.path == "/api/auth/refresh")) == 1


def test_a_key_that_the_provider_refuses_is_no_matter_of_the_token(made: Stack, perses: Perses) -> None:
    """Perses passes the provider's own 401 on: a fresh token is asked for once, and then it is told."""
    def refuse(exchange: Exchange, request: Request) -> bool:
        if request.path.startswith(PATH):
            exchange.reply(401, b'{"error":{"message":"Incorrect API key provided"}}')
        return request.path.startswith(PATH)

    perses.behave = refuse
    made.start(worker_env=by_perses(made))
    alice = made.client()
    final = alice.ask(alice.session(), "hello").final()
    assert final["event_type"] == "error" and final["code"] == "model_refused", final
    assert "datasource of Perses" in final["message"] and len(asked(perses)) == 2


@pytest.mark.parametrize(("words", "said"), [
    ("Your team has either used all available credits or reached its monthly spending limit.", "quota is used up"),
    ("Your chosen model requires moderation and your input was flagged.", "requires moderation"),
    ("forbidden", "datasource of Perses")])
def test_a_403_of_the_providers_is_no_lack_of_rights(made: Stack, perses: Perses, words: str, said: str) -> None:
    def refuse(exchange: Exchange, request: Request) -> bool:
        if request.path.startswith(PATH):
            exchange.reply(403, json.dumps({"error": {"message": words}}).encode())
        return request.path.startswith(PATH)

    perses.behave = refuse
    made.start(worker_env=by_perses(made))
    alice = made.client()
    final = alice.ask(alice.session(), "hello").final()
    assert final["code"] == "model_refused" and said in final["message"], final


def test_a_refused_bearer_ends_the_turn(made: Stack, perses: Perses) -> None:
    made.start(worker_env=by_perses(made))
    bearer = Client(made.gateway.url, bearer=perses.token("alice", 900))
    session = bearer.session()
    perses.revoked.add(bearer.bearer)
    final = bearer.ask(session, "hello").final()
    assert final["event_type"] == "error" and final["code"] == "token_expired", final
    assert len(asked(perses)) == 1


def test_without_its_gateway_it_waits_for_its_owner(made: Stack, perses: Perses) -> None:
    held, go = threading.Event(), threading.Event()

    def hold(exchange: Exchange, request: Request) -> bool:
        if request.path.startswith(PATH) and not go.is_set():
            held.set()
            assert go.wait(60)
        return False

    perses.behave = hold
    made.start(gateways=2, workers=0, gateway_env=LEASE)
    made.add_worker(**LEASE, **by_perses(made), PERSAI_TOKEN_FRESH="4s")
    for gateway in made.gateways:
        gateway.wait_ready()
    alice = made.client()
    session = alice.session()
    turn = alice.start(session, "hello")
    assert held.wait(20)
    made.gateways[0].process.kill()
    perses.revoked.add(token(alice))
    go.set()
    until(lambda: unheld(made, session, turn), "its worker to leave it")
    back = made.client(gateway=1)
    assert back.get(f"/session/{session}").json()["turn"] == {"turn_id": turn, "state": "waiting_for_sign_in"}
    assert back.events(session, turn).finish().answer() == "This is the default answer."
