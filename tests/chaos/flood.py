"""One person who takes what can be had, as a process of its own at the lowest priority: flood.py KIND SECONDS COOKIES URL…
COOKIES and what a kind needs are JSON. It ends by itself, and prints how many requests got which status."""

import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness.alerts import PATH, TOKEN, firing, notification  # noqa: E402
from harness.client import DATASOURCE, Client  # noqa: E402

THREADS = 8
SOCKETS = 150  # of one person, at once
PAUSE = 0.002  # the flood is what the gateway has to bear, not what a core of the test's can do

ASK = {"role": "user", "content": "how is the flood"}
DOORS = [("/v1/chat/completions", {"model": "persai", "messages": [ASK]}),
         ("/agui", {"runId": "r", "messages": [{"id": "1", **ASK}]}),
         ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                   "params": {"name": "list_label_values", "arguments": {"label": "room"}}})]


class Flood:
    def __init__(self, seconds: float, cookies: dict[str, str], urls: list[str], more: dict) -> None:
        self.end = time.monotonic() + seconds
        self.cookies, self.urls, self.more = cookies, urls, more
        self.counts: Counter = Counter()

    def client(self, n: int) -> Client:
        return Client(self.urls[n % len(self.urls)], self.cookies)

    def repeat(self, n: int, method: str, path: str, body: object = None) -> None:
        client = self.client(n)
        while time.monotonic() < self.end:
            try:
                self.counts[client.request(method, path, body, seconds=20).status] += 1
            except OSError as error:
                self.counts[type(error).__name__] += 1
            time.sleep(PAUSE)

    # ---- kinds: what thread n does ----

    def sessions(self, n: int) -> None:
        self.repeat(n, "POST", "/session", {"title": "x" * 100})

    def settings(self, n: int) -> None:
        session = self.client(n).post("/session", {}).json().get("session_id", "")
        self.repeat(n, "PATCH", f"/session/{session}", {"settings": {"note": "y" * 60000}})

    def forks(self, n: int) -> None:
        self.repeat(n, "POST", f"/session/{self.more['session']}/fork", {"message_id": self.more["message"]})

    def searches(self, n: int) -> None:
        self.repeat(n, "GET", f"/sessions?q=nothing-has-this-{n}")

    def reads(self, n: int) -> None:
        self.repeat(n, "GET", f"/session/{self.more['session']}")

    def turns(self, n: int) -> None:
        """Each asks a datasource that hangs, many times over."""
        session = self.client(n).post("/session", {}).json().get("session_id", "")
        path = self.client(n).turn_path(session, "/proxy/globaldatasources/hangs")
        client = self.client(n)
        while time.monotonic() < self.end:
            answer = client.post(path, {"message": "flood of tools"}, headers={"Prefer": "respond-async"})
            self.counts[answer.status] += 1
            time.sleep(0.05)

    def pins(self, n: int) -> None:
        message = f"/session/{self.more['session']}/message/{self.more['message']}"
        self.repeat(n, "PATCH", message, {"pinned": n % 2 == 0, "excluded": n % 3 == 0})

    def refused(self, n: int) -> None:
        """Questions in a conversation whose turn does not end."""
        client = self.client(n)
        session = client.post("/session", {}).json().get("session_id", "")
        path = client.turn_path(session, "/proxy/globaldatasources/hangs")
        client.post(path, {"message": "flood of tools"}, headers={"Prefer": "respond-async"})
        self.repeat(n, "POST", path, {"message": "another " + "word " * 100})

    def exports(self, n: int) -> None:
        self.repeat(n, "GET", f"/session/{self.more['session']}/export?format={('md', 'json')[n % 2]}")

    def feedback(self, n: int) -> None:
        message = f"/session/{self.more['session']}/message/{self.more['message']}/feedback"
        self.repeat(n, "PUT", message, {"sentiment": (1, -1)[n % 2], "comment": "z" * 4000})

    def titles(self, n: int) -> None:
        self.repeat(n, "PATCH", f"/session/{self.more['session']}", {"title": f"{n} " + "t" * 400})

    def shares(self, n: int) -> None:
        """Half of them read what the others share and take back."""
        share = self.client(n).post(f"/session/{self.more['session']}/share").json().get("share_id", "")
        if n % 2:
            self.repeat(n, "GET", f"/shared/{share}")
        else:
            self.repeat(n, ("POST", "DELETE")[n % 4 // 2], f"/session/{self.more['session']}/share")

    def reports(self, n: int) -> None:
        self.repeat(n, "GET", "/reports")

    def doors(self, n: int) -> None:
        """Each is a conversation, a turn and an answer."""
        self.knock(n, self.client(n))

    def keys(self, n: int) -> None:
        """A program's key at its doors, at the API, and many that are none."""
        client = Client(self.urls[n % len(self.urls)], bearer=self.more["key"])
        if n < 4:
            self.knock(n, client)
        elif n < 6:
            self.each(client, lambda serial: client.post("/session", {"title": f"{serial}"}))
        else:
            def wrong(serial: int) -> object:
                client.bearer = f"pk-{n}{serial}".ljust(46, "x")
                return client.get("/v1/models")

            self.each(client, wrong)

    def webhook(self, n: int) -> None:
        """Alerts that nobody knew, a few in each notification; the same again; a token that is none."""
        client = Client(self.urls[n % len(self.urls)], bearer=TOKEN + "x" * (n == 7))
        names = (lambda serial, k: f"Flood{n}-{serial}-{k}") if n < 5 else (lambda serial, k: f"Flood-{k}")
        self.each(client, lambda serial: client.post(PATH, notification(
            *(firing(names(serial, k), note="l" * 2000) for k in range(5)))))

    def histories(self, n: int) -> None:
        """All of a long conversation in one answer, as doors have it."""
        session = self.more["session"]
        path, body = [("/agui", {"threadId": session, "runId": "r", "messages": []}),
                      ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "resources/read",
                                "params": {"uri": f"persai://conversation/{session}"}})][n % 2]
        self.repeat(n, "POST", path, body)

    def each(self, client: Client, one: Callable[[int], object]) -> None:
        serial = 0
        while time.monotonic() < self.end:
            serial += 1
            try:
                self.counts[one(serial).status] += 1  # type: ignore[attr-defined]
            except OSError as error:
                self.counts[type(error).__name__] += 1
            time.sleep(PAUSE)

    def knock(self, n: int, client: Client) -> None:
        path, body = DOORS[n % len(DOORS)]
        while time.monotonic() < self.end:
            connection, response = client.send("POST", path, {**body, "threadId": f"{n}"} if path == "/agui" else body,
                                               headers={"X-PersAI-Datasource": DATASOURCE})
            response.read()
            connection.close()
            self.counts[f"{path} {response.status}"] += 1
            time.sleep(PAUSE)

    def tokens(self, n: int) -> None:
        """Wrong ones: each is a question to Perses."""
        client = self.client(n)
        serial = 0
        while time.monotonic() < self.end:
            serial += 1
            client.cookies = {"jwtPayload": f"e30.wrong{n}", "jwtSignature": f"{serial}"}
            self.counts[client.get("/sessions").status] += 1
            time.sleep(PAUSE)

    def hold(self, n: int, head: str, drip: bytes) -> None:
        """Sockets that are kept open, with a byte now and then."""
        kept: list[socket.socket] = []
        url = urlsplit(self.urls[n % len(self.urls)])
        cookie = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        while time.monotonic() < self.end:
            if len(kept) < SOCKETS // THREADS:
                try:
                    one = socket.create_connection((url.hostname, url.port), 5)
                    one.sendall(f"{head}\r\nHost: {url.netloc}\r\nCookie: {cookie}\r\n\r\n".encode())
                    kept.append(one)
                    self.counts["opened"] += 1
                except OSError as error:
                    self.counts[type(error).__name__] += 1
            for one in list(kept):
                try:
                    one.send(drip)
                except OSError:
                    kept.remove(one)
                    self.counts["closed"] += 1
            time.sleep(0.05)
        for one in kept:
            one.close()

    def bodies(self, n: int) -> None:
        self.hold(n, "POST /session HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 200000", b"x")

    def followers(self, n: int) -> None:
        """Of a turn that is over, from where it never came to."""
        path = f"/session/{self.more['session']}/turn/{self.more['turn']}/events"
        self.hold(n, f"GET {path} HTTP/1.1\r\nLast-Event-ID: 9-999999", b"")

    def run(self, kind: str) -> None:
        threads = [threading.Thread(target=getattr(self, kind), args=(n,), daemon=True) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.1, self.end - time.monotonic() + 25))


KINDS = ["sessions", "settings", "forks", "pins", "feedback", "titles", "shares", "reports", "searches", "reads",
         "exports", "histories", "turns", "refused", "doors", "keys", "webhook", "tokens", "bodies", "followers"]

if __name__ == "__main__":
    os.nice(19)
    kind, seconds, cookies, more = sys.argv[1:5]
    flood = Flood(float(seconds), json.loads(cookies), sys.argv[5:], json.loads(more))
    flood.run(kind)
    print(json.dumps({str(k): v for k, v in flood.counts.items()}))
