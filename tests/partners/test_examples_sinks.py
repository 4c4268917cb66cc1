"""Owners of the seeds keep their databases: what the old program wrote there goes on as it was, with our examples.

Each example is read from simulated meters into a real server, or one that speaks its wire format, in which stands what
the old program wrote. Only ports, addresses and how long an interval is are not those of the example.
"""

from __future__ import annotations

import csv
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from example_files import here, one_meter, pzems
from foreign_elasticsearch import ForeignElasticsearch
from foreign_http import ForeignHttp
from foreign_influxdb import ForeignInflux
from foreign_mongodb import ForeignMongodb
from foreign_mqtt import ForeignMqtt
from foreign_sql import PASSWORD, ForeignMssql
from running import daemon, get_json, post, until, wattbook

SOON = 'every = "1s"'  # instead of minutes


@contextmanager
def up(*servers: Any) -> Iterator[None]:
    """Servers that run for a while."""
    running = []
    try:
        for server in servers:
            server.start()
            running.append(server)
        yield
    finally:
        for server in reversed(running):
            server.stop()


def _has(url: str, sink: str, rows: int = 1) -> bool:
    """Whether a sink has delivered."""
    return any(each["name"] == sink and each["written"] >= rows for each in get_json(url + "api/v1/sinks"))


def _latest(url: str, meter: str) -> Mapping[str, float]:
    """The last values of a meter, in base units; waits for the first."""
    found: dict[str, Mapping[str, float]] = {}

    def there() -> bool:
        found.update({each["meter"]: each["values"] for each in get_json(url + "api/v1/readings/latest")})
        return meter in found

    until(there)
    return found[meter]


def test_documents_of_seed_000_go_on_in_mongodb_and_elasticsearch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mongo").mkdir()
    (tmp_path / "elastic").mkdir()
    mongo, elastic = ForeignMongodb(tmp_path / "mongo"), ForeignElasticsearch(tmp_path / "elastic")
    monkeypatch.setenv("MONGO_PASSWORD", mongo.password)
    monkeypatch.setenv("ELASTIC_PASSWORD", elastic.password)
    told = {":27017": f":{mongo.port}", ":9200": f":{elastic.port}", 'every = "15min"': SOON, 'every = "30min"': SOON}
    config, began = here("optical-mongodb-elasticsearch.toml", tmp_path, told), time.time()
    old = {"T1": 4200.0, "T2": 21209.0, "timestamp": began - 900.5}
    with up(mongo, elastic), one_meter(tmp_path, "zpa-two-tariff"):
        with mongo.client() as client:
            client["home"]["energy"].insert_one(dict(old))
        with daemon(config, tmp_path / "run.log") as (url, _):
            until(lambda: _has(url, "home") and _has(url, "elastic"))
            values = _latest(url, "house")
        first, new = mongo.documents("energy")
        (hit,) = elastic.documents("energy")
    assert {key: first[key] for key in old} == old
    assert new.keys() == first.keys() and all(type(new[key]) is float for key in old)
    high, low = (values[f"active_energy_import_{tariff}"] / 1000 for tariff in ("t1", "t2"))
    assert (new["T1"], new["T2"]) == pytest.approx((high, low))
    assert began < new["timestamp"] < time.time() + 1
    source = dict(hit["_source"])
    assert abs(datetime.fromisoformat(source.pop("@timestamp")).timestamp() - new["timestamp"]) < 2
    assert source == pytest.approx({"highTarif": high, "lowTarif": low, "suma": values["active_energy_import"] / 1000})


# As seed 001's script wrote them: a line a field, without tags.
PZEM_FIELDS = ("VOLT", "AMPS", "WATT", "WHRS", "PZPF")
PZEM_LINES = "\n".join(f"ALL_SENSORS {name}=1.5" for name in ["T_cpu", *(f"MAIN-A_{field}" for field in PZEM_FIELDS)])


def test_series_of_seed_001_go_on_in_influxdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    influx, user = ForeignInflux(tmp_path / "influx", auth=True), {"user": "grafana1", "password": "hush"}
    monkeypatch.setenv("INFLUX_PASSWORD", user["password"])
    told = {":8086": f":{influx.port}", 'model = "host"\nevery = "5s"': 'model = "push"'}  # not every machine tells °C
    config = here("three-pzem-016-influxdb.toml", tmp_path, told)
    ports = {"main-a": "ttyUSB2", "main-b": "ttyUSB0", "gen": "ttyUSB1"}
    with up(influx), pzems(tmp_path, ports):
        influx.ask("CREATE USER grafana1 WITH PASSWORD 'hush' WITH ALL PRIVILEGES")
        influx.ask("CREATE DATABASE housePower", **user)
        write = f"http://127.0.0.1:{influx.port}/write?db=housePower&u=grafana1&p=hush"
        urllib.request.urlopen(write, PZEM_LINES.encode()).close()
        with daemon(config, tmp_path / "run.log") as (url, _):
            told_by_pi = {"meter": "pi", "at": datetime.now(UTC).isoformat(), "values": {"temperature": 48.3}}
            post(url + "api/v1/readings", json.dumps(told_by_pi).encode())
            until(lambda: _has(url, "house-power", 4) and len(_fields(influx, user)) == 16)
            values = _latest(url, "main-a")
        (series,) = influx.ask('SELECT last("MAIN-A_WHRS"), "T_cpu" FROM ALL_SENSORS', database="housePower", **user)[
            "series"
        ]
        (cpu,) = influx.ask("SELECT last(T_cpu) FROM ALL_SENSORS", database="housePower", **user)["series"]
        keys = influx.ask("SHOW SERIES", database="housePower", **user)["series"][0]["values"]
        fields = _fields(influx, user)
    assert fields == {f"{meter}_{field}": "float" for meter in ("MAIN-A", "MAIN-B", "GEN") for field in PZEM_FIELDS} | {
        "T_cpu": "float"
    }
    assert keys == [["ALL_SENSORS"]]  # one series, as before: no tag
    assert cpu["values"][0][1] == 48.3
    assert series["values"][0][1] == pytest.approx(values["active_energy_import"], abs=5)  # Wh, like the meter itself


def _fields(influx: ForeignInflux, user: Mapping[str, str]) -> Mapping[str, str]:
    found = influx.ask("SHOW FIELD KEYS", database="housePower", **user)
    return dict(found["series"][0]["values"])


OFFICE = [
    *("VoltageL1_v", "VoltageL2_v", "VoltageL3_v", "VoltageL12_v", "VoltageL23_v", "VoltageL31_v", "VoltageL12_maxv"),
    *("VoltageL23_maxv", "VoltageL31_maxv", "VoltageL12_minv", "VoltageL23_minv", "VoltageL31_minv", "CurrentL1_I"),
    *("CurrentL2_I", "CurrentL3_I", "CurrentLn_I", "TotalRealPower_kWh", "TotalApparentPower_kWh"),
    *("TotalReactivePower_kWh", "TotalPowerFactor_kWh", "Frequency", "TotalRealEnergy", "TotalReactiveEnergy"),
    "TotalApparentEnergy",
]
RX380_HEADER = (
    "timestamp,voltage_l12,voltage_l23,voltage_l31,voltage_l1,voltage_l2,voltage_l3,current_l1,current_l2,current_l3,"
    "total_real_power,total_power_factor,frequency,timestamp"
)
PLANT = ZoneInfo("Asia/Kuala_Lumpur")


def test_files_table_and_broker_of_seed_004_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office, broker = ForeignMssql(tmp_path), ForeignMqtt(tmp_path)
    monkeypatch.setenv("MSSQL_PASSWORD", PASSWORD)
    told = {
        "mssql://logger@127.0.0.1:1433/Energy": f"mssql://wattbook@127.0.0.1:{office.port}/energy",
        ":1883": f":{broker.port}", 'every = "2min"': SOON, 'every = "5min"': SOON, 'every = "10s"': SOON,
    }  # fmt: skip
    config, now = here("rx380-office.toml", tmp_path, told), datetime.now(PLANT)
    before = (now - timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S")
    file = tmp_path / "rx380_daily_logs" / f"rx380_data_{now:%Y-%m-%d}.csv"
    file.parent.mkdir()
    row = f"{before},{','.join(['1.5'] * 12)},{before}"
    file.write_text(f"{RX380_HEADER}\r\n{row}\r\n")
    with up(office, broker), one_meter(tmp_path, "rx380", 1):
        columns, cells = ", ".join(f"{name} FLOAT" for name in OFFICE), ", ".join(["1.5"] * 24)
        office.ask(f"CREATE TABLE Office_Readings (Timestamp DATETIME, {columns})")
        office.ask(f"INSERT INTO Office_Readings VALUES ('{before}', {cells})")  # noqa: S608  of ours
        with daemon(config, tmp_path / "run.log") as (url, _):
            until(lambda: all(_has(url, name) for name in ("screen", "files", "office-readings", "node-red")))
            values = _latest(url, "office")
        rows = office.ask("SELECT * FROM Office_Readings")
        assert any(meter == "office" for meter, _, _ in broker.rows())
    assert len(rows) >= 2 and all(cell is not None for row in rows for cell in row)
    new = dict(zip(OFFICE, rows[-1][1:], strict=True))
    assert all(type(cell) is float for cell in new.values())
    assert abs(datetime.fromisoformat(str(rows[-1][0])).replace(tzinfo=PLANT) - now) < timedelta(minutes=5)
    assert new["TotalRealEnergy"] == pytest.approx(values["active_energy_import"], abs=100)  # Wh
    assert new["TotalRealPower_kWh"] == pytest.approx(values["active_power"] / 1000, rel=0.5)  # kW
    lines = file.read_text().splitlines()
    assert lines[:2] == [RX380_HEADER, row] and len(lines) > 2
    cells = next(csv.reader(lines[-1:]))
    assert len(cells) == 14 and cells[0] == cells[-1] and "" not in cells
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    said = (tmp_path / "run.log").read_text(encoding="utf-8")
    assert "V L12" in said and "Traceback" not in said


LECTOR_CODES = {"TPF": 3, "IPF": 4, "FRE": 1, "PAF": 3, "PAT": 1, "PRT": 1, "FPT": 1, "THDV": 3, "CEA": 1, "CER": 1}


def test_the_centre_and_the_files_of_seed_002_go_on(tmp_path: Path) -> None:
    centre = ForeignHttp(tmp_path)
    replaced = {":8000": f":{centre.port}", 'every = "15min"': SOON, 'every = "1min"': SOON}
    config = here("pm710-lector.toml", tmp_path, {**replaced, "baud = 19200\n": ""})  # simulated at the model's own
    with up(centre), one_meter(tmp_path, "pm710", 1):
        with daemon(config, tmp_path / "run.log") as (url, _):
            until(lambda: _has(url, "centre", 2) and _has(url, "local-files", 2))
            values, told = _latest(url, "main-board"), wattbook("sink", "status", "-c", config)
        assert told.returncode == 0 and f"{datetime.now(ZoneInfo('Europe/Madrid')):%Y-%m-%d}" in told.stdout, (
            told.stderr
        )
        found = centre.asked("SELECT meter, at, body FROM reading")
    assert {where for where, _, _ in found} == {"4/1"}
    form = json.loads(found[-1][2])
    assert form.keys() == {"DATA_HORA", "LECTURA", "MODEL"} and form["MODEL"] == "PM710"
    datetime.strptime(form["DATA_HORA"], "%d/%m/%Y %H:%M:%S")
    codes = json.loads(form["LECTURA"])
    assert {code: len(numbers) for code, numbers in codes.items()} == LECTOR_CODES
    assert codes["CEA"][0] == pytest.approx(values["active_energy_import"] / 1000, rel=0.01)  # kWh
    (file,) = (tmp_path / "dades/1").iterdir()
    assert datetime.strptime(file.name, "%Y%m%d.txt")
    lines = file.read_text().splitlines()
    assert all(line.endswith("\t") for line in lines)
    header, *rows = (line[:-1].split("\t") for line in lines)
    assert header == ["HORA", *(f"{code}{n}" for code, size in LECTOR_CODES.items() for n in range(size))]
    assert len(rows) >= 2 and all(len(row) == len(header) and "" not in row for row in rows)
    assert all(cell == f"{float(cell):9.2f}" for row in rows for cell in row[1:])
