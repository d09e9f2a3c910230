"""A host's trace: getting it out of the host, and the file that it becomes.

    tracer = Tracer(control, machine.debug_log)  # control.py's, machine.py's
    tracer.start("exits,frames")
    ...
    tracer.drain()                      # now and then, if there is much
    trace = tracer.stop()
    trace.save(Path("alpha.trace"))

A file is one line of JSON, the head, and behind its newline the records as the
kernel has them (kernel/trace/record.h; docs/trace.md has the table).
"""

import base64
import json
import re
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Iterator, NamedTuple, Optional, Protocol

RECORD = struct.Struct("<QBBBBIQQQ")
VERSION = 1
NONE = 0xff
SPILLED = re.compile(rb"(?m)^godwit-trace ([0-9A-Za-z+/=]+)\r?$")
CLASSES = ("exits", "interrupts", "turns", "migration", "frames", "dirty")


class Kind(IntEnum):
    LOST = 1
    EXIT = 2
    INJECT = 3
    TURN = 4
    ROUND = 5
    HARVEST = 6
    MOVE = 7
    SENT = 8
    RECEIVED = 9
    DIRTY_RUNS = 10
    DIRTY_FAULT = 11


class Step(IntEnum):
    """Of a move: the source's, then the target's."""

    STARTED = 1
    STOP = 2
    STOPPED = 3
    SAVED = 4
    PREPARE = 5
    COMMIT = 6
    RELEASED = 7
    RESUMED = 8
    FAILED = 9
    ARRIVING = 10
    BUILD = 11
    BUILT = 12
    RUNS = 13
    DISCARDED = 14


EVENTS = ("none", "interrupt", "NMI", "exception")  # of INJECT
FRAME_KINDS = {1: "hello", 2: "control", 3: "pages", 4: "guest"}


class Record(NamedTuple):
    tsc: int
    kind: int
    cpu: int
    vm: int
    vcpu: int
    value: int
    a: int
    b: int
    c: int

    @property
    def frame(self) -> tuple:
        """Of frames: session, kind, the first one's number."""
        return self.a >> 32 & 0xff, self.a >> 40 & 0xff, self.a & 0xffffffff

    @property
    def runs(self) -> list:
        """Of dirty pages: (first, how many)."""
        return [(run >> 32, run & 0xffffffff)
                for run in (self.a, self.b, self.c) if run]


class Malformed(Exception):
    """A file that is no trace, or of another version."""


@dataclass
class Trace:
    """What one host did."""

    host: str
    tsc_khz: int
    vms: list  # names, by index
    reasons: list  # of exits, by number
    records: list = field(default_factory=list)  # by time
    lost: int = 0  # records that found no room

    def ns(self, tsc: int) -> float:
        """The host's own time; where it began is not known."""
        return tsc * 1e6 / self.tsc_khz

    def of(self, *kinds: Kind) -> Iterator[Record]:
        return (r for r in self.records if r.kind in kinds)

    def vm(self, record: Record) -> str:
        if record.vm < len(self.vms):
            return self.vms[record.vm]
        return f"VM {record.vm}"

    def reason(self, number: int) -> str:
        if number < len(self.reasons):
            return self.reasons[number]
        return f"reason {number}"

    def save(self, path: Path) -> None:
        head = {"godwit": "trace", "version": VERSION, "host": self.host,
                "tsc_khz": self.tsc_khz, "vms": self.vms,
                "reasons": self.reasons, "lost": self.lost,
                "record": RECORD.size}
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "wb") as file:
            file.write(json.dumps(head).encode() + b"\n")
            file.writelines(RECORD.pack(*r) for r in self.records)


def parse(data: bytes) -> list:
    """Records, by time: each CPU's ring is read on its own."""
    if len(data) % RECORD.size:
        raise Malformed(f"{len(data)} bytes are no whole number of records")
    records = [Record(*r) for r in RECORD.iter_unpack(data)]
    records.sort(key=lambda r: r.tsc)
    return records


def load(path: Path) -> Trace:
    head, newline, data = path.read_bytes().partition(b"\n")
    try:
        what = json.loads(head) if newline else {}
        if what["godwit"] != "trace" or what["version"] != VERSION \
                or what["record"] != RECORD.size:
            raise Malformed(f"{path}: a trace of another version")
        return Trace(what["host"], what["tsc_khz"], what["vms"],
                     what["reasons"], parse(data), what["lost"])
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed(f"{path}: no trace of Godwit's") from error


# --- out of a host

class Asks(Protocol):
    def ask(self, command: str, timeout: float = 60) -> dict: ...


class Spill:
    """The file into which an emulator writes what comes out of its debug port:
    much quicker than a serial line."""

    def __init__(self, path: Path):
        self.path = path
        self.place = path.stat().st_size

    def take(self) -> bytes:
        """All records since the last time."""
        with open(self.path, "rb") as file:
            file.seek(self.place)
            data = file.read()
        end = data.rfind(b"\n") + 1  # what has no end yet comes next time
        self.place += end
        return b"".join(base64.b64decode(text)
                        for text in SPILLED.findall(data[:end]))


class Tracer:
    """One host's trace as long as it goes on; `debug_log`: the file of its
    emulator's debug port, where there is one."""

    def __init__(self, host: Asks, debug_log: Optional[Path] = None):
        self.host = host
        self.spill = Spill(debug_log) if debug_log and debug_log.exists() \
            else None
        self.data = bytearray()
        self.lost_before = 0
        self.lost = 0

    def start(self, classes: str = "") -> None:
        """All classes, or some: "exits,frames". What an earlier trace has left
        is thrown away."""
        self.host.ask("trace off")
        self.drain()
        self.data.clear()
        self.lost_before = self.lost
        self.host.ask(f"trace on {classes}".strip())

    def _take(self) -> dict:
        """One answer's worth of records."""
        if not self.spill:
            answer = self.host.ask("trace read")
            self.data += base64.b64decode(answer["data"])
            return answer
        answer = self.host.ask("trace spill", 300)
        data = self.spill.take()
        if len(data) != answer["records"] * RECORD.size:
            raise Malformed(f"{self.spill.path}: {len(data)} bytes of "
                            f"{answer['records']} records")
        self.data += data
        return answer

    def drain(self, most: Optional[int] = None) -> int:
        """Takes what there is; how many records, of at most `most` answers."""
        taken = 0
        while most is None or most > 0:
            answer = self._take()
            taken += answer["records"]
            self.lost = answer["lost"]
            if not answer["left"]:
                break
            most = most - 1 if most is not None else None
        return taken

    def stop(self) -> Trace:
        status = self.host.ask("trace off")
        self.drain()
        return Trace(self.host.ask("info")["host"], status["tsc_khz"],
                     [vm["name"] for vm in status["vms"]],
                     [r["reason"] for r in status["reasons"]],
                     parse(bytes(self.data)), self.lost - self.lost_before)
