"""Measures exits on the emulated machines and prints the figures.

Each platform runs tests/guests/bench.c alone, with one CPU: QEMU counting
instructions (-icount), Bochs ticking once per instruction. Two runs give the
same figures to the last digit. docs/figures.md says what each name means.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig import platforms  # noqa: E402
from rig.machine import OUT, Machine, Spec, tail  # noqa: E402

PLATFORMS = {"svm": 0, "svm-ryzen": None, "vmx": None}  # name: icount's shift

# Linux 6.1 with KVM in the same emulated AMD machine (docs/figures.md).
KVM = {"exit.cpuid.svm": 3172, "exit.port-write.svm": 1703}

CONFIG = """
[host]
run = wait; exits; off
[vm bench]
kernel = guests/bench.elf
cmdline = suffix={platform} unit=instructions
memory = 16M
"""


def measure(name: str) -> list:
    """The (name, value, unit) that one platform gives."""
    spec = Spec(platforms.PLATFORMS[name], CONFIG.format(platform=name),
                icount=PLATFORMS[name])
    with Machine(spec, OUT / "bench" / name) as machine:
        outcome = machine.wait(300)
        text = machine.serial_text()
    found = re.findall(r"(?m)^(?:bench\| )?figure (\S+) (\d+) (\S+)$", text)
    if not outcome.passed or not found:
        raise RuntimeError(f"{name}: {outcome.text}\n"
                           + tail(machine.serial_log))
    return [(figure, int(value), unit) for figure, value, unit in found]


def main() -> int:
    print("OVMF alone takes some 40 s where instructions are counted.",
          file=sys.stderr, flush=True)
    with ThreadPoolExecutor(2) as pool:
        try:
            results = [row for rows in pool.map(measure, PLATFORMS)
                       for row in rows]
        except (OSError, RuntimeError) as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    for name, value, unit in results:
        ratio = f"  # KVM's is {KVM[name] / value:.1f} times that" \
            if name in KVM else ""
        print(f"figure {name} {value} {unit}{ratio}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
