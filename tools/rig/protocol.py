"""The protocol between two hosts in words (docs/wire.md), written from the
specification alone: tools/wire-check and capture.py read by it."""

import struct
from typing import Iterator, NamedTuple

from .hashes import MASK, mix, rotl

HELLO, CONTROL, PAGES, GUEST = KINDS = (1, 2, 3, 4)
KIND_NAMES = {HELLO: "HELLO", CONTROL: "CONTROL", PAGES: "PAGES",
              GUEST: "GUEST"}
SEEK, HERE, OFFER, ACCEPT, DENY = 1, 2, 3, 4, 5
CLEAR, AUTHENTICATE, ENCRYPT = 0, 1, 2
SECURITIES = ("none", "authenticate", "encrypt")
ETHERNET, HEADER, HELLO_SIZE, CONTROL_HEAD = 14, 8, 144, 96
BODY = ETHERNET + HEADER

# Record: name, who sends it (s, t), least size of its data.
RECORDS = {
    1: ("DESCRIBE", "s", 48), 2: ("REQUIRE", "s", 56), 3: ("ASK", "s", 4),
    4: ("READY", "t", 16), 5: ("REFUSE", "t", 72), 6: ("ROUND", "s", 16),
    7: ("STATE", "s", 8), 8: ("PREPARE", "s", 32), 9: ("PREPARED", "t", 24),
    10: ("DIFFERS", "t", 24), 11: ("HASH_ASK", "s", 16),
    12: ("HASH_TELL", "t", 24), 13: ("COMMIT", "s", 16),
    14: ("COMMITTED", "t", 16), 15: ("RESTART", "s", 4),
    16: ("ABORT", "st", 8), 17: ("ABORTED", "t", 8), 18: ("RELEASE", "s", 8),
    19: ("PAGE_WANT", "t", 16), 20: ("PAGE_RANGE", "s", 16),
    21: ("FILLER", "s", 0),
}
SOURCE_STATES, TARGET_STATES = range(0, 11), range(16, 22)
IN_DOUBT, DONE, FAILED, RUNNING, DISCARDED = 7, 8, 10, 20, 21


class Wrong(Exception):
    """What breaks the specification."""


def need(holds: bool, what: str) -> None:
    if not holds:
        raise Wrong(what)


class Frame(NamedTuple):
    """One as it is on the cable; `data` is all of it."""

    kind: int
    session: int
    number: int  # the low 32 bits
    body: bytes
    data: bytes

    @property
    def head(self) -> bytes:
        return self.data[ETHERNET:BODY]

    @property
    def sender(self) -> bytes:
        return self.data[6:12]

    def tag(self, size: int) -> bytes:
        end = BODY + len(self.body)
        need(len(self.data) >= end + size, "its tag is cut off")
        return self.data[end:end + size]


def frame_of(data: bytes) -> Frame:
    need(len(data) >= BODY, "shorter than its headers")
    need(data[12:14] == b"\x88\xb5", "another EtherType")
    kind, session, length, number = struct.unpack_from("<BBHI", data, ETHERNET)
    need(kind >> 4 == 1, "another version")
    need(kind & 15 in KINDS, "an unknown kind")
    body = data[BODY:BODY + length]
    need(len(body) == length, "its body is cut off")
    return Frame(kind & 15, session, number, body, data)


def text(name: bytes) -> str:
    return name.rstrip(b"\0").decode("ascii", "replace")


class Hello(NamedTuple):
    """The body of a HELLO."""

    type: int
    security: int
    lowest: int
    highest: int
    features: int
    frame_size: int
    code: int
    name: str
    migration: bytes
    nonce: bytes
    challenge: bytes
    pages: int
    session: int
    body: bytes


def hello_of(frame: Frame) -> Hello:
    body = frame.body
    need(len(body) == HELLO_SIZE, "a HELLO of another size")
    need(frame.session == 0 and frame.number == 0, "a HELLO with a number")
    kind, security, lowest, highest = body[:4]
    need(SEEK <= kind <= DENY, "an unknown HELLO")
    need(security <= ENCRYPT, "unknown security")
    need(lowest <= 1 <= highest, "versions without 1")
    features, frame_size, code = struct.unpack_from("<III", body, 4)
    return Hello(kind, security, lowest, highest, features, frame_size, code,
                 text(body[16:48]), body[48:64], body[64:80], body[80:96],
                 struct.unpack_from("<Q", body, 128)[0], body[139], body)


class Record(NamedTuple):
    """Of the control channel."""

    type: int
    name: str
    data: bytes


def record_of(way: str, record: bytes) -> Record:
    """From what follows a control frame's head."""
    need(len(record) >= 8, "a record without its head")
    kind, flags, version, _, size, _ = struct.unpack_from("<BBBBHH", record)
    need(kind in RECORDS, "an unknown record")
    name, sender, least = RECORDS[kind]
    need(way in sender, f"{name} from the wrong end")
    need(version >= 1 and flags <= 1, f"{name}: version or flags")
    need(size == len(record) - 8 and least <= size <= 1300,
         f"{name}: size {size}")
    return Record(kind, name, record[8:])


class PageRecord(NamedTuple):
    page: int
    run: int  # pages, 1 but for zeros
    codec: int
    offset: int
    data: bytes


def page_records(body: bytes) -> Iterator[PageRecord]:
    """Of a PAGES frame."""
    at = 0
    while at < len(body):
        need(len(body) - at >= 8, "a page record without its head")
        page, where, size = struct.unpack_from("<IHH", body, at)
        at += 8
        if where >> 12 == 0:
            yield PageRecord(page, size, 0, where & 0xFFF, b"")
            continue
        need(len(body) - at >= size, "page data cut off")
        yield PageRecord(page, 1, where >> 12, where & 0xFFF,
                         body[at:at + size])
        at += size


def certificate_of(memory: int, state: int, migration: bytes) -> int:
    identity, = struct.unpack_from("<Q", migration)
    return mix((memory ^ rotl(state, 1) ^ identity) & MASK)
