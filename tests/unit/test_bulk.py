"""A body of readings as columns: the book holds and answers what it would for the readings one by one."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from book_tools import START, StillClock
from wattbook.model import BookError, Quality, Reading, Readings
from wattbook.store import Book

DONE_S = 30.0  # far beyond any commit


def reading(meter: str, second: int, **more: float) -> Reading:
    return Reading(
        meter, START + timedelta(seconds=second), {"voltage": 230 + second / 10, "active_power": 5.0, **more}
    )


def bodies() -> list[list[Reading]]:
    """New and known meters, then doubles, conflicts, late and doubted ones, and finer values among the usual."""
    plain = [reading(f"m{number % 7}", number) for number in range(300)]
    odd = [replace(plain[5], site="House"), replace(plain[6], values={"voltage": 1.0})]
    odd += [reading("m1", 1000), reading("m1", 900), reading("m1", 1000), reading("m2", 1000, frequency=50.02)]
    odd += [replace(reading("m3", 1000), doubt={"voltage": Quality.SUSPECT}), reading("m3", 1001, current=1 / 3)]
    odd += [replace(reading("m4", 1000), quality=Quality.SUSPECT, values={"active_power": 0.125, "voltage": -0.0})]
    odd += [Reading("m5", START + timedelta(seconds=1000), {"voltage": 230.123, "active_power": 5.0})]
    return [plain, odd + [reading(f"m{number % 9}", 2000 + number) for number in range(200)] + odd]


def kept_in(path: Path, *, columns: bool) -> tuple[object, list[Reading]]:
    with Book.open(path, clock=StillClock(), site="House") as book:
        kept = [book.append(Readings.of(body) if columns else body, urgent=True).result(DONE_S) for body in bodies()]
        counts = [(each.new, each.same, each.conflicts, len(each.seqs), len(set(each.seqs))) for each in kept]
        return counts, sorted(book.read("", 10_000).readings(), key=lambda one: (one.meter, one.at))


def test_columns_and_single_readings_give_the_same_book(tmp_path: Path) -> None:
    assert kept_in(tmp_path / "a.db", columns=True) == kept_in(tmp_path / "b.db", columns=False)


def test_the_numbers_are_those_of_the_readings(tmp_path: Path) -> None:
    with Book.open(tmp_path / "wattbook.db", clock=StillClock()) as book:
        for body in bodies():
            told = [replace(each, site="") for each in body]
            kept = book.append(Readings.of(told), urgent=True).result(DONE_S)
            for each, seq in zip(told, kept.seqs, strict=True):
                (found,) = book.read(str(seq - 1), 1).readings()
                assert (found.meter, found.at) == (each.meter, each.at)


def test_one_bad_reading_refuses_its_body_and_uses_up_nothing(tmp_path: Path) -> None:
    with Book.open(tmp_path / "wattbook.db", clock=StillClock()) as book:
        book.append([reading("m", 0)], urgent=True).result(DONE_S)
        body = [reading("m", 1 + second) for second in range(150)]
        with pytest.raises(BookError, match="voltage is not a finite number"):
            book.append(Readings.of([*body, Reading("m", START, {"voltage": math.nan})]), urgent=True).result(DONE_S)
        assert book.append(Readings.of(body), urgent=True).result(DONE_S).seqs == tuple(range(2, 152))
        assert len(book.read("", 10_000)) == 151


def test_columns_are_a_sequence_of_readings() -> None:
    told = bodies()[1]
    columns = Readings.of(told)
    assert list(columns) == told and columns[3] == told[3] and list(columns[3:7]) == told[3:7]
    assert Readings.of(columns) is columns
    newest = {key: columns[place].at for key, place in columns.newest().items()}
    for one in told:
        assert one.at <= newest[one.site, one.meter]
