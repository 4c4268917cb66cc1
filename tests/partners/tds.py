"""TDS 7.4 as far as a client's batches need it: packets, login and answers, after Microsoft's [MS-TDS].

The clauses named are those of the document. Not spoken: encryption, RPC, bulk load, transaction requests, MARS.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SQL_BATCH, RPC, REPLY, ATTENTION, LOGIN7, PRELOGIN = 0x01, 0x03, 0x04, 0x06, 0x10, 0x12  # 2.2.3.1.1
_HEAD = struct.Struct(">BBHHBB")  # type, status, length with this head, process, number, window
_END = 0x01  # 2.2.3.1.2: the last packet of a message
PACKET_SIZE = 4096
_COLLATION = bytes((0x09, 0x04, 0xD0, 0x00, 0x34))  # SQL_Latin1_General_CP1_CI_AS, 2.2.5.1.2
_NVARCHAR, _INTN, _FLTN = 0xE7, 0x26, 0x6D  # 2.2.5.4
_TEXT_BYTES_MAX = 8000
_ERROR, _COUNT, _ATTENTION = 0x0002, 0x0010, 0x0020  # status of DONE, 2.2.7.6
_NULL_TEXT = 0xFFFF


@dataclass(frozen=True)
class Login:
    """Who wants in, and where to."""

    user: str
    password: str
    database: str


def read_message(receive: Callable[[int], bytes]) -> tuple[int, bytes]:
    """A whole message: its type and body. Raises EOFError."""
    body = b""
    while True:
        kind, status, length, *_ = _HEAD.unpack(receive(_HEAD.size))
        body += receive(length - _HEAD.size)
        if status & _END:
            return kind, body


def packets(kind: int, body: bytes) -> bytes:
    """A message cut into packets."""
    size = PACKET_SIZE - _HEAD.size
    parts = [body[at : at + size] for at in range(0, len(body), size)] or [b""]
    return b"".join(
        _HEAD.pack(kind, _END if number == len(parts) - 1 else 0, len(part) + _HEAD.size, 0, (number + 1) % 256, 0)
        + part
        for number, part in enumerate(parts)
    )


def prelogin_answer() -> bytes:
    """2.2.6.5: a version, and no encryption."""
    options = [(0, bytes((16, 0, 0x10, 0x00, 0, 0))), (1, b"\x02"), (2, b"\x00"), (4, b"\x00")]
    at = 5 * len(options) + 1
    head, data = b"", b""
    for token, value in options:
        head += struct.pack(">BHH", token, at + len(data), len(value))
        data += value
    return head + b"\xff" + data


def parse_login(body: bytes) -> Login:
    """2.2.6.4: texts lie where pairs of offset and length say."""

    def text(at: int, *, hidden: bool = False) -> str:
        offset, length = struct.unpack_from("<HH", body, at)
        raw = body[offset : offset + 2 * length]
        if hidden:  # each byte's halves are swapped, then XOR 0xA5
            raw = bytes((byte ^ 0xA5) >> 4 | ((byte ^ 0xA5) & 0x0F) << 4 for byte in raw)
        return raw.decode("utf-16-le")

    return Login(text(40), text(44, hidden=True), text(68))


def parse_batch(body: bytes) -> str:
    """2.2.6.7: headers, of which we need none, and the statement."""
    (size,) = struct.unpack_from("<I", body)
    return body[size:].decode("utf-16-le")


def login_answer(database: str) -> bytes:
    """LOGINACK and ENVCHANGE (database, collation, packet size)."""
    name = _short("Microsoft SQL Server")
    ack = struct.pack("<B", 1) + bytes((0x74, 0, 0, 4)) + name + bytes((16, 0, 0x10, 0))
    size = str(PACKET_SIZE)
    changes = [b"\x01" + _short(database) + _short("master"), b"\x04" + _short(size) + _short(size)]
    changes.append(b"\x07" + struct.pack("B", len(_COLLATION)) + _COLLATION + b"\x00")
    told = b"".join(b"\xe3" + struct.pack("<H", len(change)) + change for change in changes)
    return told + b"\xad" + struct.pack("<H", len(ack)) + ack + done(0)


def error(number: int, words: str, severity: int = 16) -> bytes:
    """ERROR, 2.2.7.10."""
    text = words[:2000]
    body = struct.pack("<iBB", number, 1, severity)
    body += (
        struct.pack("<H", len(text)) + text.encode("utf-16-le") + _short("small") + _short("") + struct.pack("<I", 1)
    )
    return b"\xaa" + struct.pack("<H", len(body)) + body


def done(count: int | None, *, failed: bool = False, attention: bool = False) -> bytes:
    """DONE, 2.2.7.6."""
    status = (_ERROR if failed else 0) | (_ATTENTION if attention else 0) | (0 if count is None else _COUNT)
    return struct.pack("<BHHQ", 0xFD, status, 0xC1, count or 0)


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    """COLMETADATA and ROWs; a column is whole numbers, numbers or texts, as its cells are."""
    kinds = [_kind([row[column] for row in rows]) for column in range(len(names))]
    meta = struct.pack("<BH", 0x81, len(names))
    for name, kind in zip(names, kinds, strict=True):
        meta += struct.pack("<IH", 0, 0x0009) + _type_info(kind) + _short(name)
    cells = [b"\xd1" + b"".join(map(_cell, kinds, row)) for row in rows]
    return meta + b"".join(cells)


def _kind(cells: Sequence[object]) -> int:
    known = [cell for cell in cells if cell is not None]
    if known and all(isinstance(cell, int) for cell in known):
        return _INTN
    return _FLTN if known and all(isinstance(cell, int | float) for cell in known) else _NVARCHAR


def _type_info(kind: int) -> bytes:
    if kind == _NVARCHAR:
        return struct.pack("<BH", kind, _TEXT_BYTES_MAX) + _COLLATION
    return struct.pack("BB", kind, 8)


def _cell(kind: int, cell: object) -> bytes:
    if kind != _NVARCHAR:
        packed = b"" if cell is None else struct.pack("<q" if kind == _INTN else "<d", cell)
        return struct.pack("B", len(packed)) + packed
    if cell is None:
        return struct.pack("<H", _NULL_TEXT)
    text = str(cell).encode("utf-16-le")
    return struct.pack("<H", len(text)) + text


def _short(text: str) -> bytes:
    return struct.pack("B", len(text)) + text.encode("utf-16-le")
