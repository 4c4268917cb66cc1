from pathlib import Path

import pytest

from wattbook.config import Config, examine, load, parse_duration
from wattbook.model import ConfigError

GOOD = """
[site]
name = "House"
timezone = "Europe/Prague"

[[line]]
name = "rs485"
port = "/dev/ttyUSB0"
password = { env = "WATTBOOK_TEST_SECRET" }

[[meter]]
name = "main-a"
location = "house/panel/a"
line = "rs485"
model = "pzem-016"
address = 4
every = "5s"
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "wattbook.toml"
    path.write_text(text)
    return path


def _loaded(folder: Path, text: str) -> Config:
    return load(_write(folder, text))


def test_a_good_file_becomes_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    config = _loaded(tmp_path, GOOD)
    assert config.book == (tmp_path / "wattbook.db").resolve()
    assert config.every_s(config.meters[0]) == 5.0
    assert config.lines[0].serial(config.profiles["main-a"].serial).baud == 9600
    assert config.lines[0].password == "hush" and "hush" not in repr(config)
    assert config.api.listen == "127.0.0.1:8600"


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (("pzem-016", "pzem16"), 15, 'no model is called "pzem16" (did you mean "pzem-016"'),
        (('line = "rs485"', 'line = "rs458"'), 14, 'no line is called "rs458" (did you mean "rs485"'),
        (("every =", "evry ="), 17, 'unknown key "evry" (did you mean "every"'),
        (('"5s"', '"5"'), 17, "a duration is a text like"),
        (("address = 4", "address = 248"), 16, "takes addresses up to 247"),
        (("address = 4", 'address = "four"'), 16, "a Modbus address is a number"),
        (("Europe/Prague", "Europe/Pragu"), 4, 'did you mean "Europe/Prague"'),
        (('port = "/dev/ttyUSB0"', 'parity = "evn"'), 8, 'did you mean "even"'),
        (("[site]", "[sight]"), 2, 'unknown table [sight] (did you mean "site"'),
        (('port = "/dev/ttyUSB0"', ""), 6, 'needs either "port" or "ports"'),
        (("WATTBOOK_TEST_SECRET", "WATTBOOK_NO_SUCH"), 9, "no variable WATTBOOK_NO_SUCH"),
        (('name = "main-a"', 'name = "main/a"'), 12, 'without "/"'),
        (("[[line]]", "[[line]"), 6, "not TOML"),
    ],
)
def test_each_problem_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], place: int, says: str
) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    _, problems = examine(_write(tmp_path, GOOD.replace(*change)))
    assert [problem.line for problem in problems] == [place]
    assert says in problems[0].message


def test_all_problems_are_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    second = '[[meter]]\nname = "main-a"\nmodel = "nix"\nline = "rs485"\n[api]\nlegacy = ["energy"]\n'
    with pytest.raises(ConfigError) as raised:
        _loaded(tmp_path, GOOD + second)
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["19", "20", "23"]


def test_what_speaks_first_cannot_share_a_line_with_what_is_asked(tmp_path: Path) -> None:
    text = GOOD.replace('password = { env = "WATTBOOK_TEST_SECRET" }', "")
    _, problems = examine(_write(tmp_path, text + '[[meter]]\nname = "s"\nmodel = "sml"\nline = "rs485"\n'))
    assert "each kind needs its own line" in problems[0].message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "nix.toml")


def test_a_wrong_network_is_told_with_its_line(tmp_path: Path) -> None:
    _, problems = examine(_write(tmp_path, '[api]\nallow = ["192.168.0.1/24"]\n'))
    assert problems[0].line == 2 and "192.168.0.0/24" in problems[0].message


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("15min", 900), ("1h", 3600), ("200ms", 0.2), ("0s", 0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "s", "-5s", "5 weeks", 5, None])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(text)
