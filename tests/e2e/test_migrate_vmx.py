"""Guests move between Intel's hosts, and over the border to AMD's."""

import pytest

from lab.hosts import End
from moves import (CLOSE, PAIRS, WALKERS, begin, ends_well, moved, not_moved,
                   running, walker)


@pytest.mark.parametrize("platforms", PAIRS, ids="-to-".join)
def test_crosses_between_vendors(request, platforms: tuple) -> None:
    ends = [End(platform, config=walker("base", CLOSE,
                                        keys="cpu-model = baseline\n"),
                frame_max=1514) for platform in platforms]
    with running(request, "-to-".join(platforms), *ends) as both:
        begin(both, "base")
        moved(both, "base", both.a, both.b, timeout=300)
        moved(both, "base", both.b, both.a, timeout=300)
        ends_well(both.a, "base")


def test_foreign_cpu_is_refused(request) -> None:
    """A guest that was shown its host's CPU stays on such hosts."""
    ends = [End(platform, config=WALKERS["idle"], frame_max=1514)
            for platform in ("svm", "vmx")]
    with running(request, "foreign", *ends) as both:
        begin(both, "idle")
        places = both.begin("idle", both.a, both.b)
        not_moved(both, "idle", places)


@pytest.mark.parametrize("way", ["pml", "dbit", "wp"])
def test_intel_to_intel(request, way: str) -> None:
    ends = [End("vmx", config=walker("hot", CLOSE + " hot=16"),
                frame_max=1514)] * 2
    with running(request, f"vmx-{way}", *ends) as both:
        begin(both, "hot")
        moved(both, "hot", both.a, both.b, timeout=300, dirty=way)
        ends_well(both.b, "hot")
