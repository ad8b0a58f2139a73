"""Behind a load balancer that knows nothing of sessions or turns: each request may reach any gateway."""

import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from fakes.model import Delay, Gate
from harness import haproxy
from harness.approvals import Dashboard, Waiting
from harness.client import Client
from harness.process import Process
from harness.sse import Log, check_log
from harness.stack import Stack, metric
from harness.wait import SLOWNESS, free_port, until

NGINX = """
daemon off; pid {dir}/nginx.pid; error_log stderr;
events {{ worker_connections 1000; }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    upstream gateways {{ {servers} keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://gateways; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


def balanced(stack: Stack) -> Client:
    """Each request goes to the next gateway, over connections that are kept; nginx as it is, without a word about streams."""
    port, folder = free_port(), stack.folder / "nginx"
    folder.mkdir()
    servers = " ".join(f"server {g.url.removeprefix('http://')} max_fails=0;" for g in stack.gateways)
    settings = folder / "nginx.conf"
    settings.write_text(NGINX.format(dir=folder, port=port, servers=servers))
    nginx = Process("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-c", settings, "-e", "stderr"], stack.logs).start()
    stack.others.append(nginx)
    client = Client(f"http://127.0.0.1:{port}", stack.client().cookies)
    until(lambda: "listening" in listens(client), "nginx to listen")
    return client


def balanced_by_compose(stack: Stack) -> Client:
    port, file = free_port(), stack.folder / "haproxy.cfg"
    file.write_text(haproxy.settings(port, {f"gateway-{n}": int(g.url.rsplit(":", 1)[1]) for n, g in enumerate(stack.gateways)}))
    process = Process("haproxy", [shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", file], stack.logs).start()
    stack.others.append(process)
    process.killed = True  # it ends by the signal, as one that was killed
    client = Client(f"http://127.0.0.1:{port}", stack.client().cookies)
    until(lambda: "listening" in listens(client), "haproxy to listen")
    return client


def listens(client: Client) -> str:
    try:
        return "listening" if client.get("/healthz").status == 200 else ""
    except OSError:
        return ""


def read_in_pieces(client: Client, session: str, turn: str, seconds: float) -> tuple[Log, int]:
    """As a client whose line is cut again and again: each connection goes on behind the last id. Also how many there were."""
    log, made, end = Log(), 0, time.monotonic() + 60
    while not (log and log[-1].final):
        assert time.monotonic() < end, f"no final event: {[str(e) for e in log[-3:]]}"
        try:
            stream = client.events(session, turn, log[-1].id if log else None)
        except (OSError, AssertionError):  # the gateway that it came to was killed just now
            time.sleep(0.05)
            continue
        made += 1
        stream.ended.wait(seconds)
        stream.close()
        log += stream.log
    check_log(log)
    return log, made


def test_a_client_that_comes_back_to_any_gateway_misses_nothing(bare: Stack) -> None:
    """While a gateway and a worker are killed."""
    stack = bare.start(gateways=2, workers=2)
    client = balanced(stack)
    numbers = [f"{n} " for n in range(150)]
    stack.model.when("count", [piece for number in numbers for piece in (Delay(0.02), number)])
    turns = []
    for _ in range(6):
        session = client.session()
        turns.append((session, client.start(session, "count")))
    with ThreadPoolExecutor(len(turns)) as pool:
        reads = [pool.submit(read_in_pieces, client, *turn, 0.15 + 0.05 * n) for n, turn in enumerate(turns)]
        until(lambda: metric(stack.gateways[1].url, "persai_follows_total") > 0, "a follower elsewhere")
        stack.gateways[0].process.kill()
        stack.gateways[0].process.start()
        stack.gateways[0].wait_ready()
        stack.workers[0].process.kill()
        stack.workers[0].process.start()
        for log, made in (read.result() for read in reads):
            assert log.answer() == "".join(numbers) and made > 3
    assert all(metric(gateway.url, "persai_follows_total") > 0 for gateway in stack.gateways)


def pieces(client: Client, path: str) -> int:
    """How many times something comes of a stream, to its end."""
    host, port = client.base.removeprefix("http://").split(":")
    headers = "".join(f"{name}: {value}\r\n" for name, value in client.headers().items())
    count, end = 0, b""
    with socket.create_connection((host, int(port)), 60 * SLOWNESS) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
        while not end.endswith(b"\r\n0\r\n\r\n"):
            piece = line.recv(65536)
            assert piece, f"the stream ended with {end!r}"
            count, end = count + 1, (end + piece)[-7:]
    return count


def test_tokens_pass_the_balancer_of_compose_as_they_come(bare: Stack) -> None:
    """haproxy holds small packets back for a fifth of a second, unless it is told not to."""
    stack = bare.start(gateways=2)
    direct, through = stack.client(), balanced_by_compose(stack)
    stack.model.when("count", [piece for n in range(60) for piece in (Delay(0.025), f"{n} ")])
    session = direct.session()
    path = f"/session/{session}/turn/{direct.start(session, 'count')}/events"
    with ThreadPoolExecutor(2) as pool:
        came, passed = pool.map(pieces, (direct, through), (path, path))
    assert passed > came / 2, f"{passed} pieces instead of {came}"


def test_a_stop_and_an_approval_reach_the_turn_by_any_gateway(bare: Stack, board: Dashboard) -> None:
    stack = bare.start(gateways=2, workers=2)
    client = balanced(stack)
    gate = Gate()
    stack.model.when("stop", ["began ", gate, "never"])
    for n in range(4):
        stack.model.when(f"save {n}", ["Shall I? ", board.call(f"Panel {n}")], ["Saved."])
        session = client.session()
        turn = client.start(session, "stop")
        stream = client.events(session, turn)
        stream.wait_text("began ")
        if n % 2:
            client.get("/models")  # so that it is another gateway's turn
        assert client.post(f"/session/{session}/turn/{turn}/cancel").status == 202
        assert stream.finish().final()["event_type"] == "turn_cancelled"
        waiting = Waiting(client, f"save {n}")
        assert waiting.decide().status == 202
        assert waiting.rest().answer() == "Saved."
    gate.open()
