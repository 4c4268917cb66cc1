"""Laws of questions, in zones whose clocks change by 30 minutes, stand 45 minutes off, or never change.

Any split of a span adds up; a virtual meter is the formula of its parts; the parts by source are the whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from plant import ENERGY, METERS, POWER, Plant, plant
from wattbook.engine.answer import Answer
from wattbook.engine.integrate import integral
from wattbook.model import Quality, Reading

CHANGES = {  # a local day on which the clocks change, or any where they never do
    "Australia/Lord_Howe": "2026-04-05",  # by half an hour
    "Australia/Eucla": "2026-04-05",  # 8:45 off, no changes
    "Asia/Kathmandu": "2026-04-05",  # 5:45 off, no changes
    "America/St_Johns": "2026-03-08",  # 3:30 off, by an hour
    "Europe/Prague": "2026-03-29",
    "Pacific/Chatham": "2026-04-05",  # 12:45 off, by an hour
    "Asia/Tokyo": "2026-04-05",
}
EXAMPLES = settings(max_examples=40)
NAMES = ("grid", "diesel", "heat pump", "press-1")
SLOW = METERS.replace('"1min"', '"1h"')  # so that a few readings make a day, with and without gaps


@st.composite
def told(draw: st.DrawFn, meter: str, start: datetime, name: str = ENERGY) -> list[Reading]:
    """Two days of readings, some an hour apart, with gaps, some of them suspect."""
    at, value = start + timedelta(minutes=draw(st.integers(0, 600))), draw(st.integers(0, 10**6))
    readings = []
    growths = st.tuples(st.sampled_from([20, 60, 60, 60, 75, 75, 400]), st.integers(0, 900), st.integers(0, 19))
    most = draw(st.sampled_from([0, 3, 80, 80, 80]))
    for minutes, growth, luck in draw(st.lists(growths, min_size=most // 2, max_size=most)):
        value = value + growth if name == ENERGY else growth - 300
        quality = Quality.GOOD if luck else Quality.SUSPECT
        readings.append(Reading(meter, at, {name: value / 10}, quality))
        at += timedelta(minutes=minutes)
    return readings


@st.composite
def houses(draw: st.DrawFn) -> tuple[str, list[Reading]]:
    """A zone, and what the meters of the plant told around a change of its clocks."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    start = _midnight(zone, -1)
    return zone, [reading for meter in NAMES for reading in draw(told(meter, start))]


def _midnight(zone: str, days: int) -> datetime:
    day = datetime.fromisoformat(CHANGES[zone]).replace(tzinfo=ZoneInfo(zone)) + timedelta(days=days)
    return day.astimezone(UTC)


@contextmanager
def filled(zone: str, readings: Sequence[Reading]) -> Iterator[Plant]:
    with TemporaryDirectory() as folder, plant(Path(folder), zone, SLOW) as works:
        works.keep(readings)
        yield works


def asked(works: Plant, zone: str, *meters: str, **more: object) -> Sequence[Answer]:
    """Three local days around the change."""
    start, end = (_midnight(zone, days).isoformat() for days in (-1, 2))
    return works.ask(*meters, **{"start": start, "end": end, **more})


def by_instant(answer: Answer) -> dict[datetime, float | None]:
    return {point.at: point.value for point in answer.series}


def total(answer: Answer) -> float | None:
    known = [point.value for point in answer.series if point.value is not None]
    return sum(known) if known else None


def same(one: float | None, other: float | None) -> bool:
    return one is other if one is None or other is None else math.isclose(one, other, abs_tol=1e-3)


@given(houses(), st.sampled_from(["7min", "30min", "1h", "5h", "1d"]))
@EXAMPLES
def test_the_days_of_a_clock_change_add_up(house: tuple[str, list[Reading]], every: str) -> None:
    zone, readings = house
    with filled(zone, readings) as works:
        for meter in NAMES:
            (days,), (short,) = asked(works, zone, meter, every="1d"), asked(works, zone, meter, every=every)
            assert len(days.series) == 3
            assert [point.at for point in days.series] == [_midnight(zone, day) for day in (-1, 0, 1)]
            for point, end in zip(days.series, [_midnight(zone, day) for day in (0, 1, 2)], strict=True):
                parts = [part.value for part in short.series if point.at <= part.at < end]
                known = [value for value in parts if value is not None]
                assert same(point.value, sum(known) if known else None)


@given(houses(), st.sampled_from(["20min", "1h", "1d"]))
@EXAMPLES
def test_a_virtual_meter_is_the_formula_of_its_parts(house: tuple[str, list[Reading]], every: str) -> None:
    zone, readings = house
    with filled(zone, readings) as works:
        parts = [by_instant(answer) for answer in asked(works, zone, *NAMES, every=every)]
        answers = asked(works, zone, "house", "rest", every=every), asked(works, zone, *NAMES, every=every)
        (home, rest), single = ([list(answer.series) for answer in several] for several in answers)
        for place, (point, other) in enumerate(zip(home, rest, strict=True)):
            grid, diesel, pump, press = (part[point.at] for part in parts)
            assert same(point.value, None if grid is None or diesel is None else grid + diesel)
            if point.value is None or pump is None or press is None:
                assert other.value is None and other.quality == "missing"
            else:
                assert same(other.value, point.value - pump - press / 2)
                order = ["measured", "spread", "estimated", "missing"]
                assert other.quality == max((others[place].quality for others in single), key=order.index)


@given(houses(), st.sampled_from(["7min", "20min", "1h", "1d"]), st.sampled_from(["press-1", "house", "rest"]))
@EXAMPLES
def test_parts_by_source_are_the_whole(house: tuple[str, list[Reading]], every: str, meter: str) -> None:
    zone, readings = house
    with filled(zone, readings) as works:
        (whole,) = asked(works, zone, meter, every=every)
        parts = asked(works, zone, meter, every=every, by="source")
        assert [part.source for part in parts] == ["utility", "generator", "unknown"]
        for point, *shares in zip(whole.series, *(part.series for part in parts), strict=True):
            assert {share.at for share in shares} == {point.at}
            known = [share.value for share in shares if share.value is not None]
            assert len(known) in (0, len(shares))
            assert same(point.value, sum(known) if known else None)
            assert all((share.value is None) == (share.quality == "missing") for share in shares)


@given(st.data(), st.sampled_from(sorted(CHANGES)), st.sampled_from(["7min", "1h"]))
@EXAMPLES
def test_energy_from_power_adds_up_too(data: st.DataObject, zone: str, every: str) -> None:
    readings = data.draw(told("lamp", _midnight(zone, -1), POWER))
    with filled(zone, readings) as works:
        (days,), (short,) = asked(works, zone, "lamp", every="1d"), asked(works, zone, "lamp", every=every)
        assert same(total(days), total(short))
        assert {point.quality for point in short.series} <= {"estimated", "missing"}


_at = st.lists(st.integers(0, 3_600), min_size=2, max_size=60, unique=True).map(sorted)


@given(_at, st.data(), st.sampled_from([1, -1]))
def test_an_integral_counts_covered_time_only(at_s: list[int], data: st.DataObject, sign: int) -> None:
    """Against the rule as it is said: straight lines of at most two periods, of one direction."""
    watts = data.draw(st.lists(st.integers(-2000, 2000), min_size=len(at_s), max_size=len(at_s)))
    edges = [0, 1_000_000, 1_800_000, 3_600_000]
    energy, covered = integral(
        np.array(at_s) * 1000, np.array(watts, np.float64), sign, np.array(edges), period_ms=60_000
    )
    expected_ms = expected = 0.0
    for (begin, before), (end, after) in pairwise(zip(at_s, watts, strict=True)):
        if end - begin <= 120:
            expected_ms += (end - begin) * 1000
            expected += (max(sign * before, 0) + max(sign * after, 0)) / 2 * (end - begin) / 3600
    assert covered.sum() == expected_ms
    assert math.isclose(energy.sum(), expected, abs_tol=1e-6)
    assert (energy >= -1e-9).all()
