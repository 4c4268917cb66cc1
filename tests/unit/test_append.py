"""What a scan found goes into a configuration, and nothing that stands there changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattbook.config import Piece, append, examine, free_name, pieces_text, present
from wattbook.engine.draft import Names, draft
from wattbook.engine.recognise import Recognised
from wattbook.engine.scan import Found, Outcome
from wattbook.model import ConfigError
from wattbook.profiles import Library, SerialSettings

PZEM = Library().get("pzem-016")
OLD = """# mine
[[line]]
name = "bus"   # of the cellar
port = "/dev/ttyUSB0"

[[meter]]
name = "pzem-016-4"
line = "bus"
model = "pzem-016"
address = 4"""


def outcome(*units: int, port: str = "/dev/ttyUSB0", settings: SerialSettings | None = PZEM.serial) -> Outcome:
    return Outcome(port, [Found(port, unit, settings, Recognised(PZEM, also=("pzem-004t",))) for unit in units])


def test_a_new_file_is_one_that_the_daemon_understands(tmp_path: Path) -> None:
    path = tmp_path / "wattbook.toml"
    append(path, draft([outcome(1, 2), outcome(1, port="tcp://10.0.0.1:502", settings=None)], Names()))
    config, problems = examine(path)
    assert problems == [] and config is not None
    assert [(line.name, line.port, line.baud) for line in config.lines] == [
        ("ttyUSB0", "/dev/ttyUSB0", 9600), ("10.0.0.1", "tcp://10.0.0.1:502", None),
    ]  # fmt: skip
    assert [(one.name, one.line, one.address) for one in config.meters] == [
        ("pzem-016-1", "ttyUSB0", 1), ("pzem-016-2", "ttyUSB0", 2), ("pzem-016-1-2", "10.0.0.1", 1),
    ]  # fmt: skip
    assert "# or pzem-004t" in path.read_text()


def test_what_stands_in_the_file_stays_and_meters_join_their_line(tmp_path: Path) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(OLD)
    append(path, draft([outcome(4, 5)], Names.of(present(path))))
    assert path.read_text().startswith(OLD + "\n\n# or pzem-004t")
    config, problems = examine(path)
    assert problems == [] and config is not None and len(config.lines) == 1
    assert [(one.name, one.address) for one in config.meters] == [("pzem-016-4", 4), ("pzem-016-5", 5)]
    assert draft([outcome(4, 5)], Names.of(present(path))) == []


def test_nothing_is_written_that_would_be_wrong(tmp_path: Path) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(OLD)
    with pytest.raises(ConfigError, match="nothing was written"):
        append(path, [Piece("meter", {"name": "pzem-016-4", "line": "nowhere", "model": "pzem-016"})])
    assert path.read_text() == OLD and list(tmp_path.iterdir()) == [path]
    path.write_text("[[line")
    with pytest.raises(ConfigError, match="not TOML"):
        present(path)


def test_meters_of_other_settings_and_unknown_ones_are_told_in_comments() -> None:
    many = outcome(1, 2)
    many.found.append(Found(many.port, 3, SerialSettings(2400), Recognised(PZEM)))
    many.found.append(Found(many.port, 9, PZEM.serial, Recognised()))
    text = pieces_text(draft([many], Names()))
    assert "# /dev/ttyUSB0: a pzem-016 at address 3 speaks 2400 8N1, the others 9600 8N1" in text
    assert "address 9 answers, but as no model known here" in text and text.count("[[meter]]") == 2


def test_names_are_free_and_allowed() -> None:
    assert free_name("a/b", ["a-b"]) == "a-b-2" and free_name("/", []) == "line"
