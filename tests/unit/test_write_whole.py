"""wattbook.toml is written whole: its mode, and a link to it, stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattbook.config import Edit, NotRight, change
from wattbook.config.write_whole import write_whole
from wattbook.model import ConfigError


def test_mode_and_link_stay_and_nothing_is_left_beside(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "wattbook.toml"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to("real.toml")
    write_whole(link, "neu é\r\n")
    assert link.is_symlink() and real.read_bytes() == "neu é\r\n".encode()
    assert real.stat().st_mode & 0o777 == 0o640 and sorted(tmp_path.iterdir()) == [real, link]


def test_a_new_file_is_made(tmp_path: Path) -> None:
    write_whole(tmp_path / "wattbook.toml", "x")
    assert (tmp_path / "wattbook.toml").read_text() == "x"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_whole(tmp_path / "nowhere" / "wattbook.toml", "x")


def test_what_is_wrong_is_not_written_and_nothing_is_recorded(tmp_path: Path) -> None:
    file, told = tmp_path / "wattbook.toml", []
    file.write_text("[site]\n")
    with pytest.raises(NotRight) as wrong:
        change(file, Edit("change", "site", {"timezone": "Europe/Pragu"}), before=lambda: told.append(1))
    assert 'did you mean "Europe/Prague"' in wrong.value.fields["timezone"]
    assert file.read_text() == "[site]\n" and told == [] and list(tmp_path.iterdir()) == [file]
