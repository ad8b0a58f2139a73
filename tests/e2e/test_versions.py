"""A question that is asked in another way keeps both, in one conversation; and conversations that are pinned."""

import threading

from fakes.model import Gate
from harness.client import Client
from harness.stack import Stack


def texts(alice: Client, session: str) -> list[str]:
    return [m["content"] for m in alice.messages(session)]


def versions(alice: Client, session: str) -> list[list[str]]:
    return alice.get(f"/session/{session}").json()["versions"]


def show(alice: Client, session: str, message: str) -> int:
    return alice.request("PATCH", f"/session/{session}/message/{message}", {"shown": True}).status


def test_versions_stand_in_one_place(stack: Stack) -> None:
    alice = stack.client()
    for word in ("one", "two", "three", "four", "five"):
        stack.model.when(f"ask {word}", [f"answer {word}"])
    session = alice.session()
    for word in ("one", "two", "three"):
        alice.ask(session, f"ask {word}")
    assert versions(alice, session) == []
    first, second = alice.messages(session)[0], alice.messages(session)[2]
    alice.ask(session, "ask four", instead_of=second["message_id"])
    assert texts(alice, session) == ["ask one", "answer one", "ask four", "answer four"]
    sent = stack.model.requests[-1].body.decode()
    assert "answer one" in sent and "answer two" not in sent and "ask three" not in sent
    fourth = alice.messages(session)[2]["message_id"]
    assert versions(alice, session) == [[second["message_id"], fourth]]
    assert len(alice.sessions()) == 1, "the list gains no entry"
    # Back, with all that came of it; and forth.
    assert show(alice, session, second["message_id"]) == 200
    assert texts(alice, session) == ["ask one", "answer one", "ask two", "answer two", "ask three", "answer three"]
    assert show(alice, session, second["message_id"]) == 200, "once more is the same"
    assert len(texts(alice, session)) == 6
    # Another first question; below it the others' places are no more to be seen, and come back with it.
    alice.ask(session, "ask five", instead_of=int(first["message_id"]))
    fifth = alice.messages(session)[0]["message_id"]
    assert texts(alice, session) == ["ask five", "answer five"]
    assert versions(alice, session) == [[second["message_id"], fourth], [first["message_id"], fifth]]
    assert show(alice, session, fourth) == 404, "its place is not in the conversation"
    assert show(alice, session, first["message_id"]) == 200
    assert show(alice, session, fourth) == 200
    assert texts(alice, session) == ["ask one", "answer one", "ask four", "answer four"]
    # What is shared, exported and copied is what is shown.
    fork = alice.post(f"/session/{session}/fork", {"message_id": fourth}).json()["session_id"]
    assert texts(alice, fork) == ["ask one", "answer one"] and versions(alice, fork) == []
    assert b"ask two" not in alice.get(f"/session/{session}/export?format=md").body


def test_a_version_that_is_removed_leaves_the_others(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    alice.ask(session, "ask one")
    first = alice.messages(session)[0]["message_id"]
    alice.ask(session, "ask two", instead_of=first)
    alice.ask(session, "ask three")
    ids = [m["message_id"] for m in alice.messages(session)]
    # What follows takes its place.
    for message in ids[:2]:
        assert alice.request("DELETE", f"/session/{session}/message/{message}").status == 200
    assert texts(alice, session)[0] == "ask three"
    assert versions(alice, session) == [[first, ids[2]]]
    # Nothing follows: the other version is shown again.
    for message in reversed(ids[2:]):
        assert alice.request("DELETE", f"/session/{session}/message/{message}").status == 200
    assert texts(alice, session)[0] == "ask one" and len(texts(alice, session)) == 2
    assert versions(alice, session) == []


def test_versions_are_refused_where_there_are_none(stack: Stack) -> None:
    alice, bob = stack.client(), stack.client("bob")
    session = alice.session()
    gate = Gate()
    stack.model.when("ask slowly", ["a ", gate, "b"])
    alice.ask(session, "ask one")
    ids = [m["message_id"] for m in alice.messages(session)]
    path = alice.turn_path(session)
    for wrong, status in ((99, 404), (ids[1], 404), (0, 422), ("x", 422), (None, 422)):
        answer = alice.post(path, {"message": "q", "instead_of": wrong}, headers={"Prefer": "respond-async"})
        assert answer.status == status, (wrong, answer.body)
    assert show(alice, session, "99") == 404 and show(alice, session, ids[1]) == 404
    assert show(bob, session, ids[0]) == 404
    message = f"/session/{session}/message/{ids[0]}"
    for wrong_patch in ({"shown": False}, {"shown": True, "pinned": True}):
        assert alice.request("PATCH", message, wrong_patch).status == 422, wrong_patch
    stream = alice.turn(session, "ask slowly", instead_of=ids[0])
    stream.wait_text("a ")
    gate.wait()
    assert alice.request("PATCH", message, {"shown": True}).code == "turn_running"
    gate.open()
    assert stream.finish().answer() == "a b"
    assert show(alice, session, ids[0]) == 200


def test_the_same_version_sent_twice_is_one(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    alice.ask(session, "ask one")
    first = alice.messages(session)[0]["message_id"]
    body = {"message": "ask two", "instead_of": first}
    headers = {"Prefer": "respond-async", "Idempotency-Key": "k"}
    answers: list[str] = []

    def post() -> None:
        answers.append(alice.post(alice.turn_path(session), body, headers=headers).json()["turn_id"])

    posts = [threading.Thread(target=post) for _ in range(3)]
    for one in posts:
        one.start()
    for one in posts:
        one.join()
    assert len(set(answers)) == 1
    alice.follow(session, answers[0])
    assert [len(group) for group in versions(alice, session)] == [2]


def test_pinned_conversations_are_listed_alone(stack: Stack) -> None:
    alice = stack.client()
    made = [alice.session(title=f"t{n}") for n in range(4)]
    for session in made[:3]:
        assert alice.request("PATCH", f"/session/{session}", {"keep": True}).status == 200
    assert [s["keep"] for s in alice.sessions()] == [True, True, True, False]
    assert [s["session_id"] for s in alice.sessions("?keep=true")] == made[2::-1]
    page = alice.get("/sessions?keep=true&limit=2")
    assert [s["session_id"] for s in page.json()] == made[2:0:-1]
    link = page.headers["Link"].split("<")[1].split(">")[0]
    rest = alice.get(link)
    assert [s["session_id"] for s in rest.json()] == made[:1] and "Link" not in rest.headers
    assert alice.request("PATCH", f"/session/{made[1]}", {"keep": False}).status == 200
    assert [s["session_id"] for s in alice.sessions("?keep=true")] == [made[2], made[0]]
    assert alice.get("/sessions?keep=false").status == 422
    assert alice.get("/sessions?keep=true&q=t").status == 422
