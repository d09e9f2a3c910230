"""What an outside client sees of a guest: datagrams at a steady pace, and a byte
stream of which every byte counts.

    echoes = Echoes(outside, "10.0.0.2", hz=1000)
    flow = Flow(outside, "10.0.0.2")
    with Background(outside):       # a thread carries both on
        ...
        echoes.begin()
        ...
    print(echoes.lost, echoes.largest_gap)

The guest has udpecho and tcpcount (tests/linux/programs).
"""

import statistics
import threading
import time
from typing import Optional

from .outside import Outside

ECHO_PORT, COUNT_PORT = 7, 5
NUMBER = 8  # bytes of a datagram's number
PIECE = 1 << 16


class Background:
    """Steps an outside in a thread; other threads only read, or use `lock`."""

    STEP = 0.0004  # how exactly a pace is kept

    def __init__(self, outside: Outside):
        self.outside = outside
        self.lock = threading.Lock()
        self.over = False
        self.error: Optional[BaseException] = None
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Background":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.thread.join()
        if self.error:
            raise self.error

    def _run(self) -> None:
        try:
            while not self.over:
                with self.lock:
                    self.outside.step(self.STEP if self.outside.pumps else 0.02)
                time.sleep(0)
        except BaseException as error:  # for the thread that waits for us
            self.error = error


class Echoes:
    """Numbered datagrams to a guest that sends each back; with a `limit`, not
    more than so many under way, so that a slow one is not drowned."""

    def __init__(self, outside: Outside, ip: str, hz: float = 1000,
                 port: int = ECHO_PORT, size: int = 64,
                 limit: Optional[int] = None):
        self.outside, self.ip, self.port = outside, ip, port
        self.every, self.limit = 1 / hz, limit
        self.filler = bytes(size - NUMBER)
        self.local = 20000 + outside.endpoint.random.randrange(10000)
        self.sent = 0
        self.departed: list = []  # by number: when it was sent
        self.times: dict = {}  # number -> when its echo came
        self.repeated = self.reordered = 0
        self.newest = -1
        self.next = 0.0
        outside.endpoint.udp_ports[self.local] = self._came

    def begin(self) -> None:
        self.next = time.monotonic()
        self.outside.pumps.append(self._pump)

    def end(self) -> None:
        """No more are sent; what is under way may still come."""
        self.outside.pumps.remove(self._pump)

    def _pump(self) -> None:
        now = time.monotonic()
        if now - self.next > 0.05:
            self.next = now  # we were held up, not the guest: no burst
        while self.next <= now:
            if self.limit and self.lost >= self.limit:
                self.next = now
                return
            self.outside.endpoint.send_udp(
                self.ip, self.local, self.port,
                self.sent.to_bytes(NUMBER, "big") + self.filler)
            self.departed.append(time.monotonic())
            self.sent += 1
            self.next += self.every

    def _came(self, _ip: str, _port: int, payload: bytes) -> None:
        number = int.from_bytes(payload[:NUMBER], "big")
        if number in self.times:
            self.repeated += 1
            return
        self.times[number] = time.monotonic()
        self.reordered += number < self.newest
        self.newest = max(self.newest, number)

    # --- what came of it

    @property
    def lost(self) -> int:
        return self.sent - len(self.times)

    def trips(self, start: int = 0) -> list:
        """(when it was sent, seconds there and back or None), by number."""
        start, times = max(start, 0), self.times
        return [(begun, times[n] - begun if n in times else None)
                for n, begun in enumerate(self.departed[start:], start)]

    def gaps(self) -> list:
        """Seconds between two echoes, as they came."""
        times = sorted(self.times.values())
        return [after - before for before, after in zip(times, times[1:])]

    @property
    def largest_gap(self) -> float:
        return max(self.gaps(), default=0.0)

    def summary(self) -> dict:
        gaps = self.gaps() or [0.0]
        return {"sent": self.sent, "lost": self.lost,
                "repeated": self.repeated, "reordered": self.reordered,
                "gap_median_us": round(statistics.median(gaps) * 1e6),
                "gap_99_us": round(sorted(gaps)[len(gaps) * 99 // 100] * 1e6),
                "gap_max_us": round(max(gaps) * 1e6)}


def stream_bytes(start: int, size: int) -> bytes:
    """Byte N is the top byte of N times a constant."""
    return bytes((n * 0x9e3779b1 >> 24) & 0xff
                 for n in range(start, start + size))


class Flow:
    """A connection to a guest that sends everything back; both ends look at
    every byte. With a `pace`, not more than so many bytes a second."""

    def __init__(self, outside: Outside, ip: str, port: int = COUNT_PORT,
                 window: int = PIECE, pace: Optional[float] = None):
        self.outside = outside
        self.window, self.pace = window, pace
        self.begun, self.begun_at = 0.0, 0  # when, and at which byte
        self.sent = self.received = 0
        self.wrong: Optional[str] = None
        self.last = 0.0
        self.largest_gap = 0.0
        self.running = False
        # The pattern repeats with 2^32 only; pieces are cheap, bytes are not.
        self.ahead = stream_bytes(0, window)
        self.due = bytearray()  # sent, not back yet
        self.connection = outside.endpoint.connect(ip, port)

    def begin(self) -> None:
        self.running = True
        self.begun = self.last = time.monotonic()
        self.outside.pumps.append(self._pump)

    def slow_to(self, pace: float) -> None:
        """From now on."""
        self.begun, self.begun_at = time.monotonic(), self.sent
        self.pace = pace

    def end(self) -> None:
        """No more is written; what is under way comes back yet."""
        self.running = False

    def close(self) -> None:
        self.outside.pumps.remove(self._pump)
        self.connection.close()

    def _pump(self) -> None:
        connection = self.connection
        data = connection.read()
        if data:
            self._check(data)
        if connection.ended:
            self.wrong = self.wrong or connection.error or "closed"
        room = self.window - len(self.due)
        if self.pace:
            due = (time.monotonic() - self.begun) * self.pace + self.begun_at
            room = min(room, int(due) - self.sent)
        if self.running and connection.open and room >= 4096:
            piece = self.ahead[:room]
            connection.write(piece)
            self.due += piece
            self.sent += len(piece)
            self.ahead = self.ahead[len(piece):] \
                + stream_bytes(self.sent + len(self.ahead) - len(piece),
                               len(piece))

    def _check(self, data: bytes) -> None:
        now = time.monotonic()
        self.largest_gap = max(self.largest_gap, now - self.last)
        self.last = now
        if data != self.due[:len(data)]:
            self.wrong = f"wrong bytes behind byte {self.received}"
        del self.due[:len(data)]
        self.received += len(data)

    @property
    def whole(self) -> bool:
        """All that was sent came back."""
        return not self.wrong and not self.due
