"""The machines Godwit is run on, in one table.

An emulated platform is chosen for what its CPU can and cannot do, so that each
way of dirty tracking, and each refusal, is executed somewhere. KVM is used only
where nested virtualization is really there: /dev/kvm alone proves nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path

OVMF = Path("/usr/share/OVMF/OVMF_CODE.fd")
VGA_BIOS = Path("/usr/share/seabios/vgabios-stdvga.bin")
BOCHS_MODULES = "/usr/lib/x86_64-linux-gnu/bochs/plugins"
# Where no clock of the build host's is used, machines start at this second,
# and one later for each seed behind the first.
EPOCH = 1700000000


@dataclass(frozen=True)
class Platform:
    """One kind of host: an emulator, the CPU it shows, what that CPU has."""

    name: str
    emulator: str  # "qemu" or "bochs"
    cpu: str  # the emulator's name for it
    engine: str  # "svm" or "vmx"
    dirty: str  # dirty tracking the hardware supports, best first
    about: str
    accel: str = "tcg"  # QEMU only
    guests: bool = True  # False: Godwit must refuse, naming what is missing


# What QEMU's EPYC has and TCG lacks: said here, or QEMU warns of each.
EPYC = "EPYC,+npt" + "".join(f",-{feature}" for feature in (
    "rdseed", "sha-ni", "fxsr-opt", "misalignsse", "3dnowprefetch", "osvw",
    "topoext", "nrip-save", "xsavec"))


def _table(*rows: Platform) -> dict:
    return {row.name: row for row in rows}


PLATFORMS = _table(
    Platform("svm", "qemu", EPYC, "svm", "D bits, write protection",
             "QEMU TCG, AMD EPYC: NPT, no nRIP, no decode assists"),
    Platform("svm-max", "qemu", "max", "svm", "D bits, write protection",
             "QEMU TCG, every feature it has: NPT, 1G pages, LA57, PKU"),
    Platform("svm-ryzen", "bochs", "ryzen", "svm", "D bits, write protection",
             "Bochs, AMD Ryzen: NPT, nRIP, flush by ASID"),
    Platform("svm-toliman", "bochs", "phenom_8650_toliman", "svm",
             "D bits, write protection",
             "Bochs, AMD Phenom X3: NPT, no nRIP, 64 ASIDs"),
    Platform("vmx", "bochs", "corei7_skylake_x", "vmx",
             "PML, D bits, write protection",
             "Bochs, Intel Skylake-X: EPT A/D, PML, TSC scaling"),
    Platform("vmx-haswell", "bochs", "corei7_haswell_4770", "vmx",
             "D bits, write protection",
             "Bochs, Intel Haswell: EPT A/D, no PML"),
    Platform("vmx-ivybridge", "bochs", "corei7_ivy_bridge_3770k", "vmx",
             "write protection",
             "Bochs, Intel Ivy Bridge: EPT without A/D bits"),
    Platform("vmx-arrandale", "bochs", "corei5_arrandale_m520", "vmx",
             "write protection",
             "Bochs, Intel Arrandale: the first with unrestricted guests"),
    Platform("vmx-lynnfield", "bochs", "corei5_lynnfield_750", "vmx", "none",
             "Bochs, Intel Lynnfield: EPT, no unrestricted guest",
             guests=False),
    Platform("vmx-penryn", "bochs", "core2_penryn_t9600", "vmx", "none",
             "Bochs, Intel Penryn: VMX without EPT", guests=False),
)


def nested_kvm(engine: str, root: Path = Path("/")) -> tuple[bool, str]:
    """Whether KVM on this machine offers `engine` to a guest, and why (not)."""
    module = {"svm": "kvm_amd", "vmx": "kvm_intel"}[engine]
    parameter = root / "sys/module" / module / "parameters/nested"
    device = root / "dev/kvm"
    try:
        nested = parameter.read_text().strip()
    except OSError:
        return False, f"{module} is not loaded here"
    if nested not in ("1", "Y"):
        return False, f"{parameter} says {nested}"
    flags = (root / "proc/cpuinfo").read_text().split()
    if engine not in flags:
        return False, f"the CPU has no {engine}"
    if not os.access(device, os.R_OK | os.W_OK):
        return False, f"{device} is missing or not ours to open"
    return True, f"{module} has nested virtualization on"


def kvm_platform(engine: str) -> Platform:
    return Platform(f"kvm-{engine}", "qemu", "host", engine, "the host's",
                    f"QEMU with KVM on this machine's own CPU ({engine})",
                    accel="kvm")


def choose(name: str, accel: str = "emulate") -> tuple[Platform, str]:
    """The platform called `name` and a sentence that says why this one.

    accel "auto" replaces svm and vmx by KVM where that is really possible; the
    others are about one CPU model and stay what they are. "kvm" is whichever
    engine this machine's KVM has.
    """
    if name == "kvm":
        reasons = []
        for engine in ("svm", "vmx"):
            there, why = nested_kvm(engine)
            if there:
                return kvm_platform(engine), why
            reasons.append(why)
        raise ValueError("KVM cannot run Godwit here: " + "; ".join(reasons))
    if name not in PLATFORMS:
        raise ValueError(f"no platform {name}; there are: "
                         + " ".join([*PLATFORMS, "kvm"]))
    platform = PLATFORMS[name]
    if accel != "auto" or name not in ("svm", "vmx"):
        return platform, platform.about
    there, why = nested_kvm(platform.engine)
    if there:
        return kvm_platform(platform.engine), why
    return platform, f"{platform.about}; not KVM: {why}"
