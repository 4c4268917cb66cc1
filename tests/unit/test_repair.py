"""A damaged book never refuses to start: the log's tail is cut, a damaged file is put aside and read out."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from book_tools import START, StillClock, poll, polls
from wattbook.model import BookError, Event
from wattbook.store import Book, BookReader, Position
from wattbook.store.connection import connect_writer
from wattbook.store.opening import create, open_file
from wattbook.store.schema import PAGE_SIZE, VERSION
from wattbook.store.verify import verify

READINGS = 3_000
DONE_S = 30.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A book that was closed in order, with readings of two meters, an event and a position."""
    path = tmp_path / "wattbook.db"
    with Book.open(path, clock=StillClock()) as book:
        book.append(polls(READINGS), urgent=True).result(DONE_S)
        book.append_event(Event("meter.away", "main-b", START)).result(DONE_S)
        book.acknowledge("sink", "77")
    return path


def crash(path: Path) -> None:
    """Let it look as if its writer had been killed."""
    path.with_name(path.name + ".lock").write_text("4711")


def voltages_by_number(book: Book) -> dict[int, float]:
    batch = book.read("", 100_000)
    return {
        seq: energy - 25_409_000
        for columns in batch.columns
        for seq, energy in zip(columns.seq, columns.values["active_energy_import"], strict=True)
    }


def overwrite(path: Path, page: int, content: bytes = b"\xa5" * PAGE_SIZE) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_SIZE)
        file.write(content)


def leaf_of_hot(path: Path, place: int) -> int:
    """The page of a leaf in the middle of the readings' tree (in the order of the file)."""
    content = path.read_bytes()
    leaves = [
        at // PAGE_SIZE + 1
        for at in range(PAGE_SIZE, len(content), PAGE_SIZE)
        if content[at] == 0x0D and b"\xce\x01\x83" in content[at : at + PAGE_SIZE]  # a table's leaf with our energies
    ]
    return leaves[place]


def root_of(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    connection.close()
    return int(page)


def test_a_crash_without_damage_opens_without_a_word(path: Path) -> None:
    crash(path)
    with Book.open(path, clock=StillClock()) as book:
        assert book.opened_with == ()
        assert len(voltages_by_number(book)) == READINGS


@pytest.mark.parametrize("size", [1, 33, 2_000, 5_000])
@pytest.mark.parametrize("lost", [True, False])
def test_a_damaged_tail_of_the_log_is_cut(tmp_path: Path, size: int, lost: bool) -> None:
    path, copy = tmp_path / "wattbook.db", tmp_path / "copy.db"
    with Book.open(path, clock=StillClock()) as book:
        for number in range(30):
            book.append([poll(number)], urgent=True).result(DONE_S)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    log = Path(f"{copy}-wal").read_bytes()
    tail = b"" if lost else bytes(byte ^ 0x5A for byte in log[-size:])
    Path(f"{copy}-wal").write_bytes(log[:-size] + tail)
    crash(copy)
    with Book.open(copy, clock=StillClock()) as book:
        found = voltages_by_number(book)
        assert 20 < len(found) < 30
        assert list(found.values()) == list(range(len(found)))
        assert book.append([poll(50)], urgent=True).result(DONE_S).new == 1


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_damaged_leaf_costs_its_readings_only(path: Path, place: int) -> None:
    overwrite(path, leaf_of_hot(path, place))
    crash(path)
    with Book.open(path, clock=StillClock()) as book:
        (message,) = book.opened_with
        assert "was damaged" in message
        found = voltages_by_number(book)
        assert READINGS - 150 < len(found) < READINGS
        assert all(seq == value + 1 for seq, value in found.items())
        assert book.position("sink") == Position("77")
        events = {event.kind: event for event in book.read("", 100_000).events}
        assert events["meter.away"].subject == "main-b"
        wait = book.append_event(Event("after", "", START)).result(DONE_S)
        assert wait > READINGS + 1
        events = {event.kind: event for event in book.read("", 100_000).events}
        assert events["book.repaired"].body == {"what": message}
    (aside,) = path.parent.glob("wattbook.db.damaged-*")
    assert aside.name in message
    with Book.open(path, clock=StillClock()) as book:
        assert book.opened_with == ()


def test_damage_found_while_writing_is_repaired_at_the_next_start(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    overwrite(path, root_of(path, "hot"))  # and the last writer closed it in order
    with Book.open(path, clock=StillClock()) as book:
        assert book.opened_with == ()
        error = book.append([poll(READINGS)], urgent=True).exception(DONE_S)
        assert isinstance(error, BookError) and "repaired at the next start" in str(error)
    assert "malformed" in caplog.text
    with Book.open(path, clock=StillClock()) as book:
        (message,) = book.opened_with
        assert "was damaged" in message
        assert book.append([poll(READINGS)], urgent=True).result(DONE_S).new == 1
    with Book.open(path, clock=StillClock()) as book:
        assert book.opened_with == ()


@pytest.mark.parametrize("kept_share", [0.95, 0.6, 0.4])
def test_a_file_cut_short_gives_what_is_left(path: Path, kept_share: float) -> None:
    size = int(path.stat().st_size * kept_share)
    with path.open("r+b") as file:
        file.truncate(size)
    crash(path)
    with Book.open(path, clock=StillClock()) as book:
        assert len(book.opened_with) == 1
        found = voltages_by_number(book)
        assert len(found) > READINGS * (kept_share - 0.25)
        assert all(seq == value + 1 for seq, value in found.items())
        assert book.append([poll(READINGS)], urgent=True).result(DONE_S).seqs[0] > READINGS


@pytest.mark.parametrize("content", [b"\xa5" * PAGE_SIZE, bytes(PAGE_SIZE), b"\xa5" * 10])
def test_a_lost_first_page_is_put_back(path: Path, content: bytes) -> None:
    overwrite(path, 1, content)
    with Book.open(path, clock=StillClock()) as book:
        assert len(book.opened_with) == 1
        assert len(voltages_by_number(book)) == READINGS


@pytest.mark.parametrize("content", [b"\x00" * 5_000, b"\xa5" * PAGE_SIZE, b"SQLite format 3\x00" + b"\xa5" * 9_000])
def test_a_file_with_nothing_to_read_is_put_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wattbook.db"
    path.write_bytes(content)
    with Book.open(path, clock=StillClock()) as book:
        assert len(book.opened_with) == 1
        assert book.append([poll(0)], urgent=True).result(DONE_S).new == 1
    (aside,) = tmp_path.glob("wattbook.db.damaged-*")
    assert aside.read_bytes() == content


def test_a_file_that_never_was_a_book_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database at all")
    with pytest.raises(BookError, match="this is no book; name another file"):
        Book.open(path, clock=StillClock())
    assert path.read_text() == "not a database at all"


@pytest.mark.parametrize("wrong", ["DELETE FROM book", "UPDATE book SET seq_next = 'x'", "DROP TABLE book"])
def test_a_book_without_its_count_is_put_back_together(path: Path, wrong: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(wrong)
    connection.close()
    with Book.open(path, clock=StillClock()) as book:
        assert len(book.opened_with) == 1
        before = voltages_by_number(book)
        assert len(before) == READINGS
        (seq,) = book.append([poll(READINGS)], urgent=True).result(DONE_S).seqs
        assert seq > max(before)


def small_disk(path: Path) -> sqlite3.Connection:
    """A disk that has room for the book as it is and not for what is repaired."""
    connection = connect_writer(path)
    connection.execute("PRAGMA max_page_count = 20").fetchone()
    return connection


def test_a_repair_without_room_is_told_and_leaves_the_book_as_it_was(path: Path) -> None:
    overwrite(path, leaf_of_hot(path, 10))
    crash(path)
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(BookError, match="cannot be repaired now: database or disk is full; make room"):
            Book.open(path, clock=StillClock(), connect=small_disk)
        assert path.read_bytes() == before
        assert sorted(each.name for each in path.parent.iterdir()) == ["wattbook.db", "wattbook.db.lock"]
    with Book.open(path, clock=StillClock()) as book:
        assert READINGS - 150 < len(voltages_by_number(book)) < READINGS


@pytest.mark.parametrize("renames", range(4))
def test_a_repair_that_is_cut_off_is_finished_by_the_next_start(
    path: Path, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite(path, leaf_of_hot(path, 10))
    crash(path)
    left = [renames]
    rename = Path.rename

    def cut_off(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as cutting:
        cutting.setattr(Path, "rename", cut_off)
        with pytest.raises(KeyboardInterrupt):
            Book.open(path, clock=StillClock())
    with Book.open(path, clock=StillClock()) as book:
        assert len(book.opened_with) == 1
        assert READINGS - 150 < len(voltages_by_number(book)) < READINGS
        assert book.position("sink") == Position("77")
    names = sorted(each.name for each in path.parent.iterdir())
    assert [name for name in names if "damaged" not in name] == ["wattbook.db", "wattbook.db.lock"]
    assert len([name for name in names if "damaged" in name]) == 1


def test_what_a_repair_that_was_cut_off_left_behind_is_no_book(path: Path) -> None:
    for name in (".new", ".copy", ".repaired"):
        path.with_name(path.name + name).write_bytes(b"half of something")
    with Book.open(path, clock=StillClock()) as book:
        assert len(voltages_by_number(book)) == READINGS
    assert sorted(each.name for each in path.parent.iterdir()) == ["wattbook.db", "wattbook.db.lock"]


def test_a_number_far_beyond_the_others_costs_no_memory(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE hot SET seq = ? WHERE seq = ?", (2**40, READINGS))
    connection.commit()
    connection.close()
    overwrite(path, root_of(path, "piece"))
    crash(path)
    with Book.open(path, clock=StillClock()) as book:
        assert len(book.opened_with) == 1
        assert len(voltages_by_number(book)) == READINGS


def test_a_book_and_its_lock_on_a_full_disk_are_refused_in_words_and_the_crash_stays_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "wattbook.db"
    with pytest.raises(BookError, match="cannot be opened: database or disk is full"):
        Book.open(path, clock=StillClock(), connect=tiny_disk)
    crash(path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.pwrite", full)
        with pytest.raises(BookError, match=r"wattbook\.db\.lock: No space left on device; make room"):
            Book.open(path, clock=StillClock())
    assert path.with_name("wattbook.db.lock").read_text() == "4711"
    Book.open(path, clock=StillClock()).close()


def tiny_disk(path: Path) -> sqlite3.Connection:
    connection = connect_writer(path)
    connection.execute("PRAGMA max_page_count = 3").fetchone()
    return connection


def test_an_empty_file_becomes_a_book(tmp_path: Path) -> None:
    path = tmp_path / "wattbook.db"
    path.touch()
    with Book.open(path, clock=StillClock()) as book:
        assert book.append([poll(0)], urgent=True).result(DONE_S).new == 1
        assert book.opened_with == ()


def test_an_older_book_is_migrated_after_a_copy(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION - 1}")
    connection.close()

    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    older = VERSION - 1
    migrations = {older: "CREATE TABLE novelty (id INTEGER PRIMARY KEY);\nINSERT INTO novelty VALUES (7);\n"}
    opened = open_file(path, connect, crashed=False, now=START, migrations=migrations)
    assert opened.connection.execute("SELECT id FROM novelty").fetchone() == (7,)
    assert opened.connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    opened.connection.close()
    (message,) = opened.messages
    (copy,) = path.parent.glob("wattbook.db.version-*")
    assert copy.name in message
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM hot").fetchone() == (READINGS,)
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'novelty'").fetchone() == (0,)
    connection.close()


def test_every_new_book_has_the_same_tree_roots() -> None:
    """What putting back a lost first page rests on."""
    roots = []
    for _ in range(2):
        connection = sqlite3.connect(":memory:", isolation_level=None)
        create(connection)
        roots.append(connection.execute("SELECT name, rootpage FROM sqlite_master").fetchall())
        connection.close()
    assert roots[0] == roots[1]


def write_over(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def damages(path: Path) -> list[str]:
    with BookReader(path) as reader:
        return verify(reader).damages


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE event SET kind = 'meter.ratio', body = 'x' || body", "event 3001 cannot be read"),
        ("UPDATE event SET kind = 'meter.ratio', body = CAST(x'7bff7d' AS TEXT)", "event 3001 cannot be read"),
        ("""UPDATE event SET kind = 'meter.ratio', body = '{"from":"2026-1["}'""", "event 3001 cannot be read"),
        ("UPDATE shape SET cells = 'x' || cells", "shape 1 cannot be read"),
        ("UPDATE shape SET cells = CAST(x'5bff5d' AS TEXT) WHERE id = 1", "shape 1 cannot be read"),
    ],
)
def test_a_row_that_cannot_be_read_does_not_keep_the_book_from_being_opened(
    path: Path, statement: str, told: str
) -> None:
    """SQLite's own check finds nothing wrong."""
    write_over(path, statement)
    assert any("cannot be read" in words for words in damages(path))
    with Book.open(path, clock=StillClock()) as book:
        assert told in book.opened_with[0]
        assert book.append([poll(READINGS)], urgent=True).result(DONE_S).new == 1
        assert READINGS in voltages_by_number(book).values()
    assert damages(path) == []


def test_an_event_whose_kind_is_no_text_is_told(path: Path) -> None:
    write_over(path, "UPDATE event SET kind = CAST(x'6dff' AS TEXT)")
    assert damages(path) == ["events that cannot be read: 1, the first is number 3001"]


def test_a_reading_that_cannot_be_read_stops_who_follows_until_the_next_start_only(path: Path) -> None:
    write_over(path, "UPDATE hot SET cells = x'91c0' WHERE seq = 7")
    assert damages(path) == ["readings that cannot be read: 1, the first is number 7"]
    with Book.open(path, clock=StillClock()) as book, pytest.raises(BookError, match="cannot be read"):
        voltages_by_number(book)
    with Book.open(path, clock=StillClock()) as book:
        assert "reading 7 cannot be read" in book.opened_with[0]
        assert sorted(voltages_by_number(book).values()) == [number for number in range(READINGS) if number != 6]


def test_a_reading_that_cannot_be_read_does_not_end_the_writer_when_it_is_sent_again(path: Path) -> None:
    write_over(path, "UPDATE hot SET cells = x'91c0' WHERE seq = 7")
    with (
        Book.open(path, clock=StillClock()) as book,
        pytest.raises(BookError, match="it will be repaired at the next start"),
    ):
        book.append([poll(6)], urgent=True).result(DONE_S)
    with Book.open(path, clock=StillClock()) as book:
        assert "reading 7 cannot be read" in book.opened_with[0]
        assert book.append([poll(6)], urgent=True).result(DONE_S).new == 1
