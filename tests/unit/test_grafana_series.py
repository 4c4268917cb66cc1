"""Where the readings of a sink are, as its settings tell; and what is said when Grafana could show nothing right."""

from __future__ import annotations

from pathlib import Path

import pytest

from wattbook import config as configuration
from wattbook.cli.main import run_command
from wattbook.grafana import Readings, readings_of

HOUSE = """
[site]
name = "House"
timezone = "Europe/Prague"
[[line]]
name = "rs485"
port = "/dev/ttyUSB0"
[[meter]]
name = "main-a"
location = "house"
line = "rs485"
model = "pzem-016"
address = 4
[[meter]]
name = "main-b"
line = "rs485"
model = "pzem-016"
address = 5
"""
INFLUX = '[[sink]]\nname = "i"\nkind = "influxdb"\nurl = "http://127.0.0.1:8086"\n'
SQL = '[[sink]]\nname = "s"\nkind = "sql"\nurl = "postgresql://a@127.0.0.1/b"\n'
TOLD = {"main-a": ["active_power", "voltage"], "main-b": ["active_power"]}


def _readings(folder: Path, sink: str) -> Readings | None:
    path = folder / "wattbook.toml"
    path.write_text(HOUSE + sink, encoding="utf-8")
    config = configuration.load(path)
    return readings_of(config, config.sinks[0], TOLD)


@pytest.mark.parametrize(
    ("sink", "found"),
    [
        (INFLUX, ('"electricity"', "active_power", (("site", "House"), ("meter", "main-a")), 1.0)),
        (
            INFLUX
            + 'retention_policy = "year"\nmeasurement = "{meter}"\ntags = {}\nfields = { P = "{active_power:kW}" }\n',
            ('"year"."main-a"', "P", (), 1000.0),
        ),
        (
            INFLUX + 'measurement = "{quantity}"\ntags = { m = "{meter:upper}" }\nfields = { value = "{value}" }\n',
            ('"active_power"', "value", (("m", "MAIN-A"),), 1.0),
        ),
        (SQL, ('"readings"', "active_power", (("site", "House"), ("meter", "main-a")), 1.0)),
        (
            SQL + 'table = "a.b"\ncolumns = { who = "{meter}", at = "{at:local}", P = "{active_power:kW .1f}" }\n',
            ('"a"."b"', "P", (("who", "main-a"),), 1000.0),
        ),
    ],
)
def test_a_series_is_found_through_the_templates(tmp_path: Path, sink: str, found: tuple[object, ...]) -> None:
    readings = _readings(tmp_path, sink)
    assert readings is not None
    first = readings.series[0]
    assert (first.meter, first.place, first.quantity) == ("main-a", "house", "active_power")
    assert (first.table, first.column, first.keys, first.factor) == found


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        ('meters = ["main-b"]', [("main-b", "active_power")]),
        ('locations = ["house"]', [("main-a", "active_power"), ("main-a", "voltage")]),
        ('quantities = ["volt*"]', [("main-a", "voltage")]),
    ],
)
def test_what_a_sink_leaves_out_is_not_asked_for(tmp_path: Path, filters: str, left: list[tuple[str, str]]) -> None:
    readings = _readings(tmp_path, INFLUX + filters + "\n")
    assert readings is not None
    assert [(each.meter, each.quantity) for each in readings.series] == left


def test_a_database_that_grafana_is_not_prepared_for_gives_nothing(tmp_path: Path) -> None:
    assert _readings(tmp_path, '[[sink]]\nname = "s"\nkind = "sql"\nfile = "x.db"\n') is None


@pytest.mark.parametrize(
    ("sink", "options", "words"),
    [
        ("", [], "no [[sink]] writes to InfluxDB or PostgreSQL"),
        (INFLUX, ["--for", "postgresql"], "no [[sink]] writes to postgresql"),
        (INFLUX, ["--for", "mysql"], '"mysql" is none of influxdb, postgresql'),
        (SQL + 'columns = { at = "{at:local}", P = "{active_power}" }\n', [], 'do not tell "main-a" from "main-b"'),
        (SQL + 'columns = { who = "{meter}", P = "{active_power}" }\n', [], "no column is the instant of a reading"),
    ],
)
def test_what_cannot_be_shown_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sink: str, options: list[str], words: str
) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(HOUSE + sink, encoding="utf-8")
    assert run_command(["grafana", "-c", str(path), "--dir", str(tmp_path / "out"), *options]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
