"""Which model the workers use, by the environment: that of OPENAI_BASE_URL and OPENAI_API_KEY, one of another provider or
of PERSAI_MODELS, else the demo model. The first is asked once at start, so that a key or a model that is refused is said
there, and not in the first answer; of the others `compose/run check` says it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import settings

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5-mini"
CHECK_TIMEOUT_S = 20.0
BODY_BYTES_MAX = 4_000_000

# Each makes models that only the worker knows.
ELSEWHERE = ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE", "GOOGLE_API_KEY", "GOOGLE_API_KEY_FILE", "PERSAI_MODELS")


class ModelError(Exception):
    """The model cannot be used; the text is a sentence for the person who starts the stack."""


@dataclass
class Choice:
    is_demo: bool
    base_url: str
    name: str  # as the provider calls it; "" when the server is to be asked for its first one
    key: str
    elsewhere: bool = False  # a model of another provider, or of PERSAI_MODELS: name is PERSAI_DEFAULT_MODEL, or ""

    @property
    def description(self) -> str:
        if self.is_demo:
            return "demo model (no OPENAI_API_KEY or OPENAI_BASE_URL is set; it follows fixed rules and is no AI)"
        if self.elsewhere:
            return self.name or "the first of those that are set"
        return f"{self.name or 'the first that is offered'} at {self.base_url}"

    def worker_env(self, environment: Mapping[str, str]) -> dict[str, str]:
        env = settings.told("worker", environment)
        if not self.elsewhere:
            env.pop("OPENAI_API_KEY_FILE", None)
            env |= {"PERSAI_DEFAULT_MODEL": f"openai/{self.name}", "OPENAI_BASE_URL": self.base_url}
            if self.key:
                env["OPENAI_API_KEY"] = self.key
        # The demo model and a model of one's own are on loopback: no proxy leads there.
        env["NO_PROXY"] = env["no_proxy"] = ",".join(filter(None, [env.get("no_proxy", ""), "127.0.0.1,localhost"]))
        return env


def choose(environment: Mapping[str, str]) -> Choice:
    key = environment.get("OPENAI_API_KEY", "")
    url = environment.get("OPENAI_BASE_URL", "").rstrip("/")
    wanted = environment.get("PERSAI_DEFAULT_MODEL", "")
    if not key and (path := environment.get("OPENAI_API_KEY_FILE", "")):
        try:
            with open(path) as f:
                key = f.read().strip()
        except OSError as e:
            raise ModelError(f"OPENAI_API_KEY_FILE cannot be read: {e}") from e
    provider, slash, name = wanted.partition("/")
    if any(environment.get(n) for n in ELSEWHERE) and (not (key or url) or (wanted and provider != "openai")):
        return Choice(False, "", wanted, "", elsewhere=True)
    if not key and not url:
        if wanted:
            raise ModelError(
                f"PERSAI_DEFAULT_MODEL is {wanted}, but neither a provider's key nor OPENAI_BASE_URL is set: "
                "set one of them, or unset it to use the demo model"
            )
        return Choice(True, "", "demo", "")
    if wanted and (not slash or provider != "openai"):
        raise ModelError(f"PERSAI_DEFAULT_MODEL is {wanted}: it must be openai/MODEL, as in openai/{OPENAI_MODEL}")
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise ModelError(f"OPENAI_BASE_URL is {url}: it must start with http:// or https://")
    if not url:
        return Choice(False, OPENAI_URL, name or OPENAI_MODEL, key)
    return Choice(False, url, name, key)


def check(choice: Choice) -> None:
    """Raises ModelError when the model would refuse to answer."""
    if choice.is_demo or choice.elsewhere:
        return
    status, body = ask(choice, "/models")
    if status in (401, 403):
        raise ModelError(f"{choice.base_url} refused the key in OPENAI_API_KEY: {reason(status, body)}")
    offered = model_ids(body) if status == 200 else []
    if not choice.name:
        if not offered:
            raise ModelError(
                f"{choice.base_url}/models names no model ({reason(status, body)}): "
                "set PERSAI_DEFAULT_MODEL=openai/MODEL"
            )
        choice.name = offered[0]
        return
    if choice.name in offered:
        return
    # Not every server lists its models, or all of them: only an answer tells. One token; newer models of
    # OpenAI want the limit under a name that others do not know.
    message = {"model": choice.name, "messages": [{"role": "user", "content": "Say OK."}]}
    for limit in ("max_completion_tokens", "max_tokens"):
        status, body = ask(choice, "/chat/completions", message | {limit: 16})
        if status != 400:
            break
    if status in (401, 403):
        raise ModelError(f"{choice.base_url} refused the key in OPENAI_API_KEY: {reason(status, body)}")
    if status >= 300:
        others = f"; it offers {', '.join(offered[:8])}{' …' if len(offered) > 8 else ''}" if offered else ""
        raise ModelError(f"{choice.base_url} refused the model {choice.name}: {reason(status, body)}{others}")


def ask(choice: Choice, path: str, body: dict | None = None) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if choice.key:
        headers["Authorization"] = f"Bearer {choice.key}"
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(choice.base_url + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=CHECK_TIMEOUT_S) as answer:
            return answer.status, answer.read(BODY_BYTES_MAX)
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read(BODY_BYTES_MAX)
    except (OSError, ValueError) as e:
        why = getattr(e, "reason", e)
        raise ModelError(f"the model cannot be reached at {choice.base_url}: {why}") from e


def model_ids(body: bytes) -> list[str]:
    try:
        return [m["id"] for m in json.loads(body)["data"] if isinstance(m["id"], str)]
    except (ValueError, KeyError, TypeError):
        return []


def reason(status: int, body: bytes) -> str:
    """The server's own words, short and on one line."""
    try:
        error = json.loads(body)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace")
    text = " ".join(text.split())
    return f"HTTP {status}" + (f", {text[:300]}" if text else "")
