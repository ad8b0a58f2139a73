"""Requests in shapes that nobody thought of: the demo model answers them, whatever stands where in them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import brain
from agent import TOOLS
from hypothesis import given, settings
from hypothesis import strategies as st

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
QUERY_TOOLS = ["list_metrics", "execute_range_query", "execute_instant_query", "list_label_values"]
KEYS = ["metrics", "name", "type", "help", "labels", "series", "last", "points", "values", "error", "text", "note"]

scalars = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["", "up", "cpu?", "1e400"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)
texts = values.map(json.dumps) | st.sampled_from(["Is it up?", "cpu and memory?", "{", '{"person": 1}'])
ids = st.sampled_from(["a", "b"])


def odd(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(usual, usual, usual, values)


calls = st.fixed_dictionaries(
    {},
    optional={
        "id": odd(ids),
        "function": odd(
            st.fixed_dictionaries({}, optional={"name": odd(st.sampled_from(QUERY_TOOLS)), "arguments": odd(texts)})
        ),
    },
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "role": odd(st.sampled_from(["system", "user", "assistant", "tool"])),
        "content": odd(texts),
        "tool_calls": odd(st.lists(odd(calls), max_size=3)),
        "tool_call_id": odd(ids),
    },
)
tools = odd(st.just(TOOLS) | st.lists(odd(st.sampled_from(TOOLS)), max_size=3))


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.lists(odd(messages), min_size=1, max_size=5), tools)
def test_whatever_is_in_a_request_it_is_answered(told: list[Any], offered: Any) -> None:
    reply = brain.respond({"model": "demo", "messages": told, "tools": offered}, NOW)
    assert isinstance(reply.text, str)
    for call in reply.calls:
        assert isinstance(json.loads(brain.arguments_json(call)), dict)


@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.sampled_from(QUERY_TOOLS), odd(texts), odd(texts))
def test_whatever_a_tool_tells_it_is_answered(name: str, arguments: Any, result: Any) -> None:
    call = {"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}}
    told = [
        {"role": "user", "content": "Is it up, and how busy is the CPU?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": result},
    ]
    assert isinstance(brain.respond({"messages": told, "tools": TOOLS}, NOW).text, str)
