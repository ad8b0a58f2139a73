"""The profile `sentinel`: the stack that had one Redis gets two replicas and three sentinels, loses its master while
turns run, and is started anew. What was answered is there each time, and every turn ends whole. Runs last: the stack
stays as it is then."""

from collections.abc import Iterator

import pytest
from conftest import Stack
from load import Load
from still import until

NODES = ("redis", "redis-replica-1", "redis-replica-2")
SENTINELS = ("sentinel-1", "sentinel-2", "sentinel-3")
QUESTION = "Which targets are up?"


def told(stack: Stack, service: str, command: str) -> str:
    """What redis-cli says in the service's container; nothing when it does not run."""
    password = "" if service in SENTINELS else "REDISCLI_AUTH=$(cat /persai/redis/password) "
    script = f"{password}redis-cli {command}"
    containers = stack.compose.running(service)
    return stack.compose.engine.run("exec", containers[0], "sh", "-c", script, check=False) if containers else ""


def master(stack: Stack) -> str:
    return told(stack, "sentinel-1", "-p 26379 sentinel get-master-addr-by-name persai").split("\n")[0].strip()


def role(stack: Stack, node: str) -> str:
    """master, or "of NAME" of a replica that is in step with it."""
    said = dict(line.strip().split(":", 1) for line in told(stack, node, "info replication").splitlines() if ":" in line)
    if said.get("role") == "slave":
        return f"of {said['master_host']}" if said["master_link_status"] == "up" else "out of step"
    return said.get("role", "none")


def watches(stack: Stack, sentinel: str) -> bool:
    """It sees enough others to decide, and knows both replicas: it asks the master who they are every 10 s only, and one
    that has not asked since they came would replace a dead master by nobody."""
    said = told(stack, sentinel, "-p 26379 sentinel master persai").splitlines()
    known = dict(zip(said[::2], said[1::2], strict=False))
    return known.get("num-slaves") == "2" and told(stack, sentinel, "-p 26379 sentinel ckquorum persai").startswith("OK 3 usable")


def whole(stack: Stack) -> bool:
    """One master, two replicas in step with it, and sentinels that agree on that."""
    name = master(stack)
    wanted = {node: "master" if node == name else f"of {name}" for node in NODES}
    return name in NODES and {node: role(stack, node) for node in NODES} == wanted and all(watches(stack, s) for s in SENTINELS)


@pytest.fixture(scope="module")
def watched(stack: Stack) -> Iterator[tuple[Stack, str, str]]:
    """The stack with sentinels; a conversation from before, and its answer."""
    demo = stack.sign_in("demo")
    session = demo.session()
    answer = demo.follow(session, demo.start(session, QUESTION)).answer()
    stack.compose.env |= {"COMPOSE_PROFILES": "sentinel", "PERSAI_REDIS_FILE": "/persai/redis/url-sentinel",
                          "PERSAI_DURABILITY": "replicated:1"}
    stack.compose.run("up", "-d")
    until("one master and two replicas", lambda: whole(stack), 120)
    yield stack, session, answer


def test_a_master_that_dies_is_replaced_while_turns_run(watched: tuple[Stack, str, str]) -> None:
    stack, session, answer = watched
    demo, engine = stack.sign_in("demo"), stack.compose.engine
    stack.wait_ready(demo)
    assert demo.messages(session)[-1]["content"] == answer
    with Load(demo, patience=240, reload=True) as load:
        load.wait_more(6, 240)
        old = master(stack)
        container = stack.compose.running(old)[0]
        engine.run("update", "--restart", "no", container)  # as its machine had died: nobody starts it again
        stack.compose.crash(container)
        until("another master", lambda: master(stack) not in ("", old), 180)
        load.wait_more(6, 240)
        engine.run("update", "--restart", "unless-stopped", container)
        engine.run("start", container)
        until("the old master a replica", lambda: whole(stack), 180)
        load.wait_more(6, 240)
    load.check(18)
    assert demo.messages(session)[-1]["content"] == answer


def test_all_of_redis_starts_anew_with_the_master_it_had(watched: tuple[Stack, str, str]) -> None:
    """`redis`, which is the master without a failover, is not there when a question is answered; it must not undo that."""
    stack, _, _ = watched
    demo = stack.sign_in("demo")
    if master(stack) == "redis":  # the test before did not run, or it became the master again
        told(stack, "sentinel-1", "-p 26379 sentinel failover persai")
        until("another master", lambda: master(stack) not in ("", "redis") and whole(stack), 180)
    stack.compose.run("stop", "redis")
    stack.wait_ready(demo)
    session = demo.session()
    answer = demo.follow(session, demo.start(session, QUESTION), reload=True).answer()
    stack.compose.run("rm", "-s", "-f", *NODES, *SENTINELS)
    stack.compose.run("up", "-d")
    until("one master and two replicas", lambda: whole(stack), 180)
    stack.wait_ready(demo)
    assert demo.messages(session)[-1]["content"] == answer
    assert demo.follow(session, demo.start(session, QUESTION), reload=True).answer().startswith("Demo model")


def test_the_profile_without_its_setting_is_said(watched: tuple[Stack, str, str]) -> None:
    said = watched[0].compose.run("run", "--rm", "--no-deps", "sentinel-1", check=False, PERSAI_REDIS_FILE="")
    assert "persai: the profile sentinel needs PERSAI_REDIS_FILE=/persai/redis/url-sentinel" in said, said
