"""The hours of the week: energy folded onto the site's clock, also when it changes."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from api_house import House, house, pzem
from wattbook.engine.hours import CELLS, Week, week_of
from wattbook.model import EnergyQuality, Series, Span
from wattbook.model.series import ENERGY_QUALITIES
from wattbook.store import Step
from wattbook.store.steps import boundaries

PRAGUE = ZoneInfo("Europe/Prague")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clocks change by half an hour
SUNDAY = 6 * 24
ENERGY = "active_energy_import"


def folded(zone: ZoneInfo, first: datetime, days: int, energy: list[float] | None = None) -> Week:
    """A week of half hours of 500 Wh each, or of these."""
    start = first.replace(tzinfo=zone)
    span = Span(start.astimezone(UTC), (start + timedelta(days=days)).astimezone(UTC))
    at = boundaries(span, Step(30, "min"), zone)[:-1]
    values = energy or [500.0] * len(at)
    codes = [3 if value != value else 0 for value in values]
    series = Series(array("q", at), array("d", values), array("B", codes), ENERGY_QUALITIES)
    return week_of(series, span, zone)


def test_a_plain_week_has_every_hour_once() -> None:
    week = folded(PRAGUE, datetime(2026, 11, 2), 7)
    assert list(week.hours) == [1.0] * CELLS and list(week.energy) == [1000.0] * CELLS
    assert set(week.quality) == {EnergyQuality.MEASURED}


@pytest.mark.parametrize(
    ("zone", "day", "hour", "hours"),
    [
        (PRAGUE, datetime(2026, 10, 25), 2, 2.0),  # comes twice
        (PRAGUE, datetime(2026, 3, 29), 2, 0.0),  # is skipped
        (LORD_HOWE, datetime(2026, 4, 5), 1, 1.5),
        (LORD_HOWE, datetime(2026, 10, 4), 2, 0.5),
    ],
)
def test_hours_where_the_clock_changes_count_as_long_as_they_were(
    zone: ZoneInfo, day: datetime, hour: int, hours: float
) -> None:
    week = folded(zone, day, 1)
    assert week.hours[SUNDAY + hour] == hours and week.energy[SUNDAY + hour] == 1000.0 * hours
    assert [week.hours[SUNDAY + other] for other in range(24) if other != hour] == [1.0] * 23
    assert sum(week.hours) == sum(week.hours[SUNDAY:])


def test_what_is_not_known_is_no_zero() -> None:
    week = folded(PRAGUE, datetime(2026, 11, 2), 1, [float("nan")] * 3 + [500.0] * 45)
    assert (week.hours[0], week.missing[0], week.quality[0]) == (0.0, 1.0, EnergyQuality.MISSING)
    assert (week.hours[1], week.missing[1], week.energy[1]) == (0.5, 0.5, 500.0)
    assert (week.hours[30], week.quality[30]) == (0.0, EnergyQuality.MISSING)  # Tuesday was not asked for


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:  # Saturday 21 November 2026, 13:00 in Prague
        home.keep(*(pzem("main-a", ago_s=7200 - 60 * k, energy=1000.0 + 10 * k) for k in range(121)))
        yield home


async def test_places_are_asked_level_by_level(home: House) -> None:
    top = (await home.client.get("/api/v1/hours?from=-2h")).json()
    assert [(each["location"], each["deeper"]) for each in top["places"]] == [("house", True)]
    assert top["unit"] == "Wh" and top["from"] == "2026-11-21T10:00:00.000Z"
    below = (await home.client.get("/api/v1/hours?from=-2h&location=house")).json()
    (panel,) = below["places"]  # the heat pump's cellar never told any energy
    assert (panel["location"], panel["meters"]) == ("house/panel", ["main-a"])
    saturday = 5 * 24
    assert panel["energy"][saturday + 11 : saturday + 13] == [600.0, 600.0] and sum(panel["hours"]) == 2.0
    leaf = (await home.client.get("/api/v1/hours?from=-2h&location=house/panel/a")).json()
    assert [(each["location"], each["deeper"]) for each in leaf["places"]] == [("house/panel/a", False)]


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("location=hause", 404, 'did you mean "house'),
        ("quantity=voltage", 400, "active energy"),
        ("from=2020-01-01", 400, "1100 days"),
        ("from=now&to=-1h", 400, "lies before"),
        ("from=soon", 400, "is no instant"),
    ],
)
async def test_wrong_questions_about_hours_are_told(home: House, query: str, status: int, says: str) -> None:
    answer = await home.client.get(f"/api/v1/hours?{query}")
    assert answer.status_code == status and says in answer.json()["error"], answer.text


async def test_a_sum_of_each_location(home: House) -> None:
    where = "location=house/panel&location=house&by=location"
    answers = (await home.client.get(f"/api/v1/query?from=-2h&every=1h&quantity={ENERGY}&{where}")).json()
    assert [(each["meter"], [point["value"] for point in each["points"]]) for each in answers] == [
        ("house/panel", [600, 600]),
        ("house", [600, 600]),
    ]
    refused = await home.client.get(f"/api/v1/query?quantity={ENERGY}&meter=barn&by=location")
    assert refused.status_code == 400 and 'needs one "location"' in refused.json()["error"]
