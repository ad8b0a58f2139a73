"""How packages are installed: listed first, no service started, nothing left behind; and what is said where that
cannot be. apt-get and its kin are small scripts here, which write down how they were called."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
LIB = TOP / "compose" / "lib"
TOOLS = (
    "awk base64 basename bash cat chmod cp cut date df dirname env flock grep head id ls "
    "mkdir mktemp mv rm sed sleep sort tail touch tr uname xargs"
).split()


class Machine:
    """A PATH of its own, with as much as the test puts there."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        self.policy = folder / "policy-rc.d"
        self.env = {
            "PATH": str(self.bin),
            "HOME": str(folder),
            "PERSAI_STATE": str(folder / "state"),
            "POLICY_RC_D": str(self.policy),
            "LC_ALL": "C.UTF-8",
        }
        for name in TOOLS:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)

    def command(self, name: str, script: str = "") -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f'#!{shutil.which("bash")}\necho "{name} $*" >>"{self.calls}"\n{script}\n')
        path.chmod(0o755)

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def bash(self, script: str) -> subprocess.CompletedProcess[str]:
        text = f". '{LIB}/base.sh'; . '{LIB}/toolchain.sh'; . '{LIB}/packages.sh'; {script}"
        return subprocess.run(
            [shutil.which("bash") or "bash", "-c", text], env=self.env, capture_output=True, text=True, timeout=60
        )

    def install(self, *packages: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shutil.which("bash") or "bash", str(LIB / "install-packages"), *packages],
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path: pathlib.Path) -> Machine:
    m = Machine(tmp_path)
    # What is simulated says which packages are new; an installation keeps a copy of the policy it saw.
    m.command(
        "apt-get",
        'case "$*" in "-s "*) echo "Inst redis-server (5:7.0 Debian)";; *install*) '
        f'cp "$POLICY_RC_D" "{tmp_path}/policy-seen"; exit "${{APT_RC:-0}}";; esac',
    )
    m.command("apt-cache", "exit 0")
    m.command("dpkg", "echo /lib/systemd/system/redis-server.service; echo /etc/init.d/redis-server")
    m.command("deb-systemd-helper", '[ "$DPKG_MAINTSCRIPT_PACKAGE" = redis-server ] && echo disabled >>"$0.done"')
    m.command("update-rc.d")
    return m


def test_a_policy_forbids_services_while_it_installs_and_only_then(machine: Machine, tmp_path: pathlib.Path) -> None:
    done = machine.install("redis-server")
    assert done.returncode == 0, done.stderr
    assert "exit 101" in (tmp_path / "policy-seen").read_text()
    assert not machine.policy.exists()


def test_what_it_installed_is_not_enabled_either(machine: Machine) -> None:
    machine.install("redis-server")
    assert "deb-systemd-helper disable redis-server.service" in machine.called()
    assert (machine.bin / "deb-systemd-helper.done").read_text() == "disabled\n"
    assert "update-rc.d redis-server disable" in machine.called()


def test_where_systemctl_is_it_disables(machine: Machine) -> None:
    machine.command("systemctl")
    machine.install("redis-server")
    assert "systemctl disable redis-server.service" in machine.called()


def test_what_was_there_before_stays_enabled(machine: Machine) -> None:
    machine.command("apt-get")  # it simulates that nothing is new
    machine.install("redis-server")
    assert not [c for c in machine.called() if "disable" in c]


def test_a_failed_installation_leaves_no_policy(machine: Machine) -> None:
    machine.env["APT_RC"] = "100"
    assert machine.install("redis-server").returncode != 0
    assert not machine.policy.exists()


def test_a_policy_of_somebody_else_comes_back(machine: Machine, tmp_path: pathlib.Path) -> None:
    machine.policy.write_text("#!/bin/sh\nexit 104\n")
    machine.policy.chmod(0o755)
    machine.install("redis-server")
    assert "exit 101" in (tmp_path / "policy-seen").read_text()
    assert machine.policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert os.access(machine.policy, os.X_OK)


def heed_signals() -> None:
    """What starts the tests may ignore SIGINT and SIGHUP (nohup, a shell's background job); a shell can't undo that."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_installation_leaves_no_policy(machine: Machine, number: int) -> None:
    machine.command("apt-get", 'case "$*" in "-s "*) ;; *install*) sleep 3;; esac')
    process = subprocess.Popen(
        [shutil.which("bash") or "bash", str(LIB / "install-packages"), "redis-server"],
        env=machine.env, preexec_fn=heed_signals,
    )
    give_up = time.monotonic() + 20
    while not machine.policy.exists():
        assert time.monotonic() < give_up
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(number)
    assert process.wait(20) != 0
    assert not machine.policy.exists()


def test_a_killed_installation_is_cleaned_up_by_the_next(machine: Machine) -> None:
    machine.policy.with_name("policy-rc.d.before-persai").write_text("#!/bin/sh\nexit 104\n")
    machine.policy.write_text("#!/bin/sh\n# Made by PersAI for an installation; gone when that is over.\nexit 101\n")
    machine.install("redis-server")
    assert machine.policy.read_text() == "#!/bin/sh\nexit 104\n"


def test_old_lists_are_updated_once(machine: Machine, tmp_path: pathlib.Path) -> None:
    flag = tmp_path / "updated"
    machine.command("apt-get", f'case "$*" in "-s "*) ;; *update*) touch "{flag}";; *install*) [ -e "{flag}" ];; esac')
    assert machine.install("redis-server").returncode == 0
    assert machine.called().count("apt-get update") == 1


def as_root(machine: Machine) -> None:
    machine.command("id", "echo 0")


def test_packages_are_listed_before_they_are_installed(machine: Machine) -> None:
    as_root(machine)
    done = machine.bash("packages_install redis-server 'no-such|cmake'")
    assert done.returncode == 0, done.stderr
    listed = done.stderr.index("redis-server no-such")
    assert listed < done.stderr.index("packages and what they need")


def test_of_alternatives_the_one_that_apt_knows_is_taken(machine: Machine) -> None:
    as_root(machine)
    machine.command("apt-cache", '[ "${@: -1}" != libmsgpack-c-dev ]')
    done = machine.bash("packages_install 'libmsgpack-c-dev|libmsgpack-dev'")
    assert done.returncode == 0, done.stderr
    assert any(c.endswith("install libmsgpack-dev") for c in machine.called())


def test_lists_that_were_never_fetched_are_fetched(machine: Machine, tmp_path: pathlib.Path) -> None:
    as_root(machine)
    flag = tmp_path / "updated"
    machine.command("apt-get", f'case "$*" in update) touch "{flag}";; esac')
    machine.command("apt-cache", f'[ -e "{flag}" ]')
    assert machine.bash("packages_install redis-server").returncode == 0


def test_no_package_manager_is_a_sentence(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    done = machine.bash("packages_install")
    assert done.returncode == 1
    assert "apt-get, which this machine does not have" in done.stderr
    assert "redis-server" in done.stderr


def test_no_root_and_no_sudo_is_a_sentence(machine: Machine) -> None:
    machine.command("id", "echo 1000")
    done = machine.bash("packages_install redis-server")
    assert done.returncode == 1
    assert "there is no sudo" in done.stderr


def test_an_unknown_package_is_a_sentence(machine: Machine) -> None:
    as_root(machine)
    machine.command("apt-cache", "exit 100")
    done = machine.bash("packages_install prometheus")
    assert done.returncode == 1
    assert "apt knows no package" in done.stderr


def test_what_is_there_is_not_installed(machine: Machine) -> None:
    as_root(machine)
    for name in (
        "cc cmake ninja pkg-config openssl redis-server prometheus prometheus-node-exporter ss python3 node npm go"
    ).split():
        machine.command(name, "exit 0")
    machine.command("go", "echo go1.27.0")
    machine.command("node", "echo v20.1.0")
    done = machine.bash("packages_install")
    assert done.returncode == 0, done.stderr
    assert not [c for c in machine.called() if c.startswith("apt-get")]


def test_no_disk_space_is_a_sentence(machine: Machine) -> None:
    machine.command("df", "echo Filesystem; echo disk 100 99 1 99% /")
    done = machine.bash('need_space "$PERSAI_STATE" 6000')
    assert done.returncode == 1
    assert "not enough disk space" in done.stderr
    assert "1 MB free, 6000 MB are needed" in done.stderr


def test_a_full_disk_in_the_middle_is_a_sentence(machine: Machine) -> None:
    done = machine.bash(
        'run_logged "$PERSAI_STATE/x.log" building bash -c "echo write: No space left on device; exit 1"'
    )
    assert done.returncode == 1
    assert "the disk is full" in done.stderr


def test_a_folder_that_cannot_be_written_is_a_sentence(machine: Machine) -> None:
    done = machine.bash("need_space /proc/persai 10")
    assert done.returncode == 1
    assert "set PERSAI_STATE to a folder that can be written" in done.stderr


@pytest.mark.parametrize(("version", "enough"), [("go1.26.5", True), ("go1.27.0", True), ("go1.19.8", False)])
def test_an_old_go_is_not_used(machine: Machine, version: str, enough: bool) -> None:
    machine.command("go", f"echo {version}")
    assert (machine.bash("go_is_there").returncode == 0) == enough
