"""Pictures of measurements as SVG, without a library.

    chart = Chart("dirty rate", Axis("pages written", "pages/s"), Axis("total", "s"))
    chart.line("policy classic", [(1000, 0.4), (2000, 0.7)])
    page.picture(chart.svg(), "Total time turns up where ...")     # page.py
    chart.save(Path("total.svg"))                                  # and total.png

What a chart can hold: line (points joined), dots, spread (a point with its least
and greatest), bars (grouped, or stacked), spans (what lasted from when to when,
one row each), mark (a vertical line with a word), heat (a matrix of shades). Axes
choose their ticks; `log=True` makes one logarithmic (axis.py). Colours are told
apart by the colour-blind, on a light and on a dark page alike; shapes and dashes
differ too. A value that is None, or has no place on its axis, is left out.
"""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Sequence

from .axis import Axis, number
from .draw import body
from .svg import DARK, FONT, STYLE, tag

CONVERT = "rsvg-convert"


@dataclass
class Series:
    """What has one colour and one line in the legend."""

    kind: str
    name: str
    points: list
    step: bool = False


@dataclass
class Heat:
    """A matrix over a part of the plot."""

    rows: Sequence
    x: tuple
    y: tuple


@dataclass
class Chart:
    """One picture, `width` by `height` pixels where it is not scaled."""

    title: str = ""
    x: Axis = Axis()
    y: Axis = Axis()
    width: int = 720
    height: int = 380
    stacked: bool = False  # bars of one place stand on each other
    series: list = field(default_factory=list)
    marks: list = field(default_factory=list)
    rows: list = field(default_factory=list)  # (name, spans)
    heats: list = field(default_factory=list)
    heat_scale: tuple = ("", None, False)  # title, most, log

    # --- what it holds

    def line(self, name: str, points: Sequence, step: bool = False) -> None:
        """Points (x, y), joined; a step keeps a value until the next one."""
        self.series.append(Series("line", name, list(points), step))

    def dots(self, name: str, points: Sequence) -> None:
        self.series.append(Series("dots", name, list(points)))

    def spread(self, name: str, points: Sequence) -> None:
        """Points (x, y, least, greatest), joined, with their range."""
        self.series.append(Series("spread", name, list(points)))

    def bars(self, name: str, values: Sequence) -> None:
        """(category, value), or with its range (category, value, least,
        greatest)."""
        self.series.append(Series("bars", name, list(values)))

    def spans(self, row: str, spans: Sequence) -> None:
        """What took from when to when: (start, end, kind), in a row of its own;
        each kind has its colour."""
        self.rows.append((row, list(spans)))
        for _, _, kind in spans:
            if kind not in (series.name for series in self.series):
                self.series.append(Series("spans", kind, []))

    def mark(self, x: float, word: str) -> None:
        self.marks.append((x, word))

    def heat(self, rows: Sequence, x: tuple, y: tuple, title: str = "",
             most: Optional[float] = None, log: bool = False) -> None:
        """A matrix of numbers or None over x[0] to x[1] and y[0] to y[1]; its
        first row is at y[0]. All heats of a chart have one scale of shades, from
        0 to `most`."""
        self.heats.append(Heat(rows, x, y))
        self.heat_scale = (title or self.heat_scale[0], most, log)

    # --- what comes of it

    def svg(self, dark: bool = True) -> str:
        """As an element for a page, or a file; `dark`: it follows the page."""
        inside = tag("style", STYLE + (DARK if dark else "")) \
            + tag("title", self.title or "chart") \
            + tag("rect", class_="gw-paper", width=self.width,
                  height=self.height, rx=6) + body(self)
        return tag("svg", inside=inside, xmlns="http://www.w3.org/2000/svg",
                   viewBox=f"0 0 {self.width} {self.height}",
                   width=self.width, height=self.height, role="img",
                   font_family="system-ui, 'DejaVu Sans', sans-serif",
                   font_size=FONT)

    def save(self, path: Path) -> list:
        """Writes PATH.svg, and PATH.png where Debian's librsvg2-bin is; the files
        that were written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg(), encoding="utf-8")
        if not shutil.which(CONVERT):
            return [path]
        image = path.with_suffix(".png")
        subprocess.run([CONVERT, "--zoom=2", "-o", str(image)],
                       input=self.svg(dark=False).encode(), check=True)
        return [path, image]


def can_convert() -> bool:
    """Whether save() writes PNG too; without it a program says
    `tools/need librsvg2-bin`."""
    return shutil.which(CONVERT) is not None


__all__ = ["Axis", "Chart", "can_convert", "number"]
