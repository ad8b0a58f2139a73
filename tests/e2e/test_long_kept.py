"""A person's longest conversations, which are asked in and copied, take no moment of Redis or of a process from others."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fakes.model import Gate
from harness.client import Client
from harness.clock import by_the_clock
from harness.stack import Stack
from harness.wait import SLOWNESS, until

CONVERSATION = 28 << 20
QUESTION = 60_000
# A page takes Redis about one; a whole conversation hundreds.
LONGEST_MS = 100
TICK = 0.005


def long_session(stack: Stack, person: Client) -> str:
    """As long as one may be, by what a question leaves, put there many times."""
    session, redis = person.session(), stack.redis.client
    assert person.ask(session, "q" * QUESTION).answer()
    record = redis.hget(f"p:m:{{{session}}}", "1")
    count = CONVERSATION // len(record)
    with redis.pipeline(transaction=False) as all_at_once:
        for n in range(3, count + 3):
            all_at_once.hset(f"p:m:{{{session}}}", str(n), record)
        all_at_once.hset(f"p:s:{{{session}}}", mapping={"mseq": count + 2, "bytes": count * len(record)})
        all_at_once.execute()
    return session


def slowest_command_ms(stack: Stack) -> tuple[float, str]:
    """Of Redis, since slow ones were forgotten."""
    entries = stack.redis.client.slowlog_get(128)
    worst = max(entries, key=lambda e: e["duration"], default=None)
    return (worst["duration"] / 1000, worst["command"][:60].decode("latin-1")) if worst else (0, "")


def watch(stack: Stack) -> None:
    stack.redis.client.config_set("slowlog-log-slower-than", 1000)
    stack.redis.client.slowlog_reset()


def beside(busy: Callable[[], None], bob: Callable[[], None]) -> tuple[list[float], float]:
    """How long each of bob's requests takes while the other is under way; and the longest time, in ms, for which the machine
    meanwhile left one waiting who wanted nothing but to wake up: so long Redis may be kept by others, too."""
    times, over, late = [], threading.Event(), 0.0

    def wake_up() -> None:
        nonlocal late
        while not over.is_set():
            began = time.monotonic()
            time.sleep(TICK)
            late = max(late, time.monotonic() - began - TICK)

    def work() -> None:
        try:
            busy()
        finally:
            over.set()

    threads = [threading.Thread(target=one) for one in (work, wake_up)]
    for thread in threads:
        thread.start()
    while not over.is_set():
        began = time.monotonic()
        bob()
        times.append(time.monotonic() - began)
    for thread in threads:
        thread.join()
    return sorted(times), late * 1000


@by_the_clock
def test_questions_in_long_conversations_keep_nobody_waiting(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_USER_TURNS_PER_MINUTE": "0"})
    alice, bob = stack.client("alice"), stack.client("bob")
    theirs = [long_session(stack, alice) for _ in range(4)]
    own = bob.session()
    assert bob.ask(own, "hello").answer()
    watch(stack)

    def ask_all() -> None:
        with ThreadPoolExecutor(4) as pool:
            for _ in range(2):
                for log in pool.map(lambda session: alice.ask(session, "and now?"), theirs):
                    assert log.answer()

    times, late = beside(ask_all, lambda: bob.ask(own, "hello").answer())
    slow, what = slowest_command_ms(stack)
    print(f"bob's turns: {len(times)}, median {times[len(times) // 2] * 1000:.0f} ms, longest {times[-1] * 1000:.0f} ms; "
          f"Redis's longest command {slow:.1f} ms {what}")
    assert slow < LONGEST_MS * SLOWNESS + late, (what, late)
    assert times[len(times) // 2] < 0.5 * SLOWNESS, times


@by_the_clock
def test_copies_are_asked_of_the_quota_first_and_made_by_pages(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_USER_BYTES": "64MiB"})
    alice, bob = stack.client("alice"), stack.client("bob")
    session = long_session(stack, alice)
    last = alice.messages(session)[-1]["message_id"]
    assert bob.ask(bob.session(), "hello").answer()
    watch(stack)
    before = stack.gateway.process.memory_bytes()

    def fork() -> int:
        answer = alice.post(f"/session/{session}/fork", {"message_id": last})
        assert answer.status == 201 or answer.code == "quota_exceeded", answer
        if answer.status == 201:
            copies.append(answer.json()["session_id"])
        return answer.status

    copies: list[str] = []
    times, late = beside(lambda: until(lambda: fork() == 422, "the quota"), lambda: bob.sessions())
    made = len(copies)
    assert made >= 1
    slow, what = slowest_command_ms(stack)
    copied, whole = (stack.redis.client.hgetall(f"p:m:{{{one}}}") for one in (copies[0], session))
    assert copied == {id: record for id, record in whole.items() if int(id) < int(last)}

    def refused() -> None:
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(lambda _: fork(), range(40))) == {422}

    times_refused, _ = beside(refused, lambda: bob.sessions())
    keys = set(stack.redis.client.scan_iter("p:m:*"))
    grown = stack.gateway.process.memory_bytes() - before
    print(f"bob's lists: longest {times[-1] * 1000:.0f} ms beside {made} copies, {times_refused[-1] * 1000:.0f} ms beside "
          f"40 refused ones; gateway grew by {grown >> 10} KiB; Redis's longest command {slow:.1f} ms {what}")
    assert len(keys) == made + 2, "what was refused leaves nothing behind"
    assert slow < LONGEST_MS * SLOWNESS + late, (what, late)
    assert grown < 16 << 20
    assert times[-1] < 1 * SLOWNESS + late / 1000 and times_refused[-1] < 1 * SLOWNESS + late / 1000


@by_the_clock
def test_copies_at_two_gateways_while_a_turn_runs_harm_nobody(bare: Stack) -> None:
    """One gateway copies one at a time for a person; over several there are as many at once, each by pages and with the
    quota asked before: they are whole, and no more than there is room for."""
    stack, gate = bare.start(gateways=2, gateway_env={"PERSAI_USER_BYTES": "100MiB"}), Gate()
    stack.model.when("and now?", ["One ", gate, "two."])
    at = [stack.client("alice", gateway=n) for n in range(2)]
    bob = stack.client("bob")
    session = long_session(stack, at[0])
    bob.session()
    last = at[0].messages(session)[-1]["message_id"]
    running = at[0].turn(session, "and now?")
    gate.wait()
    watch(stack)
    copies: list[str] = []

    def fork(n: int) -> int:
        answer = at[n % 2].post(f"/session/{session}/fork", {"message_id": last})
        if answer.status == 201:
            copies.append(answer.json()["session_id"])
        return answer.status

    def fork_all() -> None:
        with ThreadPoolExecutor(8) as pool:
            assert sorted(pool.map(fork, range(8))) == [201] * 3 + [422] * 5

    times, late = beside(fork_all, lambda: bob.sessions())
    slow, what = slowest_command_ms(stack)
    print(f"bob's lists: longest {times[-1] * 1000:.0f} ms; Redis's longest command {slow:.1f} ms {what}")
    assert slow < LONGEST_MS * SLOWNESS + late, (what, late)
    assert times[-1] < 1 * SLOWNESS + late / 1000
    gate.open()
    assert running.finish().answer() == "One two."
    whole = stack.redis.client.hgetall(f"p:m:{{{session}}}")
    for copy in copies:
        assert stack.redis.client.hgetall(f"p:m:{{{copy}}}") == {i: m for i, m in whole.items() if int(i) < int(last)}
    assert at[0].request("DELETE", f"/session/{copies[0]}").status == 200
    assert at[1].ask(copies[1], "is it free?").answer()
