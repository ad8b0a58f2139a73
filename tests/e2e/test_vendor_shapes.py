"""What vendors' servers answer, in their own shapes: errors, streams and encodings as their pages and bug reports show
them. Each ends in the right answer or in the right error."""

import ctypes
import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.providers import STREAMS
from fakes.server import Exchange, Fake, Request
from harness.sse import Log
from harness.stack import Stack

SSE, JSON = "text/event-stream", "application/json"


@dataclass
class Answer:
    status: int
    body: bytes
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Case:
    """answers: the last one is for all later requests; the final event: a code, or "" and what it says; asked: requests."""

    answers: list[Answer]
    code: str = ""
    says: str = r"fine\."
    asked: int = 0
    api: str = "chat"


def error(status: int, body: object, **headers: str) -> Answer:
    return Answer(status, json.dumps(body).encode(), headers={k.replace("_", "-"): v for k, v in headers.items()})


def chunk(delta: dict, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice], **more}).encode() + b"\n\n"


def stream(*pieces: bytes, content_type: str = SSE) -> Answer:
    return Answer(200, b"".join(pieces), content_type)


DONE = b"data: [DONE]\n\n"
STOP = chunk({}, "stop")
FINE = stream(chunk({"content": "All is "}), chunk({"content": "fine."}), STOP, DONE)
OBJECTS = [line.removeprefix(b"data: ") for line in FINE.body.splitlines() if line.startswith(b"data: {")]
WHOLE = json.dumps({"object": "chat.completion", "choices": [{"index": 0, "message": {
    "role": "assistant", "content": "All is fine."}, "finish_reason": "stop"}]}).encode()
CALL = {"name": "list_metrics", "arguments": "{}"}


def broken(event: dict) -> list[Answer]:
    """Before anything was said, and then in the middle of it."""
    data = b"data: " + json.dumps(event).encode() + b"\n\n"
    return [stream(data), stream(chunk({"content": "All is"}), data), FINE]


def brotli(data: bytes) -> bytes:
    size = ctypes.c_size_t(len(data) + 4096)
    out = ctypes.create_string_buffer(size.value)
    lib = ctypes.CDLL("libbrotlienc.so.1")  # libcurl has it
    assert lib.BrotliEncoderCompress(9, 22, 0, ctypes.c_size_t(len(data)), data, ctypes.byref(size), out)
    return out.raw[:size.value]


def zstd(data: bytes) -> bytes:
    lib, size = ctypes.CDLL("libzstd.so.1"), len(data) + 4096
    lib.ZSTD_compress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(size)
    size = lib.ZSTD_compress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)), 3)
    return out.raw[:size]


CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli, "zstd": zstd,
           "gzip, br": lambda data: brotli(gzip.compress(data))}


def coded(answer: Answer, coding: str) -> Answer:
    return Answer(answer.status, CODINGS[coding](answer.body), answer.content_type, {"Content-Encoding": coding})


REFUSED = error(400, {"error": {"message": "it is not so", "type": "invalid_request_error"}})
BOMB = chunk({"content": "x"}) + b": " + b"a" * (300 << 20)
GEMINI_QUOTA = "You exceeded your current quota, please check your plan and billing details."
CASES = {
    **{f"coded_{c.replace(', ', '_')}": Case([coded(FINE, c)]) for c in CODINGS},
    **{f"refused_{c.replace(', ', '_')}": Case([coded(REFUSED, c)], "model_refused", "it is not so", 1) for c in CODINGS},
    "coded_wrongly": Case([Answer(200, FINE.body, SSE, {"Content-Encoding": "gzip"})], "model_broken|model_unavailable", ""),
    # Errors
    "azure_throttled": Case([error(429, {"error": {"code": "429", "message": (
        "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21 have exceeded token rate "
        "limit of your current OpenAI S0 pricing tier. Please retry after 1 second.")}}), FINE], asked=2),
    "azure_filtered": Case([error(400, {"error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        "type": None, "param": "prompt", "code": "content_filter", "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"}}})], "model_refused", "content management policy", 1),
    "azure_apim": Case([error(429, {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 1 seconds."}), FINE],
                       asked=2),
    "azure_no_deployment": Case([error(404, {"error": {"code": "DeploymentNotFound", "message": (
        "The API deployment for this resource does not exist.")}})], "model_refused", "does not exist", 1),
    "bedrock_throttled": Case([error(429, {"message": "Too many tokens, please wait before trying again."},
                                     x_amzn_ErrorType="ThrottlingException"), FINE], asked=2),
    "bedrock_400_throttled": Case([error(400, {"__type": "com.amazon.coral.service#ThrottlingException",
                                               "message": "Rate exceeded"}), FINE], asked=2),
    "bedrock_capital": Case([error(400, {"Message": "Input is too long for requested model."}), FINE], asked=2),
    "bedrock_not_ready": Case([error(429, {"message": "Model is not ready for inference."},
                                     x_amzn_ErrorType="ModelNotReadyException"), FINE], asked=2),
    "vertex_list": Case([error(429, [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": (
        "Resource has been exhausted (e.g. check quota).")}}]), FINE], asked=2),
    "mistral_throttled": Case([error(429, {"object": "error", "message": "Service tier capacity exceeded for this model.",
                                           "type": "service_tier_capacity_exceeded", "param": None, "code": "3505"}), FINE],
                              asked=2),
    "mistral_extra": Case([error(422, {"object": "error", "message": {"detail": [
        {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]},
        "type": "invalid_request_error"}), FINE], asked=2),
    "mistral_plain": Case([error(429, {"message": "Requests rate limit exceeded"}), FINE], asked=2),
    "fastapi_extra": Case([error(422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"],
                                                   "msg": "Extra inputs are not permitted"}]}), FINE], asked=2),
    "xai_long": Case([error(400, {"code": "Client specified an invalid argument", "error": (
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.")}), FINE], asked=2),
    "xai_credits": Case([error(403, {"code": "The caller does not have permission to execute the specified operation", "error": (
        "Your team has either used all available credits or reached its monthly spending limit.")})],
        "model_refused", "quota is used up", 1),
    "vllm_long": Case([error(400, {"object": "error", "message": (
        "This model's maximum context length is 32768 tokens. However, you requested 40960 tokens."),
        "type": "BadRequestError", "param": None, "code": 400}), FINE], asked=2),
    "llama_loading": Case([error(503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}), FINE],
                          asked=2),
    "llama_long": Case([error(400, {"error": {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9000,
        "message": "the request exceeds the available context size, try increasing it"}}), FINE], asked=2),
    "ollama_missing": Case([error(404, {"error": {"message": "model 'x' not found", "type": "api_error", "param": None,
                                                  "code": None}})], "model_refused", "not found", 1),
    "openrouter_wrapped": Case([error(429, {"error": {"message": "Provider returned error", "code": 429, "metadata": {
        "raw": "x is temporarily rate-limited upstream. Please retry shortly.", "provider_name": "y"}}}), FINE], asked=2),
    "openrouter_200": Case([error(200, {"error": {"message": "Internal Server Error", "code": 500}}), FINE], asked=2),
    "litellm_throttled": Case([error(429, {"error": {"message": "litellm.RateLimitError: RateLimitError: slow down",
                                                     "type": "throttling_error", "param": None, "code": "429"}}), FINE], asked=2),
    "cloudflare": Case([Answer(524, b"<!DOCTYPE html><html>A timeout occurred</html>", "text/html"), FINE], asked=2),
    "plain_text": Case([Answer(503, b"upstream connect error or disconnect/reset before headers", "text/plain"), FINE], asked=2),
    "plain_text_long": Case([Answer(400, b"prompt is too long: 213462 tokens > 200000 maximum", "text/plain"), FINE], asked=2),
    "plain_text_refused": Case([Answer(422, "nicht möglich".encode(), "text/plain")], "model_refused", "nicht möglich", 1),
    "cloudflare_list": Case([error(400, {"success": False, "result": None, "errors": [{"code": 5021, "message": (
        "AiError: The estimated number of tokens (10000) exceeded this model context window limit (8192).")}]}), FINE], asked=2),
    "problem_json": Case([error(400, {"type": "about:blank", "title": "Bad", "status": 400, "detail": "it is not so"})],
                         "model_refused", "it is not so", 1),
    "apigee": Case([error(403, {"fault": {"faultstring": "Spike arrest: it is not so", "detail": {"errorcode": "x"}}})],
                   "model_refused", "", 1),
    "nest": Case([error(400, {"statusCode": 400, "error": "Bad Request", "message": "prompt is too long"}), FINE], asked=2),
    "baidu": Case([error(400, {"error_code": 336007, "error_msg": "prompt tokens too long", "id": "x"}), FINE], asked=2),
    "error_is_empty": Case([stream(chunk({"content": "All is "}, error={}), chunk({"content": "fine."}, error=""), STOP, DONE)]),
    "hugging_face_loads": Case([error(503, {"error": "Model m is currently loading", "estimated_time": 1.2}), FINE], asked=2),
    "wait_as_a_field": Case([error(429, {"error": {"message": "slow down", "retry_after": 1}}), FINE], asked=2),
    "reset_as_a_number": Case([error(429, {"error": {"message": "Provider returned error", "code": 429, "metadata": {
        "headers": {"X-RateLimit-Reset": 1}}}}), FINE], asked=2),
    "http_date": Case([error(429, {"error": {"message": "x"}}, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), FINE], asked=2),
    "deepseek_breaks_off": Case([stream(chunk({}, "insufficient_system_resource"), DONE), FINE], asked=2),
    "vllm_aborts": Case([stream(chunk({"content": "All is"}), chunk({}, "abort"), DONE), FINE], asked=2),
    "empty_502": Case([Answer(502, b"", ""), FINE], asked=2),
    "nest_says_created": Case([Answer(201, FINE.body, SSE)], asked=1),
    "transformed_whole": Case([Answer(203, WHOLE)], asked=1),
    "no_content": Case([Answer(204, b"", ""), FINE], asked=2),
    "redirected": Case([Answer(308, b"", "", {"Location": "https://other.example/v1/chat/completions?k=x"})],
                       "model_refused", r"redirects to https://other\.example/v1/chat/completions \(", 1),
    "gemini_cancelled": Case([error(499, {"error": {"code": 499, "message": "The operation was cancelled.",
                                                    "status": "CANCELLED"}}), FINE], asked=2),
    "deepseek_broke": Case([error(402, {"error": {"message": "Insufficient Balance", "type": "unknown_error"}})],
                           "model_refused", "quota is used up", 1),
    "groq_no_call": Case([error(400, {"error": {"message": "Failed to call a function. Please adjust your prompt.",
                                                "type": "invalid_request_error", "code": "tool_use_failed",
                                                "failed_generation": "<function=list_metrics{}"}}), FINE], asked=2),
    "groq_no_json": Case([error(400, {"error": {"message": "Failed to generate JSON. Please adjust your prompt.",
                                                "type": "invalid_request_error", "code": "json_validate_failed"}}), FINE],
                         asked=2),
    # Errors inside of a stream
    "groq_no_call_in_stream": Case([stream(b'event: error\ndata: {"error":{"message":"Failed to call a function.",'
                                           b'"type":"invalid_request_error","code":"tool_use_failed","status_code":400}}\n\n'),
                                    FINE], asked=2),
    "groq_in_stream": Case(broken({"choices": [{"index": 0, "delta": {}, "finish_reason": None}],
                                   "x_groq": {"id": "req_1", "error": "over capacity"}}), asked=3),
    "openrouter_choice": Case(broken({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error",
                                                   "error": {"code": 502, "message": "Provider disconnected"}}]}), asked=3),
    "openrouter_top": Case(broken({"error": {"code": "server_error", "message": "Provider disconnected unexpectedly"},
                                   "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}), asked=3),
    "vllm_in_stream": Case(broken({"object": "error", "message": "EngineCore died", "type": "InternalServerError", "code": 500}),
                           asked=3),
    "ollama_in_stream": Case(broken({"error": "llama runner process has terminated"}), asked=3),
    "llama_in_stream": Case([stream(b'error: {"code":500,"message":"oops","type":"server_error"}\n\n'), FINE], asked=2),
    "sglang_in_stream": Case(broken({"error": {"object": "error", "message": "aborted", "type": "InternalServerError",
                                               "code": 500}}), asked=3),
    # Streams
    "openrouter_comments": Case([stream(b": OPENROUTER PROCESSING\n\n" * 50, FINE.body)]),
    "deepseek_comments": Case([stream(b": keep-alive\n\n\n", FINE.body, content_type="text/event-stream;charset=utf-8")]),
    "azure_filters": Case([stream(b'data: {"choices":[],"id":"","model":"","object":"","prompt_filter_results":[{'
                                  b'"prompt_index":0,"content_filter_results":{}}]}\n\n', FINE.body)]),
    "azure_async_filter": Case([stream(chunk({"content": "All is fine."}), b'data: {"choices":[{"index":0,"finish_reason":null,'
                                       b'"content_filter_results":{},"content_filter_offsets":{"check_offset":1}}]}\n\n',
                                       STOP, DONE)]),
    "mistral_parts": Case([stream(chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]}),
                                  chunk({"content": [{"type": "text", "text": "All is "},
                                                     {"type": "reference", "reference_ids": [1]}]}),
                                  chunk({"content": "fine."}), STOP, DONE)]),
    "nulls": Case([stream(chunk({"role": "assistant", "content": None, "tool_calls": None, "function_call": None, "refusal": None,
                                 "reasoning_content": None}, usage=None, error=None), FINE.body)]),
    "no_done_no_type": Case([Answer(200, FINE.body.replace(DONE, b""), "")]),
    "octets": Case([Answer(200, FINE.body, "application/octet-stream")]),
    "whole": Case([Answer(200, json.dumps({"object": "chat.completion", "choices": [{"index": 0, "message": {
        "role": "assistant", "content": "All is fine."}, "finish_reason": "stop"}]}).encode())]),
    "whole_blank_lines": Case([Answer(200, b"\n\n   \n" + json.dumps({"choices": [{"message": {"content": "All is fine."},
                                                                                  "finish_reason": "stop"}]}).encode())]),
    # Framings: an object a line, a list, no blank lines, no end of the last line, another content type
    **{f"lines_{name}": Case([Answer(200, b"\n".join(OBJECTS), t)]) for name, t in (
        ("ndjson", "application/x-ndjson"), ("jsonl", "application/jsonl"), ("json", JSON), ("none", ""), ("sse", SSE),
        ("plain", "text/plain; charset=utf-8"))},
    "lines_of_ollama": Case([Answer(200, b"".join(json.dumps(v).encode() + b"\n" for v in (
        {"model": "m", "message": {"role": "assistant", "content": "", "thinking": "Hm"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": "All is "}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": "fine."}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop",
         "prompt_eval_count": 7, "eval_count": 3})), "application/x-ndjson")]),
    "a_list": Case([Answer(200, b"[" + b",\n".join(OBJECTS) + b"]")]),
    "sse_as_json": Case([Answer(200, FINE.body, JSON)]),
    "no_blank_lines": Case([stream(FINE.body.replace(b"\n\n", b"\n"))]),
    "no_last_line_end": Case([stream(FINE.body.replace(DONE, b"").rstrip())]),
    "whole_in_sse": Case([stream(b"data: " + WHOLE + b"\n\n", DONE)]),
    "whole_without_an_end": Case([stream(b"data: " + WHOLE.replace(b'"stop"', b"null") + b"\n\n")]),
    "whole_under_any_type": Case([Answer(200, WHOLE, "text/plain")]),
    "whole_behind_it": Case([stream(chunk({"content": "All is fine."}), b"data: " + WHOLE + b"\n\n", DONE)]),
    "whole_messages": Case([Answer(200, json.dumps({"type": "message", "role": "assistant", "content": [
        {"type": "text", "text": "All is fine."}], "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 2},
        }).encode(), SSE)], api="messages"),
    "whole_responses": Case([Answer(200, json.dumps({"object": "response", "status": "completed", "error": None, "output": [
        {"type": "reasoning", "id": "rs", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
        {"type": "message", "content": [{"type": "output_text", "text": "All is fine."}]}]}).encode(), "text/plain")],
        api="responses"),
    "only_the_end_of_responses": Case([stream(b'data: {"type":"response.completed","response":{"status":"completed","output":[{'
                                              b'"type":"message","content":[{"type":"output_text","text":"All is fine."}]}]}}'
                                              b"\n\n")], api="responses"),
    "lone_end_of_thoughts": Case([stream(chunk({"content": "Hm, so"}), chunk({"content": " it is.\n</thi"}),
                                         chunk({"content": "nk>\n\nAll is "}), chunk({"content": "fine."}), STOP, DONE)],
                                 says=r"^All is fine\.$", asked=2),
    "finish_in_caps": Case([stream(chunk({"content": "All is fine."}), chunk({}, "STOP"), DONE)]),
    "eos": Case([stream(chunk({"content": "All is fine."}), chunk({}, "eos"), DONE)]),
    "empty_finish": Case([stream(chunk({"content": "All is "}, ""), chunk({"content": "fine."}, ""), STOP, DONE)]),
    "usage_everywhere": Case([stream(chunk({"content": "All is "}, usage={"prompt_tokens": 5, "completion_tokens": 1}),
                                     chunk({"content": "fine."}, usage={"prompt_tokens": 5, "completion_tokens": 2}),
                                     STOP, DONE)]),
    "empty_first": Case([stream(STOP, DONE), FINE], asked=2),
    "end_alone_first": Case([stream(DONE), FINE], asked=2),
    # Calls
    "dashscope_call": Case([stream(chunk({"tool_calls": [{"index": 0, "id": "c", "function": {
        "name": "list_metrics", "arguments": '{"sea'}}]}), chunk({"tool_calls": [{"index": 0, "id": "c", "function": {
            "name": "list_metrics", "arguments": '{"search": "cpu"}'}}]}), chunk({}, "tool_calls"), DONE), FINE], asked=2),
    "ollama_call": Case([stream(chunk({"tool_calls": [{"id": "call_1", "index": 0, "type": "function", "function": {
        "name": "list_metrics", "arguments": {"search": "cpu"}}}]}), chunk({}, "tool_calls"), DONE), FINE], asked=2),
    "gemini_call": Case([stream(chunk({"role": "assistant", "tool_calls": [{"id": "", "type": "function", "function": CALL,
                                "extra_content": {"google": {"thought_signature": "c2ln"}}}]}, "stop"), DONE), FINE], asked=2),
    "mistral_call": Case([stream(chunk({"content": "", "tool_calls": [{"id": "aB3dE5gH7", "function": CALL, "index": 0}]},
                                       "tool_calls"), DONE), FINE], asked=2),
    "null_arguments": Case([stream(chunk({"tool_calls": [{"index": 0, "id": "c", "function": {
        "name": "list_metrics", "arguments": None}}]}), chunk({}, "tool_calls"), DONE), FINE], asked=2),
    "empty_arguments": Case([stream(chunk({"tool_calls": [{"index": 0, "id": "c", "function": {
        "name": "list_metrics", "arguments": ""}}]}), chunk({}, "tool_calls"), DONE), FINE], asked=2),
    "number_ids": Case([stream(chunk({"tool_calls": [{"index": 0, "id": 7, "function": CALL}]}), chunk({}, "tool_calls"), DONE),
                        FINE], asked=2),
    # The other formats
    "anthropic_overloaded": Case([error(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
                                  Answer(200, (STREAMS / "messages" / "text.sse").read_bytes(), SSE)], says="", asked=2,
                                 api="messages"),
    "gemini_internal": Case([error(500, {"error": {"code": 500, "message": "An internal error has occurred.",
                                                   "status": "INTERNAL"}}),
                             Answer(200, (STREAMS / "generate" / "text.sse").read_bytes(), SSE)], says="", asked=2,
                            api="generate"),
    "gemini_quota_of_a_minute": Case([error(429, {"error": {"code": 429, "message": GEMINI_QUOTA, "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]}}),
        Answer(200, (STREAMS / "generate" / "text.sse").read_bytes(), SSE)], says="", asked=2, api="generate"),
    "gemini_quota_of_a_day": Case([error(429, {"error": {"code": 429, "message": GEMINI_QUOTA, "status": "RESOURCE_EXHAUSTED",
        "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [
            {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "27s"}]}})],
        "model_refused", "quota is used up", 1, api="generate"),
    "responses_error": Case([stream(b'event: error\ndata: {"type":"error","sequence_number":1,"error":{"type":"server_error",'
                                    b'"code":"server_error","message":"x","param":null}}\n\n'),
                             Answer(200, (STREAMS / "responses" / "text.sse").read_bytes(), SSE)], says="", asked=2,
                            api="responses"),
}
PROVIDER = {"chat": "openai", "responses": "openai", "messages": "anthropic", "generate": "google"}


class Vendors(Fake):
    """A model's base URL names the case: URL/CASE."""

    def __init__(self) -> None:
        self.asked: Counter = Counter()
        super().__init__()

    def answer(self, exchange: Exchange, request: Request) -> None:
        case = request.path.split("/")[1]
        with self.lock:
            n = self.asked[case]
            self.asked[case] += 1
        if case == "bomb":
            a = coded(Answer(200, BOMB, SSE), "gzip")
        else:
            a = CASES[case].answers[min(n, len(CASES[case].answers) - 1)]
        exchange.reply(a.status, a.body, a.content_type, a.headers)


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with Vendors() as fake:
        yield fake
        assert not fake.errors, fake.errors


def start(bare: Stack, folder: Path, vendors: Vendors, names: dict[str, str]) -> Stack:
    rows = [{"name": name, "provider": PROVIDER[api], "api": api, "model": "m", "key_env": "TEST_KEY",
             "base_url": f"{vendors.url}/{name}" + ("/v1" if api in ("chat", "responses") else "")}
            for name, api in names.items()]
    path = folder / "models.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return bare.start(worker_env={"PERSAI_MODELS": str(path), "TEST_KEY": "sk-x", "PERSAI_DEFAULT_MODEL": "",
                                  "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "", "PERSAI_MODEL_BACKOFF": "1ms",
                                  "PERSAI_MODEL_TRIES": "2"})


def problem(case: Case, asked: int, log: Log) -> str:
    final = log.final()
    if case.code:
        ok = final["event_type"] == "error" and re.search(case.code, final["code"]) and re.search(case.says, final["message"])
    else:
        ok = final["event_type"] == "turn_complete" and re.search(case.says, log.answer())
    ok = ok and (case.asked in (0, asked))
    return "" if ok else f"asked {asked} times: {json.dumps(final)[:300]}"


def test_what_vendors_say_is_understood(bare: Stack, tmp_path: Path, vendors: Vendors) -> None:
    stack = start(bare, tmp_path, vendors, {name: case.api for name, case in CASES.items()})
    alice = stack.client()

    def ask(name: str) -> tuple[str, str, Log]:
        log = alice.ask(alice.session(model=name), "how is it?")
        return name, problem(CASES[name], vendors.asked[name], log), log

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(ask, CASES))
    wrong = "\n".join(f"{name}: {why}" for name, why, _ in found if why)
    assert not wrong, wrong
    logs = {name: log for name, _, log in found}
    thoughts = [p["delta"]["text"] for p in logs["mistral_parts"].of("step_progress") if p["delta"]["type"] == "reasoning"]
    assert "".join(thoughts) == "Hm"
    assert logs["whole_behind_it"].answer() == "All is fine."
    events = logs["lone_end_of_thoughts"].of("step_progress")
    assert "".join(e["delta"]["text"] for e in events if e["delta"]["type"] == "reasoning") == "Hm, so it is.\n"
    for name in ("ollama_call", "dashscope_call"):
        assert [c["arguments"] for c, _ in logs[name].tools()] == [{"search": "cpu"}], name
    for name in ("empty_first", "end_alone_first"):
        assert logs[name].answer() == "All is fine.", "the second try is read to its end"


def test_a_bomb_is_bounded(bare: Stack, tmp_path: Path, vendors: Vendors) -> None:
    """300 MiB in 300 KB: what is decoded counts."""
    stack = start(bare, tmp_path, vendors, {"bomb": "chat"})
    alice = stack.client()
    final = alice.ask(alice.session(model="bomb"), "how is it?").final()
    assert final["event_type"] == "error" and final["code"] == "model_broken", final
    assert stack.worker.process.memory_bytes() < 200 << 20
