"""How each door is asked, and how it says that something went wrong."""

import time

DOORS = ("/v1/chat/completions", "/mcp", "/agui")
MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
MCP = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call",
       "Mcp-Name": "ask"}


def question(door: str, words: str) -> dict:
    """As each door is asked."""
    if door == "/mcp":
        return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "ask", "arguments": {"question": words}, "_meta": {**META, "progressToken": "t"}}}
    if door == "/agui":
        return {"threadId": f"thread {words} {time.monotonic()}", "runId": "r", "messages": [
            {"id": "1", "role": "user", "content": words}], "tools": [], "context": [], "state": {}, "forwardedProps": {}}
    return {"model": "persai", "messages": [{"role": "user", "content": words}], "stream": True}


def shape(door: str, answer: dict) -> str:
    """The word of an error, which is of the door's own shape."""
    assert "detail" not in answer, answer
    if door == "/mcp":
        assert answer["jsonrpc"] == "2.0" and answer["id"] is None and answer["error"]["message"]
        return answer["error"]["data"]["code"]
    if door == "/agui":
        assert answer["type"] == "RUN_ERROR" and answer["message"]
        return answer["code"]
    assert answer["error"]["message"] and answer["error"]["type"]
    return answer["error"]["code"]
