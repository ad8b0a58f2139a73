"""The Debian packages: made by CPack, installed into a fresh Debian of debootstrap's, upgraded from an earlier version, removed
without a trace; and the units, which confine what they run. Three minutes: a release is built, and a Debian is made."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
NAMES = ("persai", "persai-gateway", "persai-worker")
# What dpkg, useradd and ldconfig keep of what was there.
OWN = re.compile(r"/(proc/|var/lib/dpkg/|var/log/|var/cache/|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|etc/\.pwd|"
                 r"etc/ld\.so\.cache)")


def run(*args: str | pathlib.Path, cwd: pathlib.Path | None = None) -> str:
    done = subprocess.run(args, cwd=cwd, capture_output=True, text=True, timeout=1500)  # a release is built on a busy machine
    assert done.returncode == 0, (args, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A release, built as compose/README.md says."""
    if not shutil.which("ninja"):
        pytest.skip("there is no ninja")
    build = tmp_path_factory.mktemp("deb")
    launcher = ["-DCMAKE_C_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
    run("cmake", "-S", TOP, "-B", build, "-G", "Ninja", "-DCMAKE_INSTALL_PREFIX=/usr", "-DBUILD_TESTING=OFF", *launcher)
    run("ninja", "-C", build)
    return build


@pytest.fixture(scope="module")
def packages(build: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """By version: of this source, and of the same as an earlier one."""
    missing = [tool for tool in ("cpack", "dpkg-shlibdeps") if not shutil.which(tool)]
    if missing:
        pytest.skip(f"packages can't be made: {missing} are not there")
    made = {}
    for version in ("0.0.1", ""):
        run("cpack", "-B", build / f"of-{version}", *(["-R", version] if version else []), cwd=build)
        made[version or "now"] = sorted((build / f"of-{version}").glob("*.deb"))
        assert all(run("dpkg-deb", "--field", package, "Version").startswith(version) for package in made[version or "now"])
    assert [len(found) for found in made.values()] == [3, 3]
    return made


class System:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root

    def do(self, *args: str) -> str:
        return run("chroot", self.root, "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", *args)

    def install(self, packages: list[pathlib.Path]) -> None:
        for package in packages:
            shutil.copy(package, self.root / "tmp")
        self.do("dpkg", "--install", *(f"/tmp/{package.name}" for package in packages))
        for package in packages:
            (self.root / "tmp" / package.name).unlink()

    def files(self) -> set[str]:
        found = self.do("find", "/", "-xdev").splitlines()
        return {path for path in found if not OWN.match(path)}


@pytest.fixture(scope="module")
def system(packages: dict[str, list[pathlib.Path]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip("only root can make a Debian to install into, with debootstrap")
    needs = set()
    for package in packages["now"]:
        for one in run("dpkg-deb", "--field", package, "Depends").split(","):
            needs.add(one.split()[0])
    root = tmp_path_factory.mktemp("root") / "debian"
    release = re.search(r"VERSION_CODENAME=(\w+)", pathlib.Path("/etc/os-release").read_text())
    made = subprocess.run(["debootstrap", "--variant=minbase", f"--include={','.join(sorted(needs))}",
                           release[1] if release else "bookworm", root], capture_output=True, text=True, timeout=600)
    if made.returncode != 0:
        pytest.skip(f"there is no mirror to make a Debian from: {made.stdout[-300:]}")
    yield System(root)
    shutil.rmtree(root, ignore_errors=True)


def test_packages_are_installed_upgraded_and_removed(system: System, packages: dict[str, list[pathlib.Path]]) -> None:
    before, people = system.files(), system.do("cat", "/etc/passwd", "/etc/group")
    system.install(packages["0.0.1"])
    assert "nologin" in system.do("getent", "passwd", "persai")
    for name in ("gateway", "worker"):
        assert system.do("stat", "-c", "%U:%G %a", f"/etc/persai/{name}.env").split() == ["root:persai", "640"]
        assert system.do("runuser", "-u", "persai", "--", f"/usr/bin/persai-{name}", "--version")
    settings = system.root / "etc/persai/gateway.env"
    settings.write_text(settings.read_text() + "LOG_LEVEL=debug\n")
    assert system.do("runuser", "-u", "persai", "--", "/usr/bin/persai-gateway", "--check-config").startswith("ok")

    system.install(packages["now"])
    listed = system.do("dpkg-query", "--show", "--showformat=${Package} ${Version} ${db:Status-Status}\n", *NAMES)
    assert all("0.0.1" not in line and line.endswith(" installed") for line in listed.splitlines()), listed
    assert settings.read_text().endswith("LOG_LEVEL=debug\n")
    assert system.do("stat", "-c", "%U:%G %a", "/etc/persai/gateway.env").split() == ["root:persai", "640"]

    system.do("dpkg", "--remove", *NAMES)
    assert settings.exists() and "persai" in system.do("getent", "passwd", "persai")
    system.do("dpkg", "--purge", *NAMES)
    assert system.files() - before == set() and before - system.files() == set()
    assert system.do("cat", "/etc/passwd", "/etc/group") == people


def test_an_sbom_says_what_a_package_is(packages: dict[str, list[pathlib.Path]]) -> None:
    state = pathlib.Path(os.environ.get("PERSAI_STATE", pathlib.Path.home() / ".local/state/persai"))
    if not list(state.glob("syft/syft-*")):
        pytest.skip("syft is not built: compose/sbom/make does it, in four minutes")
    for package in packages["now"]:
        told = json.loads(run(TOP / "compose/sbom/make", package))
        name, version = package.name.split("_")[:2]
        assert told["spdxVersion"] == "SPDX-2.3"
        assert (name, version) in {(one["name"], one.get("versionInfo")) for one in told["packages"]}, told["packages"]


def below(folder: pathlib.Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_an_installation_below_a_folder_is_what_the_packages_have(build: pathlib.Path, packages: dict[str, list[pathlib.Path]],
                                                                  tmp_path: pathlib.Path) -> None:
    for package in packages["now"]:
        run("dpkg-deb", "--extract", package, tmp_path / "packages")
    run("env", f"DESTDIR={tmp_path / 'installed'}", "cmake", "--install", build)
    assert below(tmp_path / "installed") == below(tmp_path / "packages")
    assert {f"usr/bin/{name}" for name in NAMES} <= below(tmp_path / "installed")
    for name in ("gateway", "worker"):
        assert (tmp_path / "installed/etc/persai" / f"{name}.env").stat().st_mode & 0o777 == 0o600
    # Where Debian's shells and man look.
    assert {"usr/share/bash-completion/completions/persai", "usr/share/zsh/vendor-completions/_persai",
            "usr/share/fish/vendor_completions.d/persai.fish", "usr/share/man/man1/persai.1"} <= below(tmp_path / "installed")


def test_any_prefix_is_one(build: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Each program runs from there, and each unit names what is there."""
    prefix = tmp_path / "opt" / "persai"
    try:
        run("cmake", f"-DCMAKE_INSTALL_PREFIX={prefix}", build)
        run("cmake", "--install", build)
    finally:
        run("cmake", "-DCMAKE_INSTALL_PREFIX=/usr", build)
    for name in NAMES:
        assert "0." in run(prefix / "bin" / name, "--version")
    assert "share/zsh/site-functions/_persai" in below(prefix)
    for name in ("gateway", "worker"):
        unit = (prefix / f"lib/systemd/system/persai-{name}.service").read_text()
        assert f"ExecStart={prefix}/bin/persai-{name}\n" in unit and f"EnvironmentFile=-{prefix}/etc/persai/{name}.env\n" in unit
        assert (prefix / f"etc/persai/{name}.env").is_file()


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_systemd_understands_the_units(build: pathlib.Path, name: str, tmp_path: pathlib.Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    run("env", f"DESTDIR={tmp_path}", "cmake", "--install", build)
    unit = tmp_path / f"usr/lib/systemd/system/persai-{name}.service"
    # It looks for the program and the user too: the one is where it was put, the other is the package's to make.
    unit.write_text(unit.read_text().replace("ExecStart=", f"ExecStart={tmp_path}").replace("=persai\n", "=root\n"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0 and done.stdout + done.stderr == "", done


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_units_confine_what_they_run(packages: dict[str, list[pathlib.Path]], name: str, tmp_path: pathlib.Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("there is no systemd-analyze")
    package = next(p for p in packages["now"] if p.name.startswith(f"persai-{name}_"))
    run("dpkg-deb", "--extract", package, tmp_path)
    unit = tmp_path / f"usr/lib/systemd/system/persai-{name}.service"
    said = run("systemd-analyze", "security", "--offline=yes", unit)
    level = re.search(r"exposure level for .*: ([0-9.]+)", said)
    assert level and float(level[1]) <= 2.0, said
