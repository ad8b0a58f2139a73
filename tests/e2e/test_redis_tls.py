"""Redis over TLS (rediss://), and as a user who may do no more than the rules that compose gives it."""

import re
import subprocess
from pathlib import Path

import pytest
import redis

from fakes.model import Call
from harness.process import Process
from harness.stack import Stack, program
from harness.wait import free_port, until

PASSWORD = "canary-redis-1"
TOP = Path(__file__).resolve().parents[2]
SETUP = TOP / "compose" / "lib" / "setup.py"


def acl() -> str:
    """The rules as compose writes them."""
    text = SETUP.read_text().split("\nACL = (\n")[1].split("\n)\n")[0]
    return "".join(line.strip().strip('"') for line in text.splitlines())


def openssl(*args: object) -> None:
    done = subprocess.run(["openssl", *map(str, args)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def authority(folder: Path, name: str, host: str, days: int = 2) -> Path:
    """An authority, and a certificate of it for that host."""
    ca, key, request = folder / f"{name}-ca.pem", folder / f"{name}.key", folder / f"{name}.csr"
    ca_key = folder / f"{name}-ca.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2,
            "-subj", f"/CN={name} CA", "-keyout", ca_key, "-out", ca)
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=redis", "-keyout", key,
            "-out", request)
    names = folder / f"{name}.ext"
    names.write_text(f"subjectAltName={host}\n")
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", days, "-extfile", names,
            "-out", folder / f"{name}.pem")
    return ca


class TlsRedis:
    def __init__(self, folder: Path, logs: Path, host: str = "IP:127.0.0.1", days: int = 2) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.port = authority(folder, "server", host, days), free_port()
        config = folder / "redis.conf"
        config.write_text(f"user default off\nuser persai on >{PASSWORD} {acl()}\nuser admin on >admin ~* &* +@all\n")
        self.process = Process("redis-tls", [
            "redis-server", config, "--port", "0", "--tls-port", str(self.port), "--bind", "127.0.0.1", "--dir", folder,
            "--tls-cert-file", folder / "server.pem", "--tls-key-file", folder / "server.key", "--tls-ca-cert-file", self.ca,
            "--tls-auth-clients", "no", "--save", ""], logs)
        self.process.start()
        until(self.answers, "redis-server over TLS")

    @property
    def admin(self) -> redis.Redis:
        return redis.Redis(port=self.port, ssl=True, ssl_cert_reqs="none", username="admin", password="admin")

    def answers(self) -> bool:
        try:
            return bool(self.admin.ping())
        except redis.exceptions.RedisError:
            return False

    def url(self, host: str = "127.0.0.1", ca: Path | None = None) -> str:
        return f"rediss://persai:{PASSWORD}@{host}:{self.port}/0?ca={ca or self.ca}"


@pytest.fixture
def server(bare: Stack, tmp_path: Path) -> TlsRedis:
    made = TlsRedis(tmp_path / "tls", bare.logs)
    bare.others.append(made.process)
    return made


def start(stack: Stack, url: str) -> None:
    gateway = stack.add_gateway(PERSAI_REDIS=url)
    worker = stack.add_worker(PERSAI_REDIS=url)
    stack.wait_worker(worker)
    gateway.wait_ready()


def test_turns_run_over_tls_with_the_least_rights(bare: Stack, server: TlsRedis) -> None:
    stack = bare
    start(stack, server.url())
    stack.model.when("how warm", [Call("execute_instant_query", {"query": "up"})], ["Warm. " * 4000])
    alice = stack.client()
    session = alice.session(title="over TLS")
    turn = alice.start(session, "how warm?")
    assert alice.follow(session, turn).answer().startswith("Warm.")
    assert alice.get(f"/session/{session}").json()["title"] == "over TLS" and alice.get("/sessions?q=warm").json()
    assert alice.post(f"/session/{session}/fork", {"message_id": 2}).status in (200, 201)
    assert alice.request("DELETE", f"/session/{session}").status in (200, 204)
    denied = [entry for entry in server.admin.acl_log() if entry["reason"] == "command" and entry["username"] == "persai"]
    assert not denied, denied
    assert "redis.ready" in stack.gateway.process.log.read_text()


def commands() -> set[str]:
    """That the scripts call, and whatever may be one of what is sent without a script."""
    scripts = {name for file in (TOP / "proto/store/scripts").rglob("*.lua")
               for name in re.findall(r"redis\.p?call\('(\w+)'", file.read_text())}
    sent = {name for folder in ("proto/store", "common/redis") for file in (TOP / folder).glob("*.c")
            for name in re.findall(r'STR\("([A-Z]+)"\)', file.read_text())}
    assert {"HSET", "XADD"} <= scripts and {"SCAN", "INFO"} <= sent
    return (scripts | sent) - {"CLUSTER", "SCRIPT"}  # of those the rights name what is used, and each turn uses it


def test_the_least_rights_are_enough_for_every_command(server: TlsRedis) -> None:
    known = {name: abs(said["arity"]) - 1 for name, said in server.admin.command().items() if name.upper() in commands()}
    denied = {name: said for name, arguments in known.items()
              if (said := server.admin.execute_command("ACL", "DRYRUN", "persai", name, *["1"] * arguments)) != b"OK"}
    assert len(known) > 30 and not denied, denied


def test_it_comes_back_after_the_connection_was_cut(bare: Stack, server: TlsRedis) -> None:
    stack = bare
    start(stack, server.url())
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").final()["event_type"] == "turn_complete"
    server.admin.client_kill_filter(_type="normal", skipme=True)
    until(lambda: stack.gateway.process.log.read_text().count("event=redis.ready") >= 2, "the gateway to be back")
    stack.gateway.wait_ready()
    assert alice.ask(alice.session(), "hello again").final()["event_type"] == "turn_complete"


@pytest.mark.parametrize("how", ["another authority", "the system's authorities", "another name", "expired", "no TLS there"])
def test_a_server_that_is_not_who_it_should_be_gets_no_password(bare: Stack, tmp_path: Path, how: str) -> None:
    stack = bare
    server = TlsRedis(tmp_path / "tls", stack.logs, "DNS:elsewhere.example" if how == "another name" else "IP:127.0.0.1",
                      -1 if how == "expired" else 2)
    stack.others.append(server.process)
    url = server.url()
    if how == "another authority":
        url = server.url(ca=authority(tmp_path, "foreign", "IP:127.0.0.1"))
    elif how == "the system's authorities":
        url = url.split("?")[0]
    elif how == "no TLS there":
        stack.redis.start()
        url = f"rediss://persai:{PASSWORD}@127.0.0.1:{stack.redis.port}/0"
    gateway = stack.add_gateway(PERSAI_REDIS=url)
    until(lambda: "event=redis.down" in gateway.process.log.read_text(), "the connection to be refused")
    line = next(line for line in gateway.process.log.read_text().splitlines() if "event=redis.down" in line)
    assert "TLS" in line and PASSWORD not in gateway.process.log.read_text(), line
    assert not [c for c in server.admin.client_list() if c["user"] == "persai"]


@pytest.mark.parametrize("url", ["rediss://127.0.0.1:1/0?ca=", "rediss://127.0.0.1:1/0?cert=x", "redis://127.0.0.1:1/0?ca=/x",
                                 "rediss://127.0.0.1:1,redis://127.0.0.1:2"])
def test_what_can_not_be_is_refused_at_start(url: str) -> None:
    answer = subprocess.run([program("gateway"), "--check-config"], env={"PERSAI_REDIS": url}, capture_output=True, text=True,
                            timeout=30)
    assert answer.returncode == 1 and "PERSAI_REDIS" in answer.stdout + answer.stderr
