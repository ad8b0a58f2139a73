"""A real Perses with the configuration and the plugins of the quick start: closed, and it keeps the sign-in from
every upstream but PersAI."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import files
import perses as perses_files
import pytest
from harness.wait import free_port

TOP = pathlib.Path(__file__).resolve().parents[2]
WORD = "a-word-between-the-two"
PASSWORDS = {"admin": "admin-password-1", "demo": "demo-password-1"}


class Upstream:
    """Writes down what it is sent."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                upstream.requests.append({k.lower(): v for k, v in self.headers.items()})
                self.send_response(200)
                self.end_headers()

            do_POST = do_PATCH = do_DELETE = do_GET

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Perses:
    def __init__(self, port: int, prometheus: Upstream, gateway: Upstream) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.prometheus, self.gateway = prometheus, gateway

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes, list[str]]:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"} | headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read(), answer.headers.get_all("Set-Cookie") or []
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read(), []

    def sign_in(self, user: str) -> str:
        login = {"login": user, "password": PASSWORDS[user]}
        status, body, cookies = self.call("POST", "/api/auth/providers/native/login", login)
        assert status == 200, body
        return "; ".join(c.partition(";")[0] for c in cookies)


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@contextlib.contextmanager
def running(folder: pathlib.Path, public_url: str = "") -> Iterator[Perses]:
    binary = output(str(TOP / "compose/perses/build"))
    assert output(str(TOP / "compose/perses/plugins"), str(folder / "plugins")) == str(folder / "plugins")
    prometheus, gateway = Upstream(), Upstream()
    port = free_port()
    command = files.perses(folder, binary, port, prometheus.url, gateway.url, WORD, PASSWORDS)
    conf = json.loads((folder / "config.yaml").read_text())
    theirs = perses_files.config("", data="", provisioning="", plugins="", archives=[], public_url=public_url)
    conf["security"]["cookie"] = theirs["security"]["cookie"]
    (folder / "config.yaml").write_text(json.dumps(conf))
    server = Perses(port, prometheus, gateway)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        give_up = time.monotonic() + 60
        while True:
            try:
                server.sign_in("demo")
                break
            except (OSError, AssertionError):
                assert time.monotonic() < give_up, (folder / "log").read_text()[-2000:]
                time.sleep(0.1)
        yield server
    finally:
        process.terminate()
        process.wait(20)
        for upstream in (prometheus, gateway):
            upstream.server.shutdown()


@pytest.fixture(scope="module")
def perses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Perses]:
    with running(tmp_path_factory.mktemp("perses")) as server:
        yield server


def attributes(server: Perses) -> list[list[str]]:
    """Of each cookie of a sign-in."""
    login = {"login": "demo", "password": PASSWORDS["demo"]}
    cookies = server.call("POST", "/api/auth/providers/native/login", login)[2]
    assert len(cookies) >= 3, cookies
    return [[word.strip().lower() for word in cookie.split(";")[1:]] for cookie in cookies]


def test_cookies_are_for_tls_alone_where_browsers_use_tls(perses: Perses, tmp_path: pathlib.Path) -> None:
    assert not any("secure" in words for words in attributes(perses)), "no browser would keep them without TLS"
    with running(tmp_path, "https://perses.example.com") as server:
        assert all("secure" in words for words in attributes(server))


def test_a_second_build_takes_no_time() -> None:
    """It is the first one's."""
    built = pathlib.Path(output(str(TOP / "compose/perses/build")))
    before = built.stat()
    assert output(str(TOP / "compose/perses/build")) == str(built)
    after = built.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_all_plugins_are_loaded(perses: Perses) -> None:
    modules = json.loads(perses.call("GET", "/api/v1/plugins")[1])
    loaded = {m["metadata"]["name"]: m["status"] for m in modules}
    assert {"PersAI", "Prometheus", "TimeSeriesChart", "Table", "StatChart", "Markdown", "Loki", "Tempo"} <= set(loaded)
    assert all(s.get("isLoaded") and not s.get("error") for s in loaded.values()), loaded


def test_the_sign_in_reaches_persai_and_nobody_else(perses: Perses) -> None:
    cookies = perses.sign_in("demo")
    assert "jwtRefreshToken=" in cookies
    for path in ("prometheus/x", "persai/sessions"):
        assert perses.call("GET", f"/proxy/globaldatasources/{path}", Cookie=cookies)[0] == 200
    got = perses.prometheus.requests[-1]
    secrets = [c.partition("=")[2] for c in cookies.split("; ")]
    assert not any(s in v for s in secrets for v in got.values()), got
    assert "eyJ" not in json.dumps(got), "a token of Perses reached an upstream"
    assert perses.gateway.requests[-1]["cookie"] == cookies


# What the plugin sends; the first four are the original PersAI's, too.
ASKED = [
    ("POST", "/session"),
    ("GET", "/sessions"),
    ("DELETE", "/session/0a1b"),
    ("POST", "/session/0a1b/turn?datasource_path=/proxy/globaldatasources/prometheus"),
    ("GET", "/sessions?q=what%20is%2Fup&limit=50&cursor=a%2Bb"),
    ("GET", "/session/0a1b"),
    ("PATCH", "/session/0a1b"),
    ("POST", "/session/0a1b/fork"),
    ("PATCH", "/session/0a1b/message/2c"),
    ("DELETE", "/session/0a1b/message/2c"),
    ("GET", "/session/0a1b/turn/3d/events?last_event_id=1-2"),
    ("POST", "/session/0a1b/turn/3d/cancel"),
    ("POST", "/session/0a1b/turn/3d/resume"),
    ("GET", "/models"),
]
NOT_ASKED = [
    "/metrics", "/healthz", "/readyz", "/openapi.json", "/tools", "/alerts/webhook", "/", "", "//metrics", "/metrics?/sessions",
    "/metrics#/sessions", "/x/sessions", "/sessions/x", "/sessionsx", "/session/a/b", "/session/../metrics",
    "/sessions/../metrics", "/session/x%2f..%2f..%2fmetrics/turn", "/sessions%0a/metrics", "/v1/chat/completions",
]


def test_only_what_the_plugin_asks_reaches_the_gateway(perses: Perses) -> None:
    cookies = perses.sign_in("demo")
    base = "/proxy/globaldatasources/persai"
    for method, path in ASKED:
        body = {} if method in ("POST", "PATCH") else None
        assert perses.call(method, base + path, body, Cookie=cookies)[0] == 200, (method, path)
    seen = len(perses.gateway.requests)
    for path in NOT_ASKED:
        assert perses.call("GET", base + path, Cookie=cookies)[0] >= 400, path
    assert perses.call("POST", f"{base}/sessions", {}, Cookie=cookies)[0] >= 400
    assert len(perses.gateway.requests) == seen


def test_nobody_signs_up(perses: Perses) -> None:
    user = {"kind": "User", "metadata": {"name": "eve"}, "spec": {"nativeProvider": {"password": "evil-password"}}}
    assert perses.call("POST", "/api/v1/users", user)[0] in (401, 403, 404, 405)
    assert perses.call("POST", "/api/v1/users", user, Cookie=perses.sign_in("demo"))[0] in (403, 404, 405)


def test_a_reader_only_reads(perses: Perses) -> None:
    cookies = perses.sign_in("demo")
    assert perses.call("GET", "/api/v1/globaldatasources", Cookie=cookies)[0] == 200
    assert perses.call("GET", "/api/v1/globalsecrets", Cookie=cookies)[0] == 403
    proxy = {"kind": "HTTPProxy", "spec": {"url": "http://127.0.0.1:1"}}
    datasource = {
        "kind": "GlobalDatasource",
        "metadata": {"name": "mine"},
        "spec": {"default": False, "plugin": {"kind": "PersAIDatasource", "spec": {"proxy": proxy}}},
    }
    assert perses.call("POST", "/api/v1/globaldatasources", datasource, Cookie=cookies)[0] == 403
    unsaved = {"method": "GET", "spec": datasource["spec"]}
    status, _, _ = perses.call("POST", "/proxy/unsaved/globaldatasources/x", unsaved, Cookie=cookies)
    assert status == 403
    assert perses.call("POST", "/api/v1/globaldatasources", datasource, Cookie=perses.sign_in("admin"))[0] == 200


def test_without_a_token_there_is_nothing(perses: Perses) -> None:
    for path in (
        "/api/v1/globaldatasources",
        "/proxy/globaldatasources/persai/x",
        "/proxy/globaldatasources/prometheus/x",
    ):
        assert perses.call("GET", path)[0] == 401
