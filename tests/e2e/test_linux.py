"""Debian's kernels, as they are in their packages, in a machine of Godwit's.

The guest tests itself (tests/linux/tests); here is what it must have said, and
how its machine must have ended.
"""

import re

import pytest

from boots import LINUX
from rig.machine import ROOT

CHECKS = """
    dmesg clocksource timer-ticks no-strays uart-irq time cpus
    processes pipes tmpfs tmpfs-size floating-point timers signals""".split()

# What a kernel prints when the machine is not what it takes it for, also after
# the guest has looked at its log.
COMPLAINTS = re.compile(
    r"unchecked MSR|WARNING:|BUG:|Oops|Call Trace|stall|lockup|"
    r"Kernel panic|firmware bug|nobody cared", re.IGNORECASE)

# What it says of every virtual machine, and of a processor's design.
HARMLESS = (ROOT / "tests/linux/tests/harmless").read_text().splitlines()

STATUS_RESET = "status 256"

# cpu-model = baseline: these and no others, on whichever processor.
BASELINE = set("""
    aes apic arat avx clflush cmov cpuid cx16 cx8 de f16c fpu fsgsbase fxsr
    hypervisor lahf_lm lm mca mce mmx msr mtrr nopl nx pae pat pclmulqdq pge pni
    popcnt pse pse36 pti rdrand rdtscp sep smep sse sse2 sse4_1 sse4_2 ssse3
    syscall tsc tsc_known_freq x2apic xsave
    xsaveopt""".split())


def vms(boot, running: str) -> list:
    """The VMs of a boot whose command line has the word."""
    sections = boot.config.split("[vm ")[1:]
    return [section.split("]")[0] for section in sections
            if running in section]


def on(running: str):
    """A test for each such VM."""
    return pytest.mark.parametrize(
        "run, vm", [pytest.param(boot, vm, id=f"{boot}-{vm}")
                    for boot in LINUX for vm in vms(boot, running)],
        indirect=["run"])


@pytest.mark.parametrize("check", CHECKS)
@on("check,load")
def test_check(run, vm: str, check: str) -> None:
    said = run.vms.get(vm, [])
    assert f"ok linux.{check}" in said, \
        [line for line in said if f"linux.{check}" in line] or said[-20:]


@on("godwit.then=poweroff")
def test_powers_off(run, vm: str) -> None:
    assert run.outcome.passed, run.outcome.text
    state = run.vm_state(vm)
    assert state["state"] == "ended", state
    assert state["end"] == "status 0", state


@on("godwit.then=reboot")
def test_reboots(run, vm: str) -> None:
    """It asks for a reset, whose status no guest can give by itself."""
    state = run.vm_state(vm)
    assert state["state"] == "ended", state
    assert state["end"].startswith(STATUS_RESET), state


@on("console=")
def test_no_complaint(run, vm: str) -> None:
    found = [line for line in run.vms[vm] if COMPLAINTS.search(line)
             and not any(words in line for words in HARMLESS)]
    assert not found


@on("cpu-model = baseline")
def test_baseline(run, vm: str) -> None:
    lines = run.vms[vm]
    flags = {flag for line in lines if line.startswith("linux: flags ")
             for flag in line.split()[2:]}
    assert flags == BASELINE
    assert "linux: cpu vendor_id: GodwitGodwit" in lines
    assert "linux: cpu address sizes: 39 bits physical, 48 bits virtual" \
        in lines


@on("-vmlinux\n")
def test_pvh_takes_the_unpacked_kernel(run, vm: str) -> None:
    """That it runs, the tests above say; here, by which way it was entered."""
    assert any(f"{vm}: linux/general-vmlinux: PVH, entry" in line
               for line in run.host)
