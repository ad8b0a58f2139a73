"""A dashboard of the real Perses that a model would change, and a turn that waits for its person to allow it."""

import itertools

from fakes.model import Call
from harness.client import Client, Response
from harness.services import ADMIN, Perses
from harness.sse import Log
from harness.stack import Stack

PROJECT = "approvals"
_numbers = itertools.count(1)


class Dashboard:
    """One of the real Perses, made for the test."""

    def __init__(self, perses: Perses, spec: dict | None = None) -> None:
        self.perses = perses
        self.cookies = perses.sign_in(ADMIN) if perses.auth else {}
        self.name = f"board-{next(_numbers)}"
        made = perses.api("POST", "/api/v1/projects", {"kind": "Project", "metadata": {"name": PROJECT}}, self.cookies)
        assert made.status in (200, 409), made
        body = {"kind": "Dashboard", "metadata": {"name": self.name, "project": PROJECT},
                "spec": spec or {"display": {"name": "Board"}, "duration": "1h", "panels": {}, "layouts": []}}
        made = perses.api("POST", f"/api/v1/projects/{PROJECT}/dashboards", body, self.cookies)
        assert made.status == 200, (made.status, made.body)

    @property
    def path(self) -> str:
        return f"/api/v1/projects/{PROJECT}/dashboards/{self.name}"

    def read(self) -> dict:
        answer = self.perses.api("GET", self.path, None, self.cookies)
        assert answer.status == 200, answer
        return answer.json()

    def write(self, dashboard: dict) -> None:
        answer = self.perses.api("PUT", self.path, dashboard, self.cookies)
        assert answer.status == 200, (answer.status, answer.body)

    def panels(self) -> dict[str, dict]:
        return self.read()["spec"].get("panels") or {}

    def titles(self) -> list[str]:
        return sorted(p["spec"]["display"]["name"] for p in self.panels().values())

    def call(self, title: str = "Kitchen", **more: object) -> Call:
        arguments = {"project": PROJECT, "dashboard": self.name, "title": title,
                     "query": 'room_temperature_celsius{room="kitchen"}', **more}
        return Call("save_panel", arguments, call_id=f"call_{title}")


class Waiting:
    """A turn that awaits its person's decision."""

    def __init__(self, client: Client, words: str = "save it", session: str = "", **body: object) -> None:
        self.client = client
        self.session = session or client.session()
        self.turn = client.start(self.session, words, **body)
        self.log = client.events(self.session, self.turn).finish()
        final = self.log.final()
        assert final["event_type"] == "turn_awaiting_input", final
        self.calls = final["turn"]["tool_calls"]

    @property
    def path(self) -> str:
        return f"/session/{self.session}/turn/{self.turn}/resume"

    def decide(self, approve: bool = True, client: Client | None = None, **more: object) -> Response:
        decisions = [{"call_id": c["call_id"], "approve": approve, "arguments_hash": c["arguments_hash"]}
                     for c in self.calls]
        return (client or self.client).post(self.path, {"decisions": decisions, **more})

    def rest(self, client: Client | None = None, seconds: float = 60) -> Log:
        """What comes after the decision."""
        return (client or self.client).events(self.session, self.turn, self.log[-1].id).finish(seconds)

    def state(self) -> dict | None:
        return self.client.get(f"/session/{self.session}").json()["turn"]


def saves(stack: Stack, *calls: Call) -> None:
    stack.model.when("save it", ["Shall I? ", *calls], ["Saved."])
