#!/usr/bin/python3
"""record.py NAME COMMAND: records which pages a Linux guest writes, for lab 5.

Debian's kernel runs in plain QEMU with its memory in a file. COMMAND is typed
at its shell; then the machine is run for a step of some milliseconds, stopped,
and its memory compared with what it was. A page that was written with what it
held already is not seen. Needs out/linux: tools/guest_linux.py cloud. The
traces here, of guests with 80 to 112 MiB:

    idle    sleep 99
    hot     dirty 3
    steady  dirty 16 700
    wide    dirty 12 0
    burst   while :; do dd if=/dev/urandom of=/tmp/x bs=1M count=9; sleep 1;
            done
    build   while :; do seq 9000 | sort -R | md5sum >/tmp/y; ls -lR /sys | wc;
            done

A trace's first line is `pages N`; each other is a step: its microseconds, then
the pages written, as runs FIRST or FIRST+MORE, FIRST counted from the last
run's end.
"""

import json
import mmap
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
MIB = 96
PAGE = 4096
CHUNK = 64 * PAGE
STEPS = 80
STEP = 0.025


class Monitor:
    """QEMU's monitor, as far as it is needed."""

    def __init__(self, path: Path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.command("qmp_capabilities")

    def command(self, name: str) -> None:
        self.file.write(json.dumps({"execute": name}) + "\n")
        self.file.flush()
        while "return" not in json.loads(self.file.readline()):
            pass


def start(folder: Path, console: int) -> subprocess.Popen:
    linux = ROOT / "out/linux"
    return subprocess.Popen([
        "qemu-system-x86_64", "-nodefaults", "-display", "none", "-accel",
        "tcg", "-cpu", "max", "-machine", "q35,memory-backend=ram", "-m",
        str(MIB), "-object", f"memory-backend-file,id=ram,size={MIB}M,share=on,"
        f"mem-path={folder}/ram", "-kernel", str(linux / "cloud-vmlinuz"),
        "-initrd", str(linux / "cloud-initrd"), "-append",
        "console=ttyS0 quiet", "-chardev",
        f"socket,id=c,host=127.0.0.1,port={console}", "-serial", "chardev:c",
        "-qmp", f"unix:{folder}/qmp,server=on,wait=off"])


def wait_for(line: socket.socket, wanted: bytes) -> None:
    text = b""
    while wanted not in text:
        data = line.recv(4096)
        if not data:
            sys.exit(f"the guest ended: {text!r}")
        text += data


def changed(old: bytes, new: bytes) -> list:
    pages = []
    for chunk in range(0, len(new), CHUNK):
        if old[chunk:chunk + CHUNK] != new[chunk:chunk + CHUNK]:
            pages += [at // PAGE for at in range(chunk, chunk + CHUNK, PAGE)
                      if old[at:at + PAGE] != new[at:at + PAGE]]
    return pages


def runs(pages: list) -> str:
    words, end, i = [], 0, 0
    while i < len(pages):
        more = 0
        while i + more + 1 < len(pages) and \
                pages[i + more + 1] == pages[i] + more + 1:
            more += 1
        words.append(f"{pages[i] - end}" + (f"+{more}" if more else ""))
        end = pages[i] + more + 1
        i += more + 1
    return " ".join(words)


def record(monitor: Monitor, ram: mmap.mmap) -> list:
    lines, old = [], ram[:]
    for step in range(STEPS):
        print(f"\rstep {step} of {STEPS}", end="", flush=True)
        begun = time.monotonic()
        monitor.command("cont")
        time.sleep(STEP)
        monitor.command("stop")
        took = time.monotonic() - begun
        new = ram[:]
        lines.append(f"{took * 1e6:.0f} {runs(changed(old, new))}".strip())
        old = new
    return lines


def main() -> None:
    name, command = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir="/dev/shm") as text, \
            socket.create_server(("127.0.0.1", 0)) as listener:
        folder = Path(text)
        qemu = start(folder, listener.getsockname()[1])
        try:
            line = listener.accept()[0]
            wait_for(line, b"ends the machine")
            line.sendall(command.encode() + b"\n")
            time.sleep(3)
            monitor = Monitor(folder / "qmp")
            monitor.command("stop")
            with open(folder / "ram", "rb") as file:
                ram = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
                lines = record(monitor, ram)
        finally:
            qemu.kill()
            qemu.wait()
    target = Path(__file__).parent / "traces" / f"{name}.trace"
    target.parent.mkdir(exist_ok=True)
    target.write_text(f"pages {MIB * 1024 * 1024 // PAGE}\n"
                      + "".join(f"{line}\n" for line in lines))
    print(f"\n{target}: {os.path.getsize(target)} bytes")


if __name__ == "__main__":
    main()
