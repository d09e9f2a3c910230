"""Each lab's grader passes on the solution and fails on the skeleton, and lives
through what a student's kernel may do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.long


def grade(number: int, who: str, engine: str = "svm") -> tuple:
    """(points, of how many, exit status, all that was said)."""
    done = subprocess.run([ROOT / "docs/labs/grade", str(number), who,
                           "--engine", engine], capture_output=True, text=True,
                          timeout=1200)
    last = re.fullmatch(rf"lab {number}: (\d+) of (\d+) points",
                        done.stdout.splitlines()[-1])
    assert last, done.stdout + done.stderr
    return (int(last.group(1)), int(last.group(2)), done.returncode,
            done.stdout)


@pytest.mark.parametrize("number", range(1, 6))
def test_solution_passes(number: int) -> None:
    got, possible, status, text = grade(number, "solution")
    assert (got, possible, status) == (100, 100, 0), text


@pytest.mark.parametrize("number", range(1, 6))
def test_skeleton_fails(number: int) -> None:
    got, possible, status, text = grade(number, "skeleton")
    assert got <= 30 and possible == 100 and status == 1, text
    assert "hint: " in text


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_solution_passes_on_intel(number: int) -> None:
    got, possible, status, text = grade(number, "solution", "vmx")
    assert got == possible and status == 0, text


@pytest.fixture
def work(tmp_path: Path):
    """work/lab2 for a test; a student's own is put aside meanwhile."""
    folder, aside = ROOT / "work" / "lab2", ROOT / "work" / "lab2-aside"
    if folder.exists():
        folder.rename(aside)
    shutil.copytree(ROOT / "docs/labs/solutions/lab2", folder)
    yield folder / "exits_asked.c"
    shutil.rmtree(folder)
    if aside.exists():
        aside.rename(folder)


BREAKS = {
    "panics": ('panic("a student was here");', "panicked"),
    "resets": ('asm volatile("lidt %0; int3" :: "m"((struct {u64 a, b;})'
               '{0, 0}));', "broke down"),
    "hangs": ("for (;;) ;", "hung"),
    "no C": ("this is not C", "does not build"),
}


@pytest.mark.parametrize("what", BREAKS)
def test_survives(work: Path, what: str) -> None:
    code, wanted = BREAKS[what]
    text = work.read_text()
    at = text.index("\tmodel_cpuid(")
    work.write_text('#include "lib/panic.h"\n' + text[:at] + f"\t{code}\n"
                    + text[at:])
    got, _, status, said = grade(2, "work")
    assert got < 30 and status == 1 and wanted in said, said
