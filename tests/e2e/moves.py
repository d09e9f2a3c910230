"""Two hosts between which guests move: what the tests of migration share.

The walker (tests/guests/walker.c) finds by itself what is lost of its memory, its
registers and its clocks. A module that wants the pair of SVM hosts imports the
fixtures `hosts` and `guest`.
"""

import time
from contextlib import contextmanager
from typing import Iterator

import pytest

from rig.hosts import OUT, End, Hosts, Refused
from rig.wire import WHOLE

PAGES = 1024
# What is allowed is generous: the build machine has other things to do.
PATIENT = "downtime = 2000\n"
# Bochs runs some twenty million instructions a second: it has nothing to cipher.
PLAIN = "security = none\ndowntime = 2000\n"
CLOSE = "pages=300 every=200"
# No round of it is over before the tests have looked.
SLOW = {"limit": "2M", "codecs": "none"}
# Over the border, there and back.
PAIRS = [("vmx", "svm"), ("svm", "vmx")]
PHASES = ("started", "round", "stopped")


def walker(name: str, words: str = f"pages={PAGES} every=200", memory: int = 16,
           keys: str = "") -> str:
    return f"[vm {name}]\nkernel = guests/walker.elf\nmemory = {memory}M\n" \
        f"autostart = no\n{keys}cmdline = {words}\n"


WALKERS = {
    "idle": walker("idle", f"pages={PAGES} rate=100 every=200"),
    "hot": walker("hot", "pages=256 hot=64 every=200"),
    "few": walker("few", f"pages={PAGES} few deadline every=200"),
    "base": walker("base", f"pages={PAGES} every=200",
                   keys="cpu-model = baseline\n"),
    "large": walker("large", "pages=4000 rate=5000 every=200", memory=40),
    "huge": walker("huge", memory=300),
}
VMS = "".join(WALKERS.values())


@contextmanager
def running(request, name: str, a: End, b: End, **more) -> Iterator[Hosts]:
    """Both hosts; a pair takes both places for machines that runs.py has."""
    runs = request.config.runs
    for _ in range(2):
        runs.slots.acquire()
    try:
        runs.say(f"     hosts {name}: {a.hardware.about} and "
                 f"{b.hardware.about}")
        with Hosts((a, b), OUT / "e2e" / f"migrate-{name}", **more) as hosts:
            yield hosts
    finally:
        for _ in range(2):
            runs.slots.release()


@pytest.fixture(scope="module", params=[1, 2], ids=["svm-1", "svm-2"])
def hosts(request) -> Iterator[Hosts]:
    cpus = request.param
    with running(request, f"svm-{cpus}",
                 End(config=VMS, cpus=cpus, migrate=PATIENT),
                 End(cpus=cpus, migrate=PATIENT)) as both:
        yield both


@pytest.fixture
def guest(hosts: Hosts):
    """Starts a walker on alpha; whatever a test did, none is left of it."""
    started: list = []

    def start(name: str) -> str:
        started.append(name)
        return begin(hosts, name)

    yield start
    hosts.wire.set(*WHOLE)
    for name in started:
        clear(hosts, name)


def begin(hosts: Hosts, name: str) -> str:
    seen = len(hosts.a.text)
    hosts.a.ask(f"vm start {name}")
    wait_for_line(hosts.a, name, seen)
    return name


def clear(hosts: Hosts, name: str) -> None:
    """No trace of a migration, no VM that runs."""
    for host in hosts.hosts:
        for attempt in ("migrate cancel", "migrate discard", f"vm stop {name}"):
            try:
                host.ask(attempt)
            except Refused:
                pass


def wait_for_line(host, vm: str, seen: int, timeout: float = 60) -> None:
    """The guest says that it goes on."""
    def look():
        text = host.console.screen.done[seen:]
        assert f"{vm}| FAIL" not in text, \
            [line for line in text.splitlines() if "FAIL" in line]
        return f"{vm}| walker: generation" in text or None

    host.console.wait_for(look, f"a line of {vm}", timeout)


def goes_on(host, vm: str) -> None:
    wait_for_line(host, vm, len(host.console.screen.done))


def ends_well(host, vm: str) -> None:
    """Its own verdict on all that was done to it."""
    goes_on(host, vm)
    place = host.place
    host.key(vm, "q")
    event = host.control.event_since(place, "vm", vm=vm, change="ended")
    assert event["status"] == 0, [line for line in host.text.splitlines()
                                  if line.startswith(f"{vm}| ")][-5:]


def moved(hosts: Hosts, vm: str, source, target, **options):
    """A move of which both ends tell the same story."""
    move = hosts.move(vm, source, target, **options)
    assert len(move.certificates) == 2, move.said + move.told
    assert move.certificates[0] == move.certificates[1]
    assert move.report["certificate"] == move.certificates[0]
    assert move.report["downtime"] <= move.report["total"]
    assert hosts.owners(vm) == [target.name]
    assert source.vm(vm)["state"] == "moved"
    goes_on(target, vm)
    return move


def in_phase(hosts: Hosts, name: str, phase: str) -> tuple:
    """A migration that is under way: `stopped` is long where all is copied
    while the guest stands still."""
    options = dict(SLOW)
    if phase == "stopped":
        options["policy"] = "stop-and-copy"
    places = hosts.begin(name, hosts.a, hosts.b, **options)
    hosts.a.waits(name, places[0], change=phase)
    return places


def said(host, text: str, timeout: float = 20) -> None:
    """The console says it, if not before the event then soon after."""
    until = time.monotonic() + timeout
    while text not in host.text and time.monotonic() < until:
        time.sleep(0.05)
    assert text in host.text


def not_moved(hosts: Hosts, name: str, places: tuple) -> None:
    """The guest is where it was, and goes on."""
    event = hosts.a.waits(name, places[0], 60, change=("failed", "done"))
    assert event["change"] == "failed", event
    said(hosts.a, f"{name}: not moved: ")
    goes_on(hosts.a, name)
    assert hosts.owners(name) == ["alpha"]
