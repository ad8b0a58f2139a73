"""compose/run ask: the terminal client's part of it: how it is called, and what becomes of its exit code. What the client
does is tests/e2e/test_terminal.py's."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import ask
import pytest

CLIENT = """#!/usr/bin/env python3
import json, os, sys
with open(os.environ["SEEN"], "a") as f:
    f.write(json.dumps({"args": sys.argv[1:], "stdin": sys.stdin.read(), "url": os.environ.get("PERSAI_URL"),
                        "config": os.environ.get("XDG_CONFIG_HOME"), "key": os.environ.get("PERSAI_API_KEY")}) + "\\n")
if sys.argv[1] == "login":
    print("wrong login or password", file=sys.stderr)
    sys.exit(int(os.environ.get("LOGIN", "0")))
sys.exit(int(os.environ.get("ANSWER", "0")))
"""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    client = tmp_path / "persai"
    client.write_text(CLIENT)
    client.chmod(client.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "demo-password").write_text("right\n")
    monkeypatch.setattr(ask, "PERSAI", str(client))
    monkeypatch.setattr(ask.stack, "STACK", tmp_path)
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    monkeypatch.setenv("PERSAI_API_KEY", "somebody's")
    status = {"phase": "ready", "pid": 1, "ports": {"perses": 1234}, "model": "demo"}
    monkeypatch.setattr(ask, "running_stack", lambda out: (status, None))
    return tmp_path / "seen"


def calls(seen: Path) -> list[dict]:
    return [json.loads(line) for line in seen.read_text().splitlines()]


def test_it_asks_as_the_demo_user_with_a_sign_in_of_its_own(seen: Path) -> None:
    assert ask.ask("Which targets are up?", new=False) == 0
    login, asked = calls(seen)
    assert login["args"] == ["login", "--user", "demo", "--password-stdin"] and login["stdin"] == "right\n"
    assert asked["args"][-2:] == ["--", "Which targets are up?"] and "--continue" in asked["args"]
    for call in (login, asked):
        assert call["url"] == "http://127.0.0.1:1234" and call["key"] is None
        assert call["config"] == str(seen.parent / "terminal")


def test_a_new_conversation_begins_where_it_is_wanted(seen: Path) -> None:
    ask.ask("--verbose", new=True)
    assert "--continue" not in calls(seen)[1]["args"]


def test_the_clients_exit_code_is_the_answer(seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWER", "5")
    assert ask.ask("q", new=False) == 5


def test_a_wrong_password_is_said(seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGIN", "3")
    with pytest.raises(ask.AskError, match="refused the sign-in.*wrong login"):
        ask.ask("q", new=False)
    assert len(calls(seen)) == 1
