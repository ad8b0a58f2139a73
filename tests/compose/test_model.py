"""Which model is chosen by the environment, and what is said when it would refuse."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import model
import pytest


class Provider:
    """A server with OpenAI's API: `key` is the one it takes, `listed` what /models says, `served` what answers."""

    def __init__(self) -> None:
        self.key, self.listed, self.served = "right", ["small", "large"], ["small", "large"]
        self.limit = "max_completion_tokens"
        self.asked: list[tuple[str, str]] = []
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self, status: int, value: Any) -> None:
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def refuse(self, status: int, message: str) -> None:
                self.answer(status, {"error": {"message": message}})

            def allowed(self) -> bool:
                provider.asked.append((self.command, self.path))
                if provider.key and self.headers.get("Authorization") != f"Bearer {provider.key}":
                    self.refuse(401, "Incorrect API key provided.")
                    return False
                return True

            def do_GET(self) -> None:
                if self.allowed():
                    if provider.listed:
                        self.answer(200, {"data": [{"id": m} for m in provider.listed]})
                    else:
                        self.refuse(404, "no such page")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if not self.allowed():
                    return
                if provider.limit not in body:
                    self.refuse(400, f"use {provider.limit}")
                elif body["model"] not in provider.served:
                    self.refuse(404, f"The model {body['model']} does not exist.")
                else:
                    self.answer(200, {"choices": []})

            def log_message(self, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def choice(self, **environment: str) -> model.Choice:
        chosen = model.choose({"OPENAI_BASE_URL": self.url, "OPENAI_API_KEY": "right"} | environment)
        model.check(chosen)
        return chosen


@pytest.fixture
def provider() -> Iterator[Provider]:
    p = Provider()
    yield p
    p.server.shutdown()
    p.server.server_close()


def test_without_settings_it_is_the_demo_model() -> None:
    chosen = model.choose({})
    assert chosen.is_demo
    assert "demo model" in chosen.description


def test_a_key_alone_means_openai() -> None:
    chosen = model.choose({"OPENAI_API_KEY": "k"})
    assert (chosen.base_url, chosen.name) == ("https://api.openai.com/v1", "gpt-5-mini")


@pytest.mark.parametrize("environment", [
    {"ANTHROPIC_API_KEY": "a", "PERSAI_DEFAULT_MODEL": "anthropic/claude-sonnet-5-5"},
    {"GOOGLE_API_KEY_FILE": "/key"},
    {"PERSAI_MODELS": "/models.json", "PERSAI_DEFAULT_MODEL": "big"},
    {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "k", "PERSAI_DEFAULT_MODEL": "anthropic/claude-sonnet-5-5"},
])
def test_a_model_of_another_provider_is_the_workers_to_find(environment: dict[str, str]) -> None:
    chosen = model.choose(environment)
    model.check(chosen)  # asks nobody
    assert not chosen.is_demo and chosen.description == environment.get("PERSAI_DEFAULT_MODEL", chosen.description)
    assert {n: v for n, v in chosen.worker_env(environment).items() if not n.lower() == "no_proxy"} == environment


def test_with_both_keys_a_model_of_openais_is_asked(provider: Provider) -> None:
    chosen = provider.choice(ANTHROPIC_API_KEY="a", PERSAI_DEFAULT_MODEL="openai/large")
    assert chosen.name == "large" and chosen.worker_env({"ANTHROPIC_API_KEY": "a"})["ANTHROPIC_API_KEY"] == "a"


def test_a_key_may_be_in_a_file(tmp_path: Any) -> None:
    (tmp_path / "key").write_text("k\n")
    assert model.choose({"OPENAI_API_KEY_FILE": str(tmp_path / "key")}).key == "k"
    with pytest.raises(model.ModelError, match="cannot be read"):
        model.choose({"OPENAI_API_KEY_FILE": str(tmp_path / "none")})


def test_a_server_of_ones_own_needs_no_key(provider: Provider) -> None:
    provider.key = ""
    assert provider.choice(OPENAI_API_KEY="").name == "small"  # the first that it offers


def test_the_model_that_is_named_is_taken(provider: Provider) -> None:
    assert provider.choice(PERSAI_DEFAULT_MODEL="openai/large").name == "large"
    assert ("POST", "/v1/chat/completions") not in provider.asked  # the list was enough


def test_names_with_slashes_stay_whole(provider: Provider) -> None:
    provider.listed = provider.served = ["meta/llama:8b"]
    assert provider.choice(PERSAI_DEFAULT_MODEL="openai/meta/llama:8b").name == "meta/llama:8b"


def test_a_refused_key_is_said(provider: Provider) -> None:
    with pytest.raises(model.ModelError, match="refused the key in OPENAI_API_KEY.*Incorrect API key"):
        provider.choice(OPENAI_API_KEY="wrong")


def test_a_refused_model_is_said_with_what_there_is(provider: Provider) -> None:
    with pytest.raises(model.ModelError, match="refused the model huge.*does not exist.*offers small, large"):
        provider.choice(PERSAI_DEFAULT_MODEL="openai/huge")


def test_a_model_that_is_served_but_not_listed_is_fine(provider: Provider) -> None:
    provider.served = ["hidden"]
    assert provider.choice(PERSAI_DEFAULT_MODEL="openai/hidden").name == "hidden"


@pytest.mark.parametrize("limit", ["max_completion_tokens", "max_tokens"])
def test_a_server_without_a_list_is_asked_for_an_answer(provider: Provider, limit: str) -> None:
    provider.listed, provider.limit = [], limit
    assert provider.choice(PERSAI_DEFAULT_MODEL="openai/small").name == "small"
    with pytest.raises(model.ModelError, match="refused the model huge"):
        provider.choice(PERSAI_DEFAULT_MODEL="openai/huge")


def test_a_server_that_names_no_model_needs_one_named(provider: Provider) -> None:
    provider.listed = []
    with pytest.raises(model.ModelError, match="set PERSAI_DEFAULT_MODEL"):
        provider.choice()


def test_an_unreachable_server_is_said() -> None:
    chosen = model.choose({"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    with pytest.raises(model.ModelError, match="cannot be reached at http://127.0.0.1:9/v1"):
        model.check(chosen)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"PERSAI_DEFAULT_MODEL": "openai/x"}, "neither a provider's key nor OPENAI_BASE_URL"),
        ({"PERSAI_DEFAULT_MODEL": "anthropic/x"}, "neither a provider's key nor OPENAI_BASE_URL"),
        ({"PERSAI_DEFAULT_MODEL": "gpt-5", "OPENAI_API_KEY": "k"}, "must be openai/MODEL"),
        ({"OPENAI_BASE_URL": "localhost:11434"}, "must start with http"),
    ],
)
def test_settings_that_cannot_be_meant_are_said(environment: dict[str, str], said: str) -> None:
    with pytest.raises(model.ModelError, match=said):
        model.choose(environment)


def test_a_worker_gets_the_key_and_nothing_that_is_not_its_own(provider: Provider) -> None:
    chosen = provider.choice()
    env = chosen.worker_env({"AWS_SECRET": "s", "ANTHROPIC_API_KEY": "a", "HTTPS_PROXY": "p", "PERSAI_STEPS": "3",
                             "PERSAI_REDIS": "r", "PERSAI_REDIS_FILE": "f", "OPENAI_API_KEY_FILE": "k", "PERSAI_MCP": ""})
    assert (env["ANTHROPIC_API_KEY"], env["HTTPS_PROXY"], env["PERSAI_STEPS"]) == ("a", "p", "3")
    assert not {"PERSAI_REDIS", "PERSAI_REDIS_FILE", "OPENAI_API_KEY_FILE", "PERSAI_MCP"} & set(env)
    assert env["OPENAI_API_KEY"] == "right"
    assert env["OPENAI_BASE_URL"] == provider.url
    assert env["PERSAI_DEFAULT_MODEL"] == "openai/small"
    assert "AWS_SECRET" not in env
    assert "right" not in chosen.description
