"""QEMU: the command line of a machine, and what its exit status means."""

import signal
import time
from pathlib import Path

from . import image
from .platforms import EPOCH, OVMF

# isa-debug-exit gives 2 * value + 1; Godwit writes 0x10 and 0x11.
PASS, FAIL = 33, 35


def debug_file(folder: Path) -> Path:
    """What Godwit writes to port 0xe9: traces."""
    return folder / "debug.log"


def prepare(spec, folder: Path, ports: dict) -> list:
    """Everything on the command line; `ports` are those of lines that are
    sockets. A console that is none is a file.

    Without a disk OVMF starts the EFI program straight from fw_cfg, and that
    program finds its files there too: no image to build, and nothing whose
    timing depends on the host, so icount runs repeat to the instruction.
    """
    files = spec.boot_files(folder)
    accel = spec.platform.accel
    command = ["qemu-system-x86_64", "-nodefaults", "-no-reboot",
               "-machine", spec.machine, "-accel", accel,
               "-cpu", spec.platform.cpu, "-smp", str(spec.cpus),
               "-m", str(spec.memory), "-display", "none", "-seed", str(spec.seed),
               "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
               "-debugcon", f"file:{debug_file(folder)}"]
    if spec.boot == "fw-cfg":
        # QEMU's own 32 places hardly leave ten.
        command += ["-kernel", str(spec.efi),
                    "-global", f"fw_cfg_io.x-file-slots={40 + len(files)}"]
        for name, path in files.items():
            escaped = str(path).replace(",", ",,")
            command += ["-fw_cfg", f"name=opt/godwit/{name},file={escaped}"]
    else:
        disk = image.build(folder / "disk.img", spec.efi, files)
        command += ["-drive", f"format=raw,if={spec.boot},file={disk}"]
    if "console" not in ports:
        command += ["-serial", f"file:{folder / 'serial.log'}"]
    if spec.control_log:
        command += ["-serial", f"file:{folder / 'control.log'}"]
    for name, port in ports.items():  # COM1 first
        command += ["-chardev", f"socket,id={name},host=127.0.0.1,port={port}",
                    "-serial", f"chardev:{name}"]
    for index, nic in enumerate(spec.nics):
        command += nic.qemu(index)
    if spec.icount is not None:
        start = time.strftime("%Y-%m-%dT%H:%M:%S",
                              time.gmtime(EPOCH + spec.seed - 1))
        command += ["-icount", f"shift={spec.icount},sleep=off",
                    "-rtc", f"base={start},clock=vm"]
    if spec.gdb:
        command += ["-gdb", "tcp:127.0.0.1:1234", "-S"]
    return command


def outcome(status: int, folder: Path) -> tuple[str, str]:
    if status == PASS:
        return "pass", "Godwit ended the run as passed"
    if status == FAIL:
        return "fail", "Godwit ended the run as failed"
    if status == 0:
        return "crash", "the machine reset or powered off: a triple fault?"
    if status < 0:
        name = signal.Signals(-status).name
        return "crash", f"QEMU itself ended by {name}; see {folder}/emulator.log"
    return "crash", f"QEMU ended with status {status}; see {folder}/emulator.log"
