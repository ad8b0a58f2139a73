"""Fallbacks, budgets, limits of keys and of people, on real processes and Redis."""

import json
import threading
import time
from pathlib import Path

import pytest

from fakes.model import Attempts, Call, Finish, Gate, Hang, Model, Raw, Status
from harness.approvals import Dashboard, Waiting
from harness.client import Client, Response
from harness.services import Perses
from harness.stack import Stack, metric, metrics
from harness.wait import until
from harness.models_file import models, usual


def test_what_fails_before_its_first_token_goes_to_the_next_model(bare: Stack, tmp_path: Path) -> None:
    with Model() as other:
        dead = {"name": "dead", "model": "x", "base_url": "http://127.0.0.1:1/v1", "fallbacks": ["refuses", "other"]}
        refuses = {"name": "refuses", "model": "x", "base_url": bare.model.base_url}
        bare.start(worker_env=models(tmp_path, dead, refuses, {"name": "other", "model": "y", "base_url": other.base_url}))
        bare.model.when("which", [Status(401)])
        other.when("which", [Call("list_metrics", {})], ["The other ", "one."])
        alice = bare.client()
        session = alice.session()
        log = alice.ask(session, "which of you?")
        assert log.answer() == "The other one."
        assert len(other.chats("which")) == 2  # it stays with the one that answered
        assert len(bare.model.chats("which")) == 1


def test_a_silent_model_is_left_for_the_next(bare: Stack, tmp_path: Path) -> None:
    with Model() as other:
        bare.start(worker_env={"PERSAI_MODEL_IDLE": "1s", **models(
            tmp_path, usual(bare, fallbacks=["other"]), usual(bare, name="other", base_url=other.base_url))})
        bare.model.when("silent", [Hang()])
        alice = bare.client()
        assert alice.ask(alice.session(), "silent?").answer() == "This is the default answer."
        assert len(bare.model.chats("silent")) == 1 and len(other.chats("silent")) == 1


@pytest.mark.parametrize("script", [
    [Finish("content_filter")],
    [Finish("stop")],
    [Raw(b'data: {"error":{"message":"Invalid content","type":"invalid_request_error"}}\n\n')],
    [Status(200, b'{"error":{"message":"Your input is not valid","code":400}}')],
    [Status(500, b'{"error":{"code":500,"message":"the request exceeds the available context size","type":"server_error"}}')],
], ids=["filtered", "empty", "refused in the stream", "refused with 200", "too long with 500"])
def test_who_is_refused_takes_the_model_from_nobody(bare: Stack, tmp_path: Path, script: list) -> None:
    """A provider that answers one person so is there for all others."""
    with Model() as other:
        bare.start(worker_env={"PERSAI_MODEL_BACKOFF": "1ms", **models(
            tmp_path, usual(bare, fallbacks=["other"]), usual(bare, name="other", base_url=other.base_url))})
        bare.model.when("spoilt", script)
        alice, bob = bare.client(), bare.client("bob")
        for _ in range(6):
            alice.ask(alice.session(), "spoilt")
        assert len(bare.model.chats("spoilt")) >= 6, "the model was left alone"
        bob.ask(bob.session(), "hello from bob")
        assert len(bare.model.chats("hello from bob")) == 1 and not other.chats("hello from bob")


def test_whose_questions_break_a_model_has_it_taken_alone(bare: Stack, tmp_path: Path) -> None:
    """Who asks what makes a provider fail is kept from it for a while, and nobody else."""
    with Model() as other:
        bare.start(worker_env={"PERSAI_MODEL_BACKOFF": "1ms", **models(
            tmp_path, usual(bare, fallbacks=["other"]), usual(bare, name="other", base_url=other.base_url))})
        bare.model.when("break it", [Status(500)])
        alice, bob = bare.client(), bare.client("bob")
        for _ in range(6):
            alice.ask(alice.session(), "break it")
        before = len(bare.model.chats("break it"))
        alice.ask(alice.session(), "break it")
        assert len(bare.model.chats("break it")) == before, "it was not left alone"
        bob.ask(bob.session(), "hello from bob")
        assert len(bare.model.chats("hello from bob")) == 1 and not other.chats("hello from bob")


def test_who_is_refused_for_ever_keeps_the_key_from_nobody(bare: Stack) -> None:
    """A question that a provider always answers with 429 waits by itself: others' go meanwhile."""
    bare.start(worker_env={"PERSAI_MODEL_BACKOFF": "50ms"})
    bare.model.when("always 429", [Status(429, b'{"error":{"message":"Rate limit reached"}}', headers={"Retry-After": "1"})])
    alice, bob = bare.client(), bare.client("bob")
    session = alice.session()
    turn = alice.start(session, "always 429")
    until(lambda: len(bare.model.chats("always 429")) >= 2, "it to be refused", 20)
    for n in range(4):
        assert bob.ask(bob.session(), f"hello {n} from bob").answer()
    assert alice.get(f"/session/{session}").json()["turn"], "it had ended: nothing was shown"
    assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202


def test_what_the_deployment_used_today_is_counted_by_every_worker(bare: Stack) -> None:
    stack = bare.start(workers=2, worker_env={"PERSAI_DEPLOYMENT_TOKENS": "100000"})
    alice = stack.client()
    assert alice.ask(alice.session(), "hello").answer()
    name = "persai_worker_budget_used_tokens"
    for worker in stack.workers:  # what it says was read after the last time
        until(lambda url=worker.url: metrics(url)[name] > 0, "the tokens to be counted", 20)
        assert metrics(worker.url)["persai_worker_budget_tokens"] == 100000


def test_without_a_fallback_the_error_is_the_models_own(bare: Stack, tmp_path: Path) -> None:
    bare.start(worker_env=models(tmp_path, usual(bare, fallbacks=["also"]), usual(bare, name="also")))
    bare.model.when("nobody", [Status(500)])
    alice = bare.client()
    final = alice.ask(alice.session(), "is nobody there?").final()
    assert final["event_type"] == "error" and final["code"] == "model_unavailable", final


def test_two_workers_stay_below_a_keys_requests_a_minute(bare: Stack, tmp_path: Path) -> None:
    # 600 a minute: 60 at once, the rest at nine a second, from both workers together.
    row = usual(bare, limits={"requests_per_minute": 600})
    bare.start(workers=2, worker_env=models(tmp_path, row))
    people = [bare.client("alice" if n % 2 else "bob") for n in range(90)]
    logs: list = [None] * len(people)

    def ask(n: int) -> None:
        logs[n] = people[n].ask(people[n].session(), f"question {n}")

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(log.final()["event_type"] == "turn_complete" for log in logs)
    times = sorted(r.at for r in bare.model.seen(lambda r: r.path.endswith("/chat/completions")))
    assert len(times) == len(people)
    for first, last in zip(times, times[75:]):
        assert last - first > 1, "76 requests within a second are more than 60 at once and nine a second"
    assert all(metric(w.url, "turns_total") > 0 for w in bare.workers), "both workers had a share"


def test_a_refusal_that_one_worker_saw_holds_all_back(bare: Stack, tmp_path: Path) -> None:
    bare.start(workers=2, worker_env=models(tmp_path, usual(bare)))
    seen: list[float] = []
    limit = Status(429, headers={"Retry-After": "2"})

    def once(body: dict) -> list:
        seen.append(time.monotonic())
        return [limit] if len(seen) == 1 else ["ok"]

    bare.model.when("limited", once)
    alice = bare.client()
    first = alice.turn(alice.session(), "limited 1")
    until(lambda: seen, "the model to be asked")
    others = [alice.turn(alice.session(), f"limited {n}") for n in range(2, 8)]
    for turn in [first, *others]:
        assert turn.finish().final()["event_type"] == "turn_complete"
    early = [at for at in seen[1:] if at - seen[0] < 1.5]
    assert len(early) <= 1, "who asked before the refusal came back may have gone; no other"


def test_budgets_of_a_day_and_of_a_turn_end_in_a_clear_error(bare: Stack, tmp_path: Path) -> None:
    env = models(tmp_path, usual(bare, price={"input": 1000, "output": 1000}))
    bare.start(worker_env={**env, "PERSAI_USER_TOKENS": "30", "PERSAI_TURN_COST": "30000"},
               gateway_env={"PERSAI_USER_TOKENS": "30"})
    alice, bob = bare.client(), bare.client("bob")
    session = alice.session()
    used = alice.ask(session, "one").final()["turn"]["usage"]  # at 1,000 micro-dollars a token
    assert used == {"input_tokens": 11, "output_tokens": 4, "cached_input_tokens": 0, "cost": 0.015}
    told = alice.get(f"/session/{session}").json()
    assert told["usage"] == used and told["messages"][-1]["usage"] == used
    assert alice.get("/budget").json()["tokens"] == {"most": 30, "left": 15}
    assert bob.get("/budget").json()["tokens"] == {"most": 30, "left": 30}, "each has their own"
    assert alice.ask(alice.session(), "two").final()["event_type"] == "turn_complete"
    assert alice.get("/budget").json()["tokens"]["left"] == 0
    refused = alice.post(f"/session/{alice.session()}/turn?datasource_path=/proxy/globaldatasources/prometheus",
                         {"message": "three"})
    detail = refused.json()["detail"]
    assert refused.status == 429 and detail["code"] == "budget_exceeded" and "resets at" in detail["response"]
    assert 0 < int(refused.headers["Retry-After"]) <= 86400
    bob_log = bob.ask(bob.session(), "one")
    assert bob_log.final()["event_type"] == "turn_complete"
    # A turn's own budget: 18 tokens at 1,000 micro-dollars each a call.
    bare.model.when("expensive", *[[Call("list_metrics", {})]] * 9)
    final = bob.ask(bob.session(), "expensive").final()
    assert final["event_type"] == "error" and final["code"] == "budget_exceeded", final


def test_what_is_left_of_a_days_budget_is_told_in_dollars(bare: Stack, tmp_path: Path) -> None:
    env = models(tmp_path, usual(bare, price={"input": 1000, "output": 1000}))
    limits = {"PERSAI_USER_COST": "20000"}
    bare.start(worker_env={**env, **limits}, gateway_env=limits)
    alice = bare.client()
    before = alice.get("/budget").json()
    assert set(before) == {"resets_at", "cost"} and before["cost"] == {"most": 0.02, "left": 0.02}
    alice.ask(alice.session(), "one")  # 15,000 micro-dollars
    assert alice.get("/budget").json()["cost"] == {"most": 0.02, "left": 0.005}
    alice.ask(alice.session(), "two")
    after = alice.get("/budget").json()
    assert after["cost"]["left"] == 0, "one step may go over it: nothing is left then, not less"
    assert after["resets_at"].endswith("T00:00:00Z") and after["resets_at"] == before["resets_at"]


def test_the_deployments_budget_is_everybodys(bare: Stack, tmp_path: Path) -> None:
    env = models(tmp_path, usual(bare, price={"input": 1000, "output": 1000}))
    bare.start(worker_env={**env, "PERSAI_DEPLOYMENT_COST": "20000"})
    alice, bob = bare.client(), bare.client("bob")
    for person in (alice, bob):  # 15,000 each: one step may go over it
        assert person.ask(person.session(), "one").final()["event_type"] == "turn_complete"
    asked = len(bare.model.chats())
    for person in (alice, bob):
        final = person.ask(person.session(), "two").final()
        assert final["event_type"] == "error" and final["code"] == "budget_exceeded", final
        assert "This deployment's cost budget" in final["message"] and "resets at 20" in final["message"]
    assert len(bare.model.chats()) == asked


def test_a_turn_ends_at_its_tokens(bare: Stack) -> None:
    bare.start(worker_env={"PERSAI_TURN_TOKENS": "1000"})
    usage = Raw(b'data: {"choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":7}}\n\n')
    bare.model.when("much", [Call("list_metrics", {}), usage, Finish("tool_calls", usage=False)])
    alice = bare.client()
    session = alice.session()
    final = alice.ask(session, "much").final()
    assert final["event_type"] == "error" and final["code"] == "token_limit", final
    assert len(bare.model.chats("much")) == 1
    assert alice.get(f"/session/{session}").json()["usage"]["input_tokens"] == 1000, "what was used is told all the same"


def test_turns_at_once_of_one_person_are_limited(bare: Stack) -> None:
    bare.start(gateway_env={"PERSAI_USER_TURNS": "2"})
    gate = Gate()
    bare.model.when("slow", ["a ", gate, "b"])
    alice, bob = bare.client(), bare.client("bob")
    running = [alice.turn(alice.session(), f"slow {n}") for n in range(2)]
    gate.wait()
    session = alice.session()
    path = f"/session/{session}/turn?datasource_path=/proxy/globaldatasources/prometheus"
    refused = alice.post(path, {"message": "third"})
    assert refused.status == 429 and refused.json()["detail"]["code"] == "rate_limited"
    assert bob.ask(bob.session(), "hello").answer()
    gate.open()
    for turn in running:
        turn.finish()
    until(lambda: alice.post(path, {"message": "third"}, headers={"Prefer": "respond-async"}).status == 202,
          "a place to be free again")


def test_turns_of_a_minute_of_one_person_are_limited(bare: Stack) -> None:
    bare.start(gateway_env={"PERSAI_USER_TURNS_PER_MINUTE": "2"})
    alice, bob = bare.client(), bare.client("bob")
    session = alice.session()
    for _ in range(2):
        assert alice.ask(session, "hello").answer()
    refused = alice.post(alice.turn_path(session), {"message": "hello"})
    assert refused.status == 429 and refused.code == "rate_limited"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert bob.ask(bob.session(), "hello").answer()


def test_a_place_is_kept_as_long_as_its_turn_is_held(bare: Stack) -> None:
    lease = {"PERSAI_LEASE": "1s"}
    bare.start(gateway_env={**lease, "PERSAI_USER_TURNS": "1"}, worker_env=lease)
    gate = Gate()
    bare.model.when("slow", Attempts(["a ", gate], ["done"]))
    alice = bare.client()
    session, other = alice.session(), alice.session()
    turn = alice.start(session, "slow")
    gate.wait()

    def begins() -> bool:
        return alice.post(alice.turn_path(other), {"message": "hello"}, headers={"Prefer": "respond-async"}).status == 202

    time.sleep(3)
    assert not begins(), "the turn runs for longer than a lease"
    for process in (bare.gateway.process, bare.worker.process, bare.redis.process):
        process.kill()
    bare.redis.start()
    bare.gateway.start()
    bare.worker.start()
    bare.gateway.wait_ready()
    until(begins, "the place of what nobody holds to be free")
    assert alice.events(session, turn).finish().answer() == "done"


def test_one_persons_many_turns_delay_another_by_one(bare: Stack) -> None:
    bare.start(worker_env={"PERSAI_CAPACITY": "1"})
    gate = Gate()
    bare.model.when("first", [gate, "done"])
    order: list[str] = []

    def note(body: dict) -> list:
        order.append(body["messages"][-1]["content"].split()[0])
        return ["ok"]

    bare.model.when("queued", note)
    alice, bob = bare.client(), bare.client("bob")
    turns = [alice.turn(alice.session(), "first")]
    gate.wait()
    for n in range(8):
        turns.append(alice.turn(alice.session(), f"alice queued {n}"))
    turns.append(bob.turn(bob.session(), "bob queued"))
    gate.open()
    for turn in turns:
        turn.finish()
    assert order.index("bob") <= 1, order


def test_finish_reason_of_a_filter_without_text_is_an_error(stack: Stack) -> None:
    stack.model.when("filtered", [Finish("content_filter")])
    alice = stack.client()
    final = alice.ask(alice.session(), "filtered").final()
    assert final["event_type"] == "error" and final["code"] == "model_refused", final


def test_a_model_without_tool_calling_is_driven_by_json(bare: Stack, tmp_path: Path) -> None:
    bare.start(worker_env=models(tmp_path, usual(bare, tools="json")))
    bare.model.when("how many", ["{\"tool\": \"list_", "metrics\", \"arguments\": {\"search\": \"prometheus\"}}"])
    bare.model.when("Result of list_metrics", ["{\"answer\": \"Hundreds", ".\"}"])  # its last user message
    alice = bare.client()
    session = alice.session()
    log = alice.ask(session, "how many metrics?")
    final = log.final()
    assert final["event_type"] == "turn_complete" and final["turn"]["output_message"]["content"] == "Hundreds."
    assert "{" not in log.text(), "people are shown no JSON"
    calls = [c for m in alice.messages(session) for c in m.get("tool_calls") or []]
    assert [c["tool_name"] for c in calls] == ["list_metrics"]
    first, second = bare.model.chats("how many")[:1] + bare.model.chats("Result of list_metrics")[:1]
    assert "tools" not in first and first["response_format"]["type"] == "json_schema"
    assert all(m["role"] in ("system", "user", "assistant") for m in second["messages"])


def test_a_model_is_told_of_the_tools_that_it_is_offered(bare: Stack, tmp_path: Path) -> None:
    bare.start(worker_env=models(tmp_path, usual(bare, offers=["execute_instant_query", "list_metrics"])))
    bare.model.when("how many", [Call("list_metrics", {"search": "prometheus"})], ["Many."])
    alice = bare.client()
    assert alice.ask(alice.session(), "how many metrics?").answer() == "Many."
    assert {t["function"]["name"] for t in bare.model.chats("how many")[0]["tools"]} == {"execute_instant_query", "list_metrics"}


def test_a_model_behind_a_perses_datasource_gets_the_secrets_key_and_no_token(
        bare: Stack, perses: Perses, tmp_path: Path) -> None:
    perses.put_datasource("model", Perses.closed_datasource(bare.model.url))
    env = models(tmp_path, {"name": "usual", "model": "scripted", "base_url": "perses:/proxy/globaldatasources/model/v1"})
    path = Path(env["PERSAI_MODELS"])
    path.write_text(json.dumps([{k: v for k, v in row.items() if k != "key_env"} for row in json.loads(path.read_text())]))
    bare.start(worker_env=env)
    alice = bare.client()
    assert alice.ask(alice.session(), "hello").answer() == "This is the default answer."
    asked = bare.model.seen(lambda r: r.path.endswith("/chat/completions"))[-1]
    assert asked.header("Authorization") == "Bearer none"  # what the datasource's secret holds
    token = alice.cookies["jwtSignature"].encode()
    assert token not in asked.raw()
    final = bare.client("mallory").ask(bare.client("mallory").session(), "hello").final()  # has no right to it
    assert final["event_type"] == "error" and final["code"] == "model_refused", final


# ---- what one person keeps ----

def refused(answer: Response, code: str) -> bool:
    return answer.status == 422 and answer.code == code


def test_sessions_of_one_person_are_limited(bare: Stack) -> None:
    bare.start(gateway_env={"PERSAI_USER_SESSIONS": "3"})
    alice, bob = bare.client("alice"), bare.client("bob")
    sessions = [alice.session() for _ in range(3)]
    alice.ask(sessions[0], "hello")
    first = alice.messages(sessions[0])[-1]["message_id"]
    assert refused(alice.post("/session", {}), "too_many_sessions")
    assert refused(alice.post(f"/session/{sessions[0]}/fork", {"message_id": first}), "too_many_sessions")
    bob.session()  # another's are another's
    assert alice.ask(sessions[1], "hello").answer()  # what is there goes on
    assert alice.request("DELETE", f"/session/{sessions[2]}").status == 200
    until(lambda: alice.post("/session", {}).status == 201, "the place of the one that was deleted")
    assert refused(alice.post("/session", {}), "too_many_sessions")


def test_sessions_that_are_gone_are_not_counted(bare: Stack) -> None:
    """Expired, or left over by a crash between two keys: who meets the limit is counted again."""
    bare.start(gateway_env={"PERSAI_USER_SESSIONS": "3"})
    alice = bare.client("alice")
    sessions = [alice.session() for _ in range(3)]
    client = bare.redis.client
    for key in client.scan_iter(f"p:*{{{sessions[0]}}}*"):
        client.delete(key)
    # Long ago: what was noted within the last minute may be a session that is only being made.
    client.hset(next(client.scan_iter("p:a:{o:alice:*}:b")), sessions[0], "1024 0")
    alice.session()
    assert refused(alice.post("/session", {}), "too_many_sessions")


def test_sessions_of_before_are_counted(bare: Stack) -> None:
    """Data of a gateway without limits, or of an older version: nothing was noted."""
    bare.start(gateway_env={"PERSAI_USER_SESSIONS": "0", "PERSAI_USER_BYTES": "0"})
    alice = bare.client("alice")
    for _ in range(4):
        alice.session()
    limited = bare.add_gateway(PERSAI_USER_SESSIONS="5").wait_ready
    bare.add_worker()
    limited()
    later = bare.client("alice", gateway=1)
    made = [later.post("/session", {}).status for _ in range(8)]
    assert made.count(201) <= 5, made  # noted from now on: the limit holds at once for what is new
    assert refused(later.post("/session", {}), "too_many_sessions")


def test_bytes_of_one_person_are_limited(bare: Stack) -> None:
    bare.start(gateway_env={"PERSAI_USER_BYTES": "100KiB"})
    alice, bob = bare.client("alice"), bare.client("bob")
    one, two = alice.session(), alice.session()
    note = {"context": {"note": "x" * 60_000}}
    assert alice.request("PATCH", f"/session/{one}", note).status == 200
    assert refused(alice.request("PATCH", f"/session/{two}", note), "quota_exceeded")
    assert alice.ask(two, "y" * 20_000).answer()
    last = alice.messages(two)[-1]["message_id"]
    assert refused(alice.post(f"/session/{two}/fork", {"message_id": last}), "quota_exceeded")
    until(lambda: refused(alice.post(alice.turn_path(two), {"message": "z" * 19_000}), "quota_exceeded"),
          "questions to fill it", 60)
    assert bob.ask(bob.session(), "hello").answer()
    assert alice.request("DELETE", f"/session/{one}").status == 200
    until(lambda: alice.post(alice.turn_path(two), {"message": "again"}).status == 200, "room")


def test_a_flood_of_forks_is_bounded(bare: Stack) -> None:
    bare.start(gateway_env={"PERSAI_USER_BYTES": "2MiB"})
    alice = bare.client("alice")
    session = alice.session()
    bare.model.when("long", ["word " * 8000])
    for _ in range(4):
        alice.ask(session, "long " + "q" * 40_000)
    before = int(bare.redis.client.info("memory")["used_memory"])
    last = alice.messages(session)[-1]["message_id"]
    answers = [alice.post(f"/session/{session}/fork", {"message_id": last}) for _ in range(30)]
    grown = int(bare.redis.client.info("memory")["used_memory"]) - before
    print(f"{sum(a.status == 201 for a in answers)} of 30 forks, Redis grew by {grown >> 10} KiB")
    assert refused(answers[-1], "quota_exceeded") and answers[0].status == 201
    assert grown < 4 << 20


def test_nobody_is_limited_on_a_machine_of_ones_own(bare: Stack) -> None:
    by_default = {"PERSAI_USER_TURNS": "", "PERSAI_USER_TURNS_PER_MINUTE": ""}
    me = Client(bare.start(gateway_env={"PERSAI_AUTH": "false", **by_default}).gateway.url)
    assert all(me.ask(me.session(), "hello").answer() for _ in range(35))


def test_a_decision_needs_a_place_as_a_question_does(bare: Stack, perses: Perses) -> None:
    """Turns that wait for their person take no place: however many do, they go on one by one, and those that can't
    go on waiting. What was decided before is said again also by who has no place."""
    bare.start(gateway_env={"PERSAI_USER_TURNS": "1"})
    gate = Gate()
    bare.model.when("save it", [Dashboard(perses).call()], ["saved ", gate, "or not"])
    alice = bare.client()
    first, *others = [Waiting(alice) for _ in range(3)]
    assert first.decide(False).status == 202
    gate.wait()
    for other in others:
        refused = other.decide(False)
        assert refused.status == 429 and refused.code == "rate_limited" and int(refused.headers["Retry-After"]) > 0
        assert other.state()["state"] == "awaiting_input"
    assert metric(bare.worker.url, "turns_running") == 1
    assert first.decide(False).status == 202, "it was decided so before"
    assert first.decide(True).code == "already_decided"
    assert alice.post(alice.turn_path(alice.session()), {"message": "hello"}).code == "rate_limited"
    gate.open()
    assert first.rest().answer() == "saved or not"
    for other in others:
        assert until(lambda: (got := other.decide(False)).status == 202 and got, "a place to be free again")
        assert other.rest().answer() == "saved or not"
