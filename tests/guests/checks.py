#!/usr/bin/env python3
"""Writes checks.txt from the guests' sources: `GUEST CHECK`, one a line.

With --verify it compares instead, and says what differs.
"""

import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TEST = re.compile(r'(?:GODWIT_)?TEST\("([\w.-]+)"|^\s*(?:2:\t)?check\s+"([\w.-]+)"',
                  re.MULTILINE)


def checks():
    """The table's lines, in the order in which the guests print them."""
    for source in sorted([*HERE.glob("*.c"), *HERE.glob("*.S")]):
        for match in TEST.finditer(source.read_text()):
            yield f"{source.stem} {match.group(1) or match.group(2)}"


def main() -> int:
    table = HERE / "checks.txt"
    text = "".join(line + "\n" for line in checks())
    if "--verify" not in sys.argv:
        table.write_text(text)
        return 0
    old, new = set(table.read_text().splitlines()), set(text.splitlines())
    for line in sorted(old - new):
        print(f"checks.txt: {line}: not in the sources")
    for line in sorted(new - old):
        print(f"checks.txt: {line}: missing (run {Path(__file__).name})")
    return old != new


if __name__ == "__main__":
    sys.exit(main())
