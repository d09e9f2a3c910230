"""Guests that attack: none stops the host, nor the VM that runs beside them."""

import time

import pytest

from boots import ATTACKED, STORMED
from suites import SUITES, skip_reason

CASES = [pytest.param(boot, name, ends, id=f"{boot}:{name}")
         for boot, attacks in ATTACKED.items() for name, ends in attacks]
STORM_CASES = [pytest.param(boot, name, ends, id=f"{boot}:{name}")
               for boot, attacks in STORMED.items() for name, ends in attacks]
NEIGHBOURS = [pytest.param(boot, check, id=f"{boot}:{check}")
              for boot in STORMED for suite in ("paging", "registers")
              for check in SUITES[suite].names()
              if not skip_reason(boot.platform, check)]


def until(shell, name: str, ends: str) -> dict:
    """Waits for the attack's end, or for long enough where it has none."""
    deadline = time.monotonic() + (2 if "running" in ends else 200)
    while True:
        state = shell.row(name)
        if state["state"] != "running" or time.monotonic() > deadline:
            return state
        time.sleep(0.1)


def check_end(state: dict, ends: str) -> None:
    assert state["state"] in ends.split(), state
    if state["state"] == "crashed":
        assert state["end"], "the host does not say why it stopped it"


@pytest.mark.parametrize("shell, name, ends", CASES, indirect=["shell"])
def test_attack(shell, name: str, ends: str) -> None:
    before = shell.row("spin")
    shell.send(f"vm start {name}\r")
    shell.expect(f"{name}: running")
    check_end(until(shell, name, ends), ends)
    shell(f"vm stop {name}")
    assert shell.row(name)["state"] != "running"
    after = shell.row("spin")
    assert after["state"] == "running"
    assert after["exits"] > before["exits"], "the other VM stands still"


@pytest.mark.parametrize("shell", ATTACKED, ids=str, indirect=True)
def test_host_after_attacks(shell) -> None:
    """It still starts VMs and ends as it should. The last test of its boot."""
    shell("vm stop spin")
    shell.send("vm start spin\r")
    shell.expect("spin: running")
    shell.send("off\r")
    outcome = shell.machine.wait(60)
    assert outcome.passed, outcome.text


@pytest.mark.parametrize("run, name, ends", STORM_CASES, indirect=["run"])
def test_storm(run, name: str, ends: str) -> None:
    check_end(run.vm_state(name), ends)


@pytest.mark.parametrize("run", STORMED, ids=str, indirect=True)
def test_host_after_storm(run) -> None:
    assert run.outcome.passed, run.outcome.text


@pytest.mark.parametrize("run, check", NEIGHBOURS, indirect=["run"])
def test_neighbour(run, check: str) -> None:
    """A VM in the storm notices nothing of it."""
    verdict, why = run.checks.get(check, ("missing", "never printed"))
    assert verdict == "ok", f"{check}: {why}"
