"""Small commands as they are typed: what they say where there is nothing to show, or not what was meant."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from book_tools import START, StillClock
from wattbook.cli.main import run_command
from wattbook.model import Reading
from wattbook.store import Book

CAPTURES = Path(__file__).parents[1] / "captures"
CONFIG = """\
[site]
timezone = "UTC"
[[meter]]
name = "kitchen"
model = "push"
[[meter]]
name = "hall [old]"
model = "push"
"""
ALERT = '[[alert]]\nname = "quiet"\nkind = "silent"\nseverity = "warning"\n'
GRAVE = '[[notify]]\nname = "anna"\nurl = "ntfy://ntfy.sh/topic"\nseverity = "critical"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration, and a book with one reading that is not sealed yet."""
    path = tmp_path / "wattbook.toml"
    path.write_text(CONFIG, encoding="utf-8")
    with Book.open(path.with_name("wattbook.db"), clock=StillClock()) as book:
        book.append([Reading("hall [old]", START, {"voltage": 230.0})], urgent=True).result(30)
    return path


def typed(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The exit code of a command line, and what it says on standard output and on standard error."""
    code = run_command([str(each) for each in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(("command", "says"), [("sink status", "[[sink]]"), ("alert list", "[[alert]]")])
def test_brackets_are_text(config: Path, capsys: pytest.CaptureFixture[str], command: str, says: str) -> None:
    assert typed(capsys, *command.split(), "-c", config) == (0, "", f"wattbook.toml has no {says}.\n")
    assert typed(capsys, "latest", "-c", config)[1].startswith("hall [old]  2026-")


def test_the_hundredth_line_is_no_picture(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text("meter,at,voltage\n" + "\n" * 98 + "kitchen,soon,230\n", encoding="utf-8")
    assert typed(capsys, "import", table, "-c", config)[2].startswith("table.csv:100: ")


@pytest.mark.parametrize("notify", ["", GRAVE])
def test_a_rule_that_tells_nobody_is_not_tested(config: Path, capsys: pytest.CaptureFixture[str], notify: str) -> None:
    config.write_text(CONFIG + ALERT + notify, encoding="utf-8")
    said = "wattbook: quiet: nobody is told by this rule: no [[notify]] takes it\n"
    assert typed(capsys, "alert", "test", "quiet", "-c", config) == (1, "", said)


def test_registers_without_a_model_have_no_names(capsys: pytest.CaptureFixture[str]) -> None:
    capture = CAPTURES / "modbus" / "pzem-016.hex"
    code, _, error = typed(capsys, "decode", capture)
    assert code == 0 and error.startswith(f"{capture}: only --model says what its values are")
    assert error.count("\n") == 1
    assert typed(capsys, "decode", capture, "--model", "pzem-016")[2] == ""


def test_verify_tells_what_is_not_sealed_yet(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = "0 frames with 0 readings, 0 links in the chain; 1 reading not sealed yet\n"
    assert typed(capsys, "verify", "-c", config) == (0, said, "")
    assert json.loads(typed(capsys, "verify", "-c", config, "--json")[1])["readings_hot"] == 1


def test_the_meter_without_a_reading_is_named(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told, error = typed(capsys, "latest", "kitchen", "hall [old]", "-c", config)
    assert (code, error) == (0, "The book has no reading of kitchen yet.\n") and told.startswith("hall [old]")


def test_what_is_no_book_is_not_restored(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = f"wattbook: {config}: this is no book; name another file\n"
    assert typed(capsys, "restore", config, "--force", "-c", config) == (1, "", said)


def test_a_backup_of_a_damaged_book_points_to_verify(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = config.with_name("wattbook.db")
    whole = book.read_bytes()
    book.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    code, _, error = typed(capsys, "backup", tmp_path / "copies", "-c", config)
    assert code == 1 and error.startswith(f"wattbook: {book}: no backup was made: ")
    assert "`wattbook verify`" in error and "room" not in error


def test_a_reader_of_an_export_may_have_enough(config: Path) -> None:
    reads, writes = os.pipe()
    os.close(reads)
    command = [sys.executable, "-m", "wattbook", "export", "-c", config]
    done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writes)
    assert done.stderr == ""


@pytest.mark.parametrize("name", ["all.xyz", "all.cvs"])
def test_a_file_is_not_exported_in_a_format_that_its_name_does_not_say(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = tmp_path / name
    code, _, error = typed(capsys, "export", "-o", file, "-c", config)
    assert code == 2 and "end it in .csv, .xlsx, .parquet, or say --format" in error and not file.exists()
    assert typed(capsys, "export", "-o", file, "--format", "csv", "-c", config)[0] == 0
    assert typed(capsys, "export", "-o", tmp_path / "all", "-c", config)[0] == 0


def test_a_meter_in_the_place_of_a_quantity_is_known(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = 'no quantity is called "kitchen"; it is a meter, and a quantity comes after it: query kitchen active_power'
    assert typed(capsys, "query", "kitchen", "-c", config) == (2, "", f"wattbook: {said}\n")


def test_instants_of_people_are_those_of_readings(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed(capsys, "token", "create", "pusher", "--days", 3, "-c", config)
    told = json.loads(typed(capsys, "token", "list", "--json", "-c", config)[1])
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told[key]) for key in ("since", "until"))


def test_one_is_not_several(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text("meter,at,voltage\nkitchen,2026-11-20T01:02:03Z,230\nkitchen,soon,230\n", encoding="utf-8")
    _, told, error = typed(capsys, "import", table, "-c", config)
    assert told.startswith("1 reading imported ") and error.endswith("\n1 row is bad.\n")
    assert typed(capsys, "export", "--layout", "rx380", "-o", tmp_path / "days", "kitchen", "-c", config)[2] == (
        "1 file written.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("chekc", 'no command is called "chekc" (did you mean "check"?)'),
        ("sink stats", 'no command is called "stats" (did you mean "status"?)'),
        ("service", 'no command is called "service"'),
        ("latest --jsn", 'no option is called "--jsn" (did you mean "--json"?)'),
        ("user add bob --role viewr", '--role: cannot be "viewr" (did you mean "viewer"?); one of: viewer, operator'),
        ("token create x --scope rad", '--scope: cannot be "rad" (did you mean "read"?); one of: read, metrics, push'),
    ],
)
def test_a_wrong_word_is_answered_in_one_way(capsys: pytest.CaptureFixture[str], arguments: str, says: str) -> None:
    code, _, error = typed(capsys, *arguments.split())
    assert code == 2 and error.startswith(f"wattbook: {says}") and error.count("\n") == 1
    assert "did you mean" in says or "did you mean" not in error
