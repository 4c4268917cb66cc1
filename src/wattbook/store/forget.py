"""Forget the readings of sealed days and keep their quarters of an hour: what the user's retention asks for."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wattbook.model import Kind
from wattbook.model.batch import GOOD_CODE, to_ms
from wattbook.model.vocabulary import known_kind
from wattbook.store import frames, sealed
from wattbook.store.chain import add_link
from wattbook.store.frames import FIELDS, FORGOTTEN, Frame, Piece
from wattbook.store.packing import divisor
from wattbook.store.seal import HOUR_MS
from wattbook.store.sealed import Head

_UPDATE_PIECE = f"UPDATE piece SET crc = ?, {', '.join(f'{name} = ?' for name in FIELDS)} WHERE id = ?"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Forgetting:
    """A frame with less in it, ready to be written."""

    head: Head
    frame: Frame
    seq: bytes
    pieces: tuple[tuple[int, str, Piece], ...]  # those that change: number, quantity, what is left


def frames_to_forget(
    connection: sqlite3.Connection, meter_id: int, quantities: Sequence[str], before: datetime
) -> list[int]:
    """The days that are over by `before` and still have readings of any of these quantities, the oldest first."""
    ids = [sealed.quantity_id(connection, name) for name in quantities]
    found: set[tuple[int, int]] = set()
    for quantity in ids:
        rows = connection.execute(
            "SELECT frame.from_at, frame.id FROM piece JOIN frame ON frame.id = piece.frame"
            " WHERE piece.meter = ? AND piece.quantity = ? AND piece.codec <> 0"
            " AND frame.to_at <= ? AND frame.to_at - frame.from_at > ?",
            (meter_id, quantity, to_ms(before), HOUR_MS),
        )
        found.update(rows)
    return [frame_id for _, frame_id in sorted(found)]


def prepare_forget(connection: sqlite3.Connection, frame_id: int, quantities: Sequence[str]) -> Forgetting | None:
    """Make what is left of a frame without the readings of these quantities; None = it is gone. Raises Damaged."""
    if connection.execute("SELECT 1 FROM frame WHERE id = ?", (frame_id,)).fetchone() is None:
        return None
    head = sealed.head_of(connection, frame_id)
    pieces = [(row_id, name, piece) for row_id, name, _, piece in sealed.pieces_of(connection, frame_id)]
    changed = tuple(
        (row_id, name, _forgotten(connection, head, name, piece))
        for row_id, name, piece in pieces
        if name is not None and name in quantities and piece.codec != FORGOTTEN
    )
    nothing_left = len(changed) == sum(piece.codec != FORGOTTEN for _, _, piece in pieces)
    at, seq, quality = connection.execute("SELECT at, seq, quality FROM frame WHERE id = ?", (frame_id,)).fetchone()
    frame = Frame(head.from_at, head.to_at, head.n, at, quality, head.codec, ())
    if nothing_left:
        frame, seq = replace(frame, at=b"", quality=None, codec=FORGOTTEN), b""
    return Forgetting(head, frame, seq, changed)


def _forgotten(connection: sqlite3.Connection, head: Head, name: str, piece: Piece) -> Piece:
    samples = sealed.open_samples(connection, head, name)
    assert samples is not None, "it is not forgotten yet"
    at, value, codes = samples
    good = codes == GOOD_CODE
    cells = value[good]
    if piece.exponent is not None:
        cells = (cells * divisor(piece.exponent)).round().astype("int64")
    register = known_kind(name) is Kind.REGISTER
    return frames.forgotten(piece, at[good], cells, head.from_at, head.to_at, register=register)


def swap_forgotten(connection: sqlite3.Connection, forgetting: Forgetting, now: datetime) -> bool:
    """Write what is left, in the open transaction of the writer; False = the frame has changed meanwhile."""
    head, frame = forgetting.head, forgetting.frame
    found = connection.execute("SELECT revision, crc FROM frame WHERE id = ?", (head.id,)).fetchone()
    if found != (head.revision, head.crc):
        return False
    revision = head.revision + 1
    crc = frames.frame_crc(frame, head.seq_first, head.seq_last, forgetting.seq, revision)
    connection.execute(
        "UPDATE frame SET revision = ?, codec = ?, crc = ?, at = ?, seq = ?, quality = ? WHERE id = ?",
        (revision, frame.codec, crc, frame.at, forgetting.seq, frame.quality, head.id),
    )
    for row_id, name, piece in forgetting.pieces:
        connection.execute(_UPDATE_PIECE, (piece.crc(name), *piece.fields(), row_id))
    if frame.codec == FORGOTTEN:  # and what came late for that day
        connection.execute(
            "DELETE FROM hot WHERE meter = ? AND at >= ? AND at < ?"
            " AND at < (SELECT max(at) FROM hot AS newer WHERE newer.meter = hot.meter)",
            (head.meter, head.from_at, head.to_at),
        )
    add_link(connection, head.id, head.meter, head.from_at, head.to_at, revision, to_ms(now))
    return True
