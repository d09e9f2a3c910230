"""A program's end of an emulated network card's cable: the sockets that
nic.py describes, and a record of the frames for Wireshark."""

import os
import socket
import struct
import time
from collections import deque
from pathlib import Path
from typing import Optional

FRAME_MAX = 69632  # QEMU's own limit
READ = 1 << 18


class Pcap:
    """Frames with their times, in the format of libpcap 2.4."""

    def __init__(self, path: Path):
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0,
                                    FRAME_MAX, 1))

    def add(self, frame: bytes) -> None:
        micros = time.time_ns() // 1000
        self.file.write(struct.pack("<IIII", micros // 1000000,
                                    micros % 1000000, len(frame), len(frame))
                        + frame)

    def close(self) -> None:
        self.file.close()


class Cable:
    """send() never waits; receive() gives what has come."""

    name = ""

    def fileno(self) -> int:
        raise NotImplementedError

    def connect(self, timeout: float) -> None:
        """Waits until somebody is at the other end."""

    def send(self, frame: bytes) -> None:
        raise NotImplementedError

    def receive(self) -> list:
        raise NotImplementedError

    def write(self) -> None:
        """Sends on what waits for room."""

    @property
    def waiting(self) -> bool:
        return False

    @property
    def closed(self) -> bool:
        return False

    def close(self) -> None:
        pass


class Stream(Cable):
    """A connected AF_UNIX socket; each frame follows its length, four bytes."""

    def __init__(self, path: str, server: bool):
        self.name = path
        self.server: Optional[socket.socket] = None
        self.link: Optional[socket.socket] = None
        self.inbox = bytearray()
        self.outbox: deque = deque()
        self.gone = False
        if server:
            self.server = socket.socket(socket.AF_UNIX)
            self.server.bind(path)
            self.server.listen(1)

    def connect(self, timeout: float) -> None:
        if self.server:
            self.server.settimeout(timeout)
            self.link, _ = self.server.accept()
        else:
            self.link = socket.socket(socket.AF_UNIX)
            self.link.connect(self.name)
        self.link.setblocking(False)
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)

    def fileno(self) -> int:
        assert self.link
        return self.link.fileno()

    def send(self, frame: bytes) -> None:
        self.outbox.append(len(frame).to_bytes(4, "big") + frame)

    def write(self) -> None:
        assert self.link
        data = b"".join(self.outbox)
        self.outbox.clear()
        try:
            done = self.link.send(data) if data else 0
        except BlockingIOError:
            done = 0
        except OSError:
            self.gone = True
            return
        if done < len(data):
            self.outbox.append(data[done:])

    @property
    def waiting(self) -> bool:
        return bool(self.outbox)

    @property
    def closed(self) -> bool:
        return self.gone

    def receive(self) -> list:
        assert self.link
        try:
            data = self.link.recv(READ)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.gone = True
        self.inbox += data
        frames, at = [], 0
        while len(self.inbox) - at >= 4:
            size = int.from_bytes(self.inbox[at:at + 4], "big")
            if size > FRAME_MAX:
                raise ValueError(f"{self.name}: a frame of {size} bytes")
            if len(self.inbox) - at - 4 < size:
                break
            frames.append(bytes(self.inbox[at + 4:at + 4 + size]))
            at += 4 + size
        del self.inbox[:at]
        return frames

    def close(self) -> None:
        for end in (self.link, self.server):
            if end:
                end.close()
        if self.server:
            Path(self.name).unlink(missing_ok=True)


class Datagrams(Cable):
    """UDP on this machine: each frame is a datagram. All that Bochs has."""

    def __init__(self, local: int, remote: int):
        self.name = f"udp:{local}:{remote}"
        self.remote = ("127.0.0.1", remote)
        self.link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.link.bind(("127.0.0.1", local))
        self.link.setblocking(False)

    def fileno(self) -> int:
        return self.link.fileno()

    def send(self, frame: bytes) -> None:
        try:
            self.link.sendto(frame, self.remote)
        except OSError:
            pass  # nobody is there yet, or its buffer is full: lost

    def receive(self) -> list:
        frames = []
        try:
            while len(frames) < 64:
                frames.append(self.link.recv(65536))
        except OSError:
            pass
        return frames

    def close(self) -> None:
        self.link.close()


def plug(text: str, server: Optional[bool] = None) -> Cable:
    """PATH of a stream's socket, made here if nobody has; udp:LOCAL:REMOTE."""
    if text.startswith("udp:"):
        _, local, remote = text.split(":")
        return Datagrams(int(local), int(remote))
    if server is None:
        server = not os.path.exists(text)
    return Stream(text, server)
