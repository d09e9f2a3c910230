"""What several measurements say: medians, spread, and whether two sets differ.

The test is Mann and Whitney's (Mann, Whitney 1947; with Wilcoxon's mid-ranks for
ties). It asks only whether values of one set tend to be greater, so neither the
long tail of a downtime nor its unit matters. Small sets are tested exactly, over
every way to share the same values out; large ones by the normal approximation.
"""

import math
import statistics
from dataclasses import dataclass
from fractions import Fraction
from typing import Optional

EXACT_MOST = 400  # of len(a) * len(b)
LEVEL = 0.05


@dataclass(frozen=True)
class Summary:
    n: int
    least: float
    median: float
    p99: float
    greatest: float

    @property
    def p99_known(self) -> bool:
        """With fewer than a hundred values the 99th percentile is just the
        greatest of them."""
        return self.n >= 100


def percentile(values: list, percent: int) -> float:
    """The nearest rank: the least value that so many percent do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * percent // 100) - 1)]


def summary(values: list) -> Optional[Summary]:
    return of_some(values) if values else None


def of_some(values: list) -> Summary:
    return Summary(len(values), min(values), statistics.median(values),
                   percentile(values, 99), max(values))


# --- Mann-Whitney

def doubled_ranks(values: list) -> list:
    """Twice each value's rank from 1; equal ones share the middle of theirs."""
    ranked = sorted(values)
    first: dict = {}
    last: dict = {}
    for place, value in enumerate(ranked, 1):
        first.setdefault(value, place)
        last[value] = place
    return [first[value] + last[value] for value in values]


def u_of(a: list, b: list) -> float:
    """How many pairs (x of a, y of b) have x > y; equal ones count a half."""
    return sum((x > y) + (x == y) / 2 for x in a for y in b)


def exact_p(a: list, b: list) -> float:
    """Of all ways to choose len(a) of the values: the share whose rank sum is at
    least as far from the middle as that of a."""
    ranks = doubled_ranks(a + b)
    count = len(a)
    ways: list = [{} for _ in range(count + 1)]  # chosen -> sum -> how many
    ways[0] = {0: 1}
    for rank in ranks:
        for chosen in range(count - 1, -1, -1):
            for total, n in ways[chosen].items():
                further = ways[chosen + 1]
                further[total + rank] = further.get(total + rank, 0) + n
    # Twice the doubled sum against twice its mean: whole numbers throughout.
    middle = count * (len(ranks) + 1) * 2
    far = abs(2 * sum(ranks[:count]) - middle)
    as_far = sum(n for total, n in ways[count].items()
                 if abs(2 * total - middle) >= far)
    return float(Fraction(as_far, math.comb(len(ranks), count)))


def normal_p(a: list, b: list) -> float:
    """With the corrections for continuity and for ties."""
    n, m = len(a), len(b)
    whole = n + m
    equal: dict = {}
    for value in a + b:
        equal[value] = equal.get(value, 0) + 1
    ties = sum(t ** 3 - t for t in equal.values())
    variance = n * m / 12 * (whole + 1 - ties / (whole * (whole - 1)))
    if variance <= 0:
        return 1.0
    distance = max(0.0, abs(u_of(a, b) - n * m / 2) - 0.5)
    return math.erfc(distance / math.sqrt(2 * variance))


def mann_whitney(a: list, b: list) -> float:
    """The two-sided p: how likely so great a difference is by chance alone."""
    if not a or not b:
        return 1.0
    return exact_p(a, b) if len(a) * len(b) <= EXACT_MOST else normal_p(a, b)


def least_p(n: int, m: int) -> float:
    """What p is when all of one set are above all of the other."""
    return mann_whitney(list(range(n)), list(range(n, n + m)))


def verdict(a: list, b: list) -> tuple[str, float]:
    """What b is beside a: "less", "more", "no difference shown", "too few runs"
    (no outcome could be significant); and p."""
    p = mann_whitney(a, b)
    if not a or not b or least_p(len(a), len(b)) >= LEVEL:
        return "too few runs", p
    if p >= LEVEL:
        return "no difference shown", p
    above = u_of(b, a) > len(a) * len(b) / 2
    return ("more" if above else "less"), p
