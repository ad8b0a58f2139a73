"""A scripted model whose key has a limit: what goes beyond it is answered 429 with Retry-After, as providers do."""

import json
import math
import time
from collections import deque

from fakes.model import Model, question
from fakes.server import Exchange, Request


class Bucket:
    """Refilled all the time: `per_minute` in a minute, `at_once` of them at once."""

    def __init__(self, per_minute: int, at_once: int) -> None:
        self.rate, self.most = per_minute / 60, at_once
        self.level, self.at = float(at_once), time.monotonic()

    def wait(self, now: float) -> float:
        """0: it may go, and is counted; else the seconds until one may."""
        self.level = min(self.most, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < 1:
            return (1 - self.level) / self.rate
        self.level -= 1
        return 0


class Window:
    """Never more than `count` within any `seconds`."""

    def __init__(self, count: int, seconds: float) -> None:
        self.count, self.seconds = count, seconds
        self.times: deque[float] = deque()

    def wait(self, now: float) -> float:
        while self.times and now - self.times[0] >= self.seconds:
            self.times.popleft()
        if len(self.times) >= self.count:
            return self.times[0] + self.seconds - now
        self.times.append(now)
        return 0


class LimitedModel(Model):
    def __init__(self, limit: Bucket | Window, *args: object, **kw: object) -> None:
        self.limit = limit
        self.allowed: list[str] = []  # the questions of the requests that were let in, in their order
        self.refused = 0
        super().__init__(*args, **kw)

    def answer(self, exchange: Exchange, request: Request) -> None:
        if request.path.endswith("/chat/completions"):
            with self.lock:
                seconds = self.limit.wait(time.monotonic())
                if seconds == 0:
                    self.allowed.append(question(json.loads(request.body))[0])
                else:
                    self.refused += 1
            if seconds > 0:
                exchange.reply(429, b'{"error":{"message":"Rate limit reached","type":"requests"}}',
                               headers={"Retry-After": str(math.ceil(seconds))})
                return
        super().answer(exchange, request)
