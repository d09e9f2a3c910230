"""What the cable that can be made worse (tools/wirebox) does to frames: as
often as it was told, and with the same seed the same again."""

import struct
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from rig.wire import BOX, Wire
from test_wire import Side, frame
from test_wire import built  # noqa: F401 (a fixture)

FRAMES = 1000
SIZE = 100


class Passed(NamedTuple):
    frames: list  # as they came out
    stats: dict
    seconds: float  # until the last one was out

    @property
    def numbers(self) -> list:
        return [struct.unpack(">I", data[:4])[0] for data in self.frames]


def through(*words: str, count: int = FRAMES, size: int = SIZE) -> Passed:
    """What becomes of so many frames from A to B."""
    with Wire(*words) as box:
        a, b = Side(box.a().path), Side(box.b().path)
        begun = time.monotonic()
        for number in range(count):
            a.send(frame(number, size))
        until = time.monotonic() + 20
        while True:
            stats = box.stats()["ab"]
            if stats["frames"] + stats["lost"] - stats["repeated"] == count:
                break
            assert time.monotonic() < until, stats
            time.sleep(0.01)
        frames = [b.receive() for _ in range(stats["frames"])]
        seconds = time.monotonic() - begun
        assert b.silent(0.05)
    return Passed(frames, stats, seconds)


@pytest.mark.parametrize("word", ["loss", "corrupt", "dup", "reorder"])
def test_same_seed_same_fates(word: str) -> None:
    first = through(f"{word}=0.1", "seed=1")
    assert through(f"{word}=0.1", "seed=1").frames == first.frames
    assert through(f"{word}=0.1", "seed=2").frames != first.frames


def test_seed_begins_anew() -> None:
    """Set again, it tells the same fates again, whatever came before."""
    with Wire("loss=0.3") as box:
        a, b = Side(box.a().path), Side(box.b().path)

        def fates() -> list:
            before = box.stats()["ab"]["frames"]
            box.set("seed=5")
            until = sum(box.stats()["ab"][k] for k in ("frames", "lost")) + 200
            for number in range(200):
                a.send(frame(number))
            while sum(box.stats()["ab"][k]
                      for k in ("frames", "lost")) < until:
                time.sleep(0.01)
            return [b.receive()
                    for _ in range(box.stats()["ab"]["frames"] - before)]

        first = fates()
        assert 100 < len(first) < 180
        assert fates() == first


def test_loss() -> None:
    passed = through("loss=0.1", "seed=3")
    assert 60 < passed.stats["lost"] < 140
    assert passed.numbers == sorted(set(passed.numbers))
    assert len(passed.frames) == FRAMES - passed.stats["lost"]


def test_corruption_is_one_bit_anywhere() -> None:
    passed = through("corrupt=0.1", "seed=3")
    assert len(passed.frames) == FRAMES
    bits = []
    for number, data in enumerate(passed.frames):
        changed = int.from_bytes(data, "little") ^ \
            int.from_bytes(frame(number, SIZE), "little")
        assert changed.bit_count() <= 1
        if changed:
            bits.append(changed.bit_length() - 1)
    assert len(bits) == passed.stats["corrupted"]
    assert 60 < len(bits) < 140
    # Every eighth of the frame has its share.
    assert {bit // SIZE for bit in bits} == set(range(8))


def test_repeated_frames_follow_themselves() -> None:
    passed = through("dup=0.1", "seed=3")
    twice = [a for a, b in zip(passed.numbers, passed.numbers[1:]) if a == b]
    assert len(twice) == passed.stats["repeated"]
    assert 60 < len(twice) < 140
    assert sorted(set(passed.numbers)) == list(range(FRAMES))
    assert passed.numbers == sorted(passed.numbers)


def test_reordered_frames_are_overtaken() -> None:
    """By 1 to 8 others; those keep their order."""
    passed = through("reorder=0.1", "seed=3")
    assert sorted(passed.numbers) == list(range(FRAMES))
    late, overtaken, highest = 0, set(), -1
    for place, number in enumerate(passed.numbers):
        if number < highest:
            late += 1
            overtaken.add(sum(n > number for n in passed.numbers[:place]))
        highest = max(highest, number)
    assert 60 < passed.stats["reordered"] < 140
    assert late >= passed.stats["reordered"] - 8  # the last few have nobody
    assert {1, 2, 3, 4, 5, 6, 7} <= overtaken and max(overtaken) <= 16


def test_nobody_overtakes_and_it_arrives_all_the_same() -> None:
    passed = through("reorder=1", count=3)
    assert sorted(passed.numbers) == [0, 1, 2]
    assert passed.seconds >= 0.01


def test_jitter_takes_time_and_keeps_the_order() -> None:
    """One frame at a time, so that none waits for the one before it."""
    trips = []
    with Wire("jitter_us=20000", "seed=3") as box:
        a, b = Side(box.a().path), Side(box.b().path)
        for number in range(40):
            begun = time.monotonic()
            a.send(frame(number))
            b.receive()
            trips.append(time.monotonic() - begun)
    assert 0.25 < sum(trips) < 40 * 0.05  # 0.4 by the dice
    assert min(trips) < 0.005 and max(trips) > 0.015
    passed = through("jitter_us=50000", "seed=3", count=200)
    assert passed.numbers == list(range(200))
    assert 0.045 < passed.seconds < 5


def test_directions_have_their_own_chances() -> None:
    """Traffic the other way changes nothing."""
    quiet = through("loss=0.2", "seed=9", count=200).numbers
    with Wire("loss=0.2", "seed=9") as box:
        a, b = Side(box.a().path), Side(box.b().path)
        for number in range(200):
            a.send(frame(number))
            b.send(frame(number))
        counts = box.stats
        while any(counts()[way]["frames"] + counts()[way]["lost"] < 200
                  for way in ("ab", "ba")):
            time.sleep(0.01)

        def all_of(side: Side, way: str) -> list:
            return [struct.unpack(">I", side.receive()[:4])[0]
                    for _ in range(counts()[way]["frames"])]

        assert all_of(b, "ab") == quiet != all_of(a, "ba")


def test_one_impairment_does_not_change_another() -> None:
    alone = through("loss=0.2", "seed=4").numbers
    both = through("loss=0.2", "dup=0.5", "corrupt=0.001", "jitter_us=1",
                   "seed=4")
    assert sorted(alone) == sorted(set(both.numbers) & set(alone))
    assert len(both.frames) - both.stats["repeated"] == len(alone)


# --- the record

def records(path: Path) -> list:
    """(nanoseconds, frame) of a pcap file."""
    data = path.read_bytes()
    assert struct.unpack_from("<IHH", data) == (0xa1b23c4d, 2, 4)
    assert struct.unpack_from("<I", data, 20) == (1,)
    at, found = 24, []
    while at < len(data):
        seconds, ns, size, whole = struct.unpack_from("<IIII", data, at)
        assert size == whole
        found.append((seconds * 10**9 + ns, data[at + 16:at + 16 + size]))
        at += 16 + size
    return found


def test_record_is_what_left_the_box(tmp_path: Path) -> None:
    """What was lost is not in it; what was corrupted is, as it arrived."""
    before = time.time_ns()
    path = tmp_path / "all.pcap"
    passed = through("loss=0.1", "corrupt=0.1", "dup=0.1", "reorder=0.1",
                     f"pcap={path}", "seed=3")
    found = records(path)
    assert [data for _, data in found] == passed.frames
    assert passed.stats["recorded"] == len(passed.frames) < FRAMES * 1.1
    times = [when for when, _ in found]
    assert before <= times[0] and times == sorted(times)
    assert times[-1] <= time.time_ns()


def test_record_of_one_way_and_its_end(tmp_path: Path) -> None:
    both, one = tmp_path / "both.pcap", tmp_path / "one.pcap"
    with Wire() as box:
        a, b = Side(box.a().path), Side(box.b().path)

        def exchange(number: int) -> None:
            a.send(frame(number))
            b.receive()
            b.send(frame(number + 100))
            a.receive()

        box.record(both)
        exchange(1)
        box.record(one, "ba")
        exchange(2)
        box.stop_recording()
        exchange(3)
        assert [data for _, data in records(both)] == [frame(1), frame(101)]
        assert [data for _, data in records(one)] == [frame(102)]


def test_record_of_large_frames_sent_in_parts(tmp_path: Path) -> None:
    """More than the socket takes at once."""
    path = tmp_path / "large.pcap"
    with Wire(f"pcap={path}") as box:
        a, b = Side(box.a().path), Side(box.b().path)
        sent = [frame(number, 65000) for number in range(60)]
        for data in sent:
            a.send(data)
        time.sleep(0.1)
        assert [b.receive() for _ in sent] == sent
        until = time.monotonic() + 10
        while box.stats()["ab"]["recorded"] < len(sent):
            assert time.monotonic() < until
        assert [data for _, data in records(path)] == sent


def test_record_can_be_read_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "live.pcap"
    with Wire(f"pcap={path}") as box:
        a, b = Side(box.a().path), Side(box.b().path)
        a.send(frame(1))
        b.receive()
        until = time.monotonic() + 10
        while len(records(path)) < 1:
            assert time.monotonic() < until
            time.sleep(0.02)


def test_capture_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with Wire() as box:
        with pytest.raises(ValueError, match="wrong: pcap="):
            box.record(tmp_path / "nowhere" / "x.pcap")
        box.set("rate=0")


@pytest.mark.parametrize("word", ["loss=2", "loss=-1", "loss=", "loss=x",
                                  "rate=1q", "cut=maybe", "fails=0", "jitter_us", "=1"])
def test_wrong_values(word: str) -> None:
    with Wire() as box:
        with pytest.raises(ValueError, match=f"wrong: {word}"):
            box.set(word)


def test_frame_of_no_size_ends_the_box() -> None:
    """A length that runs over is no frame."""
    with Wire() as box:
        side = Side(box.a().path)
        side.link.sendall(b"\xff\xff\xff\xff" + bytes(60))
        assert box.process.wait(10) == 1
        side.link.close()


def test_usage() -> None:
    done = subprocess.run([BOX], capture_output=True, text=True)
    assert done.returncode == 2 and "usage: wirebox" in done.stderr
