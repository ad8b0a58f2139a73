"""persai where things are not as hoped: text that would drive the terminal, a narrow one, a pipe that closes, a full disk, a
gateway that is gone."""

import json
import os
import re
import subprocess
import termios
from pathlib import Path

import pytest

from fakes.model import Call
from fakes.server import Exchange, Fake, Request
from harness.approvals import Dashboard
from harness.services import Perses
from harness.stack import Stack
from harness.terminal import STYLE, Terminal, program
from harness.wait import SLOWNESS, free_port

# A cleared screen, a window's title, a clipboard, an 8-bit CSI, a link, a reversed line, a backspace, an answer to a query.
HOSTILE = "a\x1b[2J\x1b]0;owned\x07\x1b]52;c;b3duZWQ=\x1b\\\x9b31m\x1b]8;;http://evil\x1b\\x\u202eb\x08\x1b[6n\rc\x7f"
HARM = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


def harmless(text: str) -> None:
    """Of what a terminal was sent: nothing but text, lines and our own colours."""
    found = HARM.search(STYLE.sub("", text).replace("\r\n", "\n"))
    assert not found, (found, text)


def test_hostile_text_reaches_no_terminal(stack: Stack, alice: Terminal) -> None:
    stack.model.when("evil", [HOSTILE, Call("list_label_values", {"label": HOSTILE}), Call("no" + HOSTILE, {}),
                              Call("execute_range_query", {"query": 'absent(up{x="' + HOSTILE + '"})', "start": "now-30m"})],
                     [f"# {HOSTILE}\n\n| {HOSTILE} | b |\n|---|---|\n| 1 | {HOSTILE} |\n\n```\n{HOSTILE}\n```\n- `{HOSTILE}`\n",
                      f"[{HOSTILE}](http://{HOSTILE})\n"])
    question = "evil " + HOSTILE.replace("\x00", "")
    for args in (("ask",), ("ask", "-v"), ("ask", "--timing")):
        screen = alice.on_screen(*args, question)
        assert screen.end() == 0, screen.text
        harmless(screen.text)
    piped = alice.run("ask", "-v", question)
    session = piped.session
    harmless(piped.out + piped.err)
    assert stack.client("alice").request("PATCH", f"/session/{session}", {"title": f"T {HOSTILE}"}).status in (200, 400)
    assert alice.on_screen("ask", "--json", question).end() == 0
    for args in (("sessions",), ("sessions", "evil"), ("export", session), ("export", "--format", "json", session),
                 ("sessions", "--json"), ("ask", "--json", question)):
        screen = alice.on_screen(*args)
        assert screen.end() == 0 and "evil" in screen.text, screen.text
        harmless(screen.text)
    for args in (("sessions",), ("export", session)):
        done = alice.run(*args)
        harmless(done.out + done.err)
    assert json.loads(alice.run("export", "--format", "json", session).out)


def test_a_hostile_call_is_not_even_asked_about(stack: Stack, perses: Perses, tmp_path: Path) -> None:
    perses.put_gateway(stack.gateway.url)
    carol, board = Terminal(tmp_path / "carol", perses.url), Dashboard(perses)
    carol.login("carol")
    stack.model.when("save", [board.call("Kitchen" + HOSTILE)], ["Well."])
    screen = carol.on_screen("ask", "save it")
    assert screen.end() == 0 and board.titles() == []  # what can't be seen whole is nothing to approve
    harmless(screen.text)


def test_hostile_servers_and_lines_are_said_harmless(tmp_path: Path) -> None:
    class Evil(Fake):
        def answer(self, exchange: Exchange, request: Request) -> None:
            exchange.reply(400, json.dumps({"message": HOSTILE, "error": HOSTILE}).encode())

    fake = Evil()
    try:
        terminal = Terminal(tmp_path / "evil", fake.url)
        done = terminal.run("login", "--url", fake.url, "--user", "a", "--password-stdin", stdin="b\n")
        assert done.code in (1, 3) and "error: " in done.err
        harmless(done.err)
    finally:
        fake.stop()
    for args in ((HOSTILE,), ("ask", "--" + HOSTILE), ("login", "--url", HOSTILE), ("ask", "--range", HOSTILE, "q"),
                 ("logout", "--context", HOSTILE)):
        done = terminal.run(*args)
        assert done.code == 2, (args, done)
        harmless(done.err)


@pytest.mark.parametrize("columns", [40, 20])
def test_a_narrow_terminal_is_kept_to(stack: Stack, alice: Terminal, columns: int) -> None:
    stack.model.when("warm", [Call("execute_range_query", {"query": "minute()", "start": "now-30m", "end": "now"})],
                     ["## The rooms are warm and the kitchen is the warmest of them all\n\n"
                      "| room | temperature | since when it has been so | humidity |\n|---|---|---|---|\n"
                      "| the kitchen | 31.5 °C | this morning at eight | 55 % |\n\n"
                      "- a point of a list that is longer than the terminal is wide\n"])
    screen = alice.on_screen("ask", "how warm", columns=columns)
    assert screen.end() == 0, screen.text
    lines = STYLE.sub("", screen.text).replace("\r\n", "\n").split("\n")
    drawn = [line for line in lines if not re.search("/explore[?]|✓|^Looked up|written again", line)]
    assert [line for line in drawn if len(line) > columns] == [], screen.text


def test_a_chat_is_drawn_as_wide_as_its_terminal_is_by_then(stack: Stack, alice: Terminal) -> None:
    row = "| " + " | ".join(["a cell of a table that is wide"] * 3) + " |\n"
    stack.model.when("wide", [row + "|---|---|---|\n" + row + "\nThat was it.\n"])
    screen, drawn = alice.on_screen("chat", columns=120), []
    for columns in (120, 40, 100):
        screen.wait_for("persai> ")
        termios.tcsetwinsize(screen.fd, (30, columns))
        screen.text = ""
        screen.type("wide\r")
        screen.wait_for("That was it.")
        drawn.append(max(len(line) for line in STYLE.sub("", screen.text).splitlines() if "cell" in line))
    screen.kill()
    assert drawn[0] > 90 and drawn[1] <= 40 < 90 < drawn[2], (drawn, screen.text)


def start(terminal: Terminal, *args: str, **fds: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([program(), *args], env=terminal.env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            start_new_session=True, **fds)  # type: ignore[call-overload]


def test_a_full_disk_is_an_error(stack: Stack, alice: Terminal) -> None:
    stack.model.when("hello", ["Hello."])
    session = alice.run("ask", "hello").session
    for args in (("ask", "hello"), ("ask", "--json", "hello"), ("export", session), ("export", "--format", "json", session),
                 ("sessions",), ("sessions", "--json"), ("--help",), ("--print-man",)):
        with open("/dev/full", "wb") as full:
            process = start(alice, *args, stdout=full.fileno())
            _, said = process.communicate(timeout=60 * SLOWNESS)
        assert process.returncode == 1 and b"No space left" in said, (args, process.returncode, said)


def test_without_stdout_nothing_else_is_written_into(stack: Stack, alice: Terminal) -> None:
    stack.model.when("hello", ["Hello."])
    done = subprocess.run(["sh", "-c", f'exec "{program()}" ask hello >&- 2>"$0"', alice.folder / "said"], env=alice.env,
                          timeout=60 * SLOWNESS, stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and "stdout can't be written" in (alice.folder / "said").read_text()
    done = subprocess.run(["sh", "-c", f'exec "{program()}" ask hello 2>&- <&-'], env=alice.env, capture_output=True,
                          timeout=60 * SLOWNESS)
    assert done.returncode == 0 and done.stdout == b"Hello.\n"


def test_a_pipe_that_closes_leaves_the_question_answered(stack: Stack, alice: Terminal) -> None:
    stack.model.when("long", ["a line of it\n" * 2000, "and the end.\n"])
    out, into = os.pipe()
    os.close(out)
    process = start(alice, "ask", "a long story", stdout=into)
    os.close(into)
    _, said = process.communicate(timeout=60 * SLOWNESS)
    assert process.returncode == 0 and b"/explore?" in said, said
    assert stack.client("alice").sessions()[0]["turns"] == 1


def test_a_pipe_gets_no_text_that_was_taken_back(stack: Stack, alice: Terminal) -> None:
    stack.model.when("warm", ["It is 31.5 degrees, ", "or 77 %."])  # of no tool: it is asked again, and says the same
    done = alice.run("ask", "how warm")
    assert done.code == 0 and done.out.count("31.5 degrees") == 1, done
    screen = alice.on_screen("ask", "how warm")
    assert screen.end() == 0 and "this part is written again" in screen.text and "worker" not in screen.text, screen.text


def test_who_did_not_answer_is_named(stack: Stack, alice: Terminal, perses: Perses) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    done = alice.run("sessions", "--url", nobody)
    assert done.code == 1 and f'no answer from "{nobody}"' in done.err, done
    done = alice.run("ask", "q", "--gateway", nobody)
    assert done.code == 1 and f'no answer from "{nobody}"' in done.err, done
    assert done.err.count("trying again") == 1, done
    done = alice.run("ask", "--json", "q", "--url", nobody.replace("http://", "http://user:secret@"))
    assert done.code == 1 and "secret" not in done.out + done.err and done.events[-1]["code"] == "no_answer"


def test_chat_lives_through_the_gateways_end(stack: Stack, alice: Terminal) -> None:
    stack.model.when("hello", ["Hello you.\n"])
    screen = alice.on_screen("chat")
    screen.wait_for("persai> ")
    screen.type("hello\r")
    screen.wait_for("Hello you.")
    screen.text = screen.text.partition("Hello you.")[2]
    screen.wait_for("persai> ")
    stack.gateway.process.kill()
    screen.type("hello again\r")
    screen.wait_for(f'no answer from PersAI behind "{alice.url}"')
    screen.wait_for("trying again")
    stack.gateway.start()
    screen.wait_for("Hello you.", 60)
    screen.text = screen.text.partition("Hello you.")[2]
    screen.wait_for("persai> ")
    screen.type("\x04")
    assert screen.end() == 0, screen.text
    assert stack.client("alice").sessions()[0]["turns"] == 2
