"""Keys for programs, made as an operator makes them."""

import json
import re
import subprocess
from pathlib import Path

from harness.services import PASSWORD
from harness.stack import program

DOORS = ["openai", "mcp", "agui", "api"]


class Keys:
    """The file PERSAI_API_KEYS of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "api-keys.json"
        self.rows: list[dict] = []
        self.said: dict[str, str] = {}  # name → key
        self.write()

    def env(self) -> dict[str, str]:
        return {"PERSAI_API_KEYS": str(self.path)}

    def make(self, name: str, user: str = "robot", **more: object) -> str:
        """A key and its row; the file is written."""
        made = subprocess.run([program("gateway"), "--make-api-key", name], capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL)
        assert made.returncode == 0, made.stdout + made.stderr
        key = re.search(r"^pk-\S{43}$", made.stdout, re.M)
        assert key, made.stdout
        password = self.folder / f"{user}.password"
        password.write_text(PASSWORD.format(user) + "\n")
        row = json.loads(made.stdout[made.stdout.index("{"):])
        self.rows.append({**row, "user": user, "password_file": str(password), "doors": DOORS, **more})
        self.write()
        self.said[name] = key[0]
        return key[0]

    def drop(self, name: str) -> None:
        self.rows = [row for row in self.rows if row["name"] != name]
        self.write()

    def write(self) -> None:
        self.path.write_text(json.dumps(self.rows, indent=1))
