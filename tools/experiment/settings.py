"""What a point's parameters are in the words of those who take them: the command
`migrate`, the cable, the configuration of a host.
"""

from typing import Optional

from rig.hosts import End

from .points import Point

NIC_USUAL = 256


def frame_of(point: Point) -> int:
    if point["frame"] == "auto":
        return 1514 if point.bochs else 65014
    return point["frame"]


def migrate_words(point: Point) -> dict:
    """The words behind `migrate VM to HOST`."""
    return {"policy": point["policy"], "downtime": point["downtime"],
            "rounds": point["rounds"], "dirty": point["dirty"],
            "codecs": point["codecs"].replace("+", ","),
            "cache": point["cache"], "limit": point["limit"]}


NEWER = {"jitter": "jitter_us", "reorder": "reorder", "corruption": "corrupt"}


def cable_words(point: Point, run: int, newer: bool) -> list:
    """Settings of the cable; each run has chances of its own. `newer`: the file
    uses words that an older box does not know."""
    words = [f"rate={point['bandwidth']}", f"delay_us={point['latency']}",
             f"loss={point['loss']}",
             f"seed={point['seed'] * 1000 + run}"]
    if newer:
        words += [f"{word}={point[key]}" for key, word in NEWER.items()]
    return words


def nic_lines(point: Point) -> str:
    lines = [f"{name} = {point[name]}" for name in ("rx-ring", "tx-ring")
             if point[name] != NIC_USUAL]
    if point["rx-buffers"]:
        lines.append(f"rx-buffers = {point['rx-buffers']}")
    return "".join(f"{line}\n" for line in lines)


def end_of(point: Point, platform: str, guests: list) -> End:
    """A host that has all of them in its configuration."""
    memory = point["host-memory"]
    if memory == "auto":
        memory = 384 + max(guest.memory for guest in guests)
    buffers = f"buffers = {point['buffers']}\n" if point["buffers"] else ""
    return End(platform, cpus=point["cpus"], memory=memory,
               config="".join(guest.section for guest in guests),
               migrate=f"security = {point['security']}\n{buffers}",
               frame_max=frame_of(point), nic=nic_lines(point),
               nic_options=f"rx_queue_size={point['rx-ring']}"
               if point["rx-ring"] > NIC_USUAL else "")


def setup_time(events: list) -> Optional[int]:
    """Microseconds from the command to the begin of the first round."""
    changes = {event["change"]: event for event in reversed(events)
               if event["event"] == "migration"}
    if "started" not in changes:
        return None
    began = changes["started"]["time_ns"]
    first = changes.get("round") or changes.get("stopped")
    if not first:
        return None
    return max(0, (first["time_ns"] - began) // 1000 - first.get("us", 0))
