"""Elements of SVG, and how our pictures look on light and dark pages."""

from typing import Any, Optional
from xml.sax.saxutils import escape, quoteattr

COLOURS = ("#0077bb", "#d55e00", "#009e73", "#aa5599", "#b8860b", "#7777dd",
           "#4d9aa8", "#888888")
DASHES = ("", "7 3", "2 3", "9 3 2 3")
INK, PAPER, GRID = "#1b1f24", "#ffffff", "#8080804d"
STYLE = f".gw-ink{{fill:{INK}}}.gw-paper{{fill:{PAPER}}}.gw-line{{stroke:{INK}}}" \
    f".gw-edge{{stroke:{PAPER};stroke-width:4}}"
DARK = "@media (prefers-color-scheme:dark){.gw-ink{fill:#e4e7ea}" \
    ".gw-paper{fill:#15181c}.gw-line{stroke:#e4e7ea}.gw-edge{stroke:#15181c}}"
FONT, LETTER, ROW = 13, 7.2, 20  # size, width of a letter about, of a line of text
PAD = 12
SWATCH = 28


def tag(name: str, text: Optional[str] = None, inside: str = "",
        **attributes: Any) -> str:
    """An element; `text` is escaped, `inside` is SVG already."""
    words = "".join(
        f" {key.rstrip('_').replace('_', '-')}="
        + quoteattr(f"{value:.2f}".rstrip("0").rstrip(".")
                    if isinstance(value, float) else str(value))
        for key, value in attributes.items())
    body = (escape(text) if text is not None else "") + inside
    return f"<{name}{words}>{body}</{name}>" if body else f"<{name}{words}/>"


def words_at(x: float, y: float, text: str, anchor: str = "start",
             **more: Any) -> str:
    more.setdefault("class_", "gw-ink")
    return tag("text", text, x=x, y=y, text_anchor=anchor, **more)


def wide(text: str) -> float:
    return len(text) * LETTER


def fitting(text: str, width: float) -> str:
    """As much of it as has room."""
    room = max(int(width / LETTER), 1)
    return text if len(text) <= room else text[:room - 1] + "\N{HORIZONTAL ELLIPSIS}"
