"""Debian's kernels, as they are in their packages, in a machine of Godwit's.

The guest tests itself (tests/linux/tests); here is what it must have said, and
how its machine must have ended.
"""

import re

import pytest

from boots import LINUX

CHECKS = """
    dmesg clocksource timer-ticks no-strays uart-irq time cpus
    processes pipes tmpfs tmpfs-size floating-point timers signals""".split()

# What a kernel prints when the machine is not what it takes it for, also after
# the guest has looked at its log.
COMPLAINTS = re.compile(
    r"unchecked MSR|WARNING:|BUG:|Oops|Call Trace|[Ss]tall|lockup|"
    r"Kernel panic|firmware bug|nobody cared", re.IGNORECASE)

STATUS_RESET = "status 256"


def tested(boot) -> str:
    """The VM of a boot that runs all tests."""
    return "general" if "general" in boot.name else "cloud"


on_linux = pytest.mark.parametrize("run", LINUX, ids=str, indirect=True)


@pytest.mark.parametrize("check", CHECKS)
@on_linux
def test_check(run, check: str) -> None:
    said = run.vms.get(tested(run.boot), [])
    assert f"ok linux.{check}" in said, "\n".join(
        line for line in said if f"linux.{check}" in line) or said[-20:]


@on_linux
def test_powers_off(run) -> None:
    assert run.outcome.passed, run.outcome.text
    state = run.vm_state(tested(run.boot))
    assert state["state"] == "ended", state
    assert state["end"] == "status 0", state


@on_linux
def test_no_complaint(run) -> None:
    for name, lines in run.vms.items():
        found = [line for line in lines if COMPLAINTS.search(line)]
        assert not found, f"{name}: {found}"


@pytest.mark.parametrize("run", [boot for boot in LINUX
                                 if "[vm again]" in boot.config],
                         ids=str, indirect=True)
def test_reboots(run) -> None:
    """A reboot asks for a reset, whose status no guest can give by itself."""
    state = run.vm_state("again")
    assert state["state"] == "ended", state
    assert state["end"].startswith(STATUS_RESET), state
