"""A guest's console: nothing typed and nothing written is lost."""

import random
import re

import pytest

from boots import FLOODED, OPERATOR, WRITERS
from runs import PROMPT, Shell

DETACH = "\x1d"


def on(boots):
    return pytest.mark.parametrize("shell", boots, ids=str, indirect=True)


def attach(shell: Shell, name: str) -> int:
    """The place in the raw text where the guest's own bytes begin."""
    banner = f"console of {name}; Ctrl-] comes back here\r\n".encode()
    start = len(shell.console.raw)
    shell.send(f"vm console {name}\r")
    shell.expect("comes back here\n")
    return shell.console.raw.index(banner, start) + len(banner)


def detach(shell: Shell) -> None:
    shell.send(DETACH)
    shell.expect("back in the shell\n" + PROMPT)


@on(OPERATOR)
def test_paste_comes_back(shell) -> None:
    """10 KB of all bytes but those with a meaning here, Ctrl-C among them."""
    shell("vm pause clock")
    shell("vm start echo")
    start = attach(shell, "echo")
    allowed = [byte for byte in range(256) if byte not in (0x04, 0x1d)]
    paste = bytes(random.Random(1).choices(allowed, k=10_000)) + b"\x03"
    shell.send(paste)
    assert shell.console.expect_raw(len(paste), start, 120) == paste
    detach(shell)


@on(OPERATOR)
def test_what_came_before_is_shown(shell) -> None:
    attach(shell, "echo")
    shell.send("\r\n" + "".join(f"row {i}\r\n" for i in range(40)))
    shell.expect("row 39\n")
    detach(shell)
    start = attach(shell, "echo")
    shell.expect("row 39\n")
    again = bytes(shell.console.raw[start:]).decode("utf-8", "replace")
    assert re.findall(r"row (\d+)\r\n", again) == [
        str(i) for i in range(16, 40)], again
    detach(shell)


@on(OPERATOR)
def test_keys_to_a_dead_guest_leave_a_way_out(shell) -> None:
    """More keys than it has room for, and nobody there to take them."""
    attach(shell, "echo")
    shell.send("\x04")
    shell.expect("echo: ended with status 1")
    shell.send(b"x" * 40_000)
    detach(shell)
    assert shell.row("echo")["state"] == "ended"


@on(OPERATOR)
def test_keys_to_a_paused_guest_wait(shell) -> None:
    shell("vm start echo")
    start = attach(shell, "echo")
    shell.send(">")  # its UART is set up
    shell.console.expect_raw(1, start)
    detach(shell)
    shell("vm pause echo")
    attach(shell, "echo")
    shell.send("patience")
    detach(shell)
    shell("vm resume echo")
    start = attach(shell, "echo")
    assert shell.console.expect_raw(9, start) == b">patience"
    shell.send("\x04")
    shell.expect("echo: ended with status 1")
    detach(shell)


@on(OPERATOR)
def test_ctrl_c_ends_waiting(shell) -> None:
    shell("vm resume clock")
    shell.send("wait\r")
    shell.expect("wait\n")
    shell.send("vm list\r\x03")
    shell.expect("^C\n")
    assert shell.row("clock")["state"] == "running"


@on(OPERATOR)
def test_arrows_and_tab(shell) -> None:
    shell("vm pause clock")
    shell("vm list")
    shell.send("\x1b[A\r")
    shell.expect("NAME ")
    shell.expect(PROMPT)
    shell.send("vm resu\tclo\t\r")
    shell.expect("clock: running\n")
    shell("vm pause clock")
    shell.expect(PROMPT)
    shell.send("lisst\x1b[D\x1b[D\x7f\x01vm \x05\r")
    shell.expect("NAME ")
    shell.expect(PROMPT)
    shell.send("vm s\t\t")
    shell.expect("vm start\n  vm stop\n")
    shell.send("\x15")
    shell("vm resume clock")


def lines_of(shell: Shell, name: str) -> int:
    """How many the guest was told to write."""
    section = shell.boot.config.split(f"[vm {name}]")[1]
    return int(re.search(r"lines=(\d+)", section).group(1))


@on(FLOODED)
@pytest.mark.parametrize("name", WRITERS)
def test_output_arrives_complete(shell, name) -> None:
    """A megabyte in lines with the guest's name."""
    count = lines_of(shell, name)
    start = len(shell.console.raw)
    shell.control.ask(f"vm start {name}")
    text = shell.console.expect_bytes(
        f"{name}| line {count - 1:08}".encode(), start, 300).decode()
    numbers = re.findall(rf"{name}\| line (\d+)", text)
    assert numbers == [f"{i:08}" for i in range(count)]
    shell.control.ask(f"vm stop {name}")


@on(FLOODED)
def test_attached_output_arrives_complete(shell) -> None:
    """The same, byte for byte."""
    count = lines_of(shell, "debug")
    shell.control.ask("vm start debug")
    start = attach(shell, "debug")
    text = shell.console.expect_bytes(
        f"line {count - 1:08}".encode(), start, 300).decode()
    # With a CPU of its own the guest goes on while it is being attached: lines
    # that are shown by line come before.
    raw = re.search(r"(?m)^line (\d+)", text)
    assert raw and raw.start() < 16384, text[:200]
    text, first = text[raw.start():], int(raw.group(1))
    wanted = "".join(f"line {i:08} of the debug port\r\n"
                     for i in range(first, count))
    assert wanted.startswith(text)
    detach(shell)
