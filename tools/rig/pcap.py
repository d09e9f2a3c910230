"""Capture files of libpcap, as QEMU, wirebox and tcpdump write them."""

import struct
from typing import Iterator, NamedTuple

from .protocol import need

# Magic number as read: byte order, nanoseconds per unit.
KINDS = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000),
         b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}
HEAD = 24


class Packet(NamedTuple):
    when: int  # nanoseconds since 1970
    data: bytes
    whole: bool  # False: the capture has only its beginning


def packets(data: bytes) -> Iterator[Packet]:
    """All of a file; rig.protocol.Wrong where it is none, or cut off."""
    need(len(data) >= HEAD and data[:4] in KINDS, "not a pcap file")
    order, unit = KINDS[data[:4]]
    need(struct.unpack_from(order + "I", data, 20)[0] & 0xFFFF == 1,
         "not a capture of Ethernet")
    at = HEAD
    while at < len(data):
        need(at + 16 <= len(data), "the capture ends within a frame")
        seconds, fraction, size, whole = struct.unpack_from(order + "IIII",
                                                            data, at)
        need(at + 16 + size <= len(data), "the capture ends within a frame")
        at += 16 + size
        yield Packet(seconds * 10**9 + fraction * unit, data[at - size:at],
                     size == whole)


def head() -> bytes:
    """Of a file with nanoseconds."""
    return struct.pack("<IHHIIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 1)


def packet(when: int, data: bytes) -> bytes:
    return struct.pack("<IIII", when // 10**9, when % 10**9, len(data),
                       len(data)) + data
