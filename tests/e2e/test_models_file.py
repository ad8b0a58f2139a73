"""What PERSAI_MODELS says of a model is what its server is asked with; each conversation, and each question, may choose."""

import json
from pathlib import Path

from fakes.model import Model
from harness.stack import Stack
from harness.models_file import models, usual


def test_a_server_is_asked_as_its_row_says(bare: Stack, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("sk-of-a-file\n", encoding="utf-8")
    row = usual(bare, key_file=str(key), key_header="api-key", headers={"X-Team": "sre"}, query={"api-version": "2024-10-21"},
                options={"temperature": 0.5}, max_output_tokens=77)
    env = models(tmp_path, row)
    path = Path(env["PERSAI_MODELS"])
    path.write_text(json.dumps([{k: v for k, v in one.items() if k != "key_env"} for one in json.loads(path.read_text())]))
    bare.start(worker_env=env)
    alice = bare.client()
    assert alice.ask(alice.session(), "hello").answer()
    asked = bare.model.seen(lambda r: r.path.endswith("/chat/completions"))[0]
    assert (asked.header("api-key"), asked.header("Authorization"), asked.header("X-Team")) == ("sk-of-a-file", "", "sre")
    assert asked.param("api-version") == "2024-10-21"
    body = json.loads(asked.body)
    assert body["temperature"] == 0.5 and 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))


def test_a_conversation_chooses_its_model_and_a_question_another(bare: Stack, tmp_path: Path) -> None:
    with Model() as other:
        other.when("", ["The other."])
        bare.model.when("", ["The usual."])
        bare.start(worker_env=models(tmp_path, usual(bare), usual(bare, name="other", base_url=other.base_url)))
        alice = bare.client()
        offered = [(m["name"], m.get("default", False)) for m in alice.get("/models").json()]
        assert offered == [("usual", True), ("other", False)]
        session, second = alice.session(), alice.session(model="other")
        assert alice.ask(session, "who?").answer() == "The usual."
        assert alice.ask(second, "who?").answer() == "The other."
        assert alice.ask(second, "and now?", model="usual").answer() == "The usual."
        assert alice.ask(second, "and now?").answer() == "The other.", "of that question only"
        assert alice.request("PATCH", f"/session/{session}", {"model": "other"}).status == 200
        assert alice.ask(session, "and now?").answer() == "The other."


def test_a_tool_that_is_misspelt_in_offers_is_said(bare: Stack, tmp_path: Path) -> None:
    bare.start(worker_env=models(tmp_path, usual(bare, offers=["execute_instant_query", "lst_metrics", "mcp_tickets_search"])))
    said = [line for line in bare.worker.process.log_bytes().decode().splitlines() if "model.no_such_tool" in line]
    assert len(said) == 1 and "offers=lst_metrics" in said[0].replace('"', ""), said
