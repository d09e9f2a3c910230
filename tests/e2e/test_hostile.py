"""Guests that attack: none stops the host, nor the VM that runs beside them."""

import time

import pytest

from boots import ATTACKS, HOSTILE_BOOTS

PATIENCE = 20  # seconds until an attack that goes on counts as endless
CASES = [pytest.param(boot, name, ends, id=f"{boot}:{name}")
         for boot in HOSTILE_BOOTS for name, ends, group in ATTACKS
         if boot.name.endswith(f"-{group}")]


def until(shell, name: str, ends: str) -> dict:
    """Waits for the attack's end, or for long enough where it has none."""
    patience = 1 if ends == "running" else PATIENCE
    deadline = time.monotonic() + patience
    while True:
        state = shell.row(name)
        if state["state"] != "running" or time.monotonic() > deadline:
            return state
        time.sleep(0.1)


@pytest.mark.parametrize("shell, name, ends", CASES, indirect=["shell"])
def test_attack(shell, name: str, ends: str) -> None:
    before = shell.row("spin")
    shell.send(f"vm start {name}\r")
    shell.expect(f"{name}: running")
    state = until(shell, name, ends)
    assert state["state"] in ends.split(), state
    if state["state"] == "crashed":
        assert state["end"], "the host does not say why it stopped it"
    shell(f"vm stop {name}")
    assert shell.row(name)["state"] in ("off", "ended", "crashed")
    after = shell.row("spin")
    assert after["state"] == "running"
    assert after["exits"] > before["exits"], "the other VM stands still"


@pytest.mark.parametrize("shell", HOSTILE_BOOTS, ids=str, indirect=True)
def test_host_after_attacks(shell) -> None:
    """It still starts VMs and ends as it should. The last test of its boot."""
    shell("vm stop spin")
    shell.send("vm start spin\r")
    shell.expect("spin: running")
    shell.send("off\r")
    outcome = shell.machine.wait(60)
    assert outcome.passed, outcome.text
