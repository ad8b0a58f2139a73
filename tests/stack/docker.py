"""A Docker engine for the tests: the machine's own where it answers, else one that is started here, with all that it
makes below one folder; and the images that the compose file names, pulled or made."""

import os
import shutil
import subprocess
import sys
import tarfile
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
STATE = Path(os.environ["PERSAI_STATE"])
COMPOSE_FILE = TOP / "compose" / "docker-compose.yml"
PULL_S = 60  # an image that can't be pulled says so at once, or never
OFFICIAL = {"redis:7.0": "redis", "haproxy:2.6": "haproxy", "prom/prometheus:v2.42.0": "prometheus",
            "prom/node-exporter:v1.5.0": "node-exporter", "persesdev/perses:v0.54.0": "perses"}
BASE = "debian:bookworm-slim"
OURS = ("persai:0.1.0", "persai-tools:0.1.0")
STANDIN = "persai.standin"  # a label: made here, under a name that is somebody else's


class Engine:
    def __init__(self, logs: Path) -> None:
        self.logs = logs
        self.folder = STATE / "tests" / "docker"
        self.daemon: subprocess.Popen[bytes] | None = None
        self.made: list[str] = []  # images that were not there before
        # A client without BuildKit's plugin can't build: Debian's has it built in.
        self.client = "/usr/bin/docker" if os.access("/usr/bin/docker", os.X_OK) else shutil.which("docker") or "docker"
        self.env = {**os.environ, "DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1",
                    "PATH": f"{Path(self.client).parent}:{os.environ['PATH']}"}
        if self.answers():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self.forward = forward_policy()
        self.env["DOCKER_HOST"] = f"unix://{self.folder}/docker.sock"
        (self.folder / "pid").unlink(missing_ok=True)
        with open(logs / "dockerd.log", "wb") as log:
            self.daemon = subprocess.Popen(
                ["dockerd", "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"),
                 "--pidfile", str(self.folder / "pid"), "-H", self.env["DOCKER_HOST"]],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 60
        while not self.answers():
            assert self.daemon.poll() is None and time.monotonic() < end, (logs / "dockerd.log").read_text()[-2000:]
            time.sleep(0.2)

    def answers(self) -> bool:
        return subprocess.run([self.client, "info"], env=self.env, capture_output=True, check=False).returncode == 0

    def stop(self) -> None:
        """An engine of our own keeps its images for the next time; another one's are left as they were."""
        if not self.daemon and self.made:
            self.run("rmi", *self.made, check=False)
        if self.daemon:
            self.daemon.terminate()
            try:
                self.daemon.wait(60)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()
            # The engine forbids forwarding for the whole machine, and leaves it so.
            if self.forward and forward_policy() != self.forward:
                subprocess.run(["iptables", "-P", "FORWARD", self.forward], check=False)

    def run(self, *args: str, check: bool = True, seconds: float = 600, **kw: object) -> str:
        """docker ARGS: its output, both ways together."""
        done = subprocess.run([self.client, *args], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=kw.pop("stdin", subprocess.DEVNULL), timeout=seconds, check=False,
                              **kw)  # type: ignore[call-overload]
        text = done.stdout.decode(errors="replace")
        assert not check or done.returncode == 0, f"docker {' '.join(args)}: {done.returncode}\n{text[-3000:]}"
        return text.strip()

    def has(self, image: str) -> bool:
        return subprocess.run([self.client, "image", "inspect", image], env=self.env, capture_output=True,
                              check=False).returncode == 0

    def pulled(self, image: str) -> bool:
        if self.has(image):
            return True
        try:
            self.run("pull", "-q", image, seconds=PULL_S)
        except (AssertionError, subprocess.TimeoutExpired):
            return False
        return True

    def base(self) -> None:
        if self.pulled(BASE):
            return
        root = self.folder / "base"
        shutil.rmtree(root, ignore_errors=True)
        with open(self.logs / "debootstrap.log", "wb") as log:
            subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(root)], stdout=log, stderr=log,
                           check=True, timeout=600)
        shutil.rmtree(root / "var" / "cache" / "apt", ignore_errors=True)
        shutil.rmtree(root / "var" / "lib" / "apt" / "lists", ignore_errors=True)
        tar = subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE)
        self.run("import", "-c", f"LABEL {STANDIN}=true", "-", BASE, stdin=tar.stdout)
        self.made.append(BASE)
        assert tar.wait() == 0
        shutil.rmtree(root)

    def offline(self) -> bool:
        """No image can be pulled here: the base was made, not pulled. Builds reach no registry either."""
        return self.run("image", "inspect", "-f", "{{len .RepoDigests}}", BASE) == "0"

    def official(self) -> list[str]:
        """Makes sure of all images that the compose file does not build; which of them are stand-ins."""
        self.base()
        if not self.offline():
            for image in OFFICIAL:
                assert self.pulled(image), f"{image} can't be pulled"
            return []
        missing = [image for image in OFFICIAL if not self.has(image)]
        made_before = '{{index .Config.Labels "' + STANDIN + '"}}'
        old = [image for image in OFFICIAL if image not in missing and self.run("image", "inspect", "-f", made_before, image)]
        context = self.folder / "standins"
        perses_tree(context)
        for image in missing + old:
            self.run("build", "-q", "-t", image, "--target", OFFICIAL[image], "--label", f"{STANDIN}=true", "-f",
                     str(Path(__file__).with_name("standins.Dockerfile")), str(context))
        shutil.rmtree(context)
        self.made += missing
        return missing + old


def forward_policy() -> str:
    """ACCEPT or DROP; empty where it can't be told."""
    done = subprocess.run(["iptables", "-S", "FORWARD"], capture_output=True, text=True, check=False)
    return done.stdout.split("\n")[0].removeprefix("-P FORWARD ") if done.returncode == 0 else ""


def perses_tree(into: Path) -> None:
    """The files of the official Perses image: the server, its plugins as archives, empty data."""
    shutil.rmtree(into, ignore_errors=True)
    for folder in ("bin", "etc/perses/plugins-archive", "perses", "tmp"):
        (into / folder).mkdir(parents=True)
    (into / "tmp").chmod(0o1777)
    shutil.copy2(os.environ["PERSAI_TEST_PERSES"], into / "bin" / "perses")
    for plugin in sorted(Path(os.environ["PERSAI_TEST_PERSES_PLUGINS"]).iterdir()):
        if plugin.is_dir() and plugin.name != "persai-plugin":  # ours comes with the set-up
            with tarfile.open(into / "etc/perses/plugins-archive" / f"{plugin.name}.tar.gz", "w:gz", compresslevel=1) as tar:
                for item in plugin.iterdir():
                    tar.add(item, item.name)
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    if certificates.exists():
        (into / "etc/ssl/certs").mkdir(parents=True)
        shutil.copy2(certificates, into / "etc/ssl/certs")


class Compose:
    """One project of the compose file; and of another one that changes it."""

    def __init__(self, engine: Engine, project: str, settings: dict[str, str], change: Path | None = None) -> None:
        self.engine = engine
        self.project = project
        self.files = [x for f in (COMPOSE_FILE, change) if f for x in ("-f", str(f))]
        self.env = {**engine.env, **settings, "COMPOSE_IGNORE_ORPHANS": "1"}
        v2 = subprocess.run([engine.client, "compose", "version"], env=engine.env, capture_output=True, check=False)
        self.command = [engine.client, "compose"] if v2.returncode == 0 else ["docker-compose", "--ansi", "never"]

    def run(self, *args: str, check: bool = True, seconds: float = 600, **settings: str) -> str:
        done = subprocess.run([*self.command, "-p", self.project, *self.files, *args],
                              env={**self.env, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=seconds, check=False)
        text = done.stdout.decode(errors="replace")
        # What went wrong first: the rest tells each container.
        wrong = "\n".join(line for line in text.splitlines() if "error" in line.lower())
        assert not check or done.returncode == 0, f"compose {' '.join(args)}: {done.returncode}\n{wrong[:800]}\n{text[-3000:]}"
        return text

    def down(self, seconds: int) -> None:
        """Stops and removes the containers. An engine that is busy may give up on one of them; who meets that says it again."""
        try:
            self.run("down", "-t", str(seconds))
        except AssertionError as failed:
            note(f"once more: {failed}")
            self.run("down", "-t", str(seconds))

    def inspect(self, container: str, what: str) -> str:
        return self.engine.run("inspect", "-f", what, container)

    def running(self, service: str) -> list[str]:
        label = "label=com.docker.compose."
        those = ("status=running", f"{label}project={self.project}", f"{label}service={service}", f"{label}oneoff=False")
        return self.engine.run("ps", "-q", "--no-trunc", *(x for f in those for x in ("--filter", f))).split()

    def crash(self, container: str) -> None:
        """kill -9 of its first process from outside: what a crash looks like to the engine."""
        os.kill(int(self.inspect(container, "{{.State.Pid}}")), 9)

    def logs(self, service: str) -> str:
        return self.run("logs", "--no-color", service)

    def remove(self) -> None:
        """All that it made; nothing may be left."""
        self.run("down", "-v", "-t", "5", check=False)
        label = f"label=com.docker.compose.project={self.project}"
        left = [self.engine.run(*what, "-q", "--filter", label) for what in (("ps", "-a"), ("volume", "ls"), ("network", "ls"))]
        assert left == ["", "", ""], left


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
