"""An OpenTelemetry collector: OTLP over HTTP as JSON, decoded by OpenTelemetry's own definitions."""

import base64
import json
import threading
import urllib.request
from dataclasses import dataclass

from fakes.server import Exchange, Fake, Request
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def value_of(value: object) -> object:
    kind = value.WhichOneof("value")  # type: ignore[attr-defined]
    if kind == "array_value":
        return [value_of(v) for v in value.array_value.values]  # type: ignore[attr-defined]
    return getattr(value, kind)


@dataclass
class Span:
    service: str
    resource: dict[str, object]
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    start_ns: int
    end_ns: int
    attributes: dict[str, object]
    failed: bool


def message_of(body: bytes) -> ExportTraceServiceRequest:
    """Ids are in hex (OTLP/HTTP, JSON encoding), where protobuf's own JSON has base64."""
    text = json.loads(body)
    for resource in text["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for name in ("traceId", "spanId", "parentSpanId"):
                    if name in span:
                        span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(text, ExportTraceServiceRequest())


def decode(message: ExportTraceServiceRequest) -> list[Span]:
    return [Span(str(resource["service.name"]), resource, s.name, s.kind, s.trace_id.hex(), s.span_id.hex(),
                 s.parent_span_id.hex(), s.start_time_unix_nano, s.end_time_unix_nano,
                 {a.key: value_of(a.value) for a in s.attributes}, s.status.code == 2)
            for r in message.resource_spans
            for resource in [{a.key: value_of(a.value) for a in r.resource.attributes}]
            for scope in r.scope_spans for s in scope.spans]


class Collector(Fake):
    """`statuses` are answered one by one (refusals with `headers`), then 200 and `said`; `hold` keeps every answer back until
    it is set. With `onward` it hands on what it gets as protobuf, as OpenTelemetry's own does to those who take nothing else."""

    def __init__(self, onward: str = "") -> None:
        super().__init__()
        self.onward = onward
        self.spans: list[Span] = []
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.said = b'{"partialSuccess":{}}'
        self.problems: list[str] = []
        self.hold = threading.Event()
        self.hold.set()

    def answer(self, exchange: Exchange, request: Request) -> None:
        try:
            assert request.path == "/v1/traces" and request.header("Content-Type") == "application/json", request
            message = message_of(request.body)
            spans = decode(message)
            if self.onward:
                urllib.request.urlopen(urllib.request.Request(self.onward, message.SerializeToString(), {
                    "Content-Type": "application/x-protobuf"}), timeout=30).close()
        except Exception as error:  # noqa: BLE001
            self.problems.append(f"{error}: {request.body[:300]!r}")
            exchange.reply(400, b"{}")
            return
        self.hold.wait(30)
        with self.lock:
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 200:
                self.spans += spans
        exchange.reply(status, self.said if status == 200 else b"{}", headers=None if status == 200 else self.headers)

    def of(self, trace: str) -> list[Span]:
        with self.lock:
            return [s for s in self.spans if s.trace == trace]
