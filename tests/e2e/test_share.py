"""A conversation that others may read: only who has its id and is signed in, only while its owner lets them, and of stored
results only those that they may read themselves."""

import json
import re
import threading
import time

import pytest

from fakes import perses as fake_perses
from fakes.model import Call
from fakes.server import Exchange, Request
from harness.client import DATASOURCE, Client
from harness.stack import Stack
from harness.wait import until

HIDDEN = ("21.5", "12.25")  # what the kitchen and the cellar have: in the results, in no query
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")  # its seconds may be 21.5, too
# What the owner has before them when they ask.
BEFORE = {"variables": {"tenant": "acme-of-mine"}, "datasources": [DATASOURCE],
          "dashboard": {"project": "p-of-mine", "name": "d"}, "alert": {"labels": {"alertname": "OfMine"}}}


def gives_away(text: str) -> bool:
    return any(word in MOMENT.sub("", text) for word in HIDDEN)


def talk(stack: Stack, client: Client) -> str:
    stack.model.when("how warm", ["I look. ", Call("execute_instant_query", {"query": "room_temperature_celsius"}),
                                  Call("list_datasources", {})], ["It is fine."])
    session = client.session(title="Rooms")
    client.request("PATCH", f"/session/{session}", {"context": {"secret": "of mine"}})
    assert client.ask(session, "how warm is it?", context=BEFORE).answer() == "It is fine."
    return session


def share(client: Client, session: str) -> str:
    answer = client.post(f"/session/{session}/share")
    assert answer.status == 201, answer.body
    made = answer.json()
    assert made["path"] == f"/shared/{made['share_id']}"
    return made["share_id"]


def responses(shared: dict) -> dict[str, dict]:
    return {r["tool_name"]: r for m in shared["messages"] for r in m.get("tool_responses", [])}


@pytest.mark.core
def test_results_are_shown_to_who_may_read_them(stack: Stack) -> None:
    alice, bob, mallory = stack.client("alice"), stack.client("bob"), stack.client("mallory")
    session = talk(stack, alice)
    assert alice.get(f"/session/{session}").json()["share_id"] is None
    shared = share(alice, session)
    assert share(alice, session) == shared == alice.get(f"/session/{session}").json()["share_id"]
    last = alice.messages(session)[-1]["message_id"]
    assert alice.request("PUT", f"/session/{session}/message/{last}/feedback", {"sentiment": 1}).status == 200

    seen = bob.get(f"/shared/{shared}").json()
    own = alice.get(f"/session/{session}").json()
    assert seen["shared_by"] == "alice" and seen["title"] == "Rooms" and seen["context"] is None and seen["panels"] is None
    assert [m["content"] for m in seen["messages"]] == [m["content"] for m in own["messages"]]
    asked = responses(seen)["execute_instant_query"]
    assert asked["content"] == responses(own)["execute_instant_query"]["content"] and not asked["withheld"]
    assert all(word in asked["content"] for word in HIDDEN)
    assert [m["context"] for m in own["messages"] if m["role"] == "user"] == [BEFORE]
    assert [m["context"] for m in seen["messages"] if m["role"] == "user"] == [None]
    # What was found with the owner's rights elsewhere is nobody else's.
    assert responses(seen)["list_datasources"]["withheld"] and responses(seen)["list_datasources"]["content"] == ""

    answer = mallory.get(f"/shared/{shared}")
    text = answer.body.decode()
    assert answer.status == 200 and not gives_away(text), text
    kept = responses(answer.json())["execute_instant_query"]
    assert kept["withheld"] and kept["datasource"] == DATASOURCE
    calls = [c for m in answer.json()["messages"] for c in m.get("tool_calls", [])]
    assert calls[0]["arguments"] == {"query": "room_temperature_celsius"}
    assert not any(word in text for word in ("of mine", "of-mine", "OfMine", "sentiment"))


def test_only_its_owner_shares_and_only_the_id_opens(stack: Stack) -> None:
    alice, bob = stack.client("alice"), stack.client("bob")
    session = talk(stack, alice)
    for method in ("POST", "DELETE"):
        assert bob.request(method, f"/session/{session}/share").code == "session_not_found"
        assert alice.request(method, f"/session/{'0' * 32}/share").code == "session_not_found"
    assert bob.get(f"/shared/{session}{'0' * 32}").code == "session_not_found"
    shared = share(alice, session)
    assert Client(stack.gateway.url).get(f"/shared/{shared}").status == 401
    for wrong in (shared[:-1], shared + "0", shared[:32] + "0" * 32, "x" * 64, shared.upper() + "g", session):
        assert bob.get(f"/shared/{wrong}").code == "session_not_found", wrong
    # Reading is all that it opens.
    assert bob.get(f"/session/{session}").status == 404 and bob.sessions() == []
    assert bob.request("DELETE", f"/session/{session}").status == 404
    assert bob.post(f"/session/{session}/fork", {"message_id": 1}).status == 404


def test_what_is_taken_back_is_gone_at_all_gateways(bare: Stack) -> None:
    stack = bare.start(gateways=2)
    alice, bob = stack.client("alice"), stack.client("bob", gateway=1)
    session = talk(stack, alice)
    first = share(alice, session)
    assert bob.get(f"/shared/{first}").status == 200
    assert alice.request("DELETE", f"/session/{session}/share").status == 200
    assert bob.get(f"/shared/{first}").status == 404  # at once
    assert alice.request("DELETE", f"/session/{session}/share").status == 200
    second = share(alice, session)
    assert second != first and bob.get(f"/shared/{first}").status == 404
    assert bob.get(f"/shared/{second}").status == 200
    assert alice.request("DELETE", f"/session/{session}").status == 200
    assert bob.get(f"/shared/{second}").status == 404


def test_many_pages_are_read_by_their_rights(stack: Stack) -> None:
    """More than the store gives at once, with results of a datasource that first comes late."""
    alice, mallory = stack.client("alice"), stack.client("mallory")
    session = alice.session()
    stack.model.when("long", ["word " * 9000])
    for _ in range(3):
        alice.ask(session, "long please")
    stack.model.when("how warm", [Call("execute_instant_query", {"query": "room_temperature_celsius"})], ["Fine."])
    alice.ask(session, "how warm?")
    shared = share(alice, session)
    text = mallory.get(f"/shared/{shared}").body.decode()
    assert len(json.loads(text)["messages"]) == 10 and not gives_away(text)
    until(lambda: all(w in stack.client("bob").get(f"/shared/{shared}").body.decode() for w in HIDDEN), "bob's results")


# ---- many datasources ----

REPORTS = 50  # as many as a list has, each of another datasource


class Guarding:
    """A Perses that takes its time for each right, which everybody has; counts how many it is asked for at once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.asked = 0
        self.hangs = False

    def __call__(self, exchange: Exchange, request: Request) -> bool:
        if not request.path.startswith("/api/v1/projects/"):
            return False
        with self.lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        if self.hangs:
            return fake_perses.hang(exchange, request)
        exchange.reply(200, b"{}")
        return True


def test_who_asks_for_reports_asks_perses_for_few_rights_at_once(make_stack: object) -> None:
    with fake_perses.Perses() as perses:
        perses.behave = guarding = Guarding()
        stack = make_stack(perses.url, perses.sign_in).start(workers=0)  # type: ignore[operator]
        alice, bob = stack.client("alice"), stack.client("bob")
        for n in range(REPORTS):
            session = alice.session(title=f"report {n}")
            stack.redis.client.hset(f"p:s:{{{session}}}", mapping={
                "share": session, "sharefor": f"/proxy/projects/house/datasources/alerts{n}"})
            stack.redis.client.zadd("p:reports", {session: n})
        found = bob.get("/reports").json()
        print(f"{len(found)} reports, {guarding.asked} rights, {guarding.most} at once")
        assert len(found) == guarding.asked == REPORTS
        assert guarding.most <= 8
        # One that is silent is asked for no more, and keeps nobody longer than one answer may take.
        guarding.hangs, guarding.asked = True, 0
        began = time.monotonic()
        assert bob.get("/reports").code == "perses_unavailable"
        assert guarding.asked <= 8 and time.monotonic() - began < 20
