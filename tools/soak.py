"""Boots Debian's kernels again and again: N in a row of each kernel on each
engine, each to its self-test and a clean power-off. `make soak N=10`."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import guest_linux  # noqa: E402
from rig.machine import OUT, Machine, Spec  # noqa: E402
from rig.platforms import PLATFORMS  # noqa: E402

CONFIG = """
[host]
run = wait; vm list; off
[vm linux]
kernel = linux/{kernel}-vmlinuz
initrd = linux/{kernel}-initrd
memory = 256M
cmdline = console=ttyS0 quiet godwit.run=check godwit.then=poweroff
"""


def boot(platform: str, kernel: str, number: int) -> str:
    """An empty text, or what went wrong."""
    spec = Spec(PLATFORMS[platform], CONFIG.format(kernel=kernel))
    with Machine(spec, OUT / "soak" / f"{platform}-{kernel}-{number}") as machine:
        outcome = machine.wait(900)
        text = machine.serial_text()
    if not outcome.passed:
        return outcome.text
    if "ended with status 0" not in text:
        return "it did not power off"
    failed = [line for line in text.splitlines() if "FAIL linux." in line]
    return "; ".join(failed)


def main() -> int:
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    platforms = sys.argv[2:] or ["svm", "vmx"]
    for kernel in guest_linux.FLAVOURS:
        guest_linux.make(kernel)
    wrong = 0
    with ThreadPoolExecutor(2) as pool:
        for platform in platforms:
            for kernel in guest_linux.FLAVOURS:
                results = list(pool.map(
                    lambda n, p=platform, k=kernel: boot(p, k, n),
                    range(wanted)))
                for n, why in enumerate(results):
                    if why:
                        print(f"soak: {platform} {kernel} {n}: {why}")
                good = results.count("")
                wrong += wanted - good
                print(f"figure boots.{kernel}.{platform} {good} boots"
                      f"  # of {wanted}", flush=True)
    print("soak: " + ("all came up, and went down as they should"
                      if not wrong else f"{wrong} did not"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
