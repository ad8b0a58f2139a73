"""The set-up of the compose stack, a service that ends: keys, passwords, and the configuration of Redis, Prometheus and
Perses, each into a volume that only those who need it mount. What is there already is kept, so it can run again.

    setup.py [ROOT]              ROOT: where the volumes are mounted, /persai
    setup.py ROOT passwords      prints them"""

from __future__ import annotations

import ipaddress
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse

import files
import perses

HERE = pathlib.Path(__file__).resolve().parent
SCRAPE = "5s"
USERS = ("admin", "demo", "viewer")


def write(path: pathlib.Path, text: str) -> None:
    """Read by another program, which may run as another user: the volume is what keeps it from everybody else."""
    files.write(path, text, 0o644)


def write_once(path: pathlib.Path, length: int) -> str:
    word = files.secret(path, length)
    path.chmod(0o644)
    return word


def keys(folder: pathlib.Path, workers: pathlib.Path) -> None:
    """The gateways' folder has no worker's secret, the workers' has no gateway's: who has the one is not the other."""
    if not (folder / "gateway.key_secret").exists():
        made = folder / "new"
        shutil.rmtree(made, ignore_errors=True)
        subprocess.run(["persai-gateway", "--make-keys", str(made)], check=True, env={"PATH": os.environ["PATH"]})
        # The one that says that they are there comes last.
        for path in sorted(made.iterdir(), key=lambda p: p.name == "gateway.key_secret"):
            path.rename(folder / path.name)
        made.rmdir()
    shutil.copyfile(folder / "gateway.key", workers / "gateway.key")
    for name in ("worker.key", "worker.key_secret"):  # in the gateways' until now, also of a set-up of before
        if (folder / name).exists():
            private = name.endswith("_secret")
            files.write(workers / name, (folder / name).read_text(), 0o600 if private else 0o644)
            (folder / name).unlink()


# What gateways and workers say to Redis; no more than that can be done with their password.
ACL = (
    "resetkeys ~* resetchannels -@all +@hash +@sortedset +@set +@stream +@string +@connection"
    " +del +unlink +exists +pexpire +expire +persist +pttl +ttl +type +scan +eval +evalsha +script|load"
    " +script|exists +time +wait +asking +cluster|slots +cluster|keyslot -@dangerous -@admin +info +role"
)


def redis(folder: pathlib.Path, clients: pathlib.Path) -> None:
    """folder: of the Redis nodes. clients: of gateways and workers, which know one user's password."""
    password = write_once(folder / "password", 32)
    client = write_once(clients / "password", 32)
    conf = [
        "bind * -::*",
        "protected-mode yes",
        "dir /data",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",
        f"requirepass {password}",
        f"masterauth {password}",
        f"user persai on >{client} {ACL}",
        # Below the container's limit: writes are refused in words, not by the kernel's killer. What is left is for
        # rewriting the append-only file.
        f"maxmemory {os.environ.get('PERSAI_REDIS_MEMORY') or '640mb'}",
    ]
    write(folder / "redis.conf", "\n".join(conf) + "\n")
    write(clients / "url", f"redis://persai:{client}@redis:6379/0\n")
    write(folder / "node", (HERE.parent / "docker" / "redis-node").read_text())
    # For the profile `sentinel`: three sentinels, and the URL of what they watch. Names, since addresses change.
    write(
        folder / "sentinel.conf",
        "\n".join(
            [
                "port 26379",
                "dir /data",
                "sentinel resolve-hostnames yes",
                "sentinel announce-hostnames yes",
                "sentinel monitor persai redis 6379 2",
                f"sentinel auth-pass persai {password}",
                "sentinel down-after-milliseconds persai 5000",
                "sentinel failover-timeout persai 10000",
                "",
            ]
        ),
    )
    write(
        clients / "url-sentinel",
        f"sentinel://persai:{client}@sentinel-1:26379,sentinel-2:26379,sentinel-3:26379/persai/0\n",
    )
    for old in ("url", "url-sentinel"):  # of a set-up of before: they held the password of everything
        (folder / old).unlink(missing_ok=True)
    # What the nodes keep is theirs as long as the profile is used (docker/redis-node).
    if os.environ.get("PERSAI_REDIS_FILE", "").endswith("/url-sentinel"):
        write_once(folder / "sentinel-id", 16)
    else:
        (folder / "sentinel-id").unlink(missing_ok=True)


def prometheus(folder: pathlib.Path) -> None:
    def named(job: str, name: str, port: int) -> dict:
        return {"job_name": job, "dns_sd_configs": [{"names": [name], "type": "A", "port": port, "refresh_interval": SCRAPE}]}

    conf = {
        "global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": ["/persai/prometheus/persai-alerts.yml"],
        "scrape_configs": [
            {"job_name": "prometheus", "static_configs": [{"targets": ["127.0.0.1:9090"]}]},
            {"job_name": "perses", "static_configs": [{"targets": ["perses:8080"]}]},
            named("node", "node-exporter", 9100),
            named("persai-gateway", "gateway", 8000),
            named("persai-worker", "worker", 8200),
        ],
    }
    write(folder / "prometheus.yml", json.dumps(conf, indent=1) + "\n")
    write(folder / "persai-alerts.yml", (HERE.parent / "provisioning" / "persai-alerts.yml").read_text())


def perses_files(folder: pathlib.Path, word: str, passwords: dict[str, str], archive: pathlib.Path) -> None:
    made = perses.entities("http://prometheus:9090", SCRAPE, "http://lb:8000", word, passwords)
    perses.write_entities(folder / "provisioning", made, write)
    conf = perses.config(
        write_once(folder / "encryption-key", 32),
        data="/perses",
        provisioning=str(folder / "provisioning"),
        plugins="/tmp/plugins",
        archives=["/etc/perses/plugins-archive", str(folder / "archives")],
        public_url=public_url(),
    )
    write(folder / "config.yaml", json.dumps(conf, indent=1) + "\n")
    target = folder / "archives" / archive.name
    target.parent.mkdir(exist_ok=True)
    shutil.copyfile(archive, target.with_suffix(".new"))
    target.with_suffix(".new").replace(target)


def public_url() -> str:
    return os.environ.get("PERSAI_PUBLIC_URL") or f"http://localhost:{os.environ.get('PERSAI_PORT') or '8080'}"


def check_public_url(url: str) -> None:
    """ValueError: it is none, and Perses's cookies would be those of no TLS without a word."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"PERSAI_PUBLIC_URL is {url}, but must be an address that begins with http:// or https://")


def is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def in_clear(url: str, bind: str) -> list[str]:
    """What lets others on a network read who signs in; a sentence each. bind: the address that Perses is published on."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https":
        return []
    ways = [("PERSAI_PUBLIC_URL", url, parts.hostname or ""), ("PERSAI_BIND", bind, bind)]
    return [
        f"{name} is {value}, in the clear: passwords, sign-ins and conversations can be read on that network. "
        "Put what ends TLS in front of Perses, and PERSAI_PUBLIC_URL=https://…"
        for name, value, host in ways
        if not is_here(host)
    ]


def show_passwords(folder: pathlib.Path) -> None:
    for user, note in (("admin", "may do everything"), ("viewer", "reads one project"), ("demo", "reads everything")):
        print(f"sign in   {user} / {(folder / user).read_text().strip()}   ({note})")


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "/persai")
    archive = pathlib.Path(os.environ.get("PERSAI_PLUGIN_ARCHIVE", "/opt/persai/PersAI.tar.gz"))
    if sys.argv[2:] == ["passwords"]:
        show_passwords(root / "passwords")
        return 0
    try:
        check_public_url(public_url())
        passwords = {user: write_once(root / "passwords" / user, 20) for user in USERS}
        word = write_once(root / "keys" / "datasource-secret", 32)
        keys(root / "keys", root / "worker-keys")
        redis(root / "redis", root / "redis-client")
        prometheus(root / "prometheus")
        perses_files(root / "perses", word, passwords, archive)
    except (OSError, ValueError, subprocess.CalledProcessError) as e:
        print(f"persai: the set-up failed: {e}", file=sys.stderr)
        return 1
    for sentence in in_clear(public_url(), os.environ.get("PERSAI_BIND") or "127.0.0.1"):
        print(f"persai: warning: {sentence}", file=sys.stderr)
    # Logs are kept and passed on: no password in them.
    print(f"Perses    {public_url()}   (explorer PersAI)")
    print("sign in   demo, viewer or admin; their passwords: docker compose run --rm setup passwords")
    return 0


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
