"""One run of Godwit on an emulated machine, from start to a verdict in words."""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional, Union

from . import bochs, qemu
from .platforms import Platform
from .terminal import Screen

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out"


@dataclass
class Spec:
    """What to start: the platform, its size, Godwit's configuration and files."""

    platform: Platform
    config: str = ""  # text of godwit.conf
    files: dict = field(default_factory=dict)  # boot name -> path
    cpus: int = 1
    memory: int = 512  # MiB
    boot: str = "fw-cfg"  # QEMU: fw-cfg, virtio or ide; Bochs: always ide
    machine: str = "q35"  # QEMU: q35 or pc
    icount: Optional[int] = None  # QEMU: 2**N ns per instruction
    seed: int = 1  # of the processor's random numbers ; of the calendar
    gdb: bool = False  # QEMU: wait for a debugger on port 1234
    interactive: bool = False  # the serial line is a socket, time is real
    control: bool = False  # a second line, for programs: rig/control.py
    control_log: bool = False  # the same as a file that is only written
    guest_line: bool = False  # one more, for a guest's console
    nics: list = field(default_factory=list)  # of nic.Nic
    kernel: Path = OUT / "kernel.bin"
    efi: Path = OUT / "BOOTX64.EFI"

    def __post_init__(self) -> None:
        if self.control_log and (self.interactive or self.control):
            raise ValueError("a control line that is a file is for machines "
                             "that nobody talks to")

    def boot_files(self, folder: Path) -> dict:
        """Every file Godwit is given, by its name under godwit/."""
        files = {"kernel.elf": self.kernel}
        config = folder / "godwit.conf"
        config.write_text(self.config)
        files["godwit.conf"] = config
        for line in self.config.splitlines():
            match = re.match(r"\s*(kernel|initrd|module)\s*=\s*([^\s#]+)", line)
            if match and match.group(2) not in self.files:
                files[match.group(2)] = OUT / match.group(2)
        files.update(self.files)
        for name, path in files.items():
            if not Path(path).is_file():
                raise FileNotFoundError(f"boot file {name}: no {path}")
        return files


@dataclass
class Outcome:
    """How a run ended: a word for programs, a sentence for people."""

    word: str  # pass, fail, panic, timeout, crash, stopped
    text: str
    seconds: float

    @property
    def passed(self) -> bool:
        return self.word == "pass"


def tail(path: Path, lines: int = 25) -> str:
    """The end of a log, as text, however broken its bytes are."""
    try:
        data = Path(path).read_bytes()[-20000:]
    except OSError:
        return f"(no {path})"
    return "\n".join(Screen(data).text.splitlines()[-lines:])


class Machine:
    """An emulator that runs Godwit in a folder of its own.

    with Machine(spec) as machine:
        outcome = machine.wait(60)
        print(machine.serial_text())
    """

    def __init__(self, spec: Spec, folder: Optional[Path] = None):
        self.spec = spec
        if folder is None:
            (OUT / "run").mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(
                prefix=spec.platform.name + "-", dir=OUT / "run"))
        else:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.folder = folder
        self.serial_log = folder / "serial.log"
        self.emulator_log = folder / "emulator.log"
        self.control_log = folder / "control.log"
        self.command: list = []
        self.process: Optional[subprocess.Popen] = None
        self.console: Optional[socket.socket] = None
        self.control: Optional[socket.socket] = None
        self.guest_line: Optional[socket.socket] = None
        self.started = 0.0

    @property
    def emulator(self):
        return {"qemu": qemu, "bochs": bochs}[self.spec.platform.emulator]

    @property
    def debug_log(self) -> Path:
        """What comes out of port 0xe9."""
        return self.emulator.debug_file(self.folder)

    def start(self) -> "Machine":
        for nic in self.spec.nics:
            nic.wait_for_peer()
        lines = {name: getattr(self.spec, wanted) for name, wanted in
                 [("console", "interactive"), ("control", "control"),
                  ("guest_line", "guest_line")]}
        listeners = {name: socket.create_server(("127.0.0.1", 0))
                     for name, wanted in lines.items() if wanted}
        ports = {name: listener.getsockname()[1]
                 for name, listener in listeners.items()}
        self.command = self.emulator.prepare(self.spec, self.folder, ports)
        (self.folder / "command").write_text(" ".join(self.command) + "\n")
        # The emulator ends when we do, even when we are killed.
        with open(self.emulator_log, "wb") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        self.started = time.monotonic()
        for name, listener in listeners.items():
            with listener:
                setattr(self, name, self._accept(listener))
        return self

    def _accept(self, listener: socket.socket) -> socket.socket:
        """Takes a serial line of the emulator, unless it ends before that."""
        listener.settimeout(0.2)
        while self.process.poll() is None:
            try:
                return listener.accept()[0]
            except socket.timeout:
                if time.monotonic() - self.started > 30:
                    self.stop()
        raise RuntimeError(f"{self.spec.platform.emulator} did not start:\n"
                           + tail(self.emulator_log))

    def wait(self, timeout: float) -> Outcome:
        """Waits for the end; after `timeout` seconds makes one."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.stop()
            return Outcome("timeout", f"still running after {timeout:.0f} s",
                           time.monotonic() - self.started)
        seconds = time.monotonic() - self.started
        word, text = self.emulator.outcome(status, self.folder)
        if word == "fail":
            panic = re.search(r"(?im)^.*\bpanic\b.*$", self.serial_text())
            if panic:
                word, text = "panic", panic.group(0).strip()
        return Outcome(word, text, seconds)

    def serial_text(self) -> str:
        try:
            data = self.serial_log.read_bytes()
        except OSError:
            return ""
        return Screen(data).text

    def stop(self) -> None:
        """Ends the emulator if it still runs. Safe to call twice."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        for line in (self.console, self.control, self.guest_line):
            if line:
                line.close()
        self.console = self.control = self.guest_line = None

    def forget(self) -> None:
        """Removes the folder of a run that nobody needs to look at."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Machine":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        (self.folder / "disk.img").unlink(missing_ok=True)
        (self.folder / "disk.img.lock").unlink(missing_ok=True)


class Console:
    """The operator's end of an interactive machine's serial line.

    A thread reads all that comes and keeps it, in the machine's serial log too;
    expect() waits for text that came after what was expected before.
    """

    def __init__(self, machine: Machine):
        self.machine = machine
        self.screen = Screen()
        self.raw = bytearray()  # all that ever came, as it came
        self.seen = 0
        self.ended = False
        self.news = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self) -> None:
        console = self.machine.console
        with open(self.machine.serial_log, "ab", buffering=0) as log:
            while True:
                try:
                    data = console.recv(65536)
                except OSError:
                    data = b""
                with self.news:
                    self.ended = not data
                    self.raw += data
                    self.screen.feed(data)
                    # A line that is drawn again has not been seen.
                    self.seen = min(self.seen, len(self.screen.text))
                    self.news.notify_all()
                if not data:
                    return
                log.write(data)

    def send(self, text: Union[str, bytes]) -> None:
        if isinstance(text, str):
            text = text.encode()
        self.machine.console.sendall(text)

    def wait_for(self, look: Callable, what: str, timeout: float):
        """Calls look() at all news until it gives something."""
        deadline = time.monotonic() + timeout
        with self.news:
            while True:
                found = look()
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    why = "the machine ended" if self.ended else \
                        f"nothing for {timeout:.0f} s"
                    raise TimeoutError(f"waiting for {what!r}: {why}; got\n"
                                       + self.screen.text[self.seen:][-2000:])
                self.news.wait(left)

    def expect(self, wanted: str, timeout: float = 60) -> str:
        """Waits for `wanted`; what came before it, since the last time."""
        def look() -> Optional[str]:
            text = self.screen.text
            at = text.find(wanted, self.seen)
            if at < 0:
                return None
            before = text[self.seen:at]
            self.seen = at + len(wanted)
            return before

        return self.wait_for(look, wanted, timeout)

    def expect_bytes(self, wanted: bytes, start: int,
                     timeout: float = 60) -> bytes:
        """What came from place `start` on, up to and with `wanted`."""
        scanned = start

        def look() -> Optional[bytes]:
            nonlocal scanned
            at = self.raw.find(wanted, scanned)
            if at < 0:
                scanned = max(start, len(self.raw) - len(wanted))
                return None
            return bytes(self.raw[start:at + len(wanted)])

        return self.wait_for(look, repr(wanted), timeout)

    def expect_raw(self, size: int, start: int, timeout: float = 60) -> bytes:
        """The next `size` bytes from place `start` of all that ever came."""
        def look() -> Optional[bytes]:
            found = bytes(self.raw[start:start + size])
            return found if len(found) == size else None

        return self.wait_for(look, f"{size} bytes", timeout)

    def ask(self, prompt: str, command: str, timeout: float = 60) -> str:
        """Types a command at the prompt; what came until the next prompt."""
        start = len(self.screen.done)
        echo = f"{prompt}{command}\n"

        def look() -> Optional[str]:
            at = self.screen.done.find(echo, start)
            if at < 0 or self.screen.line != prompt:
                return None
            self.seen = len(self.screen.done)
            return self.screen.done[at + len(echo):]

        self.send(command + "\r")
        return self.wait_for(look, echo, timeout)
