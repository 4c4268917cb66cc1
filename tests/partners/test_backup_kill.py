"""kill -9 while a backup is made or restored: what bears the name of a backup is whole, and a book is always there."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest

from book_tools import LATER, START, TORTURE, StillClock, polls
from wattbook.store import Book, BookReader
from wattbook.store.backup import back_up, backups
from wattbook.store.verify import verify

pytestmark = pytest.mark.torture

KILLS = 100 if TORTURE else 4
_BACK_UP = """
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from wattbook.store.backup import back_up
now = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(hours=int(sys.argv[3]))
print("go", flush=True)
while True:
    back_up(Path(sys.argv[1]), Path(sys.argv[2]), now=now, keep=5)
    now += timedelta(seconds=1)
"""
_RESTORE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from wattbook.store.backup import restore
print("go", flush=True)
for number in range(1000):
    now = datetime(2026, 11, 22, int(sys.argv[3]) % 24, number // 60 % 60, number % 60, tzinfo=UTC)
    restore(Path(sys.argv[1]), Path(sys.argv[2]), now=now, force=True)
"""


def killed(program: str, *arguments: object, after_s: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "go\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(after_s)
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "book" / "wattbook.db"
    path.parent.mkdir()
    with Book.open(path, clock=StillClock()) as book:
        book.append(polls(20_000), urgent=True).result(30)
        book.seal(ZoneInfo("UTC"), LATER + timedelta(days=2))
    return path


def is_whole(path: Path) -> bool:
    with BookReader(path) as reader:
        return verify(reader).whole and sum(map(len, reader.read("", 100_000).columns)) == 20_000


def test_what_is_called_a_backup_is_whole(path: Path, tmp_path: Path) -> None:
    random = Random(1)
    folder = tmp_path / "backups"
    for days in (2, 1):  # how many of the killed come to their end is chance
        back_up(path, folder, now=START - timedelta(days=days), keep=3)
    for number in range(KILLS):
        killed(_BACK_UP, path, folder, number, after_s=random.uniform(0, 0.3))
        assert all(is_whole(copy) for _, copy in backups(folder))
    last = back_up(path, folder, now=START + timedelta(days=30), keep=3)
    assert is_whole(last.path)
    assert len(list(folder.iterdir())) == 3  # nothing torn is left


def test_a_book_is_there_whenever_a_restore_was_killed(path: Path, tmp_path: Path) -> None:
    copy = back_up(path, tmp_path / "backups", now=START).path
    random = Random(2)
    for number in range(KILLS):
        killed(_RESTORE, copy, path, number, after_s=random.uniform(0, 0.3))
        with Book.open(path, clock=StillClock()) as book:  # which finishes what the kill left
            assert book.lineage
        assert is_whole(path)
        assert not list(path.parent.glob("*.repaired*"))
