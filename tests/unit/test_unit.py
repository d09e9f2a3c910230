"""Every TEST of every unit test program, as a test of its own."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parents[1] / "out" / "unit"


def listed() -> list:
    """PROGRAM:TEST for all; a source without its program is an error here."""
    names = []
    for source in sorted(HERE.glob("*_test.c")):
        program = PROGRAMS / source.stem
        done = subprocess.run([program, "--list"], capture_output=True,
                              text=True, check=True)
        names += [f"{source.stem}:{test}" for test in done.stdout.split()]
    return names


@pytest.mark.parametrize("name", listed())
def test_unit(name: str) -> None:
    program, test = name.split(":")
    done = subprocess.run([PROGRAMS / program, test], capture_output=True,
                          text=True, errors="replace", timeout=300)
    if done.returncode or f"ok {test}" not in done.stdout.splitlines():
        pytest.fail(f"{done.stdout}{done.stderr}\nout/unit/{program} {test}: "
                    f"status {done.returncode}", pytrace=False)
