"""Serves points on one pair of hosts, in a process of its own, and tells the
command what comes of it: a JSON line each.

    {"say": "starts two hosts"}              for people
    {"commands": ["qemu-system-x86_64 ..."]}
    {"point": ID, "run": {...}}              a line for runs.jsonl
    {"point": ID, "failed": "why"}           the rest goes on

What is to be done comes on standard input. Whatever happens to the command, this
process and its emulators end with it.
"""

import json
import shutil
import sys
import traceback
from pathlib import Path

from rig.hosts import Refused

from . import session
from .guests import GuestFailed
from .points import Point

# What can go wrong with a point; anything else is a mistake of ours.
TROUBLE = (GuestFailed, Refused, TimeoutError, RuntimeError, OSError)


class NotAllowed(Exception):
    """A migration was given up, and that is no result here."""


def tell(**what: object) -> None:
    print(json.dumps(what), flush=True)


class Worker:
    def __init__(self, task: dict):
        self.task = task
        self.points = [Point(parameters) for parameters in task["points"]]
        self.folder = Path(task["hosts"])
        self.failed = Path(task["failed"])
        self.told: list = []

    def work(self) -> None:
        left = list(self.points)
        while left:
            left = self._serve(left)

    def _serve(self, points: list) -> list:
        """On a new pair; what is left when a point has failed, since nobody
        knows what state its hosts are in."""
        tell(say="starts two hosts")
        try:
            with session.serve(points, self.folder) as pair:
                self._commands(pair)
                self._warm(pair, points[0])
                for at, point in enumerate(points):
                    good = self._point(pair, point)
                    self._commands(pair)
                    if not good:
                        return points[at + 1:]
        except TROUBLE as error:
            # Without hosts none of them can be measured.
            for point in points:
                self._fail(point, f"the hosts: {error}")
        return []

    def _commands(self, pair) -> None:
        """Those that were not told yet."""
        news = [text for text in pair.commands() if text not in self.told]
        self.told += news
        if news:
            tell(commands=news)

    def _warm(self, pair, point: Point) -> None:
        """An emulator translates code when it first runs: not to be measured.
        """
        wanted = self.task["warmup"]
        if wanted == "auto":
            wanted = 0 if point.bochs else 2
        if not wanted:
            return
        tell(say="warms up")
        pair.begin(point)
        for number in range(wanted):
            pair.run(point, number, self.task["settle"], self.task["timeout"])
        pair.end()

    def _point(self, pair, point: Point) -> bool:
        try:
            tell(say=f"starts {point['guest']}", point=point.id)
            pair.begin(point)
            for number in self.task["numbers"][point.id]:
                self._run(pair, point, number)
            pair.end()
        except (*TROUBLE, NotAllowed) as error:
            self._fail(point, str(error))
            return False
        return True

    def _run(self, pair, point: Point, number: int) -> None:
        tell(say=f"run {number + 1}", point=point.id)
        record = pair.run(point, number, self.task["settle"],
                          self.task["timeout"])
        if not record["moved"] and self.task["giving-up"] == "fails":
            raise NotAllowed(record["reason"])
        tell(point=point.id, run={"run": number, **record})

    def _fail(self, point: Point, reason: str) -> None:
        folder = self.failed / point.id
        shutil.rmtree(folder, ignore_errors=True)
        if self.folder.exists():
            shutil.copytree(self.folder, folder,
                            ignore=shutil.ignore_patterns("disk.img*"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "reason").write_text(
            f"{reason}\n\n{traceback.format_exc()}")
        tell(point=point.id, failed=reason.strip() or "no reason was given")


def main() -> int:
    Worker(json.load(sys.stdin)).work()
    return 0
