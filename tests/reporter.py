"""What a test run shows: progress, failures with their logs, one last line.

pytest's own terminal report is replaced, since most of a run is waiting for
machines, hundreds of checks come from one boot, and a log that explains forty
failures is wanted once.
"""

import os
import sys
import threading


class Reporter:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.failures: list = []
        self.shown: set = set()  # titles of logs that were printed already
        self.group = ""
        self.group_seconds = 0.0
        self.group_counts: dict = {}
        colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.red, self.green, self.off = \
            ("\033[31m", "\033[32m", "\033[0m") if colours else ("", "", "")

    def line(self, text: str = "") -> None:
        """Prints; also called by the threads that run machines."""
        with self.lock:
            print(text, flush=True)

    # --- pytest's hooks ---

    def pytest_collection_finish(self, session) -> None:
        self.line(f"{len(session.items)} tests")

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self._failed(report)

    def pytest_runtest_logreport(self, report) -> None:
        self._enter(report.nodeid)
        self.group_seconds += report.duration
        if report.failed:
            self._count("failed")
            self._failed(report)
        elif report.skipped or report.when == "call":
            self._count(report.outcome)
            if report.skipped:
                reason = report.longrepr[2].removeprefix("Skipped: ")
                self.line(f"  skip {title(report.nodeid)}: {reason}")

    def pytest_sessionfinish(self) -> None:
        self._enter("")

    def pytest_unconfigure(self) -> None:
        if self.failures:
            self.line(f"\n{self.red}failed:{self.off}")
            for name in self.failures:
                self.line("  " + rerun(name))
        verdict = ", ".join(f"{n} {what}" for what, n in self.counts.items()
                            if n or what != "skipped")
        self.line(verdict)

    # --- how they show it ---

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        self.group_counts[outcome] = self.group_counts.get(outcome, 0) + 1

    def _enter(self, nodeid: str) -> None:
        """Says how the last group of tests went when a test of another comes:
        a unit test program, or a file's tests on one boot."""
        path, _, rest = nodeid.partition("::")
        where = rest.partition("[")[2].partition(":")[0].rstrip("]")
        group = f"{path.rpartition('/')[2].removesuffix('.py')} {where}".strip()
        if group == self.group:
            return
        if self.group:
            counts = ", ".join(f"{n} {what}"
                               for what, n in self.group_counts.items())
            good = "failed" not in self.group_counts
            colour = self.green if good else self.red
            word = "ok  " if good else "FAIL"
            self.line(f"{colour}{word}{self.off} {self.group}: {counts} "
                      f"({self.group_seconds:.1f} s)")
        self.group, self.group_counts = group, {}
        self.group_seconds = 0.0

    def _failed(self, report) -> None:
        name = title(report.nodeid)
        if report.when == "collect":
            self.counts["failed"] += 1
        self.failures.append(name)
        text = report.longreprtext.strip()
        news = [(heading, content) for heading, content in report.sections
                if heading not in self.shown]
        if not news and "\n" not in text:
            # One more of what was explained already.
            self.line(f"{self.red}FAIL{self.off} {name}: {text}")
            return
        self.line(f"\n{self.red}FAIL{self.off} {name}\n{text}")
        for heading, content in news:
            self.shown.add(heading)
            self.line(f"--- {heading}\n{content}")
        self.line("rerun: " + rerun(name) + "\n")


def title(nodeid: str) -> str:
    """A test's own name, which K= finds."""
    return nodeid.rpartition("::")[2] or nodeid


def rerun(name: str) -> str:
    return f"make check K='{name}'"
