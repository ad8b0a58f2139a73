"""What --check of a program says."""

import os
import subprocess

from harness.stack import program

EXIT = {"ok": 0, "warn": 0, "FAIL": 1, "?": 3}


def check(name: str, env: dict[str, str]) -> list[tuple[str, str]]:
    """What --check says: ok, warn, FAIL or ?, and the rest of each line."""
    answer = subprocess.run([program(name), "--check"], capture_output=True, text=True, timeout=100,
                            stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **env})
    lines = [tuple(line.split(None, 1)) for line in answer.stdout.splitlines()]
    assert lines and {how for how, _ in lines} <= set(EXIT), answer
    worst = next(how for how in ("FAIL", "?", "ok") if any(how == h for h, _ in lines))
    assert answer.returncode == EXIT[worst] and "Sanitizer" not in answer.stderr, answer
    for word, value in env.items():
        assert not word.endswith(("_KEY", "_TOKEN", "_PASSWORD")) or len(value) < 16 or \
            value not in answer.stdout + answer.stderr, (word, answer)
    return lines


def failing(env: dict[str, str], how: str = "FAIL", name: str = "gateway") -> list[str]:
    return [line for verdict, line in check(name, env) if verdict == how]
