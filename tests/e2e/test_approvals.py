"""A tool call that needs the person's approval: it waits in Redis, with no process, and is done once."""

import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.model import Call
from fakes.relay import Hold, Relay
from harness.client import Client, Response
from harness.services import ADMIN, Perses, Prometheus
from harness.sse import Event
from harness.stack import Stack, metric
from harness.wait import until
from harness.approvals import PROJECT, Dashboard, Waiting, saves


def final_part(log: list[Event]) -> list[dict]:
    return [e.payload for e in log if e.type not in ("step_start", "step_progress")]


def test_the_range_that_was_asked_about_stays_while_a_call_waits(stack: Stack, board: Dashboard) -> None:
    """However late the yes: "the last ten seconds" are those before the question."""
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"), context={"time_range": {"duration": "10s"}})
    time.sleep(1.2)
    waiting.decide()
    assert waiting.rest().answer() == "Saved."
    first, last = (json.dumps(stack.model.chats("save it")[n]["messages"]) for n in (0, -1))
    words = "The person has selected the time range from "
    assert len(first.split(words)) == len(last.split(words)) == 2
    assert first.split(words)[1][:80] == last.split(words)[1][:80]


@pytest.mark.core
def test_an_approved_call_is_done_once(stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call(unit="decimal", description="How warm it is", group="Rooms"))
    carol = stack.client("carol")
    waiting = Waiting(carol)
    call = waiting.calls[0]
    assert call["tool_name"] == "save_panel" and call["arguments"]["title"] == "Kitchen"
    assert len(call["arguments_hash"]) == 32
    left = time.mktime(time.strptime(call["expires_at"], "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
    assert 23 * 3600 < left <= 24 * 3600 + 5, left
    assert waiting.state() == {"turn_id": waiting.turn, "state": "awaiting_input", "tool_calls": waiting.calls}
    assert board.panels() == {}
    assert metric(stack.worker.url, "turns_running") == 0  # no process has it
    busy = carol.post(carol.turn_path(waiting.session), {"message": "another"})
    assert busy.status == 409 and busy.code == "turn_running"

    answer = waiting.decide()
    assert answer.status == 202 and answer.json() == {"turn_id": waiting.turn, "session_id": waiting.session}
    log = waiting.rest()
    assert log.answer() == "Saved." and log[0].epoch == 2
    (call, response), = log.tools()
    assert not response["failed"] and '"panel_saved"' in response["content"]
    (key, panel), = board.panels().items()
    assert key in response["content"] and key.startswith("persai-")
    spec = panel["spec"]
    assert spec["display"] == {"name": "Kitchen", "description": "How warm it is"}
    assert spec["plugin"] == {"kind": "TimeSeriesChart", "spec": {"yAxis": {"format": {"unit": "decimal"}}}}
    query = spec["queries"][0]["spec"]["plugin"]
    assert query["kind"] == "PrometheusTimeSeriesQuery"
    assert query["spec"] == {"query": 'room_temperature_celsius{room="kitchen"}',
                             "datasource": {"kind": "PrometheusDatasource", "name": "prometheus"}}
    grid, = board.read()["spec"]["layouts"]
    assert grid["kind"] == "Grid" and grid["spec"]["display"]["title"] == "Rooms"
    assert grid["spec"]["items"][0]["content"] == {"$ref": f"#/spec/panels/{key}"}
    # The same again is fine, another is not, and nothing is done twice.
    assert waiting.decide().status == 202
    contrary = waiting.decide(False)
    assert contrary.status == 409 and contrary.code == "already_decided"
    assert waiting.state() is None and len(board.panels()) == 1
    # From its beginning the stream is one, past the place where it waited.
    whole = carol.events(waiting.session, waiting.turn).finish()
    assert whole == waiting.log + log
    assert carol.ask(waiting.session, "thanks").answer()


def test_a_refused_call_is_not_done_and_the_model_goes_on(stack: Stack, board: Dashboard) -> None:
    stack.model.when("save it", [board.call(), Call("list_label_values", {"label": "room"})], ["As you like."])
    carol = stack.client("carol")
    waiting = Waiting(carol)
    assert [c["tool_name"] for c in waiting.calls] == ["save_panel"]  # the other one needs no yes
    assert waiting.decide(False).status == 202
    log = waiting.rest()
    assert log.answer() == "As you like."
    answers = {c["tool_name"]: r for c, r in log.tools()}
    assert answers["save_panel"]["failed"] and "refused_by_person" in answers["save_panel"]["content"]
    assert "kitchen" in answers["list_label_values"]["content"]
    assert board.panels() == {}
    assert waiting.decide(True).code == "already_decided"


def test_a_call_with_bad_arguments_bothers_nobody(stack: Stack, board: Dashboard) -> None:
    stack.model.when("save it", [Call("save_panel", {"project": "p"})], ["I could not."])
    log = stack.client("carol").ask(stack.client("carol").session(), "save it")
    assert log.answer() == "I could not." and "bad_arguments" in log.tools()[0][1]["content"]


def test_two_tabs_decide_at_once(bare: Stack, perses: Perses) -> None:
    """At two gateways: the same twice is one; yes and no at once: one of them counts, the other is told."""
    stack = bare.start(gateways=2, workers=2)
    tabs = [stack.client("carol", gateway=n) for n in (0, 1)]
    outcomes = set()
    for n in range(12):
        board = Dashboard(perses)
        saves(stack, board.call())
        waiting = Waiting(tabs[n % 2])
        says = (True, True) if n % 2 else (True, False)
        answers: list[Response | None] = [None, None]
        barrier = threading.Barrier(2)

        def click(tab: int) -> None:
            barrier.wait()
            answers[tab] = waiting.decide(says[tab], tabs[(tab + n // 2) % 2])

        threads = [threading.Thread(target=click, args=(tab,)) for tab in (0, 1)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        log = waiting.rest(tabs[n // 2 % 2])
        codes = [a.status for a in answers if a]
        if says == (True, True):
            assert codes == [202, 202]
            approved = True
        else:
            assert sorted(codes) == [202, 409]
            assert [a.code for a in answers if a and a.status == 409] == ["already_decided"]
            approved = codes[0] == 202
            outcomes.add(approved)
        assert len(board.panels()) == (1 if approved else 0), (n, codes)
        assert log.tools()[0][1]["failed"] == (not approved)
        assert log[-1].epoch == 2
        for tab in tabs:
            assert tab.events(waiting.session, waiting.turn).finish() == waiting.log + log
    print("who won:", outcomes)


def test_what_a_decision_must_say(stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call("One"), board.call("Two"))
    carol, bob = stack.client("carol"), stack.client("bob")
    waiting = Waiting(carol)
    one, two = ({"call_id": c["call_id"], "approve": True} for c in waiting.calls)
    foreign = bob.post(waiting.path, {"decisions": [one, two]})
    nobodys = bob.post(waiting.path.replace(waiting.session, "0" * 32), {"decisions": [one, two]})
    assert foreign.status == 404 and foreign.body == nobodys.body
    assert carol.post(waiting.path.replace(waiting.turn, "0" * 32), {"decisions": [one, two]}).code == "turn_not_found"
    bad: list[object] = [
        [], [one], [one, {"call_id": "nothing", "approve": True}], [one, two, {"call_id": "x", "approve": False}],
        [one, {**two, "arguments_hash": "0" * 32}], [one, one], [one, {**two, "approve": "yes"}], "yes", {"a": 1},
        [one, {"approve": True}], [one, {"call_id": 7, "approve": True}], [one, None], [one] * 100,
        [one, {"call_id": "x" * 5000, "approve": True}]]
    for decisions in bad:
        answer = carol.post(waiting.path, {"decisions": decisions})
        assert answer.status == 422 and answer.code == "invalid", (decisions, answer)
    assert carol.post(waiting.path, {}).status == 422
    assert waiting.state()["state"] == "awaiting_input"  # type: ignore[index]
    # Each by itself, as they are shown.
    answer = carol.post(waiting.path, {"decisions": [one, {**two, "approve": False}]})
    assert answer.status == 202
    assert waiting.rest().answer() == "Saved."
    assert board.titles() == ["One"]


def test_two_panels_of_one_reply(stack: Stack, board: Dashboard) -> None:
    """Run at once, on one dashboard: none is lost by the other's write."""
    saves(stack, *(board.call(f"Panel {n}", kind=kind, unit="percent") for n, kind in enumerate(
        ["TimeSeriesChart", "StatChart", "GaugeChart", "TimeSeriesTable"])))
    waiting = Waiting(stack.client("carol"))
    assert waiting.decide().status == 202
    assert all(not r["failed"] for _, r in waiting.rest().tools())
    assert board.titles() == [f"Panel {n}" for n in range(4)]
    items = board.read()["spec"]["layouts"][0]["spec"]["items"]
    assert len({i["y"] for i in items}) == 4


def test_a_turn_asks_twice_with_the_same_call_id(stack: Stack, board: Dashboard) -> None:
    """Some providers count their calls anew in each reply: an old yes is not the yes for the next call."""
    first, second = board.call("First"), board.call("Second")
    first.call_id = second.call_id = "call_0"
    stack.model.when("save it", [first], [second], ["Both."])
    carol = stack.client("carol")
    waiting = Waiting(carol)
    assert waiting.decide().status == 202
    log = waiting.rest()
    assert log.final()["event_type"] == "turn_awaiting_input"
    assert waiting.decide().status == 202  # the old one, once more
    assert board.titles() == ["First"]
    waiting.calls = log.final()["turn"]["tool_calls"]
    assert waiting.calls[0]["call_id"] != "call_0" and waiting.calls[0]["arguments"]["title"] == "Second"
    assert waiting.decide().status == 202
    waiting.log += log
    assert waiting.rest().answer() == "Both."
    assert board.titles() == ["First", "Second"]


def test_a_second_tab_sees_what_was_decided(bare: Stack, board: Dashboard) -> None:
    """Its stream is open, behind the event that waits; the decision is made at the other gateway."""
    stack = bare.start(gateways=2)
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    tabs = [stack.client("carol", gateway=n).events(waiting.session, waiting.turn, waiting.log[-1].id) for n in (0, 1)]
    time.sleep(0.3)
    assert not any(t.ended.is_set() for t in tabs)
    assert waiting.decide().status == 202
    for tab in tabs:
        assert tab.finish().answer() == "Saved."


def test_a_stalled_client_hides_no_decision(bare: Stack, board: Dashboard) -> None:
    """At the first gateway one client does not read on, another waits behind the event; it is decided at the second."""
    stack = bare.start(gateways=2, worker_env={"PERSAI_STEP_BYTES": "128KiB"})
    text = ["\u0001" * 4000 for _ in range(30)]  # six bytes each on the wire, three times
    stack.model.when("save it", [*text, board.call()], ["Saved."])
    carol = stack.client("carol")
    session = carol.session()
    with socket.create_connection(("127.0.0.1", stack.gateway.port)) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = b'{"message":"save it"}'
        cookie = "; ".join(f"{k}={v}" for k, v in carol.cookies.items())
        stalled.sendall(f"POST {carol.turn_path(session)} HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n"
                        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        until(lambda: (carol.get(f"/session/{session}").json()["turn"] or {}).get("state") == "awaiting_input",
              "the turn to wait", 60)
        assert metric(stack.gateway.url, "streams") == 1
        turn = carol.get(f"/session/{session}").json()["turn"]
        read = carol.events(session, turn["turn_id"]).finish()
        behind = carol.events(session, turn["turn_id"], read[-1].id)
        decision = {"call_id": turn["tool_calls"][0]["call_id"], "approve": True}
        other = stack.client("carol", gateway=1)
        path = f"/session/{session}/turn/{turn['turn_id']}/resume"
        assert other.post(path, {"decisions": [decision]}).status == 202
        after = behind.finish()  # how it ends is of no interest here: so much text may be too much for the model
        assert not after.tools()[0][1]["failed"]
    assert len(board.panels()) == 1


# ---- what Perses says ----

def test_who_may_not_write_is_told(stack: Stack, board: Dashboard) -> None:
    """bob may read and not write: his yes does not make him an editor."""
    saves(stack, board.call())
    waiting = Waiting(stack.client("bob"))
    assert waiting.decide().status == 202
    (_, response), = waiting.rest().tools()
    assert response["failed"] and '"forbidden"' in response["content"] and "403" in response["content"]
    assert board.panels() == {}


@pytest.mark.parametrize("arguments", [{"dashboard": "no-such-board"}, {"project": "no-such-project"}])
def test_there_is_no_such_dashboard(stack: Stack, board: Dashboard, arguments: dict) -> None:
    """Nobody is asked about what can't be done."""
    saves(stack, board.call(**arguments))
    admin = stack.client(ADMIN)
    (_, response), = admin.ask(admin.session(), "save it").tools()
    assert response["failed"] and '"not_found"' in response["content"], response


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2Fb", "../../globaldatasources/x", "a?b", "a b", "x#y"])
def test_names_lead_nowhere_else(make_stack: object, perses: Perses, sign_in: object, name: str) -> None:
    with Relay(perses.url) as relay:
        stack = make_stack(relay.url, sign_in).start()  # type: ignore[operator]
        saves(stack, Call("save_panel", {"project": PROJECT, "dashboard": name, "title": "t", "query": "up"}))
        carol = stack.client("carol")
        (_, response), = carol.ask(carol.session(), "save it").tools()
        assert response["failed"] and "bad_arguments" in response["content"]
        assert not relay.seen(lambda r: r.path.startswith("/api/v1/projects"))


def test_where_nobody_signs_in(make_stack: object, tmp_path: Path, service_logs: Path, prometheus: Prometheus) -> None:
    """PERSAI_AUTH=false: there is no token, and the one person is asked all the same."""
    perses = Perses(tmp_path / "perses-open", service_logs, {"prometheus": prometheus.url}, auth=False).start()
    try:
        stack = make_stack(perses.url).start(gateway_env={"PERSAI_AUTH": "false"})  # type: ignore[operator]
        board = Dashboard(perses)
        saves(stack, board.call())
        waiting = Waiting(Client(stack.gateway.url))
        assert board.panels() == {}
        assert waiting.decide().status == 202
        assert waiting.rest().answer() == "Saved." and len(board.panels()) == 1
    finally:
        perses.process.terminate()


@pytest.fixture
def relayed(make_stack: object, perses: Perses, sign_in: object) -> Iterator[tuple[Stack, Relay]]:
    """A stack whose Perses is the real one behind a relay."""
    with Relay(perses.url) as relay:
        yield make_stack(relay.url, sign_in), relay  # type: ignore[operator,misc]
        assert relay.errors == []


def test_somebody_else_writes_at_the_same_moment(relayed: tuple[Stack, Relay], board: Dashboard) -> None:
    """Perses 0.54 takes the last write. Ours is told from its version that it was not alone."""
    stack, relay = relayed
    stack.start()
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    hold = Hold()
    relay.hold_request = ("PUT", hold)
    assert waiting.decide().status == 202
    hold.wait()
    board.write(board.read())
    hold.open()
    (_, response), = waiting.rest().tools()
    assert not response["failed"] and "Somebody else" in response["content"]
    assert board.titles() == ["Kitchen"]


def test_a_perses_that_refuses_an_old_version(relayed: tuple[Stack, Relay], board: Dashboard) -> None:
    stack, relay = relayed
    stack.start()
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    conflicts = [1, 2]
    relay.instead = lambda r: (409, b'{"message":"conflict"}') if r.method == "PUT" and conflicts and conflicts.pop() \
        else None
    assert waiting.decide().status == 202
    (_, response), = waiting.rest().tools()
    assert not response["failed"] and board.titles() == ["Kitchen"]
    assert len(relay.seen(lambda r: r.method == "PUT")) == 3


# ---- deaths ----

def test_gateway_and_worker_die_while_it_waits(stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    stack.gateway.process.kill()
    stack.worker.process.kill()
    stack.gateway.start()
    stack.worker.start()
    stack.gateway.wait_ready()
    assert waiting.state()["tool_calls"] == waiting.calls  # type: ignore[index]
    assert waiting.decide().status == 202
    assert waiting.rest().answer() == "Saved."
    assert len(board.panels()) == 1


@pytest.mark.core
def test_everything_dies_while_it_waits(stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    for process in (stack.redis.process, stack.gateway.process, stack.worker.process):
        process.kill()
    stack.redis.start()
    stack.gateway.start()
    stack.worker.start()
    stack.gateway.wait_ready()
    assert waiting.state()["state"] == "awaiting_input"  # type: ignore[index]
    assert waiting.decide().status == 202
    assert waiting.rest().answer() == "Saved."
    assert len(board.panels()) == 1
    assert waiting.client.events(waiting.session, waiting.turn).finish().answer() == "Saved."


@pytest.mark.parametrize("place", ["before the read", "before the write", "after the write", "before the seal"])
def test_the_worker_dies_at_its_work(relayed: tuple[Stack, Relay], board: Dashboard, place: str) -> None:
    """Between approval and seal: another goes on, and there is one panel."""
    stack, relay = relayed
    stack.start(workers=2)
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    hold = Hold()
    if place == "before the read":
        stack.client("carol").get("/sessions")  # whoami is known: the next GET is the tool's
        relay.hold_request = ("GET", hold)
    elif place == "before the write":
        relay.hold_request = ("PUT", hold)
    else:
        relay.hold_answer = ("PUT", hold)
    assert waiting.decide().status == 202
    stream = waiting.client.events(waiting.session, waiting.turn, waiting.log[-1].id)
    hold.wait()
    victim = stack.working().process
    if place == "before the seal":
        # Redis holds still, so that the worker has Perses's answer and can't seal it.
        stack.redis.process.signal(signal.SIGSTOP)
        hold.open()
        until(lambda: b"tool.done" in victim.log_bytes(), "the tool's result")
        victim.kill()
        stack.redis.process.signal(signal.SIGCONT)
    else:
        victim.kill()
        hold.open()
    log = stream.finish(60)
    assert log.answer() == "Saved." and log[-1].epoch == 3
    assert len(board.panels()) == 1 and len(log.tools()) == 1
    assert not log.tools()[0][1]["failed"]
    # What was final is the same for who comes later; provisional words of the dead may not have been stored.
    again = waiting.client.events(waiting.session, waiting.turn).finish()
    assert final_part(again) == final_part(waiting.log + log)


def test_the_gateway_dies_behind_the_decision(bare: Stack, board: Dashboard) -> None:
    """It was decided, and nobody else has the token: the turn waits for its owner, who comes by."""
    stack = bare.start(gateways=2, workers=0, gateway_env={"PERSAI_LEASE": "1s"}, worker_env={"PERSAI_LEASE": "1s"})
    first = stack.add_worker()
    stack.gateway.wait_ready()
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    first.process.signal(signal.SIGSTOP)
    assert waiting.decide().status == 202
    stack.gateway.process.kill()
    first.process.kill()
    stack.add_worker()
    stack.gateways[1].wait_ready()
    other = stack.client("carol", gateway=1)
    assert waiting.rest(other).answer() == "Saved."
    assert len(board.panels()) == 1
    assert waiting.decide(client=other).status == 202


# ---- the end of waiting ----

def test_nobody_decides(bare: Stack, board: Dashboard) -> None:
    stack = bare.start(worker_env={"PERSAI_APPROVAL_WAIT": "1s"})
    saves(stack, board.call())
    carol = stack.client("carol")
    waiting = Waiting(carol)
    final = waiting.rest().final()
    assert final["event_type"] == "error" and final["code"] == "decision_expired"
    late = waiting.decide()
    assert late.status == 409 and late.code == "decision_expired"
    assert waiting.state() is None and board.panels() == {}
    assert carol.ask(waiting.session, "never mind").answer()
    # The model sees that its call has no result, as the provider demands.
    asked = stack.model.chats("never mind")[0]["messages"]
    assert any(m["role"] == "tool" and m["tool_call_id"] == waiting.calls[0]["call_id"] for m in asked)


def test_a_decision_comes_too_late(bare: Stack, board: Dashboard) -> None:
    """Before any janitor looked: the clock of Redis decides."""
    stack = bare.start(worker_env={"PERSAI_APPROVAL_WAIT": "1s"}, gateway_env={"PERSAI_LEASE": "600s"})
    saves(stack, board.call())
    waiting = Waiting(stack.client("carol"))
    time.sleep(1.1)
    late = waiting.decide()
    assert late.status == 409 and late.code == "decision_expired"
    assert waiting.rest().final()["code"] == "decision_expired"
    assert board.panels() == {}


def test_cancel_while_it_waits(stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call())
    carol = stack.client("carol")
    waiting = Waiting(carol)
    assert carol.post(waiting.path.replace("/resume", "/cancel")).status == 202
    assert waiting.rest().types() == ["turn_cancelled"]
    late = waiting.decide()
    assert late.status == 409 and late.code == "turn_over"
    assert board.panels() == {} and carol.ask(waiting.session, "go on").answer()


def test_a_session_is_deleted_while_it_waits(stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call())
    carol = stack.client("carol")
    waiting = Waiting(carol)
    assert carol.request("DELETE", f"/session/{waiting.session}").status == 200
    assert waiting.decide().status == 404
    assert board.panels() == {}
    until(lambda: not [k for k in stack.redis.client.keys("*") if waiting.session.encode() in k], "its keys to be gone")


def test_a_new_dashboard_is_drafted_checked_by_perses_and_made_once(stack: Stack, board: Dashboard) -> None:
    panels = [{"title": "Kitchen", "query": 'room_temperature_celsius{room="kitchen"}', "group": "Rooms"},
              {"title": "All", "query": "room_temperature_celsius", "kind": "StatChart", "unit": "decimal", "group": "Rooms"}]
    draft = {"project": PROJECT, "title": f"Drafted after {board.name}", "panels": panels}
    stack.model.when("save it", [Call("propose_dashboard", draft)], [Call("save_dashboard", draft)], ["Made."])
    waiting = Waiting(stack.client("carol"))
    (_, proposed), = waiting.log.tools()
    proposal = json.loads(proposed["content"])
    assert proposal["checked"] is True, proposal
    board.name = proposal["dashboard"]["metadata"]["name"]
    assert board.perses.api("GET", board.path, None, board.cookies).status == 404
    assert waiting.decide().status == 202
    (_, made), = waiting.rest().tools()
    assert not made["failed"], made
    assert board.titles() == ["All", "Kitchen"]
    assert [item["x"] for item in board.read()["spec"]["layouts"][0]["spec"]["items"]] == [0, 12]

    saves(stack, Call("save_dashboard", draft))  # another turn: it is not its own
    carol = stack.client("carol")
    (_, refused), = carol.ask(carol.session(), "save it").tools()
    assert json.loads(refused["content"])["code"] == "exists", refused
