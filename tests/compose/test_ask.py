"""The terminal client: signs in, goes through Perses's proxy, prints each event once, also when the line is cut."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import ask
import pytest

PERSAI = "/proxy/globaldatasources/persai"


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"event": {"payload": {"event_type": kind, **fields}}}


def text(step: str, words: str) -> dict[str, Any]:
    return event("step_progress", step_type="inference", step_id=step, delta={"type": "text", "text": words})


def step(step_id: str, attempt: int = 1) -> dict[str, Any]:
    return event("step_start", step_type="inference", step_id=step_id, attempt=attempt)


TOOL_STEP = event(
    "step_complete",
    step_details={
        "step_type": "tool_execution",
        "step_id": "t",
        "tool_calls": [{"call_id": "c", "tool_name": "execute_instant_query", "arguments": '{"query":"up"}'}],
        "tool_responses": [{"call_id": "c", "tool_name": "execute_instant_query", "content": '{"series_total":6}'}],
    },
)
COMPLETE = event("turn_complete", turn={"turn_id": "T", "output_message": {}, "usage": {}})


class Perses:
    """A Perses and the gateway behind it: `events` is the turn; a line is cut after `cut` of them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.cut = 10**6
        self.sessions: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str], Any]] = []
        self.busy = 0  # so many 503 before a turn is taken
        self.refuse: tuple[int, str] | None = None
        perses = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                for name, v in (headers or {}).items():
                    self.send_header(name, v)
                if status == 200 and "login" in self.path:
                    for cookie in ("jwtPayload=p; Path=/", "jwtSignature=s; Path=/; HttpOnly", "jwtRefreshToken=r"):
                        self.send_header("Set-Cookie", cookie)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def take(self) -> Any:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                perses.requests.append((self.command, self.path, dict(self.headers), body))
                return body

            def do_POST(self) -> None:
                body = self.take()
                if self.path == "/api/auth/providers/native/login":
                    right = body == {"login": "demo", "password": "right"}
                    self.answer(200 if right else 400, {"message": "wrong login or password"})
                elif self.path == f"{PERSAI}/session":
                    self.answer(201, {"session_id": "NEW"})
                elif "/turn?" in self.path:
                    if perses.refuse:
                        code, said = perses.refuse
                        self.answer(code, {"detail": {"response": said, "code": "x"}})
                    elif perses.busy:
                        perses.busy -= 1
                        self.answer(503, {"detail": {"response": "busy"}}, {"Retry-After": "0"})
                    else:
                        self.answer(202, {"turn_id": "T", "session_id": "S"})
                else:
                    self.answer(404, {"message": "no page"})

            def do_GET(self) -> None:
                self.take()
                if self.path.startswith(f"{PERSAI}/sessions"):
                    self.answer(200, perses.sessions)
                    return
                start = int((self.headers.get("Last-Event-ID") or "1-0").partition("-")[2])
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for i, e in list(enumerate(perses.events, 1))[start : start + perses.cut]:
                    data = f": ping\n\nid: 1-{i}\ndata: {json.dumps(e)}\n\n".encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.close_connection = True  # without the last chunk: a line that was cut

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def turn(self) -> tuple[str, dict[str, str], Any]:
        return next((p, h, b) for m, p, h, b in self.requests if m == "POST" and "/turn?" in p)


@pytest.fixture
def perses(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Perses]:
    p = Perses()
    (tmp_path / "demo-password").write_text("right\n")
    monkeypatch.setattr(ask.stack, "STACK", tmp_path)
    status = {"phase": "ready", "pid": 1, "ports": {"perses": p.port}, "model": "demo"}
    monkeypatch.setattr(ask, "running_stack", lambda out: (status, None))
    yield p
    p.server.shutdown()
    p.server.server_close()


def test_the_answer_is_on_stdout_and_tools_beside_it(perses: Perses, capsys: pytest.CaptureFixture[str]) -> None:
    perses.events = [event("turn_start"), step("a"), text("a", "All are "), text("a", "up.\n"), TOOL_STEP, COMPLETE]
    assert ask.ask("Which targets are up?", new=False) == 0
    out, err = capsys.readouterr()
    assert out == "All are up.\n"
    assert "→ execute_instant_query(query=up)" in err
    assert '{"series_total":6}' in err
    assert "first token after" in err


def test_it_goes_the_way_of_a_browser(perses: Perses) -> None:
    perses.events = [COMPLETE]
    ask.ask("q", new=False)
    path, headers, body = perses.turn()
    assert path == f"{PERSAI}/session/NEW/turn?datasource_path=/proxy/globaldatasources/prometheus"
    assert headers["Prefer"] == "respond-async"
    assert headers["Idempotency-Key"]
    assert headers["Cookie"] == "jwtPayload=p; jwtSignature=s; jwtRefreshToken=r"
    assert body["message"] == "q"


@pytest.mark.parametrize(("new", "session"), [(False, "LATEST"), (True, "NEW")])
def test_the_latest_conversation_goes_on_or_a_new_one_begins(perses: Perses, new: bool, session: str) -> None:
    perses.sessions = [{"session_id": "LATEST"}]
    perses.events = [COMPLETE]
    ask.ask("q", new=new)
    assert f"/session/{session}/turn?" in perses.turn()[0]


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_cut_line_is_read_on_without_a_gap(perses: Perses, cut: int, capsys: pytest.CaptureFixture[str]) -> None:
    perses.events = [step("a"), text("a", "one "), text("a", "two "), text("a", "three\n"), COMPLETE]
    perses.cut = cut
    assert ask.ask("q", new=False) == 0
    assert capsys.readouterr().out == "one two three\n"


def test_a_step_that_is_run_again_is_said(perses: Perses, capsys: pytest.CaptureFixture[str]) -> None:
    perses.events = [step("a"), text("a", "lost"), step("a", 2), text("a", "kept\n"), COMPLETE]
    ask.ask("q", new=False)
    out, err = capsys.readouterr()
    assert out == "lost\nkept\n"
    assert "written again" in err


def test_a_full_gateway_is_asked_again_with_the_same_key(perses: Perses) -> None:
    perses.events, perses.busy = [COMPLETE], 2
    assert ask.ask("q", new=False) == 0
    keys = [h["Idempotency-Key"] for m, p, h, _ in perses.requests if "/turn?" in p]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_an_error_of_the_turn_is_said(perses: Perses, capsys: pytest.CaptureFixture[str]) -> None:
    perses.events = [event("error", code="model_failed", message="The model is down.")]
    assert ask.ask("q", new=False) == 1
    assert "The model is down. (model_failed)" in capsys.readouterr().err


def test_a_refusal_is_said_in_its_words(perses: Perses) -> None:
    perses.refuse = (409, "A turn is running.")
    with pytest.raises(ask.AskError, match="409: A turn is running"):
        ask.ask("q", new=False)


def test_a_wrong_password_is_said(perses: Perses) -> None:
    (ask.stack.STACK / "demo-password").write_text("wrong\n")
    with pytest.raises(ask.AskError, match="refused the sign-in.*wrong login"):
        ask.ask("q", new=False)


def test_what_a_model_says_cannot_drive_the_terminal(perses: Perses, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "\x1b]0;owned\x07\x9b31m"
    perses.events = [text("a", f"a{bad}b\n"), event("error", code="x", message=bad)]
    ask.ask("q", new=False)
    out, err = capsys.readouterr()
    assert "a" in out
    for said in (out, err):
        assert not {"\x1b", "\x07", "\x9b"} & set(said)
