"""The fuzzers for a moment, from the corpus that is kept; `make fuzz-wire` for long."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name, runs", [("parsers", 200000), ("ends", 4000)])
def test_fuzz(name: str, runs: int) -> None:
    found = ROOT / "out" / "fuzz" / f"corpus-wire-{name}"
    found.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [ROOT / "out/fuzz" / f"wire-{name}", f"-runs={runs}", "-seed=1",
         "-max_len=4096", f"-artifact_prefix={found}/", found,
         ROOT / "tests/fuzz/corpus" / f"wire-{name}"],
        capture_output=True, text=True, errors="replace", timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
