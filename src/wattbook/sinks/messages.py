"""Readings as messages of a stream: where each goes, under which key, and its bytes.

One message is one reading; where a template names a single value (`{quantity}`, `{value}` …) it is one value of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from wattbook.codecs import reading_json
from wattbook.model import Batch, Columns
from wattbook.model.around import Surroundings
from wattbook.model.template import Cells, Template, Tree, identities, parse_template, parse_tree

MessageForm = str | Mapping[str, object] | Sequence[object]  # as TOML gives it; "" = the JSON of a reading
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Messages:
    """What one meter's rows become, a column of each. A row whose place or body is None is no message."""

    columns: Columns
    quantity: str  # "" = whole readings
    places: Sequence[str | None]
    keys: Cells
    bodies: Sequence[bytes | None]

    def rows(self) -> Iterator[tuple[int, str, str | None, bytes]]:
        """Yield row, place, key and body of every message."""
        for row, (place, key, body) in enumerate(zip(self.places, self.keys, self.bodies, strict=True)):
            if place is not None and body is not None:
                yield row, place, key if key is None else str(key), body


@dataclass(frozen=True, slots=True)
class MessageMaker:
    """The templates of a stream's messages."""

    around: Surroundings
    place: Template
    key: Template
    body: Template | Tree | None  # None = the JSON of a reading

    def messages(self, batch: Batch) -> Iterator[Messages]:
        """Yield the messages of a batch, meter by meter, and value by value where a template names one."""
        for columns in batch.columns:
            for quantity in columns.values if self._single else ("",):
                bodies = self._bodies(columns, quantity)
                keys = self.key.cells(columns, quantity)
                yield Messages(columns, quantity, self._places(columns, quantity), keys, bodies)

    def identities(self, columns: Columns, quantity: str) -> list[str]:
        """What each message is known by."""
        return identities(columns, self.around, quantity)

    @property
    def _single(self) -> bool:
        return self.place.single or self.key.single or (self.body is not None and self.body.single)

    def _places(self, columns: Columns, quantity: str) -> Sequence[str | None]:
        return [None if cell is None else str(cell) for cell in self.place.cells(columns, quantity)]

    def _bodies(self, columns: Columns, quantity: str) -> Sequence[bytes | None]:
        if quantity:
            columns = _only(columns, quantity)
        if self.body is None:
            bodies: Sequence[bytes | None] = reading_json.encode_columns(columns, self.around.site)
        elif isinstance(self.body, Template):
            bodies = [None if cell is None else str(cell).encode() for cell in self.body.cells(columns, quantity)]
        else:
            bodies = [None if row is None else _encode(row) for row in self.body.rows(columns, quantity)]
        return _where_there(bodies, columns.values[quantity]) if quantity else bodies


def make_messages(
    around: Surroundings, *, place: str, key: str, body: MessageForm, escape: Callable[[str], str]
) -> MessageMaker:
    """Understand the templates; `escape` writes a name so that it cannot lead to another place. Raises ValueError."""
    where = parse_template(place, around).as_text(escape)
    if not where.parts[0]:
        raise ValueError("a message needs a place to go to, and the template is empty")
    return MessageMaker(around, where, parse_template(key, around).as_text(), _body(body, around))


def _body(form: MessageForm, around: Surroundings) -> Template | Tree | None:
    if isinstance(form, str):
        return parse_template(form, around).as_text() if form else None
    return parse_tree(form, around)


def _only(columns: Columns, quantity: str) -> Columns:
    """The columns with one of their quantities."""
    doubt = {name: codes for name, codes in columns.doubt.items() if name == quantity}
    return replace(columns, values={quantity: columns.values[quantity]}, doubt=doubt)


def _where_there(bodies: Sequence[bytes | None], column: Sequence[float]) -> Sequence[bytes | None]:
    return [body if cell == cell else None for body, cell in zip(bodies, column, strict=True)]
