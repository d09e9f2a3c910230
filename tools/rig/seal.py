"""How frames between two hosts are sealed (docs/wire.md, "Frames", "HELLO").

ChaCha20-Poly1305 in Python takes 64 KiB in some 10 ms: the 1000 blocks of a
frame are calculated at once, each 32-bit word of theirs in 64 bits of a large
integer. Good for guests of some ten megabytes."""

import hashlib
import hmac
import struct
from array import array
from typing import NamedTuple

from .hashes import PAGE, check, mix, page_hash
from .pages import RAW
from .protocol import BODY, CLEAR, ENCRYPT, ETHERNET, PAGES, Frame, Wrong, \
    page_records


class Keys(NamedTuple):
    """One for each direction: of what the source sends, and the target."""

    s: bytes
    t: bytes

    def of(self, way: str) -> bytes:
        return self.s if way == "s" else self.t


def secret_of(words: str) -> bytes:
    """The pre-shared key of what operators type."""
    return hashlib.sha256(words.encode()).digest()


def derive(offer: bytes, accept: bytes, secret: bytes = b"") -> Keys:
    """Of a session, from the bodies of its OFFER and ACCEPT; `secret` is empty
    with security none, else the pre-shared key and X25519's."""
    salt = hashlib.sha256(offer + accept).digest()
    key = hmac.new(salt, secret, hashlib.sha256).digest()
    block, out = b"", b""
    for i in (1, 2):
        block = hmac.new(key, block + b"godwit 1" + bytes([i]),
                         hashlib.sha256).digest()
        out += block
    return Keys(out[:32], out[32:])


def hello_tag(frame: Frame, security: int, secret: bytes) -> bytes:
    what = frame.head + frame.body
    if security == CLEAR:
        return check(0, what).to_bytes(8, "little") + bytes(8)
    return hmac.new(secret, what, hashlib.sha256).digest()[:16]


def clear_check(key: int, frame: Frame) -> int:
    """Over header and body, a whole page's hash in place of its bytes."""
    begin, at = ETHERNET, BODY
    try:
        for record in page_records(frame.body) if frame.kind == PAGES else ():
            at += 8 + len(record.data)
            if record.codec == RAW and len(record.data) == PAGE and \
                    record.offset == 0:
                key = mix(check(key, frame.data[begin:at - PAGE])
                          ^ page_hash(record.data))
                begin = at
    except Wrong:
        pass  # the rest is bytes
    return check(key, frame.data[begin:BODY + len(frame.body)])


def tag_size(security: int) -> int:
    return 8 if security == CLEAR else 16


def opened(frame: Frame, security: int, key: bytes, number: int) -> tuple:
    """The body in clear, and the tag that the frame should have."""
    if security == CLEAR:
        value = clear_check(int.from_bytes(key[:8], "little"), frame)
        return frame.body, value.to_bytes(8, "little")
    nonce = struct.pack("<IQ", frame.kind, number)
    one_time = chacha20(key, nonce, 0, 1)[:32]
    if security == ENCRYPT:
        tag = poly1305(one_time, _aead(frame.head, frame.body))
        return _xored(key, nonce, frame.body), tag
    return frame.body, poly1305(one_time, _aead(frame.head + frame.body, b""))


def seal(key: bytes, nonce: bytes, clear: bytes, associated: bytes) -> tuple:
    """RFC 8439's AEAD: the text encrypted, and its tag."""
    hidden = _xored(key, nonce, clear)
    one_time = chacha20(key, nonce, 0, 1)[:32]
    return hidden, poly1305(one_time, _aead(associated, hidden))


# --- RFC 8439

def _aead(associated: bytes, text: bytes) -> bytes:
    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 16)

    return padded(associated) + padded(text) + \
        struct.pack("<QQ", len(associated), len(text))


def _xored(key: bytes, nonce: bytes, data: bytes) -> bytes:
    if not data:
        return b""
    stream = chacha20(key, nonce, 1, -(-len(data) // 64))[:len(data)]
    return (int.from_bytes(data, "little") ^
            int.from_bytes(stream, "little")).to_bytes(len(data), "little")


QUARTERS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
            (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))


def chacha20(key: bytes, nonce: bytes, counter: int, blocks: int) -> bytes:
    """So many blocks of the key stream."""
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * blocks, "little")
    mask = ones * 0xFFFFFFFF
    words = struct.unpack("<16I", b"expand 32-byte k" + key + bytes(4) + nonce)
    begin = [word * ones for word in words]
    begin[12] = int.from_bytes(
        array("Q", range(counter, counter + blocks)).tobytes(), "little")
    state = list(begin)
    for _ in range(10):
        for a, b, c, d in QUARTERS:
            for to, plus, xor, by in ((a, b, d, 16), (c, d, b, 12),
                                      (a, b, d, 8), (c, d, b, 7)):
                state[to] = state[to] + state[plus] & mask
                word = state[xor] ^ state[to]
                state[xor] = (word << by | word >> (32 - by)) & mask
    out = array("I", bytes(64 * blocks))
    for i, (word, first) in enumerate(zip(state, begin)):
        sums = (word + first & mask).to_bytes(8 * blocks, "little")
        out[i::16] = array("I", sums)[::2]
    return out.tobytes()


def poly1305(key: bytes, data: bytes) -> bytes:
    prime = (1 << 130) - 5
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    total = 0
    for at in range(0, len(data), 16):
        block = data[at:at + 16]
        value = int.from_bytes(block, "little") | 1 << 8 * len(block)
        total = (total + value) * r % prime
    total += int.from_bytes(key[16:], "little")
    return (total & (1 << 128) - 1).to_bytes(16, "little")
