"""The SQL sink on a real PostgreSQL, MariaDB and SQLite, and with SQL Server's client library on a small server."""

from __future__ import annotations

import asyncio
import contextlib
import time
import tomllib
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from foreign_sql import PASSWORD, ForeignMariadb, ForeignMssql, ForeignPostgres, ForeignSqlite
from lossy_network import lossy_network
from wattbook.model import Batch, Columns, SinkRefused, SinkUnavailable, WattbookError
from wattbook.model.around import Surroundings
from wattbook.sinks.sql import SqlSettings

Foreign = ForeignPostgres | ForeignMariadb | ForeignMssql | ForeignSqlite
ALL: Mapping[str, Callable[[Path], Foreign]] = {
    "postgresql": ForeignPostgres,
    "mariadb": ForeignMariadb,
    "mssql": ForeignMssql,
    "sqlite": ForeignSqlite,
}
SERVERS = ("postgresql", "mariadb", "mssql")
AROUND = Surroundings("House", ZoneInfo("Asia/Karachi"))
START_MS = 1_764_300_000_000  # 2025-11-28 03:20:00 UTC
OFFICE = {
    "Timestamp": "{at:clock}",
    "VoltageL1_v": "{voltage_l1}",
    "TotalRealPower_kWh": "{active_power:kW}",
    "Frequency": "{frequency}",
}
COMMIT = {"postgresql": b"COMMIT", "mariadb": b"COMMIT", "mssql": "COMMIT TRAN".encode("utf-16-le")}


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Foreign]]:
    running: dict[str, Foreign] = {}

    def start(name: str) -> Foreign:
        if name not in running:
            server = ALL[name](tmp_path_factory.mktemp(name))
            server.start()
            running[name] = server
        return running[name]

    yield start
    for server in running.values():
        server.stop()


@pytest.fixture
def foreign(request: pytest.FixtureRequest, started: Callable[[str], Foreign]) -> Foreign:
    """One server without any table of ours."""
    server = started(request.param)
    for table in ("readings", "wattbook_position", "office_readings", "own"):
        server.ask(f"DROP TABLE IF EXISTS {table}")
    return server


every = pytest.mark.parametrize("foreign", ALL, indirect=True)
every_server = pytest.mark.parametrize("foreign", SERVERS, indirect=True)
only = lambda name: pytest.mark.parametrize("foreign", [name], indirect=True)  # noqa: E731  it reads as the others do


def settings(foreign: Foreign, *, port: int = 0, **keys: Any) -> SqlSettings:
    (table,) = tomllib.loads(foreign.table(port or foreign.port))["sink"]
    return replace(TypeAdapter(SqlSettings).validate_python(table), **keys)


@contextlib.asynccontextmanager
async def sink(given: SqlSettings, around: Surroundings = AROUND) -> Any:
    made = given.make(around)
    try:
        yield made
    finally:
        await made.aclose()


def columns(meter: str, values: Mapping[str, Sequence[float]], *, first: int = 0, site: str = "") -> Columns:
    """A reading a second."""
    rows = len(next(iter(values.values())))
    at = array("q", [START_MS + 1000 * (first + row) for row in range(rows)])
    cells = {name: array("d", column) for name, column in values.items()}
    return Columns(site, meter, at, array("q", range(first, first + rows)), cells, array("B", bytes(rows)))


def batch(*given: Columns, upto: str = "7") -> Batch:
    return Batch(given, (), upto)


def energy(first: int, rows: int, meters: int = 3) -> Batch:
    return batch(
        *(
            columns(f"m{n}", {"active_energy_import": [1.1 * (first + row) + n for row in range(rows)]}, first=first)
            for n in range(meters)
        ),
        upto=str(first + rows),
    )


def office(first: int, rows: int) -> Batch:
    values = {
        "voltage_l1": [230 + row / 10 for row in range(rows)],
        "active_power": [1500.0 + first + row for row in range(rows)],
        "frequency": [50.0] * rows,
    }
    return batch(columns("office", values, first=first), upto=str(first + rows))


def make_office(foreign: Foreign, extra: str = "") -> None:
    kinds = {ForeignPostgres: "timestamp", ForeignMssql: "DATETIME2(3)"}
    moment = kinds.get(type(foreign), "DATETIME")
    names = [f'"{name}" FLOAT' for name in OFFICE if name != "Timestamp"]
    foreign.ask(f'CREATE TABLE office_readings ("Timestamp" {moment}, {", ".join(names)}{extra})')


def counted(foreign: Foreign) -> tuple[int, float]:
    ((count, total),) = foreign.ask('SELECT COUNT(*), SUM("TotalRealPower_kWh") FROM office_readings')
    return count, total or 0.0


# --- its own table ---------------------------------------------------------------------------------------------------


@every
async def test_what_is_written_twice_and_in_any_order_is_there_once(foreign: Foreign) -> None:
    async with sink(settings(foreign)) as it:
        assert (await it.write(energy(100, 100), "b")).bookmark == "b"
        await it.write(energy(0, 150), "b")
        await it.write(energy(100, 100), "b")
    expected = [(f"m{n}", START_MS + 1000 * row, 1.1 * row + n) for n in range(3) for row in range(200)]
    assert sorted(foreign.rows()) == sorted(expected)


@every
async def test_a_correction_replaces_the_whole_reading(foreign: Foreign) -> None:
    async with sink(settings(foreign)) as it:
        await it.write(batch(columns("m", {"voltage": [1.0, 2.0], "frequency": [50.0, 51.0]})), "")
        await it.write(batch(columns("m", {"voltage": [3.0]})), "")
    found = foreign.ask("SELECT voltage, frequency FROM readings ORDER BY at")
    assert found == [(3.0, None), (2.0, 51.0)]


@every
async def test_of_a_reading_and_its_correction_in_one_batch_the_later_stays(foreign: Foreign) -> None:
    twice = columns("m", {"voltage": [1.0, 2.0, 3.0]})
    twice.at_ms[2] = twice.at_ms[0]
    async with sink(settings(foreign)) as it:
        await it.write(batch(twice, columns("m", {"voltage": [9.0]}, first=1)), "")
    assert foreign.ask("SELECT voltage FROM readings ORDER BY at") == [(3.0,), (9.0,)]


@every
async def test_a_new_quantity_is_a_new_column_also_after_a_restart(foreign: Foreign) -> None:
    async with sink(settings(foreign)) as it:
        await it.write(batch(columns("m", {"voltage": [1.0]})), "")
    async with sink(settings(foreign)) as it:
        await it.write(batch(columns("n", {"current": [2.0], "voltage_l1": [float("nan")]})), "")
    found = foreign.ask('SELECT site, meter, quality, voltage, "current", voltage_l1 FROM readings ORDER BY meter')
    assert found == [("House", "m", "good", 1.0, None, None), ("House", "n", "good", None, 2.0, None)]


@every
async def test_names_keep_every_letter_and_their_case(foreign: Foreign) -> None:
    names = ['a "b" \\ %s {c}', "it's 50 % :x ?", "haľa-ů-漢-⚡", "MAIN", "main", "NULL"]
    async with sink(settings(foreign)) as it:
        await it.write(batch(*(columns(name, {"voltage": [float(n)]}) for n, name in enumerate(names))), "")
    assert sorted(foreign.ask("SELECT meter, voltage FROM readings")) == sorted(
        (name, float(n)) for n, name in enumerate(names)
    )


@every
async def test_numbers_keep_every_bit(foreign: Foreign) -> None:
    numbers = [0.1, 1 / 3, 25409587.000000004, 1e-300, -1.7976931348623157e308, 2.0**53, 5e-05, 0.0]
    async with sink(settings(foreign)) as it:
        await it.write(batch(columns("m", {"voltage": numbers})), "")
    assert [row[0] for row in foreign.ask("SELECT voltage FROM readings ORDER BY at")] == numbers


@every
async def test_one_row_a_value(foreign: Foreign) -> None:
    narrow = {"at": "{at:instant}", "meter": "{meter}", "quantity": "{quantity}", "value": "{value}"}
    async with sink(settings(foreign, columns=narrow)) as it:
        for _ in range(2):
            await it.write(batch(columns("m", {"voltage": [1.0, float("nan")], "frequency": [50.0, 51.0]})), "")
    found = foreign.ask("SELECT quantity, value FROM readings ORDER BY quantity, at")
    assert found == [("frequency", 50.0), ("frequency", 51.0), ("voltage", 1.0)]


@every
async def test_two_lanes_at_once(foreign: Foreign) -> None:
    async with sink(settings(foreign)) as it:
        await asyncio.gather(*(it.write(energy(100 * n, 100), "") for n in range(2)))
    assert len(foreign.rows()) == 600


@every
async def test_a_key_without_a_site_takes_one_site(foreign: Foreign) -> None:
    wide = {"at": "{at:instant}", "meter": "{meter}", "active_energy_import": "{active_energy_import}"}
    async with sink(settings(foreign, columns=wide)) as it:
        written = await it.write(
            batch(*energy(0, 1, 1).columns, columns("m0", {"active_energy_import": [9.0]}, site="Plant")), ""
        )
    assert [(each.site, each.meter) for each in written.rejected] == [("Plant", "m0")]
    assert foreign.rows() == [("m0", START_MS, 0.0)]


# --- a table that is there --------------------------------------------------------------------------------------------


@every
async def test_an_existing_table_goes_on_with_a_position_beside(foreign: Foreign) -> None:
    make_office(foreign)
    given = settings(foreign, table="office_readings", columns=OFFICE)
    async with sink(given) as it:
        assert it.append_only and not it.any_order
        assert await it.position() is None
        await it.write(office(0, 10), "first")
        await it.write(office(10, 10), "second")
    async with sink(given) as it:
        assert await it.position() == ("20", "second")
    first = foreign.ask('SELECT "Timestamp", "TotalRealPower_kWh" FROM office_readings')[0]
    assert str(first[0])[:19].replace("T", " ") == "2025-11-28 08:20:00"  # Karachi's clock
    assert first[1] == pytest.approx(1.5)  # kW
    assert counted(foreign)[0] == 20


@every
async def test_of_a_batch_what_is_refused_is_left_out_in_one_transaction(foreign: Foreign) -> None:
    make_office(foreign, ', CHECK ("Frequency" > 10)')
    async with sink(settings(foreign, table="office_readings", columns=OFFICE)) as it:
        assert await it.position() is None
        bad = office(0, 100)
        for row in (0, 41, 99):
            bad.columns[0].values["frequency"][row] = 0.0
        written = await it.write(bad, "b")
        assert [each.at_ms for each in written.rejected] == [START_MS, START_MS + 41_000, START_MS + 99_000]
        assert all(each.reason for each in written.rejected)
        assert await it.position() == ("100", "b")
        await it.write(batch(*office(100, 3).columns, upto=""), "b")  # out of turn: what was set aside
        assert await it.position() == ("100", "b")
    assert counted(foreign)[0] == 100


@every
async def test_a_table_that_refuses_everything_is_unavailable(foreign: Foreign) -> None:
    make_office(foreign, ', CHECK ("Frequency" > 100)')
    async with sink(settings(foreign, table="office_readings", columns=OFFICE)) as it:
        with pytest.raises(SinkUnavailable, match="refuses too many"):
            await it.write(office(0, 100), "")
        assert await it.position() is None
    assert counted(foreign)[0] == 0


@every
async def test_a_column_that_is_missing_is_named_with_the_nearest(foreign: Foreign) -> None:
    make_office(foreign)
    wrong = {**OFFICE, "VoltageL1": "{voltage_l1}"}
    async with sink(settings(foreign, table="office_readings", columns=wrong)) as it:
        with pytest.raises(SinkUnavailable, match=r'no column "VoltageL1" \(did you mean "VoltageL1_v"\?\)'):
            await it.write(office(0, 1), "")


@every
async def test_a_table_without_a_key_is_told(foreign: Foreign) -> None:
    foreign.ask("CREATE TABLE own (meter VARCHAR(50), at VARCHAR(50), voltage FLOAT)")
    own = {"meter": "{meter}", "at": "{at:iso}", "voltage": "{voltage}"}
    reading = batch(columns("m", {"voltage": [1.0]}))
    async with sink(settings(foreign, table="own", columns=own)) as it:
        with pytest.raises(SinkUnavailable, match=r"no unique key of \(meter, at\).*append = true"):
            await it.write(reading, "")
    async with sink(settings(foreign, table="own", columns=own, append=True)) as it:
        await it.write(reading, "")
    foreign.ask("DELETE FROM own")
    foreign.ask("CREATE UNIQUE INDEX own_key ON own (at, meter)")
    async with sink(settings(foreign, table="own", columns=own)) as it:
        for voltage in (1.0, 2.0):
            await it.write(batch(columns("m", {"voltage": [voltage]})), "")
    assert foreign.ask("SELECT voltage FROM own") == [(2.0,)]


@every
async def test_a_column_that_wants_a_value_is_told(foreign: Foreign) -> None:
    make_office(foreign, ", room INT NOT NULL")
    async with sink(settings(foreign, table="office_readings", columns=OFFICE)) as it:
        with pytest.raises(SinkUnavailable, match='wants a value in its column "room"'):
            await it.write(office(0, 1), "")
    async with sink(settings(foreign, table="office_readings", columns={**OFFICE, "room": "12"})) as it:
        await it.write(office(0, 1), "")


@every_server
async def test_a_column_of_another_kind_is_told(foreign: Foreign) -> None:
    foreign.ask("CREATE TABLE own (meter INT, at VARCHAR(50), PRIMARY KEY (meter, at))")
    async with sink(settings(foreign, table="own", columns={"meter": "{meter}", "at": "{at}"})) as it:
        with pytest.raises(SinkUnavailable, match=r'column "meter" is INT.*gives a text'):
            await it.write(energy(0, 1), "")


@every_server
async def test_a_text_that_is_too_long_is_refused_not_cut(foreign: Foreign) -> None:
    foreign.ask("CREATE TABLE own (meter VARCHAR(5) NOT NULL, at VARCHAR(50) NOT NULL, PRIMARY KEY (meter, at))")
    async with sink(settings(foreign, table="own", columns={"meter": "{meter}", "at": "{at}"})) as it:
        await it.write(energy(0, 1), "")
        with pytest.raises(SinkRefused):
            await it.write(batch(columns("main-a", {"voltage": [1.0]})), "")
    assert len(foreign.ask("SELECT meter FROM own")) == 3


# --- what goes wrong --------------------------------------------------------------------------------------------------


@every_server
async def test_a_wrong_password_is_told_and_not_shown(foreign: Foreign) -> None:
    given = settings(foreign)
    (table,) = tomllib.loads(foreign.table(foreign.port))["sink"]
    wrong = TypeAdapter(SqlSettings).validate_python({**table, "password": "wrong-secret"})
    async with sink(wrong) as it:
        with pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1") as told:
            await it.write(energy(0, 1), "")
    assert "wrong-secret" not in str(told.value)
    assert "wrong-secret" not in repr(wrong) and PASSWORD not in repr(given)


@every_server
async def test_a_server_killed_and_started_again_goes_on(foreign: Foreign) -> None:
    async with sink(settings(foreign, timeout=10.0)) as it:
        await it.write(energy(0, 10), "")
        foreign.kill()
        with pytest.raises(SinkUnavailable):
            await it.write(energy(10, 10), "")
        with pytest.raises(SinkUnavailable):
            await it.write(energy(10, 10), "")
        foreign.start()
        await it.write(energy(10, 10), "")
    assert len(foreign.rows()) == 60


@every_server
async def test_a_network_that_hangs_is_left_in_time(foreign: Foreign) -> None:
    with lossy_network(foreign.port) as network:
        async with sink(settings(foreign, port=network.port, timeout=5.0)) as it:
            await it.write(energy(0, 10), "")
            network.hang = True
            for _ in range(2):  # a connection that is there, and a new one
                began = time.monotonic()
                with pytest.raises(SinkUnavailable):
                    await it.write(energy(10, 10), "")
                assert time.monotonic() - began < 7.5
            network.hang = False
            await it.write(energy(10, 10), "")
    assert len(foreign.rows()) == 60


@every_server
async def test_whoever_is_no_longer_waited_for_writes_nothing_more(foreign: Foreign) -> None:
    with lossy_network(foreign.port) as network:
        async with sink(settings(foreign, port=network.port, timeout=5.0)) as it:
            await it.write(energy(0, 10), "")
            network.hang = True
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await it.write(energy(10, 10), "")
            network.hang = False
            await it.write(energy(20, 10), "")
    assert len(foreign.rows()) == 60


@every_server
async def test_rows_whose_answer_was_lost_are_not_added_twice(foreign: Foreign, request: pytest.FixtureRequest) -> None:
    make_office(foreign)
    lost = COMMIT[request.node.callspec.params["foreign"]]
    with lossy_network(foreign.port) as network:
        given = settings(foreign, port=network.port, table="office_readings", columns=OFFICE, timeout=10.0)
        async with sink(given) as it:
            assert await it.position() is None
            await it.write(office(0, 10), "a")
            network.losing = lost
            with pytest.raises(SinkUnavailable):
                await it.write(office(10, 10), "b")
            assert network.lost == 1
            assert (await it.write(office(10, 10), "b")).bookmark == "b"  # tried again as it was
            await it.write(office(20, 10), "c")
            network.losing = lost
            with pytest.raises(SinkUnavailable):
                await it.write(office(30, 10), "d")
            with pytest.raises(WattbookError, match="moved"):
                await it.write(office(30, 5), "d")  # another batch: where are we?
            assert await it.position() == ("40", "d")
            await it.write(office(40, 10), "e")
    assert counted(foreign)[0] == 50


@every
async def test_two_that_call_themselves_alike_do_not_both_write(foreign: Foreign) -> None:
    make_office(foreign)
    given = settings(foreign, table="office_readings", columns=OFFICE)
    async with sink(given) as one, sink(given) as other:
        assert await one.position() is None and await other.position() is None
        await one.write(office(0, 10), "")
        with pytest.raises(SinkUnavailable, match="another wattbook"):
            await other.write(office(0, 10), "")
    assert counted(foreign)[0] == 10


@only("postgresql")
async def test_a_hypertable_where_timescale_is_there(foreign: ForeignPostgres) -> None:
    """No TimescaleDB in Debian: an entry in the catalogue and a function of its name stand for it."""
    foreign.ask("CREATE TABLE IF NOT EXISTS made (name text, at text)")
    foreign.ask(
        "CREATE OR REPLACE FUNCTION create_hypertable(relation regclass, at name) RETURNS void LANGUAGE sql AS "
        "$$ INSERT INTO made VALUES (relation::text, at::text) $$"
    )
    with foreign.connect() as connection:
        connection.execute("SET allow_system_table_mods = on")
        connection.execute(
            "INSERT INTO pg_extension VALUES (99999, 'timescaledb', 10, 2200, false, '2.15', NULL, NULL)"
        )
    try:
        async with sink(settings(foreign)) as it:
            await it.write(energy(0, 10), "")
        assert foreign.ask("SELECT * FROM made") == [("readings", "at")]
    finally:
        foreign.ask("DELETE FROM pg_extension WHERE oid = 99999")
        foreign.ask("DROP FUNCTION create_hypertable")
        foreign.ask("DROP TABLE made")


@only("postgresql")
async def test_a_server_that_waits_for_a_lock_gives_up(foreign: ForeignPostgres) -> None:
    async with sink(settings(foreign, timeout=3.0)) as it:
        await it.write(energy(0, 10), "")
        with foreign.connect() as other:
            other.autocommit = False
            other.execute("LOCK TABLE readings IN EXCLUSIVE MODE")
            with pytest.raises(SinkUnavailable):
                await it.write(energy(10, 10), "")
            other.rollback()
        await it.write(energy(10, 10), "")
    assert len(foreign.rows()) == 60


@only("sqlite")
async def test_a_folder_that_is_not_there_is_told(foreign: ForeignSqlite, tmp_path: Path) -> None:
    async with sink(settings(foreign, file=tmp_path / "none" / "x.sqlite")) as it:
        with pytest.raises(SinkUnavailable, match="unable to open"):
            await it.write(energy(0, 1), "")
