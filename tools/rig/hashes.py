"""The hashes of docs/wire.md: what both ends of a migration compare."""

import struct
from functools import lru_cache

MASK = (1 << 64) - 1
FINISHER = 0xD6E8FEB86659FD93
ROOTS = (0x6A09E667F3BCC908, 0xBB67AE8584CAA73B,
         0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1)
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


def fold(a: int, b: int) -> int:
    product = a * b
    return (product ^ product >> 64) & MASK


@lru_cache(maxsize=1 << 16)
def page_hash(page: bytes) -> int:
    """All 64 bits."""
    a, b, c, d = 1, 2, 3, 4
    for w in struct.iter_unpack("<8Q", page):
        a = fold(w[0] ^ ROOTS[0], w[1] ^ a)
        b = fold(w[2] ^ ROOTS[1], w[3] ^ b)
        c = fold(w[4] ^ ROOTS[2], w[5] ^ c)
        d = fold(w[6] ^ ROOTS[3], w[7] ^ d)
    return fold(a ^ ROOTS[0], b ^ ROOTS[1]) ^ fold(c ^ ROOTS[2], d ^ ROOTS[3])


def memory_hash(memory: list) -> int:
    """Of a list of pages."""
    return sum(mix(i << 24 | page_hash(page) >> 40)
               for i, page in enumerate(memory)) & MASK
