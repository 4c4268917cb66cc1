"""THE plain table, written by blocks: CSV `meter,at,<quantity>,...`, base units, an empty cell = absent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from wattbook.exchange.local_time import instants_of, iso_texts
from wattbook.model import Columns
from wattbook.model.exact import plain_number


def csv_chunks(blocks: Iterable[Columns], quantities: Sequence[str], zone: ZoneInfo) -> Iterator[bytes]:
    """Yield the table piece by piece, for a file or an answer: its header, then one piece for every block.

    Quality does not fit in. Values come back exactly when the table is imported.
    """
    yield _encoded([["meter", "at", *quantities]])
    for block in blocks:
        times = iso_texts(instants_of(block), zone)
        names = [block.meter] * len(times)
        cells = [number_texts(block.values.get(name), len(times)) for name in quantities]
        yield _encoded(zip(names, times, *cells, strict=True))


def number_texts(values: Iterable[float] | None, size: int) -> list[str]:
    """Numbers as CSV shows them: 25409587 and not 25409587.0, and "" where nothing is known."""
    if values is None:
        return [""] * size
    return ["" if value != value else repr(plain_number(value)) for value in values]


def _encoded(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
