"""Changes that somebody makes to a meter's life and to its readings: each is one event with who, when and why.

An event says what holds from an instant on and rewrites nothing. A correction writes readings anew and keeps in its
event what they were, so that both can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from wattbook.codecs import reading_json
from wattbook.codecs.reading_json import format_instant
from wattbook.engine.plausible import bounds
from wattbook.engine.recognise_break import Told, could_follow
from wattbook.model import BookError, Clock, Event, Quality, Reading, Span
from wattbook.model.reading import EMPTY
from wattbook.store import Book, BookReader
from wattbook.store.life import ACCEPTED, BREAKS, CORRECTED, DROPPED, UNDONE, undone_numbers

AT_ONCE_MAX = 2_000  # readings in one correction: some 50 ms of the writer
CHANGED_MAX = 200_000  # readings by one command: eleven days at 5 s; more is asked for in parts
_DOUBTED_FOR = timedelta(days=62)  # that somebody may wait before deciding, and need not say since when
_LOOK_AROUND = timedelta(days=1)  # for the nearest reading
_FIRST_FEW = 3  # readings: the first of a new device may be wrong, not all of them


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, and why."""

    actor: str
    why: str
    more: Mapping[str, Any] = field(default_factory=dict)  # into the event's body


@dataclass(slots=True)
class Amender:
    """Writes changes into the book. Blocks its caller; raises BookError."""

    book: Book
    reader: BookReader
    clock: Clock
    power_max: Callable[[str], float]  # of a meter, in W
    changed: Callable[[str, bool], None] = lambda meter, undone: None  # told before readings are looked for, and after

    def enter(self, meter: str, kind: str, body: Mapping[str, Any], by: By) -> list[int]:
        """Write an event of a meter's life down; return the numbers of what was written.

        Where registers go on from another value, what was doubted since is good: it is written anew with it.
        """
        if kind not in BREAKS or "registers" not in body:
            return self._write(meter, kind, body, by, ())
        self.changed(meter, False)
        self._settle()
        freed = self._freed(meter, datetime.fromisoformat(body["from"]), body["registers"])
        return self._write(meter, kind, body, by, freed)

    def correct(self, meter: str, at: datetime, values: Mapping[str, float], by: By) -> list[int]:
        """Put other values into the reading of an instant. Raises BookError with the nearest one."""
        self._settle()
        old = self._reading_at(meter, at)
        doubt = {name: quality for name, quality in old.doubt.items() if name not in values}
        if old.quality is not Quality.GOOD:
            doubt = {name: old.doubt.get(name, old.quality) for name in old.values if name not in values}
        new = Reading(meter, old.at, {**old.values, **values}, doubt=_told(doubt))
        numbers = self._write(meter, CORRECTED, {"from": format_instant(old.at)}, by, [(old, new)])
        self.changed(meter, True)
        return numbers

    def accept(self, meter: str, span: Span, names: Sequence[str], by: By) -> list[int]:
        """Call suspect values of a span good. Raises BookError when there are none."""
        return self._judge(meter, ACCEPTED, span, names, by, _accepted)

    def drop(self, meter: str, span: Span, names: Sequence[str], by: By) -> list[int]:
        """Take suspect values of a span out of their readings. Raises BookError when there are none."""
        return self._judge(meter, DROPPED, span, names, by, _dropped)

    def undo(self, meter: str, number: int, by: By) -> list[int]:
        """Undo an event: what it laid over history is taken away, readings that it wrote anew are as they were."""
        events = self.reader.life_events(meter)
        event = next((each for each in events if each.seq == number), None)
        if event is None:
            raise BookError(
                f'nothing in the life of "{meter}" has the number {number}; see `wattbook meter show {meter}`'
            )
        if event.kind == UNDONE:
            raise BookError(f"number {number} undid number {event.body['undoes']}; enter that one again instead")
        if number in undone_numbers(events):
            raise BookError(f"number {number} is undone already")
        numbers = []
        parts = [each for each in events if each.body.get("part_of") == number]
        _check_untouched(event, parts, events)
        for each in [*reversed(parts), event]:
            was = [_reading(row) for row in each.body.get("was", ())]
            numbers.append(self._commit(was, self._event(meter, UNDONE, {"undoes": each.seq}, by)))
        self.changed(meter, True)
        return numbers

    def first_doubted(self, meter: str) -> datetime | None:
        """The instant of the first suspect register after all registers were good; None = none is in doubt."""
        self._settle()
        if meter not in self.reader.meters():
            return None
        now, last = self.clock.now(), self.reader.last_registers(meter)
        since = max(min((at for at, _ in last.values()), default=now), now - _DOUBTED_FOR)
        for reading, names in self._suspects(meter, Span(since, now + _LOOK_AROUND), list(last)):
            if any(reading.at > last[name][0] for name in names):
                return reading.at
        return None

    def doubted_since(self, meter: str, name: str, at: datetime) -> datetime:
        """The first of the suspect readings of a register that the one of an instant goes on from; else that instant.

        A run of the daemon that has just begun does not know of those that came before it.
        """
        self._settle()
        run: list[tuple[datetime, float]] = []
        for reading in self._readings(meter, Span(at - _LOOK_AROUND, at + timedelta(milliseconds=1))):
            value = reading.values.get(name)
            if value is None:
                continue
            if name in dict(reading.good_values()):
                run.clear()
                continue
            if run and value < run[-1][1]:
                run.clear()
            run.append((reading.at, value))
        return run[0][0] if run else at

    def fallen(self, meter: str, since: datetime) -> list[str]:
        """The registers that told less from an instant on than before; all, where nothing was told since."""
        if meter not in self.reader.meters():
            return []
        first: dict[str, float] = {}
        for reading in self._readings(meter, Span(since, since + _LOOK_AROUND)):
            for name, value in reading.values.items():
                first.setdefault(name, value)
        last = {name: self.last_before(meter, name, since) for name in self.reader.last_registers(meter)}
        return [name for name, told in last.items() if name not in first or (told and first[name] < told[1])]

    def last_before(self, meter: str, name: str, at: datetime) -> tuple[datetime, float] | None:
        """The last good value of a quantity before an instant, looked for as far back as a day."""
        found = None
        if meter in self.reader.meters():
            for reading in self._readings(meter, Span(at - _LOOK_AROUND, at)):
                values = dict(reading.good_values())
                found = (reading.at, values[name]) if name in values else found
        return found

    def first_after(self, meter: str, name: str, at: datetime) -> list[tuple[datetime, float]]:
        """The first good value of a quantity from an instant on, within a day; where none is, the first few at all."""
        doubted: list[tuple[datetime, float]] = []
        for reading in self._readings(meter, Span(at, at + _LOOK_AROUND)) if meter in self.reader.meters() else ():
            values = dict(reading.good_values())
            if name in values:
                return [(reading.at, values[name])]
            if name in reading.values and len(doubted) < _FIRST_FEW:
                doubted.append((reading.at, reading.values[name]))
        return doubted

    def could_follow(
        self, meter: str, name: str, before: tuple[datetime, float], after: tuple[datetime, float]
    ) -> bool:
        """Whether a register of this meter can have gone from one value to the other in that time."""
        its = bounds(name, self.power_max(meter))
        earlier, later = (Told(at.timestamp(), value) for at, value in (before, after))
        return could_follow(earlier, later, its.slack, its.fastest_per_s)

    def _judge(
        self,
        meter: str,
        kind: str,
        span: Span,
        names: Sequence[str],
        by: By,
        change: Callable[[Reading, Sequence[str]], Reading],
    ) -> list[int]:
        if kind == ACCEPTED:
            self.changed(meter, False)
        self._settle()
        found = [(old, change(old, suspects)) for old, suspects in self._suspects(meter, span, names)]
        if not found:
            raise BookError(f'"{meter}" has no suspect value in that time')
        body = {"from": format_instant(span.start), "to": format_instant(span.end), "quantities": list(names)}
        numbers = self._write(meter, kind, body, by, found)
        if kind == DROPPED:
            self.changed(meter, True)
        return numbers

    def _write(
        self, meter: str, kind: str, body: Mapping[str, Any], by: By, found: Sequence[tuple[Reading, Reading]]
    ) -> list[int]:
        """One event for so many readings as fit, and further ones that belong to it."""
        numbers: list[int] = []
        for start in range(0, max(1, len(found)), AT_ONCE_MAX):
            part = found[start : start + AT_ONCE_MAX]
            its = dict(body) if not numbers else {"from": body["from"], "part_of": numbers[0]}
            if part:
                its["was"] = [msgspec.Raw(reading_json.encode(old)) for old, _ in part]
            event = self._event(meter, kind if not numbers else ACCEPTED if kind in BREAKS else kind, its, by)
            numbers.append(self._commit([new for _, new in part], event))
        return numbers

    def _commit(self, readings: Sequence[Reading], event: Event) -> int:
        return self.book.correct(readings, event).result()

    def _event(self, meter: str, kind: str, body: Mapping[str, Any], by: By) -> Event:
        return Event(kind, meter, self.clock.now(), {**body, **by.more, "why": by.why}, by.actor)

    def _settle(self) -> None:
        """Let what was handed in before be in the book, so that it can be found there."""
        self.book.append((), urgent=True).result()

    def _reading_at(self, meter: str, at: datetime) -> Reading:
        here = list(self._readings(meter, Span(at, at + timedelta(milliseconds=1))))
        if here:
            return here[0]
        around = self._readings(meter, Span(at - _LOOK_AROUND, at + _LOOK_AROUND))
        nearest = min(around, key=lambda each: abs(each.at - at), default=None)
        words = f"the nearest is {format_instant(nearest.at)}" if nearest else "and none within a day of it"
        raise BookError(f'"{meter}" has no reading at {format_instant(at)}; {words}')

    def _readings(self, meter: str, span: Span) -> Iterator[Reading]:
        for columns in self.reader.columns(meter, span):
            yield from columns.readings()

    def _suspects(self, meter: str, span: Span, names: Sequence[str]) -> Iterator[tuple[Reading, list[str]]]:
        """Readings of a span with suspect values, and which ones, of these quantities or of all."""
        count = 0
        for columns in self.reader.columns(meter, span):
            if not columns.doubt and not any(columns.quality):
                continue
            for reading in columns.readings():
                good = {name for name, _ in reading.good_values()}
                bad = [name for name in reading.values if name not in good and (not names or name in names)]
                if bad:
                    count += 1
                    if count > CHANGED_MAX:
                        raise BookError(f"more than {CHANGED_MAX} readings at once; take a shorter time")
                    yield reading, bad

    def _freed(self, meter: str, since: datetime, registers: Mapping[str, Any]) -> list[tuple[Reading, Reading]]:
        """Readings whose suspect registers go on from each other since an instant, and the same called good."""
        last: dict[str, Told] = {}
        found = []
        span = Span(since, max(since, self.clock.now()) + _LOOK_AROUND)
        for reading, suspects in self._suspects(meter, span, list(registers)) if meter in self.reader.meters() else ():
            good = [name for name in suspects if self._goes_on(meter, name, last, reading)]
            if good:
                found.append((reading, _accepted(reading, good)))
        return found

    def _goes_on(self, meter: str, name: str, last: dict[str, Told], reading: Reading) -> bool:
        its = bounds(name, self.power_max(meter))
        told = Told(reading.at.timestamp(), reading.values[name])
        if name in last and not could_follow(last[name], told, its.slack, its.fastest_per_s):
            return False
        last[name] = told
        return True


def _check_untouched(event: Event, parts: Sequence[Event], events: Sequence[Event]) -> None:
    """Raise BookError when something that still holds changed the same readings since."""
    mine = {row["at"] for each in (event, *parts) for row in each.body.get("was", ())}
    later = (each for each in events if each.seq > event.seq and each not in parts)
    undone = undone_numbers(events)
    for each in later:
        if each.seq not in undone and not mine.isdisjoint(row["at"] for row in each.body.get("was", ())):
            number = each.body.get("part_of", each.seq)
            raise BookError(f"number {number} changed the same readings since; undo that one first")


def _accepted(reading: Reading, names: Sequence[str]) -> Reading:
    good = {*names, *(name for name, _ in reading.good_values())}
    doubt = {name: Quality.SUSPECT for name in reading.values if name not in good}
    return replace(reading, quality=Quality.GOOD, doubt=_told(doubt))


def _dropped(reading: Reading, names: Sequence[str]) -> Reading:
    values = {name: value for name, value in reading.values.items() if name not in names}
    doubt = {name: quality for name, quality in reading.doubt.items() if name in values}
    return replace(reading, values=values, doubt=_told(doubt))


def _told(doubt: Mapping[str, Quality]) -> Mapping[str, Quality]:
    return doubt or EMPTY


def _reading(row: Mapping[str, Any]) -> Reading:
    """A reading as it was, out of an event's body."""
    (reading,) = reading_json.decode_many(msgspec.json.encode(row))
    return reading
