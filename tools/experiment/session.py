"""A pair of hosts that serves points, and what one migration there leaves behind.

    with Pair(points, folder) as pair:
        pair.begin(point)             # its guest is warm on alpha
        record = pair.run(point, 0)   # a line of runs.jsonl
        pair.end()

PLATFORMS says who serves which platform; whoever else offers the same four calls
can be put there.
"""

import importlib
import time
from pathlib import Path
from typing import Any, Optional

from rig.hosts import Hosts, Move, NotMoved
from rig.traffic import Flow

from . import client
from .guests import (ADDRESS, Guest, GuestFailed, failures_in, guest_of,
                     window_of, work_in)
from .keys import CABLE, EXACT
from .points import Point, ends_of
from .settings import (NEWER, cable_words, end_of, migrate_words, setup_time)

WINDOWS_BEFORE = 5  # of work, before a migration
WARM = 1  # seconds, twice: until a connection runs, and to see how fast


class Pair:
    def __init__(self, points: list, folder: Path):
        self.points, self.folder = points, folder
        self.guests = self._guests()
        first, second = ends_of(points[0]["platform"])
        guests = list(self.guests.values())
        # Where the guest goes its section is not needed, but harmless.
        self.hosts = Hosts(
            (end_of(points[0], first, guests),
             end_of(points[0], second, guests)), folder,
            box=any(point[key] for point in points for key in CABLE))
        self.newer = any(point[key] for point in points for key in NEWER)
        self.guest: Guest
        self.places: list = []
        self.flow: Optional[Flow] = None
        self.hz = 0  # of the client outside

    def _guests(self) -> dict:
        """By what they are; points that have the same share one."""
        found: dict = {}
        for point in self.points:
            kind = guest_of(point, "").section
            if kind not in found:
                found[kind] = guest_of(point, f"guest{len(found)}")
        return found

    def __enter__(self) -> "Pair":
        self.hosts.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.hosts.__exit__(*error)

    def commands(self) -> list:
        """The emulators' command lines."""
        return [" ".join(host.machine.command) for host in self.hosts.hosts]

    # --- a point

    def begin(self, point: Point) -> None:
        self.guest = self.guests[guest_of(point, "").section]
        self.places = list(self.hosts.hosts)
        seen = len(self.hosts.a.text)
        self.hosts.a.ask(f"vm start {self.guest.name}")
        self._said(self.hosts.a, self.guest.warm, seen, 900)
        if point["workload"] == "server":
            self._begin_flow()
        self.hz = client.bearable(self.hosts, point)

    def _begin_flow(self) -> None:
        """A server that is busy, but no more than half of the time: one that has
        nothing to spare never catches up with what came while it stood."""
        with self.hosts.background.lock:
            self.flow = flow = Flow(self.hosts.outside, ADDRESS, window=16384)
            flow.begin()
        until = time.monotonic() + 30
        while not flow.received:
            if time.monotonic() > until:
                raise TimeoutError("no byte of the connection came back")
            time.sleep(0.05)
        time.sleep(WARM)
        start, was = time.monotonic(), flow.received
        time.sleep(WARM)
        with self.hosts.background.lock:
            flow.slow_to((flow.received - was) / (time.monotonic() - start) / 2)

    def end(self) -> None:
        """The guest is gone from where it runs, and where it ran."""
        if self.flow:
            with self.hosts.background.lock:
                self.flow.close()
            self.flow = None
        for host in self.places:
            row = host.vm(self.guest.name)
            if row and row["state"] != "off":
                host.ask(f"vm stop {self.guest.name}")

    # --- a migration

    def _said(self, host, text: str, seen: int, timeout: float) -> None:
        """The guest says it, behind that place of the host's console."""
        vm = self.guest.name

        def look():
            news = host.console.screen.done[seen:]
            wrong = failures_in(news, vm)
            if wrong:
                raise GuestFailed(wrong[0])
            # A shell's prompt may stand before it.
            return any(line.startswith(f"{vm}| ") and text in line
                       for line in news.splitlines()) or None

        host.console.wait_for(look, f"{vm}| {text}", timeout)

    def _goes_on(self, point: Point, host, seen: int) -> None:
        if point["guest"] == "walker":
            self._said(host, "walker: work" if window_of(point) else
                       "walker: generation", seen, 120)
        elif not host.runs(self.guest.name):
            raise GuestFailed(f"{self.guest.name} does not run on {host.name}")

    def _has_pace(self, point: Point, host, seen: int) -> None:
        """Its usual pace is known."""
        self._goes_on(point, host, seen)
        if window_of(point):
            host.console.wait_for(
                lambda: len(work_in(host.text[seen:], self.guest.name))
                >= WINDOWS_BEFORE or None, "some windows of work", 120)

    def run(self, point: Point, number: int, settle: int = 700,
            timeout: float = 180) -> dict:
        """There, or back: a record of all that was measured."""
        source, target = self.places
        wire: Any = self.hosts.wire if self.hosts.box else None
        if wire:
            wire.set(*cable_words(point, number, self.newer))
        looker = client.Client(self.hosts, self.hz)
        seen = len(source.text)
        looker.begin()
        time.sleep(max(settle / 1000,
                       WINDOWS_BEFORE * client.window_of(self.hz)))
        self._has_pace(point, source, seen)
        looker.end("before", 0)
        stats = wire.stats() if wire else None
        looker.begin()
        record = {"from": source.name, "to": target.name}
        begun = Hosts.begin(self.guest.name, source, target,
                            **migrate_words(point))
        try:
            move = self.hosts.finish(self.guest.name, source, target, begun,
                                     timeout)
        except NotMoved as error:
            looker.end("during", 0.3)
            whole = source.report(self.guest.name, begun)
            return record | {"moved": False, "reason": str(error),
                             "code": error.event.get("code"),
                             "report": whole["report"]}
        self.places.reverse()
        self._goes_on(point, target, begun.told)
        looker.end("during", 0.3)
        if wire:
            record["cable"] = {"before": stats, "after": wire.stats()}
        return record | self._record(point, move, looker, source, begun,
                                     source.text[seen:begun.said])

    def _record(self, point: Point, move: Move,
                looker: client.Client, source, begun, before: str) -> dict:
        vm = self.guest.name
        if len(move.certificates) != 2 or len(set(move.certificates)) != 1:
            raise GuestFailed(f"certificates differ: {move.certificates}")
        if self.flow and self.flow.wrong:
            raise GuestFailed(f"the connection: {self.flow.wrong}")
        target = self.places[0]
        work: dict = {"before": work_in(before, vm),
                      "during": work_in(source.text[begun.said:], vm)
                      + work_in(target.text[begun.told:], vm)}
        if looker.windows:
            work = dict(looker.windows, clock="outside")
        events = source.control.events[begun.source:]
        return {"moved": True, "seconds": round(move.seconds, 3),
                "setup_us": setup_time(events), "report": move.report,
                "parts": move.parts, "arrived": move.arrived,
                "work": work if work["before"] else None,
                "echoes": looker.record or None}


def serve(points: list, folder: Path):
    """Who serves these points, which all have the same hosts."""
    module, name = PLATFORMS.get(points[0]["platform"], ("session", "Pair"))
    made = getattr(importlib.import_module(f".{module}", __package__), name)
    return made(points, folder)


# Platforms that are no pair of emulators: module and class that serve them.
PLATFORMS = {platform: ("exact", "Exact") for platform in EXACT}
