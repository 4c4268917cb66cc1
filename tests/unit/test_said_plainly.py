"""Small commands as they are typed: what they say where there is nothing to show, or not what was meant."""

from __future__ import annotations

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
