"""What a trace of kind `dirty` tells of a guest: which pages it wrote when, how
many different ones within how long, and the code that did it.

    xray = Xray(trace, "walker")
    xray.heat(columns=100, rows=48)     # shares of each part of memory
    xray.working_set()                  # seconds -> pages
    xray.code(Symbols.of(Path("walker.sym")))

A harvest says which pages were written since the one before, or since tracking
began. Faults (dirty=wp) say who wrote:
those are first writes to a page after a harvest, not all.
"""

import subprocess
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional

from .trace import Kind, Trace

PAGE = 4096


class Harvest(NamedTuple):
    """Pages as the bits of a number: the union of many is quick."""

    start: float  # seconds, of what it tells of
    end: float
    pages: int

    @property
    def count(self) -> int:
        return self.pages.bit_count()


class Code(NamedTuple):
    where: str
    faults: int
    pages: int  # different ones


class SetSize(NamedTuple):
    """Of the working set within `seconds`: in the mean, least, most."""

    seconds: float
    mean: float
    least: int
    most: int


@dataclass
class Symbols:
    """Names of a program's addresses."""

    starts: list = field(default_factory=list)
    names: list = field(default_factory=list)

    @classmethod
    def of(cls, path: Path) -> "Symbols":
        """An ELF file's, by nm."""
        text = subprocess.run(["nm", "-n", "--defined-only", str(path)],
                              check=True, capture_output=True, text=True).stdout
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> "Symbols":
        symbols = cls()
        for line in text.splitlines():
            address, kind, name = line.split(maxsplit=2)
            if kind in "TtWw":
                symbols.starts.append(int(address, 16))
                symbols.names.append(name)
        return symbols

    def name(self, address: int) -> Optional[str]:
        at = bisect_right(self.starts, address) - 1
        return self.names[at] if at >= 0 else None


def bits(first: int, n: int) -> int:
    return ((1 << n) - 1) << first


def between(pages: int, first: int, n: int) -> int:
    """How many of them are in a part of memory."""
    return (pages >> first & ((1 << n) - 1)).bit_count()


class Xray:
    """Of one VM in a trace; the first in it that was tracked, by default."""

    def __init__(self, trace: Trace, vm: Optional[str] = None):
        self.trace = trace
        seen = [trace.vm(r) for r in trace.of(Kind.HARVEST, Kind.DIRTY_FAULT)]
        if vm is None and seen:
            vm = seen[0]
        if vm not in seen:
            raise ValueError(f"{trace.host}: no dirty pages of {vm or 'any VM'}"
                             " were traced (kind `dirty`)")
        self.vm = vm
        self.zero = min(r.tsc for r in trace.records)
        self.harvests = self._harvests()
        self.faults = [r for r in trace.of(Kind.DIRTY_FAULT)
                       if trace.vm(r) == vm]

    def seconds(self, tsc: int) -> float:
        return self.trace.ns(tsc - self.zero) / 1e9

    def _harvests(self) -> list:
        """A harvest's record has the time at which it began; its runs were put
        in before it ended."""
        found: list = []
        pages, last = 0, self.seconds(self.zero)
        mine = (r for r in self.trace.of(Kind.HARVEST, Kind.DIRTY_RUNS)
                if self.trace.vm(r) == self.vm)
        events = sorted(mine, key=lambda r: (
            r.tsc + (r.a if r.kind == Kind.HARVEST else 0), r.kind == Kind.HARVEST))
        for r in events:
            if r.kind == Kind.DIRTY_RUNS:
                for first, n in r.runs:
                    pages |= bits(first, n)
                continue
            at = self.seconds(r.tsc)
            if r.value:  # 0: tracking is on from here
                found.append(Harvest(last, at, pages))
            pages, last = 0, at
        return found

    @property
    def pages(self) -> int:
        """All that were ever written."""
        union = 0
        for harvest in self.harvests:
            union |= harvest.pages
        for r in self.faults:
            union |= bits(r.a // PAGE, 1)
        return union

    @property
    def end_page(self) -> int:
        return self.pages.bit_length()

    def heat(self, columns: int = 100, rows: int = 48) -> tuple:
        """(matrix, seconds from and to, pages): per row a part of memory, per
        column the percentage of its pages that a harvest then found."""
        known = [h for h in self.harvests if h.end > h.start]
        if not known or not self.end_page:
            return [], (0.0, 0.0), 0
        first, last = known[0].start, known[-1].end
        part = max(-(-self.end_page // rows), 1)
        rows = -(-self.end_page // part)
        step = (last - first) / columns
        shares = [[100 * between(h.pages, n * part, part) / part
                   for n in range(rows)] for h in known]
        matrix: list = [[0.0] * columns for _ in range(rows)]
        for column in range(columns):
            start, end = first + column * step, first + (column + 1) * step
            here = [(min(end, h.end) - max(start, h.start), share)
                    for h, share in zip(known, shares)
                    if h.start < end and h.end > start]
            total = sum(weight for weight, _ in here)
            for n in range(rows):
                if total > 0:
                    matrix[n][column] = sum(weight * share[n] for weight, share
                                            in here) / total
        return matrix, (first, last), rows * part

    def working_set(self) -> list:
        """SetSize for windows of 1, 2, 4... harvests, and of all."""
        known = [h for h in self.harvests if h.end > h.start]
        lengths = [1 << n for n in range(len(known).bit_length())]
        if known and lengths[-1] != len(known):
            lengths.append(len(known))
        sizes = []
        for length in lengths if known else []:
            counts, spans = [], []
            for start in range(0, len(known) - length + 1,
                               max(length // 4, 1)):
                window = known[start:start + length]
                union = 0
                for harvest in window:
                    union |= harvest.pages
                counts.append(union.bit_count())
                spans.append(window[-1].end - window[0].start)
            sizes.append(SetSize(sum(spans) / len(spans),
                                 sum(counts) / len(counts), min(counts),
                                 max(counts)))
        return sizes

    def code(self, symbols: Optional[Symbols] = None) -> list:
        """Where first writes came from, the most first."""
        faults: Counter = Counter()
        pages: dict = {}
        for r in self.faults:
            name = symbols.name(r.b) if symbols else None
            where = name or f"{r.b:#x}"
            faults[where] += 1
            pages.setdefault(where, set()).add(r.a // PAGE)
        return [Code(where, n, len(pages[where]))
                for where, n in faults.most_common()]
