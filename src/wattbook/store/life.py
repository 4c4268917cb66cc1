"""The events of a meter's life: what was dated in the journal, and what it means for one of the meter's quantities.

Kinds and bodies; `from` is the instant the fact holds from (the event's own `at` is when it was entered), `why` says
why, and an instant or a number that nobody knows is left out:

    meter.installed  {from, registers: {quantity: {after}}}
    meter.replaced   {from, registers: {quantity: {before, after}}}   the old meter's last value, the new one's first
    meter.reset      {from, registers: {quantity: {before, after}}}
    meter.rollover   {from, registers: {quantity: {modulus}}}
    meter.ratio      {from, ct, pt}                factors from then on; energies and powers by both, others by one
    meter.rewired    {from, swap, turn, phases}    import and export exchanged, signs turned, which phase is which
    meter.moved      {from, location}
    meter.undone     {undoes: number}

Readings are never rewritten by them (design, rule 4): whoever asks history gets them laid over it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from wattbook.model import Event
from wattbook.model.batch import AFTER_ALL_MS, BEFORE_ALL_MS, from_ms, to_ms
from wattbook.model.vocabulary import UnknownQuantity, quantity
from wattbook.store.event_rows import events_about

INSTALLED, REPLACED, RESET, ROLLOVER = "meter.installed", "meter.replaced", "meter.reset", "meter.rollover"
RATIO, REWIRED, MOVED, UNDONE = "meter.ratio", "meter.rewired", "meter.moved", "meter.undone"
BREAKS = (INSTALLED, REPLACED, RESET, ROLLOVER)  # a register goes on from another value
OVERLAYS = (*BREAKS, RATIO, REWIRED, MOVED)
CORRECTED, ACCEPTED, DROPPED = "meter.corrected", "meter.accepted", "meter.dropped"  # readings were written anew
PROPOSED = "meter.proposed"  # recognised, and left for somebody to decide
LIFE = (*OVERLAYS, UNDONE, CORRECTED, ACCEPTED, DROPPED, PROPOSED)
PHASES = ("l1", "l2", "l3")


@dataclass(frozen=True, slots=True)
class Break:
    """From an instant on a register counts on from another value."""

    at_ms: int
    before: float | None  # the register just before; None = nobody knows, so what its last reading told
    after: float | None  # just after; None = what its first reading told
    dated: bool = True  # the instant is when it happened; else it happened somewhere between two readings

    @property
    def known(self) -> bool:
        """Whether nothing between the readings around it is lost."""
        return self.before is not None and self.after is not None


@dataclass(frozen=True, slots=True)
class Era:
    """A stretch in which one quantity is told by one quantity of the meter, times a factor."""

    from_ms: int
    to_ms: int
    told_as: str
    factor: float


@dataclass(frozen=True, slots=True)
class Life:
    """What happened to one meter, by the instants it holds from."""

    events: tuple[Event, ...] = ()  # of OVERLAYS, without undone ones

    def breaks(self, name: str) -> list[Break]:
        """Where a register, as the meter tells it, goes on from another value: of one instant what was entered last."""
        found = {brk.at_ms: brk for event in self.events if event.kind in BREAKS and (brk := _break(event, name))}
        return list(found.values())

    def eras(self, name: str) -> list[Era]:
        """What a quantity is told by, from the beginning of time to its end."""
        changes: dict[int, tuple[Event | None, Event | None]] = {BEFORE_ALL_MS: (None, None)}
        ratio = wiring = None
        for event in self.events:
            if event.kind == RATIO:
                ratio = event
            elif event.kind == REWIRED:
                wiring = event
            else:
                continue
            changes[from_of(event)] = ratio, wiring
        starts = [*changes, AFTER_ALL_MS]
        eras = [Era(start, end, *_told(name, *changes[start])) for start, end in pairwise(starts)]
        return _merged(eras)

    def locations(self) -> list[tuple[datetime, str]]:
        """Where the meter was moved to, and when."""
        return [(from_ms(from_of(event)), event.body["location"]) for event in self.events if event.kind == MOVED]


def life_of(connection: sqlite3.Connection, site: str, meter: str) -> Life:
    """The life of a meter; another site's meters live in that site's own book."""
    return lived(events_of(connection, meter)) if not site else Life()


def events_of(connection: sqlite3.Connection, meter: str) -> list[Event]:
    """All that was entered about a meter's life and its readings, in the order of their numbers."""
    return events_about(connection, meter, LIFE)


def lived(events: Sequence[Event]) -> Life:
    """What holds of these."""
    undone = undone_numbers(events)
    holding = [event for event in events if event.kind in OVERLAYS and event.seq not in undone]
    return Life(tuple(sorted(holding, key=lambda event: (from_of(event), event.seq))))


def undone_numbers(events: Sequence[Event]) -> set[int]:
    """The numbers of events that others undid."""
    return {event.body["undoes"] for event in events if event.kind == UNDONE}


def from_of(event: Event) -> int:
    """The instant an event holds from, in ms since 1970 UTC: when it was entered, where it does not say."""
    told = event.body.get("from")
    return to_ms(datetime.fromisoformat(told) if told else event.at)


def _break(event: Event, name: str) -> Break | None:
    register: Mapping[str, float] | None = event.body.get("registers", {}).get(name)
    if register is None:
        return None
    if event.kind == ROLLOVER:
        return Break(from_of(event), register["modulus"], 0.0, dated=False)
    return Break(from_of(event), register.get("before"), register.get("after"))


def _told(name: str, ratio: Event | None, wiring: Event | None) -> tuple[str, float]:
    """The meter's own quantity that stands for this one, and what its values are multiplied by."""
    told_as, sign = _wired(name, wiring.body) if wiring else (name, 1.0)
    return told_as, sign * (_factor(told_as, ratio.body) if ratio else 1.0)


def _wired(name: str, body: Mapping[str, Any]) -> tuple[str, float]:
    told_as, sign = name, 1.0
    if phases := body.get("phases"):
        told_as = _of_phase(told_as, dict(zip(PHASES, phases, strict=True)))
    turned = bool(body.get("turn"))
    if bool(body.get("swap")) != turned:  # both at once cancel in the registers
        told_as = _exchanged(told_as)
    if turned and name.startswith(("active_power", "reactive_power", "power_factor")):
        sign = -1.0
        told_as = _exchanged(told_as, "_max", "_min")
    return told_as, sign


def _of_phase(name: str, phases: Mapping[str, str]) -> str:
    return "_".join(phases.get(part, part) for part in name.split("_"))


def _exchanged(name: str, one: str = "energy_import", other: str = "energy_export") -> str:
    if one in name:
        return name.replace(one, other)
    return name.replace(other, one)


def _factor(name: str, body: Mapping[str, Any]) -> float:
    try:
        unit = quantity(name).unit
    except UnknownQuantity:
        return 1.0
    ct, pt = body.get("ct", 1.0), body.get("pt", 1.0)
    if unit == "A":
        return float(ct)
    if unit == "V":
        return float(pt)
    return float(ct * pt) if unit in ("W", "var", "VA", "Wh", "varh", "VAh") else 1.0


def _merged(eras: Sequence[Era]) -> list[Era]:
    """Without boundaries at which nothing changes."""
    merged: list[Era] = []
    for era in eras:
        if merged and (merged[-1].told_as, merged[-1].factor) == (era.told_as, era.factor):
            merged[-1] = Era(merged[-1].from_ms, era.to_ms, era.told_as, era.factor)
        else:
            merged.append(era)
    return merged


def within(eras: Sequence[Era], from_ms: int, to_ms: int) -> Iterator[Era]:
    """The eras that a span touches, cut to it."""
    for era in eras:
        start, end = max(era.from_ms, from_ms), min(era.to_ms, to_ms)
        if start < end:
            yield Era(start, end, era.told_as, era.factor)
