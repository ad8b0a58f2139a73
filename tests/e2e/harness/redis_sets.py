"""More than one Redis: a master with a replica, Sentinels, a Cluster; all real redis-server processes on loopback."""

from pathlib import Path

import redis as redis_client

from harness.process import Process
from harness.services import Redis
from harness.wait import free_port, until


class Node(Redis):
    """One redis-server, with settings of its own: `node("a", logs, appendfsync="everysec")`."""

    def __init__(self, name: str, folder: Path, logs: Path, prefix: list[str] | None = None, **settings: str) -> None:
        super().__init__(folder / name, logs)
        args = [*(prefix or []), *self.process.args]
        for key, value in settings.items():
            args += ["--" + key.replace("_", "-"), *value.split(" ")]
        self.process = Process(f"redis-{name}", args, logs)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def says(self, section: str, key: str, value: str) -> bool:
        try:
            return str(self.client.info(section).get(key)) == value
        except redis_client.exceptions.RedisError:
            return False


class Pair(Node):
    """A master and a replica; the stack knows both."""

    def __init__(self, folder: Path, logs: Path, **settings: str) -> None:
        super().__init__("master", folder, logs, repl_diskless_sync_delay="0", **settings)
        self.replica = Node("replica", folder, logs, repl_diskless_sync_delay="0",
                            replicaof=f"127.0.0.1 {self.port}", **settings)

    @property
    def url(self) -> str:
        return f"redis://{self.address},{self.replica.address}"

    def start(self) -> "Pair":
        super().start()
        self.replica.start()
        self.wait_synced()
        return self

    def wait_synced(self) -> None:
        until(lambda: self.replica.says("replication", "master_link_status", "up"), "the replica to be in step")

    def promote(self) -> None:
        self.replica.client.replicaof("NO", "ONE")


class Sentinels(Pair):
    """A master, a replica and three Sentinels that fail over within a few seconds."""

    def __init__(self, folder: Path, logs: Path, **settings: str) -> None:
        super().__init__(folder, logs, **settings)
        self.sentinels: list[Process] = []
        self.ports = [free_port() for _ in range(3)]
        for n, port in enumerate(self.ports):
            config = folder / f"sentinel-{n}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {self.port} 2\n"
                "sentinel down-after-milliseconds main 1500\nsentinel failover-timeout main 3000\n")
            self.sentinels.append(Process(f"sentinel-{n}", ["redis-server", config, "--sentinel"], logs))

    @property
    def url(self) -> str:
        return "sentinel://" + ",".join(f"127.0.0.1:{p}" for p in self.ports) + "/main/0"

    def start(self) -> "Sentinels":
        super().start()
        for sentinel in self.sentinels:
            sentinel.start()

        def all_known() -> bool:
            try:
                for port in self.ports:
                    state = redis_client.Redis(port=port, socket_timeout=5).sentinel_master("main")
                    if state["num-slaves"] < 1 or state["num-other-sentinels"] < 2:
                        return False
                return True
            except redis_client.exceptions.RedisError:
                return False

        until(all_known, "the sentinels to know each other and the replica", 30)
        return self

    def master_port(self) -> int:
        return redis_client.Redis(port=self.ports[0], socket_timeout=5).sentinel_get_master_addr_by_name("main")[1]


class Cluster:
    """Three masters with a replica each. What the stack knows of is two of them."""

    SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))

    def __init__(self, folder: Path, logs: Path) -> None:
        self.nodes = [Node(f"node-{n}", folder, logs, cluster_enabled="yes", cluster_port=str(free_port()),
                           cluster_node_timeout="1500", repl_diskless_sync_delay="0",
                           cluster_config_file=str(folder / f"nodes-{n}.conf")) for n in range(6)]
        self.process = self.nodes[0].process
        self.others = [n.process for n in self.nodes[1:]]

    @property
    def url(self) -> str:
        return f"redis://{self.nodes[0].address},{self.nodes[4].address}"

    @property
    def masters(self) -> list[Node]:
        return self.nodes[:3]

    def start(self) -> "Cluster":
        for node in self.nodes:
            node.start()
        first = self.nodes[0]
        bus = first.client.config_get("cluster-port")["cluster-port"]
        for node, (low, high) in zip(self.masters, self.SLOTS):
            node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", low, high)
        for n, node in enumerate(self.nodes):
            node.client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", n + 1)
            if node is not first:
                node.client.execute_command("CLUSTER", "MEET", "127.0.0.1", first.port, bus)
        until(lambda: all(self.state(n, "cluster_known_nodes") == "6" for n in self.nodes), "the nodes to meet", 30)
        for node, master in zip(self.nodes[3:], self.masters):
            node.client.execute_command("CLUSTER", "REPLICATE", master.client.execute_command("CLUSTER", "MYID"))
        until(lambda: all(self.state(n, "cluster_state") == "ok" for n in self.nodes), "the cluster to be well", 30)
        until(lambda: all(n.says("replication", "master_link_status", "up") for n in self.nodes[3:]),
              "the replicas to be in step", 30)
        return self

    @staticmethod
    def state(node: Node, key: str) -> str:
        lines = node.client.execute_command("CLUSTER", "INFO").decode().split()
        return dict(line.split(":", 1) for line in lines).get(key, "")

    def owner(self, key: str) -> Node:
        """The node that is the master of the key's slot now, as a living node says."""
        asked = next(n for n in self.nodes if n.process.running())
        slot = int(asked.client.execute_command("CLUSTER", "KEYSLOT", key))
        for node in self.nodes:
            if node.process.running() and node.says("replication", "role", "master"):
                for words in myself(node)[8:]:
                    low, _, high = words.partition("-")
                    if low.isdigit() and int(low) <= slot <= int(high or low):
                        return node
        raise AssertionError(f"nobody owns slot {slot}")


def myself(node: Node) -> list[str]:
    """The node's own line of CLUSTER NODES."""
    lines = node.client.execute_command("CLUSTER", "NODES").decode().splitlines()
    return next(line.split() for line in lines if "myself" in line)
