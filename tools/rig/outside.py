"""The outside of a guest's network, as a program without rights: a machine with
an address of its own at the other end of an emulated network card's cable.

Endpoint is that machine, sans I/O: frames and time come in through calls,
frames go out through one. Outside drives one over a cable, in real time.

    with Outside(plug(path), "10.0.0.1") as outside:
        print(outside.ping("10.0.0.2"))
        status, body = outside.get("10.0.0.2", "/")

Whatever comes is checked: a wrong checksum or a length that does not fit is
kept in `wrong`, and the packet dropped.
"""

import random
import select
import time
from typing import Callable, Optional

from . import packets
from .cable import Cable, Pcap
from .packets import (ACK, BROADCAST, RST, SYN, Arp, Echo, Malformed, Packet,
                      Segment, ip_bytes, ip_text, mac_bytes)
from .tcp import LINGER, Connection

MAC = "52:54:00:67:77:f0"
IP_AND_TCP = 40
WAITING_MAX = 256  # packets for an address that is being asked for
ARP_AGAIN = 0.5


class Endpoint:
    """Ethernet, ARP, IPv4, ICMP echo, UDP and TCP of one machine."""

    def __init__(self, transmit: Callable[[bytes], None], ip: str,
                 mac: str = MAC, mtu: int = 1500, seed: Optional[int] = None):
        self.transmit = transmit
        self.ip, self.mac, self.mtu = ip_bytes(ip), mac_bytes(mac), mtu
        self.random = random.Random(seed)
        self.now = 0.0
        self.neighbours: dict = {}  # ip -> mac
        self.waiting: dict = {}  # ip -> [when to ask again, packets]
        self.echoes: dict = {}  # (ip, number, sequence) -> (when, payload)
        self.udp_ports: dict = {}  # port -> f(ip, port, payload)
        self.tcp_ports: dict = {}  # port -> f(connection)
        self.connections: dict = {}
        self.wrong: list = []  # what came and was malformed
        self.counts = {"received": 0, "sent": 0, "other": 0}
        self.number = self.random.randrange(1 << 16)

    # --- time

    def tick(self, now: float) -> None:
        self.now = now
        for ip, entry in list(self.waiting.items()):
            if now >= entry[0]:
                self._ask(ip)
        for key, connection in list(self.connections.items()):
            connection.tick(now)
            if connection.ended and now > connection.ended_at + LINGER:
                del self.connections[key]

    def flush(self) -> None:
        for connection in list(self.connections.values()):
            connection.flush()

    def deadline(self) -> Optional[float]:
        times = [entry[0] for entry in self.waiting.values()]
        times += [c.deadline for c in self.connections.values() if c.deadline]
        return min(times, default=None)

    # --- Ethernet and ARP

    def _frame(self, to: bytes, kind: int, payload: bytes) -> None:
        self.counts["sent"] += 1
        self.transmit(packets.ethernet(to, self.mac, kind, payload))

    def _ask(self, ip: bytes) -> None:
        self.waiting[ip][0] = self.now + ARP_AGAIN
        self._frame(BROADCAST, packets.ARP,
                    packets.arp(1, self.mac, self.ip, bytes(6), ip))

    def _send(self, to: bytes, protocol: int, payload: bytes) -> None:
        self.number += 1
        packet = packets.ipv4(self.ip, to, protocol, payload, self.number)
        if to in self.neighbours:
            self._frame(self.neighbours[to], packets.IPV4, packet)
        elif to in self.waiting:
            del self.waiting[to][1][WAITING_MAX:]
            self.waiting[to][1].append(packet)
        else:
            self.waiting[to] = [0.0, [packet]]
            self._ask(to)

    def receive(self, frame: bytes, now: float) -> None:
        self.now = now
        self.counts["received"] += 1
        kind = int.from_bytes(frame[12:14], "big")
        try:
            if len(frame) < 14:
                raise Malformed(f"a frame of {len(frame)} bytes")
            if frame[:6] != self.mac and not frame[0] & 1:
                self.counts["other"] += 1
            elif kind == packets.ARP:
                self._arp(packets.read_arp(frame[14:]))
            elif kind == packets.IPV4:
                self._ipv4(frame[6:12], packets.read_ipv4(frame[14:]))
            else:
                self.counts["other"] += 1
        except Malformed as error:
            self.wrong.append(str(error))

    def _arp(self, a: Arp) -> None:
        if a.ip != bytes(4):
            self._heard(a.ip, a.mac)
        if a.operation == 1 and a.to_ip == self.ip:
            self._frame(a.mac, packets.ARP,
                        packets.arp(2, self.mac, self.ip, a.mac, a.ip))

    def _heard(self, ip: bytes, mac: bytes) -> None:
        self.neighbours[ip] = mac
        for packet in self.waiting.pop(ip, [0, []])[1]:
            self._frame(mac, packets.IPV4, packet)

    def _ipv4(self, mac: bytes, packet: Packet) -> None:
        if packet.to != self.ip:
            self.counts["other"] += 1
        elif packet.protocol == packets.ICMP:
            self._icmp(packet, packets.read_icmp(packet.payload))
        elif packet.protocol == packets.UDP:
            datagram = packets.read_udp(packet)
            if datagram.to_port in self.udp_ports:
                self.udp_ports[datagram.to_port](
                    ip_text(packet.source), datagram.port, datagram.payload)
        elif packet.protocol == packets.TCP:
            self._tcp(packet.source, packets.read_tcp(packet))
        else:
            self.counts["other"] += 1

    # --- ICMP, UDP

    def _icmp(self, packet: Packet, e: Echo) -> None:
        if e.kind == 8:
            self._send(packet.source, packets.ICMP,
                       packets.echo(0, e.number, e.sequence, e.payload))
        elif e.kind == 0:
            self.echoes[packet.source, e.number, e.sequence] = \
                (self.now, e.payload)
        else:
            self.counts["other"] += 1

    def ping(self, ip: str, number: int, sequence: int,
             payload: bytes) -> None:
        self._send(ip_bytes(ip), packets.ICMP,
                   packets.echo(8, number, sequence, payload))

    def send_udp(self, ip: str, port: int, to_port: int,
                 payload: bytes) -> None:
        to = ip_bytes(ip)
        self._send(to, packets.UDP,
                   packets.udp(self.ip, to, port, to_port, payload))

    def echo_udp(self, port: int) -> None:
        """Every datagram goes back where it came from."""
        self.udp_ports[port] = lambda ip, from_port, payload: \
            self.send_udp(ip, port, from_port, payload)

    # --- TCP

    def _transmit_to(self, ip: bytes) -> Callable[[Segment], None]:
        return lambda s: self._send(ip, packets.TCP,
                                    packets.tcp(self.ip, ip, s))

    def connect(self, ip: str, port: int) -> Connection:
        to = ip_bytes(ip)
        while True:
            local = self.random.randrange(32768, 61000)
            if (to, port, local) not in self.connections:
                break
        return self._connection(to, port, local, None)

    def _connection(self, ip: bytes, port: int, local: int,
                    syn: Optional[Segment]) -> Connection:
        connection = Connection(
            (self.ip, local), (ip, port), self.random.randrange(1 << 32),
            self.mtu - IP_AND_TCP, self.now, self._transmit_to(ip), syn)
        self.connections[ip, port, local] = connection
        return connection

    def listen(self, port: int, accept: Callable[[Connection], None]) -> None:
        """accept() gets each connection at its first segment; it sets on_event,
        which is called for all that happens to it."""
        self.tcp_ports[port] = accept

    def _tcp(self, ip: bytes, s: Segment) -> None:
        key = (ip, s.port, s.to_port)
        connection = self.connections.get(key)
        fresh = s.flags & (SYN | ACK | RST) == SYN
        if connection and not (fresh and connection.ended):
            connection.receive(s, self.now)
        elif fresh and s.to_port in self.tcp_ports:
            connection = self._connection(ip, s.port, s.to_port, s)
            self.tcp_ports[s.to_port](connection)
        elif not s.flags & RST:
            ack = s.sequence + len(s.payload) + bool(s.flags & SYN)
            self._transmit_to(ip)(Segment(s.to_port, s.port, s.ack, ack,
                                          RST | ACK, 0, b""))


class Outside:
    """An endpoint on a cable, in real time. Every wait carries on everything
    else too: servers answer while a client waits."""

    def __init__(self, cable: Cable, ip: str = "10.0.0.1", mac: str = MAC,
                 mtu: int = 1500, pcap: Optional[Pcap] = None):
        self.cable = cable
        self.pcap = pcap
        self.endpoint = Endpoint(self._transmit, ip, mac, mtu)
        self.endpoint.now = time.monotonic()
        self.watched: dict = {}  # socket -> f(), called when it can be read
        self.pumps: list = []  # called in every round
        self.pings = 0

    def __enter__(self) -> "Outside":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.cable.close()
        if self.pcap:
            self.pcap.close()

    @property
    def wrong(self) -> list:
        return self.endpoint.wrong

    def _transmit(self, frame: bytes) -> None:
        if self.pcap:
            self.pcap.add(frame)
        self.cable.send(frame)

    # --- the loop

    def step(self, timeout: float) -> None:
        """One round: waits for something, but not longer."""
        endpoint = self.endpoint
        deadline = endpoint.deadline()
        if deadline is not None:
            timeout = min(timeout, max(0.0, deadline - time.monotonic()))
        if self.cable.waiting:
            self.cable.write()
        readable, _, _ = select.select(
            [self.cable, *self.watched], [self.cable] * self.cable.waiting, [],
            timeout)
        now = time.monotonic()
        if self.cable in readable:
            for frame in self.cable.receive():
                if self.pcap:
                    self.pcap.add(frame)
                endpoint.receive(frame, now)
        for item in readable:
            if item in self.watched:
                self.watched[item]()
        for pump in self.pumps:
            pump()
        endpoint.tick(now)
        endpoint.flush()
        if self.cable.waiting:
            self.cable.write()

    def wait(self, done: Callable[[], bool], timeout: float) -> bool:
        """Until done() or the time is up: whether it was done."""
        until = time.monotonic() + timeout
        while not done():
            left = until - time.monotonic()
            if left <= 0 or self.cable.closed:
                return False
            self.step(left)
        return True

    def serve(self, timeout: float = 1e9) -> None:
        self.wait(lambda: False, timeout)

    # --- what people do with a network

    def ping(self, ip: str, timeout: float = 10, size: int = 56,
             every: float = 1.0) -> Optional[float]:
        """Seconds of one round trip, asked for again every so often; None: no
        answer."""
        until = time.monotonic() + timeout
        payload = bytes(i & 0xff for i in range(size))
        while time.monotonic() < until and not self.cable.closed:
            self.pings += 1
            key = (ip_bytes(ip), 0x6777, self.pings & 0xffff)
            begun = self.endpoint.now = time.monotonic()
            self.endpoint.ping(ip, 0x6777, key[2], payload)
            left = min(every, until - begun)
            if self.wait(lambda: key in self.endpoint.echoes, left):
                when, came = self.endpoint.echoes.pop(key)
                if came == payload:
                    return when - begun
                self.wrong.append("ICMP: an echo is not what was sent")
        return None

    def connect(self, ip: str, port: int, timeout: float = 10) -> Connection:
        self.endpoint.now = time.monotonic()
        connection = self.endpoint.connect(ip, port)
        if not self.wait(lambda: connection.open or connection.ended, timeout):
            connection.abort()
            raise TimeoutError(f"{ip}:{port} does not answer")
        if connection.ended:
            raise ConnectionError(f"{ip}:{port}: {connection.error}")
        return connection

    def read_all(self, connection: Connection, timeout: float) -> bytes:
        """Until the other end closes."""
        data = bytearray()

        def more() -> bool:
            data.extend(connection.read())
            return connection.at_end

        if not self.wait(more, timeout):
            raise TimeoutError(f"only {len(data)} bytes came")
        if connection.error:
            raise ConnectionError(connection.error)
        return bytes(data)

    def get(self, ip: str, path: str = "/", port: int = 80,
            timeout: float = 30) -> tuple:
        """(status, body) of a page."""
        connection = self.connect(ip, port, timeout)
        connection.write(f"GET {path} HTTP/1.0\r\nHost: {ip}\r\n\r\n".encode())
        answer = self.read_all(connection, timeout)
        connection.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if len(words) < 2 or not head.startswith(b"HTTP/"):
            raise ConnectionError(f"no HTTP answer: {answer[:80]!r}")
        return int(words[1]), body
