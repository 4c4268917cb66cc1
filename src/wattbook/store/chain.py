"""The chain of sealed days: each link is a hash over the one before and over a day, so a later change shows.

Whoever notes the last link can prove years later that no day before it was changed: late readings make a new
revision with a link of its own, and the links of all revisions stay.
"""

from __future__ import annotations

import hashlib
import sqlite3

import msgspec

from wattbook.store.sealed import pieces_of

_FRAME = "from_at, to_at, n, seq_first, seq_last, revision, codec, at, seq, quality"


def leaf_of(connection: sqlite3.Connection, frame_id: int) -> bytes:
    """SHA-256 over all that a frame holds, and whose it is."""
    row = connection.execute(
        f"SELECT site, name, {_FRAME} FROM frame JOIN meter ON meter.id = frame.meter WHERE frame.id = ?",  # noqa: S608
        (frame_id,),
    ).fetchone()
    pieces = [(name, *piece.fields()) for _, name, _, piece in pieces_of(connection, frame_id)]
    return hashlib.sha256(msgspec.msgpack.encode([row, pieces])).digest()


def link_after(before: bytes, leaf: bytes) -> bytes:
    """The link that follows another; b"" begins the chain."""
    return hashlib.sha256(before + leaf).digest()


def add_link(
    connection: sqlite3.Connection, frame_id: int, meter_id: int, from_at: int, to_at: int, revision: int, at_ms: int
) -> None:
    """Remember a sealed day, in the transaction that seals it."""
    last = connection.execute("SELECT link FROM chain ORDER BY id DESC LIMIT 1").fetchone()
    leaf = leaf_of(connection, frame_id)
    connection.execute(
        "INSERT INTO chain (meter, from_at, to_at, revision, at, leaf, link) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (meter_id, from_at, to_at, revision, at_ms, leaf, link_after(last[0] if last else b"", leaf)),
    )
