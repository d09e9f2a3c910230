"""The demo's screen, verdict and report, from events and a record that was kept."""

import copy
import io
import json
import struct
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from rig import dirtied, story
from rig.board import Board, ClientView, count, size, span
from rig.show import Live, Plain, is_live, show
from rig.verdict import judge, passed, silence

RECORD = Path(__file__).with_name("demo-record.json")


@pytest.fixture
def record() -> dict:
    return json.loads(RECORD.read_text())


# --- the board


def migration(change: str, **more: object) -> dict:
    return {"event": "migration", "vm": "debian", "change": change, **more}


def round_event(number: int, pages: int, remaining: int) -> dict:
    return migration("round", round=number, pages=pages, bytes=pages * 2000,
                     us=pages * 80, remaining=remaining, predicted_us=28517)


REPORT = {"total": 2934644, "downtime": 88623, "bytes": 80578145, "rounds": [
    {"round": n + 1, "pages": pages, "bytes": pages * 2000, "duration":
     pages * 80, "remaining": left, "predicted": 0}
    for n, (pages, left) in enumerate([(32768, 1654), (1654, 322), (322, 0)])]}


def begun() -> Board:
    board = Board("Debian moves", ("alpha", "QEMU, AMD"), ("beta", "Bochs"))
    board.now = 3.8
    board.event(0, {"event": "ready"})
    board.event(1, {"event": "ready"})
    board.event(0, {"event": "vm", "vm": "debian", "change": "started",
                    "state": "running"})
    board.now = 11.8
    board.event(0, migration("started", to="beta", state="seeking"))
    board.event(1, migration("arriving"))
    return board


def text(board: Board, width: int = 80, height: int = 40) -> str:
    return "\n".join(line for _, line in board.frame(width, height))


def test_hosts_and_rounds_are_shown() -> None:
    board = begun()
    board.status({"state": "copying", "round": 1, "pages_left": 32768,
                  "bytes": 0})
    board.status({"state": "copying", "round": 1, "pages_left": 8192,
                  "bytes": 38477138})
    shown = text(board)
    lines = shown.split("\n")
    assert lines[0].startswith("Debian moves") and lines[0].endswith("11.8 s")
    assert lines[2].split() == ["alpha", "beta"]
    assert lines[4].split() == ["running", "arriving"]
    assert "copying, round 1, 38.5 MB so far" in shown and "75 % is there" in shown
    assert "   3.8 s  beta is up" in shown
    board.event(0, round_event(1, 32768, 1654))
    row = next(line for line in text(board).split("\n") if "32,768" in line)
    assert row.split() == ["1", "32,768", "2.62", "s", "25.0", "MB/s", "1,654",
                           "28.5", "ms"]


def test_bar_grows_with_what_is_there() -> None:
    board, filled = begun(), []
    for left in (32768, 20000, 5000, 0):
        board.status({"state": "copying", "round": 1, "pages_left": left,
                      "bytes": 1})
        filled.append(text(board).count("█"))
    assert filled[0] == 0 and filled == sorted(set(filled))
    assert filled[-1] == 50 and "░" not in text(board)


def test_the_end_is_told() -> None:
    board = begun()
    board.event(0, round_event(1, 32768, 1654))
    board.event(0, migration("stopped", to="beta"))
    assert "stands still" in text(board)
    board.now = 14.7
    board.event(1, {"event": "vm", "vm": "debian", "change": "arrived",
                    "state": "running"})
    board.event(0, {"event": "vm", "vm": "debian", "change": "moved",
                    "state": "moved", "reason": "it runs on beta"})
    board.event(0, {"event": "migration-report", "vm": "debian",
                    "report": REPORT})
    shown = text(board)
    assert "  14.7 s  beta runs it: moved in 2.93 s, down 88.6 ms, 80.6 MB, " \
        "3 rounds" in shown
    assert shown.split("\n")[4].split() == ["moved", "running"]
    assert "100 % is there" in shown and "seeking" not in shown
    assert board.progress() == ""


def test_a_failure_is_told() -> None:
    board = begun()
    board.event(0, migration("failed", to="beta", reason="no such host"))
    assert "debian was not moved: no such host" in text(board)
    board.event(0, {"event": "vm", "vm": "debian", "change": "crashed",
                    "state": "crashed", "reason": "triple fault"})
    assert "crashed on alpha: triple fault" in text(board)


def test_client_is_shown() -> None:
    board = begun()
    board.client = ClientView(3042, 3040, 1, 9285904, "", 0.372,
                              [1.0] * 60 + [8.0])
    board.says = "dirty: pass 3"
    shown = text(board)
    assert "9,285,904 bytes there and back: every byte right" in shown
    assert "3,040 of 3,042 are back, 1 twice" in shown
    assert "372 ms at most" in shown and "dirty: pass 3" in shown
    assert "▂" * 39 + "█ 8.0 ms, up to 8" in shown
    board.client.wrong = "wrong bytes behind byte 7"
    styles = {style for style, line in board.frame(80, 40) if "byte 7" in line}
    assert styles == {"bad"}


@pytest.mark.parametrize("width, height", [(80, 24), (40, 10), (200, 60),
                                           (10, 3)])
def test_frames_fit(width: int, height: int) -> None:
    board = begun()
    board.client = ClientView(1, 1, 0, 1, "", 0.1, [1.0])
    for n in range(30):
        board.event(0, round_event(n + 1, 1000, 10))
        board.say(f"news {n}")
    lines = board.frame(width, height)
    assert len(lines) <= height
    assert all(len(line) <= width for _, line in lines)
    if height == 60:
        assert "news 29" in lines[-1][1]


def test_only_ascii_where_there_is_nothing_else() -> None:
    board = begun()
    board.plain = True
    board.client = ClientView(1, 1, 0, 1, "", 0.1, [1.0, 5.0])
    board.status({"state": "copying", "round": 1, "pages_left": 1, "bytes": 0})
    assert text(board).isascii() and "==>" in text(board)


def test_numbers_for_people() -> None:
    assert [span(n) for n in (5, 1500, 2934644)] == ["5 us", "1.5 ms", "2.93 s"]
    assert [size(n) for n in (900, 80578145)] == ["0.9 kB", "80.6 MB"]
    assert count(32768) == "32,768"


# --- the terminal


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("tty, environment, live", [
    (True, {"TERM": "xterm"}, True), (False, {"TERM": "xterm"}, False),
    (True, {"TERM": "dumb"}, False), (True, {}, False),
    (True, {"TERM": "xterm", "NO_COLOR": "1"}, False)])
def test_where_it_is_drawn_again(tty: bool, environment: dict,
                                 live: bool) -> None:
    assert is_live(Terminal() if tty else io.StringIO(), environment) == live


def test_drawings_replace_each_other() -> None:
    board, out = begun(), Terminal()
    screen = Live(board, out)
    screen.draw()
    first = out.getvalue()
    screen.draw()
    second = out.getvalue()[len(first):]
    assert first.startswith("\x1b[?25l") and "\x1b[?25l" not in second
    assert second.startswith(f"\x1b[{first.count(chr(10))}F")
    screen.close()
    assert out.getvalue().endswith("\x1b[?25h")


def test_plain_lines_come_once() -> None:
    board, out = begun(), io.StringIO()
    with Plain(board, out) as screen:
        time.sleep(0.4)
        board.say("something new")
        time.sleep(0.3)
        assert not screen.over.is_set()
    lines = out.getvalue().splitlines()
    assert lines[0] == "Debian moves" and "\x1b" not in out.getvalue()
    assert sum("alpha is up" in line for line in lines) == 1
    assert sum("something new" in line for line in lines) == 1


def test_a_tick_tells_the_board(monkeypatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    board, out = begun(), Terminal()
    ticks: list = []
    with show(board, lambda: ticks.append(board.now), out):
        time.sleep(0.4)
    assert len(ticks) >= 2 and ticks == sorted(ticks)


# --- the verdict


def test_a_good_record_passes(record: dict) -> None:
    checks = judge(record)
    assert passed(checks)
    said = " / ".join(check.text for check in checks)
    for wanted in ("alpha to beta: success: moved in 8.93 s, down 330.2 ms",
                   "beta to alpha: both hosts have the certificate e15277e823f",
                   "3,072,912 bytes there and back", "210 datagrams: 0 lost",
                   "tcpcount: ok"):
        assert wanted in said


BREAK = {
    "a move is missing": lambda r: r["moves"].pop(),
    "a move failed": lambda r: r["moves"][0]["report"].update(result="no link"),
    "certificates": lambda r: r["moves"][1].update(certificates=["a", "b"]),
    "one certificate": lambda r: r["moves"][1]["certificates"].pop(),
    "no certificate": lambda r: r["moves"][1].update(certificates=[]),
    "bytes are missing": lambda r: r["client"]["stream"].update(whole=False),
    "bytes are wrong": lambda r: r["client"]["stream"].update(wrong="byte 7"),
    "lost": lambda r: r["client"]["echoes"].update(lost=1),
    "repeated": lambda r: r["client"]["echoes"].update(repeated=1),
    "nothing sent": lambda r: r["client"]["echoes"].update(sent=0),
    "wrong frames": lambda r: r["client"]["wrong"].append("a checksum"),
    "the guest": lambda r: r["guest"].update(right=False),
    "broken off": lambda r: r["wrong"].append("the line ended"),
}


@pytest.mark.parametrize("name", BREAK)
def test_every_fault_fails(record: dict, name: str) -> None:
    BREAK[name](record)
    checks = judge(record)
    assert not passed(checks)
    assert sum(not check.good for check in checks) == 1, checks


def test_silence_is_that_of_the_switch(record: dict) -> None:
    move = record["moves"][0]
    stopped = move["stopped"] = move["runs"] - 0.1
    record["client"]["trips"] = [
        [stopped - 5, 1.0], [stopped - 2, 1.0], [stopped - 0.05, 10.0],
        [stopped + 0.01, None], [stopped + 0.02, 180.0], [stopped + 0.5, 1.0]]
    assert silence(record, move) == pytest.approx(240000)
    record["client"]["trips"].append([stopped + 0.04, 10.0])
    assert silence(record, move) == pytest.approx(150000)
    assert silence({"client": None}, move) is None


def test_nothing_is_no_success() -> None:
    assert not passed([])


# --- the report


def pictures(html: str) -> list:
    """The charts, each parsed as XML."""
    return [ET.fromstring("<svg" + part.partition("</figure>")[0]
                          .rpartition("</div>")[0])
            for part in html.split('<div class="wide"><svg')[1:]]


def test_report_has_its_pictures(record: dict, tmp_path: Path) -> None:
    path = story.write(record, tmp_path)
    html = path.read_text()
    titles = [svg.find("{*}title").text for svg in pictures(html)]
    assert len(titles) == 8 and len(html) < 1000000
    for wanted in ("standing still", "alpha to beta: rounds",
                   "beta to alpha: round trips", "The connection",
                   "Which pages"):
        assert any(wanted in title for title in titles), titles
    assert "Passed:" in html and "FAILED" not in html
    assert json.loads((tmp_path / "record.json").read_text())["moves"]


def test_report_of_a_failure(record: dict, tmp_path: Path) -> None:
    for change in BREAK.values():
        broken = copy.deepcopy(record)
        change(broken)
        html = story.write(broken, tmp_path).read_text()
        assert "Failed:" in html and "FAILED: " in html


def test_report_without_moves_or_client(record: dict, tmp_path: Path) -> None:
    record.update(client=None, moves=[], hosts=[], wrong=["no <host>"])
    html = story.write(record, tmp_path).read_text()
    assert "no &lt;host&gt;" in html and not pictures(html)


def test_downtime_is_the_sum_of_its_parts(record: dict) -> None:
    move = record["moves"][0]
    spans = story.downtimes([move]).rows[0][1]
    assert len(spans) == len(story.PARTS)
    assert all(a[1] == b[0] for a, b in zip(spans, spans[1:]))
    down = sum(move["parts"][name] for name, _ in story.PARTS) / 1000
    assert spans[-1][1] == pytest.approx(down)
    assert spans[0][1] - spans[0][0] == pytest.approx(
        move["parts"]["stop"] / 1000)


def test_heat_has_a_column_per_round(record: dict) -> None:
    chart = story.heat(record["moves"])
    assert len(chart.heats) == sum(len(move["rounds"])
                                   for move in record["moves"])
    assert list(chart.x.names)[:2] == ["to beta 1", "to beta 2"]


# --- pages out of a capture

A, B = b"\x52\0\0\0\0\x01", b"\x52\0\0\0\0\x02"
IDENTITY = bytes(range(16))


def frame(kind: int, body: bytes, source: bytes = A, target: bytes = B) -> bytes:
    return target + source + b"\x88\xb5" \
        + struct.pack("<BBHI", 0x10 | kind, 1, len(body), 1) + body + bytes(16)


def hello(kind: int, security: int, pages: int = 64) -> bytes:
    body = bytearray(144)
    body[0], body[1] = kind, security
    body[48:64] = IDENTITY
    struct.pack_into("<Q", body, 128, pages)
    return bytes(body)


def round_record(number: int, stopped: bool) -> bytes:
    return bytes(96) + struct.pack("<BBBBHHIIQ", 6, 1, 1, 0, 16, 0, number,
                                   int(stopped), 9)


def page(index: int, codec: int, data: bytes, run: int = 0) -> bytes:
    return struct.pack("<IHH", index, codec << 12, run or len(data)) + data


def capture(path: Path, security: int = 1) -> Path:
    frames = [
        b"\xff" * 6 + A + b"\x08\x06" + bytes(40),
        frame(1, hello(1, security)),
        frame(1, hello(3, security)),
        frame(1, hello(4, security), B, A),
        frame(2, round_record(1, False)),
        frame(3, page(0, 0, b"", 32) + page(32, 2, bytes(100))),
        frame(3, page(33, 1, bytes(8)) + page(63, 4, bytes(50))),
        frame(2, round_record(1, False)),  # again
        frame(2, round_record(2, True)),
        frame(3, page(33, 3, bytes(5)) + page(1, 0, b"", 1)),
        frame(3, page(60, 0, b"", 9)),  # beyond the guest
    ]
    data = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65536, 1)
    for n, one in enumerate(frames):
        data += struct.pack("<IIII", 100, n * 1000, len(one), len(one)) + one
    path.write_bytes(data + b"cut off")
    return path


def test_pages_of_each_round(tmp_path: Path) -> None:
    flow, = dirtied.read(capture(tmp_path / "x.pcap"))
    assert (flow.pages, flow.identity) == (64, IDENTITY)
    first, second = flow.rounds
    assert (first.number, first.stopped) == (1, False)
    assert (second.number, second.stopped) == (2, True)
    assert [n for n, how in enumerate(first.sent) if how == dirtied.CONTENT] \
        == [32, 33, 63]
    assert first.pages(dirtied.ZERO) == 32
    assert [n for n, how in enumerate(second.sent) if how] == [1, 33]
    assert second.shares(4) == [0, 0, 1 / 16, 0]
    assert second.shares(4, zero=True) == [1 / 16, 0, 1 / 16, 0]
    assert first.begun == pytest.approx(0.002, abs=1e-5)
    rates = flow.rates(0.005)
    assert sum(rate for _, rate in rates) * 0.005 == pytest.approx(
        sum(size for _, size in flow.traffic))


def test_encrypted_pages_are_not_guessed(tmp_path: Path) -> None:
    flow, = dirtied.read(capture(tmp_path / "x.pcap", 2))
    assert not flow.readable and not flow.rounds and flow.traffic


def test_no_capture_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something else, long enough to be read")
    with pytest.raises(ValueError, match="not a pcap"):
        dirtied.read(tmp_path / "x")


# --- the capture stays only for who wants it, or needs it


def broken(record: dict) -> dict:
    return {**record, "wrong": ["a byte of the connection"]}


@pytest.mark.parametrize("change,wanted,stays", [
    (dict, False, False), (dict, True, True), (broken, False, True)])
def test_capture_stays(record: dict, tmp_path: Path, change, wanted: bool,
                       stays: bool) -> None:
    record = change(record)
    path = tmp_path / story.CAPTURE
    path.write_bytes(b"frames")
    story.keep_capture(record, tmp_path, wanted)
    story.write(record, tmp_path)
    assert path.exists() == stays
    page = (tmp_path / "report.html").read_text()
    assert (f'href="{story.CAPTURE}"' in page) == stays
    assert 'href="record.json"' in page
