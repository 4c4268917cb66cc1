"""Whatever a foreign file holds, an import ends in readings, in bad rows, or in words; never in a fault of ours."""

from __future__ import annotations

import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exchange_tools import intake, write
from wattbook.exchange import SYSTEMS, system_of
from wattbook.model import ConfigError
from wattbook.model.exact import EXACT_MAX

AT_S = 1795222923
SAMPLES = {
    "plain": "meter,at,voltage,active_energy_import\nmain-a,2026-11-21T01:02:03Z,230.1,25409587\n",
    "csv": "time;Power [kW];meter\n2026-10-25 02:30:00;1,5;main-a\n2026-10-25 02:30:00;1,5;main-b\n",
    "influx": f"# DML\nS,a=b MAIN-A_VOLT=121.3 {AT_S}000000000\n"
    f'S MAIN-A_WHRS=7i,x="\\"a b",MAIN-A_AMPS=1 {AT_S}000000000\n',
    "mongodb": json.dumps(
        [{"T1": {"$numberInt": "1"}, "T2": 2.5, "timestamp": {"$date": {"$numberLong": f"{AT_S}000"}}}]
    ),
    "home-assistant-csv": "statistic_id,unit,start,mean,sum,state\nsensor.main_a_energy,kWh,2026-11-21 01:00,,1,2\n",
    "dsmr-reader": "read_at,delivered_1,returned_1\n2026-11-21 01:02:03+00,1234.567,0.5\n",
    "rx380": "timestamp,voltage_l12,frequency\r\n2026-11-21 02:02:03,400.1,50\r\n",
    "lector": "HORA\tTPF0\tCEA0\t\n02:02:03\t   231.00\t 25409.59\t\n",
    "phpfina": "",
    "home-assistant": "",
}  # fmt: skip
SPARE = st.sampled_from(
    [b"\n", b",", b"=", b'"', b"\\", b"9" * 400, b"-", b"e", b"\xff", b"\0", b"{", b"[", b" ", b"nan"]
)
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 8), SPARE | st.binary(max_size=4)), min_size=1, max_size=4)


def _sample(name: str, folder: Path) -> bytes:
    if name == "phpfina":
        write(folder, "7.meta", struct.pack("<IIII", 7, 0, 10, AT_S))
        return struct.pack("<4f", 1.5, 2.5, float("nan"), 1e38)
    if name == "home-assistant":
        path = folder / "ha.db"
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(
                "CREATE TABLE statistics_meta (id, statistic_id, unit_of_measurement, has_sum);"
                "CREATE TABLE statistics (id INTEGER PRIMARY KEY, metadata_id, start_ts, state, sum, mean, min, max);"
                "INSERT INTO statistics_meta VALUES (1, 'sensor.main_a_energy', 'kWh', 1), (x'00', NULL, 7, 'x');"
                "INSERT INTO statistics VALUES (1, 1, 1795222800, 5.5, 6, NULL, NULL, NULL);"
                "INSERT INTO statistics VALUES (2, 1, 9e999, x'ff', 1, 1, 1, 1), (3, 1, 'x', 1, 1, 1, 1, 1);"
            )
        return path.read_bytes()
    return SAMPLES[name].encode()


def _changed(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for share, cut, put in changes:
        place = int(share * len(content))
        content = content[:place] + put + content[place + cut :]
    return content


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(changes=CHANGES | st.just([]))
@example(changes=[])
@pytest.mark.parametrize("name", SYSTEMS)
def test_a_damaged_file_ends_in_words(tmp_path: Path, name: str, changes: list[tuple[float, int, bytes]]) -> None:
    file = {"lector": "20261121.txt", "phpfina": "7.dat"}.get(name, "file")
    path = write(tmp_path, file, _changed(_sample(name, tmp_path), changes))
    for system in (name, "auto"):
        at = intake("7=main-a.voltage", meter="main-a")
        try:
            found = list(system_of([path], system).read([path], at))
        except ConfigError as error:
            assert str(error)
            continue
        readings = [reading for block in found for reading in block.readings()]
        assert all(-EXACT_MAX <= value <= EXACT_MAX for reading in readings for value in reading.values.values())
        assert found or changes or name == "home-assistant"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=60)
@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@pytest.mark.parametrize("name", SYSTEMS)
def test_any_bytes_end_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    path = write(tmp_path, "20261121.txt", content)
    write(tmp_path, "20261121.meta", content[:16])
    try:
        list(system_of([path], name).read([path], intake("20261121=main-a.voltage", meter="main-a")))
    except ConfigError as error:
        assert str(error)
