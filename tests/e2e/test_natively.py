"""What SKIPS blames on QEMU fails in QEMU without Godwit too.

The test guests are Multiboot programs, so QEMU starts them as they are. A check
that passes there is one that Godwit breaks, and must not be skipped.
"""

import functools
import subprocess

import pytest

from rig.machine import OUT
from rig.platforms import PLATFORMS
from suites import SKIPS, SUITES

# QEMU's SVM has these faults, not its processor.
VIRTUAL_ONLY = {"exit.msr-high", "dr.break-execute", "dr.break-write"}

# The host's own tests are no guest.
OWN = {check for suite in SUITES.values() if not suite.kernel
       for check in suite.names()}

CASES = [(platform, check) for platforms, check in SKIPS
         for platform in platforms.split() if platform != "*"
         and check not in VIRTUAL_ONLY | OWN
         and PLATFORMS[platform].emulator == "qemu"]


@functools.lru_cache(maxsize=None)
def natively(platform: str, kernel: str) -> str:
    """What the guest prints without Godwit under it."""
    done = subprocess.run(
        ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-no-reboot",
         "-accel", "tcg", "-cpu", PLATFORMS[platform].cpu, "-m", "64",
         "-kernel", OUT / "guests" / kernel, "-debugcon", "stdio",
         "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr


@pytest.mark.parametrize("platform, check", CASES,
                         ids=[":".join(case) for case in CASES])
def test_fails_natively(platform: str, check: str) -> None:
    suite = next(suite for suite in SUITES.values() if check in suite.names())
    said = natively(platform, suite.kernel)
    assert f"FAIL {check}: " in said, said
