"""Prometheus remote write, as Prometheus, VictoriaMetrics, Mimir, Thanos and others receive it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from wattbook.codecs.remote_write import encode_instants, encode_labels, encode_series
from wattbook.model import Batch, Columns, SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.model.metric_names import metric_name
from wattbook.model.template import Template, parse_template
from wattbook.sinks.by_time import Newest, Part, in_order, size, split
from wattbook.sinks.http_address import http_address
from wattbook.sinks.sink import Rejected, SinkSettings, Written
from wattbook.transports.http_client import Answer, HttpClient
from wattbook.transports.http_login import basic_login
from wattbook.values import Secret, SecretText

SERIES_MAX = 100_000  # whose labels are remembered
_NO_SECRET = Secret("")
_PATH = "/api/v1/write"  # where Prometheus and VictoriaMetrics receive
_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
# One that takes what is out of order for a time says "too old sample" of what is older: Prometheus 2.42 with 500.
_LATE = re.compile(r"out.of.order|out.of.bounds|too.old|duplicate.sample", re.IGNORECASE)
_NOTHING_OLDER = re.compile(r"out.of.order", re.IGNORECASE)  # whoever says so takes nothing older than what it has
_LATE_REASON = "it has something newer of this meter: this is there already, or came too late"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NOT_METRIC = re.compile(r"^(?=[0-9])|[^a-zA-Z0-9_:]")


def _labels() -> Mapping[str, str]:
    return {"site": "{site}", "meter": "{meter}", "location": "{location}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusSettings(SinkSettings):
    """A receiver of Prometheus remote write."""

    kind: Literal["prometheus"] = "prometheus"
    url: str  # http://127.0.0.1:9090; without a path, /api/v1/write is asked
    metric: str = ""  # template of its name; when it is not said, as on /metrics: wattbook_active_power_watts
    labels: Mapping[str, str] = field(default_factory=_labels)  # name = template
    username: str = ""  # for HTTP's basic authentication
    password: SecretText = _NO_SECRET  # of that user
    token: SecretText = _NO_SECRET  # instead of a user: sent as a bearer's
    tenant: str = ""  # X-Scope-OrgID of Mimir and Thanos
    ca: Path | None = None  # authorities its certificate is checked against; else the system's
    certificate: Path | None = None  # our own, for servers that ask for one
    key: Path | None = None  # of our certificate

    def make(self, around: Surroundings) -> PrometheusSink:
        """Raises ValueError."""
        url = http_address(self.url)
        if url.count("/") == 2:
            url += _PATH
        client = HttpClient(url, self._headers(), self.ca, self.certificate, self.key)
        return PrometheusSink(around, self._series(around), client)

    def _series(self, around: Surroundings) -> Mapping[str, Template]:
        """The templates of all labels, the metric's name (where it is said) among them. Raises ValueError."""
        wrong = [name for name in self.labels if not _LABEL.fullmatch(name) or name.startswith("__")]
        if wrong:
            raise ValueError(f'"{wrong[0]}" is no name of a label: it has letters, digits and "_"')
        told = {"__name__": self.metric, **self.labels} if self.metric else self.labels
        templates = {name: parse_template(text, around) for name, text in told.items()}
        for template in templates.values():
            if not template.steady:
                raise ValueError(
                    f'"{template.text}" cannot name a series: it must say the same of all readings of a meter'
                )
        named = frozenset[str]().union(*(template.places for template in templates.values()))
        if not named & {"meter", "location"} and (len(self.meters) != 1 or "*" in self.meters[0]):
            raise ValueError("two meters would be one series: name {meter} in the metric or in a label")
        if self.metric and not any(template.single for template in templates.values()) and len(self.quantities) != 1:
            raise ValueError("quantities would be one series: name {quantity} in the metric or in a label")
        return templates

    def _headers(self) -> Mapping[str, str]:
        headers = dict(_HEADERS)
        if self.username:
            headers["Authorization"] = basic_login(self.username, self.password.reveal())
        elif self.token:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        if self.tenant:
            headers["X-Scope-OrgID"] = self.tenant
        return headers


@dataclass(slots=True)
class PrometheusSink:
    """Writes batches, the oldest reading first. What is older than what is there is rejected, where it is refused."""

    any_order: ClassVar[bool] = False
    append_only: ClassVar[bool] = True

    around: Surroundings
    templates: Mapping[str, Template]
    client: HttpClient
    _labels: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    _newest: Newest = field(default_factory=Newest)

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Write all that the server takes, in parts when it refuses some of it."""
        rejected: list[Rejected] = []
        await self._deliver([in_order(columns) for columns in batch.columns], rejected)
        return Written(tuple(rejected), bookmark)

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.client.aclose()

    async def _deliver(self, part: Part, rejected: list[Rejected]) -> None:
        body = b"".join([self._encoded(columns) for columns in part])
        if not body:
            return
        answer = await self.client.ask("POST", body=_snappy(body))
        late = answer.status in (400, 500) and _LATE.search(answer.text)
        if not late and answer.status != 413:
            self._judge(answer)
            self._newest.remember(part)
            return
        if size(part) == 1:
            if not late:
                raise SinkRefused(f"{self.client.shown}: one reading is too large for it")
            rejected += [_late(columns, columns.at_ms[0]) for columns in part]
            return
        known = self._newest.late(part) if late and _NOTHING_OLDER.search(answer.text) else []
        rejected += [_late(columns, at_ms) for columns, at_ms in known]
        for smaller in [self._newest.news(part)] if known else split(part):
            await self._deliver(smaller, rejected)

    def _encoded(self, columns: Columns) -> bytes:
        instants = encode_instants(columns.at_ms)
        return b"".join(
            [encode_series(self._labels_of(columns, name), cells, instants) for name, cells in columns.values.items()]
        )

    def _labels_of(self, columns: Columns, name: str) -> bytes:
        key = columns.site, columns.meter, name
        labels = self._labels.get(key)
        if labels is None:
            if len(self._labels) >= SERIES_MAX:
                self._labels.clear()
            told = {
                label: template.of_meter(self.around, columns.site, columns.meter, name)
                for label, template in self.templates.items()
            }
            told["__name__"] = _NOT_METRIC.sub("_", told.get("__name__") or metric_name(name))
            labels = self._labels[key] = encode_labels(told)
        return labels

    def _judge(self, answer: Answer) -> None:
        if 200 <= answer.status < 300:
            return
        place, said = self.client.shown, answer.shown
        if answer.status in (400, 422):
            raise SinkRefused(f"{place}: {said}")
        raise SinkUnavailable(f"{place}: {_IN_WORDS.get(answer.status, f'it answers {answer.status}')}: {said}")


def _late(columns: Columns, at_ms: int) -> Rejected:
    return Rejected(columns.meter, at_ms, _LATE_REASON, columns.site, late=True)


def _snappy(body: bytes) -> bytes:
    import cramjam  # not for a form

    return bytes(cramjam.snappy.compress_raw(body))


_IN_WORDS = {
    401: "it does not accept the user name, password or token",
    403: "the user or token may not write there",
    404: "no remote write is received there (Prometheus wants --web.enable-remote-write-receiver)",
    405: "no remote write is received there",
    429: "it is too busy now",
    503: "it is too busy now",
}
