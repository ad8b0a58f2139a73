"""Hostile streams over each of the four wire formats: each ends in a right answer or in a clear error; nothing hangs."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.hostile import APIS, BROKEN, HOPELESS, SAME, SILENT, STATUS, Hostile
from fakes.perses import Perses
from fakes.providers import meaning
from harness.sse import Log
from harness.stack import MODEL_KEY, Stack

pytestmark = pytest.mark.asan


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    with Hostile() as fake:
        yield fake
        assert not fake.errors, fake.errors


@pytest.fixture
def made(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    with Perses() as perses:
        yield make_stack(perses.url, perses.sign_in)


def everything(stack: Stack, hostile: Hostile, cases: object, **env: str) -> Iterator[tuple[str, str, Log, list[dict]]]:
    """Each case in each format, each in a conversation of its own: API, case, events and messages."""
    path = stack.folder / "models.json"
    path.write_text(json.dumps(hostile.rows(cases)), encoding="utf-8")
    stack.start(worker_env={"PERSAI_MODELS": str(path), "TEST_KEY": MODEL_KEY, "PERSAI_DEFAULT_MODEL": "", "OPENAI_API_KEY": "",
                            "OPENAI_BASE_URL": "", "PERSAI_MODEL_BACKOFF": "1ms", "PERSAI_MODEL_TRIES": "2", **env})
    alice = stack.client()

    def ask(api: str, case: str) -> tuple[str, str, Log, list[dict]]:
        session = alice.session(model=f"{api}-{case}")
        log = alice.follow(session, alice.start(session, "how is the CPU?"))
        return api, case, log, alice.messages(session)

    with ThreadPoolExecutor(8) as threads:
        asked = [threads.submit(ask, api, case) for api in APIS for case in cases]  # type: ignore[attr-defined]
        for done in asked:
            yield done.result()
    assert stack.worker.process.memory_bytes() < 400 << 20


def right(api: str, case: str, log: Log) -> dict:
    """The final event of what is whole and right."""
    want, final = meaning(api, "text"), log.final()
    assert final["event_type"] == "turn_complete", (api, case, final)
    assert final["turn"]["output_message"]["content"] == want["text"] == log.text(), (api, case)
    return final


def test_what_means_the_same_is_read_the_same(made: Stack, hostile: Hostile) -> None:
    for api, case, log, _ in everything(made, hostile, SAME):
        want, usage = meaning(api, "text"), right(api, case, log)["turn"]["usage"]
        assert usage == {"input_tokens": want["input"], "output_tokens": want["output"],
                         "cached_input_tokens": want["cached"]}, (api, case)
        assert hostile.asked[api, case] == 1, (api, case)


def test_what_breaks_off_is_run_again(made: Stack, hostile: Hostile) -> None:
    cases = (*BROKEN, *STATUS)
    for api, case, log, _ in everything(made, hostile, cases):
        right(api, case, log)
        assert hostile.asked[api, case] == 2, (api, case)


def test_what_never_goes_well_is_a_clear_error(made: Stack, hostile: Hostile) -> None:
    for api, case, log, _ in everything(made, hostile, HOPELESS):
        final = log.final()
        assert final["event_type"] == "error" and final["code"] == "model_broken", (api, case, final)
        assert final["message"] and "html" not in final["message"], (api, case, final)
        assert hostile.asked[api, case] <= 6, (api, case)


def test_silence_ends(made: Stack, hostile: Hostile) -> None:
    for api, case, log, _ in everything(made, hostile, SILENT, PERSAI_MODEL_IDLE="2s", PERSAI_MODEL_TOTAL="4s"):
        if case in ("hangs", "drips"):
            right(api, case, log)
        else:
            assert log.final()["event_type"] == "error" and log.final()["code"] == "model_timeout", (api, log.final())


def test_arguments_that_are_none_go_back_to_the_model_a_few_times(made: Stack, hostile: Hostile) -> None:
    for api, case, log, messages in everything(made, hostile, ("bad_call", "bad_calls"), PERSAI_INVALID_CALLS="3"):
        results = [r for m in messages for r in m.get("tool_responses") or []]
        assert results and all("arguments" in r["content"] for r in results), (api, case, messages)
        if case == "bad_call":
            assert log.final()["event_type"] == "turn_complete", (api, log.final())
            assert log.final()["turn"]["output_message"]["content"] == meaning(api, "text")["text"], api
            assert hostile.asked[api, case] == 2 and len(results) == 1, api
        else:
            assert log.final()["event_type"] == "error" and log.final()["code"] == "model_broken", (api, log.final())
            assert hostile.asked[api, case] == 3, api
