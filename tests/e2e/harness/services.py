"""Real Redis, Prometheus and Perses, each with its data in a folder of the test's own."""

import http.client
import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import redis as redis_client

from fakes.exporters import Exporters
from fakes.server import Exchange, Fake, Request
from harness import native
from harness.client import Client, Response
from harness.process import Process
from harness.wait import free_port, until


class Redis:
    """With its append-only file synced at each write, so that kill -9 loses nothing that was answered."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.port = free_port()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.process = Process("redis", [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes",
            "--appendfsync", "always", "--save", "", "--daemonize", "no"], logs)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def client(self) -> redis_client.Redis:
        return redis_client.Redis(port=self.port, socket_timeout=10)

    def start(self) -> "Redis":
        self.process.start()

        def answers() -> bool:
            try:
                return bool(self.client.ping())
            except redis_client.exceptions.RedisError:
                return False

        until(answers, "redis-server")
        return self

    def dump(self) -> bytes:
        """All keys and values, and the append-only file: what must not hold a token is searched for it."""
        client = self.client
        parts = []
        for key in client.scan_iter(count=1000):
            parts += [key, client.dump(key) or b"", flat(client, key)]
        parts += [p.read_bytes() for p in self.folder.rglob("*") if p.is_file()]
        return b"\n".join(parts)


def flat(client: redis_client.Redis, key: bytes) -> bytes:
    """A value as plain bytes, since DUMP may compress it; none of a key that has gone meanwhile."""
    kind = client.type(key)
    if kind == b"none":
        return b""
    if kind == b"string":
        return client.get(key) or b""
    if kind == b"hash":
        return b"\n".join(k + b"\n" + v for k, v in client.hgetall(key).items())
    if kind == b"zset":
        return b"\n".join(client.zrange(key, 0, -1))
    if kind == b"set":
        return b"\n".join(client.smembers(key))
    if kind == b"list":
        return b"\n".join(client.lrange(key, 0, -1))
    if kind == b"stream":
        return b"\n".join(k + b"\n" + v for _, entry in client.xrange(key) for k, v in entry.items())
    raise AssertionError(f"{key!r} is a {kind!r}")


class Exporter(Fake):
    """A scrape target with fixed values, and as many series as a test wants."""

    def __init__(self, series: int = 0) -> None:
        self.series = series
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        if request.path == "/native":
            waits = native.histogram("wait_seconds", "How long a letter waited.", {"queue": "mail"}, int(time.time()) % 10**6)
            exchange.reply(200, waits, native.CONTENT_TYPE)
            return
        lines = [
            "# HELP room_temperature_celsius The temperature of a room.",
            "# TYPE room_temperature_celsius gauge",
            'room_temperature_celsius{room="kitchen"} 21.5',
            'room_temperature_celsius{room="cellar"} 12.25',
            'room_temperature_celsius{room="attic"} 33',
            "# HELP doors_opened_total Doors opened.",
            "# TYPE doors_opened_total counter",
            f'doors_opened_total{{door="front"}} {int(time.time())}',
        ]
        if self.series:
            lines.append("# TYPE big_series gauge")
            lines += [f'big_series{{shard="{n % 100}",id="{n}"}} {n}' for n in range(self.series)]
        exchange.reply(200, ("\n".join(lines) + "\n").encode(), "text/plain; version=0.0.4")


# Fixed history: one sample a minute, three hours of it, ending well before now, so that live scrapes go on after it.
HISTORY_STEP = 60
HISTORY_COUNT = 180


def history_value(host: str, index: int) -> float:
    return {"a": index * 0.5, "b": 100 - index * 0.25, "c": float(index % 7)}[host]


class Prometheus:
    """Scrapes itself and an exporter, and has three hours of fixed history of `history_load{host}`."""

    def __init__(self, folder: Path, logs: Path, series: int = 0, connections: int = 8192) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.exporter = Exporter(series)
        self.port = free_port()
        self.history_end = int(time.time()) // HISTORY_STEP * HISTORY_STEP - 1800
        self.history_start = self.history_end - (HISTORY_COUNT - 1) * HISTORY_STEP
        self.make_history(logs)
        interval = "10s" if series else "1s"
        config = folder / "prometheus.yml"
        config.write_text(json.dumps({"global": {"scrape_interval": interval, "scrape_timeout": interval},
                                      "scrape_configs": self.scrapes()}))
        self.process = Process(f"prometheus-{self.port}", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--enable-feature=native-histograms", "--log.level=warn",
            # Perses's proxy leaves a connection for each query open for 90 s: at 512 it would be deaf to a whole run
            f"--web.max-connections={connections}"], logs)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def scrapes(self) -> list[dict]:
        return [
            {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}]},
            {"job_name": "rooms", "static_configs": [{"targets": [f"127.0.0.1:{self.exporter.port}"]}]},
            {"job_name": "waits", "metrics_path": "/native",
             "static_configs": [{"targets": [f"127.0.0.1:{self.exporter.port}"]}]}]

    def make_history(self, logs: Path) -> None:
        lines = ["# TYPE history_load gauge"]
        for host in "abc":
            lines += [f'history_load{{host="{host}"}} {history_value(host, i)} {self.history_start + i * HISTORY_STEP}'
                      for i in range(HISTORY_COUNT)]
        self.import_history(lines, logs)

    def import_history(self, lines: Iterable[str], logs: Path) -> None:
        """OpenMetrics."""
        source = self.folder / "history.om"
        with source.open("w", encoding="utf-8") as out:
            out.writelines(f"{line}\n" for line in (*lines, "# EOF"))
        with open(logs / "promtool.log", "ab") as log:
            subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", source, self.folder / "data"],
                           check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self) -> "Prometheus":
        self.process.start()
        targets = sum(len(one["targets"]) for job in self.scrapes() for one in job["static_configs"])
        until(lambda: self.query("count(up == 1)")["result"][0]["value"][1] == str(targets), "all scrape targets to be up", 120)
        return self

    def get(self, path: str, **params: object) -> dict:
        url = f"{self.url}{path}?{urllib.parse.urlencode(params, doseq=True)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)["data"]

    def query(self, query: str, **params: object) -> dict:
        data = self.get("/api/v1/query", query=query, **params)
        if not data["result"]:
            raise ValueError(f"no result of {query}")
        return data

    def query_range(self, query: str, start: float, end: float, step: float) -> list[dict]:
        return self.get("/api/v1/query_range", query=query, start=start, end=end, step=step)["result"]

    def stop(self) -> None:
        self.process.terminate()
        self.exporter.stop()


class ExportersWorld(Prometheus):
    """Scrapes exporters with all metrics of eval/catalogs/exporters.txt and nothing else, and has an hour of them before."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.exporters = Exporters()
        super().__init__(folder, logs)

    def scrapes(self) -> list[dict]:
        return self.exporters.scrapes()

    def make_history(self, logs: Path) -> None:
        self.import_history(self.exporters.world.history(self.exporters.world.start - 10, step=120, count=30), logs)

    def stop(self) -> None:
        super().stop()
        self.exporters.stop()


ADMIN = "root-of-all"
PASSWORD = "correct horse battery {}"
READ = ["Dashboard", "Datasource", "Folder", "GlobalDatasource", "GlobalVariable", "Project", "Variable"]


def alertmanager_plugin(folder: Path) -> None:
    """A plugin module with Alertmanager's kind of datasource and nothing else: npm has none."""
    name = "AlertManagerDatasource"
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    (folder / "schemas" / "datasource.cue").write_text(f'package model\n\nkind: "{name}"\nspec: {{...}}\n')
    (folder / "mf-manifest.json").write_text(json.dumps({
        "id": "AlertManager", "name": "AlertManager", "metaData": {"buildInfo": {"buildVersion": "0.1.0"}}}))
    (folder / "package.json").write_text(json.dumps({"name": "alertmanager-plugin", "version": "0.1.0", "perses": {
        "schemasPath": "schemas", "plugins": [
            {"kind": "Datasource", "spec": {"name": name, "display": {"name": "Alertmanager"}}}]}}))


class Perses:
    """The real one. Authentication is on and RBAC closed; alice and bob are made through its API and may
    read by a role binding, so may robot, a service user; carol may change dashboards too; mallory has an account and
    no rights."""

    def __init__(self, folder: Path, logs: Path, upstreams: dict[str, str], auth: bool = True,
                 access_token_ttl: str = "15m", provisioning: str = "8760h") -> None:
        self.folder = folder
        self.port = free_port()
        self.auth = auth
        self.binary = os.environ.get("PERSAI_TEST_PERSES", "")
        self.plugins = os.environ.get("PERSAI_TEST_PERSES_PLUGINS", "")
        assert self.binary and self.plugins, "PERSAI_TEST_PERSES(_PLUGINS) are not set: run this by tests/run e2e"
        self.upstreams = upstreams
        self.ttl = access_token_ttl
        self.interval = provisioning
        self.put: set[str] = set()  # names
        (folder / "archives").mkdir(parents=True, exist_ok=True)
        self.provision()
        self.configure()
        self.process = Process(f"perses-{self.port}", [
            self.binary, "-config", folder / "config.yaml", "-web.listen-address", f"127.0.0.1:{self.port}"], logs)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def entity(self, kind: str, name: str, spec: dict) -> None:
        """A file of what is provisioned."""
        folder = self.folder / "provisioning"
        folder.mkdir(parents=True, exist_ok=True)
        body = {"kind": kind, "metadata": {"name": name}, "spec": spec}
        (folder / f"{kind}-{name}.yaml").write_text(json.dumps(body))

    def provision(self) -> None:
        entity = self.entity
        entity("GlobalRole", "admin", {"permissions": [{"actions": ["*"], "scopes": ["*"]}]})
        entity("GlobalRole", "reader", {"permissions": [{"actions": ["read"], "scopes": READ}]})
        entity("GlobalRole", "editor", {"permissions": [
            {"actions": ["read"], "scopes": READ}, {"actions": ["create", "update"], "scopes": ["Dashboard"]}]})
        entity("GlobalRoleBinding", "editors", {"role": "editor", "subjects": [{"kind": "User", "name": "carol"}]})
        entity("GlobalRoleBinding", "admins", {"role": "admin", "subjects": [{"kind": "User", "name": ADMIN}]})
        entity("GlobalRoleBinding", "readers", {
            "role": "reader", "subjects": [{"kind": "User", "name": name} for name in ("alice", "bob", "robot")]})
        entity("GlobalSecret", "no-user-token", {"authorization": {"type": "Bearer", "credentials": "none"}})
        for name, url in self.upstreams.items():
            entity("GlobalDatasource", name, self.closed_datasource(url))

    @staticmethod
    def closed_datasource(url: str, kind: str = "PrometheusDatasource") -> dict:
        """The upstream gets neither the person's cookies nor their Bearer."""
        spec = {"url": url, "headers": {"Cookie": ""}, "secret": "no-user-token"}
        return {"default": False,
                "plugin": {"kind": kind, "spec": {"proxy": {"kind": "HTTPProxy", "spec": spec}}}}

    def configure(self) -> None:
        # Perses writes into its plugin folder: it gets one of its own, of hard links where that works.
        own = self.folder / "plugins"
        if not own.exists():
            try:
                shutil.copytree(self.plugins, own, copy_function=os.link)
            except shutil.Error:
                shutil.rmtree(own, ignore_errors=True)
                shutil.copytree(self.plugins, own)
        alertmanager_plugin(own / "alertmanager-plugin")
        security: dict = {"encryption_key": "0123456789abcdef0123456789abcdef", "enable_auth": self.auth,
                          "cookie": {"same_site": "lax", "secure": False}}
        if self.auth:
            security |= {
                "authentication": {"access_token_ttl": self.ttl, "refresh_token_ttl": "24h", "disable_sign_up": False,
                                   "providers": {"enable_native": True}},
                "authorization": {"provider": {"native": {"enable": True}}}}
        (self.folder / "config.yaml").write_text(json.dumps({
            "security": security,
            "database": {"file": {"folder": str(self.folder / "data"), "extension": "yaml"}},
            "provisioning": {"interval": self.interval, "folders": [str(self.folder / "provisioning")]},
            "plugin": {"path": str(own), "archive_paths": [str(self.folder / "archives")]},
            "frontend": {"explorer": {"enable": True}}}))

    def start(self) -> "Perses":
        self.process.start()
        until(lambda: self.api("GET", "/api/v1/health").status == 200, "Perses", 60)
        if self.auth:
            for user in (ADMIN, "alice", "bob", "carol", "mallory", "robot"):
                answer = self.api("POST", "/api/v1/users", self.user(user))
                assert answer.status in (200, 409), (answer.status, answer.body)
            alice = self.sign_in("alice")
            until(lambda: self.api("GET", "/api/v1/globaldatasources", cookies=alice).status == 200,
                  "the roles to be active", 60)
        return self

    def api(self, method: str, path: str, body: object = None, cookies: dict[str, str] | None = None) -> Response:
        try:
            return Client(self.url, cookies or {}).request(method, path, body)
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error

    @staticmethod
    def user(name: str) -> dict:
        return {"kind": "User", "metadata": {"name": name},
                "spec": {"nativeProvider": {"password": PASSWORD.format(name)}}}

    def make_user(self, name: str) -> None:
        """A new account; one of that name is deleted first."""
        self.api("DELETE", f"/api/v1/users/{name}", cookies=self.sign_in(ADMIN))
        answer = self.api("POST", "/api/v1/users", self.user(name))
        assert answer.status == 200, (answer.status, answer.body)

    def sign_in(self, user: str) -> dict[str, str]:
        """The three cookies that a browser then has."""
        answer = self.api("POST", "/api/auth/providers/native/login",
                          {"login": user, "password": PASSWORD.format(user)})
        assert answer.status == 200, (answer.status, answer.body)
        cookies = {}
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, value = line.split(";", 1)[0].split("=", 1)
            cookies[name] = value
        assert set(cookies) == {"jwtPayload", "jwtSignature", "jwtRefreshToken"}, list(cookies)
        return cookies

    def put_datasource(self, name: str, spec: dict) -> None:
        self.put_global("GlobalDatasource", name, spec)
        self.put.add(name)

    def remove_datasources(self) -> None:
        """What put_datasource made: the next file's tests have the first of a kind for the one in use."""
        for name in sorted(self.put):
            answer = self.api("DELETE", f"/api/v1/globaldatasources/{name}", cookies=self.sign_in(ADMIN) if self.auth else {})
            assert answer.status in (200, 204, 404), (name, answer.status, answer.body)
        self.put.clear()

    def put_secret(self, name: str, bearer: str) -> str:
        self.put_global("GlobalSecret", name, {"authorization": {"type": "Bearer", "credentials": bearer}})
        return name

    def put_global(self, kind: str, name: str, spec: dict) -> None:
        """Makes or replaces something global, as its administrator."""
        cookies = self.sign_in(ADMIN) if self.auth else {}
        body = {"kind": kind, "metadata": {"name": name}, "spec": spec}
        path = f"/api/v1/{kind.lower()}s"
        answer = self.api("PUT", f"{path}/{name}", body, cookies)
        if answer.status == 404:
            answer = self.api("POST", path, body, cookies)
        assert answer.status in (200, 201), (answer.status, answer.body)

    def put_gateway(self, url: str, name: str = "persai", secret: str = "") -> str:
        """The PersAI datasource, and its path in the proxy. secret: what it sends as Bearer."""
        proxy = {"url": url}
        if secret:
            proxy["secret"] = self.put_secret(f"{name}-secret", secret)
        spec = {"default": False,
                "plugin": {"kind": "PersAIDatasource", "spec": {"proxy": {"kind": "HTTPProxy", "spec": proxy}}}}
        self.put_datasource(name, spec)
        return f"/proxy/globaldatasources/{name}"
