"""The house of seeds/001 as its meters tell of it: two legs of the utility, a generator behind an interlock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from wattbook.engine.supply import Evidence, Memory, Supply, SupplyRule
from wattbook.model import Event, Reading
from wattbook.model.batch import to_ms

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EVERY_S = 5.0
RULE = SupplyRule({"main-a": 15.0, "main-b": 15.0}, {"generator": 15.0})
METERS = ("main-a", "main-b", "generator")
BEHIND_S = 0.1  # between two meters of a line


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def reading(meter: str, second: float, *, volts: float = 121.0, amps: float = 2.0) -> Reading:
    return Reading(meter, at(second), {"voltage": volts, "current": amps, "active_power": volts * amps})


def told(fed_by: str, start: float, end: float, *, meters: Sequence[str] = METERS) -> Iterator[Reading]:
    """What the meters tell while the house is fed by "utility" or "generator"; nothing while it is "dark".

    Through the interlock all meters have voltage whichever it is; the current tells.
    """
    rounds = int((end - start) / EVERY_S) if fed_by != "dark" else 0
    for number in range(rounds):
        for place, meter in enumerate(meters):
            flows = (meter == "generator") == (fed_by == "generator")
            yield reading(meter, start + number * EVERY_S + place * BEHIND_S, amps=2.0 if flows else 0.0)


def evidence(readings: Iterable[Reading], rule: SupplyRule = RULE) -> list[Evidence]:
    return [found for each in readings if (found := rule.evidence(each)) is not None]


def history(readings: Iterable[Reading], *, until: float, rule: SupplyRule = RULE) -> list[Event]:
    """All events of a run that heard these readings and then nothing more."""
    supply = Supply(rule, Memory())
    supply.begin(to_ms(START), boot="first")
    return [*supply.take(evidence(readings, rule)), *supply.take((), until=to_ms(at(until)))]


def in_short(events: Iterable[Event]) -> list[tuple[str, float]]:
    """What feeds the house from which second on."""
    return [(event.kind.removeprefix("supply."), (event.at - START).total_seconds()) for event in events]
