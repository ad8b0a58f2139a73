"""The door for AG-UI's clients: what its client refuses is looked for in each run."""

import http.client
import json
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from fakes.model import Call, Finish, Gate, Reasoning, Status
from harness.approvals import Dashboard, saves
from harness.client import Client
from harness.stack import Stack, metric
from harness.wait import until

OPENS = {"TEXT_MESSAGE_START": "messageId", "REASONING_MESSAGE_START": "messageId", "REASONING_START": "messageId",
         "TOOL_CALL_START": "toolCallId", "STEP_STARTED": "stepName"}
INSIDE = {"TEXT_MESSAGE_CONTENT": "TEXT_MESSAGE", "REASONING_MESSAGE_CONTENT": "REASONING_MESSAGE",
          "TOOL_CALL_ARGS": "TOOL_CALL"}


class Run:
    def __init__(self, client: Client, thread: str, question: str, **more: object) -> None:
        url = urlsplit(client.base)
        self.connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=30)
        body = {"threadId": thread, "runId": "run-1", "messages": [{"id": "1", "role": "user", "content": question}],
                "tools": [], "context": [], "state": {}, "forwardedProps": {}, **more}
        self.connection.request("POST", "/agui", json.dumps(body), {
            **client.headers(), "Content-Type": "application/json", "Accept": "text/event-stream",
            "X-PersAI-Datasource": "/proxy/globaldatasources/prometheus"})
        self.answer = self.connection.getresponse()
        self.seen: list[dict] = []

    def events(self) -> Iterator[dict]:
        for line in self.answer:
            if line.startswith(b"data: "):
                self.seen.append(json.loads(line[6:]))
                yield self.seen[-1]

    def finish(self) -> list[dict]:
        assert self.answer.status == 200, self.answer.read()
        for _ in self.events():
            pass
        self.connection.close()
        check(self.seen)
        return self.seen

    def until(self, kind: str) -> dict:
        return next(e for e in self.events() if e["type"] == kind)


def check(events: list[dict]) -> None:
    """What @ag-ui/client's verifyEvents refuses."""
    assert events[0]["type"] == "RUN_STARTED" and events[-1]["type"] in ("RUN_FINISHED", "RUN_ERROR")
    opened: set[tuple[str, str]] = set()
    for event in events[1:]:
        kind = event["type"]
        assert None not in event.values(), event
        if kind in OPENS:
            place = (kind.removesuffix("_START").removesuffix("_STARTED"), event[OPENS[kind]])
            assert place not in opened, event
            opened.add(place)
        elif kind in INSIDE:
            assert (INSIDE[kind], event["toolCallId" if "TOOL" in kind else "messageId"]) in opened and event["delta"]
        elif kind.endswith("_END") or kind == "STEP_FINISHED":
            name = kind.removesuffix("_END").removesuffix("_FINISHED")
            opened.remove((name, event.get("messageId") or event.get("toolCallId") or event["stepName"]))
        elif kind == "RUN_FINISHED":
            assert not opened and event is events[-1]


def text(events: list[dict]) -> str:
    return "".join(e["delta"] for e in events if e["type"] == "TEXT_MESSAGE_CONTENT")


def test_a_run_with_tools_and_reasoning(stack: Stack) -> None:
    alice, thread = stack.client(), str(uuid.uuid4())
    stack.model.when("Is it up?", [Reasoning("I look. "), "Let me look.", Call("execute_range_query", {"query": "up"})],
                     ["It is ", "\"up\"."])
    events = Run(alice, thread, "Is it up?").finish()
    assert text(events) == 'Let me look.It is "up".'
    assert "I look. " in "".join(e["delta"] for e in events if e["type"] == "REASONING_MESSAGE_CONTENT")
    call = [e for e in events if e["type"] == "TOOL_CALL_START" and e["toolCallName"] == "execute_range_query"]
    result = [e for e in events if e["type"] == "TOOL_CALL_RESULT" and e["toolCallId"] == call[0]["toolCallId"]]
    assert len(call) == len(result) == 1 and result[0]["content"]
    assert events[0]["threadId"] == thread and events[-1]["outcome"] == {"type": "success"}
    # The thread is a session: listed, and gone on with.
    session, = alice.sessions()
    stack.model.when("And now?", ["Still."])
    assert text(Run(alice, thread, "And now?").finish()) == "Still."
    assert [m["role"] for m in alice.messages(session["session_id"])].count("user") == 2


def test_a_second_client_rejoins(stack: Stack) -> None:
    alice, thread, gate = stack.client(), "my own thread", Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    first = Run(alice, thread, "Is it up?")
    first.until("TEXT_MESSAGE_CONTENT")
    gate.wait()
    second = Run(alice, thread, "Is it up?")
    second.until("TEXT_MESSAGE_CONTENT")
    first.connection.close()  # the turn goes on
    gate.open()
    assert text(second.finish()) == "One two."
    assert len(stack.model.chats("Is it up?")) == 1


def test_another_question_meanwhile_is_refused(stack: Stack) -> None:
    """It would be lost in the run that there is, which is about something else."""
    alice, thread, gate = stack.client(), uuid.uuid4().hex, Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    first = Run(alice, thread, "Is it up?")
    first.until("TEXT_MESSAGE_CONTENT")
    gate.wait()
    other = Run(alice, thread, "And the other?")
    told = json.loads(other.answer.read())
    assert other.answer.status == 409 and (told["type"], told["code"]) == ("RUN_ERROR", "turn_running"), told
    again = Run(alice, thread, " Is it up?\n")
    again.until("TEXT_MESSAGE_CONTENT")
    gate.open()
    assert text(again.finish()) == text(first.finish()) == "One two."
    stack.model.when("And the other?", ["That, too."])
    assert text(Run(alice, thread, "And the other?").finish()) == "That, too."


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_is_not_whole(stack: Stack, reason: str) -> None:
    stack.model.when("Is it up?", ["It is ", Finish(reason)])
    events = Run(stack.client(), uuid.uuid4().hex, "Is it up?").finish()
    assert text(events) == "It is " and events[-1]["result"] == {"stopReason": reason}, events[-1]


def test_a_run_that_is_cancelled_or_fails(stack: Stack) -> None:
    alice, thread, gate = stack.client(), uuid.uuid4().hex, Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    run = Run(alice, thread, "Is it up?")
    run.until("TEXT_MESSAGE_CONTENT")
    session = alice.sessions()[0]["session_id"]
    turn = alice.get(f"/session/{session}").json()["turn"]["turn_id"]
    assert alice.post(f"/session/{session}/turn/{turn}/cancel").status == 202
    assert run.finish()[-1]["outcome"] == {"type": "cancelled"}
    gate.open()
    stack.model.when("Fail", [Status(401)])
    events = Run(alice, thread, "Fail").finish()
    assert events[-1]["type"] == "RUN_ERROR" and events[-1]["code"] == "model_refused"


def snapshot(events: list[dict]) -> list[tuple[str, str]]:
    found, = (e["messages"] for e in events if e["type"] == "MESSAGES_SNAPSHOT")
    assert len({m["id"] for m in found}) == len(found)
    return [(m["role"], m["content"]) for m in found]


def interrupts(events: list[dict]) -> list[dict]:
    assert [e["type"] for e in events[-2:]] == ["STATE_SNAPSHOT", "RUN_FINISHED"]
    assert events[-1]["outcome"]["type"] == "interrupt"
    return events[-1]["outcome"]["interrupts"]


def answers(found: list[dict], status: str = "resolved", **payload: object) -> list[dict]:
    return [{"interruptId": one["id"], "status": status, **({"payload": payload} if payload else {})} for one in found]


def test_who_comes_again_is_told_all(stack: Stack) -> None:
    alice, thread, gate = stack.client(), uuid.uuid4().hex, Gate()
    stack.model.when("Is it up?", ["Let me look.", Call("list_label_values", {"label": "room"})], ["It is."])
    Run(alice, thread, "Is it up?").finish()
    before = Run(alice, thread, "", messages=[]).finish()
    assert before[-1]["outcome"] == {"type": "success"} and [e["type"] for e in before][1] == "MESSAGES_SNAPSHOT"
    said = snapshot(before)
    assert [role for role, _ in said] == ["user", "assistant", "tool", "assistant"]
    assert said[0][1] == "Is it up?" and said[-1][1] == "It is."
    called = before[1]["messages"][1]["toolCalls"][0]
    assert called["function"] == {"name": "list_label_values", "arguments": '{"label":"room"}'}
    assert before[1]["messages"][2]["toolCallId"] == called["id"]
    stack.model.when("And now?", ["Still ", gate, "up."])
    first = Run(alice, thread, "And now?")
    gate.wait()
    second = Run(alice, thread, "", messages=[])
    second.until("TEXT_MESSAGE_CONTENT")
    gate.open()
    events = second.finish()
    assert snapshot(events) == [*said, ("user", "And now?")] and text(events) == "Still up."
    assert text(first.finish()) == "Still up."


def test_a_gateway_is_killed_mid_run(bare: Stack) -> None:
    stack = bare.start(gateways=2)
    thread, gate = uuid.uuid4().hex, Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    first = Run(stack.client(), thread, "Is it up?")
    first.until("TEXT_MESSAGE_CONTENT")
    gate.wait()
    stack.gateways[0].process.kill()
    again = Run(stack.client(gateway=1), thread, "Is it up?")
    again.until("MESSAGES_SNAPSHOT")
    gate.open()
    events = again.finish()
    assert text(events).endswith("two.") and snapshot(events) == [("user", "Is it up?")]
    assert events[-1]["outcome"] == {"type": "success"}


def test_a_run_is_cancelled_by_its_thread(stack: Stack) -> None:
    alice, gate = stack.client(), Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    run = Run(alice, "a text of mine", "Is it up?")
    gate.wait()
    ended = Run(alice, "a text of mine", "", messages=[], forwardedProps={"persai": {"cancel": True}}).finish()
    assert ended[-1]["outcome"] == {"type": "cancelled"} == run.finish()[-1]["outcome"]
    gate.open()


@pytest.mark.parametrize("said", ["yes", "no", "cancelled"])
def test_an_approval_is_an_interrupt(stack: Stack, board: Dashboard, said: str) -> None:
    saves(stack, board.call())
    carol, thread = stack.client("carol"), uuid.uuid4().hex
    run = Run(carol, thread, "save it").finish()
    found, = interrupts(run)
    assert found["reason"] == "tool_call" and found["toolCallId"] == "call_Kitchen" and found["expiresAt"]
    assert found["responseSchema"]["required"] == ["approve"]
    assert interrupts(Run(carol, thread, "", messages=[]).finish()) == [found]  # who comes again sees it
    resume = answers([found], "cancelled") if said == "cancelled" else answers([found], approve=said == "yes")
    events = Run(carol, thread, "", messages=[], resume=resume).finish()
    assert [e["type"] for e in events][0] == "RUN_STARTED" and text(events) == "Saved."
    assert not any(e["type"] == "MESSAGES_SNAPSHOT" for e in events)
    assert board.titles() == (["Kitchen"] if said == "yes" else [])
    # Sent again it is done no more, and told from the beginning.
    again = Run(carol, thread, "", messages=[], resume=resume).finish()
    assert snapshot(again)[-1] == ("assistant", "Saved.") and len(board.panels()) == (said == "yes")
    contrary = Run(carol, thread, "", messages=[], resume=answers([found], approve=said != "yes"))
    assert contrary.answer.status == 409 and json.loads(contrary.answer.read())["code"] == "already_decided"


def test_all_interrupts_are_decided_at_once(stack: Stack, board: Dashboard) -> None:
    stack.model.when("save", [board.call("One"), board.call("Two")], ["Saved."])
    carol, thread = stack.client("carol"), uuid.uuid4().hex
    found = interrupts(Run(carol, thread, "save both").finish())
    wrong = [answers(found), answers(found, approve="true"), answers(found, approve=None), answers(found[:1], approve=True),
             [*answers(found, approve=True), {"interruptId": "x", "status": "resolved"}],
             answers([{"id": f["id"].replace("call_", "other_")} for f in found], approve=True),
             answers(found, "maybe"), [7], answers([*found, found[0]], approve=True),
             answers([{"id": uuid.uuid4().hex + f["id"][32:]} for f in found], approve=True)]
    for resume in wrong:
        run = Run(carol, thread, "", messages=[], resume=resume)
        body = json.loads(run.answer.read())
        assert run.answer.status in (404, 422) and body["type"] == "RUN_ERROR", (resume, body)
    busy = Run(carol, thread, "another question").finish()
    assert interrupts(busy) == found
    bob = Run(stack.client("bob"), thread, "", messages=[], resume=answers(found, approve=True))
    assert bob.answer.status == 404
    assert board.panels() == {}
    Run(carol, thread, "", messages=[], resume=answers(found, approve=True)).finish()
    assert board.titles() == ["One", "Two"]


def test_a_question_in_parts(stack: Stack) -> None:
    stack.model.when("Is it", ["Yes."])
    parts = [{"type": "text", "text": "Is it"}, {"type": "text", "text": "up?", "id": "2"}]
    alice = stack.client()
    run = Run(alice, "t", "", messages=[{"id": "1", "role": "user", "content": parts}])
    assert text(run.finish()) == "Yes."
    assert alice.messages(sessions(alice)[0])[0]["content"] == "Is it\nup?"


def test_what_the_frontend_knows_reaches_the_model(stack: Stack) -> None:
    alice, notes = stack.client(), [{"description": "The open incident", "value": "INC-7\nis \"red\""}]
    stack.model.when("Is it up?", ["Yes."])
    Run(alice, "t", "Is it up?", context=notes).finish()
    said = next(m for m in reversed(stack.model.chats("Is it up?")[0]["messages"]) if m["role"] == "user")["content"]
    assert json.dumps(notes[0], separators=(",", ":")) in said.split("[Said by PersAI")[1]
    assert alice.messages(sessions(alice)[0])[0]["content"] == "Is it up?"
    stack.model.when("And now?", ["Still."])
    Run(alice, "t", "And now?", context=None).finish()
    last = next(m for m in reversed(stack.model.chats("And now?")[0]["messages"]) if m["role"] == "user")["content"]
    assert "INC-7" not in last


def test_a_frontends_instructions_reach_the_model_with_its_question(stack: Stack) -> None:
    """CopilotKit's `instructions` are a message; what the conversation itself has is not taken from the client."""
    alice = stack.client()
    stack.model.when("Is it up?", ["Yes."])
    messages = [{"id": "0", "role": "system", "content": "Speak of \"rooms\" only."},
                {"id": "1", "role": "developer", "content": [{"type": "text", "text": "Be short."}]},
                {"id": "2", "role": "user", "content": "Earlier, by the client"},
                {"id": "3", "role": "user", "content": "Is it up?"}]
    Run(alice, "t", "", messages=messages).finish()
    said = next(m for m in reversed(stack.model.chats("Is it up?")[0]["messages"]) if m["role"] == "user")["content"]
    beside = said.split("[Said by PersAI")[1]
    assert '"Speak of \\"rooms\\" only."' in beside and '"Be short."' in beside and "Earlier" not in said
    assert alice.messages(sessions(alice)[0])[0]["content"] == "Is it up?"
    many = [*messages[:1] * 3000, messages[-1]]
    assert Run(alice, "t", "", messages=many).answer.status == 422


def test_what_a_client_has_not_may_be_null(stack: Stack) -> None:
    stack.model.when("Is it up?", ["Yes."])
    run = Run(stack.client(), "t", "Is it up?", **dict.fromkeys(
        ("parentRunId", "protocolVersion", "state", "tools", "context", "forwardedProps", "resume")))
    assert text(run.finish()) == "Yes."


IMAGE = {"type": "image", "source": {"type": "url", "value": "http://127.0.0.1/x.png"}}


@pytest.mark.parametrize("more", [{"messages": [{"id": "1", "role": "assistant", "content": "x"}]},
                                  {"messages": [{"id": "1", "role": "user", "content": [IMAGE]}]},
                                  {"messages": [{"id": "1", "role": "user", "content": 7}]},
                                  {"messages": [{"id": "1", "role": "user", "content": []}]},
                                  {"threadId": ""}, {"runId": 7}, {"context": {"a": 1}}, {"context": [{"value": "x"}]},
                                  {"context": [{"description": "x", "value": 1}]},
                                  {"context": [{"description": "", "value": "x" * 65536}]},
                                  {"tools": [{"name": "f"}]}, {"messages": "x"},
                                  {"resume": [{"interruptId": "1", "status": "resolved"}]}])
def test_what_is_refused(stack: Stack, more: dict) -> None:
    run = Run(stack.client(), "t", "Is it up?", **more)
    body = json.loads(run.answer.read())
    assert run.answer.status == 422 and body["type"] == "RUN_ERROR" and body["code"] == "invalid" and body["message"]


def test_strangers(stack: Stack) -> None:
    for client, status in ((Client(stack.gateway.url), 401), (Client(stack.gateway.url, bearer="pk-wrong"), 401)):
        run = Run(client, "t", "Is it up?")
        assert run.answer.status == status and json.loads(run.answer.read())["code"] == "unauthenticated"


def sessions(client: Client) -> list[str]:
    return [s["session_id"] for s in client.sessions()]


def test_a_thread_is_nobody_elses(stack: Stack, board: Dashboard) -> None:
    """Whoever comes first with a name, or makes up the id of another's conversation, holds neither."""
    carol, bob, thread = stack.client("carol"), stack.client("bob"), str(uuid.uuid4())
    stack.model.when("Is it up?", ["Yes."])
    Run(carol, thread, "Is it up?").finish()
    of_carol, = sessions(carol)
    assert text(Run(bob, thread, "Is it up?").finish()) == "Yes."
    of_bob, = sessions(bob)
    assert of_bob != of_carol and thread.replace("-", "") not in (of_bob, of_carol)
    # However it is written it is the same thread, and gone on with.
    stack.model.when("And now?", ["Still."])
    for name in (thread.upper(), thread.replace("-", "")):
        Run(carol, name, "And now?").finish()
    assert sessions(carol) == [of_carol] and len(carol.messages(of_carol)) == 6 and len(bob.messages(of_bob)) == 2
    # A conversation of one's own is gone on with by its id, another's is not.
    own = carol.session()
    Run(carol, own, "Is it up?").finish()
    assert len(carol.messages(own)) == 2 and len(sessions(carol)) == 2
    Run(bob, own, "Is it up?").finish()
    assert len(carol.messages(own)) == 2 and len(sessions(bob)) == 2
    assert json.loads(Run(bob, of_carol, "", messages=[]).answer.read())["code"] == "session_not_found"
    # What waits in it is decided by nobody else.
    saves(stack, board.call())
    found = interrupts(Run(carol, thread, "save it").finish())
    for name in (thread, of_carol):
        assert Run(bob, name, "", messages=[], resume=answers(found, approve=True)).answer.status == 404
    assert board.panels() == {}
    Run(carol, of_carol, "", messages=[], resume=answers(found, approve=True)).finish()
    assert board.titles() == ["Kitchen"]


@pytest.mark.parametrize("thread", ["mine", str(uuid.UUID(int=7))])
def test_who_may_begin_no_more_comes_again(bare: Stack, thread: str) -> None:
    stack = bare.start(gateway_env={"PERSAI_USER_TURNS": "1"})
    alice, gate = stack.client(), Gate()
    stack.model.when("Is it up?", ["One ", gate, "two."])
    first = Run(alice, thread, "Is it up?")
    first.until("TEXT_MESSAGE_CONTENT")
    gate.wait()
    first.connection.close()
    again = [Run(alice, thread, "Is it up?"), Run(alice, thread, "", messages=[])]
    for run in again:
        run.until("TEXT_MESSAGE_CONTENT")
    other = Run(alice, "another", "Is it up?")
    assert other.answer.status == 429 and json.loads(other.answer.read())["code"] == "rate_limited"
    gate.open()
    assert [text(run.finish()) for run in again] == ["One two.", "One two."]
    assert len(stack.model.chats("Is it up?")) == 1


def test_who_comes_again_and_reads_nothing_costs_bounded_memory(bare: Stack) -> None:
    """All that the thread has is told to each: what one person leaves unread is a quarter of what there is for all."""
    stack = bare.start(gateway_env={"PERSAI_HTTP_MEMORY": "8MiB"})
    big, gate = "y" * 25000, Gate()
    stack.model.when("more", [big] * 2)
    stack.model.when("hold", ["One ", gate, "two."])
    alice, bob = stack.client(), stack.client("bob")
    thread = alice.session()
    alice.ask(thread, "more")
    # What makes it long is put into the store as it is there: 0.9 MB.
    store, key = stack.redis.client, f"p:m:{{{thread}}}"
    store.hset(key, mapping={str(n): store.hget(key, "2") for n in range(3, 20)})
    store.hset(f"p:f:{{{thread}}}", mapping={str(n): "x" for n in range(3, 20)})  # the model is not told
    store.hset(f"p:s:{{{thread}}}", "mseq", store.hlen(key))
    first = Run(alice, thread, "hold")
    first.until("TEXT_MESSAGE_CONTENT")
    again = [Run(alice, thread, "", messages=[]) for _ in range(4)]
    assert [run.answer.status for run in again] == [200, 200, 429, 429]
    assert json.loads(again[2].answer.read())["code"] == "rate_limited"
    assert bob.ask(bob.session(), "hello").answer()
    for run in again:
        run.answer.close()
        run.connection.close()
    until(lambda: metric(stack.gateway.url, "persai_streams") == 1, "them to be gone")
    last = Run(alice, thread, "", messages=[])
    assert len(last.until("MESSAGES_SNAPSHOT")["messages"]) == 20
    gate.open()
    assert text(last.finish()) == text(first.finish()) == "One two."


def test_the_page_of_the_api(stack: Stack) -> None:
    page = Client(stack.gateway.url).get("/docs")
    assert page.status == 200 and b"openapi.json" in page.body
    policy = page.headers["Content-Security-Policy"]
    assert "connect-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert b"http://" not in page.body and b"https://" not in page.body
