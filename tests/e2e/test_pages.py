"""What the pages tell a stranger to type is run as it stands there."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from fakes.model import Call
from harness.client import DATASOURCE
from harness.keys import Keys
from harness.services import ADMIN, PASSWORD, Perses
from harness.stack import Stack

TOP = Path(__file__).resolve().parents[2]
PAGE = TOP / "gateway" / "README.md"
WEBHOOK_TOKEN = "what-alertmanager-says-to-persai"
SAVE = {"project": "pages", "dashboard": "rooms", "title": "Rooms", "query": "up"}


def commands(page: Path) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", page.read_text(), flags=re.S | re.M))


@pytest.fixture
def keys(bare: Stack) -> Keys:
    made = Keys(bare.folder)
    made.make("program", datasource=DATASOURCE)
    return made


@pytest.fixture
def asked(bare: Stack, perses: Perses, keys: Keys) -> Stack:
    """With a webhook and a program's key; one answer is a text, another a call that waits for a yes."""
    cookies = perses.sign_in(ADMIN)
    for path, kind, metadata, spec in (
            ("/projects", "Project", {"name": "pages"}, {}),
            ("/projects/pages/dashboards", "Dashboard", {"name": "rooms", "project": "pages"},
             {"duration": "1h", "panels": {}, "layouts": []})):
        made = perses.api("POST", f"/api/v1{path}", {"kind": kind, "metadata": metadata, "spec": spec}, cookies)
        assert made.status in (200, 409), made
    bare.model.when("Which rooms", ["Three rooms."])
    bare.model.when("Put the rooms", [Call("save_panel", SAVE)], ["As you like."])
    return bare.start(gateway_env={
        "PERSAI_WEBHOOK_TOKEN": WEBHOOK_TOKEN, "PERSAI_SERVICE_USER": "robot",
        "PERSAI_SERVICE_PASSWORD": PASSWORD.format("robot"), **keys.env()})


def run(script: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env={**os.environ, **env}, timeout=60,
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)


def test_the_walk_through_the_api_by_curl(asked: Stack, keys: Keys, perses: Perses, tmp_path: Path) -> None:
    prefix = perses.put_gateway(asked.gateway.url)
    done = run(commands(PAGE), tmp_path, PERSES=perses.url, PERSAI=perses.url + prefix, GATEWAY=asked.gateway.url,
               LOGIN="alice", PASSWORD=PASSWORD.format("alice"), WEBHOOK_TOKEN=WEBHOOK_TOKEN, PERSAI_KEY=keys.said["program"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Three rooms." in done.stdout and "turn_awaiting_input" in done.stdout, done.stdout
    # By each door.
    for told in ('"object":"chat.completion"', '"type":"RUN_FINISHED"', '"status":"answered","answer":"Three rooms."'):
        assert told in done.stdout, done.stdout
    # Nothing was refused on the way, and what waited was decided.
    assert "nothing waits" not in done.stdout and '{"detail":{' not in done.stdout, done.stdout
    # Resumed behind 1-2, the first two events come once only.
    assert done.stdout.count("id: 1-3") > done.stdout.count("id: 1-2"), done.stdout
    decode = json.JSONDecoder().raw_decode  # curl ends no line
    investigated = [decode(line)[0] for line in done.stdout.splitlines() if line.startswith('{"investigations"')]
    assert len(investigated) == 1 and len(investigated[0]["investigations"]) == 1, investigated


def test_every_route_is_on_the_page() -> None:
    table = (PAGE.parent / "routes.def").read_text()
    routes = re.findall(r'^ROUTE\((\w+), "([^"]+)"', table, flags=re.M)
    assert len(routes) > 15, routes
    script = commands(PAGE) + "\n" + PAGE.read_text()
    for _, path in routes:
        # {session} in the table is $SESSION or $COPY on the page
        pattern = re.sub(r"\\\{\w+\\\}", r"[$\\w…]+", re.escape(path))
        assert re.search(pattern + r"(?![\w/])", script), f"{path} is not in {PAGE.name}"


def test_every_tool_is_on_the_workers_page() -> None:
    tools = re.findall(r"^TOOL\((\w+),", (TOP / "worker" / "tools" / "tools.def").read_text(), flags=re.M)
    page = (TOP / "worker" / "README.md").read_text()
    table = page.split("| about | tools |\n|---|---|\n", 1)[1].split("\n\n", 1)[0]
    assert len(tools) > 30 and sorted(re.findall(r"`(\w+)`", table)) == sorted(tools)


# The source that reads a file of an operator's, the list in it of the fields that it takes; the page's table of them.
FIELDS = [
    ("worker/llm/models_file.c", "model[]", "worker/README.md", "| field | what it says |"),
    ("gateway/auth/keys_file.c", "known[]", "gateway/README.md", "| field of a row | meaning |"),
]


@pytest.mark.parametrize(("source", "known", "page", "head"), FIELDS)
def test_every_field_of_a_file_is_on_the_page(source: str, known: str, page: str, head: str) -> None:
    taken = (TOP / source).read_text().split(f"{known} = {{", 1)[1].split("}", 1)[0]
    rows = (TOP / page).read_text().split(f"{head}\n|---|---|\n", 1)[1].split("\n\n", 1)[0].split("\n")
    fields = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert len(fields) > 7 and sorted(fields) == sorted(re.findall(r'"(\w+)"', taken))
