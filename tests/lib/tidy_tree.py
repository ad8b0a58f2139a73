"""The files that tidy looks at, and what a rule reports."""

import subprocess
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

C_FOLDERS = ("common", "proto", "gateway", "worker")


@dataclass(frozen=True)
class Finding:
    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


@dataclass
class Tree:
    """Relative path → text; of binary files only the path."""

    root: Path
    files: dict[str, str] = field(default_factory=dict)
    build: Path | None = None
    binaries: list[str] = field(default_factory=list)

    @staticmethod
    def of_git(root: Path, build: Path | None) -> "Tree":
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode()
        tree = Tree(root, build=build)
        for name in sorted(set(filter(None, listed.split("\0")))):
            path = root / name
            if path.is_symlink() or not path.is_file():
                continue
            data = path.read_bytes()
            if b"\0" in data[:8192]:
                tree.binaries.append(name)
                continue
            tree.files[name] = data.decode("utf-8", "replace")
        return tree

    def c_files(self, *endings: str, tests: bool = True) -> list[str]:
        folders = C_FOLDERS + (("tests",) if tests else ())
        return [f for f in self.files if f.split("/")[0] in folders and f.endswith(endings or (".c", ".h"))]

    def lines(self, name: str) -> list[str]:
        return self.files[name].split("\n")

    def kind(self, name: str) -> str:
        """What a file is: by its ending, else by its first line."""
        base = name.rsplit("/", 1)[-1]
        if "." in base.lstrip("."):
            return base.rsplit(".", 1)[-1]
        first = self.files[name].split("\n", 1)[0]
        if first.startswith("#!"):
            return "py" if "python" in first else "sh"
        return ""


def write_junit(path: str, suite: str, results: list[tuple[str, list[str], float]]) -> None:
    root = ET.Element("testsuite", name=suite, tests=str(len(results)))
    for name, problems, seconds in results:
        case = ET.SubElement(root, "testcase", classname=suite, name=name, time=f"{seconds:.2f}")
        if problems:
            ET.SubElement(case, "failure", message=problems[0]).text = "\n".join(problems)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
