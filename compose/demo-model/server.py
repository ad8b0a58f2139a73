"""The demo model: a server with OpenAI's Chat Completions API (streaming, tool calls, usage) on loopback.

    server.py PORT [ADDRESS]      ADDRESS: another to listen on, in a network of its own

It answers by fixed rules (brain.py) and says so. It is for a first look without a key, and for tests."""

from __future__ import annotations

import http.server
import json
import re
import sys
import time
import traceback
import uuid
from datetime import datetime, timezone
from typing import Any

import brain

NAME = "demo"
BODY_BYTES_MAX = 32 * 1024 * 1024
TOKEN_S = 0.012  # between two pieces, as a quick model would write
SOCKET_TIMEOUT_S = 60
PIECE = re.compile(r"\s*\S+\s*")


def tokens_of(text: str) -> int:
    return (len(text) + 3) // 4  # a model's tokens are about four characters; this one has no others


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "PersAI-demo-model"
    timeout = SOCKET_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class's name
        sys.stderr.write(f"{self.log_date_time_string()} {format % args}\n")

    def send_json(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, message: str) -> None:
        self.close_connection = True  # what is left of the body is not read
        self.send_json(status, {"error": {"message": message, "type": "invalid_request_error", "code": None}})

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/health":
            self.send_json(200, {"status": "ok"})
        elif path == "/v1/models":
            model = {"id": NAME, "object": "model", "created": 0, "owned_by": "persai"}
            self.send_json(200, {"object": "list", "data": [model]})
        else:
            self.refuse(404, f"there is no {path}")

    def do_POST(self) -> None:
        if self.path.partition("?")[0] != "/v1/chat/completions":
            self.refuse(404, f"there is no {self.path}")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.refuse(411, "a Content-Length is needed")
            return
        if int(length) > BODY_BYTES_MAX:
            self.refuse(413, f"the body is larger than {BODY_BYTES_MAX} bytes")
            return
        try:
            request = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            self.refuse(400, "the body is not JSON")
            return
        if not isinstance(request, dict) or not isinstance(request.get("messages"), list) or not request["messages"]:
            self.refuse(400, "messages must be a list that is not empty")
            return
        if request.get("model") != NAME:
            self.refuse(404, f"there is no model {request.get('model')!r}; there is {NAME!r}")
            return
        try:
            reply = brain.respond(request, datetime.now(timezone.utc))
        except Exception:  # a request in a shape that was not thought of must not look like a broken line
            traceback.print_exc()
            self.refuse(500, "the demo model failed; its log says how")
            return
        try:
            if request.get("stream"):
                self.stream(request, reply)
            else:
                self.send_json(200, self.whole(request, reply))
        except OSError:
            self.close_connection = True  # the client has left

    def usage(self, request: dict[str, Any], reply: brain.Reply) -> dict[str, int]:
        sent = tokens_of(json.dumps(request["messages"]))
        written = tokens_of(reply.text + "".join(brain.arguments_json(c) for c in reply.calls))
        return {"prompt_tokens": sent, "completion_tokens": written, "total_tokens": sent + written}

    def whole(self, request: dict[str, Any], reply: brain.Reply) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
        if reply.calls:
            message["tool_calls"] = [
                {
                    "id": new_id("call"),
                    "type": "function",
                    "function": {"name": c.name, "arguments": brain.arguments_json(c)},
                }
                for c in reply.calls
            ]
        return {
            "id": new_id("chatcmpl"),
            "object": "chat.completion",
            "created": int(time.time()),
            "model": NAME,
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason(reply)}],
            "usage": self.usage(request, reply),
        }

    def stream(self, request: dict[str, Any], reply: brain.Reply) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        head = {
            "id": new_id("chatcmpl"),
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": NAME,
        }

        def send(value: dict[str, Any]) -> None:
            self.wfile.write(b"data: " + json.dumps(head | value, ensure_ascii=False).encode() + b"\n\n")
            self.wfile.flush()

        def delta(value: dict[str, Any], reason: str | None = None) -> None:
            send({"choices": [{"index": 0, "delta": value, "finish_reason": reason}]})

        delta({"role": "assistant", "content": None if reply.calls and not reply.text else ""})
        for piece in PIECE.findall(reply.text):
            delta({"content": piece})
            time.sleep(TOKEN_S)
        for index, call in enumerate(reply.calls):
            start = {"name": call.name, "arguments": ""}
            delta({"tool_calls": [{"index": index, "id": new_id("call"), "type": "function", "function": start}]})
            arguments = brain.arguments_json(call)
            for at in range(0, len(arguments), 24):  # models split anywhere, also inside of a string
                piece = arguments[at : at + 24]
                delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        delta({}, finish_reason(reply))
        if (request.get("stream_options") or {}).get("include_usage"):
            send({"choices": [], "usage": self.usage(request, reply)})
        self.wfile.write(b"data: [DONE]\n\n")
        self.wfile.flush()


def finish_reason(reply: brain.Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def new_id(kind: str) -> str:
    return f"{kind}-{uuid.uuid4().hex[:24]}"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> int:
    if not 2 <= len(sys.argv) <= 3 or not sys.argv[1].isdigit():
        sys.stderr.write("usage: server.py PORT\n")
        return 2
    Server((sys.argv[2] if len(sys.argv) == 3 else "127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
