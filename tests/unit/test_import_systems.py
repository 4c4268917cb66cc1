"""Files of other systems, each against a small one written by hand from its documents."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from exchange_tools import imported, intake, write
from wattbook.exchange import system_of
from wattbook.model import ConfigError

AT_S = 1795222923  # 2026-11-21T01:02:03Z
AT = "2026-11-21T01:02:03"

# ---- InfluxDB 1.x

DUMP = f"""# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z
# DDL
CREATE DATABASE housePower WITH NAME autogen
# DML
# CONTEXT-DATABASE:housePower
# CONTEXT-RETENTION-POLICY:autogen
# writing tsm data
ALL_SENSORS GEN_VOLT=119.5 {AT_S}000000000
ALL_SENSORS MAIN-A_AMPS=12.25 {AT_S}000000000
ALL_SENSORS MAIN-A_AMPS=12.5 {AT_S + 5}123456789
ALL_SENSORS MAIN-A_PZPF=0.98 {AT_S}000000000
ALL_SENSORS MAIN-A_VOLT=121.3 {AT_S}000000000
ALL_SENSORS MAIN-A_VOLT=121.4 {AT_S + 5}123456789
ALL_SENSORS MAIN-A_WATT=1480 {AT_S}000000000
ALL_SENSORS MAIN-A_WHRS=123456i {AT_S}000000000
ALL_SENSORS T_cpu=48.3 {AT_S}000000000
"""


def test_the_monitor_of_seed_001_needs_no_mapping(tmp_path: Path) -> None:
    at = intake()
    assert imported(write(tmp_path, "dump.txt", DUMP), at) == {
        ("generator", AT): {"voltage": 119.5},
        ("main-a", AT): {
            "current": 12.25, "power_factor": 0.98, "voltage": 121.3, "active_power": 1480.0,
            "active_energy_import": 123456.0,
        },
        ("main-a", "2026-11-21T01:02:08.123"): {"current": 12.5, "voltage": 121.4},
    }  # fmt: skip
    assert dict(at.tally.left_out) == {"ALL_SENSORS.T_cpu": 1}
    assert at.tally.rejected == 0


def test_a_dump_is_told_by_its_points_too_and_mapped_by_the_longest_name(tmp_path: Path) -> None:
    dump = write(
        tmp_path,
        "points.lp",
        rf"""power,host=pi\ 4,room=hall value=1.5,note="a, b = \"c\"" {AT_S}000000000
power,host=pi\ 4,room=attic value=2.5 {AT_S}000000000
energy,device=main_b active_energy_import=77 {AT_S}000000000
""",
    )
    at = intake(r"power,host=pi 4,room=hall.value=main-a.active_power:kW", "power.value=generator.active_power:kW")
    assert imported(dump, at) == {
        ("main-a", AT): {"active_power": 1500.0},
        ("generator", AT): {"active_power": 2500.0},
        ("main-b", AT): {"active_energy_import": 77.0},
    }
    assert list(at.tally.left_out) == ["power.note"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("ALL_SENSORS MAIN-A_VOLT=121.3", "has no time"),
        ("ALL_SENSORS 1795222923000000000", "is no point"),
        ("nonsense", "is no point"),
        (f'ALL_SENSORS MAIN-A_VOLT="high" {AT_S}000000000', "is no number"),
        (f"ALL_SENSORS MAIN-A_VOLT=true {AT_S}000000000", "is no number"),
        (f"ALL_SENSORS MAIN-A_VOLT=1 {'9' * 5000}", "has no time"),
        (f"ALL_SENSORS MAIN-A_VOLT=1,MAIN-A_AMPS=x {AT_S + 9}000000000", "is no number"),
        ("ALL_SENSORS MAIN-A_VOLT=1 -1000000000", "before 1970"),
        ("ALL_SENSORS MAIN-A_VOLT=1 1995222923000000000", "in the future"),
    ],
)
def test_a_bad_point_is_told_with_its_line(tmp_path: Path, bad: str, reason: str) -> None:
    at = intake()
    assert len(imported(write(tmp_path, "dump.txt", DUMP + bad + "\n"), at)) == 3
    (told,) = at.tally.listed
    assert told.line == 17 and reason in told.reason


def test_a_dump_of_nothing_known_is_refused_with_its_names(tmp_path: Path) -> None:
    dump = write(tmp_path, "dump.txt", f"cpu,host=pi usage=1 {AT_S}000000000\n")
    with pytest.raises(ConfigError, match=r'"cpu.usage".*--map "cpu.usage=METER'):
        imported(dump, intake())


# ---- MongoDB

DOCUMENTS = [
    {"_id": {"$oid": "5ff0"}, "T1": 4200, "T2": 21209, "timestamp": AT_S + 0.25},
    {"_id": {"$oid": "5ff1"}, "T1": {"$numberInt": "4201"}, "T2": {"$numberDouble": "21210.5"},
     "timestamp": {"$numberDouble": f"{AT_S + 900}.5"}},
    {"_id": {"$oid": "5ff2"}, "T1": "0004202.177", "T2": None, "timestamp": {"$date": "2026-11-21T01:32:03.5Z"}},
    {"_id": {"$oid": "5ff3"}, "T1": 4203, "T2": 21212, "timestamp": {"$date": {"$numberLong": f"{AT_S + 2700}250"}}},
]  # fmt: skip
REGISTERS = {
    ("utility", "2026-11-21T01:02:03.250"): {
        "active_energy_import_t1": 4200000.0,
        "active_energy_import_t2": 21209000.0,
    },
    ("utility", "2026-11-21T01:17:03.500"): {
        "active_energy_import_t1": 4201000.0,
        "active_energy_import_t2": 21210500.0,
    },
    ("utility", "2026-11-21T01:32:03.500"): {"active_energy_import_t1": 4202177.0},
    ("utility", "2026-11-21T01:47:03.250"): {
        "active_energy_import_t1": 4203000.0,
        "active_energy_import_t2": 21212000.0,
    },
}


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(map(json.dumps, DOCUMENTS)),
        "[" + ",\n".join(map(json.dumps, DOCUMENTS)) + "]\n",
        json.dumps(DOCUMENTS),
        json.dumps(DOCUMENTS, indent=2),
    ],
    ids=["lines", "array", "array on a line", "spread"],
)
def test_the_collection_of_seed_000(tmp_path: Path, content: str) -> None:
    at = intake(meters=["utility"])
    assert imported(write(tmp_path, "energy.json", content), at) == REGISTERS
    assert at.tally.rejected == 0


def test_many_documents_come_through_the_edges_of_what_is_read_at_once(tmp_path: Path) -> None:
    many = [{"T1": n, "T2": 2 * n, "timestamp": AT_S - 900 * n} for n in range(5000)]
    for content in ("\n".join(map(json.dumps, many)), json.dumps(many, indent=1)):
        at = intake(meters=["utility"])
        found = imported(write(tmp_path, "energy.json", content), at)
        assert at.tally.rejected == 0
        assert {values["active_energy_import_t2"] for values in found.values()} == {2000.0 * n for n in range(5000)}


@pytest.mark.parametrize("number", ["1.5", "1e5", "-5", "null", "true", "NaN", "-Infinity", '"\\u00e9"'])
def test_a_document_is_read_on_wherever_the_edge_cuts_it(tmp_path: Path, number: str) -> None:
    for edge in range(len(number) + 1):
        begins = '[{"T1": 1, "timestamp": 1795222923, "_id": '
        first = begins + " " * ((1 << 16) - len(begins) - edge) + number + "}"
        others = [json.dumps({"T2": n, "timestamp": AT_S - n}) for n in range(1, 500)]
        content = ", ".join([first, *others]) + "]"
        at = intake(meters=["utility"])
        assert len(imported(write(tmp_path, "energy.json", content), at)) == 500
        assert at.tally.rejected == 0


def test_of_an_array_on_one_line_only_the_bad_document_is_lost(tmp_path: Path) -> None:
    many = [json.dumps({"T1": n, "timestamp": {"$date": 1000 * (AT_S - n)}}) for n in range(5000)]
    many[7], many[4000] = '{"T1": 1.x, "timestamp": {"$date": 5}}', '{"T1": "a'
    at = intake(meters=["utility"])
    assert len(imported(write(tmp_path, "energy.json", f"[{', '.join(many)}]"), at)) == 4998
    assert [told.reason for told in at.tally.listed] == [
        "is no JSON: Expecting ',' delimiter",
        "is no JSON: Expecting ',' delimiter",
    ]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ('{"T1": 1, "T2": 2}', 'has no "timestamp"'),
        ('{"T1": true, "T2": 2, "timestamp": 1795222923}', "is no number"),
        ('{"T1": "x", "T2": 2, "timestamp": 1795222923}', "is no number"),
        ('{"T1": 1, "T2": 2, "timestamp": "soon"}', "is no time"),
        ('{"T1": 1, "T2": 2, "timestamp": 17952229230}', "in the future"),
        ('{"T1": 1, "T2": ', "is no JSON"),
        ("7", "is no document"),
        ('{"T1": 1, "timestamp": {"$date": {"$numberLong": "x"}}}', "no count of milliseconds"),
        ('{"T1": ' + "9" * 5000 + ', "timestamp": 1795222923}', "is no JSON"),
        ('{"T1": 1, "timestamp": Infinity}', "is no time"),
        ('{"T1": 1, "timestamp": 1e400}', "is no time"),
        ('{"T1": ' + "[" * 50_000 + "}", "is no JSON"),
        ('{"timestamp": 1795222923}', "no value at all"),
    ],
)
def test_a_bad_document_is_told_with_its_line(tmp_path: Path, bad: str, reason: str) -> None:
    lines = [json.dumps(DOCUMENTS[0]), bad, json.dumps(DOCUMENTS[1])]
    at = intake(meters=["utility"])
    assert len(imported(write(tmp_path, "energy.json", "\n".join(lines)), at)) == 2
    (told,) = at.tally.listed
    assert told.line == 2 and reason in told.reason


# ---- Home Assistant


def _home_assistant(path: Path, *, old: bool = False) -> Path:
    start = "start DATETIME" if old else "start_ts FLOAT"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE statistics_meta (id INTEGER PRIMARY KEY, statistic_id VARCHAR(255), source VARCHAR(32),
                unit_of_measurement VARCHAR(255), has_mean BOOLEAN, has_sum BOOLEAN, name VARCHAR(255));
            CREATE TABLE statistics (id INTEGER PRIMARY KEY, metadata_id INTEGER, START,
                mean FLOAT, min FLOAT, max FLOAT, state FLOAT, sum FLOAT);
            INSERT INTO statistics_meta VALUES
                (1, 'sensor.main_a_energy', 'recorder', 'kWh', 0, 1, NULL),
                (2, 'sensor.main_a_power', 'recorder', 'W', 1, 0, NULL),
                (3, 'sensor.outside', 'recorder', '°C', 1, 0, NULL);
            """.replace("START", start)
        )
        begins = (
            ["2026-11-21 01:00:00.000000", "2026-11-21 02:00:00.000000"] if old else [AT_S - 123, AT_S - 123 + 3600]
        )
        rows = [
            (1, begins[0], None, None, None, 1234.567, 10.0), (1, begins[1], None, None, None, 1235.25, 10.683),
            (2, begins[0], 683.5, 600.0, 700.0, None, None), (3, begins[0], 4.5, 4.0, 5.0, None, None),
            (2, begins[1], None, None, None, None, None),
        ]  # fmt: skip
        connection.executemany("INSERT INTO statistics VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
    return path


@pytest.mark.parametrize("old", [False, True])
def test_statistics_become_registers_at_the_end_and_means_at_the_start_of_their_hour(tmp_path: Path, old: bool) -> None:
    at = intake()
    assert imported(_home_assistant(tmp_path / "home-assistant_v2.db", old=old), at) == {
        ("main-a", "2026-11-21T01:00:00"): {"active_power": 683.5},
        ("main-a", "2026-11-21T02:00:00"): {"active_energy_import": 1234567.0},
        ("main-a", "2026-11-21T03:00:00"): {"active_energy_import": 1235250.0},
    }
    assert dict(at.tally.left_out) == {"sensor.outside (°C)": 1}


def test_statistics_are_mapped_by_id_and_by_column(tmp_path: Path) -> None:
    at = intake("sensor.main_a_energy/sum=generator.active_energy_import", "sensor.main_a_power=-", "sensor.outside=-")
    assert imported(_home_assistant(tmp_path / "ha.db"), at) == {
        ("generator", "2026-11-21T02:00:00"): {"active_energy_import": 10000.0},
        ("generator", "2026-11-21T03:00:00"): {"active_energy_import": 10683.0},
    }
    assert not at.tally.left_out


def test_a_unit_that_does_not_fit_is_told(tmp_path: Path) -> None:
    at = intake("sensor.outside=main-a.active_power")
    with pytest.raises(ConfigError, match="is no unit of a quantity in W"):
        imported(_home_assistant(tmp_path / "ha.db"), at)


def test_another_database_is_refused_and_views_are_not_run(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE a (b); CREATE VIEW statistics AS SELECT 1; CREATE TABLE statistics_meta (id)"
        )
    with pytest.raises(ConfigError, match="no statistics of Home Assistant"):
        imported(path, intake())
    damaged = write(tmp_path, "damaged.db", b"SQLite format 3\0" + b"\xff" * 5000)
    with pytest.raises(ConfigError, match="cannot be read"):
        imported(damaged, intake())


def test_statistics_as_csv(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "statistics.tsv",
        "statistic_id\tunit\tstart\tmin\tmax\tmean\tsum\tstate\n"
        "sensor.main_a_power\tkW\t21.11.2026 02:00\t0.6\t0.7\t0.6835\t\t\n"
        "sensor.main_a_energy\tkWh\t21.11.2026 02:00\t\t\t\t10\t1234.567\n"
        "sensor.outside\t°C\t21.11.2026 02:00\t4\t5\t4.5\t\t\n"
        "sensor.main_a_energy\tkWh\tsoon\t\t\t\t10\t1234.567\n",
    )
    at = intake()
    assert imported(table, at, "home-assistant") == {
        ("main-a", "2026-11-21T01:00:00"): {"active_power": 683.5},
        ("main-a", "2026-11-21T02:00:00"): {"active_energy_import": 1234567.0},
    }
    assert dict(at.tally.left_out) == {"sensor.outside (°C)": 1}
    assert [bad.line for bad in at.tally.listed] == [5]
    assert system_of([table]).name == "home-assistant-csv"


# ---- emoncms PHPFina


def _feed(folder: Path, number: int, values: list[float], *, interval_s: int = 10, start_s: int = AT_S) -> Path:
    """A feed as emoncms lays it down, by struct alone."""
    write(folder, f"{number}.meta", struct.pack("<IIII", number, len(values), interval_s, start_s))
    return write(folder, f"{number}.dat", struct.pack(f"<{len(values)}f", *values))


def test_feeds_of_one_meter_are_joined_and_nan_is_absent(tmp_path: Path) -> None:
    feeds = [_feed(tmp_path, 7, [1480.5, math.nan, 1490.25]), _feed(tmp_path, 8, [1234.5, 1234.75], interval_s=20)]
    at = intake("7=main-a.active_power", "8=main-a.active_energy_import:kWh")
    assert imported(feeds, at) == {
        ("main-a", AT): {"active_power": 1480.5, "active_energy_import": 1234500.0},
        ("main-a", "2026-11-21T01:02:23"): {"active_power": 1490.25, "active_energy_import": 1234750.0},
    }


def test_a_long_feed_has_the_bits_of_its_values(tmp_path: Path) -> None:
    values = [struct.unpack("<f", struct.pack("<f", n * 0.1))[0] for n in range(150_000)]
    _feed(tmp_path, 1, values, start_s=AT_S - 10 * len(values))
    found = imported(tmp_path / "1.meta", intake("1=main-a.active_power"))
    assert [each["active_power"] for each in found.values()] == values


def test_what_is_wrong_with_a_feed_is_told(tmp_path: Path) -> None:
    feed = _feed(tmp_path, 7, [1.0, math.inf, 2.0])
    feed.write_bytes(feed.read_bytes() + b"\x01\x02")
    at = intake("7=main-a.voltage")
    assert len(imported(feed, at)) == 2
    assert [bad.reason.split(":")[0] for bad in at.tally.listed] == ["its last 2 bytes are no whole value", "point 1"]
    with pytest.raises(ConfigError, match=r'a feed says nothing of itself.*--map "7='):
        imported(feed, intake())
    write(tmp_path, "7.meta", b"short")
    with pytest.raises(ConfigError, match="has 16 bytes, this has 5"):
        imported(feed, intake("7=main-a.voltage"))
    write(tmp_path, "7.meta", bytes(16))
    with pytest.raises(ConfigError, match="0 s is no interval"):
        imported(feed, intake("7=main-a.voltage"))


# ---- dsmr-reader


def test_the_consumption_table_of_dsmr_reader(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "dsmr_consumption_electricityconsumption.csv",
        "id,read_at,delivered_1,returned_1,delivered_2,returned_2,currently_delivered,currently_returned,"
        "phase_voltage_l1,phase_power_current_l1\n"
        "1,2026-11-21 01:02:03+00,1234.567,0.000,2345.678,1.5,0.321,0.000,231.4,2\n",
    )
    at = intake(meter="main-a")
    assert imported(table, at) == {
        ("main-a", AT): {
            "active_energy_import_t1": 1234567.0, "active_energy_import_t2": 2345678.0,
            "active_energy_export_t1": 0.0, "active_energy_export_t2": 1500.0,
            "active_power": 321.0, "voltage_l1": 231.4, "current_l1": 2.0,
        }
    }  # fmt: skip
    assert set(at.tally.left_out) == {"id", "currently_returned"}


def test_the_telegrams_of_dsmr_reader(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "dsmrreading.csv",
        "timestamp,electricity_delivered_1,electricity_returned_1,electricity_currently_delivered\n"
        "2026-11-21T01:02:03Z,1234.567,0.5,0.321\n",
    )
    assert imported(table, intake(meter="main-a")) == {
        ("main-a", AT): {
            "active_energy_import_t1": 1234567.0, "active_energy_export_t1": 500.0, "active_power": 321.0,
        }
    }  # fmt: skip


def test_the_day_export_of_dsmr_reader_has_readings_and_the_hour_export_none(tmp_path: Path) -> None:
    used = ",".join(
        f"Electricity {tariff}{way} ({rate} Tariff)"
        for way in ("", " Returned")
        for tariff, rate in ((1, "Low"), (2, "High"))
    )
    read = used.replace(" (", " Reading (")
    day = write(tmp_path, "day.csv", f"Date,{used},Gas,{read}\n2026-11-20,1.5,2.5,0,0,3,1234.567,2345.678,0.5,0.25\n")
    assert imported(day, intake(meter="main-a")) == {
        ("main-a", "2026-11-19T23:00:00"): {
            "active_energy_import_t1": 1234567.0, "active_energy_import_t2": 2345678.0,
            "active_energy_export_t1": 500.0, "active_energy_export_t2": 250.0,
        }
    }  # fmt: skip
    hour = write(tmp_path, "hour.csv", f"Hour Start,{used},Gas\n2026-11-20 01:00:00,1.5,2.5,0,0,3\n")
    with pytest.raises(ConfigError, match="what was used by the hour or day"):
        imported(hour, intake(meter="main-a"))


# ---- the seeds' own files


@pytest.mark.parametrize("end", [",2026-11-21 02:02:03", ""], ids=["rows repeat it too", "rows do not"])
def test_a_day_of_the_rx380_logger_whose_header_repeats_the_time(tmp_path: Path, end: str) -> None:
    table = write(
        tmp_path,
        "rx380_data_2026-11-21.csv",
        "timestamp,voltage_l12,voltage_l1,current_l1,total_real_power,total_power_factor,frequency,total_real_energy,timestamp\r\n"
        f"2026-11-21 02:02:03,400.1,231.0,5.25,1500,0.98,50.01,77{end}\r\n2026-11-21 02:0",
    )
    at = intake(meter="main-a")
    assert imported(table, at) == {
        ("main-a", AT): {
            "voltage_l12": 400.1, "voltage_l1": 231.0, "current_l1": 5.25, "active_power": 1500.0,
            "power_factor": 0.98, "frequency": 50.01,
        }
    }  # fmt: skip
    assert list(at.tally.left_out) == ["total_real_energy"]
    assert at.tally.rejected == 1


def test_powers_that_the_rx380_logger_took_for_unsigned_are_negative(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "rx380_data_2026-11-21.csv",
        "timestamp,voltage_l12,total_real_power,total_reactive_power,total_apparent_power\r\n"
        "2026-11-21 02:02:03,400.1,4294966062,4294963296,13000\r\n",
    )
    powers = {"active_power": -1234.0, "reactive_power": -4000.0, "apparent_power": 13000.0}
    assert imported(table, intake(meter="main-a")) == {("main-a", AT): {"voltage_l12": 400.1, **powers}}


def test_a_day_of_lector(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "20261121.txt",
        "HORA\tTPF0\tTPF1\tTPF2\tPAT0\tCEA0\t\n02:02:03\t   231.00\t   232.00\t   233.00\t    -1.50\t 25409.59\t\n",
    )
    assert imported(table, intake(meter="main-a")) == {
        ("main-a", AT): {
            "voltage_l1": 231.0, "voltage_l2": 232.0, "voltage_l3": 233.0, "active_power": -1500.0,
            "active_energy_import": 25409590.0,
        }
    }  # fmt: skip
    with pytest.raises(ConfigError, match=r"YYYYMMDD\.txt"):
        imported(table.rename(tmp_path / "day.txt"), intake(meter="main-a"))


def test_a_day_of_lector_of_a_cvmk_has_the_phases_before_the_total(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "20261121.txt",
        "HORA\tPAT0\tPAT1\tPAT2\tPAT3\tFPT0\tFPT1\tFPT2\tFPT3\t\n"
        "02:02:03\t     1.00\t     2.00\t     3.00\t     6.00\t     0.91\t     0.92\t     0.93\t     0.94\t\n",
    )
    assert imported(table, intake(meter="main-a")) == {
        ("main-a", AT): {
            "active_power_l1": 1000.0, "active_power_l2": 2000.0, "active_power_l3": 3000.0, "active_power": 6000.0,
            "power_factor_l1": 0.91, "power_factor_l2": 0.92, "power_factor_l3": 0.93, "power_factor": 0.94,
        }
    }  # fmt: skip
