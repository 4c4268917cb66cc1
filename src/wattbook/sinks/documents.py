"""Readings as documents, each under its key: what a store of documents is given."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wattbook.model.around import Surroundings
from wattbook.model.batch import Batch, Columns
from wattbook.model.template import Template, Tree, parse_template, parse_tree

KEY = "{id}"  # site/meter/instant, and the quantity where each value is a document of its own
Document = Mapping[str, Any]
Content = dict[str, Document]  # key -> document, of one place


@dataclass(frozen=True, slots=True)
class Documents:
    """Templates of documents, of their keys, and of where each is put: a collection, an index."""

    place: Template
    key: Template
    document: Tree

    def by_place(self, batch: Batch) -> Mapping[str, Content]:
        """What to put where. Of two documents of one key the later stays: it is the correction."""
        found: dict[str, Content] = {}
        for columns, quantity in self._asked(batch):
            documents: Sequence[Any] = self.document.rows(columns, quantity)
            keys = self.key.cells(columns, quantity)
            for place, key, document in zip(self.place.cells(columns, quantity), keys, documents, strict=True):
                if document is not None and key is not None and place is not None:
                    found.setdefault(str(place), {})[str(key)] = document
        return found

    def owners(self, batch: Batch, keys: Collection[str]) -> Mapping[str, tuple[str, str, int]]:
        """Of each key: site, meter and instant (ms) of the reading it was made of."""
        return {
            str(key): (columns.site, columns.meter, at_ms)
            for columns, quantity in self._asked(batch)
            for key, at_ms in zip(self.key.cells(columns, quantity), columns.at_ms, strict=True)
            if key in keys
        }

    def _asked(self, batch: Batch) -> Iterator[tuple[Columns, str]]:
        """Whole rows, or one quantity after the other where a document is of a single value."""
        for columns in batch.columns:
            for quantity in columns.values if self.document.single else ("",):
                yield columns, quantity


def parse_documents(place: str, key: str, document: Document, around: Surroundings) -> Documents:
    """Understand the three templates. Raises ValueError."""
    found = Documents(parse_template(place, around), parse_template(key, around), parse_tree(document, around))
    if "_id" in document:
        raise ValueError('the "_id" of a document is told by the key "id", not by "document"')
    if found.place.quantities or "{value" in place:
        raise ValueError(f'"{place}" cannot hang on what a meter measures')
    if "{id" not in key and not ("{meter" in key and "{at" in key):
        raise ValueError(f'"id" must name each reading: "{KEY}", or "{{meter}}" and "{{at}}", not "{key}"')
    if found.document.single and "{id" not in key and "{quantity" not in key:
        raise ValueError(f'"id" must name the {{quantity}} too, as "document" is of one value: "{key}"')
    if (found.key.single or found.place.single) and not found.document.single:
        raise ValueError('"document" holds all values of a reading, so nothing else can name one {quantity}')
    return found
