"""The outside end of a guest's network: two endpoints back to back, over a
cable that loses, repeats, delays and spoils frames, in a time of their own."""

import random
import socket
import threading
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest

from rig import packets, services
from rig.cable import Pcap, Stream, plug
from rig.outside import Endpoint, Outside
from rig.packets import Malformed, Segment
from rig.proxy import Proxy

A, B = "10.0.0.1", "10.0.0.2"


class World:
    """Two endpoints, a cable, and a clock that jumps to what happens next."""

    def __init__(self, seed: int = 1, lose: float = 0, repeat: float = 0,
                 spoil: float = 0, jitter: float = 0, mtu: int = 1500):
        self.random = random.Random(seed)
        self.rates = lose, repeat, spoil
        self.jitter = jitter
        self.now = 1.0
        self.queue: list = []  # (when, number, to, frame)
        self.sent = 0
        self.ends = [Endpoint(self._transmit(1), A, "52:54:00:00:00:0a", mtu, 1),
                     Endpoint(self._transmit(0), B, "52:54:00:00:00:0b", mtu, 2)]
        for end in self.ends:
            end.now = self.now

    def _transmit(self, to: int) -> Callable[[bytes], None]:
        def transmit(frame: bytes) -> None:
            lose, repeat, spoil = self.rates
            self.sent += 1
            if self.random.random() < lose:
                return
            # What ARP says has no checksum of its own.
            if self.random.random() < spoil and frame[12:14] == b"\x08\0":
                at = self.random.randrange(14, len(frame))
                frame = frame[:at] + bytes([frame[at] ^ 0x20]) + frame[at + 1:]
            for _ in range(1 + (self.random.random() < repeat)):
                delay = 0.001 + self.random.random() * self.jitter
                self.queue.append((self.now + delay, self.sent, to, frame))
        return transmit

    def run(self, done: Callable[[], bool], seconds: float = 600) -> None:
        until = self.now + seconds
        while not done():
            times = [t for t in (end.deadline() for end in self.ends) if t]
            times += [entry[0] for entry in self.queue]
            assert times, "nothing will ever happen again"
            self.now = max(self.now, min(times))
            assert self.now < until, "it takes too long"
            due = sorted(e for e in self.queue if e[0] <= self.now)
            self.queue = [e for e in self.queue if e[0] > self.now]
            for _, _, to, frame in due:
                self.ends[to].receive(frame, self.now)
            for end in self.ends:
                end.tick(self.now)
                end.flush()


LINKS = {
    "clean": {},
    "loses": {"lose": 0.05},
    "reorders": {"jitter": 0.02},
    "repeats": {"repeat": 0.2, "jitter": 0.005},
    "spoils": {"spoil": 0.03},
    "everything": {"lose": 0.05, "repeat": 0.05, "spoil": 0.02, "jitter": 0.01},
}


@pytest.fixture(params=LINKS)
def world(request) -> World:
    return World(**LINKS[request.param])


def pattern(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def test_ping_is_answered(world: World) -> None:
    a = world.ends[0]
    for sequence in range(200):
        a.ping(B, 7, sequence, pattern(sequence))
    world.run(lambda: not world.queue and not a.waiting)
    assert len(a.echoes) > 150
    for (_, _, sequence), (_, payload) in a.echoes.items():
        assert payload == pattern(sequence)


def test_datagrams_come_back(world: World) -> None:
    a, b = world.ends
    back: dict = {}
    a.udp_ports[5000] = lambda ip, port, data: back.update(
        {int.from_bytes(data[:4], "big"): (ip, port)})
    b.echo_udp(7)
    for i in range(200):
        a.send_udp(B, 5000, 7, i.to_bytes(4, "big"))
    world.run(lambda: not world.queue and not a.waiting)
    assert len(back) > 150 and set(back.values()) == {(B, 7)}


def transfer(world: World, data: bytes, both: bool = False) -> list:
    """data from A to B by TCP, and back if wanted; what each has got."""
    a, b = world.ends
    got = [bytearray(), bytearray()]
    servers: list = []
    b.listen(80, servers.append)
    client = a.connect(B, 80)
    client.write(data)
    client.close()

    def done() -> bool:
        if servers:
            server = servers[0]
            more = server.read()
            got[1].extend(more)
            if both:
                server.write(more)
            if server.at_end:
                server.close()
        got[0].extend(client.read())
        return client.ended and bool(servers) and servers[0].ended

    world.run(done)
    assert (client.error, servers[0].error) == ("", "")
    return got


@pytest.mark.parametrize("size", [0, 1, 1460, 1461, 300000])
def test_bytes_arrive(world: World, size: int) -> None:
    data = pattern(size)
    assert transfer(world, data, both=True) == [data, data]


def test_many_losses_in_many_seeds() -> None:
    data = pattern(40000)
    for seed in range(60):
        world = World(seed, lose=0.15, repeat=0.1, spoil=0.05, jitter=0.05)
        assert transfer(world, data)[1] == data


def test_clean_cable_costs_no_retransmission() -> None:
    world = World()
    servers: list = []
    world.ends[1].listen(80, servers.append)
    client = world.ends[0].connect(B, 80)
    data = pattern(3 << 20)
    got = bytearray()
    at = 0

    def done() -> bool:
        nonlocal at
        more = min(client.room, len(data) - at)
        client.write(data[at:at + more])
        at += more
        if servers:
            got.extend(servers[0].read())
        return len(got) == len(data)

    world.run(done)
    assert got == data
    assert client.retransmits == 0 and servers[0].repeated == 0
    assert not world.ends[0].wrong and not world.ends[1].wrong


def test_reader_that_stops_holds_the_writer_up() -> None:
    world = World(mtu=9000)
    servers: list = []
    world.ends[1].listen(80, servers.append)
    client = world.ends[0].connect(B, 80)
    data = pattern(4 << 20)
    client.write(data)
    begun = world.now
    world.run(lambda: world.now > begun + 60)
    assert servers[0].readable == 1 << 20, "a window, and no more"
    assert not client.ended, "a shut window is no reason to give up"
    got = bytearray()
    world.run(lambda: got.extend(servers[0].read()) or len(got) == len(data))
    assert got == data


def test_nobody_listens() -> None:
    world = World()
    client = world.ends[0].connect(B, 81)
    world.run(lambda: client.ended)
    assert client.error == "reset by the peer"


def test_nobody_answers() -> None:
    world = World(lose=1)
    client = world.ends[0].connect("10.0.0.9", 80)
    world.run(lambda: client.ended)
    assert client.error == "no answer"


def test_reset_ends_a_connection() -> None:
    world = World()
    servers: list = []
    world.ends[1].listen(80, servers.append)
    client = world.ends[0].connect(B, 80)
    world.run(lambda: bool(servers) and servers[0].open)
    servers[0].abort()
    world.run(lambda: client.ended)
    assert client.error == "reset by the peer"


def test_window_scale_is_agreed() -> None:
    world = World()
    servers: list = []
    world.ends[1].listen(80, servers.append)
    client = world.ends[0].connect(B, 80)
    world.run(lambda: bool(servers) and servers[0].open)
    assert client.scale == servers[0].scale == 6
    # A peer without it gets windows that fit 16 bits.
    sent: list = []
    world.ends[1].transmit = sent.append
    syn = Segment(1000, 80, 5, 0, packets.SYN, 500, b"", {packets.MSS: 1000})
    world.ends[1]._tcp(b"\x0a\0\0\1", syn)
    assert servers[1].mss == 1000 and servers[1].our_scale == 0


# --- bytes


def test_checksums_are_those_of_the_rfcs() -> None:
    data = bytes.fromhex("0001f203f4f5f6f7")  # RFC 1071, 3
    assert packets.ones_sum(data) == 0xddf2
    assert packets.checksum(data) == 0xffff - 0xddf2
    assert packets.ones_sum(b"\x12") == 0x1200


def tcp_packet() -> bytes:
    a, b = packets.ip_bytes(A), packets.ip_bytes(B)
    segment = Segment(1, 2, 3, 4, packets.ACK, 5, b"hello")
    return packets.ipv4(a, b, packets.TCP, packets.tcp(a, b, segment))


def udp_packet() -> bytes:
    a, b = packets.ip_bytes(A), packets.ip_bytes(B)
    return packets.ipv4(a, b, packets.UDP, packets.udp(a, b, 1, 2, b"hello"))


def echo_packet() -> bytes:
    return packets.ipv4(packets.ip_bytes(A), packets.ip_bytes(B), packets.ICMP,
                        packets.echo(0, 1, 2, b"hello"))


@pytest.mark.parametrize("packet", [tcp_packet(), udp_packet(), echo_packet()],
                         ids=["tcp", "udp", "icmp"])
def test_every_wrong_bit_is_seen(packet: bytes) -> None:
    """All but those of addresses nobody has are reported, none is believed."""
    world = World()
    end = world.ends[1]
    frame = packets.ethernet(end.mac, bytes(6), packets.IPV4, packet)
    for bit in range(14 * 8, (14 + len(packet)) * 8):
        spoilt = bytearray(frame)
        spoilt[bit // 8] ^= 1 << bit % 8
        end.wrong.clear()
        end.receive(bytes(spoilt), 1.0)
        assert end.wrong, f"bit {bit}"
    assert not end.connections and not end.echoes


def test_malformed_frames_are_survived() -> None:
    """Bytes at random, and packets cut anywhere."""
    world = World()
    end = world.ends[1]
    end.listen(2, lambda connection: None)
    chance = random.Random(1)
    for _ in range(2000):
        kind = chance.choice([packets.ARP, packets.IPV4])
        end.receive(packets.ethernet(end.mac, bytes(6), kind, chance.randbytes(
            chance.randrange(100))), 1.0)
    for packet in (tcp_packet(), udp_packet(), echo_packet()):
        for size in range(len(packet)):
            end.receive(end.mac + bytes(6) + b"\x08\0" + packet[:size], 1.0)
    for size in range(14):
        end.receive(bytes(size), 1.0)
    assert end.wrong
    with pytest.raises(Malformed, match="option"):
        packets.read_options(bytes([2, 200, 1, 1]))


# --- in real time, over a socket


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple]:
    """A is the test's, B serves in a thread."""
    path = str(tmp_path / "link")
    server = plug(path)
    client = plug(path)
    assert isinstance(server, Stream) and server.server and not client.server
    client.connect(5)
    server.connect(5)
    over = threading.Event()
    with Outside(server, A, pcap=Pcap(tmp_path / "x.pcap")) as a, \
            Outside(client, B, "52:54:00:00:00:0b") as b:
        services.start(b.endpoint, services.STANDARD
                       | {80: services.http({"/": b"hello" * 50000})})

        def run() -> None:
            while not over.is_set():
                b.step(0.05)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield a, b
        finally:
            over.set()
            thread.join()


def test_page_is_served(pair: tuple) -> None:
    a, b = pair
    assert a.ping(B) is not None
    assert a.get(B) == (200, b"hello" * 50000)
    assert a.get(B, "/nothing")[0] == 404
    assert not a.wrong and not b.wrong


def test_services(pair: tuple) -> None:
    a, _ = pair
    echo = a.connect(B, 7)
    echo.write(b"there and back")
    assert a.wait(lambda: echo.readable == 14, 5)
    assert echo.read() == b"there and back"
    source = a.connect(B, 19)
    assert a.wait(lambda: source.read() and source.received > 3000000, 20)
    source.abort()


def test_frames_are_recorded(pair: tuple, tmp_path: Path) -> None:
    a, _ = pair
    assert a.ping(B, 5, every=0.2) is not None
    a.pcap.file.flush()
    data = (tmp_path / "x.pcap").read_bytes()
    assert data[:4] == b"\xd4\xc3\xb2\xa1"
    at, kinds = 24, []
    while at < len(data):
        size = int.from_bytes(data[at + 8:at + 12], "little")
        kinds.append(data[at + 28:at + 30])
        at += 16 + size
    assert at == len(data) and kinds[:2] == [b"\x08\x06"] * 2
    assert b"\x08\0" in kinds


def test_connections_are_carried(pair: tuple) -> None:
    """What any program of this machine reads and writes, through the proxy."""
    a, _ = pair
    proxy = Proxy(a, 0, B, 7)
    data, got = pattern(1000000), bytearray()
    near = socket.create_connection(("127.0.0.1", proxy.port))

    def program() -> None:
        with near:
            writer = threading.Thread(target=lambda: (
                near.sendall(data), near.shutdown(socket.SHUT_WR)))
            writer.start()
            while more := near.recv(65536):
                got.extend(more)
            writer.join()

    thread = threading.Thread(target=program)
    thread.start()
    until = time.monotonic() + 60
    while thread.is_alive() and time.monotonic() < until:
        a.step(0.01)
    proxy.close()
    assert got == data
