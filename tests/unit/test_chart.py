"""Pictures (chart.py and what it draws with) and reports (page.py)."""

import base64
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rig import chart as chart_module
from rig.axis import Axis, labels, nice_step, number
from rig.chart import Chart
from rig.heat import NOTHING, part_of, png, shade
from rig.page import Page

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<b>&\"']]>"


def parse(chart: Chart) -> ET.Element:
    return ET.fromstring(chart.svg())


def drawn(chart: Chart, name: str) -> list:
    return list(parse(chart).iter(SVG + name))


def texts(chart: Chart) -> list:
    return [e.text for e in parse(chart).iter(SVG + "text")]


# --- axes


def test_ticks_are_round_and_hold_the_values() -> None:
    scale = Axis().fit([3, 97], 5)
    assert (scale.low, scale.high) == (0, 100)
    assert scale.ticks == [0, 20, 40, 60, 80, 100] and scale.labels[1] == "20"
    scale = Axis().fit([1000.2, 1000.7], 5)
    assert 1000 <= scale.low <= 1000.2 and 1000.7 <= scale.high <= 1001
    assert len(set(scale.labels)) == len(scale.labels)


@pytest.mark.parametrize("span, step", [
    (0.9, 1), (1.1, 2), (2.0, 2), (2.1, 5), (7, 10), (0.03, 0.05)])
def test_steps(span: float, step: float) -> None:
    assert nice_step(span) == pytest.approx(step)


def test_memory_has_binary_ticks() -> None:
    scale = Axis(binary=True).fit([0, 128 << 20], 5)
    assert scale.ticks == [0, 32 << 20, 64 << 20, 96 << 20, 128 << 20]
    assert scale.labels == ["0", "32Mi", "64Mi", "96Mi", "128Mi"]


def test_decades() -> None:
    scale = Axis(log=True).fit([30, 30000, 0, -5], 8)
    assert scale.ticks == [10, 100, 1000, 10000, 100000]
    assert scale.at(10) == 0 and scale.at(1000) == pytest.approx(0.5)
    assert not scale.holds(0) and not scale.holds(None)


def test_one_decade_is_divided() -> None:
    assert Axis(log=True).fit([2, 9], 8).ticks == [1, 2, 5, 10]
    many = Axis(log=True).fit([1e-9, 1e9], 5).ticks
    assert 3 <= len(many) <= 6


@pytest.mark.parametrize("axis", [Axis(), Axis(log=True), Axis(binary=True)])
@pytest.mark.parametrize("values", [
    [], [0], [7], [7, 7], [-3, -3], [0, 3], [0, 1500], [0, 1e-7], [1e12, 3e12],
    [-5, 5]])
def test_any_values_have_an_axis(axis: Axis, values: list) -> None:
    scale = axis.fit(values, 6)
    assert scale.low < scale.high and len(scale.ticks) >= 2
    assert scale.ticks == sorted(set(scale.ticks))
    assert len(set(scale.labels)) == len(scale.ticks)
    for value in values:
        if scale.holds(value):
            assert -1e-9 <= scale.at(value) <= 1 + 1e-9


def test_bounds_are_kept() -> None:
    scale = Axis(least=3, most=17).fit([5, 100], 5)
    assert (scale.low, scale.high) == (3, 17)
    assert all(3 <= tick <= 17 for tick in scale.ticks)


def test_numbers_read_well() -> None:
    assert number(1234) == "1234" and number(25000) == "25k"
    assert number(4 << 20, binary=True) == "4Mi"
    assert labels([0, 5000, 10000]) == ["0", "5k", "10k"]
    assert labels([-0.5, 0.1 * 3]) == ["\N{MINUS SIGN}0.5", "0.3"]


# --- what is drawn


def test_values_lie_where_they_belong() -> None:
    chart = Chart("t", Axis("x", least=0, most=10), Axis("y", least=0, most=4))
    chart.line("a", [(0, 0), (10, 4), (5, 1)])
    (x0, y0), (x1, y1), (x2, y2) = [
        (float(e.get("cx", 0)), float(e.get("cy", 0)))
        for e in drawn(chart, "circle")[-3:]]
    assert x2 == pytest.approx((x0 + x1) / 2, abs=0.1)
    assert y2 == pytest.approx(y0 + (y1 - y0) / 4, abs=0.1) and y1 < y0
    path = drawn(chart, "path")[-1].get("d")
    assert path == f"M{x0:.1f},{y0:.1f}L{x1:.1f},{y1:.1f}L{x2:.1f},{y2:.1f}"


def test_bars_are_as_high_as_their_values() -> None:
    for stacked in (False, True):
        chart = Chart("t", stacked=stacked)
        chart.bars("there", [("a", 2), ("b", 4)])
        chart.bars("back", [("a", 3), ("b", None)])
        bars = {}
        for rect in drawn(chart, "rect"):
            tip = rect.find(SVG + "title")
            if tip is not None:
                bars[tip.text] = rect
        high = {key: float(rect.get("height", 0)) for key, rect in bars.items()}
        assert set(high) == {"there, a: 2", "there, b: 4", "back, a: 3"}
        assert high["there, b: 4"] == pytest.approx(2 * high["there, a: 2"],
                                                    abs=0.1)
        low, top = (bars[key] for key in ("there, a: 2", "back, a: 3"))
        on_top = float(top.get("y", 0)) + high["back, a: 3"] == pytest.approx(
            float(low.get("y", 0)), abs=0.1)
        assert on_top == stacked
        assert (top.get("x") == low.get("x")) == stacked


def test_a_bar_s_range_reaches_from_its_least_to_its_greatest() -> None:
    chart = Chart("t")
    chart.bars("there", [("a", 4, 2, 8), ("b", 4)])
    bar = next(rect for rect in drawn(chart, "rect")
               if rect.find(SVG + "title") is not None)
    foot = float(bar.get("y", 0)) + float(bar.get("height", 0))
    half = float(bar.get("height", 0)) / 2
    path, = (path.get("d") for path in drawn(chart, "path")
             if "M" in path.get("d", "")[1:])
    low, high = map(float, re.match(r"M[\d.]+,([\d.]+)V([\d.]+)M",
                                    path).groups())
    assert foot - low == pytest.approx(half, abs=0.2)
    assert foot - high == pytest.approx(4 * half, abs=0.2)


def test_spans_have_rows_and_lengths() -> None:
    chart = Chart("t")
    chart.spans("there", [(0, 2, "stop"), (2, 8, "pages")])
    chart.spans("back", [(0, 4, "pages")])
    rects = [rect for rect in drawn(chart, "rect")
             if rect.find(SVG + "title") is not None]
    wide = [float(rect.get("width", 0)) for rect in rects]
    assert wide[1] == pytest.approx(3 * wide[0], abs=0.1)
    assert wide[2] == pytest.approx(2 * wide[0], abs=0.1)
    assert rects[1].get("fill") == rects[2].get("fill") != rects[0].get("fill")
    first, second, third = (float(rect.get("y", 0)) for rect in rects)
    assert first == second < third
    assert {"there", "back", "stop", "pages"} <= set(texts(chart))


def test_what_has_no_place_is_left_out() -> None:
    chart = Chart("t", Axis(log=True), Axis(log=True))
    chart.dots("a", [(0, 1), (1, 0), (1, None), (2, 3)])
    chart.mark(0, "never")
    assert len(drawn(chart, "circle")) == 1 and "never" not in texts(chart)


def test_marks_do_not_touch() -> None:
    chart = Chart("t", Axis(least=0, most=100))
    chart.line("a", [(0, 0), (100, 1)])
    words = ["stopped here", "resumed there", "announced", "done"]
    for n, word in enumerate(words):
        chart.mark(97 + n, word)
    ends: dict = {}
    for element in parse(chart).iter(SVG + "text"):
        if element.text in words:
            x = float(element.get("x", 0))
            assert 0 <= x and x + len(element.text) * 7 <= chart.width
            ends.setdefault(element.get("y"), []).append(
                (x, x + len(element.text) * 7))
    assert sum(map(len, ends.values())) == 4
    for row in ends.values():
        row.sort()
        assert all(a[1] < b[0] for a, b in zip(row, row[1:]))


def test_many_marks_leave_the_plot_its_room() -> None:
    chart = Chart("t", Axis(least=0, most=100))
    chart.line("a", [(0, 0), (100, 1)])
    for n in range(20):
        chart.mark(50, f"a word, number {n}")
    words = [text for text in texts(chart) if text.startswith("a word")]
    assert 3 <= len(words) <= 5
    marks = [line for line in drawn(chart, "line")
             if line.get("stroke-dasharray") == "3 3"]
    assert len(marks) == 20
    assert all(float(line.get("y2", 0)) - float(line.get("y1", 0)) > 150
               for line in marks)


def test_long_legends_have_rows() -> None:
    chart = Chart("t")
    for n in range(9):
        chart.line(f"a policy with a long name, {n}", [(0, n), (1, n)])
    rows: dict = {}
    for element in parse(chart).iter(SVG + "text"):
        if (element.text or "").startswith("a policy"):
            rows.setdefault(element.get("y"), []).append(
                float(element.get("x", 0)) + len(element.text or "") * 7)
    assert len(rows) >= 3 and all(max(row) < chart.width
                                  for row in rows.values())


def test_text_is_escaped() -> None:
    chart = Chart(NASTY, Axis(NASTY, NASTY), Axis(NASTY))
    chart.line(NASTY, [(1, 2)])
    chart.dots(NASTY + "2", [(1, 2)])
    chart.mark(1, NASTY)
    assert texts(chart).count(NASTY) >= 3 and not drawn(chart, "b")


def test_an_empty_chart_is_a_picture() -> None:
    chart = Chart()
    chart.line("nothing", [])
    chart.bars("none", [])
    assert drawn(chart, "path")


# --- heat


def pixels(image: bytes) -> list:
    """The palette's places, by row."""
    at, data = 8, {}
    while at < len(image):
        size, kind = struct.unpack_from(">I4s", image, at)
        data[kind] = image[at + 8:at + 8 + size]
        crc, = struct.unpack_from(">I", image, at + 8 + size)
        assert crc == zlib.crc32(image[at + 4:at + 8 + size])
        at += 12 + size
    width, height = struct.unpack_from(">II", data[b"IHDR"])
    lines = zlib.decompress(data[b"IDAT"])
    assert len(lines) == (width + 1) * height
    return [list(lines[n * (width + 1) + 1:(n + 1) * (width + 1)])
            for n in range(height)]


def test_heat_keeps_the_matrix() -> None:
    assert pixels(png([[0, 5, None], [10, 20, 1]], 10)) == [
        [0, 127, NOTHING], [254, 254, 25]]
    chart = Chart("t", Axis("s"), Axis("memory", "B", binary=True))
    chart.heat([[1, 2], [3, 4]], (0, 2), (0, 4096), "pages")
    chart.heat([[8], [0]], (2, 4), (0, 4096), "pages")
    first, second = drawn(chart, "image")
    image = base64.b64decode(first.get("href", "").partition(",")[2])
    assert pixels(image) == [[95, 127], [32, 64]]  # the top is the last row
    assert float(second.get("x", 0)) == pytest.approx(
        float(first.get("x", 0)) + float(first.get("width", 0)), abs=0.1)


def test_heat_of_a_whole_guest_is_small() -> None:
    chart = Chart("t")
    chart.heat([[(n * m) % 7 for m in range(200)] for n in range(1024)],
               (0, 1), (0, 1))
    assert len(chart.svg()) < 300000


def test_shades_get_lighter() -> None:
    grey = [0.3 * r + 0.59 * g + 0.11 * b
            for r, g, b in (shade(n / 50) for n in range(51))]
    assert grey == sorted(grey) and grey[-1] > 4 * grey[0]
    assert part_of(100, 100, True) == 1 and part_of(0, 100, True) == 0
    assert part_of(10, 1000, True) > 0.3 > part_of(10, 1000, False)


# --- files


def test_saved_as_svg_and_png(tmp_path: Path) -> None:
    chart = Chart("t")
    chart.line("a", [(0, 1), (1, 2)])
    files = chart.save(tmp_path / "new/a.svg")
    assert [file.name for file in files] == (
        ["a.svg", "a.png"] if chart_module.can_convert() else ["a.svg"])
    for file in files[1:]:
        assert file.read_bytes()[:4] == b"\x89PNG"
    ET.parse(files[0])


def test_no_png_without_the_program(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(chart_module, "CONVERT", "no-such-program")
    assert not chart_module.can_convert()
    assert Chart("t").save(tmp_path / "a.svg") == [tmp_path / "a.svg"]


# --- reports


class Balance(HTMLParser):
    """Raises if an element is closed that is not the one last opened."""

    VOID = {"meta", "link"}

    def __init__(self, text: str):
        super().__init__()
        self.open: list = []
        self.seen: list = []
        self.text: list = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, name: str, attributes: list) -> None:
        self.seen.append((name, dict(attributes)))
        if name not in self.VOID:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def page() -> Page:
    chart = Chart(NASTY)
    chart.line("a", [(0, 1), (1, 2)])
    page = Page(NASTY, NASTY)
    page.verdict(True, NASTY)
    page.verdict(False, "lost")
    page.section(NASTY)
    page.text(f"one\n\n{NASTY}")
    page.table([NASTY, "n", "m"], [[NASTY, 1, 2.34567], ["x", None, "3 ms"]],
               NASTY)
    page.facts([(NASTY, 1)])
    page.items([NASTY])
    page.code(NASTY)
    page.files([NASTY])
    page.picture(chart.svg(), NASTY)
    return page


def test_page_is_whole_and_escaped(page: Page, tmp_path: Path) -> None:
    html = page.save(tmp_path / "new/report.html").read_text()
    parsed = Balance(html)
    names = [name for name, _ in parsed.seen]
    assert "b" not in [name for name, of in parsed.seen if of] and \
        names.count("b") == 2  # the verdicts' own
    assert "".join(parsed.text).count(NASTY) >= 10
    assert names.count("svg") >= 1 and "script" not in names
    assert "Passed:" in html and "Failed:" in html


def test_page_needs_nothing_else(page: Page) -> None:
    for name, of in Balance(page.html()).seen:
        for key in ("src", "href"):
            assert not re.match(r"(https?:)?//", of.get(key) or ""), (name, of)
    assert not re.search(r"@import|url\(", page.html())


def test_numbers_are_set_to_the_right(page: Page) -> None:
    cells = [("n" == of.get("class")) for name, of in Balance(page.html()).seen
             if name == "td"]
    assert cells == [False, True, True] * 2
    assert ">2.346<" in page.html()
