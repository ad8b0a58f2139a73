"""MCP's own conformance suite (npm) against POST /mcp. The page says which of its checks are not for us, and why."""

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fakes.model import Call, Delay, Gate, Status
from fakes.server import Exchange, Fake, Request
from harness.approvals import Dashboard
from harness.clock import by_the_clock
from harness.stack import Stack

PAGE = (Path(__file__).parents[1] / "README.md").read_text().partition("## MCP's conformance suite")[2].partition("\n## ")[0]
EXCUSED = {word for row in re.findall(r"^\|[^|]*\|([^|]*)\|$", PAGE, re.M) for word in re.findall("`(.*?)`", row)}
ROOMS = ("list_label_values", {"label": "room"})


class Named(Fake):
    """The suite has no sign-in, and asks for tools, prompts and resources by names of its own: this relay signs in, and gives
    ours those names."""

    def __init__(self, stack: Stack, board: Dashboard) -> None:
        self.target = urlsplit(stack.gateway.url)
        carol = stack.client("carol", bearer=True)
        self.token = carol.bearer
        self.conversation = f"persai://conversation/{carol.session(title='Room 123')}"
        write = ("save_panel", board.call().arguments)
        self.names = {
            "greet": ROOMS, "test_simple_text": ROOMS, "test_logging_tool": ROOMS, "test_streaming_elicitation": ROOMS,
            "test_error_handling": ("execute_instant_query", {"query": "("}), "test_missing_capability": write,
            "test_tool_with_progress": ("ask", {"question": "with progress"}), "confirm_delete": write,
            "test_input_required_result_elicitation": write, "test_input_required_result_tampered_state": write,
            "test_simple_prompt": ("investigate_alert", {"alert": "Hot"}),
            "test_prompt_with_arguments": ("explain_panel", {"panel": "testValue1, testValue2"})}
        super().__init__()

    def rename(self, asked: dict) -> None:
        params = asked["params"]
        name, given = params.get("name"), params.get("arguments") or {}
        if name in ("slow_compute", "failing_job"):
            params.update(name="ask", arguments={"question": f"{name} {given.get('seconds', '')}"})
        elif name in self.names:
            params["name"], params["arguments"] = self.names[name]
        if params.get("uri") in ("test://static-text", "test://template/123/data"):
            params["uri"] = self.conversation

    def answer(self, exchange: Exchange, request: Request) -> None:
        skip = ("connection", "content-length", "accept-encoding")
        headers = {k: v for k, v in request.headers if k.lower() not in skip}
        body = request.body
        try:
            asked = json.loads(body)
            before = asked["params"].get("name") or asked["params"].get("uri")
            self.rename(asked)
        except (ValueError, KeyError, TypeError):
            pass
        else:
            after = asked["params"].get("name") or asked["params"].get("uri")
            if before != after:
                headers.update({k: after for k, v in headers.items() if k.lower() == "mcp-name" and v == before})
                body = json.dumps(asked).encode()
        connection = http.client.HTTPConnection(self.target.netloc, timeout=120)
        connection.request(request.method, request.target, body, {**headers, "Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        exchange.reply(answer.status, answer.read(), answer.headers.get("Content-Type", "application/json"))
        connection.close()


@pytest.fixture
def named(stack: Stack, board: Dashboard) -> Iterator[str]:
    """The URL of the relay."""
    gate = Gate()
    stack.model.when("slow_compute 60", [gate, "never"])
    for seconds in (0, 1, 2):
        stack.model.when(f"slow_compute {seconds}", [Delay(seconds), "Computed."])
    stack.model.when("failing_job", [Status(401)])
    stack.model.when("with progress", [Call(*ROOMS), Call(*ROOMS), Call(*ROOMS)], [Call(*ROOMS)], ["Done."])
    with Named(stack, board) as relay:
        yield relay.url
        gate.open()


def failing(npm: tuple[str, str], folder: Path, url: str, *args: str) -> set[str]:
    """The ids of the checks that are neither passed nor left out by the suite itself."""
    suite = f"{npm[1]}/node_modules/@modelcontextprotocol/conformance/dist/index.js"
    done = subprocess.run([npm[0], suite, "server", "--url", url + "/mcp", "-o", folder, *args], capture_output=True, text=True,
                          timeout=300, stdin=subprocess.DEVNULL)
    checks = [check for file in folder.glob("*/checks.json") for check in json.loads(file.read_text())]
    assert len([c for c in checks if c["status"] == "SUCCESS"]) > 1, done.stdout + done.stderr
    wrong = {c["id"]: c.get("errorMessage", "") for c in checks if c["status"] not in ("SUCCESS", "INFO", "SKIPPED")}
    print(json.dumps(wrong, indent=1))
    return set(wrong)


@by_the_clock  # the suite gives some requests half a second
@pytest.mark.timeout(600)  # npm's packages may have to be installed first
def test_what_applies_passes(npm: tuple[str, str], named: str, tmp_path: Path) -> None:
    wrong = set()
    for revision in ("2026-07-28", "2025-11-25"):
        wrong |= failing(npm, tmp_path / revision, named, "--requirements", revision)
    assert wrong == EXCUSED, f"not passed: {sorted(wrong - EXCUSED)}; on the page, but passed: {sorted(EXCUSED - wrong)}"


def test_where_nobody_signs_in_other_hosts_are_refused(npm: tuple[str, str], stack: Stack, tmp_path: Path) -> None:
    """Where a token is needed a name that was bound anew brings none: this is for PERSAI_AUTH=false."""
    open_to_all = stack.add_gateway(PERSAI_AUTH="false")
    assert not failing(npm, tmp_path / "results", open_to_all.url, "--scenario", "dns-rebinding-protection")
