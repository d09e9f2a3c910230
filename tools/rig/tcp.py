"""One TCP connection as a state machine: segments and time come in through
calls, segments go out through one.

What is there is what a transfer over a cable that may lose needs (RFC 9293):
both ways of opening and closing, resets, windows with scaling, segments out of
order, retransmission by time (RFC 6298) and by repeated acknowledgements, slow
start and congestion avoidance (RFC 5681). No SACK, no timestamps, no urgent
data, no keep-alive but for a closed window.

Sequence numbers are kept whole, beyond 32 bits; unwrap() finds the one that is
meant by what stands in a segment.
"""

from typing import Callable, Optional

from .packets import ACK, FIN, MSS, PSH, RST, SCALE, SYN, Segment

OUR_SCALE = 6
BUFFER = 1 << 20  # bytes that we take before somebody reads them
SEND_BUFFER = 1 << 20  # bytes that write() takes before they are acknowledged
RTO_MIN, RTO_MAX = 0.2, 20.0
TRIES = 12  # of one segment
LINGER = 60.0  # a connection that has ended still answers so long


def unwrap(value: int, near: int) -> int:
    distance = (value - near) & 0xffffffff
    return near + distance - (1 << 32 if distance >= 1 << 31 else 0)


class Connection:
    """read(), write(), close(); `open`, `ended` and `error` say how it is."""

    def __init__(self, local: tuple, remote: tuple, start: int, mss: int,
                 now: float, transmit: Callable[[Segment], None],
                 syn: Optional[Segment] = None):
        self.local, self.remote = local, remote  # (ip, port)
        self.transmit = transmit
        self.now = now
        self.on_event: Callable[["Connection"], None] = lambda _: None
        self.open = False
        self.error = ""
        self.ended_at: Optional[float] = None
        # Sending: out[0] is sequence number `first`.
        self.una = self.next = self.highest = start
        self.first = start + 1
        self.out = bytearray()
        self.fin: Optional[int] = None  # its sequence number, once closed
        self.mss = mss
        self.window, self.scale = mss, 0
        self.congestion, self.threshold = 10 * mss, 1 << 30
        self.repeats, self.recover = 0, start
        # Time.
        self.rto, self.smooth, self.variation = 1.0, 0.0, 0.0
        self.timed: Optional[tuple] = None  # (sequence number, when sent)
        self.deadline: Optional[float] = None
        self.tries = 0
        # Receiving.
        self.expected = 0
        self.inbox = bytearray()
        self.early: dict = {}  # sequence number -> bytes
        self.peer_fin: Optional[int] = None
        self.ack_due = False
        self.our_scale = OUR_SCALE
        self.advertised = BUFFER
        # Counts.
        self.retransmits = self.repeated = self.received = 0
        self.server = syn is not None
        if syn:
            self._heard_syn(syn)
        self._send_from(self.una)

    # --- for its user

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def readable(self) -> int:
        return len(self.inbox)

    @property
    def at_end(self) -> bool:
        """Nothing more will be read."""
        return not self.inbox and (self.ended or self._peer_closed)

    @property
    def room(self) -> int:
        """How much write() would take now."""
        return max(0, SEND_BUFFER - len(self.out))

    @property
    def unacknowledged(self) -> int:
        return len(self.out)

    def read(self, most: int = 1 << 30) -> bytes:
        data = bytes(self.inbox[:most])
        del self.inbox[:most]
        # Say so when a window that was nearly shut is open again.
        if data and self.advertised < BUFFER // 2 <= BUFFER - len(self.inbox):
            self.ack_due = True
        return data

    def write(self, data: bytes) -> None:
        if self.fin is None and not self.ended:
            self.out += data
            self.push()

    def close(self) -> None:
        """No more will be written; what was, still goes out."""
        if self.fin is None and not self.ended:
            self.fin = self.first + len(self.out)
            self.push()

    def abort(self) -> None:
        if not self.ended:
            self._emit(self.next, RST | ACK, b"")
            self._end("aborted")

    # --- sending

    def _emit(self, sequence: int, flags: int, payload: bytes,
              options: Optional[dict] = None) -> None:
        self.advertised = max(0, BUFFER - len(self.inbox))
        window = self.advertised
        if not options:
            window >>= self.our_scale
        self.transmit(Segment(self.local[1], self.remote[1], sequence,
                              self.expected if flags & ACK else 0, flags,
                              min(window, 0xffff), payload, options or {}))
        self.ack_due = False

    @property
    def _end_of_data(self) -> int:
        return self.first + len(self.out)

    def _send_from(self, sequence: int) -> int:
        """Sends the segment that begins there; where the next one begins."""
        if sequence < self.first and not self.open:
            flags = SYN | (ACK if self.server else 0)
            self._emit(sequence, flags, b"", {MSS: self.mss, SCALE: OUR_SCALE})
            after = sequence + 1
        else:
            at = sequence - self.first
            payload = bytes(self.out[at:at + self.mss])
            after = sequence + len(payload)
            flags = ACK | (PSH if payload and after == self._end_of_data else 0)
            if after == self.fin:
                flags |= FIN
                after += 1
            self._emit(sequence, flags, payload)
        if sequence < self.highest:
            self.retransmits += 1
            self.timed = None
        elif self.timed is None:
            self.timed = (after, self.now)
        self.next = max(self.next, after)
        self.highest = max(self.highest, after)
        if self.deadline is None:
            self.deadline = self.now + self.rto
        return after

    @property
    def _all_sent(self) -> int:
        """What `next` is when nothing waits."""
        return self._end_of_data + (self.fin is not None)

    def push(self) -> None:
        """Sends what the windows let go."""
        if not self.open or self.ended:
            return
        limit = self.una + min(self.window, self.congestion)
        while self.next < self._all_sent and self.next < limit:
            left = self._end_of_data - self.next
            # Half a segment only at the end of what there is.
            if left > 0 and limit - self.next < min(left, self.mss) \
                    and self.next > self.una:
                break
            self.next = self._send_from(self.next)
        if self.next < self._all_sent and self.deadline is None:
            self.deadline = self.now + self.rto  # the window is shut: probe it

    # --- time

    def tick(self, now: float) -> None:
        self.now = now
        if self.ended or self.deadline is None or now < self.deadline:
            return
        if self.una == self.next == self._all_sent:
            self.deadline = None
            return
        self.tries += 1
        if self.tries > TRIES:
            self._end("no answer")
            return
        self.rto = min(self.rto * 2, RTO_MAX)
        self.deadline = now + self.rto
        self.threshold = max((self.next - self.una) // 2, 2 * self.mss)
        self.congestion = self.mss
        self.recover, self.repeats = self.next, 0
        # All that is out counts as lost: what has arrived will be skipped.
        self.next = self.una
        self.next = self._send_from(self.una)

    def flush(self) -> None:
        """At the end of a batch: one acknowledgement for all of it."""
        if self.ack_due and not self.error:
            self._emit(self.next, ACK, b"")

    def _measure(self, ack: int) -> None:
        if self.timed is None or ack < self.timed[0]:
            return
        took = self.now - self.timed[1]
        self.timed = None
        if not self.smooth:
            self.smooth, self.variation = took, took / 2
        else:
            self.variation += (abs(self.smooth - took) - self.variation) / 4
            self.smooth += (took - self.smooth) / 8
        self.rto = min(max(self.smooth + 4 * self.variation, RTO_MIN), RTO_MAX)

    # --- receiving

    def _end(self, error: str = "") -> None:
        if self.ended_at is None:
            self.ended_at = self.now
            self.error = error
            self.deadline = None
            self.on_event(self)

    def _heard_syn(self, s: Segment) -> None:
        self.expected = s.sequence + 1
        self.mss = min(self.mss, s.options.get(MSS, 536))
        self.congestion = 10 * self.mss
        if SCALE in s.options:
            self.scale = min(s.options[SCALE], 14)
        else:
            self.our_scale = 0
        self.window = s.window  # of a SYN: never scaled

    def receive(self, s: Segment, now: float) -> None:
        self.now = now
        if s.flags & RST:
            self._reset(s)
            return
        if not self.open and not self._opening(s):
            return
        if s.flags & SYN:
            # Of a handshake whose end the peer has not seen.
            self.ack_due = True
        if s.flags & ACK and not self.ended:
            self._acknowledged(s)
        self._take(s)
        if self.ended:
            return
        self.push()
        if self._peer_closed and self.fin is not None \
                and self.una > self.fin:
            self._end()
        else:
            self.on_event(self)

    def _reset(self, s: Segment) -> None:
        if self.open or self.server:
            distance = (s.sequence - self.expected) & 0xffffffff
            if distance > BUFFER:
                return
        elif unwrap(s.ack, self.una) != self.una + 1:
            return
        self._end("reset by the peer")

    def _opening(self, s: Segment) -> bool:
        """Whether this segment, or an earlier one, opens the connection."""
        if not s.flags & ACK or unwrap(s.ack, self.una) != self.first:
            return False
        if not self.server:
            if not s.flags & SYN:
                return False
            self._heard_syn(s)
            self.ack_due = True
        self.open = True
        return True

    def _acknowledged(self, s: Segment) -> None:
        ack = unwrap(s.ack, self.una)
        if ack > self.highest:
            self.ack_due = True
            return
        self.tries = 0
        opened = False
        if not s.flags & SYN and ack >= self.una:
            window = s.window << self.scale
            opened = window > self.window
            self.window = window
        if ack > self.una:
            self._advance(ack)
        elif ack == self.una < self.next and not s.payload and not opened \
                and not s.flags & (SYN | FIN):
            self._repeat()

    def _advance(self, ack: int) -> None:
        grown = ack - self.una
        self._measure(ack)
        gone = min(ack, self._end_of_data) - self.first
        if gone > 0:
            del self.out[:gone]
            self.first += gone
        self.una, self.next = ack, max(self.next, ack)
        self.repeats = 0
        self.deadline = None if ack >= self._all_sent else self.now + self.rto
        if ack < self.recover:
            # More of the same window was lost (RFC 6582).
            if self.next > self.una:
                self._send_from(self.una)
        elif self.congestion < self.threshold:
            self.congestion += min(grown, 2 * self.mss)
        else:
            self.congestion += self.mss * self.mss // self.congestion + 1

    def _repeat(self) -> None:
        self.repeats += 1
        if self.repeats == 3 and self.una >= self.recover:
            self.threshold = max((self.next - self.una) // 2, 2 * self.mss)
            self.congestion = self.threshold
            self.recover = self.next
            self._send_from(self.una)

    @property
    def _peer_closed(self) -> bool:
        return self.peer_fin is not None and self.expected > self.peer_fin

    def _take(self, s: Segment) -> None:
        """Data and FIN, in whatever order they come."""
        sequence = unwrap(s.sequence, self.expected)
        if s.flags & SYN:
            sequence += 1
        data = s.payload
        if s.flags & FIN:
            self.peer_fin = sequence + len(data)
        if not data and not s.flags & FIN:
            # Beside the window: a probe, or news of what is long known.
            self.ack_due |= sequence != self.expected
            return
        if sequence + len(data) < self.expected:
            self.repeated += 1
        elif sequence <= self.expected:
            self._append(data[self.expected - sequence:])
        elif sequence - self.expected <= BUFFER:
            self.early[sequence] = max(data, self.early.get(sequence, b""),
                                       key=len)
            self._emit(self.next, ACK, b"")  # at once: something is missing
        while self.early:
            at = min(self.early)
            if at > self.expected:
                break
            self._append(self.early.pop(at)[self.expected - at:])
        if self.peer_fin == self.expected:
            self.expected += 1
        self.ack_due = True

    def _append(self, data: bytes) -> None:
        # What does not fit comes again.
        data = data[:max(0, BUFFER - len(self.inbox))]
        self.inbox += data
        self.received += len(data)
        self.expected += len(data)
