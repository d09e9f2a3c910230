"""A guest whose console is a serial line of the host."""

import random

import pytest

from boots import OWN_LINE

pytestmark = pytest.mark.parametrize("shell", [OWN_LINE], ids=str,
                                     indirect=True)


def receive(line, size: int) -> bytes:
    line.settimeout(60)
    data = b""
    while len(data) < size:
        more = line.recv(65536)
        assert more, f"the line ended after {len(data)} bytes"
        data += more
    return data


def greet(line) -> None:
    """Until the guest has set up its UART, it forgets what came before."""
    line.settimeout(0.5)
    for _ in range(120):
        line.sendall(b">")
        try:
            if line.recv(1):
                break
        except TimeoutError:
            continue
    # Those that came late.
    line.sendall(b"<")
    while not receive(line, 1) == b"<":
        pass


def test_all_bytes_come_back(shell) -> None:
    """More than any ring between here and the guest has room for."""
    line = shell.machine.guest_line
    allowed = [byte for byte in range(256) if byte != 0x04]
    paste = bytes(random.Random(1).choices(allowed, k=3_000))
    got = b""
    greet(line)
    for at in range(0, len(paste), 1000):
        line.sendall(paste[at:at + 1000])
        got += receive(line, 1000)
    assert got == paste


def test_nothing_of_it_is_at_the_console(shell) -> None:
    assert shell.row("echo")["state"] == "running"
    assert "echo| " not in shell.machine.serial_text()
    assert "its console is on COM3" in shell("vm console echo")[0]


def test_busy_line_leaves_others_their_turn(shell) -> None:
    """6 KB there and back that nobody reads meanwhile: the neighbour's clock
    goes on, the shell answers, another guest's flood comes through, and in the
    end every byte is there."""
    line = shell.machine.guest_line
    paste = b"0123456789" * 600
    line.sendall(paste)
    shell.expect("clock| ")
    assert shell.row("clock")["state"] == "running"
    shell.send("vm start flood\r")
    shell.expect("flood| line 00000255")
    shell.expect("clock| ")
    assert receive(line, len(paste)) == paste


def test_its_end_and_its_next_start(shell) -> None:
    line = shell.machine.guest_line
    line.sendall(b"\x04")
    shell.expect("echo: ended with status 0")
    line.sendall(b"nobody takes this")
    shell("vm list")
    shell("vm stop echo")
    shell("vm list")
    shell("vm start echo")
    greet(line)
    line.sendall(b"again")
    assert receive(line, 5) == b"again"
