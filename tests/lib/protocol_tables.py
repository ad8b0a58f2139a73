#!/usr/bin/env python3
"""The tables of proto/PROTOCOL.md, made of proto/*.def.

    tests/lib/protocol_tables.py           prints them
    tests/lib/protocol_tables.py --write   puts them between their marks in PROTOCOL.md
"""

import re
import sys
from pathlib import Path

TABLES = ("frames.def", "events.def", "errors.def")
WAYS = {"TO_GATEWAY": "worker → gateway", "TO_WORKER": "gateway → worker", "BOTH": "both"}
FIELD = re.compile(r"(ID|U32|U64|TEXT|BYTES|SECRET)\((\w+)(?:,\s*(\d+))?\)")
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def rows(text: str, macro: str) -> list[list[str]]:
    """The arguments of each MACRO(…) outside comments, strings unquoted."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    found = []
    for start in re.finditer(rf"^{macro}\(", text, flags=re.M):
        depth, at, arguments, word = 1, start.end(), [], ""
        while depth > 0:
            if at >= len(text):
                raise ValueError(f"{macro}: a row does not end")
            if string := STRING.match(text, at):
                word += string[1].replace('\\"', '"')
                at = string.end()
                continue
            char = text[at]
            depth += {"(": 1, ")": -1}.get(char, 0)
            if depth == 0 or (char == "," and depth == 1):
                arguments.append(" ".join(word.split()))
                word = ""
            else:
                word += char
            at += 1
        found.append(arguments)
    return found


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def fields(text: str) -> str:
    kinds = {"ID": "16 bytes", "U32": "u32", "U64": "u64", "TEXT": "text", "BYTES": "bytes", "SECRET": "secret"}
    return ", ".join(f"{name}: {kinds[kind]}" + (f" ≤ {int(most):,}" if most else "")
                     for kind, name, most in FIELD.findall(text))


def table(name: str, text: str) -> str:
    if name == "frames.def":
        head = ("frame", "code", "way", "what it says", "fields")
        body = [(f"`{n}`", code, WAYS[way], cell(what), fields(f)) for n, code, way, what, f in rows(text, "FRAME")]
    elif name == "events.def":
        head = ("event", "final", "what it says", "payload")
        body = [(f"`{n}`", "yes" if final == "1" else "", cell(what), cell(f))
                for n, final, what, f in rows(text, "EVENT")]
    else:
        head = ("word", "HTTP", "sentence")
        body = [(f"`{word}`", status if status != "0" else "", cell(sentence))
                for _, word, status, sentence in rows(text, "ERROR")]
    lines = ["| " + " | ".join(line) + " |" for line in [head, *body]]
    lines.insert(1, "|" + "---|" * len(head))
    return "\n".join(lines)


def marked(name: str, text: str) -> str:
    return f"<!-- {name} -->\n{table(name, text)}\n<!-- end -->"


def replaced(doc: str, name: str, text: str) -> str:
    """doc with that table as it should be. ValueError: it has no place for it."""
    block = re.compile(rf"<!-- {re.escape(name)} -->\n.*?<!-- end -->", flags=re.S)
    if not block.search(doc):
        raise ValueError(f"no <!-- {name} --> … <!-- end -->")
    return block.sub(lambda _: marked(name, text), doc)


def main() -> int:
    proto = Path(__file__).resolve().parents[2] / "proto"
    texts = {name: (proto / name).read_text() for name in TABLES}
    if sys.argv[1:] != ["--write"]:
        print("\n\n".join(marked(name, text) for name, text in texts.items()))
        return 0
    doc = proto / "PROTOCOL.md"
    written = doc.read_text()
    for name, text in texts.items():
        written = replaced(written, name, text)
    doc.write_text(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
