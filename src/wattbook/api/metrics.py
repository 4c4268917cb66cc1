"""/metrics in the OpenMetrics text format, version 1.0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from wattbook.engine.alerts import Alerts
from wattbook.engine.deliver import SinkStatus
from wattbook.engine.status import Counters, MeterStatus, ProxyStatus, SupplyNow
from wattbook.model import Reading, quantity
from wattbook.model.batch import to_ms
from wattbook.model.metric_names import UNIT_NAMES, metric_name
from wattbook.store import BookStatistics

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_COUNTER_HELP = {
    "polls": "Times a meter was asked, or began to speak.",
    "answers": "Readings made of it.",
    "timeouts": "Silences.",
    "garbled": "Damaged answers.",
    "refused": "Refusals by the device.",
}

_PROXY_COUNTERS = {
    "requests": "Requests of other masters.",
    "refused": "Requests and clients turned away: not allowed, not right, or too many.",
    "exceptions": "Exceptions of slaves passed on, and silences told as such.",
    "writes": "Writes that a slave confirmed.",
}

_BOOK_COUNTERS = {
    "commits": "Transactions made durable.",
    "readings": "New readings, durable.",
    "events": "Events, durable.",
    "same": "Readings delivered before, with equal values.",
    "conflicts": "Readings delivered before, with other values; the first stays.",
    "dropped": "Readings lost because the book could not be written for too long.",
}


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with its samples: (labels, value)."""

    name: str
    kind: Literal["counter", "gauge", "info"]
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]
    unit: str = ""

    def lines(self) -> Iterator[str]:
        yield f"# TYPE {self.name} {self.kind}"
        if self.unit:
            yield f"# UNIT {self.name} {self.unit}"
        yield f"# HELP {self.name} {_escape(self.help)}"
        suffix = {"counter": "_total", "gauge": "", "info": "_info"}[self.kind]
        for labels, value in self.samples:
            shown = ",".join(f'{name}="{_escape(text)}"' for name, text in labels.items())
            yield f"{self.name}{suffix}{{{shown}}} {value!r}" if shown else f"{self.name}{suffix} {value!r}"


_SINK_COUNTERS = {
    "written": "Rows that the sink has.",
    "rejected": "Readings that the sink refused for ever; they are set aside.",
    "skipped": "Corrections that the sink cannot take, and readings that it had.",
    "retries": "Tries while the sink was away.",
}


def expose(families: Iterable[Family]) -> str:
    """The whole text, with its end mark."""
    lines = [line for family in families if family.samples for line in family.lines()]
    return "\n".join([*lines, "# EOF", ""])


def about(version: str, site: str) -> Family:
    """Which wattbook this is."""
    return Family("wattbook", "info", "The program.", [({"version": version, "site": site}, 1)])


def of_meters(statuses: Sequence[MeterStatus]) -> Iterator[Family]:
    """Counters and state of every meter."""
    for counter in fields(Counters):
        samples = [(_labels(status), getattr(status.counters, counter.name)) for status in statuses]
        yield Family(f"wattbook_meter_{counter.name}", "counter", _COUNTER_HELP[counter.name], samples)
    up = [(_labels(status), int(status.state == "present")) for status in statuses]
    yield Family("wattbook_meter_up", "gauge", "1 while the meter answers.", up)
    latency = [(_labels(status), status.latency_s) for status in statuses if status.latency_s]
    yield Family(
        "wattbook_meter_latency_seconds", "gauge", "Request to complete answer, smoothed.", latency, unit="seconds"
    )
    last = [(_labels(status), to_ms(status.last_at) / 1000) for status in statuses if status.last_at]
    yield Family(
        "wattbook_meter_last_reading_timestamp_seconds", "gauge", "Instant of the last reading.", last, unit="seconds"
    )


def of_readings(readings: Iterable[Reading], statuses: Sequence[MeterStatus]) -> Iterator[Family]:
    """The latest good values of meters that are present, in base units: neither an old nor a doubtful one is a fact."""
    labels = {status.meter: _labels(status) for status in statuses if status.state == "present"}
    samples: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for reading in readings:
        if reading.meter in labels:
            for name, value in reading.good_values():
                samples.setdefault(name, []).append((labels[reading.meter], value))
    for name in sorted(samples):
        about = quantity(name)
        yield Family(metric_name(name), "gauge", about.title, samples[name], UNIT_NAMES[about.unit])


def of_supply(supply: SupplyNow) -> Iterator[Family]:
    """Which source feeds the house."""
    if not supply.state:
        return
    states = [({"state": state}, int(state == supply.state)) for state in ("utility", "generator", "dark", "unknown")]
    yield Family("wattbook_supply", "gauge", "1 for what feeds the house now.", states)
    since: list[tuple[Mapping[str, str], float]] = [({}, to_ms(supply.since) / 1000)] if supply.since else []
    yield Family("wattbook_supply_since_timestamp_seconds", "gauge", "Since when.", since, unit="seconds")


def of_book(book: BookStatistics) -> Iterator[Family]:
    """What the book tells about itself."""
    for name, help_text in _BOOK_COUNTERS.items():
        yield Family(f"wattbook_book_{name}", "counter", help_text, [({}, getattr(book, name))])
    yield Family("wattbook_book_waiting", "gauge", "Entries in memory, not yet durable.", [({}, book.waiting)])
    yield Family(
        "wattbook_book_last_commit_seconds",
        "gauge",
        "How long the last commit took.",
        [({}, book.last_commit_s)],
        unit="seconds",
    )
    writable = int(book.gap_since is None)
    yield Family("wattbook_book_writable", "gauge", "0 while the book cannot be written.", [({}, writable)])


def of_proxies(proxies: Sequence[ProxyStatus]) -> Iterator[Family]:
    """What other masters asked of lines that are served to them."""
    labels = [{"line": proxy.line, "listen": proxy.listen} for proxy in proxies]
    for name, help_text in _PROXY_COUNTERS.items():
        samples = [(label, getattr(proxy, name)) for label, proxy in zip(labels, proxies, strict=True)]
        yield Family(f"wattbook_proxy_{name}", "counter", help_text, samples)
    clients = [(label, proxy.clients) for label, proxy in zip(labels, proxies, strict=True)]
    yield Family("wattbook_proxy_clients", "gauge", "Masters connected now.", clients)


def of_sinks(sinks: Sequence[SinkStatus], behind: Callable[[str], int]) -> Iterator[Family]:
    """How readings reach other systems."""
    labels = [{"sink": sink.name, "kind": sink.kind} for sink in sinks]
    for name, help_text in _SINK_COUNTERS.items():
        samples = [(label, getattr(sink, name)) for label, sink in zip(labels, sinks, strict=True)]
        yield Family(f"wattbook_sink_{name}", "counter", help_text, samples)
    up = [(label, int(sink.state in ("reading", "waiting"))) for label, sink in zip(labels, sinks, strict=True)]
    yield Family("wattbook_sink_up", "gauge", "1 while the sink takes readings.", up)
    waiting = [(label, behind(sink.after)) for label, sink in zip(labels, sinks, strict=True)]
    yield Family("wattbook_sink_behind", "gauge", "Entries that the sink has not taken.", waiting)


def of_alerts(alerts: Alerts) -> Iterator[Family]:
    """Which rules are raised, and how messages reach people."""
    now = alerts.watcher.now
    raised: list[tuple[Mapping[str, str], float]] = [
        ({"rule": rule.name, "severity": rule.severity}, int(now.is_raised(rule.name))) for rule in alerts.config.alerts
    ]
    yield Family("wattbook_alert_raised", "gauge", "1 while a rule is raised, also a muted one.", raised)
    carriers = [({"target": name}, carrier) for name, carrier in alerts.carriers.items()]
    sent = [(label, carrier.sent) for label, carrier in carriers]
    yield Family("wattbook_notify_sent", "counter", "Messages that were sent.", sent)
    failed = [(label, carrier.failed) for label, carrier in carriers]
    yield Family("wattbook_notify_failed", "counter", "Tries to send a message that failed.", failed)


def _labels(status: MeterStatus) -> Mapping[str, str]:
    return {"meter": status.meter, "location": status.location} if status.location else {"meter": status.meter}


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
