"""The rig for migrations, before anything moves: two hosts, their cable and their
switch, guests that an outside client counts with, and the guest that finds what
is lost of it."""

import re
import subprocess
import sys
import time
from typing import Iterator

import pytest

from experiment.guests import work_in
from rig.hosts import OUT, End, Hosts
from rig.machine import ROOT
from rig.traffic import Echoes, Flow

IPS = ("10.0.0.2", "10.0.0.3")


def linux(ip: str) -> str:
    return "[vm linux]\nkernel = linux/cloud-vmlinuz\n" \
        "initrd = linux/cloud-initrd\nmemory = 128M\nnet = yes\n" \
        "cmdline = console=ttyS0 quiet godwit.name=linux " \
        f"godwit.ip={ip} godwit.run=serve godwit.dirty=4:200\n"


def walker(name: str, words: str) -> str:
    return f"[vm {name}]\nkernel = guests/walker.elf\nmemory = 16M\n" \
        f"autostart = no\ncmdline = pages=256 every=100 {words}\n"


WALKERS = walker("free", "") + walker("paced", "rate=500 hot=32 deadline few") \
    + walker("stale", "stale=700") + walker("twice", "rounds=2") \
    + walker("chase", "chase hot=16 cold=3") \
    + walker("chase-stale", "chase stale=700") \
    + walker("cold-stale", "cold=10 stale=706") \
    + walker("bursts", "rate=2000 burst=60 rest=60 window=20")


@pytest.fixture(scope="module")
def hosts(request) -> Iterator[Hosts]:
    runs = request.config.runs
    subprocess.run([sys.executable, ROOT / "tools/guest_linux.py", "cloud"],
                   check=True)
    for _ in range(2):
        runs.slots.acquire()
    try:
        runs.say("     hosts two: a guest on each, and an outside")
        ends = (End(config=linux(IPS[0]) + WALKERS), End(config=linux(IPS[1])))
        with Hosts(ends, OUT / "e2e" / "two-hosts", plain=True) as both:
            for host in both.hosts:
                host.expect("linux| linux: serves", 240)
            yield both
    finally:
        for _ in range(2):
            runs.slots.release()


def wait_until(done, timeout: float) -> bool:
    until = time.monotonic() + timeout
    while not done() and time.monotonic() < until:
        time.sleep(0.02)
    return done()


def test_client_counts_with_both_guests(hosts: Hosts) -> None:
    """Every byte comes back, and every datagram."""
    lock = hosts.background.lock
    with lock:
        flows = [Flow(hosts.outside, ip, window=16384) for ip in IPS]
        echoes = [Echoes(hosts.outside, ip, hz=50) for ip in IPS]
        for traffic in flows + echoes:
            traffic.begin()
    assert wait_until(lambda: all(f.received > 100000 for f in flows)
                      and all(e.sent > 50 for e in echoes), 120)
    with lock:
        for traffic in flows + echoes:
            traffic.end()
    wait_until(lambda: all(f.whole for f in flows)
               and not any(e.lost for e in echoes), 30)
    assert [flow.wrong for flow in flows] == [None, None]
    assert all(flow.whole for flow in flows)
    assert [e.summary() for e in echoes if e.lost or e.repeated] == []
    with lock:
        for flow in flows:
            flow.close()
    for host, flow in zip(hosts.hosts, flows):
        host.expect(f"tcpcount: ok, {flow.sent} bytes")
    assert not hosts.outside.wrong


def test_guests_rewrite_memory(hosts: Hosts) -> None:
    for host in hosts.hosts:
        host.expect("linux| dirty: pass ")
        assert "FAIL linux." not in host.text


def test_switch_knows_where_guests_are(hosts: Hosts) -> None:
    ports = [port for port in hosts.switch.learned.values() if port >= 0]
    assert sorted(ports) == [0, 1] and not hosts.switch.moves


def test_cable_is_the_hosts_own(hosts: Hosts) -> None:
    """Frames from card to card by way of the box, none of them the guests'."""
    before = hosts.wire.stats()["ab"]["frames"]
    start = len(hosts.b.text)
    hosts.b.console.send("net bench sink,nic=mig\r")
    hosts.b.console.wait_for(lambda: "net bench: ready" in hosts.b.text[start:]
                             or None, "net bench", 60)
    hosts.a.console.send("net bench blast,nic=mig,size=9000,ms=100\r")
    frames = int(hosts.a.console.wait_for(
        lambda: re.search(r"the sink got (\d+) frames", hosts.a.text),
        "frames", 60).group(1))
    assert frames > 10
    assert hosts.wire.stats()["ab"]["frames"] - before >= frames


def end_of(hosts: Hosts, name: str, keys: str = "") -> dict:
    place = hosts.a.place
    hosts.a.ask(f"vm start {name}")
    if keys:
        hosts.a.expect(f"{name}| walker: generation")
        hosts.a.key(name, keys)
    return hosts.a.control.event_since(place, "vm", vm=name,
                                       change=("ended", "crashed"))


@pytest.mark.parametrize("name, keys, status", [
    ("free", "q", 0), ("paced", "q", 0), ("twice", "", 0),
    ("chase", "q", 0), ("bursts", "q", 0), ("free", "x", 3),
    ("free", "c", None)])
def test_walker_ends(hosts: Hosts, name: str, keys: str, status) -> None:
    event = end_of(hosts, name, keys)
    assert event["change"] == ("crashed" if status is None else "ended")
    assert event.get("status") == status
    assert f"{name}| FAIL" not in hosts.a.text


def stale_page(hosts: Hosts, name: str, found: int, expected: int) -> int:
    """Which page a walker has found, with which generations."""
    assert end_of(hosts, name)["status"] == 1
    line = re.compile(rf"^{name}\| FAIL.*?(page (\d+) .*)\r?\n", re.MULTILINE)
    said = hosts.a.console.wait_for(  # its console may come behind the event
        lambda: line.search(hosts.a.text), "what it found", 60)
    page = int(said.group(2))
    assert f"it says page {page} generation {found}, expected generation " \
        f"{expected}" in said.group(1)
    return page


def test_walker_finds_a_stale_page(hosts: Hosts) -> None:
    """Step 700 is page 188 in its third round, or another if each page says
    which is next; of one turn in ten steps, 706 is the 45th of the second."""
    assert stale_page(hosts, "stale", 2, 3) == 188
    assert stale_page(hosts, "chase-stale", 2, 3) not in (188, 189)
    assert stale_page(hosts, "cold-stale", 1, 2) == 45


def test_walker_tells_its_work(hosts: Hosts) -> None:
    """Half of the time it rests; in a burst it has its pace."""
    hosts.a.ask("vm start bursts")
    hosts.a.expect("bursts| walker: generation 4")
    hosts.a.key("bursts", "q")
    work = work_in(hosts.a.text, "bursts")
    rests = sum(us for us, steps in work if not steps) / sum(
        us for us, _ in work)
    assert 0.1 < rests < 0.9
    assert max(steps for _, steps in work) >= 10


def test_host_that_is_killed_comes_again(hosts: Hosts) -> None:
    hosts.b.kill()
    hosts.restart(1)
    hosts.b.expect("linux| linux: serves", 240)
    with hosts.background.lock:
        echoes = Echoes(hosts.outside, IPS[1], hz=20)
        echoes.begin()
    assert wait_until(lambda: len(echoes.times) > 5, 60)
    with hosts.background.lock:
        echoes.end()
