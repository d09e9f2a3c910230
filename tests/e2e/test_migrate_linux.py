"""Linux moves, with a client at the switch that counts every byte."""

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import Iterator

import pytest

from rig.hosts import End, Hosts
from rig.machine import ROOT
from rig.traffic import Echoes, Flow
from moves import PAIRS, PLAIN, running

GUEST = "10.0.0.2"


def linux(words: str = "", keys: str = "") -> str:
    return "[vm linux]\nkernel = linux/cloud-vmlinuz\n" \
        "initrd = linux/cloud-initrd\nmemory = 128M\nnet = yes\n" \
        f"autostart = no\n{keys}cmdline = console=ttyS0 quiet " \
        f"godwit.name=linux godwit.ip={GUEST} godwit.run=serve {words}\n"


@contextmanager
def with_linux(request, name: str, ends: tuple, **more) -> Iterator[Hosts]:
    subprocess.run([sys.executable, ROOT / "tools/guest_linux.py", "cloud"],
                   check=True)
    with running(request, name, *ends, **more) as both:
        both.a.ask("vm start linux")
        both.a.expect("linux| linux: serves", 600)
        yield both


def hop_with_client(both: Hosts, hops: int, hz: int = 100) -> None:
    """
    Not a byte of the connection and not a datagram is lost. What the guest had
    no time for while it moved it has caught up with before it moves again.
    """
    lock = both.background.lock
    with lock:
        flow = Flow(both.outside, GUEST, window=16384)
        echoes = Echoes(both.outside, GUEST, hz=hz)
        flow.begin()
        echoes.begin()
    ends = [both.a, both.b]
    for _ in range(hops):
        move = both.move("linux", *ends)
        assert len(set(move.certificates)) == 1
        ends.reverse()
        seen = flow.received
        wait_until(lambda: flow.received > seen + 65536
                   and echoes.lost < hz // 10, 60)
        assert not flow.wrong
    with lock:
        flow.end()
        echoes.end()
    wait_until(lambda: flow.whole and not echoes.lost, 30)
    assert flow.whole, (flow.wrong, flow.sent, flow.received)
    assert echoes.lost == 0, echoes.summary()
    assert echoes.repeated == 0, echoes.summary()
    with lock:
        flow.close()
    assert not both.outside.wrong
    ends[0].expect(f"tcpcount: ok, {flow.sent} bytes")


def wait_until(done, timeout: float) -> bool:
    until = time.monotonic() + timeout
    while not done() and time.monotonic() < until:
        time.sleep(0.02)
    return done()


UPTIME = re.compile(r"linux\| up (\d+\.\d+)")


def uptime(host) -> tuple:
    """The guest's clock, and ours before and after it was read."""
    start, before = len(host.text), time.monotonic()
    host.key("linux", "echo up $(cut -d' ' -f1 /proc/uptime)\r")
    found = host.console.wait_for(lambda: UPTIME.search(host.text, start),
                                  "the guest's uptime", 60)
    return before, float(found.group(1)), time.monotonic()


def clocks_went_on(both: Hosts) -> None:
    """A guest that stood still for seconds knows that they have passed."""
    _, was, later = uptime(both.a)
    move = both.move("linux", both.a, both.b, policy="stop-and-copy",
                     limit="25M", codecs="none")
    assert move.report["downtime"] > 2000000, move.report
    before, now, _ = uptime(both.b)
    assert now - was > before - later - 0.5, (was, later, before, now)


def test_linux_moves_under_a_client(request) -> None:
    with with_linux(request, "linux", (End(config=linux()), End())) as both:
        hop_with_client(both, 2)
        clocks_went_on(both)


@pytest.mark.long
def test_linux_hops_a_hundred_times(request) -> None:
    with with_linux(request, "linux-hundred", (
            End(config=linux("godwit.dirty=8:500")), End())) as both:
        hop_with_client(both, 100)


@pytest.mark.long
@pytest.mark.parametrize("platforms", PAIRS, ids="-to-".join)
def test_linux_crosses_between_vendors(request, platforms: tuple) -> None:
    """Bochs's card passes only frames for its own address: no client."""
    config = linux(keys="cpu-model = baseline\n")
    ends = tuple(End(platform, config=config, migrate=PLAIN, frame_max=1514)
                 for platform in platforms)
    with with_linux(request, "linux-" + "-to-".join(platforms), ends) as both:
        both.move("linux", both.a, both.b, timeout=900)
        both.b.key("linux", "echo still $((40 + 2))\r")
        both.b.expect("still 42", 300)
        both.move("linux", both.b, both.a, timeout=900)
        both.a.key("linux", "echo again $((40 + 2))\r")
        both.a.expect("again 42", 300)
