"""A host's JSON line for several programs at once, as a Unix socket.

Every client gets all that comes, events and answers alike, and knows its own
answers by their ids. What a client sends goes on by whole lines, so that no two
requests mix.
"""

import socket
import threading
from pathlib import Path


class Relay:
    def __init__(self, line: socket.socket, path: Path):
        self.line = line
        self.clients: set = set()
        self.lock = threading.Lock()
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        for work in (self._accept, self._spread):
            threading.Thread(target=work, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self.listener.accept()
            client.settimeout(1)  # one that does not read is left behind
            with self.lock:
                self.clients.add(client)
            threading.Thread(target=self._take, args=(client,),
                             daemon=True).start()

    def _take(self, client: socket.socket) -> None:
        """A client's requests, until it goes."""
        held = b""
        while True:
            try:
                data = client.recv(4096)
            except socket.timeout:
                continue
            except OSError:
                data = b""
            if not data:
                self._drop(client)
                return
            *lines, held = (held + data).split(b"\n")
            for text in lines:
                with self.lock:
                    self.line.sendall(text + b"\n")

    def _drop(self, client: socket.socket) -> None:
        with self.lock:
            self.clients.discard(client)
        client.close()

    def _spread(self) -> None:
        """All that the host says, to everyone; its end is everyone's."""
        with self.line.makefile("rb") as lines:
            while True:
                try:
                    text = lines.readline()
                except OSError:
                    text = b""
                for client in list(self.clients):
                    try:
                        client.sendall(text)
                        if not text:
                            client.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        self._drop(client)
                if not text:
                    return
