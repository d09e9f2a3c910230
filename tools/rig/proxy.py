"""Programs of the build machine reach a guest: what connects to a port here is
carried to a port there, by the outside's own TCP."""

import socket

from .outside import Outside
from .tcp import Connection

PIECE = 1 << 16


class _Carried:
    """A socket here and a connection there, each written what the other read."""

    def __init__(self, outside: Outside, near: socket.socket, far: Connection):
        self.outside, self.near, self.far = outside, near, far
        self.to_near = bytearray()
        near.setblocking(False)

    def read_near(self) -> None:
        try:
            data = self.near.recv(min(PIECE, self.far.room))
        except BlockingIOError:
            return
        except OSError:
            self.far.abort()
            return
        if data:
            self.far.write(data)
        else:
            self.far.close()

    def pump(self) -> bool:
        """A round; false when it is over."""
        if len(self.to_near) < 4 * PIECE:
            self.to_near += self.far.read(4 * PIECE)
        try:
            if self.to_near:
                del self.to_near[:self.near.send(self.to_near)]
            elif self.far.at_end and not self.far.ended:
                self.near.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            pass
        except OSError:
            self.far.abort()
        listen = self.far.fin is None and self.far.room >= PIECE \
            and not self.far.ended
        if listen:
            self.outside.watched[self.near] = self.read_near
        else:
            self.outside.watched.pop(self.near, None)
        if self.far.ended and not self.to_near:
            self.outside.watched.pop(self.near, None)
            self.near.close()
            return False
        return True


class Proxy:
    """Listens on a port of 127.0.0.1 (0: any) for a port of a guest."""

    def __init__(self, outside: Outside, port: int, ip: str, to_port: int):
        self.outside = outside
        self.to = (ip, to_port)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.carried: list = []
        outside.watched[self.listener] = self._accept
        outside.pumps.append(self._pump)

    def _accept(self) -> None:
        near, _ = self.listener.accept()
        far = self.outside.endpoint.connect(*self.to)
        self.carried.append(_Carried(self.outside, near, far))

    def _pump(self) -> None:
        self.carried = [c for c in self.carried if c.pump()]

    @property
    def busy(self) -> bool:
        """Bytes wait for room in a socket here, which wakes nobody."""
        return any(c.to_near for c in self.carried)

    def close(self) -> None:
        self.outside.watched.pop(self.listener, None)
        self.listener.close()
        for carried in self.carried:
            carried.far.abort()
            carried.near.close()
