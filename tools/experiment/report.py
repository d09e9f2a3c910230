"""What an experiment found, for people: runs.csv, plots/, report.html, and a table
for the terminal. All of it is made of the raw records and can be made anew.
"""

import csv
import io
from pathlib import Path
from typing import Optional

from rig.page import Page

from . import measures, stats
from .description import parse
from .keys import KEYS, PARAMETERS
from .plots import draw, name_of, usual_plots
from .points import shown
from .store import Results

SHOUT = "A QUICK LOOK, NOT A RESULT: TWO RUNS OF EACH POINT, AND ONLY THE ENDS " \
    "OF EACH LIST"
NEVER_ONE = 3  # runs of a point from which on something follows


def neat(value: Optional[float]) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    if abs(value) >= 100000 and float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


# --- the table of runs

def csv_text(results: Results) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = [key.name for key in PARAMETERS]
    writer.writerow(["point", "run", "from", "to", "moved", "result",
                     *names, *(f"{m.name} ({m.unit})"
                               for m in measures.TABLE)])
    for point, runs in results.pairs():
        for run in sorted(runs, key=lambda run: run["run"]):
            found = [m.of(run) if run["moved"] else None
                     for m in measures.TABLE]
            writer.writerow([
                point.id, run["run"], run["from"], run["to"],
                "yes" if run["moved"] else "no",
                run["report"]["result"], *(point[name] for name in names),
                *("" if value is None else round(value, 4)
                  for value in found)])
    return out.getvalue()


# --- points beside each other

def heading(results: Results) -> list:
    return results.plan["varied"] or ["point"]


def place(results: Results, point) -> list:
    """The cells that say which point a row is."""
    varied = results.plan["varied"]
    return [shown(point[name]) for name in varied] or [results.plan["name"]]


def main_measures(results: Results) -> list:
    """Those of which something is known, and not always nothing."""
    known = {name: measures.values(results.runs, name)
             for name in measures.MAIN}
    return [name for name, values in known.items() if any(values)]


def with_unit(name: str) -> str:
    unit = measures.named(name).unit
    return name if unit == name else f"{name}, {unit}"


def medians(results: Results) -> tuple:
    """A row for each point: how many runs, and the medians."""
    names = main_measures(results)
    head = [*heading(results), "runs",
            *map(with_unit, names)]
    rows = []
    for point, runs in results.pairs():
        cells = []
        for name in names:
            found = stats.summary(measures.values(runs, name))
            cells.append(neat(found.median if found else None))
        moved = sum(run["moved"] for run in runs)
        rows.append([*place(results, point),
                     f"{moved}" if moved == len(runs)
                     else f"{moved} of {len(runs)}", *cells])
    return head, rows


def spread(results: Results, name: str) -> tuple:
    head = [*heading(results), "n", "min", "median", "p99", "max"]
    rows = []
    for point, runs in results.pairs():
        found = stats.summary(measures.values(runs, name))
        if found:
            p99 = neat(found.p99) if found.p99_known else "n<100"
            rows.append([*place(results, point), found.n, neat(found.least),
                         neat(found.median), p99, neat(found.greatest)])
    return head, rows


def columns(head: list, rows: list) -> str:
    """Aligned, for a terminal."""
    table = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[n]) for row in table) for n in range(len(head))]
    return "\n".join("  ".join(
        cell.rjust(width) for cell, width in zip(row, widths)).rstrip()
        for row in table)


def text(results: Results) -> str:
    lines = [results.plan["title"]]
    if results.quick:
        lines.append(SHOUT)
    lines.append(columns(*medians(results)))
    lines += [line for line in [repeats(results)] if line]
    lines += troubles(results)
    return "\n".join(lines)


def troubles(results: Results) -> list:
    """What failed, what is missing, what is too little."""
    found = []
    for point in results.points:
        label = point.label(results.plan["varied"])
        left = len(results.numbers_left(point))
        if point.id in results.failed:
            reason = results.failed[point.id].splitlines()[0]
            found.append(f"failed: {label}: {reason} (logs: failed/"
                         f"{point.id}/)")
        elif left:
            found.append(f"not yet measured: {label}: {left} of "
                         f"{results.plan['repetitions']} runs")
    return found


def repeats(results: Results) -> Optional[str]:
    """Whether all runs of a point gave the same bytes; None: it is no platform
    on which they should."""
    told = [{run["hash"] for run in runs if "hash" in run}
            for _, runs in results.pairs()]
    exact = [hashes for hashes in told if hashes]
    if not exact:
        return None
    same = sum(len(hashes) == 1 for hashes in exact)
    return f"{same} of {len(exact)} points repeat to the byte: all their runs " \
        "have the same events at the same virtual times"


# --- the page

def pictures(results: Results, page: Page) -> None:
    varied = results.plan["varied"]
    experiment = parse(Path("experiment.exp"), results.plan["file"])
    for plot in experiment.plots or usual_plots(varied):
        for what in plot.measures:
            chart = draw(plot, what, results.pairs(), varied)
            if not chart:
                page.text(f"No run knows {what}.")
                continue
            chart.save(results.folder / "plots" / f"{name_of(plot, what)}.svg")
            page.picture(chart.svg(), caption(what))


def caption(what: str) -> str:
    if what == "parts":
        return "What the blackout is made of: medians of each part."
    if what == "kinds":
        return "Pages by what they were sent as: medians."
    measure = measures.named(what)
    return f"{measure.name}: {measure.about}. Medians of each point's runs; " \
        "whiskers go from the least to the greatest."


def write(results: Results) -> Path:
    (results.folder / "runs.csv").write_text(csv_text(results))
    page = Page(results.plan["title"], results.plan["versions"]["date"])
    if results.quick:
        page.section(SHOUT)
    trouble = troubles(results)
    short = len(results.short())
    page.verdict(not trouble, f"{len(results.points) - short} of "
                 f"{len(results.points)} points measured, "
                 f"{len(results.runs)} migrations")
    page.text(results.plan["about"])
    page.text(repeats(results) or "")
    if trouble:
        page.items(trouble)
    if results.runs:
        page.section("Pictures")
        pictures(results, page)
        page.section("Medians")
        page.table(*medians(results))
        page.section("Spread")
        for name in main_measures(results):
            measure = measures.named(name)
            head, rows = spread(results, name)
            page.table(head, rows,
                       f"{name}, {measure.unit}: {measure.about}")
        page.text("p99 is the 99th percentile; with fewer than 100 runs it "
                  "would be the greatest value and is not given.")
    closing(results, page)
    return page.save(results.folder / "report.html")


def closing(results: Results, page: Page) -> None:
    page.section("How it was measured")
    page.code(results.plan["file"])
    fixed = [[key.name, shown(value), KEYS[key.name].about]
             for key in PARAMETERS
             for value in [results.points[0][key.name]]
             if key.name not in results.plan["varied"] and value is not None]
    page.table(["what was the same for all points", "value", "meaning"], fixed)
    page.table(["ran on", ""], list(results.plan["versions"].items()))
    page.files([name for name in ("runs.jsonl", "runs.csv", "commands.txt",
                                  "plan.json", "experiment.exp", "plots")
                if (results.folder / name).exists()])
