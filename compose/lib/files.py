"""The configuration files of the quick start's programs, written anew at each start: Redis, Prometheus, Perses (what
is in it is in perses.py). JSON is YAML, so no YAML writer is needed."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import string

import perses as perses_files

SCRAPE = "2s"  # short, so that what happens now can be asked for at once
SCRAPE_AT_START = "1s"  # Prometheus waits 5 s before its first scrape; rate() needs two


def write(path: pathlib.Path, text: str, mode: int = 0o600) -> None:
    """Replaces the file at once; never readable by others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(path.name + ".new")
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "w") as f:
        f.write(text)
    os.replace(new, path)


def secret(path: pathlib.Path, length: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    """A random word that is made once and kept in a file of mode 600."""
    if not path.exists():
        write(path, "".join(secrets.choice(alphabet) for _ in range(length)) + "\n")
    path.chmod(0o600)
    return path.read_text().strip()


def redis(folder: pathlib.Path, socket: pathlib.Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    conf = folder / "redis.conf"
    write(
        conf,
        "\n".join(
            [
                "# Only the unix socket: no port, and only this user can open it.",
                "port 0",
                f'unixsocket "{socket}"',
                "unixsocketperm 700",
                f'dir "{folder}"',
                "appendonly yes",
                "appendfsync everysec",
                'save ""',  # the append-only file is the copy on disk
                "daemonize no",
                "",
            ]
        ),
    )
    return ["redis-server", str(conf)]


def prometheus(folder: pathlib.Path, port: int, targets: dict[str, dict[str, str]], interval: str) -> list[str]:
    """targets: job → instance → address. Named instances: another port after a restart is the same series, and
    `up` does not count those of the last run for five minutes."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    conf = folder / "prometheus.yml"
    write(
        conf,
        json.dumps(
            {
                "global": {"scrape_interval": interval, "scrape_timeout": interval},
                "scrape_configs": [
                    {
                        "job_name": job,
                        "static_configs": [{"targets": [a], "labels": {"instance": i}} for i, a in instances.items()],
                    }
                    for job, instances in targets.items()
                ],
            },
            indent=1,
        ),
    )
    return [
        "prometheus",
        f"--config.file={conf}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=7d",
        # Perses leaves a connection of each query open for 90 s.
        "--web.max-connections=8192",
        "--web.read-timeout=15s",
        "--storage.tsdb.retention.size=1GB",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]


def perses(
    folder: pathlib.Path,
    binary: str,
    port: int,
    prometheus_url: str,
    gateway_url: str,
    gateway_word: str,
    passwords: dict[str, str],
) -> list[str]:
    """An administrator and the demo user; plugins and archives are folders of the state."""
    (folder / "no-archives").mkdir(parents=True, exist_ok=True, mode=0o700)
    entities = perses_files.entities(prometheus_url, SCRAPE, gateway_url, gateway_word, passwords)
    perses_files.write_entities(folder / "provisioning", entities, write)
    config = perses_files.config(
        secret(folder / "encryption-key", 32),
        data=str(folder / "data"),
        provisioning=str(folder / "provisioning"),
        plugins=str(folder / "plugins"),
        archives=[str(folder / "no-archives")],
    )
    write(folder / "config.yaml", json.dumps(config, indent=1))
    return [binary, "-config", str(folder / "config.yaml"), "-web.listen-address", f"127.0.0.1:{port}"]
