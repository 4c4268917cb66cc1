"""Remote write: what goes over the wire, in what order, under which labels; without a network."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from math import inf, nan
from typing import Any

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from series_batches import AT_MS, batch, columns
from wattbook.codecs.remote_write import encode_instants, encode_labels, encode_series
from wattbook.model import Columns, SinkRefused, SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.model.vocabulary import all_names
from wattbook.sinks.by_time import Newest, in_order, size, split
from wattbook.sinks.prometheus import PrometheusSettings, PrometheusSink
from wattbook.transports.http_client import Answer
from wattbook.values import Secret

AROUND = Surroundings("house", meters={"main-a": MeterFacts("house/panel a")})
numbers = st.floats(allow_nan=False)
instants = st.integers(-(2**63), 2**63 - 1)


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        number |= (raw[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not raw[at - 1] & 0x80:
            return number, at


def _decoded(raw: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a message, read as the specification of protocol buffers says."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        if tag & 7 == 2:
            length, at = _varint(raw, at)
            yield tag >> 3, raw[at : at + length]
            at += length
        elif tag & 7 == 1:
            yield tag >> 3, struct.unpack_from("<d", raw, at)[0]
            at += 8
        else:
            number, at = _varint(raw, at)
            yield tag >> 3, number - (1 << 64) if number >> 63 else number


def _series(raw: bytes) -> list[tuple[list[tuple[str, str]], list[tuple[int, float]]]]:
    found = []
    for _, series in _decoded(raw):
        parts = list(_decoded(series))
        labels = [dict(_decoded(part)) for number, part in parts if number == 1]
        samples = [dict(_decoded(part)) for number, part in parts if number == 2]
        found.append(([(one[1].decode(), one[2].decode()) for one in labels], [(one[2], one[1]) for one in samples]))
    return found


def _sink(**told: Any) -> PrometheusSink:
    return PrometheusSettings(name="p", url=told.pop("url", "http://127.0.0.1:9090"), **told).make(AROUND)


@given(st.lists(st.tuples(instants, numbers), min_size=1, max_size=60))
def test_samples_of_any_instant_survive(samples: list[tuple[int, float]]) -> None:
    values, at_ms = array("d", [value for _, value in samples]), [at for at, _ in samples]
    ((_, found),) = _series(encode_series(b"", values, encode_instants(at_ms)))
    assert found == samples


@given(st.lists(st.floats(), min_size=17, max_size=60))
def test_samples_of_our_time_survive_and_nan_is_none(values: list[float]) -> None:
    at_ms = range(AT_MS, AT_MS + len(values))
    found = _series(encode_series(b"", array("d", values), encode_instants(at_ms)))
    expected = [(at, value) for at, value in zip(at_ms, values, strict=True) if value == value]
    assert found == ([([], expected)] if expected else [])


def test_nothing_is_no_series_and_infinities_are_samples() -> None:
    assert encode_series(b"x", array("d", [nan, nan]), encode_instants([1, 2])) == b""
    ((_, found),) = _series(encode_series(b"", array("d", [inf, -inf]), encode_instants([1, 2])))
    assert found == [(1, inf), (2, -inf)]


def test_labels_are_sorted_and_empty_ones_are_none() -> None:
    raw = encode_labels({"meter": "m", "__name__": "x", "Zone": "ěš", "a": "", "location": "l" * 300})
    ((labels, _),) = _series(encode_series(raw, array("d", [1.0]), encode_instants([AT_MS])))
    assert labels == [("Zone", "ěš"), ("__name__", "x"), ("location", "l" * 300), ("meter", "m")]


def test_metrics_are_called_as_on_the_page_of_metrics() -> None:
    raw = _sink()._encoded(columns("main-a", {"active_power": [1.5], "power_factor": [nan]}))
    name, place = ("__name__", "wattbook_active_power_watts"), ("location", "house/panel a")
    assert _series(raw) == [([name, place, ("meter", "main-a"), ("site", "house")], [(AT_MS, 1.5)])]


@pytest.mark.parametrize(("metric", "name"), [("{meter}.{quantity}", "main_a_voltage"), ("1 {quantity}", "_1_voltage")])
def test_a_metric_s_name_is_made_valid(metric: str, name: str) -> None:
    ((labels, _),) = _series(_sink(metric=metric)._encoded(columns("main-a", {"voltage": [1.0]})))
    assert dict(labels)["__name__"] == name


def test_every_quantity_has_a_valid_metric() -> None:
    for name in all_names():
        ((labels, _),) = _series(_sink()._encoded(columns("m", {name: [1.0]})))
        assert dict(labels)["__name__"].startswith("wattbook_") and dict(labels)["__name__"].isascii()


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"labels": {}}, "two meters would be one series"),
        ({"metric": "power"}, "quantities would be one series"),
        ({"metric": "{voltage}"}, "cannot name a series"),
        ({"labels": {"meter": "{meter}", "q": "{quality}"}}, "cannot name a series"),
        ({"labels": {"a-b": "{meter}"}}, '"a-b" is no name of a label'),
        ({"labels": {"__name__": "{meter}"}}, '"__name__" is no name of a label'),
        ({"labels": {"m": "{metre}"}}, 'did you mean "meter"'),
        ({"url": "http://u:geheim@h"}, "holds a user name"),
    ],
)
def test_what_is_wrong_is_told_in_words(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        _sink(**told)
    assert "geheim" not in str(caught.value)


def test_where_and_as_whom_it_asks() -> None:
    assert _sink().client.url == "http://127.0.0.1:9090/api/v1/write"
    assert _sink(url="https://h/api/v1/push/").client.url == "https://h/api/v1/push"
    assert _sink(tenant="t").client.headers["X-Scope-OrgID"] == "t"
    for told, header in (
        ({"username": "u", "password": Secret("geheim")}, "Basic dTpnZWhlaW0="),
        ({"token": Secret("geheim")}, "Bearer geheim"),
    ):
        sink = _sink(**told)
        assert sink.client.headers["Authorization"] == header
        assert "geheim" not in repr(sink) and "dTpn" not in repr(sink)


class Receiver:
    """Takes whole requests in which every series is newer than what it has, as Prometheus does."""

    shown = "receiver"

    def __init__(self, *, samples_max: int = 10**9, newest_ms: int = 10**15) -> None:
        self.newest_ms = newest_ms
        self.stored: dict[str, list[tuple[int, float]]] = {}
        self.requests, self.samples_max = 0, samples_max

    async def ask(self, method: str, path: str = "", *, body: bytes = b"") -> Answer:
        self.requests += 1
        series = _series(bytes(cramjam.snappy.decompress_raw(body)))
        if sum(len(samples) for _, samples in series) > self.samples_max:
            return Answer(413, "too large")
        for labels, samples in series:
            assert samples == sorted(samples) and samples
            if samples[-1][0] > self.newest_ms:
                return Answer(400, "out of bounds")
            kept = self.stored.get(dict(labels)["meter"])
            if kept and samples[0][0] <= kept[-1][0]:
                return Answer(400, "out of order sample")
        for labels, samples in series:
            self.stored.setdefault(dict(labels)["meter"], []).extend(samples)
        return Answer(204, "")


def _to(receiver: Receiver) -> PrometheusSink:
    sink = _sink()
    sink.client = receiver  # type: ignore[assignment]
    return sink


async def test_old_readings_are_found_and_the_others_written() -> None:
    receiver = Receiver()
    numbers = [float(n) for n in range(1000)]
    await _to(receiver).write(batch(columns("m0", {"voltage": numbers[:300]})), "")
    sink, receiver.requests = _to(receiver), 0
    given = batch(columns("m0", {"voltage": numbers}), columns("m1", {"voltage": numbers}))
    written = await sink.write(given, "mark")
    assert [(one.meter, one.at_ms) for one in written.rejected] == [("m0", AT_MS + 5000 * n) for n in range(300)]
    assert written.bookmark == "mark"
    assert [value for _, value in receiver.stored["m0"]] == numbers == [value for _, value in receiver.stored["m1"]]
    receiver.requests = 0
    assert len((await sink.write(given, "")).rejected) == 2000
    assert receiver.requests == 1, "what it knows to be there is not asked one by one"


async def test_one_of_the_future_that_is_refused_takes_none_after_it_along() -> None:
    receiver = Receiver(newest_ms=AT_MS + 60_000)
    sink = _to(receiver)
    await sink.write(batch(_told("m0", 20_000), _told("m1", 10_000), _told("m1", 3_600_000)), "")
    written = await sink.write(batch(_told("m0", 10_000), _told("m1", 20_000)), "")
    assert [(one.meter, one.at_ms) for one in written.rejected] == [("m0", AT_MS + 10_000)]
    assert [at for at, _ in receiver.stored["m1"]] == [AT_MS + 10_000, AT_MS + 20_000]


def _told(meter: str, after_ms: int) -> Columns:
    return columns(meter, {"voltage": [230.0]}, at_ms=AT_MS + after_ms)


async def test_what_is_too_large_goes_in_parts() -> None:
    receiver = Receiver(samples_max=10)
    of_meters = [columns(f"m{n}", {"voltage": [1.0, 2.0, 3.0]}) for n in range(40)]
    assert (await _to(receiver).write(batch(*of_meters), "")).rejected == ()
    assert [len(samples) for samples in receiver.stored.values()] == [3] * 40
    with pytest.raises(SinkRefused, match="one reading is too large"):
        await _to(Receiver(samples_max=0)).write(batch(columns("m", {"voltage": [1.0]})), "")


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, SinkRefused, "said so"),
        (401, SinkUnavailable, "does not accept"),
        (404, SinkUnavailable, "--web.enable-remote-write-receiver"),
        (302, SinkUnavailable, "answers 302"),
        (503, SinkUnavailable, "too busy"),
    ],
)
def test_what_an_answer_means(status: int, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        _sink()._judge(Answer(status, "said so"))


def test_rows_of_one_instant_are_one() -> None:
    given = columns("m", {"voltage": [1.0, 2.0, 3.0]}, step_ms=0)
    assert list(in_order(given).values["voltage"]) == [3.0]
    rising = columns("m", {"voltage": [1.0]})
    assert in_order(rising) is rising


@given(st.lists(st.sets(st.integers(0, 40), min_size=1), min_size=1, max_size=5))
def test_parts_are_in_order_and_lose_nothing(of_meters: list[set[int]]) -> None:
    part = [_at(f"m{number}", sorted(at)) for number, at in enumerate(of_meters)]
    whole = {(each.meter, at) for each in part for at in each.at_ms}
    parts = split(part)
    found = [{(each.meter, at) for each in one for at in each.at_ms} for one in parts]
    assert sum(map(len, found)) == size(part) and set().union(*found) == whole
    assert size(part) == 1 or all(len(one) < size(part) for one in found)
    starts = [min(at for _, at in one) for one in found]
    assert starts == sorted(starts)


def test_what_is_newer_is_news() -> None:
    newest = Newest()
    newest.remember([_at("a", [1, 5])])
    part = [_at("a", [4, 5, 6]), _at("b", [1]), _at("a", [2])]
    assert [(each.meter, at) for each, at in newest.late(part)] == [("a", 4), ("a", 5), ("a", 2)]
    assert [list(each.at_ms) for each in newest.news(part)] == [[6], [1]]


def _at(meter: str, at_ms: list[int]) -> Columns:
    return Columns("", meter, array("q", at_ms), array("q", at_ms), {}, array("B", bytes(len(at_ms))))
