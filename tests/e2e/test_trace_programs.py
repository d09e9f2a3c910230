"""tools/launch, tools/trace and tools/xray as docs/trace.md has one type them, on
a host where a guest writes."""

import json
import subprocess
import time
from pathlib import Path
from typing import Iterator

import pytest

from moves import walker
from rig.machine import OUT, ROOT
from rig.trace import Kind, load

FOLDER = OUT / "e2e/programs"
LINE = FOLDER / "line"
CONFIG = "[host]\nname = alone\nrun = vm start hot\n" \
    + walker("hot", "pages=256 hot=64 every=200")


def program(name: str, *words: str) -> str:
    return subprocess.run([ROOT / "tools" / name, *words], check=True,
                          timeout=120, capture_output=True, text=True,
                          cwd=FOLDER).stdout


@pytest.fixture(scope="module")
def host(request) -> Iterator[Path]:
    """The path of its line, with a guest at work."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    LINE.unlink(missing_ok=True)
    (FOLDER / "alone.conf").write_text(CONFIG)
    runs = request.config.runs
    with runs.slots, open(FOLDER / "launch.log", "wb") as log:
        runs.say("     host alone, by tools/launch")
        launched = subprocess.Popen(
            [ROOT / "tools/launch", "--config", FOLDER / "alone.conf",
             "--control", LINE, "--serial", "file"], stdout=log,
            stderr=log, stdin=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 60
            while not LINE.exists() and time.monotonic() < end:
                assert launched.poll() is None, log.name
                time.sleep(0.1)
            yield LINE
        finally:
            launched.terminate()
            launched.wait(30)


def test_trace_records(host: Path) -> None:
    program("trace", "record", "--line", str(host), "--kinds",
            "exits,turns", "--seconds", "2", "-o", "trace")
    what = json.loads((FOLDER / "trace/trace.json").read_text())
    names = {event["args"]["name"] for event in what["traceEvents"]
             if event["ph"] == "M" and event["name"] == "process_name"}
    assert names == {"host alone"}
    trace = load(FOLDER / "trace/alone.trace")
    assert list(trace.of(Kind.EXIT)) and list(trace.of(Kind.TURN))
    assert not list(trace.of(Kind.DIRTY_FAULT))
    said = program("trace", "show", "trace/alone.trace")
    assert len(said.splitlines()) >= len(trace.records)


def test_xray_records(host: Path) -> None:
    """The pages that it keeps writing, and the function that does."""
    symbols = OUT / "guests/walker.sym"
    said = program("xray", "record", "hot", "--line", str(host), "--way", "wp",
                   "--every", "0.2", "--seconds", "2", "--symbols",
                   str(symbols), "-o", "xray")
    page = (FOLDER / "xray/xray.html").read_text()
    assert "325.0 pages" in said and "visit" in page, said
