"""`wattbook import` and `export` as a person types them, beside a running daemon and without one."""

import json
from pathlib import Path

import pytest

from ports import free_port
from running import daemon, get_json, wattbook
from wattbook.cli.main import run_command
from wattbook.config import load

HOUSE = """
[site]
name = "Import house"
timezone = "Europe/Prague"

[api]
listen = "127.0.0.1:{port}"

[[line]]
name = "rs485"
port = "{folder}/nothing"

[[meter]]
name = "main-a"
line = "rs485"
model = "pzem-016"
address = 4

[[meter]]
name = "old"
model = "push"
"""
TABLE = (
    "meter,at,voltage,active_energy_import\n"
    "main-a,2026-11-21T01:02:03.000+01:00,230.1,25409587\n"
    "old,2026-11-21T01:02:03.000+01:00,,17\n"
)


def _house(folder: Path) -> Path:
    path = folder / "wattbook.toml"
    path.write_text(HOUSE.replace("{folder}", str(folder)).replace("{port}", str(free_port())), encoding="utf-8")
    (folder / "table.csv").write_text(TABLE)
    return path


def test_a_table_goes_in_and_comes_out_in_every_format(tmp_path: Path) -> None:
    config = _house(tmp_path)
    looked = wattbook("import", tmp_path / "table.csv", "-c", config, "--preview")
    assert looked.returncode == 0 and "2 readings would be stored" in looked.stdout
    assert "main-a  2026-11-21 01:02:03  voltage 230.1 V" in looked.stdout
    done = wattbook("import", tmp_path / "table.csv", "-c", config)
    assert done.returncode == 0 and "2 new, 0 already there" in done.stdout
    assert wattbook("export", "-c", config).stdout == TABLE
    assert wattbook("export", "old", "-c", config).stdout.splitlines() == [
        "meter,at,active_energy_import", "old,2026-11-21T01:02:03.000+01:00,17",
    ]  # fmt: skip
    for name in ("all.csv", "all.xlsx", "all.parquet"):
        said = wattbook("export", "-c", config, "-o", tmp_path / name)
        assert (said.returncode, said.stderr) == (0, "") and (tmp_path / name).stat().st_size > 50
    assert (tmp_path / "all.csv").read_text() == TABLE
    assert not list(tmp_path.glob("*.part"))
    wattbook("export", "main-a", "-c", config, "--layout", "rx380", "-o", tmp_path / "days")
    assert [path.name for path in (tmp_path / "days").iterdir()] == ["rx380_data_2026-11-21.csv"]
    said = wattbook("export", "main-a", "-c", config, "--layout", "lector", "-o", tmp_path / "dades")
    assert said.returncode == 0 and (tmp_path / "dades/main-a/20261121.txt").exists()


def test_bad_rows_make_the_exit_code_1_and_strict_stores_nothing(tmp_path: Path) -> None:
    config = _house(tmp_path)
    (tmp_path / "bad.csv").write_text(TABLE + "main-aa,2026-11-21T01:02:03.000+01:00,1,2\nold,soon,1,2\n")
    strict = wattbook("import", tmp_path / "bad.csv", "-c", config, "--strict", "--json")
    told = json.loads(strict.stdout)
    assert strict.returncode == 1 and not told["stored"] and told["rejected"] == 2
    done = wattbook("import", tmp_path / "bad.csv", "-c", config)
    assert done.returncode == 1 and "2 new" in done.stdout
    assert 'bad.csv:4: no meter is called "main-aa" (did you mean "main-a"?)' in done.stderr
    assert "bad.csv:5:" in done.stderr and "2 rows are bad." in done.stderr


def test_wrong_use_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = _house(tmp_path)
    for arguments, words in (
        (("import", "nowhere.csv"), "No such file"),
        (("import", tmp_path / "table.csv", "--from", "inflx"), 'did you mean "influx"'),
        (("import", tmp_path / "table.csv", "--map", "x"), "NAME=METER.QUANTITY"),
        (("import", tmp_path / "table.csv", "--zone", "Moon"), "no time zone"),
        (("import", tmp_path / "table.csv", "--meter", "man-a"), 'did you mean "main-a"'),
        (("export", "man-a"), "there is no book yet"),
        (("export", "--format", "xls", "-o", "x"), 'did you mean "xlsx"'),
        (("export", "--format", "xlsx"), "-o FILE"),
        (("export", "--layout", "rx38", "-o", "x"), 'did you mean "rx380"'),
    ):
        code, said = run_command([*map(str, arguments), "-c", str(config)]), capsys.readouterr().err
        assert code in (1, 2) and words in said, said
        assert len(said.strip().splitlines()) == 1
    run_command(["import", str(tmp_path / "table.csv"), "-c", str(config)])
    run_command(["export", "man-a", "-c", str(config)])
    assert 'did you mean "main-a"' in capsys.readouterr().err


def test_an_import_goes_through_the_running_daemon(tmp_path: Path) -> None:
    """Also for a meter that is on a line now: its past was read by another program."""
    config = _house(tmp_path)
    with daemon(config, tmp_path / "run.log") as (url, _):
        done = wattbook("import", tmp_path / "table.csv", "-c", config, "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["new"] == 2
        again = wattbook("import", tmp_path / "table.csv", "-c", config, "--json")
        assert json.loads(again.stdout)["same"] == 2
        latest = get_json(f"{url.rstrip('/')}/api/v1/readings/latest")
        assert {reading["meter"] for reading in latest} == {"main-a", "old"}
        assert wattbook("export", "-c", config).stdout == TABLE


def test_a_daemon_is_found_where_it_serves_whatever_the_file_says_by_now(tmp_path: Path) -> None:
    config = _house(tmp_path)
    with daemon(config, tmp_path / "run.log"):
        config.write_text(config.read_text().replace('listen = "127.0.0.1:', 'listen = "127.0.0.1:1" # was "'))
        done = wattbook("import", tmp_path / "table.csv", "-c", config, "--json")
        assert done.returncode == 0 and json.loads(done.stdout)["new"] == 2, done.stderr


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/", None])
def test_a_daemon_that_does_not_answer_is_told(tmp_path: Path, address: str | None) -> None:
    config = _house(tmp_path)
    with daemon(config, tmp_path / "run.log"):
        beside = load(config).address
        beside.unlink() if address is None else beside.write_text(address)
        done = wattbook("import", tmp_path / "table.csv", "-c", config)
        assert done.returncode == 1 and "is writing this book" in done.stderr and "nobody answers" in done.stderr
