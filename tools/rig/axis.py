"""The axes of a chart: where a value lies, which ticks there are, and how they read.

    scale = Axis("memory", "B", binary=True).fit([0, 5 << 20], room=8)
    scale.at(1 << 20), scale.ticks, scale.labels
"""

import math
from dataclasses import dataclass
from typing import Optional, Sequence

DECIMAL = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
BINARY = ((2.0 ** 30, "Gi"), (2.0 ** 20, "Mi"), (2.0 ** 10, "Ki"))
NEAR_ZERO = 0.6  # values from this part of the greatest on: 0 is shown too
SHORT = 1e4  # smaller numbers are written out


@dataclass(frozen=True)
class Axis:
    """What it shows. `least` and `most` hold whatever the values are; `names`
    make an axis of categories, whose values are 0, 1, 2...; a logarithmic one
    has no place for values that are not above 0, and they are left out."""

    title: str = ""
    unit: str = ""
    log: bool = False
    least: Optional[float] = None
    most: Optional[float] = None
    binary: bool = False  # ticks at round numbers of KiB, MiB
    names: Sequence[str] = ()

    @property
    def text(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def fit(self, values: Sequence[float], room: int) -> "Scale":
        """For those values, with about `room` ticks at most."""
        if self.names:
            return Scale(-0.5, len(self.names) - 0.5, False,
                         list(range(len(self.names))), list(self.names))
        if self.log:
            return self._decades([value for value in values if value > 0], room)
        low, high = self._ends(values)
        step = nice_step((high - low) / max(room, 2), self.binary)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if self.least is None:
            low = first * step
        if self.most is None:
            high = last * step
        ticks = [n * step for n in range(first, last + 1)
                 if low - step / 1e6 <= n * step <= high + step / 1e6]
        return Scale(low, high, False, ticks, labels(ticks, self.binary))

    def _ends(self, values: Sequence[float]) -> tuple:
        low = self.least if self.least is not None else min(values, default=0)
        high = self.most if self.most is not None else max(values, default=1)
        if self.least is None and 0 < low <= high * NEAR_ZERO:
            low = 0
        if self.most is None and low * NEAR_ZERO >= high > low:
            high = 0
        if high <= low:
            high = low + (abs(low) or 1)
        return low, high

    def _decades(self, values: Sequence[float], room: int) -> "Scale":
        low = float(self.least or min(values, default=1))
        high = float(self.most or max(values, default=10))
        first, last = math.floor(math.log10(low) + 1e-9), \
            math.ceil(math.log10(high) - 1e-9)
        last = max(last, first + 1)
        low = self.least or 10.0 ** first
        high = max(self.most or 10.0 ** last, low * 2)
        every = -(-(last - first) // max(room, 2))
        tens = [10.0 ** n for n in range(first, last + 1, every)]
        ticks = tens
        for digits in ((2, 5), range(2, 10)):
            finer = sorted([*tens, *(ten * digit for ten in tens
                                     for digit in digits)])
            finer = [tick for tick in finer if low <= tick * (1 + 1e-9)
                     and tick <= high * (1 + 1e-9)]
            if every == 1 and len(ticks) < 4 and len(finer) <= room:
                ticks = finer
        ticks = [tick for tick in ticks if low <= tick * (1 + 1e-9)
                 and tick <= high * (1 + 1e-9)]
        return Scale(low, high, True, ticks, [number(tick) for tick in ticks])


@dataclass(frozen=True)
class Scale:
    """An axis that knows its values."""

    low: float
    high: float
    log: bool
    ticks: list
    labels: list

    def at(self, value: float) -> float:
        """0 at the low end, 1 at the high one."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def holds(self, value: Optional[float]) -> bool:
        return value is not None and (value > 0 or not self.log)


def nice_step(least: float, binary: bool = False) -> float:
    """The next of 1, 2 and 5 and their tens, or of the powers of two."""
    if binary:
        return 2.0 ** math.ceil(math.log2(least) - 1e-9)
    ten = 10.0 ** math.floor(math.log10(least))
    return next(digit * ten for digit in (1, 2, 5, 10)
                if digit * ten >= least * (1 - 1e-9))


def _unit(greatest: float, binary: bool) -> tuple:
    if greatest < (BINARY[-1][0] if binary else SHORT):
        return 1.0, ""
    return next((size, word) for size, word in (BINARY if binary else DECIMAL)
                if greatest >= size)


def _digits(value: float) -> str:
    text = f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"
    return text.replace("e-0", "e-").replace("-", "\N{MINUS SIGN}")


def number(value: float, binary: bool = False) -> str:
    """1234 and 25k and 4Mi: as ticks have it."""
    size, word = _unit(abs(value), binary)
    return _digits(value / size) + word


def labels(ticks: Sequence[float], binary: bool = False) -> list:
    """Of ticks at an even pace: all by the same unit, and as many digits as tell
    them apart."""
    size, word = _unit(max((abs(tick) for tick in ticks), default=0), binary)
    step = min((b - a for a, b in zip(ticks, ticks[1:])), default=1) / size
    digits = min(max(-math.floor(math.log10(step) + 1e-9), 0), 15)
    if digits > 5:
        return [number(tick, binary) for tick in ticks]
    texts = [_digits(tick / size) if binary else
             f"{tick / size:.{digits}f}".replace("-", "\N{MINUS SIGN}")
             for tick in ticks]
    return ["0" if not text.strip("0.") else text + word for text in texts]
