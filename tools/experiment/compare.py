"""Two results side by side: for each point that both have, and each measure, what
the medians are and whether the difference is more than chance.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from rig.page import Page

from . import measures, stats
from .report import columns, neat, shown
from .store import Results, StoreError

# What may differ between two results and still be the same point: it is what
# was changed, perhaps, and then it is the same everywhere.
NAMED = 3


@dataclass(frozen=True)
class Row:
    """One measure at one point."""

    label: str
    measure: str
    a: stats.Summary
    b: stats.Summary
    verdict: str
    p: float

    @property
    def times(self) -> Optional[float]:
        return self.b.median / self.a.median if self.a.median else None

    @property
    def sure(self) -> bool:
        return self.verdict in ("less", "more")


def changed(a: dict, b: dict) -> list:
    return [name for name in a if a[name] != b.get(name)]


def match(first: list, second: list) -> tuple:
    """Pairs of points with the same parameters. If no two are the same, those
    that differ only in what differs between all of the one result and all of
    the other: the thing that was changed. Returns pairs, and these keys."""
    by_id = {point.id: point for point in second}
    same = [(point, by_id[point.id]) for point in first if point.id in by_id]
    if same or not first or not second:
        return same, []
    constant = [name for name in first[0].parameters
                if len({str(point[name]) for point in first}) == 1
                and len({str(point[name]) for point in second}) == 1
                and first[0][name] != second[0][name]]
    if len(constant) > NAMED:
        return [], constant

    def rest(point) -> str:
        return str({name: value for name, value in point.parameters.items()
                    if name not in constant})

    others = {rest(point): point for point in second}
    return [(point, others[rest(point)]) for point in first
            if rest(point) in others], constant


@dataclass
class Comparison:
    a: Results
    b: Results
    rows: list = field(default_factory=list)
    alone: list = field(default_factory=list)  # points without a counterpart
    by: list = field(default_factory=list)  # keys whose values differ

    def __post_init__(self) -> None:
        pairs, self.by = match(self.a.points, self.b.points)
        if not pairs:
            raise StoreError(
                f"{self.a.folder} and {self.b.folder} have no point in common"
                + (f"; all differ in {', '.join(self.by)}" if self.by else ""))
        varied = [name for name in self.a.plan["varied"]
                  if name not in self.by]
        for one, two in pairs:
            self.rows += self._rows(one.label(varied), self.a.of(one),
                                    self.b.of(two))
        matched = {point.id for pair in pairs for point in pair}
        for results in (self.a, self.b):
            self.alone += [
                f"{results.folder}: {point.label(results.plan['varied'])}"
                for point in results.points if point.id not in matched]

    @staticmethod
    def _rows(label: str, first: list, second: list) -> list:
        rows = []
        for measure in measures.TABLE:
            a = measures.values(first, measure.name)
            b = measures.values(second, measure.name)
            if not a or not b or not any(a + b):
                continue
            rows.append(Row(label, measure.name, stats.of_some(a),
                            stats.of_some(b), *stats.verdict(a, b)))
        return rows

    # --- in words

    def main_rows(self) -> list:
        """The main measures, and whatever else differs for certain."""
        return [row for row in self.rows
                if measures.named(row.measure).main or row.sure]

    def headline(self) -> str:
        tested = [row for row in self.rows if row.verdict != "too few runs"]
        sure = sum(row.sure for row in tested)
        if not tested:
            return "too few runs to tell: take 5 or more of each point"
        return f"{sure} of {len(tested)} measures differ (Mann-Whitney, two-" \
            f"sided, p < {stats.LEVEL}); by chance alone it would be about " \
            f"{len(tested) * stats.LEVEL:.0f}"

    def differences(self) -> list:
        """What the two were made with, where it is not the same."""
        found = [(name, shown(self.a.points[0][name]),
                  shown(self.b.points[0][name])) for name in self.by]
        a, b = self.a.plan["versions"], self.b.plan["versions"]
        return found + [(name, a.get(name, "-"), b.get(name, "-"))
                        for name in {**a, **b} if a.get(name) != b.get(name)]


HEAD = ["point", "measure", "unit", "n", "A", "A: min to max", "B",
        "B: min to max", "B/A", "p", "B is"]


def cells(row: Row) -> list:
    return [row.label, row.measure, measures.named(row.measure).unit,
            f"{row.a.n}+{row.b.n}", neat(row.a.median),
            f"{neat(row.a.least)} to {neat(row.a.greatest)}",
            neat(row.b.median),
            f"{neat(row.b.least)} to {neat(row.b.greatest)}",
            neat(row.times), f"{row.p:.3f}", row.verdict]


def text(compared: Comparison) -> str:
    lines = [f"A: {compared.a.folder}", f"B: {compared.b.folder}"]
    lines += [f"{name}: {a} and {b}"
              for name, a, b in compared.differences()]
    lines += ["", columns(HEAD, [cells(row) for row in compared.main_rows()]),
              "", compared.headline()]
    lines += [f"alone: {label}" for label in compared.alone]
    return "\n".join(lines)


def write(compared: Comparison, path: Path) -> Path:
    page = Page("Two results side by side",
                f"A: {compared.a.plan['title']}, {compared.a.folder}; "
                f"B: {compared.b.plan['title']}, {compared.b.folder}")
    if compared.a.quick or compared.b.quick:
        page.section("ONE OF THEM IS A QUICK LOOK, NOT A RESULT")
    page.text(compared.headline() + ".")
    page.section("What was changed")
    page.table(["", "A", "B"], compared.differences())
    page.text("A and B are medians, p is that of Mann and Whitney's test. Main "
              "measures, and what else differs for certain.")
    for label in dict.fromkeys(row.label for row in compared.rows):
        page.section(label[:1].upper() + label[1:])
        page.table(HEAD[1:], [cells(row)[1:] for row in compared.main_rows()
                              if row.label == label])
    page.section("All measures")
    page.table(HEAD, [cells(row) for row in compared.rows])
    if compared.alone:
        page.section("Points that only one has")
        page.items(compared.alone)
    return page.save(path)
