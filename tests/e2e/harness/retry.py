"""A client that asks again, as a good one does."""

import http.client
import threading
import time

from harness.client import Client


def begin(clients: list[Client], message: str, stop: threading.Event) -> tuple[str, str]:
    """Starts a turn as a good client does: repeats with the same keys at the next gateway until it is accepted."""
    session = turn = ""
    tries = 0
    while not turn and not stop.is_set():
        client = clients[tries % len(clients)]
        tries += 1
        try:
            if not session:
                made = client.post("/session", {}, headers={"Idempotency-Key": "s " + message})
                session = made.json()["session_id"] if made.status == 201 else ""
            if session:
                answer = client.post(client.turn_path(session), {"message": message},
                                     headers={"Prefer": "respond-async", "Idempotency-Key": "t " + message})
                if answer.status == 202:
                    turn = answer.json()["turn_id"]
                else:
                    assert answer.status == 503, answer
        except (OSError, ValueError, http.client.HTTPException):
            pass
        if not turn:
            time.sleep(0.05)
        assert tries < 400, "no gateway takes the turn"
    return session, turn
