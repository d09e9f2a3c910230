"""VMs taken apart and built anew from their saved state while they run."""

import re
import time

import pytest

from boots import REBUILT, REBUILT_SUITES

everywhere = pytest.mark.parametrize("shell", REBUILT, ids=str, indirect=True)


def rebuild(shell, vm: str, timeout: float = 60) -> str:
    """What the shell says of it: the state, then what it took; or an error."""
    return "\n".join(shell(f"vm rebuild {vm}", timeout))


@pytest.mark.parametrize("suite", REBUILT_SUITES)
@everywhere
def test_suite_passes(shell, suite: str) -> None:
    """A guest's own checks hold, however often it is rebuilt among them."""
    if f"[vm {suite}]" not in shell.boot.config:
        pytest.skip(f"{shell.boot.platform} cannot run it")
    shell(f"vm start {suite}")
    end, built = time.monotonic() + 120, 0
    while time.monotonic() < end:
        said = rebuild(shell, suite)
        if f"{suite}: ended" in said or "it is ended" in said:
            break
        assert f"{suite}: running" in said, said
        built += 1
    assert built, "it was over before it could be rebuilt"
    assert shell.row(suite)["state"] == "ended"
    assert shell.row(suite)["end"] == "status 0"


@everywhere
def test_clock_goes_on(shell) -> None:
    shell("vm start clock")
    last = 0
    for _ in range(20):
        said = rebuild(shell, "clock")
        assert "clock: running" in said, said
        shell.expect("clock| the clock: tick ")
        tick = int(re.match(r"\d+", shell.expect(" of ")).group())
        assert tick > last
        last = tick
    shell("vm stop clock")


@everywhere
def test_typed_is_not_lost(shell) -> None:
    """It sleeps; what is typed wakes the one that was built anew."""
    shell.send("vm start typed\r")
    shell.expect("typed| listens")
    for key in "abq":
        assert "typed: running" in rebuild(shell, "typed")
        shell.send("vm console typed\r")
        shell.send(key)
        shell.expect(f"typed {key}")
        shell.send("\x1d\r")
        shell.expect("godwit> ")


LINUX = [boot for boot in REBUILT if "[vm linux]" in boot.config]
REBUILDS = 20

# In the guest: a sum that must always be the same, and a clock that must not
# run backwards, until a file says stop; then what they found.
WATCH = r"""rm -f /tmp/stop; (while [ ! -e /tmp/stop ]; do
dd if=/dev/zero bs=64k count=8 2>/dev/null | md5sum; done | sort -u | wc -l
>/tmp/sums; echo sums-done >/tmp/done) & (last=0; while [ ! -e /tmp/stop ]; do
read now rest </proc/uptime; now=${now%.*}${now#*.}; [ $now -lt $last ] &&
echo back >>/tmp/back; last=$now; done) &""".replace("\n", " ")
END = "touch /tmp/stop; while [ ! -e /tmp/done ]; do sleep 1; done;"
COMPLAINTS = "$(dmesg | grep -ciE 'BUG|WARNING|stall|lockup|unstable')"
FOUND = "$(cat /tmp/sums) $(cat /tmp/back 2>/dev/null | wc -l)"


class Guest:
    """A Linux guest's shell, by its console."""

    def __init__(self, shell, vm: str):
        self.shell = shell
        self.vm = vm
        self.asked = 100

    def __call__(self, command: str, value: str = "",
                 timeout: float = 60) -> str:
        """Types it; what its shell makes of the value when it is done."""
        self.asked += 1
        self.shell.send(f"vm console {self.vm}\r")
        self.shell.expect("comes back here")
        # The mark is not in the line that is typed, nor in one before.
        self.shell.send(f"{command} echo \"=$(({self.asked}))= {value}\"\r")
        self.shell.expect(f"={self.asked}= ", timeout)
        said = self.shell.expect("\n").strip()
        self.shell.send("\x1d\r")
        self.shell.expect("godwit> ")
        return said

    def clock(self) -> float:
        return float(self("", "$(cut -d' ' -f1 /proc/uptime)"))


@pytest.mark.parametrize("shell", LINUX, ids=str, indirect=True)
def test_linux_goes_on(shell) -> None:
    """Linux computes, keeps its clock, and has nothing to complain about, with
    a TCP connection to a neighbour that is rebuilt too."""
    for vm in ("peer", "linux"):
        shell(f"vm start {vm}")
        shell.expect(f"{vm}| linux: a shell", 120)
    linux, peer = Guest(shell, "linux"), Guest(shell, "peer")
    linux("sleep 999 | nc -l -p 5000 | md5sum >/tmp/got &")
    peer("(for i in $(seq 1 600); do echo line $i; sleep 0.03; done | "
         "tee /tmp/sent | nc 10.0.0.2 5000) &")
    linux(WATCH)
    complaints = linux("", COMPLAINTS)
    assert linux("", "$(pidof nc | wc -w)") == "1", "it is connected"
    up, began, still = linux.clock(), time.monotonic(), 0.0
    for i in range(REBUILDS):
        said = rebuild(shell, "peer" if i % 4 == 3 else "linux")
        assert ": running" in said, said
        still += float(re.search(r"still for ([\d.]+)", said).group(1))
        time.sleep(0.2)
    passed = linux.clock() - up
    real = time.monotonic() - began
    assert real - still - 1 < passed < real + 0.5, (real, still, passed)
    assert linux(END, FOUND, 120) == "1 0"
    sent = peer("wait;", "$(md5sum </tmp/sent | cut -c1-32)")
    got = linux("while [ ! -s /tmp/got ]; do sleep 1; done;", "$(cut -c1-32 /tmp/got)")
    assert sent == got != ""
    assert linux("", COMPLAINTS) == complaints
