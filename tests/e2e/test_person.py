"""A person's data: exported whole, erased so that nothing in Redis is theirs; and conversations that are kept."""

import json
import subprocess
from typing import TextIO

import pytest

from fakes.model import Gate
from harness.redis_sets import Cluster
from harness.services import ADMIN, flat
from harness.stack import Stack, program
from harness.wait import SLOWNESS, until


def person(stack: Stack, *args: str, stdout: int | TextIO = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("gateway"), *args], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env={"PERSAI_REDIS": stack.redis.url, "PATH": "/usr/bin:/bin"})


def theirs(stack: Stack, *words: str) -> list[bytes]:
    """Keys whose name or value has one of the words, on each node that there is."""
    nodes = stack.redis.masters if isinstance(stack.redis, Cluster) else [stack.redis]
    return [key for node in nodes for key in node.client.scan_iter(count=1000)
            if any(word.encode() in key + b"\n" + flat(node.client, key) for word in words)]


@pytest.mark.core
def test_nothing_of_an_erased_person_is_left(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_USER_TURNS": "4", "PERSAI_USER_TOKENS": "1000000"})
    alice, bob = stack.client("alice"), stack.client("bob")
    kept = bob.session(title="bob's own")
    bob.ask(kept, "hello")
    session = alice.post("/session", {"title": "first"}, headers={"Idempotency-Key": "k"}).json()["session_id"]
    alice.ask(session, "hello", headers={"Idempotency-Key": "t"})
    answer = alice.messages(session)[-1]["message_id"]
    alice.request("PUT", f"/session/{session}/message/{answer}/feedback", {"sentiment": 1, "comment": "of alice"})
    alice.post(f"/session/{session}/share")
    alice.request("PATCH", f"/session/{session}", {"keep": True})
    gate = Gate()
    stack.model.when("run on", ["a ", gate, *["more "] * 50])
    running = alice.session()
    stream = alice.turn(running, "run on")
    stream.wait_text("a ")

    whole = json.loads(person(stack, "--export-user", "alice").stdout)
    assert whole["user"] == "alice" and {s["session_id"] for s in whole["sessions"]} == {session, running}
    one = next(s for s in whole["sessions"] if s["session_id"] == session)
    assert one["title"] == "first" and one["messages"][-1]["feedback"]["comment"] == "of alice" and one["keep"]

    done = person(stack, "--erase-user", "alice")
    assert done.returncode == 0 and done.stdout.startswith("2 conversations of alice:"), done.stdout + done.stderr
    assert stream.ended.wait(5 * SLOWNESS), "her stream goes on"
    gate.open()
    until(lambda: not theirs(stack, "alice", session, running), "nothing of hers to be left", 30)
    assert alice.sessions() == [] and alice.get(f"/session/{session}").status == 404
    assert bob.messages(kept)[0]["content"] == "hello" and bob.sessions()[0]["session_id"] == kept
    stream.close()
    again = person(stack, "--erase-user", "alice")
    assert again.returncode == 1 and not again.stdout and "Nobody called alice is known here" in again.stderr


def test_what_was_counted_and_switched_goes_too(bare: Stack) -> None:
    """Counts are told two seconds after a turn's end: they came when all was erased, and stayed for 35 days."""
    stack = bare.start()
    admin = stack.client(ADMIN)
    switch = {"name": "tool:save_panel", "off": True, "sentence": "Not today."}
    assert admin.request("PUT", "/admin/switches", switch).status == 200
    assert admin.ask(admin.session(), "hello").final()["event_type"] == "turn_complete"
    done = person(stack, "--erase-user", ADMIN)
    assert done.returncode == 0 and done.stdout.startswith(f"1 conversations of {ADMIN}:"), done.stdout + done.stderr
    assert not theirs(stack, ADMIN)
    row, = stack.client(ADMIN).get("/admin/switches").json()["switches"]
    assert (row["name"], row["sentence"], row.get("by", "")) == ("tool:save_panel", "Not today.", "")
    # A switch is all that is left of somebody who was here long ago.
    assert person(stack, "--switch", "turns", "Not today, either.").returncode == 0
    switches = stack.redis.client.hgetall("p:switches")
    kept = json.loads(switches[b"turns"]) | {"by": "zoe"}
    stack.redis.client.hset("p:switches", "turns", json.dumps(kept))
    done = person(stack, "--erase-user", "zoe")
    assert done.returncode == 0 and not theirs(stack, "zoe"), done.stderr
    assert person(stack, "--erase-user", "zoe").returncode == 1


def test_the_export_has_all_versions(bare: Stack) -> None:
    stack = bare.start()
    alice = stack.client()
    session = alice.session()
    for word in ("one", "two", "three"):
        stack.model.when(f"ask {word}", [f"answer {word}"])
    alice.ask(session, "ask one")
    alice.ask(session, "ask two", instead_of=alice.messages(session)[0]["message_id"])
    alice.ask(session, "ask three")
    exported = person(stack, "--export-user", "alice")
    one, = json.loads(exported.stdout)["sessions"]
    assert [m["content"] for m in one["messages"]] == [f"{what} {word}" for word in ("one", "two", "three")
                                                       for what in ("ask", "answer")]
    assert one["versions"] == [[one["messages"][0]["message_id"], one["messages"][2]["message_id"]]]
    with open("/dev/full", "w", encoding="utf-8") as full:
        assert person(stack, "--export-user", "alice", stdout=full).returncode == 1
    # Killed in the midst, it is done again.
    erase = subprocess.Popen([program("gateway"), "--erase-user", "alice"], stdin=subprocess.DEVNULL,
                             env={"PERSAI_REDIS": stack.redis.url, "PATH": "/usr/bin:/bin"})
    until(lambda: not stack.redis.client.exists(f"p:s:{{{session}}}"), "her conversation to go")
    erase.kill()
    erase.wait()
    assert person(stack, "--erase-user", "alice").returncode == 0 and not theirs(stack, "alice", session, "ask one")


def test_on_a_cluster_a_persons_data_is_found_on_all_its_nodes(bare: Stack) -> None:
    bare.redis = Cluster(bare.folder / "cluster", bare.logs)
    bare.others += bare.redis.others
    stack = bare.start(gateway_env={"PERSAI_USER_TOKENS": "1000000"})
    alice, bob = stack.client("alice"), stack.client("bob")
    hers, his = [alice.session(title=f"her {n}") for n in range(8)], bob.session(title="his own")
    for session in hers:
        alice.ask(session, "where is the kettle")
    assert len({bare.redis.owner(f"{{{session}}}").port for session in hers}) > 1

    whole = json.loads(person(stack, "--export-user", "alice").stdout)
    assert {s["session_id"] for s in whole["sessions"]} == set(hers)
    assert all(len(s["messages"]) == 2 for s in whole["sessions"])

    done = person(stack, "--hand-over", "alice", "bob")
    assert done.returncode == 0 and done.stdout.startswith("8 conversations of alice:"), done.stdout + done.stderr
    assert {s["session_id"] for s in bob.sessions()} == {his, *hers} and alice.sessions() == []
    assert len(bob.sessions("?q=kettle")) == 8 and bob.ask(hers[3], "go on").answer()

    done = person(stack, "--erase-user", "bob")
    assert done.returncode == 0 and done.stdout.startswith("9 conversations of bob:"), done.stdout + done.stderr
    until(lambda: not theirs(stack, "bob", his, *hers), "nothing of his to be left", 30)
    assert person(stack, "--erase-user", "alice").returncode == 0
    until(lambda: not theirs(stack, "alice"), "nothing of hers to be left", 30)


def test_who_is_meant_must_be_plain(stack: Stack) -> None:
    stack.client("alice").session()
    owner = stack.redis.client.zrange("p:n:{alice}", 0, -1)[0].decode()
    stack.redis.client.zadd("p:n:{alice}", {"alice:1000": 1})
    for command in ("--erase-user", "--export-user"):
        answer = person(stack, command, "alice")
        assert answer.returncode == 1 and owner in answer.stderr and "alice:1000" in answer.stderr
    assert len(stack.client("alice").sessions()) == 1
    assert person(stack, "--erase-user", owner).returncode == 0 and stack.client("alice").sessions() == []


@pytest.mark.parametrize("name", ["nobody-at-all", "nobody:1000", "ali*", "a[l]ice", "alic", "Alice"])
def test_a_name_that_nobody_has_is_said(stack: Stack, name: str) -> None:
    """One that was mistyped passed for one that was erased."""
    stack.client("alice").session()
    for command, done in (("--erase-user", "erased"), ("--export-user", "exported")):
        nobody = person(stack, command, name)
        assert nobody.returncode == 1 and not nobody.stdout, nobody.stdout
        assert f"Nobody called {name} is known here: nothing was {done}" in nobody.stderr
    assert person(stack, "--hand-over", name, "alice").returncode == 1
    assert stack.client("alice").sessions()


def test_what_is_kept_is_found_when_its_owner_was_not_seen_for_long(bare: Stack) -> None:
    """Who was here is forgotten with the retention, what they keep is not: it was neither exported nor erased by their
    name, and the command said that all was well."""
    stack = bare.start()
    client = stack.redis.client
    for user in ("alice", "bob"):
        assert stack.client(user).request("PATCH", f"/session/{stack.client(user).session()}", {"keep": True}).status == 200
        client.delete(f"p:n:{{{user}}}")
    whole = json.loads(person(stack, "--export-user", "alice").stdout)
    assert whole["account"].startswith("alice:") and len(whole["sessions"]) == 1
    done = person(stack, "--hand-over", "bob", "alice")
    assert done.returncode == 1 and "Nobody called alice was here" in done.stdout  # nor is she an heir
    client.zadd("p:n:{alice}", {whole["account"]: 1})
    done = person(stack, "--hand-over", "bob", "alice")
    assert done.returncode == 0 and done.stdout.startswith("1 conversations of bob:"), done.stdout
    client.delete("p:n:{alice}")
    done = person(stack, "--erase-user", "alice")
    assert done.returncode == 0 and done.stdout.startswith("2 conversations of alice:"), done.stdout + done.stderr
    assert not theirs(stack, "alice")


def test_what_is_kept_outlives_the_retention(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_SESSION_KEEP": "3s"}, worker_env={"PERSAI_SESSION_KEEP": "3s"})
    alice, client = stack.client(), stack.redis.client
    kept, other = alice.session(title="kept"), alice.session(title="other")
    assert alice.get(f"/session/{kept}").json()["keep"] is False
    for wrong in ("yes", 1, None):
        assert alice.request("PATCH", f"/session/{kept}", {"keep": wrong}).code == "invalid"
    assert alice.request("PATCH", f"/session/{kept}", {"keep": True}).status == 200
    alice.ask(kept, "hello")
    assert client.ttl(f"p:s:{{{kept}}}") == client.ttl(f"p:m:{{{kept}}}") == -1
    until(lambda: not client.exists(f"p:s:{{{other}}}"), "the other to be gone", 20)
    last = alice.session()
    assert {s["session_id"] for s in alice.sessions()} == {kept, last}
    assert alice.get(f"/session/{kept}").json()["keep"] is True and alice.messages(kept)
    assert alice.request("PATCH", f"/session/{kept}", {"keep": False}).status == 200
    until(lambda: not client.exists(f"p:s:{{{kept}}}"), "it to go as all do", 20)
