"""A gateway is killed in the midst of what changes who may do what: what it said is so at all others, what it did not come
to say is so or not, but whole and the same everywhere."""

import random
import threading
import time

import pytest

from harness.client import Client
from harness.services import ADMIN
from harness.stack import Stack
from harness.wait import until

ROUNDS = 12
SENTENCE = "We move house until noon."


class Acts(threading.Thread):
    """One person's acts, one after another until the gateway is gone: the last that was answered, and one that was not."""

    def __init__(self, client: Client) -> None:
        super().__init__(daemon=True)
        self.client = client
        self.said: bool | None = None  # on or off
        self.open: bool | None = None  # asked for, and not answered
        self.count = 0
        self.wrong: list[object] = []

    def act(self, on: bool) -> None:
        raise NotImplementedError

    def run(self) -> None:
        on = True
        while True:
            self.open = on
            try:
                self.act(on)
            except OSError:
                return
            except Exception as error:  # half an answer is none
                if "http" not in type(error).__module__:
                    self.wrong.append(error)
                return
            self.said, self.open, on = on, None, not on
            self.count += 1

    def may_be(self) -> set[bool]:
        return {on for on in (self.said, self.open) if on is not None} | ({False} if self.said is None else set())


class Sharing(Acts):
    def __init__(self, client: Client, session: str) -> None:
        super().__init__(client)
        self.session = session

    def act(self, on: bool) -> None:
        answer = self.client.request("POST" if on else "DELETE", f"/session/{self.session}/share")
        assert answer.status == (201 if on else 200), answer.body


class Switching(Acts):
    def act(self, on: bool) -> None:
        answer = self.client.request("PUT", "/admin/switches", {
            "name": "tool:list_datasources", "off": on, **({"sentence": SENTENCE} if on else {})})
        assert answer.status == 200, answer.body


@pytest.mark.parametrize("seed", [1])
def test_a_gateway_killed_while_it_shares_and_switches_leaves_both_whole(bare: Stack, seed: int) -> None:
    stack = bare.start(gateways=2)
    chance = random.Random(seed)
    alice, bob, admin = stack.client(gateway=1), stack.client("bob", gateway=1), stack.client(ADMIN, gateway=1)
    session = alice.session()
    alice.ask(session, "hello")
    acts = unanswered = 0
    for _ in range(ROUNDS):
        alice.request("DELETE", f"/session/{session}/share")
        admin.request("PUT", "/admin/switches", {"name": "tool:list_datasources", "off": False})
        sharing = Sharing(stack.client(), session)
        switching = Switching(stack.client(ADMIN))
        sharing.start()
        switching.start()
        until(lambda: sharing.count > 1 and switching.count > 1, "both to act")
        time.sleep(chance.random() * 0.02)
        stack.gateways[0].process.kill()
        for one in (sharing, switching):
            one.join(20)
            assert not one.is_alive() and not one.wrong, one.wrong
            acts, unanswered = acts + one.count, unanswered + (one.open is not None)
        share = alice.get(f"/session/{session}").json()["share_id"]
        assert (share is not None) in sharing.may_be()
        if share:
            assert bob.get(f"/shared/{share}").status == 200

        def switches() -> list[dict]:
            return admin.get("/admin/switches").json()["switches"]

        until(lambda: bool(switches()) in switching.may_be(), "the other gateway to hear of it")
        assert all(s["name"] == "tool:list_datasources" and s["sentence"] == SENTENCE and s["by"] == ADMIN for s in switches())
        stack.gateways[0].start().wait_ready()
        assert stack.client().get(f"/session/{session}").json()["share_id"] == share
        assert stack.client(ADMIN).get("/admin/switches").json()["switches"] == switches()
        if share:
            assert alice.request("DELETE", f"/session/{session}/share").status == 200
            assert bob.get(f"/shared/{share}").code == "session_not_found"
    print(f"{acts} acts, {unanswered} of them open when it was killed")
