"""Two hosts on a cable, each at its console.

A pair takes both places for machines that runs.py has, so that it never makes
the tests beside it slower than two emulators do.
"""

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Iterator

from boots import Boot, config
from rig.machine import OUT, Machine
from rig.nic import Link
from runs import Runs, Shell, spec


@dataclass(frozen=True)
class Pair:
    """What stands at each end. `a` starts first; Bochs can be `a` only."""

    name: str
    kind: str = "stream"  # of the cable: rig/nic.py
    platforms: tuple = ("svm", "svm")
    drivers: tuple = ("virtio-net-pci", "virtio-net-pci")
    frame_max: int = 1514
    mtu: int = 0
    timeout: int = 240

    @property
    def lossless(self) -> bool:
        return self.kind == "stream"

    def __str__(self) -> str:
        return self.name

    def boot(self, end: int) -> Boot:
        nic = f"[nic lan]\ndevice = {Link.MACS[end]}\n" \
            f"frame-max = {self.frame_max}\n"
        return Boot(f"net-{self.name}-{'ab'[end]}", self.platforms[end],
                    config("", nic), interactive=True, timeout=self.timeout)


@dataclass
class Ends:
    """A running pair."""

    pair: Pair
    hosts: list = field(default_factory=list)  # of Shell

    def bench(self, sender: int, what: str, sink: str = "sink") -> tuple:
        """Runs `net bench` at both ends; what each of them said."""
        a, b = self.hosts[sender], self.hosts[1 - sender]
        if b.boot.hardware.emulator == "bochs":
            # Its time jumps when it halts, past what the sink waits for.
            sink += ",idle=spin"
        b.send(f"net bench {sink}\r")
        b.expect("net bench: ready\n")
        said = a(f"net bench {what}", 120)
        # The prompt that comes back, not the one of the command.
        return "\n".join(said), b.expect("\ngodwit> ", 120)

    def counters(self, end: int) -> dict:
        """What `net list` counts, by the word before each number."""
        return counters(self.hosts[end]("net list"))


def counters(lines: list) -> dict:
    words = " ".join(line.strip() for line in lines[2:]).replace(",", "")
    names = {"received": "rx", "sent": "tx", "dropped": "dropped",
             "kicks": "kicks", "interrupts": "interrupts", "broken": "broken"}
    split = words.split()
    return {names[word]: int(split[i + 1])
            for i, word in enumerate(split[:-1]) if word in names}


@contextmanager
def running(pair: Pair, runs: Runs) -> Iterator[Ends]:
    """The pair at its prompts."""
    with ExitStack() as stack:
        for _ in range(2):
            runs.slots.acquire()
            stack.callback(runs.slots.release)
        link = stack.enter_context(Link(pair.kind))
        ends = Ends(pair)
        for end, nic in enumerate((link.a, link.b)):
            boot = pair.boot(end)
            start = spec(boot)
            start.nics.append(nic(driver=pair.drivers[end], mtu=pair.mtu))
            machine = Machine(start, OUT / "e2e" / boot.name)
            stack.callback(machine.stop)
            runs.say(f"     boot {boot}: {boot.hardware.about}, on a cable")
            ends.hosts.append(Shell(boot, machine))
            machine.start()
        for host in ends.hosts:
            host.attach()
        yield ends
