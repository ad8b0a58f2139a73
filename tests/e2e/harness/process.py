"""A child process with its log; it dies with the test run, also when that is killed."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from harness.wait import SLOWNESS, until

# By a program, not by preexec_fn: with one Python copies its whole memory's map first, 10 to 30 ms of a process.
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
STARTS_S = 2  # a program has its handlers of signals within this time
BAD_SIGNS = (b"ERROR: AddressSanitizer", b"ERROR: LeakSanitizer", b"runtime error:", b"check.failed", b"CHECK failed")


class Process:
    def __init__(self, name: str, args: list[str | Path], logs: Path, env: dict[str, str] | None = None,
                 cwd: Path | None = None) -> None:
        self.name, self.args = name, [str(a) for a in args]
        self.log = logs / f"{name}.log"
        self.env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8",
                    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=86",
                    "UBSAN_OPTIONS": "print_stacktrace=1", **(env or {})}
        self.cwd = cwd
        self.child: subprocess.Popen[bytes] | None = None
        self.killed = False
        self.began = 0.0

    def start(self) -> "Process":
        assert not self.running(), f"{self.name} runs already"
        self.killed = False
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([*DIES_WITH_US, *self.args], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=self.env, cwd=self.cwd)
        self.began = time.monotonic()
        return self

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def running(self) -> bool:
        return self.child is not None and self.child.poll() is None

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def kill(self) -> None:
        """kill -9: what a crash looks like."""
        if self.running():
            assert self.child is not None
            self.killed = True
            self.child.kill()
            self.child.wait()

    def signal(self, number: int) -> None:
        assert self.child is not None
        self.child.send_signal(number)

    def ask_to_end(self) -> None:
        """SIGTERM, which would end one that has only just begun as a kill does."""
        assert self.child is not None
        if self.running():
            self.child.send_signal(signal.SIGCONT)
            while not self._handles_sigterm() and time.monotonic() < self.began + STARTS_S * SLOWNESS:
                time.sleep(0.005)
            self.child.terminate()

    def _handles_sigterm(self) -> bool:
        try:
            caught = re.search(r"SigCgt:\t([0-9a-f]+)", Path(f"/proc/{self.pid}/status").read_text())
        except OSError:
            return True  # it has ended
        return caught is None or bool(int(caught[1], 16) & 1 << (signal.SIGTERM - 1))

    def terminate(self, seconds: float = 30) -> int:
        """SIGTERM, and its exit code."""
        self.ask_to_end()
        return self.ended(seconds)

    def ended(self, seconds: float = 30) -> int:
        """After ask_to_end: its exit code."""
        assert self.child is not None
        try:
            return self.child.wait(seconds * SLOWNESS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds:g} s of SIGTERM") from None

    def wait_exit(self, seconds: float = 15) -> int:
        until(lambda: not self.running(), f"{self.name} to exit", seconds)
        assert self.child is not None
        return self.child.returncode

    def check(self) -> None:
        """It neither crashed nor said anything that only a bug says."""
        text = self.log_bytes()
        for sign in BAD_SIGNS:
            assert sign not in text, f"{self.name}: {text[text.index(sign):][:3000].decode(errors='replace')}"
        if self.child is not None and self.child.poll() is not None and not self.killed:
            assert self.child.returncode == 0, f"{self.name} exited with {self.child.returncode}:\n{self.tail()}"

    def log_bytes(self) -> bytes:
        return self.log.read_bytes() if self.log.exists() else b""

    def tail(self, count: int = 40) -> str:
        return "\n".join(self.log_bytes().decode("utf-8", "replace").splitlines()[-count:])

    def memory_bytes(self) -> int:
        with open(f"/proc/{self.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
