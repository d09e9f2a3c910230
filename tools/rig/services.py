"""What a machine on the outside offers by TCP: a table of port to a function
that takes each new connection (Endpoint.listen)."""

from typing import Callable

from .outside import Endpoint
from .tcp import Connection

Service = Callable[[Connection], None]
PIECE = 1 << 16


def echo(connection: Connection) -> None:
    """RFC 862: all goes back."""
    def event(c: Connection) -> None:
        if c.readable and c.room >= c.readable:
            c.write(c.read())
        if c.at_end:
            c.close()

    connection.on_event = event


def discard(connection: Connection) -> None:
    """RFC 863: all is read."""
    def event(c: Connection) -> None:
        c.read()
        if c.at_end:
            c.close()

    connection.on_event = event


def source(connection: Connection) -> None:
    """RFC 864, nearly: bytes without end, until the other one closes."""
    data = bytes(range(256)) * (PIECE // 256)

    def event(c: Connection) -> None:
        c.read()
        if c.at_end:
            c.close()
        while c.unacknowledged < 4 * PIECE and not c.ended and c.fin is None:
            c.write(data)

    connection.on_event = event


def http(pages: dict) -> Service:
    """Pages by their paths; HTTP/1.0, GET only."""
    def accept(connection: Connection) -> None:
        asked = bytearray()

        def event(c: Connection) -> None:
            asked.extend(c.read())
            if c.fin is not None or b"\r\n\r\n" not in asked:
                return
            words = bytes(asked).split(None, 2)
            path = words[1].decode("ascii", "replace") if len(words) > 1 else ""
            body = pages.get(path)
            status = "404 Not Found" if body is None else "200 OK"
            body = body or b""
            c.write(f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n"
                    "Connection: close\r\n\r\n".encode() + body)
            c.close()

        connection.on_event = event

    return accept


STANDARD = {7: echo, 9: discard, 19: source,
            80: http({"/": b"<p>This is outside.</p>\n"})}


def start(endpoint: Endpoint, table: dict) -> None:
    """And echo of datagrams on port 7."""
    for port, service in table.items():
        endpoint.listen(port, service)
    endpoint.echo_udp(7)
