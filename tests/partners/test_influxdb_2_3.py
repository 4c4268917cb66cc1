"""The InfluxDB sink against a server that speaks as the maker of InfluxDB 2 and 3 documents it."""

from __future__ import annotations

from typing import Any

import pytest

from influxdb_server import TOKEN, influxdb_server
from series_batches import AT_MS, batch, columns
from wattbook.model import SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks.influxdb import InfluxSettings, InfluxSink
from wattbook.values import Secret

pytestmark = pytest.mark.parametrize("version", [2, 3])
KEYS: dict[int, dict[str, Any]] = {2: {"org": "my org", "bucket": "house"}, 3: {"database": "house"}}


def _sink(url: str, version: int, **told: Any) -> InfluxSink:
    keys = {"token": Secret(TOKEN), **KEYS[version], **told}
    return InfluxSettings(name="influx", url=url + "/", version=version, **keys).make(Surroundings("house"))


@pytest.mark.parametrize("gzip", [False, True])
async def test_everything_is_written_once(version: int, gzip: bool) -> None:
    given = batch(
        columns("main-a", {"voltage": [230.0, None, 231.5], "active_energy_import": [1.0, 2.0, 3.0]}),
        columns("main b", {"voltage": [229.0]}),
    )
    async with influxdb_server() as server:
        sink = _sink(server.url, version, gzip=gzip)
        for _ in range(2):
            assert (await sink.write(given, "mark")).bookmark == "mark"
        await sink.aclose()
    assert server.packed == gzip
    assert server.points == {
        ("electricity,meter=main-a,site=house", AT_MS): {"voltage": "230.0", "active_energy_import": "1.0"},
        ("electricity,meter=main-a,site=house", AT_MS + 5000): {"active_energy_import": "2.0"},
        ("electricity,meter=main-a,site=house", AT_MS + 10000): {"voltage": "231.5", "active_energy_import": "3.0"},
        ("electricity,meter=main\\ b,site=house", AT_MS): {"voltage": "229.0"},
    }


async def test_fields_of_another_type_are_left_out(version: int) -> None:
    given = columns("main-a", {"voltage": [230.0, None], "current": [1.0, 2.0], "active_energy_import": [1.0, 2.0]})
    async with influxdb_server() as server:
        server.types = {("electricity", "voltage"): "integer", ("electricity", "current"): "string"}
        sink = _sink(server.url, version)
        written = await sink.write(batch(columns("other", {"active_power": [5.0]}), given), "")
        await sink.aclose()
    assert [one.at_ms for one in written.rejected] == [AT_MS, AT_MS + 5000]
    assert 'field "voltage" is float, and integer over there' in written.rejected[0].reason
    assert 'field "current" is float, and string over there' in written.rejected[1].reason
    assert [told.get("active_energy_import") for told in server.points.values()] == [None, "1.0", "2.0"]


async def test_a_wrong_token_is_told_and_never_shown(version: int) -> None:
    async with influxdb_server() as server:
        sink = _sink(server.url, version, token=Secret("geheim"))
        with pytest.raises(SinkUnavailable, match="does not accept the user name, password or token") as caught:
            await sink.write(batch(columns("m", {"voltage": [1.0]})), "")
        assert "geheim" not in f"{caught.value!r} {sink!r}"
        await sink.aclose()


async def test_what_is_missing_is_told(version: int) -> None:
    told = [{"bucket": "other"}, {"org": "other"}] if version == 2 else []
    async with influxdb_server() as server:
        for keys in told:
            sink = _sink(server.url, version, **keys)
            with pytest.raises(SinkUnavailable, match=r'no such database, bucket or organisation.*"other" not found'):
                await sink.write(batch(columns("m", {"voltage": [1.0]})), "")
            await sink.aclose()
        sink = _sink(server.url + "/elsewhere", version)
        with pytest.raises(SinkUnavailable, match="no InfluxDB of this version"):
            await sink.write(batch(columns("m", {"voltage": [1.0]})), "")
        await sink.aclose()


async def test_what_is_too_large_goes_in_parts(version: int) -> None:
    async with influxdb_server(body=1000) as server:
        sink = _sink(server.url, version)
        await sink.write(batch(columns("m", {"voltage": [float(n) for n in range(100)]})), "")
        assert len(server.points) == 100
        assert {status for status, _ in server.said} == {204, 413}
        long = _sink(server.url, version, tags={"meter": "{meter}", "t": "x" * 1200})
        with pytest.raises(SinkRefused, match=r"a line of 12.. bytes is too long"):
            await long.write(batch(columns("m", {"voltage": [1.0, 2.0]})), "")
        await sink.aclose()
        await long.aclose()
