"""Options, the world that rounds share, and the matrix of hits."""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chaos.turns import STATES
from chaos.world import World

HITS = pytest.StashKey[dict[str, Counter]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", default="1", help="what is chosen at random is chosen by this")
    parser.addoption("--long", action="store_true", help="20 hits in every cell instead of 3")
    parser.addoption("--times", action="store_true", help="only measures how long failovers take, and prints it")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[HITS] = {}
    config.addinivalue_line("markers", "times: measures, asserts no time; only with --times")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = config.getoption("--times")
    out = [item for item in items if bool(item.get_closest_marker("times")) != wanted]
    items[:] = [item for item in items if item not in out]
    config.hook.pytest_deselected(items=out)


def least(config: pytest.Config) -> int:
    return 20 if config.getoption("--long") else 3


def pytest_report_header(config: pytest.Config) -> str:
    return f"chaos seed {config.getoption('--seed')}, at least {least(config)} hits in each cell"


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    hits = config.stash[HITS]
    write = terminalreporter.write_line
    for line in getattr(config, "times", []):
        write(line)
    if not hits:
        return
    write("")
    write(f"seed {config.getoption('--seed')}: turns hit, by fault and state")
    write(" " * 28 + "".join(f"{s:>10}" for s in STATES))
    for fault, row in hits.items():
        write(f"{fault:<28}" + "".join(f"{row[s]:>10}" for s in STATES))
    write(f"{sum(sum(r.values()) for r in hits.values())} hits")


@pytest.fixture
def hits(request: pytest.FixtureRequest) -> dict[str, Counter]:
    return request.config.stash[HITS]


@pytest.fixture
def hits_min(request: pytest.FixtureRequest) -> int:
    return least(request.config)


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Each test has its own, so that one alone repeats what it did among all."""
    return random.Random(f"{request.config.getoption('--seed')} {request.node.name}")


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, World]]:
    """By name; a test that fails throws its world away."""
    made: dict[str, World] = {}
    yield made
    for world in made.values():
        world.stop()


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(worlds: dict[str, World], tmp_path_factory: pytest.TempPathFactory,
               request: pytest.FixtureRequest) -> Iterator[MakeWorld]:
    used: list[str] = []

    def make(name: str, new: Callable[[Path], World]) -> World:
        if name not in worlds:
            worlds[name] = new(tmp_path_factory.mktemp(name))
            request.node.world = worlds[name]
            worlds[name].start()
        request.node.world = worlds[name]
        used.append(name)
        return worlds[name]

    yield make
    if getattr(request.node, "failed", False):
        for name in used:
            worlds.pop(name).stack.kill_all()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """A failed test keeps its processes' logs beside the report."""
    outcome = yield
    report = outcome.get_result()
    world = getattr(item, "world", None)
    if not report.failed or world is None:
        return
    item.failed = True  # type: ignore[attr-defined]
    if keep := os.environ.get("PERSAI_TEST_LOGS"):
        target = Path(keep) / item.name.replace("/", "_")[:100]
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(world.stack.logs, target)
        report.sections.append(("logs", str(target)))
