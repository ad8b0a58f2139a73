"""Something is killed, and what was accepted is answered all the same."""

import signal
import threading

import pytest

from fakes.model import Attempts, Call, Gate
from harness.client import Client
from harness.sse import Log, check_log
from harness.stack import Gateway, Stack
from harness.wait import until
from harness.retry import begin


def final_of(session: str, client: Client) -> list[str]:
    return [m["content"] for m in client.messages(session) if m["role"] == "assistant"]


@pytest.mark.core
def test_a_worker_killed_mid_stream_is_replaced(bare: Stack) -> None:
    """The client's one connection goes on: the step is run again by the other worker, in the next epoch."""
    stack = bare.start(workers=2)
    gate = Gate()
    stack.model.when("survive", Attempts(["This will ", "be lo", gate], ["This is ", "the answer."]))
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "survive this")
    stream.wait_text("This will be lo")
    gate.wait()
    stack.working().process.kill()
    log = stream.finish(60)
    assert log.answer() == log.text() == "This is the answer."
    assert {e.epoch for e in log} == {1, 2}
    attempts = [(p["step_id"], p["attempt"]) for p in log.of("step_start")]
    assert len(attempts) == 2 and attempts[0][0] == attempts[1][0] and attempts[1][1] > attempts[0][1]
    turn = log.of("turn_start")[0]["turn_id"]
    assert alice.events(session, turn).finish().answer() == "This is the answer."
    assert final_of(session, alice) == ["This is the answer."]


def test_a_worker_killed_after_a_step_does_not_run_it_again(bare: Stack) -> None:
    """What was complete stays: tools that have answered are not asked a second time."""
    stack = bare.start(workers=2)
    gate = Gate()
    stack.model.when("two steps", ["First. ", Call("list_label_values", {"label": "room"})],
                     Attempts(["Sec", gate], ["Second."]))
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "two steps")
    stream.wait_text("First. Sec")
    gate.wait()
    before = stream.log.of("step_complete")
    assert len(before) == 2
    stack.working().process.kill()
    log = stream.finish(60)
    assert log.of("step_complete")[:2] == before and log.answer() == "Second."
    assert len(log.tools()) == 1
    assert [m["role"] for m in alice.messages(session)] == ["user", "assistant", "tool", "assistant"]
    # The model's first step was asked once.
    assert sum(1 for c in stack.model.chats("two steps") if c["messages"][-1]["role"] == "user") == 1


def test_the_only_worker_dies_and_another_comes(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("alone", Attempts(["a", gate], ["b"]))
    alice = stack.client()
    stream = alice.turn(alice.session(), "alone")
    gate.wait()
    stack.worker.process.kill()
    stack.add_worker()
    assert stream.finish(60).answer() == "b"


def test_a_turn_that_kills_its_workers_is_given_up(bare: Stack) -> None:
    """Three deaths, then an error event: no turn takes down one worker after the other for ever."""
    stack = bare.start(workers=1)
    gates = [Gate() for _ in range(3)]
    stack.model.when("poison", Attempts(*[["x", g] for g in gates]))
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "poison")
    for n, gate in enumerate(gates):
        gate.wait(60)
        stack.workers[-1].process.kill()
        stack.add_worker()
    final = stream.finish(90).final()
    assert final["event_type"] == "error" and final["code"] == "worker_lost"
    until(lambda: alice.ask(session, "hello").answer(), "the session to be free")


def test_a_turn_that_redis_will_not_store_is_given_up(stack: Stack) -> None:
    """A seal that Redis refuses, whoever tries: it ends after three calls of the model, and others notice nothing."""
    alice = stack.client()
    session, other = alice.session(), alice.session()
    gate = Gate()
    stack.model.when("hello", [gate, "an answer"])
    turn = alice.start(session, "hello")
    gate.wait()
    stack.redis.client.hset(f"p:s:{{{session}}}", "life", "no number")
    gate.open()
    until(lambda: alice.get(f"/session/{session}").json()["turn"] is None, "the turn to be over")
    assert f"turn={turn} epoch=3 code=worker_lost\n".encode() in stack.gateway.process.log_bytes()
    assert alice.ask(other, "anything else?").answer()
    assert len(stack.model.chats("hello")) == 3


def test_a_frozen_worker_that_wakes_up_writes_nothing(bare: Stack) -> None:
    """SIGSTOP for longer than its death takes; then it goes on where it was: the fence refuses its writes."""
    stack = bare.start(workers=2)
    gate = Gate()
    stack.model.when("freeze", Attempts(["old ", gate, "stale words"], ["new answer"]))
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "freeze")
    stream.wait_text("old ")
    gate.wait()
    frozen = stack.working().process
    frozen.signal(signal.SIGSTOP)
    try:
        log = stream.finish(90)
    finally:
        gate.open()
        frozen.signal(signal.SIGCONT)
    assert log.answer() == "new answer"
    turn = log.of("turn_start")[0]["turn_id"]
    # It is alive again: it serves new turns, and the old one is as it was.
    for n in range(4):
        alice.ask(alice.session(), f"after {n}")
    again = alice.events(session, turn).finish()
    assert again.answer() == "new answer" and "stale" not in str([e.payload for e in again])
    assert final_of(session, alice) == ["new answer"]


@pytest.mark.core
def test_everything_is_restarted_and_the_conversation_goes_on(stack: Stack) -> None:
    alice = stack.client()
    session = alice.session(title="long lived")
    stack.model.when("rooms", ["Here: ", Call("list_label_values", {"label": "room"})], ["Three rooms."])
    log = alice.ask(session, "which rooms are there")
    before, turn = alice.messages(session), log.of("turn_start")[0]["turn_id"]
    for process in (stack.gateway.process, stack.worker.process, stack.redis.process):
        process.kill()
    stack.redis.start()
    stack.gateway.start()
    stack.worker.start()
    stack.gateway.wait_ready()
    assert alice.messages(session) == before
    assert alice.events(session, turn).finish() == log
    assert [s["title"] for s in alice.sessions()] == ["long lived"]
    alice.ask(session, "and how warm are they")
    sent = [m["content"] for m in stack.model.chats("how warm")[0]["messages"] if m["role"] in ("user", "assistant")]
    assert any("which rooms" in c for c in sent) and "Three rooms." in sent


def test_a_gateway_killed_mid_stream_and_back(stack: Stack) -> None:
    """With one gateway: its client's line breaks; the worker goes on; the client comes back for the rest."""
    gate = Gate()
    stack.model.when("gateway", ["a ", "b ", gate, "c"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "gateway down")
    stream.wait_text("a b ")
    turn = stream.log.of("turn_start")[0]["turn_id"]
    gate.wait()
    stack.gateway.process.kill()
    assert stream.ended.wait(20)
    stack.gateway.start()
    gate.open()
    log = alice.follow(session, turn, first=stream, seconds=90)
    assert log.final()["event_type"] == "turn_complete"
    assert log.text() == log.answer()


SHORT_LEASE = {"PERSAI_LEASE": "1500ms"}


def test_a_gateway_and_its_worker_killed_leave_a_turn_that_waits_for_its_owner(bare: Stack) -> None:
    """Nobody has the token any more. Whatever its owner asks of that session, wherever, brings it."""
    stack = bare.start(gateways=2, workers=2, gateway_env=SHORT_LEASE, worker_env=SHORT_LEASE)
    gate = Gate()
    stack.model.when("orphan", Attempts(["a", gate], ["the answer"]))
    one, two = stack.client(gateway=0), stack.client(gateway=1)
    session = one.session()
    turn = one.start(session, "orphan")
    gate.wait()
    stack.working().process.kill()
    stack.gateway.process.kill()

    def shown() -> str:
        return two.get(f"/session/{session}").json()["turn"]["state"]

    # Its owner asks as soon as it is known to wait, and not before: that would be what brings the token.
    key = f"p:t:{{{session}}}:{turn}"
    client = stack.redis.client
    until(lambda: int(client.hget(key, "lease")) < client.time()[0] * 1000, "the lease to end")
    assert shown() == "waiting_for_sign_in"
    until(lambda: final_of(session, two) == ["the answer"], "the turn to go on", 30)
    assert two.events(session, turn).finish().answer() == "the answer"


def test_who_follows_at_another_gateway_keeps_the_turn_going(bare: Stack) -> None:
    """Its stream is open there all the while: when those that drive the turn die, it need not come again."""
    stack = bare.start(gateways=2, workers=2, gateway_env=SHORT_LEASE, worker_env=SHORT_LEASE)
    gate = Gate()
    stack.model.when("kept", Attempts(["a", gate], ["the answer"]))
    one, two = stack.client(gateway=0), stack.client(gateway=1)
    session = one.session()
    turn = one.start(session, "kept")
    gate.wait()
    stream = two.events(session, turn)
    stream.wait_text("a")
    stack.working().process.kill()
    stack.gateway.process.kill()
    assert stream.finish(60).answer() == "the answer"


def test_what_a_leaving_gateway_has_queued_goes_on_elsewhere(bare: Stack) -> None:
    """No worker had room for it in the gateway's grace; nobody waits for its lease to end."""
    stack = bare.start(gateways=2, workers=1, gateway_env={"PERSAI_DRAIN": "200ms", "PERSAI_LEASE": "60s"},
                       worker_env={"PERSAI_CAPACITY": "1"})
    gate = Gate()
    stack.model.when("holds", ["a", gate, "b"])
    one, two = stack.client(gateway=0), stack.client(gateway=1)
    held, waits = one.session(), one.session()
    first = one.start(held, "holds the only place")
    gate.wait()
    second = one.start(waits, "waits")
    stack.gateway.process.terminate()
    stream = two.events(waits, second)
    gate.open()
    assert stream.finish(40).answer() == "This is the default answer."
    assert two.events(held, first).finish().answer() == "ab"


def test_another_gateway_serves_the_stream(bare: Stack) -> None:
    stack = bare.start(gateways=2, workers=2)
    gate = Gate()
    stack.model.when("either", ["a ", gate, "b"])
    one, two = stack.client(gateway=0), stack.client(gateway=1)
    session = one.session()
    turn = one.start(session, "either gateway")
    gate.wait()
    here, there = one.events(session, turn), two.events(session, turn)
    here.wait_text("a ")
    there.wait_text("a ")
    assert [s["session_id"] for s in two.sessions()] == [session]
    assert two.post(two.turn_path(session), {"message": "x"}).status == 409
    gate.open()
    assert here.finish().answer() == there.finish().answer() == "a b"


def test_cancel_at_another_gateway(bare: Stack) -> None:
    stack = bare.start(gateways=2, workers=1)
    gate = Gate()
    stack.model.when("cancel me", ["a ", gate])
    one, two = stack.client(gateway=0), stack.client(gateway=1)
    session = one.session()
    stream = one.turn(session, "cancel me")
    gate.wait()
    turn = stream.wait_for("turn_start")["turn_id"]
    assert two.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    assert stream.finish().types()[-1] == "turn_cancelled"


def test_redis_restarts_under_a_running_turn(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("redis", ["before ", gate, "after"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "redis gone")
    stream.wait_text("before ")
    gate.wait()
    stack.redis.process.kill()
    gate.open()
    answer = alice.post("/session", {})
    assert answer.status == 503 and answer.code == "store_unavailable" and int(answer.headers["Retry-After"]) > 0
    stack.redis.start()
    log = stream.finish(60)
    assert log.answer() == "before after"
    until(lambda: alice.get("/sessions").status == 200, "the store to be back")
    assert alice.events(session, log.of("turn_start")[0]["turn_id"]).finish().answer() == "before after"
    assert alice.ask(session, "next").answer()


def test_a_client_that_left_comes_back(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("leave", ["one ", "two ", gate, "three"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "leave and return")
    stream.wait_text("one two ")
    turn = stream.log.of("turn_start")[0]["turn_id"]
    gate.wait()
    stream.close()
    gate.open()
    log = alice.follow(session, turn, first=stream)
    assert log.answer() == "one two three"


def test_sigterm_drains_a_worker(bare: Stack) -> None:
    """A worker that is told to leave finishes or hands back what it has: no turn fails."""
    stack = bare.start(workers=2)
    gates = {n: Gate() for n in range(6)}
    for n, gate in gates.items():
        stack.model.when(f"[{n}]", ["a", gate, "b"])
    alice = stack.client()
    streams = {n: alice.turn(alice.session(), f"[{n}]") for n in gates}
    for gate in gates.values():
        gate.wait()
    leaving = stack.working().process
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(leaving.terminate(60)))
    thread.start()
    for gate in gates.values():
        gate.open()
    for stream in streams.values():
        assert stream.finish(60).answer() == "ab"
    thread.join(60)
    assert codes == [0]


def test_a_rolling_restart_fails_no_turn(bare: Stack) -> None:
    """Turns are asked all the while; each worker, then each gateway is replaced, one after the other."""
    stack = bare.start(gateways=2, workers=2)
    stack.model.when("rolling", [f"w{n} " for n in range(30)])
    clients = [stack.client(gateway=0), stack.client(gateway=1)]
    stop = threading.Event()
    logs: list[Log] = []
    problems: list[str] = []

    def keep_asking(n: int) -> None:
        asked = 0
        while not stop.is_set():
            asked += 1
            order = clients[n % 2:] + clients[:n % 2]
            try:
                session, turn = begin(order, f"rolling {n}-{asked}", stop)
                if turn:
                    log = order[0].follow(session, turn, others=order[1:], seconds=60)
                    check_log(log)
                    logs.append(log)
            except BaseException as error:
                problems.append(f"{n}-{asked}: {error!r}")
                return

    threads = [threading.Thread(target=keep_asking, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    until(lambda: len(logs) >= 4 or problems, "the first answers", 30)
    for process in [w.process for w in stack.workers] + [g.process for g in stack.gateways]:
        assert process.terminate(60) == 0
        process.start()
        done = len(logs)
        until(lambda: len(logs) >= done + 4 or problems, f"answers after {process.name} was replaced", 60)
    stop.set()
    for t in threads:
        t.join(90)
    assert not problems, problems
    assert all(log.answer() == "".join(f"w{n} " for n in range(30)) for log in logs)


def test_workers_find_a_gateway_that_comes_later(bare: Stack) -> None:
    stack = bare
    stack.redis.start()
    first = stack.add_gateway()
    second = Gateway(stack, "gateway-1")
    stack.gateways.append(second)
    stack.add_worker(PERSAI_GATEWAYS=f"{first.broker},{second.broker}")
    first.wait_ready()
    assert stack.client().ask(stack.client().session(), "hello").answer()
    second.start().wait_ready()
    late = stack.client(gateway=1)
    assert late.ask(late.session(), "hello").answer()
