"""Guests move between two hosts: nothing of them is lost, and each has one owner
at any time. Here are moves that nobody disturbs, and those that are called off.

What takes minutes has the mark `long`: `make check-long`.
"""

import time

import pytest

from rig.hosts import Hosts, Refused, command
from moves import (PAGES, PHASES, ends_well, goes_on, in_phase, moved,
                   not_moved)
from moves import guest, hosts  # noqa: F401 (fixtures)

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
        assert rounds[0]["pages"] == 16 * 256  # all that there is
    else:
        assert len(rounds) >= 2
        assert rounds[0]["pages"] >= PAGES
        assert rounds[-1]["pages"] < rounds[0]["pages"] // 2
    ends_well(hosts.b, "idle")


def test_a_guest_that_outruns_the_link_is_slowed_down(hosts: Hosts,
                                                      guest) -> None:
    """All its pages take 0.13 s to send, and it may stand for 0.05."""
    move = moved(hosts, guest("base"), hosts.a, hosts.b, policy="downtime",
                 downtime=50, limit="32M")
    rounds = move.report["rounds"]
    assert rounds[0]["throttle"] == 100
    assert min(r["throttle"] for r in rounds) < 100, rounds
    assert rounds[-2]["predicted"] <= 50_000, rounds
    ends_well(hosts.b, "base")


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


@pytest.mark.long
def test_walker_hops_a_hundred_times(hosts: Hosts, guest) -> None:
    name = guest("hot")
    for _ in range(50):
        moved(hosts, name, hosts.a, hosts.b)
        moved(hosts, name, hosts.b, hosts.a)
    ends_well(hosts.a, name)


# --- what does not come to an end --------------------------------------------

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
    ("migrate idle to alpha", "E_INVALID"),  # itself, and is not to be
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
