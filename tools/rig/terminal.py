"""A person's terminal joined to a machine's serial line.

Every key goes to the machine as it is, Ctrl-C too; Ctrl-A x ends it, Ctrl-A
Ctrl-A sends a Ctrl-A. The terminal is put back as it was, whatever happens.
"""

import os
import re
import select
import socket
import sys
import termios
import time
import tty
from typing import Optional

ESCAPE = 0x01  # Ctrl-A

# The firmware clears the screen, and with it what the launcher just said.
CLEARS = rb"\x1b\[(2J|01;01H|=3h)"


class Filter:
    """Takes escape sequences out of a stream that comes in pieces."""

    def __init__(self, pattern: bytes):
        self.pattern = re.compile(pattern)
        self.unfinished = re.compile(rb"\x1b(\[[0-9;=?]*)?$")
        self.held = b""

    def feed(self, data: bytes) -> bytes:
        data = self.held + data
        cut = self.unfinished.search(data)
        self.held = data[cut.start():] if cut else b""
        return self.pattern.sub(b"", data[:cut.start()] if cut else data)


class Screen:
    """The text a person would see after all that came: a line that is drawn
    again, as the shell does while one types, replaces what it showed before."""

    def __init__(self, data: bytes = b""):
        self.done = ""  # whole lines
        self.line = ""  # the one that is being written
        self.at_start = False  # a carriage return came
        self.escapes = Filter(rb"\x1b\[[0-9;=?]*[A-Za-z]")
        self.feed(data)

    @property
    def text(self) -> str:
        return self.done + self.line

    def feed(self, data: bytes) -> None:
        text = self.escapes.feed(data).decode("utf-8", "replace")
        for piece in re.split(r"([\r\n])", text):
            if piece == "\n":
                self.done += self.line + "\n"
                self.line = ""
                self.at_start = False
            elif piece == "\r":
                self.at_start = True
            elif piece:
                self.line = piece if self.at_start else self.line + piece
                self.at_start = False


class _Raw:
    """The terminal in raw mode; nothing at all when input is no terminal."""

    def __init__(self, fd: int):
        self.fd = fd
        self.saved = None

    def __enter__(self) -> None:
        if os.isatty(self.fd):
            self.saved = termios.tcgetattr(self.fd)
            tty.setraw(self.fd)

    def __exit__(self, *_: object) -> None:
        if self.saved:
            termios.tcsetattr(self.fd, termios.TCSADRAIN, self.saved)


class _Keys:
    """Finds the escape key in what is typed."""

    def __init__(self) -> None:
        self.escaped = False

    def filter(self, data: bytes) -> tuple[bytes, bool]:
        """What to send on, and whether the person wants to leave."""
        out = bytearray()
        for byte in data:
            if self.escaped:
                self.escaped = False
                if byte in b"xX":
                    return bytes(out), True
                out.append(byte)
            elif byte == ESCAPE:
                self.escaped = True
            else:
                out.append(byte)
        return bytes(out), False


def join(console: socket.socket, log_path, timeout: Optional[float]) -> str:
    """Runs until the machine ends ("ended"), the person leaves ("left"), or
    time is up ("timeout"). Input's end alone ends nothing: a pipe may be
    shorter than what it starts."""
    keys = _Keys()
    screen = Filter(CLEARS)
    stdin = sys.stdin.fileno()
    interactive = os.isatty(stdin)
    sources = [console, stdin]
    deadline = time.monotonic() + timeout if timeout else None
    with _Raw(stdin), open(log_path, "ab", buffering=0) as log:
        while True:
            left = None
            if deadline:
                left = deadline - time.monotonic()
                if left <= 0:
                    return "timeout"
            ready, _, _ = select.select(sources, [], [], left)
            if console in ready:
                try:
                    data = console.recv(4096)
                except OSError:
                    data = b""
                if not data:
                    return "ended"
                log.write(data)
                os.write(sys.stdout.fileno(), screen.feed(data))
            if stdin in ready:
                data = os.read(stdin, 1024)
                if not data:
                    sources.remove(stdin)
                if interactive:
                    data, leave = keys.filter(data)
                    if leave:
                        return "left"
                if data:
                    console.sendall(data)
