"""What the host itself says and does, on every machine."""

import re

import pytest

from boots import MATRIX, MISTAKEN, PANICS, REFUSED, WAYS_IN

EVERYWHERE = MATRIX + WAYS_IN + REFUSED


def on(boots):
    return pytest.mark.parametrize("run", boots, ids=str, indirect=True)


@on(EVERYWHERE)
def test_run_passes(run) -> None:
    assert run.outcome.passed, run.outcome.text


@on(EVERYWHERE)
def test_all_cpus_run(run) -> None:
    assert any(line.endswith(f"cpu: {run.boot.cpus} running")
               for line in run.host)


@on(MATRIX)
def test_engine_is_named(run) -> None:
    engine = run.boot.hardware.engine.upper()
    assert any(f"engine: {engine}: " in line for line in run.host)


@on(MATRIX)
def test_dirty_tracking_features(run) -> None:
    """The platform table promises what the CPU has; Godwit must see it too."""
    line = next(line for line in run.host if "engine: " in line)
    dirty = run.boot.hardware.dirty
    assert ("A/D" in line) == ("D bits" in dirty), line
    assert ("PML" in line) == ("PML" in dirty), line


@on(MATRIX)
def test_up_soon(run) -> None:
    """From the jump to the shell, in the machine's own time: 20 to 50 ms, and
    ten times that on a busy one. What waits in vain for a device takes more."""
    text = "\n".join(run.host)
    up = re.search(r"godwit: up in (\d+) us", text)
    assert up and int(up.group(1)) < 1_000_000, up and up.group(0)


@on(MATRIX)
def test_exits_are_counted(run) -> None:
    counts = "\n".join(run.answer("exits"))
    assert re.search(r"hello\n +REASON +EXITS", counts), counts
    assert re.search(r"io +\d+ +\d+", counts), counts


@on(WAYS_IN)
def test_way_in(run) -> None:
    where = "QEMU's fw_cfg" if run.boot.source == "fw-cfg" else \
        "the EFI partition"
    assert f"files from {where}" in run.text
    assert run.vm_state("hello")["end"].startswith("status 0")


@on(REFUSED)
def test_refusal_names_what_is_missing(run) -> None:
    refusal = next((line for line in run.host
                    if "engine: no guest can run here: missing" in line), "")
    if run.boot.platform == "vmx-penryn":
        assert "EPT" in refusal
    assert "unrestricted guest" in refusal


@on(REFUSED)
def test_refused_guest_does_not_run(run) -> None:
    assert "hello" not in run.vms


@on(PANICS)
def test_panic_is_readable(run) -> None:
    """What, where, registers, a backtrace with names; and a status of its own."""
    assert run.outcome.word == "panic", run.outcome.text
    assert "asked for by the operator" in run.text
    assert re.search(r"commands_host\.c:\d+", run.text)
    assert re.search(r"\bshell_poll\b", run.text), "no name in the backtrace"
    assert re.search(r"\bkernel_main\b", run.text), "the backtrace is cut"


@pytest.mark.parametrize("shell", [MISTAKEN], ids=str, indirect=True)
def test_mistake_is_named(shell) -> None:
    """A wrong configuration: line and key are named, and the host serves."""
    log = "\n".join(shell("log"))
    assert re.search(r'godwit.conf:\d+: memory: "64Q"', log), log
    assert "no VMs" in "\n".join(shell("vm list"))
