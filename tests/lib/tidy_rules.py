"""Rules over the text of the sources. Each is a function Tree → findings, whose first line says it."""

import re
from collections import Counter
from collections.abc import Iterator

from tidy_tree import C_FOLDERS, Finding, Tree

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[>"]')
MAY_INCLUDE = {
    "common": {"common"},
    "proto": {"common", "proto"},
    "gateway": {"common", "proto", "gateway"},
    "worker": {"common", "proto", "worker"},
    "tests": {"common", "proto", "gateway", "worker", "tests"},
}
# A library's header is known to the files of one noun only.
WRAPPERS = {
    "curl/": ("common/fetch",),
    "hiredis": ("common/redis/", "tests/fuzz/fuzz_reply"),  # which makes replies
    "microhttpd.h": ("common/http",),
    "czmq.h": ("proto/wire",),
    "zmq.h": ("proto/wire",),
    "sqlite3.h": ("worker/tools/docs/docs",),
    "pcre2.h": ("common/pattern",),
    "histedit.h": ("gateway/cli/editor",),
}
BANNED = {
    "strcpy": "snprintf or a buf", "strcat": "a buf", "strncpy": "memcpy with a checked length",
    "strncat": "a buf", "stpcpy": "a buf", "sprintf": "snprintf or a buf", "vsprintf": "vsnprintf",
    "strtok": "str_split", "strtok_r": "str_split", "gets": "a bounded read", "atoi": "str_u64",
    "atol": "str_u64", "atoll": "str_u64", "atof": "strtod with a check", "alloca": "a bounded array",
    "system": "no shell", "popen": "no shell", "setjmp": "return an error", "longjmp": "return an error",
    "tmpnam": "mkstemp", "rand": "randombytes", "srand": "randombytes", "asctime": "strftime",
    "ctime": "strftime", "gmtime": "gmtime_r", "localtime": "localtime_r",
}
# What one module alone may call: leave to ask a datasource comes from the gate.
CALLED_BY = {"door_new": "worker/tools/gate"}
FINE_IN_TESTS = {"system", "popen", "rand", "srand"}
FUNCTION_LINES_MAX = 80  # a screen; nine of ten are well under it
FILE_LINES_MAX = 800  # more usually holds a second noun
# Each program knows the names of the other's settings: what neither reads is a slip of the pen.
NAMES_OF_SETTINGS = {("proto/settings_check.c", f"{program}/settings.def") for program in ("gateway", "worker")}
# What tidy's own sources must name to forbid it.
SELF = ("tests/lib/tidy_rules.py", "tests/lib/tidy_selftest.py")


def includes(tree: Tree, name: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(tree.lines(name), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match[1], match[2]


def rule_includes(tree: Tree) -> list[Finding]:
    """Includes are rooted and point one way: common <- proto <- gateway | worker."""
    found = []
    for name in tree.c_files(".c", ".h", ".def"):
        folder = name.split("/")[0]
        for number, quote, target in includes(tree, name):
            if quote == "<":
                if target.split("/")[0] in C_FOLDERS:
                    found.append(Finding(name, number, f"{target}: ours are included with quotes"))
                continue
            if target not in tree.files and not generated(tree, target):
                found.append(Finding(name, number, f'"{target}" is not a path from the top of the project'))
            elif target.split("/")[0] not in MAY_INCLUDE[folder] and (name, target) not in NAMES_OF_SETTINGS:
                found.append(Finding(name, number, f"{folder} may not include {target}"))
    return found


def generated(tree: Tree, target: str) -> bool:
    return tree.build is not None and (tree.build / target).is_file()


def module(name: str) -> str:
    """x.c, x.h and x_priv.h, which is for x's own sources, are one."""
    return re.sub(r"(_priv)?\.\w+$", "", name)


def rule_cycles(tree: Tree) -> list[Finding]:
    """Modules include each other without a circle."""
    graph: dict[str, set[str]] = {}
    for name in tree.c_files(tests=False):
        targets = {t for _, q, t in includes(tree, name) if q == '"' and t in tree.files and t.endswith(".h")}
        graph.setdefault(module(name), set()).update(map(module, targets))
    circles = [sorted(c) for c in strongly_connected(graph) if len(c) > 1]
    return [Finding(c[0] + ".h", 0, "include each other in a circle: " + ", ".join(c)) for c in circles]


def strongly_connected(graph: dict[str, set[str]]) -> list[set[str]]:
    """Who reaches whom, both ways."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        todo = list(graph[start])
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += graph.get(node, ())
        reach[start] = seen
    found: list[set[str]] = []
    for node in graph:
        circle = {node} | {other for other in reach[node] if node in reach.get(other, ())}
        if circle not in found:
            found.append(circle)
    return found


DECLARED = re.compile(r"^(?!static\b|typedef\b|#|return\b)[A-Za-z_][\w *]*?[ *](\w+)\(", re.M)
# A prototype, or a definition.
SPELLED = re.compile(r"^(?:[a-z_]\w*[ *]+)*(\w+)\(", re.M)


def rule_uncalled(tree: Tree) -> list[Finding]:
    """What a header declares is used outside its module, and by a program unless it says it is for tests."""
    texts = {name: code_only(tree.files[name]) for name in tree.c_files(".c", ".h", ".def")}
    users: dict[str, set[str]] = {}
    calls: Counter[str] = Counter()  # by the programs
    for name, text in texts.items():
        for word in re.findall(r"\b[a-z]\w+\b", text):
            users.setdefault(word, set()).add(module(name))
            calls[word] += not name.startswith("tests/")
        calls.subtract(() if name.startswith("tests/") else SPELLED.findall(text))
    found = []
    for name in tree.c_files(".h", tests=False):
        for function in DECLARED.findall(texts[name]):
            by = users.get(function, set())
            if by <= {module(name)}:
                found.append(Finding(name, 0, f"{function} has no caller outside its module"))
            elif not function.endswith("_name") and calls[function] < 1 and not re.search(
                    rf"[Ff]or tests\b[^;]*\b{function}\(|\b{function}\([^;]*;[^\n]*for tests", tree.files[name]):
                found.append(Finding(name, 0, f"{function} is called by tests alone: say so (for tests)"))
    return found


def rule_names(tree: Tree) -> list[Finding]:
    """No public function is of two programs: the simulator links both."""
    gateway = {f for name in tree.c_files(".h", tests=False) if name.startswith("gateway/")
               for f in DECLARED.findall(code_only(tree.files[name]))}
    return [Finding(name, 0, f"{function}() is the gateway's as well")
            for name in tree.c_files(".h", tests=False) if name.startswith("worker/")
            for function in DECLARED.findall(code_only(tree.files[name])) if function in gateway]


def rule_apart(tree: Tree) -> list[Finding]:
    """No test file imports another: what both need stands beside them, in a file of its own."""
    found = []
    for name in tree.files:
        if name.startswith("tests/") and tree.kind(name) == "py":
            for number, line in enumerate(tree.lines(name), 1):
                if re.match(r"\s*(from|import) \.?test_\w+", line):
                    found.append(Finding(name, number, "imports a test file"))
    return found


def rule_wrappers(tree: Tree) -> list[Finding]:
    """One module knows each library's header."""
    found = []
    for name in tree.c_files(tests=False):
        for number, quote, target in includes(tree, name):
            for prefix, owners in WRAPPERS.items():
                own = tuple(o if o.endswith("/") else f"{o}{end}" for o in owners for end in "._")
                if quote == "<" and target.startswith(prefix) and not name.startswith(own):
                    found.append(Finding(name, number, f"<{target}> belongs to {owners[0]}.c only"))
    return found


def code_only(text: str) -> str:
    """C without comments and without what strings hold; lines stay where they are."""

    def blank(match: re.Match[str]) -> str:
        piece = match[0]
        if piece.startswith("/"):
            return re.sub(r"[^\n]", " ", piece)
        return piece[0] + re.sub(r"[^\n]", " ", piece[1:-1]) + piece[-1]

    pattern = r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
    return re.sub(pattern, blank, text, flags=re.S)


def rule_banned(tree: Tree) -> list[Finding]:
    """Calls that have no place here."""
    call = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    found = []
    for name in tree.c_files():
        for number, line in enumerate(code_only(tree.files[name]).split("\n"), 1):
            for match in call.finditer(line):
                if name.startswith("tests/") and match[1] in FINE_IN_TESTS:
                    continue
                found.append(Finding(name, number, f"{match[1]}(): use {BANNED[match[1]]}"))
            for function, owner in CALLED_BY.items():
                if re.search(rf"[=(,;] *{function}\(", line) and module(name) != owner and not name.startswith("tests/"):
                    found.append(Finding(name, number, f"{function}() is for {owner}.c alone"))
    return found


def rule_scoped(tree: Tree) -> list[Finding]:
    """A local that is freed by its scope is given its value by the macro that declares it."""
    found = []
    for name in tree.c_files():
        for number, line in enumerate(code_only(tree.files[name]).split("\n"), 1):
            if re.search(r"\bscoped\(|\bcleanup\s*\(", line) and not line.startswith("#define"):
                found.append(Finding(name, number, "scoped(): only in a macro that initialises, as scoped_buf()"))
            if re.search(r"\bjson_auto_t\s*\*\s*\w+\s*[;,]", line):
                found.append(Finding(name, number, "json_auto_t: give it a value where it is declared"))
    return found


def rule_shape(tree: Tree) -> list[Finding]:
    """A header says its job first and has its guard; no typedef of a struct; files are not too long."""
    found = []
    for name in tree.c_files():
        text = tree.files[name]
        base = name.rsplit("/", 1)[-1]
        if name.endswith(".h") and not text.startswith((f"/* {name}: ", f"/* {base}: ", f"/* {base[:-2]}: ")):
            found.append(Finding(name, 1, f"begin with: /* {name}: its job"))
        if name.endswith(".h") and "#pragma once" not in text:
            if not re.search(r"#ifndef (\w+_H)\n#define \1\n", text):
                found.append(Finding(name, 1, "no include guard"))
        for number, line in enumerate(code_only(text).split("\n"), 1):
            if re.match(r"\s*typedef\s+(struct|union|enum)\b", line):
                found.append(Finding(name, number, "typedef of a struct, union or enum"))
        count = text.count("\n")
        if count > FILE_LINES_MAX:
            found.append(Finding(name, 0, f"{count} lines, more than {FILE_LINES_MAX}: is there a second noun?"))
    return found


def rule_functions(tree: Tree) -> list[Finding]:
    """Functions fit a screen."""
    found = []
    for name in tree.c_files(".c"):
        start = 0
        for number, line in enumerate(code_only(tree.files[name]).split("\n"), 1):
            # Linux braces: a function's are alone in the first column.
            if line.rstrip() == "{":
                start = number
            elif line.rstrip() == "}" and start:
                if number - start - 1 > FUNCTION_LINES_MAX:
                    found.append(Finding(name, start, f"{number - start - 1} lines in one function, "
                                                      f"more than {FUNCTION_LINES_MAX}"))
                start = 0
    return found


def rule_listed(tree: Tree) -> list[Finding]:
    """Each source's folder is in the CMakeLists.txt above it; each header and table is included somewhere."""
    found = []
    included = {t for f in tree.c_files(".c", ".h", ".def") for _, _, t in includes(tree, f)}
    for name in tree.c_files(".c", ".h", ".def"):
        folder = name.split("/")[0]
        if name.endswith(".c") and folder != "tests":
            inside = name.removeprefix(f"{folder}/").rpartition("/")[0]
            globbed = re.findall(r"([\w/]*)\*\.c\b", tree.files.get(f"{folder}/CMakeLists.txt", ""))
            if inside not in {g.rstrip("/") for g in globbed}:
                found.append(Finding(name, 0, f"{folder}/CMakeLists.txt does not look into its folder"))
        if not name.endswith(".c") and name not in included:
            found.append(Finding(name, 0, "is included by nothing"))
    return found


def rule_leftovers(tree: Tree) -> list[Finding]:
    """No notes to oneself, merge marks or prints for debugging."""
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK|WIP)\b|^(<<<<<<<|>>>>>>>) ")
    return search(tree, words, "left over")


def rule_quantities(tree: Tree) -> list[Finding]:
    """Comments of the programs name the quantity ("the idle timeout", "at most TRIES"), not "so long", "so many"."""
    words, found = re.compile(r"\bso (long|many|often|much)\b"), []
    for name in tree.files:
        if not name.endswith((".c", ".h", ".lua", ".def")) or not name.startswith(("common/", "proto/", "gateway/", "worker/")):
            continue
        for number, line in enumerate(tree.lines(name), 1):
            match = words.search(re.sub(r'"(\\.|[^"\\])*"', "", line))
            if match:
                found.append(Finding(name, number, f"'{match[0]}': say the quantity"))
    return found


def rule_origin(tree: Tree) -> list[Finding]:
    """Nothing of the machine or the way this was made: paths, registry hosts, issue numbers."""
    pattern = re.compile(
        r"(?<![\w.$}*)-])/(work|root|home/\w+)/"
        r"|/tmp/brief"
        r"|\b(pypi\.org|pythonhosted\.org|registry\.npmjs\.org|proxy\.golang\.org|deb\.debian\.org|crates\.io)\b"
        r"|\b[Ii]ssue #?\d+\b")
    return search(tree, pattern, "of one machine, a registry or our own process")


def search(tree: Tree, pattern: re.Pattern[str], what: str) -> list[Finding]:
    found = []
    for name in tree.files:
        if name in SELF or name.endswith((".sum", ".svg")):
            continue
        for number, line in enumerate(tree.lines(name), 1):
            match = pattern.search(line)
            if match:
                found.append(Finding(name, number, f"'{match[0].strip()}': {what}"))
    return found


LINE_MAX = {"c": 100, "h": 100, "py": 130, "sh": 140, "lua": 120, "cue": 140, "cmake": 120}


def rule_lines(tree: Tree) -> list[Finding]:
    """Lines are not too long, end without blanks, and files end with a newline."""
    found = []
    for name, text in tree.files.items():
        kind = tree.kind(name)
        longest = LINE_MAX.get(kind, 0)
        if text and not text.endswith("\n") and kind in LINE_MAX:
            found.append(Finding(name, 0, "no newline at the end"))
        for number, line in enumerate(tree.lines(name), 1):
            if longest and len(line) > longest and "://" not in line:
                found.append(Finding(name, number, f"{len(line)} columns, more than {longest}"))
            if kind in LINE_MAX and line != line.rstrip():
                found.append(Finding(name, number, "blanks at the end"))
    return found


PICTURE_KIB_MAX = 100


def rule_pictures(tree: Tree) -> list[Finding]:
    """A page is read over slow lines, too."""
    sizes = {name: (tree.root / name).stat().st_size for name in [*tree.files, *tree.binaries]
             if name.endswith((".png", ".webp", ".jpg", ".jpeg", ".gif", ".svg"))}
    return [Finding(name, 0, f"a picture of {size / 1024:.0f} KiB, more than {PICTURE_KIB_MAX}")
            for name, size in sizes.items() if size > PICTURE_KIB_MAX * 1024]


TOP = {"CMakeLists.txt", "README.md", "gateway", "worker", "common", "proto", "tests", "compose", "plugin"}


def rule_top(tree: Tree) -> list[Finding]:
    """The top level stays as it is."""
    top = {name.split("/")[0] for name in tree.files}
    return [Finding(name, 0, "does not belong to the top level")
            for name in sorted(top) if name not in TOP and not name.startswith(".")]


RULES = {
    "includes": rule_includes, "cycles": rule_cycles, "wrappers": rule_wrappers, "banned": rule_banned,
    "uncalled": rule_uncalled, "names": rule_names, "apart": rule_apart, "scoped": rule_scoped, "shape": rule_shape,
    "functions": rule_functions,
    "listed": rule_listed, "leftovers": rule_leftovers, "quantities": rule_quantities,
    "origin": rule_origin, "lines": rule_lines, "pictures": rule_pictures, "top": rule_top,
}
