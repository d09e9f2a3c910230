"""One clock for several hosts' traces, from the frames that went between them.

A frame that `a` sends arrives later than it was sent: so much is b's clock ahead
of a's at most. A frame the other way gives the least. Between the two lies the
truth, as in NTP, and half of what is between is the error. Where no one offset
fits all frames the clocks' rates differ, since each was calibrated by its host:
then stretches of time are looked at one by one, and a line is laid through them.
An emulator's clock may also wander, when its machine is busy: what no line fits is
followed from stretch to stretch.
"""

from bisect import bisect
from dataclasses import dataclass, field
from typing import Optional

from .trace import Kind, Trace

FRAMES = 50  # in a stretch, about
STRETCHES = (4, 200)  # at least, at most
HELLO = 1  # not numbered


@dataclass
class Clock:
    """ns of a host's own time to ns of the common one (the first host's)."""

    # (own time, how far it is ahead); between and beyond them straight on.
    points: list = field(default_factory=lambda: [(0.0, 0.0)])
    error: Optional[float] = 0.0  # ns; None: nothing is known
    samples: int = 0

    def ahead(self, ns: float) -> float:
        if len(self.points) == 1:
            return self.points[0][1]
        right = min(max(bisect(self.points, (ns,)), 1), len(self.points) - 1)
        (x, low), (y, high) = self.points[right - 1:right + 1]
        return low + (high - low) * (ns - x) / (y - x)

    def common(self, ns: float) -> float:
        return ns - self.ahead(ns)

    @property
    def rate(self) -> float:
        """How much faster it is, in the mean."""
        (x, low), (y, high) = self.points[0], self.points[-1]
        return (high - low) / (y - x) if y > x else 0.0


def sent_frames(trace: Trace) -> dict:
    """When each frame was sent, ns: by session, kind, number. A device may take
    it before it is told to, so it is the time at which its batch was begun."""
    when: dict = {}
    for r in trace.of(Kind.SENT):
        session, kind, first = r.frame
        for number in range(first, first + r.value):
            key = session, kind, number & 0xffffffff
            # A number that was used twice tells nothing.
            when[key] = None if key in when else trace.ns(r.tsc - r.c)
    return when


def transfers(source: Trace, target: Trace) -> list:
    """(sent, received) in ns, each by its host's clock: frames that arrived
    first in their batch, whose time is exact."""
    when = sent_frames(source)
    pairs = []
    for r in target.of(Kind.RECEIVED):
        sent = when.get(r.frame) if r.frame[1] != HELLO else None
        if sent is not None:
            pairs.append((sent, target.ns(r.tsc)))
    return pairs


@dataclass
class Stretch:
    """What frames of some time say of how far b is ahead of a."""

    most: float = float("inf")
    least: float = float("-inf")
    times: list = field(default_factory=list)

    @property
    def useful(self) -> bool:
        return self.least > float("-inf") and self.most < float("inf")

    @property
    def offset(self) -> float:
        return (self.most + self.least) / 2

    @property
    def error(self) -> float:
        return abs(self.most - self.least) / 2

    @property
    def at(self) -> float:
        return sum(self.times) / len(self.times)


def stretches(there: list, back: list) -> list:
    """`there`: (a's, b's) times of frames from a to b; `back`: (b's, a's)."""
    points = [(b, b - a, None) for a, b in there] \
        + [(b, None, b - a) for b, a in back]
    if not points:
        return []
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    count = min(max(len(points) // FRAMES, STRETCHES[0]), STRETCHES[1])
    found = [Stretch() for _ in range(count)]
    for at, most, least in points:
        number = int((at - first) / max(last - first, 1) * count)
        stretch = found[min(number, count - 1)]
        stretch.times.append(at)
        if most is not None:
            stretch.most = min(stretch.most, most)
        if least is not None:
            stretch.least = max(stretch.least, least)
    return [stretch for stretch in found if stretch.useful]


def line_through(found: list) -> Clock:
    """A clock whose rate is another's; good stretches count for more."""
    weights = [1 / (s.error + 1) for s in found]
    total = sum(weights)
    at = sum(w * s.at for w, s in zip(weights, found)) / total
    offset = sum(w * s.offset for w, s in zip(weights, found)) / total
    spread = sum(w * (s.at - at) ** 2 for w, s in zip(weights, found))
    rate = sum(w * (s.at - at) * (s.offset - offset)
               for w, s in zip(weights, found)) / spread if spread else 0.0
    clock = Clock([(at, offset), (at + 1e9, offset + rate * 1e9)])
    clock.error = max(s.error + abs(s.offset - clock.ahead(s.at))
                      for s in found)
    return clock


def follow(found: list) -> Clock:
    """A clock that wanders. The error between two stretches is what a stretch
    is off the line between its neighbours, halved."""
    clock = Clock(sorted((s.at, s.offset) for s in found))
    off = [abs(Clock(clock.points[n - 1:n + 2:2]).ahead(at) - ahead)
           for n, (at, ahead) in enumerate(clock.points)
           if 0 < n < len(clock.points) - 1]
    clock.error = max(s.error for s in found) + max(off, default=0.0) / 2
    return clock


def fit(there: list, back: list) -> Clock:
    """b's clock against a's."""
    if not there or not back:
        return Clock(error=None)
    whole = Stretch(min(b - a for a, b in there), max(b - a for b, a in back))
    found = stretches(there, back)
    clock = Clock([(0.0, whole.offset)], whole.error)
    if whole.most < whole.least and found:
        usual = sorted(s.error for s in found)[len(found) // 2]
        found = [s for s in found if s.error <= 3 * usual]
        clock = min(line_through(found), follow(found),
                    key=lambda c: c.error or 0.0)
    clock.samples = len(there) + len(back)
    return clock


def align(traces: list) -> list:
    """A clock for each trace; the first host's time is the common one. A host
    that no frame ties to it begins when the first one does."""
    clocks = [Clock()]
    for trace in traces[1:]:
        clock = fit(transfers(traces[0], trace), transfers(trace, traces[0]))
        if clock.error is None and trace.records and traces[0].records:
            clock.points = [(0.0, trace.ns(trace.records[0].tsc)
                             - traces[0].ns(traces[0].records[0].tsc))]
        clocks.append(clock)
    return clocks
