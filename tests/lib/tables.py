#!/usr/bin/env python3
"""What is written down of the .def files: the tables of pages, and the settings that the compose file passes on.

    tests/lib/tables.py --write   writes each of them anew, between its marks
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

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


def table(head: tuple[str, ...], body: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(line) + " |" for line in [head, *body]]
    lines.insert(1, "|" + "---|" * len(head))
    return "\n".join(lines) + "\n"


def frames(text: str) -> str:
    return table(("frame", "code", "way", "what it says", "fields"),
                 [(f"`{n}`", code, WAYS[way], cell(what), fields(f)) for n, code, way, what, f in rows(text, "FRAME")])


def events(text: str) -> str:
    return table(("event", "final", "what it says", "payload"),
                 [(f"`{n}`", "yes" if final == "1" else "", cell(what), cell(f))
                  for n, final, what, f in rows(text, "EVENT")])


def errors(text: str) -> str:
    return table(("word", "HTTP", "sentence"),
                 [(f"`{word}`", status if status != "0" else "", cell(sentence))
                  for _, word, status, sentence in rows(text, "ERROR")])


SETTING = r"(?:SETTING|ADVANCED)(?:_IN)?"


def settings(text: str) -> str:
    """As --print-settings prints them."""
    body = []
    for _, name, kind, default, _, _, meaning in rows(text, SETTING):
        file = f"; or {name}_FILE names a file with it" if kind == "SECRET" else ""
        body.append((f"`{name}`", cell(meaning + file + (f", {default}" if default else ""))))
    return table(("name", "meaning, default"), body)


def passed_on(text: str, others: list[str]) -> str:
    """Lines of a service's environment: the settings that are not among others."""
    return "".join(f"      {name}:\n" for _, name, *_ in rows(text, SETTING) if name not in others)


PAGES = {
    "proto/PROTOCOL.md": {"proto/frames.def": frames, "proto/events.def": events, "proto/errors.def": errors},
    "gateway/README.md": {"gateway/settings.def": settings},
    "worker/README.md": {"worker/settings.def": settings},
}
COMPOSE = "compose/docker-compose.yml"
PROGRAMS = ("gateway", "worker")


def page(doc: str, source: str, text: str, make: Callable[[str], str]) -> str:
    """doc with the table that make makes of a .def file's text. ValueError: it has no place for it."""
    name = source.split("/")[-1]
    block = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- end -->)", flags=re.S)
    if not block.search(doc):
        raise ValueError(f"no <!-- {name} --> … <!-- end -->")
    return block.sub(lambda m: m[1] + make(text) + m[2], doc)


def compose(doc: str, program: str, text: str) -> str:
    """The compose file with all that a program can be told, less what its first lines set and what the mark names."""
    service = re.search(rf"^  {program}:\n.*?^      # ([^\n]*{program}/settings\.def[^\n]*)\n(.*?)^      # end\n",
                        doc, flags=re.M | re.S)
    both = re.search(r"^x-both:.*?\n\n", doc, flags=re.M | re.S)
    if not service or not both:
        raise ValueError(f"no x-both, or no # … {program}/settings.def … # end")
    by_hand = re.findall(r"^ +([A-Z][A-Z0-9_]+):", both[0] + doc[service.start():service.start(2)], flags=re.M)
    others = by_hand + re.findall(r"[A-Z][A-Z0-9_]+", service[1])
    return doc[:service.start(2)] + passed_on(text, others) + doc[service.end(2):]


def written(path: str, doc: str, read: Callable[[str], str]) -> str:
    """What a page or the compose file should be."""
    for source, make in PAGES.get(path, {}).items():
        doc = page(doc, source, read(source), make)
    if path == COMPOSE:
        for program in PROGRAMS:
            doc = compose(doc, program, read(f"{program}/settings.def"))
    return doc


def main() -> int:
    top = Path(__file__).resolve().parents[2]
    if sys.argv[1:] != ["--write"]:
        print(__doc__.strip())
        return 2
    for path in (*PAGES, COMPOSE):
        doc = (top / path).read_text()
        (top / path).write_text(written(path, doc, lambda source: (top / source).read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
