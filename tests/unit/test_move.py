"""`wattbook mover`: what is copied, what is compared, and what is told when two sides differ."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_tools import intake, seen
from mover_words import said, told
from stream_batches import batch, columns, house
from wattbook.engine.move import move
from wattbook.engine.move_ends import read_back, server_of
from wattbook.engine.move_from import whole_time
from wattbook.engine.move_into import TRIES, IntoSink
from wattbook.engine.sums import Sums, differences
from wattbook.exchange import Intake, Tally
from wattbook.exchange.servers import server_at
from wattbook.model import Batch, Columns, ConfigError, SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks import Rejected, SinkSettings, Written
from wattbook.sinks.influxdb import InfluxSettings
from wattbook.sinks.mongodb import MongoSettings
from wattbook.values import Secret

CONFIG = """
[site]
name = "House"
timezone = "Europe/Prague"

[[meter]]
name = "main-a"
model = "push"

[[meter]]
name = "main-b"
model = "push"

[[sink]]
name = "steps"
kind = "influxdb"
url = "http://127.0.0.1:8086"
every = "15min"
"""
TABLE = """meter,at,voltage,active_energy_import
main-a,2025-11-01T00:00:00Z,230.1,100
main-a,2025-11-02T00:00:00Z,230.2,101
main-b,2025-11-01T00:00:00Z,,7
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "wattbook.toml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@given(st.permutations(range(6)), st.integers(0, 5))
def test_sums_do_not_depend_on_order_or_blocks(order: Sequence[int], cut: int) -> None:
    blocks = [columns(f"m{each % 2}", {"voltage": [each + 0.1, 7.0]}, at_ms=each * 10_000) for each in range(6)]
    one, other = Sums(), Sums()
    for block in blocks:
        one.add(block)
    for number in order:
        block = blocks[number]
        for part in (block.cut(slice(0, cut)), block.cut(slice(cut, None))):
            if len(part):
                other.add(part)
    assert one.all.checksum == other.all.checksum
    assert one.readings == other.readings == 12
    assert differences(one, other) == []


@pytest.mark.parametrize(
    "other",
    [
        columns("m0", {"voltage": [1.0, 2.0000000000000004]}),
        columns("m0", {"voltage": [2.0, 1.0]}),
        columns("m0", {"voltage": [1.0]}),
        columns("m0", {"voltage": [1.0, 2.0, 3.0]}),
        columns("m0", {"voltage": [1.0, 2.0]}, at_ms=7),
        columns("m1", {"voltage": [1.0, 2.0]}),
        columns("m0", {"current": [1.0, 2.0]}),
    ],
)
def test_any_other_value_is_noticed(other: Columns) -> None:
    one, two = Sums(), Sums()
    one.add(columns("m0", {"voltage": [1.0, 2.0]}))
    two.add(other)
    assert differences(one, two)
    assert one.all.checksum != two.all.checksum


def test_a_value_that_is_there_twice_is_noticed() -> None:
    one, two = Sums(), Sums()
    for sums in (one, two, two, two):
        sums.add(columns("m0", {"voltage": [1.0, 2.0]}))
    (found,) = differences(one, two)
    assert str(found) == "m0 voltage: 2 values were read, 6 are there"


def test_into_the_book_and_out_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = told(capsys, "table.csv", "book")
    assert (into["code"], into["readings"], into["values"], into["differences"]) == (0, 3, 5, [])
    assert into["there"] == into["checksum"]
    assert {each["quantity"]: (each["count"], each["sum"]) for each in into["quantities"]} == {
        "active_energy_import": (3, 208.0),
        "voltage": (2, 230.1 + 230.2),
    }
    out = told(capsys, "book", "out.csv")
    assert (out["code"], out["there"]) == (0, into["checksum"])
    again = told(capsys, "out.csv", "book")
    assert (again["code"], again["checksum"], again["there"]) == (0, into["checksum"], into["checksum"])


def test_a_time(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "table.csv", "book", "--to", "2025-11-02")["readings"] == 2
    assert told(capsys, "book", "out.csv", "--from", "2025-11-02")["readings"] == 0
    code, text = said(capsys, "table.csv", "book", "--from", "2025-11-02", "--to", "2025-11-01")
    assert code == 2
    assert "lies before" in text


def test_what_differs_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "table.csv", "book")
    (here / "other.csv").write_text(TABLE.replace("230.2", "231.2"), encoding="utf-8")
    code, text = said(capsys, "other.csv", "book")
    assert code == 1
    assert "main-a voltage: 2 values on both sides, but other ones: they sum up to 461.3 and 460.3" in text
    assert "1 quantity differs." in text
    assert "main-b" not in text


def test_more_may_stand_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "table.csv", "book")
    (here / "part.csv").write_text("\n".join(TABLE.splitlines()[:2]) + "\n", encoding="utf-8")
    assert told(capsys, "part.csv", "book")["code"] == 0


def test_bad_rows_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "bad.csv").write_text(TABLE + "tower,2025-11-01T00:00:00Z,1,1\n", encoding="utf-8")
    code, text = said(capsys, "bad.csv", "book")
    assert code == 1
    assert 'no meter is called "tower"' in text
    assert "the same there" in text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["book"], "say where from and where to"),
        (["book", "book"], "not moved into itself"),
        (["none.csv", "book"], "no such file, sink or address"),
        (["table.csv", "infludb"], 'did you mean "influxdb"?'),
        (["table.csv", "out.csv", "--set", "a=1"], "--set is for a kind of sink"),
        (["table.csv", "nats", "--set", "strem=x"], "strem"),
        (["table.csv", "nats", "--set", "subject={metre}"], 'nothing is called "metre"'),
        (["table.csv", "nats", "--set", "x"], "is not KEY=VALUE"),
        (["table.csv", "csv"], "name a file"),
        (["table.csv", "steps"], "one row an interval"),
        (["http://127.0.0.1:8086", "book"], "which database?"),
        (["table.csv", "book", "--password-file", "none"], "cannot be read"),
    ],
)
def test_what_is_refused(here: Path, capsys: pytest.CaptureFixture[str], typed: list[str], words: str) -> None:
    code, text = said(capsys, *typed)
    assert code == 2
    assert words in text


@dataclass
class Fickle:
    """A sink that is away `away` times, and refuses the readings of some instants."""

    any_order: ClassVar[bool] = True
    append_only: ClassVar[bool] = False
    away: int = 0
    never: frozenset[int] = frozenset()
    tells: bool = False  # which reading it refuses
    late: bool = False  # says that they are too old
    rows: dict[tuple[str, int], float] = field(default_factory=dict)

    async def write(self, batch: Batch, bookmark: str) -> Written:
        if self.away:
            self.away -= 1
            raise SinkUnavailable("is away")
        rows = {
            (part.meter, at): value
            for part in batch.columns
            for at, value in zip(part.at_ms, part.values["active_energy_import"], strict=True)
        }
        bad = [key for key in rows if key[1] in self.never]
        if bad and not self.tells:
            raise SinkRefused("something is wrong")
        self.rows |= {key: value for key, value in rows.items() if key not in bad}
        return Written(tuple(Rejected(*key, "is wrong", late=self.late) for key in bad))

    async def aclose(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class FickleSettings(SinkSettings):
    sink: Fickle = field(default_factory=Fickle)

    def make(self, around: Surroundings) -> Fickle:
        return self.sink


@dataclass
class Given:
    """Blocks that are there."""

    given: Batch
    title: str = "given"
    tally: Tally = field(default_factory=Tally)

    def blocks(self, told: Any) -> Iterator[Columns]:
        yield from self.given.columns

    def again(self) -> Given:
        return self


def into(sink: Fickle, pauses: list[float], **more: Any) -> IntoSink:
    settings = FickleSettings(name="x", kind="x", sink=sink, batch=64, **more)
    return IntoSink(settings, Surroundings("House"), None, _never, whole_time(), pauses.append)


def _never(tally: Tally, seen: Any) -> Intake:
    raise AssertionError


def test_a_sink_gets_everything_in_its_batches() -> None:
    sink, pauses = Fickle(away=3), []
    moved = move(Given(house(100)), into(sink, pauses))
    assert moved.good
    assert moved.there is None
    assert len(sink.rows) == moved.read.readings == 1000
    assert pauses == [1.0, 2.0, 4.0]


def test_a_sink_that_stays_away_ends_it() -> None:
    pauses: list[float] = []
    with pytest.raises(SinkUnavailable, match="is away"):
        move(Given(house(1)), into(Fickle(away=TRIES), pauses))
    assert len(pauses) == TRIES - 1


@pytest.mark.parametrize("tells", [True, False])
def test_what_a_sink_never_takes_is_told(tells: bool) -> None:
    given = house(50, meters=1)
    never = frozenset(given.columns[0].at_ms[7:9])
    sink = Fickle(never=never, tells=tells)
    moved = move(Given(given), into(sink, []))
    assert not moved.good
    assert {each.at_ms for each in moved.rejected} == never
    assert len(sink.rows) == 48


def test_a_sink_that_takes_nothing_ends_it() -> None:
    given = house(50, meters=1)
    with pytest.raises(SinkRefused, match="refuses every reading"):
        move(Given(given), into(Fickle(never=frozenset(given.columns[0].at_ms)), []))


def test_what_is_too_old_for_a_sink_does_not_end_it() -> None:
    given = house(150, meters=1)
    old = frozenset(given.columns[0].at_ms[:100])
    sink = Fickle(never=old, tells=True, late=True)
    moved = move(Given(given), into(sink, []))
    assert {each.at_ms for each in moved.rejected} == old
    assert len(sink.rows) == 50


def test_the_filters_of_a_sink_count() -> None:
    sink = Fickle()
    moved = move(Given(house(10)), into(sink, [], meters=("m1",), start=datetime(2030, 1, 1, tzinfo=UTC)))
    assert {meter for meter, _ in sink.rows} == {"m1"}
    assert moved.read.readings == 10


def read(file: Path, at: Intake, table: str = "readings") -> Any:
    server = server_at(f"sqlite:///{file}", table=table)
    return seen(server.read(at, 0, 2**50, lambda share: None))


def made(folder: Path, *statements: str) -> Path:
    file = folder / "other.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return file


def test_a_table_with_a_row_an_instant(tmp_path: Path) -> None:
    file = made(
        tmp_path,
        "CREATE TABLE readings (meter TEXT, time TEXT, voltage REAL, power_kw REAL, note TEXT)",
        "INSERT INTO readings VALUES ('main-a', '2026-07-01 12:00:00', 230.1, 1.5, 'x')",
        "INSERT INTO readings VALUES ('MAIN_B', '2026-07-01T12:00:00+00:00', NULL, 2, NULL)",
        "INSERT INTO readings VALUES ('tower', '2026-07-01 12:00:00', 1, 1, NULL)",
        "INSERT INTO readings VALUES ('main-a', 'never', 1, 1, NULL)",
    )
    at = intake("power_kw=active_power:kW")
    assert read(file, at) == {
        ("main-a", "2026-07-01T10:00:00"): {"voltage": 230.1, "active_power": 1500.0},
        ("main-b", "2026-07-01T12:00:00"): {"active_power": 2000.0},
    }
    assert at.tally.rejected == 2
    assert at.tally.left_out == {"note": 1}


def test_a_table_with_a_row_a_value(tmp_path: Path) -> None:
    file = made(
        tmp_path,
        "CREATE TABLE long (at INTEGER, quantity TEXT, value REAL)",
        "INSERT INTO long VALUES (1790000000, 'voltage', 230.1), (1790000000, 'current', 1.5), (1790000000, 'x', 1)",
    )
    at = intake(meter="main-a", zone=ZoneInfo("UTC"))
    assert read(file, at, "long") == {("main-a", "2026-09-21T14:13:20"): {"voltage": 230.1, "current": 1.5}}
    assert at.tally.left_out == {"x": 1}


def test_the_table_of_the_rx380_logger_is_known(tmp_path: Path) -> None:
    """Its powers are kW, whatever they are called; the unit of its energies is not known."""
    file = made(
        tmp_path,
        "CREATE TABLE Office_Readings (Timestamp TEXT, VoltageL1_v REAL, VoltageL31_minv REAL, CurrentLn_I REAL,"
        " TotalRealPower_kWh REAL, TotalPowerFactor_kWh REAL, Frequency REAL, TotalRealEnergy REAL)",
        "INSERT INTO Office_Readings VALUES ('2026-07-01 12:00:00', 231.5, 390.5, 0.5, 12.5, 0.75, 50.25, 77)",
    )
    at = intake(meter="main-a")
    assert read(file, at, "Office_Readings") == {
        ("main-a", "2026-07-01T10:00:00"): {
            "voltage_l1": 231.5, "voltage_l31_min": 390.5, "current_n": 0.5, "active_power": 12500.0,
            "power_factor": 0.75, "frequency": 50.25,
        }
    }  # fmt: skip
    assert at.tally.left_out == {"TotalRealEnergy": 1}


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("CREATE TABLE other (a TEXT)", 'has no table "readings"'),
        ("CREATE TABLE readings (a TEXT, voltage REAL)", "which column is the time"),
        ("CREATE TABLE readings (at TEXT, x REAL)", "nothing in it is known as a quantity"),
    ],
)
def test_a_table_that_is_not_understood(tmp_path: Path, statement: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read(made(tmp_path, statement), intake())


def test_what_stands_behind_a_sink() -> None:
    influx = InfluxSettings(name="x", url="http://h:8086/", username="joe", database="d", password=Secret("s3cret"))
    assert server_of(influx, "House").title == "InfluxDB at http://h:8086/d"
    assert read_back(influx, "House") is not None
    own = InfluxSettings(
        name="x", url="http://h", measurement="ALL_SENSORS", tags={}, fields={"{meter}_V": "{voltage}"}
    )
    assert read_back(own, "House") is None
    assert server_of(own, "House").title == "InfluxDB at http://h/wattbook"
    assert read_back(InfluxSettings(name="x", url="http://h", version=3), "House") is None
    mongo = MongoSettings(name="x", url=Secret("mongodb://joe:s3cret@h:1"), collection="c")
    server = read_back(mongo, "House")
    assert server is not None
    assert server.title == "MongoDB at mongodb://h:1, c"
    assert "s3cret" not in repr(server.__dict__)
    with pytest.raises(ConfigError, match="cannot be read again"):
        server_of(SinkSettings(name="x", kind="kafka"), "House")


def test_one_reading_in_two_places_of_a_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row of voltages and a row of energies of one instant are one reading."""
    (here / "a.csv").write_text("meter,at,voltage\nmain-a,2025-11-01T00:00:00Z,230\n", encoding="utf-8")
    (here / "b.csv").write_text("meter,at,current\nmain-a,2025-11-01T00:00:00Z,2\n", encoding="utf-8")
    moved = told(capsys, "a.csv", "b.csv", "book")
    assert (moved["code"], moved["readings"], moved["values"]) == (0, 1, 2)


def test_nothing_to_move() -> None:
    assert move(Given(batch()), into(Fickle(), [])).good
