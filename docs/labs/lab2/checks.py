"""Lab 2's checks: a guest that asks, on a machine of the wanted engine."""

from typing import Optional

from grading import Boot, Check, Lab

ASKS = "[vm asks]\nkernel = guests/labs/asks.elf\nmemory = 32M\n" \
    "counters = yes\n"
BIT32 = "[vm prot32]\nkernel = guests/prot32.elf\nmemory = 32M\n" \
    "cmdline = only=prot32.exits\n"
STRANGE = "[vm sweep]\nkernel = guests/hostile/cpuid-sweep.elf\n" \
    "memory = 32M\n"


def asks(check: str, points: int, hint: str) -> Check:
    def run(lab: Lab) -> Optional[str]:
        boot = Boot("asks", lab.engine, "wait 30; exits; vm list; off", ASKS)
        return lab.boot(boot).wants("asks", f"ok lab2.{check}")

    return Check(check, points, hint, run)


def harmless(lab: Lab) -> Optional[str]:
    """What the guest made the host say has no control characters in it."""
    run = lab.boot(Boot("asks", lab.engine, "wait 30; exits; vm list; off",
                        ASKS))
    return run.host_says("asks says: hello, this is .[31mred. if it is shown")


def others(lab: Lab) -> Optional[str]:
    run = lab.boot(Boot("others", lab.engine, "wait 30; vm list; off",
                        BIT32 + STRANGE))
    return run.wants("prot32", "ok prot32.exits") or run.ended()


def ends(lab: Lab) -> Optional[str]:
    run = lab.boot(Boot("asks", lab.engine, "wait 30; exits; vm list; off",
                        ASKS))
    return run.ended()


LENGTH = "Check the length by itself, as the guest gave it, before you " \
    "calculate with it."

CHECKS = [
    asks("cpuid-returns", 10, "TODO 1. A guest that asks again and again has "
         "not been moved behind its instruction: see enum next_step."),
    asks("cpuid-leaves", 8, "TODO 1. model_cpuid() wants leaf and subleaf: "
         "EAX and ECX as the guest had them."),
    asks("cpuid-registers", 8, "TODO 1. All four, as 32-bit values; nothing "
         "else may change."),
    asks("who", 8, "TODO 2. vcpu->id, in RAX."),
    asks("unknown", 6, "TODO 2. All 64 bits of the number count in 64-bit "
         "code."),
    asks("user", 8, "TODO 2. from_user() before anything else."),
    asks("say", 8, "TODO 3. The text has no zero at its end, and may have one "
         "in its middle."),
    Check("what it says is harmless", 6, "TODO 3. A terminal does as escape "
          "sequences tell it, and that is the operator's.", harmless),
    asks("say-too-much", 6, LENGTH),
    asks("nowhere", 8, "guest_read() says whether all of it is RAM. When it "
         "says no, nothing was copied."),
    asks("sum", 8, "TODO 4. The pieces are not all of one size."),
    asks("sum-too-much", 6, LENGTH),
    asks("cost", 4, "Leaf 0x40000102 has the kind in ECX on entry."),
    Check("32-bit guests and strange leaves", 4, "Outside 64-bit code "
          "registers have 32 bits.", others),
    Check("the host is there to the end", 2, "Whatever a guest asks, the "
          "hypervisor goes on.", ends),
]
