"""The hashes of docs/wire.md: what both ends of a migration compare."""

import struct

MASK = (1 << 64) - 1
FACTOR, FINISHER = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
PAGE = 4096


def mix(x: int) -> int:
    x = (x ^ x >> 32) * FINISHER & MASK
    x = (x ^ x >> 32) * FINISHER & MASK
    return x ^ x >> 32


def rotl(x: int, by: int) -> int:
    return (x << by | x >> (64 - by)) & MASK


def check(key: int, data: bytes) -> int:
    whole = len(data) // 8 * 8
    a, b = key, 0
    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        a = (a + word) & MASK
        b = (b + a) & MASK
    a = (a + int.from_bytes(data[whole:], "little")) & MASK
    b = (b + a) & MASK
    return mix(a ^ mix(b ^ len(data)))


def page_hash(page: bytes) -> int:
    lanes = [1, 2, 3, 4]
    for n, words in enumerate(struct.iter_unpack("<16Q", page)):
        lane = lanes[n % 4]
        for word in words:
            lane = rotl((lane + word) & MASK, 27)
        lanes[n % 4] = lane * FACTOR & MASK
    h = 0
    for lane in lanes:
        h = (rotl(h, 27) ^ lane) * FACTOR & MASK
    return ((h ^ h >> 32) * FINISHER & MASK) >> 40


def memory_hash(memory: list) -> int:
    """Of a list of pages; what is there many times is looked at once."""
    known: dict = {}
    total = 0
    for i, page in enumerate(memory):
        if page not in known:
            known[page] = page_hash(page)
        total += mix(i << 24 | known[page])
    return total & MASK
