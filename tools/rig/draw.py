"""Draws a chart (chart.py): lays out the paper, then the axes, then what it holds."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional, Sequence

from .axis import Axis, Scale, labels, number
from .heat import data_uri, part_of, png, shade
from .svg import COLOURS, DASHES, FONT, GRID, LETTER, PAD, ROW, SWATCH, \
    fitting, tag, wide, words_at

if TYPE_CHECKING:
    from .chart import Chart, Series

KEY_WIDTH = 78  # of the shades' key at the right
SPILL = 6  # dots on the edge are whole
TIPPED = 300  # dots, of which each says what it is
MARK_ROWS = 4  # of words over the plot; further marks are lines alone
SPAN_PART = 0.62  # of its row
BAR_PART = 0.76  # of its category
ROW_NAMES = 0.3  # of the paper, at most


@dataclass
class Frame:
    """Where the values lie on the paper."""

    x: Scale
    y: Scale
    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def across(self, value: float) -> float:
        return self.left + self.x.at(value) * self.width

    def up(self, value: float) -> float:
        return self.bottom - self.y.at(value) * self.height

    def holds(self, x: Optional[float], y: Optional[float]) -> bool:
        return self.x.holds(x) and self.y.holds(y)


class Drawing:
    """The parts of a picture, in the order in which they lie on each other."""

    def __init__(self, chart: "Chart"):
        self.chart = chart
        self.categories = list(dict.fromkeys(
            name for series in chart.series if series.kind == "bars"
            for name, *_ in series.points))
        self.colour = {series.name: n for n, series in enumerate(chart.series)}
        self.legend = self._legend_rows()
        self.frame = self._frame()

    def body(self) -> str:
        parts = [self._head(), self._axes()]
        inner = [self._heats(), self._bars(), self._spans(),
                 *(self._series(series) for series in self.chart.series)]
        f = self.frame
        box = (f.left - SPILL, f.top - SPILL, f.width + 2 * SPILL,
               f.height + 2 * SPILL)
        parts.append(tag("svg", inside="".join(inner), x=box[0], y=box[1],
                         width=box[2], height=box[3],
                         viewBox=" ".join(f"{n:.2f}" for n in box)))
        return "".join([*parts, self._marks(), self._key()])

    # --- what is where

    def _values(self) -> tuple:
        """All that the two axes have to hold."""
        chart = self.chart
        xs, ys = [], []
        for series in chart.series:
            if series.kind == "bars":
                ys += [0.0, *(v for _, *values in series.points
                              for v in values)]
                continue
            for point in series.points:
                xs.append(point[0])
                ys += point[1:]
        if chart.stacked:
            ys += [self._stack(name) for name in self.categories]
        for _, spans in chart.rows:
            xs += [end for span in spans for end in span[:2]]
        for heat in chart.heats:
            xs += heat.x
            ys += heat.y
        xs += [x for x, _ in chart.marks]
        return [x for x in xs if x is not None], \
            [y for y in ys if y is not None]

    def _stack(self, category: str) -> float:
        return sum(value or 0 for series in self.chart.series
                   if series.kind == "bars" for name, value, *_ in series.points
                   if name == category)

    def _axis_pair(self) -> tuple:
        x, y = self.chart.x, self.chart.y
        if self.categories and not x.names:
            x = Axis(x.title, x.unit, names=self.categories)
        if self.chart.rows:
            y = Axis(y.title, names=[row for row, _ in self.chart.rows][::-1])
        return x, y

    def _frame(self) -> Frame:
        chart = self.chart
        x, y = self._axis_pair()
        xs, ys = self._values()
        top = PAD + (ROW if chart.title else 0) + ROW * len(self.legend) \
            + (PAD / 2 if self.legend or chart.title else 0)
        rise = y.fit(ys, max(int(chart.height / 52), 3))
        names = max(map(wide, rise.labels), default=0)
        left = PAD + (ROW if y.text else 0) + 8 \
            + min(names, chart.width * ROW_NAMES)
        right = KEY_WIDTH if chart.heats else PAD + 14
        width = chart.width - left - right
        run = x.fit(xs, int(width / 72))
        self.slanted = max(map(wide, run.labels), default=0) \
            > width / max(len(run.labels), 1) - 6
        under = min(max(map(wide, run.labels), default=0), 130) * 0.6 + 16 \
            if self.slanted else ROW
        frame = Frame(run, rise, left, top, width, 0)
        self.levels = self._mark_levels(frame)
        rows = max(self.levels, default=-1) + 1
        frame.top += ROW * min(rows, MARK_ROWS)
        frame.height = chart.height - frame.top - under \
            - (ROW if x.text else 0) - PAD
        return frame

    def _placed_marks(self, frame: Frame) -> list:
        return sorted(mark for mark in self.chart.marks
                      if frame.x.holds(mark[0]))

    def _mark_levels(self, frame: Frame) -> list:
        """A row over the plot for each mark's word, so that none touch;
        MARK_ROWS: there is no room for it."""
        ends: list = []
        levels = []
        for x, word in self._placed_marks(frame):
            start, end = self._mark_ends(frame, x, word)
            level = next((n for n, last in enumerate(ends) if last < start),
                         len(ends))
            if level < MARK_ROWS:
                ends[level:level + 1] = [end + LETTER]
            levels.append(min(level, MARK_ROWS))
        return levels

    @staticmethod
    def _mark_ends(frame: Frame, x: float, word: str) -> tuple:
        """The word is over its line, and never beyond the plot."""
        start = max(min(frame.across(x) - wide(word) / 2,
                        frame.right + PAD - wide(word)), frame.left)
        return start, start + wide(word)

    # --- around the plot

    def _legend_rows(self) -> list:
        """The names that are worth one, as many a row as fit."""
        named = [series for series in self.chart.series if series.name]
        if len(named) < 2 and not self.chart.rows:
            return []
        rows: list = []
        used = 0.0
        for series in named:
            need = SWATCH + 6 + wide(series.name) + 18
            if not rows or used + need > self.chart.width - 2 * PAD:
                rows.append([])
                used = 0.0
            rows[-1].append((used, series))
            used += need
        return rows

    def _head(self) -> str:
        chart, y, parts = self.chart, PAD + FONT, []
        if chart.title:
            parts.append(words_at(PAD, y, fitting(
                chart.title, (chart.width - 2 * PAD) / 1.15),
                font_weight="bold", font_size=FONT + 1))
            y += ROW
        for row in self.legend:
            for x, series in row:
                parts += [self._swatch(series, PAD + x, y - FONT / 3),
                          words_at(PAD + x + SWATCH + 6, y, series.name)]
            y += ROW
        return "".join(parts)

    def _swatch(self, series: "Series", x: float, y: float) -> str:
        colour = self._colour(series.name)
        if series.kind in ("bars", "spans"):
            return tag("rect", x=x + 8, y=y - 6, width=SWATCH - 10, height=12,
                       rx=2, fill=colour)
        line = "" if series.kind == "dots" else tag(
            "line", x1=x, x2=x + SWATCH, y1=y, y2=y, stroke=colour,
            stroke_width=2, stroke_dasharray=self._dash(series.name))
        return line + self._dot(series.name, x + SWATCH / 2, y)

    def _axes(self) -> str:
        frame, (x, y), parts = self.frame, self._axis_pair(), []
        for tick, label in zip(frame.x.ticks, frame.x.labels):
            at = frame.across(tick)
            if not x.names:
                parts.append(tag("line", x1=at, x2=at, y1=frame.top,
                                 y2=frame.bottom, stroke=GRID))
            parts.append(self._under(at, label))
        for tick, label in zip(frame.y.ticks, frame.y.labels):
            at = frame.up(tick)
            if not y.names:
                parts.append(tag("line", x1=frame.left, x2=frame.right, y1=at,
                                 y2=at, stroke=GRID))
            parts.append(words_at(frame.left - 8, at + FONT / 3, fitting(
                label, self.chart.width * ROW_NAMES), "end"))
        corner = f"M{frame.left:.2f},{frame.top:.2f}V{frame.bottom:.2f}" \
            f"H{frame.right:.2f}"
        parts.append(tag("path", d=corner, fill="none", class_="gw-line"))
        if x.text:
            parts.append(words_at(frame.left + frame.width / 2,
                                  self.chart.height - PAD, x.text, "middle"))
        if y.text:
            middle = frame.top + frame.height / 2
            parts.append(words_at(
                PAD + 4, middle, fitting(y.text, self.chart.height - 20),
                "middle", transform=f"rotate(-90 {PAD + 4} {middle:.1f})"))
        return "".join(parts)

    def _under(self, x: float, label: str) -> str:
        y = self.frame.bottom + FONT + 5
        if not self.slanted:
            return words_at(x, y, label, "middle")
        return words_at(x + 4, y - 2, fitting(label, 130), "end",
                        transform=f"rotate(-35 {x + 4:.1f} {y - 2:.1f})")

    def _marks(self) -> str:
        """All lines first: a word is not crossed out by another's."""
        frame, lines, words = self.frame, [], []
        for (x, word), level in zip(self._placed_marks(frame), self.levels):
            named = level < MARK_ROWS
            at, y = frame.across(x), frame.top - 6 - ROW * level * named
            lines.append(tag("line", x1=at, x2=at, y1=y + 3, y2=frame.bottom,
                             class_="gw-line", stroke_dasharray="3 3",
                             inside=tag("title", word)))
            words.append(words_at(self._mark_ends(frame, x, word)[0], y, word,
                                  paint_order="stroke", class_="gw-ink gw-edge")
                         * named)
        return "".join(lines + words)

    def _key(self) -> str:
        """What the shades mean."""
        if not self.chart.heats:
            return ""
        title, most, log = self.chart.heat_scale
        most = most or self._hottest()
        frame, x = self.frame, self.frame.right + 12
        cells = 48
        parts = [tag("rect", x=x, width=12, height=frame.height / cells + 0.6,
                     y=frame.bottom - frame.height * (n + 1) / cells,
                     fill="#%02x%02x%02x" % shade((n + 0.5) / cells))
                 for n in range(cells)]
        scale = Axis(most=most, least=0).fit([0, most], 5)
        ticks = [0] + [10 ** n for n in range(10) if 10 ** n <= most] \
            if log else scale.ticks
        for tick, label in zip(ticks, [number(tick) for tick in ticks]
                               if log else labels(ticks)):
            at = frame.bottom - part_of(tick, most, log) * frame.height
            parts.append(words_at(x + 17, at + FONT / 3, label))
        if title:
            middle, at = frame.top + frame.height / 2, self.chart.width - 6
            parts.append(words_at(at, middle, title, "middle",
                                  transform=f"rotate(-90 {at} {middle:.1f})"))
        return "".join(parts)

    # --- in the plot

    def _colour(self, name: str) -> str:
        return COLOURS[self.colour[name] % len(COLOURS)]

    def _dash(self, name: str) -> str:
        return DASHES[self.colour[name] % len(DASHES)]

    def _dot(self, name: str, x: float, y: float, tip: str = "") -> str:
        """A shape of the series' own."""
        inside = tag("title", tip) if tip else ""
        fill = self._colour(name)
        shape = self.colour[name] % 4
        if shape == 0:
            return tag("circle", inside=inside, cx=x, cy=y, r=3.5, fill=fill)
        corners = {1: ((-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)),
                   2: ((0, -4.5), (4.5, 3.5), (-4.5, 3.5)),
                   3: ((0, -5), (5, 0), (0, 5), (-5, 0))}[shape]
        return tag("polygon", inside=inside, fill=fill, points=" ".join(
            f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners))

    def _series(self, series: "Series") -> str:
        if series.kind not in ("line", "dots", "spread"):
            return ""
        frame, parts = self.frame, []
        points = [point for point in series.points
                  if frame.holds(point[0], point[1])]
        places = [(frame.across(p[0]), frame.up(p[1])) for p in points]
        if series.kind != "dots" and places:
            parts.append(self._path(series, places))
        for point, (x, y) in zip(points, places):
            if series.kind == "spread" and frame.holds(*point[2:4]):
                parts.append(self._range(x, point[2:4],
                                         stroke=self._colour(series.name)))
            if not series.step and (series.kind != "line" or len(points) < 60):
                tip = f"{series.name}: {point[0]:g}, {point[1]:g}" \
                    if len(points) < TIPPED else ""
                parts.append(self._dot(series.name, x, y, tip))
        return "".join(parts)

    def _path(self, series: "Series", places: list) -> str:
        path = f"M{places[0][0]:.1f},{places[0][1]:.1f}"
        for x, y in places[1:]:
            path += f"H{x:.1f}V{y:.1f}" if series.step else f"L{x:.1f},{y:.1f}"
        return tag("path", d=path, fill="none", stroke_width=2,
                   stroke=self._colour(series.name), stroke_linejoin="round",
                   stroke_dasharray=self._dash(series.name) or "none")

    def _range(self, x: float, ends: Sequence, **style) -> str:
        low, high = map(self.frame.up, ends)
        path = f"M{x:.1f},{low:.1f}V{high:.1f}" + "".join(
            f"M{x - 4:.1f},{y:.1f}H{x + 4:.1f}" for y in (low, high))
        return tag("path", d=path, stroke_width=1.5, opacity=0.75, **style)

    def _bars(self) -> str:
        groups = [s for s in self.chart.series if s.kind == "bars"]
        base = {name: 0.0 for name in self.categories}
        frame, parts = self.frame, []
        if not self.categories:
            return ""
        room = frame.width / len(self.categories) * BAR_PART
        width = room if self.chart.stacked else room / len(groups)
        floor = frame.y.low if frame.y.log else 0.0
        for n, series in enumerate(groups):
            for name, value, *spread in series.points:
                if not frame.y.holds(value):
                    continue
                low = base[name] if self.chart.stacked else floor
                ends = sorted((frame.up(low), frame.up(low + value - floor)))
                x = frame.across(self.categories.index(name)) - room / 2 \
                    + (0 if self.chart.stacked else n * width)
                parts.append(tag(
                    "rect", x=x, y=ends[0], width=max(width - 1, 1),
                    height=max(ends[1] - ends[0], 0.5),
                    fill=self._colour(series.name), inside=tag(
                        "title", f"{series.name}, {name}: {value:g}")))
                if spread and all(map(frame.y.holds, spread)):
                    parts.append(self._range(x + width / 2, spread,
                                             class_="gw-line"))
                base[name] += value
        return "".join(parts)

    def _spans(self) -> str:
        frame, parts = self.frame, []
        count = len(self.chart.rows)
        for n, (row, spans) in enumerate(self.chart.rows):
            height = frame.height / count * SPAN_PART
            y = frame.up(count - 1 - n) - height / 2
            for start, end, kind in spans:
                x, right = frame.across(start), frame.across(end)
                parts.append(tag(
                    "rect", x=x, y=y, width=max(right - x, 1), height=height,
                    fill=self._colour(kind), inside=tag(
                        "title", f"{row}: {kind}, {start:g} to {end:g}")))
        return "".join(parts)

    def _hottest(self) -> float:
        return max((value for heat in self.chart.heats for row in heat.rows
                    for value in row if value is not None), default=1) or 1

    def _heats(self) -> str:
        frame, parts = self.frame, []
        _, most, log = self.chart.heat_scale
        most = most or self._hottest()
        for heat in self.chart.heats:
            x, right = map(frame.across, heat.x)
            bottom, top = map(frame.up, heat.y)
            parts.append(tag(
                "image", x=x, y=top, width=max(right - x, 1),
                height=bottom - top, preserveAspectRatio="none",
                image_rendering="optimizeSpeed",
                style="image-rendering:pixelated",
                href=data_uri(png(heat.rows[::-1], most, log))))
        return "".join(parts)


def body(chart: "Chart") -> str:
    return Drawing(chart).body()
