"""The law of the judge: a body of readings gets the doubts and the events that its readings get one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from wattbook.engine.judge import JudgedKeeper
from wattbook.engine.plausible import MeterJudge
from wattbook.model import Event, Kept, Quality, Reading, Readings

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUSE = 20_000.0  # W


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


@settings(deadline=None)
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
