"""Migrations from seeds: many fast ones, fewer under the sanitizers."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "out" / "sim"


def play(program: str, first: int, count: int) -> dict:
    """Plays them on all processors; what the runs add up to."""
    jobs = os.cpu_count() or 1
    share = -(-count // jobs)
    running = [subprocess.Popen([SIM / program, str(first + i * share),
                                 str(share)], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True,
                                errors="replace") for i in range(jobs)]
    sums: dict = {}
    texts = []
    for process in running:
        text, _ = process.communicate(timeout=1200)
        texts.append(text)
        assert process.returncode == 0, text
        for number, what in re.findall(r"(\d+) ([a-z ]+?)[,:\n]", text):
            sums[what] = sums.get(what, 0) + int(number)
    print(*texts, sep="")
    return sums


def test_hundred_thousand() -> None:
    sums = play("sim", 1, 100000)
    assert sums["migrations"] >= 100000 and sums["wrong"] == 0
    # It was not all the same: every end there is was met.
    for end in ("done", "failed", "in doubt", "crashes", "faults"):
        assert sums[end] > 0, end


def test_with_sanitizers() -> None:
    sums = play("sim-asan", 1000000, 4000)
    assert sums["wrong"] == 0


def test_a_seed_repeats() -> None:
    """The same seed gives the same run, frame by frame."""
    traces = [subprocess.run([SIM / "sim", "--trace", "77"], check=True,
                             capture_output=True).stdout for _ in range(2)]
    assert traces[0] == traces[1] and len(traces[0]) > 1000
