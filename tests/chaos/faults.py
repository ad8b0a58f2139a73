"""What can happen to a running PersAI. Each fault gets a round whose turns stand in their states, counts what
it hits, does it, and sees to it that all of it runs again; the round is checked afterwards."""

import signal
import time
from collections.abc import Callable

from chaos.turns import Turn
from chaos.world import LEASE_MS, Guarded, Round
from harness.stack import metric, metrics
from harness.wait import until

Ends = Callable[[Turn], set[str]] | None


def moved(hit: list[Turn]) -> None:
    """It did happen: what the worker was in the middle of was done by the other one."""
    for turn in hit:
        if turn.state in ("thinking", "mid-text", "tool"):
            assert turn.person.log()[-1].epoch > 1, f"{turn.name} ended in its first epoch"


def worker_killed(r: Round) -> Ends:
    victim, _ = r.victim()
    hit = r.hit(r.of_worker(victim))
    victim.worker.process.kill()
    r.go_on()
    if r.rng.random() < 0.5:
        victim.worker.start()
    r.wait_ends()
    moved(hit)
    return None


def hand_back(r: Round, victim: Guarded, hit: list[Turn], late: Callable[[], None]) -> None:
    """A worker that was out of reach comes back when its turns have ended elsewhere, and its lease too."""
    gone = time.monotonic()
    r.wait_ends()
    moved(hit)
    until(lambda: time.monotonic() > gone + LEASE_MS / 1000, "its leases to end")
    late()
    until(lambda: all(metrics(g.url)["persai_workers"] == 2 for g in r.world.stack.gateways), "it to be back", 30)
    until(lambda: metric(victim.worker.url, "turns_running") == 0, "it to give its old turns up", 30)


def worker_frozen(r: Round) -> Ends:
    victim, _ = r.victim()
    hit = r.hit(r.of_worker(victim))
    victim.worker.process.signal(signal.SIGSTOP)
    held = [t for t in hit if t.state not in ("queued", "awaiting", "final")]
    r.thaw()
    r.release(but=victim)
    r.open_gates(but=held)

    def late() -> None:
        """What it was doing goes on where it was: its model, its tools, its seals."""
        r.open_gates()
        victim.store.release()
        victim.worker.process.signal(signal.SIGCONT)

    hand_back(r, victim, hit, late)
    return None


def worker_cut_off(r: Round) -> Ends:
    """It runs on, its model too; nothing that it sends arrives, until all of it does, late."""
    victim, _ = r.victim()
    hit = r.hit(r.of_worker(victim))
    victim.cut()
    r.thaw()
    r.release(but=victim)
    r.open_gates()

    def late() -> None:
        victim.heal()
        victim.store.release()

    hand_back(r, victim, hit, late)
    return None


def packets_dropped(r: Round) -> Ends:
    """The same between network namespaces: the kernel drops what either side sends."""
    return worker_cut_off(r)


def gateway_killed(r: Round) -> Ends:
    r.hit()
    gateway = r.world.stack.gateway
    gateway.process.kill()
    back = r.rng.choice(["at once", "later"])
    if back == "at once":
        gateway.start()
    if r.rng.random() < 0.5:
        until(lambda: r.back(lambda t: [t.person]), "the clients to come back", 20)
    r.go_on()
    r.wait_ends()
    return None


def redis_killed(r: Round) -> Ends:
    r.hit()
    r.world.stack.redis.process.kill()
    for line in r.world.store_lines():
        line.sever_held()
    if r.rng.random() < 0.5:
        r.go_on()  # the models go on while Redis is away
        until(lambda: metrics(r.world.stack.gateway.url)["persai_redis_up"] == 0, "the gateway to notice")
    r.world.stack.redis.start()
    r.go_on()
    r.wait_ends()
    return None


def redis_promoted(r: Round) -> Ends:
    """Its machine is gone; Sentinel makes the replica the master. Each seal waits for a copy, so that nothing
    that was final is lost, and goes on when there is a second Redis again. Who saw provisional text that the replica
    never got may be told history_lost, and reads everything anew."""
    r.hit()
    for turn in r.turns:
        turn.may_reload = True
    pair = r.world.stack.redis
    lost = pair.process
    lost.kill()
    r.thaw()
    for line in r.world.store_lines():
        line.sever_held()
    if r.rng.random() < 0.5:
        r.go_on()
    pair.wait_promoted(lost)
    r.go_on()
    pair.start()
    r.wait_ends()
    return None


def workers_gone(r: Round) -> Ends:
    """All of them, for a while: what was accepted waits."""
    r.hit()
    for g in r.world.guarded:
        g.worker.process.kill()
    r.go_on()
    gateway = r.world.stack.gateway
    until(lambda: metrics(gateway.url)["persai_workers"] == 0, "the gateway to notice", 20)
    running = [t for t in r.turns if t.state not in ("final", "awaiting")]
    until(lambda: metric(gateway.url, "turns_queued") >= len(running) // 2, "the turns to wait", 20)
    r.world.restart()
    r.wait_ends()
    return None


def gateway_and_worker_killed(r: Round) -> Ends:
    """Nobody has the token any more: a turn goes on when its owner comes back."""
    victim, _ = r.victim()
    r.hit(r.of_worker(victim))
    gateway = r.world.stack.gateway
    for process in r.rng.sample([gateway.process, victim.worker.process], 2):
        process.kill()
    r.go_on()
    if r.rng.random() < 0.5:
        r.world.restart()
    r.wait_ends()
    return None


def everything_restarted(r: Round) -> Ends:
    r.hit()
    stack = r.world.stack
    processes = [*(x.process for x in (*stack.gateways, *stack.workers)), stack.redis.process]
    for process in r.rng.sample(processes, len(processes)):
        process.kill()
    for line in r.world.store_lines():
        line.sever_held()
    r.go_on()
    r.world.restart()
    r.wait_ends()
    return None


def line_dropped(r: Round) -> Ends:
    """Each client's, and again for some: at the same gateway or the other it reads on."""
    r.hit()
    for turn in r.turns:
        for person in turn.views():
            person.cut()
    r.thaw()
    if r.rng.random() < 0.5:
        until(lambda: r.back(Turn.views), "them to come back")
    for turn in r.turns:
        if r.rng.random() < 0.3:
            turn.person.cut()
    r.go_on()
    r.wait_ends()
    return None


def rolling_restart(r: Round) -> Ends:
    """SIGTERM to each, one after the other, while all these turns run."""
    stack = r.world.stack
    order = [*stack.workers, *stack.gateways] if r.rng.random() < 0.5 else [*stack.gateways, *stack.workers]
    first = order[0].process
    own = first.pid
    gateways_first = order[0] in stack.gateways
    r.hit(lambda s: gateways_first or s.pid == own or s.nobodys)
    first.signal(signal.SIGTERM)
    r.thaw()
    r.release()
    stay = r.rng.random() < 0.5  # what it has does not end within its grace: it is handed over
    if stay:
        until(lambda: not first.running(), "the first one to leave", 40)
    r.open_gates()
    for one in order:
        assert one.process.terminate(40) == 0
        one.start()
        r.world.wait_known(one)
    r.wait_ends()
    return None


def cancelled_elsewhere(r: Round) -> Ends:
    """At the gateway that does not drive it. What was sealed before stays as it was."""
    r.hit()
    client = r.world.clients(1)[0]
    late = r.rng.random() < 0.5
    if not late:
        r.thaw()
    for turn in r.turns:
        answer = client.post(f"/session/{turn.person.session}/turn/{turn.person.turn_id}/cancel")
        assert answer.status == 202, (turn.name, answer.status, answer.body)
    r.thaw()
    r.release()
    for turn in r.of("awaiting"):
        turn.withdrawn = True
        turn.gate.open()  # it looks again
    r.wait_ends()
    r.open_gates()

    def ends(turn: Turn) -> set[str]:
        if turn.state == "final":
            return {"turn_complete"}
        return {"turn_cancelled", "turn_complete"} if turn.state == "sealing" else {"turn_cancelled"}

    return ends


FAULTS: dict[str, Callable[[Round], Ends]] = {
    f.__name__.replace("_", " "): f
    for f in (worker_killed, worker_frozen, worker_cut_off, packets_dropped, gateway_killed, redis_killed, workers_gone,
              gateway_and_worker_killed, everything_restarted, line_dropped, rolling_restart, cancelled_elsewhere,
              redis_promoted)}
