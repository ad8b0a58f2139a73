"""The configuration files of the stack's programs, written anew at each start: Redis, Prometheus, Perses with its
users, roles, secrets and datasources. JSON is YAML, so no YAML writer is needed."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import shutil
import string

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
        "--storage.tsdb.retention.size=1GB",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]


def closed_proxy(url: str, secret_name: str) -> dict:
    """A datasource's proxy that keeps the person's sign-in to itself: Perses would pass the cookies (with the
    refresh token) and a Bearer on to the upstream. Blank the one, replace the other."""
    return {
        "kind": "HTTPProxy",
        "spec": {"url": url, "headers": {"Cookie": ""}, "secret": secret_name},
    }


def perses(
    folder: pathlib.Path,
    binary: str,
    port: int,
    prometheus_url: str,
    gateway_url: str,
    passwords: dict[str, str],
) -> list[str]:
    """Native sign-in, nobody signs up, guests may do nothing; an administrator and the demo user."""
    provisioning = folder / "provisioning"
    shutil.rmtree(provisioning, ignore_errors=True)
    (folder / "no-archives").mkdir(parents=True, exist_ok=True, mode=0o700)

    def entity(kind: str, name: str, spec: dict) -> dict:
        return {"kind": kind, "metadata": {"name": name}, "spec": spec}

    def datasource(name: str, display: str, kind: str, proxy: dict, default: bool = False) -> dict:
        plugin = {"kind": kind, "spec": {"proxy": proxy}}
        return entity("GlobalDatasource", name, {"default": default, "display": {"name": display}, "plugin": plugin})

    no_token = "no-user-token"
    read = [
        "Dashboard", "Datasource", "Folder", "GlobalDatasource", "GlobalVariable", "Project", "Variable",
    ]  # fmt: skip
    entities = [
        *(entity("User", name, {"nativeProvider": {"password": password}}) for name, password in passwords.items()),
        entity("GlobalRole", "administrator", {"permissions": [{"actions": ["*"], "scopes": ["*"]}]}),
        entity("GlobalRole", "reader", {"permissions": [{"actions": ["read"], "scopes": read}]}),
        entity(
            "GlobalRoleBinding",
            "administrators",
            {"role": "administrator", "subjects": [{"kind": "User", "name": "admin"}]},
        ),
        entity("GlobalRoleBinding", "readers", {"role": "reader", "subjects": [{"kind": "User", "name": "demo"}]}),
        entity("GlobalSecret", no_token, {"authorization": {"type": "Bearer", "credentials": "none"}}),
        datasource(
            "prometheus",
            "Prometheus",
            "PrometheusDatasource",
            closed_proxy(prometheus_url, no_token),
            default=True,
        ),
        # The one upstream that is meant to get the sign-in: PersAI asks Perses with it, as the person.
        datasource("persai", "PersAI", "PersAIDatasource", {"kind": "HTTPProxy", "spec": {"url": gateway_url}}),
    ]
    for i, e in enumerate(entities):
        write(provisioning / f"{i:02}-{e['kind']}-{e['metadata']['name']}.yaml", json.dumps(e, indent=1))

    key = secret(folder / "encryption-key", 32)
    conf = {
        "security": {
            "encryption_key": key,
            "enable_auth": True,
            "cookie": {"same_site": "lax", "secure": False},
            "authentication": {
                "access_token_ttl": "15m",
                "refresh_token_ttl": "24h",
                "disable_sign_up": True,
                "providers": {"enable_native": True},
            },
            "authorization": {"provider": {"native": {"enable": True}}},
        },
        "database": {"file": {"folder": str(folder / "data"), "extension": "yaml"}},
        # Applied at start; a short interval would undo what people edit while it runs.
        "provisioning": {"interval": "8760h", "folders": [str(provisioning)]},
        "plugin": {"path": str(folder / "plugins"), "archive_paths": [str(folder / "no-archives")]},
        "frontend": {"explorer": {"enable": True}},
    }
    write(folder / "config.yaml", json.dumps(conf, indent=1))
    return [binary, "-config", str(folder / "config.yaml"), "-web.listen-address", f"127.0.0.1:{port}"]
