"""Every row of the HTTP API's table, and how each says no."""

import gzip
import json
import time
from urllib.parse import quote

import pytest

from fakes.model import Call, Gate
from harness.client import DATASOURCE
from harness.stack import Stack
from harness.wait import until

pytestmark = pytest.mark.core

NOBODY = "0" * 32


# ---- POST /session ----
def test_session_is_made_with_and_without_a_body(stack: Stack) -> None:
    alice = stack.client()
    assert alice.session() != alice.session()
    for kw in ({}, {"raw": b"", "headers": {"Content-Type": "text/plain"}}):
        answer = alice.post("/session", **kw)
        assert answer.status == 201 and answer.json()["session_id"], answer
    answer = alice.post("/session", raw=b'\xef\xbb\xbf{"title": "With a mark"}\r\n')
    assert answer.status == 201 and alice.get(f"/session/{answer.json()['session_id']}").json()["title"] == "With a mark"
    session = alice.session(title="Burning CPUs", model="openai/scripted")
    seen = alice.get(f"/session/{session}").json()
    assert seen["session_id"] == session and seen["title"] == "Burning CPUs" and seen["model"] == "openai/scripted"
    assert seen["messages"] == []


def test_session_with_the_same_idempotency_key_is_the_same(stack: Stack) -> None:
    alice, bob = stack.client("alice"), stack.client("bob")
    key = {"Idempotency-Key": "one-and-only"}
    first = alice.post("/session", {}, headers=key)
    again = alice.post("/session", {}, headers=key)
    assert first.status == again.status == 201
    assert first.json()["session_id"] == again.json()["session_id"]
    assert bob.post("/session", {}, headers=key).json()["session_id"] != first.json()["session_id"]
    assert alice.post("/session", {}, headers={"Idempotency-Key": "another"}).json() != first.json()
    assert len(alice.sessions()) == 2


# ---- GET /sessions ----
def test_sessions_are_listed_newest_first_with_their_fields(stack: Stack) -> None:
    alice = stack.client()
    assert alice.sessions() == []
    one, two = alice.session(title="one"), alice.session(title="two")
    alice.ask(one, "hello there")
    found = alice.sessions()
    assert [s["session_id"] for s in found] == [one, two]
    assert set(found[0]) >= {"session_id", "session_name", "title", "started_at", "updated_at", "turns"}
    assert found[0]["turns"] == 1 and found[1]["turns"] == 0
    assert found[0]["title"] == found[0]["session_name"] == "one"
    assert isinstance(found[0]["started_at"], str) and found[0]["started_at"] <= found[0]["updated_at"]


def test_sessions_search_titles_and_texts(stack: Stack) -> None:
    stack.model.when("elephants", ["A zebra is ", "not one."])
    alice, bob = stack.client("alice"), stack.client("bob")
    titled, asked, other = alice.session(title="Disk latency"), alice.session(), alice.session(title="Nothing")
    alice.ask(asked, "where are the elephants")
    alice.ask(other, "what else")

    def found(query: str) -> list[str]:
        return [s["session_id"] for s in alice.sessions(query)]

    assert found("?q=latency") == [titled]
    assert found("?q=LATENCY") == [titled]
    assert found("?q=elephants") == [asked]
    assert found("?q=zebra") == [asked]
    assert found("?q=unicorn") == []
    assert bob.sessions("?q=elephants") == []
    assert set(found("?q=")) == {titled, asked, other}


def test_a_search_shows_what_stands_around_the_words_in_whole_characters(stack: Stack) -> None:
    stack.model.when("zürich", ["ä" * 300 + " the Needle, " + "ö" * 300])
    alice = stack.client()
    session = alice.session(title="Haystack")
    alice.ask(session, "zürich")
    [found] = [s for s in alice.sessions("?q=needle") if s["session_id"] == session]
    assert " the Needle, ö" in found["snippet"] and found["snippet"].startswith("ä")
    assert len(found["snippet"].encode()) <= 161 and set(found["snippet"]) <= set("äö the Needle,")
    [titled] = [s for s in alice.sessions("?q=haystack") if s["session_id"] == session]
    assert "snippet" not in titled, "the title shows it"


def test_sessions_are_paged_by_the_link_header(stack: Stack) -> None:
    alice = stack.client()
    made = [alice.session(title=f"number {n}") for n in range(7)]
    seen, path = [], "/sessions?limit=3"
    for _ in range(5):
        answer = alice.get(path)
        assert answer.status == 200 and len(answer.json()) <= 3
        seen += [s["session_id"] for s in answer.json()]
        link = answer.headers.get("Link")
        if not link:
            break
        assert 'rel="next"' in link
        path = link[link.index("<") + 1:link.index(">")]
        path = path[path.index("/sessions") if "/sessions" in path else 0:]
        path = path if path.startswith("/sessions") else f"/sessions{path[path.index('?'):]}"
    assert sorted(seen) == sorted(made) and len(seen) == 7


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"x"'])
def test_a_body_that_is_no_object_is_told_so_plainly(shared: Stack, body: bytes) -> None:
    answer = shared.client().post("/session", raw=body)
    assert (answer.status, answer.code) == (400, "bad_json")
    assert answer.json()["detail"]["response"].split(" (")[0] == "The body must be a JSON object"
    assert "-1" not in answer.json()["detail"]["response"]


def test_a_body_is_told_what_is_wrong_with_it_in_plain_words(shared: Stack) -> None:
    alice = shared.client()
    nul = alice.post("/session", raw=b'{"title": "a\\u0000b"}')
    assert nul.status == 400 and "u0000 is not allowed)" in nul.json()["detail"]["response"], nul
    packed = alice.request("POST", "/session", raw=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    assert (packed.status, packed.code) == (415, "unsupported_media_type")
    assert "Content-Encoding" in packed.json()["detail"]["response"]
    plain = alice.request("POST", "/session", raw=b"{}", headers={"Content-Encoding": "identity"})
    assert plain.status == 201


@pytest.mark.parametrize("query", ["?limit=0", "?limit=-1", "?limit=x", "?limit=99999999999999999999", "?cursor=%ff",
                                   "?cursor=nonsense"])
def test_sessions_refuse_bad_queries(shared: Stack, query: str) -> None:
    answer = shared.client().get("/sessions" + query)
    assert answer.status in (400, 422) and answer.code, answer


@pytest.mark.parametrize("query", ["?limit=%zz", "?limit=5%", "?q=%00", "?limit=2&limit=3", "?%6cimit=2&limit=3", "?q=a&q=a",
                                   "?limit", "?x=%",
                                   "?" + "&".join(f"p{n}=1" for n in range(40))])
def test_a_query_that_can_be_read_in_two_ways_is_refused(shared: Stack, query: str) -> None:
    answer = shared.client().get("/sessions" + query)
    assert answer.status in (400, 422) and answer.code in ("bad_request", "invalid"), answer


def test_what_a_query_may_have_beside_is_ignored(stack: Stack) -> None:
    alice = stack.client()
    alice.session(title="one")
    for query in ("?", "?&", "?utm=1", "?q=&limit=1", "?l%69mit=1", "?q=one&&limit=1&"):
        assert len(alice.sessions(query)) == 1, query


@pytest.mark.parametrize("body", [{"message": "x", "context": {"panels": [1]}}, {"message": {}}, {},
                                  {"message": "x", "context": {"variables": {"a": 1}}},
                                  {"message": "x", "context": {"dashboard": {"name": 1}}},
                                  {"message": "x", "model": []}, {"message": "x", "context": {"time_range": {"start": True}}}])
def test_what_a_turn_says_in_another_type_is_refused(shared: Stack, body: dict) -> None:
    alice = shared.client()
    session = alice.session()
    answer = alice.post(alice.turn_path(session), body)
    assert answer.status == 422 and answer.code == "invalid", answer
    assert alice.messages(session) == []


def test_an_endless_key_is_refused(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    for path, body in (("/session", {}), (alice.turn_path(session), {"message": "x"})):
        answer = alice.post(path, body, headers={"Idempotency-Key": "k" * 1025})
        assert answer.status == 422 and answer.code == "invalid", answer
        assert alice.post(path, body, headers={"Idempotency-Key": "k" * 1024}).status in (200, 201)


def test_session_without_a_title_gets_one_from_its_first_question(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    alice.ask(session, "Which pods burn the most CPU since the deploy?")
    title = alice.sessions()[0]["title"]
    assert title and title.startswith("Which pods burn")
    alice.ask(session, "And memory?")
    assert alice.sessions()[0]["title"] == title


# ---- DELETE /session/ID ----
def test_session_is_deleted(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    alice.ask(session, "remember this")
    assert alice.request("DELETE", f"/session/{session}").status == 200
    assert alice.sessions() == []
    for method, path, body in [("GET", "", None), ("DELETE", "", None), ("PATCH", "", {"title": "x"})]:
        answer = alice.request(method, f"/session/{session}{path}", body)
        assert answer.status == 404 and answer.json()["detail"]["response"] == "Session not found"
    keys = [k for k in stack.redis.client.scan_iter() if session.encode() in k]
    assert keys == [], keys


def test_deleting_ends_a_running_turn(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("long", ["a ", gate, "b"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "a long one")
    gate.wait()
    assert alice.request("DELETE", f"/session/{session}").status == 200
    assert stream.ended.wait(20), "the stream goes on after its session was deleted"
    assert alice.get(f"/session/{session}").status == 404
    stream.close()
    # The worker is free again and writes nothing of it.
    gate.open()
    alice.ask(alice.session(), "next")
    assert [k for k in stack.redis.client.scan_iter() if session.encode() in k] == []


# ---- POST /session/ID/turn ----
def test_turn_streams_the_answer(stack: Stack) -> None:
    stack.model.when("greet", ["Hello", " there", ", ünïcode ✓ 🟢", "\n\"quoted\" \\ and\ttabs"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "greet me")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert "no-cache" in stream.headers["Cache-Control"] or "no-store" in stream.headers["Cache-Control"]
    log = stream.finish()
    assert log.answer() == log.text() == "Hello there, ünïcode ✓ 🟢\n\"quoted\" \\ and\ttabs"
    start = log.of("turn_start")[0]
    assert start["session_id"] == session and start["turn_id"]
    final = log.final()["turn"]
    assert final["turn_id"] == start["turn_id"]
    assert final["output_message"]["role"] == "assistant" and final["output_message"]["stop_reason"]
    assert final["usage"] == {"input_tokens": 11, "output_tokens": 4, "cached_input_tokens": 0}


def test_turn_without_a_datasource_path(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    for path in (f"/session/{session}/turn", f"/session/{session}/turn?datasource_path="):
        answer = alice.post(path, {"message": "hello"})
        assert answer.status == 400
        assert answer.json()["detail"]["response"] == "No datasource path provided"
    assert alice.messages(session) == []


def test_turn_that_runs_refuses_a_second(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("first", ["a", gate, "b"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "first")
    gate.wait()
    answer = alice.post(alice.turn_path(session), {"message": "second"})
    assert answer.status == 409 and answer.code == "turn_running"
    gate.open()
    assert stream.finish().answer() == "ab"
    assert alice.ask(session, "second").answer()


def test_turn_with_respond_async(stack: Stack) -> None:
    stack.model.when("quiet", ["one ", "two"])
    alice = stack.client()
    session = alice.session()
    turn = alice.start(session, "quiet please")
    log = alice.events(session, turn).finish()
    assert log.answer() == "one two"
    assert log.of("turn_start")[0]["turn_id"] == turn


def test_turn_with_the_same_idempotency_key_runs_once(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("once", ["a", gate, "b"])
    alice = stack.client()
    session = alice.session()
    key = {"Idempotency-Key": "k1"}
    stream = alice.turn(session, "once only", headers=key)
    gate.wait()
    again = alice.post(alice.turn_path(session), {"message": "once only"}, headers={**key, "Prefer": "respond-async"})
    assert again.status == 202
    turn = stream.log.of("turn_start")[0]["turn_id"]
    assert again.json()["turn_id"] == turn
    second = alice.turn(session, "once only", headers=key)
    gate.open()
    first_log, second_log = stream.finish(), second.finish()
    assert first_log == second_log
    late = alice.post(alice.turn_path(session), {"message": "once only"}, headers={**key, "Prefer": "respond-async"})
    assert late.json()["turn_id"] == turn
    assert len(stack.model.chats("once")) == 1
    assert [m["role"] for m in alice.messages(session)] == ["user", "assistant"]


def test_turn_context_reaches_the_model(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    context = {"time_range": {"start": "2026-11-20T10:00:00Z", "end": "2026-11-20T11:30:00Z"}, "timezone": "Europe/Vienna",
               "datasources": [DATASOURCE, "/proxy/projects/shop/datasources/loki-eu"],
               "dashboard": {"project": "shop", "name": "checkout-board"}, "panels": ["p95 latency"],
               "variables": {"cluster": "eu-west-7"}}
    alice.ask(session, "look around", context=context)
    alice.ask(session, "look again", context={"time_range": {"duration": "6h"}})
    first, second = stack.model.chats("look around")[0], stack.model.chats("look again")[0]
    prompt = json.dumps(first["messages"])
    for word in ("Europe/Vienna", "checkout-board", "eu-west-7", "2026-11-20", "loki-eu"):
        assert word in prompt, f"{word} is not in the prompt"
    year = time.strftime("%Y-%m-%d", time.gmtime())
    assert year in json.dumps(second["messages"]), "the present time is not in the prompt"


@pytest.mark.parametrize("chosen,words", [
    ({"duration": "3 hours"}, "duration must be"), ({"duration": "-1h"}, "duration must be"),
    ({"start": "yesterday", "end": "now"}, "start must be"), ({"end": "now"}, "needs start"),
    ({"start": "now", "end": "now-1h"}, "start must be before"), ({"from": "now-1h"}, "needs start"),
    ({"start": "2026-10-25T02:30:00"}, "timezone is not known here")])
def test_a_range_that_can_not_be_read_is_refused(shared: Stack, chosen: dict, words: str) -> None:
    """Never another one in its place: neither of a question nor of what its conversation has pinned."""
    alice = shared.client()
    session = alice.session()
    context = {"time_range": chosen, "timezone": "+02:00"}
    asked = alice.post(alice.turn_path(session), {"message": "x", "context": context})
    pinned = alice.request("PATCH", f"/session/{session}", {"context": context})
    for answer in (asked, pinned):
        assert answer.status == 422 and words in answer.json()["detail"]["response"], answer
    assert alice.messages(session) == []


@pytest.mark.parametrize("chosen", [{"start": "now-3h", "end": "now"}, {"start": "now-3h"}, {"duration": "3h", "end": "now"}])
def test_a_range_from_now_is_the_one_that_is_asked_for(shared: Stack, chosen: dict) -> None:
    alice = shared.client()
    shared.model.when("three hours of it", ["They are all up."])
    before = time.time()
    alice.ask(alice.session(), "three hours of it", context={"time_range": chosen, "timezone": "UTC"})
    prompt = json.dumps(shared.model.chats("three hours of it")[-1]["messages"])
    hours = {time.strftime("%Y-%m-%d %H:%M", time.gmtime(t - 3 * 3600)) for t in (before, time.time())}
    assert any(hour in prompt for hour in hours), (hours, prompt[-2000:])


@pytest.mark.parametrize("body,status", [
    (b"{", 400), (b"", 400), (b"[]", 422), (b'"text"', 422), (b'{"message":7}', 422), (b"{}", 422),
    (b'{"message":""}', 422), (b'{"message":"a","context":7}', 422), (b'{"message":"a","context":{"time_range":5}}', 422),
    (b'{"message":"a","context":{"datasources":["/etc/passwd"]}}', 422), (b'{"message":"\xff\xfe"}', 400),
    (b'{"message":"a\\u0000b"}', 200), (b'{"message":"a","message":"b"}', None), (b"null", 422),
    (b"[" * 100000, 400), (b'{"message":"a"}x', 400)])
def test_turn_refuses_bad_bodies(shared: Stack, body: bytes, status: int | None) -> None:
    alice = shared.client()
    session = alice.session()
    answer = alice.post(alice.turn_path(session), raw=body)
    if status == 200:
        assert answer.status in (200, 400, 422)
    elif status is None:
        assert answer.status in (200, 400)
    else:
        # Which of the two is said of a document that is JSON but no turn is one choice, made once.
        assert answer.status in ({400, 422} if status == 422 else {status}), answer
        assert answer.code
        assert alice.messages(session) == []
    assert alice.ask(alice.session(), "still here").answer()


@pytest.mark.parametrize("path", [
    "http://evil.example/x", "/proxy/unsaved/globaldatasources/x", "/proxy/globaldatasources/../admin",
    "/proxy/globaldatasources/a/../../api/v1/users", "/proxy/globaldatasources/%2e%2e", "/proxy/globaldatasources/",
    "/proxy/globaldatasources/a/b", "/proxy/globaldatasources/a?x=1", "/proxy/globaldatasources/a#b", "/api/v1/users",
    "//evil.example/proxy/globaldatasources/a", "/proxy/projects//datasources/a", "/proxy/projects/p/datasources/..",
    "/proxy/projects/p/dashboards/d/datasources/", "/proxy/globaldatasources/a\r\nX-Evil: 1", "/proxy/globaldatasources/a b",
    "proxy/globaldatasources/a", "/proxy/globaldatasources/" + "a" * 500, "/PROXY/globaldatasources/a", "@evil.example",
    "/proxy/globaldatasources/a@evil.example:80", "/proxy/globaldatasources/ä"])
def test_turn_refuses_hostile_datasource_paths(shared: Stack, path: str) -> None:
    alice = shared.client()
    session = alice.session()
    answer = alice.post(f"/session/{session}/turn?datasource_path={quote(path, safe='')}", {"message": "steal"})
    assert answer.status == 400 and answer.code == "bad_datasource_path", (path, answer)
    assert alice.messages(session) == []


# ---- GET, PATCH /session/ID ----
def test_session_has_all_that_draws_it_again(stack: Stack) -> None:
    stack.model.when("temperature", ["Let me look. ", Call("execute_instant_query", {"query": "room_temperature_celsius"},
                                                           call_id="c1")], ["The attic is hottest."])
    alice = stack.client()
    session = alice.session()
    log = alice.ask(session, "which temperature?")
    messages = alice.messages(session)
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant"]
    ids = [m["message_id"] for m in messages]
    assert len(set(ids)) == 4
    assert messages[0]["content"] == "which temperature?"
    assert messages[1]["content"] == "Let me look. "
    call = messages[1]["tool_calls"][0]
    assert call["call_id"] == "c1" and call["tool_name"] == "execute_instant_query"
    assert "room_temperature_celsius" in json.dumps(call["arguments"])
    response = messages[2]["tool_responses"][0]
    assert response["call_id"] == "c1" and response["content"] == log.tools()[0][1]["content"]
    assert messages[3]["content"] == "The attic is hottest."


def test_session_is_patched(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    answer = alice.request("PATCH", f"/session/{session}", {"title": "New ✓ title"})
    assert answer.status == 200, answer
    assert alice.sessions()[0]["title"] == "New ✓ title"
    panels = {"p1": {"height": 4, "pinned": True}}
    context = {"dashboard": {"project": "shop", "name": "board"}}
    answer = alice.request("PATCH", f"/session/{session}", {"model": "openai/scripted", "panels": panels})
    assert answer.status == 200, answer
    assert alice.request("PATCH", f"/session/{session}", {"context": context}).status == 200
    seen = alice.get(f"/session/{session}").json()
    assert seen["model"] == "openai/scripted" and seen["title"] == "New ✓ title"
    assert seen["panels"] == panels and seen["context"] == context


@pytest.mark.parametrize("body", [b"{", b'{"title":7}', b'{"title":"' + b"x" * 100000 + b'"}', b"[]", b'{"model":{}}',
                                  b'{"panels":7}', b'{"context":"text"}'])
def test_session_patch_refuses(shared: Stack, body: bytes) -> None:
    alice = shared.client()
    session = alice.session(title="kept")
    answer = alice.request("PATCH", f"/session/{session}", raw=body)
    assert answer.status in (400, 413, 422) and answer.code
    assert alice.sessions()[0]["title"] == "kept"


# ---- fork, messages ----
def test_fork_copies_up_to_before_a_message(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session(title="Base")
    for question in ("first question", "second question", "third question"):
        alice.ask(session, question)
    messages = alice.messages(session)
    second = next(m for m in messages if m["content"] == "second question")
    answer = alice.post(f"/session/{session}/fork", {"message_id": second["message_id"]})
    assert answer.status == 201
    branch = answer.json()["session_id"]
    assert [m["content"] for m in alice.messages(branch)] == [m["content"] for m in messages[:2]]
    alice.ask(branch, "second question, better")
    asked = stack.model.chats("second question, better")[0]["messages"]
    text = json.dumps(asked)
    assert "first question" in text and "third question" not in text
    assert [m["content"] for m in alice.messages(session)] == [m["content"] for m in messages]


def test_fork_refuses(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    alice.ask(session, "only one")
    for body, want in [({"message_id": 999999}, (404,)), ({"message_id": "999999"}, (404, 422)), ({}, (400, 422)),
                       ({"message_id": -1}, (400, 404, 422)), ({"message_id": []}, (400, 422))]:
        answer = alice.post(f"/session/{session}/fork", body)
        assert answer.status in want and answer.code, (body, answer)


def test_message_excluded_and_pinned(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    alice.ask(session, "the secret word is xylophone")
    alice.ask(session, "the open word is trumpet")
    first = alice.messages(session)[0]
    path = f"/session/{session}/message/{first['message_id']}"
    assert alice.request("PATCH", path, {"excluded": True}).status == 200
    alice.ask(session, "which words did I say?")
    sent = json.dumps(stack.model.chats("which words")[0]["messages"])
    assert "trumpet" in sent and "xylophone" not in sent
    assert alice.messages(session)[0]["excluded"] is True
    assert alice.request("PATCH", path, {"excluded": False, "pinned": True}).status == 200
    seen = alice.messages(session)[0]
    assert seen["excluded"] is False and seen["pinned"] is True
    alice.ask(session, "and which now?")
    assert "xylophone" in json.dumps(stack.model.chats("and which now")[0]["messages"])


def test_message_removed(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    alice.ask(session, "forget the walrus")
    alice.ask(session, "keep the otter")
    first = alice.messages(session)[0]
    path = f"/session/{session}/message/{first['message_id']}"
    assert alice.request("DELETE", path).status == 200
    assert "forget the walrus" not in [m["content"] for m in alice.messages(session)]
    assert alice.request("DELETE", path).status == 404
    assert alice.request("PATCH", path, {"pinned": True}).status == 404
    alice.ask(session, "what is left")
    assert "walrus" not in json.dumps(stack.model.chats("what is left")[0]["messages"])


# ---- events ----
def test_events_resume_after_every_id(stack: Stack) -> None:
    stack.model.when("parts", ["One ", Call("list_metrics", {})], ["two ", "three ", "four"])
    alice = stack.client()
    session = alice.session()
    whole = alice.ask(session, "in parts")
    turn = whole.of("turn_start")[0]["turn_id"]
    assert alice.events(session, turn).finish() == whole
    for n, event in enumerate(whole):
        by_query = n % 2 == 0
        stream = alice.events(session, turn, after=event.id, by_query=by_query)
        if event is whole[-1]:
            assert stream.ended.wait(10) and list(stream.log) == []
            stream.close()
        else:
            assert stream.finish() == whole[n + 1:], f"after {event.id}"


def test_events_follow_a_running_turn(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("follow", ["a ", "b ", gate, "c ", "d"])
    alice = stack.client()
    session = alice.session()
    turn = alice.start(session, "follow this")
    gate.wait()
    early = alice.events(session, turn)
    early.wait_text("a b ")
    count = len(early.log)
    late = alice.events(session, turn, after=early.log[count - 1].id)
    gate.open()
    log = early.finish()
    assert log.answer() == "a b c d"
    assert late.finish() == log[count:]


@pytest.mark.parametrize("last", ["0-0", "x", "1", "1-", "-1", "99999999999999999999-1", "1-1-1", "", "1-1\t"])
def test_events_refuse_or_ignore_bad_ids(shared: Stack, last: str) -> None:
    alice = shared.client()
    session = alice.session()
    turn = alice.ask(session, "hello").of("turn_start")[0]["turn_id"]
    answer = alice.get(f"/session/{session}/turn/{turn}/events?last_event_id={quote(last)}")
    assert answer.status in (200, 400, 410, 422)


def test_events_of_an_unknown_turn(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    answer = alice.get(f"/session/{session}/turn/{NOBODY}/events")
    assert answer.status == 404 and answer.code == "turn_not_found"
    for turn in ("AAA", "0" * 31, "%00"):  # no turn was ever called so, whatever its client says to have seen
        answer = alice.get(f"/session/{session}/turn/{turn}/events", headers={"Last-Event-ID": "1-12"})
        assert answer.status == 404 and answer.code == "turn_not_found", turn


# ---- cancel, resume ----
def test_cancel_ends_the_stream(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("endless", ["so ", "much ", gate])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "endless")
    turn = stream.wait_for("turn_start")["turn_id"]
    stream.wait_text("so much ")
    answer = alice.post(f"/session/{session}/turn/{turn}/cancel")
    assert answer.status == 202
    log = stream.finish()
    assert log.types()[-1] == "turn_cancelled"
    until(lambda: alice.get(f"/session/{session}").json()["turn"] is None, "the session to be free")
    assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202  # a browser may repeat it
    assert alice.ask(session, "go on").answer()


def test_cancel_of_a_turn_that_is_over_or_unknown(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    turn = alice.ask(session, "short").of("turn_start")[0]["turn_id"]
    answer = alice.post(f"/session/{session}/turn/{turn}/cancel")
    assert answer.status == 202 and answer.json()["state"] == "over"
    answer = alice.post(f"/session/{session}/turn/{NOBODY}/cancel")
    assert answer.status == 404 and answer.code == "turn_not_found"


def test_resume_of_a_turn_that_awaits_nothing(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    turn = alice.ask(session, "short").of("turn_start")[0]["turn_id"]
    path = f"/session/{session}/turn/{turn}/resume"
    answer = alice.post(path, {"decisions": [{"call_id": "c", "approve": True}]})
    assert answer.status == 409 and answer.code == "turn_over"
    assert alice.post(path.replace(turn, NOBODY), {"decisions": []}).status == 404


def test_cancel_while_a_tool_runs(stack: Stack) -> None:
    stack.model.when("many", [Call("list_metrics", {}), Call("list_metrics", {})], [Gate()])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "many tools")
    turn = stream.wait_for("turn_start")["turn_id"]
    assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    assert stream.finish().types()[-1] == "turn_cancelled"
    # What is stored is a conversation that can go on: no tool call without its answer.
    assert alice.ask(session, "go on").answer()
    open_calls: set[str] = set()
    for message in stack.model.chats("go on")[0]["messages"]:
        open_calls |= {c["id"] for c in message.get("tool_calls") or []}
        open_calls -= {message.get("tool_call_id", "")}
    assert not open_calls


# ---- models, tools ----
def test_models_and_tools(stack: Stack) -> None:
    alice = stack.client()
    models = alice.get("/models")
    assert models.status == 200 and "openai/scripted" in models.body.decode()
    tools = alice.get("/tools")
    assert tools.status == 200
    listed = tools.json()
    listed = listed if isinstance(listed, list) else listed["tools"]
    names = {t["name"] for t in listed}
    assert names >= {"list_metrics", "execute_range_query", "execute_instant_query", "list_label_values"}
    for tool in listed:
        assert tool["description"] and tool["input_schema"]["type"] == "object"
        assert tool["read_only"] is (tool["name"] not in ("save_panel", "save_dashboard"))
    session, offered = alice.session(), {}
    # A core, and the others once what they are for is asked for.
    for question in ("what do you have", *(name.replace("_", " ") for name in sorted(names))):
        alice.ask(session, question)
        offered = {t["function"]["name"]: t["function"] for t in stack.model.chats(question)[0]["tools"]}
        if question == "what do you have":
            assert {"list_metrics", "execute_range_query", "find_tools"} <= offered.keys() and len(offered) == 10
    # Of kinds of datasource that nobody has here nothing is offered.
    assert offered.keys() <= names
    assert {name.split("_")[0] for name in names - offered.keys()} <= {"alertmanager", "loki", "pyroscope", "tempo"}
    for tool in listed:
        assert tool["name"] not in offered or offered[tool["name"]]["parameters"] == tool["input_schema"]


# ---- how it says no ----
@pytest.mark.parametrize("method,path", [
    ("GET", "/"), ("GET", "/nothing"), ("POST", "/session/"), ("GET", "/session/x/y/z"), ("GET", "/session//turn"),
    ("GET", "/sessions/"), ("GET", "/session/" + "a" * 5000), ("GET", "/%00"), ("GET", "/session/%2e%2e"), ("GET", "//")])
def test_unknown_paths(shared: Stack, method: str, path: str) -> None:
    answer = shared.client().request(method, path)
    assert answer.status in (404, 400, 405, 414, 431) or (path == "/" and answer.status == 200), answer
    if answer.status in (404, 405):
        assert answer.code


@pytest.mark.parametrize("method,path,allowed", [
    ("PUT", "/session", {"POST"}), ("POST", "/sessions", {"GET", "HEAD"}),
    ("get", "/healthz", {"GET", "HEAD"}), ("PUT", "/session/" + NOBODY, {"GET", "PATCH", "DELETE"}),
    ("GET", f"/session/{NOBODY}/turn", {"POST"}), ("DELETE", "/healthz", {"GET"}), ("POST", "/openapi.json", {"GET"}),
    ("GET", f"/session/{NOBODY}/turn/{NOBODY}/cancel", {"POST"}), ("TRACE", "/session", {"POST"})])
def test_wrong_methods(shared: Stack, method: str, path: str, allowed: set[str]) -> None:
    answer = shared.client().request(method, path)
    assert answer.status == 405 and answer.code == "method_not_allowed"
    assert allowed <= {m.strip() for m in answer.headers["Allow"].split(",")}


def test_wrong_media_type(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx"):
        answer = alice.post(alice.turn_path(session), raw=b'{"message":"x"}', headers={"Content-Type": kind})
        assert answer.status == 415 and answer.code == "unsupported_media_type", kind
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        answer = alice.post(alice.turn_path(session), raw=b'{"message":"x"}', headers={"Content-Type": kind})
        assert answer.status == 200


def test_too_large(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session()
    for size in (100 << 10, 257 << 10, 2 << 20):  # of the message; of the body; of what is not even read
        answer = alice.post(alice.turn_path(session), {"message": "x" * size})
        assert answer.status == 413 and answer.code == "too_large"
    assert alice.messages(session) == []


@pytest.mark.parametrize("method,path,body", [
    ("GET", "/session/{}", None), ("DELETE", "/session/{}", None), ("PATCH", "/session/{}", {"title": "x"}),
    ("POST", "/session/{}/turn?datasource_path=" + DATASOURCE, {"message": "x"}),
    ("POST", "/session/{}/fork", {"message_id": 1}), ("PATCH", "/session/{}/message/1", {"pinned": True}),
    ("DELETE", "/session/{}/message/1", None), ("GET", "/session/{}/turn/" + NOBODY + "/events", None),
    ("POST", "/session/{}/turn/" + NOBODY + "/cancel", None)])
@pytest.mark.parametrize("session", [NOBODY, "x", "..", "a" * 200, "%00", "0" * 31 + "Z"])
def test_unknown_sessions(shared: Stack, method: str, path: str, body: object, session: str) -> None:
    answer = shared.client().request(method, path.format(session), body)
    assert answer.status == 404, answer
    assert answer.json()["detail"]["response"]
