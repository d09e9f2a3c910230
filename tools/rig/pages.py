"""The page codecs of docs/wire.md: what a page record makes of a page."""

from .hashes import PAGE
from .protocol import PageRecord, Wrong, need

ZERO, WORD, RAW, DELTA, LZ4 = range(5)
CODECS = ("zero", "word", "raw", "delta", "lz4")


def lz4(data: bytes) -> bytes:
    """One block, by the LZ4 block format's description."""
    out, at = bytearray(), 0

    def more(length: int) -> int:
        nonlocal at
        if length == 15:
            while True:
                byte = data[at]
                at += 1
                length += byte
                if byte != 255:
                    break
        return length

    while at < len(data):
        token = data[at]
        at += 1
        literals = more(token >> 4)
        out += data[at:at + literals]
        at += literals
        if at >= len(data):
            break
        back = data[at] | data[at + 1] << 8
        at += 2
        need(0 < back <= len(out), "LZ4 match before the page")
        for _ in range(more(token & 15) + 4):
            out.append(out[-back])
    return bytes(out)


def delta(data: bytes, page: bytes) -> bytes:
    out, at, to = bytearray(page), 0, 0

    def number() -> int:
        nonlocal at
        value = data[at] & 127
        at += 1
        if data[at - 1] & 128:
            need(data[at] < 128, "a number of more than two bytes")
            value |= data[at] << 7
            at += 1
        return value

    while at < len(data):
        to += number()
        fresh = number()
        need(to + fresh <= PAGE and at + fresh <= len(data),
             "delta beyond the page")
        out[to:to + fresh] = data[at:at + fresh]
        to += fresh
        at += fresh
    need(to <= PAGE, "delta beyond the page")
    return bytes(out)


def _decoded(record: PageRecord, old: bytes) -> bytes:
    data, offset = record.data, record.offset
    if record.codec == WORD:
        need(len(data) == 8, "a word of another size")
        return data * (PAGE // 8)
    if record.codec == RAW:
        need(1 <= len(data) <= PAGE - offset, "raw bytes beyond the page")
        return old[:offset] + data + old[offset + len(data):]
    try:
        return delta(data, old) if record.codec == DELTA else lz4(data)
    except IndexError:
        raise Wrong("page data end too early") from None


def apply(memory: list, record: PageRecord) -> None:
    """To the memory, a list of pages."""
    page, codec = record.page, record.codec
    need(codec < len(CODECS) and (codec == RAW or record.offset == 0),
         "a bad codec")
    need(record.run >= 1 and page + record.run <= len(memory),
         "a page beyond the VM")
    if codec == ZERO:
        need(record.run <= PAGE, "a run of more than 4096")
        memory[page:page + record.run] = [bytes(PAGE)] * record.run
        return
    new = _decoded(record, memory[page])
    need(len(new) == PAGE, "it does not decode to a page")
    memory[page] = new
