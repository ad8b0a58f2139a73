"""What speaks TLS: authorities of a test's own, a scripted model behind HTTPS, a proxy that tunnels, nginx with HTTP/2."""

import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from fakes.model import Model
from fakes.server import Exchange, Fake, Request
from fakes.sockets import carry


def openssl(*args: str | Path) -> None:
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr


@dataclass
class Authority:
    """A certificate authority, and a certificate of 127.0.0.1 that it has signed."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        key, request, more = (self.folder / n for n in ("key.pem", "request.pem", "more"))
        self.ca, self.certificate, self.key = self.folder / "ca.pem", self.folder / "certificate.pem", key
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={self.folder.name}",
                "-keyout", self.folder / "ca.key", "-out", self.ca)
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=model", "-keyout", key, "-out", request)
        more.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n", encoding="utf-8")
        openssl("x509", "-req", "-in", request, "-days", "2", "-CA", self.ca, "-CAkey", self.folder / "ca.key",
                "-CAcreateserial", "-extfile", more, "-out", self.certificate)


class TlsModel(Model):
    """handshakes: those that were finished; of them, resumed."""

    def __init__(self, authority: Authority, host: str = "127.0.0.1") -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(authority.certificate, authority.key)
        self.handshakes = self.resumed = self.failed = 0
        super().__init__(host=host)

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self.port}"

    def start(self) -> None:
        super().start()
        server, model = self._server, self
        assert server is not None
        plain = server.get_request

        def get_request() -> tuple[socket.socket, object]:
            connection, address = plain()
            return model.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        class Secured(Exchange):
            def handle(self) -> None:
                try:
                    self.connection.settimeout(30)
                    self.connection.do_handshake()
                    self.connection.settimeout(None)
                except OSError:
                    with model.lock:
                        model.failed += 1
                    return
                with model.lock:
                    model.handshakes += 1
                    model.resumed += bool(self.connection.session_reused)
                super().handle()

            def hang(self, until: threading.Event | None = None) -> None:
                """As its base's, but for the client that leaves: TLS has no look ahead."""
                while not self.server.fake.stopping.is_set() and not (until and until.wait(0.05)):
                    if until is None:
                        self.server.fake.stopping.wait(0.05)

        server.get_request = get_request  # type: ignore[method-assign]
        server.RequestHandlerClass = Secured


class Tunnel(Fake):
    """An HTTP proxy that knows CONNECT only."""

    def answer(self, exchange: Exchange, request: Request) -> None:
        host, _, port = request.target.partition(":")
        if request.method != "CONNECT":
            exchange.reply(405, b"")
            return
        far = socket.create_connection((host, int(port)))
        exchange.send_response(200)
        exchange.end_headers()
        exchange.close_connection = True

        back = threading.Thread(target=carry, args=(far, exchange.connection), daemon=True)
        back.start()
        carry(exchange.connection, far)
        back.join()
        far.close()


def nginx_settings(folder: Path, port: int, upstream: str, authority: Authority) -> Path:
    """nginx as an HTTP/2 server with TLS in front of a model; its log has a line a request: protocol, connection."""
    (folder / "temp").mkdir(parents=True)
    path = folder / "nginx.conf"
    temps = "\n".join(f"    {kind}_temp_path {folder}/temp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    path.write_text(f"""daemon off;
pid {folder}/pid;
error_log stderr;
master_process off;
events {{ worker_connections 4096; }}
http {{
{temps}
    log_format seen '$server_protocol $connection';
    access_log {folder}/access.log seen;
    client_max_body_size 32m;
    client_body_buffer_size 1m;
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {authority.certificate};
        ssl_certificate_key {authority.key};
        location / {{
            proxy_pass {upstream};
            proxy_http_version 1.1;
            proxy_buffering off;
        }}
    }}
}}
""", encoding="utf-8")
    return path
