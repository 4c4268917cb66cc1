"""The InfluxDB sink against the real InfluxDB 1.6, and what it makes of its answers."""

from __future__ import annotations

import time
import tomllib
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from foreign_influxdb import ForeignInflux
from foreign_process import running
from ports import free_port
from series_batches import AT_MS, batch, columns
from wattbook.model import SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks import Rejected
from wattbook.sinks.influxdb import InfluxSettings, InfluxSink
from wattbook.values import Secret

AROUND = Surroundings("house", meters={"main-a": MeterFacts("house/panel a")})
DATABASE = "house"

# What seed 001's monitor wrote, as it wrote it: a line a field, without tags.
SEED_LINES = "\n".join(
    f"ALL_SENSORS {field} 1609459200000000000"
    for field in (
        "MAIN-A_VOLT=121.3", "MAIN-A_AMPS=2.5", "MAIN-A_WATT=301.2", "MAIN-A_WHRS=123456", "MAIN-A_PZPF=0.98",
        "GEN_VOLT=0.0", "T_cpu=48.3",
    )
)  # fmt: skip
MANUAL = Path(__file__).parents[2] / "docs/how-to/sinks/influxdb.md"


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignInflux]:
    with running(ForeignInflux(tmp_path_factory.mktemp("influx"))) as server:
        yield server


@pytest.fixture
def database(influx: ForeignInflux) -> Iterator[ForeignInflux]:
    influx.ask(f"CREATE DATABASE {DATABASE}")
    yield influx
    influx.ask(f"DROP DATABASE {DATABASE}")


@asynccontextmanager
async def sink(server: ForeignInflux, **told: Any) -> AsyncIterator[InfluxSink]:
    url = told.pop("url", f"http://127.0.0.1:{server.port}")
    made = InfluxSettings(name="influx", url=url, database=told.pop("database", DATABASE), **told).make(AROUND)
    try:
        yield made
    finally:
        await made.aclose()


def _fields(server: ForeignInflux) -> dict[str, str]:
    return dict(server.ask("SHOW FIELD KEYS", database=DATABASE)["series"][0]["values"])


def _seed_settings(port: int) -> InfluxSettings:
    """The table of the manual page."""
    text = next(part for part in MANUAL.read_text(encoding="utf-8").split("```") if "T_cpu" in part)
    table = tomllib.loads(text.removeprefix("toml\n"))["sink"][0]
    return TypeAdapter(InfluxSettings).validate_python(
        {**table, "url": f"http://127.0.0.1:{port}", "database": DATABASE}
    )


async def test_the_series_of_seed_001_go_on(database: ForeignInflux) -> None:
    """Same measurement, same fields of the same types, no tag; old values stay."""
    url = f"http://127.0.0.1:{database.port}/write?db={DATABASE}"
    urllib.request.urlopen(url, SEED_LINES.encode()).close()
    before = _fields(database)
    made = _seed_settings(database.port).make(Surroundings("house"))
    five = {"voltage": [120.5, 120.7], "current": [1.0, None], "active_power": [120.5, 121.0]}
    pzem = {
        **five,
        "active_energy_import": [123460.0, 123461.0],
        "power_factor": [1.0, 0.99],
        "frequency": [60.0, 60.0],
    }
    await made.write(batch(columns("main-a", pzem), columns("gen", pzem), columns("host", {"temperature": [50.0]})), "")
    await made.aclose()
    after = _fields(database)
    assert set(before.values()) == set(after.values()) == {"float"}
    assert before.keys() < after.keys()
    assert after.keys() - before.keys() == {"GEN_AMPS", "GEN_WATT", "GEN_WHRS", "GEN_PZPF"}
    (series,) = database.ask('SELECT "MAIN-A_VOLT", "MAIN-A_WHRS", "T_cpu" FROM ALL_SENSORS', database=DATABASE)[
        "series"
    ]
    assert series["values"] == [
        [1609459200000, 121.3, 123456, 48.3], [AT_MS, 120.5, 123460, 50], [AT_MS + 5000, 120.7, 123461, None],
    ]  # fmt: skip
    assert [row[0] for row in database.ask("SHOW SERIES", database=DATABASE)["series"][0]["values"]] == ["ALL_SENSORS"]


async def test_the_same_twice_is_stored_once_and_a_correction_replaces(database: ForeignInflux) -> None:
    given = columns("main-a", {"active_energy_import": [1.0, 2.0, 3.0], "voltage": [230.0, None, 231.5]})
    async with sink(database) as made:
        assert (await made.write(batch(given), "mark")).bookmark == "mark"
        await made.write(batch(given), "")
        await made.write(batch(columns("main-a", {"active_energy_import": [1.5]})), "")
    assert sorted(database.rows()) == [
        ("main-a", AT_MS, 1.5),
        ("main-a", AT_MS + 5000, 2),
        ("main-a", AT_MS + 10000, 3),
    ]
    tags = database.ask("SHOW SERIES", database=DATABASE)["series"][0]["values"]
    assert tags == [["electricity,location=house/panel\\ a,meter=main-a,site=house"]]


async def test_odd_names_come_back_as_they_are(database: ForeignInflux) -> None:
    names = ["a b", "a,b=c", "a\\b", 'q"uote', "ěščř ⚡", "emoji🔌", "'x'"]
    async with sink(database, tags={"meter": "{meter}", "pla ce,=": "{meter}"}, measurement="m,{meter} x") as made:
        await made.write(batch(*(columns(name, {"active_energy_import": [1.0]}) for name in names)), "")
    found = database.ask("SELECT * FROM /.*/", database=DATABASE)["series"]
    assert sorted(series["name"] for series in found) == sorted(f"m,{name} x" for name in names)
    assert sorted(series["values"][0][series["columns"].index("meter")] for series in found) == sorted(names)


async def test_numbers_of_any_size_and_texts(database: ForeignInflux) -> None:
    values = [1e300, -0.0, 1e-7, 123456789012345680.0, 0.1 + 0.2, 5e-324]
    layout = {"v": "{active_energy_import}", "whole": "{active_energy_import:MWh}", "said": '{quality}: "{voltage}" \\'}
    given = columns("main-a", {"active_energy_import": values, "voltage": [230.0] * len(values)})
    async with sink(database, fields=layout) as made:
        await made.write(batch(given), "")
    (series,) = database.ask("SELECT v, said FROM electricity", database=DATABASE)["series"]
    assert [row[1] for row in series["values"]] == values
    assert series["values"][0][2] == 'good: "230" \\'


async def test_integers_go_on_as_integers(database: ForeignInflux) -> None:
    async with sink(database, integers=("active_*",)) as made:
        await made.write(
            batch(columns("main-a", {"active_energy_import": [12.6, None], "voltage": [230.0, 231.0]})), ""
        )
    assert _fields(database) == {"active_energy_import": "integer", "voltage": "float"}


async def test_a_field_of_another_type_is_left_out_and_the_rest_is_written(database: ForeignInflux) -> None:
    async with sink(database, integers=("voltage", "current")) as made:
        await made.write(batch(columns("old", {"voltage": [230.0], "current": [1.0]})), "")
    given = columns(
        "main-a",
        {"voltage": [230.5, None, None], "current": [None, None, 2.5], "active_energy_import": [1.0, 2.0, 3.0]},
    )
    async with sink(database) as made:
        written = await made.write(batch(given), "")
    assert [(one.meter, one.at_ms) for one in written.rejected] == [("main-a", AT_MS), ("main-a", AT_MS + 10_000)]
    assert 'field "voltage" is float, and integer over there' in written.rejected[0].reason
    assert 'field "current"' in written.rejected[1].reason
    assert sorted(value for meter, _, value in database.rows() if meter == "main-a") == [1, 2, 3]


async def test_readings_older_than_the_retention_are_told(database: ForeignInflux) -> None:
    database.ask(f"CREATE RETENTION POLICY short ON {DATABASE} DURATION 1h REPLICATION 1")
    now_ms = 1000 * int(time.time())
    old, new = (
        columns("m0", {"active_energy_import": [1.0, 2.0]}, at_ms=AT_MS - 10**11),
        columns("m1", {"active_energy_import": [3.0]}, at_ms=now_ms),
    )
    async with sink(database, retention_policy="short") as made:
        written = await made.write(batch(new, old), "")
        again = await made.write(batch(old), "")
    reason = "older than what is kept over there"
    at_ms = old.at_ms
    assert written.rejected == (Rejected("m0", at_ms[0], reason), Rejected("m0", at_ms[1], reason))
    assert again.rejected == written.rejected and all(one.late for one in written.rejected)
    found = database.ask("SELECT active_energy_import FROM short.electricity", database=DATABASE)["series"][0]
    assert found["values"] == [[now_ms, 3]]


async def test_a_missing_database_is_made_or_told(influx: ForeignInflux) -> None:
    given = batch(columns("main-a", {"active_energy_import": [1.0]}))
    async with sink(influx, database='a "new" one') as made:
        await made.write(given, "")
        await made.write(given, "")
    names = influx.ask("SHOW DATABASES")["series"][0]["values"]
    assert ['a "new" one'] in names
    async with sink(influx, database="other", create=False) as made:
        with pytest.raises(SinkUnavailable, match="no such database"):
            await made.write(given, "")


async def test_a_missing_retention_policy_is_told(database: ForeignInflux) -> None:
    async with sink(database, retention_policy="nope") as made:
        with pytest.raises(SinkUnavailable, match="retention policy not found: nope"):
            await made.write(batch(columns("main-a", {"voltage": [1.0]})), "")


async def test_gzip_is_understood(database: ForeignInflux) -> None:
    async with sink(database, gzip=True) as made:
        await made.write(batch(columns("main-a", {"active_energy_import": [float(n) for n in range(1000)]})), "")
    assert len(database.rows()) == 1000


async def test_passwords_and_bodies_that_are_too_large(tmp_path: Path) -> None:
    with running(ForeignInflux(tmp_path, auth=True, body=20_000)) as server:
        server.ask("CREATE USER admin WITH PASSWORD 'geheim-1' WITH ALL PRIVILEGES")
        admin = {"user": "admin", "password": "geheim-1"}
        server.ask("CREATE USER reader WITH PASSWORD 'geheim-2'", **admin)
        given = batch(columns("main-a", {"active_energy_import": [float(n) for n in range(2000)]}))
        for username, password, words in (
            ("admin", "geheim-3", "does not accept the user name, password"),
            ("", "", "does not accept the user name, password"),
            ("reader", "geheim-2", "may not|make the database there"),
        ):
            async with sink(server, username=username, password=Secret(password)) as made:
                with pytest.raises(SinkUnavailable, match=words) as caught:
                    await made.write(given, "")
                assert "geheim" not in str(caught.value) + repr(made)
        for gzip in (False, True):
            async with sink(server, username="admin", password=Secret("geheim-1"), gzip=gzip) as made:
                await made.write(given, "")
        found = server.ask("SELECT count(active_energy_import) FROM electricity", database=DATABASE, **admin)
        assert found["series"][0]["values"][0][1] == 2000


async def test_it_begins_anew_after_a_kill(tmp_path: Path) -> None:
    with running(ForeignInflux(tmp_path)) as server:
        async with sink(server) as made:
            await made.write(batch(columns("main-a", {"active_energy_import": [1.0]})), "")
            server.kill()
            with pytest.raises(SinkUnavailable, match=f"127.0.0.1:{server.port}"):
                await made.write(batch(columns("main-a", {"active_energy_import": [1.0, 2.0]})), "")
            server.start()
            await made.write(batch(columns("main-a", {"active_energy_import": [1.0, 2.0]})), "")
            assert len(server.rows()) == 2


async def test_nobody_there_is_told_in_words() -> None:
    given = batch(columns("main-a", {"voltage": [1.0]}))
    for url, words in (
        (f"http://127.0.0.1:{free_port()}", "no connection"),
        ("http://nowhere.invalid:8086", "no host of this name"),
    ):
        made = InfluxSettings(name="i", url=url).make(AROUND)
        with pytest.raises(SinkUnavailable, match=words):
            await made.write(given, "")
        await made.aclose()
