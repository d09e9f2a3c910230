"""Traces: their files, several hosts' clocks, Perfetto's JSON, the X-ray.

tests/unit/traces holds a recorded move of the walker (tests/e2e/test_trace_move.py),
without its turns and interrupts.
"""

import base64
import json
import math
import random
import re
import subprocess
from pathlib import Path

import pytest

from rig import clocks, perfetto
from rig.trace import (RECORD, Kind, Malformed, Record, Spill, Step, Trace,
                       Tracer, load, parse)
from rig.xray import Symbols, Xray

ROOT = Path(__file__).resolve().parents[2]
RECORDED = Path(__file__).resolve().parent / "traces"
MS = 1_000_000  # ticks: a TSC of 1 GHz


def made(records: list, host: str = "alpha", **more) -> Trace:
    return Trace(host, 1_000_000, ["walker"], ["unknown", "cpuid"], records,
                 **more)


def record(tsc: int, kind: Kind, value: int = 0, a: int = 0, b: int = 0,
           c: int = 0, vm: int = 0, vcpu: int = 0, cpu: int = 0) -> Record:
    return Record(tsc, kind, cpu, vm, vcpu, value, a, b, c)


@pytest.fixture(scope="module")
def recorded() -> list:
    return [load(RECORDED / f"{name}.trace") for name in ("alpha", "beta")]


# --- numbers

def constants(name: str) -> dict:
    """An enum of the kernel's header."""
    text = (ROOT / "kernel/trace/record.h").read_text()
    body = re.search(rf"enum {name} {{(.*?)}};", text, re.DOTALL)
    assert body
    words = re.sub(r"/\*.*?\*/", "", body.group(1), flags=re.DOTALL)
    names = [word.split("=")[0].strip() for word in words.split(",")]
    return {name.removeprefix("TRACE_"): number
            for number, name in enumerate(filter(None, names), 1)}


def test_numbers_are_the_kernels() -> None:
    assert constants("trace_kind") == {k.name: k.value for k in Kind}
    assert constants("trace_step") == {s.name: s.value for s in Step}


# --- files

def test_a_file_comes_back(tmp_path) -> None:
    trace = made([record(5, Kind.EXIT, 1, 2 ** 64 - 1, 7, 0x40000101),
                  record(9, Kind.LOST, a=3)], lost=3)
    trace.save(tmp_path / "x.trace")
    assert load(tmp_path / "x.trace") == trace


@pytest.mark.parametrize("data", [
    b"", b"{}\n", b"no trace\n", b'{"godwit":"trace","version":2}\n',
    b'{"godwit":"trace","version":1,"record":40,"host":"a","tsc_khz":1,'
    b'"vms":[],"reasons":[],"lost":0}\n' + bytes(39)])
def test_no_trace(tmp_path, data: bytes) -> None:
    (tmp_path / "x.trace").write_bytes(data)
    with pytest.raises(Malformed):
        load(tmp_path / "x.trace")


class Host:
    """Answers as one does, some records at a time."""

    def __init__(self, records: list, lost: int):
        self.records, self.lost, self.asked = records, lost, []

    def ask(self, command: str, timeout: float = 60) -> dict:
        self.asked.append(command)
        if command == "info":
            return {"host": "alpha"}
        if command == "trace read":
            here, self.records = self.records[:2], self.records[2:]
            return {"records": len(here), "left": len(self.records),
                    "lost": self.lost, "data": base64.b64encode(
                        b"".join(RECORD.pack(*r) for r in here)).decode()}
        return {"tsc_khz": 1000, "vms": [{"name": "a"}], "reasons": []}


def test_out_of_a_host() -> None:
    """What was left of an earlier trace is not in it, nor what that lost."""
    host = Host([record(n, Kind.TURN) for n in range(5)], 7)
    tracer = Tracer(host)
    tracer.start("turns,exits")
    assert host.asked[-1] == "trace on turns,exits"
    host.records = [record(n, Kind.TURN) for n in (30, 10, 20)]
    host.lost = 9
    trace = tracer.stop()
    assert [r.tsc for r in trace.records] == [10, 20, 30]
    assert (trace.host, trace.vms, trace.lost) == ("alpha", ["a"], 2)


def test_out_of_a_debug_port(tmp_path) -> None:
    """Only what is whole, once, and nothing else that is said there."""
    def line(tsc: int) -> bytes:
        return b"\ngodwit-trace " + base64.b64encode(
            RECORD.pack(*record(tsc, Kind.TURN))) + b"\n"

    log = tmp_path / "debug.log"
    log.write_bytes(line(1))
    spill = Spill(log)
    log.write_bytes(log.read_bytes() + b"Bochs says" + line(2) + line(3)[:30])
    assert [r.tsc for r in parse(spill.take())] == [2]
    log.write_bytes(log.read_bytes() + line(3)[30:])
    assert [r.tsc for r in parse(spill.take())] == [3]
    assert spill.take() == b""


def test_records_of_all_cpus_by_time() -> None:
    data = b"".join(RECORD.pack(*record(tsc, Kind.EXIT)) for tsc in (3, 1, 2))
    assert [r.tsc for r in parse(data)] == [1, 2, 3]


# --- clocks

def talk(ahead: float, ppm: float, wander: float = 0.0, seed: int = 1) -> list:
    """Two hosts that send each other a frame each millisecond, which takes 50 us
    at least; b's clock is ahead of a's, and faster."""
    chance = random.Random(seed)
    hosts: tuple = ([], [])

    def clock(host: int, at: float) -> int:
        return int(at if not host else at * (1 + ppm / 1e6) + ahead
                   + wander * math.sin(at / (100 * MS)))

    for number in range(1000):
        at = (1000 + number) * MS
        for source in (0, 1):
            frame = 3 << 40 | 7 << 32 | number
            late = at + 50_000 + chance.expovariate(1 / 200_000)
            hosts[source].append(record(clock(source, at), Kind.SENT, 1,
                                        frame, 100))
            hosts[1 - source].append(record(clock(1 - source, late),
                                            Kind.RECEIVED, 1, frame, 100))
    return [made(sorted(records), name)
            for records, name in zip(hosts, ("alpha", "beta"))]


@pytest.mark.parametrize("ppm", [0.0, 900.0, -900.0])
@pytest.mark.parametrize("ahead", [0, 123_456_789_012, -900 * MS])
def test_clocks_agree_within_the_error(ahead: int, ppm: float) -> None:
    a, b = talk(ahead, ppm)
    clock = clocks.align([a, b])[1]
    assert clock.error is not None and clock.error < 150_000
    for at in (1000 * MS, 1500 * MS, 1999 * MS):
        there = at * (1 + ppm / 1e6) + ahead
        assert abs(clock.common(there) - at) <= clock.error * 1.5


def test_a_clock_that_wanders_is_followed() -> None:
    """An emulator's that is sometimes slow and then hurries."""
    a, b = talk(5 * MS, 0, wander=10 * MS)
    clock = clocks.align([a, b])[1]
    assert clock.error is not None and clock.error < 3 * MS
    for at in range(1050 * MS, 1950 * MS, 17 * MS):
        there = at + 5 * MS + 10 * MS * math.sin(at / (100 * MS))
        assert abs(clock.common(there) - at) <= clock.error


def test_no_frames_no_knowledge() -> None:
    a = made([record(5 * MS, Kind.TURN)])
    b = made([record(900 * MS, Kind.TURN)], "beta")
    clock = clocks.align([a, b])[1]
    assert clock.error is None
    assert clock.common(b.ns(900 * MS)) == a.ns(5 * MS)


def test_a_number_used_twice_says_nothing() -> None:
    frame = 3 << 40 | 1 << 32 | 5
    a = made([record(at, Kind.SENT, 1, frame) for at in (10, 20)])
    b = made([record(30, Kind.RECEIVED, 1, frame)])
    assert clocks.transfers(a, b) == []


# --- Perfetto

def test_recorded_move_on_one_time_line(recorded) -> None:
    what = json.loads(json.dumps(perfetto.convert(recorded)))
    events = what["traceEvents"]
    assert all({"ph", "name", "pid", "tid"} <= set(e) for e in events)
    assert all(e["ts"] >= 0 for e in events)
    rounds = [e for e in events if e["name"].startswith("round ")]
    assert [e["args"]["round"] for e in rounds] == [1, 2, 3, 4, 5]
    error = what["otherData"]["clock_error_us"][1]
    at = {e["name"]: e["ts"] for e in events if e["ph"] == "i"}
    assert at["stopped"] - error < at["runs"] < at["released"] + error
    starts = {e["id"]: e["ts"] for e in events if e["ph"] == "s"}
    ends = {e["id"]: e["ts"] for e in events if e["ph"] == "f"}
    assert starts and starts.keys() == ends.keys()
    assert all(ends[id_] >= starts[id_] - 2 * error for id_ in starts)


def test_slices_of_a_track_do_not_overlap(recorded) -> None:
    """Perfetto nests them by their times."""
    tracks: dict = {}
    for event in perfetto.convert(recorded)["traceEvents"]:
        if event["ph"] == "X" and event["cat"] in ("frames", "migration"):
            tracks.setdefault((event["pid"], event["tid"]), []).append(event)
    assert tracks
    for events in tracks.values():
        open_until: list = []
        for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
            while open_until and open_until[-1] <= event["ts"] + 0.002:
                open_until.pop()
            end = event["ts"] + event["dur"]
            assert not open_until or end <= open_until[-1] + 0.002, event
            open_until.append(end)


def test_lost_records_are_shown() -> None:
    trace = made([record(1, Kind.EXIT, 1, 0x1000, 50),
                  record(100, Kind.LOST, a=42, vm=255, cpu=1)], lost=42)
    what = perfetto.convert([trace])
    lost = [e for e in what["traceEvents"] if e["name"] == "42 records lost"]
    assert len(lost) == 1 and lost[0]["args"]["records"] == 42
    assert what["otherData"]["lost"] == {"alpha": 42}


def test_exits_and_events() -> None:
    trace = made([record(1000, Kind.EXIT, 1, 0x1000, 500, 7),
                  record(2000, Kind.INJECT, 14, 3),
                  record(3000, Kind.EXIT, 99, 0x1000, 500),
                  record(4000, Kind.MOVE, Step.STOP, vcpu=255),
                  record(9000, Kind.MOVE, Step.RESUMED, vcpu=255)])
    events = {e["name"]: e for e in perfetto.convert([trace])["traceEvents"]}
    assert events["cpuid"]["dur"] == 0.5
    assert events["cpuid"]["args"] == {"rip": "0x1000", "detail": "0x7"}
    assert events["exception 14"]["ts"] == 1.0
    assert events["reason 99"]["ph"] == "X"
    assert events["guest stopped"]["dur"] == 5.0


# --- X-ray

def run(first: int, n: int) -> int:
    return first << 32 | n


def dirtied() -> Trace:
    """Page 0 all the time, and a window of 8 that goes up by 8."""
    records = [record(0, Kind.HARVEST, 0, 1, 0, vcpu=255)]
    for number in range(8):
        at = (number + 1) * 100 * MS
        records += [
            record(at - 5, Kind.DIRTY_FAULT, 0, number * 0x8000, 0x1010),
            record(at - 4, Kind.DIRTY_FAULT, 0, 0x123, 0x2020),
            record(at + 1, Kind.DIRTY_RUNS, number + 1, run(0, 1),
                   run(8 * number + 8, 8), vcpu=255),
            record(at, Kind.HARVEST, number + 1, 2, 9, vcpu=255)]
    return made(sorted(records))


def test_working_set() -> None:
    sizes = Xray(dirtied()).working_set()
    assert [round(s.seconds, 3) for s in sizes] == [0.1, 0.2, 0.4, 0.8]
    assert [s.mean for s in sizes] == [9, 17, 33, 65]
    assert all(s.least == s.mean == s.most for s in sizes)


def test_heat_follows_the_pages() -> None:
    matrix, (start, end), pages = Xray(dirtied()).heat(columns=8, rows=9)
    assert pages == 72 and round(end - start, 3) == 0.8
    assert len(matrix) == 9 and len(matrix[0]) == 8
    for column in range(8):
        hot = [row for row in range(9) if matrix[row][column] > 50]
        assert hot == [column + 1]
        assert matrix[0][column] == pytest.approx(12.5)


def test_code_by_address_and_by_name() -> None:
    xray = Xray(dirtied())
    assert {(c.where, c.faults, c.pages) for c in xray.code()} == \
        {("0x1010", 8, 8), ("0x2020", 8, 1)}
    symbols = Symbols.parse("0000000000001000 T walk\n"
                            "0000000000001018 d data\n"
                            "0000000000002000 t tick\n")
    assert {c.where for c in xray.code(symbols)} == {"walk", "tick"}
    assert symbols.name(0xfff) is None


def test_what_was_not_tracked(recorded) -> None:
    with pytest.raises(ValueError, match="no dirty pages of other"):
        Xray(recorded[0], "other")
    with pytest.raises(ValueError, match="kind `dirty`"):
        Xray(made([record(1, Kind.TURN)]))


def test_recorded_harvests(recorded) -> None:
    xray = Xray(recorded[0])
    counted = [r.b for r in recorded[0].of(Kind.HARVEST) if r.value]
    assert [h.count for h in xray.harvests] == counted
    assert xray.working_set()[-1].mean <= xray.pages.bit_count()
    assert sum(c.faults for c in xray.code()) == len(xray.faults)


def test_the_page(tmp_path) -> None:
    """tools/xray, from a trace to a page with its pictures."""
    done = subprocess.run(
        [ROOT / "tools/xray", "show", RECORDED / "alpha.trace", "-o", tmp_path],
        capture_output=True, text=True, timeout=60)
    assert not done.returncode, done.stderr
    page = (tmp_path / "xray.html").read_text()
    assert page.count("<figure>") == 3 and "first writes" in page
    assert (tmp_path / "heat.svg").exists()
    assert "first writes by 0x" in done.stdout


def test_nothing_to_show(tmp_path) -> None:
    done = subprocess.run(
        [ROOT / "tools/xray", "show", RECORDED / "beta.trace", "-o", tmp_path],
        capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "kind `dirty`" in done.stderr
