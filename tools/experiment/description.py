"""Reads an experiment's file: sections, `key = value`, lists that make sweeps.

    experiment = read(Path("docs/experiments/rate.exp"))
    for point in experiment.points(quick=False): ...

What is wrong is said with file, line, key and what is allowed.
"""

import difflib
import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path

from .keys import (KEYS, PARAMETERS, SECTIONS, Key, Text, Value, Wrong)
from .plots import Plot, parse_plot
from .points import Point, contradiction, plain

QUICK_RUNS = 2


class FileError(Exception):
    def __init__(self, path: Path, line: int, key: str, text: str):
        place = f"{path}:{line}" if line else str(path)
        super().__init__(f"{place}: {key}: {text}" if key
                         else f"{place}: {text}")


@dataclass
class Experiment:
    path: Path
    text: str
    lines: dict = field(default_factory=dict)  # key -> where it was given
    fixed: dict = field(default_factory=dict)  # what does not sweep
    sweeps: dict = field(default_factory=dict)  # key -> its values
    plots: list = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def title(self) -> str:
        return self.fixed["title"] or self.name

    def varied(self) -> list:
        """Names of keys that have several values, in the file's order."""
        return [name for name, values in self.sweeps.items()
                if len(values) > 1]

    def repetitions(self, quick: bool) -> int:
        return QUICK_RUNS if quick else self.fixed["repetitions"]

    def points(self, quick: bool = False) -> list:
        """Every combination once; quick: only the ends of each list."""
        given = [ends(values) if quick else values
                 for values in self.sweeps.values()]
        made: dict = {}
        for values in itertools.product(*given):
            point = self._point(dict(zip(self.sweeps, values)))
            made.setdefault(point.id, point)
        return list(made.values())

    def _point(self, given: dict) -> Point:
        parameters = plain({key.name: given.get(key.name, key.default)
                            for key in PARAMETERS})
        wrong = contradiction(parameters)
        if wrong:
            # The line that was given, not a default that it meets.
            name = next((name for name in (wrong.key, *wrong.others)
                         if name in self.lines), wrong.key)
            raise FileError(self.path, self.lines.get(name, 0), name,
                            wrong.text)
        return Point(parameters)


def ends(values: list) -> list:
    return values if len(values) < 3 else [values[0], values[-1]]


def key_named(name: str, section: str) -> Key:
    if name not in KEYS:
        near = difflib.get_close_matches(name, KEYS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        mine = ", ".join(key.name for key in KEYS.values()
                         if key.section == section)
        raise Wrong(f"there is no such key{hint} [{section}] has: {mine}"
                    if not near else f"there is no such key{hint}")
    key = KEYS[name]
    if key.section != section:
        raise Wrong(f"belongs into [{key.section}], not into [{section}]")
    return key


def values_of(key: Key, text: str) -> list:
    """Of a list; each once."""
    if isinstance(key.kind, Text):
        return [text]
    pieces = [piece.strip() for piece in text.split(",")]
    if not all(pieces):
        raise Wrong("has an empty place in its list" if text
                    else f"has no value; allowed: {key.kind.allowed}")
    if len(pieces) > 1 and not key.sweeps:
        raise Wrong(f"takes one value; allowed: {key.kind.allowed}")
    values: list = [key.kind.read(piece) for piece in pieces]
    for value in values:
        if values.count(value) > 1:
            raise Wrong(f"has {value} more than once")
    return values


class Reader:
    def __init__(self, path: Path, text: str):
        self.made = Experiment(path, text, fixed={
            key.name: key.default for key in KEYS.values() if not key.sweeps})
        self.section = ""
        self.plots: list = []  # (line, text)

    def line(self, number: int, text: str) -> None:
        text = re.sub(r"(^|\s)#.*", "", text).strip()
        if not text:
            return
        heading = re.fullmatch(r"\[\s*([^]]*?)\s*\]", text)
        name, equals, value = (part.strip() for part in text.partition("="))
        try:
            if heading:
                self._enter(heading.group(1))
            elif not equals:
                name = ""
                raise Wrong(f"{text!r} is neither `[section]` nor "
                            "`key = value`")
            else:
                self._set(number, name, value)
        except Wrong as wrong:
            raise FileError(self.made.path, number,
                            "" if heading else name, str(wrong)) from None

    def _enter(self, name: str) -> None:
        if name not in SECTIONS:
            raise Wrong(f"there is no section [{name}]; allowed: "
                        + ", ".join(f"[{known}]" for known in SECTIONS))
        self.section = name

    def _set(self, number: int, name: str, value: str) -> None:
        if not self.section:
            raise Wrong("stands before the first section; allowed: "
                        + ", ".join(f"[{known}]" for known in SECTIONS))
        key = key_named(name, self.section)
        if name == "plot":
            self.plots.append((number, value))
            return
        if name in self.made.lines:
            raise Wrong(f"was given in line {self.made.lines[name]} already")
        values: list[Value] = values_of(key, value)
        self.made.lines[name] = number
        if key.sweeps:
            self.made.sweeps[name] = values
        else:
            self.made.fixed[name] = values[0]

    def finish(self) -> Experiment:
        for number, text in self.plots:
            try:
                self.made.plots.append(parse_plot(text, self.made.sweeps))
            except Wrong as wrong:
                raise FileError(self.made.path, number, "plot",
                                str(wrong)) from None
        self.made.points()  # says what contradicts itself
        self._unused()
        return self.made

    def _unused(self) -> None:
        """A key that no point heeds is a mistake."""
        used = {name for point in self.made.points()
                for name, value in point.parameters.items()
                if value is not None}
        for name in self.made.sweeps:
            if name not in used:
                raise FileError(
                    self.made.path, self.made.lines[name], name,
                    "means nothing here; it is for workload "
                    + ", ".join(KEYS[name].workloads))


def parse(path: Path, text: str) -> Experiment:
    reader = Reader(path, text)
    for number, line in enumerate(text.splitlines(), 1):
        reader.line(number, line)
    return reader.finish()


def read(path: Path) -> Experiment:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(path, 0, "", f"cannot be read: {error}") from None
    return parse(path, text)


__all__ = ["Experiment", "FileError", "Plot", "parse", "read"]
