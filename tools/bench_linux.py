"""How long Debian's cloud kernel takes to its first program, and with how many
exits: under Godwit in QEMU, and in the same QEMU without Godwit, in turns. The
least of each counts, for other work on this machine only adds."""

import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import guest_linux  # noqa: E402
from rig.machine import OUT, Machine, Spec  # noqa: E402
from rig.platforms import PLATFORMS  # noqa: E402

TURNS = 3
WORDS = "console=ttyS0 quiet godwit.then=poweroff"
FIRST = "first instruction"
UP = "up after"
CONFIG = f"""
[host]
name = godwit
run = wait; exits; off
[vm linux]
kernel = linux/cloud-vmlinuz
initrd = linux/cloud-initrd
memory = 256M
cmdline = {WORDS}
"""


def when(log: Path, text: str, process: subprocess.Popen) -> float:
    """Waits until the log has the text."""
    while process.poll() is None:
        if log.exists() and text.encode() in log.read_bytes():
            break
        time.sleep(0.005)
    return time.monotonic()


def on_godwit() -> tuple:
    """Seconds from the first instruction, and what `exits` says."""
    with Machine(Spec(PLATFORMS["svm"], CONFIG)) as machine:
        first = when(machine.serial_log, FIRST, machine.process)
        up = when(machine.serial_log, UP, machine.process)
        machine.wait(120)
        return up - first, machine.serial_text().split("godwit> exits\n")[1]


def natively() -> float:
    """Seconds from QEMU's start: its firmware takes a part of them, so this
    errs against Godwit."""
    log = OUT / "run" / "native.log"
    log.unlink(missing_ok=True)
    start = time.monotonic()
    with subprocess.Popen(
            ["qemu-system-x86_64", "-nodefaults", "-display", "none",
             "-no-reboot", "-accel", "tcg", "-cpu", PLATFORMS["svm"].cpu,
             "-machine", "q35", "-m", "256", "-kernel",
             OUT / "linux/cloud-vmlinuz", "-initrd", OUT / "linux/cloud-initrd",
             "-append", WORDS, "-serial", f"file:{log}"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        up = when(log, UP, process)
        process.wait(60)
    return up - start


def main() -> int:
    guest_linux.make("cloud")
    (OUT / "run").mkdir(parents=True, exist_ok=True)
    hosted, direct = [], []
    for _ in range(TURNS):
        seconds, exits = on_godwit()
        hosted.append(seconds)
        direct.append(natively())
        print(f"Godwit {hosted[-1]:.2f} s, QEMU alone {direct[-1]:.2f} s",
              flush=True)
    print(f"least: {min(hosted):.2f} s and {min(direct):.2f} s, "
          f"{min(hosted) / min(direct):.2f} times")
    for line in exits.splitlines():
        if re.match(r"  [a-z-]+ +\d+ +\d+", line):
            print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
