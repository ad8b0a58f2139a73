"""What Redis answers is data from outside: no answer of a script, of whatever shape, ends a process."""

import http.client
from secrets import token_hex

import pytest

from fakes.model import Call
from fakes.store import SHAPES, Spoiler
from harness.client import Client
from harness.doors import DOORS, MCP, question
from harness.stack import Stack
from harness.wait import until

ANSWERS_MAX = 8  # of scripts, of one request


def requests(client: Client, ids: dict[str, str]) -> list[tuple[str, str, object]]:
    """Those that change or remove something are last."""
    session = f"/session/{ids['session']}"
    turn, message = f"{session}/turn/{ids['turn']}", f"{session}/message/{ids['message']}"
    return [
        ("GET", "/sessions", None), ("GET", "/sessions?q=look", None), ("GET", "/sessions?keep=true", None),
        ("GET", session, None), ("GET", f"{session}/export", None), ("GET", f"{session}/export?format=json", None),
        ("GET", f"/shared/{ids['share']}", None),
        ("GET", "/reports", None), ("GET", "/budget", None), ("GET", f"{turn}/events", None), ("POST", f"{turn}/cancel", None),
        ("POST", f"{turn}/resume", {"decisions": [{"call_id": "c", "approve": True}]}),
        *(("POST", door, question(door, "hello")) for door in DOORS), ("POST", "/session", {"title": "another"}),
        ("POST", f"{session}/fork", {"message_id": ids["message"]}), ("POST", f"{session}/share", None),
        ("PUT", f"{message}/feedback", {"sentiment": 1}), ("PATCH", message, {"pinned": True}),
        ("PATCH", session, {"title": "renamed", "keep": True}), ("POST", client.turn_path(ids["session"]), {"message": "hello"}),
        ("DELETE", message, None), ("DELETE", session, None)]


def talk(client: Client) -> dict[str, str]:
    session = client.session()
    turn = client.start(session, "look")
    client.follow(session, turn)
    return {"session": session, "turn": turn, "message": client.messages(session)[-1]["message_id"],
            "share": client.post(f"/session/{session}/share").json()["share_id"]}


@pytest.mark.parametrize("shape", SHAPES)
def test_no_answer_of_a_script_ends_a_gateway(bare: Stack, shape: str) -> None:
    """Each answer of each request's scripts is spoilt once."""
    bare.redis.start()
    spoiler = Spoiler(bare.redis.port)
    gateway = bare.add_gateway(PERSAI_REDIS=f"redis://127.0.0.1:{spoiler.port}/0")
    bare.add_worker()
    gateway.wait_ready()
    bare.model.when("look", [Call("execute_instant_query", {"query": "up"})], ["Seen."])
    alice, ids = bare.client(), {}
    for place, (method, _, _) in enumerate(requests(alice, dict.fromkeys(("session", "turn", "message", "share"), ""))):
        for number in range(ANSWERS_MAX):
            ids = ids if method == "GET" and ids else talk(alice)
            _, path, body = requests(alice, ids)[place]
            spoiler.spoil(number, SHAPES[shape])
            try:
                connection, answer = alice.send(method, path, body, {**(MCP if path == "/mcp" else {}),
                                                                     "Idempotency-Key": token_hex(8)}, seconds=10)
                answer.read()
                connection.close()
            except (OSError, http.client.HTTPException):
                pass  # a stream that is cut, or that its worker goes on with later
            spoilt = spoiler.spoilt()
            assert gateway.process.running(), f"{method} {path}: answer {number}"
            if not spoilt:
                break
    until(lambda: alice.ask(alice.session(), "hello").answer(), "it to be well")
