"""Two hosts between which guests move, and the network around them.

    with Hosts(End(config=VMS), End()) as hosts:
        hosts.a.ask("vm start walker")
        move = hosts.move("walker", hosts.a, hosts.b, policy="classic")
        print(move.report["downtime"], move.certificates)

Hosts in QEMU have two cards: one on a cable between the hosts for migrations
(wire.py: it can be slowed and cut), one on a switch with the outside. Bochs has
one card, so where it takes part the one card serves both, on the switch.
"""

import json
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional

from .cable import plug
from .control import Control, Refused
from .machine import OUT, Console, Machine, Spec
from .nic import Link, Nic, udp_ports
from .platforms import choose
from .switch import Switch
from .traffic import Background
from .wire import Wire

NAMES = ("alpha", "beta")
LAN_MACS = Link.MACS
MOVE_MACS = ("52:54:00:67:77:11", "52:54:00:67:77:12")
OUTSIDE = "10.0.0.1"
KEY = "the lab's own key"
FINAL = ("done", "failed", "dry-run")  # doubt may pass


@dataclass(frozen=True)
class End:
    """One of the hosts."""

    platform: str = "svm"
    cpus: int = 1
    memory: int = 512  # MiB
    config: str = ""  # its VMs
    migrate: str = ""  # more lines of [migrate]
    key: str = KEY
    frame_max: int = 65014
    nic: str = ""  # more lines of the migrations' NIC
    nic_options: str = ""  # more of that card's, in QEMU's words
    kernel: Path = OUT / "kernel.bin"

    @property
    def hardware(self):
        return choose(self.platform)[0]


class NotMoved(Exception):
    """A migration ended otherwise; `event` is the last one of it."""

    def __init__(self, event: dict):
        super().__init__(f"{event.get('vm')}: {event.get('change')}: "
                         f"{event.get('reason')}")
        self.event = event


class Begun(NamedTuple):
    """A migration that was asked for: what came behind these places is its."""

    source: int  # events,
    target: int
    said: int  # text of the consoles
    told: int
    when: float


@dataclass
class Move:
    """A migration that is over."""

    vm: str
    report: dict  # migrate/report.h's fields
    parts: dict  # of the downtime, and of dirty tracking
    done: dict  # the source's last event, the target's
    arrived: dict
    said: str  # what both consoles said meanwhile
    told: str
    seconds: float = 0.0  # wall time, from the command on

    @property
    def certificates(self) -> list:
        return [found for text in (self.said, self.told) for found in
                re.findall(rf"(?m)^.*\b{self.vm}: certificate ([0-9a-f]{{16}})",
                           text)]


class Host:
    """One of them, at its prompt and with its line for programs."""

    def __init__(self, number: int, end: End, nics: list, folder: Path,
                 plain: bool = False):
        self.number, self.end, self.name = number, end, NAMES[number]
        spec = Spec(end.hardware, self._config(len(nics) > 1, plain),
                    cpus=end.cpus, memory=end.memory, interactive=True, control=True,
                    nics=nics, kernel=end.kernel)
        self.machine = Machine(spec, folder)
        self.console: Console
        self.control: Control

    def _config(self, two: bool, plain: bool) -> str:
        end, mac = self.end, MOVE_MACS[self.number]
        mig = f"[nic mig]\ndevice = {mac}\nframe-max = {end.frame_max}\n" \
            f"role = migration\n{end.nic}" if two else ""
        return f"[host]\nname = {self.name}\n{mig}" \
            f"[nic lan]\ndevice = {LAN_MACS[self.number]}\n" \
            + ("" if plain else
               f"[migrate]\nkey = {end.key}\n{end.migrate}\n") \
            + end.config

    def start(self) -> None:
        self.machine.start()
        self.console = Console(self.machine)
        self.control = Control(self.machine.control)

    def attach(self) -> None:
        slow = self.end.hardware.emulator == "bochs"
        self.control.event("ready", 240 if slow else 90)

    def kill(self) -> None:
        """As if its power was cut."""
        self.machine.stop()

    def ask(self, command: str, timeout: float = 60) -> dict:
        return self.control.ask(command, timeout)

    def expect(self, text: str, timeout: float = 60) -> str:
        return self.console.expect(text, timeout)

    def vm(self, name: str) -> Optional[dict]:
        """Its row of `vm list`; None: there is none of that name."""
        return next((vm for vm in self.ask("vm list")["vms"]
                     if vm["name"] == name), None)

    def runs(self, name: str) -> bool:
        row = self.vm(name)
        return bool(row) and row["state"] == "running"

    def key(self, vm: str, keys: str) -> None:
        """Types at a guest's console."""
        start = len(self.control.events)
        self.console.send(f"vm console {vm}\r")
        self.control.event_since(start, "console", vm=vm, attached=True)
        self.console.send(keys + "\x1d")
        self.control.event_since(start, "console", vm=vm, attached=False)

    def waits(self, vm: str, start: int, timeout: float = 60,
              **fields) -> dict:
        """The next event of a migration behind that place."""
        return self.control.event_since(start, "migration", timeout, vm=vm,
                                        **fields)

    def report(self, vm: str, begun: "Begun", timeout: float = 120) -> dict:
        """The report of a migration that was begun here."""
        return self.control.event_since(begun.source, "migration-report",
                                        timeout, vm=vm)

    @property
    def place(self) -> int:
        """Where the events are, for waits()."""
        return len(self.control.events)

    @property
    def text(self) -> str:
        """Whole lines of its console."""
        return self.console.screen.done


def command(vm: str, to: str, dry: bool = False, **options: object) -> str:
    words = [f"{key.replace('_', '-')}={value}"
             for key, value in options.items()]
    return " ".join(["migrate", *(["dry-run"] if dry else []), vm, "to", to,
                     *words])


@dataclass
class Hosts:
    """Both of them; `folder` is where their logs lie."""

    ends: tuple
    folder: Path = OUT / "e2e" / "hosts"
    wire_settings: tuple = ()
    box: bool = True  # False: nothing between the cards, for measurements
    plain: bool = False  # nothing is to move: no [migrate]
    pcap: str = ""  # of the migrations' card, QEMU's
    hosts: list = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stack = ExitStack()
        self.on_switch = any(end.hardware.emulator == "bochs"
                             for end in self.ends)

    # --- cables

    def _cables(self) -> None:
        self.lan = [self.stack.enter_context(Link(
            "dgram" if end.hardware.emulator == "bochs" else "stream"))
            for end in self.ends]
        self.wire = None
        if not self.on_switch:
            self.wire = self.stack.enter_context(
                Wire(*self.wire_settings) if self.box else Link())

    def _plug(self, number: int):
        link = self.lan[number]
        if link.kind == "stream":
            return plug(link.path, server=True)
        return plug(f"udp:{link.port + 1}:{link.port}")

    def _nics(self, number: int) -> list:
        link = self.lan[number]
        mac = LAN_MACS[number]
        if link.kind == "dgram":
            return [link.a(driver="e1000", mac=mac)]
        # Where it serves both, the first such card's frames are all there are.
        nics = [link.b(mac=mac, pcap=self.pcap if self.on_switch else "")]
        if self.wire:
            end = (self.wire.a, self.wire.b)[number]
            nics.insert(0, end(mac=MOVE_MACS[number],
                               options=self.ends[number].nic_options,
                               pcap=self.pcap if number == 0 else ""))
        return nics

    # --- their life

    def __enter__(self) -> "Hosts":
        try:
            self._cables()
            self.switch = Switch([self._plug(0), self._plug(1)], OUTSIDE)
            self.stack.enter_context(self.switch)
            for number in range(2):
                self._start(number)
            for host in self.hosts:
                host.attach()
        except BaseException:
            self.stack.close()
            raise
        self.background = Background(self.switch.outside)
        self.stack.enter_context(self.background)
        return self

    def __exit__(self, *error: object) -> None:
        for host in self.hosts:
            host.machine.stop()
        self.stack.close()

    def _start(self, number: int) -> None:
        host = Host(number, self.ends[number], self._nics(number),
                    self.folder / NAMES[number], self.plain)
        self.stack.callback(host.machine.stop)
        self.hosts[number:number + 1] = [host]
        host.start()
        self.switch.connect_port(number, 60)

    def restart(self, number: int) -> None:
        """A host that was killed, anew."""
        with self.background.lock:
            self.switch.unplug(number)
            self.switch.replace(number, self._plug(number))
        self._start(number)
        self.hosts[number].attach()

    @property
    def a(self) -> Host:
        return self.hosts[0]

    @property
    def b(self) -> Host:
        return self.hosts[1]

    @property
    def outside(self):
        return self.switch.outside

    # --- migrations

    @staticmethod
    def begin(vm: str, source: Host, target: Host, timeout: float = 60,
              dry: bool = False, **options) -> Begun:
        """Gives the command."""
        begun = Begun(source.place, target.place, len(source.text),
                      len(target.text), time.monotonic())
        source.ask(command(vm, target.name, dry, **options), timeout)
        return begun

    def finish(self, vm: str, source: Host, target: Host, begun: Begun,
               timeout: float = 120) -> Move:
        final = source.waits(vm, begun.source, timeout, change=FINAL)
        if final["change"] != "done":
            raise NotMoved(final)
        whole = source.report(vm, begun, timeout)
        arrived = target.waits(vm, begun.target, timeout, change="arrived")
        seconds = time.monotonic() - begun.when
        for host, start in ((source, begun.said), (target, begun.told)):
            self._await_certificate(host, vm, start)
        return Move(vm, whole["report"], whole["parts"], final, arrived,
                    source.text[begun.said:], target.text[begun.told:], seconds)

    @staticmethod
    def _await_certificate(host: Host, vm: str, start: int) -> None:
        console = host.console
        console.wait_for(
            lambda: f"{vm}: certificate " in console.screen.done[start:]
            or None, f"{vm}: certificate", 30)

    def move(self, vm: str, source: Host, target: Host, timeout: float = 120,
             **options) -> Move:
        return self.finish(vm, source, target,
                           self.begin(vm, source, target, **options), timeout)

    def owners(self, vm: str) -> list:
        """Names of the hosts on which it runs; a host that is dead has none."""
        return [host.name for host in self.hosts
                if host.machine.process.poll() is None and host.runs(vm)]


def save(path: Path, record: dict) -> None:
    """One more line of a file of raw records."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


__all__ = ["End", "Host", "Hosts", "Move", "NotMoved", "Refused", "command",
           "save"]
