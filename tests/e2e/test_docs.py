"""An operator's documents: everybody's, and those of a project, which are for whoever may read it in the real Perses."""

import json

import pytest

from fakes.model import Call
from harness.services import ADMIN, Perses
from harness.stack import Stack

PROJECT, OTHER = "greenhouse", "boiler-room"


@pytest.fixture
def written(bare: Stack, perses: Perses) -> Stack:
    cookies = perses.sign_in(ADMIN)
    for name in (PROJECT, OTHER):
        made = perses.api("POST", "/api/v1/projects", {"kind": "Project", "metadata": {"name": name}}, cookies)
        assert made.status in (200, 409), (made.status, made.body)
    docs = bare.folder / "docs"
    for name, text in {"Pumps.md": "Every pump has a valve.", f"projects/{PROJECT}/Pumps.md": "The greenhouse has two pumps.",
                       f"projects/{OTHER}/Pumps.md": "The boiler room has three pumps.",
                       "projects/nowhere/Pumps.md": "No such project, and a pump."}.items():
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(f"# Pumps\n{text}\n")
    return bare.start(worker_env={"PERSAI_DOCS": str(docs)})


def found(stack: Stack, user: str, project: str) -> list[str]:
    stack.model.scripts.clear()
    stack.model.when("pumps?", [Call("search_docs", {"query": "pumps"}),
                                Call("read_doc", {"file": f"projects/{project}/Pumps.md"})], ["So it is."])
    client = stack.client(user)
    about = {"datasources": [f"/proxy/projects/{project}/datasources/prom"]}
    (_, searched), (_, read) = client.ask(client.session(), "pumps?", context=about).tools()
    assert not searched["failed"], searched
    files = [d["file"] for d in json.loads(searched["content"])["found"]]
    assert read["failed"] == (f"projects/{project}/Pumps.md" not in files), (files, read)
    return files


@pytest.mark.core
def test_a_projects_documents_are_for_those_who_may_read_it(written: Stack) -> None:
    assert found(written, "alice", PROJECT) == [f"projects/{PROJECT}/Pumps.md", "Pumps.md"]
    assert found(written, "alice", OTHER) == [f"projects/{OTHER}/Pumps.md", "Pumps.md"]
    # Without the right to read the project, or of a project that Perses does not have.
    assert found(written, "mallory", PROJECT) == ["Pumps.md"]
    assert found(written, "alice", "nowhere") == ["Pumps.md"]
