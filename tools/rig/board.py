"""What a person sees while guests move: both hosts, the rounds, the client.

    board = Board("Debian moves", ("alpha", "QEMU, AMD EPYC"), ("beta", ...))
    board.event(0, {"event": "migration", ...})     # as the hosts tell
    board.say("debian serves on 10.0.0.2")
    for style, line in board.frame(80, 24): ...

It is told, and draws lines; show.py brings them to a terminal. It keeps no clock:
`now` is seconds since the beginning, set by whoever tells it.
"""

from dataclasses import dataclass, field
from typing import Optional

BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.-=+*#@"
ARROW, BACK = "━", "▶◀"
FULL, EMPTY = "█", "░"
HISTORY = 40  # round trips in the small curve
WIDE = 100  # no line is longer, however wide the terminal is
MB = 1e6


def count(number: float) -> str:
    """With its thousands told apart."""
    return f"{number:,.0f}"


def span(us: float) -> str:
    """A time by the unit that suits it."""
    if us < 1000:
        return f"{us:.0f} us"
    return f"{us / 1000:.1f} ms" if us < 1e6 else f"{us / 1e6:.2f} s"


def size(number: float) -> str:
    return f"{number / MB:.1f} MB" if number >= MB else f"{number / 1000:.1f} kB"


@dataclass
class HostView:
    name: str
    about: str
    state: str = "starting"
    vm: str = ""  # what the guest does there


@dataclass
class MoveView:
    """A migration, under way or over."""

    source: int
    began: float
    pages: int = 0  # of the guest
    state: str = "seeking"
    round: int = 0
    left: int = 0  # pages of this round
    sent: int = 0  # bytes
    rate: float = 0.0  # bytes a second
    rounds: list = field(default_factory=list)
    over: bool = False
    result: str = ""

    @property
    def part(self) -> float:
        """Of the guest's memory, how much is there as it is here."""
        if self.over:
            return 1.0
        return 1 - min(self.left / self.pages, 1) \
            if self.pages and self.round else 0.0


@dataclass
class ClientView:
    """What somebody outside has seen so far."""

    sent: int = 0  # datagrams
    back: int = 0
    repeated: int = 0
    stream: int = 0  # bytes of the connection that came back
    wrong: str = ""
    gap: float = 0.0  # the longest without an echo, seconds
    trips: list = field(default_factory=list)  # ms, the newest last


class Board:
    """All that is shown."""

    def __init__(self, title: str, first: tuple, second: tuple,
                 plain: bool = False):
        self.title = title
        self.hosts = [HostView(*first), HostView(*second)]
        self.move: Optional[MoveView] = None
        self.client: Optional[ClientView] = None
        self.says = ""  # the guest's last line
        self.news: list = []  # (when, text)
        self.now = 0.0
        self.plain = plain  # only ASCII

    # --- what it is told

    def say(self, text: str) -> None:
        self.news.append((self.now, text))

    def event(self, host: int, event: dict) -> None:
        """An event of a host's line for programs."""
        view = self.hosts[host]
        name, change = event["event"], event.get("change", "")
        if name == "ready":
            view.state = "ready"
            self.say(f"{view.name} is up")
        elif name == "vm":
            view.vm = event.get("state") or change
            if change in ("crashed", "panicked"):
                self.say(f"{event['vm']} {change} on {view.name}: "
                         f"{event.get('reason') or 'no reason given'}")
        elif name == "migration-report":
            self.moved(event["report"])
        elif name == "migration":
            told = getattr(self, "_" + change.replace("-", "_"), None)
            if told:
                told(host, event)

    def status(self, row: dict) -> None:
        """The migration's row of `migrate status` at the source."""
        move = self.move
        if not move or move.over or row["state"] in ("done", "failed"):
            return
        move.state, move.sent = row["state"], row["bytes"]
        move.round, move.left = row["round"] or 0, row["pages_left"]
        if move.round == 1:
            move.pages = max(move.pages, move.left)

    def _started(self, host: int, event: dict) -> None:
        pages = self.move.pages if self.move else 0
        self.move = MoveView(host, self.now, pages)
        self.say(f"{event['vm']} leaves {self.hosts[host].name} for "
                 f"{event['to']}")

    def _round(self, _host: int, event: dict) -> None:
        if not self.move:
            return
        self.move.rounds.append(event)
        self.move.pages = max(self.move.pages, event["pages"])
        self.move.rate = event["bytes"] / max(event["us"], 1) * MB
        self.move.left = event["remaining"]

    def _stopped(self, host: int, event: dict) -> None:
        self.hosts[host].vm = "stands still"
        if self.move:
            self.move.state = "stopped"

    def _arriving(self, host: int, event: dict) -> None:
        self.hosts[host].vm = "arriving"

    def _in_doubt(self, host: int, event: dict) -> None:
        if self.move:
            self.move.state = "in doubt"

    def _failed(self, host: int, event: dict) -> None:
        self.say(f"{event['vm']} was not moved: {event.get('reason')}")
        if self.move:
            self.move.over, self.move.result = True, str(event.get("reason"))

    def moved(self, report: dict) -> None:
        """The report of a migration that is over."""
        if not self.move:
            return
        move = self.move
        move.over, move.state, move.sent = True, "done", report["bytes"]
        move.rounds = report["rounds"]
        move.result = f"moved in {span(report['total'])}, down " \
            f"{span(report['downtime'])}, {size(report['bytes'])}"
        self.say(f"{self.hosts[1 - move.source].name} runs it: {move.result}, "
                 f"{len(move.rounds)} rounds")

    # --- what it shows

    def frame(self, width: int, height: int) -> list:
        """(style, line) for each line; the news get the lines that are left."""
        width = min(width, WIDE)
        lines = [self._head(width), ("", "")] + self._hosts(width) \
            + [("", "")] + self._move(width, height) + self._client()
        room = max(height - len(lines) - 2, 0)
        if room and self.news:
            lines += [("", ""), ("bold", "What happened")]
            lines += [("", f"  {when:6.1f} s  {text}")
                      for when, text in self.news[-room + 1:]][:room - 1]
        return [(style, self._only(text)[:width]) for style, text in
                lines[:height]]

    def _only(self, text: str) -> str:
        """Without what the terminal has no letters for."""
        if not self.plain:
            return text
        for old, new in ((FULL, "#"), (EMPTY, "."), (ARROW, "="), ("▶", ">"),
                         ("◀", "<"), *zip(BARS, ASCII_BARS)):
            text = text.replace(old, new)
        return text.encode("ascii", "replace").decode()

    def _head(self, width: int) -> tuple:
        clock = f"{self.now:.1f} s"
        return "bold", f"{self.title:{width - len(clock) - 1}} {clock}"

    def _hosts(self, width: int) -> list:
        half = width // 2
        a, b = self.hosts
        column = half - 2
        rows = [("bold", [host.name for host in (a, b)]),
                ("faint", [host.about for host in (a, b)]),
                ("", [host.vm or host.state for host in (a, b)])]
        return [(style, "".join(f"  {text[:column - 1]:{column}}"
                                for text in texts).rstrip())
                for style, texts in rows]

    def _move(self, width: int, height: int) -> list:
        move = self.move
        if not move:
            return []
        a, b = (host.name for host in self.hosts)
        line = ARROW * 10 + BACK[0] if move.source == 0 else \
            BACK[1] + ARROW * 10
        doing = move.result if move.over else \
            f"{move.state}, round {move.round}, {size(move.sent)} so far"
        bar = max(width - 30, 10)
        full = round(move.part * bar)
        lines = [("bold", f"  {a} {line} {b}   {doing}"),
                 ("bar", "  " + FULL * full + EMPTY * (bar - full)
                  + f" {move.part * 100:4.0f} % is there")]
        if move.rounds:
            lines.append(("faint", f"  {'round':>5} {'pages':>9} {'time':>9} "
                          f"{'rate':>11} {'left':>8}  would be down"))
        return lines + [("", self._round_line(number, event)) for number, event
                        in self._shown(move.rounds, min(max(height - 20, 3), 12))] \
            + [("", "")]

    @staticmethod
    def _shown(rounds: list, most: int) -> list:
        """The first and the newest: there may be 64."""
        numbered = list(enumerate(rounds, 1))
        return numbered if len(numbered) <= most else \
            numbered[:1] + numbered[1 - most:]

    @staticmethod
    def _round_line(number: int, event: dict) -> str:
        us = max(event.get("us", event.get("duration", 1)), 1)
        down = event.get("predicted_us", event.get("predicted", 0))
        rate = f"{event['bytes'] / us:.1f} MB/s"
        return f"  {number:5} {count(event['pages']):>9} {span(us):>9} " \
            f"{rate:>11} {count(event['remaining']):>8}  " \
            + (span(down) if down else "-")

    def _client(self) -> list:
        lines: list = []
        client = self.client
        if client:
            good = client.wrong or "every byte right"
            lines += [
                ("bold", "The client outside"),
                ("bad" if client.wrong else "",
                 f"  connection  {count(client.stream)} bytes there and back: "
                 + good),
                ("", f"  datagrams   {count(client.back)} of "
                 f"{count(client.sent)} are back, {client.repeated} twice"),
                ("", f"  round trip  {self._curve(client.trips)}"),
                ("", f"  silence     {client.gap * 1000:.0f} ms at most"),
            ]
        if self.says:
            lines += [("", f"  guest says  {self.says}")]
        return lines

    @staticmethod
    def _curve(trips: list) -> str:
        """The newest round trips, on a scale to their greatest."""
        if not trips:
            return ""
        newest = trips[-HISTORY:]
        top = max(max(newest), 1e-9)
        curve = "".join(BARS[min(int(trip / top * len(BARS)), len(BARS) - 1)]
                        for trip in newest)
        return f"{curve} {newest[-1]:.1f} ms, up to {top:.0f}"

    # --- for whoever reads lines

    def progress(self) -> str:
        """Where it is, in one line."""
        move = self.move
        words = [f"{host.name} is starting" for host in self.hosts
                 if host.state == "starting"]
        if move and not move.over:
            words.append(f"{move.state}, round {move.round}: "
                         f"{move.part * 100:.0f} % is there, {size(move.sent)}")
        if self.client:
            words.append(f"client: {count(self.client.stream)} bytes, "
                         f"{count(self.client.back)} of "
                         f"{count(self.client.sent)} datagrams are back")
        return "; ".join(words)
