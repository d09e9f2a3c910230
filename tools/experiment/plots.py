"""What an experiment's `plot` lines say, and the pictures that come of them.

    plot = total, downtime against rate by policy
    plot = bytes against bandwidth by codecs log x
    plot = parts by dirty
"""

import re
import statistics
from dataclasses import dataclass

from rig.chart import Axis, Chart

from . import measures
from .keys import KEYS, Wrong
from .points import shown

GROUPS = {"parts": [f"blackout.{name.replace('_', '-')}"
                    for name in measures.PARTS],
          "kinds": [f"pages.{kind}" for kind in ("zero", *measures.CODECS)]}


@dataclass(frozen=True)
class Plot:
    measures: tuple
    against: str = ""  # a key of numbers, or of words: bars
    by: tuple = ()  # keys that tell the lines apart
    log: str = ""  # x, y, xy


def parse_plot(text: str, sweeps: dict) -> Plot:
    match = re.fullmatch(
        r"(?P<what>.+?)(?:\s+against\s+(?P<against>\S+))?"
        r"(?:\s+by\s+(?P<by>.+?))?(?:\s+log\s+(?P<log>x|y|xy))?", text)
    if not match or not text:
        raise Wrong("has to be like `total, blackout against rate by policy "
                    "log x`")
    what = tuple(word.strip() for word in match["what"].split(","))
    for name in what:
        if name not in measures.MEASURES and name not in measures.ALIASES \
                and name not in GROUPS:
            raise Wrong(f"there is no measure {name!r}; allowed: "
                        + ", ".join([*measures.MEASURES, *GROUPS]))
    by = tuple(word.strip() for word in (match["by"] or "").split(",")
               if word.strip())
    for key in (*by, *filter(None, [match["against"]])):
        if len(sweeps.get(key, ())) < 2:
            several = [name for name in sweeps if len(sweeps[name]) > 1]
            raise Wrong(f"{key!r} has not several values; allowed: "
                        + (", ".join(several) or "nothing, without a sweep"))
    return Plot(what, match["against"] or "", by, match["log"] or "")


def usual_plots(varied: list) -> list:
    """When the file says none."""
    if not varied:
        return [Plot(("parts",))]
    numbers = [name for name in varied if KEYS[name].numeric] or varied
    against = numbers[0]
    by = tuple(name for name in varied if name != against)
    return [Plot(("total", "blackout"), against, by)]


# --- drawing

def name_of(plot: Plot, what: str) -> str:
    return "-".join([what, *filter(None, [plot.against]), *plot.by]
                    ).replace(".", "-")


def draw(plot: Plot, what: str, results: list, varied: list):
    """One picture of one measure; None: no run knows it. `results` are pairs
    (point, runs)."""
    if what in GROUPS:
        return draw_group(plot, what, results, varied)
    measure = measures.named(what)
    series: dict = {}
    for point, runs in results:
        found = measures.values(runs, what)
        if found:
            rest = [name for name in varied if name != plot.against]
            series.setdefault(point.label(rest) if rest else measure.name,
                              []).append((point, found))
    if not series:
        return None
    if plot.against and KEYS[plot.against].numeric and \
            not words_in(results, plot.against):
        return draw_lines(plot, measure, series)
    return draw_bars(plot, measure, series)


def words_in(results: list, name: str) -> bool:
    """auto, say, among numbers: no axis has a place for it."""
    return any(isinstance(point[name], str) or point[name] is None
               for point, _ in results)


def axis(measure: measures.Measure, log: bool = False) -> Axis:
    """From 0, so that heights can be compared."""
    return Axis(measure.name, measure.unit, log=log,
                least=None if log else 0)


def draw_lines(plot: Plot, measure, series: dict) -> Chart:
    key = KEYS[plot.against]
    # Nothing has a place on a logarithmic axis that is not above zero.
    spots = [point[key.name] for rows in series.values() for point, _ in rows]
    heights = [value for rows in series.values() for _, found in rows
               for value in found]
    chart = Chart(f"{measure.name} against {key.name}",
                  Axis(key.name, key.unit, log="x" in plot.log
                       and min(spots) > 0),
                  axis(measure, "y" in plot.log and min(heights) > 0))
    for name, rows in series.items():
        rows.sort(key=lambda row: row[0][key.name])
        chart.spread(name, [(point[key.name], statistics.median(found),
                             min(found), max(found))
                            for point, found in rows])
    return chart


def draw_bars(plot: Plot, measure, series: dict) -> Chart:
    """Groups are the values of `against`, in each a bar for each series."""
    places: list = []
    for rows in series.values():
        for point, _ in rows:
            place = shown(point[plot.against]) if plot.against \
                else measure.name
            if place not in places:
                places.append(place)
    chart = Chart(measure.name + (f" against {plot.against}"
                                  if plot.against else ""),
                  Axis(plot.against or ""), axis(measure))
    for name, rows in series.items():
        bars = {shown(point[plot.against]) if plot.against
                else measure.name: (statistics.median(found), min(found),
                                    max(found))
                for point, found in rows}
        chart.bars(name, [(place, *bars.get(place, (0,))) for place in places])
    return chart


def place_of(point, varied: list) -> str:
    """Under a bar: values only, whose names are the axis's."""
    return ", ".join(shown(point[name]) for name in varied)


def draw_group(plot: Plot, what: str, results: list, varied: list):
    """A bar for each point, which is made of its parts."""
    names = GROUPS[what]
    title = {"parts": "parts of the blackout", "kinds": "pages by kind"}[what]
    chart = Chart(title, Axis(", ".join(varied)),
                  Axis("median", measures.named(names[0]).unit), stacked=True)
    known = [(place_of(point, varied), runs) for point, runs in results
             if measures.values(runs, names[0])]
    for name in names:
        chart.bars(name.partition(".")[2], [
            (label, statistics.median(measures.values(runs, name)))
            for label, runs in known])
    return chart if known else None
