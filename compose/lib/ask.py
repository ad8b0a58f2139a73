"""ask.py [--new] QUESTION: asks the running stack one question by persai, the terminal client, as the demo user;
starts the stack in the background where none runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time

import model
import stack

PERSAI = str(stack.BIN / "persai")
DATASOURCE = "/proxy/globaldatasources/prometheus"
START_TIMEOUT_S = 150


class AskError(Exception):
    """The text is a sentence for the person who asked."""


class Out:
    """Notes on stderr, dimmed, a line each."""

    def __init__(self) -> None:
        self.colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    def note(self, text: str) -> None:
        text = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)
        print(f"\033[2m{text}\033[0m" if self.colour else text, file=sys.stderr, flush=True)


def start_in_background(out: Out) -> None:
    stack.LOGS.mkdir(parents=True, exist_ok=True)
    log_path = stack.LOGS / "stack.log"
    with open(log_path, "ab") as log:
        begin = log.tell()
        supervisor = subprocess.Popen(
            [sys.executable, str(stack.HERE / "stack.py"), "up"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    give_up = time.monotonic() + START_TIMEOUT_S
    shown = begin
    while True:
        ended = supervisor.poll() is not None
        with open(log_path, "rb") as f:
            f.seek(shown)
            text = f.read()
        text = text[: text.rfind(b"\n") + 1]
        shown += len(text)
        for line in text.decode(errors="replace").splitlines():
            out.note(line)
        status = stack.status_read()
        if status and status["pid"] == supervisor.pid and status["phase"] == "ready":
            return
        if ended:
            raise AskError(f"the stack did not start; its log is {log_path}")
        if time.monotonic() > give_up:
            supervisor.send_signal(signal.SIGTERM)
            raise AskError(f"the stack did not get ready in {START_TIMEOUT_S} s; its log is {log_path}")
        time.sleep(0.05)


def running_stack(out: Out) -> tuple[dict, float | None]:
    """The stack's status, and the moment when its start began if it was started here."""
    status = stack.status_read()
    if status is None:
        began = time.monotonic()
        start_in_background(out)
        status = stack.status_read()
        if status is None:
            raise AskError("the stack ended right after its start; see compose/run logs stack")
        return status, began
    give_up = time.monotonic() + START_TIMEOUT_S
    while status["phase"] != "ready":
        if time.monotonic() > give_up:
            raise AskError(f"the running stack is still {status['phase']}; see compose/run logs")
        time.sleep(0.1)
        status = stack.status_read()
        if status is None:
            raise AskError("the running stack has just ended; ask again to start it")
    wanted = model.choose(os.environ)
    if wanted.name and wanted.description != status["model"]:
        out.note(f"note: the running stack uses {status['model']}; compose/run stop, then ask again, to change it")
    return status, None


def terminal_client(port: int) -> dict[str, str]:
    """Its environment: a sign-in of its own in the stack's folder, whatever the person has at home."""
    folder = stack.STACK / "terminal"
    env = {**os.environ, "PERSAI_URL": f"http://127.0.0.1:{port}", "XDG_CONFIG_HOME": str(folder)}
    for name in ("PERSAI_CONTEXT", "PERSAI_GATEWAY", "PERSAI_API_KEY"):
        env.pop(name, None)
    password = (stack.STACK / "demo-password").read_bytes()
    done = subprocess.run([PERSAI, "login", "--user", "demo", "--password-stdin"], input=password, env=env,
                          stderr=subprocess.PIPE)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise AskError(f"Perses refused the sign-in of the demo user: {said}")
    return env


def ask(question: str, new: bool) -> int:
    out = Out()
    status, began = running_stack(out)
    env = terminal_client(status["ports"]["perses"])
    if began is not None:
        out.note(f"— the stack was ready {time.monotonic() - began:.1f} s after its start")
    how = [] if new else ["--continue"]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client's: it cancels the question, and says how that went
    done = subprocess.run([PERSAI, "ask", *how, "--timing", "--datasource", DATASOURCE, "--", question], env=env,
                          stdin=subprocess.DEVNULL)
    if began is not None:
        if since := float(os.environ.get("PERSAI_RUN_BEGAN", "0") or 0):
            out.note(f"— from nothing to the end of the answer {time.time() - since:.0f} s")
        out.note(f"— PersAI runs on in the background: http://127.0.0.1:{status['ports']['perses']}, compose/run stop")
    return done.returncode


def main() -> int:
    arguments = sys.argv[1:]
    new = "--new" in arguments[:1]
    words = arguments[1:] if new else arguments
    question = " ".join(words).strip()
    if not question or (words and words[0].startswith("--")):
        print('usage: compose/run ask [--new] "QUESTION"', file=sys.stderr)
        return 2
    os.umask(0o077)
    try:
        return ask(question, new)
    except (AskError, model.ModelError) as e:
        print(f"error: {e}", file=sys.stderr)
    except OSError as e:
        print(f"error: {e}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
