"""Rules that compare what is written with what the code's tables say."""

import posixpath
import re
import subprocess

import tables
from tidy_tree import Finding, Tree


def rule_tables(tree: Tree) -> list[Finding]:
    """The pages' tables and the compose file's lists are what the .def files say."""
    found = []
    for path in (*tables.PAGES, tables.COMPOSE):
        if path not in tree.files:
            found.append(Finding(path, 0, "is missing"))
            continue
        try:
            same = tables.written(path, tree.files[path], tree.files.__getitem__) == tree.files[path]
        except KeyError as error:
            found.append(Finding(path, 0, f"{error} is missing"))
        except ValueError as error:
            found.append(Finding(path, 0, str(error)))
        else:
            if not same:
                found.append(Finding(path, 0, "is not what the .def files say: tests/lib/tables.py --write"))
    return found


def documented_settings(text: str) -> dict[str, str]:
    """A page's rows | `NAME` | … |: NAME → the row."""
    rows = {}
    for line in text.split("\n"):
        match = re.match(r"^\|\s*`([A-Z][A-Z0-9_]+)`\s*\|", line)
        if match:
            rows[match[1]] = line
    return rows


# Page → the program whose settings it lists.
SETTINGS = {"gateway/README.md": "gateway/persai-gateway", "worker/README.md": "worker/persai-worker"}


def settings_of(tree: Tree, page: str, program: str) -> list[Finding]:
    path = tree.build / program
    if not path.is_file():
        return [Finding(page, 0, f"{path} is not built")]
    answer = subprocess.run([path, "--print-settings"], capture_output=True, text=True, timeout=30,
                            stdin=subprocess.DEVNULL)
    printed = documented_settings(answer.stdout)
    if answer.returncode != 0 or not printed:
        return [Finding(page, 0, f"{program} --print-settings printed no table")]
    written = documented_settings(tree.files.get(page, ""))
    found = [Finding(page, 0, f"{name} is no setting of {program}") for name in written if name not in printed]
    for name, row in printed.items():
        if name not in written:
            found.append(Finding(page, 0, f"{name} of {program} is not in its table"))
        elif written[name] != row:
            found.append(Finding(page, 0, f"{name}'s row is not what {program} prints: {row}"))
    return found


def rule_settings(tree: Tree) -> list[Finding]:
    """The settings in gateway/README.md and worker/README.md are what the programs print with --print-settings."""
    if tree.build is None:
        return [Finding(page, 0, "cannot be compared: PERSAI_BUILD is not set") for page in SETTINGS]
    return [f for page, program in SETTINGS.items() for f in settings_of(tree, page, program)]


PAGE_COLUMNS = 100
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(text: str) -> set[str]:
    """What GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_link(tree: Tree, page: str, link: str) -> bool:
    if "://" in link:
        return False
    path, _, anchor = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
    if not (tree.root / target).exists():
        return True
    return bool(anchor) and anchor not in anchors(tree.files.get(target, ""))


def rule_pages(tree: Tree) -> list[Finding]:
    """Pages have links that lead somewhere, and lines that fit (tables, addresses and what a program prints aside)."""
    found = []
    for page in tree.files:
        if not page.endswith(".md"):
            continue
        for number, line in enumerate(tree.lines(page), 1):
            if len(line) > PAGE_COLUMNS and not line.startswith("|") and "://" not in line and page != "tests/bench/RESULTS.md":
                found.append(Finding(page, number, f"{len(line)} columns, more than {PAGE_COLUMNS}"))
            found += [Finding(page, number, f"{link} leads nowhere") for link in LINK.findall(line)
                      if dead_link(tree, page, link)]
    return found


COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.S)
SOURCE = re.compile(r"(?<![\w./])(?:[a-z][\w-]*/)*[a-z]\w+\.(?:c|h|def|lua|tsx?)(?![\w/])")
OTHERS = {"czmq.h", "sqlite3.h", "syslog.h"}  # of libraries


def comments(tree: Tree, name: str) -> list[tuple[int, str]]:
    """(line, text): of a page all of it."""
    text = tree.files[name]
    if name.endswith(".md"):
        return [(1, text)]
    return [(text.count("\n", 0, m.start()) + 1, m[0]) for m in COMMENT.finditer(text) if not m[0].startswith('"')]


def rule_told(tree: Tree) -> list[Finding]:
    """The sources that comments and pages name are there."""
    ends = {"/".join(f.split("/")[n:]) for f in tree.files for n in range(f.count("/") + 1)}
    return [Finding(name, line + text.count("\n", 0, m.start()), f"{m[0]} is not there")
            for name in tree.files if name.endswith((".c", ".h", ".def", ".lua", ".ts", ".tsx", ".md"))
            for line, text in comments(tree, name) for m in SOURCE.finditer(text)
            if m[0] not in ends and m[0] not in OTHERS]


RULES = {"tables": rule_tables, "settings": rule_settings, "pages": rule_pages, "told": rule_told}
