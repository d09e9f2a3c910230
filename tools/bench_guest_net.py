"""Measures a Linux guest's network: throughput both ways by TCP, and the time of
a ping, to a program on the build machine (tools/rig/outside.py).

The same kernel with the same card on the same cable runs directly in QEMU and
inside Godwit; what counts is the quotient. docs/figures.md says what each name
means. Wall time on a machine that others use too: repeat before believing.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig import platforms, services  # noqa: E402
from rig.cable import plug  # noqa: E402
from rig.machine import OUT, Machine, Spec, tail  # noqa: E402
from rig.nic import Nic  # noqa: E402
from rig.outside import Outside  # noqa: E402

GUEST = "10.0.0.2"
MEGABYTES = 32
PINGS = 200
KERNEL, INITRD = OUT / "linux/cloud-vmlinuz", OUT / "linux/cloud-initrd"
WORDS = f"console=ttyS0 quiet godwit.ip={GUEST} godwit.peer=10.0.0.1 " \
    f"godwit.name=guest godwit.big={MEGABYTES} godwit.run=net"

CONFIG = """
[host]
name = godwit
[vm guest]
kernel = linux/cloud-vmlinuz
initrd = linux/cloud-initrd
memory = 256M
cmdline = {words}
net = yes
"""

FIGURES = [("out", "MB/s"), ("out-cpu", "MB/s"), ("in", "MB/s"),
           ("in-cpu", "MB/s"), ("ping", "us")]


class Direct:
    """The guest in QEMU, without Godwit."""

    def __init__(self, nic: Nic, cpus: int, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.serial_log = folder / "serial.log"
        self.command = [
            "qemu-system-x86_64", "-nodefaults", "-no-reboot",
            "-machine", "q35", "-accel", "tcg", "-cpu", "EPYC", "-m", "256",
            "-display", "none", "-kernel", str(KERNEL), "-initrd", str(INITRD),
            "-append", WORDS, "-serial", f"file:{self.serial_log}",
            *nic.qemu(0)]

    def __enter__(self) -> "Direct":
        self.process = subprocess.Popen(self.command, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def serial_text(self) -> str:
        return self.serial_log.read_text(errors="replace")


def middle(values: list) -> float:
    return sorted(values)[len(values) // 2]


class Stopwatch:
    """Wall time, and what of it the emulator had a processor: the former is
    what a user sees, the latter hardly depends on what else the machine does."""

    def __init__(self, process: int):
        self.process = process
        self.begun = self._now()

    def _now(self) -> tuple:
        stat = Path(f"/proc/{self.process}/stat").read_text().rsplit(")", 1)[1]
        ticks = sum(map(int, stat.split()[11:13]))
        return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK")

    def rates(self) -> list:
        """MB/s by the one and by the other."""
        return [MEGABYTES * 1.048576 / (now - begun)
                for now, begun in zip(self._now(), self.begun)]


def throughput(outside: Outside, process: int) -> list:
    """Rates from the guest, and to it."""
    watch = Stopwatch(process)
    outside.get(GUEST, "/big", timeout=300)
    down = watch.rates()
    connection = outside.connect(GUEST, 9)
    left = MEGABYTES << 20
    watch = Stopwatch(process)

    def send() -> bool:
        nonlocal left
        more = min(connection.room, left)
        if more > 1 << 16 or more == left:
            connection.write(bytes(more))
            left -= more
        return not left and not connection.unacknowledged

    if not outside.wait(send, 300):
        raise TimeoutError("the guest takes nothing more")
    connection.close()
    return down + watch.rates()


def measure(make, runs: int) -> list:
    """The middle of each of FIGURES."""
    folder = Path(tempfile.mkdtemp(prefix="godwit-"))
    path = str(folder / "link")
    with Outside(plug(path)) as outside, \
            make(Nic("stream", path=path)) as machine:
        outside.cable.connect(60)
        services.start(outside.endpoint, services.STANDARD)
        ready = "linux: the network is served"
        until = time.monotonic() + 240
        while ready not in machine.serial_text():
            outside.step(0.1)
            if time.monotonic() > until:
                raise TimeoutError("the guest did not come up\n"
                                   + tail(machine.serial_log))
        outside.serve(1)
        pings = [outside.ping(GUEST) for _ in range(PINGS)]
        rates = [throughput(outside, machine.process.pid)
                 for _ in range(runs)]
        for what in outside.wrong[:5]:
            raise RuntimeError(f"malformed: {what}")
    shutil.rmtree(folder)
    return [middle(column) for column in zip(*rates)] + \
        [middle([p * 1e6 if p else 1e9 for p in pings])]


def godwit(cpus: int):
    def make(nic: Nic) -> Machine:
        spec = Spec(platforms.PLATFORMS["svm"], CONFIG.format(words=WORDS),
                    cpus=cpus, memory=1024, nics=[nic])
        return Machine(spec, OUT / "bench" / f"net-{cpus}")
    return make


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cpus", type=int, nargs="*", default=[1, 2])
    args = parser.parse_args()
    try:
        direct = measure(lambda nic: Direct(nic, 1, OUT / "bench/net-direct"),
                         args.runs)
        results = {"direct": direct}
        for cpus in args.cpus:
            results[f"svm-{cpus}"] = measure(godwit(cpus), args.runs)
    except (OSError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    for name, row in results.items():
        for (figure, unit), value, plain in zip(FIGURES, row, direct):
            ratio = plain / value if unit == "MB/s" else value / plain
            print(f"figure net.guest-{figure}.{name} {value:.1f} {unit}"
                  f"  # {ratio:.2f} times worse than directly")
    return 0


if __name__ == "__main__":
    sys.exit(main())
