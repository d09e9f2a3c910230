"""What reads captures of migrations, with a capture of our own making: every
codec, every security, frames out of order and twice. And what it is made of."""

import random
import struct
from pathlib import Path

import pytest

from rig.capture import Capture, ranges, read
from rig.hashes import check, memory_hash
from rig.pages import delta, lz4
from rig.pcap import head, packet, packets
from rig.protocol import (ACCEPT, AUTHENTICATE, CLEAR, CONTROL, ENCRYPT, HELLO,
                          OFFER, PAGES, Wrong, certificate_of, frame_of)
from rig.seal import (Keys, chacha20, clear_check, derive, hello_tag, opened, poly1305, seal,
                      secret_of)

PSK = secret_of("words of ours")
SHARED = bytes(range(32))  # of the key agreement
MACS = {"s": b"\2\0\0\0\0\1", "t": b"\2\0\0\0\0\2"}
IDENTITY = bytes(range(100, 116))
SESSION = 0x5A
STATE = bytes(range(256)) * 6
BEGUN = 1_700_000_000_000_000_000


# --- a migration as two hosts would send it

def page_record(page: int, codec: int, data: bytes, offset: int = 0,
                run: int = 0) -> bytes:
    return struct.pack("<IHH", page, codec << 12 | offset,
                       run or len(data)) + data


def record(kind: int, data: bytes) -> bytes:
    return struct.pack("<BBBBHH", kind, 1, 1, 0, len(data), 0) + data


class Hosts:
    """Their frames, in the order in which they are sent."""

    def __init__(self, security: int, pages: int):
        self.security = security
        self.frames: list = []
        self.numbers: dict = {}
        self.sequences = {"s": 0, "t": 0}
        offer, accept = (self._hello_body(kind, pages)
                         for kind in (OFFER, ACCEPT))
        self.keys = derive(offer, accept,
                           PSK + SHARED if security != CLEAR else b"")
        self._hello("s", offer)
        self._hello("t", accept)

    def _hello_body(self, kind: int, pages: int) -> bytes:
        return struct.pack(
            "<BBBBIII32s16s16s16s32sQHBBI", kind, self.security, 1, 1, 0x1F,
            9014, 0, b"guest" if kind == OFFER else b"beta", IDENTITY,
            b"n" * 16,
            b"c" * 16, bytes([kind]) * 32, pages, 64, 0, SESSION, 0)

    def _frame(self, way: str, head_: bytes, body: bytes) -> bytes:
        other = "t" if way == "s" else "s"
        return MACS[other] + MACS[way] + b"\x88\xb5" + head_ + body

    def _hello(self, way: str, body: bytes) -> None:
        bare = self._frame(way, struct.pack("<BBHI", 0x10 | HELLO, 0, len(body),
                                            0), body)
        self.frames.append(
            bare + hello_tag(frame_of(bare), self.security, PSK))

    def send(self, way: str, kind: int, body: bytes) -> None:
        number = self.numbers[way, kind] = self.numbers.get((way, kind), 0) + 1
        header = struct.pack("<BBHI", 0x10 | kind, SESSION, len(body), number)
        key = self.keys.of(way)
        if self.security == ENCRYPT:
            body, tag = seal(key, struct.pack("<IQ", kind, number), body,
                             header)
        elif self.security == AUTHENTICATE:
            _, tag = seal(key, struct.pack("<IQ", kind, number), b"",
                          header + body)
        else:
            tag = clear_check(int.from_bytes(key[:8], "little"), frame_of(
                self._frame(way, header, body))).to_bytes(8, "little")
        self.frames.append(self._frame(way, header, body) + tag)

    def say(self, way: str, kind: int, data: bytes, highest: int = 0,
            bitmap: int = 0) -> None:
        self.sequences[way] += 1
        other = self.sequences["t" if way == "s" else "s"]
        self.send(way, CONTROL, struct.pack(
            "<IIQHBBI", self.sequences[way], other, highest, 64, 4, 0, 0)
            + bitmap.to_bytes(64, "little") + bytes(8) + record(kind, data))


def guest() -> list:
    noise = random.Random(1)
    raw = noise.randbytes(4096)
    return [bytes(4096), bytes(4096), b"\1\2\3\4\5\6\7\x08" * 512, raw,
            raw[:100] + b"changed" + raw[107:],  # as it becomes, by a delta
            b"ab" * 2048, bytes(4096)]


def moved(security: int = CLEAR) -> Hosts:
    memory = guest()
    hosts = Hosts(security, len(memory))
    hosts.say("s", 1, struct.pack("<QII32s32s", len(memory), len(STATE), 0,
                                  b"guest", b"alpha"))
    hosts.say("s", 6, struct.pack("<IIQ", 1, 0, len(memory)))
    hosts.send("s", PAGES, page_record(0, 0, b"", run=2)
               + page_record(2, 1, memory[2][:8])
               + page_record(3, 2, memory[3])
               + page_record(4, 2, memory[3][:2000]))
    # One literal pair, then a match of all the rest, and the last five bytes.
    squeezed = b"\x2f" + b"ab" + b"\x02\x00" + b"\xff" * 15 + \
        bytes([4096 - 2 - 4 - 15 - 15 * 255 - 5]) + b"\x50" + memory[5][-5:]
    hosts.send("s", PAGES, page_record(4, 2, memory[3][2000:], offset=2000)
               + page_record(5, 4, squeezed) + page_record(6, 0, b"", run=1))
    hosts.say("s", 6, struct.pack("<IIQ", 2, 1, 1))
    hosts.send("s", PAGES, page_record(4, 3, b"\x64\x07changed"))
    hosts.send("s", PAGES, b"")
    for at in (0, 1000):
        hosts.say("s", 7, struct.pack("<II", at, len(STATE))
                  + STATE[at:at + 1000])
    hashes = memory_hash(memory), check(1, STATE)
    hosts.say("s", 8, struct.pack("<IIQQQ", 1, len(STATE), *hashes, 700))
    hosts.say("t", 9, struct.pack("<IIQQ", 1, 0, *hashes), 4, 0b1111)
    certificate = certificate_of(*hashes, IDENTITY)
    hosts.say("s", 13, struct.pack("<IIQ", 1, 0, certificate))
    hosts.say("t", 14, struct.pack("<IIQ", 1, 0, certificate), 4, 0b1111)
    return hosts


def looked_at(frames: list, **more) -> Capture:
    capture = Capture(**more)
    for number, frame in enumerate(frames):
        capture.frame(frame, BEGUN + number * 1000)
    return capture


def assert_rebuilt(capture: Capture) -> None:
    assert not capture.wrong
    (migration,) = capture.migrations
    assert migration.verdict() == "rebuilt" and not migration.missing()
    assert migration.memory == guest() and bytes(migration.state) == STATE
    assert set(migration.certificates) == {"s", "t"}
    assert (migration.vm, migration.source, migration.target) == \
        ("guest", "alpha", "beta")


# --- reading it

@pytest.mark.parametrize("security", [CLEAR, AUTHENTICATE, ENCRYPT])
def test_rebuilds(security: int) -> None:
    hosts = moved(security)
    other = Keys(bytes(32), bytes(32))
    capture = looked_at(hosts.frames, secrets=[PSK], keys=[other, hosts.keys])
    assert_rebuilt(capture)
    assert capture.checked == len(hosts.frames) and not capture.unchecked
    pages: dict = {}
    for now in capture.migrations[0].rounds:
        for name, n in now.pages.items():
            pages[name] = pages.get(name, 0) + n
    assert pages == {"zero": 3, "word": 1, "raw": 2, "delta": 1, "lz4": 1}
    assert [now.stopped for now in capture.migrations[0].rounds] == \
        [False, True]


def test_frames_in_any_order_and_twice() -> None:
    """Within what a round allows; records are put in order by their numbers."""
    frames = moved().frames
    first, second = 4, 5  # the page frames of round 1
    assert all(frame_of(frames[n]).kind == PAGES for n in (first, second))
    frames[first], frames[second] = frames[second], frames[first]
    frames[2], frames[3] = frames[3], frames[2]  # DESCRIBE after ROUND
    twice = [frame for frame in frames for _ in (0, 1)]
    capture = looked_at(twice)
    assert_rebuilt(capture)
    assert capture.migrations[0].again == len(frames) - 2


def test_old_page_frame_comes_too_late() -> None:
    """A frame that a later one has made void changes nothing."""
    frames = moved().frames
    late = frames[4]
    hosts = Hosts(CLEAR, 7)
    hosts.numbers["s", PAGES] = 67
    hosts.send("s", PAGES, b"")  # a probe
    capture = looked_at(frames[:4] + frames[5:] + [hosts.frames[-1], late])
    assert capture.migrations[0].again == 1
    assert capture.migrations[0].memory[2] == bytes(4096)


def test_without_keys() -> None:
    """Authenticated pages can be read, encrypted ones cannot."""
    capture = looked_at(moved(AUTHENTICATE).frames)
    assert_rebuilt(capture)
    assert capture.checked == 0
    hosts = moved(ENCRYPT)
    (migration,) = looked_at(hosts.frames, secrets=[PSK]).migrations
    assert any("the keys of session 5a" in what
               for what in migration.missing())
    assert not migration.covered


def test_capture_in_clear_needs_no_key() -> None:
    hosts = moved(ENCRYPT)
    clear = looked_at(hosts.frames, keys=[hosts.keys], clear=True).clear
    assert [len(frame) for _, frame in clear] == \
        [len(frame) for frame in hosts.frames]
    assert_rebuilt(looked_at([frame for _, frame in clear]))


def test_other_key_of_the_hosts_is_said() -> None:
    capture = looked_at(moved(ENCRYPT).frames, secrets=[secret_of("other")])
    assert capture.wrong[0][1].startswith("HELLO: a wrong tag")


@pytest.mark.parametrize("security", [CLEAR, AUTHENTICATE, ENCRYPT])
@pytest.mark.parametrize("place", [15, 18, 30, 60, -1])
def test_flipped_bit_is_found(security: int, place: int) -> None:
    hosts = moved(security)
    bad = bytearray(hosts.frames[4])
    bad[place] ^= 1
    frames = hosts.frames[:4] + [bytes(bad)] + hosts.frames[5:]
    capture = looked_at(frames, keys=[hosts.keys])
    assert [number for number, _ in capture.wrong] == [5] or \
        place == 15 and capture.strays == 1  # of no session at all
    (migration,) = capture.migrations
    assert migration.verdict() == "differs"
    assert "page frames that the target received: 1" in migration.missing()


def test_damaged_first_frame_does_not_hide_the_keys() -> None:
    hosts = moved(ENCRYPT)
    bad = bytearray(hosts.frames[2])
    bad[40] ^= 1
    capture = looked_at(hosts.frames[:2] + [bytes(bad)] + hosts.frames[2:],
                        keys=[hosts.keys])
    assert capture.migrations[0].sessions[0].keys == hosts.keys


def test_other_frames_are_counted() -> None:
    capture = looked_at([bytes(12) + b"\x08\0" + bytes(46)] + moved().frames)
    assert capture.others == 1
    assert_rebuilt(capture)


def test_file(tmp_path: Path) -> None:
    hosts, path = moved(), tmp_path / "move.pcap"
    path.write_bytes(head() + b"".join(
        packet(BEGUN + n, frame) for n, frame in enumerate(hosts.frames)))
    assert_rebuilt(read(path))
    data = path.read_bytes()
    assert [p.when - BEGUN for p in packets(data)] == \
        list(range(len(hosts.frames)))
    path.write_bytes(data[:-1])
    assert read(path).wrong[-1] == (len(hosts.frames),
                                    "the capture ends within a frame")


@pytest.mark.parametrize("magic, order, unit", [
    (0xA1B2C3D4, "<", 1000), (0xA1B2C3D4, ">", 1000), (0xA1B23C4D, "<", 1),
    (0xA1B23C4D, ">", 1)])
def test_all_kinds_of_pcap(magic: int, order: str, unit: int) -> None:
    data = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65535, 1) + \
        struct.pack(order + "IIII", 7, 5, 3, 9) + b"abc"
    assert list(packets(data)) == [(7 * 10**9 + 5 * unit, b"abc", False)]


def test_no_pcap(tmp_path: Path) -> None:
    with pytest.raises(Wrong, match="not a pcap file"):
        list(packets(b"\x0a\x0d\x0d\x0a" + bytes(40)))
    wifi = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 105)
    with pytest.raises(Wrong, match="not a capture of Ethernet"):
        list(packets(wifi))


# --- the parts

def test_ranges() -> None:
    assert ranges([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


def test_lz4_block() -> None:
    """By hand from the format's description: literals, an overlapping match."""
    assert lz4(b"\x35abc\x03\x00" + b"\x10z") == b"abc" * 4 + b"z"
    with pytest.raises(Wrong, match="before the page"):
        lz4(b"\x10a\x05\x00\x00")


def test_delta() -> None:
    page = bytes(4096)
    assert delta(b"\x01\x02ab\x80\x02\x01c", page) == \
        b"\0ab" + bytes(256) + b"c" + bytes(4096 - 260)
    for bad in (b"\xff\x1f\x02ab", b"\x80\x80", b"\x00\x05ab"):
        with pytest.raises(Wrong):
            delta(bad, page)


# RFC 8439, 2.4.2, 2.5.2 and 2.8.2

SUNSCREEN = b"Ladies and Gentlemen of the class of '99: If I could offer you " \
    b"only one tip for the future, sunscreen would be it."


def test_chacha20_of_the_rfc() -> None:
    stream = chacha20(bytes(range(32)),
                      bytes.fromhex("000000000000004a00000000"), 1, 2)
    hidden = bytes(a ^ b for a, b in zip(SUNSCREEN, stream))
    assert hidden[:16].hex() == "6e2e359a2568f98041ba0728dd0d6981"
    assert hidden[-10:].hex() == "b40b8eedf2785e42874d"


def test_poly1305_of_the_rfc() -> None:
    key = bytes.fromhex("85d6be7857556d337f4452fe42d506a8"
                        "0103808afb0db2fd4abff6af4149f51b")
    assert poly1305(key, b"Cryptographic Forum Research Group").hex() == \
        "a8061dc1305136c6c22b8baf0c0127a9"


def test_aead_of_the_rfc() -> None:
    hidden, tag = seal(bytes(range(0x80, 0xA0)),
                       bytes.fromhex("070000004041424344454647"), SUNSCREEN,
                       bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert hidden[:16].hex() == "d31a8d34648e60db7b86afbc53ef7ec2"
    assert tag.hex() == "1ae10b594f09e26a7e902ecbd0600691"


def test_keys_of_ends_differ() -> None:
    hosts = moved(ENCRYPT)
    frame = frame_of(hosts.frames[4])
    assert opened(frame, ENCRYPT, hosts.keys.s, 1)[1] == frame.tag(16)
    assert opened(frame, ENCRYPT, hosts.keys.t, 1)[1] != frame.tag(16)
