"""The statistics of experiments, against published values."""

import threading
from types import SimpleNamespace

import pytest

from experiment import client, measures, stats

# Hollander and Wolfe, Nonparametric Statistical Methods (1973), p. 69: the
# permeability of membranes at term and at 12 to 26 weeks.
TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]
# The ages of a course of pharmacology, from SciPy's manual.
MALES, FEMALES = [19, 22, 16, 29, 24], [20, 11, 17, 12]


def test_u() -> None:
    assert stats.u_of(TERM, EARLY) == 35
    assert stats.u_of(MALES, FEMALES) == 17
    assert stats.u_of([1, 2], [2, 3]) == 0.5


def test_exact_p_of_known_sets() -> None:
    assert stats.exact_p(TERM, EARLY) == pytest.approx(0.2544, abs=1e-4)
    assert stats.exact_p(MALES, FEMALES) == pytest.approx(1 / 9)
    assert stats.exact_p([1, 2, 3], [4, 5, 6]) == pytest.approx(2 / 20)
    assert stats.exact_p(list(range(5)), list(range(5, 10))) \
        == pytest.approx(2 / 252)


@pytest.mark.parametrize("n, m, u", [(5, 5, 2), (8, 8, 13), (10, 10, 23),
                                     (5, 10, 8), (4, 6, 2)])
def test_critical_values(n: int, m: int, u: int) -> None:
    """The tables' greatest U that is significant at 5 % in two tails."""
    def with_u(wanted: int) -> tuple:
        """Two sets without ties, a's U being so much."""
        ranks = list(range(n))
        for place in range(n - 1, -1, -1):
            step = min(m, wanted)
            ranks[place] += step
            wanted -= step
        a = ranks
        return a, [rank for rank in range(n + m) if rank not in a]

    assert stats.u_of(*with_u(u)) == u
    assert stats.exact_p(*with_u(u)) <= 0.05
    assert stats.exact_p(*with_u(u + 1)) > 0.05


def test_ties_are_tested_exactly() -> None:
    """Of the 10 ways to choose two of 1 1 1 1 2, 4 have the 2."""
    assert stats.exact_p([1, 2], [1, 1, 1]) == pytest.approx(0.4)
    assert stats.exact_p([1, 1], [1, 1]) == 1


def test_normal_p_of_known_sets() -> None:
    assert stats.normal_p(MALES, FEMALES) == pytest.approx(
        0.11134688653314041)
    assert stats.normal_p([1] * 30, [1] * 30) == 1


def test_both_ways_agree_where_they_meet() -> None:
    a = [(n * 37 % 101) / 7 for n in range(20)]
    b = [(n * 53 % 97) / 6 for n in range(20)]
    assert stats.exact_p(a, b) == pytest.approx(stats.normal_p(a, b), abs=0.02)


@pytest.mark.parametrize("a, b, word", [
    ([1, 2, 3, 4, 5], [11, 12, 13, 14, 15], "more"),
    ([11, 12, 13, 14, 15], [1, 2, 3, 4, 5], "less"),
    ([1, 3, 5, 7, 9], [2, 4, 6, 8, 10], "no difference shown"),
    ([1, 2, 3], [11, 12, 13], "too few runs"),
    ([1], [2], "too few runs"), ([], [1, 2], "too few runs")])
def test_verdicts(a: list, b: list, word: str) -> None:
    assert stats.verdict(a, b)[0] == word


def test_summary() -> None:
    few = stats.summary([3, 1, 2])
    assert (few.n, few.least, few.median, few.greatest) == (3, 1, 2, 3)
    assert few.p99 == 3 and not few.p99_known
    many = stats.summary(list(range(1, 201)))
    assert many.p99 == 198 and many.p99_known
    assert stats.summary([]) is None


# --- measures

def run_with(before: list, during: list, **more) -> dict:
    return {"moved": True, "work": {"before": before, "during": during, **more},
            "report": {"downtime": 30_000}}


def test_brownout() -> None:
    usual = [[20_000, 20]] * 10
    slow = [[20_000, 17], [20_000, 19], [40_000, 10], [20_000, 20]]
    assert measures.brownout(run_with(usual, slow)) == 60
    assert measures.brownout(run_with(usual, usual)) == 0
    assert measures.brownout(run_with([], slow)) is None
    # The outside client has seen the blackout, too.
    assert measures.brownout(run_with(usual, slow, clock="outside")) == 30
    assert measures.brownout_before(run_with(usual + slow, usual)) \
        == pytest.approx(100 * 60 / 300)


def test_windows_of_echoes() -> None:
    times = [n / 64 for n in [*range(64), *range(96, 128)]]
    windows = client.windows_of(times, 0.25)
    assert [n for _, n in windows] == [16, 16, 16, 16, 0, 0, 16]
    assert {us for us, _ in windows} == {250_000}
    assert [client.window_of(hz) for hz in (100, 1000, 0)] == [0.2, 0.05, 0]


class SlowEchoes:
    """Each look finds one more answer; ten were sent before the end."""

    def __init__(self, *_args: object, **_more: object):
        self.sent, self.looks = 10, -4
        self.times: dict = {}

    @property
    def newest(self) -> int:
        self.looks += 1
        return self.looks

    def begin(self) -> None:
        pass

    end = begin

    def summary(self) -> dict:
        return {"newest": self.looks}


def test_a_silence_ends_with_an_answer(monkeypatch) -> None:
    """Were it not waited for, the outage would be what came before it."""
    monkeypatch.setattr(client, "Echoes", SlowEchoes)
    hosts = SimpleNamespace(outside=None, background=SimpleNamespace(
        lock=threading.Lock()))
    looker = client.Client(hosts, 100)
    looker.begin()
    assert looker.now.looks >= 0
    looker.end("during", 0)
    assert looker.record["during"]["newest"] >= 10
    monkeypatch.setattr(client, "PATIENCE", 0)
    with pytest.raises(TimeoutError, match="does not answer"):
        looker.begin()


class LinuxPoint(dict):
    bochs = False


@pytest.mark.parametrize("most, pace", [(5000, 1000), (1999, 500), (450, 200),
                                        (5, 0)])
def test_a_guest_is_asked_half_of_what_it_bears(monkeypatch, most: int,
                                                pace: int) -> None:
    monkeypatch.setattr(client, "bears", lambda hosts, hz: hz <= most)
    point = LinuxPoint(echo="auto", guest="linux")
    assert client.bearable(None, point) == pace
    point["echo"] = 123
    assert client.bearable(None, point) == 123


def test_rates_count_only_rounds_with_a_running_guest() -> None:
    rounds = [
        {"duration": 1000, "dirty_rate": 100, "throttle": 100, "pages": 10,
         "zero_pages": 2, "resent": 0},
        {"duration": 3000, "dirty_rate": 200, "throttle": 60, "pages": 5,
         "zero_pages": 0, "resent": 1},
        {"duration": 500, "dirty_rate": 999, "throttle": 60, "pages": 1,
         "zero_pages": 0, "resent": 0}]
    run = {"moved": True, "report": {"rounds": rounds, "codecs": {}}}
    assert measures.dirty_rate(run) == 175
    assert measures.throttled(run) == 3
    assert measures.goodput(run) == pytest.approx(8 * 4096 / 1000)
    assert measures.values([run], "rounds") == [3]
    assert measures.values([run], "pages.zero") == [2]
    assert measures.values([run, {"moved": False}], "pages-resent") == [1]
