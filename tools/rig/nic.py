"""Network cards of the emulated machines, and the cables between them.

A card is described once, as a Nic, and each emulator says it in its own words.
Nothing here needs root:

    stream   frames over a connected AF_UNIX socket, to one peer. Nothing is
             lost: who does not read holds the sender up. The end with
             server=True makes the socket, and its machine starts first.
    dgram    one UDP datagram a frame on 127.0.0.1: may lose frames. The only
             kind that Bochs has; it sends to the port after its own.
    user     QEMU's own router: the guest's outside reaches 10.0.2.2, and ports
             of the build host are forwarded to it.
    none     a card without a cable.
    loop     a card that gets what it sends, and nothing else (driver e1000, to
             be configured with `loopback = yes`; in Bochs the cable leads back).

A program takes the place of a peer by the same sockets: on a stream each frame
follows its length, four bytes, the highest first.
"""

import shutil
import socket
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Optional

KINDS = ("stream", "dgram", "user", "none", "loop")
DRIVERS = ("virtio-net-pci", "e1000")
SLOT = 0x10  # QEMU: 00:10.0 is the first card, whatever else there is
LISTENING = "00010000"  # the flags of such a socket in /proc/net/unix


@dataclass(frozen=True)
class Nic:
    """One network card and what its cable leads to."""

    kind: str
    mac: str = "52:54:00:67:77:01"
    driver: str = "virtio-net-pci"
    path: str = ""  # stream: the socket
    server: bool = False  # stream: this end makes it
    local: int = 0  # dgram: UDP port of this end,
    remote: int = 0  # and of the other
    forward: str = ""  # user: tcp:2222:10.0.2.15:22, several with ;
    mtu: int = 0  # virtio: what the device offers as host_mtu
    options: str = ""  # more of the device's, in QEMU's words
    pcap: str = ""  # QEMU: writes all frames there

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"nic {self.kind}: expected one of "
                             + ", ".join(KINDS))
        if self.driver not in DRIVERS:
            raise ValueError(f"nic driver={self.driver}: expected one of "
                             + ", ".join(DRIVERS))
        if self.kind == "stream" and not self.path:
            raise ValueError("nic stream: expected path=SOCKET")
        if self.kind == "loop" and self.driver != "e1000":
            raise ValueError("nic loop: expected driver=e1000")
        if self.kind == "dgram" and not (self.local and self.remote):
            raise ValueError("nic dgram: expected local=PORT,remote=PORT")

    @staticmethod
    def parse(text: str) -> "Nic":
        """From the command line: KIND,KEY=VALUE,... with the fields' names."""
        kind, *settings = text.split(",")
        types = {field.name: field.type for field in fields(Nic)}
        values: dict = {"kind": kind}
        for setting in settings:
            key, _, value = setting.partition("=")
            if key not in types or key == "kind":
                raise ValueError(f"nic {key}: expected one of "
                                 + ", ".join(list(types)[1:]))
            if types[key] is bool:
                values[key] = value in ("", "on", "yes")
            else:
                values[key] = types[key](value)
        return Nic(**values)

    # --- QEMU

    def _netdev(self, name: str) -> str:
        if self.kind == "stream":
            path = self.path.replace(",", ",,")
            return (f"stream,id={name},server={'on' if self.server else 'off'},"
                    f"addr.type=unix,addr.path={path}")
        if self.kind == "dgram":
            return (f"dgram,id={name},"
                    f"local.type=inet,local.host=127.0.0.1,"
                    f"local.port={self.local},"
                    f"remote.type=inet,remote.host=127.0.0.1,"
                    f"remote.port={self.remote}")
        if self.kind == "user":
            forward = "".join(f",hostfwd={self._forward(rule)}" for rule
                              in self.forward.split(";") if rule)
            return f"user,id={name}{forward}"
        return f"hubport,id={name},hubid={int(name[3:])}"

    @staticmethod
    def _forward(rule: str) -> str:
        """tcp:2222:10.0.2.15:22 in QEMU's words."""
        protocol, port, guest = rule.split(":", 2)
        return f"{protocol}:127.0.0.1:{port}-{guest}"

    def qemu(self, index: int) -> list:
        """The words of QEMU's command line."""
        name = f"net{index}"
        # No romfile: the firmware shall not start from the network.
        device = (f"{self.driver},netdev={name},mac={self.mac},romfile=,"
                  f"addr=0x{SLOT + index:x}")
        if self.driver == "virtio-net-pci":
            device += ",disable-legacy=on"
            if self.mtu:
                device += f",host_mtu={self.mtu}"
        if self.options:
            device += "," + self.options
        words = ["-netdev", self._netdev(name), "-device", device]
        if self.pcap:
            path = str(self.pcap).replace(",", ",,")
            words += ["-object",
                      f"filter-dump,id=dump{index},netdev={name},file={path}"]
        return words

    # --- Bochs

    def bochs(self) -> str:
        """The line of its configuration file, `slot1=e1000` presumed."""
        if self.kind not in ("dgram", "loop") or self.driver != "e1000":
            raise ValueError("Bochs has a nic of kind dgram or loop, driver "
                             "e1000 only")
        if self.kind == "loop":
            return f"e1000: enabled=1, mac={self.mac}, ethmod=loop"
        if self.remote != self.local + 1:
            raise ValueError("Bochs sends to the UDP port after its own: "
                             f"{self.local + 1}, not {self.remote}")
        return (f"e1000: enabled=1, mac={self.mac}, ethmod=socket, "
                f"ethdev={self.local}")

    # --- starting

    def wait_for_peer(self, seconds: float = 30) -> None:
        """QEMU connects once, at its start: somebody has to listen by then."""
        if self.kind != "stream" or self.server:
            return
        deadline = time.monotonic() + seconds
        while not self._listening():
            if time.monotonic() > deadline:
                raise RuntimeError(f"nobody listens on {self.path}; the end "
                                   "with server has to start first")
            time.sleep(0.02)

    def _listening(self) -> bool:
        with open("/proc/net/unix", encoding="utf-8") as sockets:
            return any(words[3] == LISTENING and words[-1] == self.path
                       for words in map(str.split, sockets))


_given: set = set()  # first ports: who asked may not have taken them yet


def udp_ports(count: int = 2) -> int:
    """The first of so many free UDP ports in a row; each is given once."""
    for first in range(40000, 60000, count):
        if first in _given:
            continue
        taken = []
        try:
            for port in range(first, first + count):
                end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                taken.append(end)
                end.bind(("127.0.0.1", port))
            _given.add(first)
            return first
        except OSError:
            continue
        finally:
            for end in taken:
                end.close()
    raise RuntimeError("no free UDP ports")


class Link:
    """A cable between two machines, or a machine and a program.

    with Link() as link:
        a = Spec(..., nics=[link.a()])    # started first
        b = Spec(..., nics=[link.b(driver="e1000")])
    """

    MACS = ("52:54:00:67:77:01", "52:54:00:67:77:02")

    def __init__(self, kind: str = "stream"):
        self.kind = kind
        # Not in out/: a socket's path has room for 107 characters.
        self.folder: Optional[Path] = None
        self.port = 0

    def __enter__(self) -> "Link":
        if self.kind == "stream":
            self.folder = Path(tempfile.mkdtemp(prefix="godwit-"))
        else:
            self.port = udp_ports()
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def path(self) -> str:
        return str(self.folder / "link") if self.folder else ""

    def a(self, **more) -> Nic:
        """The end that is started first; Bochs' end, if it has one."""
        return Nic(self.kind, **{
            "mac": self.MACS[0], "path": self.path, "server": True,
            "local": self.port, "remote": self.port + 1, **more})

    def b(self, **more) -> Nic:
        return Nic(self.kind, **{
            "mac": self.MACS[1], "path": self.path,
            "local": self.port + 1, "remote": self.port, **more})
