"""A Perses that tests script: who a token is, refreshes, and a datasource proxy to one upstream.

The suite uses the real Perses wherever it can; this one is for what the real one does not do on demand:
being slow, talking nonsense, tokens that expire in seconds, one refused refresh.
"""

import base64
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from fakes.server import Exchange, Fake, Request


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Perses(Fake):
    def __init__(self, upstream: str = "", **kw: object) -> None:
        self.upstream = upstream
        self.revoked: set[str] = set()
        self.created: dict[str, str] = {}  # when a user was made, where that matters
        self.refresh: dict[str, tuple[str, float]] = {}
        self.behave: Callable[[Exchange, Request], bool] = lambda exchange, request: False
        self.counter = 0
        self.hold = threading.Event()
        super().__init__(**kw)  # type: ignore[arg-type]

    def sign_in(self, user: str, ttl: float = 900, refresh_ttl: float = 900) -> dict[str, str]:
        """The three cookies."""
        token = self.token(user, ttl)
        head, payload, signature = token.split(".")
        refresh = f"refresh-{user}-{self.counter}"
        self.refresh[refresh] = (user, refresh_ttl)
        return {"jwtPayload": f"{head}.{payload}", "jwtSignature": signature, "jwtRefreshToken": refresh}

    def token(self, user: str, ttl: float) -> str:
        self.counter += 1
        claims = {"sub": user, "exp": int(time.time() + ttl), "iat": int(time.time()), "n": self.counter}
        return f"{b64(b'{}')}.{b64(json.dumps(claims).encode())}.{b64(b'signed-%d' % self.counter)}"

    def who(self, request: Request) -> str | None:
        cookies = dict(c.strip().split("=", 1) for c in request.header("Cookie").split(";") if "=" in c)
        if "jwtPayload" in cookies:
            token = cookies["jwtPayload"] + "." + cookies.get("jwtSignature", "")
        else:
            token = request.header("Authorization").removeprefix("Bearer ")
        try:
            payload = token.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            return None
        return claims["sub"] if claims["exp"] > time.time() and token not in self.revoked else None

    def answer(self, exchange: Exchange, request: Request) -> None:
        if self.behave(exchange, request):
            return
        path = request.path
        if path == "/api/auth/refresh":
            found = self.refresh.get(json.loads(request.body or b"{}").get("refresh_token", ""))
            if found:
                body = {"access_token": self.token(*found), "refresh_token": ""}
                exchange.reply(200, json.dumps(body).encode())
            else:
                exchange.reply(400, b'{"message":"bad refresh token"}')
        elif path == "/api/v1/health":
            exchange.reply(200, b'{"version":"0.54.0"}')
        elif path == "/api/config":
            exchange.reply(200, b'{"config":{"security":{"enable_auth":true}}}')
        elif (user := self.who(request)) is None:
            exchange.reply(401, b'{"message":"missing or malformed jwt"}')
        elif path == "/api/v1/user/whoami":
            exchange.reply(200, json.dumps({"kind": "User", "metadata": {
                "name": user, "createdAt": self.created.get(user, "2026-01-01T00:00:00.123456789Z")}}).encode())
        elif self.upstream and (match := re.match(r"/proxy/(?:\w+/)*?datasources/[\w.-]+(/.*)|"
                                                  r"/proxy/globaldatasources/[\w.-]+(/.*)", request.target)):
            self.proxy(exchange, request, match[1] or match[2])
        else:
            exchange.reply(404, b'{"message":"not found"}')

    def proxy(self, exchange: Exchange, request: Request, target: str) -> None:
        hop = {"host", "connection", "content-length", "accept-encoding"}
        onward = urllib.request.Request(
            self.upstream + target, data=request.body or None, method=request.method,
            headers={k: v for k, v in request.headers if k.lower() not in hop})
        try:
            with urllib.request.urlopen(onward, timeout=60) as answer:
                exchange.reply(answer.status, answer.read(), answer.headers.get("Content-Type", ""))
        except urllib.error.HTTPError as error:
            exchange.reply(error.code, error.read(), error.headers.get("Content-Type", ""))
        except OSError as error:
            exchange.reply(500, json.dumps({"message": str(error)}).encode())


def held(release: threading.Event) -> Callable[[Exchange, Request], bool]:
    """Answers as always, once it is released."""

    def behave(exchange: Exchange, request: Request) -> bool:
        assert release.wait(60)
        return False

    return behave


def nonsense(exchange: Exchange, request: Request) -> bool:
    exchange.reply(200, b"<html>\xff\xfe not an API </html>", "text/html")
    return True


def hang(exchange: Exchange, request: Request) -> bool:
    exchange.hang()
    exchange.close_connection = True
    return True


def failing(status: int) -> Callable[[Exchange, Request], bool]:
    def behave(exchange: Exchange, request: Request) -> bool:
        exchange.reply(status, b'{"message":"scripted"}')
        return True

    return behave
