"""Measures migrations between two emulated hosts and prints figures.

One pair of hosts serves many runs: the guest goes there and back, a second apart, in
which the host it left clears that memory. Each case runs at least five times, and
the medians count; a guest's first way there and back, whose code the emulator has yet
to translate, is told by itself. Every run's whole report is kept as a line of
out/bench/migrate/CASE.jsonl. docs/figures.md says what each name means.

    bench_migrate.py [--runs N] [CASE...]    those whose name begins with a CASE
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig.hosts import End, Hosts, NotMoved, Refused, save  # noqa: E402
from rig.machine import OUT, ROOT  # noqa: E402
from rig.traffic import Echoes  # noqa: E402

RAW = OUT / "bench" / "migrate"
GUEST = "10.0.0.2"
PAGE = 4096
MEGABIT_200 = "rate=25M"
BLASTS = 5
REST = 1  # seconds between two runs
ECHO_HZ = 200  # what a guest on one emulated CPU answers while it is moved
BLAST = re.compile(r"the sink got \d+ frames, (\d+) bytes in (\d+) us")


def linux(name: str, words: str = "") -> str:
    return f"[vm {name}]\nkernel = linux/cloud-vmlinuz\n" \
        "initrd = linux/cloud-initrd\nmemory = 128M\nnet = yes\n" \
        "autostart = no\ncmdline = console=ttyS0 quiet " \
        f"godwit.name={name} godwit.ip={GUEST} godwit.run=serve {words}\n"


def walker(name: str, memory: int, words: str) -> str:
    return f"[vm {name}]\nkernel = guests/walker.elf\nmemory = {memory}M\n" \
        f"autostart = no\ncmdline = every=500 {words}\n"


# VM -> its section, and what it says when it is up.
GUESTS = {
    "idle": (linux("idle"), "linux: serves"),
    "dirty16": (linux("dirty16", "godwit.dirty=16:0"), "dirty: pass 1"),
    # All of its pages differ, and no codec makes them smaller.
    "random": (walker("random", 128, "pages=30000 rate=200 seed=5"),
               "walker: generation 1, step 30000"),
    "hot": (walker("hot", 64, "pages=4096 rate=4000"), "walker: generation 1"),
}


@dataclass(frozen=True)
class Case:
    """Runs of one guest with one set of words on the command."""

    name: str
    vm: str
    options: dict = field(default_factory=dict, hash=False)
    wire: tuple = ()
    client: bool = False  # echoes from the outside, ECHO_HZ


@dataclass(frozen=True)
class Session:
    """A pair of hosts, and the cases that it serves."""

    cases: tuple
    frame_max: int = 65014
    box: bool = False
    security: str = "encrypt"  # both ends have to want the same
    cpus: int = 1
    blast: Optional[int] = None  # `net bench` with frames of so many bytes


SECURITIES = ("none", "authenticate", "encrypt")
SIZES = (1514, 9014, 65014)
SESSIONS = [
    *(Session((Case(f"idle.{security}", "idle"),
               Case(f"seen.{security}", "idle", client=True)),
              security=security) for security in SECURITIES),
    Session((Case("idle-2.none", "idle"),), security="none", cpus=2),
    Session((
        Case("dirty16.downtime", "dirty16",
             {"policy": "downtime", "downtime": 25}),
        Case("dirty16.classic", "dirty16", {"policy": "classic"}),
        Case("dirty16.stop-and-copy", "dirty16", {"policy": "stop-and-copy"}),
        Case("way.wp", "hot", {"dirty": "wp"}),
        Case("way.dbit", "hot", {"dirty": "dbit"}),
    ), security="none"),
    Session((
        Case("limited.all", "idle", {"codecs": "all"}, (MEGABIT_200,)),
        Case("limited.none", "idle", {"codecs": "none"}, (MEGABIT_200,)),
    ), box=True, security="none"),
    *(Session((Case(f"frame.{size}.{security}", "random",
                    {"codecs": "none"}),),
              size, security=security, blast=min(size, 65000))
      for size in SIZES for security in ("none", "encrypt")),
]


def figure(name: str, value: float, unit: str, note: str = "") -> None:
    number = f"{value:.2f}" if isinstance(value, float) else str(value)
    note = f"  # {note}" if note else ""
    print(f"figure migrate.{name} {number} {unit}{note}", flush=True)


def median(values: list) -> float:
    return statistics.median(values)


# --- one run

def start(hosts: Hosts, vm: str) -> None:
    hosts.a.ask(f"vm start {vm}")
    hosts.a.console.expect(f"{vm}| {GUESTS[vm][1]}", 300)


class Client:
    """Echoes around a move: the largest gap while nothing happens, too."""

    def __init__(self, hosts: Hosts, wanted: bool):
        self.hosts, self.wanted = hosts, wanted
        self.record: dict = {}

    def _listen(self, seconds: Optional[float]) -> Optional[Echoes]:
        if not self.wanted:
            return None
        with self.hosts.background.lock:
            echoes = Echoes(self.hosts.outside, GUEST, hz=ECHO_HZ)
            echoes.begin()
        if seconds:
            time.sleep(seconds)
            self._stop(echoes)
        return echoes

    def _stop(self, echoes: Echoes) -> None:
        with self.hosts.background.lock:
            echoes.end()
        time.sleep(0.3)

    def __enter__(self) -> "Client":
        quiet = self._listen(1)
        self.record["quiet"] = quiet.summary() if quiet else None
        self.echoes = self._listen(None)
        if self.echoes:
            time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        if self.echoes:
            time.sleep(0.5)
            self._stop(self.echoes)
        self.record["moved"] = self.echoes.summary() if self.echoes else None


def one_run(hosts: Hosts, case: Case, number: int, name: str = "") -> dict:
    """There or back; kept under the case's name, or this one."""
    name = name or case.name
    source, target = hosts.hosts[::-1] if number % 2 else hosts.hosts
    with Client(hosts, case.client) as client:
        move = hosts.move(case.vm, source, target, timeout=300, **case.options)
    report = {key: value for key, value in move.report.items()
              if key not in ("event", "time_ns")}
    if len(set(move.certificates)) != 1:
        raise RuntimeError(f"{name}: certificates {move.certificates}")
    record = {"case": name, "run": number, "options": case.options,
              "wire": case.wire, "seconds": move.seconds, "report": report,
              "arrived": move.arrived, "echoes": client.record}
    save(RAW / f"{name}.jsonl", record)
    return record


# --- figures

def full_pages(report: dict) -> int:
    """Pages with content that went over the wire, each as often as it went."""
    return sum(r["pages"] - r["zero_pages"] for r in report["rounds"])


def goodput(report: dict) -> float:
    """MB/s of page content in the first round."""
    first = report["rounds"][0]
    return (first["pages"] - first["zero_pages"]) * PAGE \
        / max(first["duration"], 1)


def conclude(case: Case, records: list) -> None:
    reports = [record["report"] for record in records]
    middle = {key: round(median([r[key] for r in reports]))
              for key in ("total", "downtime", "bytes", "pages")}
    rounds = round(median([len(r["rounds"]) for r in reports]))
    figure(f"total.{case.name}", middle["total"], "us", f"{rounds} rounds")
    figure(f"downtime.{case.name}", middle["downtime"], "us")
    figure(f"bytes.{case.name}", middle["bytes"], "bytes",
           f"{middle['pages']} pages")
    content = [full_pages(r) * PAGE for r in reports]
    figure(f"bytes-of-content.{case.name}", float(median(
        [r["bytes"] / max(size, 1) for r, size in zip(reports, content)])),
        "times", "bytes on the wire by those of pages that are not zero")
    figure(f"goodput.{case.name}", round(median([goodput(r) for r in reports])),
           "MB/s", "page content, first round")
    for when, name in (("moved", "gap"), ("quiet", "gap-quiet")):
        found = [record["echoes"][when] for record in records]
        if all(found):
            figure(f"{name}.{case.name}",
                   round(median([e["gap_max_us"] for e in found])), "us",
                   f"lost {sum(e['lost'] for e in found)} of "
                   f"{sum(e['sent'] for e in found)}")


def blast(hosts: Hosts, size: int) -> float:
    """MB/s of bare frames between the same two cards."""
    rates = []
    for _ in range(BLASTS):
        start_b, start_a = len(hosts.b.text), len(hosts.a.text)
        hosts.b.console.send(f"net bench sink,nic=mig,size={size}\r")
        hosts.b.console.wait_for(
            lambda at=start_b: "net bench: ready" in hosts.b.text[at:] or None,
            "net bench", 60)
        hosts.a.console.send(f"net bench blast,nic=mig,size={size},ms=400\r")
        found = hosts.a.console.wait_for(
            lambda at=start_a: BLAST.search(hosts.a.text, at), "net bench", 60)
        rates.append(int(found.group(1)) / max(int(found.group(2)), 1))
    return median(rates)


# --- the whole

def run_case(hosts: Hosts, case: Case, runs: int) -> list:
    """There and back, so that the guest is on alpha for the next one."""
    if hosts.box:
        hosts.wire.set("rate=0", *case.wire)
    records = []
    (RAW / f"{case.name}.jsonl").unlink(missing_ok=True)
    for number in range(runs + runs % 2):
        time.sleep(REST)
        try:
            records.append(one_run(hosts, case, number))
        except (NotMoved, Refused) as error:
            raise RuntimeError(f"{case.name}, run {number}: {error}") from error
    conclude(case, records)
    return records


def run_first(hosts: Hosts, case: Case) -> None:
    """There and back, when nothing of it has run before."""
    if hosts.box:
        hosts.wire.set("rate=0", *case.wire)
    for number, name in enumerate(("first", "second")):
        (RAW / f"{name}.{case.name}.jsonl").unlink(missing_ok=True)
        report = one_run(hosts, case, number, f"{name}.{case.name}")["report"]
        for key in ("total", "downtime"):
            figure(f"{key}.{name}.{case.name}", report[key], "us")


def run_session(session: Session, cases: list, runs: int) -> None:
    end = {"memory": 640, "cpus": session.cpus, "frame_max": session.frame_max,
           "migrate": f"security = {session.security}\ndowntime = 300\n"}
    config = "".join(GUESTS[vm][0] for vm in {case.vm for case in cases})
    with Hosts((End(config=config, **end), End(**end)), RAW / "hosts",
               box=session.box) as hosts:
        bare = blast(hosts, session.blast) if session.blast else 0
        if bare:
            figure(f"blast.{session.cases[0].name}", round(bare), "MB/s",
                   "net bench between the same cards")
        running = None
        for case in cases:
            if case.vm != running:
                if running:
                    hosts.a.ask(f"vm stop {running}")
                start(hosts, case.vm)
                run_first(hosts, case)
                running = case.vm
            records = run_case(hosts, case, runs)
            if bare:
                share = median([goodput(r["report"]) for r in records]) / bare
                figure(f"share-of-blast.{case.name}", float(share), "times")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=6)
    parser.add_argument("cases", nargs="*", metavar="CASE")
    args = parser.parse_args()
    subprocess.run([sys.executable, ROOT / "tools/guest_linux.py", "cloud"],
                   check=True)
    failed = 0
    for session in SESSIONS:
        cases = [case for case in session.cases if not args.cases or
                 any(case.name.startswith(name) for name in args.cases)]
        if not cases:
            continue
        try:
            run_session(session, cases, args.runs)
        except (OSError, RuntimeError, TimeoutError) as error:
            print(f"bench-migrate: {error}", file=sys.stderr)
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
