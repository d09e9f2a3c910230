"""Which pages a migration sent in which round, out of a capture (docs/wire.md).

    for flow in read(Path("mig.pcap")):
        flow.rounds[1].shares(256)      # of each 256th of the memory, how much
        flow.rates(0.05)                # [seconds, bytes a second]

What was sent in a round behind the first is what the guest had written. Pages can
be told only where the link does not encrypt; times and bytes always. The capture
is what our own hosts sent: a frame that breaks the rules is passed over.
"""

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator, Optional

ETHERTYPE = b"\x88\xb5"
HEADER = 22  # Ethernet's and ours
HELLO, CONTROL, PAGES = 1, 2, 3
OFFER, ACCEPT = 3, 4
RECORD_ROUND, CONTROL_HEAD = 6, 96
ENCRYPT = 2
ZERO, CONTENT = 1, 2  # of a page: how it went


@dataclass
class Round:
    """The pages of one round; times are seconds from the migration's first
    frame."""

    number: int
    stopped: bool
    begun: float
    sent: bytearray  # a byte a page: 0, ZERO or CONTENT
    ended: float = 0.0

    def pages(self, kind: int) -> int:
        return self.sent.count(kind)

    def shares(self, cells: int, zero: bool = False) -> list:
        """For each of `cells` equal parts of the memory, 0 to 1."""
        total = len(self.sent)
        edges = [n * total // cells for n in range(cells + 1)]
        return [sum(1 for how in self.sent[low:high] if how == CONTENT
                    or zero and how) / max(high - low, 1)
                for low, high in zip(edges, edges[1:])]


@dataclass
class Flow:
    """One migration."""

    identity: bytes
    pages: int
    begun: float
    source: bytes = b""
    security: int = 0
    rounds: list = field(default_factory=list)
    traffic: list = field(default_factory=list)  # (seconds, bytes on the wire)

    @property
    def readable(self) -> bool:
        return self.security != ENCRYPT

    def rates(self, every: float) -> list:
        """[begin of each `every` seconds, bytes a second in it]."""
        last = self.traffic[-1][0] if self.traffic else 0.0
        bins = [0] * (int(last / every) + 1)
        for when, size in self.traffic:
            bins[int(when / every)] += size
        return [[n * every, size / every] for n, size in enumerate(bins)]


def frames(path: Path) -> Iterator[tuple]:
    """(seconds, frame) of a pcap file; one that ends within a frame just ends."""
    with open(path, "rb") as file, \
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[:4] != b"\xd4\xc3\xb2\xa1":
            raise ValueError(f"{path} is not a pcap file")
        at = 24
        while at + 16 <= len(data):
            seconds, micros, size = struct.unpack_from("<III", data, at)
            yield seconds + micros / 1e6, data[at + 16:at + 16 + size]
            at += 16 + size


def read(path: Path) -> list:
    """The migrations in the order in which they began."""
    flows: dict = {}
    now: Optional[Flow] = None
    for when, frame in frames(path):
        if frame[12:14] != ETHERTYPE or len(frame) < HEADER:
            continue
        kind = frame[14] & 15
        length, = struct.unpack_from("<H", frame, 16)
        body = frame[HEADER:HEADER + length]
        if kind == HELLO and len(body) == 144 and body[0] in (OFFER, ACCEPT):
            now = _hello(flows, when, frame, body)
        if now is None:
            continue
        now.traffic.append((when - now.begun, len(frame)))
        if frame[6:12] != now.source or not now.readable:
            continue
        if kind == CONTROL:
            _control(now, when, body)
        elif kind == PAGES and now.rounds:
            _pages(now, when, body)
    return list(flows.values())


def _hello(flows: dict, when: float, frame: bytes, body: bytes) -> Flow:
    identity = body[48:64]
    if identity not in flows:
        pages, = struct.unpack_from("<Q", body, 128)
        flows[identity] = Flow(identity, pages, when)
    flow = flows[identity]
    flow.security = body[1]
    flow.source = frame[6:12] if body[0] == OFFER else frame[0:6]
    return flow


def _control(flow: Flow, when: float, body: bytes) -> None:
    record = body[CONTROL_HEAD:]
    if len(record) < 24 or record[0] != RECORD_ROUND:
        return
    number, flags = struct.unpack_from("<II", record, 8)
    if flow.rounds and number <= flow.rounds[-1].number:
        return  # sent again
    flow.rounds.append(Round(number, bool(flags & 1), when - flow.begun,
                             bytearray(flow.pages)))


def _pages(flow: Flow, when: float, body: bytes) -> None:
    now, at = flow.rounds[-1], 0
    now.ended = when - flow.begun
    while at + 8 <= len(body):
        page, where, size = struct.unpack_from("<IHH", body, at)
        at += 8
        count = 1
        if where >> 12:
            at += size
        else:
            count = size
        if page + count > flow.pages:
            return
        for n in range(page, page + count):
            now.sent[n] = max(now.sent[n], CONTENT if where >> 12 else ZERO)
