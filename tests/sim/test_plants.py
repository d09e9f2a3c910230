"""Bugs planted one by one: the simulator must find each."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sim.plants import PLANTS

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "sim" / "plants"
SEEDS = 60000


def planted(plant) -> Path:
    """The changed sources, in a folder of their own."""
    folder = OUT / plant[0].replace(" ", "-").replace(",", "").replace("'", "")
    shutil.rmtree(folder, ignore_errors=True)
    edits = plant[1:]
    for file, old, new in zip(edits[::3], edits[1::3], edits[2::3]):
        text = (ROOT / file).read_text()
        assert text.count(old) == 1, f"{file} has changed: {old!r}"
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace(old, new))
    return folder


def build(folder: Path) -> Path:
    """The simulator's objects, those with a bug made anew."""
    program = folder / "sim"
    objects = [ROOT / "out/sim/obj/tests/sim" / f"{name}.c.o" for name in
               ("check", "forward", "guest", "main", "net", "scenario", "world")]
    for source in [*ROOT.glob("migrate/*.c"), *ROOT.glob("migrate/policy/*.c")]:
        name = source.relative_to(ROOT)
        changed = folder / name
        if changed.exists():
            subprocess.run(["gcc", "-std=gnu11", "-O2", "-w", "-iquote", ROOT,
                            "-fno-strict-aliasing", "-I", ROOT, "-c", changed,
                            "-o", changed.with_suffix(".o")], check=True)
            objects.append(changed.with_suffix(".o"))
        else:
            objects.append(ROOT / "out/sim/obj" / f"{name}.o")
    subprocess.run(["gcc", "-o", program, *objects, "-lbearssl", "-llz4"],
                   check=True)
    return program


@pytest.mark.parametrize("plant", PLANTS, ids=[p[0] for p in PLANTS])
def test_plant(plant) -> None:
    program = build(planted(plant))
    done = subprocess.run([program, "--first-wrong", "1", str(SEEDS)],
                          capture_output=True, text=True, errors="replace",
                          timeout=600)
    assert done.returncode == 1, f"not found: {plant[0]}\n{done.stdout}"
