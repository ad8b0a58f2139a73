"""A real Loki, its data in a folder of the test's own, and a real Alertmanager."""

import json
import urllib.request
from pathlib import Path

from harness.process import Process
from harness.wait import free_port, until


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def post(url: str, body: object) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in (200, 204), answer.status


class Loki:
    def __init__(self, program: str, folder: Path, logs: Path) -> None:
        self.port = free_port()
        data = folder / "data"
        data.mkdir(parents=True)
        config = folder / "loki.json"  # JSON is YAML
        config.write_text(json.dumps({
            "auth_enabled": False,
            "server": {"http_listen_address": "127.0.0.1", "http_listen_port": self.port, "log_level": "warn",
                       "grpc_listen_address": "127.0.0.1", "grpc_listen_port": free_port()},
            "common": {"instance_addr": "127.0.0.1", "path_prefix": str(data), "replication_factor": 1,
                       "storage": {"filesystem": {"chunks_directory": str(data / "chunks"),
                                                  "rules_directory": str(data / "rules")}},
                       "ring": {"kvstore": {"store": "inmemory"}}},
            "schema_config": {"configs": [{"from": "2024-01-01", "store": "tsdb", "object_store": "filesystem",
                                           "schema": "v13", "index": {"prefix": "index_", "period": "24h"}}]},
            "ingester": {"lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"}},
            "pattern_ingester": {"enabled": True},
            "limits_config": {"volume_enabled": True},
            "analytics": {"reporting_enabled": False}}))
        self.process = Process("loki", [program, f"-config.file={config}"], logs)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Loki":
        self.process.start()
        until(lambda: get(f"{self.url}/ready").strip() == b"ready", "Loki", 120)
        return self

    def push(self, labels: dict[str, str], lines: list[tuple[int, str]]) -> None:
        """lines: (time in nanoseconds, text), oldest first."""
        post(f"{self.url}/loki/api/v1/push",
             {"streams": [{"stream": labels, "values": [[str(at), text] for at, text in lines]}]})


class Alertmanager:
    def __init__(self, folder: Path, logs: Path) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        config = folder / "alertmanager.json"
        config.write_text(json.dumps({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}))
        self.process = Process("alertmanager-api", [
            "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}", "--cluster.listen-address=", "--log.level=warn"], logs)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "Alertmanager":
        self.process.start()
        until(lambda: get(f"{self.url}/-/ready"), "Alertmanager", 60)
        return self
