"""A small agent loop around the demo model, for its tests: runs its tool calls against a Prometheus and gives the
results back as a PersAI worker does, until it answers."""

from __future__ import annotations

import json
import pathlib
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime, timezone
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "compose" / "demo-model"))

import brain  # noqa: E402

ROUNDS_MAX = 10


def tool(name: str, required: list[str], **properties: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {k: {"type": v} for k, v in properties.items()}, "required": required}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": schema}}


TOOLS = [
    tool("list_metrics", []),
    tool("execute_range_query", ["query"], query="string", start="string", end="string", step="string"),
    tool("execute_instant_query", ["query"], query="string", time="string"),
    tool("list_label_values", ["label"], label="string"),
]


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **parameters: str) -> Any:
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}") as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as e:
            with e:
                return {"error": json.load(e)["error"]}

    def run(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        now = time.time()
        if name == "list_metrics":
            known = self.get("metadata")
            rows = []
            for metric in self.get("label/__name__/values"):
                base = metric
                for suffix in ("_bucket", "_count", "_sum"):
                    base = metric if metric in known else metric.removesuffix(suffix)
                    if base in known:
                        break
                told = known.get(base, [{}])[0]
                kind = told.get("type", "unknown")
                rows.append({"name": metric, "type": kind, "help": told.get("help", ""), "unit": ""})
            return {"metrics": rows, "total": len(rows)}
        if name == "execute_instant_query":
            data = self.get("query", query=arguments["query"])
            rows = data.get("result", [])
            series = [{"labels": r["metric"], "last": float(r["value"][1])} for r in rows]
        else:
            start = datetime.fromisoformat(arguments["start"]).timestamp() if "start" in arguments else now - 600
            step = arguments.get("step", "5s")
            data = self.get("query_range", query=arguments["query"], start=str(start), end=str(now), step=step)
            series = []
            for r in data.get("result", []):
                v = [float(p[1]) for p in r["values"]]
                figures = {"min": min(v), "max": max(v), "avg": sum(v) / len(v), "first": v[0], "last": v[-1]}
                series.append({"labels": r["metric"], **figures})
        if "error" in data:
            return data
        return {"series": series, "series_total": len(series)}


class Conversation:
    """`run`: what executes a tool: its name and arguments → the result."""

    def __init__(self, run: Any, tools: list[dict[str, Any]] | None = None) -> None:
        self.run = run
        self.tools = TOOLS if tools is None else tools
        self.messages: list[dict[str, Any]] = [{"role": "system", "content": "You are PersAI."}]
        self.calls: list[tuple[str, dict[str, Any]]] = []  # of the last question
        self.results: list[dict[str, Any]] = []

    def ask(self, question: str) -> str:
        self.messages.append({"role": "user", "content": question})
        self.calls, self.results = [], []
        for _ in range(ROUNDS_MAX):
            reply = brain.respond({"messages": self.messages, "tools": self.tools}, datetime.now(timezone.utc))
            if not reply.calls:
                self.messages.append({"role": "assistant", "content": reply.text})
                return reply.text
            calls = [
                {
                    "id": f"c{len(self.messages)}-{i}",
                    "type": "function",
                    "function": {"name": c.name, "arguments": brain.arguments_json(c)},
                }
                for i, c in enumerate(reply.calls)
            ]
            self.messages.append({"role": "assistant", "content": reply.text, "tool_calls": calls})
            for call, made in zip(calls, reply.calls):
                result = self.run(made.name, made.arguments)
                self.calls.append((made.name, made.arguments))
                self.results.append(result)
                self.messages.append({"role": "tool", "tool_call_id": call["id"], "content": json.dumps(result)})
        raise AssertionError(f"no answer after {ROUNDS_MAX} rounds: {self.calls}")

    @property
    def queries(self) -> list[str]:
        return [a["query"] for _, a in self.calls if "query" in a]
