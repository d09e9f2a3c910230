"""What is expected of every boot that runs guests: the checks, by suite.

A suite is a test guest (its VM has the suite's name), or the kernel's own self
tests. Each check prints `ok CHECK`, `FAIL CHECK: why` or `skip CHECK: why`. A
check that is listed here and not printed has failed, so has one that is printed
and not listed; a skip is right only where SKIPS says so.
"""

from dataclasses import dataclass
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
        roundtrip entry refusal rights delivery dirty-bits leaf-sizes ledger
        shootdown""", "selftest."),
    "hello": Suite("", kernel="hello.elf"),
    "hello32": Suite("", kernel="hello32.elf"),
    "exits": Suite("""
        cpuid cpuid-hypervisor cpuid-osxsave hypercall-vmcall hypercall-vmmcall
        hypercall-user msr-read msr-write msr-unknown msr-values msr-user tsc
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
        nmi-and-irq storm user string""", "interrupt.", "interrupts.elf"),
    "portio": Suite("""
        in out uart-scratch prefixes string string-single string-backward
        string-zero string-sizes string-segment string-fault string-fault-out
        string-readonly string-noncanonical user""", "io.", "portio.elf"),
    "exceptions": Suite("""
        de ud nm bp int int-user icebp np gate-error gp ss pf pf-user pf-fetch
        pf-reserved mf xm ac step step-exits step-mmio step-rep df
        delivery-fault nested syscall""", "exception.", "exceptions.elf"),
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
    "smp": Suite("start atomic ipi wake mapping", "smp.", "smp.elf",
                 "cpus = 2"),
}

# (platforms, check) -> what that hardware does not have. QEMU's
# are shown to fail there without Godwit too (test_natively.py).
TCG = "QEMU TCG: "
SKIPS = {
    ("*", "paging.pcid"): "Godwit's baseline CPU has no PCID",
    ("svm svm-max", "exception.icebp"): TCG + "ICEBP is not implemented",
    ("svm svm-max", "exception.gate-error"): TCG + "wrong error code",
    ("svm svm-max", "exception.ss"): TCG + "#GP for a non-canonical stack address",
    ("svm svm-max", "exception.pf-reserved"): TCG + "P is clear in the error code",
    ("svm svm-max", "exception.xm"): TCG + "SSE exceptions are not raised",
    ("svm svm-max", "exception.ac"): TCG + "alignment is not checked",
    ("svm svm-max", "prot32.limits"): TCG + "segment limits are not checked",
    ("svm svm-max", "prot32.pae-pointers"): TCG + "reserved bits are not checked",
}

# Attacks, and how each must end: its VM ends by itself, or is stopped by the
# host with a reason, or runs until the operator stops it. What an attack did is
# the processor's business where the engines differ: then both are right.
HOSTILE = {
    "ended": """
        apic-abuse apic-base console-escape console-long cpuid-sweep cr-random
        db-loop dr-all hlt-dead host-ports jump-noncanonical mov-ss msr-sweep
        nmi-storm port-sweep self-modify smi svm-insn timer-storm
        uart-abuse""",
    "crashed": """
        code-mmio code-off-ram cr3-mmio cr3-nowhere cr3-random gdt-nowhere
        mmio-insn stack-mmio stack-nowhere triple-fault""",
    "running": "rep-ins-endless rep-mmio-endless rep-outs-endless",
    "ended crashed running": """
        hypercall-storm idt-nowhere init-self iret-bad irq-no-eoi irq-storm
        lock-prefix random-code vmx-insn wild-tables""",
}


def skip_reason(platform: str, check: str) -> Optional[str]:
    for (platforms, skipped), reason in SKIPS.items():
        if check == skipped and (platforms == "*"
                                 or platform in platforms.split()):
            return reason
    return None
