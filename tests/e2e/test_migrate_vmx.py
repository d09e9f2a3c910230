"""Guests move between Intel's hosts, and over the border to AMD's."""

import pytest

from rig.hosts import End
from moves import (CLOSE, PAIRS, PLAIN, WALKERS, begin, ends_well, moved,
                   not_moved, running, walker)


# What the guest writes meanwhile is kept small, too.
SLOWLY = CLOSE + " rate=50"


@pytest.mark.parametrize("platforms", [
    PAIRS[0], pytest.param(PAIRS[1], marks=pytest.mark.long)], ids="-to-".join)
def test_crosses_between_vendors(request, platforms: tuple) -> None:
    """There and back, with other processors, TSCs and network cards. A guest
    that was shown its host's own CPU stays on such hosts."""
    guests = walker("base", SLOWLY, keys="cpu-model = baseline\n") \
        + WALKERS["idle"]
    ends = [End(platform, config=guests, migrate=PLAIN, frame_max=1514)
            for platform in platforms]
    with running(request, "-to-".join(platforms), *ends) as both:
        begin(both, "base")
        moved(both, "base", both.a, both.b, timeout=300)
        moved(both, "base", both.b, both.a, timeout=300)
        ends_well(both.a, "base")
        begin(both, "idle")
        places = both.begin("idle", both.a, both.b)
        not_moved(both, "idle", places)


def test_intel_to_intel(request) -> None:
    """Each way of tracking dirty pages moves the guest once."""
    ends = [End("vmx", config=walker("hot", SLOWLY + " hot=16"), migrate=PLAIN,
                frame_max=1514)] * 2
    with running(request, "vmx", *ends) as both:
        begin(both, "hot")
        places = [both.a, both.b]
        for way in ("pml", "dbit", "wp"):
            moved(both, "hot", *places, timeout=300, dirty=way)
            places.reverse()
        ends_well(places[0], "hot")
