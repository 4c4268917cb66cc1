"""What is written for other programs, read again by others' libraries or by our own import."""

from __future__ import annotations

import io
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pyarrow
import pytest
from pyarrow import parquet

from exchange_tools import PRAGUE, imported, intake, seen, write
from wattbook.exchange.build import make_columns
from wattbook.exchange.write_csv import csv_chunks
from wattbook.exchange.write_layouts import folder_name, write_lector, write_rx380
from wattbook.exchange.write_parquet import write_parquet
from wattbook.exchange.write_xlsx import write_xlsx
from wattbook.model import Columns, ConfigError
from wattbook.model.batch import to_ms

NAN = float("nan")
AT = to_ms(datetime.fromisoformat("2026-10-25T00:30:00.250+00:00"))  # in the hour that comes twice, the first time
QUANTITIES = ["voltage", "active_energy_import"]


def columns(meter: str = "main-a", *, every_ms: int = 1_800_000, **cells: list[float]) -> Columns:
    """A block whose instants begin in the hour that comes twice."""
    size = len(next(iter(cells.values())))
    made = make_columns(meter, AT + every_ms * np.arange(size), {name: np.array(each) for name, each in cells.items()})
    assert made is not None
    return made


NIGHT = columns(voltage=[230.1, NAN, 230.0], active_energy_import=[25409587.0, 25409588.0, NAN])
OTHER = columns("=main;b", voltage=[-0.5])


def test_the_plain_table_byte_for_byte() -> None:
    assert b"".join(csv_chunks([NIGHT, OTHER], QUANTITIES, PRAGUE)).decode() == (
        "meter,at,voltage,active_energy_import\n"
        "main-a,2026-10-25T02:30:00.250+02:00,230.1,25409587\n"
        "main-a,2026-10-25T02:00:00.250+01:00,,25409588\n"
        "main-a,2026-10-25T02:30:00.250+01:00,230,\n"
        "=main;b,2026-10-25T02:30:00.250+02:00,-0.5,\n"
    )


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns", "Africa/Monrovia"])
def test_offsets_of_other_zones_tell_the_same_instant(zone: str) -> None:
    early = make_columns("m", np.array([0, 1_000, 63_592_000_000, AT], np.int64), {"voltage": np.ones(4)})
    assert early is not None
    rows = b"".join(csv_chunks([early], ["voltage"], ZoneInfo(zone))).decode().splitlines()[1:]
    assert [to_ms(datetime.fromisoformat(row.split(",")[1])) for row in rows] == list(early.at_ms)


def test_a_spreadsheet_has_local_dates_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "readings.xlsx"
    assert write_xlsx(path, [NIGHT, OTHER], QUANTITIES, PRAGUE) == 1
    (sheet,) = openpyxl.load_workbook(path).worksheets
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    assert rows[0] == ["meter", "at", "offset", "voltage [V]", "active_energy_import [Wh]"]
    assert rows[1] == ["main-a", datetime(2026, 10, 25, 2, 30, 0, 250_000), "+02:00", 230.1, 25409587]
    assert rows[2] == ["main-a", datetime(2026, 10, 25, 2, 0, 0, 250_000), "+01:00", None, 25409588]
    assert rows[4][0] == "=main;b" and sheet["A5"].data_type == "s"  # a text, never a formula


def test_a_full_sheet_is_followed_by_another_until_it_is_too_much(tmp_path: Path) -> None:
    path = tmp_path / "readings.xlsx"
    block = columns(voltage=[float(n) for n in range(10)])
    assert write_xlsx(path, [block], ["voltage"], PRAGUE, rows_max=5) == 3
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Readings", "Readings 2", "Readings 3"]
    told = [row[3] for sheet in book.worksheets for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert told == list(range(10))
    with pytest.raises(ConfigError, match="more than 8 readings are too many"):
        write_xlsx(path, [block], ["voltage"], PRAGUE, rows_max=5, sheets_max=2)


def test_parquet_has_the_schema_that_is_kept_for_good() -> None:
    file = io.BytesIO()
    write_parquet(file, [NIGHT, OTHER], QUANTITIES)
    table = parquet.read_table(io.BytesIO(file.getvalue()))
    assert table.schema == pyarrow.schema(
        [
            ("meter", pyarrow.string()),
            ("at", pyarrow.timestamp("ms", tz="UTC")),
            ("voltage", pyarrow.float64()),
            ("active_energy_import", pyarrow.float64()),
        ]
    )
    assert table["meter"].to_pylist() == ["main-a"] * 3 + ["=main;b"]
    assert table["voltage"].to_pylist() == [230.1, None, 230.0, -0.5]
    assert table["active_energy_import"].to_pylist() == [25409587.0, 25409588.0, None, None]
    assert [to_ms(at) for at in table["at"].to_pylist()] == [*NIGHT.at_ms, *OTHER.at_ms]


def test_nothing_makes_tables_without_rows(tmp_path: Path) -> None:
    assert b"".join(csv_chunks([], ["voltage"], PRAGUE)) == b"meter,at,voltage\n"
    assert write_xlsx(tmp_path / "none.xlsx", [], ["voltage"], PRAGUE) == 1
    write_parquet(file := io.BytesIO(), [], ["voltage"])
    assert parquet.read_table(io.BytesIO(file.getvalue())).num_rows == 0
    assert write_rx380(tmp_path, [], PRAGUE) == 0


# ---- the seeds' files


def test_rx380_days_byte_for_byte_and_back(tmp_path: Path) -> None:
    block = columns(
        every_ms=12 * 3_600_000,
        voltage_l12=[400.1, 400.2, NAN],
        active_power=[1500.0, -1.5, 0.0],
        frequency=[50.01] * 3,
    )
    assert write_rx380(tmp_path, [block], PRAGUE) == 2
    header = (
        "timestamp,voltage_l12,voltage_l23,voltage_l31,voltage_l1,voltage_l2,voltage_l3,current_l1,current_l2,current_l3,"
        "total_real_power,total_power_factor,frequency\r\n"
    )
    assert (tmp_path / "rx380_data_2026-10-25.csv").read_bytes().decode() == (
        header + "2026-10-25 02:30:00,400.1,,,,,,,,,1500,,50.01\r\n2026-10-25 13:30:00,400.2,,,,,,,,,-1.5,,50.01\r\n"
    )
    assert (tmp_path / "rx380_data_2026-10-26.csv").read_bytes().decode() == (
        header + "2026-10-26 01:30:00,,,,,,,,,,0,,50.01\r\n"
    )
    files = sorted(tmp_path.iterdir())
    assert list(imported(files, intake(meter="main-a")).values()) == list(seen([block]).values())


def test_rx380_is_of_one_meter(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of one meter; name it: =main;b or main-a"):
        write_rx380(tmp_path, [NIGHT, OTHER], PRAGUE)


def test_lector_days_byte_for_byte_and_back(tmp_path: Path) -> None:
    block = columns(
        every_ms=24 * 3_600_000,
        voltage_l1=[231.0, 231.5], voltage_l2=[232.0, NAN], active_power=[-1500.0, 12.0],
        active_energy_import=[25409590.0, 25410000.0],
    )  # fmt: skip
    other = columns("main-b", frequency=[50.0])
    names = [*block.values, *other.values]
    assert write_lector(tmp_path, [block, other], names, PRAGUE) == 3
    header = "HORA\tTPF0\tTPF1\tTPF2\tFRE0\tPAT0\tCEA0\t\n"
    blank = " " * 9
    assert (tmp_path / "main-a/20261025.txt").read_text() == (
        f"{header}02:30:00\t   231.00\t   232.00\t{blank}\t{blank}\t    -1.50\t 25409.59\t\n"
    )
    assert (tmp_path / "main-b/20261025.txt").read_text() == (
        f"{header}02:30:00\t{blank}\t{blank}\t{blank}\t    50.00\t{blank}\t{blank}\t\n"
    )
    files = sorted((tmp_path / "main-a").iterdir())
    back = imported(files, intake(meter="main-a"))
    assert list(back.values()) == [
        {"voltage_l1": 231.0, "voltage_l2": 232.0, "active_power": -1500.0, "active_energy_import": 25409590.0},
        {"voltage_l1": 231.5, "active_power": 10.0, "active_energy_import": 25410000.0},
    ]


def test_a_folder_never_leads_out_of_another() -> None:
    assert [folder_name(name) for name in ("main-a", "..", ".", "a\\b", "a.b")] == ["main-a", "__", "_", "a_b", "a.b"]


def test_the_double_hour_of_a_days_file_comes_back(tmp_path: Path) -> None:
    block = columns(voltage_l12=[1.0, 2.0, 3.0, 4.0, 5.0])
    write_rx380(tmp_path, [block], PRAGUE)
    back = imported(tmp_path / "rx380_data_2026-10-25.csv", intake(meter="main-a"))
    assert list(back.values()) == [{"voltage_l12": float(n)} for n in range(1, 6)]
    gaps = [later[1] > earlier[1] for earlier, later in pairwise(back)]
    assert all(gaps) and next(iter(back))[1] == "2026-10-25T00:30:00"


def test_another_quantity_than_lector_knows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Lector has a code for"):
        write_lector(tmp_path, [columns(voltage=[1.0])], ["voltage"], PRAGUE)
    assert write(tmp_path, "x", "") and not (tmp_path / "main-a").exists()
