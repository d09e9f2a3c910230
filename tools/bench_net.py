"""Measures the host's network between two emulated hosts and prints figures.

Both run in QEMU, joined by an AF_UNIX stream; one sends for a second, the other
counts. Each case is measured several times, in turn with the same by a bare
ring loop (`mode=plain`) over the same device, and the medians count: the build
machine's load falls on both alike. docs/figures.md says what each name means.
"""

import re
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig.machine import OUT, Console, Machine, Spec  # noqa: E402
from rig.nic import Link  # noqa: E402
from rig.platforms import PLATFORMS  # noqa: E402

PROMPT = "godwit> "
PLATFORM = "svm"
ROUNDS = 9
SECOND = "ms=400"
SIZES = (1514, 9014, 65000)
BATCHES = (1, 8, 128)  # besides 32
RINGS = (64, 128)  # besides 256
CONFIG = """\
[nic lan]
frame-max = 65000
rx-ring = {ring}
tx-ring = {ring}
"""
SINK = re.compile(r"got (\d+) frames, \d+ bytes in \d+ us: (\d+) frames/s, "
                  r"(\d+) MB/s, idle (\d+)%")
TRIP = re.compile(r"round trips of \d+ bytes, (\d+) us each")


class Hosts:
    """Two hosts at their prompts, on a cable."""

    def __init__(self, ring: int):
        self.ring = ring
        self.link = Link()

    def __enter__(self) -> "Hosts":
        self.link.__enter__()
        self.machines, self.consoles = [], []
        for nic, name in ((self.link.a(), "a"), (self.link.b(), "b")):
            spec = Spec(PLATFORMS[PLATFORM], CONFIG.format(ring=self.ring),
                        nics=[nic], interactive=True)
            machine = Machine(spec, OUT / "bench" / f"net-{name}")
            self.machines.append(machine.start())
            self.consoles.append(Console(machine))
        for console in self.consoles:
            console.expect(PROMPT)
        return self

    def __exit__(self, *_: object) -> None:
        for machine in self.machines:
            machine.stop()
        self.link.__exit__()

    def bench(self, what: str, mode: str = "") -> tuple:
        """One measurement: what the sender said, and the sink."""
        sender, sink = self.consoles
        size = re.search(r",size=\d+", what)[0]  # of the bare loop's buffers
        sink.send(f"net bench sink{size}{mode}\r")
        sink.expect("net bench: ready\n")
        said = sender.ask(PROMPT, f"net bench {what}{mode}")
        return said, sink.expect("\n" + PROMPT)

    def rates(self, what: str, mode: str = "") -> tuple:
        """(frames/s, MB/s, idle %) of the sink."""
        said, sink = self.bench(what, mode)
        got = SINK.search(sink)
        if not got or not int(got.group(1)):
            raise RuntimeError(f"net bench {what}{mode}:\n{said}\n{sink}")
        return tuple(int(word) for word in got.groups()[1:])


def median(rows: list) -> list:
    return [int(statistics.median(column)) for column in zip(*rows)]


def figure(name: str, value: int, unit: str, note: str = "") -> None:
    note = f"  # {note}" if note else ""
    print(f"figure {name}.{PLATFORM} {value} {unit}{note}", flush=True)


def compare(hosts: Hosts, size: int) -> None:
    """The driver and the bare loop, in turn."""
    what = f"blast,size={size},{SECOND}"
    ours, plain = [], []
    for _ in range(ROUNDS):
        ours.append(hosts.rates(what))
        plain.append(hosts.rates(what, ",mode=plain"))
    frames, megabytes, idle = median(ours)
    rod = median(plain)
    figure(f"net.tx.{size}", megabytes, "MB/s",
           f"{frames} frames/s; the sink idle {idle} %")
    figure(f"net.plain.{size}", rod[1], "MB/s", f"{rod[0]} frames/s")
    figure(f"net.share.{size}", frames * 100 // max(rod[0], 1), "%",
           "of the bare loop's")


def sweep(hosts: Hosts, name: str, more: str = "") -> None:
    rows = [hosts.rates(f"blast,size=1514,{SECOND}{more}")
            for _ in range(ROUNDS)]
    frames, megabytes, _ = median(rows)
    figure(name, megabytes, "MB/s", f"{frames} frames/s")


def measure() -> None:
    with Hosts(256) as hosts:
        for size in SIZES:
            compare(hosts, size)
        for batch in BATCHES:
            sweep(hosts, f"net.tx.1514.batch-{batch}", f",batch={batch}")
        sweep(hosts, "net.tx.1514.pieces-4", ",pieces=4")
        trips = [int(TRIP.search(hosts.bench(f"ping,size=60,{SECOND}")[0])[1])
                 for _ in range(ROUNDS)]
        figure("net.round-trip.60", int(statistics.median(trips)), "us",
               "both hosts halt between the frames")
    for ring in RINGS:
        with Hosts(ring) as hosts:
            sweep(hosts, f"net.tx.1514.ring-{ring}")


def main() -> int:
    try:
        measure()
    except (OSError, RuntimeError, TimeoutError) as error:
        print(f"bench-net: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
