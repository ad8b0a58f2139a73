"""Whose conversations are whose: an account of Perses is its name and the time at which it was made."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.client import Client
from harness.services import ADMIN, PASSWORD, Perses
from harness.stack import Stack
from harness.wait import until


def created(perses: Perses, user: str, password: str = "") -> str:
    login = {"login": user, "password": password or PASSWORD.format(user)}
    answer = until(lambda: (got := perses.api("POST", "/api/auth/providers/native/login", login)).status == 200 and got,
                   f"{user} to sign in")
    bearer = answer.json()["access_token"]
    client = Client(perses.url, bearer=bearer)
    # Perses's file of an account is not there whole while it is being written.
    answer = until(lambda: (got := client.get("/api/v1/user/whoami")).status == 200 and got, "whoami")
    who = answer.json()["metadata"]
    assert who["name"] == user
    return who["createdAt"]


def made_anew(stack: Stack, perses: Perses, name: str) -> Client:
    """A new account of this name, signed in. Tokens of one name and second are one and the same to Perses."""
    try:
        before = perses.sign_in(name)
    except AssertionError:
        before = {}
    perses.make_user(name)
    return Client(stack.gateway.url, until(lambda: (now := perses.sign_in(name)) != before and now, "another token"))


def test_perses_keeps_when_an_account_was_made(tmp_path: Path, service_logs: Path) -> None:
    """The real one's word for it: over restarts, a new password, a new profile, and provisioning that is applied
    again and changes; an account that is made anew has another."""
    perses = Perses(tmp_path / "perses", service_logs, {}, provisioning="1s")
    account = {"nativeProvider": {"password": PASSWORD.format("paula")}}
    perses.entity("User", "paula", account)
    perses.start()
    try:
        paula, alice = created(perses, "paula"), created(perses, "alice")
        changed = perses.user("alice")
        changed["spec"] |= {"firstName": "Alice", "nativeProvider": {"password": "another one"}}
        # Of the request, createdAt is not taken.
        changed["metadata"]["createdAt"] = "2020-02-02T02:02:02Z"
        admin = perses.sign_in(ADMIN)
        assert perses.api("PUT", "/api/v1/users/alice", changed, admin).status == 200
        assert created(perses, "alice", "another one") == alice

        perses.entity("User", "paula", account | {"firstName": "Paula"})

        def provisioned() -> dict:
            """{} while Perses writes the file."""
            answer = perses.api("GET", "/api/v1/users/paula", cookies=admin)
            return answer.json() if answer.status == 200 else {}
        until(lambda: provisioned().get("spec", {}).get("firstName") == "Paula", "provisioning to be applied again")
        version = until(provisioned, "the account")["metadata"]["version"]
        until(lambda: provisioned().get("metadata", {}).get("version", 0) > version, "provisioning to be applied again")
        assert created(perses, "paula") == paula

        perses.process.terminate()
        perses.process.start()
        until(lambda: perses.api("GET", "/api/v1/health").status == 200, "Perses", 60)
        assert (created(perses, "paula"), created(perses, "alice", "another one")) == (paula, alice)

        perses.make_user("alice")
        assert created(perses, "alice") != alice
    finally:
        perses.process.terminate()


@pytest.mark.core
def test_a_new_account_of_an_old_name_sees_nothing_of_it(stack: Stack, perses: Perses) -> None:
    old = made_anew(stack, perses, "dora")
    session = old.session(title="the old dora's")
    stream = old.turn(session, "remember my secret plan")
    turn = stream.wait_for("turn_start")["turn_id"]
    stream.finish()
    new = made_anew(stack, perses, "dora")
    assert new.sessions() == [] and new.sessions("?q=secret") == []
    for method, path, body in [
            ("GET", "", None), ("PATCH", "", {"title": "mine"}), ("POST", "/fork", {"message_id": 1}),
            ("GET", f"/turn/{turn}/events", None), ("POST", f"/turn/{turn}/cancel", None), ("DELETE", "", None)]:
        assert new.request(method, f"/session/{session}{path}", body).status == 404, (method, path)
    own = new.session(title="the new dora's")
    assert [s["session_id"] for s in new.sessions()] == [own]
    assert new.ask(own, "hello").answer()


def test_idempotency_keys_of_an_old_account_are_its_own(stack: Stack, perses: Perses) -> None:
    keys = {"Idempotency-Key": "the same"}
    before = made_anew(stack, perses, "erik").post("/session", {}, headers=keys).json()["session_id"]
    new = made_anew(stack, perses, "erik")
    after = new.post("/session", {}, headers=keys)
    assert after.status == 201 and after.json()["session_id"] != before
    assert new.get(f"/session/{after.json()['session_id']}").status == 200


def test_the_local_user_is_nobody_of_perses(bare: Stack, perses: Perses) -> None:
    """One Redis, a gateway with PERSAI_AUTH=false beside one without: no Perses user is the one who needs no sign-in."""
    perses.make_user("local")
    stack = bare.start()
    until(stack.add_gateway(PERSAI_AUTH="false").alive, "the gateway without sign-in")
    person, anybody = Client(stack.gateway.url, perses.sign_in("local")), Client(stack.gateways[1].url)
    theirs, nobodys = person.session(title="of Perses's local"), anybody.session(title="of nobody")
    assert [s["session_id"] for s in person.sessions()] == [theirs]
    assert [s["session_id"] for s in anybody.sessions()] == [nobodys]
    assert person.get(f"/session/{nobodys}").status == 404 and anybody.get(f"/session/{theirs}").status == 404


def test_who_has_no_name_or_time_of_creation_is_nobody(make_stack: Callable[..., Stack]) -> None:
    """Perses answers, but not who: nobody is let in under half a name."""
    from fakes import perses as fake_perses
    with fake_perses.Perses() as perses:
        stack = make_stack(perses.url, perses.sign_in).start()
        perses.created |= {"half": "", "odd": "yesterday", "none": "0001-01-01T00:00:00Z"}
        for user in ("half", "odd"):
            answer = stack.client(user).get("/sessions")
            assert answer.status == 503 and answer.code == "perses_unavailable", answer
        assert stack.client("none").get("/sessions").status == 200
        # The answer's precision or offset may change, as when Perses gets another database: not the moment.
        perses.created["gina"] = "2026-05-06T07:08:09.123456789Z"
        session = stack.client("gina").session()
        perses.created["gina"] = "2026-05-06T09:08:09.123456+02:00"
        assert stack.client("gina").get(f"/session/{session}").status == 200
