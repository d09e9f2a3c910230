"""What an experiment ran on, so that another can be compared with it."""

import hashlib
import os
import platform
import subprocess
import time
from pathlib import Path

from rig.machine import OUT, ROOT

# All that takes part besides the emulators.
BUILT = ("kernel.bin", "BOOTX64.EFI", "wirebox", "guests/walker.elf")
LINUX = ("linux/cloud-vmlinuz", "linux/cloud-initrd")


def first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True,
                              cwd=ROOT, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return "not here"
    lines = [line for line in (done.stdout + done.stderr).splitlines()
             if line.strip(" =")]
    return lines[0].strip() if lines else ""


def build_hash(linux: bool) -> str:
    """Of Godwit and its guests as they are: two runs with the same have run
    the same code."""
    whole = hashlib.sha256()
    for name in BUILT + (LINUX if linux else ()):
        whole.update(name.encode() + b"\0" + (OUT / name).read_bytes())
    return whole.hexdigest()[:16]


def kernel_package() -> str:
    found = sorted((OUT / "linux" / "packages").glob("linux-image-*cloud*.deb"))
    return found[-1].name if found else "none"


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def all_of_them(linux: bool, emulators: set) -> dict:
    found = {"date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
             "build": build_hash(linux),
             "commit": first_line("git", "rev-parse", "HEAD"),
             "changed since": "yes" if first_line(
                 "git", "status", "--porcelain", "-uno") else "no",
             "host": f"{processor()}, {os.cpu_count()} cores",
             "system": f"{platform.system()} {platform.release()}",
             "python": platform.python_version()}
    if "qemu" in emulators:
        found["qemu"] = first_line("qemu-system-x86_64", "--version")
    if "bochs" in emulators:
        found["bochs"] = first_line("bochs", "--help")
    if linux:
        found["guest kernel"] = kernel_package()
    return found
