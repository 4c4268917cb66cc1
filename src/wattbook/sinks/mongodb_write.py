"""Documents written to MongoDB."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pymongo
from bson.errors import BSONError
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.write_concern import WriteConcern

from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.model.batch import Batch
from wattbook.sinks.documents import Content, Documents
from wattbook.sinks.mongodb import SHARE_OF_TIMEOUT, MongoSettings
from wattbook.sinks.mongodb_errors import in_words, rejections
from wattbook.sinks.sink import Rejected, Written

DATABASE = "wattbook"
_CLOSE_S_MAX = 1.0  # to take leave of a server that may be gone


@dataclass(slots=True, kw_only=True)
class MongoSink:
    """Writes documents with the maker's own client."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False
    settings: MongoSettings
    documents: Documents
    _client: pymongo.AsyncMongoClient[Any] | None = field(default=None, repr=False)

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Replace or make every document of a batch. Raises SinkUnavailable, SinkRefused."""
        rejected: list[Rejected] = []
        try:
            for collection, content in self.documents.by_place(batch).items():
                rejected += await self._replace(collection, content, batch)
        except (PyMongoError, OSError) as error:
            await self.aclose()
            raise SinkUnavailable(in_words(error, self.settings.timeout * SHARE_OF_TIMEOUT)) from error
        except (BSONError, UnicodeEncodeError) as error:
            raise SinkRefused(f"MongoDB cannot hold such a document: {error}") from error
        return Written(rejected=tuple(rejected), bookmark=bookmark)

    async def aclose(self) -> None:
        """Take leave of the server; a later write begins anew."""
        client, self._client = self._client, None
        if client is not None:
            with pymongo.timeout(_CLOSE_S_MAX):
                await client.close()

    async def _replace(self, collection: str, content: Content, batch: Batch) -> Sequence[Rejected]:
        operations = [
            # The _id stands in both: not every server that speaks this protocol takes it from the question.
            pymongo.ReplaceOne({"_id": key}, {"_id": key, **document}, upsert=True)
            for key, document in content.items()
        ]
        try:
            await self._database()[collection].bulk_write(operations, ordered=False)
        except BulkWriteError as error:
            reasons = rejections(error)
            return [
                Rejected(meter, at_ms, reasons[key], site)
                for key, (site, meter, at_ms) in self.documents.owners(batch, reasons).items()
            ]
        return ()

    def _database(self) -> Any:
        if self._client is None:
            self._client = pymongo.AsyncMongoClient(self.settings.url.reveal(), **self.settings.options())
        sure = WriteConcern(w=self.settings.write_concern, j=self.settings.journaled)
        if self.settings.database:
            return self._client.get_database(self.settings.database, write_concern=sure)
        return self._client.get_default_database(DATABASE, write_concern=sure)
