"""The demo: a guest moves from one host to another and back, while it works.

Two hosts run in emulators (or on KVM, where nested virtualization is there) with a
cable between them. Debian's kernel runs on the first and serves a client outside:
an open connection of which both ends look at every byte, and numbered datagrams.
A screen shows it all; then come a verdict, the status with it, and a report with
pictures in out/demo/report.html beside the raw record.

    demo.py             between two hosts of one kind
    demo.py cross       from an Intel host in Bochs to an AMD host in QEMU and back
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig import platforms  # noqa: E402
from rig.board import Board  # noqa: E402
from rig.hosts import NAMES, End  # noqa: E402
from rig.machine import OUT  # noqa: E402
from rig.play import GUEST, Plan, Player  # noqa: E402
from rig.show import is_live, paint, show  # noqa: E402
from rig.story import CAPTURE, keep_capture, write  # noqa: E402
from rig.verdict import judge, passed  # noqa: E402

# In clear, so that the capture tells which pages went; every frame has its tag.
READABLE = "security = authenticate\n"
DEBIAN = f"""[vm debian]
kernel = linux/cloud-vmlinuz
initrd = linux/cloud-initrd
memory = 128M
net = yes
autostart = no
cmdline = console=ttyS0 quiet godwit.name=debian godwit.ip={GUEST} \
godwit.run=serve godwit.dirty=8:500
"""
WALKER = """[vm walker]
kernel = guests/walker.elf
memory = 16M
autostart = no
cpu-model = baseline
cmdline = pages=1024 hot=64 rate=50 every=500
"""


def own_kind() -> Plan:
    """KVM where it can run Godwit, else an AMD machine in QEMU."""
    try:
        _, note = platforms.choose("kvm")
        name = "kvm"
    except ValueError as why_not:
        name, note = "svm", f"emulated: {str(why_not).partition(': ')[2]}"
    ends = (End(name, 2, config=DEBIAN, migrate=READABLE),
            End(name, 2, migrate=READABLE))
    return Plan("Godwit: Debian moves while a client talks to it", "debian",
                ends, note, ready="linux: serves", client=True)


def crossing() -> Plan:
    """Bochs's card takes no frames for others: nobody outside. The walker checks
    its memory, registers and clocks itself."""
    plain = "security = none\ndowntime = 2000\n"
    ends = tuple(End(name, config=WALKER, migrate=plain, frame_max=1514)
                 for name in ("vmx", "svm"))
    return Plan("Godwit: a guest moves from Intel to AMD and back", "walker",
                ends, "Bochs takes a minute to start",
                ready="walker: generation", client=False, patience=600,
                settle=2)


PLANS = {"here": own_kind, "cross": crossing}


def tell(record: dict, folder: Path) -> bool:
    """The verdict, in words."""
    checks = judge(record)
    live = is_live(sys.stdout, os.environ)
    print()
    for good, text in checks:
        word = "ok  " if good else "FAIL"
        print(f"  {paint('good' if good else 'bad', word) if live else word}  "
              + text)
    good = passed(checks)
    verdict = "The guest was moved there and back, and nobody lost anything." \
        if good else "The demo failed."
    print(f"\n{paint('good' if good else 'bad', verdict) if live else verdict}")
    print(f"The report with its pictures: {folder / 'report.html'}")
    if record["capture"]:
        print(f"What went over the cable: {folder / CAPTURE}")
    else:
        print("KEEP=1 keeps what went over the cable, for tools/capture.")
    if not good:
        print(f"Logs of both hosts: {folder / 'hosts'}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("plan", nargs="?", default="here", choices=PLANS)
    args = parser.parse_args()
    plan = PLANS[args.plan]()
    folder = OUT / ("demo" if args.plan == "here" else f"demo-{args.plan}")
    first, second = ((name, end.hardware.about.partition(":")[0])
                     for name, end in zip(NAMES, plan.ends))
    board = Board(plan.title, first, second)
    player = Player(plan, board, folder)
    try:
        with show(board, tick=player.tick):
            record = player.run()
    except KeyboardInterrupt:
        print("\ndemo: interrupted")
        return 130
    keep_capture(record, folder, os.environ.get("KEEP", "0") not in ("", "0"))
    write(record, folder)
    return 0 if tell(record, folder) else 1


if __name__ == "__main__":
    sys.exit(main())
