"""The trace of one host: each exit that is counted is in it."""

import pytest

from boots import Boot, config
from rig.control import Control
from rig.trace import Kind, Trace, Tracer
from traces import loadable, named

VMS = "[vm hello]\nkernel = guests/hello.elf\nmemory = 16M\nautostart = no\n" \
    "[vm clock]\nkernel = guests/clock.elf\nmemory = 16M\nautostart = no\n" \
    "cmdline = ticks=5 ms=10\n"
ALONE = [Boot(f"{platform}-{cpus}-traced", platform, config("", VMS), cpus,
              interactive=True, control=True)
         for platform, cpus in (("svm", 1), ("svm", 2), ("vmx", 1))]
everywhere = pytest.mark.parametrize("shell", ALONE, ids=str, indirect=True)


def counted(host, vm: str) -> dict:
    """Exits by reason, as the host counts them."""
    row = next(row for row in host.ask(f"exits {vm}")["vms"]
               if row["name"] == vm)
    return {r["reason"]: r["exits"] for r in row["reasons"]}


def traced(trace: Trace, vm: str) -> dict:
    exits: dict = {}
    for r in trace.of(Kind.EXIT):
        if trace.vm(r) == vm:
            reason = trace.reason(r.value)
            exits[reason] = exits.get(reason, 0) + 1
    return exits


def run_guest(control: Control, vm: str) -> None:
    place = len(control.events)
    control.ask(f"vm start {vm}")
    control.event_since(place, "vm", vm=vm, change="ended")


# Bochs's serial line is as slow as a real one: little goes over it.
@pytest.mark.parametrize("vm, way", [("hello", "line"),
                                     ("clock", "debug-port")])
@everywhere
def test_exits_traced_are_exits_counted(shell, vm: str, way: str) -> None:
    control = shell.control
    tracer = Tracer(control,
                    shell.machine.debug_log if way == "debug-port" else None)
    tracer.start("exits,interrupts,turns")
    run_guest(control, vm)
    trace = tracer.stop()
    assert trace.lost == 0
    assert traced(trace, vm) == counted(control, vm)
    assert traced(trace, vm)["io"] > 0
    assert vm == "hello" or any(r.a == 1 for r in trace.of(Kind.INJECT))
    turns = [(r.tsc, r.tsc + r.a) for r in trace.of(Kind.TURN)]
    for r in trace.of(Kind.EXIT):
        assert r.a and r.b
        assert any(begin <= r.tsc and r.tsc + r.b <= end
                   for begin, end in turns)
    assert named(loadable([trace]), "X", "io")


@everywhere
def test_off_is_off(shell) -> None:
    control = shell.control
    tracer = Tracer(control)
    tracer.start("exits")
    tracer.stop()
    run_guest(control, "hello")
    status = control.ask("trace status")
    assert status["waiting"] == 0 and status["traced"] == []
    assert shell("trace status")[0].endswith("; off")


@everywhere
def test_wrong_words(shell) -> None:
    said = "\n".join(shell("trace on exits,hope"))
    assert "expected some of exits," in said
    assert "for programs" in shell("trace read")[0]
    assert shell.control.ask("trace status")["traced"] == []
