"""A program at the host's JSON line: requests, answers, events, and garbage."""

import random

import pytest

from boots import OPERATOR
from rig.control import Control, Refused

pytestmark = pytest.mark.parametrize("shell", OPERATOR, ids=str, indirect=True)


@pytest.fixture
def control(shell) -> Control:
    return shell.control


def vm(control: Control, name: str) -> dict:
    return next(vm for vm in control.ask("vm list")["vms"]
                if vm["name"] == name)


def test_ready_comes_first(control) -> None:
    assert control.events[0]["event"] == "ready"
    assert control.events[0]["host"] == "godwit"


def test_every_command_is_there(control) -> None:
    commands = {c["command"] for c in control.ask("help")["commands"]}
    assert {"help", "info", "vm list", "vm start", "exits", "log"} <= commands


def test_info(shell, control) -> None:
    info = control.ask("info")
    assert info["host"] == "godwit"
    assert info["engine"].lower() == shell.boot.hardware.engine
    assert 0 < info["memory_free"] < info["memory"] <= shell.boot.memory << 20
    assert len(info["cpus"]) == shell.boot.cpus
    files = {file["file"]: file["size"] for file in info["files"]}
    assert files["guests/hello.elf"] > 1000


def test_vm_list_is_the_table(shell, control) -> None:
    clock = vm(control, "clock")
    assert clock["memory"] == 16 << 20 and clock["cpus"] == 1
    assert clock["state"] == "running" == shell.row("clock")["state"]
    assert clock["status"] is None and clock["reason"] is None


def test_life_as_events(control) -> None:
    assert control.ask("vm start hello") == {"vm": "hello", "state": "running"}
    control.event("vm", vm="hello", change="started", state="running")
    end = control.event("vm", vm="hello", change="ended")
    assert end["state"] == "ended" and end["status"] == 0
    assert vm(control, "hello")["status"] == 0


def test_exits_are_numbers(control) -> None:
    (clock,) = control.ask("exits clock")["vms"]
    counts = {e["reason"]: e["exits"] for e in clock["reasons"]}
    assert counts["hlt"] > 0 and counts["io"] > 0
    assert sum(counts.values()) <= vm(control, "clock")["exits"]
    assert clock["guest_cycles"] > 0


def test_pause_and_resume(control) -> None:
    control.ask("vm pause clock")
    control.event("vm", vm="clock", change="paused", state="paused")
    with pytest.raises(Refused) as error:
        control.ask("vm pause clock")
    assert error.value.code == "E_STATE"
    assert "it is paused" in error.value.text
    control.ask("vm resume clock")
    control.event("vm", vm="clock", change="resumed", state="running")


def test_crash_has_a_reason(control) -> None:
    control.ask("vm start crash")
    event = control.event("vm", vm="crash", change="crashed")
    assert event["state"] == "crashed" and event["reason"] == "triple fault"
    control.event("log", level="error")
    assert vm(control, "crash")["reason"] == "triple fault"


def test_panicked_guest(shell, control) -> None:
    control.ask("vm start echo")
    shell.send("vm console echo\r")
    control.event("console", vm="echo", attached=True)
    shell.send("\x04\x1d")
    event = control.event("vm", vm="echo", change="panicked")
    assert event["reason"] == "its kernel panicked"
    assert control.event("vm", vm="echo", change="ended")["status"] == 1
    shell("")


def test_console_is_an_event(shell, control) -> None:
    shell.send("vm console clock\r")
    control.event("console", vm="clock", attached=True)
    shell.send("\x1d")
    control.event("console", vm="clock", attached=False)
    shell("")


MISTAKES = {
    "hepl": ("E_NOTFOUND", "no command \"hepl\""),
    "vm lst": ("E_NOTFOUND", "no \"lst\""),
    "vm start nobody": ("E_NOTFOUND", "no VM \"nobody\""),
    "vm start": ("E_INVALID", "which VM?"),
    "log many": ("E_INVALID", "not a number of lines"),
    "vm console clock": ("E_UNSUPPORTED", "console"),
}


def test_mistakes_have_codes(control) -> None:
    for command, (code, text) in MISTAKES.items():
        with pytest.raises(Refused) as error:
            control.ask(command)
        assert error.value.code == code and text in error.value.text


def test_wait_answers_when_it_is_over(control) -> None:
    waiting = control.request("wait 1")
    listing = control.request("vm list")
    assert control.answer(waiting)["answer"] == {"running": 1}
    assert control.answer(listing)["answer"]["vms"]


def test_ids_come_back_as_they_came(control) -> None:
    control.send(b'{"command":"vm list","id":"a \\"b\\" \\u0041"}\n')
    assert control.answer('a "b" A')["answer"]["vms"]
    control.send(b'{"id":-7,"command":"vm list"}\r\n')
    assert control.answer(-7)["answer"]["vms"]
    control.send(b'{"command":"vm list"}\n')
    assert control.answer(None)["answer"]["vms"]


GARBAGE = [
    b"\xff\xfe\x00binary\x80", b"[1,2]", b"{" * 900, b"{" * 20_000,
    b'{"id":1,"command":"vm list"', b'{"id":1,"command":"vm\\u00e9"}',
    b'{"id":"\xc3("}', b'{"id":1,"command":{"a":[[[[]]]]}}', b"null",
    b'{"id":1.5,"command":"off"}', b'{"command":"off","command":"off"}']


def test_garbage_is_refused_and_forgotten(control) -> None:
    for line in GARBAGE:
        control.send(line + b"\n" + b'{"id":"after","command":"vm list"}\n')
        assert control.answer("after")["answer"]["vms"]
        refused = [found.pop(0) for found in control.answers.values() if found]
        assert [found["error"]["code"] for found in refused] == ["E_FORMAT"]


def test_many_lines_of_noise(control) -> None:
    noise = random.Random(3)
    before = len(control.broken)
    for _ in range(200):
        line = noise.randbytes(noise.randrange(1, 200)).replace(b"\n", b"")
        control.send(line + b"\n")
    assert control.ask("vm list")["vms"]
    assert len(control.broken) == before, "what came back was no JSON"
    control.answers.clear()
