"""An import into a real book: counted, repeatable, all or nothing when strict; and out again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from book_tools import LATER, START, StillClock
from exchange_tools import PRAGUE, intake, seen, write
from wattbook.engine.bring_in import BroughtIn, IntoBook, bring_in
from wattbook.engine.take_out import blocks_of, quantities_of
from wattbook.exchange import Intake, system_of
from wattbook.exchange.write_csv import csv_chunks
from wattbook.model import ConfigError, Span
from wattbook.model.batch import EPOCH
from wattbook.store import Book, BookReader

GOOD = "meter,at,voltage\n" + "".join(f"main-a,2026-11-21T01:{n // 60:02}:{n % 60:02}Z,{n}\n" for n in range(1500))
BAD = GOOD + "main-a,soon,1\n" + "main-b,2026-11-21T01:00:00Z,7\n"


def _bring(folder: Path, text: str, begin: Callable[[], Intake] = intake, *, strict: bool = False) -> BroughtIn:
    files = [write(folder, "table.csv", text)]
    with Book.open(folder / "book.db", clock=StillClock(LATER)) as book:
        return bring_in(files, system_of(files), begin, IntoBook(book, PRAGUE), strict=strict)


def test_good_rows_are_kept_and_bad_ones_told(tmp_path: Path) -> None:
    done = _bring(tmp_path, BAD)
    assert (done.new, done.same, done.conflicts) == (1501, 0, 0)
    assert [str(bad).split(":")[:2] for bad in done.tally.listed] == [["table.csv", "1502"]]


def _rows(quantity: str, size: int, value: float = 0.0) -> str:
    lines = (f"main-a,2026-11-21T01:{n // 60:02}:{n % 60:02}Z,{value + n}\n" for n in range(size))
    return f"meter,at,{quantity}\n{''.join(lines)}"


@pytest.mark.parametrize("held_max", [500, 200_000])
@pytest.mark.parametrize("size", [2, 1500])
def test_files_with_other_quantities_of_the_same_instants_come_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, held_max: int
) -> None:
    monkeypatch.setattr("wattbook.engine.bring_in.HELD_MAX", held_max)
    files = [write(tmp_path, f"{name}.csv", _rows(name, size)) for name in ("voltage", "active_energy_import")]
    with Book.open(tmp_path / "book.db", clock=StillClock(LATER)) as book:
        done = bring_in(files, system_of(files), intake, IntoBook(book, PRAGUE))
        again = bring_in(files, system_of(files), intake, IntoBook(book, PRAGUE))
    assert (done.tally.readings, done.new, done.same, done.conflicts) == (size, size, 0, 0)
    assert (again.tally.readings, again.new, again.same, again.conflicts) == (size, 0, size, 0)
    with BookReader(tmp_path / "book.db") as reader:
        for found in seen(blocks_of(reader, ["main-a"], Span(EPOCH, LATER))).values():
            assert found["active_energy_import"] == found["voltage"]


@pytest.mark.parametrize("held_max", [500, 200_000])
@pytest.mark.parametrize("size", [10, 1200])
def test_rows_that_come_twice_are_counted_as_the_same_or_in_conflict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, held_max: int
) -> None:
    monkeypatch.setattr("wattbook.engine.bring_in.HELD_MAX", held_max)
    rows = _rows("voltage", size)
    other, same = (_rows("voltage", size, value).partition("\n")[2] for value in (1, 0))
    done = _bring(tmp_path, rows + other + same)
    assert (done.tally.readings, done.new, done.same, done.conflicts) == (3 * size, size, size, size)
    with BookReader(tmp_path / "book.db") as reader:
        found = seen(blocks_of(reader, ["main-a"], Span(EPOCH, LATER)))
    assert [values["voltage"] for values in found.values()] == list(range(size))


def test_a_look_tells_of_twins_too(tmp_path: Path) -> None:
    files = [write(tmp_path, f"{name}.csv", _rows(name, 3)) for name in ("voltage", "current")]
    done = bring_in(files, system_of(files), intake, None)
    assert [set(reading.values) for reading in done.first] == [{"voltage", "current"}] * 3
    assert done.tally.readings == 3


def test_a_second_import_changes_nothing(tmp_path: Path) -> None:
    _bring(tmp_path, GOOD)
    again = _bring(tmp_path, GOOD)
    assert (again.new, again.same, again.conflicts) == (0, 1500, 0)
    other = _bring(tmp_path, GOOD.replace("01:00:07Z,7\n", "01:00:07Z,8\n"))
    assert (other.new, other.same, other.conflicts) == (0, 1499, 1)


def test_strict_stores_all_or_nothing(tmp_path: Path) -> None:
    done = _bring(tmp_path, BAD, strict=True)
    assert done.refused and done.tally.rejected == 1 and done.new == 0
    with BookReader(tmp_path / "book.db") as reader:
        assert reader.meters() == []
    assert _bring(tmp_path, GOOD, strict=True).new == 1500


def test_a_file_that_changes_under_a_strict_import_is_refused(tmp_path: Path) -> None:
    begun: list[Intake] = []

    def changing() -> Intake:
        begun.append(intake())
        if len(begun) == 1:
            path = tmp_path / "table.csv"
            path.write_text(path.read_text() + "main-b,2026-11-21T01:00:00Z,7\n")
        return begun[-1]

    with pytest.raises(ConfigError, match="changed while it was read"):
        _bring(tmp_path, GOOD, changing, strict=True)


def test_a_look_shows_the_first_readings(tmp_path: Path) -> None:
    files = [write(tmp_path, "table.csv", BAD)]
    done = bring_in(files, system_of(files), intake, None)
    assert done.tally.readings == 1501 and done.new == 0 and len(done.first) == 10
    assert not (tmp_path / "book.db").exists()


def test_a_mapping_of_what_is_not_there_is_told(tmp_path: Path) -> None:
    done = _bring(tmp_path, GOOD, lambda: intake("panel=main-b"))
    assert done.tally.notes == ['nothing in the files is called "panel", as --map says']


def test_what_was_brought_in_is_taken_out_the_same(tmp_path: Path) -> None:
    _bring(tmp_path, BAD)
    span, shares = Span(EPOCH, LATER), []
    with BookReader(tmp_path / "book.db") as reader:
        meters = reader.meters()
        names = quantities_of(reader, meters, span)
        first = list(blocks_of(reader, meters, span, shares.append))
        table = b"".join(csv_chunks(first, names, PRAGUE))
        part = Span(START.replace(hour=1, minute=20), LATER)
        assert sum(map(len, blocks_of(reader, meters, part))) == 300
    assert shares == sorted(shares) and shares[-1] == 1
    files = [write(tmp_path, "again.csv", table)]
    at = intake()
    assert seen(system_of(files).read(files, at)) == seen(first)
    assert len(table.splitlines()) == 1502
