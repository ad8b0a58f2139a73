"""An HTTP server in threads, on a port of its own, that keeps every request it gets."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def params(self) -> dict[str, list[str]]:
        """Of the query and of a form body."""
        found = parse_qs(urlsplit(self.target).query)
        if self.header("Content-Type").startswith("application/x-www-form-urlencoded"):
            for key, values in parse_qs(self.body.decode("utf-8", "replace")).items():
                found.setdefault(key, []).extend(values)
        return found

    def param(self, name: str) -> str:
        return self.params.get(name, [""])[0]

    def header(self, name: str) -> str:
        return next((v for k, v in self.headers if k.lower() == name.lower()), "")

    def raw(self) -> bytes:
        """All of it, to search for what must not be there."""
        head = f"{self.method} {self.target}\n" + "".join(f"{k}: {v}\n" for k, v in self.headers)
        return head.encode() + b"\n" + self.body


class Exchange(BaseHTTPRequestHandler):
    """What a fake's `answer` works with."""

    protocol_version = "HTTP/1.1"
    server: "Fake._Server"
    request_seen: Request
    streaming = False

    def log_message(self, *args: object) -> None:
        pass

    def handle_any(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        self.request_seen = Request(self.command, self.path, list(self.headers.items()), body)
        fake = self.server.fake
        with fake.lock:
            fake.requests.append(self.request_seen)
        try:
            fake.answer(self, self.request_seen)
        except (BrokenPipeError, ConnectionResetError, socket.timeout):
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_CONNECT = handle_any

    def reply(self, status: int, body: bytes, content_type: str = "application/json",
              headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def start_stream(self, content_type: str, status: int = 200) -> None:
        """A body of unknown length: it ends with the connection, or by end_stream."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.streaming = True

    def send(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        self.streaming = False

    def cut(self) -> None:
        """Closes the connection as a crash would: RST where the kernel lets us."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.connection.shutdown(socket.SHUT_RDWR)

    def hang(self, until: threading.Event | None = None) -> None:
        """Says nothing until the client leaves, `until` is set or the fake stops."""
        self.connection.settimeout(0.05)
        while not self.server.fake.stopping.is_set() and not (until and until.is_set()):
            try:
                if not self.connection.recv(4096, socket.MSG_PEEK):
                    raise ConnectionResetError
                time.sleep(0.05)
            except (socket.timeout, BlockingIOError):
                pass
        self.connection.settimeout(None)


class Fake:
    """Base of the fakes: override `answer`. Use it as a context, or start() and stop()."""

    class _Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512
        fake: "Fake"

        def get_request(self) -> tuple[socket.socket, object]:
            connection, address = super().get_request()
            with self.fake.lock:
                self.fake.connections.add(connection)
            return connection, address

        def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
            with self.fake.lock:
                self.fake.connections.discard(request)
            super().shutdown_request(request)

        def handle_error(self, request: object, client_address: object) -> None:
            import sys
            error = sys.exc_info()[1]
            if not isinstance(error, (ConnectionError, socket.timeout, ValueError)):
                self.fake.errors.append(repr(error))

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host = host
        self.lock = threading.Lock()
        self.requests: list[Request] = []
        self.errors: list[str] = []
        self.connections: set[socket.socket] = set()
        self.stopping = threading.Event()
        self._server: Fake._Server | None = None
        self.port = port
        self.start()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def answer(self, exchange: Exchange, request: Request) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """Also after stop(): on the same port, as a service that comes back."""
        assert self._server is None
        self.stopping.clear()
        self._server = Fake._Server((self.host, self.port), Exchange)
        self._server.fake = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self.stopping.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            with self.lock:  # kept-alive connections too: the service is gone
                for connection in self.connections:
                    try:
                        connection.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def seen(self, want: Callable[[Request], bool] = lambda _: True) -> list[Request]:
        with self.lock:
            return [r for r in self.requests if want(r)]
