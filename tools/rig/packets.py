"""Ethernet, ARP, IPv4, ICMP, UDP and TCP as bytes: read with every checksum
verified, and written.

RFC 826 (ARP), 791 (IPv4), 792 (ICMP), 768 (UDP), 9293 (TCP), 7323 (window
scale). No fragments, no IP options of our own, no IPv6.
"""

import socket
import struct
from dataclasses import dataclass, field

BROADCAST = b"\xff" * 6
ARP, IPV4 = 0x0806, 0x0800
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
FRAME_MIN = 60  # a shorter one is padded, as a NIC would


class Malformed(Exception):
    """What is wrong with a packet that came."""


def mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def mac_text(mac: bytes) -> str:
    return mac.hex(":")


def ip_bytes(text: str) -> bytes:
    return socket.inet_aton(text)


def ip_text(ip: bytes) -> str:
    return socket.inet_ntoa(ip)


def ones_sum(data: bytes) -> int:
    """The ones' complement sum of 16-bit words: the remainder by 0xffff, since
    65536 is 1 there. A long number is divided much faster than words added."""
    number = int.from_bytes(data, "big")
    return (number << 8 if len(data) & 1 else number) % 0xffff


def checksum(data: bytes) -> int:
    return 0xffff - ones_sum(data)


def pseudo(source: bytes, to: bytes, protocol: int, size: int) -> bytes:
    return source + to + struct.pack(">HH", protocol, size)


# --- Ethernet and ARP


def ethernet(to: bytes, source: bytes, kind: int, payload: bytes) -> bytes:
    frame = to + source + kind.to_bytes(2, "big") + payload
    return frame.ljust(FRAME_MIN, b"\0")


def arp(operation: int, mac: bytes, ip: bytes, to_mac: bytes,
        to_ip: bytes) -> bytes:
    """1 asks, 2 answers."""
    return struct.pack(">HHBBH", 1, IPV4, 6, 4, operation) + mac + ip \
        + to_mac + to_ip


@dataclass
class Arp:
    operation: int
    mac: bytes
    ip: bytes
    to_ip: bytes


def read_arp(data: bytes) -> Arp:
    if len(data) < 28 or data[:6] != b"\0\1\x08\0\6\4":
        raise Malformed("ARP: not of Ethernet and IPv4")
    return Arp(data[7], data[8:14], data[14:18], data[24:28])


# --- IPv4


@dataclass
class Packet:
    source: bytes
    to: bytes
    protocol: int
    payload: bytes


def ipv4(source: bytes, to: bytes, protocol: int, payload: bytes,
         number: int = 0) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), number & 0xffff,
                       0x4000, 64, protocol, 0) + source + to
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + payload


def read_ipv4(data: bytes) -> Packet:
    if len(data) < 20 or data[0] >> 4 != 4:
        raise Malformed("IP: no IPv4 header")
    header = (data[0] & 15) * 4
    size = int.from_bytes(data[2:4], "big")
    if not 20 <= header <= size <= len(data):
        raise Malformed(f"IP: header {header}, packet {size}, frame "
                        f"{len(data)} bytes")
    if ones_sum(data[:header]):
        raise Malformed("IP: wrong checksum")
    if int.from_bytes(data[6:8], "big") & 0x3fff:
        raise Malformed("IP: a fragment")
    return Packet(data[12:16], data[16:20], data[9], data[header:size])


# --- ICMP echo


def echo(kind: int, number: int, sequence: int, payload: bytes) -> bytes:
    """8 asks, 0 answers."""
    data = struct.pack(">BBHHH", kind, 0, 0, number, sequence) + payload
    return data[:2] + checksum(data).to_bytes(2, "big") + data[4:]


@dataclass
class Echo:
    kind: int
    number: int
    sequence: int
    payload: bytes


def read_icmp(data: bytes) -> Echo:
    if len(data) < 8:
        raise Malformed("ICMP: too short")
    if ones_sum(data):
        raise Malformed("ICMP: wrong checksum")
    number, sequence = struct.unpack(">HH", data[4:8])
    return Echo(data[0], number, sequence, data[8:])


# --- UDP


@dataclass
class Datagram:
    port: int
    to_port: int
    payload: bytes


def udp(source: bytes, to: bytes, port: int, to_port: int,
        payload: bytes) -> bytes:
    size = 8 + len(payload)
    data = struct.pack(">HHHH", port, to_port, size, 0) + payload
    value = checksum(pseudo(source, to, UDP, size) + data)
    return data[:6] + value.to_bytes(2, "big") + data[8:]


def read_udp(packet: Packet) -> Datagram:
    data = packet.payload
    if len(data) < 8:
        raise Malformed("UDP: too short")
    port, to_port, size, value = struct.unpack(">HHHH", data[:8])
    if not 8 <= size <= len(data):
        raise Malformed("UDP: its length is wrong")
    data = data[:size]
    if value and ones_sum(pseudo(packet.source, packet.to, UDP, size) + data):
        raise Malformed("UDP: wrong checksum")
    return Datagram(port, to_port, data[8:])


# --- TCP


@dataclass
class Segment:
    port: int
    to_port: int
    sequence: int
    ack: int
    flags: int
    window: int
    payload: bytes
    options: dict = field(default_factory=dict)  # kind -> number; SYN only


MSS, SCALE = 2, 3  # the options that we know


def tcp(source: bytes, to: bytes, s: Segment) -> bytes:
    options = b""
    if s.options:
        options = struct.pack(">BBHBBB", MSS, 4, s.options[MSS], SCALE, 3,
                              s.options[SCALE]) + b"\1"
    head = struct.pack(">HHIIBBHHH", s.port, s.to_port, s.sequence & 0xffffffff,
                       s.ack & 0xffffffff, (20 + len(options)) << 2, s.flags,
                       s.window, 0, 0)
    data = head + options + s.payload
    value = checksum(pseudo(source, to, TCP, len(data)) + data)
    return data[:16] + value.to_bytes(2, "big") + data[18:]


def read_options(data: bytes) -> dict:
    options: dict = {}
    while data and data[0]:
        if data[0] == 1:
            data = data[1:]
            continue
        if len(data) < 2 or not 2 <= data[1] <= len(data):
            raise Malformed("TCP: an option's length is wrong")
        options[data[0]] = int.from_bytes(data[2:data[1]], "big")
        data = data[data[1]:]
    return options


def read_tcp(packet: Packet) -> Segment:
    data = packet.payload
    if len(data) < 20:
        raise Malformed("TCP: too short")
    if ones_sum(pseudo(packet.source, packet.to, TCP, len(data)) + data):
        raise Malformed("TCP: wrong checksum")
    port, to_port, sequence, ack, offset, flags, window = \
        struct.unpack(">HHIIBBH", data[:16])
    header = (offset >> 4) * 4
    if not 20 <= header <= len(data):
        raise Malformed("TCP: its header's length is wrong")
    options = read_options(data[20:header]) if flags & SYN else {}
    return Segment(port, to_port, sequence, ack, flags & 31, window,
                   data[header:], options)
