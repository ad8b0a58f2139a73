"""A turn of the chaos run: what the scripted model says in it, where it stops until the test goes on, and the
person who follows it as a good client does."""

import http.client
import json
import threading
import time

from chaos.checker import completed
from fakes.model import Call, Gate, Model
from harness.client import Client
from harness.sse import Log, Parser, check_log
from harness.wait import SLOWNESS

# Where a turn can stand when something happens to it.
STATES = {
    "queued": "accepted, no worker has it",
    "thinking": "the model was asked, no token has come",
    "mid-text": "some of a step's text was streamed",
    "tool": "a tool call runs",
    "sealing": "a seal was sent and is not answered",
    "awaiting": "a tool call waits for the person's yes",
    "final": "its end is stored and not delivered",
}
DATASOURCE = "/proxy/globaldatasources/prometheus"


class Turn:
    """Two steps of the model with a tool call between. Only the first attempt stops; where, says the state.
    saves: the tool is save_panel, which its person must approve: "before" and "after" say where its write
    stops in the states that stop in the tool, seen from what Perses stores."""

    def __init__(self, name: str, state: str, gated_step: int, seal: str = "", saves: str = "") -> None:
        self.name, self.state, self.seal, self.saves = name, state, seal, saves
        self.withdrawn = False  # nobody decides any more
        self.may_reload = False  # a client may be told that it has seen more than there is
        self.step = gated_step
        self.gate = Gate()
        self.lock = threading.Lock()
        self.spoken: dict[int, list[str]] = {0: [], 1: []}
        self.asked: dict[int, list[float]] = {0: [], 1: []}
        self.fetched: list[float] = []
        self.person: Person | None = None
        self.watchers: list[Person] = []

    @property
    def question(self) -> str:
        return f"question {self.name}?"

    @property
    def label(self) -> str:
        return self.name.replace("-", "_")

    def script(self, model: Model) -> None:
        model.when(self.question, lambda body: self.reply(0), lambda body: self.reply(1))

    def reply(self, step: int) -> list:
        with self.lock:
            attempt = len(self.spoken[step])
            # Names, not numbers: one that no result has would be given back to the model, or a note be set behind it.
            words = [f"{self.name} ", f"step{step} ", f"attempt{attempt} ", *(f"w{n} " for n in range(4))]
            self.spoken[step].append("".join(words))
            self.asked[step].append(time.monotonic())
        pieces: list = list(words)
        if attempt == 0 and step == self.step:
            if self.state == "thinking":
                pieces.insert(0, self.gate)
            elif self.state == "mid-text":
                pieces.insert(4, self.gate)
        if step == 0 and self.saves:
            pieces.append(Call("save_panel", {"project": "chaos", "dashboard": self.label, "title": self.name,
                                              "query": "up"}, call_id=f"call_{self.name}_{attempt}"))
        elif step == 0:
            pieces.append(Call("list_label_values", {"label": self.label}, call_id=f"call_{self.name}_{attempt}"))
        if attempt == 0 and step == self.step and (self.state == "final" or self.seal == "reply"):
            pieces.append(self.gate)
        return pieces

    def decides(self) -> bool:
        """Its person may say yes now."""
        return self.state != "awaiting" or self.gate.opened.is_set()

    def fetch(self, wait: "object") -> None:
        """The datasource is asked by this turn's tool."""
        with self.lock:
            first = not self.fetched
            self.fetched.append(time.monotonic())
        if first and (self.state == "tool" or self.seal == "results"):
            self.gate.reached.set()
            wait(self.gate.opened)  # type: ignore[operator]

    def reached(self) -> bool:
        """The model or the datasource stands where it was told to, and what was said before has arrived."""
        assert self.person is not None
        if self.state == "queued":
            return self.person.accepted.is_set()
        if self.state == "awaiting":
            return self.person.waiting.is_set()
        if not self.gate.reached.is_set():
            return False
        if self.state == "mid-text":
            return "w0 " in self.person.log().text().split(f"step{self.step} ")[-1]
        return True

    def views(self) -> "list[Person]":
        assert self.person is not None
        return [self.person, *self.watchers]


class Person(threading.Thread):
    """Asks (or only watches) and reads past the last id it has, at one gateway or the next, until the end."""

    def __init__(self, clients: list[Client], turn: Turn, session: str, *, post_stream: bool,
                 turn_id: str = "", seconds: float = 90) -> None:
        super().__init__(daemon=True)
        self.clients, self.turn, self.session, self.turn_id = clients, turn, session, turn_id
        self.post_stream, self.seconds = post_stream, seconds
        self.accepted = threading.Event()
        self.waiting = threading.Event()  # for its yes
        self.decided = False
        self.at = 0  # the gateway it talks to
        self.connections = 0
        self.sock = None
        self.events: list = []
        self.parser = Parser()
        self.seen: dict[str, float] = {}  # step_complete by step number
        self.lost: list[dict] = []  # the steps that it had seen complete before it was told to read all anew
        self.problem: str | None = None
        self.start()

    def log(self) -> Log:
        return Log([*self.events, *self.parser.events])

    def done(self) -> bool:
        return not self.is_alive()

    def cut(self) -> None:
        """Its line breaks."""
        sock = self.sock
        if sock is not None:
            try:
                sock.shutdown(2)
            except OSError:
                pass

    def run(self) -> None:
        end = time.monotonic() + self.seconds * SLOWNESS
        try:
            while True:
                if time.monotonic() > end:
                    raise AssertionError(f"no end within {self.seconds:g} s")
                log = self.log()
                awaits = log and log[-1].type == "turn_awaiting_input"
                if log and log[-1].final and not awaits:
                    return
                if awaits and not self.turn.decides():
                    self.waiting.set()
                    time.sleep(0.02)
                    continue
                try:
                    if awaits and not self.decided and not self.turn.withdrawn:
                        self.decide(log[-1].payload["turn"]["tool_calls"])
                    self.once(log[-1].id if log else None)
                except (OSError, http.client.HTTPException):
                    pass
                self.events, self.parser = list(self.log()), Parser()
                self.at += 1
                time.sleep(0.03)
        except BaseException as error:
            self.problem = f"{type(error).__name__}: {error}; log {[str(e) for e in self.log()[-4:]]}"

    def decide(self, calls: list[dict]) -> None:
        """Yes to all of them. Everybody who watches says so: two tabs are as good as one."""
        decisions = [{"call_id": c["call_id"], "approve": True, "arguments_hash": c["arguments_hash"]} for c in calls]
        answer = self.client().post(f"/session/{self.session}/turn/{self.turn_id}/resume", {"decisions": decisions})
        if answer.status == 503:
            raise OSError("no room, or nobody there: again")
        assert answer.status == 202, f"decided: {answer.status} {answer.body!r:.300}"
        self.decided = True

    def client(self) -> Client:
        return self.clients[self.at % len(self.clients)]

    def once(self, after: str | None) -> None:
        client = self.client()
        if not self.turn_id:
            headers = {"Idempotency-Key": "t " + self.turn.name, "Accept": "text/event-stream"}
            if not self.post_stream:
                headers["Prefer"] = "respond-async"
            connection, answer = client.send("POST", client.turn_path(self.session, DATASOURCE),
                                             {"message": self.turn.question}, headers, seconds=30)
        else:
            headers = {"Last-Event-ID": after} if after else {}
            path = f"/session/{self.session}/turn/{self.turn_id}/events"
            connection, answer = client.send("GET", path, headers=headers, seconds=30)
        try:
            self.sock = connection.sock
            self.connections += 1
            if answer.status == 202:
                self.turn_id = json.loads(answer.read())["turn_id"]
                self.accepted.set()
                self.at -= 1  # it was no failure: on at this gateway
            elif answer.status == 200:
                self.read(answer)
            else:
                body = answer.read()
                assert answer.status == 503, f"{answer.status} {body!r:.300}"
        finally:
            connection.close()

    def read(self, answer: http.client.HTTPResponse) -> None:
        while data := answer.read1(65536):
            known = len(self.parser.events)
            self.parser.feed(data)
            for event in self.parser.events[known:]:
                if event.type == "turn_start":
                    self.turn_id = event.payload["turn_id"]
                    self.accepted.set()
                elif event.type == "step_complete":
                    self.seen.setdefault(event.payload["step_details"]["step_id"], time.monotonic())
            if self.parser.given_up:
                self.give_up(self.parser.given_up)
                return

    def give_up(self, why: dict) -> None:
        assert why["code"] == "history_lost" and self.turn.may_reload, f"given up: {why}"
        self.lost = completed(self.log())
        self.events, self.parser, self.seen = [], Parser(), {}


def replay(client: Client, turn: Turn) -> Log:
    assert turn.person is not None
    log = client.events(turn.person.session, turn.person.turn_id).finish(30)
    check_log(log)
    return log
