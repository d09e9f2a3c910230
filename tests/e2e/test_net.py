"""The host's network devices: two hosts on a cable, and a program on one."""

import re
import socket
import struct
import time
from typing import Iterator

import pytest

from boots import Boot, config
from lab.machine import OUT, Machine
from lab.nic import Link
from pairs import Ends, Pair, counters, running
from runs import Shell, spec

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
        assert int(row[5]) == ends.pair.frame_max


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
    """At the prompt nothing but an interrupt makes a host look at its device,
    and nobody listens: the frames are counted as dropped."""
    before = ends.counters(1 - sender)
    said = ends.hosts[sender]("net bench blast,ms=1", 60)
    assert any("no answer from the sink" in line for line in said), said
    deadline = time.monotonic() + 30
    after = ends.counters(1 - sender)
    while after["dropped"] == before["dropped"]:
        assert time.monotonic() < deadline, (before, after)
        after = ends.counters(1 - sender)
    assert after["interrupts"] > before["interrupts"]


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


# --- a program at the other end

ALONE = Boot("net-program", "svm",
             config("", "[nic wire]\nframe-max = 65000\n"), interactive=True)
PING, PONG = 4, 5


class Program:
    """Takes a host's place on a stream cable: frames behind their lengths."""

    def __init__(self, link: Link):
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(link.path)
        self.server.listen()
        self.server.settimeout(60)
        self.link: socket.socket

    def accept(self) -> None:
        self.link, _ = self.server.accept()
        self.link.settimeout(60)

    def send(self, frame: bytes) -> None:
        self.link.sendall(struct.pack(">I", len(frame)) + frame)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.link.recv(size - len(data))
            assert more, "the host's end is closed"
            data += more
        return data

    def receive(self) -> bytes:
        """The next frame of ours; the firmware sends some too."""
        while True:
            frame = self._read(struct.unpack(">I", self._read(4))[0])
            if frame[12:14] == b"\x88\xb5":
                return frame


@pytest.fixture(scope="module")
def alone(request) -> Iterator[tuple]:
    runs = request.config.runs
    with runs.slots, Link() as link:
        program = Program(link)
        start = spec(ALONE)
        start.nics.append(link.b())
        machine = Machine(start, OUT / "e2e" / ALONE.name)
        shell = Shell(ALONE, machine)
        try:
            machine.start()
            program.accept()
            shell.attach()
            yield shell, program
        finally:
            machine.stop()
            program.server.close()


def ping(size: int) -> bytes:
    head = b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5" + bytes([PING, 0])
    return head + bytes(size - len(head))


def test_program_gets_frames(alone: tuple) -> None:
    """The host's answers are Ethernet frames, from its own address."""
    shell, program = alone
    shell.send("net bench sink,size=200\r")
    shell.expect("size=200\n")
    for size in (60, 1514, 65000):
        program.send(ping(size))
        frame = program.receive()
        assert len(frame) == 200 and frame[14] == PONG
        assert frame[:6] == b"\xff" * 6
        assert frame[6:12] == bytes.fromhex(Link.MACS[1].replace(":", ""))


def test_frames_too_long_are_lost(alone: tuple) -> None:
    """What no buffer holds does no harm."""
    shell, program = alone
    program.send(ping(65001))
    program.send(ping(60))
    assert program.receive()[14] == PONG
    end = bytearray(ping(60))
    end[14] = 2
    program.send(bytes(end))
    assert program.receive()[14] == 3
    shell.expect("godwit> ")
    assert counters(shell("net list"))["broken"] == 0
