"""The report of a record of moves (play.py): one page with pictures.

    write(record, Path("out/demo"))     # report.html and record.json
"""

import json
import math
import statistics
import time
from pathlib import Path
from typing import Optional

from .board import count, size, span
from .chart import Axis, Chart
from .page import Page
from .verdict import judge, passed, silence

CAPTURE = "migration.pcap"  # what went over the cable, beside the report

PAGE = 4096
MB = 1e6
TENTH = 0.1
AROUND = 1.0  # seconds before and after the switch that are shown
# Of the downtime, in their order; docs/migration.md tells what each is.
PARTS = (("stop", "stop the guest"), ("state_capture", "save its state"),
         ("last_round", "last pages"), ("state_transfer", "state's way"),
         ("verify", "compare both memories"), ("commit", "commit"))


def way(move: dict) -> str:
    return f"{move['from']} to {move['to']}"


# --- pictures

def rates(move: dict) -> Chart:
    """Bytes on the cable over time, with the rounds."""
    chart = Chart(f"{way(move)}: rounds, and what the cable carried",
                  Axis("since the first frame", "s", least=0),
                  Axis("rate", "MB/s", least=0), height=300)
    chart.line("", [(at, rate / MB) for at, rate in move["rates"]], step=True)
    for part in move["rounds"]:
        name = f"round {part['number']}" if part["number"] == 1 else \
            str(part["number"])
        chart.mark(part["begun"], "stopped" if part["stopped"] else name)
    return chart


def downtimes(moves: list) -> Chart:
    chart = Chart("What the guest's standing still was made of",
                  Axis("since it was told to stop", "ms", least=0),
                  height=130 + 50 * len(moves))
    for move in moves:
        at, spans = 0.0, []
        for name, text in PARTS:
            us = move["parts"][name]
            spans.append((at, at + us / 1000, text))
            at = spans[-1][1]
        chart.spans(way(move), spans)
    return chart


def around(record: dict, move: dict) -> Optional[Chart]:
    """Every datagram's round trip, near the switch."""
    if move["stopped"] is None or not record["client"]:
        return None
    zero = move["stopped"]
    trips = [((begun - zero) * 1000, trip) for begun, trip in
             record["client"]["trips"] if abs(begun - zero) <= AROUND]
    chart = Chart(f"{way(move)}: round trips around the switch",
                  Axis("when it was sent, since the guest stopped", "ms",
                       least=-AROUND * 1000, most=AROUND * 1000),
                  Axis("there and back", "ms", log=True), height=320)
    chart.dots("a datagram", trips)
    for at, word in ((zero, "stopped"), (move["runs"], f"runs on {move['to']}"),
                     (move["seen"], "the switch has heard")):
        if at is not None and abs(at - zero) <= AROUND:
            chart.mark((at - zero) * 1000, word)
    return chart


def trips(record: dict) -> Chart:
    """All round trips: the usual one and the worst of each tenth of a second."""
    bins: dict = {}
    for begun, trip in record["client"]["trips"]:
        if trip is not None:
            bins.setdefault(int(begun / TENTH), []).append(trip)
    chart = Chart("Round trips, all the time", _all_the_time(record),
                  Axis("there and back", "ms", log=True), height=300)
    for name, of in (("median", statistics.median), ("slowest", max)):
        chart.line(name, [(n * TENTH, of(bins[n])) for n in sorted(bins)])
    _mark_moves(chart, record)
    return chart


def _all_the_time(record: dict) -> Axis:
    """From when the client began."""
    samples = record["samples"]
    return Axis("time", "s", least=math.floor(samples[0][0]) if samples else 0)


def _mark_moves(chart: Chart, record: dict) -> None:
    for move in record["moves"]:
        chart.mark(move["begun"], f"leaves {move['from']}")
        chart.mark(move["runs"], f"runs on {move['to']}")


def stream(record: dict) -> Chart:
    """What the connection carried, all the time."""
    chart = Chart("The connection, from the first byte to the last",
                  _all_the_time(record), Axis("came back", "kB/s", least=0),
                  height=280)
    samples = record["samples"][::4]
    chart.line("", [(b[0], (b[1] - a[1]) / max(b[0] - a[0], 1e-3) / 1000)
                    for a, b in zip(samples, samples[1:])], step=True)
    _mark_moves(chart, record)
    return chart


def heat(moves: list) -> Optional[Chart]:
    """Each round a column, the guest's memory upwards."""
    columns = [(move, part) for move in moves for part in move["rounds"]]
    if not columns:
        return None
    chart = Chart("Which pages went in which round",
                  Axis("round", names=[
                      f"to {move['to']} {part['number']}"
                      for move, part in columns]),
                  Axis("guest's memory", "B", binary=True, least=0,
                       most=max(move["pages"] for move in moves) * PAGE),
                  height=460)
    for n, (move, part) in enumerate(columns):
        chart.heat([[share * 100 or None] for share in part["shares"]],
                   (n - 0.46, n + 0.46), (0, move["pages"] * PAGE),
                   "% of the pages there", most=100, log=True)
    return chart


# --- the page

def _facts(record: dict) -> list:
    facts = [(f"down, {way(move)}", span(move["report"]["downtime"]))
             for move in record["moves"]]
    facts += [(f"total, {way(move)}", span(move["report"]["total"]))
              for move in record["moves"]]
    facts += [(f"sent, {way(move)}", size(move["report"]["bytes"]))
              for move in record["moves"]]
    if record["client"]:
        for move in record["moves"]:
            quiet = silence(record, move)
            if quiet is not None:
                facts.append((f"silence, {way(move)}", span(quiet)))
        echoes = record["client"]["echoes"]
        facts += [("datagrams lost", f"{echoes['lost']} of "
                   + count(echoes["sent"])),
                  ("longest silence", span(echoes["gap_max_us"]))]
    return facts


def _rounds(move: dict) -> list:
    rows = []
    for part in move["report"]["rounds"]:
        us = max(part["duration"], 1)
        rows.append([part["round"], count(part["pages"]),
                     count(part["zero_pages"]), span(us),
                     f"{part['bytes'] / us:.1f} MB/s", count(part["remaining"]),
                     count(part["dirty_rate"])])
    return rows


def _move(page: Page, move: dict) -> None:
    page.section(f"{way(move)}")
    page.text(
        f"Dirty pages were found by {move['dirty']}; the link was in the mode "
        f"\"{move['security']}\"; the policy was {move['report']['policy']}. The "
        "first round sends all of the memory while the guest runs, each one "
        "behind it what the guest has written meanwhile, the last one what is "
        "left when it stands still.")
    if move.get("rates"):
        page.picture(rates(move).svg(), "Bytes on the cable by the capture of "
                     "its frames, in steps of 50 ms.")
    page.table(["round", "pages", "zero", "time", "rate", "left behind",
                "pages/s written"], _rounds(move))


def _client(page: Page, record: dict) -> None:
    page.section("The client outside")
    client = record["client"]
    page.text(
        f"{client['echoes']['hz']} numbered datagrams a second went to the guest, "
        "and it sent each back; a connection carried bytes both ways, and both "
        "ends looked at every one. A datagram that came while the guest stood "
        "still was passed on to the other host and answered there.")
    for move in record["moves"]:
        picture = around(record, move)
        if picture:
            page.picture(picture.svg(), "A dot for each datagram. The steep "
                         "line down is what waited for the guest and was "
                         "answered at once when it ran.")
    page.picture(trips(record).svg(), "Per tenth of a second. While its memory is "
                 "copied the guest is slower, too.")
    page.picture(stream(record).svg(), "Marks: when the move was begun, and when "
                 "the guest ran on the other host.")


def build(record: dict) -> Page:
    when = time.strftime("%d %B %Y, %H:%M", time.localtime(record["date"])) \
        if record.get("date") else ""
    page = Page(record["title"], ", ".join(filter(None, [
        when, f"{record.get('seconds', 0):.0f} seconds"])))
    checks = judge(record)
    page.verdict(passed(checks), "moved there and back, nothing lost"
                 if passed(checks) else "see what did not hold below")
    page.items([("" if good else "FAILED: ") + text for good, text in checks])
    if record["moves"]:
        page.facts(_facts(record))
        page.section("Down")
        page.picture(downtimes(record["moves"]).svg(), "Its clocks go on "
                     "meanwhile. docs/migration.md explains each part.")
    for move in record["moves"]:
        _move(page, move)
    if record["client"] and record["moves"]:
        _client(page, record)
    picture = heat([move for move in record["moves"] if move.get("rounds")])
    if picture:
        page.section("The guest's memory, round by round")
        page.picture(picture.svg(), "The first round has every page that is not "
                     "zero; what is bright behind it was written while the "
                     "guest moved. Each cell is a 256th of the memory; the "
                     "shades are logarithmic.")
    _machines(page, record)
    return page


def _machines(page: Page, record: dict) -> None:
    page.section("The machines")
    if record["hosts"]:
        page.table(["host", "what", "CPUs", "MiB"],
                   [[host["name"], host["about"], host["cpus"], host["memory"]]
                    for host in record["hosts"]])
    if any(host["emulated"] for host in record["hosts"]):
        page.text("Emulated machines are slow, and two of them share this "
                  "computer with the client: the times are no measure of the "
                  "hypervisor, the counts are.")
    page.text(f"The kernel's SHA-256 begins with {record.get('kernel')}. The "
              "emulators were started by")
    for host in record["hosts"]:
        page.code(host["command"])
    page.files(["record.json"], "All of it in numbers")
    if record.get("capture"):
        page.files([CAPTURE], "What went over the cable, for tools/capture and "
                   "for Wireshark with tools/godwit.lua")


def keep_capture(record: dict, folder: Path, wanted: bool) -> None:
    """It is as large as the guest, twice, and what the report draws of it is in
    the record. Of a demo that failed it stays, as the logs do."""
    path = folder / CAPTURE
    record["capture"] = path.exists() and (wanted or not passed(judge(record)))
    if not record["capture"]:
        path.unlink(missing_ok=True)


def write(record: dict, folder: Path) -> Path:
    """The page, and the record beside it."""
    record.setdefault("date", round(time.time()))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(json.dumps(record) + "\n")
    return build(record).save(folder / "report.html")
