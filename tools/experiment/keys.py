"""Every key of an experiment's file: where it stands, what it may be, what it
is when it is not given. docs/lab.md has the same table in words; a unit test
compares them.
"""

import importlib.util
import re
from dataclasses import dataclass, replace
from typing import Optional, Union

Value = Union[str, int, float]

UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
THOUSANDS = {"": 1, "k": 10 ** 3, "M": 10 ** 6, "G": 10 ** 9}


class Wrong(ValueError):
    """A value that a key does not take; the text says which ones it does."""


def number(text: str, low: float, high: float, allowed: str,
           units: dict) -> int:
    match = re.fullmatch(r"([0-9]+)([kMG]?)", text)
    if not match or match.group(2) not in units:
        raise Wrong(f"is {text!r}; allowed: {allowed}")
    value = int(match.group(1)) * units[match.group(2)]
    if not low <= value <= high:
        raise Wrong(f"is {text}; allowed: {allowed}")
    return value


@dataclass(frozen=True)
class OneOf:
    words: tuple

    @property
    def allowed(self) -> str:
        return ", ".join(self.words)

    def read(self, text: str) -> str:
        if text not in self.words:
            raise Wrong(f"is {text!r}; allowed: {self.allowed}")
        return text


@dataclass(frozen=True)
class Whole:
    """A whole number; `also` are words that stand for one."""

    low: int
    high: int
    also: tuple = ()
    bytes: bool = False  # k, M, G are powers of 1024, not of 1000

    @property
    def allowed(self) -> str:
        return ", ".join([*self.also, f"{self.low} to {self.high}"]) + (
            ", like 64k or 25M")

    def read(self, text: str) -> Value:
        if text in self.also:
            return text
        return number(text, self.low, self.high, self.allowed,
                      UNITS if self.bytes else THOUSANDS)


@dataclass(frozen=True)
class Share:
    """A probability or a share."""

    high: float = 1.0

    @property
    def allowed(self) -> str:
        return f"0 to {self.high}, like 0.01"

    def read(self, text: str) -> float:
        if not re.fullmatch(r"[0-9]*\.?[0-9]+", text):
            raise Wrong(f"is {text!r}; allowed: {self.allowed}")
        if float(text) > self.high:
            raise Wrong(f"is {text}; allowed: {self.allowed}")
        return float(text)


@dataclass(frozen=True)
class Several:
    """all, none, or some words joined by +."""

    words: tuple

    @property
    def allowed(self) -> str:
        return "all, none, or some of " + ", ".join(self.words) \
            + ", joined by +"

    def read(self, text: str) -> str:
        if text not in ("all", "none") and not (
                set(text.split("+")) <= set(self.words)):
            raise Wrong(f"is {text!r}; allowed: {self.allowed}")
        return text


@dataclass(frozen=True)
class Text:
    allowed: str = "any text"

    def read(self, text: str) -> str:
        return text


Kind = Union[OneOf, Whole, Share, Several, Text]


@dataclass(frozen=True)
class Key:
    name: str
    section: str
    kind: Kind
    default: Optional[Value]
    about: str
    unit: str = ""
    sweeps: bool = True  # a list makes points
    workloads: tuple = ()  # empty: it means something for all

    @property
    def numeric(self) -> bool:
        return isinstance(self.kind, (Whole, Share))


WALKER = ("idle", "walk", "hot-cold", "bursts", "chase")
LINUX = ("idle", "server", "dirty", "build")
# One machine that is source and target, and repeats to the byte.
EXACT = ("one-svm", "one-vmx") \
    if importlib.util.find_spec("rig.onemachine") else ()
PLATFORMS = ("svm", "svm-max", "vmx", "vmx-haswell", "vmx-ivybridge",
             "svm-ryzen", "vmx-to-svm", "svm-to-vmx", *EXACT)
NOBODY_KNOWS = 1 << 40


def _keys(section: str, *rows: Key) -> list:
    return [replace(row, section=section) for row in rows]


def _key(name: str, kind: Kind, default: Optional[Value], about: str,
         unit: str = "", **more) -> Key:
    return Key(name, "", kind, default, about, unit, **more)


TABLE = [
    *_keys(
        "experiment",
        _key("title", Text(), "", "the report's heading", sweeps=False),
        _key("about", Text(), "", "what it shows, a sentence or two",
             sweeps=False),
        _key("plot", Text(), "", "a picture; may be given several times",
             sweeps=False),
        _key("repetitions", Whole(3, 1000), 5, "migrations of each point",
             sweeps=False),
        _key("warmup", Whole(0, 10, ("auto",)), "auto",
             "migrations before the first point of a pair of hosts, not "
             "counted; auto: 2 in QEMU, 0 where Bochs takes part",
             sweeps=False),
        _key("settle", Whole(0, 60000), 700, "the guest's rest before each "
             "migration, in which its usual pace is measured", "ms",
             sweeps=False),
        _key("timeout", Whole(1, 7200), 180, "for one migration", "s",
             sweeps=False),
        _key("giving-up", OneOf(("fails", "counts")), "fails", "a migration "
             "that its policy gives up is a failure, or a result",
             sweeps=False),
        _key("seed", Whole(0, 1 << 31), 1, "of the guest's pages and of the "
             "cable's chances"),
    ),
    *_keys(
        "guest",
        _key("guest", OneOf(("walker", "linux")), "walker", "what runs"),
        _key("memory", Whole(8, 1024), 32, "of the guest", "MiB"),
        _key("vcpus", Whole(1, 8), 1, "its processors; walker: 1"),
        _key("workload", OneOf(tuple(dict.fromkeys(WALKER + LINUX))), "idle",
             "what it does"),
        _key("pages", Whole(16, 1 << 20, ("auto",)), "auto",
             "pages that hold something and are written in turn; auto: three "
             "quarters of the memory (linux dirty: a quarter)"),
        _key("rate", Whole(0, 1000000), 1000,
             "pages written each second; 0: as many as it can", "pages/s",
             workloads=("walk", "hot-cold", "bursts", "chase", "dirty")),
        _key("hot", Whole(1, 1 << 20), 64, "hot-cold: pages of the hot set, "
             "of which each step writes one", "pages",
             workloads=("hot-cold",)),
        _key("cold-every", Whole(1, 100000), 10, "hot-cold: steps for each "
             "write to the cold set", workloads=("hot-cold",)),
        _key("burst", Whole(1, 60000), 100, "bursts: how long one lasts, give "
             "or take a half", "ms", workloads=("bursts",)),
        _key("rest", Whole(1, 60000), 200, "bursts: the rest behind it, give "
             "or take a half", "ms", workloads=("bursts",)),
        _key("content", OneOf(("random", "few")), "random", "of the walker's "
             "pages: random words, or a few words and zeroes"),
        _key("echo", Whole(0, 2000, ("auto",)), "auto", "datagrams each second "
             "of a client outside; auto: what the guest bears, up to 1000, "
             "for linux in QEMU, else 0",
             "1/s"),
    ),
    *_keys(
        "migration",
        _key("policy", OneOf(("downtime", "classic", "fixed",
                              "stop-and-copy")), "downtime",
             "when to stop the guest"),
        _key("downtime", Whole(1, 60000), 300, "what the policy downtime aims "
             "at", "ms"),
        _key("rounds", Whole(1, 64), 30, "at most; policy fixed: exactly"),
        _key("dirty", OneOf(("best", "wp", "dbit", "pml")), "best",
             "how dirty pages are found"),
        _key("codecs", Several(("word", "delta", "lz4")), "all",
             "what may make pages smaller"),
        _key("cache", Whole(0, 512 << 20, bytes=True), 0, "for the delta codec",
             "bytes"),
        _key("limit", Whole(0, NOBODY_KNOWS), 0, "of the source itself; 0: "
             "none", "bytes/s"),
        _key("security", OneOf(("none", "authenticate", "encrypt")), "none",
             "of the frames"),
        _key("buffers", Whole(0, 256), 0, "frames that wait to be sent; 0: 4 "
             "MiB of them"),
    ),
    *_keys(
        "link",
        _key("frame", Whole(1514, 65014, ("auto",)), "auto", "the largest "
             "frame; auto: 65014 in QEMU, 1514 where Bochs takes part",
             "bytes"),
        _key("rx-ring", Whole(16, 1024), 256, "places of the NIC's receive "
             "ring: a power of two"),
        _key("tx-ring", Whole(16, 256), 256, "of its transmit ring: a power of "
             "two"),
        _key("rx-buffers", Whole(0, 1024), 0, "its receive buffers; 0: as many "
             "as the ring has, at most 8 MiB"),
        _key("bandwidth", Whole(0, NOBODY_KNOWS), 0, "of the cable, each way; "
             "0: no limit", "bytes/s"),
        _key("latency", Whole(0, 10000000), 0, "one way", "us"),
        _key("jitter", Whole(0, 10000000), 0, "more latency by chance, at most "
             "so much", "us"),
        _key("loss", Share(0.9), 0.0, "of the frames"),
        _key("reorder", Share(0.9), 0.0, "frames that are overtaken"),
        _key("corruption", Share(0.9), 0.0, "frames with a wrong bit"),
    ),
    *_keys(
        "hosts",
        _key("platform", OneOf(PLATFORMS), "svm", "what the hosts are; A-to-B: "
             "the guest begins on A"),
        _key("cpus", Whole(1, 8), 1, "of each host"),
        _key("host-memory", Whole(256, 8192, ("auto",)), "auto", "of each "
             "host; auto: what the guests need and 384", "MiB"),
    ),
]
KEYS = {key.name: key for key in TABLE}
SECTIONS = tuple(dict.fromkeys(key.section for key in TABLE))
PARAMETERS = [key for key in TABLE if key.sweeps]
# What the cable alone can do; Bochs's hosts have none that can be worse.
CABLE = ("bandwidth", "latency", "jitter", "loss", "reorder", "corruption")
