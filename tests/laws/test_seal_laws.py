"""Laws of sealed time: sealing changes no answer, whatever came in whatever order, with gaps, late and corrected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from book_tools import TORTURE, StillClock
from wattbook.model import Event, Quality, Reading, Span
from wattbook.store import Book, BookReader, Step

PRAGUE = ZoneInfo("Europe/Prague")
ENERGY = "active_energy_import"
START = datetime(2026, 10, 24, 20, 30, tzinfo=PRAGUE)  # the clocks are set back in the night that follows
END = START + timedelta(days=4)
STEPS = ("15min", "1h", "1d", "7min")


@dataclass(frozen=True)
class Late:
    """Readings handed in at once; `seal` after them."""

    readings: tuple[Reading, ...]
    seal: bool
    correct: bool


@st.composite
def values(draw: st.DrawFn) -> dict[str, float]:
    """A register and gauges: decimal, binary, and sometimes absent."""
    found: dict[str, float] = {}
    if draw(st.integers(0, 9)):
        found[ENERGY] = draw(st.integers(0, 10**6)) / draw(st.sampled_from([1, 10]))
    if draw(st.integers(0, 4)):
        found["voltage"] = draw(st.integers(2200, 2400)) / 10
    if not draw(st.integers(0, 4)):
        found["temperature"] = draw(st.floats(-50, 50, width=32))
    return found


@st.composite
def reading(draw: st.DrawFn) -> Reading:
    """A reading within four days, clustered so that some steps hold many and some none."""
    minute = draw(st.sampled_from([0, 5, 8, 130, 131, 1400, 1440, 1500, 3000])) + draw(st.integers(0, 12))
    told = draw(values())
    doubted = {name: Quality.SUSPECT for name in told if not draw(st.integers(0, 9))}
    quality = Quality.GOOD if draw(st.integers(0, 9)) else Quality.SUSPECT
    return Reading("m", (START + timedelta(minutes=minute)).astimezone(ZoneInfo("UTC")), told, quality, doubted)


late = st.builds(Late, st.lists(reading(), min_size=1, max_size=12).map(tuple), st.booleans(), st.booleans())


@contextmanager
def books() -> Iterator[tuple[Book, Book]]:
    with TemporaryDirectory() as folder:
        first, second = (Path(folder) / name for name in ("never.db", "sealed.db"))
        with Book.open(first, clock=StillClock()) as never, Book.open(second, clock=StillClock()) as sealed:
            yield never, sealed


def write(book: Book, work: Late) -> None:
    if work.correct:
        book.correct(work.readings, Event("reading.corrected", "m", START)).result(10)
    else:
        book.append(work.readings, urgent=True).result(10)


def answers(book: Book) -> dict[str, object]:
    """Everything that can be asked."""
    span = Span(START - timedelta(hours=1), END)
    told: dict[str, object] = {}
    with BookReader(book.path) as reader:
        for name in (ENERGY, "voltage", "temperature"):
            told[name] = list(reader.range("m", name, span))
        for every in STEPS:
            step = Step.parse(every)
            told[every] = list(reader.energy("m", ENERGY, span, step, PRAGUE, period=timedelta(minutes=2)))
            for aggregate in ("mean", "min", "max", "last"):
                told[f"{every} {aggregate}"] = list(reader.aggregate("m", "voltage", span, step, PRAGUE, aggregate))  # type: ignore[arg-type]
        told["period"] = list(reader.energy("m", ENERGY, span, Step.parse("1h"), PRAGUE))
        told["columns"] = [each for block in reader.columns("m", span) for each in block.readings()]
        told["latest"] = reader.latest(now=END)
    return told


def followed(book: Book, batch: int) -> list[tuple[int, Reading]]:
    """All readings as a follower gets them, sorted by number."""
    after, found = "", []
    while len(taken := book.read(after, batch)):
        for columns in taken.columns:
            assert list(columns.seq) == sorted(columns.seq)
            found += list(zip(columns.seq, columns.readings(), strict=True))
        assert int(taken.upto) > int(after or 0)
        after = taken.upto
    return sorted(found, key=lambda each: each[0])


@settings(max_examples=2_000 if TORTURE else 60)
@given(st.lists(late, min_size=1, max_size=6), st.integers(1, 40))
def test_sealing_changes_no_answer(works: Sequence[Late], batch: int) -> None:
    with books() as (never, sealed):
        for work in works:
            write(never, work)
            write(sealed, work)
            if work.seal:
                sealed.seal(PRAGUE, END)
        sealed.seal(PRAGUE, END)
        assert answers(sealed) == answers(never)
        assert followed(sealed, batch) == followed(never, batch)
        assert followed(sealed, 10_000) == followed(never, 10_000)


@settings(max_examples=1_000 if TORTURE else 30)
@given(st.lists(late, min_size=1, max_size=4))
def test_an_import_by_columns_is_what_appending_is(works: Sequence[Late]) -> None:
    with books() as (appended, imported):
        for work in works:
            appended.append(work.readings, urgent=True).result(10)
            for columns in _columns(work.readings):
                imported.import_columns(columns, PRAGUE)
            if work.seal:
                imported.seal(PRAGUE, END)
        imported.seal(PRAGUE, END)
        expected, told = answers(appended), answers(imported)
        assert told == expected


def _columns(readings: Sequence[Reading]):  # type: ignore[no-untyped-def]
    with TemporaryDirectory() as folder, Book.open(Path(folder) / "b.db", clock=StillClock()) as book:
        book.append(readings, urgent=True).result(10)
        yield from book.read("", 100_000).columns
