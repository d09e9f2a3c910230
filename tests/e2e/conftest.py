"""Boots as fixtures: `run` is a finished one, `shell` one that is alive.

A test names its boots with the marks of pytest.mark.parametrize:

    @pytest.mark.parametrize("run", MATRIX, ids=str, indirect=True)
    def test_something(run): ...
"""

import sys
from pathlib import Path
from typing import Iterator, Optional

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from boots import Boot  # noqa: E402
from rig.machine import OUT  # noqa: E402
from runs import Run, Runs, Shell, logs  # noqa: E402


def boot_of(item) -> Optional[Boot]:
    params = getattr(item, "callspec", None)
    values = params.params.values() if params else ()
    return next((value for value in values if isinstance(value, Boot)), None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items) -> None:
    """--engine; a long boot's tests are long; and tests of one boot follow each
    other, in the boots' order, those that need none before the first machine has
    ended."""
    engine = config.getoption("--engine")
    order: dict = {}

    def kept(item) -> bool:
        boot = boot_of(item)
        return not engine or (boot and boot.hardware.engine == engine)

    for item in items:
        boot = boot_of(item)
        if boot and boot.long:
            item.add_marker(pytest.mark.long)
    dropped = [item for item in items if not kept(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if kept(item)]
    for item in items:
        order.setdefault(boot_of(item), len(order) + 1)
    order[None] = 0
    items.sort(key=lambda item: order[boot_of(item)])


def pytest_collection_finish(session) -> None:
    """Starts what the selected tests need; they then wait for it."""
    session.config.runs = Runs(session.config.reporter.line)
    if session.config.option.collectonly:
        return
    boots = dict.fromkeys(boot_of(item) for item in session.items)
    session.config.runs.schedule(
        [boot for boot in boots if boot and not boot.interactive])


def pytest_sessionfinish(session) -> None:
    if hasattr(session.config, "runs"):
        session.config.runs.stop()


@pytest.fixture
def run(request) -> Run:
    """The boot that the test is parametrized with, run to its end."""
    return request.config.runs.result(request.param)


@pytest.fixture
def shell(request) -> Shell:
    """The boot that the test is parametrized with, at its prompt."""
    return request.config.runs.shell(request.param)


def pytest_runtest_teardown(item, nextitem) -> None:
    """A live machine ends with the last of its tests, which stand together."""
    if not nextitem or boot_of(nextitem) != boot_of(item):
        item.config.runs.close(boot_of(item))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item) -> Iterator[None]:
    """A failing test shows the logs of its boot."""
    outcome = yield
    report = outcome.get_result()
    boot = boot_of(item)
    if report.failed and boot:
        report.sections += logs(OUT / "e2e" / boot.name)
