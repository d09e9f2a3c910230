"""The guest of a point: its section of Godwit's configuration, what it says when
it is warm, and the work that it says it does.
"""

import re
from dataclasses import dataclass

from .points import PAGE, Point, ends_of, pages_of

ADDRESS = "10.0.0.2"
WORK = re.compile(r"walker: work((?: [0-9]+:[0-9]+)+)")
WINDOW_LEAST, WINDOW_STEPS = 20, 20
EVERY = 500  # ms between the walker's lines


def window_of(point: Point) -> int:
    """Milliseconds in which work is counted: long enough that one step more or
    less is no tenth; 0: this guest has no steady pace."""
    if point["guest"] != "walker" or point["workload"] in ("idle", "bursts"):
        return 0
    if not point["rate"]:
        return WINDOW_LEAST
    return max(WINDOW_LEAST, -(-WINDOW_STEPS * 1000 // point["rate"]))


def walker_words(point: Point) -> str:
    words = {"pages": pages_of(point.parameters), "seed": point["seed"],
             "every": EVERY}
    flags = ["few"] if point["content"] == "few" else []
    words["rate"] = 20 if point["workload"] == "idle" else point["rate"]
    if point["workload"] == "hot-cold":
        words |= {"hot": point["hot"], "cold": point["cold-every"]}
    if point["workload"] == "bursts":
        words |= {"burst": point["burst"], "rest": point["rest"]}
    if point["workload"] == "chase":
        flags.append("chase")
    if window_of(point):
        words["window"] = window_of(point)
    return " ".join([*(f"{name}={value}" for name, value in words.items()),
                     *flags])


def linux_words(point: Point, name: str) -> str:
    words = ["console=ttyS0 quiet", f"godwit.name={name}",
             f"godwit.ip={ADDRESS}", "godwit.run=serve"]
    if point["workload"] == "dirty":
        mib = max(1, pages_of(point.parameters) * PAGE >> 20)
        words.append(f"godwit.dirty={mib}:{point['rate']}")
    if point["workload"] == "build":
        words.append("godwit.build=yes")
    return " ".join(words)


class GuestFailed(Exception):
    """The guest has found that something was lost."""


@dataclass(frozen=True)
class Guest:
    name: str
    section: str
    warm: str  # what it says when the migrations may begin
    memory: int  # MiB
    network: bool


def guest_of(point: Point, name: str) -> Guest:
    linux = point["guest"] == "linux"
    words = linux_words(point, name) if linux else walker_words(point)
    files = "kernel = linux/cloud-vmlinuz\ninitrd = linux/cloud-initrd\n" \
        if linux else "kernel = guests/walker.elf\n"
    first, second = ends_of(point["platform"])
    # One processor's features are not the other's.
    cpu = "cpu-model = baseline\n" if first != second else ""
    section = f"[vm {name}]\n{files}memory = {point['memory']}M\n" \
        f"cpus = {point['vcpus']}\nautostart = no\n{cpu}" \
        + ("net = yes\n" if linux else "") + f"cmdline = {words}\n"
    warm = {"dirty": "dirty: pass 1", "build": "build: pass 0"}.get(
        point["workload"], "linux: serves") if linux else \
        "walker: generation 1"
    return Guest(name, section, warm, point["memory"], linux)


def work_in(text: str, vm: str) -> list:
    """Windows [microseconds, steps] of the guest's lines in a console's text."""
    found = []
    for line in text.splitlines():
        match = WORK.search(line) if line.startswith(f"{vm}| ") else None
        if match:
            found += [[int(n) for n in pair.split(":")]
                      for pair in match.group(1).split()]
    return found


def failures_in(text: str, vm: str) -> list:
    """What the guest itself has found to be wrong."""
    return [line for line in text.splitlines()
            if line.startswith(f"{vm}| ") and "FAIL " in line]
