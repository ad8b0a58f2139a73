"""Fixtures: a real Prometheus and Perses for the whole run, a stack of PersAI's own processes for each test."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.approvals import Dashboard
from harness.services import Perses, Prometheus
from harness.stack import Stack
from harness.terminal import Terminal

NPM = Path(__file__).parents[1] / "npm" / "build"
CLAIM_TESTS = 8  # of a file at once: what its module's fixtures cost is paid by each process


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--curve", action="store_true",
                     help="every stack with CURVE keys over 10.77.1.1 (in a network namespace that has it)")
    parser.addoption("--long", action="store_true", help="also what takes minutes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    # What is quick and basic first: a broken build shows itself early. The rest file by file.
    items.sort(key=lambda item: (0 if item.get_closest_marker("core") else 1, str(item.path)))


_file, _place = Path(), 0


def is_ours(item: pytest.Item) -> bool:
    """Several processes share one run (tests/run): each takes some tests of a file, then the next that nobody has."""
    global _file, _place
    folder = os.environ.get("PERSAI_TEST_CLAIMS")
    assert folder
    _file, _place = item.path, _place + 1 if item.path == _file else 0
    kind = "core" if item.get_closest_marker("core") else "rest"
    claim = Path(folder) / f"{item.path.name}.{kind}.{_place // CLAIM_TESTS}"
    try:
        with claim.open("x") as f:
            f.write(str(os.getpid()))
    except FileExistsError:
        return claim.read_text() == str(os.getpid())
    return True


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """As pytest's own, over those tests that no other process has."""
    if not os.environ.get("PERSAI_TEST_CLAIMS") or session.config.option.collectonly or session.testsfailed:
        return None
    ours = filter(is_ours, session.items)
    item = next(ours, None)
    while item is not None:
        following = next(ours, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following
    return True


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="session")
def service_logs(run_folder: Path) -> Path:
    logs = run_folder / "logs"
    logs.mkdir()
    return logs


@pytest.fixture(scope="session")
def prometheus(run_folder: Path, service_logs: Path) -> Iterator[Prometheus]:
    service = Prometheus(run_folder / "prometheus", service_logs).start()
    yield service
    service.stop()


PERSES = pytest.StashKey[Perses]()


@pytest.fixture(scope="session")
def perses(run_folder: Path, service_logs: Path, prometheus: Prometheus, request: pytest.FixtureRequest) -> Iterator[Perses]:
    # closed-port: a datasource whose upstream is down.
    service = Perses(run_folder / "perses", service_logs,
                     {"prometheus": prometheus.url, "closed-port": "http://127.0.0.1:1"})
    service.start()
    request.config.stash[PERSES] = service
    yield service
    service.process.terminate()


@pytest.fixture(scope="module", autouse=True)
def own_datasources(request: pytest.FixtureRequest) -> Iterator[None]:
    """A file leaves no datasources to the next one. It may have a Perses of its own, or none."""
    yield
    if PERSES in request.config.stash:
        request.config.stash[PERSES].remove_datasources()


@pytest.fixture(scope="session")
def sign_in(perses: Perses) -> Callable[[str], dict[str, str]]:
    """Cookies of a user; kept for a while, since a login costs a password hash."""
    kept: dict[str, tuple[float, dict[str, str]]] = {}

    def cookies(user: str) -> dict[str, str]:
        if user not in kept or time.monotonic() - kept[user][0] > 300:
            kept[user] = (time.monotonic(), perses.sign_in(user))
        return dict(kept[user][1])

    return cookies


@pytest.fixture(scope="session")
def npm() -> tuple[str, str]:
    """Node and the folder of the clients and scripts that npm brings; installed once."""
    return installed_npm()


def installed_npm(*folder: str) -> tuple[str, str]:
    done = subprocess.run([NPM, *folder], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    node, scripts = done.stdout.split("\n")[-3:-1]
    return node, scripts


@pytest.fixture(scope="session")
def npm_librechat() -> tuple[str, str]:
    return installed_npm("librechat")


MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[MakeStack]:
    """make_stack(perses_url, sign_in): stacks that are not the usual one; they end with the test."""
    made: list[Stack] = []

    def make(perses_url: str, sign_in: object = None) -> Stack:
        made.append(Stack(tmp_path / f"stack-{len(made)}", perses_url, sign_in, request.config.getoption("--curve")))
        request.node.stacks = made
        return made[-1]

    yield make
    try:
        for stack in made:
            stack.stop()
    finally:
        for stack in made:
            stack.kill_all()


@pytest.fixture
def bare(make_stack: MakeStack, perses: Perses, sign_in: object) -> Stack:
    """The real Perses; nothing is started yet."""
    return make_stack(perses.url, sign_in)


@pytest.fixture
def stack(bare: Stack) -> Stack:
    """One gateway, one worker."""
    return bare.start()


@pytest.fixture(scope="module")
def module_stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest, perses: Perses,
                 sign_in: object) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("module"), perses.url, sign_in, request.config.getoption("--curve"))
    try:
        yield made.start()
        made.stop()
    finally:
        made.kill_all()


@pytest.fixture
def shared(module_stack: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """As stack, for tests that need nobody's past, as those of what is refused: one for all of a file."""
    request.node.stacks = [module_stack]
    yield module_stack
    for process in module_stack.processes():
        assert process.running(), f"{process.name} is gone:\n{process.tail()}"


@pytest.fixture
def alice(stack: Stack, perses: Perses, tmp_path: Path) -> Terminal:
    perses.put_gateway(stack.gateway.url)
    made = Terminal(tmp_path / "home", perses.url)
    made.login()
    return made


@pytest.fixture
def board(perses: Perses) -> Dashboard:
    return Dashboard(perses)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    """A failed test's report ends with its processes' logs; the whole logs are kept beside the report."""
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    keep = os.environ.get("PERSAI_TEST_LOGS")
    for stack in getattr(item, "stacks", []):
        for process in stack.processes():
            report.sections.append((f"{process.name} (end of its log)", process.tail(25)))
        if keep:
            target = Path(keep) / item.name.replace("/", "_")[:100]
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(stack.logs, target)
