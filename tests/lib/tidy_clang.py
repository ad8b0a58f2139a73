"""clang-format, clang-tidy, shellcheck and python's compiler over the sources."""

import hashlib
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which

from tidy_tree import Finding, Tree


def run(args: list[str], **kw: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(args, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, **kw)


def tool(name: str) -> str | None:
    """The one beside this Python (its version is pinned there), else the system's."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else which(name)


def rule_format(tree: Tree) -> list[Finding]:
    """clang-format would change nothing (its version is pinned in requirements.txt)."""
    program = tool("clang-format")
    if program is None:
        return [Finding(".clang-format", 0, "clang-format is not installed")]
    found: dict[str, Finding] = {}
    files = tree.c_files()
    for start in range(0, len(files), 50):
        answer = run([program, "--dry-run", "--style=file", *files[start:start + 50]], cwd=tree.root)
        for line in answer.stderr.split("\n"):
            match = re.match(r"^(.*?):(\d+):\d+: (?:warning|error): (.*)", line)
            if match:
                found.setdefault(match[1], Finding(match[1], int(match[2]), "clang-format -i would change it"))
            elif "error" in line.lower() and line.strip():
                found.setdefault(line, Finding(".clang-format", 0, line.strip()))
    return list(found.values())


def cache_folder() -> Path:
    state = os.environ.get("PERSAI_STATE") or os.path.join(
        os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state"), "persai")
    folder = Path(state) / "tests" / "clang-tidy"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_changed: set[str] | None = None  # None: all
# What the analyzer explores of a function, where it looks at all of them: a quarter of its own bound, and of the time.
# What differs from the main branch it explores to its own.
WHOLE_TREE = [word for part in ("-analyzer-config", "max-nodes=50000") for word in ("--extra-arg=-Xclang", f"--extra-arg={part}")]


def only_changed(tree: Tree) -> None:
    """clang-tidy looks at what differs from the main branch; on that, at what the last commit and the work tree have."""
    global _changed

    def git(*args: str) -> str:
        return run(["git", *args], cwd=tree.root).stdout

    base = git("merge-base", "HEAD", "main").strip() or git("merge-base", "HEAD", "origin/main").strip()
    if not base or base == git("rev-parse", "HEAD").strip():
        base = "HEAD~1"
    _changed = {*git("diff", "--name-only", base).split(), *git("ls-files", "--others", "--exclude-standard").split()}


def rule_clang_tidy(tree: Tree) -> list[Finding]:
    """clang-tidy has nothing to say (.clang-tidy gives a reason for each check that is off)."""
    program = which("clang-tidy")
    if program is None:
        return [Finding(".clang-tidy", 0, "clang-tidy is not installed")]
    if tree.build is None or not (tree.build / "compile_commands.json").exists():
        return [Finding(".clang-tidy", 0, "PERSAI_BUILD names no folder with compile_commands.json")]
    args = ["--quiet", "-p", str(tree.build), "--extra-arg=-Wno-unknown-warning-option"]  # the build may be gcc's
    bound = WHOLE_TREE if _changed is None else []
    shared = hashlib.sha256(run([program, "--version"]).stdout.encode() + " ".join(bound).encode())
    for name in [".clang-tidy", *tree.c_files(".h", ".def")]:
        shared.update(name.encode() + b"\0" + tree.files.get(name, "").encode())
    commands = json.loads((tree.build / "compile_commands.json").read_text())
    listed = {os.path.relpath(os.path.join(c["directory"], c["file"]), tree.root) for c in commands}
    files = [f for f in tree.c_files(".c") if f in listed]
    if _changed is not None:
        files = [f for f in files if f in _changed]
    elif not files:
        return [Finding(".clang-tidy", 0, "no source is in compile_commands.json")]

    def check(name: str) -> str:
        key = shared.copy()
        key.update(name.encode() + b"\0" + tree.files[name].encode())
        cached = cache_folder() / key.hexdigest()
        if cached.exists():
            cached.touch()
            return cached.read_text()
        answer = run([program, *args, *bound, name], cwd=tree.root)
        text = answer.stdout.replace(f"{tree.root}/", "")  # the cache is shared by all checkouts
        if answer.returncode != 0 and "error:" not in text:
            text += f"{name}:0:0: error: clang-tidy failed: {answer.stderr.strip()[-300:]}\n"
        # At once and whole: another checkout's run may look there now.
        part = cached.with_name(f"{cached.name}.{os.getpid()}")
        part.write_text(text)
        part.replace(cached)
        return text

    found: dict[str, Finding] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for text in pool.map(check, files):
            for line in text.split("\n"):
                match = re.match(r"^(.*?):(\d+):\d+: (?:warning|error): (.*)", line)
                if match:
                    path = os.path.relpath(os.path.join(tree.root, match[1]), tree.root)
                    found.setdefault(line, Finding(path, int(match[2]), match[3]))
    return list(found.values())


def rule_reasons(tree: Tree) -> list[Finding]:
    """Each check that .clang-tidy turns off has a reason beside it."""
    found = []
    for number, line in enumerate(tree.files.get(".clang-tidy", "").split("\n"), 1):
        match = re.match(r"^#?\s*(-[\w.*-]+)(.*)$", line)
        if line.strip().startswith("-") and match and match[1] != "-*":
            name = match[1].rstrip(",")
            # Reasons stand in comments above: "#   -check: why".
            if not re.search(rf"^#\s*{re.escape(name)}: \S+", tree.files[".clang-tidy"], flags=re.M):
                found.append(Finding(".clang-tidy", number, f"{name} is off without a reason"))
    if ".clang-tidy" not in tree.files:
        found.append(Finding(".clang-tidy", 0, "is missing"))
    return found


def rule_shell(tree: Tree) -> list[Finding]:
    """shellcheck has nothing to say about the shell scripts."""
    scripts = [f for f in tree.files if tree.kind(f) == "sh" and "bash" in tree.files[f][:40] or f.endswith(".sh")]
    if not scripts:
        return []
    if which("shellcheck") is None:
        return [Finding(scripts[0], 0, "shellcheck is not installed")]
    answer = run(["shellcheck", "-x", "-S", "warning", "-s", "bash", "-f", "gcc", *scripts], cwd=tree.root)
    found = []
    for line in answer.stdout.split("\n"):
        match = re.match(r"^(.*?):(\d+):\d+: (.*)", line)
        if match:
            found.append(Finding(match[1], int(match[2]), match[3]))
    return found


def rule_python(tree: Tree) -> list[Finding]:
    """Python files compile."""
    found = []
    for name in tree.files:
        if tree.kind(name) == "py":
            try:
                compile(tree.files[name], name, "exec")
            except SyntaxError as error:
                found.append(Finding(name, error.lineno or 0, f"{error.msg}"))
    return found


RULES = {"format": rule_format, "reasons": rule_reasons, "shell": rule_shell, "python": rule_python,
         "clang-tidy": rule_clang_tidy}
