"""The cable that can be made worse (tools/wirebox), and the switch between
hosts and the outside, with sockets in the machines' places."""

import select
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from rig.cable import Stream
from rig.nic import Link
from rig.outside import Endpoint, Outside
from rig.switch import Switch
from rig.traffic import Echoes, Flow, stream_bytes
from rig.wire import Wire

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    subprocess.run(["make", "-s", "-C", str(ROOT), "rig"], check=True)


class Side:
    """An end of a wire: what a network card would be."""

    def __init__(self, path: str):
        self.link = socket.socket(socket.AF_UNIX)
        self.link.connect(path)
        self.link.settimeout(20)

    def send(self, frame: bytes) -> None:
        self.link.sendall(struct.pack(">I", len(frame)) + frame)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.link.recv(size - len(data))
            assert more
            data += more
        return data

    def receive(self) -> bytes:
        return self._read(struct.unpack(">I", self._read(4))[0])

    def silent(self, seconds: float = 0.2) -> bool:
        return not select.select([self.link], [], [], seconds)[0]


def frame(number: int, size: int = 100) -> bytes:
    return struct.pack(">I", number) * (size // 4)


@pytest.fixture
def wire() -> Iterator[tuple]:
    with Wire("seed=7") as box:
        yield box, Side(box.a().path), Side(box.b().path)


def test_frames_pass_whole_and_in_order(wire) -> None:
    _, a, b = wire
    for number, size in enumerate((60, 1514, 9014, 65012, 60)):
        a.send(frame(number, size))
        b.send(frame(number + 100, size))
    for number, size in enumerate((60, 1514, 9014, 65012, 60)):
        assert b.receive() == frame(number, size)
        assert a.receive() == frame(number + 100, size)


def test_rate_and_delay(wire) -> None:
    """20 frames of 10,000 bytes at 2 MB/s are a tenth of a second."""
    box, a, b = wire
    box.set("rate=2M", "delay_us=50000")
    begun = time.monotonic()
    for number in range(20):
        a.send(frame(number, 10000))
    b.receive()
    first = time.monotonic() - begun
    for _ in range(19):
        b.receive()
    whole = time.monotonic() - begun
    assert 0.05 <= first < whole
    assert 0.145 <= whole < 2


def test_cut_one_way_and_both(wire) -> None:
    box, a, b = wire
    box.set("cut=ab")
    a.send(frame(1))
    b.send(frame(2))
    assert a.receive() == frame(2) and b.silent()
    box.set("cut=1")
    b.send(frame(3))
    assert a.silent()
    box.set("cut=0")
    a.send(frame(4))
    assert b.receive() == frame(4)
    assert box.stats()["ab"] == {
        "frames": 1, "bytes": 100, "lost": 1, "corrupted": 0, "repeated": 0,
        "reordered": 0, "recorded": 0}


def test_cut_after_a_frame(wire) -> None:
    box, a, b = wire
    box.set("after=3")
    for number in range(5):
        a.send(frame(number))
    assert [b.receive() for _ in range(3)] == [frame(n) for n in range(3)]
    assert b.silent()
    assert box.stats()["ab"]["lost"] == 2


@pytest.mark.parametrize("way", ["ab", "ba"])
def test_cut_of_one_way(wire, way: str) -> None:
    box, a, b = wire
    box.set(f"fails={way}", "after=1")
    a.send(frame(1))
    assert b.receive() == frame(1)
    a.send(frame(2))
    b.send(frame(3))
    live, dead, what = (b, a, 2) if way == "ba" else (a, b, 3)
    assert live.receive() == frame(what)
    assert dead.silent()


@pytest.mark.parametrize("word, passes", [("before", 2), ("behind", 3)])
def test_cut_at_a_frame(wire, word: str, passes: int) -> None:
    box, a, b = wire
    box.set(f"{word}=3:2,23:02")
    for number in range(5):
        a.send(frame(number))
    assert [b.receive() for _ in range(passes)] == \
        [frame(n) for n in range(passes)]
    assert b.silent()
    box.set("cut=0")  # once is enough
    a.send(frame(2))
    assert b.receive() == frame(2)


@pytest.mark.parametrize("word", ["before=1", "before=1:100", "behind=70000:1",
                                  "before=1:2,", "behind=x:1", "before=1:2 3"])
def test_no_frame(wire, word: str) -> None:
    with pytest.raises(ValueError, match="wrong"):
        wire[0].set(word)


def test_end_may_come_again(wire) -> None:
    box, a, b = wire
    b.link.close()
    time.sleep(0.1)
    a.send(frame(1))
    time.sleep(0.1)
    again = Side(box.b().path)
    time.sleep(0.1)
    a.send(frame(2))
    assert again.receive() == frame(2)


def test_wrong_word_is_named(wire) -> None:
    with pytest.raises(ValueError, match="wrong: speed=1"):
        wire[0].set("speed=1")


# --- the switch

IPS = ("10.0.0.2", "10.0.0.3")
MACS = ("52:54:00:00:00:02", "52:54:00:00:00:03")


class Guests:
    """Endpoints behind the switch's two cables; each may stand at either."""

    def __init__(self, switch: Switch, sides: list):
        self.switch, self.sides = switch, sides
        self.at = [0, 1]
        self.ends = [Endpoint(self._transmit(i), ip, mac, seed=i)
                     for i, (ip, mac) in enumerate(zip(IPS, MACS))]
        self.heard = [0, 0]  # frames that came out of each cable
        for end in self.ends:
            end.echo_udp(7)

    def _transmit(self, guest: int):
        return lambda data: self.sides[self.at[guest]].send(data)

    def step(self) -> None:
        now = time.monotonic()
        for port, side in enumerate(self.sides):
            for data in side.receive():
                self.heard[port] += 1
                for guest, end in enumerate(self.ends):
                    if self.at[guest] == port:
                        end.receive(data, now)
        for end in self.ends:
            end.tick(now)
            end.flush()
        for side in self.sides:
            side.write()


@pytest.fixture
def guests() -> Iterator[Guests]:
    with Link() as one, Link() as two:
        cables = [Stream(link.path, True) for link in (one, two)]
        with Switch(cables) as switch:
            sides = [Stream(link.path, False) for link in (one, two)]
            for side in sides:
                side.connect(5)
            switch.connect(5)
            found = Guests(switch, sides)
            switch.outside.pumps.append(found.step)
            yield found


def until(outside: Outside, done: Callable, timeout: float) -> bool:
    """Its pumps are called all the time, as Background does."""
    end = time.monotonic() + timeout
    while not done() and time.monotonic() < end:
        outside.step(0.001)
    return done()


def ping(guests: Guests, ip: str) -> bool:
    outside = guests.switch.outside
    outside.pings += 1
    outside.endpoint.ping(ip, 1, outside.pings, b"x" * 56)
    key = (socket.inet_aton(ip), 1, outside.pings)
    return until(outside, lambda: key in outside.endpoint.echoes, 5)


def test_switch_learns(guests: Guests) -> None:
    assert all(ping(guests, ip) for ip in IPS)
    assert [guests.switch.port_of(mac) for mac in MACS] == [0, 1]
    before = list(guests.heard)
    assert ping(guests, IPS[0])
    assert guests.heard[1] == before[1], "nothing for others passes there"


def test_switch_follows_a_guest_that_moves(guests: Guests) -> None:
    assert ping(guests, IPS[0])
    guests.at[0] = 1
    assert not guests.switch.moves
    guests.ends[0].ping("10.0.0.1", 5, 5, b"here")  # it says where it is
    until(guests.switch.outside, lambda: guests.switch.moves, 5)
    assert ping(guests, IPS[0])
    assert [move[1:] for move in guests.switch.moves] == [(MACS[0], 0, 1)]


def test_echoes_count_what_is_lost(guests: Guests) -> None:
    assert ping(guests, IPS[0])
    outside = guests.switch.outside
    echoes = Echoes(outside, IPS[0], hz=500)
    echoes.begin()
    until(outside, lambda: echoes.sent >= 100, 10)
    guests.ends[0].udp_ports.clear()
    until(outside, lambda: echoes.sent >= 150, 10)
    guests.ends[0].echo_udp(7)
    until(outside, lambda: echoes.sent >= 200, 10)
    echoes.end()
    until(outside, lambda: False, 0.2)
    assert 40 <= echoes.lost <= 60
    assert 0.08 < echoes.largest_gap < 1


def test_flow_looks_at_every_byte(guests: Guests) -> None:
    wrong = []

    def accept(connection) -> None:
        def event(c) -> None:
            data = bytearray(c.read())
            if wrong and data:
                data[0] ^= 1
            c.write(bytes(data))
        connection.on_event = event

    guests.ends[0].listen(5, accept)
    outside = guests.switch.outside
    flow = Flow(outside, IPS[0])
    flow.begin()
    assert until(outside, lambda: flow.received > 200000, 20)
    assert not flow.wrong
    wrong.append(1)
    assert until(outside, lambda: flow.wrong, 20)
    assert "wrong bytes" in flow.wrong


def test_flow_is_slowed_down(guests: Guests) -> None:
    def accept(connection) -> None:
        connection.on_event = lambda c: c.write(bytes(c.read()))

    guests.ends[0].listen(5, accept)
    outside = guests.switch.outside
    flow = Flow(outside, IPS[0])
    flow.begin()
    assert until(outside, lambda: flow.received > 200000, 20)
    start, sent, pace = time.monotonic(), flow.sent, 50000
    flow.slow_to(pace)
    assert until(outside, lambda: flow.sent > sent + pace // 2, 20)
    assert flow.sent - sent <= (time.monotonic() - start) * pace
    assert not flow.wrong


def test_stream_is_what_the_guest_expects() -> None:
    source = (ROOT / "tests/linux/programs/tcpcount.c").read_text()
    assert "(uint32_t)n * 0x9e3779b1u >> 24" in source
    assert stream_bytes(0, 4) == bytes(
        (n * 0x9e3779b1 % 2**32) >> 24 for n in range(4))
    assert stream_bytes(1 << 32, 1) == stream_bytes(0, 1)
