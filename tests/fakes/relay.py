"""A relay in front of a real service: passes everything on, and holds or changes what a test says."""

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from fakes.server import Exchange, Fake, Request


@dataclass
class Hold:
    """A place where the relay waits, once, until the test lets it go on."""

    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def wait(self, seconds: float = 30) -> None:
        assert self.reached.wait(seconds), "nothing came so far"

    def open(self) -> None:
        self.opened.set()

    def stop_here(self) -> None:
        self.reached.set()
        self.opened.wait(60)


class Relay(Fake):
    """hold_request, hold_answer: (method, hold); the first request of that method waits there. The service's own answer
    may be replaced by `instead`."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.hold_request: tuple[str, Hold] | None = None
        self.hold_answer: tuple[str, Hold] | None = None
        self.instead: Callable[[Request], tuple[int, bytes] | None] = lambda request: None
        super().__init__()

    def held(self, which: str, method: str) -> Hold | None:
        with self.lock:
            found: tuple[str, Hold] | None = getattr(self, which)
            if found is None or found[0] != method:
                return None
            setattr(self, which, None)
            return found[1]

    def answer(self, exchange: Exchange, request: Request) -> None:
        if hold := self.held("hold_request", request.method):
            hold.stop_here()
        if other := self.instead(request):
            exchange.reply(*other)
            return
        url = urlsplit(self.target)
        connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=60)
        skip = {"host", "connection", "content-length", "accept-encoding"}
        connection.request(request.method, request.target, body=request.body or None,
                           headers={k: v for k, v in request.headers if k.lower() not in skip})
        answer = connection.getresponse()
        body = answer.read()
        if hold := self.held("hold_answer", request.method):
            hold.stop_here()
        exchange.reply(answer.status, body, answer.headers.get("Content-Type", "application/json"))
        connection.close()
