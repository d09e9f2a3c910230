"""The host's switch between two NICs: programs on both sides reach each other
through it."""

import threading
from typing import Iterator

import pytest

from boots import Boot, config
from rig import services
from rig.cable import plug
from rig.machine import OUT, Machine
from rig.nic import Link
from rig.outside import Outside
from runs import Shell, spec

NEAR, FAR = "10.0.0.1", "10.0.0.2"
PAGE = bytes(range(256)) * 4096

BOOTS = {Boot("svm-switch", "svm", config(""), interactive=True):
         ("virtio-net-pci", "virtio-net-pci"),
         Boot("svm-switch-e1000", "svm", config(""), cpus=2, interactive=True):
         ("virtio-net-pci", "e1000")}


class Bridge:
    """A host with a NIC to us and a NIC to a server in a thread."""

    def __init__(self, shell: Shell, near: Outside, far: Outside):
        self.shell, self.near, self.far = shell, near, far

    def counts(self) -> dict:
        """Port -> numbers of `net switch`."""
        ports: dict = {}
        for line in self.shell("net switch")[1:]:
            words = line.split()
            if words and words[0] == "PORT":
                break
            if len(words) == 6:
                ports[words[0]] = [int(word) for word in words[1:]]
        return ports

    def addresses(self) -> dict:
        """MAC -> port."""
        lines = self.shell("net switch")
        head = next(i for i, line in enumerate(lines) if "ADDRESS" in line)
        return {line.split()[1]: line.split()[0] for line in lines[head + 1:]}


@pytest.fixture(scope="module", params=BOOTS, ids=str)
def bridge(request) -> Iterator[Bridge]:
    boot, over = request.param, threading.Event()
    with request.config.runs.slots, Link() as left, Link() as right:
        start = spec(boot)
        for link, driver in zip((left, right), BOOTS[boot]):
            start.nics.append(link.b(driver=driver,
                                     mac=Link.MACS[len(start.nics)]))
        machine = Machine(start, OUT / "e2e" / boot.name)
        shell = Shell(boot, machine)
        with Outside(plug(left.path), NEAR) as near, \
                Outside(plug(right.path), FAR, "52:54:00:67:77:f1") as far:
            services.start(far.endpoint, services.STANDARD
                           | {80: services.http({"/": PAGE})})

            def run() -> None:
                while not over.is_set():
                    far.step(0.05)

            thread = threading.Thread(target=run)
            try:
                machine.start()
                near.cable.connect(60)
                far.cable.connect(60)
                thread.start()
                shell.attach()
                yield Bridge(shell, near, far)
            finally:
                over.set()
                thread.join()
                machine.stop()


def test_ping_passes(bridge: Bridge) -> None:
    """At the prompt nothing but a frame wakes the host."""
    for size in (0, 56, 1400):
        assert bridge.near.ping(FAR, 30, size) is not None


def test_page_passes_whole(bridge: Bridge) -> None:
    assert bridge.near.get(FAR, timeout=60) == (200, PAGE)
    assert not bridge.near.wrong and not bridge.far.wrong


def test_addresses_are_learned(bridge: Bridge) -> None:
    """Each behind its own NIC; what is for the other one goes there."""
    assert bridge.near.ping(FAR, 30) is not None
    addresses = bridge.addresses()
    assert addresses["52:54:00:67:77:f0"] == "net0"
    assert addresses["52:54:00:67:77:f1"] == "net1"
    before = bridge.counts()
    for _ in range(10):
        assert bridge.near.ping(FAR, 30) is not None
    after = bridge.counts()
    for port in ("net0", "net1"):
        frames_in, frames_out = (after[port][i] - before[port][i]
                                 for i in (0, 2))
        assert frames_in >= 10 and frames_out >= 10
        assert after[port][4] == 0, "nothing was dropped"


def test_frame_for_its_own_side_stays(bridge: Bridge) -> None:
    """The far side hears nothing of it."""
    near = bridge.near
    near.endpoint.neighbours[bytes(4)] = near.endpoint.mac
    before = bridge.counts()
    for _ in range(5):
        near.endpoint.send_udp("0.0.0.0", 1, 1, b"to myself")
    assert near.ping(FAR, 30) is not None
    after = bridge.counts()
    assert after["net0"][0] - before["net0"][0] == 6
    assert after["net1"][2] - before["net1"][2] == 1
    assert any("filtered 5" in line for line in bridge.shell("net switch"))
