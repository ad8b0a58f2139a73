"""A turn is live at any gateway: at one that does not drive it, its events come from its worker."""

import signal
import time
from collections.abc import Callable, Iterator

import pytest

from chaos.lines import Line
from fakes.model import Attempts, Call, Gate, Ticking
from harness.approvals import Dashboard, Waiting
from harness.client import Client
from harness.clock import by_the_clock
from harness.sse import Log, Stream
from harness.stack import Stack, Worker, metric, metrics
from harness.wait import SLOWNESS, until

# Nothing that is streamed is stored before it is complete: what a follower has of it came live.
NOT_STORED = {"PERSAI_FLUSH": "10s"}


def two(bare: Stack, workers: int = 1, **env: str) -> tuple[Stack, Client, Client]:
    """Two gateways, and a client of each."""
    stack = bare.start(gateways=2, workers=workers, worker_env={**NOT_STORED, **env})
    return stack, stack.client(gateway=0), stack.client(gateway=1)


def stored(stack: Stack, session: str, turn: str) -> tuple[int, int]:
    """The last event that Redis has."""
    found = stack.redis.client.hmget(f"p:t:{{{session}}}:{turn}", "le", "ls")
    return int(found[0] or 0), int(found[1] or 0)


def scripts(stack: Stack) -> int:
    stats = stack.redis.client.info("commandstats")
    return sum(int(stats[f"cmdstat_{name}"]["calls"]) for name in ("evalsha", "eval", "evalsha_ro")
               if f"cmdstat_{name}" in stats)


@pytest.fixture
def lines(bare: Stack) -> Iterator[list[Line]]:
    """Between a broker and its workers; ended with the test."""
    if bare.keys:
        pytest.skip("a broker with keys has a name of its own")
    made: list[Line] = []
    yield made
    for line in made:
        line.stop()


@pytest.mark.core
def test_a_follower_elsewhere_waits_for_no_write(bare: Stack) -> None:
    """From the turn's start, from its middle, and of what was said before anybody followed."""
    stack, here, there = two(bare)
    gates = [Gate(), Gate()]
    stack.model.when("far", ["one ", gates[0], "two ", gates[1], "three"])
    session = here.session()
    turn = here.start(session, "far")
    gates[0].wait()
    first = there.events(session, turn)
    first.wait_text("one ")
    assert stored(stack, session, turn) == (1, 1), "what was streamed is stored already"
    gates[0].open()
    first.wait_text("one two ")
    again = there.events(session, turn, after=first.last_id)
    late = here.events(session, turn, after="1-1")
    late.wait_text("one two ")
    assert stored(stack, session, turn) == (1, 1)
    gates[1].open()
    log = first.finish()
    assert log.answer() == log.text() == "one two three"
    assert late.finish() == log[1:] and again.finish() == Log(e for e in log if e.seq > int(again.after.split("-")[1]))
    assert metric(there.base, "persai_follows_total") == 1


def test_the_store_is_not_asked_for_what_is_coming(bare: Stack) -> None:
    stack, here, there = two(bare, PERSAI_FLUSH="1s")
    tick = Ticking(0.02)
    stack.model.when("ticking", [tick])
    session = here.session()
    turn = here.start(session, "ticking")
    stream = there.events(session, turn)
    until(lambda: tick.sent > 5 and stream.last_id is not None, "some of the answer")
    until(lambda: metric(there.base, "persai_follows_total") == 1, "B to follow it")
    reads, before, began = metric(there.base, "followers_behind"), scripts(stack), time.monotonic()
    sent = tick.sent
    until(lambda: tick.sent > sent + 100, "100 tokens more", 30)
    spent, asked = scripts(stack) - before, metric(there.base, "followers_behind") - reads
    seconds = time.monotonic() - began
    tick.enough.set()
    assert stream.finish().answer() == tick.text()
    print(f"{spent} scripts and {asked:.0f} reads of followers in {seconds:.1f} s and 100 tokens")
    assert asked == 0
    # A say each second, the leases of turn and quota, and what two janitors look at.
    assert spent <= 6 * seconds + 6


def test_what_nobody_follows_any_more_is_not_sent(bare: Stack) -> None:
    stack, here, there = two(bare)
    tick = Ticking(0.02)
    stack.model.when("ticking", [tick])
    session = here.session()
    turn = here.start(session, "ticking")
    for count in range(1, 6):  # each leaves, and the next comes at once
        stream = there.events(session, turn)
        stream.wait_for("step_progress", count)
        stream.close()

    def came() -> float:
        return metric(there.base, "persai_stream_events_total") + metric(there.base, "persai_stream_events_dropped_total")

    until(lambda: metric(there.base, "persai_streams") == 0, "the last one to have left")
    until(lambda: not grows(came, tick), "B to be sent nothing more")
    assert here.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    tick.enough.set()


def grows(count: Callable[[], float], tick: Ticking) -> bool:
    """While the model says 20 tokens more."""
    before, sent = count(), tick.sent
    until(lambda: tick.sent >= sent + 20, "20 tokens more")
    return count() > before


def test_the_driving_gateway_may_die(bare: Stack) -> None:
    stack, here, there = two(bare)
    gates = [Gate(), Gate()]
    stack.model.when("orphan", ["one ", gates[0], "two ", gates[1], "three"])
    session = here.session()
    turn = here.start(session, "orphan")
    stream = there.events(session, turn)
    gates[0].wait()
    stream.wait_text("one ")
    stack.gateways[0].process.kill()
    gates[0].open()
    stream.wait_text("one two ")
    gates[1].open()
    log = stream.finish()
    assert log.answer() == log.text() == "one two three" and {e.epoch for e in log} == {1}


def test_the_following_gateway_may_die(bare: Stack) -> None:
    """Its client goes on at another, and at the same one when that is back: at once, with what is not stored."""
    stack, here, there = two(bare)
    gates = [Gate(), Gate()]
    stack.model.when("moves", ["one ", gates[0], "two ", gates[1], "three"])
    session = here.session()
    turn = here.start(session, "moves")
    stream = there.events(session, turn)
    gates[0].wait()
    stream.wait_text("one ")
    log = stream.log
    stack.gateways[1].process.kill()
    gates[0].open()
    gates[1].wait()
    stack.gateways[1].process.start()
    stack.gateways[1].wait_ready()
    stream = there.events(session, turn, after=log[-1].id)
    stream.wait_text("two ")
    assert stored(stack, session, turn) == (1, 1)
    gates[1].open()
    log += stream.finish()
    assert log.text() == "one two three" and metric(there.base, "persai_follows_total") >= 1


def test_the_worker_may_die(bare: Stack) -> None:
    """The next one is followed; the client's one connection goes on."""
    stack, here, there = two(bare, workers=2)
    gates = [Gate(), Gate()]
    stack.model.when("again", Attempts(["lost ", gates[0]], ["This is ", gates[1], "the answer."]))
    session = here.session()
    turn = here.start(session, "again")
    stream = there.events(session, turn)
    gates[0].wait()
    stream.wait_text("lost ")
    stack.working().process.kill()
    gates[1].wait(40)
    stream.wait_text("This is ", 40)
    assert stored(stack, session, turn)[0] == 1, "what was streamed in the second epoch is stored already"
    gates[1].open()
    log = stream.finish()
    assert log.answer() == log.text() == "This is the answer." and {e.epoch for e in log} == {1, 2}


def test_without_a_link_to_the_worker_the_store_is_asked(bare: Stack, lines: list[Line]) -> None:
    """The line between the worker and B breaks, and heals: nothing is missing, nothing comes twice."""
    stack = bare.start(gateways=2, workers=0)
    lines.append(Line(int(stack.gateways[1].broker.rsplit(":", 1)[1])))
    broken = lines[0]
    worker = stack.add_worker(PERSAI_GATEWAYS=f"{stack.gateways[0].broker},tcp://127.0.0.1:{broken.port}",
                              PERSAI_FLUSH="200ms")
    stack.wait_worker(worker)
    for gateway in stack.gateways:
        gateway.wait_ready()
    here, there = stack.client(gateway=0), stack.client(gateway=1)
    tick = Ticking(0.02)
    stack.model.when("ticking", [tick])
    session = here.session()
    turn = here.start(session, "ticking")
    stream = there.events(session, turn)
    until(lambda: seq_of(stream) > 10, "some of the answer")
    broken.cut()
    broken.sever()
    until(lambda: metrics(there.base)["persai_workers"] == 0, "B to give its link up", 30)
    before = seq_of(stream)
    until(lambda: seq_of(stream) > before + 20, "text by way of the store")
    broken.heal()
    until(lambda: metric(there.base, "persai_follows_total") >= 2, "B to follow it again", 30)
    before = seq_of(stream)
    until(lambda: seq_of(stream) > before + 20, "text by the link")
    tick.enough.set()
    assert stream.finish().answer() == tick.text()


@pytest.mark.parametrize("beat,all_break", [("200ms", True), ("1s", False)])
def test_links_that_break_are_no_deaths(bare: Stack, lines: list[Line], beat: str, all_break: bool) -> None:
    """Again and again, all at once or that of the worker at work, which is back before anybody misses it."""
    stack = bare.start(gateways=1, workers=0, gateway_env={"PERSAI_BEAT": beat, "PERSAI_DEAD": "5s"})
    for _ in range(4):
        lines.append(Line(int(stack.gateways[0].broker.rsplit(":", 1)[1])))
        stack.wait_worker(stack.add_worker(PERSAI_GATEWAYS=f"tcp://127.0.0.1:{lines[-1].port}"))
    stack.gateways[0].wait_ready()
    until(lambda: metrics(stack.gateways[0].url)["persai_workers"] == len(lines), "all workers")
    stream, tick = ticking(stack)
    epoch = 0
    for _ in range(6):
        epoch = text_of_epoch(stream, epoch + 1)
        at_work = until(lambda: holder(stack), "who holds the turn")
        for line, worker in zip(lines, stack.workers):
            if all_break or worker is at_work:
                line.sever()
    text_of_epoch(stream, epoch + 1)
    tick.enough.set()
    assert stream.finish().final()["event_type"] == "turn_complete"


def test_who_has_two_links_to_a_gateway_dies_all_the_same(bare: Stack, lines: list[Line]) -> None:
    """A gateway that a worker knows by two addresses: the second link is no sign that the worker lives."""
    stack = bare.start(gateways=1, workers=0)
    port = int(stack.gateways[0].broker.rsplit(":", 1)[1])
    lines.append(Line(port))
    worker = stack.add_worker(PERSAI_GATEWAYS=f"tcp://127.0.0.1:{port},tcp://127.0.0.1:{lines[0].port}")
    stack.wait_worker(worker)
    stack.gateways[0].wait_ready()
    stream, _ = ticking(stack)
    for epoch in range(1, 4):
        text_of_epoch(stream, epoch)
        until(lambda epoch=epoch: stack.gateways[0].process.log_bytes().count(b"worker.leaves") >= epoch, "it to leave one")
        worker.process.kill()
        worker.process.start()
    assert stream.finish().final()["code"] == "worker_lost"


def holder(stack: Stack) -> Worker | None:
    """The worker that the store says has the only turn: another may not know yet that it has lost it."""
    name = stack.redis.client.hget(next(stack.redis.client.scan_iter("p:t:*")), "holder").decode()
    return next((w for w in stack.workers if w.process.child and f":{w.process.child.pid}:" in name), None)


def ticking(stack: Stack) -> tuple[Stream, Ticking]:
    """A turn whose model says a word each 20 ms, until it is told to end."""
    client, tick = stack.client(), Ticking(0.02)
    stack.model.when("ticking", [tick])
    session = client.session()
    return client.events(session, client.start(session, "ticking")), tick


def test_a_machine_that_dies_ends_no_turn(bare: Stack) -> None:
    """Four of five workers are killed at once, wherever the turn goes next."""
    stack = bare.start(gateways=1, workers=5)
    stream, tick = ticking(stack)
    epoch = text_of_epoch(stream, 1)
    runs = stack.working()
    for worker in [runs, *(w for w in stack.workers if w is not runs)][:4]:
        worker.process.kill()
    text_of_epoch(stream, epoch + 1)
    tick.enough.set()
    assert stream.finish().final()["event_type"] == "turn_complete"


def test_a_long_turn_outlives_a_death_in_each_step(bare: Stack) -> None:
    """Three deaths end a turn that does not get on; this one does, between them."""
    stack = bare.start(gateways=1, workers=2)
    client, gates = stack.client(), [Gate() for _ in range(4)]
    stack.model.when("long", *(["I look. ", gate, Call("find_tools", {"words": "logs"})] for gate in gates), ["All seen."])
    session = client.session()
    stream, epoch = client.events(session, client.start(session, "long")), 0
    for gate in gates:
        epoch = text_of_epoch(stream, epoch + 1)
        dead = stack.working().process
        dead.kill()
        epoch = text_of_epoch(stream, epoch + 1)
        dead.start()
        done = len(stream.log.of("step_complete"))
        gate.open()
        until(lambda done=done: len(stream.log.of("step_complete")) >= done + 2, "the model's step and the tool's", 30)
        epoch -= 1  # the next step's text is of the same epoch
    assert stream.finish().answer() == "All seen."


def text_of_epoch(stream: Stream, epoch: int) -> int:
    """Waits for text of this epoch or a later one."""
    until(lambda: stream.ended.is_set() or [e for e in stream.log if e.epoch >= epoch and e.type == "step_progress"],
          f"text of epoch {epoch}", 30)
    assert not stream.ended.is_set(), f"the turn ended: {stream.log[-1]}"
    return stream.log[-1].epoch


def seq_of(stream: Stream) -> int:
    return int((stream.last_id or "0-0").split("-")[1])


def test_who_followed_a_dead_worker_elsewhere_waits_as_the_others_do(bare: Stack) -> None:
    """What it has seen live was not stored, and its turn is queued under the next epoch for longer than a lease."""
    bare.start(gateways=2, workers=1, gateway_env={"PERSAI_LEASE": "2s"}, worker_env={**NOT_STORED, "PERSAI_LEASE": "2s"})
    here, there = bare.client(gateway=0), bare.client(gateway=1)
    gate = Gate()
    bare.model.when("far", Attempts(["one ", "two ", gate], ["all of it"]))
    session = here.session()
    turn = here.start(session, "far")
    live = there.events(session, turn)
    live.wait_text("one two ")
    bare.workers[0].process.kill()
    back = there.events(session, turn, after=live.last_id)
    assert not live.ended.wait(16) and not back.ended.is_set(), (live.parser.given_up, back.parser.given_up)
    bare.workers[0].start()
    log = live.finish()
    assert log.answer() == "all of it" and back.finish() == Log(e for e in log if e.epoch > 1)


def test_a_gateway_that_freezes_takes_nothing_from_its_workers(bare: Stack) -> None:
    """However often, and for longer than its workers wait for it: they run on what they run for it, and what ended meanwhile
    has its end at that gateway, too."""
    stack, here, there = two(bare, workers=2)
    tick, gate = Ticking(0.02), Gate()
    stack.model.when("ticking", [tick])
    stack.model.when("short", ["one ", gate, "two"])
    session, other = here.session(), here.session()
    turn, short = here.start(session, "ticking"), here.start(other, "short")
    streams = [one.events(session, turn) for one in (here, there)] + [here.events(other, short)]
    streams[2].wait_text("one ")
    driver = stack.gateways[0].process

    def links_lost() -> int:
        return sum(worker.process.log_bytes().count(b"to=LOST") for worker in stack.workers)

    for _ in range(3):
        lost, seen = links_lost(), len(streams[0].parser.events)
        driver.signal(signal.SIGSTOP)
        until(lambda lost=lost: links_lost() == lost + 2, "both workers to give it up", 20)
        gate.open()
        driver.signal(signal.SIGCONT)
        until(lambda seen=seen: len(streams[0].parser.events) > seen + 120, "its own followers to go on", 20)
    tick.enough.set()
    logs = [stream.finish() for stream in streams]
    assert logs[0].answer() == logs[1].answer() == tick.text() and logs[2].answer() == "one two"
    assert [e.epoch for log in logs for e in log if e.epoch != 1] == []
    assert len(stack.model.chats("ticking")) == len(stack.model.chats("short")) == 1
    assert here.get(f"/session/{session}").json()["turn"] is None


@pytest.mark.parametrize("gateway", [0, 1])
def test_a_cancel_that_its_worker_did_not_live_to_hear(bare: Stack, gateway: int) -> None:
    """It was accepted while the worker still held the turn: no other worker is needed to end it."""
    stack, here, there = two(bare)
    stack.model.when("far", ["one ", Gate()])
    session = here.session()
    turn = here.start(session, "far")
    streams = [one.events(session, turn) for one in (here, there)]
    for stream in streams:
        stream.wait_text("one ")
    stack.workers[0].process.signal(signal.SIGSTOP)
    assert (here, there)[gateway].post(f"/session/{session}/turn/{turn}/cancel").status == 202
    stack.workers[0].process.kill()
    for stream in streams:
        assert stream.finish().types()[-1] == "turn_cancelled"
    assert here.get(f"/session/{session}").json()["turn"] is None


@by_the_clock
def test_a_cancel_at_any_gateway_is_seen_at_once(bare: Stack) -> None:
    stack, here, there = two(bare)
    waits = []
    for n, (asks, sees) in enumerate(((here, here), (here, there), (there, here), (there, there))):
        gate = Gate()
        stack.model.when(f"stop {n}", [f"began {n} ", gate, "never"])
        session = here.session()
        turn = here.start(session, f"stop {n}")
        stream = sees.events(session, turn)
        gate.wait()
        stream.wait_text(f"began {n} ")
        began = time.monotonic()
        assert asks.post(f"/session/{session}/turn/{turn}/cancel").status == 202
        assert stream.ended.wait(5 * SLOWNESS)
        waits.append(time.monotonic() - began)
        assert stream.finish().final()["event_type"] == "turn_cancelled"
        gate.open()
    print("ms from the request to the stream's end:", *(f"{1000 * wait:.0f}" for wait in waits))
    assert max(waits) < 1 * SLOWNESS, "a stop waits for something that is stored or asked for later"


@by_the_clock
def test_a_cancel_of_what_is_queued_is_seen_at_once_at_any_gateway(bare: Stack) -> None:
    """A queue is its gateway's own: that one hears of it by way of a worker, and the room is free again."""
    stack, here, there = two(bare, PERSAI_CAPACITY="1")
    gate = Gate()
    stack.model.when("busy", ["busy ", gate, "done"])
    stack.model.when("queued", ["never"])
    session = here.session()
    busy = here.start(session, "busy")
    gate.wait()
    waits = []
    for asks, sees in ((here, here), (here, there), (there, here), (there, there)):
        queued = here.session()
        turn = here.start(queued, "queued")
        stream = sees.events(queued, turn)
        until(lambda stream=stream: stream.last_id == "1-1", "its turn_start")
        until(lambda: metric(here.base, "persai_turns_queued") == 1, "it to wait")
        began = time.monotonic()
        assert asks.post(f"/session/{queued}/turn/{turn}/cancel").status == 202
        assert stream.ended.wait(5 * SLOWNESS)
        waits.append(time.monotonic() - began)
        assert stream.finish().final()["event_type"] == "turn_cancelled"
        until(lambda: metric(here.base, "persai_turns_queued") == 0, "the room to be free again")
    gate.open()
    assert here.events(session, busy).finish().answer() == "busy done"
    print("ms from the request to the stream's end:", *(f"{1000 * wait:.0f}" for wait in waits))
    assert max(waits) < 1 * SLOWNESS, "a stop waits for the next renewal of a lease"


@by_the_clock
def test_an_approval_at_any_gateway_is_seen_at_once(bare: Stack, board: Dashboard) -> None:
    """From the decision to the first event of what goes on, with the client of each gateway."""
    stack, here, there = two(bare)
    waits = []
    for n, (asks, sees) in enumerate(((here, here), (here, there), (there, here), (there, there))):
        gate = Gate()
        stack.model.when(f"save {n}", ["Shall I? ", board.call(f"Panel {n}")], [gate, "Saved."])
        waiting = Waiting(here, f"save {n}")
        stream = sees.events(waiting.session, waiting.turn, waiting.log[-1].id)
        until(lambda sees=sees: metric(sees.base, "persai_streams") == 1, "its stream")
        began = time.monotonic()
        assert waiting.decide(client=asks).status == 202
        until(lambda stream=stream: stream.last_id is not None, "what goes on")
        waits.append(time.monotonic() - began)
        gate.open()
        assert stream.finish().answer() == "Saved."
        until(lambda sees=sees: metric(sees.base, "persai_streams") == 0, "its end")
    print("ms from the decision to the first event:", *(f"{1000 * wait:.0f}" for wait in waits))
    assert max(waits) < 1 * SLOWNESS
