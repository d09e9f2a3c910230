"""Bochs: its configuration file, and what its exit status means.

Each machine has its own folder and its own copy of the image, since Bochs locks
what it opens. The Debian build always starts at its debugger's prompt, so the
commands come from a file: `c` runs, and `quit` is reached when Godwit returns
to the debugger through port 0x8900, which is how it says "passed".
"""

import re
from pathlib import Path

from . import image
from .platforms import BOCHS_MODULES, EPOCH, OVMF, VGA_BIOS

IPS = 100_000_000  # also the host's TSC frequency
# Its e1000 takes one frame in each millisecond of the machine's time, which is
# nearer to ours the slower the machine is said to be.
IPS_WITH_NIC = 10_000_000
OUR_MODULES = image.MKIMAGE.parent / "bochs"  # bochs_loop.c

# time0 fixed and no host clock: a run repeats to the instruction. A person at
# the console wants idle time to pass in real time instead.
CONFIG = """\
plugin_ctrl: unmapped=1, biosdev=1
display_library: rfb, options="timeout=0"
config_interface: textconfig
megs: {memory}
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0
romimage: file={ovmf}
vgaromimage: file={vga}
pci: enabled=1, chipset=i440fx{slots}
{nic}log: {folder}/bochs.log
com1: enabled=1, {console}
com2: {control}
com3: {guest_line}
port_e9_hack: enabled=1
clock: sync={sync}, time0={start}
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
sound: driver=dummy, waveout=dummy
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path={folder}/disk.img, mode=flat
"""


def debug_file(folder: Path) -> Path:
    """What Godwit writes to port 0xe9, traces, among what Bochs says."""
    return folder / "emulator.log"


def prepare(spec, folder: Path, ports: dict) -> list:
    image.build(folder / "disk.img", spec.efi, spec.boot_files(folder))
    # A killed Bochs leaves its lock behind.
    (folder / "disk.img.lock").unlink(missing_ok=True)
    lines = {name: f"mode=socket-client, dev=127.0.0.1:{port}"
             for name, port in ports.items()}
    if len(spec.nics) > 1:
        raise ValueError("Bochs has one nic only")
    nic = "".join(nic.bochs() + "\n" for nic in spec.nics)
    outside = any(nic.kind != "loop" for nic in spec.nics)
    if spec.control_log:
        control = f"enabled=1, mode=file, dev={folder}/control.log"
    elif "control" in lines:
        control = "enabled=1, " + lines["control"]
    else:
        control = "enabled=0"
    (folder / "bochsrc").write_text(CONFIG.format(
        memory=spec.memory, cpu=spec.platform.cpu, cpus=spec.cpus,
        ips=IPS_WITH_NIC if outside else IPS, nic=nic, control=control,
        start=EPOCH + spec.seed - 1,
        slots=", slot1=e1000" if nic else "",
        ovmf=OVMF, vga=VGA_BIOS, folder=folder,
        console=lines.get("console", f"mode=file, dev={folder}/serial.log"),
        guest_line="enabled=1, " + lines["guest_line"]
        if "guest_line" in lines else "enabled=0",
        sync="slowdown" if spec.interactive else "none"))
    (folder / "commands").write_text("c\nquit\n")
    modules = [] if outside or not nic else \
        ["env", f"LTDL_LIBRARY_PATH={BOCHS_MODULES}:{OUR_MODULES}",
         f"GODWIT_SEED={spec.seed}"]
    return [*modules, "bochs", "-q", "-f", str(folder / "bochsrc"),
            "-rc", str(folder / "commands")]


def outcome(status: int, folder: Path) -> tuple[str, str]:
    if status == 0:
        return "pass", "Godwit ended the run as passed"
    try:
        log = (folder / "bochs.log").read_text(errors="replace")
    except OSError:
        log = ""
    if "shutdown requested" in log and status == 1:
        return "fail", "Godwit ended the run as failed"
    panic = re.search(r">>PANIC<< *(.*)", log) or \
        re.search(r"(?m)^\d+p?\[.*\] *(.*)$", log[-2000:])
    reason = panic.group(1) if panic else f"status {status}"
    if status == 1:
        return "crash", f"Bochs stopped the machine: {reason}"
    return "crash", f"Bochs itself ended with status {status}: {reason}"
