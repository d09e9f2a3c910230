"""The lab measures a small experiment on real hosts; it is killed in the middle,
and goes on."""

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from rig.chart import can_convert
from rig.machine import OUT, ROOT

FILE = """
[experiment]
title = Two ways to stop
plot = total, brownout against policy
plot = parts
repetitions = 3
warmup = 0
settle = 100

[guest]
workload = chase
memory = 12
pages = 300
rate = 2000

[migration]
policy = downtime, stop-and-copy
"""

PAGES = 12 * 256


def started(file: Path, folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [str(ROOT / "tools/lab"), "run", str(file), "--no-build", "--out",
         str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True)


def children(folder: Path) -> list:
    """Emulators whose files lie there."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words and b"qemu" in words:
            found.append(process.name)
    return found


def wait_until(done, timeout: float) -> bool:
    until = time.monotonic() + timeout
    while not done() and time.monotonic() < until:
        time.sleep(0.1)
    return done()


def test_an_experiment_is_killed_and_goes_on(request) -> None:
    runs = request.config.runs
    folder = OUT / "e2e" / "lab"
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    folder.mkdir(parents=True)
    file = folder / "two.exp"
    file.write_text(FILE)
    results = folder / "results"
    for _ in range(2):
        runs.slots.acquire()
    try:
        runs.say("     lab: two hosts, killed once")
        kill_at_run(2, started(file, results))
        assert wait_until(lambda: not children(folder), 20), children(folder)
        before = (results / "runs.jsonl").read_bytes()
        assert before.count(b"\n") >= 2
        goes_on = started(file, results)
        said, errors = goes_on.communicate(timeout=180)
    finally:
        for _ in range(2):
            runs.slots.release()
    assert goes_on.returncode == 0, said + errors
    assert (results / "runs.jsonl").read_bytes().startswith(
        before[:before.rfind(b"\n") + 1])
    look_at(results, said)


def kill_at_run(number: int, process: subprocess.Popen) -> None:
    assert process.stderr
    seen = ""
    for line in process.stderr:
        seen += line
        if line.startswith(f"[{number}/6"):
            break
    else:
        raise AssertionError(f"no run {number}:\n{seen}")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def look_at(results: Path, said: str) -> None:
    """Three runs of each point, no less, no more; and all that is made of
    them."""
    runs = [json.loads(line) for line in
            (results / "runs.jsonl").read_text().splitlines()]
    assert sorted((run["parameters"]["policy"], run["run"]) for run in runs) \
        == [(policy, run) for policy in ("downtime", "stop-and-copy")
            for run in range(3)]
    assert all(run["moved"] and run["work"]["during"] for run in runs)
    for run in runs:
        # What the guest had to wait for: all of its memory, or what it
        # wrote meanwhile.
        rounds = run["report"]["rounds"]
        stops = run["parameters"]["policy"] == "stop-and-copy"
        assert (len(rounds) == 1) == stops
        assert rounds[0]["pages"] == PAGES
        assert stops or rounds[-1]["pages"] < PAGES / 2
    rows = list(csv.DictReader((results / "runs.csv").open()))
    assert len(rows) == 6
    for row in rows:
        stops = row["policy"] == "stop-and-copy"
        assert (row["rounds (rounds)"] == "1") == stops
        assert (row["pages (pages)"] == str(PAGES)) == stops
        assert float(row["blackout (ms)"]) <= float(row["total (ms)"])
    page = (results / "report.html").read_text()
    assert "2 of 2 points measured, 6 migrations" in page
    assert "stop-and-copy" in said
    for name in ("total-policy", "brownout-policy", "parts"):
        assert (results / f"plots/{name}.svg").stat().st_size
        if can_convert():
            assert (results / f"plots/{name}.png").stat().st_size
