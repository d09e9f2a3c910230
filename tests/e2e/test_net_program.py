"""A program at the other end of a host's cable: frames as they are on the wire."""

import socket
import struct
from typing import Iterator

import pytest

from boots import Boot, config
from rig.machine import OUT, Machine
from rig.nic import Link
from pairs import counters
from runs import Shell, spec

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
    shell.expect("net bench: ready\n")
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
