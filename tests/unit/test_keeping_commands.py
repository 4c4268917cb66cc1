"""`wattbook backup`, `restore`, `verify` and `storage` as they are typed: answers, refusals and exit codes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from book_tools import START, StillClock
from wattbook.cli.main import run_command
from wattbook.model import Reading
from wattbook.store import Book

CONFIG = '[site]\ntimezone = "UTC"\n\n[[meter]]\nname = "main-a"\nmodel = "push"\n'
DAY = timedelta(days=1)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration and its book of two sealed days."""
    path = tmp_path / "house" / "wattbook.toml"
    path.parent.mkdir()
    path.write_text(CONFIG, encoding="utf-8")
    midnight = START.replace(hour=0)
    readings = [
        Reading("main-a", midnight + n * timedelta(minutes=5), {"active_energy_import": float(n)}) for n in range(600)
    ]
    with Book.open(path.with_name("wattbook.db"), clock=StillClock()) as book:
        book.append(readings, urgent=True).result(30)
        book.seal(ZoneInfo("UTC"), midnight + 3 * DAY)
    return path


def said(capsys: pytest.CaptureFixture[str], *typed: object) -> tuple[int, str]:
    """What a command line answers, and its exit code."""
    code = run_command([str(each) for each in typed])
    told = capsys.readouterr()
    return code, told.out if code == 0 else told.out + told.err


def backed_up(capsys: pytest.CaptureFixture[str], config: Path) -> Path:
    code, told = said(capsys, "backup", config.parent.parent / "copies", "-c", config, "--json")
    assert code == 0
    answer = json.loads(told)
    assert answer["readings"] == 600 and answer["removed"] == []
    return Path(answer["file"])


def change(config: Path, statement: str) -> None:
    with closing(sqlite3.connect(config.with_name("wattbook.db"))) as connection, connection:
        connection.execute(statement)


def test_a_new_machine_needs_the_backup_and_what_lies_beside_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = backed_up(capsys, config)
    new = tmp_path / "new" / "wattbook.toml"
    code, told = said(capsys, "restore", copy, "-c", new)
    assert code == 0 and "restored from wattbook-" in told and "wattbook.toml: restored too" in told.replace("\n", "")
    assert new.read_text(encoding="utf-8") == CONFIG
    code, told = said(capsys, "verify", "-c", new, "--json")
    assert code == 0 and json.loads(told)["readings"] == 576
    code, told = said(capsys, "export", "-c", new, "--format", "csv", "-o", tmp_path / "all.csv")
    assert code == 0 and len((tmp_path / "all.csv").read_text(encoding="utf-8").splitlines()) == 601


def test_a_restore_that_is_refused_leaves_all_as_it_was(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = backed_up(capsys, config)
    before = config.with_name("wattbook.db").read_bytes()
    code, told = said(capsys, "restore", copy, "-c", config)
    assert code == 1 and "--force puts it aside" in told and told.count("\n") == 1
    with Book.open(config.with_name("wattbook.db"), clock=StillClock()):
        code, told = said(capsys, "restore", copy, "-c", config, "--force")
    assert code == 1 and "is writing this book" in told
    assert config.with_name("wattbook.db").read_bytes() == before
    copy.write_bytes(b"no book at all")
    new = tmp_path / "new" / "wattbook.toml"
    code, told = said(capsys, "restore", copy, "-c", new)
    assert code == 1 and told.count("\n") == 1
    assert not new.exists() and not new.with_name("wattbook.db").exists()


def test_with_force_the_old_book_is_put_aside(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = backed_up(capsys, config)
    code, told = said(capsys, "restore", copy, "-c", config, "--force")
    assert code == 0 and "the book that was there is wattbook.db.before-" in told
    assert len(list(config.parent.glob("wattbook.db.before-*Z"))) == 1


def test_the_people_come_back_where_there_are_none(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = config.with_name("wattbook.db.people")
    known.write_text('{"kept": 1}', encoding="utf-8")
    copy = backed_up(capsys, config)
    new = tmp_path / "new" / "wattbook.toml"
    code, told = said(capsys, "restore", copy, "-c", new)
    back = new.with_name(known.name)
    assert code == 0 and "users and tokens restored too" in told.replace("\n", " ")
    assert back.read_text(encoding="utf-8") == '{"kept": 1}' and back.stat().st_mode & 0o777 == 0o600
    known.write_text('{"revoked": 1}', encoding="utf-8")  # since the backup
    code, told = said(capsys, "restore", copy, "-c", config, "--force")
    assert code == 0 and "users" not in told
    assert known.read_text(encoding="utf-8") == '{"revoked": 1}'


def test_a_backup_of_old_without_people_is_restored(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = backed_up(capsys, config)
    assert not copy.with_suffix(".people").exists()
    new = tmp_path / "new" / "wattbook.toml"
    code, told = said(capsys, "restore", copy, "-c", new)
    assert code == 0 and "users" not in told and not new.with_name("wattbook.db.people").exists()


def test_verify_names_meter_and_day_and_the_rest_stays_readable(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(config, "UPDATE piece SET data = zeroblob(length(data)) WHERE id = 1")
    code, told = said(capsys, "verify", "-c", config)
    assert code == 1 and "2026-11-21: main-a" in told and "1 damaged" in told
    code, told = said(capsys, "backup", tmp_path / "copies", "-c", config)
    assert code == 1 and "damaged: 2026-11-21: main-a" in told
    assert list((tmp_path / "copies").iterdir()) == []
    code, told = said(
        capsys, "query", "main-a", "active_energy_import", "--from", "2026-11-22", "--to", "2026-11-23",
        "--every", "1d", "-c", config, "--json",
    )  # fmt: skip
    assert code == 0 and json.loads(told)["points"][0]["value"] == 288


def test_a_proof_prints_the_links_of_its_day_and_the_head(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said(capsys, "verify", "-c", config, "--proof", "2026-11-21", "--json")
    proof = json.loads(told)
    assert code == 0 and [each["link"] for each in proof["links"]] == [1]
    _, told = said(capsys, "verify", "-c", config, "--json")
    assert json.loads(told)["head"] == proof["head"]
    code, told = said(capsys, "verify", "-c", config, "--proof", "tomorrow")
    assert code == 2 and "is no day" in told


def test_backup_says_what_it_lacks(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said(capsys, "backup", "-c", config)
    assert code == 2 and "[backup] dir" in told
    config.with_name("wattbook.db").unlink()
    code, told = said(capsys, "backup", tmp_path / "copies", "-c", config)
    assert code == 1 and "there is no book yet" in told


def test_storage_in_json_has_its_units_in_its_names(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said(capsys, "storage", "-c", config, "--json")
    answer = json.loads(told)
    assert code == 0 and answer["readings_sealed"] == 576 and answer["readings_hot"] == 24
    assert answer["bytes_file"] > 0 and answer["commit_every_s"] == 1.0
