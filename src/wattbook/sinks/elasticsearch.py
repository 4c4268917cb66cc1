"""Elasticsearch 8 and 9, and OpenSearch: one document a reading, by the bulk API.

Asked over plain HTTP: the maker's client refuses OpenSearch, OpenSearch's own does not promise to work with
Elasticsearch, and either would only wrap the one request that is made here.

In an index a document is put under its identity, so one that comes twice is stored once and a correction takes the
place of what it corrects. A data stream takes new documents only: one that it has already is counted and left as it
is, and corrections do not come here at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from wattbook.model import SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.model.batch import Batch
from wattbook.sinks.documents import KEY, Content, Documents, parse_documents
from wattbook.sinks.elasticsearch_bulk import Outcome, check, encode_bulk, outcome
from wattbook.sinks.elasticsearch_index import check_names, index_template, pattern_of, template_name
from wattbook.sinks.http_address import is_http_address
from wattbook.sinks.sink import Rejected, SinkSettings, Written
from wattbook.transports.http_client import HttpClient
from wattbook.transports.http_login import basic_login
from wattbook.values import SecretText

DOCUMENT = {
    "@timestamp": "{at}", "site": "{site}", "meter": "{meter}", "quality": "{quality}", "{quantity}": "{value}",
}  # fmt: skip
DOCUMENTS_MAX = 2_000  # of one request, so that its answer can be read whole, even when each has an error
_BULK = "_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class ElasticsearchSettings(SinkSettings):
    """Documents of an Elasticsearch or OpenSearch index or data stream."""

    kind: Literal["elasticsearch"] = "elasticsearch"
    url: str = "http://127.0.0.1:9200"  # also of OpenSearch; without user and password
    index: str = "wattbook"  # or data stream, by template: "energy-{at:utc YYYY.MM}" makes one a month
    data_stream: bool = False  # takes new documents only: corrections are left out
    document: Mapping[str, Any] = field(default_factory=lambda: dict(DOCUMENT))  # what is stored, by template
    id: str = KEY  # template of the _id; it must name each reading
    index_template: bool = True  # make one at first use, unless it is there: whole numbers and others as double
    username: str = ""  # "" = nobody, or by api_key
    password: SecretText | None = None  # of the user
    api_key: SecretText | None = None  # instead of a user; as Elasticsearch shows it, encoded
    ca: Path | None = None  # authorities the server is checked against; else the system's
    certificate: Path | None = None  # our own, for servers that ask for one
    key: Path | None = None  # of the certificate

    def make(self, around: Surroundings) -> ElasticsearchSink:
        """The sink. Raises ValueError: a template, the URL or what belongs to it is wrong."""
        if not is_http_address(self.url):
            raise ValueError('url: one is "http://127.0.0.1:9200"')
        if "@" in urlsplit(self.url).netloc:
            raise ValueError('url: user and password stand in "username" and "password", not in the URL')
        if (self.api_key and self.username) or bool(self.username) != bool(self.password):
            raise ValueError('needs either "username" and "password", or "api_key", or none of them')
        documents = parse_documents(self.index, self.id, self.document, around)
        check_names(documents.place, around)
        if self.data_stream and "@timestamp" not in self.document:
            raise ValueError('document: a data stream needs an "@timestamp": "{at}"')
        if self.data_stream and "{at" in self.index:
            raise ValueError("index: a data stream divides itself by time, so its name cannot hold {at}")
        kind = DataStreamSink if self.data_stream else ElasticsearchSink
        client = HttpClient(self.url.rstrip("/") + "/", self._headers(), self.ca, self.certificate, self.key)
        return kind(settings=self, documents=documents, client=client)

    def _headers(self) -> Mapping[str, str]:
        if self.api_key:
            return {"Authorization": f"ApiKey {self.api_key.reveal()}"}
        if self.password:
            return {"Authorization": basic_login(self.username, self.password.reveal())}
        return {}


@dataclass(slots=True, kw_only=True)
class ElasticsearchSink:
    """Puts documents into indices."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False
    operation: ClassVar[str] = "index"
    settings: ElasticsearchSettings
    documents: Documents
    client: HttpClient
    _templated: bool = False
    _places: set[str] = field(default_factory=set)  # that are known to be there

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Put every document of a batch where it belongs. Raises SinkUnavailable, SinkRefused."""
        rejected: list[Rejected] = []
        skipped = 0
        try:
            for place, content in self.documents.by_place(batch).items():
                await self._ready(place)
                for part in _parts(content):
                    came = await self._send(place, part)
                    skipped += came.skipped
                    owners = self.documents.owners(batch, came.reasons) if came.reasons else {}
                    rejected += [
                        Rejected(meter, at_ms, came.reasons[key], site) for key, (site, meter, at_ms) in owners.items()
                    ]
        except SinkUnavailable:
            await self.aclose()
            raise
        return Written(rejected=tuple(rejected), bookmark=bookmark, skipped=skipped)

    async def aclose(self) -> None:
        """Let go of connections, and of what is known of the server: it may be another the next time."""
        self._templated = False
        self._places.clear()
        await self.client.aclose()

    async def _send(self, place: str, content: Content) -> Outcome:
        headers = {"Content-Type": "application/x-ndjson"}
        body = encode_bulk(self.operation, content)
        answer = await self.client.ask("POST", f"{quote(place, safe='')}/{_BULK}", body=body, headers=headers)
        return outcome(answer, list(content), self.client.shown)

    async def _ready(self, place: str) -> None:
        """See to it that numbers become doubles, before the first document of an index decides what they are."""
        if self.settings.index_template and not self._templated:
            pattern = pattern_of(self.documents.place)
            path = f"_index_template/{template_name(pattern)}"
            there = await self.client.ask("HEAD", path)
            if there.status == 404:
                body = index_template(pattern, stream=self.append_only)
                there = await self.client.ask("PUT", path, body=body, headers={"Content-Type": "application/json"})
            check(there, f"{self.client.shown}: index template {pattern}")
            self._templated = True
        if self.append_only and place not in self._places:
            await self._make_stream(place)
            self._places.add(place)

    async def _make_stream(self, place: str) -> None:
        answer = await self.client.ask("PUT", f"_data_stream/{quote(place, safe='')}")
        if "resource_already_exists_exception" not in answer.text:
            check(answer, f"{self.client.shown}: data stream {place}")


@dataclass(slots=True, kw_only=True)
class DataStreamSink(ElasticsearchSink):
    """Adds documents to data streams. A name that is an index already is written to in the same way."""

    append_only: ClassVar[bool] = True
    operation: ClassVar[str] = "create"


def _parts(content: Content) -> Iterator[Content]:
    pairs = iter(content.items())
    while part := dict(islice(pairs, DOCUMENTS_MAX)):
        yield part
