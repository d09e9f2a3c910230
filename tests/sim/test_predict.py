"""What dry runs predict, against what the same seeds' migrations then take."""

import subprocess
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "out" / "sim" / "predict"


def test_predictions() -> None:
    done = subprocess.run([PROGRAM], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert sum(line.startswith("near: ") for line in lines) >= 60
    # Not only migrations that end well are predicted.
    assert any("code 12/12" in line for line in lines)
