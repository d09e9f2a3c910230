"""Compares the ways of finding dirty pages, on the same seeded guest: two on AMD
in QEMU, all three on Intel in Bochs. The lab does it (docs/experiments/tracking.exp,
tracking-pml.exp); this prints the medians as figures. docs/figures.md says what
each name means.
"""

import csv
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out/bench/ways"
EXPERIMENTS = {"svm": "tracking", "vmx": "tracking-pml"}
MEASURES = {"tracking-faults": "exits", "harvest": "us", "longest-harvest": "us",
            "brownout": "ms", "rounds": "rounds", "bytes": "bytes",
            "total": "ms"}


def measure(platform: str) -> Path:
    """Runs the experiment; where its rows are."""
    out = OUT / platform
    name = EXPERIMENTS[platform]
    print(f"== ways, {platform}: {name}.exp", file=sys.stderr)
    subprocess.run([str(ROOT / "tools/lab"), "run", "--fresh", "--out", str(out),
                    f"docs/experiments/{name}.exp"], cwd=ROOT, check=True, stdout=sys.stderr)
    return out / "runs.csv"


def column(row: dict, name: str) -> str:
    """Of two with that name, the key and the measure, the one with a unit."""
    return next(key for key in row if key.startswith(f"{name} ("))


def tell(platform: str, rows: list) -> None:
    points: dict = {}
    for row in rows:
        points.setdefault((row["dirty"], row["rate"]), []).append(row)
    for (way, rate), runs in points.items():
        for name, unit in MEASURES.items():
            values = [float(run[column(run, name)]) for run in runs
                      if run[column(run, name)]]
            if values:
                name = name.replace("tracking-", "")
                print(f"figure migrate.ways.{way}-{rate}.{name}.{platform} "
                      f"{statistics.median(values):.10g} {unit}"
                      f"  # {len(values)} runs", flush=True)


def main() -> int:
    try:
        for platform in EXPERIMENTS:
            with open(measure(platform), newline="") as rows:
                tell(platform, list(csv.DictReader(rows)))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"bench-migrate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
