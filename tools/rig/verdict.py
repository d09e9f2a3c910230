"""Judges a record of moves (demo.py writes it): what has to hold, and what came out.

    for check in judge(record): print(check.good, check.text)
"""

from typing import NamedTuple, Optional

from .board import count, size, span


class Check(NamedTuple):
    good: bool
    text: str


def judge(record: dict) -> list:
    """Every check that this record allows, the failed ones among them."""
    checks = [Check(False, f"it broke off: {wrong}")
              for wrong in record.get("wrong", [])]
    hops = record.get("hops", 2)
    if len(record["moves"]) < hops:
        checks.append(Check(False, f"{len(record['moves'])} of {hops} moves "
                            "came to their end"))
    for move in record["moves"]:
        checks += _move(move)
    if record.get("client"):
        checks += _client(record)
    guest = record.get("guest", {})
    if guest.get("verdict") is not None:
        checks.append(Check(guest["right"], "the guest's own verdict: "
                            + guest["verdict"]))
    return checks


def passed(checks: list) -> bool:
    return bool(checks) and all(check.good for check in checks)


def _move(move: dict) -> list:
    report = move["report"]
    way = f"{move['from']} to {move['to']}"
    same = len(move["certificates"]) == 2 \
        and len(set(move["certificates"])) == 1
    return [
        Check(report["result"] == "success",
              f"{way}: {report['result']}: moved in {span(report['total'])}, "
              f"down {span(report['downtime'])}, {size(report['bytes'])} in "
              f"{len(report['rounds'])} rounds"),
        Check(same, f"{way}: both hosts have the certificate "
              + move["certificates"][0] if same else
              f"{way}: the certificates differ: "
              + " ".join(move["certificates"])),
    ]


def silence(record: dict, move: dict) -> Optional[float]:
    """The longest time without an echo around a switch, in microseconds."""
    if not record["client"] or move["stopped"] is None:
        return None
    came = sorted(begun + trip / 1000 for begun, trip in
                  record["client"]["trips"] if trip is not None)
    gaps = [after - before for before, after in zip(came, came[1:])
            if after >= move["stopped"] and before <= move["runs"]]
    return max(gaps) * 1e6 if gaps else None


def _client(record: dict) -> list:
    client = record["client"]
    stream, echoes = client["stream"], client["echoes"]
    around = [span(quiet) for quiet in
              (silence(record, move) for move in record["moves"])
              if quiet is not None]
    whole = stream["whole"] and not stream["wrong"]
    checks = [Check(
        whole, f"the connection is whole: {count(stream['sent'])} bytes there "
        "and back, every one right" if whole else
        f"the connection is broken: {stream['wrong'] or 'bytes are missing'}, "
        f"{count(stream['received'])} of {count(stream['sent'])} came back")]
    checks.append(Check(
        echoes["sent"] > 0 and not echoes["lost"] and not echoes["repeated"],
        f"{count(echoes['sent'])} datagrams: {echoes['lost']} lost, "
        f"{echoes['repeated']} repeated; the longest silence was "
        + span(echoes["gap_max_us"])
        + (", around the switches " + " and ".join(around) if around else "")))
    if client.get("wrong"):
        checks.append(Check(False, "the network saw wrong frames: "
                            + "; ".join(map(str, client["wrong"]))))
    return checks
