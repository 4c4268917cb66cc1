"""Take readings out of the book as columns, meter by meter and in order of time, for files of other programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from wattbook.model import Columns, Span
from wattbook.model.batch import to_ms
from wattbook.store import BookReader

Told = Callable[[float], None]  # is told what share of all is done, from 0 to 1


def blocks_of(
    reader: BookReader, meters: Sequence[str], span: Span, told: Told = lambda share: None
) -> Iterator[Columns]:
    """Yield blocks of a day at most. The book must have readings of each meter."""
    for number, meter in enumerate(meters):
        first_ms = 0
        for block in reader.columns(meter, span):
            yield block
            first_ms = first_ms or block.at_ms[0]
            share = (block.at_ms[-1] - first_ms) / max(1, to_ms(span.end) - first_ms)
            told((number + share) / len(meters))
        told((number + 1) / len(meters))


def quantities_of(reader: BookReader, meters: Sequence[str], span: Span) -> list[str]:
    """What these meters told in this time: the columns of a table. Reads all of it."""
    found: dict[str, None] = {}
    for meter in meters:
        for block in reader.columns(meter, span):
            found |= dict.fromkeys(block.values)
    return list(found)
