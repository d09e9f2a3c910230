"""A matrix of numbers as a picture in a few bytes: a PNG of one byte a cell."""

import base64
import math
import struct
import zlib
from typing import Optional, Sequence

# Dark to light at an even pace, also in grey and to the colour-blind.
STOPS = ((0x2A, 0x1A, 0x5E), (0x3B, 0x52, 0x8B), (0x21, 0x91, 0x8C),
         (0x5E, 0xC9, 0x62), (0xFD, 0xE7, 0x25))
SHADES = 255
NOTHING = 255  # the palette's last place is transparent


def shade(part: float) -> tuple:
    """The colour of a part of the greatest, 0 to 1."""
    place = min(max(part, 0.0), 1.0) * (len(STOPS) - 1)
    below = min(int(place), len(STOPS) - 2)
    return tuple(round(a + (b - a) * (place - below))
                 for a, b in zip(STOPS[below], STOPS[below + 1]))


def part_of(value: float, most: float, log: bool) -> float:
    """How far up the shades a value is; a logarithm begins at 1."""
    if most <= 0:
        return 0.0
    if log:
        return math.log1p(max(value, 0)) / math.log1p(most)
    return value / most


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data \
        + struct.pack(">I", zlib.crc32(kind + data))


def png(rows: Sequence[Sequence[Optional[float]]], most: float,
        log: bool = False) -> bytes:
    """The first row is at the top; None is seen through."""
    width = len(rows[0])
    lines = b"".join(
        b"\0" + bytes(NOTHING if value is None else
                      round(min(max(part_of(value, most, log), 0), 1)
                            * (SHADES - 1))
                      for value in row) for row in rows)
    palette = b"".join(bytes(shade(n / (SHADES - 1))) for n in range(SHADES))
    return b"\x89PNG\r\n\x1a\n" \
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0,
                                      0)) \
        + _chunk(b"PLTE", palette + bytes(3)) \
        + _chunk(b"tRNS", b"\xff" * SHADES + b"\0") \
        + _chunk(b"IDAT", zlib.compress(lines, 9)) + _chunk(b"IEND", b"")


def data_uri(image: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(image).decode()
