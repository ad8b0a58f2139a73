"""How long conversations live and how large they get; and that of one that was deleted nothing is left."""

import threading
import time
from collections.abc import Callable

import pytest

from fakes.model import Call, Gate
from harness.client import Client
from harness.stack import Stack
from harness.wait import until


def keys(stack: Stack) -> list[str]:
    """All but the places at a provider's key (they are the key's, and one that a killed worker held ends with its lease),
    how many turns a person began in the last minute, which accounts a name had, and what was used on a day (the
    operator's account of it, which outlives a conversation)."""
    found = map(bytes.decode, stack.redis.client.scan_iter(count=1000))
    return sorted(k for k in found if not k.startswith(("p:p:", "p:keys", "p:n:", "p:use:")) and not k.endswith("}:m"))


def no_keys(stack: Stack, seconds: float = 20) -> None:
    """All of Redis is looked at: the session was the only one."""
    left: list[str] = []

    def empty() -> bool:
        left[:] = keys(stack)
        assert not left, left
        return True

    until(empty, "Redis to be empty", seconds)
    # And it stays so: nobody writes to what is gone.
    time.sleep(0.5)
    assert keys(stack) == []


def everything_of_a_session(alice: Client) -> str:
    """Title, settings, flags, idempotency keys, several turns with their streams."""
    made = alice.post("/session", {"title": "all of it"}, headers={"Idempotency-Key": "make"})
    session = made.json()["session_id"]
    for n in range(3):
        stream = alice.turn(session, f"question {n}", headers={"Idempotency-Key": f"ask {n}"})
        assert stream.finish().answer()
    assert alice.request("PATCH", f"/session/{session}", {"context": {"a": "b"}, "title": "new"}).status == 200
    assert alice.request("PATCH", f"/session/{session}/message/1", {"pinned": True}).status == 200
    return session


@pytest.mark.core
def test_delete_leaves_nothing(stack: Stack) -> None:
    alice = stack.client()
    session = everything_of_a_session(alice)
    assert {k.split(":")[1] for k in keys(stack)} >= {"s", "m", "f", "l", "t", "e", "k", "u", "i"}
    assert alice.request("DELETE", f"/session/{session}").status == 200
    no_keys(stack)
    # The same request as the one that made it makes another.
    again = alice.post("/session", {}, headers={"Idempotency-Key": "make"}).json()["session_id"]
    assert again != session and alice.messages(again) == []


def test_delete_leaves_the_others(stack: Stack) -> None:
    alice, bob = stack.client("alice"), stack.client("bob")
    kept = everything_of_a_session(bob)
    before = keys(stack)
    session = everything_of_a_session(alice)
    fork = alice.post(f"/session/{session}/fork", {"message_id": 5}).json()["session_id"]
    assert alice.request("DELETE", f"/session/{session}").status == 200
    assert [s["session_id"] for s in alice.sessions()] == [fork] and len(alice.messages(fork)) == 4
    assert alice.request("DELETE", f"/session/{fork}").status == 200
    until(lambda: keys(stack) == before, "only bob's to be left")
    assert len(bob.messages(kept)) == 6


def running(stack: Stack, alice: Client, session: str) -> Callable[[], None]:
    gate = Gate()
    stack.model.when("delete me", ["a ", "b ", gate, *["more "] * 50])
    stream = alice.turn(session, "delete me", headers={"Idempotency-Key": "k"})
    stream.wait_text("a b ")
    gate.wait()
    return gate.open


def with_a_tool(stack: Stack, alice: Client, session: str) -> Callable[[], None]:
    stack.model.when("delete me", ["Look: ", Call("list_label_values", {"label": "room"})], [gate := Gate()])
    alice.start(session, "delete me")
    gate.wait()
    return gate.open


def queued(stack: Stack, alice: Client, session: str) -> Callable[[], None]:
    stack.worker.process.kill()
    alice.start(session, "delete me")
    return lambda: (stack.worker.start(), None)[1]  # type: ignore[func-returns-value]


def waiting_for_sign_in(stack: Stack, alice: Client, session: str) -> Callable[[], None]:
    stop = running(stack, alice, session)
    stack.worker.process.kill()
    stack.gateway.process.kill()
    stack.gateway.start()
    stack.worker.start()
    stack.gateway.wait_ready()
    return stop


@pytest.mark.parametrize("state", [running, with_a_tool, queued, waiting_for_sign_in])
def test_delete_while_a_turn(stack: Stack, state: Callable[[Stack, Client, str], Callable[[], None]]) -> None:
    alice = stack.client()
    session = alice.session()
    go_on = state(stack, alice, session)
    assert alice.request("DELETE", f"/session/{session}").status == 200
    go_on()
    no_keys(stack)
    stack.gateway.wait_ready()
    other = alice.session()
    assert alice.ask(other, "hello").answer()
    assert alice.request("DELETE", f"/session/{other}").status == 200
    no_keys(stack)


def test_delete_in_the_middle_of_everything(bare: Stack) -> None:
    """At any moment of a turn, at two gateways; what is left at the end is nothing."""
    stack = bare.start(gateways=2, workers=2)
    stack.model.when("short", ["one ", "two ", Call("list_label_values", {"label": "room"})], ["three"])
    clients = [stack.client(gateway=n) for n in (0, 1)]
    problems: list[str] = []

    def one(n: int) -> None:
        try:
            for round_ in range(12):
                client, other = clients[n % 2], clients[(n + round_) % 2]
                session = client.session()
                client.start(session, "short")
                time.sleep(0.003 * ((round_ * 5 + n) % 20))
                assert other.request("DELETE", f"/session/{session}").status == 200
        except BaseException as error:
            problems.append(repr(error))

    threads = [threading.Thread(target=one, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert not problems, problems
    no_keys(stack)


# ---- how long ----

KEEP = {"PERSAI_SESSION_KEEP": "3s", "PERSAI_EVENTS_KEEP": "1s"}


def test_a_session_expires_and_nothing_is_left(bare: Stack) -> None:
    """Nobody has to ask for it, and nobody's list keeps its name."""
    stack = bare.start(gateway_env=KEEP, worker_env=KEEP)
    alice = stack.client()
    session = everything_of_a_session(alice)
    assert len(keys(stack)) > 10
    until(lambda: not keys(stack), "Redis to be empty", 30)
    assert alice.get(f"/session/{session}").status == 404 and alice.sessions() == []


def test_a_change_keeps_a_session(bare: Stack) -> None:
    stack = bare.start(gateway_env=KEEP, worker_env=KEEP)
    alice = stack.client()
    session, silent = alice.session(title="used"), alice.session(title="silent")
    began = time.monotonic()
    n = 0
    while time.monotonic() - began < 5:  # longer than one of them lives
        n += 1
        assert alice.ask(session, f"still here {n}").answer()
        time.sleep(0.5)
    assert alice.get(f"/session/{silent}").status == 404
    assert [s["title"] for s in alice.sessions()] == ["used"]
    assert len(alice.messages(session)) == 2 * n
    # The list has forgotten the silent one without being read, too.
    assert stack.redis.client.zcard(next(stack.redis.client.scan_iter("p:u:{alice:*}"))) == 1
    until(lambda: not keys(stack), "Redis to be empty", 30)


def test_nothing_expires_where_that_is_set(bare: Stack) -> None:
    never = {"PERSAI_SESSION_KEEP": "0s"}
    stack = bare.start(gateway_env=never, worker_env=never)
    alice = stack.client()
    everything_of_a_session(alice)
    client = stack.redis.client
    lasting = [k for k in keys(stack) if client.pttl(k) == -1]
    assert {k.split(":")[1] for k in lasting} >= {"s", "m", "f", "l", "u"}
    assert all(k.split(":")[1] in "ekit" for k in keys(stack) if k not in lasting)


def test_without_a_setting_sessions_stay_for_ninety_days(stack: Stack) -> None:
    alice = stack.client()
    session = everything_of_a_session(alice)
    client = stack.redis.client
    days = {k.split(":")[1]: client.pttl(k) / 86_400_000 for k in keys(stack) if k.split(":")[1] not in "eki"}
    assert 6 < days.pop("t") <= 7  # a turn's state: its text is the session's
    assert 90 < days.pop("u") <= 90 + 1 / 24  # the list of them, which is trimmed once an hour
    assert days.keys() >= {"s", "m", "f", "l"} and all(89 < d <= 90 for d in days.values()), days
    assert len(alice.messages(session)) == 6


# ---- how large ----

def test_a_session_has_a_largest_size(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_SESSION_BYTES": "64KiB"})
    alice = stack.client()
    session = alice.session()
    asked = 0
    while True:
        answer = alice.post(alice.turn_path(session), {"message": "x" * 15000}, headers={"Prefer": "respond-async"})
        if answer.status != 202:
            break
        asked += 1
        assert alice.events(session, answer.json()["turn_id"]).finish().answer()
    assert answer.status == 422 and answer.code == "session_full" and asked == 4
    assert len(alice.messages(session)) == 2 * asked  # what is there stays
    # Room is made by removing messages, or in a copy.
    assert alice.request("DELETE", f"/session/{session}/message/1").status == 200
    assert alice.ask(session, "shorter").answer()
    fork = alice.post(f"/session/{session}/fork", {"message_id": 3}).json()["session_id"]
    assert alice.ask(fork, "x" * 15000).answer()


def test_a_session_has_most_messages(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_MESSAGES": "10"})
    alice = stack.client()
    session = alice.session()
    for n in range(5):
        assert alice.ask(session, f"{n}").answer()
    answer = alice.post(alice.turn_path(session), {"message": "one more"})
    assert answer.status == 422 and answer.code == "session_full"
    assert alice.ask(alice.session(), "elsewhere").answer()


@pytest.mark.parametrize("path,most", [("/session/{}", 1), ("/session/{}/turn/{}/events?last_event_id=0-0", 2)])
def test_a_request_asks_the_store_for_what_it_shows(bare: Stack, path: str, most: int) -> None:
    """And for nothing beside: who it may bring a token to is seen in the same answer."""
    stack = bare.start()
    alice = stack.client()
    session = alice.session()
    turn = alice.start(session, "say hello")
    alice.follow(session, turn)

    def scripts() -> int:
        stats = stack.redis.client.info("commandstats")
        return sum(stats.get(f"cmdstat_evalsha{kind}", {}).get("calls", 0) for kind in ("", "_ro"))

    began, before = time.monotonic(), scripts()
    for _ in range(40):
        assert alice.get(path.format(session, turn)).status == 200
    beside = 4 * (time.monotonic() - began) + 4  # what the janitors ask
    assert scripts() - before <= 40 * most + beside


@pytest.mark.core
def test_a_conversation_is_exported_with_its_queries(stack: Stack) -> None:
    stack.model.when("how many?", [Call("execute_instant_query", {"query": "count(up) by (job)"})], ["As many as **this**."])
    alice = stack.client()
    session = alice.session(title="Up & down")
    alice.ask(session, "how many?")
    answer = alice.get(f"/session/{session}/export")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/markdown")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="persai-{session[:8]}.md"'
    text = answer.body.decode()
    for part in ("# Up \\& down\n", "> how many?\n", "```\ncount(up) by (job)\n```", "Datasource: `/proxy/globaldatasources/",
                 "| series | value |\n", "As many as **this**."):
        assert part in text, (part, text)
    whole = alice.get(f"/session/{session}/export?format=json")
    assert whole.headers["Content-Disposition"].endswith('.json"')
    assert whole.json() == alice.get(f"/session/{session}").json()
    assert alice.get(f"/session/{session}/export?format=pdf").status == 422
    assert stack.client("mallory").get(f"/session/{session}/export").status == 404
