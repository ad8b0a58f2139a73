"""What /openapi.json says, asked of every answer and event of a gateway that a test reads.

Stricter than a client may be: a field that has no place in the document is a fault, so that it cannot fall behind."""

import functools
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker


class NotAsDescribed(AssertionError):
    pass


def closed(schema: object, inside: bool = False) -> object:
    """No property that is not named; inside: of an allOf, whose whole is closed."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {}
    for key, value in schema.items():
        if key == "properties":
            made[key] = {name: closed(one) for name, one in value.items()}
        elif key == "allOf":
            made[key] = [closed(one, True) for one in value]
        elif key in ("items", "anyOf", "oneOf", "additionalProperties", "not"):
            made[key] = closed(value)
        else:
            made[key] = value
    if not inside and made.keys() & {"properties", "allOf", "$ref"} and "additionalProperties" not in made:
        made["unevaluatedProperties"] = False
    return made


# Of a gateway that was not built here (in a container) nothing is known.
KNOWN = "PERSAI_BUILD" in os.environ


@functools.cache
def document() -> dict:
    build = os.environ["PERSAI_BUILD"]
    answer = subprocess.run([Path(build) / "gateway" / "persai-gateway", "--print-openapi"], capture_output=True, text=True,
                            timeout=60, stdin=subprocess.DEVNULL)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return json.loads(answer.stdout)


@functools.cache
def validator(name: str) -> Draft202012Validator:
    schemas = {key: closed(one, True) for key, one in document()["components"]["schemas"].items()}
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
    root["unevaluatedProperties"] = False
    return Draft202012Validator(root, format_checker=FormatChecker())


def check(name: str, value: object) -> None:
    error = next(iter(validator(name).iter_errors(value)), None)
    if error is not None:
        place = "/".join(str(part) for part in error.absolute_path)
        raise NotAsDescribed(f"no {name} at {place or 'its top'}: {error.message:.800}")


def check_event(payload: dict) -> None:
    if not KNOWN:
        return
    name = f"event_{payload.get('event_type')}"
    if name not in document()["components"]["schemas"]:
        raise NotAsDescribed(f"no such event: {payload!r:.200}")
    check(name, payload)


def path_of(path: str) -> str | None:
    for known in document()["paths"]:
        parts = path.split("?")[0].split("/")
        pattern = known.split("/")
        if pattern[-1] == "{model_id}":  # it has slashes of its own
            parts[len(pattern) - 1:] = ["/".join(parts[len(pattern) - 1:])]
        if len(pattern) == len(parts) and all(a == b or (a.startswith("{") and b) for a, b in zip(pattern, parts)):
            return known
    return None


def error_of(path: str) -> str:
    """A door's client knows its errors only, also where there is no route."""
    doors = {"v1": "OpenAIError", "mcp": "McpMessage", "agui": "AguiError"}
    return doors.get(path.partition("/")[2].partition("/")[0], "Error")


def check_answer(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Nothing is said of what no gateway of ours has answered, nor of a preflight."""
    if not KNOWN or headers.get("PersAI-API") is None or (method == "OPTIONS" and status == 204):
        return
    place = f"{method} {path:.200} → {status}: "
    known = path_of(path)
    operations = document()["paths"].get(known, {}) if method.isupper() else {}  # case counts (RFC 9110, section 9.1)
    operation = operations.get("get" if method == "HEAD" else method.lower())
    if operation is None:
        if status not in (404, 405, 400, 403, 503):
            raise NotAsDescribed(place + "there is no such route")
        if status == 405 and not headers.get("Allow"):
            raise NotAsDescribed(place + "no Allow")
        if method != "HEAD":
            check(error_of(path.partition("?")[0]), json.loads(body))
        return
    answer = operation["responses"].get(str(status))
    if answer is None:
        raise NotAsDescribed(place + f"not one of its statuses: {body!r:.300}")
    if "Retry-After" in answer.get("headers", {}) and not (headers.get("Retry-After") or "").isdigit():
        raise NotAsDescribed(place + "no Retry-After")
    kind = (headers.get("Content-Type") or "").split(";")[0]
    if kind not in answer["content"]:
        raise NotAsDescribed(place + f"is {kind!r}")
    if method == "HEAD" or kind != "application/json":
        return
    value = json.loads(body)
    check(answer["content"][kind]["schema"]["$ref"].rsplit("/", 1)[1], value)
    if "x-codes" in answer and "detail" in value and value["detail"]["code"] not in answer["x-codes"]:
        raise NotAsDescribed(place + f"{value['detail']['code']} is not one of {answer['x-codes']}")
