"""The test run as a whole: how it reports, what counts as success."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(ROOT / "tests"))

from reporter import Reporter  # noqa: E402


def pytest_addoption(parser) -> None:
    parser.addoption("--engine", choices=["svm", "vmx"],
                     help="only tests on machines with this engine")
    parser.addoption("--long", action="store_true",
                     help="only the tests that take minutes")


def pytest_collection_modifyitems(config, items) -> None:
    """Long tests run when they are asked for, and then alone."""
    wanted = config.getoption("--long")
    dropped = [item for item in items
               if bool(item.get_closest_marker("long")) != wanted]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in set(dropped)]


@pytest.hookimpl(trylast=True)
def pytest_configure(config) -> None:
    standard = config.pluginmanager.getplugin("terminalreporter")
    config.pluginmanager.unregister(standard)
    config.reporter = Reporter()
    config.pluginmanager.register(config.reporter, "godwit-reporter")


def pytest_sessionfinish(session, exitstatus) -> None:
    """Nothing selected, or all of it skipped, is no success."""
    if exitstatus == 0 and not session.config.reporter.counts["passed"]:
        session.exitstatus = 1
