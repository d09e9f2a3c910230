"""Platforms that repeat a run to the byte: source and target in one emulated
machine whose clock counts instructions (rig/onemachine.py). Times are virtual.

The calls are those of session.Pair; each migration is a machine of its own, and
goes one way.
"""

from pathlib import Path

from rig import onemachine
from rig.hosts import NotMoved

from .guests import GuestFailed, failures_in, guest_of, work_in
from .points import Point
from .settings import migrate_words, setup_time

VM = "guest0"
WARM = 3  # seconds of virtual time until all pages are written


class Exact:
    def __init__(self, _points: list, folder: Path):
        self.folder = folder
        self.section = ""

    def __enter__(self) -> "Exact":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def commands(self) -> list:
        """Of the last machine."""
        try:
            return [(self.folder / "command").read_text().strip()]
        except OSError:
            return []

    def begin(self, point: Point) -> None:
        self.section = guest_of(point, VM).section

    def end(self) -> None:
        pass

    def run(self, point: Point, _number: int, _settle: int = 0,
            timeout: float = 180) -> dict:
        record: dict = {"from": onemachine.NAME, "to": onemachine.NAME}
        buffers = f"buffers = {point['buffers']}\n" if point["buffers"] else ""
        try:
            move = onemachine.one_run(
                point["platform"], self.section, migrate_words(point),
                point["seed"], self.folder, timeout, wait=WARM, then="wait 1",
                migrate=f"security = {point['security']}\n{buffers}")
        except NotMoved as error:
            raise GuestFailed(f"not moved: {error}") from error
        return record | self._record(move)

    @staticmethod
    def _record(move) -> dict:
        arrived = VM + onemachine.ARRIVED
        for vm in (VM, arrived):
            wrong = failures_in(move.said, vm)
            if wrong:
                raise GuestFailed(wrong[0])
        if len(move.certificates) != 2 or len(set(move.certificates)) != 1:
            raise GuestFailed(f"certificates differ: {move.certificates}")
        before, _, during = move.said.partition(f"{VM}: moves to ")
        # The first windows are of the time when it wrote all its pages.
        work = {"before": work_in(before, VM)[-25:],
                "during": work_in(during, VM)
                + work_in(during, arrived)[:25]}
        # No time of ours: the lines of another day are to be the same.
        return {"moved": True, "setup_us": setup_time(move.events),
                "report": move.report, "parts": move.parts,
                "arrived": move.arrived,
                "work": work if work["before"] else None, "echoes": None,
                "hash": move.hash}
