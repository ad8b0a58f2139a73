"""The processes of a benchmark: the scripted model, nginx, Redis, gateway and worker, each on a free loopback port
or a unix socket, with its data in one temporary folder, all gone when the benchmark ends however it ends."""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from harness import haproxy
from harness.wait import free_port

NGINX_CONF = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.log error;
worker_rlimit_nofile 20000;
events {{ worker_connections 19900; }}
http {{
  access_log off; keepalive_requests 1000000;
  client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u;
  scgi_temp_path {dir}/s;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://127.0.0.1:{model}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 300s;
    }}
  }}
}}
"""


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def wait_for(what, check, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if check():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"bench: {what} is not ready after {seconds} s")


def connects(port):
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


def answers(url):
    with urllib.request.urlopen(url, timeout=2) as r:
        return r.status == 200


class Stack:
    def __init__(self, build):
        self.build = pathlib.Path(build)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="persai-bench-"))
        self.running = {}
        self.starts = {}
        self.ports = {}
        self.metrics = {}  # of each of PersAI's processes: the port that answers /metrics

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for name in list(self.running):
            self.stop(name)
        shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, name, argv, env=None, **more):
        log = open(self.dir / f"{name}.log", "ab")
        full = {**os.environ, **(env or {})}
        self.running[name] = subprocess.Popen([str(a) for a in argv], env=full, stderr=log,
                                              stdout=more.pop("stdout", log), preexec_fn=die_with_parent, **more)
        return self.running[name]

    def stop(self, name):
        process = self.running.pop(name, None)
        if not process:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pid(self, name):
        if self.running[name].poll() is not None:
            raise SystemExit(f"bench: {name} has ended: {self.log_end(name)}")
        return self.running[name].pid

    def log_end(self, name):
        lines = (self.dir / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def model(self):
        process = self.start("model", [self.build / "tests/bench/bench-model"], stdout=subprocess.PIPE)
        self.ports["model"] = int(process.stdout.readline())

    def nginx(self):
        port = self.ports["nginx"] = free_port()
        conf = self.dir / "nginx.conf"
        conf.write_text(NGINX_CONF.format(dir=self.dir, port=port, model=self.ports["model"]))
        self.start("nginx", ["nginx", "-c", conf, "-e", self.dir / "nginx.log"])
        wait_for("nginx", lambda: connects(port))

    def redis(self):
        path = self.dir / "redis.sock"
        self.start("redis", ["redis-server", "--port", 0, "--unixsocket", path, "--dir", self.dir, "--save", "",
                             "--appendonly", "yes", "--appendfsync", "everysec", "--maxclients", 200])
        wait_for("redis-server", path.exists)

    def has_persai(self):
        return (self.build / "gateway/persai-gateway").exists() and (self.build / "worker/persai-worker").exists()

    def persai(self, wrap=(), capacity=12000, gateways=1, workers=1, env=None):
        """Redis, gateways ("gateway", "gateway2" …) and workers ("worker", "worker2" …), all fresh; env: settings of
        both."""
        for name in [n for n in self.running if n.startswith(("worker", "gateway", "redis", "haproxy"))]:
            self.stop(name)
        shutil.rmtree(self.dir / "appendonlydir", ignore_errors=True)
        self.redis()
        names = ["gateway", *(f"gateway{n}" for n in range(2, gateways + 1))]
        brokers = {name: f"tcp://127.0.0.1:{free_port()}" for name in names}
        common = {"PERSAI_BROKER_OPEN": "true", "PERSAI_REDIS": f"unix://{self.dir}/redis.sock", "LOG_LEVEL": "warn",
                  "PERSES_API_URL": f"http://127.0.0.1:{self.ports['model']}", **(env or {})}
        self.starts = {}
        self.metrics = {}
        for name in names:
            self.ports[name] = self.metrics[name] = free_port()
            self.starts[name] = ([*wrap, self.build / "gateway/persai-gateway"],
                                 {**common, "PERSAI_AUTH": "false", "PERSAI_LISTEN": f"127.0.0.1:{self.ports[name]}",
                                  "PERSAI_BROKER": brokers[name]})
        for name in ["worker", *(f"worker{n}" for n in range(2, workers + 1))]:
            self.metrics[name] = free_port()
            self.starts[name] = ([*wrap, self.build / "worker/persai-worker"],
                                 {**common, "PERSAI_GATEWAYS": ",".join(brokers.values()), "PERSAI_CAPACITY": str(capacity),
                                  "PERSAI_METRICS_LISTEN": f"127.0.0.1:{self.metrics[name]}",
                                  "PERSAI_DEFAULT_MODEL": "openai/bench", "PERSAI_TITLES": "false",
                                  "OPENAI_API_KEY": "bench",
                                  "OPENAI_BASE_URL": f"http://127.0.0.1:{self.ports['model']}/v1"})
        for name, (argv, settings) in self.starts.items():
            self.start(name, argv, settings)
        for name in names:
            self.is_ready(name)

    def is_ready(self, gateway):
        wait_for("PersAI", lambda: answers(f"http://127.0.0.1:{self.ports[gateway]}/readyz"), 60)

    def killed(self, name):
        """As kill -9 of one of PersAI's processes, which is there again a second later."""
        process = self.running.pop(name)
        process.kill()
        process.wait()
        time.sleep(1)
        self.start(name, *self.starts[name])

    def haproxy(self, gateways):
        """Before these gateways, as compose has it."""
        port = self.ports["haproxy"] = free_port()
        conf = self.dir / "haproxy.cfg"
        conf.write_text(haproxy.settings(port, {name: self.ports[name] for name in gateways}))
        self.start("haproxy", ["haproxy", "-db", "-f", conf])
        wait_for("haproxy", lambda: answers(f"http://127.0.0.1:{port}/readyz"))

    def passes(self, names):
        """{name: {"passes": (of its loop since it began, those of over 10 ms, the bound in ms that the longest kept to),
        "work": the same of the processor time in them}}, of those of PersAI's processes that are among the names."""
        found = {}
        for name in set(names) & set(self.metrics):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics[name]}/metrics", timeout=10) as r:
                text = r.read().decode()
            found[name] = {"passes": self.over(text, "loop_pass_seconds"), "work": self.over(text, "loop_pass_cpu_seconds")}
        return found

    @staticmethod
    def over(text, histogram):
        counts = {float(le): int(n) for le, n in re.findall(histogram + r'_bucket\{le="([^"]+)"\} (\d+)', text)}
        whole = counts[float("inf")]
        return whole, whole - counts[0.01], 1000 * min(le for le, n in counts.items() if n == whole)

    def scripts(self):
        """(calls, µs) of all scripts that Redis ran."""
        out = subprocess.run(["redis-cli", "-s", self.dir / "redis.sock", "info", "commandstats"], check=True,
                             capture_output=True, text=True).stdout
        found = re.findall(r"cmdstat_(?:evalsha|eval|evalsha_ro|eval_ro):calls=(\d+),usec=(\d+)", out)
        return sum(int(c) for c, _ in found), sum(int(u) for _, u in found)

    def note_scripts(self, noted):
        """From here on Redis notes each script, or no more."""
        self.redis_says(["config set slowlog-max-len 100000", f"config set slowlog-log-slower-than {0 if noted else -1}",
                         "slowlog reset"])

    def scripts_by_name(self):
        """{name: (calls, µs)} of what was noted. To be noted makes each a little dearer."""
        table = next(self.build.glob("**/store/scripts.c")).read_text()
        names = {sha: name for name, sha in re.findall(r'\.name = "(\w+)".*?\.sha = "(\w+)"', table)}
        noted = subprocess.run(["redis-cli", "-s", self.dir / "redis.sock", "slowlog", "get", "-1"], check=True,
                               capture_output=True, text=True, encoding="latin-1").stdout.splitlines()
        found = {}
        for micros, command, sha in zip(noted, noted[1:], noted[2:]):
            if command == "EVALSHA" and sha in names:
                calls, us = found.get(names[sha], (0, 0))
                found[names[sha]] = calls + 1, us + int(micros)
        return found

    def redis_says(self, commands):
        """The answers to many commands, a line each (of those that answer with one line)."""
        done = subprocess.run(["redis-cli", "-s", self.dir / "redis.sock"], input="\n".join(commands), check=True,
                              capture_output=True, text=True)
        return done.stdout.splitlines()

    def spends(self, names, run):
        """{name: seconds of CPU} of these processes while run() runs."""
        before = {name: self.cpu(name) for name in names}
        run()
        return {name: self.cpu(name) - before[name] for name in names}

    def cpu(self, name):
        """Seconds of CPU that all its threads have used, by the scheduler's clock."""
        tasks = pathlib.Path(f"/proc/{self.pid(name)}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def watch(self, *names):
        return [f"--watch={name}={self.pid(name)}" for name in names if name in self.running]
