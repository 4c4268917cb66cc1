"""Take readings out of the book as columns, meter by meter and in order of time, for files of other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from wattbook.exchange.build import take_rows
from wattbook.model import Columns, Span
from wattbook.model.batch import to_ms
from wattbook.store import BookReader

Told = Callable[[float], None]  # is told what share of all is done, from 0 to 1
_PAGE = 20_000


def blocks_of(
    reader: BookReader, meters: Sequence[str], span: Span, told: Told = lambda share: None
) -> Iterator[Columns]:
    """Yield blocks of some 20,000 readings."""
    for number, meter in enumerate(meters):
        first_ms = 0
        for block in columns_of(reader, meter, span):
            yield block
            first_ms = first_ms or block.at_ms[0]
            share = (block.at_ms[-1] - first_ms) / max(1, to_ms(span.end) - first_ms)
            told((number + share) / len(meters))
        told((number + 1) / len(meters))


def quantities_of(reader: BookReader, meters: Sequence[str], span: Span) -> list[str]:
    """What these meters told in this time: the columns of a table. Reads all of it."""
    found: dict[str, None] = {}
    for meter in meters:
        for block in columns_of(reader, meter, span):
            found |= dict.fromkeys(block.values)
    return list(found)


def columns_of(reader: BookReader, meter: str, span: Span) -> Iterator[Columns]:
    """Whole readings of a meter in order of time.

    Until the book has `BookReader.columns`, this reads the journal and sorts each page: readings that came late stand
    where they came.
    """
    after, start_ms, end_ms = "", to_ms(span.start), to_ms(span.end)
    while batch := reader.read(after, _PAGE):
        after = batch.upto
        for columns in batch.columns:
            if columns.meter != meter or columns.site:
                continue
            at_ms = np.frombuffer(columns.at_ms, np.int64)
            rows = np.flatnonzero((at_ms >= start_ms) & (at_ms < end_ms))
            if len(rows):
                yield take_rows(columns, rows[np.argsort(at_ms[rows], kind="stable")])
