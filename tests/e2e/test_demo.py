"""The demo's inner function: what `make demo` does between its screen and its
verdict."""

import importlib.util
import io
import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest

from rig.board import Board
from rig.hosts import NAMES, End
from rig.machine import OUT, ROOT
from rig.play import Plan, Player
from rig.show import Plain
from rig.story import write
from rig.verdict import judge, passed
from moves import walker

CLEAR = "security = none\ndowntime = 2000\n"


def demo():
    """tools/demo.py, which is a program and no module of the rig."""
    spec = importlib.util.spec_from_file_location("demo", ROOT / "tools/demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def both_places(request) -> Iterator[None]:
    """Of the machines that run at once."""
    slots = request.config.runs.slots
    for _ in range(2):
        slots.acquire()
    try:
        yield
    finally:
        for _ in range(2):
            slots.release()


def play(request, plan: Plan, name: str) -> tuple:
    """The record, what was shown, and the folder."""
    folder: Path = OUT / "e2e" / f"demo-{name}"
    board = Board(plan.title, *((name, end.platform) for name, end in
                                zip(NAMES, plan.ends)))
    player, out = Player(plan, board, folder), io.StringIO()
    with both_places(request), Plain(board, out, player.tick):
        record = player.run()
    return record, out.getvalue(), folder


def went_well(record: dict, shown: str, folder: Path) -> None:
    checks = judge(record)
    assert passed(checks), [check for check in checks if not check.good]
    assert "alpha is up" in shown and "leaves beta for alpha" in shown
    for move in record["moves"]:
        assert move["begun"] < move["stopped"] <= move["runs"] + 0.5
        # The capture and the source's own report are of one opinion.
        rounds = move["report"]["rounds"]
        assert [part["number"] for part in move["rounds"]] == \
            [part["round"] for part in rounds]
        sent = move["rounds"][0]
        assert sent["zero"] + sent["content"] == move["pages"]
        wire = sum(rate for _, rate in move["rates"]) * 0.05
        assert move["report"]["bytes"] <= wire <= \
            1.2 * move["report"]["bytes"] + 200000
    html = write(record, folder).read_text()
    assert "Passed:" in html and html.count("<svg") >= 4


def test_demo_moves_a_guest(request) -> None:
    guest = walker("walker", "pages=1024 hot=64 rate=500 every=200")
    ends = (End(config=guest, migrate=CLEAR), End(migrate=CLEAR))
    plan = Plan("a demo", "walker", ends, "a note", "walker: generation",
                client=False, settle=0.5)
    record, shown, folder = play(request, plan, "walker")
    went_well(record, shown, folder)
    assert shown.splitlines()[1].endswith("a note")
    assert json.loads((folder / "record.json").read_text()) == record


def test_demo_that_breaks_off_fails(request) -> None:
    """Other keys: the hosts do not find each other. The record says so."""
    guest = walker("walker", "pages=64 every=200")
    ends = (End(config=guest), End(key="another one"))
    plan = Plan("a demo", "walker", ends, "", "walker: generation",
                client=False, settle=0.1)
    record, shown, folder = play(request, plan, "breaks")
    assert not passed(judge(record)) and not record["moves"]
    assert "no host of that name answers" in record["wrong"][0]
    assert "walker was not moved" in shown
    assert "Failed:" in write(record, folder).read_text()


@pytest.mark.long
@pytest.mark.parametrize("name", ["here", "cross"])
def test_demo_as_it_is_shown(request, name: str) -> None:
    plan = demo().PLANS[name]()
    if name == "here":
        subprocess.run([sys.executable, ROOT / "tools/guest_linux.py", "cloud"],
                       check=True)
    went_well(*play(request, plan, name))
