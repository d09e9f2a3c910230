"""Linux guests on the network: with the outside, and with each other."""

import re
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import Iterator

import pytest

from boots import Boot, config
from rig import services
from rig.cable import plug
from rig.machine import OUT, ROOT, Machine
from rig.nic import Link
from rig.outside import Outside
from runs import Runs, Shell, spec

OUTSIDE, FIRST, SECOND = "10.0.0.1", "10.0.0.2", "10.0.0.3"
MEGABYTES = 4
READY = "linux: the network is served"
OWN_CHECKS = ["linux.net-ping", "linux.net-page", "linux.net-echo"]


def vm(name: str, ip: str, peer: str, more: str = "") -> str:
    return f"[vm {name}]\nkernel = linux/cloud-vmlinuz\n" \
        "initrd = linux/cloud-initrd\nmemory = 160M\nnet = yes\n" \
        f"cmdline = console=ttyS0 quiet godwit.name={name} godwit.ip={ip} " \
        f"godwit.peer={peer} godwit.big={MEGABYTES} godwit.run=net\n{more}"


VMS = vm("first", FIRST, OUTSIDE) \
    + vm("second", SECOND, FIRST, "autostart = no\n")

# The cable: its kind, the host's NIC.
CABLES = {
    Boot("svm-guest-net", "svm", config("", VMS), interactive=True):
        ("stream", "virtio-net-pci"),
    Boot("svm-guest-net-e1000", "svm", config("", VMS), cpus=2,
         interactive=True): ("stream", "e1000"),
}

# Bochs's cable passes only what is for its card's own address.
BOCHS = Boot("vmx-guest-net", "vmx", config("", vm(
    "first", FIRST, OUTSIDE, "mac = nic\n")), interactive=True,
    timeout=900)


class Net:
    """A host with its guests, and a program outside: everything that waits for
    the one lets the other go on."""

    def __init__(self, shell: Shell, outside: Outside, patience: float):
        self.shell, self.outside = shell, outside
        self.patience = patience
        self.over = threading.Event()

    def wait_for(self, text: str) -> None:
        """On the host's console."""
        def seen() -> bool:
            return text in self.shell.machine.serial_text()

        until = self.patience
        while until > 0 and not seen():
            self.outside.serve(0.2)
            until -= 0.2
        assert seen(), f"no {text!r} on the console"

    def ask(self, command: str) -> list:
        return self.shell(command, self.patience)

    def checks(self, name: str) -> dict:
        """What a guest has said of its own network: check -> verdict."""
        text = self.shell.machine.serial_text()
        return {check: verdict for verdict, check in re.findall(
            rf"{name}\| (ok|FAIL) (linux\.[\w-]+)", text)}

    def row(self, port: str) -> list:
        """A port's numbers in `net switch`."""
        words = [line.split() for line in self.ask("net switch")]
        return [int(n) for n in
                next(w for w in words if w[:1] == [port] and len(w) == 6)[1:]]


@contextmanager
def running(runs: Runs, boot: Boot, kind: str, driver: str) -> Iterator[Net]:
    subprocess.run([sys.executable, ROOT / "tools/guest_linux.py", "cloud"],
                   check=True)
    with runs.slots, Link(kind) as link:
        start = spec(boot)
        if kind == "stream":
            start.nics.append(link.b(driver=driver))
            cable = plug(link.path)
        else:
            start.nics.append(link.a(driver=driver))
            cable = plug(f"udp:{link.port + 1}:{link.port}")
        machine = Machine(start, OUT / "e2e" / boot.name)
        shell = Shell(boot, machine)
        with Outside(cable, OUTSIDE) as outside:
            services.start(outside.endpoint, services.STANDARD)
            try:
                runs.say(f"     boot {boot}: {boot.hardware.about}, a Linux "
                         "guest on the network")
                machine.start()
                cable.connect(60)
                shell.attach()
                net = Net(shell, outside, boot.timeout)
                net.wait_for(f"first| {READY}")
                yield net
            finally:
                machine.stop()


@pytest.fixture(scope="module", params=CABLES, ids=str)
def net(request) -> Iterator[Net]:
    with running(request.config.runs, request.param,
                 *CABLES[request.param]) as running_net:
        yield running_net


def test_guest_reaches_the_outside(net: Net) -> None:
    """Ping, a page, and 1 MiB there and back, begun by the guest."""
    assert net.checks("first") == dict.fromkeys(OWN_CHECKS, "ok")


def test_guest_answers_ping(net: Net) -> None:
    for size in (0, 56, 1472):
        assert net.outside.ping(FIRST, 60, size) is not None
    assert not net.outside.wrong


def test_guest_serves_pages(net: Net) -> None:
    status, page = net.outside.get(FIRST, timeout=60)
    assert status == 200 and b"This page comes from first." in page
    status, page = net.outside.get(FIRST, "/big", timeout=120)
    assert status == 200 and page == bytes(MEGABYTES << 20)
    assert net.outside.get(FIRST, "/nothing", timeout=60)[0] == 404
    assert not net.outside.wrong, "every checksum was right"


def test_guest_swallows_a_stream(net: Net) -> None:
    """As much as it takes, at its speed, and the counters agree."""
    connection = net.outside.connect(FIRST, 7, 60)
    before = net.row("first")
    data = bytes(range(256)) * 4096
    connection.write(data)
    got = bytearray()

    def back() -> bool:
        got.extend(connection.read())
        return len(got) >= len(data)

    assert net.outside.wait(back, net.patience)
    connection.close()
    assert got == data
    after = net.row("first")
    assert after[1] - before[1] > len(data), "bytes from the guest"
    assert after[3] - before[3] > len(data), "bytes to the guest"


def test_idle_host_wakes_for_a_frame(net: Net) -> None:
    """All is quiet, the host is halted; a ping is answered all the same."""
    for _ in range(5):
        net.outside.serve(0.3)
        assert net.outside.ping(FIRST, 60) is not None
    lines = " ".join(net.ask("net list"))
    assert int(re.search(r"interrupts (\d+)", lines).group(1)) > 0
    assert int(re.search(r"broken (\d+)", lines).group(1)) == 0


def test_guests_reach_each_other(net: Net) -> None:
    """The second one's peer is the first one: nothing of that goes outside."""
    net.ask("vm start second")
    net.wait_for(f"second| {READY}")
    assert net.checks("second") == dict.fromkeys(OWN_CHECKS, "ok")
    assert net.outside.get(SECOND, timeout=60)[0] == 200
    before = net.row("net0")[2]
    addresses = [line.split() for line in net.ask("net switch")]
    ports = {w[0] for w in addresses if len(w) == 3 and ":" in w[1]}
    assert {"net0", "first", "second"} <= ports
    assert net.row("net0")[2] - before < 10


def test_port_goes_with_its_guest(net: Net) -> None:
    net.ask("vm stop second")
    lines = net.ask("net switch")
    assert not any(line.startswith("second") for line in lines), lines
    assert net.outside.ping(SECOND, 0.5) is None
    assert net.outside.ping(FIRST, 60) is not None


@pytest.fixture(scope="module", params=[BOCHS], ids=str)
def bochs(request) -> Iterator[Net]:
    with running(request.config.runs, request.param, "dgram",
                 "e1000") as running_net:
        yield running_net


@pytest.mark.long
def test_guest_on_intel_is_on_the_network(bochs: Net) -> None:
    """Ping and a page, both ways, over a cable that may lose frames."""
    assert bochs.outside.ping(FIRST, 120) is not None
    status, page = bochs.outside.get(FIRST, timeout=240)
    assert status == 200 and b"This page comes from first." in page
    checks = bochs.checks("first")
    assert checks["linux.net-ping"] == checks["linux.net-page"] == "ok"
    assert not bochs.outside.wrong
