"""Every declared check of every suite, on every machine of the matrix."""

import re

import pytest

from boots import APART, COUNTED, MATRIX
from suites import ONE_CPU, SUITES, absent_reason, skip_reason

CASES = [pytest.param(boot, name, check, id=f"{boot}:{check}")
         for boot in MATRIX
         for name, suite in SUITES.items() for check in suite.names()]
GUESTS = [pytest.param(boot, name, id=f"{boot}:{name}")
          for boot in MATRIX
          for name, suite in SUITES.items()
          if suite.kernel and not absent_reason(boot.platform, name)]


@pytest.mark.parametrize("run, suite, check", CASES, indirect=["run"])
def test_check(run, suite: str, check: str) -> None:
    absent = absent_reason(run.boot.platform, suite)
    if absent:
        pytest.skip(absent)
    verdict, why = run.checks.get(check, ("missing", run.outcome.text))
    reason = skip_reason(run.boot.platform, check)
    if run.boot.cpus == 1:
        reason = reason or ONE_CPU.get(check)
    if verdict == "skip" and reason:
        pytest.skip(reason)
    if verdict != "ok":
        pytest.fail(f"{verdict} {check}: {why}", pytrace=False)


@pytest.mark.parametrize("check", SUITES["interrupts"].names())
@pytest.mark.parametrize("run", [COUNTED], ids=str, indirect=True)
def test_interrupts_counted(run, check: str) -> None:
    """The same to the instruction, each time."""
    verdict, why = run.checks.get(check, ("missing", run.outcome.text))
    reason = skip_reason(run.boot.platform, check)
    assert verdict == "ok" or reason, f"{verdict} {check}: {why}"


@pytest.mark.parametrize("check", SUITES["smp"].names())
@pytest.mark.parametrize("run", [APART], ids=str, indirect=True)
def test_vcpus_apart(run, check: str) -> None:
    """None waits for the other's turn."""
    verdict, why = run.checks.get(check, ("missing", run.outcome.text))
    assert verdict == "ok", f"{verdict} {check}: {why}"


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
