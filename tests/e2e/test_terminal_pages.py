"""What persai tells of itself, as a new user meets it: help and man page on narrow terminals, and its completions, each in
its real shell: sourced, and as the installed file."""

import os
import pty
import re
import select
import shutil
import subprocess
import termios
import time
from pathlib import Path

import pytest

from harness.terminal import program
from harness.wait import SLOWNESS

COMMANDS = ("login", "ask", "chat", "sessions", "export", "approve", "contexts", "logout")
HELPS = (("--help",), ("help",), *((name, "--help") for name in COMMANDS))


def told(*args: str) -> str:
    done = subprocess.run([program(), *args], capture_output=True, text=True, timeout=30 * SLOWNESS)
    assert done.returncode == 0 and done.stderr == "", done
    return done.stdout


def test_help_fits_80_columns() -> None:
    for args in HELPS:
        for line in told(*args).splitlines():
            assert len(line) <= 80 and line == line.rstrip(), (args, line)
    assert told("--help") == told("-h") == told("help")
    assert all(re.search(rf"^  {name}\b", told("--help"), re.M) for name in COMMANDS)
    for word in ("--version", "--print-man", "--print-completion=SHELL"):
        assert word in told("--help")


@pytest.mark.skipif(not shutil.which("man"), reason="there is no man")
@pytest.mark.parametrize("width", ["80", "40"])
def test_the_man_page_is_shown_by_man(tmp_path: Path, width: str) -> None:
    page = tmp_path / "persai.1"
    page.write_text(told("--print-man"))
    done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=60 * SLOWNESS,
                          env={"PATH": os.environ["PATH"], "MANWIDTH": width, "LC_ALL": "C.UTF-8", "MANPAGER": "cat",
                               "GROFF_NO_SGR": "1", "HOME": str(tmp_path)})
    assert done.returncode == 0 and "warning" not in done.stderr, done
    text = re.sub(r".\x08", "", done.stdout)
    assert all(len(line) <= int(width) for line in text.splitlines()), text
    for word in (*COMMANDS, "--datasource NAME", "--print-completion", "EXIT STATUS", "NO_COLOR"):
        assert word in text, word


class Shell:
    """An interactive shell on a terminal; tab() is what a line became when Tab was pressed."""

    def __init__(self, args: list[str], home: Path, begin: str) -> None:
        bin_ = home / "bin"
        bin_.mkdir(parents=True, exist_ok=True)
        if not (bin_ / "persai").exists():
            (bin_ / "persai").symlink_to(program())
        self.env = {"PATH": f"{bin_}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb", "LANG": "C.UTF-8", "PS1": "> "}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                termios.tcsetwinsize(0, (40, 200))
                os.execvpe(args[0], args, self.env)
            finally:
                os._exit(127)
        self.text = ""
        self.say(begin)

    def read_until(self, words: str) -> str:
        end = time.monotonic() + 30 * SLOWNESS
        while words not in self.text:
            assert time.monotonic() < end, f"no {words!r} in {self.text!r}"
            if select.select([self.fd], [], [], 0.2)[0]:
                self.text += os.read(self.fd, 65536).decode(errors="replace")
        found, _, self.text = self.text.partition(words)
        return found

    def say(self, line: str) -> str:
        """Its output. The mark is not in what the terminal echoes."""
        os.write(self.fd, f"{line}; echo ma''rk\r".encode())
        return self.read_until("mark\r\n")

    def tab(self, line: str) -> str:
        """The completed line, echoed by a function of the shell's that persai is then."""
        os.write(self.fd, f"{line}\t".encode())
        os.write(self.fd, b"\r")
        said = self.read_until("]mark")
        self.text = ""
        return said.rpartition("got[")[2]

    def end(self) -> None:
        os.close(self.fd)
        os.kill(self.pid, 9)
        os.waitpid(self.pid, 0)


WALK = {
    "persai exp": "export",
    "persai --gat": "--gateway",
    "persai ask what is --tim": "ask what is --timing",
    "persai help se": "help sessions",
    "persai ask --dat": "ask --datasource",
    "persai --url http://x app": "--url http://x approve",
    "persai --context ask logo": "--context ask logout",
    "persai export --format m": "export --format md",
    "persai export --ref": "export --ref",  # approve's alone
    "persai approve --ref": "approve --refuse",
    "persai logi": "login",
}


def walk(shell: Shell) -> None:
    try:
        for typed, became in WALK.items():
            assert shell.tab(typed).split() == became.split(), typed
    finally:
        shell.end()


GOT = 'persai() { echo "got[$*]ma""rk"; }'


@pytest.mark.parametrize("way", ["sourced", "installed"])
def test_bash_completes(tmp_path: Path, way: str) -> None:
    if way == "sourced":
        begin = "source <(persai --print-completion=bash)"
    else:
        (tmp_path / "persai").write_text(told("--print-completion=bash"))
        begin = f"source {tmp_path}/persai"
    shell = Shell(["bash", "--norc", "--noprofile", "-i"], tmp_path, f"bind 'set bell-style none'; {begin}; {GOT}")
    assert shell.tab("persai export --format=j").split() == ["export", "--format=json"]
    walk(shell)


@pytest.mark.skipif(not shutil.which("zsh"), reason="there is no zsh")
@pytest.mark.parametrize("way", ["sourced", "installed"])
def test_zsh_completes(tmp_path: Path, way: str) -> None:
    init = f"autoload -U compinit; compinit -u -d {tmp_path}/dump; unsetopt beep; PS1='> '; zstyle ':completion:*' menu no"
    if way == "sourced":
        begin = f"{init}; source <(persai --print-completion=zsh); {GOT}"
    else:
        (tmp_path / "functions").mkdir()
        (tmp_path / "functions" / "_persai").write_text(told("--print-completion=zsh"))
        begin = f"fpath=({tmp_path}/functions $fpath); {init}; {GOT}"
    shell = Shell(["zsh", "-f", "-i"], tmp_path, begin)
    assert shell.tab("persai export --format=j").split() == ["export", "--format=json"]
    assert shell.tab("persai ask -m x --sess").split() == ["ask", "-m", "x", "--session"]
    walk(shell)


@pytest.mark.skipif(not shutil.which("fish"), reason="there is no fish")
def test_fish_completes(tmp_path: Path) -> None:
    script = tmp_path / "persai.fish"
    script.write_text(told("--print-completion=fish"))
    for typed, became in WALK.items():
        done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'"], capture_output=True,
                              text=True, timeout=30 * SLOWNESS, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path),
                                                                     "LANG": "C.UTF-8"})
        assert done.returncode == 0 and done.stderr == "", done
        found = [line.split("\t")[0] for line in done.stdout.splitlines()]
        assert found == ([became.split()[-1]] if became != typed.removeprefix("persai ") else []), (typed, found)
