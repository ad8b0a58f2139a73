"""One person tries to fill Redis, by each request that writes: it stops at the quota, and others go on."""

from collections.abc import Callable, Iterator
from secrets import token_hex

import pytest

from fakes.model import Call, Gate
from harness.client import Client, Response
from harness.stack import Stack, metric
from harness.wait import until

QUOTA, SESSIONS, SLACK = 1 << 20, 150, 1 << 20
TRIES = 3000  # what is not refused by then is not bounded
FULL = ("quota_exceeded", "too_many_sessions")


def creates(alice: Client) -> Iterator[Response]:
    for _ in range(TRIES):
        yield alice.post("/session", {"title": "t" * 500}, headers={"Idempotency-Key": token_hex(16)})


def forks(alice: Client) -> Iterator[Response]:
    session = alice.session()
    alice.ask(session, "q" * 20_000)
    last = alice.messages(session)[-1]["message_id"]
    for _ in range(TRIES):
        yield alice.post(f"/session/{session}/fork", {"message_id": last})


def patches(alice: Client) -> Iterator[Response]:
    while (made := alice.post("/session", {})).status == 201:
        session = made.json()["session_id"]
        yield alice.request("PATCH", f"/session/{session}", {"context": {"note": "x" * 60_000}})
        yield alice.request("PATCH", f"/session/{session}", {"title": "t" * 500})
    yield made


def questions(alice: Client) -> Iterator[Response]:
    session = alice.session()
    for _ in range(TRIES):
        answer = alice.post(alice.turn_path(session), {"message": "q" * 20_000}, headers={"Prefer": "respond-async"})
        if answer.status == 202:
            alice.events(session, answer.json()["turn_id"]).finish()
        yield answer


def questions_that_are_removed(alice: Client) -> Iterator[Response]:
    """What stays is each turn, its key and its stream."""
    session = alice.session()
    for _ in range(TRIES):
        answer = alice.post(alice.turn_path(session), {"message": "q"},
                            headers={"Prefer": "respond-async", "Idempotency-Key": token_hex(16)})
        if answer.status == 202:
            alice.events(session, answer.json()["turn_id"]).finish()
            for message in alice.messages(session):
                alice.request("DELETE", f"/session/{session}/message/{message['message_id']}")
        yield answer


def questions_that_wait(alice: Client) -> Iterator[Response]:
    """Each waits for its person's yes, with all that was sent beside it."""
    while (made := alice.post("/session", {})).status == 201:
        session = made.json()["session_id"]
        answer = alice.post(alice.turn_path(session), {"message": "save it", "context": {"variables": {"x": "y" * 50_000}}},
                            headers={"Prefer": "respond-async"})
        if answer.status == 202:
            alice.events(session, answer.json()["turn_id"]).finish()
        yield answer
    yield made


def long_answers(alice: Client) -> Iterator[Response]:
    """Streams of turns whose messages are gone."""
    session = alice.session()
    for _ in range(TRIES):
        answer = alice.post(alice.turn_path(session), {"message": "long"}, headers={"Prefer": "respond-async"})
        if answer.status == 202:
            alice.events(session, answer.json()["turn_id"]).finish()
            for message in alice.messages(session):
                alice.request("DELETE", f"/session/{session}/message/{message['message_id']}")
        yield answer


def comments(alice: Client) -> Iterator[Response]:
    """On answers, once nothing else has room any more."""
    session = alice.session()
    for _ in range(100):
        alice.ask(session, "q")
    answers = [m["message_id"] for m in alice.messages(session) if m["role"] == "assistant"]
    assert alice.request("PATCH", f"/session/{session}", {"context": {"note": "x" * 60_000}}).status == 200
    while alice.post("/session", {"title": "t" * 500}).status == 201:
        pass
    for _ in range(3):
        for message in answers:
            yield alice.request("PUT", f"/session/{session}/message/{message}/feedback", {"sentiment": 1, "comment": "c" * 3900})


WAYS = [creates, forks, patches, questions, questions_that_are_removed, questions_that_wait, long_answers, comments]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_way_to_fill_the_store_ends_at_the_quota(bare: Stack, way: Callable[[Client], Iterator[Response]]) -> None:
    bare.start(gateway_env={"PERSAI_USER_BYTES": "1MiB", "PERSAI_USER_SESSIONS": str(SESSIONS)})
    bare.model.when("long", ["word " * 12_000])
    bare.model.when("save it", ["Shall I? ", Call("save_panel", {
        "project": "p", "dashboard": "d", "title": "t", "query": "up" + " " * 5000})])
    alice, bob = bare.client("alice"), bare.client("bob")
    assert bob.ask(bob.session(), "hello").answer()  # what a first turn needs is there
    before = used(bare)
    for count, answer in enumerate(way(alice)):
        if answer.status == 422 and answer.code in FULL:
            break
        assert answer.status < 300, (answer.status, answer.body)
    else:
        pytest.fail(f"not refused after {count} requests: {(used(bare) - before) >> 10} KiB")
    grown = used(bare) - before
    print(f"{way.__name__}: {answer.code} after {count} requests, Redis grew by {grown >> 10} KiB")
    assert grown < 2 * QUOTA + SLACK
    assert bob.ask(bob.session(), "hello").answer()


def test_histories_whose_client_left_are_counted_and_go(bare: Stack) -> None:
    """A session that is in nobody's list is its person's as well; once nobody waits for its answer it has a minute."""
    quota, gate = 4 << 20, Gate()
    bare.start(gateway_env={"PERSAI_USER_BYTES": "4MiB", "PERSAI_USER_TURNS_PER_MINUTE": "0"})
    bare.model.when("and now?", ["One ", gate, "two."])
    alice, client = bare.client("alice"), bare.redis.client
    before, history = used(bare), {"role": "assistant", "content": "x" * (1 << 20)}

    def ask_and_leave() -> int:
        connection, answer = alice.send("POST", "/v1/chat/completions", {
            "model": "persai", "stream": True,
            "messages": [{"role": "user", "content": "q"}, history, {"role": "user", "content": "and now?"}]})
        if answer.status == 200:
            assert answer.read(1)
        else:
            assert answer.status == 422, answer.read()
        answer.close()
        connection.close()
        until(lambda: metric(bare.worker.url, "turns_running") == 0, "the turn to be cancelled")
        return answer.status

    def fill() -> int:
        for count in range(20):
            if ask_and_leave() == 422:
                return count
        pytest.fail("not refused")

    first = fill()
    assert 0 < first <= quota >> 20
    key = kept_by_alice(bare)
    left = client.keys("p:s:*")
    assert len(left) == first
    until(lambda: all(0 < client.pttl(one) <= 60_000 for one in left), "each to have a minute")
    client.hset(key, mapping={"counted": 0, **{one[5:-1]: f"{1 << 20} 0" for one in left}})  # all is counted anew
    assert fill() == 0, "they are there, and counted"
    print(f"refused after {first}; Redis grew by {(used(bare) - before) >> 10} KiB")
    for one in client.scan_iter("p:?:{*}*"):
        if any(session[4:] in one for session in left):
            assert 0 < client.pttl(one) <= 60_000, one


def kept_by_alice(stack: Stack) -> bytes:
    """The key of what she keeps in all."""
    (key,) = stack.redis.client.scan_iter("p:a:{o:alice*}:b")
    return key


def used(stack: Stack) -> int:
    return int(stack.redis.client.info("memory")["used_memory_dataset"])


def test_what_is_refused_leaves_nothing_behind(bare: Stack) -> None:
    """Who is over the quota, or names what is not theirs, may ask for ever."""
    bare.start(gateway_env={"PERSAI_USER_SESSIONS": "2"})
    alice, bob = bare.client("alice"), bare.client("bob")
    sessions, theirs = [alice.session() for _ in range(2)], bob.session()

    def all_refused(times: int) -> None:
        for _ in range(times):
            key = {"Idempotency-Key": token_hex(16)}
            assert alice.post("/session", {}, headers=key).code == "too_many_sessions"
            for session in (token_hex(16), theirs):
                assert alice.request("PATCH", f"/session/{session}", {"title": "t" * 500}).status == 404
                assert alice.post(alice.turn_path(session), {"message": "q"}, headers=key).status == 404
                assert alice.request("DELETE", f"/session/{session}").status == 404
                assert alice.post(f"/session/{session}/fork", {"message_id": 1}).status == 404
                assert alice.request("PATCH", f"/session/{session}/message/1", {"pinned": True}).status == 404

    all_refused(3)
    keys = set(bare.redis.client.scan_iter())
    fields = bare.redis.client.hlen(kept_by_alice(bare))
    all_refused(50)
    assert set(bare.redis.client.scan_iter()) == keys
    assert bare.redis.client.hlen(kept_by_alice(bare)) == fields
    assert alice.request("DELETE", f"/session/{sessions[0]}").status == 200
    key = {"Idempotency-Key": "mine"}
    made = alice.post("/session", {}, headers=key)
    assert made.status == 201 and alice.post("/session", {}, headers=key).json() == made.json()


def test_room_that_came_back_is_found_by_a_question(bare: Stack) -> None:
    """A person who is full, and whose streams have expired, may ask without making a conversation first."""
    bare.start(gateway_env={"PERSAI_USER_BYTES": "1MiB"})
    alice = bare.client("alice")
    session = alice.session()
    assert alice.ask(session, "hello").answer()
    client, key = bare.redis.client, kept_by_alice(bare)
    client.hset(key, mapping={"sum": 5 << 20, session: f"{5 << 20} 0", "counted": 0})
    assert alice.ask(session, "hello").answer()
    client.hset(key, "sum", 5 << 20)  # counted a moment ago: it is believed
    assert alice.post(alice.turn_path(session), {"message": "again"}).code == "quota_exceeded"
