"""Guests move while the cable is against it: a guest has one owner in the end, and
never two."""

import time

import pytest

from rig.hosts import Hosts, NotMoved
from rig.wire import WHOLE
from moves import begin, ends_well, in_phase, moved
from moves import guest, hosts  # noqa: F401 (fixtures)

# --- the cable ---------------------------------------------------------------

@pytest.mark.parametrize("phase", ["round", "stopped"])
def test_cable_is_cut_and_mended(hosts: Hosts, guest, phase: str) -> None:
    """A short cut only takes time."""
    name = guest("idle")
    places = in_phase(hosts, name, phase)
    hosts.wire.set("cut=1")
    time.sleep(1)
    assert len(hosts.owners(name)) <= 1
    hosts.wire.set("cut=0")
    hosts.finish(name, hosts.a, hosts.b, places)
    ends_well(hosts.b, name)


def test_loss_is_made_good(hosts: Hosts, guest) -> None:
    hosts.wire.set("loss=0.1", "seed=1")
    move = moved(hosts, guest("idle"), hosts.a, hosts.b)
    hosts.wire.set("loss=0")
    assert hosts.wire.stats()["ab"]["lost"] > 0
    assert move.report["frames_lost"] + move.report["parts_again"] > 0
    ends_well(hosts.b, "idle")


def test_all_that_can_befall_frames_is_made_good(hosts: Hosts, guest) -> None:
    """Late, lost, changed, repeated, overtaken, all in one move."""
    before = hosts.wire.stats()
    hosts.wire.set("jitter_us=300", "loss=0.04", "corrupt=0.04", "dup=0.04",
                   "reorder=0.04", "seed=3")
    move = moved(hosts, guest("idle"), hosts.a, hosts.b)
    hosts.wire.set(*WHOLE)
    after = hosts.wire.stats()
    for what in ("lost", "corrupted", "repeated", "reordered"):
        assert sum(after[way][what] - before[way][what] for way in after) > 0, \
            what
    assert move.report["frames_lost"] + move.report["parts_again"] > 0
    ends_well(hosts.b, "idle")


def settle(hosts: Hosts, name: str) -> None:
    """One owner at most until the doubt is over, and then exactly one."""
    assert len(hosts.owners(name)) <= 1
    hosts.wire.set("cut=0")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        owners = hosts.owners(name)
        assert len(owners) <= 1, owners
        if owners:
            break
        time.sleep(0.2)
    assert len(owners) == 1, (hosts.a.ask("migrate status"),
                              hosts.b.ask("migrate status"))
    host = hosts.a if owners == ["alpha"] else hosts.b
    ends_well(host, name)


@pytest.mark.long
@pytest.mark.parametrize("way", ["1", "ab", "ba"])
def test_cut_at_any_frame(hosts: Hosts, guest, way: str) -> None:
    """The cable goes dead at one frame after the other around the commit."""
    name = guest("few")
    before = hosts.wire.stats()["ab"]["frames"]
    hosts.move(name, hosts.a, hosts.b, policy="stop-and-copy")
    frames = hosts.wire.stats()["ab"]["frames"] - before
    ends_well(hosts.b, name)
    for left in range(12):
        begin(hosts, name)
        hosts.wire.set(f"after={max(1, frames - left)}")
        places = hosts.begin(name, hosts.a, hosts.b, policy="stop-and-copy")
        try:
            hosts.finish(name, hosts.a, hosts.b, places, timeout=30)
        except (NotMoved, TimeoutError):
            pass
        if way != "1":
            hosts.wire.set(f"cut={way}")
            time.sleep(0.5)
        settle(hosts, name)
