"""A server of the official MCP SDK, in a thread, whose every request is kept. It speaks the newest version of the protocol,
or an older one: then it knows no server/discover, as servers that were made before it."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from fakes.relay import Hold

NEWEST = "2026-07-28"
OLDER = ("2025-11-25", "2025-06-18", "2025-03-26")
Scope = MutableMapping[str, Any]
Say = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Hear = Callable[[], Awaitable[MutableMapping[str, Any]]]


class McpServer:
    """Tools: search (reads), create (counts what it did in `created`), fail, and hidden, which nobody allows. hold: the next
    create waits there, when it is done."""

    def __init__(self, port: int, version: str = NEWEST, text: str = "nothing new") -> None:
        self.port, self.version, self.text = port, version, text
        self.seen: list[bytes] = []  # head and body of each request
        self.created: list[str] = []
        self.hold: Hold | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def asked(self, method: str) -> int:
        return sum(f'"method":"{method}"'.encode() in request for request in self.seen)

    def start(self) -> "McpServer":
        app = self._tools().streamable_http_app()

        async def recorded(scope: Scope, receive: Hear, send: Say) -> None:
            await (self._answer(app, scope, receive, send) if scope["type"] == "http" else app(scope, receive, send))

        config = uvicorn.Config(recorded, host="127.0.0.1", port=self.port, log_level="warning",
                                timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()), daemon=True)
        self._thread.start()
        end = time.monotonic() + 30
        while not self._server.started:
            assert self._thread.is_alive() and time.monotonic() < end, "the MCP server did not start"
            time.sleep(0.02)
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()

    def __enter__(self) -> "McpServer":
        return self.start()

    def __exit__(self, *what: object) -> None:
        self.stop()

    def _tools(self) -> MCPServer:
        server = MCPServer("tickets")

        @server.tool(description="Finds tickets. " + self.text)
        def search(word: str, limit: int = 3) -> dict[str, Any]:
            return {"tickets": [f"{word}-{n}" for n in range(limit)], "note": self.text}

        @server.tool(description="Makes a ticket.")
        def create(title: str) -> str:
            self.created.append(title)
            hold, self.hold = self.hold, None
            if hold:
                hold.stop_here()
            return f"made {title}"

        @server.tool(description="Fails.")
        def fail() -> str:
            raise ToolError("the disk is full " + self.text)

        @server.tool(description="For nobody.")
        def hidden() -> str:
            return "seen"

        return server

    async def _answer(self, app: Any, scope: Scope, receive: Hear, send: Say) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        head = b"".join(k + b": " + v + b"\n" for k, v in scope["headers"])
        self.seen.append(scope["method"].encode() + b"\n" + head + b"\n" + body)
        method = json.loads(body).get("method") if body else None
        if self.version != NEWEST and method == "server/discover":
            error = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"Bad Request: Missing session ID"}}'
            await send({"type": "http.response.start", "status": 400,
                        "headers": [(b"content-type", b"application/json")]})
            await send({"type": "http.response.body", "body": error})
            return
        if method == "initialize":  # it agrees to what is asked for: so the version is ours to choose
            for other in OLDER:
                body = body.replace(other.encode(), self.version.encode())
        given = False

        async def again() -> MutableMapping[str, Any]:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await app(scope, again, send)
