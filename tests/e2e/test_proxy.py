"""Through the real Perses datasource proxy, as the plugin comes."""

import concurrent.futures

import pytest

from fakes.model import Call, Delay, Gate
from harness.client import Client
from harness.services import Perses
from harness.stack import Stack
from harness.wait import until


@pytest.fixture
def proxied(stack: Stack, perses: Perses) -> Client:
    """Alice's browser, same origin as Perses."""
    prefix = perses.put_gateway(stack.gateway.url)
    return Client(perses.url, perses.sign_in("alice"), prefix=prefix)


def test_the_plugins_way_post_then_get(stack: Stack, proxied: Client) -> None:
    stack.model.when("rooms", ["Let me see. ", Call("list_label_values", {"label": "room"})], ["Three ", "rooms."])
    session = proxied.session()
    turn = proxied.start(session, "which rooms")
    log = proxied.events(session, turn).finish()
    assert log.answer() == "Three rooms." and "kitchen" in log.tools()[0][1]["content"]
    assert [s["session_id"] for s in proxied.sessions()] == [session]
    assert [s["session_id"] for s in stack.client("alice").sessions()] == [session]
    assert stack.client("bob").sessions() == []


def test_only_who_comes_through_perses_is_heard(bare: Stack, perses: Perses) -> None:
    """With a secret between Perses's datasource and us: nobody's token is of use beside it."""
    word = "the-word-between-perses-and-us"
    stack = bare.start(gateway_env={"PERSAI_DATASOURCE_SECRET": word})
    cookies = perses.sign_in("alice")
    prefix = perses.put_gateway(stack.gateway.url, "persai-closed", word)
    alice = Client(perses.url, cookies, prefix=prefix)
    assert alice.ask(alice.session(), "hello").answer()
    token = f"{cookies['jwtPayload']}.{cookies['jwtSignature']}"
    for stranger in (Client(stack.gateway.url, cookies), Client(stack.gateway.url, bearer=token),
                     Client(stack.gateway.url, cookies, bearer=word[:-1]), Client(stack.gateway.url, cookies, bearer=word + "x"),
                     Client(perses.url, cookies, prefix=perses.put_gateway(stack.gateway.url, "persai-without"))):
        answer = stranger.get("/sessions")
        assert answer.status == 403 and answer.code == "not_by_perses", answer
    # The word alone is nobody.
    assert Client(stack.gateway.url, bearer=word).get("/sessions").status == 401
    for path in ("/healthz", "/readyz", "/metrics"):
        assert Client(stack.gateway.url).get(path).status == 200
    assert word.encode() not in stack.gateway.process.log_bytes()


def test_tokens_come_through_the_proxy_at_once(stack: Stack, proxied: Client) -> None:
    gate = Gate()
    stack.model.when("live", ["first ", gate, "second"])
    session = proxied.session()
    stream = proxied.events(session, proxied.start(session, "live"))
    stream.wait_text("first ")
    gate.open()
    assert stream.finish().answer() == "first second"


def test_a_post_that_streams_is_not_cut_by_the_proxy(stack: Stack, proxied: Client) -> None:
    """An old client's way: the first byte is held back a little where a proxy is in between."""
    stack.model.when("old client", ["a ", "b ", Delay(0.05), "c"])

    def one(n: int) -> str:
        return proxied.ask(proxied.session(), f"old client {n}").answer()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(one, range(60)))
    assert answers == ["a b c"] * 60


def test_a_client_that_leaves_through_the_proxy_is_noticed(stack: Stack, proxied: Client) -> None:
    gate = Gate()
    stack.model.when("leave", ["a ", gate, "b"])
    session = proxied.session()
    turn = proxied.start(session, "leave")
    stream = proxied.events(session, turn)
    stream.wait_text("a ")
    stream.close()
    gate.open()
    log = proxied.follow(session, turn, first=stream)
    assert log.answer() == "a b"


def test_resume_and_cancel_through_the_proxy(stack: Stack, proxied: Client) -> None:
    gate = Gate()
    stack.model.when("cancel", ["a ", gate])
    session = proxied.session()
    turn = proxied.start(session, "cancel")
    stream = proxied.events(session, turn)
    stream.wait_text("a ")
    last = stream.last_id
    assert proxied.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    assert stream.finish().types()[-1] == "turn_cancelled"
    rest = proxied.events(session, turn, after=last).finish()
    assert rest.types()[-1] == "turn_cancelled"


def test_errors_pass_through_the_proxy(stack: Stack, proxied: Client, perses: Perses) -> None:
    answer = proxied.get("/session/" + "0" * 32)
    assert answer.status == 404 and answer.code == "session_not_found"
    assert Client(perses.url, prefix=proxied.prefix).get("/sessions").status == 401
    mallory = Client(perses.url, perses.sign_in("mallory"), prefix=proxied.prefix)
    assert mallory.get("/sessions").status == 403
    stack.gateway.process.terminate()
    assert proxied.get("/sessions").status >= 500
    stack.gateway.start().wait_ready()
    until(lambda: proxied.get("/sessions").status == 200, "the gateway behind the proxy")
