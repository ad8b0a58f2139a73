"""The stack's supervisor: starts Redis, Prometheus, node_exporter, Perses, the demo model, the gateway and the
workers, restarts what dies, and stops all of it. compose/run calls it after everything is installed and built.

    stack.py up                in the foreground, until Ctrl-C or SIGTERM
    stack.py stop|status|check|logs|running

One process, one thread. Its children get a signal when it dies, so a killed supervisor leaves nothing behind."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import files
import model
import settings

HERE = pathlib.Path(__file__).resolve().parent
STATE = pathlib.Path(os.environ["PERSAI_STATE"])
RUNBOOKS = HERE.parent / "provisioning" / "runbooks"  # of the alerts about PersAI itself
STACK = pathlib.Path(os.environ.get("PERSAI_STACK") or STATE / "stack")
STATUS = STACK / "status.json"
LOGS = STACK / "logs"
REDIS_SOCKET = STACK / "redis" / "redis.sock"
BROKER_SOCKET = STACK / "broker.sock"
BROKER = f"ipc://{BROKER_SOCKET}"  # in a folder that only this user can enter: no keys needed
BIN = pathlib.Path(os.environ.get("PERSAI_BIN_DIR") or STATE / "bin")
DATASOURCE_WORD = STACK / "datasource-secret"  # between Perses and the gateway

WORKERS = 2
READY_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 10.0
LOG_BYTES_MAX = 20_000_000  # a log that is larger at a start becomes NAME.log.1
SOCKET_PATH_MAX = 100  # the kernel's limit is 107 bytes
PR_SET_PDEATHSIG = 1

LIBC = ctypes.CDLL(None, use_errno=True)


class StackError(Exception):
    """Ends the start; its text is a sentence for the person who started it."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# --- HTTP on loopback, past any proxy that the environment names ---

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def http_status(url: str, timeout: float = 2.0, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """(0, b"") when nobody answers."""
    try:
        with OPENER.open(urllib.request.Request(url, headers=headers or {}), timeout=timeout) as answer:
            return answer.status, answer.read(1_000_000)
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read(1_000_000)
    except (OSError, ValueError):
        return 0, b""


# --- Ports ---


def port_is_free(port: int) -> bool:
    with socket.socket() as s:
        # As the servers do: an old connection in TIME_WAIT does not take the port.
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    with socket.socket() as s:  # somebody may listen on all addresses with SO_REUSEADDR
        s.settimeout(0.5)
        return s.connect_ex(("127.0.0.1", port)) != 0


def port_owner(port: int) -> str:
    """ " by NAME (pid N)", as far as this user may know it."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        out = subprocess.run(
            ["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, timeout=5, check=False
        ).stdout
        if '(("' in out:
            name, _, rest = out.partition('(("')[2].partition('"')
            pid = rest.partition("pid=")[2].partition(",")[0]
            return f" by {name} (pid {pid})"
    return ""


class Ports:
    """Perses's port is the one that people know, so it is never another than the one said. The others are only
    used between the parts: where one is taken, any free one does, and it is said."""

    def __init__(self) -> None:
        self.given: set[int] = set()

    def fixed(self, setting: str, default: int, what: str) -> int:
        text = os.environ.get(setting, str(default))
        if not text.isdigit() or not 1 <= int(text) <= 65535:
            raise StackError(f"{setting} is {text!r}: it must be a port, 1 to 65535")
        port = int(text)
        if not port_is_free(port):
            raise StackError(
                f"port {port} ({what}) is taken{port_owner(port)}: stop that, or choose another: "
                f"{setting}={port + 10000 if port < 50000 else 18080} compose/run"
            )
        self.given.add(port)
        return port

    def wanted(self, port: int, what: str) -> int:
        chosen = port
        while chosen in self.given or not port_is_free(chosen):
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                chosen = s.getsockname()[1]
        if chosen != port:
            say(f"  port {port} ({what}) is taken{port_owner(port)}: using {chosen}")
        self.given.add(chosen)
        return chosen


# --- Processes ---


def child_setup() -> None:
    """In the child: its signals are the supervisor's business (Ctrl-C reaches only that), and it ends with it."""
    os.setsid()
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Program:
    name: str
    argv: list[str]
    alive: Callable[[], bool]
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    quick_deaths: int = 0  # in a row
    restart_at: float = 0.0

    @property
    def log(self) -> pathlib.Path:
        return LOGS / f"{self.name}.log"

    def start(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        base = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR") if k in os.environ}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=STACK,
                env=base | self.env,
                preexec_fn=child_setup,
            )
        self.started = time.monotonic()

    def signal(self, number: int) -> None:
        if self.running() and self.process:
            self.process.send_signal(number)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def how_it_ended(self) -> str:
        code = self.process.returncode if self.process else 0
        return f"signal {-code}" if code < 0 else f"status {code}"

    def log_end(self, lines: int = 8) -> str:
        with contextlib.suppress(OSError), open(self.log, "rb") as f:
            f.seek(max(0, f.seek(0, os.SEEK_END) - 8000))
            return "\n".join("    " + line for line in f.read().decode(errors="replace").splitlines()[-lines:])
        return ""


class Stack:
    def __init__(self) -> None:
        self.began = time.monotonic()
        self.programs: list[Program] = []  # in the order of their start; stopped the other way round
        self.choice: model.Choice | None = None
        self.ports: dict[str, int] = {}
        self.passwords: dict[str, str] = {}
        self.stopping = False
        self.ready_s: float | None = None
        self.info: dict[str, object] = {}

    # -- what there is

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def program(self, name: str) -> Program:
        return next(p for p in self.programs if p.name == name)

    def plan(self) -> None:
        """Everything that can be refused is refused here, before a process is started."""
        if len(str(REDIS_SOCKET)) > SOCKET_PATH_MAX:
            raise StackError(f"the path {STACK} is too long for a unix socket: set PERSAI_STACK to a shorter one")
        for name in ("redis-server", "prometheus", "prometheus-node-exporter"):
            if not shutil.which(name):
                raise StackError(f"{name} is not installed: start with compose/run, which installs it")
        self.choice = model.choose(os.environ)
        model.check(self.choice)  # also names it where the server was left to choose
        say(f"  model: {self.choice.description}")

        ports = Ports()
        self.ports["perses"] = ports.fixed("PERSAI_PORT", 8080, "Perses")
        self.ports["gateway"] = ports.wanted(8000, "gateway")
        self.ports["prometheus"] = ports.wanted(9090, "Prometheus")
        self.ports["node-exporter"] = ports.wanted(9100, "node_exporter")
        for i in range(1, WORKERS + 1):
            self.ports[f"worker-{i}"] = ports.wanted(8200 + i, f"worker {i}")
        if self.choice.is_demo:
            self.ports["demo-model"] = ports.wanted(8300, "demo model")
        self.passwords = {
            "admin": files.secret(STACK / "admin-password", 20),
            "demo": files.secret(STACK / "demo-password", 20),
        }
        self.programs = list(self.make_programs())

    def make_programs(self) -> Iterator[Program]:
        def http_ok(name: str, path: str) -> Callable[[], bool]:
            return lambda: http_status(self.url(name) + path)[0] == 200

        yield Program("redis", files.redis(STACK / "redis", REDIS_SOCKET), redis_answers)
        yield Program("prometheus", self.prometheus(files.SCRAPE_AT_START), http_ok("prometheus", "/-/ready"))
        yield Program(
            "node-exporter",
            ["prometheus-node-exporter", f"--web.listen-address=127.0.0.1:{self.ports['node-exporter']}"],
            http_ok("node-exporter", "/"),
        )
        yield Program(
            "perses",
            files.perses(
                STACK / "perses",
                os.environ["PERSAI_PERSES_BIN"],
                self.ports["perses"],
                self.url("prometheus"),
                self.url("gateway"),
                files.secret(DATASOURCE_WORD, 32),
                self.passwords,
            ),
            http_ok("perses", "/api/v1/health"),
        )
        assert self.choice
        if self.choice.is_demo:
            self.choice.base_url = self.url("demo-model") + "/v1"
            yield Program(
                "demo-model",
                [sys.executable, str(HERE.parent / "demo-model" / "server.py"), str(self.ports["demo-model"])],
                http_ok("demo-model", "/health"),
            )
        yield Program(
            "gateway", [str(BIN / "persai-gateway")], http_ok("gateway", "/healthz"), env=self.gateway_env()
        )
        for i in range(1, WORKERS + 1):
            name = f"worker-{i}"
            yield Program(
                name, [str(BIN / "persai-worker")], http_ok(name, "/healthz"), env=self.worker_env(self.ports[name])
            )

    def both_env(self) -> dict[str, str]:
        return {
            "PERSAI_REDIS": f"unix://{REDIS_SOCKET}",
            "PERSES_API_URL": self.url("perses"),
            "LOG_LEVEL": "info",
            "PERSAI_DRAIN": "5s",  # nothing is lost by a turn that is ended earlier: it goes on at the next start
        }

    def gateway_env(self) -> dict[str, str]:
        own = {
            "PERSAI_LISTEN": f"127.0.0.1:{self.ports['gateway']}",
            "PERSAI_BROKER": BROKER,
            "PERSAI_DATASOURCE_SECRET_FILE": str(DATASOURCE_WORD),
        }
        return self.both_env() | own | settings.told("gateway", os.environ)

    def worker_env(self, port: int) -> dict[str, str]:
        assert self.choice
        own = {
            "PERSAI_GATEWAYS": BROKER,
            "PERSAI_METRICS_LISTEN": f"127.0.0.1:{port}",
            "PERSAI_DOCS": str(RUNBOOKS),
        }
        return self.both_env() | own | self.choice.worker_env(os.environ)

    def prometheus(self, interval: str) -> list[str]:
        targets = {
            "prometheus": ["prometheus"],
            "node": ["node-exporter"],
            "perses": ["perses"],
            "persai-gateway": ["gateway"],
            "persai-worker": [f"worker-{i}" for i in range(1, WORKERS + 1)],
        }
        named = {job: {n: f"127.0.0.1:{self.ports[n]}" for n in names} for job, names in targets.items()}
        return files.prometheus(STACK / "prometheus", self.ports["prometheus"], named, interval)

    # -- starting

    def start(self) -> None:
        LOGS.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.write_status("starting")
        self.prepare_plugins()
        for program in self.programs:
            program.start()
            if program.name == "redis":  # the others would only log that it is not there yet
                self.wait("Redis", program.alive)
        for program in self.programs:
            self.wait(program.name, program.alive)
        self.wait("the gateway's first worker", lambda: http_status(self.url("gateway") + "/readyz")[0] == 200)
        self.wait("the sign-in to Perses", self.sign_in_works)
        self.wait("the first numbers in Prometheus", self.rates_have_data)
        self.prometheus(files.SCRAPE)  # its file anew
        self.program("prometheus").signal(signal.SIGHUP)  # reads it
        self.ready_s = time.monotonic() - self.began
        self.write_status("ready")

    def prepare_plugins(self) -> None:
        """Perses writes into its plugin folder, so it gets a copy of hard links."""
        source, target = pathlib.Path(os.environ["PERSAI_PLUGINS_DIR"]), STACK / "perses" / "plugins"
        shutil.rmtree(target, ignore_errors=True)

        def link(a: str, b: str) -> None:
            try:
                os.link(a, b)
            except OSError:
                shutil.copy2(a, b)

        shutil.copytree(source, target, copy_function=link)

    def wait(self, what: str, done: Callable[[], bool]) -> None:
        give_up = time.monotonic() + READY_TIMEOUT_S
        while not done():
            if self.stopping:
                raise KeyboardInterrupt
            self.revive(starting=True)
            if time.monotonic() > give_up:
                raise StackError(
                    f"still waiting for {what} after {READY_TIMEOUT_S:.0f} s; the logs are in {LOGS}\n"
                    + "\n".join(f"  {p.name}:\n{p.log_end(3)}" for p in self.programs)
                )
            time.sleep(0.05)

    def sign_in_works(self) -> bool:
        """As the demo user, through Perses, to the gateway: the way that each question goes."""
        body = json.dumps({"login": "demo", "password": self.passwords["demo"]}).encode()
        request = urllib.request.Request(
            self.url("perses") + "/api/auth/providers/native/login",
            data=body,
            headers={"Content-Type": "application/json"},
        )
        try:
            with OPENER.open(request, timeout=5) as answer:
                token = json.load(answer)["access_token"]
        except (OSError, ValueError, KeyError):
            return False
        header, payload, signature = token.split(".")
        signed_in = {"Cookie": f"jwtPayload={header}.{payload}; jwtSignature={signature}"}
        proxy = self.url("perses") + "/proxy/globaldatasources/"
        return all(
            http_status(proxy + path, headers=signed_in)[0] == 200
            for path in ("persai/models", "prometheus/api/v1/query?query=1")
        )

    def rates_have_data(self) -> bool:
        """Two scrapes of every target since this start: rate() has data, so the first answer is not empty."""
        since = int(time.monotonic() - self.began) + 1

        def count(query: str) -> int:
            parameters = urllib.parse.urlencode({"query": f"count({query})"})
            status, body = http_status(f"{self.url('prometheus')}/api/v1/query?{parameters}")
            result = json.loads(body)["data"]["result"] if status == 200 else []
            return int(result[0]["value"][1]) if result else 0

        targets = 4 + WORKERS
        return count(f"sum_over_time(up[{since}s]) >= 2") >= targets and count("rate(node_cpu_seconds_total[1m])") > 0

    # -- running

    def revive(self, starting: bool = False) -> None:
        """Starts again what died: at once the first time, then with growing pauses."""
        now = time.monotonic()
        for program in self.programs:
            if program.process is None or program.running():
                continue
            if program.restart_at == 0.0:
                program.quick_deaths = program.quick_deaths + 1 if now - program.started < 10 else 1
                if starting and program.quick_deaths >= 3:
                    raise StackError(
                        f"{program.name} does not start ({program.how_it_ended()}); the end of {program.log}:\n"
                        + program.log_end()
                    )
                pause = min(10.0, 0.2 * 2 ** (program.quick_deaths - 1)) if program.quick_deaths > 1 else 0.0
                say(f"  {program.name} ended ({program.how_it_ended()}): starting it again")
                program.restart_at = now + pause
            if now >= program.restart_at:
                program.restart_at = 0.0
                program.restarts += 1
                program.start()
                self.write_status("ready" if self.ready_s is not None else "starting")

    def run(self) -> None:
        while not self.stopping:
            self.revive()
            time.sleep(0.2)

    def stop(self) -> None:
        """Those that ask first, those that are asked last; what does not end in time is killed."""
        with contextlib.suppress(OSError):
            self.write_status("stopping")
        last = ("redis",)
        for group in (
            [p for p in self.programs if p.name.startswith(("gateway", "worker"))],
            [p for p in self.programs if not p.name.startswith(("gateway", "worker")) and p.name not in last],
            [p for p in self.programs if p.name in last],
        ):
            for program in group:
                program.signal(signal.SIGTERM)
            give_up = time.monotonic() + STOP_TIMEOUT_S
            for program in group:
                if program.process is None:
                    continue
                try:
                    program.process.wait(max(0.01, give_up - time.monotonic()))
                except subprocess.TimeoutExpired:
                    say(f"  {program.name} did not end in {STOP_TIMEOUT_S:.0f} s: killed")
                    program.process.kill()
                    program.process.wait()
        for path in (STATUS, BROKER_SOCKET):
            path.unlink(missing_ok=True)

    # -- telling others

    def write_status(self, phase: str) -> None:
        files.write(
            STATUS,
            json.dumps(
                {
                    "phase": phase,
                    "pid": os.getpid(),
                    "ports": self.ports,
                    "model": self.choice.description if self.choice else "",
                    "ready_s": self.ready_s,
                    "programs": {
                        p.name: {"pid": p.process.pid if p.process else 0, "restarts": p.restarts}
                        for p in self.programs
                    },
                },
                indent=1,
            ),
        )


def redis_answers() -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(1)
            s.connect(str(REDIS_SOCKET))
            s.sendall(b"PING\r\n")
            return s.recv(16).startswith(b"+PONG")  # -LOADING while it reads its file
    except OSError:
        return False


# --- One stack at a time; what the other commands see of it ---


def status_read() -> dict | None:
    """The running stack's status; None when none runs (a file left by a killed one does not count)."""
    try:
        status = json.loads(STATUS.read_text())
    except (OSError, ValueError):
        return None
    return status if lock_is_held() else None


def lock_is_held() -> bool:
    try:
        with open(STACK / "lock") as f:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def up() -> int:
    STACK.mkdir(parents=True, exist_ok=True)
    STACK.chmod(0o700)
    lock = open(STACK / "lock", "a")  # noqa: SIM115 held until this process ends
    for _ in range(20):  # a look at the status holds it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.02)
    else:
        running = status_read() or {}
        where = f" at http://127.0.0.1:{running['ports']['perses']}" if running.get("ports") else ""
        say(f"PersAI is already running{where} (pid {running.get('pid', '?')}). compose/run stop ends it.")
        return 1

    stack = Stack()

    def on_signal(_signal: int, _frame: object) -> None:
        stack.stopping = True

    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, on_signal)
    try:
        stack.plan()
        stack.start()
        tell_ready(stack)
        stack.run()
        say("stopping …")
    except KeyboardInterrupt:
        say("stopping …")
    except (StackError, model.ModelError) as e:
        say(f"error: {e}")
        return 1
    finally:
        stack.stop()
    return 0


def tell_ready(stack: Stack) -> None:
    assert stack.choice
    since = float(os.environ.get("PERSAI_RUN_BEGAN", "0") or 0)
    total = f" ({time.time() - since:.0f} s with installing and building)" if since else ""
    say(
        f"""PersAI is ready: started in {stack.ready_s:.1f} s{total}.
  Perses    {stack.url("perses")}
  sign in   demo / {stack.passwords["demo"]}   (kept in {STACK / "demo-password"})
  admin     admin, password in {STACK / "admin-password"}
  model     {stack.choice.description}
  ask       compose/run ask "Which targets are up, and how busy is this machine's CPU?"
  stop      Ctrl-C here, or compose/run stop"""
    )


def stop() -> int:
    running = status_read()
    if not running:
        say("PersAI is not running.")
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(running["pid"], signal.SIGTERM)
    give_up = time.monotonic() + 4 * STOP_TIMEOUT_S
    while lock_is_held():
        if time.monotonic() > give_up:
            say(f"error: the supervisor (pid {running['pid']}) does not end; its log is {LOGS / 'stack.log'}")
            return 1
        time.sleep(0.05)
    say("PersAI is stopped. Its data is in " + str(STACK))
    return 0


def status() -> int:
    running = status_read()
    if not running:
        print("PersAI is not running. Start it with compose/run")
        return 3
    print(f"PersAI is {running['phase']}; supervisor pid {running['pid']}; model: {running['model']}")
    for name, p in running["programs"].items():
        port = running["ports"].get(name)
        where = f"http://127.0.0.1:{port}" if port else str(REDIS_SOCKET) if name == "redis" else ""
        alive = p["pid"] and pathlib.Path(f"/proc/{p['pid']}").exists()
        state = "running" if alive else "not running"
        again = f", restarted {p['restarts']}×" if p["restarts"] else ""
        print(f"  {name:14} {state:12} pid {p['pid']:<8} {where}{again}")
    print(f"  logs           {LOGS}")
    print(f"  sign in        demo, password in {STACK / 'demo-password'}")
    return 0 if running["phase"] == "ready" else 4


def check() -> int:
    """What --check of the gateway and of a worker say, looked at as Perses's administrator."""
    running = status_read()
    if not running or running["phase"] != "ready":
        say("PersAI is not running. Start it with compose/run")
        return 3
    stack = Stack()
    stack.ports = running["ports"]
    stack.choice = model.choose(os.environ)
    model.check(stack.choice)
    if stack.choice.is_demo:
        stack.choice.base_url = f"{stack.url('demo-model')}/v1" if "demo-model" in stack.ports else ""
    if stack.choice.description != running["model"]:
        say(f"PersAI was started with another model ({running['model']}): give check the variables of that start")
        return 2
    administrator = {"PERSES_USER": "admin", "PERSES_PASSWORD": (STACK / "admin-password").read_text().strip()}
    base = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TZ") if k in os.environ} | {"LOG_LEVEL": "error"}
    codes = []
    for name, env in (("gateway", stack.gateway_env()), ("worker", stack.worker_env(0))):
        print(f"persai-{name}", flush=True)
        command = [str(BIN / f"persai-{name}"), "--check"]
        codes.append(subprocess.run(command, env=env | base | administrator, cwd=STACK, check=False).returncode)
    return max(codes, key=lambda code: (code == 1, code))


def logs(names: list[str]) -> int:
    known = sorted(LOGS.glob("*.log")) if LOGS.is_dir() else []
    chosen = [p for p in known if not names or any(n in (p.stem, p.name) for n in names)]
    if not chosen:
        say(f"no such log: there are {', '.join(p.stem for p in known) or 'none yet'}")
        return 1
    os.execvp("tail", ["tail", "-n", "40", "-F", *map(str, chosen)])


def main() -> int:
    os.umask(0o077)
    command, *rest = sys.argv[1:] or ["up"]
    if command == "up":
        return up()
    if command == "running":
        return 0 if status_read() else 1
    if command == "stop":
        return stop()
    if command == "status":
        return status()
    if command == "check":
        try:
            return check()
        except model.ModelError as e:
            say(f"error: {e}")
            return 1
    if command == "logs":
        return logs(rest)
    say(f"error: unknown command {command}")
    return 2


if __name__ == "__main__":
    sys.exit(main())
