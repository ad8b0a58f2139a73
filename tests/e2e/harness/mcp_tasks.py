"""A client of MCP that has tasks, by hand: what it says and hears is the wire's."""

import json

from harness.client import Client, Response
from harness.wait import SLOWNESS, until

MODERN = "2026-07-28"
META = "io.modelcontextprotocol/"
TASKS = {"extensions": {META + "tasks": {}}, "elicitation": {"form": {}}}


class Tasks:
    """A client that has the extension, by hand: what it says and hears is the wire's."""

    def __init__(self, client: Client, can: dict | None = None) -> None:
        self.client = client
        self.can = TASKS if can is None else can
        self.count = 0

    def send(self, method: str, name: str, params: dict) -> Response:
        self.count += 1
        meta = {META + "protocolVersion": MODERN, META + "clientCapabilities": self.can}
        return self.client.request("POST", "/mcp", {
            "jsonrpc": "2.0", "id": self.count, "method": method, "params": {**params, "_meta": meta}}, headers={
            "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": MODERN, "Mcp-Method": method,
            "Mcp-Name": name})

    def call(self, tool: str, arguments: dict) -> dict:
        answer = self.send("tools/call", tool, {"name": tool, "arguments": arguments})
        assert answer.status == 200, (answer.status, answer.body)
        return json.loads(answer.body.split(b"data: ")[-1])["result"]

    def ask(self, question: str) -> str:
        task = self.call("ask", {"question": question})
        assert task["resultType"] == "task" and task["status"] == "working" and task["ttlMs"] > 0, task
        return task["taskId"]

    def get(self, task: str) -> dict:
        answer = self.send("tasks/get", task, {"taskId": task})
        assert answer.status == 200, (answer.status, answer.body)
        result = answer.json()["result"]
        assert result["taskId"] == task and result["resultType"] == "complete"
        assert result["createdAt"] <= result["lastUpdatedAt"] and result["pollIntervalMs"] > 0
        return result

    def until(self, task: str, *states: str) -> dict:
        found: dict = {}

        def reached() -> bool:
            found.update(self.get(task))
            return found["status"] in states

        try:
            until(reached, f"the task to be {states}", 20 * SLOWNESS)
        except AssertionError as error:
            raise AssertionError(f"it is {found}") from error
        return found

    def update(self, task: str, responses: dict) -> Response:
        return self.send("tasks/update", task, {"taskId": task, "inputResponses": responses})

    def cancel(self, task: str) -> Response:
        return self.send("tasks/cancel", task, {"taskId": task})
