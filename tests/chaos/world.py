"""The processes of a chaos run, each worker behind lines that the test can hold or cut; and one round: turns
are brought into every state, something happens, and then everything must come out right."""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.checker import Wrong, check_conversation, check_replay, check_view, completed
from chaos.lines import Line, StoreLine
from chaos.turns import STATES, Person, Turn, replay
from fakes import perses as fake_perses
from fakes.server import Exchange, Request
from fakes.upstream import Upstream, prometheus
from harness.client import Client
from harness.stack import Gateway, Stack, Worker, metrics
from harness.wait import until

LEASE_MS = 2000


def within(condition: Callable[[], bool], seconds: float) -> bool:
    """For an aim that may be missed: what was hit is looked at when it happens."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


@dataclass
class Guarded:
    """A worker and its lines."""

    worker: Worker
    store: StoreLine
    brokers: list[Line]

    @property
    def pid(self) -> int:
        return self.worker.process.pid

    def cut(self) -> None:
        for line in (self.store, *self.brokers):
            line.cut()

    def heal(self) -> None:
        for line in (self.store, *self.brokers):
            line.heal()


class World:
    """Two gateways, two workers of little capacity, Redis, a scripted model, a Perses whose datasource waits
    when it is told to."""

    def __init__(self, folder: Path, capacity: int, curve: bool = False) -> None:
        self.turns: dict[str, Turn] = {}  # by the label that its tool asks for
        self.upstream = Upstream()
        self.upstream.behave = self.fetch  # type: ignore[method-assign]
        self.perses = fake_perses.Perses(self.upstream.url)
        self.perses.behave = self.dashboards
        self.boards: dict[str, dict] = {}
        self.stack = Stack(folder, self.perses.url, self.perses.sign_in, curve)
        self.env = {"PERSAI_LEASE": f"{LEASE_MS}ms", "PERSAI_DRAIN": "1500ms"}
        self.capacity = capacity
        self.serial = 0
        self.guarded: list[Guarded] = []

    def start(self) -> "World":
        self.start_store()
        for _ in range(2):
            self.stack.add_gateway(**self.env)
        for _ in range(2):
            self.add_worker()
        self.wait_whole()
        return self

    def start_store(self) -> None:
        self.stack.redis.start()

    def store_line(self) -> tuple[StoreLine, str]:
        """What a worker gets for Redis."""
        line = StoreLine(self.stack.redis.port)
        return line, f"redis://127.0.0.1:{line.port}/0"

    def add_worker(self) -> None:
        store, url = self.store_line()
        brokers = [Line(int(g.broker.rsplit(":", 1)[1])) for g in self.stack.gateways]
        worker = self.stack.add_worker(
            PERSAI_REDIS=url, PERSAI_GATEWAYS=",".join(f"tcp://127.0.0.1:{b.port}" for b in brokers),
            PERSAI_CAPACITY=str(self.capacity), **self.env)
        self.guarded.append(Guarded(worker, store, brokers))

    def fetch(self, exchange: Exchange, request: Request) -> None:
        turn = self.turns.get(request.path.split("/label/")[-1].split("/")[0])
        if turn:
            turn.fetch(exchange.hang)
        prometheus(exchange, request)

    def dashboards(self, exchange: Exchange, request: Request) -> bool:
        """As Perses keeps them: the last write counts, whoever made it."""
        name = request.path.removeprefix("/api/v1/projects/chaos/dashboards/")
        if name == request.path or self.perses.who(request) is None:
            return False
        board = self.boards.setdefault(name, {
            "kind": "Dashboard", "metadata": {"name": name, "project": "chaos", "version": 0},
            "spec": {"display": {"name": name}, "duration": "1h", "panels": {}, "layouts": []}})
        turn = self.turns.get(name)
        if request.method == "PUT":
            if turn and turn.saves == "before":
                turn.fetch(exchange.hang)
            new = json.loads(request.body)
            new["metadata"]["version"] = self.boards[name]["metadata"]["version"] + 1
            board = self.boards[name] = new
            if turn and turn.saves == "after":
                turn.fetch(exchange.hang)
        exchange.reply(200, json.dumps(board).encode())
        return True

    @property
    def redis(self):
        return self.stack.redis.client

    def store_lines(self) -> list[StoreLine]:
        return list({id(g.store): g.store for g in self.guarded}.values())

    def restart(self) -> None:
        """What is dead is started again."""
        if not self.stack.redis.process.running():
            self.stack.redis.start()
        for one in (*self.stack.gateways, *self.stack.workers):
            if not one.process.running():
                one.start()

    def wait_whole(self) -> None:
        """Everything runs, knows each other, and has nothing to do."""
        for gateway in self.stack.gateways:
            gateway.wait_ready(40)
            until(lambda g=gateway: metrics(g.url)["persai_workers"] == len(self.stack.workers),
                  f"all workers at {gateway.process.name}", 40)
        for worker in self.stack.workers:
            until(lambda w=worker: metrics(w.url)["persai_worker_turns_running"] == 0, f"{worker.process.name} to rest", 40)

    def wait_known(self, one: Gateway | Worker) -> None:
        """It takes part again."""
        if isinstance(one, Gateway):
            one.wait_ready(40)
            return
        for gateway in self.stack.gateways:
            until(lambda g=gateway: metrics(g.url)["persai_workers"] == len(self.stack.workers),
                  f"all workers at {gateway.process.name}", 40)

    def clients(self, first: int = 0) -> list[Client]:
        """A signed-in person's ways in, the one at that gateway first."""
        cookies = self.perses.sign_in("alice")
        order = [*self.stack.gateways[first:], *self.stack.gateways[:first]]
        return [Client(g.url, dict(cookies)) for g in order]

    def stop(self) -> None:
        for g in self.guarded:
            g.store.stop()
            for line in g.brokers:
                line.stop()
        self.stack.stop()
        self.perses.stop()
        self.upstream.stop()


@dataclass
class Sight:
    """A turn as Redis has it."""

    state: str = ""
    epoch: int = 0
    pid: int = 0  # of the process that holds it, or held it last
    loaded: int = 0
    last: str = ""

    @property
    def nobodys(self) -> bool:
        return self.state == "awaiting" or (self.state == "running" and self.loaded != self.epoch)


@dataclass
class Round:
    world: World
    rng: random.Random
    each: int  # turns in each state
    hits: Counter = field(default_factory=Counter)
    turns: list[Turn] = field(default_factory=list)
    frozen: bool = False

    # ---- setting up ----

    def set_up(self) -> None:
        world = self.world
        world.wait_whole()
        running = [s for s in STATES if s not in ("queued", "awaiting")]
        assert self.each * len(running) == world.capacity * len(world.guarded)
        clients = world.clients()
        for _ in range(self.each):
            self.begin("awaiting", clients)
        self.wait_for(self.turns)
        for _ in range(self.each):
            for state in self.rng.sample(running, len(running)):
                self.begin(state, clients)
        self.wait_for(self.turns)
        for _ in range(self.each):
            self.begin("queued", clients)
        self.wait_for([t for t in self.turns if t.state == "queued"])
        self.watch()
        self.hold_finals()
        self.hold_seals()

    def begin(self, state: str, clients: list[Client]) -> None:
        world, rng = self.world, self.rng
        world.serial += 1
        seal = rng.choice(["reply", "results"]) if state == "sealing" else ""
        step = 1 if state == "final" else 0 if state in ("tool", "queued") or seal == "results" else rng.randrange(2)
        saves = rng.choice(["before", "after"])
        if not (state == "awaiting" or ((state == "tool" or seal == "results") and rng.random() < 0.5)):
            saves = ""
        turn = Turn(f"t{world.serial}-{state}", state, step, seal, saves)
        turn.script(world.stack.model)
        world.turns[turn.label] = turn
        turn.person = Person(clients, turn, clients[0].session(), post_stream=rng.random() < 0.5)
        self.turns.append(turn)

    def wait_for(self, turns: list[Turn]) -> None:
        def standing() -> bool:
            for turn in turns:
                problems = [p.problem for p in turn.views() if p.problem]
                if problems:
                    raise Wrong(f"{turn.name}: {problems}")
            return all(turn.reached() for turn in turns)

        try:
            until(standing, "all turns to stand where they shall", 30)
        except AssertionError as error:
            raise Wrong(f"{error}: {[t.name for t in turns if not t.reached()]}") from error

    def watch(self) -> None:
        """Some turns have more than one client, at the other gateway."""
        others = self.world.clients(1)
        for turn in self.turns:
            if self.rng.random() < 0.25:
                assert turn.person is not None
                turn.watchers.append(Person(others, turn, turn.person.session, post_stream=False,
                                            turn_id=turn.person.turn_id))

    def of(self, state: str) -> list[Turn]:
        return [t for t in self.turns if t.state == state]

    def hold_finals(self) -> None:
        """Their gateway stands still: their workers seal the end, and the client is told nothing of it."""
        self.world.stack.gateway.process.signal(signal.SIGSTOP)
        self.frozen = True
        for turn in self.of("final"):
            turn.gate.open()
        until(lambda: all(s.state == "done" for t, s in self.look().items() if t.state == "final"),
              "the ends to be stored", 20)

    def hold_seals(self) -> None:
        turns = self.of("sealing")

        def quiet() -> bool:
            """All that was said is stored: else a seal would wait behind it."""
            sights = self.look()
            return all(t.person and t.person.log() and sights[t].last == self.said(t) for t in turns)

        within(quiet, 3)
        sessions = [t.person.session for t in turns if t.person]
        for line in self.world.store_lines():
            line.hold(sessions, self.rng.choice(["command", "answer"]))
        for turn in turns:
            turn.gate.open()

        def sent() -> bool:
            return set().union(*(line.seen for line in self.world.store_lines())) >= set(sessions)

        within(sent, 1)  # one that waits behind a say whose answer is held is no hit

    def said(self, turn: Turn) -> str:
        """The id of the last event before its gate."""
        assert turn.person is not None
        return turn.person.log()[-1].id

    def look(self) -> dict[Turn, Sight]:
        pipe = self.world.redis.pipeline(transaction=False)
        for turn in self.turns:
            assert turn.person is not None
            pipe.hmget(f"p:t:{{{turn.person.session}}}:{turn.person.turn_id}",
                       "state", "epoch", "holder", "loaded", "le", "ls")
        sights = {}
        for turn, row in zip(self.turns, pipe.execute()):
            state, epoch, holder, loaded, le, ls = (v.decode() if v else "" for v in row)
            pid = int(holder.split(":")[1]) if holder else 0
            sights[turn] = Sight(state, int(epoch or 0), pid, int(loaded or 0), f"{le}-{ls}")
        return sights

    # ---- what happens ----

    def hit(self, wanted: Callable[[Sight], bool] = lambda s: True) -> list[Turn]:
        """Just before it happens: which of the turns that it concerns stand where they shall?"""
        sights = self.look()
        hit = [t for t in self.turns if wanted(sights[t]) and self.stands(t, sights[t])]
        self.hits.update(t.state for t in hit)
        return hit

    def stands(self, turn: Turn, sight: Sight) -> bool:
        assert turn.person is not None
        ended = any(e.final and e.type != "turn_awaiting_input" for e in turn.person.log())
        if turn.state == "final":
            return sight.state == "done" and not ended
        if turn.state == "awaiting":
            return sight.state == "awaiting"
        if ended or not (sight.state == "running" or turn.state == "sealing"):
            return False
        if turn.state == "queued":
            return sight.loaded != sight.epoch
        if turn.state == "sealing":
            return any(turn.person.session in line.seen for line in self.world.store_lines())
        return turn.gate.reached.is_set() and not turn.gate.opened.is_set()

    def of_worker(self, victim: Guarded) -> Callable[[Sight], bool]:
        """What no worker has waits for whichever, so that it is concerned too."""
        return lambda s: s.pid == victim.pid or s.nobodys

    def thaw(self) -> None:
        gateway = self.world.stack.gateway.process
        if self.frozen and gateway.running():
            gateway.signal(signal.SIGCONT)
        self.frozen = False

    def release(self, but: Guarded | None = None) -> None:
        for line in self.world.store_lines():
            if but is None or line is not but.store:
                line.release()

    def open_gates(self, but: list[Turn] | None = None) -> None:
        for turn in self.turns:
            if turn not in (but or []):
                turn.gate.open()

    def go_on(self) -> None:
        self.thaw()
        self.release()
        self.open_gates()

    def back(self, views: Callable[[Turn], list[Person]]) -> bool:
        """All have come again, but who has the end already, or waits to be asked for a yes."""
        return all(p.connections > 1 or p.done() or p.waiting.is_set() for t in self.turns for p in views(t))

    def victim(self) -> tuple[Guarded, Guarded]:
        """One of the two workers, and the other one."""
        first = self.rng.randrange(2)
        return self.world.guarded[first], self.world.guarded[1 - first]

    # ---- what must come out ----

    def wait_ends(self, turns: list[Turn] | None = None, seconds: float = 60) -> None:
        people = [p for t in (turns or self.turns) for p in t.views()]

        def over() -> bool:
            bad = [f"{p.turn.name}: {p.problem}" for p in people if p.problem]
            if bad:
                raise Wrong("; ".join(bad[:4]))
            return all(p.done() for p in people)

        end = time.monotonic() + seconds
        while not over():
            if time.monotonic() > end:
                open_ones = {t: s for t, s in self.look().items() if not all(p.done() for p in t.views())}
                raise Wrong("no end: " + "; ".join(
                    f"{t.name} {s} of {[str(e) for e in t.person.log()[-2:]]}"  # type: ignore[union-attr]
                    for t, s in list(open_ones.items())[:5]))
            time.sleep(0.02)

    def check(self, ends: Callable[[Turn], set[str]] = lambda t: {"turn_complete"}) -> None:
        clients = self.world.clients(self.rng.randrange(2))
        for turn in self.turns:
            try:
                self.check_turn(turn, ends(turn), self.rng.choice(clients))
            except AssertionError as error:
                person = turn.person
                raise Wrong(f"{turn.name} (session {person.session} turn {person.turn_id}): {error}\n" + "\n".join(
                    str(e) for e in person.log())) from error
        for turn in self.turns:
            self.world.turns.pop(turn.label)
        self.world.stack.model.scripts.clear()

    def check_turn(self, turn: Turn, ends: set[str], client: Client) -> None:
        person = turn.person
        assert person is not None
        stored = replay(client, turn)
        for view in turn.views():
            check_view(view.log(), turn.spoken, ends)
            check_replay(view.log(), stored)
            if view.lost != completed(view.log())[:len(view.lost)]:
                raise Wrong(f"steps that were final are lost: {view.lost}")
            for step, seen in view.seen.items():
                self.check_once(turn, int(step.rsplit("-", 1)[1]), seen)
        check_conversation(person.log(), turn.question, client.messages(person.session))
        if turn.saves:
            self.check_panel(turn, ends)

    def check_panel(self, turn: Turn, ends: set[str]) -> None:
        """Approved is applied, exactly once."""
        panels = self.world.boards.get(turn.label, {"spec": {"panels": {}}})["spec"]["panels"]
        if ends == {"turn_complete"} and len(panels) != 1 or len(panels) > 1:
            raise Wrong(f"{len(panels)} panels")
        if turn.withdrawn and panels:
            raise Wrong("a panel that nobody approved")

    @staticmethod
    def check_once(turn: Turn, step: int, seen: float) -> None:
        """What was complete is not run again."""
        times = {1: turn.asked[0], 2: turn.fetched, 3: turn.asked[1]}[step]
        late = [at - seen for at in times if at > seen]
        if late:
            raise Wrong(f"step {step} ran again, {late[0]:.3f} s after its client had seen it complete")
