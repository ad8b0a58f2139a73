"""The doors, asked by the official clients of npm: MCP's TypeScript SDK, @ag-ui/client, OpenAI's SDK, LibreChat's agents."""

import json
import re
import subprocess
import uuid
from pathlib import Path
from typing import IO

import pytest
import yaml

from fakes.model import Call, Gate, Status
from harness.approvals import Dashboard, saves
from harness.keys import Keys
from harness.stack import Stack, metric
from harness.wait import SLOWNESS, until

VERSIONS = ("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26")


class Script:
    def __init__(self, npm: tuple[str, str], name: str, *args: str) -> None:
        self.process = subprocess.Popen([npm[0], f"{npm[1]}/{name}.mjs", *args], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)

    def line(self) -> dict:
        out: IO[str] = self.process.stdout  # type: ignore[assignment]
        line = out.readline()
        assert line, self.process.stderr.read()  # type: ignore[union-attr]
        return json.loads(line)

    def lines(self) -> list[dict]:
        out, error = self.process.communicate(timeout=60 * SLOWNESS)
        assert self.process.returncode == 0, error
        return [json.loads(line) for line in out.splitlines()]


def bearer(stack: Stack, user: str) -> str:
    return stack.client(user, bearer=True).bearer or ""


def mcp(npm: tuple[str, str], stack: Stack, version: str, tool: str, arguments: dict, answer: str = "") -> dict:
    result, = Script(npm, "mcp", stack.gateway.url + "/mcp", bearer(stack, "carol"), version, tool,
                     json.dumps(arguments), answer).lines()
    return result


@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", VERSIONS)
def test_mcps_sdk_asks(npm: tuple[str, str], stack: Stack, version: str) -> None:
    stack.model.when("rooms", ["Let me see. ", Call("list_label_values", {"label": "room"})], ["Three rooms."])
    stack.client("carol").session(title="Mine")
    told = mcp(npm, stack, version, "ask", {"question": "which rooms"})
    assert told["result"]["content"][0]["text"] == "Three rooms." and not told["result"].get("isError")
    assert told["result"]["structuredContent"]["queries"][0]["tool"] == "list_label_values"
    assert "ask" in told["tools"] and "save_panel" not in told["tools"]
    assert told["prompts"] == ["investigate_alert", "explain_panel"]
    assert told["resources"][0].startswith("persai://conversation/") and told["read"]["text"]
    one = mcp(npm, stack, version, "list_label_values", {"label": "room"})
    assert "kitchen" in one["result"]["content"][0]["text"]


@pytest.mark.parametrize("answer", ["accept", "decline", "cancel"])
def test_mcps_sdk_asks_its_person(npm: tuple[str, str], stack: Stack, board: Dashboard, answer: str) -> None:
    saves(stack, board.call())
    told = mcp(npm, stack, VERSIONS[0], "save_panel", board.call().arguments, answer)  # type: ignore[arg-type]
    assert len(told["asked"]) == 1 and "save_panel" in told["tools"]
    assert board.titles() == (["Kitchen"] if answer == "accept" else [])


def inspector(npm: tuple[str, str], stack: Stack, user: str, *args: str, code: int = 0) -> dict:
    """One method, asked by the command line of MCP's inspector: its result."""
    program = f"{npm[1]}/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
    done = subprocess.run([npm[0], program, "--cli", stack.gateway.url + "/mcp", "--transport", "http",
                           "--header", f"Authorization: Bearer {bearer(stack, user)}", *args],
                          capture_output=True, text=True, timeout=60 * SLOWNESS, stdin=subprocess.DEVNULL,
                          env={"PATH": str(Path(npm[0]).parent), "HOME": str(stack.folder)})
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if not code else {"error": done.stdout + done.stderr}


def test_mcps_inspector(npm: tuple[str, str], stack: Stack) -> None:
    stack.model.when("rooms", ["Let me see. ", Call("list_label_values", {"label": "room"})], ["Three rooms."])
    tools = inspector(npm, stack, "alice", "--method", "tools/list")["tools"]
    assert {"ask", "execute_range_query"} <= {t["name"] for t in tools}
    one = inspector(npm, stack, "alice", "--method", "tools/call", "--tool-name", "list_label_values", "--tool-arg", "label=room")
    assert "kitchen" in one["content"][0]["text"] and not one.get("isError")
    told = inspector(npm, stack, "alice", "--method", "tools/call", "--tool-name", "ask", "--tool-arg", "question=which rooms")
    assert told["content"][0]["text"] == "Three rooms."
    listed = inspector(npm, stack, "alice", "--method", "resources/list")["resources"]
    uri = f"persai://conversation/{told['structuredContent']['conversation']}"
    assert uri in [r["uri"] for r in listed]
    read = inspector(npm, stack, "alice", "--method", "resources/read", "--uri", uri)
    assert "Three rooms." in read["contents"][0]["text"]
    prompt = inspector(npm, stack, "alice", "--method", "prompts/get", "--prompt-name", "explain_panel", "--prompt-args",
                       "panel=Kitchen")
    assert "Kitchen" in prompt["messages"][0]["content"]["text"]


def agui(npm: tuple[str, str], stack: Stack, thread: str, *steps: str, user: str = "carol", gateway: int = 0) -> Script:
    return Script(npm, "agui", stack.gateways[gateway].url + "/agui", bearer(stack, user), thread, *steps)


def ends(lines: list[dict]) -> list[dict]:
    return [line for line in lines if "at" not in line]


def texts(line: dict) -> list[str]:
    return [m["content"] for m in line["messages"] if m["role"] == "assistant" and m.get("content")]


def test_agui_runs_is_interrupted_and_goes_on(npm: tuple[str, str], stack: Stack, board: Dashboard) -> None:
    saves(stack, board.call())
    stack.model.when("rooms", ["Let me see.", Call("list_label_values", {"label": "room"})], ["Three rooms."])
    stack.model.when("fail", [Status(401)])
    first, second, third, fourth, fifth = ends(agui(npm, stack, uuid.uuid4().hex, "ask", "which rooms", "ask", "save it",
                                                    "yes", "ask", "fail", "join").lines())
    assert first["outcome"]["type"] == "success" and texts(first) == ["Let me see.", "Three rooms."]
    assert "TOOL_CALL_RESULT" in first["events"] and not first["error"]
    assert second["outcome"]["type"] == "interrupt" and len(second["pending"]) == 1
    assert third["outcome"]["type"] == "success" and not third["pending"] and board.titles() == ["Kitchen"]
    assert fourth["error"] and not fourth["outcome"]
    assert texts(fifth)[:2] == texts(first) and fifth["events"] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]


def test_agui_is_cancelled_rejoined_and_loses_its_gateway(npm: tuple[str, str], bare: Stack) -> None:
    stack = bare.start(gateways=2)
    thread, gate = uuid.uuid4().hex, Gate()
    stack.model.when("story", ["One ", gate, "two."])
    first = agui(npm, stack, thread, "ask", "a story")
    assert first.line() == {"step": "ask", "at": "text"}
    second = agui(npm, stack, thread, "join", gateway=1)
    assert second.line() == {"step": "join", "at": "text"}
    stack.gateways[0].process.kill()
    lost, = ends(first.lines())
    assert lost["error"] or not lost["outcome"]
    gate.open()
    joined, = ends(second.lines())
    assert joined["outcome"]["type"] == "success" and "".join(texts(joined)).endswith("two."), joined
    again, never = Gate(), "never"
    stack.model.when("long", ["It begins", again, never])
    asked = agui(npm, stack, thread, "ask", "long", gateway=1)
    assert asked.line()["at"] == "text"
    cancelled = ends(agui(npm, stack, thread, "cancel", gateway=1).lines())[0]
    assert cancelled["outcome"]["type"] == "cancelled" == ends(asked.lines())[0]["outcome"]["type"]
    again.open()


def test_openais_sdk(npm: tuple[str, str], bare: Stack) -> None:
    keys = Keys(bare.folder)
    key = keys.make("chat")
    stack = bare.start(gateway_env=keys.env())
    stack.model.when("Is it up?", ["Let me look.", Call("execute_range_query", {"query": "up"})], ["It is ", "up 🟢."])
    url = stack.gateway.url + "/v1"
    stream, = Script(npm, "openai", url, key, "stream").lines()
    whole, = Script(npm, "openai", url, key, "whole").lines()
    assert stream["text"] == whole["text"] == "Let me look.\n\nIt is up 🟢." and stream["finish"] == "stop"
    assert stream["usage"] == whole["usage"] and stream["usage"]["total_tokens"] > 0 and "persai" in whole["models"]
    errors, = Script(npm, "openai", url, key, "errors").lines()
    assert {name: (one["kind"], one["status"]) for name, one in errors.items()} == {
        "key": ("AuthenticationError", 401), "model": ("NotFoundError", 404), "messages": ("BadRequestError", 400),
        "tools": ("BadRequestError", 400)}
    assert errors["tools"]["code"] == "client_tools_unsupported"
    gate = Gate()
    stack.model.when("Is it up?", ["It ", gate, "is."])
    assert Script(npm, "openai", url, key, "close").lines() == [{"closed": True}]
    until(lambda: metric(stack.worker.url, "turns_running") == 0, "the turn to end")  # its model says no more
    gate.open()


def test_librechats_configuration_is_one(npm: tuple[str, str]) -> None:
    """What gateway/README.md says to write is what LibreChat's own schema takes, and read as it is meant."""
    page = (Path(__file__).parents[2] / "gateway" / "README.md").read_text()
    written = re.search(r"LibreChat, in\s+`librechat\.yaml`[^`]*```yaml\n(.*?)```", page, re.S)
    assert written
    config = yaml.safe_load(written[1])
    done = subprocess.run([npm[0], f"{npm[1]}/librechat_config.mjs"], input=json.dumps(config), capture_output=True, text=True,
                          timeout=60 * SLOWNESS)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["issues"] == [] and config["version"] == told["version"], told
    assert told["read"] == config["endpoints"]["custom"]  # a name that it does not know would be left out


@pytest.mark.long  # half a gigabyte of packages, once; then 5 s
@pytest.mark.timeout(1200)
def test_librechats_agents(npm_librechat: tuple[str, str], bare: Stack) -> None:
    keys = Keys(bare.folder)
    key = keys.make("chat")
    stack = bare.start(gateway_env=keys.env())
    stack.model.when("Is it up?", ["Let me look.", Call("execute_range_query", {"query": "up"})], ["It is ", "up."])
    url = stack.gateway.url + "/v1"
    told, = Script(npm_librechat, "librechat", url, key, "persai").lines()
    assert [part["text"] for part in told["content"]] == ["Let me look.\n\nIt is up."], told
    wrong, = Script(npm_librechat, "librechat", url, "pk-wrong", "persai").lines()
    assert wrong["status"] == 401, wrong
    unknown, = Script(npm_librechat, "librechat", url, key, "gpt-5").lines()
    assert unknown["status"] == 404, unknown
