"""The C code and the checker in Python agree about the simulator's streams, and
both refuse what is not the protocol."""

import importlib.machinery
import importlib.util
import re
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "out" / "sim"
STREAMS = 200


def load():
    path = ROOT / "tools" / "wire-check"
    loader = importlib.machinery.SourceFileLoader("wire_check", str(path))
    spec = importlib.util.spec_from_loader("wire_check", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def capture(seed: int) -> Path:
    folder = OUT / "captures"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{seed}.pcap"
    subprocess.run([OUT / "sim", "--capture", path, str(seed)], check=True)
    return path


def test_every_stream_agrees() -> None:
    paths = [capture(seed) for seed in range(1, STREAMS + 1)]
    done = subprocess.run([ROOT / "tools/wire-check", *paths],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    sums: dict = {}
    for number, what in re.findall(r"(\d+) (\w+)", done.stdout):
        sums[what] = sums.get(what, 0) + int(number)
    # It has looked at something.
    assert sums["tags"] > 1000 and sums["hashes"] > 100 and \
        sums["guest"] > 100


@pytest.mark.parametrize("where", [14, 16, 18, 24, 40, 120])
def test_a_changed_byte_is_found(where: int) -> None:
    module = load()
    stream, wrong = module.Stream(), 0
    for frame in module.frames(capture(5).read_bytes()):
        if len(frame) > where and frame[14] & 15 == module.CONTROL:
            bad = bytearray(frame)
            bad[where] ^= 0x40
            try:
                stream.frame(bytes(bad))
            except (module.Wrong, struct.error):
                wrong += 1
            break
        stream.frame(frame)
    assert wrong == 1


def test_a_left_out_frame_is_found() -> None:
    """Numbers leave no gap, so a lost line of the capture shows."""
    module = load()
    frames = list(module.frames(capture(5).read_bytes()))
    places = [i for i, frame in enumerate(frames)
              if frame[14] & 15 == module.CONTROL]
    del frames[places[1]]
    stream = module.Stream()
    with pytest.raises(module.Wrong):
        for frame in frames:
            stream.frame(frame)
