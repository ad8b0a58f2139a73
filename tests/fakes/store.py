"""A relay in front of a real Redis, which spoils one answer of a script: as a Redis of another version, or a broken one, might
answer."""

import socket
import threading
from collections.abc import Callable


def end_of(data: bytes, at: int = 0) -> int:
    """Where the value of RESP that begins there ends; -1: it is not all there."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return -1
    kind, end = data[at:at + 1], line + 2
    if kind in b"+-:":
        return end
    count = int(data[at + 1:line])
    if kind == b"$":
        end += count + 2 if count >= 0 else 0
        return end if end <= len(data) else -1
    for _ in range(count):
        if (end := end_of(data, end)) < 0:
            return -1
    return end


def items_of(answer: bytes) -> list[bytes]:
    at, found = answer.index(b"\r\n") + 2, []
    while at < len(answer):
        end = end_of(answer, at)
        found.append(answer[at:end])
        at = end
    return found


def array(items: list[bytes]) -> bytes:
    return b"*%d\r\n" % len(items) + b"".join(items)


def filled(value: bytes) -> Callable[[bytes], bytes]:
    """All that stands behind its word is this."""
    return lambda answer: array([items_of(answer)[0], *[value] * (len(items_of(answer)) - 1)])


SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "nothing but its word": lambda answer: array(items_of(answer)[:1]),
    "without its last": lambda answer: array(items_of(answer)[:-1]),
    "nulls": filled(b"$-1\r\n"), "texts": filled(b"$3\r\nx\xffy\r\n"), "the least number": filled(b":-9223372036854775808\r\n"),
    "lists": filled(b"*3\r\n$1\r\na\r\n*1\r\n:1\r\n$-1\r\n"),
}


class Spoiler:
    """spoil(n, shape): the n-th answer of a script, counted from 0, that says ok from then on."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.server = socket.create_server(("127.0.0.1", 0))
        self.lock = threading.Lock()
        self.left, self.done, self.shape = -1, True, SHAPES["nulls"]
        threading.Thread(target=self.serve, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server.getsockname()[1]

    def spoil(self, number: int, shape: Callable[[bytes], bytes]) -> None:
        with self.lock:
            self.left, self.done, self.shape = number, False, shape

    def spoilt(self) -> bool:
        """Was there one? None is spoilt from now on."""
        with self.lock:
            done, self.done = self.done, True
            return done

    def serve(self) -> None:
        while True:
            ours = self.server.accept()[0]
            theirs = socket.create_connection(("127.0.0.1", self.target))
            for one in (ours, theirs):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.pass_on, args=(ours, theirs, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(theirs, ours, True), daemon=True).start()

    def pass_on(self, source: socket.socket, target: socket.socket, answers: bool) -> None:
        data = b""
        try:
            while piece := source.recv(1 << 16):
                data += piece
                whole = 0 if answers else len(data)
                out = data[:whole]
                while answers and (end := end_of(data, whole)) >= 0:
                    out += self.changed(data[whole:end])
                    whole = end
                data = data[whole:]
                target.sendall(out)
        except OSError:
            pass
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def changed(self, answer: bytes) -> bytes:
        if not answer.startswith(b"*") or items_of(answer)[:1] != [b"$2\r\nok\r\n"]:
            return answer
        with self.lock:
            self.left -= self.left >= 0
            if self.left >= 0 or self.done:
                return answer
            self.done = True
            return self.shape(answer)
