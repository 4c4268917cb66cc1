"""Backups that are proven, what is kept, what is refused; restore; what verify and the chain find."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from zoneinfo import ZoneInfo

import pytest

from book_tools import START, StillClock, poll, polls
from wattbook.config import BackupSettings
from wattbook.engine.back_up import is_due
from wattbook.model import BookError, Reading, Span
from wattbook.store import Book, BookHeld, BookReader
from wattbook.store.backup import back_up, backups, newest, restore
from wattbook.store.storage import storage_of
from wattbook.store.verify import links_of_day, verify

ZONE = ZoneInfo("UTC")
DAY = timedelta(days=1)
MIDNIGHT = START.replace(hour=0)
DAYS = 3
AFTER = MIDNIGHT + DAYS * DAY + timedelta(hours=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A book of three sealed days."""
    path = tmp_path / "book" / "wattbook.db"
    path.parent.mkdir()
    with Book.open(path, clock=StillClock()) as book:
        readings = [
            Reading("main-a", MIDNIGHT + number * timedelta(minutes=5), {"active_energy_import": float(number)})
            for number in range(DAYS * 288 + 2)
        ]
        book.append(readings, urgent=True).result(30)
        book.seal(ZONE, AFTER)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def energies(path: Path) -> list[float]:
    with BookReader(path) as reader:
        return list(reader.range("main-a", "active_energy_import", Span(MIDNIGHT, MIDNIGHT + 30 * DAY)).values)


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement, values)


def test_a_backup_is_the_book_and_one_file(path: Path, target: Path) -> None:
    made = back_up(path, target, now=START)
    assert made.path.name == "wattbook-20261121T120000Z.db"
    assert made.readings == DAYS * 288 + 2
    assert list(target.iterdir()) == [made.path]
    assert energies(made.path) == energies(path)


def test_a_backup_while_readings_come_is_of_one_moment(path: Path, target: Path) -> None:
    stop = Flag()
    with Book.open(path, clock=StillClock()) as book:

        def append() -> None:
            number = 0
            while not stop.is_set():
                book.append([poll(number, meter) for meter in ("b", "c")], urgent=True).result(30)
                number += 1

        thread = Thread(target=append)
        thread.start()
        try:
            made = [back_up(path, target, now=START + number * timedelta(seconds=1)) for number in range(5)]
        finally:
            stop.set()
            thread.join()
    for each in made:
        with BookReader(each.path) as reader:
            batch = reader.read("", 1_000_000)
        counts = {columns.meter: len(columns) for columns in batch.columns}
        assert counts.get("b") == counts.get("c")  # both of a commit, or neither
    assert [each.readings for each in made] == sorted(each.readings for each in made)


def test_the_newest_of_this_book_stay_and_others_are_not_touched(path: Path, target: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with Book.open(other, clock=StillClock()) as book:
        book.append([poll(1)], urgent=True).result(30)
    foreign = back_up(other, target, now=START - DAY).path
    (target / "wattbook-notes.db").write_text("mine", encoding="utf-8")
    config = tmp_path / "wattbook.toml"
    config.write_text("[site]\n", encoding="utf-8")
    for number in range(4):
        made = back_up(path, target, now=START + number * DAY, keep=2, config=config)
    assert [each.name for each in made.removed] == ["wattbook-20261122T120000Z.db"]
    assert [copy for _, copy in backups(target)] == [foreign, target / "wattbook-20261123T120000Z.db", made.path]
    assert sorted(each.name for each in target.glob("*.toml")) == [
        "wattbook-20261123T120000Z.toml",
        "wattbook-20261124T120000Z.toml",
    ]


def test_the_one_just_made_stays_though_others_are_named_for_later(path: Path, target: Path) -> None:
    """A clock that was ahead named the first."""
    ahead = back_up(path, target, now=START + 300 * DAY)
    made = back_up(path, target, now=START, keep=1)
    assert made.removed == (ahead.path,)
    assert list(target.iterdir()) == [made.path]


def test_two_backups_never_take_one_name(path: Path, target: Path) -> None:
    first = back_up(path, target, now=START)
    with pytest.raises(BookError, match="of this second already"):
        back_up(path, target, now=START)
    assert list(target.iterdir()) == [first.path]


def test_a_second_backup_into_the_folder_waits_for_the_first(path: Path, target: Path) -> None:
    refused: list[str] = []

    def meanwhile(done: int, total: int) -> None:
        if not refused:
            with pytest.raises(BookError) as raised:
                back_up(path, target, now=START + DAY)
            refused.append(str(raised.value))

    made = back_up(path, target, now=START, progress=meanwhile)
    assert "another backup is being made there" in refused[0]
    assert list(target.iterdir()) == [made.path]


def test_a_backup_that_is_told_to_stop_leaves_nothing(path: Path, target: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise BookError("stopping")

    with pytest.raises(BookError, match="stopping"):
        back_up(path, target, now=START, progress=stop)
    assert list(target.iterdir()) == []


def test_a_configuration_is_not_copied_for_more_eyes(path: Path, target: Path, tmp_path: Path) -> None:
    config = tmp_path / "wattbook.toml"
    config.write_text("[site]\n", encoding="utf-8")
    config.chmod(0o600)
    copied = back_up(path, target, now=START, config=config).path.with_suffix(".toml")
    assert copied.stat().st_mode & 0o777 == 0o600
    assert copied.read_bytes() == config.read_bytes()


def test_a_full_disk_ends_in_words_and_leaves_nothing(path: Path, target: Path) -> None:
    """A limit of the size of files is what a full disk is, without one."""
    program = (
        "import resource, sys; from datetime import UTC, datetime; from pathlib import Path\n"
        "from wattbook.model import BookError; from wattbook.store.backup import back_up\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384))\n"
        "try: back_up(Path(sys.argv[1]), Path(sys.argv[2]), now=datetime.now(UTC))\n"
        "except BookError as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, path, target], capture_output=True, text=True, check=True, timeout=60
    )
    assert "no backup was made" in ran.stdout and ran.stdout.count("\n") == 1
    assert list(target.iterdir()) == []


def test_the_newest_copy_is_of_this_book_and_not_of_the_future(path: Path, target: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    Book.open(other, clock=StillClock()).close()
    back_up(path, target, now=START)
    back_up(other, target, now=START + DAY)
    back_up(path, target, now=START + 300 * DAY)
    assert newest(target, path, START + 2 * DAY) == START


def test_nothing_is_left_when_it_fails(path: Path, target: Path) -> None:
    change(path, "UPDATE piece SET data = zeroblob(length(data)) WHERE id = 1")
    with pytest.raises(BookError, match="damaged: 2026-11-21: main-a"):
        back_up(path, target, now=START)
    assert list(target.iterdir()) == []


def test_a_target_that_is_not_mounted_is_refused_when_asked(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("os.path.ismount", lambda place: str(place) == "/")
        with pytest.raises(BookError, match="nothing is mounted there"):
            back_up(path, target, now=START, require_mount=True)
    assert not target.exists()
    monkeypatch.setattr("os.path.ismount", lambda place: Path(place) in (Path("/"), target.parent))
    back_up(path, target, now=START, require_mount=True)


def test_a_folder_that_cannot_be_written_ends_in_words(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(BookError, match="no backup was made"):
        back_up(path, tmp_path / "file" / "backups", now=START)


def test_a_restored_book_goes_on_with_numbers_of_its_own(path: Path, target: Path) -> None:
    copy = back_up(path, target, now=START).path
    with Book.open(path, clock=StillClock()) as book:
        lineage = book.lineage
        lost = book.append([poll(77, "b")], urgent=True).result(30).seqs[0]
    with pytest.raises(BookError, match="--force"):
        restore(copy, path, now=START)
    aside = restore(copy, path, now=START, force=True)
    assert aside is not None and aside.name == "wattbook.db.before-20261121T120000Z"
    assert energies(aside) == energies(path)
    with Book.open(path, clock=StillClock()) as book:
        assert book.opened_with == ()
        assert book.lineage != lineage
        assert book.append([poll(78, "b")], urgent=True).result(30).seqs[0] > lost


def test_restore_on_a_new_machine(path: Path, target: Path, tmp_path: Path) -> None:
    copy = back_up(path, target, now=START).path
    place = tmp_path / "new" / "wattbook.db"
    place.parent.mkdir()
    assert restore(copy, place, now=START) is None
    assert energies(place) == energies(path)


def test_a_restore_killed_between_two_names_is_finished_by_the_next_start(
    path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old book has gone aside and the new one has not come: a daemon must not begin an empty one."""
    copy = back_up(path, target, now=START).path
    expected = energies(path)
    rename = Path.rename

    def killed(self: Path, to: Path) -> Path:
        if to == path:
            raise KeyboardInterrupt
        return rename(self, to)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "rename", killed)
        restore(copy, path, now=START, force=True)
    assert not path.exists()
    # The lock went with the process; here it is only let go of.
    path.with_name("wattbook.db.lock").unlink()
    with Book.open(path, clock=StillClock()) as book:
        assert ["restore" in message for message in book.opened_with] == [True]
    assert energies(path) == expected


def test_a_log_whose_book_was_removed_does_not_meet_the_restored_one(path: Path, target: Path) -> None:
    copy = back_up(path, target, now=START).path
    expected = energies(path)
    log = path.with_name("wattbook.db-wal")
    with Book.open(path, clock=StillClock()) as book:
        book.append([poll(77, "b")], urgent=True).result(30)
        left = log.read_bytes()
    path.unlink()
    log.write_bytes(left)
    assert restore(copy, path, now=START) is None
    assert energies(path) == expected
    with BookReader(path) as reader:
        assert reader.meters() == ["main-a"]
        assert reader.read("", 100_000).events[-1].kind == "book.restored"


def test_a_book_that_was_put_aside_comes_back_with_its_log(path: Path, target: Path) -> None:
    with Book.open(path, clock=StillClock()) as book:
        book.append([poll(77, "b")], urgent=True).result(30)
        aside = target / "wattbook.db.before-20261121T120000Z"
        target.mkdir()
        for suffix in ("", "-wal"):
            aside.with_name(aside.name + suffix).write_bytes(path.with_name(path.name + suffix).read_bytes())
    restore(aside, path, now=START, force=True)
    with BookReader(path) as reader:
        assert set(reader.meters()) == {"main-a", "b"}


def test_a_restored_book_tells_that_it_is_one(path: Path, target: Path) -> None:
    copy = back_up(path, target, now=START).path
    with Book.open(path, clock=StillClock()) as book:
        was = book.lineage
    restore(copy, path, now=START + DAY, force=True)
    with Book.open(path, clock=StillClock()) as book:
        event = book.read("", 100_000).events[-1]
        assert (event.kind, event.at) == ("book.restored", START + DAY)
        assert event.body == {"from": copy.name, "lineage": book.lineage, "was": was}
        assert book.append([poll(78, "b")], urgent=True).result(30).seqs[0] > event.seq


def test_a_restore_skips_what_one_import_may_have_given_out(path: Path, target: Path) -> None:
    copy = back_up(path, target, now=START).path
    change(path, "UPDATE book SET seq_next = 5000000000")
    restore(copy, path, now=START, force=True)
    with Book.open(path, clock=StillClock()) as book:
        assert book.append([poll(78, "b")], urgent=True).result(30).seqs[0] >= 5_000_000_000


def test_nothing_is_restored_under_a_running_daemon_or_from_damage(path: Path, target: Path, tmp_path: Path) -> None:
    copy = back_up(path, target, now=START).path
    with Book.open(path, clock=StillClock()), pytest.raises(BookHeld):
        restore(copy, path, now=START, force=True)
    change(copy, "UPDATE frame SET at = zeroblob(length(at)) WHERE id = 1")
    with pytest.raises(BookError, match="damaged"):
        restore(copy, tmp_path / "new.db", now=START)
    assert not (tmp_path / "new.db").exists()


def found(path: Path) -> list[str]:
    with BookReader(path) as reader:
        return verify(reader).damages


def test_verify_finds_nothing_in_a_whole_book(path: Path) -> None:
    with BookReader(path) as reader:
        told = verify(reader)
    assert told.whole
    assert (told.frames, told.readings, told.links) == (DAYS, DAYS * 288, DAYS)


def test_a_backup_can_be_stopped_within_its_check(tmp_path: Path, target: Path) -> None:
    """Of a book without a frame: nothing comes after the check that could be stopped."""
    book = tmp_path / "wattbook.db"
    with Book.open(book, clock=StillClock()) as written:
        written.append(polls(10_000), urgent=True).result(30)

    def stop(done: int, total: int) -> None:
        if (done, total) == (1, 2):  # the copy is made, and nothing looked at yet
            raise BookError("stopping")

    with pytest.raises(BookError, match="stopping"):
        back_up(book, target, now=START, progress=stop)
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE piece SET data = zeroblob(length(data)) WHERE id = 2", "main-a, frame of 2026-11-22"),
        ("UPDATE piece SET ends = zeroblob(length(ends)) WHERE id = 2", "main-a, frame of 2026-11-22"),
        ("UPDATE frame SET seq_last = seq_last + 1 WHERE id = 1", "main-a, frame of 2026-11-21"),
        ("UPDATE chain SET leaf = zeroblob(32) WHERE id = 2", "broken at link 2"),
        ("DELETE FROM chain WHERE id = 2", "lacks links 2 to 2"),
        ("DELETE FROM chain WHERE id = 3", "no link for it"),
    ],
)
def test_verify_names_what_was_changed(path: Path, statement: str, words: str) -> None:
    change(path, statement)
    assert any(words in each for each in found(path)), found(path)


def test_verify_names_the_local_day(tmp_path: Path) -> None:
    """A day of Kathmandu begins at 18:15 UTC of the day before."""
    path, kathmandu = tmp_path / "wattbook.db", ZoneInfo("Asia/Kathmandu")
    with Book.open(path, clock=StillClock()) as book:
        readings = [Reading("solar", MIDNIGHT + n * timedelta(minutes=5), {"voltage": 230.0}) for n in range(700)]
        book.append(readings, urgent=True).result(30)
        book.seal(kathmandu, AFTER)
    change(
        path,
        "UPDATE piece SET data = zeroblob(length(data)) WHERE frame IN"
        " (SELECT id FROM frame WHERE from_at = 1000 * unixepoch('2026-11-21 18:15'))",
    )
    with BookReader(path) as reader:
        told = verify(reader, kathmandu)
    assert [each.partition(" UTC")[0] for each in told.damages] == ["2026-11-22: solar, frame of 2026-11-21 18:15"]


def test_verify_goes_on_whatever_page_is_torn(path: Path, tmp_path: Path) -> None:
    """It ends in damages, never in the first of them, and a torn page in use is never called whole."""
    page = 2048
    whole, torn = path.read_bytes(), tmp_path / "torn.db"
    for number in range(1, len(whole) // page):
        torn.write_bytes(whole[: number * page] + b"\xff" * page + whole[(number + 1) * page :])
        with BookReader(torn) as reader:
            told = verify(reader)
        assert told.damages or number in _free_pages(path), number


def _free_pages(path: Path) -> set[int]:
    """Places of pages that hold nothing, as SQLite's list of them says (fileformat2, section 1.5)."""
    data = path.read_bytes()
    free, trunk = set(), int.from_bytes(data[32:36], "big")
    while trunk:  # ends: the list is finite in a whole file
        begins = (trunk - 1) * 2048
        words = [int.from_bytes(data[begins + at : begins + at + 4], "big") for at in range(0, 2048, 4)]
        free |= {each - 1 for each in words[2 : 2 + words[1]]}
        trunk = words[0]
    return free


def test_a_day_changed_with_its_checksums_is_found_by_the_chain(path: Path) -> None:
    """Whoever can compute a checksum cannot make the links fit without making all after them anew."""
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = connection.execute("SELECT frame, crc, exponent, grid, data FROM piece ORDER BY id LIMIT 2").fetchall()
        connection.execute("UPDATE piece SET total = total + 1 WHERE id = 1")
        assert rows
        _fix_crc(connection, 1)
    assert found(path) == [
        "2026-11-21: main-a, frame of 2026-11-21 00:00 UTC: it is not what the chain says was sealed"
    ]


def _fix_crc(connection: sqlite3.Connection, piece_id: int) -> None:
    from wattbook.store.frames import FIELDS, Piece

    select = f"SELECT name, {', '.join(FIELDS)} FROM piece JOIN quantity ON quantity.id = quantity WHERE piece.id = ?"  # noqa: S608
    name, *fields = connection.execute(select, (piece_id,)).fetchone()
    connection.execute("UPDATE piece SET crc = ? WHERE id = ?", (Piece(*fields).crc(name), piece_id))


def test_the_links_of_a_day_tell_late_readings_too(path: Path) -> None:
    with Book.open(path, clock=StillClock()) as book:
        late = Reading("main-a", MIDNIGHT + timedelta(minutes=1), {"active_energy_import": 0.5})
        book.append([late], urgent=True).result(30)
        book.seal(ZONE, AFTER)
    with BookReader(path) as reader:
        links = links_of_day(reader, MIDNIGHT.date(), ZONE)
        told = verify(reader)
    assert [(link.meter, link.revision) for link in links] == [("main-a", 1), ("main-a", 2)]
    assert told.whole and told.head == links[-1].link


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[BackupSettings]:
    yield BackupSettings(dir=tmp_path)


def test_a_backup_is_due_when_its_period_has_gone(settings: BackupSettings) -> None:
    assert is_due(settings, None, START, ZONE)
    assert not is_due(settings, START - timedelta(hours=23), START, ZONE)
    assert is_due(settings, START - DAY, START, ZONE)


def test_a_backup_is_due_at_its_time_of_day_also_when_that_was_slept_through(tmp_path: Path) -> None:
    settings = BackupSettings(dir=tmp_path, at=time(3, 0))
    prague = ZoneInfo("Europe/Prague")
    at_three = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
    assert not is_due(settings, at_three - DAY, at_three - timedelta(minutes=1), prague)
    assert is_due(settings, at_three - DAY, at_three, prague)
    assert not is_due(settings, at_three + timedelta(seconds=20), at_three + timedelta(hours=20), prague)
    assert is_due(settings, at_three - 3 * DAY, at_three + timedelta(hours=9), prague)


def test_storage_tells_size_growth_and_the_end_of_the_disk(path: Path) -> None:
    with BookReader(path) as reader:
        told = storage_of(reader, AFTER)
        later = storage_of(reader, AFTER + 30 * DAY)
    assert told.readings_sealed == DAYS * 288 and told.readings_hot == 2
    assert told.bytes_a_day is not None and 200 < told.bytes_a_day < 3_000
    assert told.full_at is None or told.full_at > AFTER
    assert later.bytes_a_day is None  # no day of the last week


def test_the_people_are_in_the_backup_for_their_owner_alone(path: Path, target: Path) -> None:
    people = path.with_name("wattbook.db.people")
    people.write_text("{}", encoding="utf-8")
    made = back_up(path, target, now=START, people=people).path.with_suffix(".people")
    assert made.read_text(encoding="utf-8") == "{}" and made.stat().st_mode & 0o777 == 0o600
    back_up(path, target, now=START + DAY, keep=1, people=people)
    assert not made.exists()  # it goes with its copy
