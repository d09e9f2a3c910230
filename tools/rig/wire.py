"""A cable that can be made worse while it is in use: tools/wirebox.

    with Wire("rate=25M", "delay_us=500", "jitter_us=100") as wire:
        a = Spec(..., nics=[wire.a()])    # in any order
        b = Spec(..., nics=[wire.b()])
        wire.set("loss=0.01", "corrupt=0.01", "dup=0.01", "reorder=0.01")
        wire.record(Path("move.pcap"))
        wire.set("cut=1")
        print(wire.stats()["ab"]["lost"])

The words are explained at the head of tools/wirebox/main.c. WHOLE takes back all
that makes it worse.

It stands where a Link stands (nic.py), and its ends may go and come again.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from .nic import Link, Nic

BOX = Path(__file__).resolve().parents[2] / "out" / "wirebox"
WHOLE = ("rate=0", "delay_us=0", "jitter_us=0", "loss=0", "corrupt=0", "dup=0",
         "reorder=0", "after=0", "before=", "behind=", "cut=0", "fails=1")


class Wire:
    kind = "stream"

    def __init__(self, *settings: str):
        self.settings = settings
        self.folder: Path
        self.process: subprocess.Popen

    def __enter__(self) -> "Wire":
        self.folder = Path(tempfile.mkdtemp(prefix="godwit-"))
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", str(BOX),
             self._path("a"), self._path("b"), *self.settings],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._read() != "ready":
            raise RuntimeError(f"wirebox did not start: {self.settings}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()  # it writes the rest of a capture
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, end: str) -> str:
        return str(self.folder / end)

    def _read(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def _write(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def set(self, *settings: str) -> None:
        self._write(" ".join(settings))
        answer = self._read()
        if answer != "ok":
            raise ValueError(f"wirebox: {answer}")

    def stats(self) -> dict:
        """What passed and what befell it, {"ab": {"frames": 1, ...}, "ba": ...}:
        frames and bytes (repeated ones twice), lost, corrupted, repeated,
        reordered, recorded."""
        self._write("stats")
        counts = json.loads(self._read())
        self._read()
        return counts

    def record(self, path: Path, way: str = "") -> None:
        """What leaves the box from now on, into a new pcap file; way: only "ab"
        or "ba"."""
        self.set(f"pcap={way + ':' if way else ''}{path.resolve()}")

    def stop_recording(self) -> None:
        """The file is whole then."""
        self.set("pcap=")

    def a(self, **more) -> Nic:
        return Nic("stream", **{"mac": Link.MACS[0], "path": self._path("a"),
                                **more})

    def b(self, **more) -> Nic:
        return Nic("stream", **{"mac": Link.MACS[1], "path": self._path("b"),
                                **more})
