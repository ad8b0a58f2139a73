"""The compose file, as far as that goes without Docker: every setting of a program can be set, and all is hardened."""

import re
from pathlib import Path

import pytest
import yaml

TOP = Path(__file__).resolve().parents[2]
FILE = yaml.safe_load((TOP / "compose" / "docker-compose.yml").read_text())
SERVICES = FILE["services"]
# Addresses inside of the stack, who is who there, and what a file or a volume of it holds.
OWN = {"PERSAI_LISTEN", "PERSAI_BROKER", "PERSAI_GATEWAYS", "PERSAI_METRICS_LISTEN", "PERSAI_REDIS", "PERSAI_KEYS",
       "PERSES_API_URL", "PERSAI_AUTH", "PERSAI_AUTH_OFF_ANYWHERE", "PERSAI_BROKER_OPEN", "PERSAI_DATASOURCE_SECRET"}

TOLD = {"gateway": {"PERSAI_PUBLIC_URL"}, "worker": set()}  # compose's own, of which a program warns


def settings(part: str) -> list[str]:
    return re.findall(r'^(?:SETTING|ADVANCED)(?:_IN)?\([\w.]+, "(\w+)"', (TOP / part / "settings.def").read_text(), re.M)


@pytest.mark.parametrize("part", ["gateway", "worker"])
def test_every_setting_can_be_set(part: str) -> None:
    env = SERVICES[part]["environment"]
    assert not (missing := set(settings(part)) - OWN - set(env)), missing
    assert set(env) - {name + "_FILE" for name in settings(part)} - set(settings(part)) == TOLD[part], env
    secrets = {f"/run/secrets/{name}" for name in SERVICES[part]["secrets"]}
    assert secrets == {value for value in env.values() if str(value).startswith("/run/secrets/")}
    for name, value in env.items():
        # It comes from the setting's own name, or is the stack's own.
        source = FILE["secrets"][value.split("/")[-1]]["file"] if value and value in secrets else value
        own = name.removesuffix("_FILE") in OWN or name == "PERSAI_DOCS"
        assert own or value is None or f"${{{name}:-" in source, (name, source)
    volumes = {"${PERSAI_DOCS:-docs}:/persai/docs:ro", "${PERSAI_SECRETS:-secrets}:/persai/secrets:ro"}
    assert part == "gateway" or volumes <= set(SERVICES["worker"]["volumes"])


def test_what_may_be_empty_is_dropped_by_the_entry_point() -> None:
    text = (TOP / "compose" / "docker" / "entrypoint").read_text()
    dropped = {name for line in re.findall(r"drop_empty ([A-Z_ ]+)\n", text) for name in line.split()}
    files = {name for s in SERVICES.values() for name, value in (s.get("environment") or {}).items()
             if str(value).startswith("/run/secrets/")}
    assert dropped == files


def bytes_of(text: str) -> int:
    """Of 640mb or 1g."""
    number = text.removesuffix("b")
    return int(number[:-1]) << {"k": 10, "m": 20, "g": 30}[number[-1]]


def test_redis_refuses_writes_before_its_container_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import setup  # of compose/lib

    monkeypatch.delenv("PERSAI_REDIS_MEMORY", raising=False)
    setup.redis(tmp_path / "redis", tmp_path / "client")
    conf = dict(line.split(" ", 1) for line in (tmp_path / "redis" / "redis.conf").read_text().splitlines())
    nodes = [s for s in SERVICES.values() if str(s.get("command")).startswith("['sh', '/persai/redis/node', 'redis")]
    assert conf["maxmemory-policy"] == "noeviction" and nodes
    assert all(bytes_of(conf["maxmemory"]) <= 0.7 * bytes_of(node["mem_limit"]) for node in nodes)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] and service["pids_limit"] and service["mem_limit"] and not service.get("privileged")
    assert ("ports" in service) == (name == "perses")
