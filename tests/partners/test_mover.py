"""`wattbook mover` between the book and databases that run."""

import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from foreign_influxdb import ForeignInflux
from foreign_kafka import ForeignKafka
from foreign_mongodb import ForeignMongodb
from foreign_nats import ForeignNats
from foreign_process import running
from foreign_sql import ForeignMariadb, ForeignMssql, ForeignPostgres, ForeignSqlite
from mover_words import told
from ports import free_port
from wattbook.cli.main import run_command

CONFIG = """
[site]
name = "House"
timezone = "Europe/Prague"

[[meter]]
name = "main-a"
model = "push"

[[meter]]
name = "m0"
model = "push"
"""
ROWS = 3_000


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = [f"m0,{1_790_000_000 + 5 * n},{230 + n / 7!r},{n}" for n in range(ROWS)]
    (tmp_path / "table.csv").write_text("\n".join(["meter,time,voltage,active_energy_import", *rows]) + "\n")
    (tmp_path / "wattbook.toml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(here: Path, table: str, *, book: str = "wattbook.db") -> None:
    text = CONFIG.replace("[[meter]]", f'book = "{book}"\n\n[[meter]]', 1) + table
    (here / "wattbook.toml").write_text(text, encoding="utf-8")


def influx(port: int, path: str, body: str = "", **query: str) -> None:
    url = f"http://127.0.0.1:{port}/{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body.encode()), timeout=30) as answer:
            told = answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {error.code} {error.read()!r}") from error
    assert b'"error"' not in told, told


def test_from_influxdb_into_the_book(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The series of seed 001, and what stands beside them."""
    with running(ForeignInflux(here)) as server:
        influx(server.port, "query", q="CREATE DATABASE housePower")
        points = [f"ALL_SENSORS MAIN-A_VOLT={230 + n / 10},MAIN-A_WHRS={n} {1_790_000_000 + n}" for n in range(25_000)]
        points += [f"electricity,meter=m0,site=House voltage={n} {1_790_000_000 + n}" for n in range(10)]
        points += ["ALL_SENSORS T_cpu=48.3 1790000000"]
        influx(server.port, "write", "\n".join(points), db="housePower", precision="s")
        address = f"http://127.0.0.1:{server.port}/housePower"
        moved = told(capsys, address, "book")
        assert (moved["code"], moved["readings"], moved["values"]) == (0, 25_010, 50_010)
        assert moved["there"] == moved["checksum"]
        assert moved["left_out"] == {"ALL_SENSORS.T_cpu": 1}
        counts = {each["quantity"]: (each["count"], each["sum"]) for each in moved["quantities"]}
        assert counts["active_energy_import"] == (25_000, 25_000 * 24_999 / 2)
        some = told(capsys, address, "out.csv", "--table", "electricity", "--from", "2026-09-21T14:13:25Z")
        assert some["readings"] == 5
        assert told(capsys, address, "book")["checksum"] == moved["checksum"]


def test_from_an_influxdb_that_is_not_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["mover", f"http://joe:s3cret@127.0.0.1:{free_port()}/d", "book"]) == 1
    said = capsys.readouterr().err
    assert "refused" in said
    assert "s3cret" not in said
    with running(ForeignInflux(here)) as server:
        assert run_command(["mover", f"http://127.0.0.1:{server.port}/none", "book"]) != 0
        assert "none" in capsys.readouterr().err


@pytest.mark.parametrize(
    "foreign", [ForeignInflux, ForeignMongodb, ForeignPostgres, ForeignMariadb, ForeignMssql, ForeignSqlite]
)
def test_into_a_database_and_back(foreign: Any, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(foreign(here)) as server:
        configure(here, server.table(server.port))
        first = told(capsys, "table.csv", "book")
        there = told(capsys, "book", "foreign")
        assert (there["code"], there["readings"], there["there"]) == (0, ROWS, first["checksum"])
        assert len(server.rows()) == ROWS
        assert told(capsys, "book", "foreign")["there"] == first["checksum"]
        configure(here, server.table(server.port), book="another.db")
        back = told(capsys, "foreign", "book")
        assert (back["code"], back["there"]) == (0, first["checksum"])


def test_what_a_database_does_not_take_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A field that has another type over there."""
    with running(ForeignInflux(here)) as server:
        configure(here, server.table(server.port))
        influx(server.port, "query", q="CREATE DATABASE house")
        influx(server.port, "write", 'electricity,meter=x voltage="text" 1790000000', db="house", precision="s")
        assert run_command(["mover", "table.csv", "foreign"]) == 1
        assert "string over there" in capsys.readouterr().err


@pytest.mark.parametrize("foreign", [ForeignKafka, ForeignNats])
def test_into_a_stream(foreign: Any, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(foreign(here / "stream")) as server:
        configure(here, server.table(server.port))
        moved = told(capsys, "table.csv", "foreign")
        assert (moved["code"], moved["readings"], moved["there"]) == (0, ROWS, None)
        assert len(set(server.rows())) == ROWS


def test_into_a_kind_with_settings(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(ForeignInflux(here)) as server:
        url = f"url=http://127.0.0.1:{server.port}"
        moved = told(capsys, "table.csv", "influxdb", "--set", url, "--set", 'database="other"')
        assert (moved["code"], moved["there"]) == (0, moved["checksum"])
