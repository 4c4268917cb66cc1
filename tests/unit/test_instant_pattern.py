from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.model.batch import from_ms, to_ms
from wattbook.model.instant_pattern import iso, parse_instant_form

PRAGUE = ZoneInfo("Europe/Prague")
INSTANTS = st.integers(to_ms(datetime(1970, 1, 1, tzinfo=UTC)), to_ms(datetime(2200, 1, 1, tzinfo=UTC)))
ZONES = st.sampled_from(["UTC", "Europe/Prague", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"])


def _written(form: str, *instants: str, zone: ZoneInfo = PRAGUE) -> list[object]:
    return parse_instant_form(form, zone)([to_ms(datetime.fromisoformat(each)) for each in instants])


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("", "2026-07-01T22:03:04.050Z"),
        ("iso", "2026-07-01T22:03:04.050Z"),
        ("local", "2026-07-02 00:03:04"),
        ("YYYY-MM-DD HH:MM:SS", "2026-07-02 00:03:04"),
        ("utc YYYY-MM-DD HH:MM:SS", "2026-07-01 22:03:04"),
        ("DD.MM.YY", "02.07.26"),
        ("HH:MM MM/DD", "00:03 07/02"),
        ("YYYYMMDDTHHMMSS", "20260702T000304"),
        ("YYYY-MM-DDTHH:MM:SS.mmmZZ", "2026-07-02T00:03:04.050+02:00"),
        ("100% YYYY", "100% 2026"),
    ],
)
def test_forms(form: str, text: str) -> None:
    assert _written(form, "2026-07-01T22:03:04.050Z") == [text]


def test_numbers_and_datetimes() -> None:
    at = "2026-07-01T22:03:04.050Z"
    assert _written("epoch", at) == [1782943384.05]
    assert _written("epoch_ms", at) == [1782943384050]
    assert _written("epoch_ns", at) == [1782943384050000000]
    assert _written("instant", at) == [datetime(2026, 7, 1, 22, 3, 4, 50000, tzinfo=UTC)]
    assert _written("clock", at) == [datetime(2026, 7, 2, 0, 3, 4, 50000)]


def test_the_hour_that_is_left_out_in_spring() -> None:
    before, after = "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z"
    assert _written("local", before, after) == ["2026-03-29 01:59:59", "2026-03-29 03:00:00"]


def test_the_hour_that_comes_twice_in_autumn_has_two_offsets() -> None:
    first, second = "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"
    assert _written("local", first, second) == ["2026-10-25 02:30:00"] * 2
    assert _written("HH:MM ZZ", first, second) == ["02:30 +02:00", "02:30 +01:00"]


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ("JJJJ-MM-TT", '"JJJJ" is none of'),
        ("Epoch", '"Epoch" is none of'),
        ("yyyy", '"yyyy" is none of'),
        ("utc HHhMM", '"hMM" is none of'),
        ("T", "one is"),
        ("--", "one is"),
        ("%", "one is"),
        ("utc ", "one is"),
        ("YYYÝ", "is none of"),
    ],
)
def test_what_is_no_form_is_told_in_words(form: str, says: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_instant_form(form, PRAGUE)
    assert says in str(raised.value) and "is no form of an instant" in str(raised.value)


@given(st.lists(INSTANTS, max_size=5))
def test_iso_is_what_a_datetime_says(at_ms: list[int]) -> None:
    assert iso(at_ms) == [
        from_ms(each).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z" for each in at_ms
    ]


@given(INSTANTS, ZONES)
def test_a_pattern_with_the_offset_is_read_back_in_any_zone(at_ms: int, zone: str) -> None:
    (text,) = parse_instant_form("YYYY-MM-DDTHH:MM:SS.mmmZZ", ZoneInfo(zone))([at_ms])
    assert to_ms(datetime.fromisoformat(str(text))) == at_ms


@given(INSTANTS, ZONES)
def test_a_clock_shows_what_the_local_text_says(at_ms: int, zone: str) -> None:
    (clock,) = parse_instant_form("clock", ZoneInfo(zone))([at_ms])
    (text,) = parse_instant_form("local", ZoneInfo(zone))([at_ms])
    assert str(clock)[:19] == text


@given(st.text(st.sampled_from("YMDHSmZT:-. %uthcx"), max_size=20))
def test_any_text_is_a_form_or_a_value_error(form: str) -> None:
    try:
        write = parse_instant_form(form, PRAGUE)
    except ValueError as error:
        assert form in str(error) or form.removeprefix("utc ") in str(error)
    else:
        assert len(write([0, 1])) == 2
