"""A person at the console: commands, mistakes, VMs started and stopped."""

import re

import pytest

from boots import OPERATOR

pytestmark = pytest.mark.parametrize("shell", OPERATOR, ids=str, indirect=True)


def test_help_lists_commands(shell) -> None:
    text = "\n".join(shell("help"))
    for command in ("vm list", "vm start", "exits", "info", "log"):
        assert command in text


def test_mistyped_command(shell) -> None:
    assert "no command \"hepl\"" in shell("hepl")[0]
    assert "help" in shell("hepl")[0]


def test_mistyped_subcommand(shell) -> None:
    text = "\n".join(shell("vm lst"))
    assert "no \"lst\"" in text and "vm list" in text


def test_unknown_vm(shell) -> None:
    assert "no VM \"nobody\"" in shell("vm start nobody")[0]


def test_vm_starts_and_ends(shell) -> None:
    assert shell.row("hello")["state"] != "running"
    shell.send("vm start hello\r")
    shell.expect("hello| hello from 64-bit mode")
    shell.expect("hello: ended with status 0")
    shell.send("\r")
    shell.expect("godwit> ")
    assert shell.row("hello")["state"] == "ended"


def test_vm_pauses_and_goes_on(shell) -> None:
    shell.expect("clock| ")
    assert shell.row("clock")["state"] == "running"
    shell("vm pause clock")
    assert shell.row("clock")["state"] == "paused"
    before = shell.row("clock")["exits"]
    assert shell.row("clock")["exits"] == before
    shell.send("vm resume clock\r")
    shell.expect("clock: running")
    shell.expect("clock| ")
    assert shell.row("clock")["state"] == "running"


@pytest.mark.parametrize("way", ["wp", "dbit"])
def test_written_pages_are_shown(shell, way) -> None:
    assert f"clock: {way}, 0 pages" in shell(f"vm dirty clock {way}")[0]
    assert "busy" in shell(f"vm dirty clock {way}")[0]
    shell.expect("clock| ")
    shell.expect("clock| ")
    text = shell("vm dirty clock")[0]
    assert int(re.search(r"(\d+) pages written", text)[1]) > 0
    assert "clock: off" in shell("vm dirty clock off")[0]


def test_unknown_way_to_see_writes(shell) -> None:
    assert "invalid" in shell("vm dirty clock sideways")[0]


def test_reset_starts_anew(shell) -> None:
    shell.send("vm start reboot\r")
    for again in range(3):
        shell.expect("reboot| reboots")
        shell.expect("asks for a reset by port 0xcf9")
        shell.expect(f"reboot: restarts ({again + 1})")
    shell.send("vm stop reboot\r")
    shell.expect("reboot: off")


def test_reset_ends(shell) -> None:
    shell.send("vm start reboot-once\r")
    shell.expect("reboot-once| reboots")
    shell.expect("reboot-once: ended with status 256")
    shell.send("\r")
    shell.expect("godwit> ")
    assert shell.row("reboot-once")["state"] == "ended"


def test_typing_interrupts_a_sleeper(shell) -> None:
    """It sleeps: only the interrupt of what is typed can wake it."""
    shell.send("vm start typed\r")
    shell.expect("typed| listens")
    shell.send("vm console typed\r")
    for key in "abq":
        shell.send(key)
        shell.expect(f"typed {key}")
    shell.send("\x1d\r")
    shell.expect("godwit> ")
    assert shell.row("typed")["state"] == "ended"


def test_log_is_kept(shell) -> None:
    assert any("engine: " in line for line in shell("log 1000"))
