"""The quick start for real: compose/run as a person runs it, with every program, in a folder of the test's own."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from harness.wait import free_port

TOP = pathlib.Path(__file__).resolve().parents[2]
RUN = str(TOP / "compose" / "run")
QUESTION = "Which targets are up, and how busy is this machine's CPU?"
PROGRAMS = {"redis", "prometheus", "node-exporter", "perses", "demo-model", "gateway", "worker-1", "worker-2"}


def wait(what: str, done: Callable[[], object], seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < give_up, f"still no {what} after {seconds} s"
        time.sleep(0.05)


class Stack:
    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.port = free_port()
        keep = ("PATH", "HOME", "PERSAI_STATE", "XDG_STATE_HOME", "SSL_CERT_FILE", "PIP_CERT", "LANG", "TZ")
        self.env = {k: os.environ[k] for k in keep if k in os.environ}
        self.env |= {"PERSAI_STACK": str(folder), "PERSAI_PORT": str(self.port)}

    def run(self, *arguments: str, timeout: float = 240, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [RUN, *arguments],
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def ask(self, question: str = QUESTION, *options: str) -> subprocess.CompletedProcess[str]:
        done = self.run("ask", *options, question)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{self.logs()}"
        return done

    def status(self) -> dict:
        return json.loads((self.folder / "status.json").read_text())

    def pid(self, name: str) -> int:
        return self.status()["programs"][name]["pid"]

    def pids(self) -> list[int]:
        status = self.status()
        return [status["pid"], *(p["pid"] for p in status["programs"].values())]

    def logs(self) -> str:
        return "\n".join(
            f"== {p.name}\n{p.read_text(errors='replace')[-1500:]}"
            for p in sorted((self.folder / "logs").glob("*.log"))
        )

    def get(self, path: str, cookie: str = "") -> tuple[int, bytes]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Cookie": cookie})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read()

    def sign_in(self, user: str) -> str:
        password = (self.folder / f"{user}-password").read_text().strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/auth/providers/native/login",
            json.dumps({"login": user, "password": password}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            cookies = answer.headers.get_all("Set-Cookie")
        return "; ".join(c.partition(";")[0] for c in cookies)

    def sessions(self) -> list[dict]:
        status, body = self.get("/proxy/globaldatasources/persai/sessions", self.sign_in("demo"))
        assert status == 200, body
        return json.loads(body)


def gone(pids: list[int]) -> bool:
    def lives(pid: int) -> bool:
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return not any(lives(pid) for pid in pids)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    # Not pytest's folder: its path is too long for a unix socket in some places.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="persai-stack-"))
    s = Stack(folder)
    done = s.run("prepare", timeout=1500)
    assert done.returncode == 0, done.stderr
    yield s
    s.run("stop")
    logs = os.environ.get("PERSAI_TEST_LOGS")
    if logs and (folder / "logs").is_dir():
        shutil.copytree(folder / "logs", pathlib.Path(logs) / "stack", dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def running(stack: Stack) -> Stack:
    if stack.run("status").returncode != 0:
        stack.ask()
    return stack


def test_one_command_starts_all_and_answers(stack: Stack) -> None:
    done = stack.ask()
    said = f"{done.stdout}\n{done.stderr}"
    assert "emo model" in done.stdout, said
    assert "6 of 6" in done.stdout, said
    busy = re.search(r"(\d+(?:\.\d+)?) %(?: at last| \(instance=)", done.stdout)  # of a flat series its one value
    assert busy, said
    assert 0 <= float(busy[1]) <= 100
    assert re.search(r"^✓ .*\bup\b", done.stderr, re.M), said  # a tool's call is a line: its query, what came, how long
    assert re.search(r"first token after \d", done.stderr), said


def test_status_tells_what_runs(running: Stack) -> None:
    done = running.run("status")
    assert done.returncode == 0
    assert set(running.status()["programs"]) == PROGRAMS
    assert done.stdout.count(" running ") == len(PROGRAMS), done.stdout


def test_check_finds_all_as_it_should_be(running: Stack) -> None:
    done = running.run("check")
    assert done.returncode == 0 and "FAIL" not in done.stdout and "\n?" not in done.stdout, done
    for words in ("persai-gateway", "Perses is asked as admin", "Datasource persai leads to a gateway", "persai-worker",
                  "it takes this worker", "Model openai/demo answers"):
        assert words in done.stdout, (words, done.stdout)
    other = running.run("check", OPENAI_BASE_URL="http://127.0.0.1:1/v1", PERSAI_DEFAULT_MODEL="openai/x")
    assert other.returncode == 1 and "cannot be reached" in other.stderr, other


def test_the_runbooks_of_its_own_alerts_are_its_documents(running: Stack) -> None:
    logs = [p.read_text() for p in (running.folder / "logs").glob("worker*.log")]
    assert logs and all("docs.indexed files=1 " in text for text in logs), logs


def test_everything_listens_on_loopback_only(running: Stack) -> None:
    pids = {str(p) for p in running.pids()}
    lines = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [line.split()[3] for line in lines if set(re.findall(r"pid=(\d+)", line)) & pids]
    assert ours
    assert all(address.startswith("127.0.0.1:") for address in ours), ours


def test_passwords_are_kept_where_only_the_owner_reads_them(running: Stack) -> None:
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
    secrets = []
    for user in ("admin", "demo"):
        path = running.folder / f"{user}-password"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secrets.append(path.read_text().strip())
    assert "demo-password" in running.run("status").stdout
    for pid in running.pids():
        line = pathlib.Path(f"/proc/{pid}/cmdline").read_text()
        assert not any(s in line for s in secrets)


def test_perses_is_closed(running: Stack) -> None:
    assert running.get("/api/v1/globaldatasources")[0] == 401
    assert running.get("/proxy/globaldatasources/persai/sessions")[0] == 401
    demo = running.sign_in("demo")
    assert running.get("/api/v1/globaldatasources", demo)[0] == 200
    assert running.get("/api/v1/globalsecrets", demo)[0] == 403
    assert running.get("/api/v1/globalsecrets", running.sign_in("admin"))[0] == 200
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}/api/v1/users",
        b'{"kind":"User","metadata":{"name":"eve"},"spec":{"nativeProvider":{"password":"evil-password"}}}',
        {"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    assert refused.value.code in (401, 403, 404, 405)


def test_a_second_start_says_that_one_runs(running: Stack) -> None:
    done = running.run()
    assert done.returncode == 1
    assert f"already running at http://127.0.0.1:{running.port}" in done.stderr
    assert running.run("status").returncode == 0


@pytest.mark.parametrize("rest", [[], ["ask", "Which targets are up?"], ["prepare"]])
def test_another_ui_than_the_one_that_runs_is_a_sentence(running: Stack, rest: list[str]) -> None:
    done = running.run("--small-ui", *rest)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr == "error: it runs already: first compose/run stop, then it can serve the other UI\n"


def test_a_conversation_goes_on_and_a_new_one_can_begin(running: Stack) -> None:
    running.ask()
    before = {s["session_id"]: s["turns"] for s in running.sessions()}
    running.ask("Which targets are up?")
    after = {s["session_id"]: s["turns"] for s in running.sessions()}
    assert set(after) == set(before)
    assert sum(after.values()) == sum(before.values()) + 1
    running.ask("Which targets are up?", "--new")
    assert len(running.sessions()) == len(before) + 1


@pytest.mark.parametrize("name", ["worker-1", "gateway", "redis", "prometheus", "perses"])
def test_what_is_killed_is_started_again(running: Stack, name: str) -> None:
    old = running.pid(name)
    os.kill(old, signal.SIGKILL)
    wait(f"new {name}", lambda: running.pid(name) != old)
    # A question asked right then may be told to come again; soon it is answered.
    wait("answer", lambda: running.run("ask", "Which targets are up?").returncode == 0, 60)


def test_what_is_not_there_is_not_made_up(running: Stack) -> None:
    answer = running.ask("How many unicorns graze on the roof?", "--new").stdout
    assert "no matching metric" in answer


def test_stop_leaves_nothing_and_the_next_start_is_quick(running: Stack) -> None:
    running.ask()
    sessions = len(running.sessions())
    pids = running.pids()
    ports = running.status()["ports"].values()
    done = running.run("stop")
    assert done.returncode == 0, done.stderr
    wait("end of its programs", lambda: gone(pids), 3)  # the supervisor itself ends right after it has said so
    for port in ports:
        with socket.socket() as s:
            assert s.connect_ex(("127.0.0.1", port)) != 0
    assert running.run("status").returncode == 3
    assert running.run("stop").returncode == 0  # again: nothing to do

    done = running.ask()
    ready = re.search(r"ready (\d+(?:\.\d+)?) s after its start", done.stderr)
    first = re.search(r"first token after (\d+(?:\.\d+)?) s", done.stderr)
    assert ready and first, done.stderr
    waiting = os.getloadavg()[0] / (os.cpu_count() or 1)  # 10 s where nothing else wants the processors
    assert float(ready[1]) + float(first[1]) <= 10 * max(1, waiting)
    assert "6 of 6" in done.stdout
    assert len(running.sessions()) == sessions  # it went on in the conversation from before


def test_a_killed_supervisor_leaves_nothing(running: Stack) -> None:
    pids = running.pids()
    os.kill(pids[0], signal.SIGKILL)
    wait("end of its programs", lambda: gone(pids), 40)
    assert running.run("status").returncode == 3
    running.ask()  # and the next start is as any other


def test_ctrl_c_leaves_nothing(running: Stack) -> None:
    running.run("stop")
    process = subprocess.Popen([RUN], env=running.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        wait("stack", lambda: running.run("status").returncode == 0, 60)
        pids = running.pids()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=40)
    finally:
        process.kill()
    assert process.returncode == 0, said
    password = (running.folder / "demo-password").read_text().strip()
    assert f"demo / {password}" in said
    assert gone(pids)


@pytest.fixture
def stopped(stack: Stack) -> Stack:
    stack.run("stop")
    return stack


def test_a_taken_port_is_a_sentence(stopped: Stack) -> None:
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", stopped.port))
        s.listen()
        done = stopped.run()
    assert done.returncode == 1
    assert f"port {stopped.port} (Perses) is taken" in done.stderr
    assert stopped.run("status").returncode == 3


def test_a_model_that_cannot_be_reached_is_a_sentence(stopped: Stack) -> None:
    done = stopped.run("ask", "hello", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert done.returncode == 1
    assert "the model cannot be reached at http://127.0.0.1:9/v1" in done.stderr
    assert stopped.run("status").returncode == 3


def test_a_model_of_ones_own_is_used_and_named(stopped: Stack) -> None:
    port = free_port()
    server = [str(TOP / "compose" / "demo-model" / "server.py"), str(port)]
    process = subprocess.Popen(["python3", *server], stderr=subprocess.DEVNULL)
    try:
        wait("model", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        url = f"http://127.0.0.1:{port}/v1"
        done = stopped.run("ask", "Which targets are up?", OPENAI_BASE_URL=url, OPENAI_API_KEY="a-key-of-the-test")
        assert done.returncode == 0, done.stderr
        assert f"model: demo at {url}" in done.stderr
        assert "demo-model" not in stopped.status()["programs"]
        assert "a-key-of-the-test" not in done.stderr + stopped.logs()
    finally:
        process.terminate()
        process.wait(10)
