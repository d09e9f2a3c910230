"""The Python under tools/: the parts that decide something."""

import re
from pathlib import Path

import pytest

from lab import bochs, qemu
from lab.nic import Link, Nic
from lab.platforms import choose, nested_kvm
from lab.terminal import Screen, _Keys

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


def test_every_figure_is_explained() -> None:
    """docs/figures.md lists what bench.c prints, and nothing else."""
    source = (ROOT / "tests/guests/bench.c").read_text()
    text = (ROOT / "docs/figures.md").read_text()
    printed = set(re.findall(r'figure\("([\w.-]+)"', source))
    listed = set(re.findall(r"(?m)^\| `([\w.-]+)\.P` \|", text))
    assert printed and printed == listed
