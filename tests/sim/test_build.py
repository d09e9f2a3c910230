"""The same sources are good for the kernel: its flags, its few functions."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# What the kernel offers to migrate/ and its libraries. calloc and free are
# LZ4's, in functions that are never called.
OFFERED = {"memcpy", "memmove", "memset", "memcmp", "strlen", "__memcpy_chk",
           "__memset_chk", "__memmove_chk", "__stack_chk_fail", "calloc",
           "malloc", "free", "_GLOBAL_OFFSET_TABLE_"}


def symbols(kind: str) -> set:
    done = subprocess.run(["nm", f"--{kind}-only", ROOT / "out/migrate.o"],
                          capture_output=True, text=True, check=True)
    return {line.split()[-1] for line in done.stdout.splitlines()}


def test_needs_little() -> None:
    assert symbols("undefined") <= OFFERED


def test_no_globals() -> None:
    """Our objects have code and constants, nothing that can change."""
    for path in ROOT.glob("out/obj/migrate/**/*.o"):
        done = subprocess.run(["size", "-A", path], capture_output=True,
                              text=True, check=True)
        for line in done.stdout.splitlines():
            words = line.split()
            if words and (words[0].startswith(".data") or
                          words[0].startswith(".bss")) and \
                    not words[0].startswith(".data.rel.ro"):
                assert words[1] == "0", f"{path.name}: {line}"


def test_no_kernel_headers() -> None:
    for path in ROOT.glob("migrate/**/*.[ch]"):
        for line in path.read_text().splitlines():
            if line.startswith("#include \""):
                assert line.startswith('#include "migrate/'), f"{path}: {line}"
