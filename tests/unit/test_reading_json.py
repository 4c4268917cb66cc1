"""The reading JSON and the plain table, both ways."""

from __future__ import annotations

import json
import math
from array import array
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs import plain_table, reading_json
from wattbook.codecs.reading_json import BadReading, decode_many, encode, encode_columns
from wattbook.model import Columns, Quality, Reading
from wattbook.model.batch import NO_DOUBT
from wattbook.model.exact import EXACT_MAX
from wattbook.model.vocabulary import all_names

AT = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)
READING = Reading("main-a", AT, {"voltage": 230.1, "active_energy_import": 25409587.0})
TEXT = (
    b'{"meter":"main-a","at":"2026-11-21T01:02:03.000Z",'
    b'"values":{"voltage":230.1,"active_energy_import":25409587},"quality":"good"}'
)


def test_the_text_of_the_design() -> None:
    assert encode(READING) == TEXT
    assert decode_many(TEXT) == [READING]


def test_what_is_said_only_when_it_says_something() -> None:
    reading = Reading(
        "a", AT, {"voltage": 1.5, "current": -0.0}, Quality.SUSPECT, {"current": Quality.GOOD}, site="Plant"
    )
    document = json.loads(encode(reading))
    assert document == {
        "meter": "a",
        "at": "2026-11-21T01:02:03.000Z",
        "values": {"voltage": 1.5, "current": 0},
        "quality": "suspect",
        "doubt": {"current": "good"},
        "site": "Plant",
    }
    assert decode_many(encode(reading)) == [reading]


@pytest.mark.parametrize(
    "body",
    [
        b"[" + TEXT + b"," + TEXT + b"]",
        b" [\n" + TEXT + b",\n" + TEXT + b"\n]\n",
        TEXT + b"\n" + TEXT,
        TEXT + b"\r\n" + TEXT + b"\n",
    ],
)
def test_array_and_lines(body: bytes) -> None:
    assert decode_many(body) == [READING, READING]


def test_one_over_several_lines_and_none() -> None:
    assert decode_many(json.dumps(json.loads(TEXT), indent=2).encode()) == [READING]
    assert decode_many(b"[]") == []


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-21T02:02:03+01:00", AT),
        ("2026-11-21T01:02:03.123456Z", AT + timedelta(milliseconds=123)),
        ("2026-11-20T20:02:03.999999-05:00", AT + timedelta(milliseconds=999)),
    ],
)
def test_instants(at: str, expected: datetime) -> None:
    (reading,) = decode_many(TEXT.replace(b"2026-11-21T01:02:03.000Z", at.encode()))
    assert (reading.at, reading.at.tzinfo) == (expected, UTC)


def _with(old: str, new: str) -> bytes:
    assert old.encode() in TEXT
    return TEXT.replace(old.encode(), new.encode())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (TEXT + b"x", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"17", "object"),
        (b"{}", "meter"),
        (_with("voltage", "voltag"), 'did you mean "voltage"'),
        (b"[" + TEXT + b"," + _with("voltage", "voltag") + b"]", "reading 2: .*voltag"),
        (TEXT + b"\n" + _with("voltage", "voltag"), "reading 2: .*voltag"),
        (b"[" + TEXT + b"," + _with("230.1", '"x"') + b"]", "reading 2: values.*float"),
        (_with("230.1", "NaN"), "no JSON"),
        (_with("230.1", "1e999"), "beyond ±9007199254740991"),
        (_with("230.1", "-1e999"), "beyond ±9007199254740991"),
        (_with("25409587", "9007199254740992"), "beyond ±9007199254740991"),
        (_with("25409587", "-9007199254740993"), "beyond ±9007199254740991"),
        (TEXT + b"\n" + _with("25409587", "9007199254740993"), "reading 2: .*beyond"),
        (_with("230.1", "null"), "float"),
        (_with("03.000Z", "03.000"), "timezone"),
        (_with('"2026-11-21T01:02:03.000Z"', "1763686923"), "at: "),
        (_with("2026-11-21T01:02:03.000Z", "0001-01-01T00:00:00+14:00"), "calendar"),
        (_with("2026-11-21", "2026-13-21"), "at: "),
        (_with("main-a", ""), "meter: "),
        (_with("main-a", "m" * 101), "meter: "),
        (_with('"good"', '"bad"'), "quality"),
        (_with('"quality"', '"qualty"'), 'unknown key "qualty".*did you mean "quality"'),
        (_with('"good"', '"good","doubt":{"frequency":"suspect"}'), "frequency"),
        (_with('"voltage":230.1,"active_energy_import":25409587', ""), "values: "),
        (_with('"voltage":230.1', ",".join(f'"v{n}":1' for n in range(64))), "values: "),
    ],
)
def test_what_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadReading, match=message):
        decode_many(body)


_readings = st.builds(
    Reading,
    meter=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=100).filter(
        lambda name: name == name.strip() != ""
    ),
    at=st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)).map(
        lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
    ),
    values=st.dictionaries(st.sampled_from(all_names()), st.floats(-EXACT_MAX, EXACT_MAX), min_size=1, max_size=9),
)


@given(st.lists(_readings, max_size=5), st.sampled_from(["array", "lines"]))
def test_everything_comes_back(readings: list[Reading], form: str) -> None:
    parts = [encode(reading) for reading in readings]
    body = b"[" + b",".join(parts) + b"]" if form == "array" or not parts else b"\n".join(parts)
    assert decode_many(body) == readings


@given(st.lists(_readings, min_size=1, max_size=5))
def test_everything_comes_back_from_the_table(readings: list[Reading]) -> None:
    assert plain_table.decode(plain_table.encode(readings)) == readings


def test_the_table_of_the_design() -> None:
    other = Reading("hall, 2", AT.astimezone(timezone(timedelta(hours=1))), {"frequency": 50.0, "voltage": 1.0})
    assert plain_table.encode([READING, other]) == (
        b"meter,at,voltage,active_energy_import,frequency\n"
        b"main-a,2026-11-21T01:02:03.000Z,230.1,25409587,\n"
        b'"hall, 2",2026-11-21T01:02:03.000Z,1,,50\n'
    )
    assert plain_table.decode(b"\xef\xbb\xbfmeter,at,voltage\r\n\r\na,2026-11-21T02:02:03+01:00, 1.5\r\n") == [
        Reading("a", AT, {"voltage": 1.5})
    ]
    assert plain_table.decode(b"meter,at,voltage\n") == []


def test_a_table_of_many_meters_has_more_quantities_than_a_reading_may() -> None:
    names = all_names()[:100]
    parts = names[:50], names[50:]
    readings = [Reading(f"m{number}", AT, dict.fromkeys(part, 1.0)) for number, part in enumerate(parts)]
    assert plain_table.decode(plain_table.encode(readings)) == readings
    with pytest.raises(BadReading, match="reading 1: more than 64 values in one reading"):
        plain_table.decode(plain_table.encode([Reading("m", AT, dict.fromkeys(names[:65], 1.0))]))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "first line"),
        (b"at,meter,voltage\n", "first line"),
        (b"meter,at\n", "1 to 64"),
        (b"meter,at,voltag\n", "did you mean"),
        (b"meter,at,voltage,voltage\n", "twice"),
        (b"meter,at,voltage\na,2026-11-21T01:02:03Z,1\nb,2026-11-21T01:02:03Z\n", "reading 2: 2 cells"),
        (b"meter,at,voltage\na,2026-11-21T01:02:03,1\n", "reading 1: at: .*no offset"),
        (b"meter,at,voltage\na,0001-01-01T00:00:00+14:00,1\n", "reading 1: at: .*calendar"),
        (b"meter,at,voltage\na,yesterday,1\n", "reading 1: at: "),
        (b"meter,at,voltage\na,2026-11-21T01:02:03Z,nan\n", "no number"),
        (b"meter,at,voltage\na,2026-11-21T01:02:03Z,inf\n", "no number"),
        (b"meter,at,voltage\na,2026-11-21T01:02:03Z,1_0\n", "no number"),
        (b"meter,at,voltage\na,2026-11-21T01:02:03Z,-9007199254740993\n", "reading 1: voltage: -9007199254740993 is b"),
        (b"meter,at,voltage\na,2026-11-21T01:02:03Z,\n", "no value"),
        (b"meter,at,voltage\n,2026-11-21T01:02:03Z,1\n", "name"),
        (b'meter,at,voltage\n"a,2026-11-21T01:02:03Z,1\n', "no CSV"),
        (b"meter,at,voltage\n\xff,2026-11-21T01:02:03Z,1\n", "no CSV"),
    ],
)
def test_tables_that_are_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadReading, match=message):
        plain_table.decode(body)


def test_the_row_is_told() -> None:
    with pytest.raises(BadReading) as caught:
        decode_many(TEXT + b"\n" + TEXT + b"\n" + _with("voltage", "voltag"))
    assert caught.value.row == 3
    assert reading_json.format_instant(AT) == "2026-11-21T01:02:03.000Z"


@pytest.mark.parametrize("doubt", [{}, {"voltage": array("B", [NO_DOUBT, 1])}])
def test_columns_are_written_as_their_readings(doubt: dict[str, array[int]]) -> None:
    values = {"voltage": array("d", [230.1, 231.0]), "active_energy_import": array("d", [math.nan, 25409587.0])}
    at_ms = array("q", [1_795_222_923_000, 1_795_222_923_010])
    columns = Columns("", "main-a", at_ms, array("q", [1, 2]), values, array("B", [0, 1]), doubt)
    readings = [replace(reading, site="House") for reading in columns.readings()]
    assert encode_columns(columns, "House") == [encode(reading) for reading in readings]
    assert encode_columns(columns) == [encode(reading) for reading in columns.readings()]
