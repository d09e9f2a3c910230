"""lab run FILE: measures what the file describes, or what is still missing of it.
lab compare A B: two results side by side, and where they differ for certain.
lab report DIR: draws the pictures and the report of results anew.
lab keys: what a file may say.

docs/lab.md is the manual, docs/experiments/ has examples.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from rig.machine import OUT, ROOT
from rig.platforms import PLATFORMS

from . import compare, description, report, store, versions, worker
from .keys import SECTIONS, TABLE
from .points import ends_of
from .running import Runner, usual_jobs

LAB = OUT / "lab"
FINE, SOME_FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130


def near(path: Path) -> str:
    """As one would type it here."""
    return os.path.relpath(path) if path.is_relative_to(ROOT) else str(path)


def emulators_of(points: list) -> set:
    ends = {end.removeprefix("one-") for point in points
            for end in ends_of(point["platform"])}
    return {PLATFORMS[end].emulator for end in ends}


def uses_linux(points: list) -> bool:
    return any(point["guest"] == "linux" for point in points)


def build(linux: bool) -> None:
    """Godwit as the sources are now."""
    subprocess.run(["make", "--no-print-directory", "-s", "-C", str(ROOT),
                    f"-j{os.cpu_count()}", "all", "guests", "rig"], check=True)
    if linux:
        subprocess.run([sys.executable, ROOT / "tools/guest_linux.py",
                        "cloud"], check=True)


def plan_of(experiment: description.Experiment, points: list,
            quick: bool) -> dict:
    found = versions.all_of_them(uses_linux(points), emulators_of(points))
    return {"name": experiment.name, "title": experiment.title,
            "about": experiment.fixed["about"], "quick": quick,
            "repetitions": experiment.repetitions(quick),
            "varied": experiment.varied(), "build": found["build"],
            "versions": found, "file": experiment.text,
            "points": [point.parameters for point in points]}


def run(args: argparse.Namespace) -> int:
    experiment = description.read(args.file)
    points = experiment.points(args.quick)
    if not args.no_build:
        build(uses_linux(points))
    folder = args.out or LAB / (experiment.name
                                + ("-quick" if args.quick else ""))
    if args.fresh:
        store.forget(folder)
    kept = store.Store(folder, plan_of(experiment, points, args.quick))
    (folder / "experiment.exp").write_text(experiment.text)
    settings = {key: experiment.fixed[key] for key in
                ("warmup", "settle", "timeout", "giving-up")}
    command = [sys.executable, "-P", "-m", "experiment", "worker"]
    print(f"{experiment.title}: {len(points)} points, "
          f"{kept.plan['repetitions']} migrations each, in {near(folder)}")
    if not kept.short():
        print("nothing is missing there; --fresh measures it anew")
    status = FINE
    try:
        Runner(kept, settings, experiment.varied(), command).run(args.jobs)
    except KeyboardInterrupt:
        print("lab: interrupted; the same command goes on", file=sys.stderr)
        status = INTERRUPTED
    finally:
        kept.close()
    return max(status, report_on(folder))


def report_on(folder: Path) -> int:
    results = store.load(folder)
    made = report.write(results)
    print(report.text(results))
    print(f"report: {near(made)}")
    for point in results.short():
        if point.id in results.failed:
            return SOME_FAILED
    return FINE


def compare_two(args: argparse.Namespace) -> int:
    pair: list = []
    for name in (args.a, args.b):
        folder = store.find(name, LAB)
        if not folder:
            raise store.StoreError(f"{name} is no directory of results, and "
                                   f"{near(LAB)} has none of that name")
        pair.append(store.load(folder))
    compared = compare.Comparison(*pair)
    print(compare.text(compared))
    if args.html:
        compare.write(compared, args.html)
        print(f"report: {args.html}")
    return FINE


def list_keys(_args: argparse.Namespace) -> int:
    for section in SECTIONS:
        print(f"[{section}]")
        for key in TABLE:
            if key.section == section:
                default = "" if key.default == "" else f" = {key.default}"
                print(f"  {key.name}{default}\n      {key.about}"
                      f"\n      allowed: {key.kind.allowed}"
                      + (f" ({key.unit})" if key.unit else ""))
    return FINE


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True)
    one = commands.add_parser("run", help="measure")
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--quick", action="store_true",
                     help="the ends of each list, two migrations: a look, no "
                     "result")
    one.add_argument("--out", type=Path, metavar="DIR",
                     help="where results go (default: out/lab/NAME)")
    one.add_argument("--jobs", type=int, default=usual_jobs(), metavar="N",
                     help="pairs of hosts at a time (here %(default)s)")
    one.add_argument("--fresh", action="store_true",
                     help="forget what was measured there")
    one.add_argument("--no-build", action="store_true",
                     help="take Godwit as it was built")
    one.set_defaults(do=run)
    two = commands.add_parser("compare", help="two results side by side")
    two.add_argument("a", metavar="A", help="a directory, or NAME in out/lab")
    two.add_argument("b", metavar="B")
    two.add_argument("--html", type=Path, metavar="FILE",
                     help="write it as a page, too")
    two.set_defaults(do=compare_two)
    again = commands.add_parser("report", help="draw a report anew")
    again.add_argument("folder", type=Path, metavar="DIR")
    again.set_defaults(do=lambda args: report_on(args.folder))
    keys = commands.add_parser("keys", help="what a file may say")
    keys.set_defaults(do=list_keys)
    # For ourselves: a process that serves one pair of hosts.
    commands.add_parser("worker").set_defaults(do=lambda _: worker.main())
    return parser


def main() -> int:
    args = arguments().parse_args()
    if getattr(args, "jobs", 1) < 1:
        print("lab: --jobs takes 1 or more", file=sys.stderr)
        return WRONG
    try:
        return args.do(args)
    except (description.FileError, store.StoreError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return WRONG
    except subprocess.CalledProcessError as error:
        print(f"lab: {error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
