"""Guests move between two hosts: nothing of them is lost, and each has one owner
at any time.

The walker (tests/guests/walker.c) finds by itself what is lost of its memory, its
registers and its clocks; here is when it is moved, what is done to the hosts and
the cable meanwhile, and who must have it in the end.

What takes minutes has the mark `long`: `make check-long`.
"""

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import Iterator

import pytest

from lab.hosts import OUT, End, Hosts, NotMoved, Refused, command
from lab.machine import ROOT
from lab.traffic import Echoes, Flow

PAGES = 1024
# What is allowed is generous: the build machine has other things to do.
PATIENT = "downtime = 2000\n"
GUEST = "10.0.0.2"
CLOSE = "pages=300 every=200"
# No round of it is over before the tests have looked.
SLOW = {"limit": "2M", "codecs": "none"}
ABSENT = "this kernel has no migrate command yet"
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
    if not getattr(runs, "can_migrate", True):
        pytest.skip(ABSENT)
    for _ in range(2):
        runs.slots.acquire()
    try:
        runs.say(f"     hosts {name}: {a.hardware.about} and "
                 f"{b.hardware.about}")
        with Hosts((a, b), OUT / "e2e" / f"migrate-{name}", **more) as hosts:
            runs.can_migrate = hosts.can_migrate()
            if not runs.can_migrate:
                pytest.skip(ABSENT)
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
    hosts.wire.set("cut=0", "rate=0")
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


# --- moves -------------------------------------------------------------------

@pytest.mark.parametrize("name", ["idle", "hot", "few", "base"])
def test_moves(hosts: Hosts, guest, name: str) -> None:
    move = moved(hosts, guest(name), hosts.a, hosts.b)
    assert f"{name}: moves to beta" in hosts.a.text
    assert f"{name}: moved to beta: total " in move.said
    assert f"{name}: arriving from " in hosts.b.text
    assert f"{name}: runs here: " in move.told
    ends_well(hosts.b, name)


def test_there_and_back(hosts: Hosts, guest) -> None:
    name = guest("hot")
    for _ in range(3):
        moved(hosts, name, hosts.a, hosts.b)
        moved(hosts, name, hosts.b, hosts.a)
    ends_well(hosts.a, name)


def test_several_at_their_own_hosts(hosts: Hosts, guest) -> None:
    """One stays while the other goes."""
    stays, goes = guest("few"), guest("idle")
    moved(hosts, goes, hosts.a, hosts.b)
    goes_on(hosts.a, stays)
    ends_well(hosts.a, stays)
    ends_well(hosts.b, goes)


@pytest.mark.parametrize("policy", ["downtime", "classic", "fixed",
                                    "stop-and-copy"])
def test_policy_ends_as_promised(hosts: Hosts, guest, policy: str) -> None:
    move = moved(hosts, guest("idle"), hosts.a, hosts.b, policy=policy)
    rounds = move.report["rounds"]
    assert move.report["policy"] == policy
    if policy == "stop-and-copy":
        assert len(rounds) == 1
        assert move.report["downtime"] > move.report["total"] // 2
    else:
        assert len(rounds) >= 2
        assert rounds[0]["pages"] >= PAGES
        assert rounds[-1]["pages"] < rounds[0]["pages"] // 2
    ends_well(hosts.b, "idle")


@pytest.mark.parametrize("way", ["wp", "dbit"])
def test_dirty_ways(hosts: Hosts, guest, way: str) -> None:
    move = moved(hosts, guest("hot"), hosts.a, hosts.b, dirty=way,
                 limit="8M")
    assert sum(r["pages"] for r in move.report["rounds"][1:]) > 0
    ends_well(hosts.b, "hot")


def test_pml_is_refused_where_there_is_none(hosts: Hosts, guest) -> None:
    name = guest("idle")
    with pytest.raises(Refused) as error:
        hosts.a.ask(command(name, "beta", dirty="pml"))
    assert error.value.code == "E_UNSUPPORTED"
    assert hosts.owners(name) == ["alpha"]


@pytest.mark.parametrize("security", ["none", "authenticate"])
def test_security(request, security: str) -> None:
    """Both ends have to want the same; encryption is what all others use."""
    ends = [End(config=config, migrate=f"{PATIENT}security = {security}\n")
            for config in (VMS, "")]
    with running(request, f"svm-{security}", *ends) as both:
        begin(both, "few")
        move = moved(both, "few", both.a, both.b)
        assert move.report["bytes"] > 0
        ends_well(both.b, "few")


def test_limit_is_kept(hosts: Hosts, guest) -> None:
    before = hosts.wire.stats()["ab"]["bytes"]
    move = moved(hosts, guest("idle"), hosts.a, hosts.b, limit="4M",
                 codecs="none")
    sent = hosts.wire.stats()["ab"]["bytes"] - before
    assert sent >= PAGES * 4096
    assert sent / (move.report["total"] / 1e6) < 4e6 * 1.25
    ends_well(hosts.b, "idle")


def test_dry_run_moves_nothing(hosts: Hosts, guest) -> None:
    name = guest("idle")
    begun = hosts.begin(name, hosts.a, hosts.b, dry=True)
    hosts.a.waits(name, begun.source, change="dry-run")
    report = hosts.a.report(name, begun)["report"]
    assert report["prediction"]["total"] > 0
    assert report["prediction"]["bytes"] > 0
    assert hosts.owners(name) == ["alpha"]
    goes_on(hosts.a, name)
    ends_well(hosts.a, name)


# --- what does not come to an end --------------------------------------------

def in_phase(hosts: Hosts, name: str, phase: str) -> tuple:
    """A migration that is under way: `stopped` is long where all is copied
    while the guest stands still."""
    options = dict(SLOW)
    if phase == "stopped":
        options["policy"] = "stop-and-copy"
    places = hosts.begin(name, hosts.a, hosts.b, **options)
    hosts.a.waits(name, places[0], change=phase)
    return places


def not_moved(hosts: Hosts, name: str, places: tuple) -> None:
    """The guest is where it was, and goes on."""
    event = hosts.a.waits(name, places[0], 60, change=("failed", "done"))
    assert event["change"] == "failed", event
    assert f"{name}: not moved: " in hosts.a.text
    goes_on(hosts.a, name)
    assert hosts.owners(name) == ["alpha"]


@pytest.mark.parametrize("phase", PHASES)
def test_cancel(hosts: Hosts, guest, phase: str) -> None:
    name = guest("idle")
    places = in_phase(hosts, name, phase)
    hosts.a.ask("migrate cancel")
    not_moved(hosts, name, places)
    if phase != "started":  # the target may not have heard of it yet
        hosts.b.waits(name, places[1], 30, change="discarded")
    moved(hosts, name, hosts.a, hosts.b)
    ends_well(hosts.b, name)


def test_second_command_is_refused(hosts: Hosts, guest) -> None:
    name, other = guest("idle"), guest("few")
    places = in_phase(hosts, name, "round")
    for vm in (name, other):
        with pytest.raises(Refused) as error:
            hosts.a.ask(command(vm, "beta"))
        assert error.value.code in ("E_STATE", "E_BUSY")
    hosts.a.ask("migrate cancel")
    not_moved(hosts, name, places)
    goes_on(hosts.a, other)


def test_status_tells_what_goes_on(hosts: Hosts, guest) -> None:
    name = guest("idle")
    places = in_phase(hosts, name, "round")
    assert name in str(hosts.a.ask("migrate status"))
    assert name in str(hosts.b.ask("migrate status"))
    hosts.a.ask("migrate cancel")
    not_moved(hosts, name, places)


@pytest.mark.parametrize("what, code", [
    ("migrate nobody to beta", "E_NOTFOUND"),
    ("migrate idle to nobody", None),
    ("migrate idle to beta policy=hope", "E_INVALID"),
    ("migrate idle to beta downtime=soon", "E_INVALID")])
def test_wrong_commands(hosts: Hosts, guest, what: str, code) -> None:
    name = guest("idle")
    place = hosts.a.place
    if code:
        with pytest.raises(Refused) as error:
            hosts.a.ask(what)
        assert error.value.code == code
    else:
        hosts.a.ask(what)  # nobody answers
        time.sleep(1)
        assert "idle" in str(hosts.a.ask("migrate status"))
        hosts.a.ask("migrate cancel")
        hosts.a.waits(name, place, 30, change="failed")
    assert hosts.owners(name) == ["alpha"]
    goes_on(hosts.a, name)


@pytest.mark.parametrize("keys, change, status", [("x", "ended", 3),
                                                  ("c", "crashed", None)])
def test_guest_ends_on_the_way(hosts: Hosts, guest, keys: str, change: str,
                               status) -> None:
    """It ends where it runs, once, and nothing is left at the target."""
    name = guest("idle")
    places = in_phase(hosts, name, "round")
    hosts.a.key(name, keys)
    event = hosts.a.control.event_since(places[0], "vm", vm=name, change=change)
    assert event.get("status") == status
    hosts.a.waits(name, places[0], change="failed")
    assert hosts.owners(name) == []
    assert hosts.a.vm(name)["state"] == change
    hosts.b.waits(name, places[1], 30, change="discarded")


# --- the cable ---------------------------------------------------------------

@pytest.mark.parametrize("phase", ["round", "stopped"])
def test_cable_is_cut_and_mended(hosts: Hosts, guest, phase: str) -> None:
    """A short cut only takes time."""
    name = guest("idle")
    places = in_phase(hosts, name, phase)
    hosts.wire.set("cut=1")
    time.sleep(1)
    assert len(hosts.owners(name)) <= 1
    hosts.wire.set("cut=0")
    hosts.finish(name, hosts.a, hosts.b, places)
    ends_well(hosts.b, name)


def test_loss_is_made_good(hosts: Hosts, guest) -> None:
    hosts.wire.set("loss=0.02", "seed=1")
    move = moved(hosts, guest("idle"), hosts.a, hosts.b)
    hosts.wire.set("loss=0")
    assert hosts.wire.stats()["ab"]["lost"] > 0
    assert move.report["frames_lost"] + move.report["parts_again"] > 0
    ends_well(hosts.b, "idle")


def settle(hosts: Hosts, name: str) -> None:
    """One owner at most until the doubt is over, and then exactly one."""
    assert len(hosts.owners(name)) <= 1
    hosts.wire.set("cut=0")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        owners = hosts.owners(name)
        assert len(owners) <= 1, owners
        if owners:
            break
        time.sleep(0.2)
    assert len(owners) == 1, (hosts.a.ask("migrate status"),
                              hosts.b.ask("migrate status"))
    host = hosts.a if owners == ["alpha"] else hosts.b
    ends_well(host, name)


@pytest.mark.long
@pytest.mark.parametrize("way", ["1", "ab", "ba"])
def test_cut_at_any_frame(hosts: Hosts, guest, way: str) -> None:
    """The cable goes dead at one frame after the other around the commit."""
    name = guest("few")
    before = hosts.wire.stats()["ab"]["frames"]
    hosts.move(name, hosts.a, hosts.b, policy="stop-and-copy")
    frames = hosts.wire.stats()["ab"]["frames"] - before
    ends_well(hosts.b, name)
    for left in range(12):
        begin(hosts, name)
        hosts.wire.set(f"after={max(1, frames - left)}")
        places = hosts.begin(name, hosts.a, hosts.b, policy="stop-and-copy")
        try:
            hosts.finish(name, hosts.a, hosts.b, places, timeout=30)
        except (NotMoved, TimeoutError):
            pass
        if way != "1":
            hosts.wire.set(f"cut={way}")
            time.sleep(0.5)
        settle(hosts, name)


# --- hosts that die ----------------------------------------------------------

@pytest.fixture
def mortals(request) -> Iterator[Hosts]:
    with running(request, "mortals", End(config=VMS, migrate=PATIENT),
                 End(migrate=PATIENT)) as both:
        yield both


@pytest.mark.parametrize("phase", PHASES)
def test_target_dies(mortals: Hosts, phase: str) -> None:
    """Before the commit: the source has everything, and goes on. It looks for
    the target until it is told not to."""
    begin(mortals, "idle")
    places = in_phase(mortals, "idle", phase)
    mortals.b.kill()
    if phase != "stopped":
        goes_on(mortals.a, "idle")
    mortals.a.ask("migrate cancel")
    not_moved(mortals, "idle", places)
    mortals.restart(1)
    moved(mortals, "idle", mortals.a, mortals.b)
    ends_well(mortals.b, "idle")


@pytest.mark.parametrize("phase", PHASES)
def test_source_dies(mortals: Hosts, phase: str) -> None:
    """Before the commit: the guest dies with its host, and the target holds
    nothing that runs. It can take another one."""
    begin(mortals, "idle")
    places = in_phase(mortals, "idle", phase)
    mortals.a.kill()
    mortals.restart(0)
    assert mortals.owners("idle") == []
    if phase != "started":
        mortals.b.waits("idle", places[1], change="discarded")
    begin(mortals, "idle")
    moved(mortals, "idle", mortals.a, mortals.b)
    ends_well(mortals.b, "idle")


# --- who must not meet -------------------------------------------------------

def test_wrong_key(request) -> None:
    with running(request, "wrong-key", End(config=VMS),
                 End(key="another one")) as both:
        begin(both, "idle")
        places = both.begin("idle", both.a, both.b)
        not_moved(both, "idle", places)
        assert both.b.vm("idle") is None


def test_too_little_memory(request) -> None:
    with running(request, "small", End(config=VMS), End(memory=256)) as both:
        begin(both, "huge")
        places = both.begin("huge", both.a, both.b)
        not_moved(both, "huge", places)
        reason = both.a.text.split("huge: not moved: ")[1].splitlines()[0]
        assert "memory" in reason
        begin(both, "idle")
        moved(both, "idle", both.a, both.b)
        ends_well(both.b, "idle")


# --- Intel, and over the border ----------------------------------------------

PAIRS = [("vmx", "svm"), ("svm", "vmx")]


@pytest.mark.parametrize("platforms", PAIRS, ids="-to-".join)
def test_crosses_between_vendors(request, platforms: tuple) -> None:
    ends = [End(platform, config=walker("base", CLOSE,
                                        keys="cpu-model = baseline\n"),
                frame_max=1514) for platform in platforms]
    with running(request, "-to-".join(platforms), *ends) as both:
        begin(both, "base")
        moved(both, "base", both.a, both.b, timeout=300)
        moved(both, "base", both.b, both.a, timeout=300)
        ends_well(both.a, "base")


def test_foreign_cpu_is_refused(request) -> None:
    """A guest that was shown its host's CPU stays on such hosts."""
    ends = [End(platform, config=WALKERS["idle"], frame_max=1514)
            for platform in ("svm", "vmx")]
    with running(request, "foreign", *ends) as both:
        begin(both, "idle")
        places = both.begin("idle", both.a, both.b)
        not_moved(both, "idle", places)


@pytest.mark.parametrize("way", ["pml", "dbit", "wp"])
def test_intel_to_intel(request, way: str) -> None:
    ends = [End("vmx", config=walker("hot", CLOSE + " hot=16"),
                frame_max=1514)] * 2
    with running(request, f"vmx-{way}", *ends) as both:
        begin(both, "hot")
        moved(both, "hot", both.a, both.b, timeout=300, dirty=way)
        ends_well(both.b, "hot")


# --- Linux, with a client that counts ----------------------------------------

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


def hop_with_client(both: Hosts, hops: int, hz: int = 200) -> None:
    """Not a byte of the connection and not a datagram is lost."""
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
        wait_until(lambda: flow.received > seen + 65536, 60)
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


def test_linux_moves_under_a_client(request) -> None:
    with with_linux(request, "linux", (End(config=linux()), End())) as both:
        hop_with_client(both, 2)


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
    ends = tuple(End(platform, config=config, frame_max=1514)
                 for platform in platforms)
    with with_linux(request, "linux-" + "-to-".join(platforms), ends) as both:
        both.move("linux", both.a, both.b, timeout=900)
        both.b.key("linux", "echo still $((40 + 2))\r")
        both.b.expect("still 42", 300)
        both.move("linux", both.b, both.a, timeout=900)
        both.a.key("linux", "echo again $((40 + 2))\r")
        both.a.expect("again 42", 300)


@pytest.mark.long
def test_walker_hops_a_hundred_times(hosts: Hosts, guest) -> None:
    name = guest("hot")
    for _ in range(50):
        moved(hosts, name, hosts.a, hosts.b)
        moved(hosts, name, hosts.b, hosts.a)
    ends_well(hosts.a, name)
