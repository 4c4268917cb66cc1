"""The law of the judge: a body of readings gets the doubts and the events that its readings get one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from wattbook.engine.judge import JudgedKeeper
from wattbook.engine.judge_body import believes
from wattbook.engine.plausible import MeterJudge
from wattbook.model import Event, Kept, Quality, Reading, Readings
from wattbook.model.readings import ALIKE_MIN

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUSE = 20_000.0  # W
ENERGY, POWER = "active_energy_import", "active_power"
TIME = "operating_time"


class Remembering:
    """A Keeper that only remembers, in the order in which it was told."""

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.events: list[Event] = []

    async def keep(self, readings: Sequence[Reading]) -> Kept:
        self.readings += readings
        return Kept(tuple(range(len(readings))), new=len(readings))

    def measured(self, reading: Reading) -> None:
        self.readings.append(reading)

    def note(self, event: Event) -> None:
        self.events.append(event)


@st.composite
def bodies(draw: st.DrawFn) -> list[Reading]:
    """Registers that go on for some readings, then fall, jump or begin anew; some readings late, doubted or foreign."""
    told: list[Reading] = []
    for start in draw(st.lists(st.sampled_from([1_000_000, 0, 50_000_000]), max_size=6)):
        for _ in range(draw(st.integers(1, 5))):
            told.append(draw(reading(start + len(told), len(told))))
    return told


@st.composite
def reading(draw: st.DrawFn, register: int, place: int) -> Reading:
    values = {"active_energy_import": float(register)}
    if draw(st.booleans()):
        values["active_power"] = draw(st.sampled_from([500.0, -500.0, 21_000.0]))
    odds = draw(st.integers(0, 19))
    at = START + timedelta(seconds=10 * place - (25 if odds == 0 else 0))
    doubt = {"active_energy_import": Quality.SUSPECT} if odds == 1 else {}
    quality = Quality.SUSPECT if odds == 2 else Quality.GOOD
    meter = draw(st.sampled_from(["a"] * 5 + ["b", "unjudged"]))
    return Reading(meter, at, values, quality, doubt, "Barn" if odds == 3 else "")


@given(bodies(), st.booleans())
async def test_a_body_is_judged_as_its_readings(told: list[Reading], columns: bool) -> None:
    many, single = Remembering(), Remembering()
    keeper = JudgedKeeper(many, {"a": MeterJudge(HOUSE), "b": MeterJudge(HOUSE, apply=False)})
    await keeper.keep(Readings.of(told) if columns else told)
    keeper = JudgedKeeper(single, {"a": MeterJudge(HOUSE), "b": MeterJudge(HOUSE, apply=False)})
    for each in told:
        keeper.measured(each)
    assert many.readings == single.readings
    assert many.events == single.events


FAULTS = ("none", "jump", "fall", "power", "late", "suspect", "doubt", "foreign", "order")


@st.composite
def usual_body(draw: st.DrawFn, start: int) -> Readings:
    """Of three meters in any order, each in a form of its own; at most one thing is unusual, from one reading on."""
    told: list[Reading] = []
    fault, odd_meter, odd = draw(st.sampled_from(FAULTS)), draw(st.sampled_from("abc")), draw(st.integers(0, ALIKE_MIN))
    for meter, names in (("a", (ENERGY,)), ("b", (POWER, ENERGY, TIME)), ("c", (ENERGY, POWER))):
        for number in range(3 * ALIKE_MIN + draw(st.integers(0, 3))):
            is_odd = fault if meter == odd_meter and number >= odd and (fault != "order" or number % 2) else "none"
            energy = 1000.0 + start + number + {"jump": 1e6, "fall": -900}.get(is_odd, 0)
            values = {ENERGY: energy, POWER: 21_000.0 if is_odd == "power" else 500.0, TIME: 10.0 * (start + number)}
            at = START + timedelta(seconds=10 * (start + number) - 25 * (is_odd == "late"))
            quality = Quality.SUSPECT if is_odd == "suspect" else Quality.GOOD
            doubt = {ENERGY: Quality.SUSPECT} if is_odd == "doubt" else {}
            its = {name: values[name] for name in (names[::-1] if is_odd == "order" else names)}
            told.append(Reading(meter, at, its, quality, doubt, "Barn" if is_odd == "foreign" else ""))
    return Readings.of(sorted(told, key=lambda each: each.at) if draw(st.booleans()) else told)


def state(judges: Mapping[str, MeterJudge]) -> str:
    return str([judge.trusted([ENERGY, POWER, TIME]) for judge in judges.values()])


@given(usual_body(0), usual_body(50))
def test_a_body_that_is_believed_as_a_whole_is_believed_reading_by_reading(first: Readings, second: Readings) -> None:
    whole, single = ({name: MeterJudge(HOUSE) for name in "abc"} for _ in range(2))
    for body in (first, second):
        before = state(whole)
        believed = believes(body, whole)
        assert believed or state(whole) == before
        for each in body:
            if each.site:  # judged where it comes from
                continue
            verdict = single[each.meter].judge(each)
            assert not (believed and verdict.doubt)
            if not believed:
                whole[each.meter].judge(each)
        assert state(whole) == state(single)


def test_a_usual_body_is_believed_as_a_whole() -> None:
    judges = {name: MeterJudge(HOUSE) for name in "ab"}
    for first in (0, 200):
        numbers = range(first, first + 200)
        told = [Reading("ab"[number % 2], START + timedelta(seconds=number), {ENERGY: number}) for number in numbers]
        assert believes(Readings.of(told), judges)
    assert not believes(Readings.of(told), judges)  # late now
    (its,) = judges["b"].trusted([ENERGY])
    assert its.value == 399
