"""Waiting for conditions, never for a time."""

import os
import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# Sanitizer builds are a few times slower; every limit of a test grows with it.
SLOWNESS = float(os.environ.get("PERSAI_TEST_SLOWNESS", "1"))


def until(condition: Callable[[], T], what: str, seconds: float = 15) -> T:
    """The first true answer; exceptions of a service that is not up yet count as no."""
    end = time.monotonic() + seconds * SLOWNESS
    last: object = None
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
        time.sleep(0.02)


_given: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on, and that this run has not given out before. Below those that the system gives to
    outgoing connections: one of them could take it before its server does."""
    while True:
        port = random.randrange(10240, 32000)
        with socket.socket() as s:
            try:
                s.bind((host, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
