"""A turn that kills whatever worker runs it: the others lose one attempt, to the first death, and nothing more."""

import pytest

from fakes import upstream as up
from fakes.model import Attempts, Call, Gate
from harness.services import Perses
from harness.stack import Stack, Worker, metric
from harness.wait import until

POISONED = "/proxy/globaldatasources/poisoned"
OTHERS = ["bob", "bob", "alice"]
DEATHS = 3


def runs(stack: Stack, turn: str, epoch: int) -> Worker | None:
    """The worker that has begun this epoch of the turn, which nothing else runs in."""
    sign = f"event=turn.start turn={turn} epoch={epoch}\n".encode()
    for worker in stack.workers:
        if worker.process.running() and sign in worker.process.log_bytes():
            assert metric(worker.url, "turns_running") == 1, "it is not alone"
            return worker
    return None


@pytest.mark.parametrize("spare", [False, True], ids=["one-worker", "another-worker"])
def test_a_poisoned_turn_is_retried_alone(make_stack: object, perses: Perses, sign_in: object, spare: bool) -> None:
    """Its tool call kills the worker, three times; three turns of others run beside it when it does so first."""
    stack: Stack = make_stack(perses.url, sign_in).start(workers=1)
    with up.Upstream() as upstream:
        upstream.behave = up.hang
        perses.put_datasource("poisoned", Perses.closed_datasource(upstream.url))
        stack.model.when("poison", [Call("list_label_names", {"datasource": POISONED})], ["never said"])
        first, second = [Gate() for _ in OTHERS], Gate()
        streams = []
        for n, user in enumerate(OTHERS):
            stack.model.when(f"other {n}", Attempts(["lost ", first[n]], ["slow ", second, "but whole"]))
            client = stack.client(user)
            streams.append(client.turn(client.session(), f"other {n}"))
            first[n].wait()
        alice = stack.client()
        session = alice.session()
        poison = alice.turn(session, "poison")
        turn = poison.wait_for("turn_start")["turn_id"]
        victim, seen = stack.workers[0], 0
        for death in range(DEATHS):
            if death > 0:
                victim = until(lambda: runs(stack, turn, death + 1), "the poisoned turn to be alone", 30)  # noqa: B023
            until(lambda: len(upstream.requests) > seen, "the poisoned call", 30)  # noqa: B023
            if death == 0 and spare:
                stack.wait_worker(stack.add_worker())
                stack.wait_worker(stack.add_worker())
            lost, seen = metric(stack.gateway.url, "workers_lost"), len(upstream.requests)
            victim.process.kill()
            until(lambda: metric(stack.gateway.url, "workers_lost") > lost, "the death to be seen")  # noqa: B023
            if death + 1 < DEATHS:  # else a worker that comes before the claim's answer gets the others' turns
                claimed = f"event=turn.claimed turn={turn} epoch={death + 2}\n".encode()
                until(lambda: claimed in stack.gateway.process.log_bytes(), "the next attempt")  # noqa: B023
            stack.add_worker()
            if death == 0 and spare:
                second.wait(30)  # the others go on beside its next deaths
        final = poison.finish(90).final()
        assert final["event_type"] == "error" and final["code"] == "worker_lost", final
        second.wait(60)
        second.open()
        for stream in streams:
            log = stream.finish(60)
            assert log.answer() == "slow but whole"
            assert {e.epoch for e in log} == {1, 2}, "it lost more than its first attempt"
        until(lambda: alice.ask(session, "hello").answer(), "the session to be free")
