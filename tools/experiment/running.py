"""Runs what an experiment still lacks: a worker for each group of points, several
at a time where there are cores, and a line that says how far it is.
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import IO, Optional

from . import measures
from .points import groups
from .store import Store

CORES_EACH = 4  # a pair: two emulators, their networks, what looks on


def usual_jobs() -> int:
    return max(1, (os.cpu_count() or 1) // CORES_EACH)


def clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


class Progress:
    """One line, drawn again and again on a terminal; elsewhere a line a run."""

    def __init__(self, todo: int, out: Optional[IO] = None):
        self.out = out or sys.stderr
        self.todo, self.done = todo, 0
        self.began = time.monotonic()
        self.live = self.out.isatty()
        self.doing: dict = {}  # worker -> what it does

    def left(self) -> str:
        """By how long the others took, hosts and all."""
        if not self.done:
            return ""
        each = (time.monotonic() - self.began) / self.done
        return f", {clock(each * (self.todo - self.done))} left"

    def draw(self) -> None:
        if self.live:
            text = "; ".join(self.doing.values())
            line = f"[{self.done}/{self.todo}{self.left()}] {text}"
            self.out.write(f"\r\x1b[K{line[:110]}")
            self.out.flush()

    def note(self, text: str) -> None:
        """A line that stays."""
        start = "\r\x1b[K" if self.live else ""
        self.out.write(f"{start}{text}\n")
        self.draw()
        self.out.flush()

    def ran(self, text: str) -> None:
        self.done += 1
        self.note(f"[{self.done}/{self.todo}{self.left()}] {text}")

    def end(self) -> None:
        if self.live:
            self.out.write("\r\x1b[K")
            self.out.flush()


@dataclass
class Job:
    """A worker that runs."""

    number: int
    points: dict  # id -> point
    process: subprocess.Popen
    unfinished: dict = field(default_factory=dict)  # id -> runs still due
    buffer: bytes = b""


class Runner:
    def __init__(self, store: Store, settings: dict, varied: list,
                 command: list):
        self.store, self.settings, self.varied = store, settings, varied
        self.command = command  # of a worker
        self.jobs: dict = {}  # by the file they write to
        self.progress: Progress
        self.selector = selectors.DefaultSelector()

    def run(self, jobs: int) -> None:
        """All that is missing; KeyboardInterrupt when it is called off."""
        waiting = list(enumerate(groups(self.store.short())))
        self.progress = Progress(sum(
            len(self.store.numbers_left(point))
            for _, points in waiting for point in points))
        try:
            while waiting or self.jobs:
                while waiting and len(self.jobs) < jobs:
                    self._start(*waiting.pop(0))
                self._listen()
        finally:
            self._stop()
            self.progress.end()

    def _start(self, number: int, points: list) -> None:
        folder = self.store.folder
        numbers = {point.id: self.store.numbers_left(point)
                   for point in points}
        task = {"points": [point.parameters for point in points],
                "numbers": numbers, "hosts": str(folder / "hosts" /
                                                 str(number)),
                "failed": str(folder / "failed"), **self.settings}
        log = folder / "hosts" / f"worker-{number}.log"
        log.parent.mkdir(exist_ok=True)
        with open(log, "wb") as errors:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.command],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                start_new_session=True)
        assert process.stdin and process.stdout
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
        job = Job(number, {point.id: point for point in points}, process,
                  {name: len(runs) for name, runs in numbers.items()})
        self.jobs[process.stdout.fileno()] = job
        self.selector.register(process.stdout, selectors.EVENT_READ)

    def _listen(self) -> None:
        for key, _ in self.selector.select(1):
            job = self.jobs[key.fd]
            data = os.read(key.fd, 1 << 16)
            job.buffer += data
            *lines, job.buffer = job.buffer.split(b"\n")
            for line in lines:
                self._heard(job, json.loads(line))
            if not data:
                self.selector.unregister(key.fileobj)
                self._ended(self.jobs.pop(key.fd))
        self.progress.draw()

    def _heard(self, job: Job, what: dict) -> None:
        point = job.points.get(what.get("point", ""))
        if "commands" in what:
            self.store.add_commands(what["commands"])
        elif "run" in what and point:
            job.unfinished[point.id] -= 1
            run = self.store.add_run(point, what["run"])
            self.progress.ran(f"{point.label(self.varied)}: run "
                              f"{run['run'] + 1}: {in_short(run)}")
        elif "failed" in what and point:
            self._failed(job, point, what["failed"])
        else:
            label = f"{point.label(self.varied)}: " if point else ""
            self.progress.doing[str(job.number)] = label + what["say"]
            self.progress.draw()

    def _failed(self, job: Job, point, reason: str) -> None:
        self.progress.todo -= job.unfinished.pop(point.id, 0)
        self.store.add_failure(point, reason)
        logs = os.path.relpath(self.store.folder / "failed" / point.id)
        self.progress.note(f"FAILED {point.label(self.varied)}: "
                           f"{reason.splitlines()[0]} (logs: {logs})")

    def _ended(self, job: Job) -> None:
        """A worker that broke down has not said so of its points."""
        self.progress.doing.pop(str(job.number), None)
        if job.process.wait() == 0:
            return
        log = self.store.folder / "hosts" / f"worker-{job.number}.log"
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        for name, due in list(job.unfinished.items()):
            if due and name not in self.store.failed:
                self._failed(job, job.points[name], "the worker broke down: "
                             + (last[0] if last else f"see {log}"))

    def _stop(self) -> None:
        """Workers end in order when they are interrupted, hosts and all."""
        for job in self.jobs.values():
            job.process.send_signal(signal.SIGINT)
        for job in self.jobs.values():
            try:
                job.process.wait(10)
            except subprocess.TimeoutExpired:
                job.process.kill()
                job.process.wait()
        self.jobs.clear()


def in_short(run: dict) -> str:
    if not run["moved"]:
        return f"not moved: {run['reason']}"
    report = run["report"]
    brown = measures.brownout(run)
    return f"total {report['total'] / 1000:.0f} ms, blackout " \
        f"{report['downtime'] / 1000:.1f} ms, " \
        f"{len(report['rounds'])} rounds, {report['pages']} pages" \
        + (f", brownout {brown:.0f} ms" if brown is not None else "")
