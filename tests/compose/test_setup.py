"""The compose stack's set-up, as far as that goes without Docker: what the address that browsers use makes of it."""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import sys

import pytest
import setup

HERE = pathlib.Path(__file__).resolve().parents[2] / "compose" / "lib" / "setup.py"


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        ("https://perses.example.com", True),
        ("HTTPS://perses.example.com:8443/", True),
        ("http://perses.example.com", False),
        ("http://httpsperses.example.com", False),
        ("http://localhost:8080", False),
        ("", False),
    ],
)
def test_cookies_are_for_tls_alone_where_browsers_use_tls(
    url: str, secure: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERSAI_PUBLIC_URL", url)
    (archive := tmp_path / "PersAI.tar.gz").write_bytes(b"")
    setup.perses_files(tmp_path / "perses", "word", {"admin": "password-1"}, archive)
    conf = json.loads((tmp_path / "perses" / "config.yaml").read_text())
    assert conf["security"]["cookie"] == {"same_site": "lax", "secure": secure}


CLEAR = [
    ("https://perses.example.com", "0.0.0.0", []),
    ("https://127.0.0.1", "127.0.0.1", []),
    ("http://localhost:8080", "127.0.0.1", []),
    ("http://127.9.9.9:8080/", "::1", []),
    ("http://[::1]:8080", "[::1]", []),
    ("http://perses.example.com", "127.0.0.1", ["PERSAI_PUBLIC_URL"]),
    ("http://localhost.example.com", "127.0.0.1", ["PERSAI_PUBLIC_URL"]),
    ("http://127.0.0.1.example.com", "127.0.0.1", ["PERSAI_PUBLIC_URL"]),
    ("http://192.0.2.1:8080", "127.0.0.1", ["PERSAI_PUBLIC_URL"]),
    ("http://localhost:8080", "0.0.0.0", ["PERSAI_BIND"]),
    ("http://192.0.2.1", "192.0.2.1", ["PERSAI_PUBLIC_URL", "PERSAI_BIND"]),
]


@pytest.mark.parametrize(("url", "bind", "names"), CLEAR)
def test_what_goes_in_the_clear_over_a_network_is_said(url: str, bind: str, names: list[str]) -> None:
    told = setup.in_clear(url, bind)
    assert [sentence.split()[0] for sentence in told] == names
    assert all("in the clear" in sentence and "https://" in sentence for sentence in told)


def run(root: pathlib.Path, url: str, bind: str = "") -> subprocess.CompletedProcess[str]:
    """As the container does it; its gateway makes no keys, which are there."""
    for name in ("keys", "worker-keys", "perses", "redis", "redis-client", "prometheus", "passwords"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for name in ("gateway.key", "gateway.key_secret"):
        (root / "keys" / name).write_text("a key\n")
    (root / "PersAI.tar.gz").write_bytes(b"")
    env = {"PERSAI_PUBLIC_URL": url, "PERSAI_BIND": bind, "PERSAI_PLUGIN_ARCHIVE": str(root / "PersAI.tar.gz")}
    python = shutil.which("python3") or sys.executable
    return subprocess.run([python, "-B", str(HERE), str(root)], env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("url", "bind", "words"), [
    ("http://perses.example.com", "", "persai: warning: PERSAI_PUBLIC_URL is http://perses.example.com, in the clear"),
    ("", "0.0.0.0", "persai: warning: PERSAI_BIND is 0.0.0.0, in the clear"),
    ("https://perses.example.com", "0.0.0.0", ""),
    ("", "", ""),
])
def test_the_set_up_warns_and_goes_on(url: str, bind: str, words: str, tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, url, bind)
    assert done.returncode == 0 and "sign in" in done.stdout
    assert done.stderr.startswith(words) if words else done.stderr == "", done.stderr


@pytest.mark.parametrize("url", ["perses.example.com", "ftp://perses.example.com", "https://", "http//x", "https:perses"])
def test_an_address_that_is_none_is_a_sentence(url: str, tmp_path: pathlib.Path) -> None:
    done = run(tmp_path, url)
    assert done.returncode == 1
    assert f"the set-up failed: PERSAI_PUBLIC_URL is {url}, but must be an address that begins with" in done.stderr
    assert not (tmp_path / "perses" / "config.yaml").exists()
