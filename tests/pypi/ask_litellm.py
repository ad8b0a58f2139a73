"""LiteLLM as a client of /v1: URL KEY"""

import json
import sys

import litellm

url, key = sys.argv[1:]
ask = {"model": "openai/persai", "api_base": url, "api_key": key, "num_retries": 0, "max_retries": 0,
       "messages": [{"role": "user", "content": "Is it up?"}]}
whole = litellm.completion(**ask)
stream = list(litellm.completion(**ask, stream=True, stream_options={"include_usage": True}))
wrong = {}
for name, other in (("key", {"api_key": "pk-wrong"}), ("model", {"model": "openai/none"}),
                    ("answers", {"n": 2})):
    try:
        litellm.completion(**{**ask, **other})
    except litellm.exceptions.APIError as error:
        wrong[name] = [type(error).__name__, error.status_code]
    except Exception as error:  # its classes are OpenAI's, of which only some are its own APIError
        wrong[name] = [type(error).__name__, getattr(error, "status_code", 0)]
print(json.dumps({
    "whole": whole.choices[0].message.content, "usage": whole.usage.total_tokens, "finish": whole.choices[0].finish_reason,
    "calls": whole.choices[0].message.tool_calls,
    "stream": "".join(c.choices[0].delta.content or "" for c in stream if c.choices), "wrong": wrong}))
