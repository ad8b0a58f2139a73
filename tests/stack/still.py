"""Waiting for what a whole stack does, which takes its time."""

import time


def until(what: str, done: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end, f"still not {what} after {seconds} s"
        time.sleep(0.2)
