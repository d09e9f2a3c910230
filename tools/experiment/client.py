"""The client outside: datagrams at a steady pace to a guest that sends each back.

    hz = bearable(hosts, point)        # before the first migration
    client = Client(hosts, hz)
    client.begin(); ...; client.end("before", 0)
    client.begin(); ...; client.end("during", 0.3)
    client.record, client.windows
"""

import time
from typing import Optional

from rig.hosts import Hosts
from rig.traffic import Echoes

from .guests import ADDRESS
from .points import Point

WINDOW, WINDOW_ECHOES = 0.05, 20  # seconds, but so many echoes at least
PACES = (1000, 500, 200, 100, 50, 20, 10)  # datagrams a second
LOST_MOST = 0.02
PATIENCE = 30  # seconds


def window_of(hz: int) -> float:
    """Long enough that one echo more or less is no tenth."""
    return max(WINDOW, WINDOW_ECHOES / hz) if hz else 0


def windows_of(times: list, window: float) -> list:
    """Echoes that came in each stretch of time, as windows of work."""
    if not times:
        return []
    first, last = min(times), max(times)
    counts = [0] * (int((last - first) / window) + 1)
    for when in times:
        counts[int((when - first) / window)] += 1
    return [[round(window * 1e6), n] for n in counts[:-1]]


class Client:
    """Who looks at the guest from outside while it is moved."""

    def __init__(self, hosts: Hosts, hz: int):
        self.hosts, self.hz = hosts, hz
        self.now: Optional[Echoes] = None
        self.record: dict = {"hz": hz} if hz else {}
        self.windows: dict = {}

    def begin(self) -> None:
        """The guest has answered when this returns."""
        if self.hz:
            with self.hosts.background.lock:
                self.now = Echoes(self.hosts.outside, ADDRESS, hz=self.hz)
                self.now.begin()
            self._answered(0)

    def _answered(self, number: int) -> None:
        """That datagram, or a later one: a silence has an end only then."""
        until = time.monotonic() + PATIENCE
        while self.now and self.now.newest < number:
            if time.monotonic() > until:
                raise TimeoutError("the guest does not answer the client "
                                   f"outside for {PATIENCE} s")
            time.sleep(0.01)

    def end(self, when: str, wait: float) -> None:
        """So long after the guest has answered what is sent from now on."""
        if not self.now:
            return
        self._answered(self.now.sent)
        time.sleep(wait)
        with self.hosts.background.lock:
            self.now.end()
        time.sleep(0.3)
        self.record[when] = self.now.summary()
        self.windows[when] = windows_of(list(self.now.times.values()),
                                        window_of(self.hz))
        self.now = None


def bearable(hosts: Hosts, point: Point) -> int:
    """The pace that the file wants; auto: the quickest one that the guest could
    bear twice. What it cannot answer would only queue up, and the queue would be
    measured; nor would what came while it stood ever be caught up with."""
    if point["echo"] != "auto":
        return point["echo"]
    if point["guest"] != "linux" or point.bochs:
        return 0
    return next((hz for hz in PACES if bears(hosts, 2 * hz)), 0)


def bears(hosts: Hosts, hz: int) -> bool:
    with hosts.background.lock:
        echoes = Echoes(hosts.outside, ADDRESS, hz=hz)
        echoes.begin()
    time.sleep(0.6)
    with hosts.background.lock:
        echoes.end()
    time.sleep(0.2)
    good = bool(echoes.times) and echoes.lost <= echoes.sent * LOST_MOST
    # The rest is out of the way before anything else is tried.
    until = time.monotonic() + 10
    while echoes.lost and time.monotonic() < until:
        time.sleep(0.1)
    return good
