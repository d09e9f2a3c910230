"""The commit, explored in the C code itself: losses, repetitions, timers, dead
links, crashes and orders, each so often as the numbers say, in every order."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# drops, repeats, timers, dead sessions, crashes, orders
BOUNDS = ["0 0 2 0 0 0", "0 1 1 0 0 0", "1 0 0 1 0 0", "0 0 0 1 1 0",
          "1 0 0 0 1 1", "0 1 0 0 1 0",
          pytest.param("0 0 1 0 0 1", marks=pytest.mark.long)]


@pytest.mark.parametrize("bounds", BOUNDS)
def test_no_state_is_wrong(bounds: str) -> None:
    done = subprocess.run([ROOT / "out/sim/explore", *bounds.split()],
                          capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout
    states = int(re.search(r"(\d+) states", done.stdout).group(1))
    assert states > 500
    print(bounds, ":", done.stdout, end="")
