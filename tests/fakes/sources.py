"""Loki, Tempo, Pyroscope and Alertmanager in one server that answers as their HTTP APIs are documented: of Loki
query_range (streams and matrix), index/stats, labels, label values, series; of Tempo search, traces by ID (protobuf's
JSON, IDs in base64), tags; of Pyroscope render and ProfileTypes; of Alertmanager alerts and silences. The data is of a
small shop and ends now. The real ones are in no package registry that the tests may use.

As a program: python3 -m fakes.sources PORT"""

import base64
import json
import re
import sys
import time
from collections.abc import Callable

from fakes.server import Exchange, Fake, Request

TRACE = "0af7651916cd43dd8448eb211c80319c"
PROFILE = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
ALERT = "ShopIsSlow"
LINE_EVERY = 30
# Two in three lines of the api are fine.
LINES = (("info", "GET /cart 200 in 12 ms"), ("error", "GET /cart 500 deadlock in orders"), ("info", "GET / 200 in 3 ms"))


def seconds(text: str, default: float) -> float:
    """Loki takes seconds and nanoseconds."""
    if not text:
        return default
    number = float(text)
    return number / 1e9 if number > 1e15 else number


def step(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(ms|[smhd]?)", text or "60")
    assert match, text
    return float(match[1]) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def lines(start: float, end: float, query: str) -> list[tuple[float, str, str]]:
    """Time, level, line, newest first. Of LogQL the fake knows the job, the level and |= "text"."""
    job = re.search(r'job="([^"]*)"', query)
    if job and job[1] != "api":
        return []
    level = re.search(r'level="([^"]*)"', query)
    wanted = re.findall(r'\|=\s*["`]([^"`]*)', query)
    first = int(start // LINE_EVERY + 1) * LINE_EVERY
    found = []
    for at in range(first, int(end) + 1, LINE_EVERY):
        kind, line = LINES[at // LINE_EVERY % len(LINES)]
        if (not level or level[1] == kind) and all(text in line for text in wanted):
            found.append((at, kind, line))
    return found[::-1]


def loki(exchange: Exchange, request: Request) -> None:
    now = time.time()
    start, end = seconds(request.param("start"), now - 3600), seconds(request.param("end"), now)
    query = request.param("query")
    path = request.path.removeprefix("/loki/api/v1")
    data: object
    if path == "/query_range" and "{" not in query:
        exchange.reply(400, b"parse error at line 1, col 1: syntax error: unexpected IDENTIFIER", "text/plain")
        return
    if path == "/index/stats":
        exchange.reply(200, json.dumps({"streams": 2, "chunks": 4, "entries": 240, "bytes": 48000}).encode())
        return
    if path == "/query_range" and query.startswith("{"):
        limit = int(request.param("limit") or 100)
        found = lines(start, end, query)
        if request.param("direction").lower() == "forward":
            found.reverse()
        streams: dict[str, list] = {}
        for at, level, line in found[:limit]:
            streams.setdefault(level, []).append([f"{int(at)}000000000", line])
        data = {"resultType": "streams", "stats": {}, "result": [
            {"stream": {"job": "api", "level": level, "pod": "api-1"}, "values": values}
            for level, values in streams.items()]}
    elif path == "/query_range":
        every = step(request.param("step"))
        grid = [start + i * every for i in range(int((end - start) / every) + 1)]
        data = {"resultType": "matrix", "stats": {}, "result": [
            {"metric": {"level": level}, "values": [[round(at, 3), str(value)] for at in grid]}
            for level, value in (("error", 4), ("info", 8))]}
    elif path == "/labels":
        data = ["job", "level", "pod"]
    elif path.startswith("/label/"):
        data = {"job": ["api"], "level": ["error", "info"], "pod": ["api-1"]}.get(path.split("/")[2], [])
    elif path == "/series":
        data = [{"job": "api", "level": level, "pod": "api-1"} for level in ("error", "info")]
    else:
        exchange.reply(404, b"404 page not found", "text/plain")
        return
    exchange.reply(200, json.dumps({"status": "success", "data": data}).encode())


def encoded(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def span(number: int, parent: int, name: str, after_ms: float, ms: float, error: str = "") -> dict:
    begin = int(time.time()) * 1_000_000_000 - 60_000_000_000 + int(after_ms * 1e6)
    return {"traceId": encoded(TRACE), "spanId": encoded(f"{number:016x}"), "name": name,
            **({"parentSpanId": encoded(f"{parent:016x}")} if parent else {}),
            "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": str(begin),
            "endTimeUnixNano": str(begin + int(ms * 1e6)), "attributes": [
                {"key": "http.route", "value": {"stringValue": "/cart"}}],
            "status": {"code": "STATUS_CODE_ERROR", "message": error} if error else {}}


def batch(service: str, *spans: dict) -> dict:
    return {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"scope": {"name": "shop"}, "spans": list(spans)}]}


def tempo(exchange: Exchange, request: Request) -> None:
    path = request.path
    body: dict
    if path == "/api/search":
        traces = [] if "nobody" in request.param("q") else [
            {"traceID": TRACE, "rootServiceName": "shop", "rootTraceName": "GET /cart",
             "startTimeUnixNano": str((int(time.time()) - 60) * 1_000_000_000), "durationMs": 120,
             "spanSets": [{"spans": [], "matched": 1}], "spanSet": {"spans": [], "matched": 1},
             "serviceStats": {"shop": {"spanCount": 2}, "orders": {"spanCount": 1, "errorCount": 1}}}]
        body = {"traces": traces, "metrics": {"inspectedTraces": 1}}
    elif path == f"/api/traces/{TRACE}":
        body = {"batches": [
            batch("shop", span(1, 0, "GET /cart", 0, 120), span(2, 1, "render", 100, 10)),
            batch("orders", span(3, 1, "SELECT", 10, 80, "deadlock"))]}
    elif path == "/api/v2/search/tags":
        body = {"scopes": [{"name": "resource", "tags": ["service.name"]}, {"name": "span", "tags": ["http.route"]}]}
    elif path.startswith("/api/v2/search/tag/"):
        body = {"tagValues": [{"type": "string", "value": "shop"}, {"type": "string", "value": "orders"}]}
    else:
        exchange.reply(404, b"trace not found", "text/plain")
        return
    exchange.reply(200, json.dumps(body).encode())


def pyroscope(exchange: Exchange, request: Request) -> None:
    if request.path.endswith("/ProfileTypes"):
        asked = json.loads(request.body)
        assert request.method == "POST" and {"start", "end"} <= set(asked), asked
        name, kind, unit, *_ = PROFILE.split(":")
        body = {"profileTypes": [{"ID": PROFILE, "name": name, "sampleType": kind, "sampleUnit": unit}]}
    elif request.path == "/pyroscope/render" and request.param("query").startswith(PROFILE):
        body = {"version": 1, "flamebearer": {
            "names": ["total", "main", "checkout", "json.Marshal"],
            "levels": [[0, 1000, 0, 0], [0, 1000, 100, 1], [0, 600, 600, 2, 0, 300, 300, 3]],
            "numTicks": 1000, "maxSelf": 600},
            "metadata": {"format": "single", "spyName": "", "sampleRate": 1000000000, "units": "samples", "name": "cpu"},
            "timeline": {"startTime": int(time.time()) - 3600, "samples": [500, 500], "durationDelta": 1800,
                         "watermarks": {}},
            "groups": None, "heatmap": None}
    else:
        exchange.reply(400, b'{"code":"invalid_argument","message":"profile type is required"}')
        return
    exchange.reply(200, json.dumps(body).encode())


def alertmanager(exchange: Exchange, request: Request) -> None:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - 600))
    if request.path == "/api/v2/alerts":
        body = [{"labels": {"alertname": ALERT, "service": "shop", "severity": "page"},
                 "annotations": {"summary": "Carts take long"}, "startsAt": moment, "endsAt": moment,
                 "updatedAt": moment, "fingerprint": "f1", "generatorURL": "", "receivers": [{"name": "team"}],
                 "status": {"state": "active", "silencedBy": [], "inhibitedBy": []}}]
    elif request.path == "/api/v2/silences":
        body = [{"id": "s1", "status": {"state": "active"}, "createdBy": "ann", "comment": "known", "startsAt": moment,
                 "endsAt": moment, "updatedAt": moment,
                 "matchers": [{"name": "service", "value": "old.*", "isRegex": True, "isEqual": True}]}]
    else:
        exchange.reply(404, b'"not found"')
        return
    exchange.reply(200, json.dumps(body).encode())


PRODUCTS: dict[str, Callable[[Exchange, Request], None]] = {
    "/loki/": loki, "/api/v2/search": tempo, "/api/search": tempo, "/api/traces/": tempo, "/pyroscope/": pyroscope,
    "/querier.v1.QuerierService/": pyroscope, "/api/v2/alerts": alertmanager, "/api/v2/silences": alertmanager}


class Sources(Fake):
    def answer(self, exchange: Exchange, request: Request) -> None:
        for prefix, product in PRODUCTS.items():
            if request.path.startswith(prefix):
                product(exchange, request)
                return
        exchange.reply(404, b"404 page not found", "text/plain")


if __name__ == "__main__":
    Sources(port=int(sys.argv[1]))
    while True:
        time.sleep(3600)
