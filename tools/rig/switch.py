"""The network between hosts and the outside: a learning switch of cables, with
the outside's machine as one more port.

    with Switch([plug(path_a), plug(path_b)], "10.0.0.1") as switch:
        switch.connect(60)                  # both hosts are there
        switch.outside.ping("10.0.0.2")     # whichever host it is on
        switch.port_of("52:54:00:47:00:00") # 0: behind the first cable

It learns from each frame's source where its machine is, as switches do, so a
guest that moved is found again once it has sent something. `moves` says when an
address was seen behind another cable than before. A cable that ends (a host that
was killed) is passed by.
"""

import select
import time
from typing import Iterable, Optional

from .cable import Cable, Pcap
from .outside import Outside
from .packets import mac_bytes


class Switch(Cable):
    """To the outside it is its cable."""

    name = "switch"
    OUTSIDE = -1

    def __init__(self, cables: Iterable[Cable], ip: str = "10.0.0.1",
                 pcap: Optional[Pcap] = None):
        self.cables = list(cables)
        self.learned: dict = {}  # mac -> port
        self.moves: list = []  # (when, mac, from port, to port)
        self.passed = [0] * len(self.cables)  # frames that came, by port
        self.inbox: list = []  # for the outside
        self.heard: set = set()  # cables that `ready` watches
        self.full: set = set()  # those that take no more just now
        self.ready = select.epoll()
        self.outside = Outside(self, ip, pcap=pcap)

    def __enter__(self) -> "Switch":
        return self

    def __exit__(self, *_: object) -> None:
        self.outside.close()

    def connect(self, timeout: float) -> None:
        for port in range(len(self.cables)):
            self.connect_port(port, timeout)

    def connect_port(self, port: int, timeout: float) -> None:
        self.cables[port].connect(timeout)
        self.ready.register(self.cables[port].fileno(), select.EPOLLIN)
        self.heard.add(self.cables[port])

    def unplug(self, port: int) -> None:
        self._deaf_to(self.cables[port])
        self.cables[port].close()

    def replace(self, port: int, cable: Cable) -> None:
        """A new cable in the place of one unplugged; connect_port() next."""
        self.cables[port] = cable

    def port_of(self, mac: str) -> Optional[int]:
        return self.learned.get(mac_bytes(mac))

    # --- as the outside's cable

    def fileno(self) -> int:
        return self.ready.fileno()

    def send(self, frame: bytes) -> None:
        self._forward(frame, self.OUTSIDE)

    def receive(self) -> list:
        for port, cable in enumerate(self.cables):
            if self._is_open(cable):
                self._take(port, cable)
        self.write()
        for cable in [cable for cable in self.heard if cable.closed]:
            self._deaf_to(cable)
        frames, self.inbox = self.inbox, []
        return frames

    def write(self) -> None:
        for cable in self.cables:
            if not self._is_open(cable):
                continue
            full = False
            if cable.waiting:
                cable.write()
                full = cable.waiting
            # So that fileno() can be read when there is room again.
            if full != (cable in self.full) and not cable.closed:
                self.full ^= {cable}
                self.ready.modify(cable.fileno(), select.EPOLLIN
                                  | (select.EPOLLOUT if full else 0))

    @property
    def waiting(self) -> bool:
        return any(c.waiting and not c.closed for c in self.cables)

    @property
    def closed(self) -> bool:
        return all(cable.closed for cable in self.cables)

    def close(self) -> None:
        for cable in self.cables:
            cable.close()
        self.ready.close()

    # --- the switch

    def _is_open(self, cable: Cable) -> bool:
        return cable in self.heard and not cable.closed

    def _deaf_to(self, cable: Cable) -> None:
        if cable in self.heard:
            self.ready.unregister(cable.fileno())
            self.heard.discard(cable)
            self.full.discard(cable)

    def _take(self, port: int, cable: Cable) -> None:
        for frame in cable.receive():
            self.passed[port] += 1
            self._forward(frame, port)

    def _learn(self, mac: bytes, port: int) -> None:
        before = self.learned.get(mac)
        if before == port or mac[0] & 1:
            return
        self.learned[mac] = port
        if before is not None:
            self.moves.append((time.monotonic(), mac.hex(":"), before, port))

    def _forward(self, frame: bytes, port: int) -> None:
        self._learn(frame[6:12], port)
        to = None if frame[0] & 1 else self.learned.get(frame[:6])
        if to == port:
            return
        if to in (None, self.OUTSIDE) and port != self.OUTSIDE:
            self.inbox.append(frame)
        for other, cable in enumerate(self.cables):
            if other != port and to in (None, other) and self._is_open(cable):
                cable.send(frame)
