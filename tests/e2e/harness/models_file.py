"""A worker's models file."""

import json
from pathlib import Path

from harness.stack import MODEL_KEY, Stack


def models(folder: Path, *rows: dict) -> dict[str, str]:
    """The worker's settings for a models file of these rows."""
    path = folder / "models.json"
    path.write_text(json.dumps([{"provider": "openai", "key_env": "TEST_KEY", **row} for row in rows]), encoding="utf-8")
    return {"PERSAI_MODELS": str(path), "TEST_KEY": MODEL_KEY, "PERSAI_DEFAULT_MODEL": "", "OPENAI_API_KEY": "",
            "OPENAI_BASE_URL": "", "PERSAI_MODEL_BACKOFF": "1ms", "PERSAI_MODEL_TRIES": "2"}


def usual(stack: Stack, **more: object) -> dict:
    return {"name": "usual", "model": "scripted", "base_url": stack.model.base_url, **more}
