"""A point: one combination of parameters, measured several times."""

import hashlib
import json
from dataclasses import dataclass
from typing import NamedTuple, Optional

from .keys import CABLE, KEYS, LINUX, WALKER

PAGE = 4096
# A walker's own image and the loader's things, below its pages.
WALKER_OWN = 3 << 20


class Contradiction(NamedTuple):
    key: str
    text: str
    others: tuple = ()  # keys that may be to blame as well


def in_bochs(platform: str) -> bool:
    """Whether one of the hosts is Bochs's, or like them: one card, no cable of
    its own, and usually slow."""
    return platform not in ("svm", "svm-max")


def ends_of(platform: str) -> tuple:
    """The platforms of both hosts."""
    first, _, second = platform.partition("-to-")
    return first, second or first


def pages_of(parameters: dict) -> int:
    """That the guest writes in turn."""
    if parameters["pages"] != "auto":
        return parameters["pages"]
    memory = parameters["memory"] << 20
    return memory // PAGE // 4 * (1 if parameters["guest"] == "linux" else 3)


def plain(parameters: dict) -> dict:
    """Without what the workload does not heed, so that points which differ in
    nothing else are one."""
    kept = dict(parameters)
    for name, key in KEYS.items():
        if name in kept and key.workloads \
                and kept["workload"] not in key.workloads:
            kept[name] = None
    if kept["guest"] == "linux":
        kept["content"] = None
        if kept["workload"] != "dirty":
            kept["pages"] = None
    return kept


def contradiction(parameters: dict) -> Optional[Contradiction]:
    """What cannot be together."""
    for check in (_guest, _memory, _platform, _rings):
        wrong = check(parameters)
        if wrong:
            return wrong
    return None


def _guest(p: dict) -> Optional[Contradiction]:
    able = LINUX if p["guest"] == "linux" else WALKER
    if p["workload"] not in able:
        return Contradiction("workload", f"is {p['workload']}; the guest "
                             f"{p['guest']} has: {', '.join(able)}",
                             ("guest",))
    if p["guest"] == "walker" and p["vcpus"] != 1:
        return Contradiction("vcpus", "the walker has one", ("guest",))
    if p["guest"] == "linux" and p["memory"] < 96:
        return Contradiction("memory", f"is {p['memory']}; linux needs 96",
                             ("guest",))
    if p["guest"] == "walker" and p["echo"] not in ("auto", 0):
        return Contradiction("echo", "the walker has no network", ("guest",))
    return None


def _memory(p: dict) -> Optional[Contradiction]:
    if p["pages"] is None:
        return None
    used = (pages_of(p) + (p["hot"] or 0)) * PAGE + WALKER_OWN
    if used > p["memory"] << 20:
        return Contradiction(
            "pages" if p["pages"] != "auto" else "memory",
            f"{pages_of(p)} pages and {p['hot'] or 0} hot ones do not fit into "
            f"{p['memory']} MiB", ("hot", "memory"))
    return None


def _platform(p: dict) -> Optional[Contradiction]:
    ends = ends_of(p["platform"])
    if p["dirty"] == "pml" and set(ends) not in ({"vmx"}, {"one-vmx"}):
        return Contradiction("dirty", "pml needs platform vmx",
                             ("platform",))
    if p["dirty"] == "dbit" and "vmx-ivybridge" in ends:
        return Contradiction("dirty", "vmx-ivybridge has no D bits",
                             ("platform",))
    if not in_bochs(p["platform"]):
        return None
    for name in CABLE:
        if p[name]:
            return Contradiction(
                name, f"the hosts of {p['platform']} have no cable that can be "
                "made worse; `limit` is the source's own", ("platform",))
    if p["frame"] not in ("auto", 1514):
        return Contradiction("frame", "Bochs's card passes 1514 bytes",
                             ("platform",))
    if (p["rx-ring"], p["tx-ring"], p["rx-buffers"]) != (256, 256, 0):
        name = next(name for name in ("rx-ring", "tx-ring", "rx-buffers")
                    if p[name] != KEYS[name].default)
        return Contradiction(name, "is for platforms in QEMU", ("platform",))
    if p["echo"] not in ("auto", 0):
        return Contradiction("echo", "Bochs's card passes only frames for its "
                             "own address", ("platform",))
    return None


def _rings(p: dict) -> Optional[Contradiction]:
    for name in ("rx-ring", "tx-ring"):
        if p[name] & (p[name] - 1):
            return Contradiction(name, f"is {p[name]}, no power of two")
    return None


# What a pair of hosts is started with; all else can change between moves.
HOSTS_KEYS = ("platform", "cpus", "host-memory", "frame", "rx-ring", "tx-ring",
              "rx-buffers", "buffers", "security")


@dataclass(frozen=True)
class Point:
    parameters: dict

    @property
    def id(self) -> str:
        """The same for the same parameters, always: results are matched by
        it. A default counts as if it was given, and so does the default of a
        key that an older result has not heard of."""
        text = json.dumps({name: value for name, value in
                           self.parameters.items()
                           if value is not None
                           and value != KEYS[name].default}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def __getitem__(self, name: str):
        return self.parameters[name]

    @property
    def hosts(self) -> tuple:
        return tuple(self.parameters[name] for name in HOSTS_KEYS)

    @property
    def bochs(self) -> bool:
        return in_bochs(self.parameters["platform"])

    def label(self, names: list) -> str:
        """Told apart by these keys."""
        return ", ".join(f"{name} {shown(self.parameters[name])}"
                         for name in names
                         if self.parameters[name] is not None) or "the point"


def shown(value) -> str:
    """A value for people: 25M rather than 25000000."""
    if isinstance(value, int) and not isinstance(value, bool):
        for unit, size in (("G", 10 ** 9), ("M", 10 ** 6), ("k", 10 ** 3)):
            if value >= 10 * size and value % (size // 10) == 0:
                return f"{value / size:g}{unit}"
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


GROUP_MOST = 16  # guests on a pair of hosts: more are too long a configuration


def groups(points: list) -> list:
    """Points that one pair of hosts can serve, in the file's order."""
    made: dict = {}
    for point in points:
        made.setdefault(point.hosts, []).append(point)
    return [whole[at:at + GROUP_MOST] for whole in made.values()
            for at in range(0, len(whole), GROUP_MOST)]
