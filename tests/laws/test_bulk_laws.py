"""The law of readings as columns: the book keeps, numbers and answers what it would for them one by one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from book_tools import START, TORTURE, StillClock
from wattbook.model import BookError, Kept, Quality, Reading, Readings
from wattbook.store import Book

DONE_S = 30.0  # far beyond any commit
FILLING = 120  # readings of a usual meter beside them: a body becomes large enough to be written as columns

usual = st.sampled_from([230.1, 230.1, 230.2])  # few, so that equal readings are met; under the filling's exponent
unusual = st.sampled_from([5, 0.125, -0.0, 1 / 3])  # whole, finer, minus zero, binary
refused = st.sampled_from([2**53 + 1, float("nan")])
names = st.sampled_from([("voltage", "current"), ("voltage", "current"), ("current", "voltage"), ("voltage",), ()])
quality = st.sampled_from([Quality.GOOD, Quality.GOOD, Quality.SUSPECT])


@st.composite
def reading(draw: st.DrawFn, first: int) -> Reading:
    """One of three meters within ten seconds, now and then under the book's own name or of another site."""
    odds = draw(st.integers(0, 100))
    value = refused if odds == 1 else unusual if odds < 12 else usual
    values = {name: draw(value) for name in draw(names)}
    doubt = {name: Quality.SUSPECT for name in values if draw(st.integers(0, 9)) == 0}
    at = START + timedelta(seconds=first + draw(st.integers(0, 9)))
    site = draw(st.sampled_from(["", "", "", "House", "Barn"]))
    return Reading(draw(st.sampled_from("abc")), at, values, draw(quality), doubt, site)


@st.composite
def bodies(draw: st.DrawFn) -> list[list[Reading]]:
    """Up to four, each of which begins some seconds into the one before it."""
    return [draw(st.lists(reading(6 * number), max_size=25)) for number in range(draw(st.integers(1, 4)))]


def filling(body: int) -> list[Reading]:
    seconds = range(FILLING * body, FILLING * (body + 1))
    return [
        Reading("filling", START + timedelta(seconds=second), {"voltage": 230.1, "current": 230.1})
        for second in seconds
    ]


def answer(book: Book, readings: Sequence[Reading]) -> Kept | str:
    try:
        return book.append(readings, urgent=True).result(DONE_S)
    except BookError as error:
        return str(error)


def contents(book: Book) -> dict[tuple[str, str], list[Reading]]:
    """The readings of each meter in the order of their numbers."""
    batch = book.read("", 100_000)
    assert batch.columns and all(list(columns.seq) == sorted(columns.seq) for columns in batch.columns)
    found: dict[tuple[str, str], list[Reading]] = {}
    for each in batch.readings():
        found.setdefault((each.site, each.meter), []).append(each)
    return found


def stands_at(book: Book, seq: int) -> tuple[str, str, object]:
    (found,) = book.read(str(seq - 1), 1).readings()
    return found.site, found.meter, found.at


@settings(max_examples=1_000 if TORTURE else 60)
@given(bodies())
def test_columns_are_kept_as_their_readings_would_be(told: list[list[Reading]]) -> None:
    with TemporaryDirectory() as folder:
        first, second = (Path(folder) / name for name in ("columns.db", "single.db"))
        with (
            Book.open(first, clock=StillClock(), site="House") as columns,
            Book.open(second, clock=StillClock(), site="House") as single,
        ):
            for number, drawn in enumerate(told):
                readings = drawn + filling(number)
                kept, expected = answer(columns, Readings.of(readings)), answer(single, readings)
                if isinstance(kept, str) or isinstance(expected, str):
                    assert kept == expected
                    continue
                assert (kept.new, kept.same, kept.conflicts) == (expected.new, expected.same, expected.conflicts)
                assert len(set(kept.seqs)) == len(set(expected.seqs))
                for each, seq in zip(readings, kept.seqs, strict=True):
                    assert stands_at(columns, seq) == ("" if each.site == "House" else each.site, each.meter, each.at)
            if columns.statistics().readings:
                assert contents(columns) == contents(single)
