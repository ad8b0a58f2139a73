"""Questions without end while something happens to the stack: each turn must end whole."""

import threading
import time
from http.client import HTTPException

from harness.client import DATASOURCE, Client
from harness.sse import Log


class Load:
    """with Load(client) as load: …; then load.check(). patience: how long, in seconds, a turn may take or not be
    accepted. reload: what was seen and is not final may be lost with a master, and is read anew."""

    def __init__(self, client: Client, at_once: int = 6, patience: float = 90, reload: bool = False) -> None:
        self.client, self.patience, self.reload = client, patience, reload
        self.stopping = threading.Event()
        self.logs: list[Log] = []
        self.faults: list[str] = []
        self.threads = [threading.Thread(target=self.asker, args=(n,)) for n in range(at_once)]

    def patient(self, call: object) -> object:
        """A client's retries: what is not accepted (5xx, a broken line) is asked again; it was idempotent."""
        end = time.monotonic() + self.patience
        while True:
            try:
                return call()  # type: ignore[operator]
            except (OSError, HTTPException):
                pass
            except AssertionError as e:
                if not any(f"{code}" in str(e) for code in (429, 500, 502, 503, 504)):
                    raise
            assert time.monotonic() < end, f"not accepted for {self.patience:g} s"
            time.sleep(0.2)

    def ask(self, n: int, count: int) -> None:
        key = f"{id(self)}-{n}-{count}"
        session = self.patient(lambda: self.post("/session", {}, key, 201)["session_id"])
        path = self.client.turn_path(session, DATASOURCE)  # type: ignore[arg-type]
        body = {"message": "Which targets are up, and how busy is this machine's CPU?"}
        turn = self.patient(lambda: self.post(path, body, key, 202)["turn_id"])
        log = self.patient(lambda: self.client.follow(
            session, turn, seconds=self.patience, reload=self.reload))  # type: ignore[arg-type]
        assert log[-1].type == "turn_complete", log[-1]  # type: ignore[index]
        answer = log.answer()  # type: ignore[attr-defined]
        kept = self.patient(lambda: self.client.messages(session))[-1]["content"]  # type: ignore[arg-type, index]
        assert answer == kept, "the conversation differs from what was streamed"
        self.logs.append(log)  # type: ignore[arg-type]

    def post(self, path: str, body: dict, key: str, wanted: int) -> dict:
        answer = self.client.post(path, body, headers={"Idempotency-Key": key, "Prefer": "respond-async"})
        assert answer.status in (wanted, 200), (answer.status, answer.body)
        return answer.json()

    def asker(self, n: int) -> None:
        count = 0
        while not self.stopping.is_set():
            try:
                self.ask(n, count)
            except Exception as e:  # a thread's failure is the test's
                self.faults.append(f"{type(e).__name__}: {e}"[:800])
                return
            count += 1

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(2 * self.patience)

    def wait_more(self, turns: int, seconds: float = 120) -> None:
        """Until this number of further turns have ended."""
        goal, end = len(self.logs) + turns, time.monotonic() + seconds
        while len(self.logs) < goal:
            assert not self.faults, self.faults
            assert time.monotonic() < end, f"{len(self.logs)} turns in {seconds} s instead of {goal}"
            time.sleep(0.1)

    def check(self, least: int) -> None:
        assert not self.faults, self.faults
        assert len(self.logs) >= least, len(self.logs)
