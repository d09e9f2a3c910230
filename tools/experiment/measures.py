"""What is taken from each run's record, in the words of the literature.

docs/lab.md defines each of them; a unit test compares the names.
"""

import functools
import statistics
from dataclasses import dataclass
from typing import Callable, Optional

PAGE = 4096
BROWN = 0.9  # of the usual throughput: below it the guest is held up
PARTS = ("stop", "state_capture", "last_round", "state_transfer", "verify",
         "commit")
CODECS = ("word", "delta", "lz4", "raw")


@dataclass(frozen=True)
class Measure:
    name: str
    unit: str
    about: str
    of: Callable[[dict], Optional[float]]  # None: not known of this run
    main: bool = False  # stands in the report's first table


def copying(report: dict) -> list:
    """The rounds in which the guest ran."""
    return report["rounds"][:-1]


def ratio(above: float, below: float) -> Optional[float]:
    return above / below if below else None


def _report(name: str, scale: float = 1) -> Callable:
    return lambda run: run["report"][name] * scale


def _part(name: str) -> Callable:
    return lambda run: run["parts"][name] / 1000


def dirty_rate(run: dict) -> Optional[float]:
    rounds = copying(run["report"])
    return ratio(sum(r["dirty_rate"] * r["duration"] for r in rounds),
                 sum(r["duration"] for r in rounds))


def throttled(run: dict) -> float:
    return sum(r["duration"] for r in copying(run["report"])
               if r["throttle"] < 100) / 1000


def goodput(run: dict) -> Optional[float]:
    first = run["report"]["rounds"][0]
    return ratio((first["pages"] - first["zero_pages"]) * PAGE,
                 first["duration"])


def pages_of(run: dict, kind: str) -> int:
    """Zero pages and those of each codec; a codec that is not there: none."""
    if kind == "zero":
        return sum(r["zero_pages"] for r in run["report"]["rounds"])
    return run["report"]["codecs"].get(kind, {}).get("pages", 0)


def slow_share(windows: list, usual: float) -> tuple[float, float]:
    """Of windows (microseconds, work): those in which less than BROWN of the
    usual work was done, and all, in microseconds."""
    slow = sum(us for us, work in windows if us and work / us < BROWN * usual)
    return slow, sum(us for us, _ in windows)


def usual_rate(windows: list) -> float:
    return statistics.median(work / us for us, work in windows)


def brownout(run: dict) -> Optional[float]:
    work = run.get("work")
    if not work or len(work["before"]) < 3 or not work["during"]:
        return None
    usual = usual_rate(work["before"])
    if not usual:
        return None
    slow = slow_share(work["during"], usual)[0] / 1000
    if work.get("clock") == "outside":  # it has seen the blackout, too
        slow = max(0, slow - run["report"]["downtime"] / 1000)
    return slow


def brownout_before(run: dict) -> Optional[float]:
    work = run.get("work")
    if not work or len(work["before"]) < 3:
        return None
    slow, whole = slow_share(work["before"], usual_rate(work["before"]))
    return 100 * slow / whole


def _echo(when: str, name: str, scale: float) -> Callable:
    def of(run: dict) -> Optional[float]:
        echoes = run.get("echoes")
        return echoes[when][name] * scale if echoes else None
    return of


def outage(run: dict) -> Optional[float]:
    """The largest gap, less the usual distance of two echoes."""
    echoes = run.get("echoes")
    if not echoes:
        return None
    during = echoes["during"]
    return max(0, during["gap_max_us"] - during["gap_median_us"]) / 1000


TABLE = [
    Measure("total", "ms", "from the command to the source's release of the VM",
            _report("total", 1e-3), True),
    Measure("setup", "ms", "from the command to the begin of the first round: "
            "finding the other host, agreeing, its memory",
            lambda run: run["setup_us"] / 1000
            if run.get("setup_us") is not None else None),
    Measure("blackout", "ms", "the guest runs nowhere: from the command to "
            "stop to the target's word that it runs there",
            _report("downtime", 1e-3), True),
    *(Measure(f"blackout.{name.replace('_', '-')}", "ms",
              f"the blackout's part {name.replace('_', ' ')}", _part(name))
      for name in PARTS),
    Measure("brownout", "ms", "the guest runs, and does less than 90 % of its "
            "usual work; the blackout not counted", brownout, True),
    Measure("brownout-before", "%", "the share of such time before the "
            "migration: what the machine's noise makes of it",
            brownout_before),
    Measure("outage", "ms", "the longest silence that a client outside saw, "
            "less the usual distance of two echoes", outage, True),
    Measure("outage-before", "ms", "the longest gap before the migration",
            _echo("before", "gap_max_us", 1e-3)),
    Measure("echoes-lost", "echoes", "of that client's", _echo(
        "during", "lost", 1)),
    Measure("bytes", "bytes", "of page frames, headers and all",
            _report("bytes"), True),
    Measure("control-bytes", "bytes", "of all other frames",
            _report("control_bytes")),
    Measure("state-bytes", "bytes", "of processors and devices",
            _report("state_bytes")),
    Measure("pages", "pages", "sent, each as often as it was",
            _report("pages"), True),
    *(Measure(f"pages.{kind}", "pages", f"sent as {kind}",
              functools.partial(pages_of, kind=kind))
      for kind in ("zero", *CODECS)),
    Measure("pages-resent", "pages", "sent again since a frame was lost",
            lambda run: sum(r["resent"] for r in run["report"]["rounds"])),
    Measure("frames-lost", "frames", "page frames that were lost",
            _report("frames_lost")),
    Measure("rounds", "rounds", "passes over dirty pages, the last with the "
            "guest stopped", lambda run: len(run["report"]["rounds"]), True),
    Measure("dirty-rate", "pages/s", "pages that the guest made dirty each "
            "second while it was copied", dirty_rate, True),
    Measure("throttle", "ms", "rounds in which the policy slowed the guest "
            "down", throttled, True),
    Measure("goodput", "MB/s", "page content in the first round, zero pages "
            "not counted", goodput),
    Measure("tracking-faults", "faults", "exits for dirty tracking",
            lambda run: run["parts"]["faults"]),
    Measure("harvest", "us", "the time of all harvests of dirty pages",
            lambda run: run["parts"]["harvest"]),
    Measure("longest-harvest", "us", "the longest of them",
            lambda run: run["parts"]["longest_harvest"]),
]
MEASURES = {measure.name: measure for measure in TABLE}
ALIASES = {"downtime": "blackout"}
MAIN = [measure.name for measure in TABLE if measure.main]


def named(name: str) -> Measure:
    return MEASURES[ALIASES.get(name, name)]


def values(runs: list, name: str) -> list:
    """Of those runs that moved and know it."""
    found = [named(name).of(run) for run in runs if run["moved"]]
    return [value for value in found if value is not None]
