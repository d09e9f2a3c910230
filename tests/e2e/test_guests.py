"""Every declared check of every suite, on every machine of the matrix."""

import re

import pytest

from boots import MATRIX
from suites import SUITES, skip_reason

CASES = [pytest.param(boot, check, id=f"{boot}:{check}")
         for boot in MATRIX
         for suite in SUITES.values() for check in suite.names()]
GUESTS = [pytest.param(boot, name, id=f"{boot}:{name}")
          for boot in MATRIX
          for name, suite in SUITES.items() if suite.kernel]


@pytest.mark.parametrize("run, check", CASES, indirect=["run"])
def test_check(run, check: str) -> None:
    verdict, why = run.checks.get(
        check, ("missing", f"never printed; the run ended: {run.outcome.text}"))
    reason = skip_reason(run.boot.platform, check)
    if verdict == "skip" and reason:
        pytest.skip(reason)
    if verdict != "ok":
        pytest.fail(f"{verdict} {check}: {why}", pytrace=False)


@pytest.mark.parametrize("run, name", GUESTS, indirect=["run"])
def test_guest_end(run, name: str) -> None:
    """The guest ended by itself; whether it passed is its checks' business."""
    state = run.vm_state(name)
    assert state["state"] == "ended", state["end"]
    assert re.match(r"status [01]\b", state["end"]), state
    assert state["exits"] > 0


@pytest.mark.parametrize("run", MATRIX, ids=str, indirect=True)
def test_nothing_undeclared(run) -> None:
    """What is not in suites.py could vanish without anybody noticing."""
    declared = {check for suite in SUITES.values() for check in suite.names()}
    assert set(run.checks) - declared == set()
    assert not run.twice
