"""Plays a migration there and back between two hosts, and keeps a record of it.

    player = Player(plan, board, Path("out/demo"))
    with show(board, tick=player.tick):
        record = player.run()       # never raises for what goes wrong in it

The record is what a verdict and a report are made from (verdict.py, story.py);
its times are seconds since the beginning.
"""

import hashlib
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from .board import HISTORY, Board, ClientView
from .control import Refused
from .dirtied import CONTENT, ZERO, read
from .hosts import Host, Hosts, Move, NotMoved
from .machine import OUT
from .story import CAPTURE
from .traffic import Echoes, Flow

GUEST = "10.0.0.2"
KERNEL = OUT / "kernel.bin"
# The client leaves the guest most of its time, however slow the machine is.
HZ_MOST, HZ_LEAST, SHARE = 200, 25, 3
WINDOW, PACE = 16384, 200e3  # of the connection: bytes under way, a second
CELLS = 256  # of the memory, in pictures
BIN = 0.05  # seconds of a rate
TAIL = 0.3  # seconds behind the last page that still belong to a move


@dataclass(frozen=True)
class Plan:
    """What is to be shown."""

    title: str
    vm: str
    ends: tuple
    note: str  # what is to be known at the beginning
    ready: str  # what the guest prints when it is up
    client: bool  # somebody outside, or the guest watches itself
    patience: float = 120  # seconds for each step
    settle: float = 3  # seconds to look at it in between
    hops: int = 2
    options: dict = field(default_factory=dict, hash=False)


class Client:
    """The outside: a connection and datagrams."""

    def __init__(self, hosts: Hosts):
        self.hosts, self.lock = hosts, hosts.background.lock
        with self.lock:
            self.flow = Flow(hosts.outside, GUEST, window=WINDOW, pace=PACE)
            self.flow.begin()
        self.hz = self._affordable()
        with self.lock:
            self.echoes = Echoes(hosts.outside, GUEST, hz=self.hz,
                                 limit=4 * self.hz)
            self.echoes.begin()

    def _affordable(self) -> int:
        """Datagrams a second: a part of what the guest manages."""
        with self.lock:
            tried = Echoes(self.hosts.outside, GUEST, limit=2)
            tried.begin()
        time.sleep(1)
        with self.lock:
            tried.end()
            return min(max(len(tried.times) // SHARE, HZ_LEAST), HZ_MOST)

    def view(self) -> ClientView:
        flow, echoes = self.flow, self.echoes
        with self.lock:
            times = list(echoes.times.values())  # in the order they came
            newest = [trip * 1000 for _, trip in
                      echoes.trips(echoes.sent - 3 * HISTORY)
                      if trip is not None][-HISTORY:]
            return ClientView(
                echoes.sent, len(times), echoes.repeated, flow.received,
                flow.wrong or "", max((b - a for a, b in
                                       zip(times, times[1:])), default=0.0),
                newest)

    def stop(self, timeout: float) -> None:
        """What is under way comes back, then the connection is closed."""
        with self.lock:
            self.flow.end()
            self.echoes.end()
        until = time.monotonic() + timeout
        while time.monotonic() < until and not (
                self.flow.whole and not self.echoes.lost):
            time.sleep(0.02)
        with self.lock:
            self.flow.close()

    def record(self, begun: float) -> dict:
        flow, echoes = self.flow, self.echoes
        with self.lock:
            return {
                "stream": {"sent": flow.sent, "received": flow.received,
                           "whole": flow.whole, "wrong": flow.wrong,
                           "gap_max_us": round(flow.largest_gap * 1e6)},
                "echoes": {"hz": self.hz, **echoes.summary()},
                "trips": [[round(when - begun, 4),
                           None if trip is None else round(trip * 1000, 3)]
                          for when, trip in echoes.trips()],
                "wrong": list(self.hosts.outside.wrong)}


class Player:
    """One run. tick() is called by the thread that shows the board."""

    def __init__(self, plan: Plan, board: Board, folder: Path):
        self.plan, self.board, self.folder = plan, board, folder
        self.begun = time.monotonic()
        self.hosts: Optional[Hosts] = None
        self.client: Optional[Client] = None
        self.told = [0, 0]  # events of each host that the board knows
        self.moving: Optional[Host] = None
        self.asking = threading.Lock()  # of `moving`
        self.clocks = [0.0, 0.0]  # our time when a host's clock began
        self.record: dict = {
            "title": plan.title, "vm": plan.vm, "hops": plan.hops,
            "hosts": [], "guest": {}, "moves": [], "samples": [],
            "client": None, "wrong": []}

    @property
    def now(self) -> float:
        return time.monotonic() - self.begun

    # --- the board

    def tick(self) -> None:
        hosts = self.hosts.hosts if self.hosts else []
        for n, host in enumerate(hosts):
            control = getattr(host, "control", None)
            while control and self.told[n] < len(control.events):
                self.board.event(n, control.events[self.told[n]])
                self.told[n] += 1
        self._ask_status()
        self._listen(hosts)
        client = self.client
        if client:
            self.board.client = view = client.view()
            self.record["samples"].append(
                [round(self.now, 3), view.stream, view.back])

    def _ask_status(self) -> None:
        with self.asking:
            if not self.moving:
                return
            try:
                rows = self.moving.ask("migrate status", 5)["migrations"]
            except (OSError, TimeoutError, Refused):
                return  # run() hears of it
        for row in rows:
            if row["way"] == "to" and row["vm"] == self.plan.vm:
                self.board.status(row)

    def _listen(self, hosts: list) -> None:
        """To the guest's own lines, where it runs."""
        mark = f"\n{self.plan.vm}| "
        for host, view in zip(hosts, self.board.hosts):
            if view.vm != "running" or not getattr(host, "console", None):
                continue
            text = host.text[-8000:]
            at = text.rfind(mark)
            if at >= 0:
                line = text[at + len(mark):].partition("\n")[0]
                self.board.says = line.rpartition(".[6n")[2]  # a prompt's

    # --- the run

    def run(self) -> dict:
        plan = self.plan
        self.folder.mkdir(parents=True, exist_ok=True)
        capture = self.folder / CAPTURE
        capture.unlink(missing_ok=True)
        self.record["kernel"] = hashlib.sha256(
            KERNEL.read_bytes()).hexdigest()[:16]
        self.board.say(plan.note)
        try:
            self.hosts = Hosts(plan.ends, self.folder / "hosts", box=False,
                               pcap=str(capture))
            with self.hosts as hosts:
                self._hosts_are_up(hosts)
                self._play(hosts)
        except (OSError, RuntimeError, TimeoutError, ValueError, NotMoved,
                Refused) as error:
            self.record["wrong"].append(str(error))
            self.board.say(f"it broke off: {str(error).splitlines()[0]}")
        self._read_capture(capture)
        self.record["seconds"] = round(self.now, 2)
        return self.record

    def _hosts_are_up(self, hosts: Hosts) -> None:
        for n, host in enumerate(hosts.hosts):
            self.clocks[n] = self._clock(host)
            self.record["hosts"].append(
                {"name": host.name, "about": host.end.hardware.about,
                 "emulated": host.end.hardware.accel != "kvm",
                 "cpus": host.end.cpus, "memory": host.end.memory,
                 "command": " ".join(host.machine.command)})

    def _clock(self, host: Host) -> float:
        """Our time when the host's clock was 0, from the quickest of three
        answers."""
        tries = []
        for _ in range(3):
            before = self.now
            up = host.ask("info")["up_ns"] / 1e9
            after = self.now
            tries.append((after - before, (before + after) / 2 - up))
        return min(tries)[1]

    def _play(self, hosts: Hosts) -> None:
        plan = self.plan
        hosts.a.ask(f"vm start {plan.vm}")
        hosts.a.expect(f"{plan.vm}| {plan.ready}", plan.patience)
        self.board.say(f"{plan.vm} is up on {hosts.a.name}")
        if plan.client:
            self._visit(hosts)
            self.client = Client(hosts)
        time.sleep(plan.settle)
        ends = list(hosts.hosts)
        for _ in range(plan.hops):
            self._move(hosts, *ends)
            ends.reverse()
            time.sleep(plan.settle)
        self._end(ends[0])

    def _visit(self, hosts: Hosts) -> None:
        """What people do first with a machine on their network."""
        with hosts.background.lock:
            took = hosts.outside.ping(GUEST)
            status, page = hosts.outside.get(GUEST, timeout=30)
        if took is None or status != 200:
            raise TimeoutError(f"{GUEST} does not serve: status {status}")
        self.board.say(f"{GUEST} answers ping in {took * 1000:.1f} ms and "
                       f"serves a page of {len(page)} bytes")

    def _move(self, hosts: Hosts, source: Host, target: Host) -> None:
        plan = self.plan
        begun = hosts.begin(plan.vm, source, target, plan.patience,
                            **plan.options)
        with self.asking:
            self.moving = source
        try:
            move = hosts.finish(plan.vm, source, target, begun, plan.patience)
        finally:
            with self.asking:
                self.moving = None
        self.record["moves"].append(self._moved(hosts, source, target, begun,
                                                move))

    def _moved(self, hosts: Hosts, source: Host, target: Host, begun,
               move: Move) -> dict:
        def when(host: Host, event: dict) -> float:
            return round(event["time_ns"] / 1e9 + self.clocks[host.number], 4)

        events = source.control.events[begun.source:]
        whole = source.report(plan_vm := self.plan.vm, begun)
        stopped = [e for e in events if e["event"] == "migration"
                   and e["vm"] == plan_vm and e["change"] == "stopped"]
        seen = [at - self.begun for at, _, _, port in list(hosts.switch.moves)
                if port == target.number and at > begun.when]
        return {
            "from": source.name, "to": target.name, "report": move.report,
            "parts": move.parts, "dirty": whole["dirty"],
            "security": whole["security"], "certificates": move.certificates,
            "seconds": round(move.seconds, 3),
            "begun": round(begun.when - self.begun, 4),
            "stopped": when(source, stopped[-1]) if stopped else None,
            "runs": when(target, move.arrived),
            "seen": round(seen[-1], 4) if seen else None,
            "built_us": move.arrived.get("built_us")}

    def _end(self, host: Host) -> None:
        """The client's count and the guest's, or what the guest says alone."""
        vm, guest = self.plan.vm, self.record["guest"]
        if self.client:
            self.client.stop(30)
            self.record["client"] = self.client.record(self.begun)
            wanted = f"tcpcount: ok, {self.client.flow.sent} bytes"
            guest["verdict"], guest["right"] = wanted, True
            try:
                host.expect(wanted, 15)
            except TimeoutError:
                guest.update(verdict=f"not heard: {wanted}", right=False)
            return
        start = host.place
        host.key(vm, "q")
        over = host.control.event_since(start, "vm", self.plan.patience,
                                        vm=vm, change="ended")
        said = [line for line in host.text.splitlines()
                if line.startswith(f"{vm}| ") and "walker: " in line]
        guest["right"] = over["status"] == 0
        guest["verdict"] = said[-1].partition("| ")[2] if said else \
            f"it ended with status {over['status']}"

    # --- the capture

    def _read_capture(self, path: Path) -> None:
        """Adds to each move what its frames tell."""
        try:
            flows = read(path)
        except (OSError, ValueError) as error:
            self.record["wrong"].append(f"the capture: {error}")
            return
        for move, flow in zip(self.record["moves"], flows):
            last = max((r.ended for r in flow.rounds), default=0.0) + TAIL
            move["pages"] = flow.pages
            move["rates"] = [[round(at, 3), round(rate)] for at, rate
                             in flow.rates(BIN) if at <= last]
            move["rounds"] = [
                {"number": r.number, "stopped": r.stopped,
                 "begun": round(r.begun, 4), "ended": round(r.ended, 4),
                 "zero": r.pages(ZERO), "content": r.pages(CONTENT),
                 "shares": [round(share, 3) for share in
                            r.shares(CELLS, zero=r.number > 1)]}
                for r in flow.rounds] if flow.readable else []
