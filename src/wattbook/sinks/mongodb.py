"""MongoDB: one document a reading, replaced or made under its identity.

The reading's identity is the document's `_id`, so one that comes twice is stored once, and a correction takes the
place of what it corrects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from wattbook.model.around import Surroundings
from wattbook.sinks.documents import KEY, parse_documents
from wattbook.sinks.sink import Sink, SinkSettings
from wattbook.values import Secret, SecretText

LOCAL = Secret("mongodb://127.0.0.1:27017")
DOCUMENT = {
    "site": "{site}", "meter": "{meter}", "at": "{at:instant}", "quality": "{quality}", "{quantity}": "{value}",
}  # fmt: skip
SHARE_OF_TIMEOUT = 0.9  # the library gives up first and says why
_CHOICE_S_MAX = 5.0  # until a server of the set is found; an election is waited out by trying again
_CONNECTIONS_MAX = 2  # backlog and live


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

    def make(self, around: Surroundings) -> Sink:
        """The sink. Raises ValueError: a template, the URL or what belongs to it is wrong."""
        from wattbook.sinks.mongodb_check import check_fields, check_url  # and PyMongo, which no form needs
        from wattbook.sinks.mongodb_write import MongoSink

        check_url(self.url.reveal())
        if self.password and not self.username:
            raise ValueError('a "password" needs a "username"')
        documents = parse_documents(self.collection, self.id, self.document, around)
        check_fields(documents)
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
        whole_s = self.timeout * SHARE_OF_TIMEOUT
        return {name: bool(value) if name == "tls" else value for name, value in given.items() if value} | {
            "timeoutMS": int(whole_s * 1000),
            "serverSelectionTimeoutMS": int(min(_CHOICE_S_MAX, whole_s) * 1000),
            "connectTimeoutMS": int(min(_CHOICE_S_MAX, whole_s) * 1000),
            "maxPoolSize": _CONNECTIONS_MAX,
            "retryWrites": False,  # whoever delivers tries again
            "appname": "wattbook",
        }
