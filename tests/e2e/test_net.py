"""The host's network devices: two hosts on a cable."""

import re
import time
from typing import Iterator

import pytest

from rig.nic import Link
from pairs import Ends, Pair, running

PAIRS = [
    Pair("virtio", frame_max=65000),
    Pair("mtu", mtu=9000, frame_max=9014),
    Pair("e1000", drivers=("e1000", "virtio-net-pci"), frame_max=9014),
    Pair("bochs", "dgram", ("vmx", "svm"), ("e1000", "e1000"), timeout=400),
]


@pytest.fixture(scope="module", params=PAIRS, ids=str)
def ends(request) -> Iterator[Ends]:
    with running(request.param, request.config.runs) as pair:
        yield pair


def received(said: str) -> tuple:
    """Frames and bytes that a sink got."""
    got = re.search(r"got (\d+) frames, (\d+) bytes", said)
    assert got, said
    return int(got.group(1)), int(got.group(2))


def test_device_is_found(ends: Ends) -> None:
    for end, host in enumerate(ends.hosts):
        row = host("net list")[1].split()
        driver = ends.pair.drivers[end].removesuffix("-pci")
        assert row[:2] == ["lan", driver]
        assert re.fullmatch(r"00:[01][0-9a-f]\.0", row[2])
        assert row[3] == Link.MACS[end]
        assert row[4] == "lan"
        assert int(row[6]) == ends.pair.frame_max


@pytest.mark.parametrize("sender", [0, 1])
def test_round_trips(ends: Ends, sender: int) -> None:
    """The shortest frames and the longest go there and come back whole."""
    for size in (60, ends.pair.frame_max):
        said, _ = ends.bench(sender, f"ping,size={size},ms=300")
        trips = re.search(r"(\d+) round trips of (\d+) bytes", said)
        assert trips and int(trips.group(1)) > 0, said
        assert int(trips.group(2)) == size


@pytest.mark.parametrize("sender", [0, 1])
@pytest.mark.parametrize("pieces", [1, 4, 20])
def test_frames_arrive(ends: Ends, sender: int, pieces: int) -> None:
    """As many as were sent, of as many bytes, however they were scattered."""
    size = ends.pair.frame_max
    said, sink = ends.bench(sender, f"blast,size={size},pieces={pieces},ms=200")
    sent = re.search(r"sent (\d+) frames, (\d+) bytes", said)
    assert sent, said
    frames, volume = received(sink)
    assert volume == frames * size
    if ends.pair.lossless and "e1000" not in ends.pair.drivers:
        assert frames == int(sent.group(1))
    else:
        assert 0 < frames <= int(sent.group(1))


@pytest.mark.parametrize("sender", [0, 1])
def test_interrupt_ends_the_halt(ends: Ends, sender: int) -> None:
    """At the prompt nothing but an interrupt makes a host look at its device.
    The blaster says some thirty times that it is done; each wakes the host."""
    before = ends.counters(1 - sender)
    said = ends.hosts[sender]("net bench blast,ms=1", 60)
    assert any("no answer from the sink" in line for line in said), said
    deadline = time.monotonic() + 30
    after = ends.counters(1 - sender)
    while after["rx"] == before["rx"]:
        assert time.monotonic() < deadline, (before, after)
        after = ends.counters(1 - sender)
    assert after["interrupts"] - before["interrupts"] > 5, (before, after)


def test_devices_behave(ends: Ends) -> None:
    """Nothing that an emulator's device does is taken for a fault."""
    for end in range(2):
        assert ends.counters(end)["broken"] == 0


@pytest.mark.parametrize("ends", PAIRS[:1], ids=str, indirect=True)
def test_device_is_taken_back(ends: Ends) -> None:
    """Its driver finds a device that somebody has reset, and brings it back."""
    ends.bench(0, "blast,mode=plain,ms=50", "sink,mode=plain")
    said, sink = ends.bench(0, "blast,ms=50")
    assert received(sink)[0] > 0, said
    for end in range(2):
        assert ends.counters(end)["broken"] == 1
