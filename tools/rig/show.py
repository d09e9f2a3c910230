"""Shows a board (board.py): drawn again in its place on a terminal, or as lines
where there is none, so that a log of it can be read.

    with show(board, tick):     # tick() tells the board what is new
        ...                     # what this thread does is shown meanwhile
    print("verdict")            # below what was shown last
"""

import os
import shutil
import sys
import threading
import time
from typing import Callable, Mapping, Optional, TextIO

from .board import Board

EVERY = 0.12  # seconds between two drawings
LINE_EVERY = 2.0  # between two lines of progress
STYLES = {"bold": "1", "faint": "2", "bar": "36", "good": "1;32",
          "bad": "1;31"}
HIDE, SHOW, CLEAR_LINE, CLEAR_BELOW = "\x1b[?25l", "\x1b[?25h", "\x1b[K", "\x1b[J"


def paint(style: str, text: str) -> str:
    code = STYLES.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


class Shown:
    """A thread that shows, until it is left."""

    def __init__(self, board: Board, out: TextIO,
                 tick: Optional[Callable] = None):
        self.board, self.out, self.tick = board, out, tick
        self.begun = time.monotonic()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Shown":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
        self.close()

    def _run(self) -> None:
        try:
            while not self.over.wait(EVERY):
                self._round()
            self._round()
        finally:
            self.over.set()

    def _round(self) -> None:
        self.board.now = self.now
        if self.tick:
            self.tick()
        self.draw()

    @property
    def now(self) -> float:
        return time.monotonic() - self.begun

    def draw(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """The last drawing stays."""


class Live(Shown):
    """On a terminal, however large; one write a drawing, so nothing flickers."""

    drawn = 0

    def draw(self) -> None:
        columns, rows = shutil.get_terminal_size()
        lines = self.board.frame(columns - 1, rows - 1)
        text = f"\x1b[{self.drawn}F" if self.drawn else HIDE
        text += "".join(paint(style, line) + CLEAR_LINE + "\n"
                        for style, line in lines) + CLEAR_BELOW
        self.drawn = len(lines)
        self._write(text)

    def close(self) -> None:
        self._write(SHOW)

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()


class Plain(Shown):
    """What happened, a line each, and how far it is now and then."""

    told = 0
    next = LINE_EVERY

    def __enter__(self) -> "Shown":
        print(self.board.title, file=self.out, flush=True)
        return super().__enter__()

    def draw(self) -> None:
        now, news = self.board.now, self.board.news
        while self.told < len(news):
            self._line(*news[self.told])
            self.told += 1
            self.next = now + LINE_EVERY
        if now >= self.next and self.board.progress():
            self._line(now, self.board.progress())
            self.next = now + LINE_EVERY

    def _line(self, when: float, text: str) -> None:
        print(f"{when:6.1f} s  {text}", file=self.out, flush=True)


def is_live(out: TextIO, environment: Mapping) -> bool:
    """Whether lines can be drawn again there, in colours."""
    return out.isatty() and "NO_COLOR" not in environment \
        and environment.get("TERM", "dumb") != "dumb"


def show(board: Board, tick: Optional[Callable] = None,
         out: TextIO = sys.stdout) -> Shown:
    encoding = (out.encoding or "ascii").lower().replace("-", "")
    board.plain = encoding != "utf8"
    kind = Live if is_live(out, os.environ) else Plain
    return kind(board, out, tick)
