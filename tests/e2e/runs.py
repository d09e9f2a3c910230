"""Runs boots, two at a time, and keeps what they said for the tests."""

import os
import re
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Callable, Optional, Union

import guest_linux
from boots import Boot
from rig.control import Control
from rig.machine import OUT, Console, Machine, Outcome, Spec, tail

# More would only make each slower: an emulator takes a core.
AT_ONCE = int(os.environ.get("BOOTS", max(1, min(2, os.cpu_count() or 1))))

PROMPT = "godwit> "
CHECK = re.compile(r"(ok|FAIL|skip) ([a-z0-9][\w.-]*)(?:: (.*))?$")


def vm_row(lines: list, name: str) -> dict:
    """What the lines of `vm list` say of a VM."""
    for line in lines:
        words = line.split(None, 6)
        if len(words) > 1 and words[0] == name:
            return {"state": words[1], "exits": int(words[5]),
                    "end": words[6] if len(words) > 6 else ""}
    raise AssertionError(f"`vm list` does not show {name}: {lines}")


class Run:
    """What one boot said: lines of the host, lines of each VM, checks."""

    def __init__(self, boot: Boot, outcome: Outcome, text: str, folder: Path):
        self.boot = boot
        self.outcome = outcome
        self.folder = folder
        self.text = text
        self.host: list = []
        self.vms: dict = {}
        self.checks: dict = {}  # name -> (verdict, why); the last of each
        self.twice: list = []
        for line in text.splitlines():
            self._sort(line)

    def _sort(self, line: str) -> None:
        line = line.removeprefix(PROMPT)
        vm = re.match(r"([\w.-]+)\| ?(.*)$", line)
        if vm:
            self.vms.setdefault(vm.group(1), []).append(vm.group(2))
            line = vm.group(2)
        else:
            self.host.append(line)
        check = CHECK.match(line)
        if check:
            verdict, name, why = check.groups()
            if name in self.checks:
                self.twice.append(name)
            self.checks[name] = (verdict, why or "")

    def answer(self, command: str) -> list:
        """The lines that the shell answered to a command of `run =`."""
        start = self.text.find(f"{PROMPT}{command}\n")
        assert start >= 0, f"the shell never ran `{command}`"
        start += len(f"{PROMPT}{command}\n")
        end = self.text.find(PROMPT, start)
        return self.text[start:end if end >= 0 else None].splitlines()

    def vm_state(self, name: str) -> dict:
        """The VM's row of `vm list`."""
        return vm_row(self.answer("vm list"), name)


LINUX = threading.Lock()


def spec(boot: Boot) -> Spec:
    with LINUX:
        for flavour in guest_linux.FLAVOURS:
            if f"linux/{flavour}-" in boot.config:
                guest_linux.make(flavour)
    return Spec(boot.hardware, boot.config, cpus=boot.cpus, memory=boot.memory,
                boot=boot.source, machine=boot.machine, icount=boot.icount,
                interactive=boot.interactive, control=boot.control,
                guest_line=boot.guest_line)


def logs(folder: Path) -> list:
    """(title, text) of the ends of a machine's logs, for a failing test."""
    found = []
    for name in ("serial.log", "emulator.log", "bochs.log"):
        if (folder / name).exists() and (folder / name).stat().st_size:
            found.append((f"{folder.name}: the end of {folder / name}",
                          tail(folder / name)))
    return found


class Shell:
    """A boot whose serial line the test holds: asks, reads the answer."""

    def __init__(self, boot: Boot, machine: Machine):
        self.boot = boot
        self.machine = machine
        self.console: Optional[Console] = None
        self.control: Optional[Control] = None

    def begin(self) -> None:
        self.machine.start()
        self.attach()

    def attach(self) -> None:
        """Takes the console of a machine that was started."""
        self.console = Console(self.machine)
        if self.boot.control:
            self.control = Control(self.machine.control)
        self.expect(PROMPT, self.boot.timeout)

    def send(self, text: Union[str, bytes]) -> None:
        assert self.console, "the machine did not start"
        self.console.send(text)

    def expect(self, text: str, timeout: float = 60) -> str:
        assert self.console, "the machine did not start"
        return self.console.expect(text, timeout)

    def __call__(self, command: str, timeout: float = 60) -> list:
        """The lines that the shell answers to a command; what VMs print
        meanwhile left out."""
        assert self.console, "the machine did not start"
        lines = self.console.ask(PROMPT, command, timeout).splitlines()
        return [line for line in lines if not re.match(r"[\w.-]+\| ", line)]

    def row(self, vm: str) -> dict:
        """The VM's row of `vm list`."""
        return vm_row(self("vm list"), vm)


class Runs:
    """All boots of a test run."""

    def __init__(self, say: Callable[[str], None]):
        self.say = say
        self.pool = ThreadPoolExecutor(AT_ONCE)
        self.slots = threading.Semaphore(AT_ONCE)
        self.pending: dict = {}
        self.shells: dict = {}
        self.machines: set = set()
        self.stopping = False

    def schedule(self, boots: list) -> None:
        for boot in boots:
            self.pending[boot] = self.pool.submit(self._run, boot)

    def result(self, boot: Boot) -> Run:
        future: Optional[Future] = self.pending.get(boot)
        assert future, f"boot {boot} was not scheduled"
        return future.result()

    def _run(self, boot: Boot) -> Run:
        with self.slots:
            if self.stopping:
                raise RuntimeError("the test run is being stopped")
            machine = Machine(spec(boot), OUT / "e2e" / boot.name)
            self.say(f"     boot {boot}: {boot.hardware.about}, "
                     f"{boot.cpus} CPU{'s' * (boot.cpus > 1)}")
            self.machines.add(machine)
            with machine:
                outcome = machine.wait(boot.timeout)
            self.machines.discard(machine)
            self.say(f"     boot {boot}: {outcome.word} after "
                     f"{outcome.seconds:.1f} s")
            return Run(boot, outcome, machine.serial_text(), machine.folder)

    def shell(self, boot: Boot) -> Shell:
        """The live boot; it is started when a test first asks for it. One that
        did not start is not tried again."""
        if boot not in self.shells:
            self.slots.acquire()
            self.say(f"     boot {boot}: {boot.hardware.about}, at the console")
            machine = Machine(spec(boot), OUT / "e2e" / boot.name)
            self.machines.add(machine)
            self.shells[boot] = Shell(boot, machine)
            self.shells[boot].begin()
        return self.shells[boot]

    def close(self, boot: Optional[Boot]) -> None:
        """Ends a live boot, if there is one."""
        shell = self.shells.pop(boot, None)
        if shell:
            shell.machine.stop()
            self.machines.discard(shell.machine)
            self.slots.release()

    def stop(self) -> None:
        """Ends everything, also what still waits for its turn."""
        self.stopping = True
        self.pool.shutdown(wait=False, cancel_futures=True)
        for machine in list(self.machines):
            machine.stop()
        self.pool.shutdown()
