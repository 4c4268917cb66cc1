"""A running MongoDB: the documents of one collection, understood as those of an export (see `mongodb`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from wattbook.exchange.gather import Gather
from wattbook.exchange.instants import BadCell
from wattbook.exchange.intake import Intake
from wattbook.exchange.mongodb import Documents
from wattbook.exchange.servers import Address, Told
from wattbook.model import Columns, SinkUnavailable
from wattbook.model.batch import to_ms

COLLECTION = "readings"  # as our sink calls it
_DOCUMENTS = 5_000  # of one answer
_CHOICE_MS = 10_000  # until a server is found
_DATABASE = "wattbook"


class MongoServer:
    """One collection of a MongoDB."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._collection = address.table or COLLECTION
        self.title = f"MongoDB at {address.url}, {self._collection}"

    def read(self, intake: Intake, begin_ms: int, end_ms: int, told: Told) -> Iterator[Columns]:
        """Yield the readings of all documents, gathered by meter and instant."""
        with Gather(intake.tally) as gather:

            def add(meter: str, quantity: str, at_ms: int, value: float) -> None:
                if begin_ms <= at_ms < end_ms:
                    gather.add_one(meter, quantity, at_ms, value)

            documents = Documents(intake, add)
            try:
                self._read(documents, intake, told)
            except (PyMongoError, OSError) as error:
                raise SinkUnavailable(f"{self._address.url}: {str(error).partition(',')[0][:300]}") from error
            documents.check(self.title)
            yield from gather.columns()

    def _read(self, documents: Documents, intake: Intake, told: Told) -> None:
        with self._client() as client:
            database = client.get_default_database(_DATABASE)
            collection = database[self._collection]
            total = collection.estimated_document_count()
            for number, document in enumerate(collection.find({}, batch_size=_DOCUMENTS), 1):
                if self._address.site and document.get("site", self._address.site) != self._address.site:
                    continue
                try:
                    documents.take({name: _plain(value) for name, value in document.items()})
                except BadCell as error:
                    intake.tally.reject(0, f"document {document.get('_id')}: {error}")
                if number % _DOCUMENTS == 0:
                    told(number / max(total, number))

    def _client(self) -> pymongo.MongoClient[Any]:
        who: Mapping[str, Any] = (
            {
                "username": self._address.user,
                "password": self._address.password.reveal() if self._address.password else "",
            }
            if self._address.user
            else {}
        )
        url = f"{self._address.url}/{self._address.database}"
        return pymongo.MongoClient(url, serverSelectionTimeoutMS=_CHOICE_MS, appname="wattbook", **who)


def _plain(value: object) -> object:
    """As extended JSON has it, where Python has a type of its own. Instants of MongoDB are in UTC."""
    if isinstance(value, datetime):
        return {"$date": to_ms(value if value.tzinfo else value.replace(tzinfo=UTC))}
    return value if isinstance(value, int | float | str | dict | None) else str(value)
