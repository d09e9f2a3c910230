"""Moves inside one machine repeat to the byte, on each engine; others do not."""

import shutil
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from rig.machine import OUT, ROOT
from rig.onemachine import KINDS, OneMove, difference, one_run
from moves import walker

GUEST = walker("walker", "pages=150 rate=1000 every=200 seed={seed}", memory=4)
VERDICT = "vm type {vm} q; wait 30"
# Back again, where its old place is free, and on from there.
AND_BACK = "migrate {vm} to one; migrate wait; wait 1; vm type walker q; wait 30"
PLATFORMS = sorted(KINDS)


class Ones:
    """Runs, each made once, as many at a time as emulators may be."""

    def __init__(self, runs):
        self.runs = runs
        self.pool = ThreadPoolExecutor()
        self.begun: dict = {}

    def begin(self, platform: str, number: int = 1, seed: int = 1,
              then: str = VERDICT, **options) -> Future:
        name = "-".join([platform, str(number), str(seed), *options.values()])
        if name not in self.begun:
            self.begun[name] = self.pool.submit(
                self._run, platform, options, seed, OUT / "e2e" / name, then)
        return self.begun[name]

    def _run(self, platform: str, options: dict, seed: int, folder: Path,
             then: str) -> OneMove:
        with self.runs.slots:
            self.runs.say(f"     one machine: {folder.name}")
            return one_run(platform, GUEST, options, seed, folder, then=then)


@pytest.fixture(scope="module")
def ones(request):
    made = Ones(request.config.runs)
    yield made
    made.pool.shutdown(cancel_futures=True)


def ended_well(run: OneMove, name: str) -> None:
    ends = [event for event in run.events
            if event["event"] == "vm" and event["change"] == "ended"]
    assert [(end["vm"], end["status"]) for end in ends] == [(name, 0)], ends


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_byte_repeats(ones: Ones, platform: str) -> None:
    begun = [ones.begin(platform, 1)]
    time.sleep(1.1)  # what counts the build host's seconds is to be seen
    begun.append(ones.begin(platform, 2))
    one, other = [run.result() for run in begun]
    assert difference(one, other) == ""
    assert one.output == other.output
    assert one.hash == other.hash
    assert len(one.log) > 1000 and len(one.console) > 1000


@pytest.mark.parametrize("platform", PLATFORMS)
def test_it_is_a_move(ones: Ones, platform: str) -> None:
    """Both ends agree, the guest ran and wrote meanwhile, and lost nothing."""
    run = ones.begin(platform).result()
    assert run.certificates == [run.report["certificate"]] * 2
    rounds = run.report["rounds"]
    assert len(rounds) > 1 and rounds[0]["pages"] == 1024
    assert rounds[0]["remaining"] > 100
    assert 0 < run.report["downtime"] <= run.report["total"]
    assert run.report["frames"] > 10 and not run.report["frames_lost"]
    ended_well(run, "walker.2")


OTHERS = {"seed": {"seed": 2}, "policy": {"policy": "stop-and-copy"}}


@pytest.mark.parametrize("platform,what", [
    pytest.param(platform, what, id=f"{platform}-{what}",
                 marks=[pytest.mark.long] if platform == "one-vmx" else [])
    for platform in PLATFORMS for what in OTHERS])
def test_what_differs_shows(ones: Ones, platform: str, what: str) -> None:
    run = ones.begin(platform).result()
    other = ones.begin(platform, **OTHERS[what]).result()
    assert other.certificates == [other.report["certificate"]] * 2
    assert other.hash != run.hash
    assert difference(run, other)
    if what == "seed":
        assert other.report["certificate"] != run.report["certificate"]
    ended_well(other, "walker.2")


def test_goes_back(ones: Ones) -> None:
    """What has left makes room for what returns, under its first name."""
    run = ones.begin("one-svm", then=AND_BACK, policy="classic").result()
    changes = [(event["vm"], event["change"]) for event in run.events
               if event["event"] == "migration"
               and event["change"] in ("arrived", "done")]
    assert changes == [("walker.2", "arrived"), ("walker", "done"),
                       ("walker", "arrived"), ("walker.2", "done")]
    assert len(set(run.certificates)) == 2 and len(run.certificates) == 4
    ended_well(run, "walker")


@pytest.mark.long
def test_the_build_repeats(tmp_path: Path) -> None:
    """Elsewhere, and from the beginning: the same bytes."""
    tree = tmp_path / "a" / "folder" / "of-another-length"
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns("out", ".git"))
    made = ["out/kernel.bin", "out/BOOTX64.EFI", "out/guests/walker.elf"]
    subprocess.run(["make", "-C", tree, "-s", "-j2", *made], check=True,
                   stdout=subprocess.DEVNULL)
    for name in made:
        assert (tree / name).read_bytes() == (ROOT / name).read_bytes(), name
