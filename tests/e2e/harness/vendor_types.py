"""Requests to models, held to the official SDKs' types."""

import anthropic
from google.genai import types
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter

PARAMS = {"chat": TypeAdapter(CompletionCreateParamsStreaming), "responses": TypeAdapter(ResponseCreateParamsStreaming),
          "messages": TypeAdapter(anthropic.types.message_create_params.MessageCreateParamsStreaming)}


def read_all(value: object) -> None:
    """pydantic checks what is Iterable only as it is read."""
    if isinstance(value, dict):
        value = value.values()
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        for member in value:
            read_all(member)


def check_types(api: str, body: dict) -> None:
    if api != "generate":
        read_all(PARAMS[api].validate_python(body))
        return
    for content in [*body["contents"], body["systemInstruction"]]:
        types.Content.model_validate(content)
    for tool in body.get("tools", []):
        types.Tool.model_validate(tool)
