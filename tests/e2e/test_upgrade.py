"""What an earlier version has left in Redis is read and gone on with: fixtures/redis-protocol-2.json was written by
binaries with frames of version 2 and owners that are names alone, which were killed in the midst of a turn."""

import base64
import json
import time
from pathlib import Path

from harness.services import flat
from harness.stack import Stack
from harness.wait import until

FIXTURE = Path(__file__).with_name("fixtures") / "redis-protocol-2.json"


def restore(stack: Stack) -> dict[str, str]:
    """As it was, but of today: what is older than its account, or than anybody waits, would rightly be nobody's."""
    stack.redis.start()
    kept, client, now = json.loads(FIXTURE.read_text()), stack.redis.client, int(time.time() * 1000)
    for key, value in kept["keys"].items():
        client.restore(key, max(0, value["ttl_ms"]), base64.b64decode(value["dump"]))
        if key.startswith("p:s:"):
            assert b":" not in client.hget(key, "owner")
            client.hset(key, mapping={"created": now, "updated": now})
        elif key.startswith("p:t:"):
            client.hset(key, "lease", now)
        elif key.startswith("p:u:"):
            client.zadd(key, {session: now for session in client.zrange(key, 0, -1)})
    return kept["sessions"]


def test_what_an_earlier_version_wrote_is_read_and_gone_on_with(bare: Stack) -> None:
    sessions = restore(bare)
    bare.model.when("long work", ["first ", "then"])
    stack = bare
    stack.add_gateway()
    stack.add_worker()
    stack.gateway.wait_ready()
    alice, bob = stack.client("alice"), stack.client("bob")
    until(lambda: {s["title"] for s in alice.sessions()} == {"Rooms", "Running"}, "her conversations to be hers")
    assert [s["session_id"] for s in bob.sessions()] == [sessions["bobs"]]
    assert bob.get(f"/session/{sessions['rooms']}").status == 404

    rooms = alice.messages(sessions["rooms"])
    assert [m["role"] for m in rooms] == ["user", "assistant", "tool", "assistant"] and rooms[0]["pinned"]
    assert rooms[1]["tool_calls"][0]["arguments"] == {"query": "room_temperature_celsius"}
    assert "21.5" in rooms[2]["tool_responses"][0]["content"] and rooms[3]["content"] == "It is fine."
    assert alice.ask(sessions["rooms"], "hello again").final()["event_type"] == "turn_complete"

    # Her sign-in came with the first request: the turn that ran goes on under the next epoch.
    until(lambda: [m["content"] for m in alice.messages(sessions["running"])] == ["long work", "first then"],
          "the turn to be answered", 30)
    client = stack.redis.client
    until(lambda: not [key for key in client.scan_iter("p:s:*") if b":" not in client.hget(key, "owner")], "all to be moved")
    assert not list(client.scan_iter("p:u:{alice}")) and b"alice" in b"".join(flat(client, k) for k in client.scan_iter("p:s:*"))
