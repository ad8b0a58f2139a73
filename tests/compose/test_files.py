"""The configuration of the stack: what is closed, who may read it, which ports it takes."""

from __future__ import annotations

import json
import pathlib
import re
import socket
import stat

import files
import pytest
import stack


def entities(folder: pathlib.Path) -> list[dict]:
    return [json.loads(p.read_text()) for p in sorted((folder / "provisioning").iterdir())]


@pytest.fixture
def perses(tmp_path: pathlib.Path) -> pathlib.Path:
    files.perses(tmp_path, "perses", 1, "http://prometheus", "http://gateway", "word", {"admin": "a", "demo": "d"})
    return tmp_path


def test_only_persais_own_datasource_gets_the_sign_in(perses: pathlib.Path) -> None:
    datasources = [e for e in entities(perses) if e["kind"] == "GlobalDatasource"]
    assert len(datasources) >= 2
    for d in datasources:
        plugin = d["spec"]["plugin"]
        proxy = plugin["spec"]["proxy"]["spec"]
        if plugin["kind"] == "PersAIDatasource":
            assert (proxy["url"], proxy["secret"]) == ("http://gateway", "persai-datasource")
            assert all(re.fullmatch(r"\^/.*\$", e["endpointPattern"]) for e in proxy["allowedEndpoints"])
            continue
        assert proxy["headers"] == {"Cookie": ""}
        secret = next(
            e for e in entities(perses) if e["kind"] == "GlobalSecret" and e["metadata"]["name"] == proxy["secret"]
        )
        assert secret["spec"]["authorization"]["type"] == "Bearer"


def test_perses_knows_how_often_prometheus_scrapes(perses: pathlib.Path) -> None:
    spec = next(e for e in entities(perses) if e["metadata"]["name"] == "prometheus")["spec"]["plugin"]["spec"]
    assert spec["scrapeInterval"] == files.SCRAPE


def test_perses_is_closed(perses: pathlib.Path) -> None:
    security = json.loads((perses / "config.yaml").read_text())["security"]
    assert security["enable_auth"] is True
    assert security["authentication"]["disable_sign_up"] is True
    assert "guest_permissions" not in json.dumps(security)
    roles = {e["metadata"]["name"]: e["spec"]["permissions"] for e in entities(perses) if e["kind"] == "GlobalRole"}
    bound = {
        e["spec"]["role"]: [s["name"] for s in e["spec"]["subjects"]]
        for e in entities(perses)
        if e["kind"] == "GlobalRoleBinding"
    }
    assert bound == {"administrator": ["admin"], "reader": ["demo"]}
    assert all(p["actions"] == ["read"] for p in roles["reader"])
    assert not any("Secret" in s for p in roles["reader"] for s in p["scopes"])


def test_nobody_else_can_read_a_file(perses: pathlib.Path) -> None:
    files.redis(perses / "redis", perses / "redis" / "redis.sock")
    files.prometheus(perses / "prometheus", 1, {"job": {"instance": "127.0.0.1:2"}}, "2s")
    for path in perses.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_a_secret_is_made_once_and_is_random(tmp_path: pathlib.Path) -> None:
    one = files.secret(tmp_path / "one", 20)
    assert len(one) == 20
    assert files.secret(tmp_path / "one", 20) == one
    assert files.secret(tmp_path / "two", 20) != one
    (tmp_path / "one").chmod(0o644)
    files.secret(tmp_path / "one", 20)
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600


def test_redis_has_no_port_and_keeps_a_file(tmp_path: pathlib.Path) -> None:
    files.redis(tmp_path, tmp_path / "redis.sock")
    conf = (tmp_path / "redis.conf").read_text().splitlines()
    assert "port 0" in conf
    assert "appendonly yes" in conf
    assert "unixsocketperm 700" in conf


@pytest.fixture
def taken() -> int:
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    yield s.getsockname()[1]
    s.close()


def test_a_taken_port_of_perses_is_a_sentence(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSAI_PORT", str(taken))
    with pytest.raises(stack.StackError, match=rf"port {taken} \(Perses\) is taken.*PERSAI_PORT=\d+ compose/run"):
        stack.Ports().fixed("PERSAI_PORT", 8080, "Perses")


@pytest.mark.parametrize("value", ["", "x", "0", "65536", "-1", "80.5"])
def test_a_port_that_is_none_is_a_sentence(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSAI_PORT", value)
    with pytest.raises(stack.StackError, match="must be a port"):
        stack.Ports().fixed("PERSAI_PORT", 8080, "Perses")


def test_a_taken_inner_port_is_replaced_and_said(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    ports = stack.Ports()
    other = ports.wanted(taken, "gateway")
    assert other != taken
    assert ports.wanted(other, "worker") != other  # not given twice
    assert f"port {taken} (gateway) is taken" in capsys.readouterr().err
