"""Hosts that die while a guest moves, and hosts that must not, or need not, agree.

Each test has a pair of its own, and so stands apart from those that share one: a
pair takes both places for machines (runs.py) until it is gone.
"""

from typing import Iterator

import pytest

from rig.hosts import End, Hosts
from moves import (PATIENT, PHASES, VMS, begin, ends_well, goes_on, in_phase,
                   moved, not_moved, running)

# --- hosts that die ----------------------------------------------------------

@pytest.fixture
def mortals(request) -> Iterator[Hosts]:
    with running(request, "mortals", End(config=VMS, migrate=PATIENT),
                 End(migrate=PATIENT)) as both:
        yield both


@pytest.mark.parametrize("phase", PHASES)
def test_target_dies(mortals: Hosts, phase: str) -> None:
    """Before the commit: the source has everything, and goes on. It looks for
    the target until it is told not to."""
    begin(mortals, "idle")
    places = in_phase(mortals, "idle", phase)
    mortals.b.kill()
    if phase != "stopped":
        goes_on(mortals.a, "idle")
    mortals.a.ask("migrate cancel")
    not_moved(mortals, "idle", places)
    mortals.restart(1)
    moved(mortals, "idle", mortals.a, mortals.b)
    ends_well(mortals.b, "idle")


@pytest.mark.parametrize("phase", PHASES)
def test_source_dies(mortals: Hosts, phase: str) -> None:
    """Before the commit: the guest dies with its host, and the target holds
    nothing that runs. It can take another one."""
    begin(mortals, "idle")
    places = in_phase(mortals, "idle", phase)
    mortals.a.kill()
    mortals.restart(0)
    assert mortals.owners("idle") == []
    begin(mortals, "idle")
    moved(mortals, "idle", mortals.a, mortals.b)
    if phase != "started":
        mortals.b.waits("idle", places[1], change="discarded")
    ends_well(mortals.b, "idle")


# --- who must not meet -------------------------------------------------------

def test_wrong_key(request) -> None:
    with running(request, "wrong-key", End(config=VMS),
                 End(key="another one")) as both:
        begin(both, "idle")
        places = both.begin("idle", both.a, both.b)
        not_moved(both, "idle", places)
        assert both.b.vm("idle") is None


def test_too_little_memory(request) -> None:
    with running(request, "small", End(config=VMS), End(memory=256)) as both:
        begin(both, "huge")
        places = both.begin("huge", both.a, both.b)
        not_moved(both, "huge", places)
        reason = both.a.text.split("huge: not moved: ")[1].splitlines()[0]
        assert "memory" in reason
        begin(both, "idle")
        moved(both, "idle", both.a, both.b)
        ends_well(both.b, "idle")


@pytest.mark.parametrize("security", ["none", "authenticate"])
def test_security(request, security: str) -> None:
    """Both ends have to want the same; encryption is what all others use."""
    ends = [End(config=config, migrate=f"{PATIENT}security = {security}\n")
            for config in (VMS, "")]
    with running(request, f"svm-{security}", *ends) as both:
        begin(both, "few")
        move = moved(both, "few", both.a, both.b)
        assert move.report["bytes"] > 0
        ends_well(both.b, "few")
