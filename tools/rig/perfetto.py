"""Traces of hosts as one Chrome trace: Perfetto (ui.perfetto.dev) and
chrome://tracing show it. The format is Google's "Trace Event Format".

A host is a process. Its tracks: each CPU, with whose turn it is; each vCPU, with
its exits and what it was given; each VM's move, rounds and harvests; frames sent
and received, joined by arrows.
"""

from typing import Iterator, Optional

from .clocks import Clock, align, sent_frames
from .trace import EVENTS, FRAME_KINDS, NONE, Kind, Record, Step, Trace

LEAST = 0.001  # us: what a slice must have for an arrow to find it

# Tracks of a process, by the first number of their kind.
CPU, SENT, RECEIVED, VM, VCPU = 1, 300, 301, 1000, 10000
MOVE, ROUNDS, HARVESTS = 0, 1, 2  # of a VM, which has ten
# A span of a move: from one step to the first of some others.
SPANS = {
    Step.STOP: ("guest stopped", (Step.RELEASED, Step.RESUMED, Step.FAILED)),
    Step.ARRIVING: ("arriving", (Step.RUNS, Step.DISCARDED)),
    Step.BUILD: ("builds the machine", (Step.BUILT,)),
}


class Writer:
    """The events of one host."""

    def __init__(self, pid: int, trace: Trace, clock: Clock, zero: float):
        self.pid, self.trace, self.clock, self.zero = pid, trace, clock, zero
        self.events: list = []
        self.tracks: dict = {}
        self.open: dict = {}  # spans of moves
        self.sent: dict = {}  # batches, by each frame's key: for arrows

    def us(self, tsc: int) -> float:
        """Microseconds on the common time line."""
        ns = self.clock.common(self.trace.ns(tsc)) - self.zero
        return round(ns / 1000, 3)

    def track(self, tid: int, name: str) -> int:
        self.tracks.setdefault(tid, name)
        return tid

    def event(self, ph: str, name: str, tid: int, ts: float, **more) -> None:
        self.events.append({"ph": ph, "name": name, "pid": self.pid,
                            "tid": tid, "ts": ts, **more})

    def slice(self, name: str, tid: int, start: int, ticks: int, cat: str,
              **args) -> None:
        ts = self.us(start)
        self.event("X", name, tid, ts, cat=cat, args=args,
                   dur=max(round(self.us(start + ticks) - ts, 3), LEAST))

    def instant(self, name: str, tid: int, r: Record, cat: str,
                **args) -> None:
        self.event("i", name, tid, self.us(r.tsc), s="t", cat=cat, args=args)

    # --- tracks

    def vcpu(self, r: Record) -> int:
        return self.track(VCPU + r.vm * 16 + r.vcpu,
                          f"{self.trace.vm(r)} vCPU {r.vcpu}")

    def of_vm(self, r: Record, which: int) -> int:
        name = ("move", "rounds", "dirty harvests")[which]
        return self.track(VM + r.vm * 10 + which, f"{self.trace.vm(r)} {name}")

    # --- records

    def lost(self, r: Record) -> None:
        self.instant(f"{r.a} records lost", self.track(CPU + r.cpu,
                     f"CPU {r.cpu}"), r, "trace", records=r.a)

    def exit(self, r: Record) -> None:
        self.slice(self.trace.reason(r.value), self.vcpu(r), r.tsc, r.b,
                   "exit", rip=f"{r.a:#x}", detail=f"{r.c:#x}")

    def inject(self, r: Record) -> None:
        self.instant(f"{EVENTS[r.a & 3]} {r.value}", self.vcpu(r), r,
                     "interrupt", vector=r.value)

    def turn(self, r: Record) -> None:
        self.slice(f"{self.trace.vm(r)}/{r.vcpu}",
                   self.track(CPU + r.cpu, f"CPU {r.cpu}"), r.tsc, r.a, "turn")

    def round(self, r: Record) -> None:
        self.slice(f"round {r.value}", self.of_vm(r, ROUNDS), r.tsc, r.a,
                   "migration", round=r.value, pages=r.b, bytes=r.c)

    def harvest(self, r: Record) -> None:
        name = f"harvest {r.value}" if r.value else "tracking is turned on"
        self.slice(name, self.of_vm(r, HARVESTS), r.tsc, r.a,
                   "migration", pages=r.b)
        self.event("C", f"{self.trace.vm(r)} dirty pages", 0, self.us(r.tsc),
                   args={"pages": r.b})

    def move(self, r: Record) -> None:
        step, tid = Step(r.value), self.of_vm(r, MOVE)
        for begin in [key for key in self.open if key[0] == r.vm
                      and step in SPANS[key[1]][1]]:
            start = self.open.pop(begin)
            self.slice(SPANS[begin[1]][0], tid, start, r.tsc - start,
                       "migration")
        if step in SPANS:
            self.open[r.vm, step] = r.tsc
        self.instant(step.name.lower(), tid, r, "migration")

    def frames(self, r: Record) -> None:
        session, kind, first = r.frame
        out = r.kind == Kind.SENT
        tid = self.track(SENT if out else RECEIVED,
                         "frames sent" if out else "frames received")
        start = r.tsc - r.c if out else r.tsc
        self.slice(f"{r.value} {FRAME_KINDS.get(kind, kind)}", tid, start, r.c,
                   "frames", frames=r.value, bytes=r.b, session=session,
                   first=first)

    def fault(self, r: Record) -> None:
        self.instant("first write", self.vcpu(r), r, "dirty",
                     gpa=f"{r.a:#x}", rip=f"{r.b:#x}")

    def write(self) -> list:
        handlers = {
            Kind.LOST: self.lost, Kind.EXIT: self.exit,
            Kind.INJECT: self.inject, Kind.TURN: self.turn,
            Kind.ROUND: self.round, Kind.HARVEST: self.harvest,
            Kind.MOVE: self.move, Kind.SENT: self.frames,
            Kind.RECEIVED: self.frames, Kind.DIRTY_FAULT: self.fault,
        }
        for r in self.trace.records:
            handler = handlers.get(r.kind)
            if handler:
                handler(r)
        names = [{"ph": "M", "name": "process_name", "pid": self.pid, "tid": 0,
                  "ts": 0, "args": {"name": f"host {self.trace.host}"}}]
        for tid, name in sorted(self.tracks.items()):
            for what, value in (("thread_name", {"name": name}),
                                ("thread_sort_index", {"sort_index": tid})):
                names.append({"ph": "M", "name": what, "pid": self.pid,
                              "tid": tid, "ts": 0, "args": value})
        return names + self.events


def batch_starts(trace: Trace) -> dict:
    """By frame: where the slice of the batch that it was sent in begins."""
    return {(r.frame[0], r.frame[1], r.frame[2] + n & 0xffffffff): r.tsc - r.c
            for r in trace.of(Kind.SENT) for n in range(r.value)}


def arrows(source: Writer, target: Writer) -> Iterator[dict]:
    """From batches that were sent to those that they arrived in."""
    starts, known = batch_starts(source.trace), sent_frames(source.trace)
    for number, r in enumerate(target.trace.of(Kind.RECEIVED)):
        if known.get(r.frame) is None:
            continue
        common = {"cat": "frames", "name": "frame",
                  "id": f"{source.pid}-{target.pid}-{number}"}
        yield {"ph": "s", "pid": source.pid, "tid": SENT,
               "ts": source.us(starts[r.frame]), **common}
        yield {"ph": "f", "bp": "e", "pid": target.pid, "tid": RECEIVED,
               "ts": target.us(r.tsc), **common}


def zero_of(traces: list, clocks: list) -> float:
    """The earliest record's time."""
    return min((clock.common(trace.ns(trace.records[0].tsc))
                for trace, clock in zip(traces, clocks) if trace.records),
               default=0.0)


def clock_text(trace: Trace, clock: Clock, first: Optional[str]) -> str:
    if first is None:
        return f"{trace.host}: the common time"
    if clock.error is None:
        return f"{trace.host}: no frames tie it to {first}; begins with it"
    return f"{trace.host}: to {first}'s time within {clock.error / 1000:.1f} " \
        f"us, from {clock.samples} frames, rate {clock.rate * 1e6:+.1f} ppm"


def convert(traces: list) -> dict:
    """The whole of it, to be written as JSON."""
    clocks = align(traces)
    zero = zero_of(traces, clocks)
    writers = [Writer(1 + number, trace, clock, zero) for number, (trace, clock)
               in enumerate(zip(traces, clocks))]
    events = [event for writer in writers for event in writer.write()]
    for source in writers:
        for target in writers:
            if source is not target:
                events += arrows(source, target)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "clocks": [clock_text(trace, clock,
                                  traces[0].host if number else None)
                       for number, (trace, clock)
                       in enumerate(zip(traces, clocks))],
            "clock_error_us": [None if clock.error is None
                               else round(clock.error / 1000, 3)
                               for clock in clocks],
            "lost": {trace.host: trace.lost for trace in traces},
        },
    }


__all__ = ["NONE", "convert"]
