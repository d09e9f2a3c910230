"""The demo: the same Godwit image on an AMD and on an Intel machine.

Both machines run at once, each with Debian's own kernel and a small guest. The
AMD host's Debian is on a network: it is pinged, and a page is fetched from it,
before the operator looks around and it is switched off at its own console.
"""

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from rig import platforms  # noqa: E402
from rig.cable import plug  # noqa: E402
from rig.machine import OUT, ROOT, Console, Machine, Outcome, Spec  # noqa: E402
from rig.nic import Link  # noqa: E402
from rig.outside import Outside  # noqa: E402
from rig.terminal import Screen  # noqa: E402

TIMEOUT = 400
GUEST, US = "10.0.0.2", "10.0.0.1"
FLAVOURS = {"svm": "AMD", "vmx": "Intel"}
COLOURS = {"svm": "\033[33m", "vmx": "\033[36m", "bold": "\033[1m"}


class Show:
    """Prints whole lines, each marked with the machine it comes from."""

    def __init__(self) -> None:
        self.colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.lock = threading.Lock()

    def paint(self, colour: str, text: str) -> str:
        return f"{COLOURS[colour]}{text}\033[0m" if self.colours else text

    def say(self, text: str = "") -> None:
        with self.lock:
            print(text, flush=True)

    def heading(self, text: str) -> None:
        self.say("\n" + self.paint("bold", text))

    def line(self, engine: str, text: str) -> None:
        self.say(f"{self.paint(engine, f'{FLAVOURS[engine]:5} |')} {text}")


class Host(threading.Thread):
    """One machine of the demo; its thread shows what the machine prints."""

    engine = ""

    def __init__(self, show: Show):
        super().__init__()
        self.show = show
        self.platform, self.why = platforms.choose(self.engine, "auto")
        config = (ROOT / "tools" / f"demo-{self.engine}.conf").read_text()
        self.spec = Spec(self.platform, config, cpus=2, memory=512)
        self.machine = Machine(self.spec, OUT / "demo" / self.engine)
        self.outcome = Outcome("crash", "it did not start", 0)
        self.wrong = ""
        self.shown = 0

    def run(self) -> None:
        try:
            with self.machine:
                self.play()
        except (OSError, RuntimeError, TimeoutError) as error:
            self.wrong = str(error)

    def play(self) -> None:
        raise NotImplementedError

    def text(self) -> str:
        try:
            return Screen(self.machine.serial_log.read_bytes()).text
        except OSError:
            return ""

    def show_news(self) -> None:
        """Godwit's log and its guests; not the firmware, nor the tables."""
        lines = self.text().split("\n")
        for text in lines[self.shown:-1]:
            if text.startswith("[") or "| " in text[:20]:
                self.show.line(self.engine, text)
        self.shown = max(self.shown, len(lines) - 1)


class Intel(Host):
    """Runs by itself, as its configuration says."""

    engine = "vmx"

    def play(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while self.machine.process.poll() is None and \
                time.monotonic() < deadline:
            self.show_news()
            time.sleep(0.1)
        self.show_news()
        self.outcome = self.machine.wait(0)
        if not self.outcome.passed:
            self.wrong = self.outcome.text
        elif self.answer("vm list").count("status 0") < 2:
            self.wrong = "not every guest ended with status 0"

    def answer(self, command: str) -> str:
        """What the shell answered to a command of the configuration."""
        return self.text().partition(f"> {command}\n")[2].partition("\nintel>")[0]


class Amd(Host):
    """Has somebody on its network, and an operator."""

    engine = "svm"

    def __init__(self, show: Show, link: Link):
        super().__init__(show)
        self.link = link
        self.spec.nics.append(link.b())
        self.spec.interactive = True

    def run(self) -> None:
        try:
            cable = plug(self.link.path)
            with Outside(cable, US) as outside, self.machine:
                cable.connect(60)
                self.console = Console(self.machine)
                self.outside = outside
                self.play()
        except (OSError, RuntimeError, TimeoutError, ValueError) as error:
            self.wrong = str(error)

    def wait_for(self, wanted: str) -> None:
        deadline = time.monotonic() + TIMEOUT
        while wanted not in self.text():
            self.outside.serve(0.1)
            self.show_news()
            if time.monotonic() > deadline or self.console.ended:
                raise TimeoutError(f"waiting for {wanted!r} in vain")

    def play(self) -> None:
        self.wait_for(f"linux: eth0 is {GUEST}")
        self.show_news()
        self.show.heading("A program outside, on the network of AMD's Debian:")
        for _ in range(3):
            took = self.outside.ping(GUEST)
            if took is None:
                raise TimeoutError(f"{GUEST} does not answer ping")
            self.show.say(f"ping {GUEST}: {took * 1000:.2f} ms")
        status, page = self.outside.get(GUEST, timeout=30)
        self.show.say(f"GET http://{GUEST}/: {status}, "
                      + page.decode().strip())
        if status != 200:
            raise ValueError(f"the page came with status {status}")
        self.show.heading("The operator of the AMD host:")
        for command in ("vm list", "net switch", "exits debian"):
            self.show.say(f"amd> {command}")
            self.show.say(self.console.ask("amd> ", command).rstrip("\n"))
        self.switch_off()

    def switch_off(self) -> None:
        """At Debian's own console."""
        self.show.say("amd> vm console debian")
        self.console.send("vm console debian\r")
        self.console.expect("comes back here")
        self.console.send("\r")
        self.console.expect("guest:")
        self.console.send("poweroff\r")
        self.console.expect("powered off")
        self.show.say("guest:/# poweroff")
        self.console.send("\x1d")
        self.console.expect("amd> ")
        self.show.say(self.console.ask("amd> ", "vm list").rstrip("\n"))
        self.console.send("off\r")
        self.outcome = self.machine.wait(30)
        if not self.outcome.passed:
            self.wrong = self.outcome.text


def main() -> int:
    show = Show()
    start = time.monotonic()
    with Link("stream") as link:
        amd, intel = Amd(show, link), Intel(show)
        show.heading("One image, two machines, Debian's own kernel on both:")
        for host in (amd, intel):
            show.line(host.engine, host.why)
        show.say("\nThe firmware needs some 3 s in QEMU and 15 s in Bochs, and "
                 "Bochs a minute for Linux.\n")
        for host in (amd, intel):
            host.start()
        try:
            for host in (amd, intel):
                host.join()
        except KeyboardInterrupt:
            for host in (amd, intel):
                host.machine.stop()
            return 130
    show.heading("Intel: the virtual machines, and why Debian came back:")
    show.say(intel.answer("vm list"))
    show.say(intel.answer("exits debian"))
    for host in (amd, intel):
        if host.wrong:
            show.heading(f"{FLAVOURS[host.engine]}: failed: {host.wrong}")
            show.say(f"its logs are in {host.machine.folder}")
    if amd.wrong or intel.wrong:
        return 1
    show.heading("Debian ran on both machines and switched itself off, in "
                 f"{time.monotonic() - start:.0f} s. `make shell` puts you at "
                 "its console.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
