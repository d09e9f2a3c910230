"""Lab 1's checks: a made-up processor and its firmware, then a machine."""

from typing import Optional

from grading import Boot, Check, Lab, unit
from rig.platforms import EPYC

HELLO = "[vm hello]\nkernel = guests/hello.elf\nmemory = 32M\n"


def hello(cpus: int) -> Check:
    def run(lab: Lab) -> Optional[str]:
        run = lab.boot(Boot(f"hello-{cpus}", lab.engine,
                            "info; wait; vm list; off", HELLO, cpus))
        return run.wants("hello", "hello") or run.ended()

    return Check(f"a guest says hello, on {cpus} CPU{'s' * (cpus > 1)}",
                 10, "Each CPU is switched on by itself: "
                 "svm_cpu_on() runs on the one that it is about.", run)


def without_paging(lab: Lab) -> Optional[str]:
    """A processor that QEMU makes without nested paging."""
    run = lab.boot(Boot("no-npt", "svm", "info; vm list; off", HELLO,
                        cpu=EPYC.replace("+npt", "-npt")))
    return run.host_says("lacks nested paging") or run.ended()


def firmware(name: str, points: int) -> Check:
    return unit(name, points, "The processor here is made up: its registers "
                "are in docs/labs/lab1/processor.c, with what they refuse. "
                "#GP is said where a real one would raise it.")


MEMORY = "Every way out gives back what was got before; count the pages."

CHECKS = [
    unit("svm_of_another_vendor", 4,
         "TODO 1. A processor without SVM that is not AMD's is none of our "
         "business: the VMX engine is asked next."),
    unit("svm_that_is_not_enough", 6,
         "TODO 1. lacks() makes the message; return what it returns."),
    unit("svm_tells_what_it_has", 8,
         "TODO 1. Go through struct engine_caps and struct svm_caps field by "
         "field."),
    firmware("svm_locked_off_by_the_firmware", 8),
    firmware("svm_switched_off_but_not_locked", 6),
    firmware("svm_locked_on_or_not_to_be_locked", 4),
    firmware("svm_on_and_off", 8),
    unit("svm_without_memory", 4, MEMORY),
    firmware("vmx_locked_off_by_the_firmware", 6),
    firmware("vmx_left_open_by_the_firmware", 6),
    unit("vmx_regions", 4, "TODO 6. phys_to_virt() gives you a pointer."),
    firmware("vmx_on_and_off", 6),
    unit("vmx_that_fails", 2, MEMORY),
    unit("vmx_without_memory", 4, MEMORY),
    hello(1),
    hello(2),
    Check("a machine without nested paging says so", 4,
          "The host starts all the same; it only runs no guests.",
          without_paging, engine="svm"),
]
