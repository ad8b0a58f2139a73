"""Who holds a turn, as Redis has it."""

from harness.stack import Stack

LEASE = {"PERSAI_LEASE": "1s"}


def state_in_redis(stack: Stack, session: str, turn: str) -> tuple[str, int]:
    """Its state, and for how many ms it is still held; without a request that would bring a token."""
    client = stack.redis.client
    state, lease = client.hmget(f"p:t:{{{session}}}:{turn}", "state", "lease")
    seconds, micros = client.time()
    return state.decode(), int(lease) - int(seconds) * 1000 - micros // 1000


def unheld(stack: Stack, session: str, turn: str) -> bool:
    state, left = state_in_redis(stack, session, turn)
    return state == "running" and left <= 0
