"""Nobody knows whether the other host runs the guest: what the operator is told,
and what his word does. The cable is cut right at the commit, and stays cut."""

from typing import Iterator

import pytest

from rig.control import Refused
from rig.hosts import End, Hosts
from moves import PATIENT, VMS, begin, clear, ends_well, goes_on, moved, running

# A frame of kind CONTROL, version 1, with the head of a COMMIT (docs/wire.md).
COMMIT = "14:12,118:0d,119:01,120:01,122:10,123:00"


@pytest.fixture(scope="module")
def readable(request) -> Iterator[Hosts]:
    """Hosts whose records can be told apart on the cable."""
    ends = [End(config=config, migrate=PATIENT + "security = authenticate\n")
            for config in (VMS, "")]
    with running(request, "doubt", *ends) as both:
        yield both


@pytest.fixture
def doubt(readable: Hosts):
    """A guest that left for beta when the cable was cut `where` at COMMIT."""
    hosts = readable

    def cut(where: str) -> Hosts:
        begin(hosts, "idle")
        hosts.wire.set(f"{where}={COMMIT}")
        places = hosts.begin("idle", hosts.a, hosts.b)
        hosts.a.waits("idle", places.source, 60, change="in-doubt")
        return hosts

    yield cut
    hosts.wire.set("cut=0", "before=", "behind=")
    clear(hosts, "idle")


def in_doubt(host) -> list:
    return [(row["vm"], row["what"].split(",")[0])
            for row in host.ask("migrate in-doubt")["in_doubt"]]


SOURCE = [("idle", "the other host was told to run it and has not answered: "
           "`migrate resume` runs it here")]
TARGET = [("idle", "it is ready to run here")]


def both_again(hosts: Hosts, source, target) -> None:
    """The cable is whole, and the next move is as any other."""
    hosts.wire.set("cut=0")
    assert in_doubt(source) == in_doubt(target) == []
    moved(hosts, "idle", source, target)
    ends_well(target, "idle")


def test_source_takes_it_back(doubt) -> None:
    hosts = doubt("before")
    assert hosts.owners("idle") == []
    assert in_doubt(hosts.a) == SOURCE and in_doubt(hosts.b) == TARGET
    with pytest.raises(Refused):
        hosts.a.ask("migrate cancel")
    hosts.b.ask("migrate discard")
    hosts.a.ask("migrate resume")
    goes_on(hosts.a, "idle")
    assert hosts.owners("idle") == ["alpha"]
    both_again(hosts, hosts.a, hosts.b)


def test_target_is_told_to_run_it(doubt) -> None:
    hosts = doubt("before")
    hosts.a.ask("migrate release")
    assert hosts.owners("idle") == []
    hosts.b.ask("migrate run")
    goes_on(hosts.b, "idle")
    assert hosts.owners("idle") == ["beta"]
    both_again(hosts, hosts.b, hosts.a)


def test_source_lets_go_of_what_runs_there(doubt) -> None:
    hosts = doubt("behind")
    goes_on(hosts.b, "idle")
    assert in_doubt(hosts.a) == SOURCE and in_doubt(hosts.b) == []
    for order in ("migrate discard", "migrate run"):
        with pytest.raises(Refused):
            hosts.b.ask(order)
    hosts.a.ask("migrate release")
    assert hosts.a.vm("idle")["state"] == "moved"
    assert hosts.owners("idle") == ["beta"]
    both_again(hosts, hosts.b, hosts.a)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_mended_cable_ends_the_doubt(doubt, where: str) -> None:
    hosts = doubt(where)
    hosts.wire.set("cut=0")
    goes_on(hosts.b, "idle")
    assert hosts.owners("idle") == ["beta"]
    both_again(hosts, hosts.b, hosts.a)
