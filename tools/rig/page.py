"""A report: one HTML file that needs nothing else, readable on a small screen.

    page = Page("Migration of debian", "alpha to beta, 29 November 2026")
    page.verdict(True, "moved; no connection was lost")
    page.section("Rounds")
    page.text("...")
    page.table(["round", "pages"], [[0, 32768], [1, 120]])
    page.picture(chart.svg(), "caption")
    page.save(Path("report.html"))

Text is escaped; pictures are put in as they are. The page has no script, asks for
nothing from anywhere, and follows the reader's choice of light or dark.
"""

import re
from html import escape
from pathlib import Path
from typing import Optional, Sequence

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff;
  --faint: #5c6570; --line: #d3d8de; --good: #00695c; --bad: #b3261e;
  --link: #005a9c; --band: #f2f4f6 }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --paper: #15181c;
  --faint: #a3acb6; --line: #3a424b; --good: #59c9b5; --bad: #ff8a80;
  --link: #7cc0ff; --band: #1f242a } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; color: var(--ink);
  background: var(--paper); overflow-wrap: anywhere;
  font: 1rem/1.5 system-ui, "DejaVu Sans", sans-serif }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0 }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem;
  border-bottom: 1px solid var(--line) }
a { color: var(--link) }
.sub, figcaption, footer { color: var(--faint) }
figcaption, footer, table { font-size: .9rem }
.verdict { border-left: .4rem solid var(--good); background: var(--band);
  padding: .6rem .8rem; margin: .5rem 0; font-weight: 600 }
.verdict b { color: var(--good) } .bad b { color: var(--bad) }
.bad { border-color: var(--bad) }
figure { margin: 1rem 0 }
.wide { overflow-x: auto; max-width: 100% }
figure svg { display: block; width: 100%; height: auto; min-width: 34rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: normal }
.n { text-align: right }
dl { display: grid; gap: .5rem 1rem; margin: 1rem 0;
  grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)) }
dt { color: var(--faint); font-size: .9rem }
dd { margin: 0; font-size: 1.15rem; font-weight: 600 }
pre { overflow-x: auto; background: var(--band); padding: .6rem .8rem;
  font-size: .85rem; overflow-wrap: normal }
@media print { figure, table { break-inside: avoid } }
"""

NUMBER = re.compile(r"[-\u2212]?[\d.,]+ ?[a-zA-Z%\u00b5/]{0,8}")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


class Page:
    """What is added comes in that order."""

    def __init__(self, title: str, subtitle: str = ""):
        self.title = title
        self.parts = [f"<h1>{escape(title)}</h1>"]
        if subtitle:
            self.parts.append(f'<p class="sub">{escape(subtitle)}</p>')

    def verdict(self, good: bool, text: str) -> None:
        """What came out, and whether that is what was hoped for."""
        word, bad = ("Passed", "") if good else ("Failed", " bad")
        self.parts.append(f'<p class="verdict{bad}"><b>{word}:</b> '
                          f"{escape(text)}</p>")

    def section(self, title: str) -> None:
        self.parts.append(f"<h2>{escape(title)}</h2>")

    def text(self, text: str) -> None:
        """Paragraphs, with an empty line between them."""
        self.parts += [f"<p>{escape(part.strip())}</p>"
                       for part in text.split("\n\n") if part.strip()]

    def items(self, lines: Sequence) -> None:
        self.parts.append("<ul>" + "".join(
            f"<li>{escape(str(line))}</li>" for line in lines) + "</ul>")

    def facts(self, pairs: Sequence) -> None:
        """Names and their values, as tiles."""
        self.parts.append("<dl>" + "".join(
            f"<div><dt>{escape(str(name))}</dt><dd>{escape(_cell(value))}</dd>"
            "</div>" for name, value in pairs) + "</dl>")

    def code(self, text: str) -> None:
        """Commands, or what a program printed."""
        self.parts.append(f"<pre>{escape(text)}</pre>")

    def table(self, head: Sequence, rows: Sequence, caption: str = "") -> None:
        """A column of numbers is set to the right."""
        cells = [[_cell(value) for value in row] for row in rows]
        right = [any(row[n] for row in cells) and
                 all(NUMBER.fullmatch(row[n]) or not row[n] for row in cells)
                 for n in range(len(head))]

        def line(kind: str, values: Sequence) -> str:
            return "<tr>" + "".join(
                f"<{kind}{' class=n' if number else ''}>{escape(value)}</{kind}>"
                for value, number in zip(values, right)) + "</tr>"

        self.parts.append(
            '<figure><div class="wide"><table><thead>'
            + line("th", [str(name) for name in head]) + "</thead><tbody>"
            + "".join(line("td", row) for row in cells)
            + f"</tbody></table></div>{self._caption(caption)}</figure>")

    def picture(self, svg: str, caption: str = "") -> None:
        self.parts.append(f'<figure><div class="wide">{svg}</div>'
                          f"{self._caption(caption)}</figure>")

    def files(self, names: Sequence, title: str = "Files") -> None:
        """Links to what lies beside the page."""
        self.parts.append(f"<p>{escape(title)}: " + ", ".join(
            f'<a href="{escape(str(name))}">{escape(str(name))}</a>'
            for name in names) + "</p>")

    @staticmethod
    def _caption(text: str) -> str:
        return f"<figcaption>{escape(text)}</figcaption>" if text else ""

    def html(self, footer: Optional[str] = None) -> str:
        end = f"<footer><p>{escape(footer)}</p></footer>" if footer else ""
        return '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">' \
            '<meta name="viewport" content="width=device-width, ' \
            f'initial-scale=1"><title>{escape(self.title)}</title>' \
            f'<link rel="icon" href="data:,"><style>{STYLE}</style></head>' \
            "<body>\n" + "\n".join([*self.parts, end]) + "\n</body></html>\n"

    def save(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.html(), encoding="utf-8")
        return path
