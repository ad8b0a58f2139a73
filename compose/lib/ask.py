"""ask.py [--new] QUESTION: asks the running stack one question and streams the answer. It goes the way that a
browser goes: signed in as the demo user, through Perses's datasource proxy, to the PersAI gateway. The answer is
on stdout; tool calls, errors and times are on stderr."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import model
import stack

PERSAI = "/proxy/globaldatasources/persai"
DATASOURCE = "/proxy/globaldatasources/prometheus"
READ_TIMEOUT_S = 45  # the gateway sends a comment every 15 s
GIVE_UP_S = 120  # of reconnecting without a single event
START_TIMEOUT_S = 150
LINE_BYTES_MAX = 32 * 1024 * 1024
FINAL = ("turn_complete", "turn_cancelled", "turn_awaiting_input", "error")


class AskError(Exception):
    """The text is a sentence for the person who asked."""


class Out:
    """The terminal: text on stdout, the rest dimmed on stderr, a line of its own each."""

    def __init__(self) -> None:
        self.in_line = False
        self.colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ

    def text(self, text: str) -> None:
        # What a model or a label says must not drive the terminal.
        text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "�", text)
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self.in_line = not text.endswith("\n")

    def end_line(self) -> None:
        if self.in_line:
            self.text("\n")

    def note(self, text: str) -> None:
        self.end_line()
        text = re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)
        print(f"\033[2m{text}\033[0m" if self.colour else text, file=sys.stderr, flush=True)


class Client:
    def __init__(self, port: int, password: str) -> None:
        self.port = port
        self.password = password
        self.cookies: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: dict | None = None, headers: dict[str, str] | None = None
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=READ_TIMEOUT_S)
        sent = {"Content-Type": "application/json"} if body is not None else {}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        data = json.dumps(body) if body is not None else None
        connection.request(method, path, data, sent | (headers or {}))
        return connection.getresponse()

    def call(self, method: str, path: str, body: dict | None = None, headers: dict[str, str] | None = None) -> Any:
        """A request to PersAI whose answer is JSON. Repeated when PersAI says that it may be: each is idempotent."""
        for attempt in range(6):
            answer = self.request(method, PERSAI + path, body, headers)
            text = answer.read(LINE_BYTES_MAX)
            if answer.status < 300:
                return json.loads(text)
            if answer.status == 401 and attempt == 0:
                self.sign_in()
            elif answer.status in (429, 502, 503) and attempt < 5:
                after = answer.getheader("Retry-After", "1")
                time.sleep(min(5, int(after)) if after.isdigit() else 1)
            else:
                raise AskError(f"PersAI answered {answer.status}: {sentence(text)}")
        raise AskError("PersAI refuses the sign-in that Perses gave")

    def sign_in(self) -> None:
        self.cookies = {}
        answer = self.request("POST", "/api/auth/providers/native/login", {"login": "demo", "password": self.password})
        text = answer.read(LINE_BYTES_MAX)
        if answer.status != 200:
            raise AskError(f"Perses refused the sign-in of the demo user: {sentence(text)}")
        for header, value in answer.getheaders():
            if header.lower() == "set-cookie":
                name, _, rest = value.partition("=")
                self.cookies[name] = rest.partition(";")[0]

    def events(self, path: str) -> Iterator[dict[str, Any]]:
        """The turn's events, each once and in order: a cut line is continued from the last id."""
        last_id = ""
        heard = time.monotonic()
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
            try:
                answer = self.request("GET", PERSAI + path, headers=headers)
                if answer.status == 401:
                    self.sign_in()
                elif answer.status == 200:
                    for event_id, payload in sse(answer):
                        heard = time.monotonic()
                        last_id = event_id or last_id
                        yield payload
                        if payload.get("event_type") in FINAL:
                            return
                elif answer.status not in (429, 500, 502, 503, 504):
                    raise AskError(f"PersAI answered {answer.status}: {sentence(answer.read(LINE_BYTES_MAX))}")
            except (OSError, http.client.HTTPException):
                pass  # cut: read on from last_id
            if time.monotonic() - heard > GIVE_UP_S:
                raise AskError("the answer's stream broke off; compose/run logs gateway may tell why")
            time.sleep(0.3)


def sse(answer: http.client.HTTPResponse) -> Iterator[tuple[str, dict[str, Any]]]:
    event_id, data = "", []
    while line := answer.readline(LINE_BYTES_MAX):
        line = line.rstrip(b"\r\n")
        if not line:
            if data:
                yield event_id, json.loads(b"\n".join(data)).get("event", {}).get("payload", {})
            data = []
            continue
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"id":
            event_id = value.decode(errors="replace")


def sentence(body: bytes) -> str:
    """What PersAI, or Perses, says about an error."""
    try:
        said = json.loads(body)
        return said["detail"]["response"] if "detail" in said else said["message"]
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:300] or "nothing"


def short(value: object, limit: int = 160) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def show_tools(out: Out, details: dict[str, Any]) -> None:
    results = {r.get("call_id"): r.get("content") for r in details.get("tool_responses", [])}
    for call in details.get("tool_calls", []):
        arguments = call.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = json.loads(arguments)
            except ValueError:
                arguments = {"": arguments}
        told = ", ".join(f"{k}={short(v, 120)}" if k else short(v) for k, v in (arguments or {}).items())
        out.note(f"→ {call.get('tool_name')}({told})")
        content = results.get(call.get("call_id"))
        if content:
            out.note(f"  {short(content)}")


def follow(out: Out, client: Client, path: str) -> tuple[float | None, bool]:
    """Prints the turn; gives the moment of the first token and whether it ended well."""
    first: float | None = None
    attempts: dict[str, int] = {}
    printed = 0  # characters of the step that runs now
    for event in client.events(path):
        kind = event.get("event_type")
        if kind == "step_start":
            step, attempt = event.get("step_id", ""), event.get("attempt", 1)
            if attempts.get(step, attempt) != attempt and printed:
                out.note("(a worker was lost; this part is written again)")
            attempts[step] = attempt
            printed = 0
        elif kind == "step_progress":
            delta = event.get("delta", {})
            if delta.get("type") == "text" and delta.get("text"):
                first = first or time.monotonic()
                printed += len(delta["text"])
                out.text(delta["text"])
        elif kind == "step_complete":
            details = event.get("step_details", {})
            out.end_line()
            if details.get("step_type") == "tool_execution":
                show_tools(out, details)
            elif not printed and (content := details.get("model_response", {}).get("content")):
                first = first or time.monotonic()
                out.text(content if isinstance(content, str) else short(content))
                out.end_line()
        elif kind == "error":
            out.note(f"error: {event.get('message')} ({event.get('code')})")
            return first, False
        elif kind == "turn_cancelled":
            out.note("cancelled")
            return first, False
        elif kind == "turn_awaiting_input":
            out.note("waits for your decision on a tool call: open it in Perses")
            return first, True
    out.end_line()
    return first, True


def start_in_background(out: Out) -> None:
    stack.LOGS.mkdir(parents=True, exist_ok=True)
    log_path = stack.LOGS / "stack.log"
    with open(log_path, "ab") as log:
        begin = log.tell()
        supervisor = subprocess.Popen(
            [sys.executable, str(stack.HERE / "stack.py"), "up"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    give_up = time.monotonic() + START_TIMEOUT_S
    shown = begin
    while True:
        ended = supervisor.poll() is not None
        with open(log_path, "rb") as f:
            f.seek(shown)
            text = f.read()
        text = text[: text.rfind(b"\n") + 1]
        shown += len(text)
        for line in text.decode(errors="replace").splitlines():
            out.note(line)
        status = stack.status_read()
        if status and status["pid"] == supervisor.pid and status["phase"] == "ready":
            return
        if ended:
            raise AskError(f"the stack did not start; its log is {log_path}")
        if time.monotonic() > give_up:
            supervisor.send_signal(signal.SIGTERM)
            raise AskError(f"the stack did not get ready in {START_TIMEOUT_S} s; its log is {log_path}")
        time.sleep(0.05)


def running_stack(out: Out) -> tuple[dict, float | None]:
    """The stack's status, and the moment when its start began if it was started here."""
    status = stack.status_read()
    if status is None:
        began = time.monotonic()
        start_in_background(out)
        status = stack.status_read()
        if status is None:
            raise AskError("the stack ended right after its start; see compose/run logs stack")
        return status, began
    give_up = time.monotonic() + START_TIMEOUT_S
    while status["phase"] != "ready":
        if time.monotonic() > give_up:
            raise AskError(f"the running stack is still {status['phase']}; see compose/run logs")
        time.sleep(0.1)
        status = stack.status_read()
        if status is None:
            raise AskError("the running stack has just ended; ask again to start it")
    wanted = model.choose(os.environ)
    if wanted.name and wanted.description != status["model"]:
        out.note(f"note: the running stack uses {status['model']}; compose/run stop, then ask again, to change it")
    return status, None


def latest_session(client: Client, new: bool) -> str:
    if not new:
        sessions = client.call("GET", "/sessions?limit=1")
        if sessions:
            return sessions[0]["session_id"]
    return client.call("POST", "/session", {}, {"Idempotency-Key": secrets.token_hex(16)})["session_id"]


def ask(question: str, new: bool) -> int:
    out = Out()
    status, began = running_stack(out)
    client = Client(status["ports"]["perses"], (stack.STACK / "demo-password").read_text().strip())
    asked = time.monotonic()
    client.sign_in()
    session = latest_session(client, new)
    turn = client.call(
        "POST",
        f"/session/{session}/turn?" + urllib.parse.urlencode({"datasource_path": DATASOURCE}, safe="/"),
        {"message": question, "context": {"time_range": {"duration": "1h"}, "timezone": local_zone()}},
        {"Prefer": "respond-async", "Idempotency-Key": secrets.token_hex(16)},
    )
    path = f"/session/{session}/turn/{turn['turn_id']}"
    try:
        first, well = follow(out, client, path + "/events")
    except KeyboardInterrupt:
        client.call("POST", path + "/cancel", {})
        out.note("cancelled")
        return 130
    now = time.monotonic()
    told = [f"first token after {first - asked:.1f} s" if first else "no text", f"answered in {now - asked:.1f} s"]
    if began is not None:
        told.append(f"from the start of the stack to the first token {(first or now) - began:.1f} s")
        if since := float(os.environ.get("PERSAI_RUN_BEGAN", "0") or 0):
            told.append(f"from nothing to the end of the answer {time.time() - since:.0f} s")
    out.note("— " + ", ".join(told))
    if began is not None:
        out.note(f"— PersAI runs on in the background: http://127.0.0.1:{status['ports']['perses']}, compose/run stop")
    return 0 if well else 1


def local_zone() -> str:
    """This machine's time zone by name, for "since this morning"."""
    if re.fullmatch(r"[A-Za-z0-9_+/-]+", os.environ.get("TZ", "")):
        return os.environ["TZ"]
    name = os.path.realpath("/etc/localtime").partition("/zoneinfo/")[2]
    return name or "UTC"


def main() -> int:
    arguments = sys.argv[1:]
    new = "--new" in arguments[:1]
    words = arguments[1:] if new else arguments
    question = " ".join(words).strip()
    if not question or (words and words[0].startswith("--")):
        print('usage: compose/run ask [--new] "QUESTION"', file=sys.stderr)
        return 2
    os.umask(0o077)
    try:
        return ask(question, new)
    except (AskError, model.ModelError) as e:
        print(f"error: {e}", file=sys.stderr)
    except OSError as e:
        print(f"error: {e}", file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
