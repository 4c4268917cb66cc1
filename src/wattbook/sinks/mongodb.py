"""MongoDB: one document a reading, replaced or made under its identity.

The reading's identity is the document's `_id`, so one that comes twice is stored once, and a correction takes the
place of what it corrects.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pymongo
from bson import BSON
from bson.errors import BSONError
from pydantic import Field
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.uri_parser import parse_uri
from pymongo.write_concern import WriteConcern

from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.model.batch import GOOD_CODE, Batch, Columns
from wattbook.sinks.documents import KEY, Content, Documents, parse_documents
from wattbook.sinks.mongodb_errors import in_words, rejections
from wattbook.sinks.sink import Rejected, SinkSettings, Written
from wattbook.values import Secret, SecretText

LOCAL = Secret("mongodb://127.0.0.1:27017")
DATABASE = "wattbook"
DOCUMENT = {
    "site": "{site}", "meter": "{meter}", "at": "{at:instant}", "quality": "{quality}", "{quantity}": "{value}",
}  # fmt: skip
_SHARE_OF_TIMEOUT = 0.9  # the library gives up first and says why
_CHOICE_S_MAX = 5.0  # until a server of the set is found; an election is waited out by trying again
_CLOSE_S_MAX = 1.0  # to take leave of a server that may be gone
_CONNECTIONS_MAX = 2  # backlog and live
_URL_WRONG = (
    'url: is no address of MongoDB; one is "mongodb://127.0.0.1:27017". In a user or password of a URL "/", ":", "@" '
    'and "%" are written %2F, %3A, %40 and %25, or they stand in "username" and "password"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoSettings(SinkSettings):
    """Documents of a MongoDB collection."""

    kind: Literal["mongodb"] = "mongodb"
    url: SecretText = LOCAL  # default "mongodb://127.0.0.1:27017"; also several hosts, or mongodb+srv://…
    database: str = ""  # default: the one that the URL names, else "wattbook"
    collection: str = "readings"  # by template: "{meter}" makes a collection of each meter
    document: Mapping[str, Any] = field(default_factory=lambda: dict(DOCUMENT))  # what is stored, by template
    id: str = KEY  # template of the _id; it must name each reading
    username: str = ""  # "" = as the URL says, or nobody
    password: SecretText | None = None  # of the user
    auth_source: str = ""  # the database that knows the user. Default: as the URL says, else "admin"
    mechanism: Literal["", "SCRAM-SHA-1", "SCRAM-SHA-256", "MONGODB-X509"] = ""  # "" = the best that the server has
    tls: bool = False  # encrypted; also by ?tls=true in the URL
    ca: Path | None = None  # authorities the server is checked against; else the system's. Means tls
    certificate: Path | None = None  # our own with its key, in one PEM file. Means tls
    write_concern: Annotated[int, Field(ge=1, le=50)] | Literal["majority"] = "majority"  # servers that must have it
    journaled: bool = True  # each of them on its disk, before a batch is done

    def make(self, around: Surroundings) -> MongoSink:
        """The sink. Raises ValueError: a template, the URL or what belongs to it is wrong."""
        _check_url(self.url.reveal())
        if self.password and not self.username:
            raise ValueError('a "password" needs a "username"')
        documents = parse_documents(self.collection, self.id, self.document, around)
        _check_fields(documents)
        return MongoSink(settings=self, documents=documents)

    def options(self) -> Mapping[str, Any]:
        """What the client is told beside the URL."""
        given: Mapping[str, Any] = {
            "username": self.username,
            "password": self.password.reveal() if self.password else "",
            "authSource": self.auth_source,
            "authMechanism": self.mechanism,
            "tls": self.tls or self.ca or self.certificate,
            "tlsCAFile": str(self.ca or ""),
            "tlsCertificateKeyFile": str(self.certificate or ""),
        }
        whole_s = self.timeout * _SHARE_OF_TIMEOUT
        return {name: bool(value) if name == "tls" else value for name, value in given.items() if value} | {
            "timeoutMS": int(whole_s * 1000),
            "serverSelectionTimeoutMS": int(min(_CHOICE_S_MAX, whole_s) * 1000),
            "connectTimeoutMS": int(min(_CHOICE_S_MAX, whole_s) * 1000),
            "maxPoolSize": _CONNECTIONS_MAX,
            "retryWrites": False,  # whoever delivers tries again
            "appname": "wattbook",
        }


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
            raise SinkUnavailable(in_words(error, self.settings.timeout * _SHARE_OF_TIMEOUT)) from error
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


def _check_url(url: str) -> None:
    """What is wrong is not said by quoting: it may be a part of the password."""
    if not url.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError(_URL_WRONG)
    if url.startswith("mongodb://"):  # the other kind is looked up in the network first
        try:
            parse_uri(url)
        except (PyMongoError, ValueError):
            raise ValueError(_URL_WRONG) from None


def _check_fields(documents: Documents) -> None:
    """Fill the template with one reading that has everything it names, to see whether it can be stored."""
    named = documents.document.quantities or ("voltage",)
    columns = Columns(
        "site", "meter", array("q", [0]), array("q", [0]), {name: array("d", [1]) for name in named},
        array("B", [GOOD_CODE]),
    )  # fmt: skip
    document: Any = documents.document.rows(columns, "voltage" if documents.document.single else "")[0]
    try:
        BSON.encode(document)
    except BSONError as error:
        raise ValueError(f"document: MongoDB cannot hold it: {error}") from error
    wrong = next((name for name in document if name.startswith("$")), "")
    if wrong:
        raise ValueError(f'document: "{wrong}": a name cannot begin with "$"')
