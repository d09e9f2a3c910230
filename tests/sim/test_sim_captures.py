"""The reader of captures (tools/rig/capture.py) rebuilds what the simulator's
hosts agree on, over cables that lose, repeat and reorder."""

import subprocess
from pathlib import Path

from rig.capture import read
from rig.pcap import head, packet, packets
from rig.protocol import CONTROL, ENCRYPT, PAGES, frame_of
from test_wire_check import OUT, ROOT, capture

STREAMS = 60


def test_every_committed_migration_is_rebuilt() -> None:
    ends: dict = {}
    codecs: dict = {}
    for seed in range(1, STREAMS + 1):
        found = read(capture(seed))
        assert not found.wrong and not found.strays, (seed, found.wrong)
        for migration in found.migrations:
            if migration.sessions[0].security == ENCRYPT:
                assert any("keys of session" in what
                           for what in migration.missing())
                continue
            end = migration.verdict().split(",")[0]
            ends[end] = ends.get(end, 0) + 1
            if end == "rebuilt":
                assert not migration.missing(), (seed, migration.missing())
                for now in migration.rounds:
                    for name, n in now.pages.items():
                        codecs[name] = codecs.get(name, 0) + n
    assert ends["rebuilt"] > 30 and ends["aborted"] > 3
    assert not ends.get("differs")
    assert all(codecs[name] > 20 for name in ("zero", "word", "raw", "delta"))


def one_rebuilt() -> Path:
    """A capture whose only migration is."""
    for seed in range(1, STREAMS):
        path = capture(seed)
        found = read(path)
        if [m.verdict() for m in found.migrations] == ["rebuilt"] and \
                found.migrations[0].rounds[0].pages["raw"]:
            return path
    raise AssertionError("none was committed")


def changed(path: Path, change) -> Path:
    """A copy whose frames went through change(number, frame) -> frame, None."""
    new = OUT / "captures" / "changed.pcap"
    data = head()
    for number, found in enumerate(packets(path.read_bytes()), 1):
        frame = change(number, found.data)
        if frame is not None:
            data += packet(found.when, frame)
    new.write_bytes(data)
    return new


def first(path: Path, kind: int, least: int = 0) -> int:
    """The number of the first such frame."""
    return next(number for number, found
                in enumerate(packets(path.read_bytes()), 1)
                if frame_of(found.data).kind == kind
                and len(frame_of(found.data).body) > least)


def test_flipped_bit_is_found_and_named() -> None:
    path = one_rebuilt()
    bad = first(path, PAGES, 100)

    def flip(number: int, frame: bytes) -> bytes:
        place = 60 if number == bad else None
        return frame if place is None else \
            frame[:place] + bytes([frame[place] ^ 4]) + frame[place + 1:]

    found = read(changed(path, flip))
    assert [number for number, _ in found.wrong] == [bad]
    assert "PAGES number 1 of the source: a wrong tag" in found.wrong[0][1]
    assert any("page frames that the target received: 1" in what
               for what in found.migrations[0].missing())


def test_left_out_frames_are_named() -> None:
    path = one_rebuilt()
    for kind, what in ((PAGES, "page frames that the target received: 1"),
                       (CONTROL, "records of the source: 1")):
        gone = first(path, kind, 100)
        found = read(changed(path, lambda number, frame:
                             None if number == gone else frame))
        assert any(what in missing
                   for missing in found.migrations[0].missing()), what


def test_what_was_not_sent_again_makes_another_certificate() -> None:
    half = first(one_rebuilt(), PAGES, 100) + 3
    migration = read(changed(one_rebuilt(), lambda number, frame: None
                             if number > half and frame_of(frame).kind == PAGES
                             and frame_of(frame).body else frame)).migrations[0]
    assert migration.verdict() == "differs"
    assert any(what.startswith("the memory's hash is")
               for what in migration.differs())
    assert migration.missing()


def test_capture_that_begins_late_says_so() -> None:
    path = one_rebuilt()
    begin = first(path, PAGES)
    done = subprocess.run(
        [ROOT / "tools/capture", changed(path, lambda number, frame:
                                         frame if number >= begin else None)],
        capture_output=True, text=True)
    assert done.returncode == 1
    assert "whose OFFER and ACCEPT are not here" in done.stdout
    assert "no migration is in it" in done.stdout


def test_capture_that_is_cut_off_says_so(tmp_path: Path) -> None:
    path = one_rebuilt()
    short = tmp_path / "short.pcap"
    short.write_bytes(path.read_bytes()[:-5])
    found = read(short)
    assert found.wrong[-1][1] == "the capture ends within a frame"


def test_command_writes_the_memory(tmp_path: Path) -> None:
    path, out = one_rebuilt(), tmp_path / "memory.bin"
    done = subprocess.run([ROOT / "tools/capture", path, "--memory", out,
                           "--state", tmp_path / "state.bin"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    migration = read(path).migrations[0]
    assert out.read_bytes() == b"".join(migration.memory)
    assert (tmp_path / "state.bin").read_bytes() == bytes(migration.state)
    assert f"certificate {migration.certificate:016x}, as source and target " \
        "say" in done.stdout
