"""Questions about meters, places, virtual meters, powers and sources; each answer worked out by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from plant import ENERGY, EXPORT, NOON, POWER, Plant, growing, plant, qualities, steady, values
from wattbook.codecs.reading_json import format_instant
from wattbook.engine import answer_one, by_source, integrate
from wattbook.model import BookError, Event, Quality, Reading, WattbookError


@pytest.fixture
def works(tmp_path: Path) -> Iterator[Plant]:
    with plant(tmp_path) as works:
        yield works


def test_several_meters_answer_each_for_itself(works: Plant) -> None:
    works.keep([*growing("grid", 12, 10.0), *growing("diesel", 12, 5.0)])
    grid, diesel = works.ask("grid", "diesel", every="6h")
    assert (grid.meter, values(grid)) == ("grid", [3000.0, 3600.0, 600.0])  # days begin at 23:00 UTC
    assert (diesel.meter, values(diesel)) == ("diesel", [1500.0, 1800.0, 300.0])


def test_a_sum_is_as_good_as_its_worst_part_and_missing_where_one_is(works: Plant) -> None:
    gap = [each for each in growing("diesel", 6, 5.0) if not 60 < (each.at - NOON).total_seconds() / 60 + 720 < 90]
    works.keep([*growing("grid", 12, 10.0), *gap])
    (both,) = works.ask("grid", "diesel", every="1h", together=True)
    assert both.meter == "grid + diesel" and both.parts == ["grid", "diesel"]
    assert qualities(both) == ["measured", "spread", *["measured"] * 4, *["missing"] * 6]
    assert values(both) == [900.0] * 6 + [None] * 6
    assert both.gaps == {"diesel": 6}


def test_a_register_answers_whichever_message_came_last(works: Plant) -> None:
    """A meter whose register and power come as messages of their own, as of two topics."""
    later = [replace(each, at=each.at + timedelta(seconds=1)) for each in steady("grid", 12, 60.0)]
    works.keep(later[:60])
    (power,) = works.ask("grid", every="12h", start="-12h")
    assert power.integrated == ["grid"] and values(power)[0] == pytest.approx(59.0)  # what is known so far
    works.keep([*growing("grid", 12, 10.0), *later[60:]])
    (register,) = works.ask("grid", every="6h")
    assert register.integrated == [] and values(register) == [3000.0, 3600.0, 600.0]
    assert works.reader.hot_quantities("grid") == {ENERGY, POWER} and works.reader.hot_quantities("diesel") == set()


def test_a_location_is_what_is_at_it_or_below(works: Plant) -> None:
    works.keep([*growing("heat pump", 12, 1.0), *growing("press-1", 12, 2.0), *growing("lamp", 12, 4.0)])
    works.keep(steady("probe", 12, 21.5, name="temperature"))
    assert [each.meter for each in works.ask(every="1d", locations=["plant/hall 2"])] == ["heat pump", "press-1"]
    assert [each.meter for each in works.ask("lamp", every="1d", locations=["/plant/hall 2/press/"])] == [
        "press-1",
        "lamp",
    ]
    (everything,) = works.ask(every="12h", start="-11h", locations=["/"], together=True)
    assert everything.parts == ["heat pump", "press-1", "lamp"]
    probes = works.ask(quantity="temperature", every="1d", locations=["plant"])
    assert [each.meter for each in probes] == ["probe"]


def test_a_meter_that_was_moved_counts_where_it_was(works: Plant) -> None:
    works.keep([*growing("heat pump", 12, 1.0), *growing("press-1", 12, 2.0)])
    for hours, place in ((6.5, "plant/hall 3"), (3, "plant/hall 2/corner")):
        moved = {"from": format_instant(NOON - timedelta(hours=hours)), "location": place}
        works.book.append_event(Event("meter.moved", "heat pump", NOON, moved)).result(10)
    (third,) = works.ask(every="1h", start="-8h", locations=["plant/hall 3"])
    assert (third.meter, values(third)) == ("heat pump", [0.0, 30.0, 60.0, 60.0, 60.0, 0.0, 0.0, 0.0])
    assert set(qualities(third)) == {"measured"}
    (second,) = works.ask(every="1h", start="-8h", locations=["plant/hall 2"], together=True)
    assert values(second) == [180.0, 150.0, 120.0, 120.0, 120.0, 180.0, 180.0, 180.0]
    (named, _) = works.ask("heat pump", every="1h", start="-8h", locations=["plant/hall 2"])
    assert values(named) == [60.0] * 8


def test_a_virtual_meter_is_its_formula(works: Plant) -> None:
    works.keep([*growing("grid", 12, 10.0), *growing("diesel", 12, 5.0)])
    works.keep([*growing("heat pump", 12, 20.0), *growing("press-1", 12, 2.0)])
    (house,), (rest,) = works.ask("house", every="1h"), works.ask("rest", every="1h")
    assert values(house) == [900.0] * 12
    assert values(rest) == [-360.0] * 12  # more than the house: not clipped, something is measured twice
    assert set(qualities(rest)) == {"measured"}


def test_powers_of_a_virtual_meter_are_means_of_a_common_step(works: Plant) -> None:
    works.keep([*steady("grid", 12, 1000.0), *steady("diesel", 2, 500.0)])
    (house,) = works.ask("house", quantity=POWER, every="1h")
    assert values(house)[:2] == [1500.0, 1500.0] and len(values(house)) == 3  # none, where one of them says nothing
    assert house.gaps == {"diesel": 9}


def test_the_peak_of_a_virtual_meter_is_one_of_the_same_minute(works: Plant) -> None:
    def at(meter: str, minute: int, value: float) -> Reading:
        return Reading(meter, NOON - timedelta(hours=1) + timedelta(minutes=minute), {POWER: value})

    works.keep(at("grid", minute, 900.0 if minute == 10 else 100.0) for minute in range(60))
    works.keep(at("diesel", minute, 800.0 if minute == 40 else 0.0) for minute in range(60))
    (most,) = works.ask("house", quantity=POWER, start="-1h", every="1h", aggregate="max")
    (least,) = works.ask("house", quantity=POWER, start="-1h", every="1h", aggregate="min")
    (last,) = works.ask("house", quantity=POWER, start="-1h", every="1h", aggregate="last")
    assert (values(most), values(least), values(last)) == ([900.0], [100.0], [100.0])  # not 1700


def test_a_chart_of_a_virtual_meter_chooses_its_step(works: Plant) -> None:
    works.keep([*steady("grid", 12, 1000.0), *steady("diesel", 12, 500.0)])
    (house,) = works.ask("house", quantity=POWER, points=200)
    assert house.every == "5min" and values(house) == [1500.0] * 144
    (energy,) = works.ask("house", points=20)
    assert energy.every == "1h"


def test_without_a_register_power_is_added_up_and_said_so(works: Plant) -> None:
    works.keep(steady("lamp", 2, 60.0))
    (lamp,) = works.ask("lamp", every="1h")
    assert values(lamp)[:3] == [60.0, 60.0, None]  # the third hour begins with the last reading
    assert qualities(lamp)[:3] == ["estimated", "estimated", "missing"]
    assert lamp.integrated == ["lamp"]


def test_power_counts_each_way_and_never_across_a_gap(works: Plant) -> None:
    def at(minute: float, value: float, quality: Quality = Quality.GOOD) -> Reading:
        return Reading("lamp", NOON - timedelta(hours=1) + timedelta(minutes=minute), {POWER: value}, quality)

    works.keep(at(minute, 600.0) for minute in range(11))  # ten minutes of 600 W
    works.keep(at(minute, -300.0) for minute in range(30, 41))  # after a gap ten minutes the other way
    works.keep([at(35.5, 1e6, Quality.SUSPECT)])
    (taken,) = works.ask("lamp", start="-1h", every="1h")
    (given,) = works.ask("lamp", quantity=EXPORT, start="-1h", every="1h")
    assert (values(taken), values(given)) == ([100.0], [50.0])


def test_a_register_is_believed_before_a_power(works: Plant) -> None:
    works.keep(growing("lamp", 12, 1.0))
    works.keep(
        Reading("lamp", NOON - timedelta(hours=12) + timedelta(seconds=30 + 60 * minute), {POWER: 1e4})
        for minute in range(600)
    )
    (lamp,) = works.ask("lamp", every="1h", start="-11h", end="-3h")
    assert values(lamp) == [60.0] * 8 and not lamp.integrated


def test_energy_by_source_at_the_time_it_was_used(works: Plant) -> None:
    """Six hours of the grid, then six of the generator; the press runs all the time."""
    works.keep([*growing("grid", 6, 30.0), *steady_register("grid", 6)])
    works.keep([*steady_register("diesel", 12, 1000.0)][:361])
    works.keep([*growing("diesel", 6, 10.0, ago_h=6)][1:])
    works.keep(growing("press-1", 12, 2.0))
    answers = {each.source: each for each in works.ask("press-1", every="6h", start="-12h", by="source")}
    assert list(answers) == ["utility", "generator", "unknown"]
    whole = values(works.ask("press-1", every="6h")[0])
    told = {source: sum(value or 0 for value in values(answer)) for source, answer in answers.items()}
    assert told == {"utility": 720.0, "generator": 720.0, "unknown": 0.0}
    assert [sum(parts) for parts in zip(*(values(each) for each in answers.values()), strict=True)] == whole


def steady_register(meter: str, hours: float, value: float | None = None) -> Iterator[Reading]:
    """A register that stands still, until now; as `growing` left it, unless told."""
    for minute in range(1, int(hours * 60) + 1):
        at = NOON - timedelta(hours=hours) + timedelta(minutes=minute)
        yield Reading(meter, at, {ENERGY: 1000.0 + 30.0 * 360 if value is None else value})


def test_without_any_source_energy_is_of_unknown_source(works: Plant) -> None:
    works.keep(growing("press-1", 12, 2.0))
    parts = {each.source: values(each) for each in works.ask("press-1", every="12h", start="-12h", by="source")}
    assert parts["utility"] == parts["generator"] == [0.0] * len(parts["unknown"])
    assert sum(value or 0 for value in parts["unknown"]) == 1440


def test_a_silent_source_lowers_the_quality_only(works: Plant) -> None:
    works.keep([*growing("grid", 12, 30.0), *growing("press-1", 12, 2.0)])
    utility, generator, unknown = works.ask("press-1", every="1h", by="source")
    assert values(utility) == [120.0] * 12 and values(generator) == values(unknown) == [0.0] * 12
    assert set(qualities(utility)) == {"estimated"}


def test_a_chart_keeps_the_peak(works: Plant) -> None:
    readings = list(steady("lamp", 12, 100.0))
    readings[345] = Reading("lamp", readings[345].at, {POWER: 9000.0})
    readings[456] = Reading("lamp", readings[456].at, {POWER: 1.0})
    readings[567] = Reading("lamp", readings[567].at, {POWER: 99999.0}, Quality.SUSPECT)
    works.keep(readings)
    (lamp,) = works.ask("lamp", quantity=POWER, points=50)
    assert len(lamp.series) <= 50
    assert max(value or 0 for value in values(lamp)) == 9000.0
    assert min(value or 0 for value in values(lamp)) == 1.0


def test_long_spans_are_answered_in_parts_that_do_not_show(works: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    works.keep([*steady("lamp", 72, 60.0, ago_h=72), *growing("grid", 72, 3.0, ago_h=72)])
    works.keep([*growing("press-1", 72, 2.0, ago_h=72), *growing("diesel", 20, 1.0, ago_h=30)])
    asked = [
        {"meters": ["lamp"], "every": "7h"},
        {"meters": ["lamp"], "every": "1w"},
        {"meters": ["press-1", "lamp"], "every": "1d", "by": "source"},
        {"meters": ["lamp"], "quantity": POWER, "points": 40},
    ]

    def told() -> list[list[float | None]]:
        return [
            values(answer)
            for each in asked
            for answer in works.ask(*each["meters"], start="-72h", **{k: v for k, v in each.items() if k != "meters"})
        ]

    at_once = told()
    monkeypatch.setattr(integrate, "_AT_ONCE", timedelta(hours=5))
    monkeypatch.setattr(answer_one, "_AT_ONCE", timedelta(hours=5))
    monkeypatch.setattr(by_source, "STEPS_MAX", 1)
    in_parts = told()
    assert [pytest.approx(each, abs=1e-5) for each in at_once] == in_parts
    assert sum(value or 0 for value in in_parts[1]) == pytest.approx(72 * 60)


def test_of_nothing_there_is_nothing(works: Plant) -> None:
    (power,) = works.ask("house", quantity=POWER, every="1h")
    (most,) = works.ask("house", quantity=POWER, every="1h", aggregate="max")
    assert values(power) == values(most) == [] and power.gaps == {}
    (energy,) = works.ask("rest", every="6h", start="-6h")
    assert set(values(energy)) == {None} and set(qualities(energy)) == {"missing"}
    (same,) = works.ask("house", every="1h", start="now")  # a span of no length
    assert values(same) == [None]
    assert [values(part) for part in works.ask("house", every="1h", start="now", by="source")] == [[None]] * 3


def test_the_json_is_that_of_the_design(works: Plant) -> None:
    works.keep([*growing("grid", 2, 10.5), *steady("probe", 0.1, 21.25, name="temperature")])
    (grid,) = works.ask("grid", every="1h", start="-12h", end="-9h")
    told = json.loads(grid.to_json())
    assert list(told) == ["meter", "quantity", "unit", "every", "points"]
    assert told["points"] == [
        {"at": "2026-03-10T00:00:00.000Z", "value": 630, "quality": "measured"},
        {"at": "2026-03-10T01:00:00.000Z", "value": 630, "quality": "measured"},
        {"at": "2026-03-10T02:00:00.000Z", "value": None, "quality": "missing"},
    ]
    (probe,) = works.ask("probe", quantity="temperature")
    assert json.loads(probe.to_json())["points"][0] == {
        "at": "2026-03-10T00:00:00.000Z",
        "value": 21.25,
        "quality": "good",
    }
    (nothing,) = works.ask("lamp", quantity=POWER)
    assert json.loads(nothing.to_json())["points"] == []


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"meters": ["gird"]}, 'no meter is called "gird" (did you mean "grid"?)'),
        ({"locations": ["plant/hall 3"]}, 'no meter is at "plant/hall 3" (did you mean "plant/hall 2"?)'),
        ({"meters": []}, '"meter" is missing'),
        ({"meters": ["grid"], "start": "now", "end": "-1h"}, "lies before"),
        ({"meters": ["grid"], "every": "1h", "aggregate": "meen"}, 'did you mean "mean"'),
        ({"meters": ["grid"], "every": "1 week"}, "is no step"),
        ({"meters": ["house"]}, "has no readings of its own; ask for steps"),
        ({"meters": ["house"], "quantity": "voltage", "every": "1h"}, "does not add up"),
        ({"meters": ["house"], "quantity": "active_power_max", "every": "1h"}, "does not add up"),
        ({"meters": ["grid", "lamp"], "together": True}, "ask for steps"),
        ({"meters": ["grid"], "by": "tariff", "every": "1h"}, 'by "tariff"'),
        ({"meters": ["grid"], "by": "source"}, "needs steps"),
        ({"meters": ["grid"], "by": "source", "every": "1h", "quantity": POWER}, "only active energy"),
        ({"meters": ["grid"], "by": "source", "every": "1s", "start": "-30d"}, "too long for energy by source"),
        ({"meters": ["grid"], "every": "1h", "points": 10}, 'leave out "every"'),
        ({"meters": ["grid"], "points": 3}, "from 4 to"),
        ({"meters": ["grid"], "quantity": "activ_power"}, 'did you mean "active_power"'),
        ({"locations": ["plant"], "quantity": "frequency", "every": "1h"}, "tells frequency"),
        ({"meters": ["lamp"], "every": "1y", "start": "1990-01-01"}, "no register"),
    ],
)
def test_a_wrong_question_is_answered_in_words(works: Plant, asked: dict[str, object], says: str) -> None:
    works.keep([*steady("lamp", 1, 10.0), *growing("grid", 1, 10.0)])
    meters: list[str] = asked.pop("meters", [])  # type: ignore[assignment]
    with pytest.raises(WattbookError, match=re.escape(says)):
        works.ask(*meters, **asked)  # type: ignore[arg-type]


def test_an_answer_has_an_end(works: Plant) -> None:
    works.keep(growing("grid", 1, 10.0))
    with pytest.raises(BookError, match="values; ask for steps"):
        works.ask("grid", "lamp", every="1min", start="-40d")
