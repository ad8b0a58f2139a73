"""Waiting for conditions, never for a time."""

import fcntl
import os
import random
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
# Sanitizer builds are a few times slower; every limit of a test grows with it.
SLOWNESS = float(os.environ.get("PERSAI_TEST_SLOWNESS", "1"))


def until(condition: Callable[[], T], what: str, seconds: float = 15) -> T:
    """The first true answer; exceptions of a service that is not up yet count as no."""
    end = time.monotonic() + seconds * SLOWNESS
    last: object = None
    pause = 0.005
    while True:
        try:
            answer = condition()
            if answer:
                return answer
            last = answer
        except (OSError, AssertionError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds * SLOWNESS:g} s in vain for {what}; last: {last!r:.500}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.02)


# Ports below those that the system gives to outgoing connections: one of them could take it before its server does.
FIRST_PORT, BLOCK_PORTS, BLOCKS = 10240, 512, 42
_block: tuple[int, int] | None = None  # its first port, and the lock that makes it ours until this process ends
_given: set[int] = set()


def _own_block() -> int:
    """A range of ports that no other run of tests on this machine takes one from."""
    global _block
    if _block is None:
        folder = Path(tempfile.gettempdir()) / f"persai-test-ports-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        for n in random.sample(range(BLOCKS), BLOCKS):
            lock = os.open(folder / str(n), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            _block = (FIRST_PORT + n * BLOCK_PORTS, lock)
            break
        else:
            raise AssertionError(f"all {BLOCKS} ranges of ports are in use by other runs of these tests: see {folder}")
    return _block[0]


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on and that is given out again only when all others were."""
    first = _own_block()
    for _ in range(2):
        left = [p for p in range(first, first + BLOCK_PORTS) if p not in _given]
        for port in random.sample(left, len(left)):
            _given.add(port)
            with socket.socket() as s:
                try:
                    s.bind((host, port))
                except OSError:
                    continue
            return port
        _given.clear()
    raise AssertionError(f"no port from {first} to {first + BLOCK_PORTS - 1} can be listened on")
