"""The Python under tools/: the parts that decide something."""

import json
import re
import select
import socket
import subprocess
import threading
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from rig import bochs, qemu
from rig.machine import Outcome
from rig.nic import Link, Nic
from rig.platforms import choose, nested_kvm
from rig.relay import Relay
from rig.terminal import Screen, _Keys

ROOT = Path(__file__).resolve().parents[2]


def host(root: Path, nested: str, flags: str) -> Path:
    """A made-up machine's /sys, /proc and /dev."""
    parameters = root / "sys/module/kvm_amd/parameters"
    parameters.mkdir(parents=True)
    (parameters / "nested").write_text(nested + "\n")
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(f"flags : fpu {flags} sse\n")
    (root / "dev").mkdir()
    (root / "dev/kvm").touch()
    return root


@pytest.mark.parametrize("nested, flags, there", [
    ("1", "svm", True), ("Y", "svm", True), ("0", "svm", False),
    ("N", "svm", False), ("1", "vmx", False)])
def test_kvm_only_where_nested(tmp_path, nested, flags, there) -> None:
    assert nested_kvm("svm", host(tmp_path, nested, flags))[0] == there


def test_kvm_device_alone_is_not_enough(tmp_path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kvm").touch()
    assert nested_kvm("svm", tmp_path) == (False, "kvm_amd is not loaded here")


def test_launch_gives_the_machine_what_was_asked(monkeypatch) -> None:
    launch = SourceFileLoader("launch", str(ROOT / "tools/launch")).load_module()
    monkeypatch.setattr("sys.argv", [
        "launch", "--cpus", "2", "--memory", "640", "--control", "line",
        "--run", "info; off", "--nic", "stream,path=cable,server"])
    spec = launch.describe(launch.parse(), choose("svm")[0])
    assert (spec.cpus, spec.memory, spec.control) == (2, 640, True)
    assert not spec.guest_line and "run = info; off\n" in spec.config
    assert [(nic.path, nic.server) for nic in spec.nics] == [("cable", True)]


def test_unknown_platform_is_named() -> None:
    with pytest.raises(ValueError, match="no platform vmxx; there are: svm"):
        choose("vmxx")


def test_screen_redraws_lines() -> None:
    screen = Screen()
    for piece in (b"> he\r\x1b", b"[K> help\r\n", b"text\r\n> \r\x1b[", b"Kvm| x"):
        screen.feed(piece)
    assert screen.text == "> help\ntext\nvm| x"


def test_escape_key() -> None:
    keys = _Keys()
    assert keys.filter(b"ab\x01") == (b"ab", False)
    assert keys.filter(b"\x01c\x01") == (b"\x01c", False)
    assert keys.filter(b"x") == (b"", True)


@pytest.mark.parametrize("emulator, status, log, word", [
    (qemu, 33, "", "pass"), (qemu, 35, "", "fail"), (qemu, 0, "", "crash"),
    (qemu, -6, "", "crash"), (qemu, 1, "", "crash"),
    (bochs, 0, "", "pass"),
    (bochs, 1, "[UNMAP ] Shutdown port: shutdown requested", "fail"),
    (bochs, 1, "[CPU0  ] >>PANIC<< 3rd exception", "crash"),
    (bochs, -11, "", "crash")])
def test_outcome(tmp_path, emulator, status, log, word) -> None:
    (tmp_path / "bochs.log").write_text(log)
    assert emulator.outcome(status, tmp_path)[0] == word


@pytest.mark.parametrize("text, wrong", [
    ("tap", "nic tap: expected one of stream"),
    ("stream", "expected path=SOCKET"),
    ("dgram,local=4000", "expected local=PORT,remote=PORT"),
    ("user,speed=9", "nic speed: expected one of mac, driver"),
    ("user,driver=ne2k", "nic driver=ne2k: expected one of virtio-net-pci")])
def test_wrong_nic_is_named(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        Nic.parse(text)


def test_nic_in_the_words_of_both_emulators() -> None:
    nic = Nic.parse("dgram,local=4000,remote=4001,driver=e1000")
    words = " ".join(nic.qemu(1))
    assert "dgram,id=net1" in words and "remote.port=4001" in words
    assert "e1000,netdev=net1" in words and "addr=0x11" in words
    assert "ethdev=4000" in nic.bochs()
    words = " ".join(Nic.parse("stream,path=/a,server,mtu=9000,pcap=/b").qemu(0))
    assert "server=on" in words and "host_mtu=9000" in words
    assert "filter-dump" in words and "file=/b" in words


def test_bochs_says_what_its_nic_cannot() -> None:
    for nic in (Nic("user", driver="e1000"),
                Nic("dgram", driver="e1000", local=4001, remote=4000),
                Nic("dgram", local=4000, remote=4001)):
        with pytest.raises(ValueError, match="Bochs"):
            nic.bochs()


def test_link_has_two_ends() -> None:
    with Link() as link:
        first, second = link.a(), link.b(driver="e1000")
        assert first.server and not second.server
        assert first.path == second.path and first.mac != second.mac
    with Link("dgram") as link:
        assert link.a().remote == link.b().local == link.a().local + 1


def test_a_build_asks_for_what_it_links() -> None:
    """Where nothing is installed, as nobody here works."""
    build = re.search(r"build\) echo (.*) ;;", (ROOT / "tools/need").read_text())
    libraries = re.search(r"MIGRATE_LIBS := (.*)",
                          (ROOT / "migrate/migrate.mk").read_text())
    assert build and libraries
    for library in libraries.group(1).split():
        assert f"lib{library.removeprefix('-l')}-dev" in build.group(1).split()


def test_every_figure_is_explained() -> None:
    """docs/figures.md lists what the benchmarks print, and nothing else."""
    source = (ROOT / "tests/guests/bench.c").read_text()
    text = (ROOT / "docs/figures.md").read_text()
    printed = set(re.findall(r'figure\("([\w.-]+)"', source))
    source = (ROOT / "tools/bench_net.py").read_text()
    printed |= {re.sub(r"\{\w+\}", "N", name).replace(".N", ".SIZE")
                for name in re.findall(r'"(net\.[\w.{}-]+)"', source)}
    listed = set(re.findall(r"(?m)^\| `([\w.-]+)\.P` \|", text))
    assert printed and printed == listed


def test_every_figure_of_a_migration_is_explained() -> None:
    source = (ROOT / "tools/bench_migrate.py").read_text()
    text = (ROOT / "docs/figures.md").read_text()
    printed = {name.rstrip(".") for name in
               re.findall(r'figure\(f"([\w-]+\.)', source)} | {"gap", "gap-quiet"}
    listed = set(re.findall(r"(?m)^\| `migrate\.([\w-]+)` \|", text))
    assert printed == listed


@pytest.fixture
def host_line(tmp_path):
    """A made-up host behind a relay: answers `info`, refuses the rest."""
    ours, theirs = socket.socketpair()
    Relay(theirs, tmp_path / "line")

    def serve() -> None:
        ours.sendall(b"firmware\r\n")
        for text in ours.makefile("rb"):
            request = json.loads(text)
            answer = {"id": request["id"], "answer": {}}
            if request["command"] == "off":
                break
            if request["command"] == "info":
                answer["answer"]["host"] = "made up"
            else:
                answer["error"] = {"code": "E_NOTFOUND", "text": "no"}
            ours.sendall(b'{"event":"vm"}\n' + json.dumps(answer).encode()
                         + b"\n")
        ours.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    return tmp_path / "line"


def ctl(line: Path, *words: str) -> subprocess.CompletedProcess:
    return subprocess.run([ROOT / "tools/godwit-ctl", "--line", line, *words],
                          capture_output=True, text=True, timeout=60)


def test_ctl_prints_answers_and_errors(host_line) -> None:
    good, bad = ctl(host_line, "info"), ctl(host_line, "vm", "lst")
    assert good.returncode == 0 and json.loads(good.stdout) == {
        "host": "made up"}
    assert bad.returncode == 1 and "E_NOTFOUND: no" in bad.stderr


def test_ctl_follows_events(host_line) -> None:
    watcher = subprocess.Popen(
        [ROOT / "tools/godwit-ctl", "--line", host_line, "--events"],
        stdout=subprocess.PIPE, text=True)
    assert watcher.stdout
    event = ""
    while not event:  # until it is connected
        assert ctl(host_line, "info").returncode == 0
        if select.select([watcher.stdout], [], [], 0.2)[0]:
            event = watcher.stdout.readline()
    assert json.loads(event) == {"event": "vm"}
    assert ctl(host_line, "off").returncode == 2
    watcher.stdout.read()
    assert watcher.wait(60) == 0


def test_ctl_without_a_host(tmp_path) -> None:
    assert ctl(tmp_path / "line", "info").returncode == 2
