"""Line protocol, layouts, and what InfluxDB's answers mean; without a network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from math import inf
from types import MappingProxyType
from typing import Any

import pytest

from series_batches import AT_MS, batch, columns
from wattbook.model import Batch, SinkRefused, SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks import Written
from wattbook.sinks.influx_answers import Conflict, TooLarge, TooOld, understand
from wattbook.sinks.influx_parts import READINGS_A_REQUEST
from wattbook.sinks.influxdb import IN_FLIGHT_MAX, InfluxSettings, InfluxSink
from wattbook.transports.http_client import Answer
from wattbook.values import Secret

AROUND = Surroundings("house", meters={"main-a": MeterFacts("house/panel a", source="utility")})
SERIES = r"electricity,location=house/panel\ a,meter=main-a,site=house"


def _sink(**told: Any) -> InfluxSink:
    return InfluxSettings(name="i", url=told.pop("url", "http://127.0.0.1:8086"), **told).make(AROUND)


def _lines(given: Batch, **told: Any) -> list[str]:
    layout = _sink(**told).layout
    return b"".join(layout.encode(each) for each in given.columns).decode().splitlines()


def test_a_line_is_a_reading() -> None:
    given = columns("main-a", {"voltage": [230.1, None], "active_energy_import": [25409587.0, 1e16]})
    assert _lines(batch(given)) == [
        rf"{SERIES} voltage=230.1,active_energy_import=25409587.0 {AT_MS}",
        rf"{SERIES} active_energy_import=1e16 {AT_MS + 5000}",
    ]


def test_a_reading_of_another_site_tells_so() -> None:
    assert _lines(batch(columns("m", {"voltage": [1.0]}, site="village"))) == [
        f"electricity,meter=m,site=village voltage=1.0 {AT_MS}"
    ]


@pytest.mark.parametrize("rows", [[], [None], [inf], [None, None]])
def test_no_value_is_no_line(rows: list[float | None]) -> None:
    assert _lines(batch(columns("m", {"voltage": rows}))) == []


def test_units_digits_texts_and_whole_numbers() -> None:
    fields = {
        "kwh": "{active_energy_import:kWh}", "volt": "{voltage:.0f}", "wh": "{active_energy_import}",
        "q": "{quality}", "said": 'at {at:epoch_ms} "{voltage:.1f} V"', "ms": "{at:epoch_ms}", "one": "1",
    }  # fmt: skip
    given = columns("m", {"voltage": [230.06, None, None], "active_energy_import": [1234.0, 7.4, None]})
    assert _lines(batch(given), tags={"m": "{meter}"}, fields=fields, integers=("wh",)) == [
        f'electricity,m=m kwh=1.234,volt=230.0,wh=1234i,q="good",said="at {AT_MS} \\"230.1 V\\"",ms={AT_MS}i,one="1" '
        f"{AT_MS}",
        f'electricity,m=m kwh=0.0074,wh=7i,q="good",ms={AT_MS + 5000}i,one="1" {AT_MS + 5000}',
    ]


def test_a_layout_of_single_values() -> None:
    told = {"measurement": "{unit}", "tags": {"entity_id": "{meter:slug}_{quantity}"}, "fields": {"value": "{value}"}}
    assert _lines(batch(columns("main-a", {"voltage": [230.0], "current": [None]})), **told) == [
        f"V,entity_id=main_a_voltage value=230.0 {AT_MS}"
    ]


def test_names_are_escaped() -> None:
    given = columns('a b,c=d"\\', {"voltage": [1.0]})
    told = {"measurement": "#{meter}", "tags": {"t g": "{meter}"}, "fields": {"{meter} =": "{voltage}"}}
    assert _lines(batch(given), **told) == [f'_a\\ b\\,c=d"/,t\\ g=a\\ b\\,c\\=d"/ a\\ b\\,c\\=d"/\\ \\==1.0 {AT_MS}']
    assert _lines(batch(columns("m\nv=1", {"voltage": [1.0]}))) == [
        f"electricity,meter=m\\ v\\=1,site=house voltage=1.0 {AT_MS}"
    ]


def test_it_remembers_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattbook.sinks.influx_layout.PLANS_MAX", 3)
    layout = _sink().layout
    for number in range(10):
        assert layout.encode(columns(f"m{number}", {"voltage": [1.0]}))
    assert len(layout._plans) <= 3


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"tags": {}}, "two meters would overwrite each other"),
        ({"fields": {"value": "{value}"}}, "quantities would overwrite each other"),
        ({"measurement": "{voltage}"}, "it must say the same of all readings"),
        ({"tags": {"q": "{quality}"}}, "it must say the same of all readings"),
        ({"fields": {"v_{at}": "{voltage}"}}, "it must say the same of all readings"),
        ({"measurement": ""}, "it must say the same of all readings"),
        ({"fields": {}}, "names no quantity"),
        ({"fields": {"x": "{meter}"}}, "names no quantity"),
        ({"fields": {"x": "{volage}"}}, 'did you mean "voltage"'),
        ({"fields": {"x": "{voltage:kW}"}}, "kW"),
        ({"version": 2}, 'needs "org" and "bucket"'),
        ({"token": Secret("x")}, '"token" is of version 2 and 3'),
        ({"database": ""}, '"database" is missing'),
        ({"url": "localhost:8086"}, "no address"),
        ({"url": "http://:8086"}, "no address"),
        ({"url": "http://h:99999"}, "no address"),
        ({"url": "ftp://h"}, "no address"),
        ({"url": "http://u:geheim@h"}, '"url" holds a user name'),
        ({"url": "http://h?p=geheim"}, 'must end before a "\\?"'),
    ],
)
def test_what_is_wrong_is_told_in_words(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        _sink(**told)
    assert "geheim" not in str(caught.value)


def test_one_meter_and_one_quantity_need_no_name() -> None:
    told = {"meters": ("main-a",), "quantities": ("voltage",), "tags": {}, "fields": {"v": "{value}"}}
    assert _lines(batch(columns("main-a", {"voltage": [1.0]})), **told) == [f"electricity v=1.0 {AT_MS}"]


_SECRET = Secret("geheim")


@pytest.mark.parametrize(
    ("told", "path", "authorization"),
    [
        ({"database": "a b&c", "retention_policy": "1y"}, "/write?db=a%20b%26c&rp=1y&precision=ms", None),
        ({"username": "u", "password": _SECRET}, "/write?db=wattbook&precision=ms", "Basic dTpnZWhlaW0="),
        (
            {"version": 2, "org": "o", "token": _SECRET},
            "/api/v2/write?org=o&bucket=wattbook&precision=ms",
            "Token geheim",
        ),
        ({"version": 3, "token": _SECRET}, "/api/v3/write_lp?db=wattbook&precision=millisecond", "Bearer geheim"),
    ],
)
def test_each_version_is_asked_in_its_way(told: dict[str, Any], path: str, authorization: str | None) -> None:
    sink = _sink(**told)
    assert sink.path == path
    assert sink.client.headers.get("Authorization") == authorization
    settings = InfluxSettings(name="i", url="http://h", **told)
    assert "geheim" not in f"{sink!r} {settings!r} {settings}" and "dTpn" not in repr(sink)


@pytest.mark.parametrize(
    ("url", "gzip", "packed"),
    [
        ("http://127.0.0.1:1", None, False),
        ("http://[::1]:1", None, False),
        ("http://pi:1", None, True),
        ("http://pi:1", False, False),
    ],
)
def test_it_compresses_for_the_network(url: str, gzip: bool | None, packed: bool) -> None:
    assert ("Content-Encoding" in _sink(url=url, gzip=gzip).client.headers) == packed


BODY = b"m,a=1 v=1.0 3000\nm\\ b v=1.0 1000\nm,a=1 v=1.0 2000\n"
_IS_FLOAT = (
    'partial write: field type conflict: input field "v" on measurement "m" is type float, already exists as type'
)
_COLUMN = (
    "invalid column type for column 'v', expected iox::column_type::field::integer, got iox::column_type::field::float"
)
_BEYOND_2 = (
    "failure writing points to database: partial write: dropped 1 points outside retention policy of duration 72h0m0s "
    "- oldest point m at 1970-01-01T00:00:01Z dropped because it violates a Retention Policy {} Bound at "
    "1970-01-01T00:00:02Z dropped=1"
)
_OLD = "older than what is kept over there"


def _told_1(words: str) -> str:
    return json.dumps({"error": words})


def _told_2(words: str) -> str:
    return json.dumps({"code": "unprocessable entity", "message": words})


def _told_3(line: int, words: str) -> str:
    data = [{"original_line": "x", "line_number": line, "error_message": words}]
    return json.dumps({"error": "partial write of line protocol occurred", "data": data})


def _conflict(measurement: str, was: str) -> Conflict:
    return Conflict(measurement, "v", f'the field "v" is float, and {was} over there; its other fields were written')


@pytest.mark.parametrize(
    ("status", "text", "verdict"),
    [
        (204, "", None),
        (200, "", None),
        (400, _told_1(f"{_IS_FLOAT} integer dropped=2"), _conflict("m", "integer")),
        (500, _told_2(f"unexpected error writing points to database: {_IS_FLOAT} string"), _conflict("m", "string")),
        (400, _told_3(2, _COLUMN), _conflict("m b", "integer")),
        (400, _told_1("partial write: points beyond retention policy dropped=2"), TooOld(2000, _OLD)),
        (422, _told_2(_BEYOND_2.format("Lower")), TooOld(1000, _OLD)),
    ],
)
def test_what_an_answer_means(status: int, text: str, verdict: object) -> None:
    assert understand(Answer(status, text), BODY) == verdict


@pytest.mark.parametrize(
    ("status", "text", "kind", "words"),
    [
        (413, "", TooLarge, "^$"),
        (400, _told_1("unable to parse 'm v=': missing field value"), SinkRefused, "missing field value"),
        (400, _told_3(1, "odd line"), SinkRefused, "odd line"),
        (422, _told_2(_BEYOND_2.format("Upper")), SinkRefused, "Upper Bound|outside retention policy"),
        (400, _told_1("database is required"), SinkUnavailable, "answers 400: database is required"),
        (400, _told_1("partial write: max-values-per-tag limit exceeded"), SinkUnavailable, "limit exceeded"),
        (401, _told_1("authorization failed"), SinkUnavailable, "does not accept"),
        (403, "<html>no</html>", SinkUnavailable, "may not write there: <html>no"),
        (302, "", SinkUnavailable, "sends us elsewhere"),
        (503, "[1]", SinkUnavailable, "too busy"),
        (500, _told_1("write /x: no space left on device"), SinkUnavailable, "no space left"),
    ],
)
def test_what_an_answer_raises(status: int, text: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        understand(Answer(status, text), BODY)


class Server:
    """Answers each request after giving others a turn."""

    shown, headers = "server", MappingProxyType[str, str]({})

    def __init__(self, answers: Callable[[bytes], Answer] = lambda _: Answer(204, "")) -> None:
        self.bodies: list[bytes] = []
        self.answers, self.now, self.most = answers, 0, 0

    async def ask(self, method: str, path: str = "", *, body: bytes = b"") -> Answer:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        self.bodies.append(body)
        return self.answers(body)


def _to(server: Server) -> InfluxSink:
    sink = _sink()
    sink.client = server  # type: ignore[assignment]
    return sink


async def test_a_large_batch_goes_in_requests_side_by_side() -> None:
    server = Server()
    small = [columns(f"m{n}", {"voltage": [1.0] * 10}) for n in range(300)]
    large = columns("large", {"voltage": [float(n) for n in range(6000)]})
    assert (await _to(server).write(batch(*small, large, *small), "mark")).bookmark == "mark"
    lines = b"".join(server.bodies).splitlines()
    assert len(lines) == 12_000 and len(set(lines)) == 9_000
    assert max(len(body.splitlines()) for body in server.bodies) == READINGS_A_REQUEST
    assert server.most == IN_FLIGHT_MAX


async def test_nothing_asks_nobody() -> None:
    server = Server()
    for given in (batch(), batch(columns("m", {"voltage": [None]})), batch(columns("m", {"voltage": []}))):
        assert (await _to(server).write(given, "mark")) == Written(bookmark="mark")
    assert server.bodies == []


@pytest.mark.parametrize(
    ("refused", "away", "kind"), [(b"=5000.0 ", b"=100.0 ", SinkUnavailable), (b"=1.0 ", b"never", SinkRefused)]
)
async def test_one_request_that_fails_fails_the_batch(refused: bytes, away: bytes, kind: type[Exception]) -> None:
    def answer(body: bytes) -> Answer:
        if away in body:
            return Answer(500, "disk full")
        return Answer(400, _told_1("unable to parse")) if refused in body else Answer(204, "")

    given = columns("m", {"voltage": [float(n) for n in range(20_000)]})
    with pytest.raises(kind, match="server: "):
        await _to(Server(answer)).write(batch(given), "")


async def test_a_complaint_that_does_not_end_is_refused() -> None:
    sink = _to(Server(lambda _: Answer(400, _told_1(f"{_IS_FLOAT} integer dropped=1"))))
    with pytest.raises(SinkRefused, match='the field "v" is float'):
        await sink.write(batch(columns("m", {"voltage": [1.0]})), "")
