"""The trace of a move: what is in it is what the hosts report, and what is made
of it opens in Perfetto, on one time line."""

import json
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from moves import PATIENT, begin, ends_well, moved, running, walker
from rig.hosts import End, Hosts
from rig.machine import OUT
from rig.trace import Kind, Step, Trace, Tracer, load
from traces import loadable, named

TOOLS = Path(__file__).resolve().parents[2] / "tools"
HELLO, PAGES = 1, 3  # kinds of frames
HOT = walker("hot", "pages=256 hot=64 every=200")
def steps(trace: Trace) -> list:
    return [Step(r.value) for r in trace.of(Kind.MOVE)]


# --- a move, between two hosts

@pytest.fixture(scope="module")
def hosts(request) -> Iterator[Hosts]:
    with running(request, "traced", End(config=HOT, migrate=PATIENT),
                 End(migrate=PATIENT)) as both:
        yield both


@pytest.fixture(scope="module")
def move(hosts: Hosts) -> Iterator[tuple]:
    """A move of which both ends were traced: it, and their traces."""
    tracers = [Tracer(host, host.machine.debug_log) for host in hosts.hosts]
    for tracer in tracers:
        tracer.start("migration,frames,dirty,interrupts,turns")
    begin(hosts, "hot")
    done = moved(hosts, "hot", hosts.a, hosts.b, dirty="wp", limit="8M",
                 policy="fixed", rounds=4)
    traces = [tracer.stop() for tracer in tracers]
    ends_well(hosts.b, "hot")
    for trace in traces:
        trace.save(OUT / "e2e/traced" / f"{trace.host}.trace")
    yield done, traces


def test_nothing_is_lost(move) -> None:
    for trace in move[1]:
        assert trace.lost == 0
        assert not list(trace.of(Kind.LOST))


def test_rounds_are_those_of_the_report(move) -> None:
    done, (source, _) = move
    assert [(r.value, r.b, r.c) for r in source.of(Kind.ROUND)] == \
        [(r["round"], r["pages"], r["bytes"]) for r in done.report["rounds"]]


def test_harvests_are_those_of_the_report(move) -> None:
    done, (source, _) = move
    begin, *harvests = source.of(Kind.HARVEST)
    assert begin.value == begin.b == 0
    assert len(harvests) == done.parts["harvests"] > 1
    for harvest in harvests:
        pages = [page for r in source.of(Kind.DIRTY_RUNS)
                 if r.value == harvest.value
                 for first, n in r.runs for page in range(first, first + n)]
        assert len(pages) == len(set(pages)) == harvest.b


def test_faults_name_code_and_page(move) -> None:
    """Each is of a page that the next harvest finds."""
    done, (source, _) = move
    faults = list(source.of(Kind.DIRTY_FAULT))
    assert len(faults) == done.parts["faults"] > 0
    dirty = {page for r in source.of(Kind.DIRTY_RUNS) for first, n in r.runs
             for page in range(first, first + n)}
    assert {r.a >> 12 for r in faults} <= dirty
    assert len({r.b for r in faults}) < len(faults)


def test_steps_come_in_order(move) -> None:
    _, (source, target) = move
    assert steps(source) == [Step.STARTED, Step.STOP, Step.STOPPED, Step.SAVED,
                             Step.PREPARE, Step.COMMIT, Step.RELEASED]
    assert steps(target) == [Step.ARRIVING, Step.BUILD, Step.BUILT, Step.RUNS]


def frames(trace: Trace, kind: Kind) -> set:
    """Kind and number of each that has a number."""
    return {(r.frame[1], number) for r in trace.of(kind) if r.frame[1] != HELLO
            for number in range(r.frame[2], r.frame[2] + r.value)}


def test_frames_are_all_there(move) -> None:
    """This cable loses nothing. The source's trace ended first, so what the
    target sent last is missing there."""
    done, (source, target) = move
    assert frames(source, Kind.SENT) == frames(target, Kind.RECEIVED)
    came, sent = frames(source, Kind.RECEIVED), frames(target, Kind.SENT)
    assert came and came <= sent
    assert all(missing > max(came) for missing in sent - came)
    pages = [kind for kind, _ in frames(source, Kind.SENT) if kind == PAGES]
    assert len(pages) == done.report["frames"] + done.report["probes"]


def test_one_time_line(move) -> None:
    """Nothing arrives before it was sent; the error is told and small beside
    what is looked at."""
    done, traces = move
    what = loadable(traces)
    error = what["otherData"]["clock_error_us"][1]
    assert 0 < error < done.report["total"] / 2
    sent = {event["id"]: event["ts"] for event in named(what, "s", "frame")}
    for event in named(what, "f", "frame"):
        assert event["ts"] >= sent[event["id"]] - 2 * error - 2000
    stopped = named(what, "X", "guest stopped")[0]
    runs = named(what, "i", "runs")[0]
    assert stopped["ts"] - error <= runs["ts"]
    assert runs["ts"] <= stopped["ts"] + stopped["dur"] + error
    assert len(named(what, "X", "round ")) == len(done.report["rounds"])
    assert {event["args"]["name"] for event in named(what, "M", "process")} \
        == {"host alpha", "host beta"}


def test_the_program_does_the_same(move) -> None:
    folder = OUT / "e2e/traced"
    files = [folder / f"{name}.trace" for name in ("alpha", "beta")]
    assert load(files[0]).records == move[1][0].records
    subprocess.run([TOOLS / "trace", "convert", *files, "-o",
                    folder / "trace.json"], check=True, timeout=60)
    assert json.loads((folder / "trace.json").read_text())["traceEvents"]
    said = subprocess.run([TOOLS / "trace", "show", files[1]], check=True,
                          timeout=60, capture_output=True, text=True).stdout
    assert " move: runs\n" in said
