"""HTTP: readings as JSON by template to any address, one a request or many; or as Lector's centre takes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import isnan
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

import msgspec
from pydantic import Field

from wattbook.codecs.reading_json import encode
from wattbook.model import Batch, Columns
from wattbook.model.around import Surroundings
from wattbook.model.template import Tree, identities, parse_tree
from wattbook.sinks.http_lector import LectorSink, parse_lector
from wattbook.sinks.http_posting import Address, Post, Posting, parse_address
from wattbook.sinks.sink import Sink, SinkSettings, Written
from wattbook.transports.http_client import HttpClient
from wattbook.transports.http_login import basic_login
from wattbook.values import Secret, SecretText

BODY_SIZE_MAX = 500_000  # bytes of a request of many readings; servers often take no more than a million

_NONE = Secret("")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings(SinkSettings):
    """Any server that takes JSON by HTTP, and the centre of Lector."""

    kind: Literal["http"] = "http"  # any server that takes JSON
    url: str = field(repr=False)  # where to; the path may hold places: "https://host/meters/{meter}"
    method: Literal["POST", "PUT"] = "POST"  # what each request is
    format: Literal["json", "lector"] = "json"  # "lector": form posts to a centre of Lector, whose address is `url`
    body: Mapping[str, Any] = field(default_factory=dict)  # the document, by template; {} = the JSON of a reading
    many: bool = False  # an array of documents in one request
    headers: Mapping[str, SecretText] = field(default_factory=dict)  # more headers: name = value
    identity_header: str = (
        "Idempotency-Key"  # carries which reading it is, so that a server can tell a retry; "" = none
    )
    username: str = ""  # for HTTP's basic authentication
    password: SecretText = _NONE  # of that user
    token: SecretText = _NONE  # instead of a user: sent as a bearer's
    ca: Path | None = None  # authorities that the server's certificate is checked against; else the system's
    certificate: Path | None = None  # our own certificate, for servers that ask for one
    key: Path | None = None  # its key
    in_flight: Annotated[int, Field(ge=1, le=64)] = 8  # requests at once
    node: str = "{site}"  # Lector: the node in the address
    analysers: Mapping[str, str] = field(default_factory=dict)  # Lector: meter = its number there; else its name
    model: str = "{model:upper}"  # Lector: what the analyser is called there

    def make(self, around: Surroundings) -> Sink:
        """The sink of these settings. Raises ValueError."""
        address = parse_address(self.url, around)
        if self.format == "lector":
            if address.rest:
                raise ValueError("url: of a centre of Lector has no places; `node` and `analysers` are put behind it")
            posting = self._posting(address.base.rstrip("/"), "application/x-www-form-urlencoded")
            return LectorSink(posting, parse_lector(self.node, self.analysers, self.model, around))
        tree = parse_tree(self.body, around) if self.body else None
        posting = self._posting(address.base, "application/json")
        return HttpSink(posting, address, tree, around, many=self.many, identity_header=self.identity_header)

    def _posting(self, base: str, content: str) -> Posting:
        client = HttpClient(base, {"Content-Type": content, **self._headers()}, self.ca, self.certificate, self.key)
        secrets = [*self.headers.values(), self.password, self.token]
        return Posting(client, self.method, self.in_flight, [each.reveal() for each in secrets if each])

    def _headers(self) -> Mapping[str, str]:
        found = {name: value.reveal() for name, value in self.headers.items()}
        if self.username and self.token:
            raise ValueError("token: goes in place of `username`, not beside it")
        if self.username:
            found["Authorization"] = basic_login(self.username, self.password.reveal())
        if self.token:
            found["Authorization"] = f"Bearer {self.token.reveal()}"
        for name, value in found.items():
            if not (name.isascii() and name.isprintable() and value.isprintable()):
                raise ValueError(f"headers: {name!r} must be one line of text")
        return found


@dataclass(frozen=True, slots=True)
class HttpSink:
    """JSON to one address."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False
    posting: Posting
    address: Address
    tree: Tree | None
    around: Surroundings
    many: bool
    identity_header: str

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Send the readings. Raises SinkUnavailable, SinkRefused."""
        posts = self._of_many(batch) if self.many else self._of_one_each(batch)
        return await self.posting.send(posts)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.posting.client.aclose()

    def _of_one_each(self, batch: Batch) -> Sequence[Post]:
        """A request for each document. Of one identity the last counts: several are on their way at once."""
        latest = {document.identity: document for columns in batch.columns for document in self._documents(columns)}
        return [
            Post(each.path, each.body, [each.reading], self._identity(quote(each.identity, safe="/:"), each.body))
            for each in latest.values()
        ]

    def _of_many(self, batch: Batch) -> Iterator[Post]:
        """Arrays of up to BODY_SIZE_MAX, or of one document."""
        by_path: dict[str, list[_Document]] = {}
        for columns in batch.columns:
            for document in self._documents(columns):
                by_path.setdefault(document.path, []).append(document)
        for path, documents in by_path.items():
            for some in _up_to_size(documents):
                body = b"[" + b",".join(each.body for each in some) + b"]"
                readings = list(dict.fromkeys(each.reading for each in some))
                yield Post(path, body, readings, self._identity(f"{len(some)}", body))

    def _documents(self, columns: Columns) -> Iterator[_Document]:
        if not len(columns):
            return
        paths = self.address.paths(columns)
        for quantity in columns.values if self.tree and self.tree.single else ("",):
            named = identities(columns, self.around, quantity)
            for row, body in enumerate(self._bodies(columns, quantity)):
                if body:
                    reading = columns.meter, columns.at_ms[row], columns.site
                    yield _Document(named[row], paths[row], reading, body)

    def _bodies(self, columns: Columns, quantity: str) -> Sequence[bytes]:
        """The document of each row; b"" = the reading has nothing for it."""
        if self.tree is None:
            return [encode(reading) for reading in columns.readings()]
        rows = self.tree.rows(columns, quantity)
        if quantity:
            there = columns.values[quantity]
            return [b"" if row is None or isnan(cell) else _encode(row) for row, cell in zip(rows, there, strict=True)]
        return [b"" if row is None else _encode(row) for row in rows]

    def _identity(self, text: str, body: bytes) -> Mapping[str, str]:
        """The same for a retry, another for a correction: a server that knows it already would not take it."""
        return {self.identity_header: f"{text}-{sha256(body).hexdigest()[:16]}"} if self.identity_header else {}


@dataclass(frozen=True, slots=True)
class _Document:
    identity: str
    path: str
    reading: tuple[str, int, str]  # meter, instant, site
    body: bytes


def _up_to_size(documents: Sequence[_Document]) -> Iterator[Sequence[_Document]]:
    some: list[_Document] = []
    size = 0
    for each in documents:
        if some and size + len(each.body) > BODY_SIZE_MAX:
            yield some
            some, size = [], 0
        some.append(each)
        size += len(each.body) + 1
    yield some
