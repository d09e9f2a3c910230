"""How much code is in the kernel, by part: from the linker's map.

Prints `figure size.text.PART VALUE bytes` lines. `hypervisor` is what it takes
to run guests: not their machine, the network, migration, the operator's shell,
traces, self tests.
"""

import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOT_HYPERVISOR = {"machine", "net", "drivers", "migrate", "policy", "migration",
                  "shell", "trace", "selftest"}

# " .text.name   0xaddress   0xsize out/obj/kernel/vm/run.c.o", maybe in two lines.
PIECE = re.compile(r"^ \.text\S*\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$",
                   re.MULTILINE)


def part_of(path: str) -> str:
    """The folder an object file comes from; its own part for self tests."""
    parts = path.split("/")
    if "selftest" in parts[-1]:
        return "selftest"
    folders = parts[parts.index("obj") + 1:-1]
    return folders[1] if len(folders) > 1 else folders[0]


def sizes(text: str) -> Counter:
    """Bytes of code by part."""
    linked = text.split("Linker script and memory map")[-1]
    found = Counter()
    for address, size, path in PIECE.findall(linked):
        if int(address, 16) and "/obj/" in path:
            found[part_of(path)] += int(size, 16)
    return found


def main() -> int:
    try:
        text = (ROOT / "out/kernel.map").read_text()
    except OSError as error:
        print(f"size: {error}; `make` writes it", file=sys.stderr)
        return 1
    found = sizes(text)
    for part, size in found.most_common():
        print(f"figure size.text.{part} {size} bytes")
    hypervisor = sum(size for part, size in found.items()
                     if part not in NOT_HYPERVISOR)
    print(f"figure size.text.hypervisor {hypervisor} bytes")
    print(f"figure size.text.all {sum(found.values())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
