"""A program's end of a host's JSON line: requests, answers, events.

    with Machine(Spec(..., control=True)) as machine:
        control = Control(machine.control)
        control.event("ready")
        for vm in control.ask("vm list")["vms"]: ...
        control.ask("vm start hello")
        control.event("vm", vm="hello", change="ended")
"""

import json
import socket
import threading
import time
from typing import Callable, Optional


class Refused(Exception):
    """The host answered a request with an error."""

    def __init__(self, command: str, error: dict):
        super().__init__(f"{command}: {error['code']}: {error['text']}")
        self.code = error["code"]
        self.text = error["text"]


class Control:
    """A thread reads all lines; what is asked for waits until it is there."""

    def __init__(self, line: socket.socket):
        self.line = line
        self.answers: dict = {}  # by id
        self.events: list = []  # all that ever came
        self.seen = 0  # how many of them event() has passed
        self.broken: list = []  # lines that were no JSON: the firmware's
        self.ended = False
        self.next_id = 1
        self.news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self.line.makefile("rb") as lines:
            while True:
                try:
                    text = lines.readline()
                except OSError:
                    text = b""
                with self.news:
                    if text:
                        self._sort(text)
                    self.ended = not text
                    self.news.notify_all()
                if not text:
                    return

    def _sort(self, text: bytes) -> None:
        try:
            what = json.loads(text)
        except ValueError:
            self.broken.append(text)
            return
        if "event" in what:
            self.events.append(what)
        else:
            self.answers.setdefault(what["id"], []).append(what)

    def _wait_for(self, look: Callable, what: str, timeout: float):
        deadline = time.monotonic() + timeout
        with self.news:
            while True:
                found = look()
                if found is not None:
                    return found
                left = deadline - time.monotonic()
                if self.ended or left <= 0:
                    why = "the line ended" if self.ended else \
                        f"nothing for {timeout:.0f} s"
                    raise TimeoutError(f"waiting for {what}: {why}; the last "
                                       f"events: {self.events[-3:]}, broken "
                                       f"lines: {self.broken[-3:]}")
                self.news.wait(left)

    def send(self, data: bytes) -> None:
        self.line.sendall(data)

    def request(self, command: str) -> int:
        """Sends a request without waiting; its id, for answer()."""
        number = self.next_id
        self.next_id += 1
        self.send(json.dumps({"id": number, "command": command}).encode()
                  + b"\n")
        return number

    def answer(self, number: Optional[int], timeout: float = 60) -> dict:
        """The next answer to a request, as it came."""
        def look() -> Optional[dict]:
            waiting = self.answers.get(number)
            return waiting.pop(0) if waiting else None

        return self._wait_for(look, f"the answer to request {number}", timeout)

    def ask(self, command: str, timeout: float = 60) -> dict:
        """What the host answers to a command; Refused if that is an error."""
        found = self.answer(self.request(command), timeout)
        if "error" in found:
            raise Refused(command, found["error"])
        return found["answer"]

    def hail(self, timeout: float = 60) -> None:
        """Returns when the host answers: one that starts up hears nothing."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.ask("vm list", 2)
                return
            except TimeoutError:
                if self.ended or time.monotonic() >= deadline:
                    raise

    def event(self, name: str, timeout: float = 60, **fields: object) -> dict:
        """The next event of that name and with those fields, behind the last
        one that this has returned."""
        event, self.seen = self._find(self.seen, name, timeout, fields)
        return event

    def event_since(self, start: int, name: str, timeout: float = 60,
                    **fields: object) -> dict:
        """The first such event behind `start` of all that came; a field that is
        a tuple may have any of its values."""
        return self._find(start, name, timeout, fields)[0]

    def _find(self, start: int, name: str, timeout: float,
              fields: dict) -> tuple:
        """The event, and the place behind it."""
        def fits(event: dict) -> bool:
            return event["event"] == name and all(
                event.get(key) in (value if isinstance(value, tuple)
                                   else (value,))
                for key, value in fields.items())

        def look() -> Optional[tuple]:
            return next(((self.events[at], at + 1)
                         for at in range(start, len(self.events))
                         if fits(self.events[at])), None)

        return self._wait_for(look, f"event {name} {fields}", timeout)
