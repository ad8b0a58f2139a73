"""persai, the terminal client, through the real Perses: by a pipe and on a terminal."""

import json
import os
import re
import stat
import termios
from pathlib import Path

import pytest

from fakes.model import Call, Gate
from fakes.server import Exchange, Fake, Request
from harness.client import Client
from harness.keys import Keys
from harness.services import PASSWORD, Perses
from harness.stack import Stack
from harness.terminal import Terminal
from harness.wait import free_port
from harness.approvals import Dashboard

MINUTES = Call("execute_range_query", {"query": "minute()", "start": "now-30m", "end": "now"})


def contexts(terminal: Terminal) -> Path:
    return terminal.folder / ".config" / "persai" / "contexts.json"


def test_ask_by_argument_and_by_pipe(stack: Stack, alice: Terminal) -> None:
    stack.model.when("rooms", ["Let me see. ", Call("list_label_values", {"label": "room"})], ["**Three** ", "rooms."])
    done = alice.run("ask", "which", "rooms")
    assert done.code == 0 and done.out.splitlines()[-1] == "**Three** rooms."
    assert "✓ list_label_values" in done.err and "\x1b" not in done.out + done.err
    piped = alice.run("ask", "--continue", stdin="which rooms, again?\n")
    assert piped.code == 0 and piped.session == done.session
    assert len([m for m in stack.client("alice").messages(done.session) if m["role"] == "user"]) == 2


def test_a_machine_without_a_home_asks_by_a_key(bare: Stack, tmp_path: Path) -> None:
    """As a service or a container has none: nothing is kept there, so nothing is missed."""
    keys = Keys(bare.folder)
    key = keys.make("cron", doors=["api"])
    stack = bare.start(gateway_env=keys.env())
    stack.model.when("hello", ["Hi."])
    nowhere = Terminal(tmp_path / "nowhere", stack.gateway.url)
    del nowhere.env["HOME"]
    done = nowhere.run("ask", "hello", PERSAI_GATEWAY=stack.gateway.url, PERSAI_API_KEY=key)
    assert done.code == 0 and done.out == "Hi.\n", done
    assert nowhere.run("contexts").code == 0
    assert nowhere.run("ask", "hello").code == 2  # which Perses?
    login = nowhere.run("login", "--url", "http://127.0.0.1:1", "--user", "alice", "--password-stdin", stdin="x\n")
    assert login.code == 1 and "HOME" in login.err, login  # before a password is sent


def test_a_question_with_a_zero_byte_is_none(stack: Stack, alice: Terminal) -> None:
    for text in ("hello\0there", "\0hello"):
        done = alice.run("ask", stdin=text)
        assert done.code == 2 and "zero byte" in done.err and not done.out, done
    assert not stack.model.chats()


def test_json_is_the_events(stack: Stack, alice: Terminal) -> None:
    stack.model.when("hello", ["Hel", "lo."])
    done = alice.run("ask", "--json", "hello")
    kinds = [e["event_type"] for e in done.events]
    assert done.code == 0 and kinds[0] == "turn_start" and kinds[-1] == "turn_complete", done
    assert done.events[-1]["turn"]["output_message"]["content"] == "Hello."


def test_a_sign_in_is_private_and_needed(stack: Stack, alice: Terminal, perses: Perses, tmp_path: Path) -> None:
    assert stat.S_IMODE(contexts(alice).stat().st_mode) == 0o600
    kept = json.loads(contexts(alice).read_text())["contexts"]["default"]
    assert set(kept) == {"url", "refresh_token"} and "access_token" not in contexts(alice).read_text()
    nobody = Terminal(tmp_path / "nobody", perses.url)
    assert nobody.run("ask", "hello").code == 2  # which Perses?
    done = nobody.run("ask", "hello", PERSAI_URL=perses.url)
    assert done.code == 3 and "persai login" in done.err
    wrong = nobody.run("login", "--url", perses.url, "--user", "alice", "--password-stdin", stdin="wrong\n")
    assert wrong.code == 3 and not contexts(nobody).exists()
    contexts(alice).write_text(contexts(alice).read_text().replace(kept["refresh_token"], "no.such.token"))
    done = alice.run("ask", "--json", "hello")
    assert done.code == 3 and done.events[-1]["code"] == "unauthenticated"
    contexts(alice).chmod(0o644)
    assert "may be read by others" in alice.run("sessions").err


def test_a_refresh_token_goes_to_its_own_perses_only(alice: Terminal) -> None:
    seen: list[Request] = []

    class Other(Fake):
        def answer(self, exchange: Exchange, request: Request) -> None:
            seen.append(request)
            exchange.reply(401, b'{"message":"who?"}')

    other = Other()
    try:
        assert alice.run("ask", "--url", other.url, "hello").code == 3
    finally:
        other.stop()
    token = json.loads(contexts(alice).read_text())["contexts"]["default"]["refresh_token"]
    assert seen and token not in repr([(r.path, r.headers, r.body) for r in seen])


def test_contexts_are_several_people(stack: Stack, alice: Terminal) -> None:
    stack.model.when("hello", ["Hi."])
    alice.login("bob", "--context", "work")
    assert [line.split()[0] for line in alice.run("contexts").out.splitlines()] == ["default", "*"]
    session = alice.run("ask", "hello").session
    assert stack.client("bob").sessions()[0]["session_id"] == session
    assert alice.run("contexts", "default").code == 0
    assert alice.run("sessions").out == ""
    assert session in alice.run("sessions", PERSAI_CONTEXT="work").out
    assert alice.run("logout", "--context", "work").code == 0
    assert alice.run("sessions", "--context", "work").code == 2


def test_whoever_signs_in_again_is_told_the_same(stack: Stack, perses: Perses, alice: Terminal) -> None:
    """What a sign-in says is its own, not of what it has just replaced."""
    told = f'signed in to "{perses.url}" as context default\n'
    for url in ((), ("--url", perses.url), ("--url", perses.url + "//")):
        done = alice.run("login", "--user", "alice", "--password-stdin", *url, stdin=PASSWORD.format("alice"))
        assert (done.code, done.err) == (0, told)
    assert f"{perses.url}/explore?" in alice.run("ask", "hello").err
    for options, said in ((("--user", "alice", "--password-stdin"), "no password on stdin"),
                          (("--provider", "oidc/none"), "no provider oidc/none")):
        done = alice.run("login", *options)
        assert done.code in (1, 2) and said in done.err and told not in done.err, done
    assert "no such context" in alice.run("ask", "--context", "none", "hello").err
    done = alice.run("ask", "--gateway", stack.gateway.url, "hello", PERSAI_API_KEY="pk-none")
    assert done.code == 3 and "API key" in done.err and "persai login" not in done.err, done


def test_what_goes_wrong_has_its_code_and_words(stack: Stack, alice: Terminal, perses: Perses) -> None:
    assert alice.run("ask", "--session", "nonsense", "q").code == 2
    assert alice.run("ask", "--range", "soon", "q").code == 2
    assert alice.run("ask", stdin="  \n").code == 2
    assert alice.run("ask", "q", "--url", "perses").code == 2
    done = alice.run("ask", "--session", "0" * 32, "q")
    assert done.code == 1 and "session_not_found" in done.err
    done = alice.run("ask", "--model", "no/such", "--json", "q")
    assert done.code == 1 and done.events[-1]["code"] == "model_unknown"
    # What was refused leaves no empty conversation, and no address of one.
    listed = alice.run("sessions").out
    done = alice.run("ask", stdin="x" * 70000)
    assert done.code == 1 and "too_large" in done.err and "explore" not in done.err
    assert alice.run("sessions").out == listed
    done = alice.run("chat")
    assert done.code == 2 and "needs a terminal" in done.err


def test_sessions_and_export(stack: Stack, alice: Terminal) -> None:
    stack.model.when("rooms", [Call("list_label_values", {"label": "room"})], ["Three rooms."])
    session = alice.run("ask", "Which rooms are there?").session
    assert alice.run("sessions", "no-such-word").out == ""
    listed = alice.run("sessions", "rooms").out
    assert listed.startswith(session) and "Which rooms are there?" in listed
    text = alice.run("export", session).out
    assert text.startswith("# Which rooms are there?\n") and "> Which rooms are there?\n" in text
    assert '"label": "room"' in text and text.endswith("\nThree rooms.\n")
    assert json.loads(alice.run("export", "--format", "json", session).out)["session_id"] == session


def test_a_terminal_gets_markdown_and_a_plot(stack: Stack, alice: Terminal) -> None:
    stack.model.when("up", [MINUTES], ["# All *up*\n\n| job | n |\n|---|---|\n| a\x1b[2Jb | 3 |\n",
                                       "\x1b]0;owned\x07done\u202e\n"])
    screen = alice.on_screen("ask", "-v", "what is up")
    assert screen.end() == 0, screen.text
    assert "\x1b[1mAll" in screen.text and "job    n" in re.sub(r"\x1b\[[0-9;]*m", "", screen.text)
    assert re.search(r"✓.*minute\(\)  \d+ → \d+ [▁-█]+", re.sub(r"\x1b\[[0-9;]*m", "", screen.text)), screen.text
    assert "┤" in screen.text and "└─" in screen.text and re.search("[\u2801-\u28ff]", screen.text)
    assert "\x1b[2J" not in screen.text and "\x1b]" not in screen.text and "\u202e" not in screen.text
    for said in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        plain = alice.on_screen("ask", "what is up", **said)
        assert plain.end() == 0 and "\x1b" not in plain.text and "All up" in plain.text, said


def test_ctrl_c_cancels_at_the_server(stack: Stack, alice: Terminal) -> None:
    gate = Gate()
    stack.model.when("long", ["It begins\n", gate, "never seen"])
    screen = alice.on_screen("ask", "a long story")
    screen.wait_for("It begins")
    screen.type("\x03")
    assert screen.end() == 4 and "cancelled" in screen.text
    gate.open()
    session = stack.client("alice").sessions()[0]["session_id"]
    assert stack.client("alice").get(f"/session/{session}").json()["turn"] is None


def test_a_killed_gateway_and_worker_lose_nothing(stack: Stack, alice: Terminal) -> None:
    gate = Gate()
    stack.model.when("story", ["One. ", gate, "Two. ", "Three."])
    screen = alice.on_screen("ask", "a story")
    gate.wait()
    stack.gateway.process.kill()
    stack.worker.process.kill()
    gate.open()
    stack.gateway.start()
    stack.worker.start()
    assert screen.end(90) == 0, screen.text
    assert screen.text.count("One. Two. Three.") == 1, screen.text


def test_chat_goes_on_after_the_program_died(stack: Stack, alice: Terminal) -> None:
    gate = Gate()
    stack.model.when("story", ["Once upon\n", gate, "a time.\n"])
    stack.model.when("moral", ["Be kind.\n"])
    screen = alice.on_screen("chat")
    screen.wait_for("persai> ")
    screen.type("tell a \\\r")
    screen.wait_for("...> ")
    screen.type("story\r")
    gate.wait()
    screen.kill()
    again = alice.on_screen("chat")
    again.wait_for("Once upon")
    gate.open()
    again.wait_for("a time.")
    again.wait_for("persai> ")
    again.type("\x1b[A")
    again.wait_for("tell a")  # the history has what was asked before it died
    again.type("\x15\x0b")
    again.type("what is the moral\r")
    again.wait_for("Be kind.")
    again.text = again.text.partition("Be kind.")[2]  # the prompt may have come with it
    again.wait_for("persai> ")
    again.text = ""
    again.type("\x03")
    again.wait_for("^C")
    again.wait_for("persai> ")  # the next one: what is typed before it a terminal may throw away
    again.type("\x04")
    assert again.end() == 0, again.text
    sessions = stack.client("alice").sessions()
    assert len(sessions) == 1 and sessions[0]["turns"] == 2
    asked = [m["content"] for m in stack.client("alice").messages(sessions[0]["session_id"]) if m["role"] == "user"]
    assert asked == ["tell a \nstory", "what is the moral"]
    history = alice.folder / ".local" / "state" / "persai" / "history"
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


def test_what_is_typed_at_the_prompt_is_read(alice: Terminal) -> None:
    screen = alice.on_screen("chat")
    for _ in range(100):
        screen.wait_for("persai> ")
        assert not termios.tcgetattr(screen.fd)[3] & termios.ICANON, "it edits lines once it shows the prompt"
        screen.text = ""
        screen.type("\x03")
        screen.wait_for("^C")
    screen.wait_for("persai> ")
    screen.type("\x04")
    assert screen.end() == 0, screen.text


def test_what_is_typed_during_an_answer_is_read_after_it(stack: Stack, alice: Terminal) -> None:
    gates = [Gate(), Gate()]
    stack.model.when("story", ["Once upon ", gates[0], "a time."])
    stack.model.when("moral", ["Be ", gates[1], "kind."])
    screen = alice.on_screen("chat")
    screen.wait_for("persai> ")
    screen.type("story\r")
    gates[0].wait()
    screen.type("the moral\r")
    gates[0].open()
    gates[1].wait()
    assert "Once upon a time." in screen.text or "the moral" not in screen.text.partition("story")[2]
    screen.type("\x04")
    gates[1].open()
    assert screen.end() == 0, screen.text
    assert "Once upon a time." in screen.text and "Be kind." in screen.text, screen.text


@pytest.mark.parametrize("command", ["ask", "chat"])
def test_what_is_typed_before_an_approval_is_none(
        stack: Stack, perses: Perses, board: Dashboard, tmp_path: Path, command: str) -> None:
    perses.put_gateway(stack.gateway.url)
    carol = Terminal(tmp_path / "carol", perses.url)
    carol.login("carol")
    gate = Gate()
    stack.model.when("save", [gate, board.call("Kitchen")], ["Saved."])
    screen = carol.on_screen("ask", "save it") if command == "ask" else carol.on_screen("chat")
    if command == "chat":
        screen.wait_for("persai> ")
        screen.type("save it\r")
    gate.wait()
    screen.type("y\r")
    gate.open()
    screen.wait_for("Approve? [y/N]")
    screen.type("n\r")
    if command == "chat":
        screen.text = ""
        screen.wait_for("persai> ")
        screen.type("\x04")
    assert screen.end() == 0, screen.text
    assert board.titles() == [], screen.text


def test_an_approval_is_asked_in_place(stack: Stack, perses: Perses, board: Dashboard, tmp_path: Path) -> None:
    perses.put_gateway(stack.gateway.url)
    carol = Terminal(tmp_path / "carol", perses.url)
    carol.login("carol")
    stack.model.when("save", [board.call("Kitchen")], ["Saved."])
    asked = carol.run("ask", "save it")
    assert asked.code == 5 and "persai approve" in asked.err
    assert board.titles() == []
    done = carol.run("approve", "--refuse", asked.session)
    assert done.code == 0 and board.titles() == []
    assert carol.run("approve", asked.session).code == 1  # nothing waits any more
    screen = carol.on_screen("ask", "save it")
    screen.wait_for("Approve? [y/N]")
    assert "title: Kitchen" in re.sub(r"\x1b\[[0-9;]*m", "", screen.text)
    screen.type("y\r")
    assert screen.end() == 0, screen.text
    assert board.titles() == ["Kitchen"] and "Saved." in screen.text
    waiting = carol.run("ask", "--json", "save it")
    assert waiting.code == 5 and waiting.events[-1]["event_type"] == "turn_awaiting_input"
    session = waiting.events[0]["session_id"]
    assert carol.run("approve", "--yes", session).code == 0


def test_the_gateway_itself_may_be_asked(stack: Stack, alice: Terminal) -> None:
    stack.model.when("hello", ["Hi."])
    done = alice.run("ask", "hello", "--gateway", stack.gateway.url)
    assert done.code == 0 and done.out == "Hi.\n"


def test_password_is_typed_without_echo(stack: Stack, perses: Perses, tmp_path: Path) -> None:
    perses.put_gateway(stack.gateway.url)
    terminal = Terminal(tmp_path / "typed", perses.url)
    screen = terminal.on_screen("login", "--url", perses.url)
    screen.wait_for("Name: ")
    screen.type("alice\r")
    screen.wait_for("Password: ")
    screen.type("correct horse battery alice\r")
    assert screen.end() == 0, screen.text
    assert "horse" not in screen.text and "signed in" in screen.text


class DevicePerses(Fake):
    """Perses's two routes of a provider with a device code, as 0.54 answers them: the rest is the real one's."""

    def __init__(self, real: Perses) -> None:
        self.real, self.polled = real, 0
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        if request.path.endswith("/oidc/corp/device/code"):
            exchange.reply(200, json.dumps({"device_code": "d&1", "user_code": "ABCD-EFGH", "interval": 1, "expires_in": 60,
                                            "verification_uri": "https://login.example/device"}).encode())
        elif request.path.endswith("/oidc/corp/token"):
            self.polled += 1
            assert request.body == b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d%261"
            if self.polled < 2:
                exchange.reply(401, b'{"error":"authorization_pending"}')
            else:
                cookies = self.real.sign_in("alice")
                exchange.reply(200, json.dumps({"access_token": f"{cookies['jwtPayload']}.{cookies['jwtSignature']}",
                                                "refresh_token": cookies["jwtRefreshToken"]}).encode())
        else:
            exchange.reply(404, b'{"message":"no such route"}')


def test_a_providers_device_code(perses: Perses, tmp_path: Path) -> None:
    fake = DevicePerses(perses)
    try:
        terminal = Terminal(tmp_path / "device", fake.url)
        assert terminal.run("login", "--url", fake.url, "--provider", "nonsense").code == 2
        assert terminal.run("login", "--url", fake.url, "--provider", "oidc/other").code == 1
        done = terminal.run("login", "--url", fake.url, "--provider", "oidc/corp")
    finally:
        fake.stop()
    assert done.code == 0 and "ABCD-EFGH" in done.err and fake.polled == 2
    kept = json.loads(contexts(terminal).read_text())["contexts"]["default"]
    assert kept["refresh_token"].count(".") == 2


def test_nobody_there_is_said(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "away", "")
    done = terminal.run("login", "--url", f"http://127.0.0.1:{free_port()}", "--user", "a", "--password-stdin", stdin="b\n")
    assert done.code == 1 and "no answer" in done.err
