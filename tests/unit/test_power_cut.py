"""Promise 1: an acknowledged reading survives a power cut at any moment, whatever became of unsynced writes."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

pytest.importorskip("apsw", reason="apsw records the writes and syncs; install the development tools")

from book_tools import LATER, START, TORTURE, StillClock, poll
from power_cut_disk import RecordingDisk, Sync, after_cut
from wattbook.model import BookError, Event, Kept
from wattbook.store import Book

pytestmark = pytest.mark.torture

CUTS = 5_000 if TORTURE else 80
APPENDS = 60
METERS = ("main-a", "main-b", "generator")


class Acknowledgements:
    """What the book acknowledged, and at which moment of the disk it did."""

    def __init__(self, disk: RecordingDisk) -> None:
        self._disk = disk
        self.readings: list[tuple[int, int, int]] = []  # moment, seq, number of the poll
        self.positions: list[tuple[int, int]] = []  # moment, position

    def note(self, kept: Kept, first: int, position: int) -> None:
        moment = self._disk.moment()
        self.readings += [(moment, seq, first + place) for place, seq in enumerate(kept.seqs)]
        self.positions.append((moment, position))


def written_book(folder: Path, *, sealing: bool = False) -> tuple[RecordingDisk, Acknowledgements]:
    """Run the book over the disk, closed and opened again in between, and remember when it acknowledged what.

    `sealing`: what is there is sealed into its day again and again.
    """
    disk = RecordingDisk()
    acknowledged = Acknowledgements(disk)
    for run in range(2):
        with Book.open(folder / "wattbook.db", clock=StillClock(), connect=disk.connector()) as book:
            for append in range(run * APPENDS, (run + 1) * APPENDS):
                book.acknowledge("sink", str(append))
                if append % 7 == 0:
                    book.append_event(Event("meter.away", "main-b", START))
                readings = [poll(3 * append + place, meter) for place, meter in enumerate(METERS)]
                future = book.append(readings, fresh=append % 2 == 0, urgent=True)
                acknowledged.note(future.result(timeout=30), 3 * append, append)
                if sealing and append % 11 == 0:
                    assert book.seal(ZoneInfo("UTC"), LATER + timedelta(days=2)).frames == min(append, 1) * len(METERS)
    return disk, acknowledged


@pytest.mark.parametrize("sealing", [False, True])
def test_every_acknowledged_reading_is_there_after_a_power_cut(tmp_path: Path, sealing: bool) -> None:
    (tmp_path / "whole").mkdir()
    disk, acknowledged = written_book(tmp_path / "whole", sealing=sealing)
    seed = Random().randrange(2**32) if TORTURE else 20261121
    random = Random(seed)
    for cut in range(CUTS):
        moment = random.randrange(1, len(disk.log) + 1)
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        for name, content in after_cut(disk.log, moment, random).items():
            (folder / name).write_bytes(content)
        (folder / "wattbook.db.lock").write_text("4711")  # the writer had no time to close
        check_book(folder / "wattbook.db", acknowledged, moment, f"seed {seed}, cut {cut} at change {moment}")


def test_a_power_cut_while_a_book_is_made_is_no_reason_to_refuse_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    disk, acknowledged = written_book(tmp_path / "whole")
    random = Random(3)
    for moment in range(1, 40):
        for again in range(4):
            folder = tmp_path / f"cut-{moment}-{again}"
            folder.mkdir()
            for name, content in after_cut(disk.log, moment, random).items():
                (folder / name).write_bytes(content)
            (folder / "wattbook.db.lock").write_text("4711")
            check_book(folder / "wattbook.db", acknowledged, moment, f"cut {again} at change {moment}")


def check_book(path: Path, acknowledged: Acknowledgements, moment: int, where: str) -> None:
    expected = {seq: number for at, seq, number in acknowledged.readings if at <= moment}
    with Book.open(path, clock=StillClock()) as book:
        assert book.opened_with == (), where
        batch = book.read("", 10_000)
        found = {
            seq: int(energy) - 25_409_000
            for columns in batch.columns
            for seq, energy in zip(columns.seq, columns.values["active_energy_import"], strict=True)
        }
        assert expected.items() <= found.items(), where
        assert len(set(found.values())) == len(found), where
        positions = [position for at, position in acknowledged.positions if at <= moment]
        if positions:
            kept = book.position("sink")
            assert kept is not None and int(kept.after) >= positions[-1], where
        after = book.append([poll(100_000)], urgent=True).result(timeout=30)
        assert after.seqs[0] > max(found, default=0), where
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",), where
    connection.close()


def test_the_disk_notices_a_book_that_does_not_sync(tmp_path: Path) -> None:
    """The proof can fail: with the syncs left out, acknowledged readings are lost."""
    disk, acknowledged = written_book(tmp_path)
    unsynced = [change for change in disk.log if not isinstance(change, Sync)]
    random = Random(1)
    lost = 0
    for cut in range(8):
        folder = tmp_path / f"cut-{cut}"
        folder.mkdir()
        for name, content in after_cut(unsynced, len(unsynced), random).items():
            (folder / name).write_bytes(content)
        try:
            check_book(folder / "wattbook.db", acknowledged, len(disk.log), "")
        except (AssertionError, BookError):
            lost += 1
    assert lost > 4
