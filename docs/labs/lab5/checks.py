"""Lab 5's checks: recorded guests, migrated by two policies, and a real one.

What a migration costs, in milliseconds: ten for each of downtime, which an
outsider sees; one for each that throttling takes from the guest; one for each
that the migration lasts beyond its first round and its end.
"""

import json
import math
import subprocess
from pathlib import Path
from typing import Optional

from grading import Check, Lab, move, unit_failure

TRACES = Path(__file__).resolve().parent / "traces"
GAVE_UP = 1e9


def cost(result: dict) -> float:
    if result["gave_up"]:
        return GAVE_UP
    rounds = result["total"] - result["first"] - result["downtime"]
    return (10 * result["downtime"] + result["stolen"] + rounds) / 1000


def parse(text: str) -> dict:
    """(trace, network) -> {policy: result}, of the player's lines."""
    results: dict = {}
    for line in text.splitlines():
        result = json.loads(line)
        key = result["trace"], result["network"]
        results.setdefault(key, {})[result["policy"]] = result
    return results


def play(lab: Lab) -> dict:
    if "play" not in lab.runs:
        done = subprocess.run(
            [str(lab.out / "checks"), *map(str, sorted(TRACES.iterdir()))],
            capture_output=True, text=True, timeout=120)
        if done.returncode:
            raise RuntimeError(unit_failure("", "", done.stderr))
        lab.runs["play"] = parse(done.stdout)
    return lab.runs["play"]


def tell(result: dict) -> str:
    if result["gave_up"]:
        return f"{result['policy']}: gives up after {result['rounds']} rounds"
    return (f"{result['policy']}: {result['rounds']} rounds, "
            f"{result['total'] / 1000:.0f} ms in all, down "
            f"{result['downtime'] / 1000:.1f} ms, stolen "
            f"{result['stolen'] / 1000:.0f} ms, costs {cost(result):.0f}")


def ratio(pair: dict) -> float:
    return cost(pair["lab"]) / cost(pair["classic"])


def trace(name: str, points: int, most: float, hint: str) -> Check:
    """On both networks it costs at most so much of what classic does."""
    def run(lab: Lab) -> Optional[str]:
        wrong = [f"{network} network: {ratio(pair):.2f} of what classic costs"
                 f"\n| {tell(pair['classic'])}\n| {tell(pair['lab'])}"
                 for (trace, network), pair in play(lab).items()
                 if trace == name and ratio(pair) > most]
        return "\n".join(wrong) or None

    return Check(f"{name}: at most {most} of what classic costs", points, hint,
                 run)


def mean(results: dict) -> float:
    """The geometric one: as good for a small guest as for a large one."""
    ratios = [ratio(pair) for pair in results.values()]
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def overall(most: float) -> Check:
    def run(lab: Lab) -> Optional[str]:
        found = mean(play(lab))
        return f"it costs {found:.3f} of classic" if found > most else None

    return Check(f"all traces: at most {most} of classic", 16,
                 "Which trace costs most? Look at its rounds: "
                 "out/lab5/work/checks --rounds docs/labs/lab5/traces/X.trace",
                 run)


def fuzz(lab: Lab) -> Optional[str]:
    try:
        done = subprocess.run([str(lab.out / "checks"), "--fuzz"],
                              capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return "decide() does not return"
    return None if done.returncode == 0 else \
        done.stdout.strip() or unit_failure("", "", done.stderr)


def moves(lab: Lab) -> Optional[str]:
    return move(lab, "pages=512 hot=64 every=100", policy="classic")


HARMLESS = "Where classic does well there is nothing to be won; do not stop " \
    "early because of one round that was not shorter."

CHECKS = [
    Check("any figures: pure, in its rounds, no slower than allowed", 8,
          "No static variables; no division by what may be 0; at "
          "params->rounds it stops or gives up.", fuzz),
    trace("idle", 3, 1.05, HARMLESS),
    trace("steady", 3, 1.05, HARMLESS),
    trace("build", 3, 1.05, HARMLESS),
    trace("burst", 3, 1.05, "A burst passes; who stops within it has all of "
          "it in his downtime."),
    trace("hot", 20, 0.5, "The guest writes the same pages again and again: "
          "what would change with another round?"),
    trace("wide", 20, 0.5, "A round as long as the one before, that leaves as "
          "much as the one before."),
    overall(0.9),
    overall(0.7),
    Check("a real guest moves by it", 8, "In the lab's kernel `policy=classic` "
          "is yours.", moves),
]
