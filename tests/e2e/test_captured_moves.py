"""Captures of real moves: the guest is rebuilt from what was on the cable, and
its certificate is the one that both hosts print."""

import re
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from rig.hosts import OUT, End, Hosts
from rig.machine import ROOT
from rig.pcap import head, packet, packets
from rig.protocol import PAGES, frame_of
from rig.wire import WHOLE
from moves import PATIENT, WALKERS, ends_well, moved, running
from moves import guest  # noqa: F401 (a fixture)

FOLDER = OUT / "e2e" / "captures"


@pytest.fixture(scope="module", params=["none", "encrypt"])
def hosts(request) -> Iterator[Hosts]:
    """The cable is recorded by both, QEMU at alpha's card and the box."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    config = PATIENT + f"security = {request.param}\nshow-keys = yes\n"
    with running(request, f"captured-{request.param}",
                 End(config=WALKERS["hot"], migrate=config),
                 End(migrate=config), pcap=str(FOLDER / "qemu.pcap")) as both:
        yield both


def said(out: str, capture: Path, *words) -> subprocess.CompletedProcess:
    done = subprocess.run([ROOT / "tools/capture", capture, *words],
                          capture_output=True, text=True)
    assert out in done.stdout, done.stdout + done.stderr
    return done


def tampered(path: Path) -> Path:
    """One bit of its largest frame is another."""
    found = list(packets(path.read_bytes()))
    largest = max(found, key=lambda packet: len(packet.data))
    assert frame_of(largest.data).kind == PAGES
    new = FOLDER / "tampered.pcap"
    new.write_bytes(head() + b"".join(
        packet(p.when, p.data[:500] + bytes([p.data[500] ^ 1]) + p.data[501:]
               if p is largest else p.data) for p in found))
    return new


def wireshark_shows(path: Path) -> None:
    """Every frame of it, with the dissector."""
    done = subprocess.run(
        ["tshark", "-r", path, "-X", f"lua_script:{ROOT}/tools/godwit.lua",
         "-T", "fields", "-e", "godwit.kind", "-e", "godwit.record", "-e",
         "_ws.malformed", "-e", "godwit.body", "-e", "_ws.col.Info"],
        capture_output=True, text=True, check=True)
    assert "Lua" not in done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert {row[0] for row in rows} == {"1", "2", "3"}
    assert {"1", "2", "3", "4", "6", "7", "8", "9", "13", "14"} <= \
        {row[1] for row in rows}
    assert not any(row[2] or row[3] for row in rows)
    assert all(row[4].split()[0] in ("HELLO", "CONTROL", "PAGES")
               for row in rows)


def test_guest_is_rebuilt_from_a_capture(hosts: Hosts, guest) -> None:
    box, log = FOLDER / "box.pcap", hosts.a.machine.serial_log
    memory = FOLDER / "memory.bin"
    security = hosts.a.end.migrate.split("security = ")[1].split()[0]
    name = guest("hot")
    hosts.wire.record(box)
    move = moved(hosts, name, hosts.a, hosts.b, cache="1M")
    hosts.wire.stop_recording()
    ends_well(hosts.b, name)
    for path in (box, FOLDER / "qemu.pcap"):
        done = said(f"certificate {move.certificates[0]}, as source and target "
                    "say", path, "--keys", log, "--key", hosts.a.end.key,
                    "--memory", memory)
        assert done.returncode == 0, done.stdout
        assert "missing" not in done.stdout and "differs" not in done.stdout
        assert " 0 not looked at" in done.stdout
        assert f"security {security}" in done.stdout
    # The walker's own pages, and its code, are in it.
    assert memory.stat().st_size == 16 << 20
    assert b"walker: generation" in memory.read_bytes()
    clear = FOLDER / "clear.pcap"
    said("rebuilt: 4096 pages", box, "--keys", log, "--clear", clear)
    assert said("rebuilt: 4096 pages", clear).returncode == 0  # needs no key
    wireshark_shows(clear)
    done = said("a wrong tag", tampered(box), "--keys", log)
    assert done.returncode == 1
    assert "missing: page frames that the target received: " in done.stdout
    if security == "encrypt":
        assert said("missing: the keys of session", box).returncode == 1


def test_bad_cable_is_read_as_the_target_read_it(hosts: Hosts, guest) -> None:
    """What left the box is what arrived: with it, the guest is complete."""
    path, log = FOLDER / "bad.pcap", hosts.a.machine.serial_log
    name = guest("hot")
    hosts.wire.set("jitter_us=300", "loss=0.04", "corrupt=0.04", "dup=0.04",
                   "reorder=0.04", "seed=5")
    hosts.wire.record(path)
    move = moved(hosts, name, hosts.a, hosts.b)
    hosts.wire.set(*WHOLE)
    hosts.wire.stop_recording()
    ends_well(hosts.b, name)
    done = said(f"certificate {move.certificates[0]}, as source and target say",
                path, "--keys", log)
    assert done.returncode == 0 and "missing" not in done.stdout
    assert re.search(r"(?m)^  frame \d+: ", done.stdout), done.stdout
    assert re.search(r"[1-9]\d* frames came again or too late", done.stdout)
