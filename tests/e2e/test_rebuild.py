"""VMs taken apart and built anew from their saved state while they run."""

import re
import time

import pytest

from boots import REBUILT, REBUILT_SUITES

pytestmark = pytest.mark.parametrize("shell", REBUILT, ids=str, indirect=True)


def rebuild(shell, vm: str, timeout: float = 60) -> str:
    """What the shell says of it: the state, then what it took; or an error."""
    return "\n".join(shell(f"vm rebuild {vm}", timeout))


@pytest.mark.parametrize("suite", REBUILT_SUITES)
def test_suite_passes(shell, suite: str) -> None:
    """A guest's own checks hold, however often it is rebuilt among them."""
    if f"[vm {suite}]" not in shell.boot.config:
        pytest.skip(f"{shell.boot.platform} cannot run it")
    shell(f"vm start {suite}")
    done = 0
    end = time.monotonic() + 120
    while time.monotonic() < end:
        said = rebuild(shell, suite)
        if f"{suite}: ended" in said or "it is ended" in said:
            break
        assert f"{suite}: running" in said, said
        done += 1
    assert shell.row(suite)["state"] == "ended"
    assert shell.row(suite)["end"] == "status 0"
    assert done, "it had ended before the first"


def test_clock_goes_on(shell) -> None:
    shell("vm start clock")
    last = 0
    for _ in range(20):
        said = rebuild(shell, "clock")
        assert "clock: running" in said, said
        shell.expect("clock| the clock: tick ")
        tick = int(re.match(r"\d+", shell.expect(" of ")).group())
        assert tick > last
        last = tick
    shell("vm stop clock")


def test_typed_is_not_lost(shell) -> None:
    """It sleeps; what is typed wakes the one that was built anew."""
    shell.send("vm start typed\r")
    shell.expect("typed| listens")
    for key in "abq":
        assert "typed: running" in rebuild(shell, "typed")
        shell.send("vm console typed\r")
        shell.send(key)
        shell.expect(f"typed {key}")
        shell.send("\x1d\r")
        shell.expect("godwit> ")
