"""Rules that compare what is written with what the code's tables say."""

import re
import subprocess

import protocol_tables
from tidy_tree import Finding, Tree


def rule_protocol(tree: Tree) -> list[Finding]:
    """PROTOCOL.md's tables are what the .def files say."""
    doc = "proto/PROTOCOL.md"
    if doc not in tree.files:
        return [Finding(doc, 0, "is missing")]
    found = []
    for name in protocol_tables.TABLES:
        if f"proto/{name}" not in tree.files:
            found.append(Finding(f"proto/{name}", 0, "is missing"))
            continue
        try:
            same = protocol_tables.replaced(tree.files[doc], name, tree.files[f"proto/{name}"]) == tree.files[doc]
        except ValueError as error:
            found.append(Finding(doc, 0, str(error)))
            continue
        if not same:
            found.append(Finding(doc, 0, f"its table of {name} is not what the file says: "
                                         "tests/lib/protocol_tables.py --write"))
    return found


def documented_settings(text: str) -> dict[str, str]:
    """README rows | `NAME` | … |: NAME → the row."""
    rows = {}
    for line in text.split("\n"):
        match = re.match(r"^\|\s*`([A-Z][A-Z0-9_]+)`\s*\|", line)
        if match:
            rows[match[1]] = line
    return rows


def rule_settings(tree: Tree) -> list[Finding]:
    """README.md's table of settings is what the programs print with --print-settings."""
    if tree.build is None:
        return [Finding("README.md", 0, "cannot be compared: PERSAI_BUILD is not set")]
    written = documented_settings(tree.files.get("README.md", ""))
    found, known = [], set()
    for program in ("gateway/persai-gateway", "worker/persai-worker"):
        path = tree.build / program
        if not path.is_file():
            found.append(Finding("README.md", 0, f"{path} is not built"))
            continue
        answer = subprocess.run([path, "--print-settings"], capture_output=True, text=True, timeout=30,
                                stdin=subprocess.DEVNULL)
        rows = documented_settings(answer.stdout)
        if answer.returncode != 0 or not rows:
            found.append(Finding("README.md", 0, f"{program} --print-settings printed no table"))
        known.update(rows)
        readme = tree.files.get("README.md", "").split("\n")
        for name, row in rows.items():
            if name not in written:
                found.append(Finding("README.md", 0, f"{name} of {program} is not in its table"))
            elif row not in readme:
                found.append(Finding("README.md", 0, f"{name}'s row is not what {program} prints: {row}"))
    if known:
        found += [Finding("README.md", 0, f"{n} is a setting of no program") for n in written if n not in known]
    return found


RULES = {"protocol": rule_protocol, "settings": rule_settings}
