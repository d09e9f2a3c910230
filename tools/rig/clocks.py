"""One clock for several hosts' traces, from the frames that went between them.

A frame that `a` sends arrives later than it was sent: so much is b's clock ahead
of a's at most. A frame the other way gives the least. Between the two lies the
truth, as in NTP, and half of what is between is the error. Where no one offset
fits all frames the clocks' rates differ, since each was calibrated by its host:
then stretches of time are looked at one by one, and a line is laid through them.
"""

from dataclasses import dataclass, field
from typing import Optional

from .trace import Kind, Trace

STRETCHES = 16
HELLO = 1  # not numbered


@dataclass
class Clock:
    """ns of a host's own time to ns of the common one (the first host's)."""

    offset: float = 0.0  # to be taken away, at `at`
    rate: float = 0.0  # how much more, per ns since then
    at: float = 0.0
    error: Optional[float] = 0.0  # ns; None: nothing is known
    samples: int = 0

    def common(self, ns: float) -> float:
        return ns - self.offset - self.rate * (ns - self.at)


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
    first, last = min(points)[0], max(p[0] for p in points)
    found = [Stretch() for _ in range(STRETCHES)]
    for at, most, least in points:
        number = int((at - first) / max(last - first, 1) * STRETCHES)
        stretch = found[min(number, STRETCHES - 1)]
        stretch.times.append(at)
        if most is not None:
            stretch.most = min(stretch.most, most)
        if least is not None:
            stretch.least = max(stretch.least, least)
    return [stretch for stretch in found if stretch.useful]


def line_through(found: list) -> Clock:
    """Good stretches count for more, and bad ones not at all."""
    usual = sorted(s.error for s in found)[len(found) // 2]
    found = [s for s in found if s.error <= 3 * usual]
    weights = [1 / (s.error + 1) for s in found]
    total = sum(weights)
    at = sum(w * s.at for w, s in zip(weights, found)) / total
    offset = sum(w * s.offset for w, s in zip(weights, found)) / total
    spread = sum(w * (s.at - at) ** 2 for w, s in zip(weights, found))
    rate = sum(w * (s.at - at) * (s.offset - offset)
               for w, s in zip(weights, found)) / spread if spread else 0.0
    error = max(s.error + abs(s.offset - offset - rate * (s.at - at))
                for s in found)
    return Clock(offset, rate, at, error)


def fit(there: list, back: list) -> Clock:
    """b's clock against a's."""
    if not there or not back:
        return Clock(error=None)
    whole = Stretch(min(b - a for a, b in there), max(b - a for b, a in back))
    found = stretches(there, back)
    if whole.most >= whole.least or not found:
        clock = Clock(whole.offset, error=whole.error)
    else:
        clock = line_through(found)
    clock.samples = len(there) + len(back)
    return clock


def align(traces: list) -> list:
    """A clock for each trace; the first host's time is the common one. A host
    that no frame ties to it begins when the first one does."""
    clocks = [Clock()]
    for trace in traces[1:]:
        clock = fit(transfers(traces[0], trace), transfers(trace, traces[0]))
        if clock.error is None and trace.records and traces[0].records:
            clock.offset = trace.ns(trace.records[0].tsc) \
                - traces[0].ns(traces[0].records[0].tsc)
        clocks.append(clock)
    return clocks
