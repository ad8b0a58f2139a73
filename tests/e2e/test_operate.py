"""What an operator looks at and does: health, metrics, the API's description, limits, flags, several gateways."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from fakes.model import Gate
from harness.client import DATASOURCE, Client
from harness.process import DIES_WITH_US, Process
from harness.stack import MODEL_KEY, Gateway, Stack, Worker, metric, metrics, program
from harness.wait import free_port, until


@pytest.mark.core
def test_health_and_readiness(bare: Stack) -> None:
    stack = bare
    stack.redis.start()
    gateway = stack.add_gateway()
    web = Client(gateway.url)
    assert web.get("/healthz").status == 200
    no_worker = gateway.wait_store() and web.get("/readyz")
    assert no_worker.status == 503 and "worker" in no_worker.body.decode().lower()
    worker = stack.add_worker()
    gateway.wait_ready()
    stack.redis.process.kill()
    until(lambda: web.get("/readyz").status == 503, "the gateway to notice that Redis is gone")
    assert "redis" in web.get("/readyz").body.decode().lower() or "store" in web.get("/readyz").body.decode().lower()
    assert web.get("/healthz").status == 200
    stack.redis.start()
    gateway.wait_ready()
    worker.process.kill()
    until(lambda: web.get("/readyz").status == 503, "the gateway to notice that its worker is gone", 30)


def test_a_worker_is_ready_with_redis_and_a_gateway(bare: Stack) -> None:
    stack = bare
    stack.redis.start()
    gateway = stack.add_gateway()
    web = Client(stack.add_worker().url)
    gateway.wait_ready()
    assert web.request("HEAD", "/healthz").status == 200  # as load balancers ask
    until(lambda: web.get("/readyz").status == 200, "the worker to be ready")
    gateway.process.kill()
    until(lambda: web.get("/readyz").status == 503, "the worker to notice that its gateway is gone", 30)
    assert "gateway" in web.get("/readyz").body.decode() and web.get("/healthz").status == 200
    stack.redis.process.kill()
    until(lambda: "Redis" in web.get("/readyz").body.decode(), "the worker to notice that Redis is gone", 30)
    assert web.get("/healthz").status == 200


@pytest.mark.core
def test_metrics_are_prometheus_text(stack: Stack, tmp_path: Path) -> None:
    alice = stack.client()
    alice.ask(alice.session(), "hello")
    for url in (stack.gateway.url, stack.worker.url):
        answer = Client(url).get("/metrics")
        assert answer.headers["Content-Type"].startswith("text/plain")
        checked = subprocess.run(["promtool", "check", "metrics"], input=answer.body, capture_output=True, timeout=30)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert all(name.startswith(("persai_", "process_", "gen_ai_")) for name in metrics(url)), list(metrics(url))
    assert metric(stack.gateway.url, "turns") >= 1 and metric(stack.worker.url, "turns") >= 1


def test_a_quiet_stream_is_pinged(bare: Stack) -> None:
    """A comment line every PERSAI_PING."""
    stack = bare.start(gateway_env={"PERSAI_PING": "500ms"})
    gate = Gate()
    stack.model.when("quiet", ["a", gate, "b"])
    alice = stack.client()
    stream = alice.turn(alice.session(), "quiet")
    gate.wait()
    until(lambda: len(stream.parser.comments) > 2, "three pings", 25)
    assert set(stream.parser.comments) == {": ping"}
    gate.open()
    assert stream.finish().answer() == "ab"


def test_several_gateways_share_a_port(bare: Stack) -> None:
    """SO_REUSEPORT: the kernel spreads connections; each gateway serves any of them."""
    stack = bare
    stack.redis.start()
    port = str(free_port())
    for n in range(3):
        gateway = Gateway(stack, f"gateway-{n}", port=port)
        stack.gateways.append(gateway)
        gateway.process.start()
        until(lambda: gateway.alive(), "the gateway to answer")
    stack.add_worker()
    until(lambda: all(Client(stack.gateway.url).get("/readyz").status == 200 for _ in range(20)), "all to be ready", 30)
    alice = stack.client()
    before = [g.process.log_bytes().count(b"http.reply") for g in stack.gateways]
    for n in range(12):
        session = alice.session()
        turn = alice.start(session, f"question {n}")
        assert alice.follow(session, turn).answer()
    assert len(alice.sessions()) == 12
    served = [g.process.log_bytes().count(b"http.reply") - n for g, n in zip(stack.gateways, before, strict=True)]
    print(f"requests by gateway, by their logs: {served}")
    assert sum(n > 0 for n in served) > 1, served
    stack.gateways[0].process.terminate()
    for _ in range(10):
        assert alice.get("/sessions").status == 200


def test_when_all_workers_are_full_a_turn_waits_and_then_503(bare: Stack) -> None:
    stack = bare.start(gateway_env={"PERSAI_QUEUE": "2"}, worker_env={"PERSAI_CAPACITY": "1"})
    gate = Gate()
    stack.model.when("long", ["a", gate, "b"])
    alice = stack.client()
    first = alice.turn(alice.session(), "long one")
    gate.wait()
    waiting = [(s := alice.session(), alice.start(s, f"waits {n}")) for n in range(2)]
    refused = alice.post(alice.turn_path(alice.session()), {"message": "too many"})
    assert refused.status == 503 and refused.code == "queue_full"
    assert int(refused.headers["Retry-After"]) > 0
    gate.open()
    assert first.finish().answer() == "ab"
    for session, turn in waiting:
        assert alice.follow(session, turn).answer()
    assert alice.ask(alice.session(), "room again").answer()


def test_turns_are_spread_over_the_workers(bare: Stack) -> None:
    stack = bare.start(workers=3)
    gates = [Gate() for _ in range(6)]
    for n, gate in enumerate(gates):
        stack.model.when(f"[{n}]", ["a", gate])
    alice = stack.client()
    streams = [alice.turn(alice.session(), f"[{n}]") for n in range(6)]
    for gate in gates:
        gate.wait()
    until(lambda: [metric(w.url, "turns_running") for w in stack.workers] == [2, 2, 2], "two turns on each worker")
    for gate, stream in zip(gates, streams, strict=True):
        gate.open()
        stream.finish()


def test_no_worker_is_a_clear_503(bare: Stack) -> None:
    stack = bare.start(workers=0)
    alice = stack.client()
    session = alice.session()
    answer = alice.post(alice.turn_path(session), {"message": "anyone"})
    assert answer.status == 503 and answer.code == "no_worker" and int(answer.headers["Retry-After"]) > 0
    assert alice.messages(session) == []


# ---- flags and settings ----
def run(name: str, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program(name), *args], capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], **env})


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_help_and_version(name: str) -> None:
    answer = run(name, "--help")
    assert answer.returncode == 0 and "PERSAI_REDIS" in answer.stdout and "--redis" in answer.stdout
    shown, every = (re.findall(r"^  ([A-Z]\w+)", run(name, flag).stdout, re.M) for flag in ("--help", "--help-all"))
    printed = re.findall(r"^\| `(\w+)`", run(name, "--print-settings").stdout, re.M)
    assert every == printed and set(shown) < set(every) and len(shown) <= 30, (shown, every)
    assert f"{len(every) - len(shown)} more" in answer.stdout and "--help-all" in answer.stdout
    assert run(name, "--version").stdout.strip()


@pytest.mark.parametrize("name,args,env", [
    ("gateway", ["--nonsense"], {}), ("gateway", ["extra"], {}), ("gateway", [], {"PERSAI_LISTEN": "nonsense"}),
    ("gateway", [], {"PERSAI_LISTEN": "127.0.0.1:99999"}), ("gateway", [], {"PERSAI_REDIS": "http://x"}),
    ("gateway", [], {"PERSES_API_URL": "ftp://x"}), ("gateway", [], {"LOG_LEVEL": "loud"}),
    ("gateway", [], {"PERSAI_BROKER": "udp://x"}), ("gateway", [], {"PERSAI_AUTH": "perhaps"}),
    ("gateway", [], {"PERSAI_TOKEN_WAIT": "soon"}), ("gateway", [], {"PERSAI_DATASOURCE_SECRET": "too-short"}),
    ("worker", [], {"PERSAI_CAPACITY": "0"}), ("worker", [], {"PERSAI_CAPACITY": "many"}),
    ("worker", [], {"PERSAI_GATEWAYS": "nonsense"}),
    ("gateway", [], {"PERSES_API_URL": "perses:8080"}), ("worker", [], {"PERSES_API_URL": "perses:8080"}),
    ("worker", [], {"OPENAI_BASE_URL": "127.0.0.1:11434/v1"}), ("worker", [], {"PERSAI_DOCS": "/does/not/exist"}),
    ("worker", [], {"PERSAI_DATASOURCES": "proxy/globaldatasources/loki"}),
    ("worker", [], {"PERSAI_BEAT": "2s"}), ("gateway", [], {"PERSAI_BEAT": "800ms"}),
    ("gateway", [], {"PERSAI_CORS_ORIGINS": "https://a.example,https://b.example/app"}),
    ("gateway", [], {"PERSAI_CORS_ORIGINS": "a.example"}), ("gateway", [], {"PERSAI_PROXIES": "10.0.0.0/33"}),
    ("gateway", [], {"PERSAI_LISTEN": "8000"}), ("worker", [], {"PERSAI_METRICS_LISTEN": "8200"}),
    ("gateway", [], {"PERSES_API_URL": "http://perses:99999"}), ("worker", [], {"PERSES_API_URL": "http://perses:99999"}),
    ("worker", [], {"OPENAI_BASE_URL": "http://[::1"}),
    ("worker", [], {"PERSAI_MODELS": "/does/not/exist.json"}), ("worker", [], {"OPENAI_API_KEY_FILE": "/does/not/exist"})])
def test_bad_settings_are_a_sentence_and_an_exit(name: str, args: list[str], env: dict[str, str]) -> None:
    answer = run(name, *args, **env)
    assert answer.returncode not in (0, -6, -11), answer
    text = (answer.stderr + answer.stdout).strip()
    assert text and "Sanitizer" not in text
    for setting in env:
        assert setting in text, text
    assert "settings.cleartext" not in text  # what is to be mended comes alone
    others = {"PERSAI_LISTEN", "PERSAI_PROXIES", "PERSES_API_URL", "PERSAI_REDIS"} - set(env)
    assert not [name for name in others if name in text], text


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_a_variable_that_nobody_reads_is_warned_of(name: str) -> None:
    answer = run(name, PERSAI_REDSI="x", PERSAI_STATE="x", PERSAI_KEYS_FILE="/dev/null", PERSES_API_URL="perses:8080")
    told = [line for line in (answer.stderr + answer.stdout).splitlines() if "settings.unknown" in line]
    assert len(told) == 1 and "PERSAI_REDSI" in told[0] and "nearest=PERSAI_REDIS" in told[0], answer


def test_a_taken_port_is_a_clear_sentence(stack: Stack) -> None:
    # Another user's program there: SO_REUSEPORT is only for those that ask for it.
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        answer = run("gateway", PERSAI_LISTEN=f"127.0.0.1:{s.getsockname()[1]}", PERSAI_REDIS=stack.redis.url,
                     PERSAI_BROKER=f"tcp://127.0.0.1:{free_port()}", PERSAI_BROKER_OPEN="true")
    assert answer.returncode not in (0, -6, -11) and "in use" in answer.stderr + answer.stdout


def test_secrets_from_files(bare: Stack, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-from-a-file-4242\n")
    stack = bare.start(worker_env={"OPENAI_API_KEY": "", "OPENAI_API_KEY_FILE": str(key)})
    alice = stack.client()
    alice.ask(alice.session(), "hello")
    sent = {r.header("Authorization") for r in stack.model.requests}
    assert sent == {"Bearer sk-from-a-file-4242"} and MODEL_KEY not in str(sent)


def test_redis_by_unix_socket_and_password(bare: Stack, tmp_path: Path) -> None:
    stack = bare
    sock = tmp_path / "redis.sock"
    stack.redis.process.args += ["--unixsocket", str(sock)]
    stack.redis.start()
    stack.redis.client.config_set("requirepass", "")
    stack.add_gateway(PERSAI_REDIS=f"unix://{sock}")
    stack.add_worker(PERSAI_REDIS=f"unix://{sock}")
    stack.gateway.wait_ready()
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").answer()


def test_logs_are_logfmt_with_ids(stack: Stack) -> None:
    alice = stack.client()
    log = alice.ask(alice.session(), "hello")
    turn = log.of("turn_start")[0]["turn_id"]
    for process in (stack.gateway.process, stack.worker.process):
        lines = process.log_bytes().decode().splitlines()
        assert any(turn in line for line in lines), f"{process.name} says nothing of turn {turn}"
        assert not [line for line in lines if json.dumps("hello") in line], "a person's words are in the log"


def test_sighup_disturbs_no_turn(bare: Stack) -> None:
    bare.start()
    gate = Gate()
    bare.model.when("held", lambda body: ["so ", gate, "far"])
    person = bare.client()
    stream = person.turn(person.session(), "held")
    gate.wait()
    for process in (bare.working().process, bare.gateways[0].process):
        process.signal(signal.SIGHUP)
    gate.open()
    assert stream.finish().answer() == "so far"


def begun(pid: int, name: str) -> bool:
    """Its main has run its first lines, where SIGPIPE becomes ignored; before it is that program, it is a copy of this one."""
    if Path(f"/proc/{pid}/exe").resolve() != program(name).resolve():
        return False
    found = re.search(r"^SigIgn:\s*(\w+)", Path(f"/proc/{pid}/status").read_text(encoding="ascii"), re.M)
    return bool(found and int(found[1], 16) >> (signal.SIGPIPE - 1) & 1)


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_a_signal_that_comes_before_it_has_started_ends_nothing(name: str) -> None:
    env = {"PATH": os.environ["PATH"], "PERSAI_REDIS": f"redis://127.0.0.1:{free_port()}", "PERSAI_LISTEN": "127.0.0.1:0",
           "PERSAI_METRICS_LISTEN": "127.0.0.1:0", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "PERSAI_DEFAULT_MODEL": "openai/x"}
    with subprocess.Popen([program(name)], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        while not begun(process.pid, name):  # until() would sleep over the rest of its start
            assert process.poll() is None, "it has not begun"
        for what in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
            process.send_signal(what)
        told = b""
        while b".ready" not in told:
            told += process.stderr.readline() or pytest.fail(f"it has ended: {process.wait()}")
        process.terminate()
        assert process.wait(30) == 0


def test_log_lines_are_json_when_asked_for_and_their_level_moves(bare: Stack) -> None:
    more = {"LOG_FORMAT": "json", "LOG_LEVEL": "info"}
    stack = bare.start(gateway_env=more, worker_env=more)
    alice = stack.client()
    alice.ask(alice.session(), "hello")
    for process in (stack.gateways[0].process, stack.workers[0].process):
        process.signal(signal.SIGUSR1)
        until(lambda p=process: b'"event":"log.level","least":"debug"' in p.log_bytes(), "the level to be lower")
        process.signal(signal.SIGUSR2)
        until(lambda p=process: b'"event":"log.level","least":"info"' in p.log_bytes(), "the level to be as it was")
        lines = [json.loads(line) for line in process.log_bytes().decode().splitlines() if line.startswith("{")]
        assert len(lines) > 3 and all({"ts", "level", "program", "event"} <= line.keys() for line in lines)
        assert any("turn" in line for line in lines)


class Unread:
    """A pipe with room for a page of text, which nobody reads."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()
        fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, 4096)

    def start(self, process: Process) -> None:
        """What it logs, and its audit, goes in here."""
        process.child = subprocess.Popen([*DIES_WITH_US, *process.args], stdin=subprocess.DEVNULL, stdout=self.write,
                                         stderr=self.write, env=process.env)
        os.close(self.write)

    def text(self) -> bytes:
        os.set_blocking(self.read, False)
        try:
            return os.read(self.read, 1 << 20)
        except BlockingIOError:
            return b""


def test_who_reads_no_log_and_no_audit_stops_nobody(bare: Stack) -> None:
    """A collector that has stalled, at the other end of a pipe: what it does not take is lost, and counted once it takes some."""
    bare.redis.start()
    more, pipes = {"PERSAI_AUDIT": "-"}, [Unread(), Unread()]
    gateway = Gateway(bare, "gateway-0", **more)
    bare.gateways.append(gateway)
    bare.workers.append(Worker(bare, "worker-0", gateway.broker, **more))
    for pipe, one in zip(pipes, (gateway, bare.worker), strict=True):
        pipe.start(one.process)
    until(gateway.alive, "the gateway to answer")
    gateway.wait_ready()
    alice = bare.client()
    for n in range(40):
        assert alice.ask(alice.session(), f"hello {n}").answer()
    assert metrics(gateway.url)["persai_audit_lost_total"] > 0
    for pipe in pipes:
        full = pipe.text()
        assert 2048 < len(full) <= 4096 and b"log.lost" not in full
    assert alice.ask(alice.session(), "hello again").answer()
    for pipe in pipes:
        assert re.search(rb"event=log.lost lines=\d+\n", pipe.text())


def test_who_leaves_is_not_counted_as_lost(bare: Stack) -> None:
    """A rolling restart wakes nobody."""
    stack = bare.start(workers=2)
    first, second = stack.workers
    first.process.terminate()
    until(lambda: metrics(stack.gateway.url)["persai_workers"] == 1, "the worker to be gone")
    assert metrics(stack.gateway.url)["persai_workers_lost_total"] == 0
    log = stack.gateway.process.log_bytes()
    assert b"event=worker.left" in log and b"event=worker.lost" not in log
    second.process.kill()
    until(lambda: metrics(stack.gateway.url)["persai_workers_lost_total"] == 1, "the death to be seen")


def test_what_a_person_asks_too_much_is_not_what_lacks_here(bare: Stack) -> None:
    """persai_turns_refused_total has an alert: no room, worker or store."""
    stack = bare.start(gateway_env={"PERSAI_USER_TURNS": "1"})
    alice, gate = stack.client(), Gate()
    stack.model.when("long", ["a", gate, "b"])
    session, other = alice.session(), alice.session()
    turn = alice.start(session, "long")
    gate.wait()

    def ask(where: str) -> str:
        return alice.post(f"/session/{where}/turn?datasource_path={DATASOURCE}", {"message": "more"}).code

    def counted() -> tuple[float, float]:
        found = metrics(stack.gateway.url)
        return found["persai_turns_refused_total"], found["persai_turns_limited_total"]

    assert ask(other) == "rate_limited" and counted() == (0, 1)
    gate.open()
    alice.follow(session, turn)
    assert ask("0" * 32) == "session_not_found" and counted() == (0, 1)
    stack.redis.process.kill()
    assert ask(other) == "store_unavailable" and counted() == (1, 1)
