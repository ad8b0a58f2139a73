"""What Perses is served with: its whole web UI, or, where that can't be built, a small page."""

import pathlib
import subprocess

import pytest

LIB = pathlib.Path(__file__).resolve().parents[2] / "compose" / "lib"
LOST = "Perses is served with a small page instead of its whole web UI.\n"


def ui(folder: pathlib.Path, wanted: str, full: str = "echo /full") -> tuple[int, str, str]:
    """Of ui in prepare.sh, with scripts of the test's own: its end, what it prints and what it says."""
    scripts = folder / "perses"
    scripts.mkdir(exist_ok=True)
    for name, does in (("full-ui", full), ("web-page", "echo /small")):
        (scripts / name).write_text(f"#!/bin/sh\n{does}\n")
        (scripts / name).chmod(0o700)
    command = f'. "{LIB}/base.sh"; . "{LIB}/prepare.sh"; COMPOSE_DIR="{folder}"; page=$(ui | tail -n 1); echo "$page"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30,
                          env={"PATH": "/usr/bin:/bin", "PERSAI_STATE": str(folder), "PERSAI_UI": wanted})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("wanted", "page"), [("", "/full"), ("full", "/full"), ("small", "/small")])
def test_the_whole_ui_is_served_unless_the_small_one_is_wanted(tmp_path: pathlib.Path, wanted: str, page: str) -> None:
    assert ui(tmp_path, wanted) == (0, f"{page}\n", "")


def test_one_that_can_not_be_built_is_missed_only_by_who_asked_for_it(tmp_path: pathlib.Path) -> None:
    fails = "echo 'the registry is away' >&2; exit 1"
    assert ui(tmp_path, "", fails) == (0, "/small\n", f"the registry is away\n{LOST}")
    assert ui(tmp_path, "full", fails) == (1, "", "the registry is away\n")


def test_another_word_is_a_sentence(tmp_path: pathlib.Path) -> None:
    assert ui(tmp_path, "large") == (1, "", "error: PERSAI_UI is full or small, not 'large'\n")
