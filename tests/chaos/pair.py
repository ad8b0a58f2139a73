"""A Redis with a replica and a Sentinel that makes the one the master when the other dies."""

from pathlib import Path

import redis as redis_client

from chaos.lines import StoreLine
from chaos.world import World
from harness.process import Process
from harness.wait import free_port, until


class Pair:
    """As harness.services.Redis looks from outside. Each of the two is known by the port of its line only."""

    def __init__(self, folder: Path, logs: Path) -> None:
        self.folder, self.logs = folder, logs
        self.ports = [free_port(), free_port()]
        self.lines = [StoreLine(port) for port in self.ports]
        for n in range(2):
            (folder / str(n)).mkdir(parents=True)
        self.redises = [Process(f"redis-{n}", self.arguments(n, 0), self.logs) for n in range(2)]
        self.sentinel_port = free_port()
        self.sentinel = self.make_sentinel()

    def arguments(self, n: int, master: int) -> list:
        other = [] if n == master else ["--replicaof", f"127.0.0.1 {self.lines[master].port}"]
        return ["redis-server", "--port", str(self.ports[n]), "--bind", "127.0.0.1", "--dir", self.folder / str(n),
                "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0",
                "--replica-announce-ip", "127.0.0.1", "--replica-announce-port", str(self.lines[n].port), *other]

    def make_sentinel(self) -> Process:
        config = self.folder / "sentinel.conf"
        config.write_text(f"port {self.sentinel_port}\nbind 127.0.0.1\ndir {self.folder}\n"
                          f"sentinel monitor chaos 127.0.0.1 {self.lines[0].port} 1\n"
                          "sentinel down-after-milliseconds chaos 400\nsentinel failover-timeout chaos 2000\n")
        return Process("sentinel", ["redis-server", config, "--sentinel"], self.logs)

    @property
    def url(self) -> str:
        return f"sentinel://127.0.0.1:{self.sentinel_port}/chaos/0"

    def ask(self, n: int) -> redis_client.Redis:
        return redis_client.Redis(port=self.ports[n], socket_timeout=10)

    def sentinels(self) -> dict:
        return redis_client.Redis(port=self.sentinel_port, socket_timeout=10, decode_responses=True)  # type: ignore

    def master(self) -> int:
        """Which of them the Sentinel says it is."""
        port = int(self.sentinels().execute_command("SENTINEL", "get-master-addr-by-name", "chaos")[1])
        return [line.port for line in self.lines].index(port)

    @property
    def process(self) -> Process:
        return self.redises[self.master()]

    @property
    def client(self) -> redis_client.Redis:
        return self.ask(self.master())

    def start(self) -> "Pair":
        """Also after one of them was lost: it comes back as the replica (Sentinel would make it one, seconds later)."""
        master = self.master() if self.sentinel.running() else 0
        for n, process in enumerate(self.redises):
            if not process.running():
                process.args = [str(a) for a in self.arguments(n, master)]
                process.start()
        if not self.sentinel.running():
            self.sentinel.start()
        until(self.well, "the replica to follow its master", 40)
        return self

    def well(self) -> bool:
        try:
            n = self.master()
            replicas = [dict(r) if isinstance(r, dict) else dict(zip(r[::2], r[1::2]))
                        for r in self.sentinels().execute_command("SENTINEL", "replicas", "chaos")]
            known = [r for r in replicas if r["flags"] == "slave" and r["master-link-status"] == "ok"]
            return (self.ask(n).info("replication")["role"] == "master" and len(known) == 1
                    and self.ask(1 - n).info("replication").get("master_link_status") == "up" and self.copied(n))
        except redis_client.exceptions.RedisError:
            return False

    def copied(self, n: int) -> bool:
        replication = self.ask(n).info("replication")
        return replication.get("slave0", {}).get("offset") == replication["master_repl_offset"]

    def wait_promoted(self, lost: Process) -> None:
        def promoted() -> bool:
            try:
                n = self.master()
                return self.redises[n] is not lost and self.ask(n).info("replication")["role"] == "master"
            except redis_client.exceptions.RedisError:
                return False

        until(promoted, "the replica to be promoted", 40)


class PairWorld(World):
    """Everybody finds Redis by asking the Sentinel."""

    def __init__(self, folder: Path, capacity: int) -> None:
        super().__init__(folder, capacity)
        # Longer than it takes to promote one: a turn whose lease ends meanwhile is taken over, which is right,
        # and whoever saw text of it that was never stored is told history_lost.
        self.env |= {"PERSAI_DURABILITY": "replicated:1", "PERSAI_LEASE": "10s"}

    def start_store(self) -> None:
        self.pair = Pair(self.stack.folder / "pair", self.stack.logs)
        self.stack.redis = self.pair  # type: ignore[assignment]
        self.stack.others += [*self.pair.redises, self.pair.sentinel]
        self.pair.start()

    def store_line(self) -> tuple[StoreLine, str]:
        return self.pair.lines[0], self.pair.url

    def store_lines(self) -> list[StoreLine]:
        return self.pair.lines

    def restart(self) -> None:
        self.pair.start()
        super().restart()
