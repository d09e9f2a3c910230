"""What the labs' graders share: checks with points, unit programs, machines.

A lab's own checks stand in labN/checks.py as a list CHECKS. A check's function
is given the Lab and answers None when all is well, or what was wrong. It may
raise what it likes: whatever a student's kernel does, the grader says so and
goes on.
"""

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable, Optional

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from rig.hosts import End, Hosts, NotMoved  # noqa: E402
from rig.machine import OUT, Machine, Outcome, Spec  # noqa: E402
from rig.platforms import PLATFORMS, Platform  # noqa: E402

ENGINES = ("svm", "vmx")
UNIT_SECONDS = 60
TAIL = 8  # of the console, for a failure


@dataclass(frozen=True)
class Check:
    name: str
    points: int
    hint: str
    run: Callable[["Lab"], Optional[str]]
    engine: str = ""  # "": whichever was asked for


@dataclass(frozen=True)
class Boot:
    """A machine with the lab's kernel, that ends by itself."""

    name: str
    platform: str
    commands: str  # of `run =`; the last should be off
    vms: str = ""
    cpus: int = 1
    cpu: str = ""  # the emulator's name for another processor
    seconds: int = 60  # in QEMU, on a busy computer

    @property
    def hardware(self) -> Platform:
        base = PLATFORMS[self.platform]
        return replace(base, cpu=self.cpu) if self.cpu else base

    @property
    def patience(self) -> int:
        return self.seconds * (4 if self.hardware.emulator == "bochs" else 1)

    @property
    def config(self) -> str:
        return f"[host]\nname = godwit\nrun = {self.commands}\n{self.vms}"


@dataclass
class Run:
    """What a boot said and how it ended."""

    outcome: Outcome
    text: str
    lines: list = field(init=False)

    def __post_init__(self) -> None:
        self.lines = self.text.splitlines()

    def ended(self) -> Optional[str]:
        """None when the host ended its run in order."""
        return None if self.outcome.passed else explain(self.outcome, self.text)

    def vm_says(self, vm: str, words: str) -> bool:
        return any(line.startswith(f"{vm}| ") and words in line
                   for line in self.lines)

    def wants(self, vm: str, *words: str) -> Optional[str]:
        """None when the VM printed each of the words."""
        for word in words:
            if not self.vm_says(vm, word):
                return f"guest {vm} never said \"{word}\"" + \
                    failures(self.lines, vm) + "\n" + \
                    explain(self.outcome, self.text)
        return None

    def host_says(self, *words: str) -> Optional[str]:
        for word in words:
            if word not in self.text:
                return f"the host never said \"{word}\"\n" + \
                    explain(self.outcome, self.text)
        return None


def failures(lines: list, vm: str) -> str:
    found = [line for line in lines if line.startswith(f"{vm}| FAIL")]
    return "".join(f"\n{line}" for line in found[:3])


def console_end(text: str) -> str:
    """The last lines that say something, indented."""
    lines = [line for line in text.splitlines() if line.strip()][-TAIL:]
    return "\n".join(f"| {line}" for line in lines) or \
        "| (the console stayed silent)"


def explain(outcome: Outcome, text: str) -> str:
    """How a machine ended, in a sentence, and the end of its console."""
    sentence = {
        "pass": "the machine ended in order",
        "timeout": f"the machine hung: {outcome.text}",
        "panic": f"the hypervisor panicked: {outcome.text}",
        "crash": f"the machine broke down: {outcome.text}",
    }.get(outcome.word, f"the machine ended badly: {outcome.text}")
    return f"{sentence}; its console's end:\n{console_end(text)}"


class Lab:
    """One lab and whose files are graded: work, solution or skeleton."""

    def __init__(self, number: int, who: str, engine: str = "svm"):
        self.number = number
        self.who = who
        self.engine = engine
        self.out = OUT / f"lab{number}" / who
        self.runs: dict = {}

    def build(self) -> Optional[str]:
        """Builds it; None, or what the compiler said."""
        done = subprocess.run(
            ["make", "--no-print-directory", "-s", "-C", str(ROOT),
             "all", "guests", "rig", f"lab{self.number}-{self.who}"],
            capture_output=True, text=True, timeout=900)
        if done.returncode == 0:
            return None
        return (done.stdout + done.stderr).strip()

    def unit(self, name: str, seconds: float = UNIT_SECONDS) -> Optional[str]:
        """One test of the lab's program for the build host."""
        try:
            done = subprocess.run([str(self.out / "checks"), name],
                                  capture_output=True, text=True,
                                  errors="replace", timeout=seconds)
        except subprocess.TimeoutExpired:
            return f"still running after {seconds:.0f} s: an endless loop?"
        if done.returncode == 0:
            return None
        return unit_failure(name, done.stdout, done.stderr)

    def boot(self, boot: Boot) -> Run:
        """Runs the machine; checks of one boot share its run."""
        if boot not in self.runs:
            spec = Spec(boot.hardware, boot.config, cpus=boot.cpus,
                        kernel=self.out / "kernel.bin")
            machine = Machine(spec, self.out / f"run-{boot.name}")
            with machine:
                outcome = machine.wait(boot.patience)
            self.runs[boot] = Run(outcome, machine.serial_text())
        return self.runs[boot]


def unit_failure(name: str, stdout: str, stderr: str) -> str:
    """The line of the check that failed, or the sanitizer's."""
    text = ""
    for line in stdout.splitlines():
        if line.startswith(f"FAIL {name}: "):
            text = line.removeprefix(f"FAIL {name}: ")
    for line in stderr.splitlines():
        if "runtime error: " in line or line.startswith("SUMMARY: "):
            return f"{text}\n| {line}" if text else line
    return text or "it did not run to its end"


def unit(name: str, points: int, hint: str) -> Check:
    """A check that is one test of the lab's unit program."""
    return Check(name, points, hint, lambda lab: lab.unit(name))


WALKER = "[vm walker]\nkernel = guests/walker.elf\nmemory = 16M\n" \
    "autostart = no\ncmdline = {}\n"
PATIENT = "downtime = 2000\n"


def move(lab: Lab, words: str, **options: str) -> Optional[str]:
    """Moves a walker between two hosts with the lab's kernel and asks it what
    it thinks of that; None when all went well."""
    ends = tuple(End(config=config, migrate=PATIENT,
                     kernel=lab.out / "kernel.bin")
                 for config in (WALKER.format(words), ""))
    text = ""
    try:
        with Hosts(ends, lab.out / "move") as hosts:
            try:
                said = verdict(hosts, options)
            finally:
                text = "".join(f"{host.name}:\n{console_end(host.text)}\n"
                               for host in hosts.hosts)
    except NotMoved as error:
        said = f"it was not moved: {error}"
    except Exception as error:  # a host that hung, or is no more
        said = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return said and f"{said}\n{text}"


def verdict(hosts: Hosts, options: dict) -> Optional[str]:
    line = "walker| walker: generation"
    hosts.a.ask("vm start walker")
    hosts.a.expect(line)
    hosts.move("walker", hosts.a, hosts.b, **options)
    hosts.b.expect(line)
    place = hosts.b.place
    hosts.b.key("walker", "q")
    event = hosts.b.control.event_since(place, "vm", vm="walker",
                                        change="ended")
    failed = [text for text in hosts.b.text.splitlines()
              if text.startswith("walker| FAIL")]
    if event["status"] or failed:
        return "\n".join(failed) or f"the walker ended with {event}"
    return None


def indent(text: str) -> str:
    return "".join(f"             {line}\n" for line in text.splitlines())


def grade(lab: Lab, checks: list, say: Callable[[str], None]) -> tuple:
    """Runs the checks that are for this engine; points got, points possible."""
    got = possible = 0
    for check in checks:
        if check.engine and check.engine != lab.engine:
            continue
        possible += check.points
        try:
            wrong = check.run(lab)
        except Exception as error:  # whatever it is, it is the check's answer
            wrong = f"{type(error).__name__}: {error}"
        points = 0 if wrong else check.points
        got += points
        say(f"  {'FAIL' if wrong else 'ok':4} {points:3}/{check.points:<3} "
            f"{check.name}\n")
        if wrong:
            say(indent(wrong.strip()) + indent(f"hint: {check.hint}"))
    return got, possible
