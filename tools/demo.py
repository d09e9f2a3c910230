"""The demo: the same Godwit image on an AMD and on an Intel machine.

Both machines run at once, each with two guests; what they print is shown as it
comes, and at the end what made the guests come back to Godwit.
"""

import os
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab import platforms  # noqa: E402
from lab.machine import OUT, ROOT, Machine, Outcome, Spec  # noqa: E402
from lab.terminal import Screen  # noqa: E402

TIMEOUT = 180
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

    def __init__(self, show: Show, engine: str):
        super().__init__()
        self.show = show
        self.engine = engine
        self.platform, self.why = platforms.choose(engine, "auto")
        config = (ROOT / "tools" / "demo.conf").read_text()
        self.machine = Machine(Spec(self.platform, config, cpus=2),
                               OUT / "demo" / engine)
        self.outcome = Outcome("crash", "it did not start", 0)
        self.text = ""

    def run(self) -> None:
        try:
            with self.machine:
                self._watch()
        except (OSError, RuntimeError) as error:
            self.outcome = Outcome("crash", str(error), 0)

    def _watch(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        shown = 0
        process = self.machine.process
        running = True
        while running and time.monotonic() < deadline:
            running = process.poll() is None
            lines = self._text().split("\n")
            for text in lines[shown:-1]:
                self._show(text)
            shown = len(lines) - 1
            time.sleep(0.1)
        self.text = self._text()
        self.outcome = self.machine.wait(0)

    def _text(self) -> str:
        try:
            return Screen(self.machine.serial_log.read_bytes()).text
        except OSError:
            return ""

    def _show(self, text: str) -> None:
        """Godwit's log and its guests; not the firmware, nor the tables."""
        if text.startswith("[") or "| " in text[:20]:
            self.show.line(self.engine, text)

    def answer(self, command: str) -> str:
        """What the shell answered to a command of the configuration."""
        return self.text.partition(f"> {command}\n")[2].partition("\ngodwit>")[0]


def verdict(host: Host) -> str:
    """An empty text, or what is wrong."""
    if not host.outcome.passed:
        return host.outcome.text
    if host.answer("vm list").count("status 0") < 3:
        return "not every guest ended with status 0"
    return ""


def main() -> int:
    show = Show()
    start = time.monotonic()
    hosts = [Host(show, engine) for engine in FLAVOURS]
    show.heading("One image, two machines:")
    for host in hosts:
        show.line(host.engine, host.why)
    show.say("\nThe firmware needs some 3 s in QEMU and 10 s in Bochs.\n")
    for host in hosts:
        host.start()
    try:
        for host in hosts:
            host.join()
    except KeyboardInterrupt:
        for host in hosts:
            host.machine.stop()
        return 130
    for host in hosts:
        name = FLAVOURS[host.engine]
        show.heading(f"{name}: the virtual machines, and why they came back:")
        show.say(host.answer("vm list"))
        show.say(host.answer("exits"))
    wrong = {host: verdict(host) for host in hosts if verdict(host)}
    for host, why in wrong.items():
        show.heading(f"{FLAVOURS[host.engine]}: failed: {why}")
        show.say(f"its logs are in {host.machine.folder}")
    if not wrong:
        show.heading("Both machines ran the same guests to their end, "
                     f"in {time.monotonic() - start:.0f} s. "
                     "`make run` gives you the console.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
