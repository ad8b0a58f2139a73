"""What the terminal client is signed in with: in no core, whatever it waits for, and in one file only."""

import json
import os
import shutil
import stat
import threading
from pathlib import Path
from secrets import token_hex

import pytest

from fakes.model import Gate
from fakes.server import Exchange, Fake, Request
from harness.core import core_of, has_piece
from harness.stack import Stack
from harness.terminal import Terminal
from harness.wait import SLOWNESS

pytestmark = pytest.mark.skipif(shutil.which("gcore") is None, reason="gdb is not here")


class SilentPerses(Fake):
    """Says nothing to who signs in, until it is let."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self.tokens, self.asked, self.go = tokens, threading.Event(), threading.Event()
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        self.asked.set()
        self.go.wait(60 * SLOWNESS)
        exchange.reply(200, json.dumps(self.tokens).encode())


def kept(terminal: Terminal) -> Path:
    return terminal.folder / ".config" / "persai" / "contexts.json"


def test_a_core_has_no_token_while_it_asks_and_waits_for_words(stack: Stack, alice: Terminal, tmp_path: Path) -> None:
    """Whatever the umask, its files are the person's alone, and only the refresh token is in one."""
    gate = Gate()
    stack.model.when("hold", ["Well, ", gate, "held."])
    before = os.umask(0)
    screen = None
    try:
        alice.login("bob")
        refresh = json.loads(kept(alice).read_text())["contexts"]["default"]["refresh_token"]
        words = dict(zip(("refresh payload", "refresh signature"), refresh.encode().split(b".")[1:], strict=True))
        screen = alice.on_screen("chat")

        def check(when: str) -> None:
            limits = Path(f"/proc/{screen.pid}/limits").read_text()
            assert next(x for x in limits.splitlines() if x.startswith("Max core file size")).split()[4:6] == ["0", "0"]
            core = core_of(screen.pid, tmp_path)
            assert not [w for w, value in words.items() if value in core], when
            assert not has_piece(core, words["refresh signature"]), when

        screen.wait_for("persai> ")
        check("it waits for the first words")
        screen.type("hold it\r")
        gate.wait()
        check("it waits for the answer")
        gate.open()
        screen.wait_for("held.")
        screen.type("\x04")
        assert screen.end() == 0
        screen = None
        for path in alice.folder.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) & (0o077 if path.is_file() else 0o022) == 0, path
            assert path.is_dir() or path == kept(alice) or refresh.encode() not in path.read_bytes(), path
        assert stat.S_IMODE(kept(alice).parent.stat().st_mode) == 0o700
    finally:
        os.umask(before)
        if screen:
            screen.kill()


def test_a_core_has_no_password_once_it_was_sent(tmp_path: Path) -> None:
    with SilentPerses({"access_token": f"e30.{'a' * 40}.{'b' * 40}", "refresh_token": f"e30.{'c' * 40}.{'d' * 40}"}) as perses:
        terminal, password = Terminal(tmp_path / "home", perses.url), "hush-" + token_hex(16)
        screen = terminal.on_screen("login", "--url", perses.url, "--user", "alice")
        screen.wait_for("Password: ")
        screen.type(password + "\r")
        assert perses.asked.wait(30 * SLOWNESS)
        core = core_of(screen.pid, tmp_path)
        assert b"/native/login" in core and not has_piece(core, password.encode()[5:])
        assert password.encode() not in Path(f"/proc/{screen.pid}/cmdline").read_bytes() and password not in screen.text
        perses.go.set()
        assert screen.end() == 0, screen.text
        assert password.encode() in perses.requests[0].body
        text = kept(terminal).read_text()
        assert password not in text and "d" * 40 in text and "b" * 40 not in text


def test_a_core_has_no_refresh_token_while_perses_is_silent(tmp_path: Path) -> None:
    tokens = {"access_token": f"e30.{'a' * 40}.{'b' * 40}", "refresh_token": f"e30.{token_hex(20)}.{token_hex(20)}"}
    with SilentPerses(tokens) as perses:
        terminal = Terminal(tmp_path / "home", perses.url)
        perses.go.set()
        assert terminal.run("login", "--url", perses.url, "--user", "alice", "--password-stdin", stdin="word\n").code == 0
        perses.go.clear()
        perses.asked.clear()
        screen = terminal.on_screen("ask", "hello")
        try:
            assert perses.asked.wait(30 * SLOWNESS)
            core = core_of(screen.pid, tmp_path)
            assert perses.requests[-1].path.endswith("/refresh") and tokens["refresh_token"].encode() in perses.requests[-1].body
            assert not [part for part in tokens["refresh_token"].split(".")[1:] if has_piece(core, part.encode())]
        finally:
            screen.kill()
            perses.go.set()


def test_a_key_of_the_environment_is_wiped_there(tmp_path: Path) -> None:
    key = "pk-" + token_hex(32)
    with SilentPerses({}) as gateway:
        terminal = Terminal(tmp_path / "home", gateway.url)
        screen = terminal.on_screen("ask", "hello", PERSAI_API_KEY=key, PERSAI_GATEWAY=gateway.url)
        try:
            assert gateway.asked.wait(30 * SLOWNESS)
            assert gateway.requests[-1].header("Authorization") == f"Bearer {key}"
            environment = Path(f"/proc/{screen.pid}/environ").read_bytes()
            assert b"PERSAI_GATEWAY=" in environment and key[3:].encode() not in environment
            assert key[3:].encode() not in core_of(screen.pid, tmp_path)
        finally:
            screen.kill()
            gateway.go.set()
