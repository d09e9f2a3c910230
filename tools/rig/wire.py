"""A cable that can be made worse while it is in use: tools/wirebox.c.

    with Wire("rate=25M", "delay_us=500") as wire:
        a = Spec(..., nics=[wire.a()])    # in any order
        b = Spec(..., nics=[wire.b()])
        wire.set("cut=1")
        print(wire.stats()["ab"]["lost"])

It stands where a Link stands (nic.py), and its ends may go and come again.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from .nic import Link, Nic

BOX = Path(__file__).resolve().parents[2] / "out" / "wirebox"


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
        self.process.kill()
        self.process.wait()
        for end in (self.process.stdin, self.process.stdout):
            if end:
                end.close()
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
        """Frames, bytes and losses: {"ab": {"frames": 1, ...}, "ba": ...}."""
        self._write("stats")
        counts = json.loads(self._read())
        self._read()
        return counts

    def a(self, **more) -> Nic:
        return Nic("stream", **{"mac": Link.MACS[0], "path": self._path("a"),
                                **more})

    def b(self, **more) -> Nic:
        return Nic("stream", **{"mac": Link.MACS[1], "path": self._path("b"),
                                **more})
