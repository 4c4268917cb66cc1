"""Laws of a meter's life: every energy is register end minus register start plus the events between.

The book's answers, hot and sealed, are held to a naive account on all readings, written from the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from book_tools import TORTURE, StillClock
from wattbook.codecs.reading_json import format_instant
from wattbook.model import Event, Reading, Span
from wattbook.model.reading import EnergyQuality
from wattbook.store import Book, BookReader, Step

UTC = ZoneInfo("UTC")
PRAGUE = ZoneInfo("Europe/Prague")
IMPORT, EXPORT = "active_energy_import", "active_energy_export"
START = datetime(2026, 10, 24, 20, 30, tzinfo=UTC)
DAYS = 3
PERIOD = timedelta(minutes=2)
ROUNDED = 0.05  # each of 700 steps is rounded to a millionth, then multiplied by up to 40
SPAN = Span(START - timedelta(hours=2), START + timedelta(days=DAYS))

Second = int  # since START
Point = tuple[Second, float]


@dataclass(frozen=True)
class Change:
    """A register goes on from another value."""

    at_s: Second
    before: float | None
    after: float | None
    modulus: float | None

    def event(self) -> Event:
        if self.modulus is not None:
            return life_event("meter.rollover", self.at_s, registers={IMPORT: {"modulus": self.modulus}})
        told = {"before": self.before, "after": self.after}
        known = {name: value for name, value in told.items() if value is not None}
        return life_event("meter.replaced", self.at_s, registers={IMPORT: known})


@dataclass(frozen=True)
class Regime:
    """From an instant on: how the meter is wired, and its transformers."""

    at_s: Second
    ct: float | None
    swap: bool | None

    def event(self) -> Event:
        if self.ct is not None:
            return life_event("meter.ratio", self.at_s, ct=self.ct)
        return life_event("meter.rewired", self.at_s, swap=self.swap)


def life_event(kind: str, at_s: Second, **body: object) -> Event:
    at = format_instant(START + timedelta(seconds=at_s))
    return Event(kind, "m", START, {"from": at, "why": "a law", **body}, "tester")


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Reading], list[Change]]:
    """A meter that only grows but for its changes; clusters of readings, and gaps between them."""
    minutes = sorted(
        draw(
            st.sets(
                st.builds(
                    lambda start, more: start + more,
                    st.sampled_from([0, 100, 110, 200, 210, 1500, 3000]),
                    st.integers(0, 25),
                ),
                min_size=1,
                max_size=50,
            )
        )
    )
    spots = st.one_of(st.sampled_from([each * 60 for each in minutes]), st.integers(-3_600, 3_100 * 60))
    changes_at = sorted(draw(st.sets(spots, max_size=4)))
    readings, changes = [], []
    register, sold = draw(st.integers(0, 50)) * 100.0, 0.0
    instants = sorted(
        [*((each * 60, False) for each in minutes), *((each, True) for each in changes_at)],
        key=lambda e: (e[0], not e[1]),
    )
    for at_s, changes_here in instants:
        register += draw(st.integers(0, 40))
        if changes_here:
            before, kind = register, draw(st.integers(0, 4))
            if kind == 0 and before > 0:
                modulus, register = before, 0.0
                changes.append(Change(at_s, None, None, modulus))
            else:
                register = draw(st.integers(0, 60)) * 100.0
                told = draw(st.booleans()), draw(st.booleans())
                changes.append(Change(at_s, before if told[0] else None, register if told[1] else None, None))
            continue
        sold += draw(st.integers(0, 5))
        at = START + timedelta(seconds=at_s)
        readings.append(Reading("m", at, {IMPORT: register, EXPORT: sold, "current": float(at_s % 7)}))
    return readings, changes


regimes = st.lists(
    st.builds(
        lambda at_s, ct, swap: Regime(at_s, ct, None if ct is not None else swap),
        st.integers(-3_600, 3_100 * 60),
        st.one_of(st.none(), st.sampled_from([1.0, 20.0, 40.0])),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda regime: regime.at_s,
)


def account(points: Sequence[Point], changes: Sequence[Change]) -> list[tuple[Second, float]]:
    """What was counted up to each reading, and to each change whose register is known."""
    told = {at_s for at_s, _ in points}
    timeline = sorted(
        [*((at_s, 1, value, None) for at_s, value in points), *((c.at_s, 0, 0.0, c) for c in changes)],
        key=lambda e: e[:2],
    )
    counted, total = [], 0.0
    last: float | None = None  # what the register shows, where that is known
    for at_s, _, value, change in timeline:
        if change is None:
            total += value - last if last is not None else 0.0
            last = value
            counted.append((at_s, total))
            continue
        if change.modulus is not None:
            total += change.modulus - last if last is not None else 0.0
            last = 0.0
            continue
        if change.before is not None and last is not None:
            total += change.before - last
        dated = at_s not in told and (change.after is not None or change.before is not None)
        if dated:
            counted.append((at_s, total))
        last = change.after
    return counted


def register_at(counted: Sequence[Point], at_s: float) -> float:
    """Rule 4: the last one at or before, and across a gap a straight line."""
    before = [each for each in counted if each[0] <= at_s]
    after = [each for each in counted if each[0] > at_s]
    if not before:
        return counted[0][1]
    if not after:
        return counted[-1][1]
    (t0, c0), (t1, c1) = before[-1], after[0]
    return c0 + (c1 - c0) * (at_s - t0) / (t1 - t0) if t1 - t0 > 2 * PERIOD.total_seconds() else c0


def total(book: Book, quantity: str, every: str) -> tuple[float, list[object]]:
    with BookReader(book.path) as reader:
        points = list(reader.energy("m", quantity, SPAN, Step.parse(every), PRAGUE, period=PERIOD))
    return sum(point.value or 0.0 for point in points), points  # type: ignore[return-value]


@settings(max_examples=2_000 if TORTURE else 60)
@given(lives(), regimes)
def test_energy_is_registers_and_events(life: tuple[list[Reading], list[Change]], turns: list[Regime]) -> None:
    readings, changes = life
    with (
        TemporaryDirectory() as folder,
        Book.open(Path(folder) / "b.db", clock=StillClock(), commit_every_s=0.0) as book,
    ):
        for each in (*changes, *turns):
            book.append_event(each.event())
        book.append(readings, urgent=True).result(10)
        hot = {every: total(book, IMPORT, every) for every in ("7min", "1h", "1d", "1y")}
        currents = _means(book)
        book.seal(PRAGUE, SPAN.end)
        book.append(readings[-1:], urgent=True).result(10)
        assert {every: total(book, IMPORT, every) for every in hot} == hot
        assert _means(book) == currents
    expected = _naive(readings, changes, turns)
    for every, (told, points) in hot.items():
        assert abs(told - expected) < ROUNDED, every
        if not any(change.modulus is None and None in (change.before, change.after) for change in changes):
            assert all(point.quality is not EnergyQuality.ESTIMATED for point in points)  # type: ignore[attr-defined]


def _naive(readings: Sequence[Reading], changes: Sequence[Change], turns: Sequence[Regime]) -> float:
    seconds = [((each.at - START).total_seconds(), each.values) for each in readings]
    bought = account([(int(at_s), values[IMPORT]) for at_s, values in seconds], changes)
    sold = account([(int(at_s), values[EXPORT]) for at_s, values in seconds], ())
    ct, swap = 1.0, False
    found, since = 0.0, (SPAN.start - START).total_seconds()
    end_s = (SPAN.end - START).total_seconds()
    for turn in [*sorted(turns, key=lambda each: each.at_s), Regime(int(end_s), None, None)]:
        until = min(max(turn.at_s, since), end_s)
        counted = sold if swap else bought
        found += ct * (register_at(counted, until) - register_at(counted, since))
        since = until
        ct = turn.ct if turn.ct is not None else ct
        swap = turn.swap if turn.swap is not None else swap
    return found


def _means(book: Book) -> list[object]:
    with BookReader(book.path) as reader:
        steps = [
            list(reader.aggregate("m", "current", SPAN, Step.parse("1h"), PRAGUE, how))
            for how in ("mean", "max", "last")
        ]
        return [*steps, list(reader.range("m", "current", SPAN))]
