"""Upstreams behind a Perses datasource: one that records and answers like Prometheus, one that misbehaves."""

import gzip
import json
import time
from collections.abc import Callable

from fakes.server import Exchange, Fake, Request

METRICS = ["canary_requests_total", "canary_temperature_celsius"]


def success(data: object) -> bytes:
    return json.dumps({"status": "success", "data": data}).encode()


def prometheus(exchange: Exchange, request: Request) -> None:
    """As Prometheus would answer with two metrics of one series each."""
    labels = {"__name__": METRICS[1], "job": "canary", "instance": "one"}
    now = time.time()
    path = request.path
    if request.param("query").startswith("label_replace(count("):  # the tools ask first how much a query reads
        kind, at = ("matrix", "values") if path.endswith("/query_range") else ("vector", "value")
        sample = [now, "1"]
        data: object = {"resultType": kind, "result": [
            {"metric": {"i": "0"}, at: [sample] if at == "values" else sample}]}
    elif path.endswith("/query_range"):
        start, end = float(request.param("start") or now - 60), float(request.param("end") or now)
        values = [[start, "21.5"], [end, "22.5"]]
        data = {"resultType": "matrix", "result": [{"metric": labels, "values": values}]}
    elif path.endswith("/query"):
        data = {"resultType": "vector", "result": [{"metric": labels, "value": [now, "22.5"]}]}
    elif path.endswith("/label/__name__/values"):
        data = METRICS
    elif path.endswith("/values"):
        data = ["one", "canary"]
    elif path.endswith("/labels"):
        data = ["__name__", "job", "instance"]
    elif path.endswith("/series"):
        data = [labels]
    elif path.endswith("/metadata"):
        data = {m: [{"type": "gauge", "help": "A canary.", "unit": ""}] for m in METRICS}
    elif path.endswith("/buildinfo"):
        data = {"version": "2.42.0"}
    else:
        exchange.reply(404, b'{"status":"error","error":"not found"}')
        return
    exchange.reply(200, success(data))


class Upstream(Fake):
    """Records; `behave` may be set to any of the functions below, or to one of the test's own."""

    behave: Callable[[Exchange, Request], None] = staticmethod(prometheus)

    def answer(self, exchange: Exchange, request: Request) -> None:
        self.behave(exchange, request)


def hang(exchange: Exchange, request: Request) -> None:
    exchange.hang()


def huge(mebibytes: int) -> Callable[[Exchange, Request], None]:
    """A valid beginning of a matrix that goes on and on. As a database that works before it answers: what streams at
    once after a POST is cut now and then by Perses's proxy, which is Go's (golang/go#40747)."""

    def answer(exchange: Exchange, request: Request) -> None:
        time.sleep(0.05)
        exchange.start_stream("application/json")
        exchange.send(b'{"status":"success","data":{"resultType":"matrix","result":[')
        series = b",".join(b'{"metric":{"__name__":"huge","n":"%d"},"values":[%s]}'
                           % (n, b",".join(b'[%d,"%d"]' % (1700000000 + i, i) for i in range(1000)))
                           for n in range(64))
        for _ in range(max(1, mebibytes * 1048576 // len(series))):
            exchange.send(series + b",")
        exchange.send(b'{"metric":{},"values":[]}]}}')
        exchange.end_stream()

    return answer


def drip(exchange: Exchange, request: Request) -> None:
    """A byte now and then, for ever."""
    exchange.start_stream("application/json")
    while not exchange.server.fake.stopping.is_set():
        exchange.send(b" ")
        time.sleep(0.2)


def endless(exchange: Exchange, request: Request) -> None:
    """A list of labels as fast as it is read, for ever."""
    time.sleep(0.05)  # as above
    exchange.start_stream("application/json")
    exchange.send(b'{"status":"success","data":["a"')
    block = b"".join(b',"label_%07d"' % i for i in range(16384))
    while not exchange.server.fake.stopping.is_set():
        exchange.send(block)


def garbage(exchange: Exchange, request: Request) -> None:
    exchange.reply(200, b"\x00\xff\xfe{[" * 1000)


def html_error(exchange: Exchange, request: Request) -> None:
    exchange.reply(502, b"<html><body><h1>502 Bad Gateway</h1><script>alert(1)</script></body></html>", "text/html")


def deep_json(exchange: Exchange, request: Request) -> None:
    exchange.reply(200, b'{"status":"success","data":' + b"[" * 200000 + b"]" * 200000 + b"}")


def bomb(exchange: Exchange, request: Request) -> None:
    """A small answer that unpacks to 512 MiB."""
    body = gzip.compress(b'{"status":"success","data":["' + b"a" * (512 << 20), 1)
    exchange.reply(200, body, headers={"Content-Encoding": "gzip"})


def wrong_types(exchange: Exchange, request: Request) -> None:
    body = {"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": ["not", "a", "map"], "values": "nope"}, 7, None, {"metric": {"a": 1}, "values": [[], ["x"], [1, 2]]}]}}
    exchange.reply(200, json.dumps(body).encode())


def redirect(exchange: Exchange, request: Request) -> None:
    exchange.reply(302, b"", headers={"Location": "http://127.0.0.1:1/steal"})


HOSTILE = {f.__name__: f for f in (garbage, html_error, deep_json, wrong_types, redirect)} | {"huge": huge(64)}
