"""Hosts of a test's own: network namespaces on one bridge, each with an address, and names that all of them resolve.
Needs root (ip netns, unshare --mount)."""

import secrets
import socket
import subprocess
import threading
from pathlib import Path

from fakes.sockets import carry


def sh(*args: str) -> None:
    done = subprocess.run(args, capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(args)}: {done.stderr}"


class Hosts:
    def __init__(self, folder: Path) -> None:
        tag = secrets.token_hex(2)
        self.device = f"pv{tag}-"
        self.prefix = f"persai-{tag}-"
        self.net = f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(250)}"
        self.made: list[str] = []
        self.names: dict[str, set[str]] = {}
        self.file = folder / "hosts"
        self.forwards: list[socket.socket] = []
        self.write()
        # The bridge has a namespace to itself: a firewall of this machine (a Docker engine's, say) does not see it.
        self.switch = self.prefix + "switch"
        sh("ip", "netns", "add", self.switch)
        self.made.append(self.switch)
        sh("ip", "-n", self.switch, "link", "add", "bridge", "type", "bridge")
        sh("ip", "-n", self.switch, "link", "set", "bridge", "up")
        self.plug(1)
        sh("ip", "address", "add", f"{self.here}/24", "dev", f"{self.device}1")
        sh("ip", "link", "set", f"{self.device}1", "up")

    @property
    def here(self) -> str:
        """The test's own address among them."""
        return f"{self.net}.1"

    def add(self, name: str) -> str:
        """A host; its address."""
        n = len(self.made) + 1
        space, address = self.prefix + name, f"{self.net}.{n}"
        sh("ip", "netns", "add", space)
        self.made.append(space)
        self.plug(n)
        sh("ip", "link", "set", f"{self.device}{n}", "netns", space, "name", "eth0")
        for command in (["link", "set", "lo", "up"], ["address", "add", f"{address}/24", "dev", "eth0"],
                        ["link", "set", "eth0", "up"]):
            sh("ip", "-n", space, *command)
        return address

    def plug(self, n: int) -> None:
        """A cable from here, device n, to the switch."""
        sh("ip", "link", "add", f"{self.device}{n}", "type", "veth", "peer", "name", f"port{n}", "netns", self.switch)
        sh("ip", "-n", self.switch, "link", "set", f"port{n}", "master", "bridge", "up")

    def on(self, name: str, program: Path) -> list[str]:
        """The command that runs it on that host."""
        return ["ip", "netns", "exec", self.prefix + name, "unshare", "--mount", "sh", "-c",
                f'mount --bind "{self.file}" /etc/hosts && exec "{program}"']

    def name(self, name: str, *addresses: str) -> None:
        """What the name resolves to from now on."""
        self.names[name] = set(addresses)
        self.write()

    def write(self) -> None:
        # In place: the file is mounted over each host's /etc/hosts.
        lines = ["127.0.0.1 localhost", *(f"{a} {name}" for name, found in self.names.items() for a in sorted(found))]
        self.file.write_text("\n".join(lines) + "\n")

    def forward(self, port: int) -> int:
        """A port at our address among the hosts that leads to one on this machine's loopback."""
        listener = socket.create_server((self.here, 0))
        self.forwards.append(listener)

        def accept() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                    far = socket.create_connection(("127.0.0.1", port))
                except OSError:
                    return
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=carry, args=(a, b), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    def remove(self) -> None:
        for listener in self.forwards:
            listener.close()
        for space in self.made:
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)
        subprocess.run(["ip", "link", "delete", f"{self.device}1"], check=False, capture_output=True)
