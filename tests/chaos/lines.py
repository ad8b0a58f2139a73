"""Lines between processes that a test can hold or cut: TCP proxies of its own.

A Line goes silent as a cable that was pulled does: nothing is closed, nothing is answered. A StoreLine knows
Redis's protocol well enough to see a seal (turn/seal.lua) go by, and to hold it, or its answer."""

import hashlib
import re
import socket
import threading
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2] / "proto" / "store" / "scripts"
CHUNK = 1 << 16


def script_end(name: str) -> bytes:
    """What a script's source ends with, whatever proto/store/scripts/embed.cmake puts before."""
    text = (SCRIPTS / f"{name}.lua").read_bytes()
    return text[text.index(b"\n--") + 1:]


class Connection:
    """One client's connection, and ours to the server behind. Two threads pump."""

    def __init__(self, line: "Line", client: socket.socket, server: socket.socket) -> None:
        self.line, self.client, self.server = line, client, server
        self.closed = threading.Event()
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pump in (self.pump_up, self.pump_down):
            threading.Thread(target=pump, daemon=True).start()

    def close(self) -> None:
        self.closed.set()
        for one in (self.client, self.server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.line.drop(self)

    def pass_on(self, data: bytes, to: socket.socket) -> None:
        """Waits while the line is cut: what was under way then arrives late, as after a retransmission."""
        while not self.line.whole.wait(0.2):
            if self.closed.is_set():
                return
        to.sendall(data)

    def pump_up(self) -> None:
        try:
            while data := self.client.recv(CHUNK):
                self.up(data)
        except OSError:
            pass
        self.left()
        self.close()

    def pump_down(self) -> None:
        try:
            while data := self.server.recv(CHUNK):
                self.down(data)
        except OSError:
            pass
        self.close()

    def up(self, data: bytes) -> None:
        self.pass_on(data, self.server)

    def down(self, data: bytes) -> None:
        self.pass_on(data, self.client)

    def left(self) -> None:
        """The client is gone; the server is still there."""


class Line:
    """A port of its own, at host, that leads to one on loopback."""

    connection: type[Connection] = Connection

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self.target = target
        self.whole = threading.Event()
        self.whole.set()
        self.lock = threading.Lock()
        self.connections: set[Connection] = set()
        self.listener = socket.create_server((host, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
                server.settimeout(None)
            except OSError:
                client.close()  # refused, as behind us
                continue
            with self.lock:
                self.connections.add(self.connection(self, client, server))

    def drop(self, connection: Connection) -> None:
        with self.lock:
            self.connections.discard(connection)

    def cut(self) -> None:
        self.whole.clear()

    def heal(self) -> None:
        self.whole.set()

    def sever(self) -> None:
        """Closes every connection, as both ends' kernels do when a process dies."""
        with self.lock:
            connections = list(self.connections)
        for connection in connections:
            connection.close()

    def stop(self) -> None:
        self.listener.close()
        self.heal()
        self.sever()


class StoreConnection(Connection):
    line: "StoreLine"

    def __init__(self, *args: object) -> None:
        self.rest = b""
        self.held: list[bytes] = []  # commands that wait, from the first held seal on
        self.answers = threading.Event()
        self.answers.set()
        super().__init__(*args)  # type: ignore[arg-type]

    def up(self, data: bytes) -> None:
        self.rest += data
        while (end := command_end(self.rest)) > 0:
            command, self.rest = self.rest[:end], self.rest[end:]
            self.command(command)

    def command(self, command: bytes) -> None:
        line = self.line
        session = sealed_session(command)
        with line.lock:
            how = line.holding.get(session or "")
            if how == "command" or self.held:
                self.held.append(command)
            elif how == "answer":
                self.answers.clear()
            if how:
                line.seen.add(session or "")
            pass_it = not self.held
        if pass_it:
            self.pass_on(command, self.server)

    def down(self, data: bytes) -> None:
        while not self.answers.wait(0.2):
            if self.closed.is_set():
                return
        self.pass_on(data, self.client)

    def left(self) -> None:
        """What its client had written before it died arrives all the same, and late: the network had it."""
        while self.held and not self.closed.is_set() and not self.line.released.wait(0.05):
            pass

    def release(self) -> None:
        with self.line.lock:
            held, self.held = self.held, []
            for command in held:
                try:
                    self.server.sendall(command)
                except OSError:
                    break
        self.answers.set()


class StoreLine(Line):
    connection = StoreConnection

    def __init__(self, target: int, host: str = "127.0.0.1") -> None:
        self.holding: dict[str, str] = {}
        self.seen: set[str] = set()
        self.released = threading.Event()
        super().__init__(target, host)

    def hold(self, sessions: list[str], how: str) -> None:
        """From each of these sessions' next seal on: "command": it does not reach Redis; "answer": Redis's
        answer does not come back. Both hold all that is behind on the same connection."""
        with self.lock:
            self.released.clear()
            self.seen.clear()
            self.holding = dict.fromkeys(sessions, how)

    def release(self) -> None:
        with self.lock:
            self.holding = {}
            connections = list(self.connections)
        for connection in connections:
            assert isinstance(connection, StoreConnection)
            connection.release()
        self.released.set()

    def sever_held(self) -> None:
        """Those whose answers are held: what Redis had not said when it died is never said."""
        with self.lock:
            held = [c for c in self.connections if isinstance(c, StoreConnection) and not c.answers.is_set()]
        for connection in held:
            connection.close()

    def stop(self) -> None:
        self.release()
        super().stop()


def command_end(data: bytes) -> int:
    """The length of the first whole command (an array of bulk strings); 0: it is not whole yet. A replica
    that loads sends bare newlines."""
    if data[:1] == b"\n":
        return 1
    at = data.find(b"\r\n")
    if at < 0:
        return 0
    count, at = int(data[1:at]), at + 2
    for _ in range(count):
        end = data.find(b"\r\n", at)
        if end < 0:
            return 0
        at = end + 2 + int(data[at + 1:end]) + 2
        if at > len(data):
            return 0
    return at


def words_of(command: bytes, most: int) -> list[bytes]:
    words, at = [], command.index(b"\r\n") + 2
    while len(words) < most and at < len(command):
        end = command.index(b"\r\n", at)
        length = int(command[at + 1:end])
        words.append(command[end + 2:end + 2 + length])
        at = end + 2 + length + 2
    return words


SEAL_END = script_end("turn/seal")
seal_hashes: set[bytes] = set()  # learned from the source, which goes first on every connection


def sealed_session(command: bytes) -> str | None:
    """The session that this command seals a step of."""
    if b"EVAL" not in command[:20]:
        return None
    words = words_of(command, 4)
    if words[0] == b"EVAL" and words[1].endswith(SEAL_END):
        seal_hashes.add(hashlib.sha1(words[1]).hexdigest().encode())
    elif words[1] not in seal_hashes:
        return None
    match = re.search(rb"\{([^}]+)\}", words[3])
    return match[1].decode() if match else None
