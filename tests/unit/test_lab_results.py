"""What becomes of an experiment's runs: kept whatever happens, gone on with,
reported, compared. A made-up worker stands for the hosts; lab_result/ holds a
small result of real ones."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from experiment import compare, report, store
from experiment.description import parse
from experiment.points import Point
from experiment.running import Progress, Runner, in_short

HERE = Path(__file__).resolve().parent
RECORDED = HERE / "lab_result"

# Each run is worth 100 times the point's rate and its number; the rate 666
# fails in its second run, with 13 the worker breaks down.
WORKER = '''
import json, os, sys, time
task = json.load(sys.stdin)
def tell(**what):
    print(json.dumps(what), flush=True)
tell(say="starts")
tell(commands=["qemu one", "qemu two"])
for point, parameters in zip(sorted(task["numbers"], key=list(
        task["numbers"]).index), task["points"]):
    for number in task["numbers"][point]:
        rate = parameters["rate"]
        if rate == 13:
            sys.exit("broken for a reason")
        if rate == 666 and number:
            tell(point=point, failed="the guest: evil")
            break
        record = json.loads(RECORD)
        record["report"]["total"] = rate * 100 + number
        tell(point=point, run=dict(record, run=number))
'''
ONE_RUN = (RECORDED / "runs.jsonl").read_text().splitlines()[0]


def experiment(rates: str, repetitions: int = 3):
    return parse(Path("small.exp"), f"""
[experiment]
title = Small
repetitions = {repetitions}
[guest]
workload = walk
rate = {rates}
""")


def plan(rates: str, build: str = "one", quick: bool = False,
         repetitions: int = 3) -> dict:
    made = experiment(rates, repetitions)
    return {"name": "small", "title": "Small", "about": "", "quick": quick,
            "repetitions": repetitions, "varied": made.varied(),
            "build": build, "file": made.text,
            "versions": {"date": "today", "build": build},
            "points": [point.parameters for point in made.points()]}


@pytest.fixture
def worker(tmp_path) -> list:
    program = tmp_path / "worker.py"
    program.write_text(WORKER.replace("RECORD", repr(ONE_RUN)))
    return [sys.executable, str(program)]


def measured(folder: Path, worker: list, wanted: dict) -> store.Results:
    kept = store.Store(folder, wanted)
    Runner(kept, {}, wanted["varied"], worker).run(1)
    kept.close()
    return store.load(folder)


# --- runs

def test_all_is_measured_and_kept(tmp_path, worker) -> None:
    results = measured(tmp_path / "r", worker, plan("1, 2"))
    assert results.short() == []
    assert [run["report"]["total"] for run in results.runs] == [
        100, 101, 102, 200, 201, 202]
    assert (tmp_path / "r/commands.txt").read_text() == "qemu one\nqemu two\n"


def test_a_run_that_was_cut_off_goes_on(tmp_path, worker) -> None:
    """What is whole is kept, half a line is not, and nothing is done twice."""
    folder = tmp_path / "r"
    measured(folder, worker, plan("1, 2"))
    lines = (folder / "runs.jsonl").read_text().splitlines(keepends=True)
    (folder / "runs.jsonl").write_text("".join(lines[:4]) + lines[4][:100])
    assert [len(store.load(folder).numbers_left(point))
            for point in store.load(folder).points] == [0, 2]
    results = measured(folder, worker, plan("1, 2"))
    assert sorted((run["point"], run["run"]) for run in results.runs) == sorted(
        (point.id, run) for point in results.points for run in range(3))


def test_more_points_and_runs_are_added(tmp_path, worker) -> None:
    folder = tmp_path / "r"
    measured(folder, worker, plan("1"))
    results = measured(folder, worker, plan("1, 2", repetitions=4))
    assert len(results.runs) == 8
    assert [run["run"] for run in results.of(results.points[0])] == [0, 1, 2, 3]


def test_a_failed_point_does_not_stop_the_rest(tmp_path, worker, capsys) -> None:
    results = measured(tmp_path / "r", worker, plan("666, 2"))
    bad, good = results.points
    assert results.failed == {bad.id: "the guest: evil"}
    assert (len(results.of(bad)), len(results.of(good))) == (1, 3)
    assert "FAILED rate 666: the guest: evil" in capsys.readouterr().err
    assert "failed: rate 666: the guest: evil" in report.text(results)


def test_a_worker_that_breaks_down_is_a_failure(tmp_path, worker) -> None:
    results = measured(tmp_path / "r", worker, plan("1, 13, 2"))
    assert len(results.of(results.points[0])) == 3
    reasons = list(results.failed.values())
    assert reasons == ["the worker broke down: broken for a reason"] * 2


def test_a_failure_is_forgotten_when_it_is_measured(tmp_path, worker) -> None:
    folder = tmp_path / "r"
    kept = store.Store(folder, plan("1"))
    kept.add_failure(kept.points[0], "no luck")
    kept.close()
    assert store.load(folder).failed
    assert not measured(folder, worker, plan("1")).failed


def test_pairs_side_by_side(tmp_path, worker) -> None:
    """Two sets of hosts, two workers at a time: each waits for the other."""
    barrier = tmp_path / "barrier"
    barrier.mkdir()
    program = tmp_path / "together.py"
    program.write_text(f"""
import os, pathlib, time
pathlib.Path({str(barrier)!r}, str(os.getpid())).touch()
until = time.monotonic() + 20
while len(os.listdir({str(barrier)!r})) < 2:
    assert time.monotonic() < until, "alone"
    time.sleep(0.05)
""" + Path(worker[1]).read_text())
    made = parse(Path("small.exp"), "[guest]\nworkload = walk\nrate = 1\n"
                 "[link]\nframe = 1514, 9014\n")
    wanted = dict(plan("1"), varied=["frame"],
                  points=[point.parameters for point in made.points()])
    kept = store.Store(tmp_path / "r", wanted)
    Runner(kept, {}, ["frame"], [sys.executable, str(program)]).run(2)
    kept.close()
    assert not store.load(tmp_path / "r").short()


def test_interrupted(tmp_path, worker) -> None:
    """What was told is kept, and no worker is left."""
    ended = tmp_path / "ended"
    program = tmp_path / "slow.py"
    program.write_text(Path(worker[1]).read_text() + f"""
try:
    time.sleep(60)
except KeyboardInterrupt:
    open({str(ended)!r}, "w").close()
""")
    kept = store.Store(tmp_path / "r", plan("1", repetitions=3))
    runner = Runner(kept, {}, [], [sys.executable, str(program)])

    def interrupt() -> None:
        until = time.monotonic() + 20
        while len(kept.runs) < 3 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    # A shell's background job ignores it.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            runner.run(1)
    finally:
        signal.signal(signal.SIGINT, usual)
    kept.close()
    assert ended.exists() and not runner.jobs
    assert len(store.load(tmp_path / "r").runs) == 3


def test_other_builds_are_not_mixed(tmp_path, worker) -> None:
    folder = tmp_path / "r"
    measured(folder, worker, plan("1"))
    with pytest.raises(store.StoreError, match="another build .*--fresh"):
        store.Store(folder, plan("1", build="two"))
    with pytest.raises(store.StoreError, match="another quick"):
        store.Store(folder, plan("1", quick=True))
    store.forget(folder)
    store.Store(folder, plan("1", build="two")).close()


def test_one_command_at_a_time(tmp_path) -> None:
    first = store.Store(tmp_path / "r", plan("1"))
    with pytest.raises(store.StoreError, match="another lab works there"):
        store.Store(tmp_path / "r", plan("1"))
    first.close()


def test_no_results_and_broken_ones(tmp_path) -> None:
    with pytest.raises(store.StoreError, match="holds no results"):
        store.load(tmp_path)
    (tmp_path / "runs.jsonl").write_text("{}\nbroken\n{}\n")
    with pytest.raises(store.StoreError, match="runs.jsonl"):
        store.read_lines(tmp_path / "runs.jsonl")


def test_progress_tells_what_is_left(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    out = io.StringIO()
    progress = Progress(4, out)
    now[0] = 50
    progress.ran("one")
    assert out.getvalue() == "[1/4, 2 min 30 s left] one\n"


# --- reports

@pytest.fixture
def recorded(tmp_path) -> store.Results:
    shutil.copytree(RECORDED, tmp_path / "result")
    return store.load(tmp_path / "result")


def test_report_of_a_recorded_result(recorded) -> None:
    page = report.write(recorded).read_text()
    for text in ("<h1>Two paces</h1>", "2 of 2 points measured, 6 migrations",
                 "parts of the blackout", "n&lt;100",
                 recorded.plan["versions"]["qemu"]):
        assert text in page
    assert page.count("<figure><div class=\"wide\"><svg") == 4
    assert report.SHOUT not in page
    plots = {path.name for path in (recorded.folder / "plots").iterdir()}
    assert {"total-rate.svg", "blackout-rate.svg", "parts.svg"} <= plots


def test_quick_is_said_in_large_letters(recorded) -> None:
    recorded.plan["quick"] = True
    assert report.SHOUT.isupper()
    assert f"<h2>{report.SHOUT}</h2>" in report.write(recorded).read_text()
    assert report.SHOUT in report.text(recorded)


def test_csv_has_a_row_for_each_run(recorded) -> None:
    rows = list(csv.DictReader(io.StringIO(report.csv_text(recorded))))
    assert len(rows) == 6
    for row, run in zip(rows, recorded.runs):
        assert row["rate"] == str(run["parameters"]["rate"])
        assert float(row["total (ms)"]) == pytest.approx(
            run["report"]["total"] / 1000)
        parts = [float(row[name]) for name in row
                 if name.startswith("blackout.")]
        assert sum(parts) == pytest.approx(
            float(row["blackout (ms)"]), rel=0.05)


def test_repetition_is_said(recorded) -> None:
    assert report.repeats(recorded) is None
    for run in recorded.runs:
        run["hash"] = run["point"]
    assert "2 of 2 points repeat" in report.text(recorded)
    recorded.runs[0]["hash"] = "other"
    assert "1 of 2 points repeat" in report.text(recorded)


def test_what_is_missing_is_said(recorded) -> None:
    recorded.runs.pop()
    assert "not yet measured: rate 4000: 1 of 3 runs" in report.text(recorded)
    assert "Failed:" in report.write(recorded).read_text()


def test_a_run_that_was_given_up_is_no_number(recorded) -> None:
    run: dict[str, Any] = recorded.runs[0]
    run.update(moved=False, reason="the policy gave up")
    head, rows = report.medians(recorded)
    assert dict(zip(head, rows[0]))["runs"] == "2 of 3"
    assert in_short(run) == "not moved: the policy gave up"


# --- side by side

def changed(results: store.Results, times: float = 1, **parameters) -> None:
    """As if it had been measured otherwise."""
    for point in results.plan["points"]:
        point.update(parameters)
    for run in results.runs:
        run["report"]["total"] = round(run["report"]["total"] * times)
        run["parameters"].update(parameters)
        run["point"] = Point(run["parameters"]).id


def more_runs(results: store.Results) -> None:
    """Five of each point, which three cannot be told apart with."""
    for point in results.points:
        extra = [json.loads(json.dumps(run)) for run in results.of(point)[:2]]
        for number, run in enumerate(extra):
            run["run"] = 3 + number
            run["report"]["total"] += 1 + number
        results.runs += extra


def two(recorded) -> tuple:
    return recorded, store.load(recorded.folder)


def test_equal_results_do_not_differ(recorded) -> None:
    a, b = two(recorded)
    for results in (a, b):
        more_runs(results)
    compared = compare.Comparison(a, b)
    assert {row.verdict for row in compared.rows} == {"no difference shown"}
    assert compared.headline().startswith("0 of ")


def test_a_difference_is_found(recorded, tmp_path) -> None:
    a, b = two(recorded)
    for results in (a, b):
        more_runs(results)
    changed(b, times=2)
    compared = compare.Comparison(a, b)
    sure = [row for row in compared.rows if row.sure]
    assert [(row.label, row.measure, row.verdict) for row in sure] == [
        ("rate 500", "total", "more"), ("rate 4000", "total", "more")]
    assert sure[0].times == pytest.approx(2, rel=0.01)
    assert sure[0].p == pytest.approx(2 / 252)
    assert " more" in compare.text(compared)
    page = compare.write(compared, tmp_path / "c.html").read_text()
    assert "<td>more</td>" in page


def test_three_runs_are_too_few(recorded) -> None:
    a, b = two(recorded)
    changed(b, times=9)
    compared = compare.Comparison(a, b)
    assert {row.verdict for row in compared.rows} == {"too few runs"}
    assert "take 5 or more" in compare.text(compared)


def test_what_was_changed_everywhere_is_no_obstacle(recorded) -> None:
    a, b = two(recorded)
    changed(b, security="encrypt")
    compared = compare.Comparison(a, b)
    assert compared.by == ["security"]
    assert ("security", "none", "encrypt") in compared.differences()
    assert {row.label for row in compared.rows} == {"rate 500", "rate 4000"}


def test_nothing_in_common(recorded) -> None:
    a, b = two(recorded)
    changed(b, security="encrypt", memory=32, frame=1514, limit=5)
    with pytest.raises(store.StoreError, match="no point in common"):
        compare.Comparison(a, b)


# --- the command

def lab(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(HERE.parents[1] / "tools/lab"),
                           *map(str, words)], capture_output=True, text=True)


def test_the_command_says_what_is_wrong(tmp_path) -> None:
    bad = tmp_path / "bad.exp"
    bad.write_text("[guest]\nmemory = much\n")
    for words, says in [
            (("compare", tmp_path, tmp_path), "is no directory of results"),
            (("report", tmp_path), "holds no results")]:
        done = lab(*words)
        assert done.returncode == 2 and says in done.stderr
    done = lab("keys")
    assert done.returncode == 0 and "allowed: downtime, classic" in done.stdout


def test_the_command_compares(recorded) -> None:
    done = lab("compare", recorded.folder, recorded.folder)
    assert done.returncode == 0, done.stderr
    assert "too few runs" in done.stdout
