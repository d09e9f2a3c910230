"""What an experiment's file may say (tools/experiment), and how mistakes in it are
shown: with file, line, key and what is allowed."""

import re
from pathlib import Path

import pytest

from experiment.description import FileError, parse, read
from experiment.guests import failures_in, guest_of, window_of, work_in
from experiment.keys import KEYS, TABLE
from experiment.measures import TABLE as MEASURES
from experiment.points import Point, groups, pages_of, shown
from experiment.settings import cable_words, migrate_words, nic_lines

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "docs/experiments").glob("*.exp"))

GOOD = """
# A comment.
[experiment]
title = Two things, side by side   # with a comma
plot = total, downtime against rate by policy log x
plot = parts
repetitions = 4
[guest]
workload = walk
rate = 100, 2k
memory=16
[migration]
policy = classic, downtime
codecs = word+lz4
[link]
bandwidth = 25M
loss = 0.01
"""


def made(text: str):
    return parse(Path("x.exp"), text)


def test_a_good_file() -> None:
    experiment = made(GOOD)
    assert experiment.title == "Two things, side by side"
    assert experiment.varied() == ["rate", "policy"]
    assert experiment.repetitions(quick=False) == 4
    points = experiment.points()
    assert [(point["rate"], point["policy"]) for point in points] == [
        (100, "classic"), (100, "downtime"), (2000, "classic"),
        (2000, "downtime")]
    assert points[0]["bandwidth"] == 25_000_000
    assert points[0]["loss"] == 0.01
    first = experiment.plots[0]
    assert (first.measures, first.against, first.by, first.log) == (
        ("total", "downtime"), "rate", ("policy",), "x")


@pytest.mark.parametrize("text, line, key, says", [
    ("rate = 5", 1, "rate", "before the first section; allowed: [experiment]"),
    ("[guests]", 1, "", "no section [guests]; allowed: [experiment], [guest]"),
    ("[guest]\nrat = 5", 2, "rat", "did you mean rate?"),
    ("[guest]\nxyzzy = 5", 2, "xyzzy", "[guest] has: guest, memory"),
    ("[guest]\n\npolicy = classic", 3, "policy", "belongs into [migration]"),
    ("[guest]\nrate = fast", 2, "rate", "allowed: 0 to 1000000"),
    ("[guest]\nrate = -1", 2, "rate", "allowed: 0 to 1000000"),
    ("[guest]\nmemory = 4096", 2, "memory", "allowed: 8 to 1024"),
    ("[guest]\nrate = 5,,6", 2, "rate", "empty place in its list"),
    ("[guest]\nrate =", 2, "rate", "has no value; allowed: 0 to"),
    ("[guest]\nrate = 5, 6, 5", 2, "rate", "has 5 more than once"),
    ("[guest]\nrate = 5\nrate = 6", 3, "rate", "was given in line 2 already"),
    ("[guest]\nwalk", 2, "", "neither `[section]` nor `key = value`"),
    ("[experiment]\nrepetitions = 2", 2, "repetitions", "allowed: 3 to 1000"),
    ("[experiment]\nrepetitions = 3, 4", 2, "repetitions", "takes one value"),
    ("[migration]\npolicy = hope", 2, "policy",
     "allowed: downtime, classic, fixed, stop-and-copy"),
    ("[migration]\ncodecs = zip", 2, "codecs", "some of word, delta, lz4"),
    ("[link]\nloss = 1.5", 2, "loss", "allowed: 0 to 0.9"),
    ("[link]\nrx-ring = 100", 2, "rx-ring", "no power of two"),
    ("[guest]\nworkload = walk\nhot = 5", 3, "hot",
     "means nothing here; it is for workload hot-cold"),
    ("[guest]\nworkload = server", 2, "workload",
     "the guest walker has: idle, walk"),
    ("[guest]\nguest = linux\nmemory = 64", 3, "memory", "linux needs 96"),
    ("[guest]\nmemory = 16\nworkload = walk\npages = 4000", 4, "pages",
     "do not fit into 16 MiB"),
    ("[guest]\nvcpus = 2", 2, "vcpus", "the walker has one"),
    ("[migration]\ndirty = pml", 2, "dirty", "pml needs platform vmx"),
    ("[link]\nloss = 0.1\n[hosts]\nplatform = vmx", 2, "loss",
     "the hosts of vmx have no cable that can be made worse"),
    ("[link]\nframe = 9014\n[hosts]\nplatform = svm, vmx-to-svm", 2, "frame",
     "Bochs's card passes 1514"),
    ("[experiment]\nplot = speed", 2, "plot", "no measure 'speed'; allowed"),
    ("[experiment]\nplot = total against rate", 2, "plot",
     "'rate' has not several values; allowed: nothing"),
])
def test_a_bad_file(text: str, line: int, key: str, says: str) -> None:
    with pytest.raises(FileError) as error:
        made(text)
    told = str(error.value)
    assert told.startswith(f"x.exp:{line}: " + (f"{key}: " if key else ""))
    assert says in told


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        read(tmp_path / "none.exp")


def test_what_a_workload_does_not_heed_makes_no_points() -> None:
    """Two hot sets are two points, but there is one walk."""
    points = made("[guest]\nworkload = walk, hot-cold\nhot = 16, 64\n").points()
    assert [(point["workload"], point["hot"]) for point in points] == [
        ("walk", None), ("hot-cold", 16), ("hot-cold", 64)]


def test_quick_takes_the_ends() -> None:
    experiment = made("[guest]\nworkload = walk\nrate = 1, 2, 3, 4\n")
    assert [p["rate"] for p in experiment.points(quick=True)] == [1, 4]
    assert experiment.repetitions(quick=True) == 2


def test_a_point_is_the_same_with_its_defaults_given() -> None:
    plain, said = made("[guest]\nmemory = 16"), made(
        "[guest]\nmemory = 16\nworkload = idle\n[migration]\nlimit = 0\n")
    other = made("[guest]\nmemory = 17")
    assert plain.points()[0].id == said.points()[0].id
    assert plain.points()[0].id != other.points()[0].id


def test_points_of_the_same_hosts_share_them() -> None:
    text = "[guest]\nworkload = walk\nrate = 1, 2\n[link]\nframe = 1514, 9014\n" \
        "loss = 0, 0.1\n"
    found = groups(made(text).points())
    assert [len(group) for group in found] == [4, 4]
    assert [{point["frame"] for point in group} for group in found] == [
        {1514}, {9014}]


# --- what becomes of it

def test_words_for_guest_cable_and_command() -> None:
    point = made(GOOD).points()[0]
    guest = guest_of(point, "g")
    assert "memory = 16M" in guest.section
    assert f"pages={pages_of(point.parameters)}" in guest.section
    assert "rate=100" in guest.section and f"window={window_of(point)}" in \
        guest.section
    assert migrate_words(point)["codecs"] == "word,lz4"
    words = cable_words(point, 3, newer=False)
    assert {"rate=25000000", "loss=0.01", "seed=1003"} <= set(words)
    assert not [word for word in words if word.startswith("jitter")]
    # A point without jitter, next to one that has it, has to say so.
    assert "jitter_us=0" in cable_words(point, 3, newer=True)
    rings = made("[link]\nrx-ring = 64\nrx-buffers = 32\n").points()[0]
    assert nic_lines(rings) == "rx-ring = 64\nrx-buffers = 32\n"


@pytest.mark.parametrize("text, words", [
    ("workload = hot-cold\nhot = 8\ncold-every = 5", "hot=8 cold=5"),
    ("workload = bursts\nburst = 50\nrest = 70", "burst=50 rest=70"),
    ("workload = chase", "chase"),
    ("guest = linux\nmemory = 128\nworkload = build", "godwit.build=yes"),
    ("guest = linux\nmemory = 128\nworkload = dirty\npages = 2048\nrate = 9",
     "godwit.dirty=8:9")])
def test_workloads_reach_the_guest(text: str, words: str) -> None:
    section = guest_of(made(f"[guest]\n{text}\n").points()[0], "g").section
    line = section.splitlines()[-1]
    assert line.startswith("cmdline = ")
    assert set(words.split()) <= set(line.split())


def test_what_a_guest_says() -> None:
    """A shell's prompt may stand before it."""
    text = "g| walker: work 100:2 200:3\nh| walker: work 9:9\n" \
        "g| guest:/# FAIL linux.build: bad\ng| ok\nh| FAIL other\n"
    assert work_in(text, "g") == [[100, 2], [200, 3]]
    assert failures_in(text, "g") == ["g| guest:/# FAIL linux.build: bad"]


def test_a_window_holds_enough_steps() -> None:
    for rate in (1, 50, 1000, 20000):
        point = made(f"[guest]\nworkload = walk\nrate = {rate}\n").points()[0]
        assert window_of(point) * rate >= 20 * 1000
    assert window_of(made("[guest]\nworkload = idle\n").points()[0]) == 0


@pytest.mark.parametrize("value, text", [
    (25_000_000, "25M"), (1514, "1514"), (12_500_000, "12.5M"), (0, "0"),
    (None, "-"), (0.01, "0.01"), ("classic", "classic"), (65014, "65014")])
def test_values_for_people(value, text) -> None:
    assert shown(value) == text


# --- examples and manual

@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_are_right(path: Path) -> None:
    experiment = read(path)
    assert experiment.fixed["title"] and experiment.fixed["about"]
    assert experiment.plots, "an example says what it shows"
    assert path.read_text().startswith("# ")
    assert len(experiment.points()) * experiment.repetitions(False) <= 100


def test_there_are_a_dozen_examples_in_the_manual() -> None:
    manual = (ROOT / "docs/lab.md").read_text()
    assert len(EXAMPLES) >= 12
    for path in EXAMPLES:
        assert f"`{path.stem}`" in manual


def test_the_manual_has_every_key_and_measure() -> None:
    """With the default that it has."""
    manual = (ROOT / "docs/lab.md").read_text()
    rows = dict(re.findall(r"(?m)^\| `([a-z-]+)` \| ([^|]*) \|[^|]*\|[^|]*\|$",
                           manual))
    for key in TABLE:
        default = "" if key.default == "" else str(key.default)
        assert rows.get(key.name, "none").strip().strip("`") == default, \
            key.name
    for measure in MEASURES:
        assert f"`{measure.name}`" in manual, measure.name
    assert set(rows) - set(KEYS) == set()


def test_a_point_has_a_label() -> None:
    point = Point(made(GOOD).points()[0].parameters)
    assert point.label(["rate", "policy"]) == "rate 100, policy classic"
