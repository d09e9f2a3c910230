"""A move inside one emulated machine, which repeats to the byte.

    record = one_run("one-svm", walker, {"policy": "classic"}, seed=1,
                     folder=OUT / "one")
    print(record.report["downtime"], record.hash)

One Godwit is source and target. Its NIC gets what it sends, the clock is the
emulator's count of instructions, commands come from the configuration, and both
serial lines are files: nothing of the build host reaches the machine. So the
same kernel, guest, options, seed and emulator give the same bytes of output,
virtual times included. docs/repetition.md tells how far, and on what that
depends.
"""

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional

from .hosts import FINAL, KEY, Move, NotMoved, command
from .machine import Machine, Outcome, Spec, tail
from .nic import Nic
from .platforms import PLATFORMS

NAME = "one"
ARRIVED = ".2"  # what the host calls the VM that arrives: walker.2


class Kind(NamedTuple):
    """One of the platforms on which runs repeat."""

    platform: str
    icount: Optional[int]  # QEMU: 2**N ns an instruction; Bochs counts itself


KINDS = {"one-svm": Kind("svm", 4), "one-vmx": Kind("vmx", None)}

PATIENCE = 1000  # ms: in its own time the machine is slow, and has both ends
CONFIG = """\
[host]
name = {name}
run = {run}
[nic self]
role = migration
loopback = yes
frame-max = 16380
[migrate]
key = {key}
both-ends = yes
{migrate}
{vm}"""


@dataclass
class OneMove(Move):
    """The move, and all that the machine said."""

    hash: str = ""  # of all events with their virtual times: SHA-256
    events: list = field(default_factory=list)
    log: bytes = b""  # the events, a line each
    console: bytes = b""  # all of COM1, from the firmware on

    @property
    def certificates(self) -> list:
        return [found for name in (self.vm, self.vm + ARRIVED) for found in
                re.findall(rf"(?m)\b{re.escape(name)}: certificate "
                           r"([0-9a-f]{16})", self.said)]

    @property
    def output(self) -> bytes:
        """What two runs have to have alike."""
        return self.console + self.log


def name_of(vm_section: str) -> str:
    found = re.search(r"(?m)^\s*\[vm ([\w.-]+)\]", vm_section)
    if not found:
        raise ValueError("no [vm NAME] in the guest's section")
    return found.group(1)


def configuration(vm_section: str, options: dict, seed: int, wait: int = 1,
                  then: str = "wait 1", migrate: str = "") -> str:
    """godwit.conf of such a machine: the guest runs for `wait` seconds, moves,
    and `then` come more commands, in which {vm} is its name after the move.
    The guest's section may name the {seed}."""
    vm = name_of(vm_section)
    if not re.search(r"(?m)^\s*autostart\s*=", vm_section):
        vm_section = vm_section.rstrip("\n") + "\nautostart = no\n"
    if "security" in options and "security" not in migrate:
        migrate += f"\nsecurity = {options['security']}"  # the target's, too
    if "downtime" not in migrate:
        migrate += f"\ndowntime = {PATIENCE}"
    run = "; ".join([f"vm start {vm}", f"wait {wait}",
                     command(vm, NAME, **options), "migrate wait",
                     then.replace("{vm}", vm + ARRIVED), "off"])
    return CONFIG.format(name=NAME, run=run, key=KEY, migrate=migrate,
                         vm=vm_section.replace("{seed}", str(seed)))


def _events(log: bytes) -> tuple:
    """The lines that are events, and what they say. The firmware may have used
    the line before Godwit did."""
    lines = [line for line in log.splitlines(keepends=True)
             if line.startswith(b'{"event":')]
    return b"".join(lines), [json.loads(line) for line in lines]


def _only(events: list, **fields: object) -> dict:
    found = [event for event in events
             if all(event.get(key) in (value if isinstance(value, tuple)
                                       else (value,))
                    for key, value in fields.items())]
    if not found:
        raise RuntimeError(f"the machine never said {fields}; the last it "
                           f"said: {events[-2:]}")
    return found[-1]


def read(vm: str, machine: Machine, outcome: Outcome) -> OneMove:
    """The record of a run that is over."""
    if not outcome.passed:
        raise RuntimeError(f"{outcome.word}: {outcome.text}; its console "
                           "ends:\n" + tail(machine.serial_log))
    console = machine.serial_log.read_bytes()
    log, events = _events(machine.control_log.read_bytes())
    final = _only(events, event="migration", vm=vm, change=FINAL)
    if final["change"] != "done":
        raise NotMoved(final)
    whole = _only(events, event="migration-report", vm=vm)
    arrived = _only(events, event="migration", vm=vm + ARRIVED,
                    change="arrived")
    return OneMove(vm, whole["report"], whole["parts"], final, arrived,
                   machine.serial_text(), "", outcome.seconds,
                   hash=hashlib.sha256(log).hexdigest(), events=events,
                   log=log, console=console)


def one_run(platform: str, vm_section: str, options: dict, seed: int,
            folder: Path, timeout: float = 600, **more) -> OneMove:
    """One move from start to end; `more` is configuration()'s."""
    kind = KINDS[platform]
    spec = Spec(PLATFORMS[kind.platform],
                configuration(vm_section, options, seed, **more),
                icount=kind.icount, seed=seed, control_log=True,
                nics=[Nic("loop", driver="e1000")])
    with Machine(spec, folder) as machine:
        outcome = machine.wait(timeout)
    return read(name_of(vm_section), machine, outcome)


def difference(a: OneMove, b: OneMove) -> str:
    """The first line that is not the same in both; empty: there is none."""
    for what, ours, theirs in (("console", a.console, b.console),
                               ("events", a.log, b.log)):
        one, other = ours.splitlines(), theirs.splitlines()
        for number in range(max(len(one), len(other))):
            pair = [lines[number].decode(errors="replace")
                    if number < len(lines) else "(the end)"
                    for lines in (one, other)]
            if pair[0] != pair[1]:
                return f"{what}, line {number + 1}:\n  {pair[0]}\n  {pair[1]}"
        if ours != theirs:
            return f"{what}: their lines' ends"
    return ""
