"""Tidy's own test: a clean little project has no finding; each planted violation is found by its rule."""

import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import tables
from tidy_tree import Finding, Tree

GUARDED = "/* {0}: a thing. */\n#ifndef {1}\n#define {1}\n{2}\n#endif\n"


def header(name: str, body: str = "") -> str:
    guard = "".join(c if c.isalnum() else "_" for c in name.upper())
    return GUARDED.format(name, guard, body)


SETTINGS = "| `PERSAI_LISTEN` | address, 127.0.0.1:8000 |"
DEFS = {
    "proto/frames.def": "/* FRAME(not, a, row) */\nFRAME(HELLO, 1, BOTH, \"Hello\", ID(turn) TEXT(name, 9))\n",
    "proto/events.def": 'EVENT(turn_start, 0, "It began (once).", "turn_id")\n',
    "proto/errors.def": 'ERROR(NOT_FOUND, "not_found", 404, "No")\n',
    "gateway/settings.def": 'SETTING(listen, "PERSAI_LISTEN", TEXT, "127.0.0.1:8000", 1, 9, "address")\n',
    "worker/settings.def": 'ADVANCED_IN(x.listen, "PERSAI_LISTEN", TEXT, "127.0.0.1:8000", 1, 9, "address")\n',
}
PLACES = {
    "proto/PROTOCOL.md": "".join(f"<!-- {name} -->\n<!-- end -->\n" for name in ("frames.def", "events.def", "errors.def")),
    "gateway/README.md": "# x\n<!-- settings.def -->\n<!-- end -->\n",
    "worker/README.md": "# x\n<!-- settings.def -->\n<!-- end -->\n",
    "compose/docker-compose.yml": "x-both: &both\n  PERSAI_X: 1\n\n" + "".join(
        f"  {name}:\n    environment:\n      # {name}/settings.def\n      # end\n" for name in ("gateway", "worker")),
}
PAGES = {path: tables.written(path, text, DEFS.__getitem__) for path, text in PLACES.items()}
PROTOCOL, COMPOSE = PAGES["proto/PROTOCOL.md"], PAGES["compose/docker-compose.yml"]
CLEAN = {
    "CMakeLists.txt": "project(x)\n",
    "README.md": "# An x: it's\n[here](#an-x-its), [there](common/buf.h), [out](https://x.example/#y)\n",
    ".clang-tidy": "Checks: >\n  bugprone-*,\n  -bugprone-x,\n# -bugprone-x: names of ours.\n",
    ".clang-format": "BasedOnStyle: LLVM\nIndentWidth: 4\nColumnLimit: 100\nBreakBeforeBraces: Linux\nSortIncludes: Never\n",
    "common/CMakeLists.txt": "file(GLOB c *.c)\n",
    "common/buf.h": header("common/buf.h", "int buf_len(void);"),
    "common/buf.c": '#include "common/buf.h"\n\nint buf_len(void)\n{\n    int x = 1;\n    return x;\n}\n',
    "common/list.h": header("common/list.h", '#include "common/buf.h"'),
    "proto/CMakeLists.txt": "file(GLOB p *.c)\n",
    "proto/x.c": '#include "common/list.h"\n#include "proto/frames.def"\n#include "proto/events.def"\n'
                 '#include "proto/errors.def"\n\nint x_len(void)\n{\n    int x = buf_len();\n    return x;\n}\n',
    "proto/settings_check.c": '#include "gateway/settings.def"\n#include "worker/settings.def"\n',
    "gateway/CMakeLists.txt": "file(GLOB g *.c)\n",
    "gateway/y.h": header("gateway/y.h", "int y_len(void);"),
    "gateway/z.c": '#include "gateway/y.h"\n\nint z_len(void)\n{\n    int x = y_len();\n    return x;\n}\n',
    **DEFS,
    **PAGES,
    "tests/unit/y.c": "int main(void) { return y_odd(); }\n",
    "tests/x.sh": "#!/usr/bin/env bash\necho 1\n",
}
# rule, file, its text (None: the file is taken away)
PLANTED: list[tuple[str, str, str | None]] = [
    ("includes", "common/buf.c", '#include "proto/frames.def"\n'),
    ("includes", "common/buf.c", '#include "buf.h"\n'),
    ("includes", "proto/x.c", '#include "gateway/y.h"\n'),
    ("includes", "proto/x.c", "#include <common/buf.h>\n"),
    ("cycles", "common/buf.h", header("common/buf.h", '#include "common/list.h"\nint buf_len(void);')),
    ("uncalled", "common/buf.h", header("common/buf.h", "int buf_len(void);\nint buf_gone(void);")),
    ("uncalled", "gateway/y.h", header("gateway/y.h", "int y_len(void);\nint y_odd(void);")),
    ("names", "worker/y.h", header("worker/y.h", "int y_len(void);")),
    ("apart", "tests/x.py", "from test_y import z\n"),
    ("wrappers", "proto/x.c", "#include <curl/curl.h>\n"),
    ("wrappers", "common/buf.c", "#include <zmq.h>\n"),
    ("banned", "common/buf.c", "void f(char *a)\n{\n    strcpy(a, a);\n}\n"),
    ("banned", "common/buf.c", "int f(void)\n{\n    return atoi (\"1\");\n}\n"),
    ("banned", "worker/x.c", "void f(struct door **d)\n{\n    *d = door_new(\"x\");\n}\n"),
    ("scoped", "common/buf.c", "void f(void)\n{\n    scoped(g) int x;\n}\n"),
    ("scoped", "common/buf.c", "void f(void)\n{\n    json_auto_t *x;\n}\n"),
    ("shape", "common/buf.h", "int x;\n"),
    ("shape", "common/buf.c", "typedef struct a a;\n"),
    ("shape", "common/buf.c", "int x;\n" * 900),
    ("functions", "common/buf.c", "void f(void)\n{\n" + "    f();\n" * 100 + "}\n"),
    ("listed", "common/new/other.c", "int x;\n"),
    ("listed", "common/other.h", header("common/other.h")),
    ("leftovers", "common/buf.c", "/* TODO: finish */\n"),
    ("leftovers", "README.md", "<<<<<<< HEAD\n"),
    ("quantities", "common/buf.c", "/* waits so long */\n"),
    ("origin", "README.md", "see /" + "work/main/x\n"),
    ("origin", "common/buf.c", "/* as issue 3 says */\n"),
    ("origin", "tests/x.sh", "curl https://registry.npmjs.org/x\n"),
    ("lines", "common/buf.c", "int " + "x" * 120 + ";\n"),
    ("lines", "common/buf.c", "int x; \n"),
    ("lines", "common/buf.c", "int x;"),
    ("pictures", "plugin/docs/x.webp", "x" * 102_401),
    ("top", "docs/x.md", "x\n"),
    ("tables", "proto/PROTOCOL.md", PROTOCOL.replace("≤ 9", "≤ 10")),
    ("tables", "proto/PROTOCOL.md", PROTOCOL.replace("not_found", "not_there")),
    ("tables", "proto/PROTOCOL.md", None),
    ("tables", "gateway/README.md", PAGES["gateway/README.md"].replace("address", "port")),
    ("tables", "worker/README.md", SETTINGS),
    ("tables", tables.COMPOSE, COMPOSE.replace("PERSAI_LISTEN", "PERSAI_GONE")),
    ("tables", tables.COMPOSE, COMPOSE.replace("PERSAI_X", "PERSAI_LISTEN")),
    ("tables", tables.COMPOSE, "services: {}\n"),
    ("settings", "gateway/README.md", "# x\n"),
    ("settings", "worker/README.md", None),
    ("settings", "worker/README.md", f"# x\n{SETTINGS}\n| `PERSAI_GONE` | x |\n"),
    ("settings", "gateway/README.md", SETTINGS.replace("8000", "8001") + "\n"),
    ("told", "common/buf.c", "/* as gone.c does */\n"),
    ("told", "README.md", "see proto/gone.def\n"),
    ("pages", "README.md", "# x\n[gone](common/gone.h)\n"),
    ("pages", "README.md", "# x\n[gone](#y)\n"),
    ("pages", "gateway/README.md", "[gone](../README.md#y)\n"),
    ("pages", "README.md", "word " * 30 + "\n"),
    ("format", "common/buf.c", "int  x;\n"),
    ("reasons", ".clang-tidy", "Checks: >\n  -bugprone-y,\n"),
    ("shell", "tests/x.sh", "#!/usr/bin/env bash\ncd $1; rm *\necho $(ls $undefined\n"),
    ("python", "tests/x.py", "def f(:\n"),
    ("clang-tidy", "common/buf.c", "int f(void);\nint f(void)\n{\n    int *q = 0;\n    return *q;\n}\n"),
]


def plant(root: Path, name: str | None, text: str | None) -> Tree:
    """A tree on disk with its fake build folder."""
    files = dict(CLEAN)
    if name is not None:
        if text is None:
            del files[name]
        else:
            files[name] = text
    if root.exists():
        shutil.rmtree(root)
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    # clang-tidy looks for its configuration upwards from the source: a small one of this test's own.
    (root / "common" / ".clang-tidy").write_text("Checks: '-*,clang-analyzer-core.*'\n")
    build = root / "build"
    for program in ("gateway/persai-gateway", "worker/persai-worker"):
        path = build / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\ncat <<'E'\n{SETTINGS}\nE\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (build / "compile_commands.json").write_text(
        f'[{{"directory": "{root}", "file": "common/buf.c", "command": "cc -I{root} -c common/buf.c"}}]')
    return Tree(root, files, build)


def run(rules: dict[str, Callable[[Tree], list[Finding]]]) -> Iterator[tuple[str, list[str]]]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        clean = plant(root, None, None)
        for name, rule in rules.items():
            yield f"{name} (clean)", [f"found in a clean tree: {f}" for f in rule(clean)]
        for name, path, text in PLANTED:
            tree = plant(root, path, text)
            hit = any(path == f.path or path.startswith(f.path + "/") for f in rules[name](tree))
            yield f"{name} ({path})", [] if hit else [f"a planted violation in {path} was not found: {text!r:.80}"]
        missing = set(rules) - {name for name, _, _ in PLANTED}
        yield "all rules", [f"{name} has no planted violation" for name in sorted(missing)]
