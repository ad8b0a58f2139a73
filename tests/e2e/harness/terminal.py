"""The terminal client, as a person has it: by a pipe, or on a terminal of its own (a pty)."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from dataclasses import dataclass
from pathlib import Path

from harness.services import PASSWORD
from harness.wait import SLOWNESS

STYLE = re.compile(r"\x1b\[[0-9;]*m")


def program() -> Path:
    path = Path(os.environ["PERSAI_BUILD"]) / "gateway" / "persai"
    assert path.is_file(), f"{path} is not built"
    return path


@dataclass
class Done:
    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict]:
        """With --json."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def session(self) -> str:
        """The conversation, by its address in the last line."""
        found = re.search(r"session%22%3A%22([0-9a-f]{32})%22", self.err.splitlines()[-1])
        assert found, self.err
        return found[1]


class Terminal:
    """One person's account on one machine: files and environment."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.url = folder, url
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "TERM": "xterm-256color", "TZ": "UTC",
                    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=86", "UBSAN_OPTIONS": "print_stacktrace=1"}

    def run(self, *args: str, stdin: str = "", seconds: float = 60, **env: str) -> Done:
        done = subprocess.run([program(), *args], input=stdin.encode(), capture_output=True, env=self.env | env,
                              timeout=seconds * SLOWNESS, start_new_session=True)
        found = Done(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert "Sanitizer" not in found.err and "runtime error:" not in found.err, found.err
        return found

    def login(self, user: str = "alice", *more: str) -> Done:
        done = self.run("login", "--url", self.url, "--user", user, "--password-stdin", *more,
                        stdin=PASSWORD.format(user) + "\n")
        assert done.code == 0, done
        return done

    def on_screen(self, *args: str, columns: int = 100, **env: str) -> "Screen":
        return Screen(self, args, env, columns)


class Screen:
    """A program on a terminal of its own: what it wrote is in `text`."""

    def __init__(self, terminal: Terminal, args: tuple[str, ...], env: dict[str, str], columns: int) -> None:
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                termios.tcsetwinsize(0, (30, columns))
                os.execve(program(), ["persai", *args], terminal.env | env)
            finally:
                os._exit(127)

    def read(self, seconds: float) -> bool:
        """False: it has ended."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return False
            self.text += data.decode(errors="replace")
            return bool(data)
        return True

    def wait_for(self, words: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds * SLOWNESS
        while words not in STYLE.sub("", self.text):
            alive = self.read(0.2)
            assert alive or words in STYLE.sub("", self.text), f"it ended without {words!r}: {self.text!r}"
            assert time.monotonic() < end, f"no {words!r} in {self.text!r}"

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)

    def end(self, seconds: float = 60) -> int:
        """Reads to its end; the exit code."""
        end = time.monotonic() + seconds * SLOWNESS
        while self.read(0.2):
            assert time.monotonic() < end, f"it does not end: {self.text!r}"
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        assert "Sanitizer" not in self.text and "runtime error:" not in self.text, self.text
        return os.waitstatus_to_exitcode(status)
