"""What is expected of every boot that runs guests: the checks, by suite.

A suite is a test guest (its VM has the suite's name), or the kernel's own self
tests. Each check prints `ok CHECK`, `FAIL CHECK: why` or `skip CHECK: why`. A
check that is listed here and not printed has failed, so has one that is printed
and not listed; a skip is right only where SKIPS says so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Optional


@dataclass(frozen=True)
class Suite:
    checks: str  # names, separated by white space
    prefix: str = ""  # what each name begins with
    kernel: str = ""  # the guest's file, "" for the self tests
    keys: str = ""  # further lines of its configuration
    cmdline: str = ""

    def names(self) -> list:
        return [self.prefix + name for name in self.checks.split()]

    def vm(self, name: str, platform: str = "") -> str:
        """The VM's section; checks that SKIPS knows are left out."""
        without = ",".join(check for check in self.names()
                           if skip_reason(platform, check))
        cmdline = f"{self.cmdline}{' without=' + without if without else ''}"
        return (f"[vm {name}]\nkernel = guests/{self.kernel}\n"
                f"memory = 32M\n{self.keys}\ncmdline = {cmdline}\n")


SUITES = {
    "selftest": Suite("""
        host-cpu roundtrip entry refusal rights delivery dirty-bits leaf-sizes ledger
        shootdown dirty-wp dirty-dbit dirty-pml""", "selftest."),
    "hello": Suite("", kernel="hello.elf"),
    "hello32": Suite("", kernel="hello32.elf"),
    "exits": Suite("""
        cpuid cpuid-hypervisor cpuid-no-counters cpuid-osxsave
        hypercall-vmcall hypercall-vmmcall hypercall-user msr-read msr-high msr-write msr-unknown msr-values msr-user tsc
        rdtscp tsc-write xsetbv cache cache-user invlpg pause rdpmc monitor
        vmx-insn svm-insn smx-smm-insn""", "exit.", "exits.elf"),
    "registers": Suite("""
        cr.gprs cr.cr0 cr.clts cr.lmsw cr.smsw cr.cr0-illegal cr.cr3-illegal
        cr.cr4 cr.cr4-illegal cr.cr8 cr.cr8-illegal cr.absent cr.user dr.gprs
        dr.illegal dr.dr4-dr5 dr.guard dr.break-execute dr.break-write""",
        kernel="registers.elf"),
    "interrupts": Suite("""
        self-ipi self-ipi-msr ipi-addressed order merge tpr cr8 nesting
        sti-shadow sti-cli sti-exit hlt-pending hlt-timer nmi nmi-blocked
        nmi-and-irq storm alone user string""", "interrupt.", "interrupts.elf"),
    "eoi": Suite("msr saves-exits offered two taken-back again register",
                 "eoi.", "eoi.elf", "counters = yes"),
    "portio": Suite("""
        in out uart-scratch prefixes string string-single string-backward
        string-zero string-sizes string-segment string-fault string-fault-out
        string-readonly string-noncanonical user""", "io.", "portio.elf"),
    "exceptions": Suite("""
        de ud nm bp int int-user icebp np gate-error gp ss pf pf-user pf-fetch
        pf-reserved mf xm ac syscall""", "exception.", "exceptions.elf"),
    "delivery": Suite("""
        step step-exits step-mmio step-rep df fault nested""", "delivery.",
        "delivery.elf"),
    "paging": Suite("""
        sizes accessed-dirty accessed-io remap permissions global alias crossing
        self-modifying self-modifying-alias exit-over-pages spaces pcid
        recursive many""", "paging.", "paging.elf"),
    "prot32": Suite("""
        exits string-io hypercall exceptions soft limits segment-io call-gate
        user paging pae pae-pointers vm86""", "prot32.", "prot32.elf"),
    "real": Suite("""
        segments high cpuid in-8 in-16 in-32 out outs outs-addr32 ins ins-di
        ins-wrap-di ins-wrap int de ud step unreal back""", "real.",
        "real.bin", "loader = flat"),
    "mb-aout": Suite("magic cr0 eflags data bss flags memory modules", "aout.",
                     "mb-aout.bin"),
    "mmio": Suite("""
        mov moffs addressing alu bits compare exchange to-register strings
        nothing narrow alias user""", "mmio.", "mmio.elf"),
    "fpu": Suite("""
        kept-cpuid kept-io kept-string-io kept-msr kept-cr kept-apic
        kept-interrupt kept-hlt kept-exception kept-time xcr0 fxsave ts""",
        "fpu.", "fpu.elf", cmdline="seed=7"),
    "timer": Suite("""
        one-shot not-early divide current periodic masked busy deadline
        deadline-past deadline-cancel deadline-other-mode""", "timer.",
        "timer.elf"),
    "memory": Suite("zero ram outside over-the-end", "memory.", "memory.elf"),
    "pci": Suite("""
        bridge absent functions address sizes write-sizes read-only bars
        bar-move memory-enable caps interrupt-pin""", "pci.", "pci.elf"),
    "virtio": Suite("""
        registers features refused reset window rng batch chain indirect msix
        msix-mask no-interrupt event-index no-vector isr line loop nested range
        nowhere setup broken-interrupt console console-pieces""", "virtio.",
        "virtio.elf", "console = virtio"),
    "net": Suite("config offloads send exchange", "net.", "net.elf",
                 "net = yes\nmac = 02:04:06:08:0a:0c\nmtu = 9000",
                 cmdline="mac=02:04:06:08:0a:0c mtu=9000"),
    "net-answer": Suite("", kernel="net.elf", keys="net = yes",
                        cmdline="role=answer"),
    "smp": Suite("start atomic ipi wake same mapping", "smp.", "smp.elf",
                 "cpus = 2"),
    "chipset": Suite("""
        pit-pic pit-no-apic pit-ioapic pit-one-shot pit-gate level uart-edge
        rtc-periodic rtc-time pm-timer acpi""", "chipset.", "chipset.elf"),
    "counters": Suite("leaves kinds sum cycles beyond", "counters.",
                      "counters.elf", "counters = yes"),
    "poweroff": Suite("", kernel="poweroff.elf"),
}

# Bochs clears what is pending when VMRUN enters a guest with IF=0, and SVM has no
# preemption timer that would come instead: such a guest is never interrupted.
BOCHS_SVM = "Bochs: a guest entered with IF=0 is never interrupted"

# (platforms, suite) -> why that guest is not started there.
ABSENT = {
    ("svm-ryzen svm-toliman", "interrupts"): BOCHS_SVM,
    ("svm-ryzen svm-toliman", "timer"): BOCHS_SVM,
    ("svm-ryzen svm-toliman", "smp"): BOCHS_SVM,
    ("svm-ryzen svm-toliman", "chipset"): BOCHS_SVM,
}

ONE_CPU = {"selftest.shootdown": "a shootdown takes two CPUs"}


def read_skips() -> dict:
    """tests/guests/without.txt: (platforms, check) -> what the hardware lacks."""
    skips = {}
    text = (Path(__file__).parent.parent / "guests/without.txt").read_text()
    for line in text.splitlines():
        if line and not line.startswith("#"):
            platforms, check, reason = line.split(maxsplit=2)
            skips[(platforms.replace(",", " "), check)] = reason
    return skips


SKIPS = read_skips()

# Attacks, and how each may end: its VM ends by itself, or is stopped by the host
# with a reason ("crashed"), or runs until the operator stops it. Where there are
# two words, processors differ in what the attack does to the guest itself.
HOSTILE = {
    "ended": """
        apic-abuse apic-base chipset-abuse console-escape console-long cpuid-sweep cr-random
        hlt-dead host-ports hypercall-storm irq-no-eoi jump-noncanonical mov-ss
        msr-sweep nmi-storm pci-noise port-sweep self-modify smi svm-insn
        timer-storm virtio-registers virtio-rings
        uart-abuse vmx-insn""",
    "crashed": """
        code-mmio code-off-ram cr3-mmio cr3-nowhere cr3-random gdt-nowhere
        mmio-insn stack-mmio stack-nowhere triple-fault""",
    "ended crashed": """
        dr-all idt-nowhere init-self iret-bad lock-prefix random-code
        wild-tables""",
    "running": "rep-mmio-endless rep-outs-endless",
    "ended running": "db-loop irq-storm",
    "crashed running": "rep-ins-endless",
}


def lookup(table: dict, platform: str, name: str) -> Optional[str]:
    for (platforms, key), reason in table.items():
        if name == key and (platforms == "*" or platform in platforms.split()):
            return reason
    return None


def skip_reason(platform: str, check: str) -> Optional[str]:
    return lookup(SKIPS, platform, check)


def absent_reason(platform: str, suite: str) -> Optional[str]:
    return lookup(ABSENT, platform, suite)
