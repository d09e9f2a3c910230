"""What a capture of migrations holds: the guest's memory and state, rebuilt.

    found = read(Path("move.pcap"), secrets=[secret_of("the operators' key")])
    for migration in found.migrations:
        print(migration.verdict(), migration.missing())

It reads as a target does (docs/wire.md): a frame counts once, if its tag is
right; page frames in any order within their window; records by their sequence.
So a capture may have what a bad cable makes of frames. Unlike a target it looks
at what both ends say, and knows by that what it has not got.

Sessions that are sealed need their keys: those of encrypted ones to be read at
all, others to look at the tags. No pre-shared key gives them, for the X25519
secrets are gone (docs/captures.md): the hosts say them when they are told to.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Optional

from .hashes import PAGE, check, memory_hash
from .pages import CODECS, apply
from .pcap import packets
from .protocol import (ACCEPT, AUTHENTICATE, BODY, CLEAR, CONTROL, CONTROL_HEAD,
                       DENY, ENCRYPT, GUEST, HELLO, KIND_NAMES, OFFER, PAGES,
                       Frame, Hello, Wrong, certificate_of, frame_of, hello_of,
                       need, page_records, record_of, text)
from .seal import Keys, derive, hello_tag, opened, tag_size

WINDOW = 64  # of page frames that are accepted
WAYS = {"s": "source", "t": "target"}


@dataclass
class Side:
    """What one end says in a session."""

    highest: dict = field(default_factory=lambda: {CONTROL: 0, PAGES: 0,
                                                   GUEST: 0})
    seen: dict = field(default_factory=lambda: {CONTROL: set(), PAGES: set(),
                                                GUEST: set()})
    records: dict = field(default_factory=dict)  # that came early
    taken: int = 0  # records, in order
    acknowledged: int = 0  # of the other end's
    received: set = field(default_factory=set)  # page frames (the target)

    def extended(self, kind: int, low: int) -> int:
        """The whole number, the nearest to the highest."""
        highest = self.highest[kind]
        number = highest & ~0xFFFFFFFF | low
        for near in (number - (1 << 32), number + (1 << 32)):
            if near >= 0 and abs(near - highest) < abs(number - highest):
                number = near
        return number

    def is_new(self, kind: int, number: int) -> bool:
        """As the receiver decides: once, and not too late."""
        if number in self.seen[kind] or \
                number + WINDOW <= self.highest[kind]:
            return False
        self.seen[kind].add(number)
        self.highest[kind] = max(self.highest[kind], number)
        return True


@dataclass
class Session:
    offer: Hello
    accept: Hello
    macs: dict  # address -> "s" or "t"
    keys: Optional[Keys]
    sides: dict = field(default_factory=lambda: {"s": Side(), "t": Side()})
    tries: int = 8  # frames by which its keys are looked for
    unread: int = 0  # frames that are encrypted

    @property
    def security(self) -> int:
        return self.accept.security

    def missing(self) -> list:
        """What one end has and the capture has not."""
        found, s, t = [], self.sides["s"], self.sides["t"]
        if self.unread:
            return [f"the keys of session {self.accept.session:02x}: "
                    f"{self.unread} encrypted frames"]
        lost = sorted(t.received - s.seen[PAGES])
        if lost:
            found.append("page frames that the target received: "
                         + ranges(lost))
        for way, other in (("s", t), ("t", s)):
            records = self.sides[way]
            lost = [n for n in range(records.taken + 1, other.acknowledged + 1)
                    if n not in records.records]
            if lost:
                found.append(f"records of the {WAYS[way]}: {ranges(lost)}")
        return found


def ranges(numbers: list) -> str:
    """3-5, 9"""
    parts: list = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


@dataclass
class Round:
    number: int
    stopped: bool
    announced: int  # pages
    begun: int  # ns
    frames: int = 0
    bytes: int = 0  # of its page frames on the cable
    pages: dict = field(default_factory=lambda: dict.fromkeys(CODECS, 0))


@dataclass
class Migration:
    """One, over all its sessions."""

    identity: bytes
    vm: str
    target: str
    first: int  # ns, of its first OFFER
    memory: list
    source: str = ""
    sessions: list = field(default_factory=list)
    covered: set = field(default_factory=set)  # pages that a frame had
    rounds: list = field(default_factory=list)
    state: bytearray = field(default_factory=bytearray)
    state_size: int = 0
    prepared: Optional[tuple] = None  # memory's and state's hashes
    certificates: dict = field(default_factory=dict)  # way -> what it said
    end: str = ""
    last: int = 0  # ns, of its last frame
    ended: int = 0  # ns, of its end
    stopped: int = 0  # ns: the guest stands still
    traffic: dict = field(default_factory=dict)  # bytes by kind and way
    again: int = 0  # frames that came twice or too late
    guest_frames: int = 0
    _hashes: Optional[tuple] = None  # they take their time

    # --- what is known in the end

    @property
    def hashes(self) -> tuple:
        """Of the memory and the state that were rebuilt."""
        if self._hashes is None:
            self._hashes = memory_hash(self.memory), check(1, bytes(self.state))
        return self._hashes

    @property
    def certificate(self) -> int:
        memory, state = self.hashes
        return certificate_of(memory, state, self.identity)

    def missing(self) -> list:
        found = [what for session in self.sessions
                 for what in session.missing()]
        if not self.sessions:
            found.append("an ACCEPT")
        if len(self.state) < self.state_size or not self.state_size:
            found.append(f"state: {self.state_size - len(self.state)} bytes"
                         if self.state_size else "the state")
        if not self.prepared:
            found.append("a PREPARE with the hashes to compare")
        bare = len(self.memory) - len(self.covered)
        if bare:
            found.append(f"{bare} pages, taken as zero")
        return found

    def differs(self) -> list:
        """Where what was rebuilt is not what the ends say."""
        found = []
        hashes = self.hashes
        for what, ours, theirs in zip(("memory", "state"), hashes,
                                      self.prepared or ()):
            if ours != theirs:
                found.append(f"the {what}'s hash is {ours:016x}, PREPARE says "
                             f"{theirs:016x}")
        ours = certificate_of(hashes[0], hashes[1], self.identity)
        for way, theirs in self.certificates.items():
            if ours != theirs:
                found.append(f"the certificate is {ours:016x}, the "
                             f"{WAYS[way]} says {theirs:016x}")
        return found

    def verdict(self) -> str:
        if not self.certificates:
            return self.end or "not over"
        return "differs" if self.differs() else "rebuilt"

    # --- the records

    def record(self, way: str, data: bytes, when: int) -> None:
        record = record_of(way, data)
        handler = getattr(self, "_" + record.name.lower(), None)
        if handler is not None:
            handler(way, record.data, when)

    def _describe(self, _way: str, data: bytes, _when: int) -> None:
        self.vm = text(data[16:48])
        if len(data) >= 80:
            self.source = text(data[48:80])

    def _round(self, _way: str, data: bytes, when: int) -> None:
        number, flags, pages = struct.unpack_from("<IIQ", data)
        self.rounds.append(Round(number, bool(flags & 1), pages, when))
        if flags & 1:
            self.stopped = when

    def _state(self, _way: str, data: bytes, _when: int) -> None:
        offset, self.state_size = struct.unpack_from("<II", data)
        self._hashes = None
        if offset == 0:
            self.state.clear()
        need(offset == len(self.state), "STATE out of order")
        self.state += data[8:]

    def _prepare(self, _way: str, data: bytes, _when: int) -> None:
        self.prepared = struct.unpack_from("<QQ", data, 8)

    def _restart(self, _way: str, _data: bytes, _when: int) -> None:
        self.prepared, self.stopped = None, 0

    def _commit(self, way: str, data: bytes, when: int) -> None:
        self.certificates[way], = struct.unpack_from("<Q", data, 8)
        if way == "s":
            self.end, self.ended = "committed", when

    def _committed(self, way: str, data: bytes, when: int) -> None:
        self._commit(way, data, when)
        self.ended = when

    def _abort(self, _way: str, data: bytes, when: int) -> None:
        code, = struct.unpack_from("<I", data)
        self.end, self.ended = f"aborted, code {code}", when

    # --- the pages

    def page_frame(self, body: bytes, size: int) -> None:
        if not self.rounds:  # its ROUND is missing
            self.rounds.append(Round(0, False, 0, self.last))
        self._hashes, now = None, self.rounds[-1]
        now.frames += 1
        now.bytes += size
        for record in page_records(body):
            apply(self.memory, record)
            if record.offset == 0:  # else it is more of the same page
                now.pages[CODECS[record.codec]] += record.run
            self.covered.update(range(record.page, record.page + record.run))


class Capture:
    """All that is in it; frame() after frame() as they were captured."""

    def __init__(self, secrets: Iterable[bytes] = (),
                 keys: Iterable[Keys] = (), clear: bool = False):
        self.secrets = list(secrets)  # pre-shared keys, to look at HELLOs
        self.keys = list(keys)  # of sessions, in any order
        self.migrations: list = []
        self.wrong: list = []  # (number of the frame, what)
        self.frames = self.others = self.strays = 0
        self.checked = self.unchecked = 0  # tags
        self.keep_clear = clear
        self.clear: list = []  # (when, frame): decrypted, where it can be
        self._offers: dict = {}
        # By their byte: the one before is kept for the guest's frames.
        self._sessions: dict = {}

    def frame(self, data: bytes, when: int, whole: bool = True) -> None:
        if self.keep_clear:
            self.clear.append((when, data))
        if data[12:14] != b"\x88\xb5":
            self.others += 1
            return
        self.frames += 1
        try:
            need(whole, "the capture has only its beginning")
            frame = frame_of(data)
            if frame.kind == HELLO:
                self._hello(frame, hello_of(frame), when)
            else:
                self._sealed(frame, when)
        except (Wrong, struct.error) as wrong:
            self.wrong.append((self.frames + self.others, str(wrong)))

    def _cleared(self, frame: Frame, body: bytes) -> None:
        if not self.keep_clear:
            return
        when, data = self.clear[-1]
        self.clear[-1] = when, data[:BODY] + body + data[BODY + len(body):]

    # --- sessions

    def _hello(self, frame: Frame, hello: Hello, when: int) -> None:
        tag = frame.tag(16)
        if hello.security == CLEAR:
            good = [tag == hello_tag(frame, CLEAR, b"")]
        else:
            good = [tag == hello_tag(frame, hello.security, secret)
                    for secret in self.secrets]
        if good:
            need(any(good), "HELLO: a wrong tag, or another key")
            self.checked += 1
        else:
            self.unchecked += 1
        if hello.security == ENCRYPT:
            self._cleared(frame, bytes([hello.type, AUTHENTICATE])
                          + hello.body[2:])
        if hello.type == OFFER:
            self._offers[hello.nonce] = (hello, when)
        elif hello.type == ACCEPT:
            need(hello.nonce in self._offers, "an ACCEPT without its OFFER")
            offer, offered = self._offers[hello.nonce]
            self._accept(frame, offer, offered, hello)
        elif hello.type == DENY:
            for migration in self.migrations:
                if migration.identity == hello.migration:
                    migration.end = f"denied, code {hello.code}"

    def _accept(self, frame: Frame, offer: Hello, when: int,
                accept: Hello) -> None:
        known, _ = self._sessions.get(accept.session, (None, None))
        if known and accept == known.accept:
            return
        need(offer.migration == accept.migration, "ACCEPT of another migration")
        keys = derive(offer.body, accept.body) if accept.security == CLEAR \
            else None
        session = Session(offer, accept, {frame.data[0:6]: "s",
                                          frame.sender: "t"}, keys)
        migration = next((m for m in self.migrations
                          if m.identity == offer.migration), None)
        if migration is None:
            need(0 < offer.pages < 1 << 24, f"an OFFER of {offer.pages} pages")
            migration = Migration(offer.migration, offer.name, accept.name,
                                  when, [bytes(PAGE)] * offer.pages)
            self.migrations.append(migration)
        migration.sessions.append(session)
        self._sessions[accept.session] = session, migration

    def _sealed(self, frame: Frame, when: int) -> None:
        session, migration = self._sessions.get(frame.session, (None, None))
        way = session.macs.get(frame.sender) if session else None
        if way is None:
            self.strays += 1  # its OFFER and ACCEPT are not here
            return
        side = session.sides[way]
        number = side.extended(frame.kind, frame.number)
        body = self._body(session, frame, way, number)
        if not side.is_new(frame.kind, number):
            migration.again += 1
            return
        migration.last = when
        what = (KIND_NAMES[frame.kind], way)
        size = BODY + len(frame.body) + tag_size(session.security)
        migration.traffic[what] = migration.traffic.get(what, 0) + size
        if body is None:
            session.unread += 1
        elif frame.kind == CONTROL:
            self._control(session, migration, way, body, when)
        elif frame.kind == GUEST:
            migration.guest_frames += 1
        elif body:
            need(way == "s", "pages from the target")
            migration.page_frame(body, size)

    def _body(self, session: Session, frame: Frame, way: str,
              number: int) -> Optional[bytes]:
        """In clear; None: nobody can say."""
        tag = frame.tag(tag_size(session.security))
        if session.keys is None and session.tries:
            self._find_keys(session, frame, way, number)
        if session.keys is None:
            self.unchecked += 1
            return None if session.security == ENCRYPT else frame.body
        body, wanted = opened(frame, session.security, session.keys.of(way),
                              number)
        self._cleared(frame, body)
        need(tag == wanted, f"{KIND_NAMES[frame.kind]} number {number} of the "
             f"{WAYS[way]}: a wrong tag")
        self.checked += 1
        return body

    def _find_keys(self, session: Session, frame: Frame, way: str,
                   number: int) -> None:
        """Those with which its tag is right; it may be a damaged frame."""
        session.tries -= 1
        tag = frame.tag(tag_size(session.security))
        session.keys = next(
            (keys for keys in self.keys if tag ==
             opened(frame, session.security, keys.of(way), number)[1]), None)

    # --- control

    def _control(self, session: Session, migration: Migration, way: str,
                 body: bytes, when: int) -> None:
        need(len(body) >= CONTROL_HEAD, "a control frame without its head")
        sequence, acknowledged, highest = struct.unpack_from("<IIQ", body)
        side = session.sides[way]
        side.acknowledged = max(side.acknowledged, acknowledged)
        if way == "t" and highest:
            bitmap = int.from_bytes(body[24:88], "little")
            side.received |= {highest - bit for bit in range(512)
                              if bitmap >> bit & 1}
        if sequence > side.taken:
            side.records.setdefault(sequence, body[CONTROL_HEAD:])
        while side.taken + 1 in side.records:
            side.taken += 1
            migration.record(way, side.records.pop(side.taken), when)


def read(path: Path, secrets: Iterable[bytes] = (),
         keys: Iterable[Keys] = (), clear: bool = False) -> Capture:
    """A capture file; what is cut off at its end is among what is wrong."""
    capture = Capture(secrets, keys, clear)
    try:
        for packet in packets(path.read_bytes()):
            capture.frame(packet.data, packet.when, packet.whole)
    except Wrong as wrong:
        capture.wrong.append((capture.frames + capture.others + 1, str(wrong)))
    return capture


__all__ = ["Capture", "Migration", "Session", "read"]
