"""The directory of an experiment's results. What was measured is there as soon as
it was measured, and is still there whatever happens next.

    experiment.exp  the file, as it was
    plan.json       its points, and what it ran on
    runs.jsonl      a line for each migration, with its whole report
    failed.jsonl    a line for each point that failed, its logs in failed/POINT/
    commands.txt    the command lines of all emulators
    runs.csv, plots/, report.html   made of these (report.py)
"""

import fcntl
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from .points import Point


class StoreError(Exception):
    """The directory is none of results, or is not ours to go on with."""


def read_lines(path: Path) -> list:
    """Records; a last line that was cut off is not one."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = data[:data.rfind(b"\n") + 1].splitlines()
    try:
        return [json.loads(line) for line in lines]
    except ValueError as error:
        raise StoreError(f"{path}: {error}") from None


def drop_cut_line(path: Path) -> None:
    """What a killed process has written last may be half a line."""
    try:
        with open(path, "r+b") as file:
            data = file.read()
            file.truncate(data.rfind(b"\n") + 1)
    except FileNotFoundError:
        pass


def append(path: Path, text: str) -> None:
    """It is on the disk when this returns."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


@dataclass
class Results:
    """A directory that is read."""

    folder: Path
    plan: dict
    runs: list = field(default_factory=list)
    failed: dict = field(default_factory=dict)  # point id -> reason

    @property
    def points(self) -> list:
        return [Point(parameters) for parameters in self.plan["points"]]

    @property
    def quick(self) -> bool:
        return self.plan["quick"]

    def of(self, point: Point) -> list:
        return [run for run in self.runs if run["point"] == point.id]

    def pairs(self) -> list:
        """(point, its runs), in the file's order."""
        return [(point, self.of(point)) for point in self.points]

    def numbers_left(self, point: Point) -> list:
        """Runs that a point still wants."""
        there = {run["run"] for run in self.of(point)}
        return [number for number in range(self.plan["repetitions"])
                if number not in there]

    def short(self) -> list:
        """Points with fewer runs than wanted."""
        return [point for point in self.points if self.numbers_left(point)]


def load(folder: Path) -> Results:
    try:
        plan = json.loads((folder / "plan.json").read_text())
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} holds no results: {error}") from None
    results = Results(folder, plan, read_lines(folder / "runs.jsonl"))
    complete = {point.id for point in results.points
                if not results.numbers_left(point)}
    for line in read_lines(folder / "failed.jsonl"):
        if line["point"] not in complete:
            results.failed[line["point"]] = line["reason"]
    return results


class Store(Results):
    """A directory that is written; only one command at a time does."""

    def __init__(self, folder: Path, plan: dict):
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(folder / "lock", "w", encoding="utf-8")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(f"{folder}: another lab works there") from None
        for name in ("runs.jsonl", "failed.jsonl"):
            drop_cut_line(folder / name)
        if (folder / "plan.json").exists():
            self._same_build(folder, plan)
        super().__init__(folder, plan, read_lines(folder / "runs.jsonl"))
        whole = folder / "plan.json.new"
        whole.write_text(json.dumps(plan, indent=1) + "\n")
        whole.rename(folder / "plan.json")

    @staticmethod
    def _same_build(folder: Path, plan: dict) -> None:
        before = load(folder)
        if not before.runs:
            return
        for what in ("build", "quick"):
            was, is_ = before.plan.get(what), plan.get(what)
            if was != is_:
                raise StoreError(
                    f"{folder} has runs of another {what} ({was}, this is "
                    f"{is_}): `--fresh` forgets them, `--out DIR` keeps both")
        plan["versions"] = before.plan["versions"]  # of the day it was begun

    def close(self) -> None:
        self.lock.close()

    def add_run(self, point: Point, record: dict) -> dict:
        ours = {"point": point.id, "parameters": point.parameters}
        record = {**ours, **record, **ours}
        append(self.folder / "runs.jsonl", json.dumps(record) + "\n")
        self.runs.append(record)
        return record

    def add_failure(self, point: Point, reason: str) -> None:
        append(self.folder / "failed.jsonl", json.dumps(
            {"point": point.id, "parameters": point.parameters,
             "reason": reason}) + "\n")
        self.failed[point.id] = reason

    def add_commands(self, commands: list) -> None:
        append(self.folder / "commands.txt",
               "".join(f"{command}\n" for command in commands))


def forget(folder: Path) -> None:
    """What was measured there; the rest is made anew."""
    for name in ("runs.jsonl", "failed.jsonl", "commands.txt", "plan.json"):
        (folder / name).unlink(missing_ok=True)


def find(name: str, out: Path) -> Optional[Path]:
    """A directory of results by its path, or by its name in out/lab."""
    for folder in (Path(name), out / name):
        if (folder / "plan.json").is_file():
            return folder
    return None
