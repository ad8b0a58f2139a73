"""What Redis can do to us: too few copies, a lagging replica promoted, full, unfit; Sentinel and Cluster."""

import contextlib
import http.client
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.model import Attempts, Call, Delay, Gate
from harness.client import Client
from harness.redis_sets import Cluster, Node, Pair, Sentinels
from harness.services import Redis, flat
from harness.sse import Log, Stream, check_once
from harness.stack import Stack, metric, program
from harness.wait import until
from harness.approvals import Dashboard, Waiting, saves
from harness.retry import begin

REPLICATED = {"PERSAI_DURABILITY": "replicated:1"}


def with_redis(stack: Stack, redis: Node | Pair) -> Stack:
    stack.redis = redis
    if isinstance(redis, Pair):
        stack.others.append(redis.replica.process)
    return stack


@pytest.fixture
def pair(bare: Stack) -> Iterator[Pair]:
    redis = Pair(bare.folder / "pair", bare.logs)
    with_redis(bare, redis)
    yield redis
    redis.replica.process.signal(signal.SIGCONT)


def heir_with_replica(stack: Stack, pair: Pair) -> None:
    """The replica becomes the master, and gets one of its own."""
    third = Node("third", stack.folder / "pair", stack.logs, replicaof=f"127.0.0.1 {pair.replica.port}",
                 repl_diskless_sync_delay="0")
    stack.others.append(third.process)
    pair.replica.process.signal(signal.SIGCONT)
    pair.promote()
    third.start()


def answers(client: Client, session: str) -> list[str]:
    return [m["content"] for m in client.messages(session) if m["role"] == "assistant"]


# ---- replicated:N ----

def test_what_was_answered_is_on_the_replica_when_the_master_dies(bare: Stack, pair: Pair) -> None:
    stack = bare.start(gateway_env=REPLICATED, worker_env=REPLICATED)
    stack.model.when("rooms", ["Here: ", Call("list_label_values", {"label": "room"})], ["Three ", "rooms."])
    alice = stack.client()
    for n in range(3):
        session = alice.session(title="copied")
        log = alice.ask(session, "which rooms are there")
        assert log.answer() == "Three rooms."
    before = alice.messages(session)
    pair.process.kill()
    pair.promote()
    stack.gateway.wait_ready()
    assert alice.messages(session) == before
    assert alice.events(session, log.of("turn_start")[0]["turn_id"]).finish() == log
    # No replica is left: reading goes on, new turns are refused and leave nothing behind.
    answer = alice.post(alice.turn_path(session), {"message": "more"})
    assert answer.status == 503 and answer.code == "store_unavailable" and int(answer.headers["Retry-After"]) > 0
    assert alice.messages(session) == before


def test_a_begin_that_is_not_copied_is_503_and_does_not_run(bare: Stack, pair: Pair) -> None:
    stack = bare.start(gateway_env=REPLICATED, worker_env=REPLICATED)
    alice = stack.client()
    session = alice.session()
    pair.replica.process.signal(signal.SIGSTOP)
    key = {"Idempotency-Key": "the same", "Prefer": "respond-async"}
    answer = alice.post(alice.turn_path(session), {"message": "lonely question"}, headers=key)
    assert answer.status == 503 and answer.code == "store_unavailable", answer
    pair.replica.process.signal(signal.SIGCONT)
    # It is as if it had never been: nothing runs, nothing was asked.
    shown = until(lambda: alice.get(f"/session/{session}"), "the session")
    assert shown.status == 200 and not shown.json()["messages"] and stack.model.chats("lonely question") == []
    answer = until(lambda: (a := alice.post(alice.turn_path(session), {"message": "lonely question"}, headers=key))
                   .status == 202 and a, "the turn to be accepted")
    log = alice.follow(session, answer.json()["turn_id"])
    assert log.answer() == "This is the default answer."
    assert [m["role"] for m in alice.messages(session)] == ["user", "assistant"]


def test_a_cancel_ends_what_never_reached_its_worker(bare: Stack, pair: Pair) -> None:
    """Its gateway is killed between the turn's acceptance, which makes it a worker's, and the frame that tells that one."""
    stack = bare.start(gateways=2, gateway_env=REPLICATED, worker_env=REPLICATED)
    for gateway in stack.gateways:  # a promise needs a worker that has said when it lives
        gateway.wait_ready()
    here, there = stack.client(gateway=0), stack.client(gateway=1)
    session = here.session()
    pair.replica.process.signal(signal.SIGSTOP)

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            here.post(here.turn_path(session), {"message": "lonely question"}, headers={"Prefer": "respond-async"})

    asking = threading.Thread(target=ask)
    asking.start()
    until(lambda: pair.client.hget(f"p:s:{{{session}}}", "running"), "the turn to be begun")
    stack.gateways[0].process.kill()
    asking.join()
    pair.replica.process.signal(signal.SIGCONT)
    shown = until(lambda: (a := there.get(f"/session/{session}")).status == 200 and a.json()["turn"] and a.json(), "the turn")
    assert there.post(f"/session/{session}/turn/{shown['turn']['turn_id']}/cancel").status == 202
    second = until(lambda: (a := there.post(there.turn_path(session), {"message": "second question"},
                                            headers={"Prefer": "respond-async"})).status == 202 and a,
                   "the conversation to be free", 4)  # its lease runs for 10 s
    assert there.follow(session, second.json()["turn_id"]).answer() == "This is the default answer."
    assert stack.model.chats("lonely question") == []


def test_a_seal_that_is_not_copied_is_held(bare: Stack, pair: Pair) -> None:
    """Neither the live stream nor one who reads it from Redis gets to see it; then it goes on."""
    stack = bare.start(gateways=2, gateway_env=REPLICATED, worker_env=REPLICATED)
    gate = Gate()
    stack.model.when("hold", ["said ", gate, "and done"])
    alice, other = stack.client(), stack.client(gateway=1)
    session = alice.session()
    stream = alice.turn(session, "hold it")
    stream.wait_text("said ")
    gate.wait()
    turn = stream.log.of("turn_start")[0]["turn_id"]
    late = other.events(session, turn)
    late.wait_text("said ")
    pair.replica.process.signal(signal.SIGSTOP)
    gate.open()
    until(lambda: "store.unreplicated" in stack.worker.process.tail(200), "the seal to be held", 30)
    for read in (stream, late):
        assert "step_complete" not in read.log.types() and "turn_complete" not in read.log.types()
    shown = other.get(f"/session/{session}")
    assert shown.status == 503, shown  # what it would show may still be lost
    pair.replica.process.signal(signal.SIGCONT)
    assert stream.finish(60).answer() == late.finish(60).answer() == "said and done"
    assert answers(other, session) == ["said and done"]


def test_a_held_seal_survives_its_master(bare: Stack, pair: Pair) -> None:
    """The master dies with a seal that no replica has: its step is sealed, or run, again."""
    stack = bare.start(gateway_env=REPLICATED, worker_env=REPLICATED)
    gate = Gate()
    stack.model.when("lost seal", ["one ", gate, "two"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "lost seal")
    stream.wait_text("one ")
    gate.wait()
    pair.replica.process.signal(signal.SIGSTOP)
    gate.open()
    until(lambda: "store.unreplicated" in stack.worker.process.tail(200), "the seal to be held", 30)
    pair.process.kill()
    heir_with_replica(bare, pair)
    log = alice.follow(session, stream.log.of("turn_start")[0]["turn_id"], first=stream, seconds=90)
    assert log.answer() == "one two"
    assert answers(alice, session) == ["one two"]


def test_a_decision_that_is_not_copied_is_503_and_done_once(bare: Stack, pair: Pair, board: Dashboard) -> None:
    """An approval is as durable as a question: what waits for it does not run before it is copied."""
    stack = bare.start(gateway_env=REPLICATED, worker_env=REPLICATED)
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    pair.replica.process.signal(signal.SIGSTOP)
    answer = waiting.decide()
    assert answer.status == 503 and answer.code == "store_unavailable", answer
    assert board.titles() == []
    pair.process.kill()
    heir_with_replica(bare, pair)
    answer = until(lambda: (a := waiting.decide()).status in (200, 202) and a, "the decision to be taken", 40)
    assert waiting.rest().answer() == "Saved."
    assert board.titles() == ["Kitchen"]


# ---- local: a replica that lagged behind is promoted ----

def lost(stream: Stream) -> None:
    assert stream.ended.wait(60), f"it did not end: {stream.log.types()}"
    assert stream.parser.given_up and stream.parser.given_up["code"] == "history_lost", stream.log.types()


def test_a_lost_end_is_told_and_the_turn_is_run_again(bare: Stack, pair: Pair) -> None:
    """The answer was seen as final; the promoted replica knows nothing of it."""
    stack = bare.start(gateways=2, workers=2, gateway_env={"PERSAI_LEASE": "2s"}, worker_env={"PERSAI_LEASE": "2s"})
    gate = Gate()
    stack.model.when("lost end", Attempts(["first ", gate, "answer"], ["second answer"]))
    alice, other = stack.client(), stack.client(gateway=1)
    session = alice.session()
    stream = alice.turn(session, "lost end")
    stream.wait_text("first ")
    gate.wait()
    turn = stream.log.of("turn_start")[0]["turn_id"]
    until(lambda: b"first " in flat_dump(pair.replica), "the replica to have the text")
    pair.promote()  # it gets nothing more
    gate.open()
    first = stream.finish(30)
    assert first.answer() == "first answer"
    pair.process.kill()
    until(lambda: other.get(f"/session/{session}").status == 200, "the replica to be found")
    lost(other.events(session, turn, after=first[-1].id))
    anew = other.follow(session, turn, seconds=90)
    check_once(first, anew)
    assert anew.answer() == "second answer"
    assert answers(alice, session) == ["second answer"]
    lost(alice.events(session, turn, after=first[-1].id))


def test_a_lost_step_is_told_to_who_saw_it(bare: Stack, pair: Pair) -> None:
    """A running turn's finished step is lost: its follower is told, with its line open; one who saw less goes on."""
    stack = bare.start(gateways=2, workers=1)
    first, second = Gate(), Gate()
    stack.model.when("lost step", Attempts(["look ", first, Call("list_label_values", {"label": "room"})],
                                           ["look ", Call("list_label_values", {"label": "room"})]),
                     Attempts(["an", second], ["answer"]))
    alice, other = stack.client(), stack.client(gateway=1)
    session = alice.session()
    stream = alice.turn(session, "lost step")
    stream.wait_text("look ")
    first.wait()
    turn = stream.log.of("turn_start")[0]["turn_id"]
    until(lambda: b"look " in flat_dump(pair.replica), "the replica to have the text")
    behind = stream.log[0].id  # who has seen the very first event alone
    pair.promote()
    first.open()
    second.wait()
    until(lambda: len(stream.log.of("step_complete")) == 2, "its client to have been told of both steps")
    pair.process.kill()
    second.open()
    lost(stream)
    assert other.follow(session, turn, first=stream, seconds=90, reload=True).answer() == "answer"
    assert alice.events(session, turn, after=behind).finish().answer() == "answer"
    assert answers(alice, session)[-1] == "answer"


def test_a_lost_turn_is_told(bare: Stack, pair: Pair) -> None:
    """Even its begin is lost: who followed it is told so, and the session is free."""
    stack = bare.start()
    alice = stack.client()
    session = alice.session()
    until(lambda: session.encode() in flat_dump(pair.replica), "the replica to have the session")
    pair.promote()
    log = alice.ask(session, "short lived")
    pair.process.kill()
    until(lambda: alice.get(f"/session/{session}").status == 200, "the replica to be found")
    lost(alice.events(session, log.of("turn_start")[0]["turn_id"], after=log[-1].id))
    assert alice.messages(session) == [] and alice.ask(session, "again").answer()


def flat_dump(node: Redis) -> bytes:
    return b"\n".join(key + flat(node.client, key) for key in node.client.scan_iter(count=1000))


# ---- full ----

def test_a_full_redis_refuses_what_is_new_and_lets_end_what_runs(stack: Stack) -> None:
    gate = Gate()
    stack.model.when("full", ["before ", gate, "after"])
    alice = stack.client()
    session, free = alice.session(), alice.session()
    stream = alice.turn(session, "full store")
    stream.wait_text("before ")
    gate.wait()
    redis = stack.redis.client
    redis.config_set("maxmemory", redis.info("memory")["used_memory"] // 2)
    for method, path, body in (("POST", "/session", {}), ("POST", alice.turn_path(free), {"message": "x"})):
        answer = alice.request(method, path, body)
        assert answer.status == 503 and answer.code == "store_full", answer
        assert int(answer.headers["Retry-After"]) > 0
    gate.open()
    assert stream.finish(60).answer() == "before after"
    assert answers(alice, session) == ["before after"]
    redis.config_set("maxmemory", 0)
    assert alice.ask(free, "hello").answer()


def test_a_full_disk_refuses_what_is_new_and_what_runs_ends_when_there_is_room(bare: Stack) -> None:
    """The append-only file may not grow past a limit, as on a full disk: Redis then refuses every write (MISCONF)."""
    limit = 400_000
    # Redis knows a failed write by its result; the signal that comes with this kind of limit is ignored.
    redis = Node("redis", bare.folder / "small", bare.logs, ["env", "--ignore-signal=XFSZ"], appendfsync="everysec",
                 auto_aof_rewrite_percentage="0")
    stack = with_redis(bare, redis).start()
    gate = Gate()
    stack.model.when("disk", ["before ", gate, "after"])
    alice = stack.client()
    session, free = alice.session(), alice.session()
    stream = alice.turn(session, "disk full")
    stream.wait_text("before ")
    gate.wait()
    prlimit(redis.process.pid, limit)
    redis.client.set("ballast", "x" * (2 * limit))

    def refused() -> bool:
        answer = alice.post(alice.turn_path(free), {"message": "x"})
        return answer.status == 503 and answer.code == "store_full"

    until(refused, "a new turn to be refused")
    assert "disk" in check(stack).stdout
    gate.open()
    prlimit(redis.process.pid, -1)
    assert stream.finish(60).answer() == "before after"
    until(lambda: alice.get(f"/session/{free}").status == 200, "the session")
    assert alice.ask(free, "hello").answer()


def prlimit(pid: int, size: int) -> None:
    subprocess.run(["prlimit", "--pid", str(pid), f"--fsize={size if size >= 0 else 'unlimited'}:unlimited"],
                   check=True, timeout=30)


# ---- unfit ----

def check(stack: Stack, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("gateway"), "--check"], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, env={**stack.gateway.process.env, **env})


def test_a_redis_that_is_unfit_is_told_of(bare: Stack) -> None:
    redis = Node("redis", bare.folder / "unfit", bare.logs, appendonly="no", maxmemory_policy="allkeys-lru")
    stack = with_redis(bare, redis).start(gateway_env=REPLICATED | {"PERSAI_DURABILITY": "local"})
    assert stack.client().ask(stack.client().session(), "hello").answer()
    redis.process.kill()  # a new connection is no new warning
    redis.start()
    stack.gateway.wait_ready()
    log = Path(stack.gateway.process.log).read_text(encoding="utf-8")
    for what in ("eviction", "persistence"):
        assert log.count(f"event=redis.unfit where={redis.address} what={what}") == 1, log[:3000]
    assert "what=replicas" not in log
    told = check(stack)
    assert told.returncode == 1 and "noeviction" in told.stdout and "appendonly yes" in told.stdout, told
    assert "replicas" in check(stack, **REPLICATED).stdout
    redis.client.config_set("maxmemory-policy", "noeviction")
    redis.client.config_set("appendonly", "yes")
    assert "Redis is fit to be the store" in check(stack).stdout
    assert "FAIL  Redis" not in check(stack).stdout


def test_a_durability_that_is_none_is_refused_at_start(stack: Stack) -> None:
    for level in ("replicated", "replicated:0", "replicated:99", "local:1", "always"):
        for name in ("gateway", "worker"):
            process = (stack.gateway if name == "gateway" else stack.worker).process
            answer = subprocess.run([program(name)], capture_output=True, text=True, timeout=30,
                                    stdin=subprocess.DEVNULL, env={**process.env, "PERSAI_DURABILITY": level})
            assert answer.returncode != 0 and "PERSAI_DURABILITY" in answer.stderr, (level, answer)


# ---- Sentinel, Cluster ----

def keep_asking(clients: list[Client], names: list[str], stop: threading.Event, done: list[tuple[str, Log]],
                problems: list[str]) -> list[threading.Thread]:
    """Each name asks one question after the other, as a good client does, until it is told to stop."""

    def run(name: str, order: list[Client]) -> None:
        asked = 0
        while not stop.is_set():
            asked += 1
            try:
                session, turn = begin(order, f"steady {name}-{asked}", stop)
                if turn:
                    done.append((session, order[0].follow(session, turn, others=order[1:], seconds=90, reload=True)))
            except BaseException as error:
                problems.append(f"{name}-{asked}: {error!r}")
                return

    threads = [threading.Thread(target=run, args=(name, clients[n % len(clients):] + clients[:n % len(clients)]))
               for n, name in enumerate(names)]
    for thread in threads:
        thread.start()
    return threads


STEADY = [f"w{n} " for n in range(8)]


def all_whole(client: Client, done: list[tuple[str, Log]]) -> None:
    """What was seen as final is what Redis has."""
    for session, log in done:
        assert log.answer() == "".join(STEADY)
        assert answers(client, session) == ["".join(STEADY)]


def test_a_sentinel_failover_under_running_turns(bare: Stack) -> None:
    """The master is killed twice (the second time it is the first one's old replica): nothing that was accepted is lost."""
    redis = Sentinels(bare.folder / "sentinels", bare.logs)
    stack = with_redis(bare, redis)
    stack.others += redis.sentinels
    stack.start(gateways=2, workers=2, gateway_env=REPLICATED, worker_env=REPLICATED)
    stack.model.when("steady", [piece for word in STEADY for piece in (word, Delay(0.05))])
    clients = [stack.client(gateway=0), stack.client(gateway=1)]
    stop, done, problems = threading.Event(), [], []
    threads = keep_asking(clients, ["a", "b", "c"], stop, done, problems)
    until(lambda: len(done) >= 3 or problems, "the first answers", 30)
    nodes = {redis.port: redis, redis.replica.port: redis.replica}
    for _ in range(2):
        old = redis.master_port()
        nodes[old].process.kill()
        until(lambda: redis.master_port() != old, "the sentinels to fail over", 30)
        nodes[old].process.start()  # it comes back as a master, and is made a replica
        until(lambda: nodes[old].says("replication", "master_link_status", "up"), "it to be a replica", 60)
        before = len(done)
        until(lambda: len(done) >= before + 3 or problems, "answers afterwards", 60)
    stop.set()
    for thread in threads:
        thread.join(90)
    assert not problems, problems
    all_whole(clients[0], done)


@pytest.fixture
def cluster(bare: Stack) -> Cluster:
    redis = Cluster(bare.folder / "cluster", bare.logs)
    bare.redis = redis
    bare.others += redis.others
    return redis


def test_a_cluster_serves_sessions_on_all_its_nodes(bare: Stack, cluster: Cluster) -> None:
    stack = bare.start(gateways=2, workers=2)
    stack.model.when("rooms", ["Here: ", Call("list_label_values", {"label": "room"})], ["Three rooms."])
    alice, other = stack.client(), stack.client(gateway=1)
    sessions = [alice.session(title=f"number {n}") for n in range(12)]
    for session in sessions:
        log = alice.ask(session, "which rooms are there")
        assert log.answer() == "Three rooms."
        assert other.events(session, log.of("turn_start")[0]["turn_id"]).finish() == log
    assert {s["session_id"] for s in other.sessions("?q=number")} == set(sessions)
    assert all(node.client.dbsize() > 0 for node in cluster.masters)
    owners = {cluster.owner(f"{{{s}}}").port for s in sessions}
    assert len(owners) > 1, "all sessions on one node: the test shows nothing"
    for session in sessions:
        assert alice.request("DELETE", f"/session/{session}").status == 200
    assert alice.sessions() == []


def test_a_slot_that_moves_is_followed(bare: Stack, cluster: Cluster) -> None:
    """MOVED and ASK: the slot of a session goes to another master while its turn runs."""
    stack = bare.start()
    gate = Gate()
    stack.model.when("move", ["one ", gate, "two"])
    alice = stack.client()
    session = alice.session()
    stream = alice.turn(session, "move me")
    stream.wait_text("one ")
    gate.wait()
    key = f"p:s:{{{session}}}"
    source = cluster.owner(key)
    target = next(n for n in cluster.masters if n is not source)
    slot = int(source.client.execute_command("CLUSTER", "KEYSLOT", key))
    source_id, target_id = (n.client.execute_command("CLUSTER", "MYID") for n in (source, target))
    target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", source_id)
    source.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", target_id)
    for name in source.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000):
        source.client.execute_command("MIGRATE", "127.0.0.1", target.port, name, 0, 5000)
    # The slot is still the source's, its keys are gone: ASK. Redis answers TRYAGAIN then to what names several keys, so
    # that the session has to wait; what names one key goes on.
    assert alice.get(f"/session/{session}").status in (200, 503)
    assert metric(stack.gateway.url, "redis_redirects") > 0
    for node in (target, source, *(n for n in cluster.masters if n not in (source, target))):
        node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", target_id)
    gate.open()
    assert stream.finish(60).answer() == "one two"
    assert answers(alice, session) == ["one two"]
    assert target.client.exists(key) and alice.ask(session, "hello").answer()


def test_a_cluster_master_is_killed_under_running_turns(bare: Stack, cluster: Cluster) -> None:
    """Its replica is promoted; the first node that the processes know of is the one that dies. Then all are restarted."""
    stack = bare.start(gateways=2, workers=2, gateway_env=REPLICATED, worker_env=REPLICATED)
    stack.model.when("steady", [piece for word in STEADY for piece in (word, Delay(0.05))])
    clients = [stack.client(gateway=0), stack.client(gateway=1)]
    stop, done, problems = threading.Event(), [], []
    threads = keep_asking(clients, ["a", "b", "c"], stop, done, problems)
    until(lambda: len(done) >= 3 or problems, "the first answers", 30)
    first, heir = cluster.nodes[0], cluster.nodes[3]
    first.process.kill()
    until(lambda: heir.says("replication", "role", "master"), "its replica to be promoted", 30)
    first.process.start()
    until(lambda: first.says("replication", "master_link_status", "up"), "it to be a replica", 60)
    before = len(done)
    until(lambda: len(done) >= before + 6 or problems, "answers afterwards", 60)
    stop.set()
    for thread in threads:
        thread.join(90)
    assert not problems, problems
    all_whole(clients[0], done)
    # A process that starts now finds the cluster by the same two addresses, the first of which is a replica.
    stack.gateway.process.terminate()
    stack.gateway.start().wait_ready()
    all_whole(clients[0], done)
    sessions = {s["session_id"] for s in clients[0].sessions("?limit=200")}
    assert {session for session, _ in done} <= sessions
