"""Guests move while the cable is against it: a guest has one owner in the end, and
never two."""

import time

import pytest

from rig.hosts import FINAL, Hosts
from rig.wire import WHOLE
from moves import begin, clear, ends_well, in_phase, moved
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


def under_way(hosts: Hosts, name: str) -> bool:
    newest = next(row for row in hosts.a.ask("migrate status")["migrations"]
                  if row["vm"] == name)
    return newest["state"] not in FINAL


DEAD = 4  # seconds; a session that hears nothing for three has ended


def settle(hosts: Hosts, name: str, places) -> None:
    """The cable is whole again, and the guest has one owner: the one that the
    source says."""
    assert len(hosts.owners(name)) <= 1
    hosts.wire.set(*WHOLE)
    final = hosts.a.waits(name, places.source, 60, change=FINAL)
    owner = hosts.b if final["change"] == "done" else hosts.a
    until = time.monotonic() + 30
    while not (owners := hosts.owners(name)) and time.monotonic() < until:
        time.sleep(0.1)
    assert owners == [owner.name], (hosts.a.ask("migrate status"),
                                    hosts.b.ask("migrate status"))
    ends_well(owner, name)


@pytest.mark.long
@pytest.mark.parametrize("way", ["1", "ab", "ba"])
def test_cut_at_any_frame(hosts: Hosts, guest, way: str) -> None:
    """The cable goes dead, both ways or one, at one frame after the other around
    the commit, and stays so until the session has ended."""
    name = guest("few")
    before = hosts.wire.stats()["ab"]["frames"]
    hosts.move(name, hosts.a, hosts.b, policy="stop-and-copy")
    frames = hosts.wire.stats()["ab"]["frames"] - before
    ends_well(hosts.b, name)
    struck = 0
    for left in range(12):
        clear(hosts, name)
        begin(hosts, name)
        hosts.wire.set(f"fails={way}", f"after={max(1, frames - left)}")
        places = hosts.begin(name, hosts.a, hosts.b, policy="stop-and-copy")
        time.sleep(DEAD)
        struck += under_way(hosts, name)
        settle(hosts, name, places)
    assert struck > 6  # the others had ended before
