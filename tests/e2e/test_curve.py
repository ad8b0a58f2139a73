"""CURVE between gateways and workers. The suite's core runs over it as a whole: tests/run curve."""

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from fakes.model import Attempts, Gate
from harness.client import Client
from harness.process import Process
from harness.stack import Gateway, Stack, Worker, make_keys, program
from harness.wait import free_port, until


def run(*args: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], **env})


@pytest.mark.core
def test_make_keys(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    make_keys(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert names >= {"gateway.key", "gateway.key_secret", "worker.key", "worker.key_secret"}
    assert any(n.startswith("workers/") for n in names)
    for path in folder.rglob("*secret"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    kept = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    again = run(program("gateway"), "--make-keys", folder)
    assert again.returncode != 0 and again.stderr + again.stdout
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == kept
    other = make_keys(tmp_path / "other")
    assert (other / "gateway.key_secret").read_bytes() != (folder / "gateway.key_secret").read_bytes()


@pytest.mark.core
@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:{}", "tcp://*:{}", "tcp://10.77.1.1:{}", "tcp://[::]:{}",
                                      "tcp://127.0.0.1:{}"])
def test_gateway_refuses_an_open_endpoint_without_keys(endpoint: str) -> None:
    answer = run(program("gateway"), PERSAI_LISTEN=f"127.0.0.1:{free_port()}",
                 PERSAI_BROKER=endpoint.format(free_port()), PERSAI_REDIS="redis://127.0.0.1:1/0")
    assert answer.returncode not in (0, -6, -11), answer
    assert "PERSAI_KEYS" in answer.stderr + answer.stdout, answer


@pytest.mark.core
@pytest.mark.parametrize("endpoint", ["tcp://10.77.1.1:8100", "tcp://192.0.2.1:8100", "tcp://127.0.0.1:8100"])
def test_worker_refuses_an_open_endpoint_without_keys(endpoint: str) -> None:
    answer = run(program("worker"), PERSAI_GATEWAYS=endpoint, PERSAI_METRICS_LISTEN=f"127.0.0.1:{free_port()}",
                 PERSAI_REDIS="redis://127.0.0.1:1/0", OPENAI_API_KEY="x")
    assert answer.returncode not in (0, -6, -11), answer
    assert "PERSAI_KEYS" in answer.stderr + answer.stdout, answer


@pytest.mark.parametrize("broken", ["missing", "empty", "no secret", "garbage"])
def test_bad_keys_are_refused_at_start(tmp_path: Path, broken: str) -> None:
    folder = tmp_path / "keys"
    if broken != "missing":
        make_keys(folder)
    if broken == "empty":
        shutil.rmtree(folder)
        folder.mkdir()
    elif broken == "no secret":
        (folder / "gateway.key_secret").unlink()
    elif broken == "garbage":
        (folder / "gateway.key_secret").write_bytes(b"\x00\xff not a certificate")
    answer = run(program("gateway"), PERSAI_LISTEN=f"127.0.0.1:{free_port()}", PERSAI_KEYS=str(folder),
                 PERSAI_BROKER=f"tcp://127.0.0.1:{free_port()}", PERSAI_REDIS="redis://127.0.0.1:1/0")
    assert answer.returncode not in (0, -6, -11) and "key" in (answer.stderr + answer.stdout).lower(), answer


@pytest.fixture
def keyed(bare: Stack, tmp_path: Path) -> Stack:
    bare.keys = make_keys(tmp_path / "own-keys")
    return bare


@pytest.mark.core
def test_a_turn_over_curve(keyed: Stack) -> None:
    stack = keyed.start(workers=2)
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").answer()


def knows_gateway(keys: Path, gateways: Path | None) -> Path:
    """A worker's folder; a secret half that lies beside a public key would be taken in its place."""
    assert gateways
    (keys / "gateway.key_secret").unlink()
    shutil.copy(gateways / "gateway.key", keys / "gateway.key")
    return keys


def strange_worker(stack: Stack, keys: Path | None) -> Process:
    """A worker with other keys (or none), that offers itself to this stack's gateway."""
    env = {"PERSAI_KEYS": str(keys)} if keys else {"PERSAI_BROKER_OPEN": "true"}
    worker = Worker(stack, "worker-strange", stack.gateway.broker)
    worker.process.env = {k: v for k, v in worker.process.env.items() if k != "PERSAI_KEYS"} | env
    stack.others.append(worker.process)
    worker.start()
    return worker.process


@pytest.mark.core
@pytest.mark.parametrize("kind", ["right gateway key, unlisted own", "strange keys"])
def test_an_unlisted_worker_never_gets_a_turn(keyed: Stack, tmp_path: Path, kind: str) -> None:
    keys = make_keys(tmp_path / "strange")
    if kind.startswith("right"):
        # It knows whom it talks to; its own certificate is on no list.
        knows_gateway(keys, keyed.keys)
    check_that_it_never_gets_a_turn(keyed, keys)


def test_a_worker_without_keys_never_gets_a_turn(keyed: Stack) -> None:
    """Over loopback, where it starts at all."""
    check_that_it_never_gets_a_turn(keyed, None)


def check_that_it_never_gets_a_turn(stack: Stack, keys: Path | None) -> None:
    stack.redis.start()
    stack.add_gateway()
    stranger = strange_worker(stack, keys)
    until(lambda: stranger.running(), "the stranger to run")
    alice = stack.client()
    session = alice.session()
    # It has had time to say HELLO as often as it likes: a listed worker that comes later is there first.
    answer = Client(stack.gateway.url).get("/readyz")
    assert answer.status == 503
    refused = alice.post(alice.turn_path(session), {"message": "anyone?"})
    assert refused.status == 503 and refused.code == "no_worker"
    stack.add_worker()
    stack.gateway.wait_ready()
    for n in range(6):
        assert alice.ask(session, f"question {n}").answer()
    assert b"turn" not in b"\n".join(line for line in stranger.log_bytes().split(b"\n") if b"turn.start" in line)


def test_keys_can_be_revoked_by_removing_them(keyed: Stack) -> None:
    stack = keyed.start()
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").answer()
    for path in (stack.keys / "workers").iterdir():  # type: ignore[operator]
        path.unlink()
    stack.gateway.process.terminate()
    stack.gateway.start()
    refused = alice.post(alice.turn_path(alice.session()), {"message": "x"})
    assert refused.status == 503 and refused.code == "no_worker"


def test_a_key_that_is_taken_off_the_list_cuts_its_worker_off(keyed: Stack, tmp_path: Path) -> None:
    """While it runs a turn, and without a restart: the turn goes to another worker, whose key is listed."""
    stack = keyed
    own = knows_gateway(make_keys(tmp_path / "other-keys"), stack.keys)
    listed = stack.keys / "workers" / "other.key"  # type: ignore[operator]
    shutil.copy(own / "worker.key", listed)
    gate = Gate()
    stack.model.when("hold", Attempts(["a", gate], ["b"]))
    stack.start(workers=0)
    stack.add_worker(PERSAI_KEYS=str(own))
    stack.gateway.wait_ready()
    alice = stack.client()
    stream = alice.turn(alice.session(), "hold")
    gate.wait()
    stack.wait_worker(stack.add_worker())
    listed.unlink()
    removed = time.monotonic()
    until(lambda: b"event=wire.cut_off" in stack.gateway.process.log_bytes(), "it to be cut off", 10)
    print(f"cut off after {time.monotonic() - removed:.2f} s")
    assert stream.finish(60).answer() == "b"
    assert alice.ask(alice.session(), "hello").answer()


def test_a_gateway_and_a_worker_meet_without_settings(bare: Stack, tmp_path: Path) -> None:
    """Both take the same default: a socket in a folder of this user's alone."""
    stack = bare
    stack.redis.start()
    runtime = tmp_path / "r"
    runtime.mkdir(mode=0o700)
    env = {"PERSAI_BROKER_OPEN": "false", "XDG_RUNTIME_DIR": str(runtime)}
    stack.add_gateway(**env, PERSAI_BROKER="")
    stack.add_worker(**env, PERSAI_GATEWAYS="")
    stack.gateway.wait_ready()
    assert stat.S_IMODE((runtime / "persai").stat().st_mode) == 0o700
    assert stat.S_IMODE((runtime / "persai" / "broker").stat().st_mode) & 0o077 == 0
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").answer()
    second = run(program("gateway"), PERSAI_LISTEN=f"127.0.0.1:{free_port()}", PERSAI_REDIS=stack.redis.url,
                 XDG_RUNTIME_DIR=str(runtime))
    assert second.returncode not in (0, -6, -11) and "another gateway" in second.stderr + second.stdout, second


def test_gateway_with_keys_takes_an_open_endpoint(keyed: Stack) -> None:
    stack = keyed
    stack.redis.start()
    stack.broker_host = "0.0.0.0"
    gateway = Gateway(stack, "gateway-open")
    stack.gateways.append(gateway)
    gateway.start()
    stack.add_worker(PERSAI_GATEWAYS=gateway.broker.replace("0.0.0.0", "127.0.0.1"))
    gateway.wait_ready()
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").answer()
