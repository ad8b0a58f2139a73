"""Whose conversations are whose: an account of Perses is its name and the time at which it was made."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import perses as fake_perses
from fakes.model import Gate
from harness.client import Client
from harness.services import ADMIN, PASSWORD, Perses
from harness.stack import Stack, program
from harness.wait import SLOWNESS, until


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
    """A new account of this name, signed in, at least a second after the last one's: tokens of one name and second are
    one and the same to Perses."""
    try:
        perses.sign_in(name)
    except AssertionError:
        pass  # the first of that name
    else:
        second = int(time.time())
        until(lambda: int(time.time()) > second, "another second")
    perses.make_user(name)
    return Client(stack.gateway.url, perses.sign_in(name))


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


def as_before(stack: Stack, name: str) -> None:
    """Turns all that the only owner of this name has into what an earlier version wrote: kept under the name alone."""
    client = stack.redis.client
    [index] = (key.decode() for key in client.scan_iter(f"p:u:{{{name}:*}}"))
    owner = index.split("{")[1][:-1]
    for session in client.zrange(index, 0, -1):
        key = f"p:s:{{{session.decode()}}}"
        assert client.hget(key, "owner") == owner.encode()
        client.hset(key, "owner", name)
    for key in [key.decode() for key in client.scan_iter(f"p:[uia]:{{*{owner}}}*")]:
        client.rename(key, key.replace(owner, name))
    client.delete(f"p:n:{{{name}}}")


def test_conversations_of_earlier_versions_are_their_owners(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_WHOAMI_KEEP": "0s"})
    gate = Gate()
    stack.model.when("long", ["first ", gate, "then"])
    alice, bob = stack.client("alice"), stack.client("bob")
    sessions = [alice.session(title=f"number {n}") for n in range(5)]
    bobs = bob.session()
    assert alice.ask(sessions[0], "remember the kettle").answer()
    turn = alice.start(sessions[1], "long work")
    gate.wait()
    as_before(stack, "alice")
    # The first thing that she does may be to go on in one of them.
    assert alice.ask(sessions[0], "go on").answer()
    assert len(alice.messages(sessions[0])) == 4
    gate.open()
    assert alice.follow(sessions[1], turn).answer() == "first then"
    assert {s["session_id"] for s in alice.sessions()} == set(sessions)
    assert [s["session_id"] for s in alice.sessions("?q=kettle")] == [sessions[0]]
    assert [s["session_id"] for s in bob.sessions()] == [bobs]
    assert list(stack.redis.client.scan_iter("p:u:{alice}")) == []
    assert alice.request("DELETE", f"/session/{sessions[2]}").status == 200
    assert b"identity.move" in stack.gateway.process.log_bytes()


def test_conversations_of_an_earlier_user_stay_with_nobody(bare: Stack, perses: Perses) -> None:
    """Old data under a name that was given again meanwhile: what is older than the account is not its own."""
    stack = bare.start(gateway_env={"PERSAI_WHOAMI_KEEP": "0s"})
    old = made_anew(stack, perses, "hugo")
    session = old.session(title="the old hugo's")
    old.ask(session, "my secret plan")
    as_before(stack, "hugo")
    new = made_anew(stack, perses, "hugo")
    assert new.sessions() == [] and new.get(f"/session/{session}").status == 404
    # An earlier version let the new one change it: it is the old one's all the same.
    stack.redis.client.zadd("p:u:{hugo}", {session: time.time() * 1000})
    assert new.sessions() == [] and new.get(f"/session/{session}").status == 404
    own = new.session(title="the new hugo's")
    stack.redis.client.hset(f"p:s:{{{own}}}", "owner", "hugo")
    stack.redis.client.zadd("p:u:{hugo}", {own: time.time() * 1000})
    assert [s["session_id"] for s in new.sessions()] == [own]
    assert new.get(f"/session/{session}").status == 404


def test_conversations_of_the_local_user_of_earlier_versions_stay_its_own(bare: Stack, perses: Perses) -> None:
    stack = bare.start(gateway_env={"PERSAI_AUTH": "false"})
    session = Client(stack.gateway.url).session(title="on a machine of one's own")
    perses.make_user("local")
    until(stack.add_gateway().alive, "the gateway with sign-in")
    person = Client(stack.gateways[1].url, perses.sign_in("local"))
    assert person.sessions() == [] and person.get(f"/session/{session}").status == 404
    assert [s["session_id"] for s in Client(stack.gateway.url).sessions()] == [session]


def test_who_asks_is_known_while_redis_is_away(bare: Stack) -> None:
    """What is to be moved waits; who it is does not."""
    stack = bare.start(gateway_env={"PERSAI_WHOAMI_KEEP": "0s"})
    alice = stack.client()
    session = alice.session()
    as_before(stack, "alice")
    stack.redis.process.kill()
    until(lambda: alice.get("/models").status == 200, "an answer without Redis", 20)
    stack.redis.start()
    until(lambda: [s["session_id"] for s in alice.request("GET", "/sessions").json()] == [session]
          if alice.get("/sessions").status == 200 else False, "the conversation", 20)


def hand_over(stack: Stack, *args: str, redis: str = "") -> tuple[int, str]:
    answer = subprocess.run([program("gateway"), "--hand-over", *args], capture_output=True, text=True, timeout=60,
                            env={"PERSAI_REDIS": redis or stack.redis.url, "LOG_LEVEL": "error"})
    return answer.returncode, answer.stdout + answer.stderr


def owners(stack: Stack, name: str) -> list[str]:
    """Of this name, by when they were here."""
    return [owner.decode() for owner in stack.redis.client.zrange(f"p:n:{{{name}}}", 0, -1)]


def test_a_deleted_users_conversations_are_handed_over(stack: Stack, perses: Perses) -> None:
    old = made_anew(stack, perses, "ines")
    sessions = [old.session(title=f"number {n}") for n in range(3)]
    old.ask(sessions[0], "where is the kettle")
    perses.api("DELETE", "/api/v1/users/ines", cookies=perses.sign_in(ADMIN))
    bob = stack.client("bob")
    own = bob.session()
    [ines], [heir] = owners(stack, "ines"), owners(stack, "bob")
    code, said = hand_over(stack, "ines", "bob")
    assert (code, said) == (0, f"3 conversations of {ines} are {heir}'s now\n")
    assert {s["session_id"] for s in bob.sessions()} == {own, *sessions}
    assert [s["session_id"] for s in bob.sessions("?q=kettle")] == [sessions[0]]
    assert bob.ask(sessions[0], "go on").answer() and len(bob.messages(sessions[0])) == 4
    assert bob.request("DELETE", f"/session/{sessions[1]}").status == 200
    code, said = hand_over(stack, "ines", "bob")
    assert code == 1 and "Nobody called ines has conversations here" in said


@pytest.mark.parametrize("young", [False, True])
def test_what_is_handed_over_is_followed_no_longer(bare: Stack, young: bool) -> None:
    """At whichever gateway, by whichever door, also one that has not looked yet whose is whose; the turn goes on, and its
    new owner follows it."""
    looks_late = {"PERSAI_BEAT": "5s", "PERSAI_DEAD": "20s"} if young else {}
    stack, gate = bare.start(gateways=2, gateway_env=looks_late), Gate()
    stack.model.when("run on", ["one ", gate, "two"])
    alice, there, bob = stack.client("alice"), stack.client("alice", gateway=1), stack.client("bob", gateway=1)
    bob.session()
    session = alice.session()
    posted = alice.turn(session, "run on")
    turn = posted.wait_for("turn_start")["turn_id"]
    followed = there.events(session, turn)
    for stream in (posted, followed):
        stream.wait_text("one ")
    began = time.monotonic()
    assert hand_over(stack, "alice", "bob")[0] == 0
    for stream in (posted, followed):
        assert stream.ended.wait(10 * SLOWNESS), "the former owner's stream goes on"
    print(f"cut {time.monotonic() - began:.2f} s after the command began")
    for client in (alice, there):
        assert client.get(f"/session/{session}/turn/{turn}/events").status == 404
    own = bob.events(session, turn)
    own.wait_text("one ")
    gate.open()
    assert own.finish().answer() == "one two"
    assert not any("two" in stream.log.text() for stream in (posted, followed))


def test_a_person_whose_account_was_made_anew_gets_their_own_back(stack: Stack, perses: Perses) -> None:
    session = made_anew(stack, perses, "jens").session()
    new = made_anew(stack, perses, "jens")
    assert new.sessions() == []
    code, said = hand_over(stack, "jens", "jens")
    assert code == 0, said
    assert [s["session_id"] for s in new.sessions()] == [session]
    code, said = hand_over(stack, "jens", "jens")
    assert code == 1 and "but the account that has them already" in said


def test_which_account_is_meant_must_be_plain(stack: Stack, perses: Perses) -> None:
    clients, sessions = [], []
    for _ in range(3):
        clients.append(made_anew(stack, perses, "kim"))
        sessions.append(clients[-1].session())
    first, second, third = owners(stack, "kim")
    bare = stack.client("bob").session()
    as_before(stack, "bob")  # of an earlier version, and of nobody who is called kim now
    stack.redis.client.hset(f"p:s:{{{bare}}}", "owner", "kim")
    stack.redis.client.rename("p:u:{bob}", "p:u:{kim}")
    alice = stack.client("alice")
    alice.sessions()
    code, said = hand_over(stack, "kim", "alice")
    assert code == 1 and "Say which one is meant" in said
    for owner in (first, second, third):
        assert f"  {owner}  1 conversations, account made 20" in said, said
    assert "  kim:  1 conversations, kept under the name alone by an earlier version" in said
    assert alice.sessions() == []
    assert hand_over(stack, second, "alice")[0] == 0
    assert [s["session_id"] for s in alice.sessions()] == [sessions[1]]
    assert hand_over(stack, "kim:", "alice")[0] == 0
    assert {s["session_id"] for s in alice.sessions()} == {sessions[1], bare}
    # To an account that is not the latest of its name, when it is said.
    assert hand_over(stack, third, first)[0] == 0
    assert clients[2].sessions() == []
    # Who the first one's token is, is known for a minute.
    assert {s["session_id"] for s in clients[0].sessions()} == {sessions[0], sessions[2]}


def test_nothing_is_handed_to_who_is_not_known(stack: Stack, perses: Perses) -> None:
    alice = stack.client("alice")
    session = alice.session()
    [owner] = owners(stack, "alice")
    for heir in ("nobody", "alice:12345", f"{owner}0", "local", ":", "alice:", "a b"):
        code, said = hand_over(stack, "alice", heir)
        assert code == 1 and "was here since" in said, (heir, said)
    for args in ((), ("alice",), ("alice", "bob", "carol")):
        assert hand_over(stack, *args)[0] == 2, args
    code, said = hand_over(stack, "alice", "alice")
    assert code == 1 and "has conversations here" in said
    code, said = hand_over(stack, "alice", "alice", redis="redis://127.0.0.1:1/0")
    assert code == 1 and "Redis does not answer" in said
    assert [s["session_id"] for s in alice.sessions()] == [session]
