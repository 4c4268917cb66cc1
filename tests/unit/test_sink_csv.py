"""CSV files: names, columns, forms, and what comes of crashes, full disks and hands of others."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from columns_tools import batch, columns, every, one
from wattbook.model import Batch, SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks import csv_folder
from wattbook.sinks.csv_files import CsvSettings, CsvSink
from wattbook.sinks.csv_names import safe_name
from wattbook.sinks.sink import Written

PRAGUE = Surroundings("house", ZoneInfo("Europe/Prague"), {"main-a": MeterFacts("house/panel", "pzem-016")})
AT = "2026-11-21T01:02:03Z"
LATER = "2026-11-21T01:02:08Z"


def settings(file: Path | str, **keys: Any) -> CsvSettings:
    table = {"name": "files", "kind": "csv", "file": str(file), **keys}
    return TypeAdapter(CsvSettings).validate_python(table)


def sink(file: Path | str, **keys: Any) -> CsvSink:
    return settings(file, **keys).make(PRAGUE)


def write(to: CsvSink, what: Batch, bookmark: str = "") -> Written:
    return asyncio.run(to.write(what, bookmark))


def read(path: Path) -> str:
    return path.read_bytes().decode()


def test_digits_that_are_told_stand_in_the_file(tmp_path: Path) -> None:
    """As `localFile` of Lector writes them: `%9.2f`, and a tab behind the last one."""
    named = {"HORA": "{at:HH:MM:SS}", "TPF0": "{voltage:9.2f}", "PAT0": "{active_power:kW 9.2f}", "": ""}
    power = columns("main-a", ("2026-11-21T01:00:00Z", {"voltage": 230.1, "active_power": -4000}))
    gap = columns("main-a", ("2026-11-21T01:15:00Z", {"voltage": 230}))
    write(sink(tmp_path / "{at:YYYYMMDD}.txt", delimiter="\t", columns=named), batch(power, gap))
    assert read(tmp_path / "20261121.txt") == (
        "HORA\tTPF0\tPAT0\t\n02:00:00\t   230.10\t    -4.00\t\n02:15:00\t   230.00\t\t\n"
    )


def test_digits_that_are_told_are_numbers_to_a_spreadsheet(tmp_path: Path) -> None:
    named = {"at": "{at:local}", "kW": "{active_power:kW .2f}"}
    write(sink(tmp_path / "x.csv", excel=True, columns=named), one("main-a", AT, active_power=-4000))
    write(sink(tmp_path / "nearly.csv", excel=True, columns=named), one("main-a", AT, active_power=-4))
    assert read(tmp_path / "x.csv") == "\ufeffat;kW\r\n2026-11-21 02:02:03;-4,00\r\n"
    assert read(tmp_path / "nearly.csv") == "\ufeffat;kW\r\n2026-11-21 02:02:03;0,00\r\n"


def test_the_plain_table_by_local_day(tmp_path: Path) -> None:
    to = sink(tmp_path / "{meter}_{at:YYYY-MM-DD}.csv")
    rows = columns(
        "main-a",
        ("2026-11-20T22:59:59.990Z", {"voltage": 230.1, "active_energy_import": 25409587}),
        ("2026-11-20T23:00:00Z", {"voltage": 230}),
        ("2026-11-20T23:00:05Z", {"active_energy_import": 25409588.5}),
    )
    write(to, batch(rows))
    assert read(tmp_path / "main-a_2026-11-20.csv") == (
        "meter,at,voltage,active_energy_import\nmain-a,2026-11-20T22:59:59.990Z,230.1,25409587\n"
    )
    assert read(tmp_path / "main-a_2026-11-21.csv") == (
        "meter,at,voltage,active_energy_import\n"
        "main-a,2026-11-20T23:00:00.000Z,230,\nmain-a,2026-11-20T23:00:05.000Z,,25409588.5\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["main-a_2026-11-20.csv", "main-a_2026-11-21.csv"]


def test_several_meters_in_one_file_stand_by_time(tmp_path: Path) -> None:
    to = sink(tmp_path / "all.csv")
    a = columns("a", (AT, {"voltage": 1}), (LATER, {"voltage": 2}))
    b = columns("b", ("2026-11-21T01:02:05Z", {"voltage": 3}))
    write(to, batch(a, b))
    assert [line.split(",")[::2] for line in read(tmp_path / "all.csv").splitlines()[1:]] == [
        ["a", "1"], ["b", "3"], ["a", "2"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("template", "meter", "name"),
    [
        ("{meter}.csv", "../../etc/passwd", ".._.._etc_passwd.csv"),
        ("{meter}", "..", "_"),
        ("{location}/{meter}.csv", "main-a", "house_panel/main-a.csv"),
        ("{at:YYYY}/{at:MM}/{meter}.csv", 'x\\y:"z"\n', "2026/11/x_y__z__.csv"),
        ("{at:YYYY-MM-DD HH:MM}.csv", "m", "2026-11-21 02_02.csv"),
        ("{meter}.csv", "é" * 100, None),
    ],
)
def test_no_name_leaves_the_folder(template: str, meter: str, name: str | None, tmp_path: Path) -> None:
    write(sink(tmp_path / "logs" / template, columns={"m": "{meter}", "t": "{at}"}), one(meter, AT, voltage=1))
    (found,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found.relative_to(tmp_path / "logs").as_posix() == (name or safe_name("é" * 100 + ".csv"))
    assert len(found.name.encode()) <= 200


RX380 = {"voltage_l12": 400.1, "voltage_l1": 231, "current_l1": 5.25, "active_power": 1500, "frequency": 50.01}
HEADER = (
    "timestamp,voltage_l12,voltage_l23,voltage_l31,voltage_l1,voltage_l2,voltage_l3,current_l1,current_l2,current_l3,"
    "total_real_power,total_power_factor,frequency"
)


def test_the_layout_of_rx380(tmp_path: Path) -> None:
    to = sink(tmp_path / "rx380_data_{at:YYYY-MM-DD}.csv", layout="rx380")
    write(to, one("office", AT, **RX380))
    row = "2026-11-21 02:02:03,400.1,,,231,,,5.25,,,1500,,50.01"
    assert read(tmp_path / "rx380_data_2026-11-21.csv") == f"{HEADER}\r\n{row}\r\n"


@pytest.mark.parametrize("cells", [14, 13], ids=["time at the end of rows", "time at the end of the header alone"])
def test_the_file_of_rx380s_owner_goes_on(cells: int, tmp_path: Path) -> None:
    """Whatever its rows are like; a row that it has for the same moment stands."""
    path = tmp_path / "rx380_data_2026-11-21.csv"
    his = "2026-11-21 02:02:03,400.10,401,402,231,232,233,5.25,5.2,5.1,1500,0.98,50.01"
    end = ",2026-11-21 02:02:03" if cells == 14 else ""
    path.write_bytes(f"{HEADER},timestamp\r\n{his}{end}\r\n".encode())
    to = sink(tmp_path / "rx380_data_{at:YYYY-MM-DD}.csv", layout="rx380-original")
    done = write(to, batch(columns("office", (AT, RX380), (LATER, RX380))))
    assert done.skipped == 1
    end = ",2026-11-21 02:02:08" if cells == 14 else ""
    assert read(path).splitlines()[2:] == [f"2026-11-21 02:02:08,400.1,,,231,,,5.25,,,1500,,50.01{end}"]
    assert read(path).startswith(f"{HEADER},timestamp\r\n{his}")
    write(to, one("office", "2026-11-22T01:02:03Z", **RX380), done.bookmark)
    assert read(tmp_path / "rx380_data_2026-11-22.csv").startswith(f"{HEADER},timestamp\r\n")


def test_the_columns_of_the_owner_even_a_name_twice(tmp_path: Path) -> None:
    pairs = [["timestamp", "{at:local}"], ["kW", "{active_power:kW}"], ["timestamp", "{at:local}"]]
    rows = columns("office", (AT, {"active_power": 1500}), (LATER, {"voltage": 230}))
    write(sink(tmp_path / "power.csv", columns=pairs), batch(rows))
    assert read(tmp_path / "power.csv") == (
        "timestamp,kW,timestamp\n2026-11-21 02:02:03,1.5,2026-11-21 02:02:03\n"
    )  # the second reading has nothing for these columns


def test_as_a_spreadsheet_opens_it(tmp_path: Path) -> None:
    names = {"time": "{at:local}", "where": "{meter}", "=kWh": "{active_energy_import:kWh}", "W": "{active_power}"}
    to = sink(tmp_path / "x.csv", excel=True, columns=names)
    write(to, one("=cmd|' /C calc'!A0", AT, active_energy_import=25409587, active_power=-3.5))
    assert (tmp_path / "x.csv").read_bytes() == (
        b"\xef\xbb\xbftime;where;'=kWh;W\r\n2026-11-21 02:02:03;'=cmd|' /C calc'!A0;25409,587;-3,5\r\n"
    )


def test_a_spreadsheets_plain_table_has_local_time(tmp_path: Path) -> None:
    write(sink(tmp_path / "x.csv", excel=True, delimiter="\t"), one("main-a", AT, voltage=230.5))
    assert read(tmp_path / "x.csv") == "\ufeffmeter\tat\tvoltage\r\nmain-a\t2026-11-21 02:02:03\t230,5\r\n"


def test_cells_are_quoted_and_stay_on_one_line(tmp_path: Path) -> None:
    write(sink(tmp_path / "x.csv", columns={"m": "{meter}", "t": "{at}"}), one('a,"b"\nc', AT, voltage=1))
    assert read(tmp_path / "x.csv") == 'm,t\n"a,""b"" c",2026-11-21T01:02:03.000Z\n'


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"file": "{voltage}.csv"}, "not by values"),
        ({"file": "{metre}.csv"}, 'nothing is called "metre"'),
        ({"columns": {"v": "{voltage}"}}, "must tell the time"),
        ({"columns": {"t": "{at}", "v": "{value}"}}, "single values"),
        ({"columns": [["t", "{at}"], ["t", "{at:local}"]]}, "twice with different contents"),
        ({"columns": {"t": "{at}"}, "layout": "rx380"}, "has its own"),
        ({"decimal": ","}, "needs another delimiter"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_written(keys: Mapping[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings(**{"file": "x.csv", **keys}).make(PRAGUE)


def test_a_wrong_delimiter_is_none() -> None:
    with pytest.raises(ValidationError):
        settings("x.csv", delimiter='"')


def test_a_new_quantity_goes_on_in_a_new_file(tmp_path: Path) -> None:
    """Its header is the old one and what is new, so that nothing is lost and no file changes its columns."""
    path = tmp_path / "main.csv"
    to = sink(path)
    mark = write(to, one("main-a", AT, voltage=1)).bookmark
    mark = write(to, one("main-a", LATER, current=2), mark).bookmark
    write(to, one("main-a", "2026-11-21T01:02:10Z", voltage=3), mark)
    assert read(path).splitlines()[1:] == ["main-a,2026-11-21T01:02:03.000Z,1"]
    assert read(tmp_path / "main (2).csv") == (
        "meter,at,voltage,current\nmain-a,2026-11-21T01:02:08.000Z,,2\nmain-a,2026-11-21T01:02:10.000Z,3,\n"
    )
    again = batch(columns("main-a", (AT, {"voltage": 1}), (LATER, {"current": 2})))
    assert write(sink(path), again).skipped == 2


@pytest.mark.parametrize("content", [b"a;b;c\n1;2;3\n", b"\xff\xfea\0b\0", b"meter,voltage\nmain-a,1\n"])
def test_a_file_with_another_header_is_left_alone(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "main.csv").write_bytes(content)
    write(sink(tmp_path / "main.csv"), one("main-a", AT, voltage=1))
    assert (tmp_path / "main.csv").read_bytes() == content
    assert read(tmp_path / "main (2).csv").count("\n") == 2


def test_an_empty_file_is_begun_and_a_lacking_line_end_added(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "open.csv").write_text("meter,at,voltage\nmain-a,x,1")
    for name in ("empty", "open"):
        write(sink(tmp_path / f"{name}.csv"), one("main-a", AT, voltage=2))
    row = "main-a,2026-11-21T01:02:03.000Z,2\n"
    assert read(tmp_path / "empty.csv") == f"meter,at,voltage\n{row}"
    assert read(tmp_path / "open.csv") == f"meter,at,voltage\nmain-a,x,1\n{row}"


@pytest.mark.parametrize("kept", range(0, 80, 7))
@pytest.mark.parametrize("zeros", [0, 50])
def test_after_a_crash_every_row_is_there_once(kept: int, zeros: int, tmp_path: Path) -> None:
    """The second batch reached the disk in part, and its bookmark was not kept."""
    path = tmp_path / "main.csv"
    first, second = every("main-a", AT, 3), every("main-a", LATER, 4)
    to = sink(path)
    mark = write(to, batch(first)).bookmark
    whole = path.read_bytes()
    write(to, batch(second), mark)
    expected = path.read_bytes()
    path.write_bytes(expected[: len(whole) + kept] + bytes(zeros))
    done = write(sink(path), batch(second), mark)
    assert path.read_bytes() == expected
    assert done.skipped == expected[: len(whole) + kept].count(b"\n") - 4
    assert write(sink(path), one("main-a", "2026-11-21T02:00:00Z", voltage=9), done.bookmark).skipped == 0


def test_the_same_rows_in_parts_of_another_size_are_there_once(tmp_path: Path) -> None:
    rows = [every(meter, AT, 6, step_ms=300) for meter in ("a", "b")]  # several in one second
    path = tmp_path / "all.csv"
    names = {"time": "{at:local}", "meter": "{meter}", "voltage": "{voltage}"}
    mark = write(sink(path, columns=names), one("c", AT, voltage=0)).bookmark
    write(sink(path, columns=names), batch(*rows), mark)
    expected = sorted(read(path).splitlines())
    path.write_bytes(path.read_bytes()[:-150])
    to = sink(path, columns=names)
    for first in range(0, 6, 2):
        mark = write(to, batch(*(each.cut(slice(first, first + 2)) for each in rows)), mark).bookmark
    assert sorted(read(path).splitlines()) == expected


def test_a_replay_writes_nothing_twice(tmp_path: Path) -> None:
    to = sink(tmp_path / "{at:YYYY-MM-DD}.csv")
    days = every("main-a", AT, 50, step_ms=3_600_000)
    write(to, batch(days))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = write(to, batch(days.cut(slice(0, 20))), "")
    done = write(to, batch(days.cut(slice(20, 50))), done.bookmark)
    assert done.skipped == 30
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_hour_that_comes_twice_is_written_twice(tmp_path: Path) -> None:
    """In October local times repeat: they are no doubles."""
    path = tmp_path / "x.csv"
    to = sink(path, columns={"time": "{at:local}", "V": "{voltage}"})
    mark = ""
    for number, at in enumerate(("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z")):
        mark = write(to, one("main-a", at, voltage=number), mark).bookmark
    assert read(path) == "time,V\n2026-10-25 02:30:00,0\n2026-10-25 02:30:00,1\n"


def test_rows_that_others_wrote_meanwhile_stay(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    to = sink(path)
    mark = write(to, one("main-a", AT, voltage=1)).bookmark
    with path.open("a") as file:
        file.write("hand,2026-11-21T01:02:04.000Z,2\nmain-a,2026-11-21T01:02:08.000Z,3")
    done = write(to, one("main-a", LATER, voltage=4), mark)
    assert done.skipped == 1
    write(to, one("main-a", "2026-11-21T01:02:09Z", voltage=5), done.bookmark)
    assert [line[-1] for line in read(path).splitlines()[1:]] == ["1", "2", "3", "5"]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_file_that_was_removed_or_cut_goes_on(restarted: bool, tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    to = sink(path)
    mark = write(to, batch(every("main-a", AT, 9))).bookmark
    path.write_bytes(path.read_bytes()[:60])
    mark = write(sink(path) if restarted else to, one("main-a", "2026-11-21T02:00:00Z", voltage=1), mark).bookmark
    assert read(path).splitlines()[-1] == "main-a,2026-11-21T02:00:00.000Z,1"
    path.unlink()
    write(sink(path) if restarted else to, one("main-a", "2026-11-21T03:00:00Z", voltage=2), mark)
    assert read(path) == "meter,at,voltage\nmain-a,2026-11-21T03:00:00.000Z,2\n"


def test_a_folder_that_is_not_mounted_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "usb" / "logs"
    monkeypatch.setattr(csv_folder, "mount_of", lambda folder: str(tmp_path / "usb"))
    to = sink(folder / "x.csv")
    mark = write(to, one("main-a", AT, voltage=1)).bookmark
    monkeypatch.setattr(csv_folder, "mount_of", lambda folder: "/")
    (tmp_path / "usb").rename(tmp_path / "unplugged")
    for again in (to, sink(folder / "x.csv")):
        with pytest.raises(SinkUnavailable, match=r"nothing is mounted at .*usb as it was before"):
            write(again, one("main-a", LATER, voltage=2), mark)
    assert not folder.exists()
    (tmp_path / "unplugged").rename(tmp_path / "usb")
    write(to, one("main-a", LATER, voltage=2), mark)
    assert read(folder / "x.csv").count("\n") == 3


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may grow beyond a size."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_a_full_disk_leaves_files_as_they_were(tmp_path: Path) -> None:
    to = sink(tmp_path / "{meter}.csv")
    mark = write(to, batch(every("a", AT, 2), every("b", AT, 2))).bookmark
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    more = batch(every("a", LATER, 2), every("b", LATER, 2000), every("c", LATER, 2))
    with full_disk(20_000), pytest.raises(SinkUnavailable, match="too large"):
        write(to, more, mark)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert write(to, more, mark).skipped == 0
    assert [read(tmp_path / f"{meter}.csv").count("\n") for meter in "abc"] == [5, 2003, 3]


def test_two_meters_need_a_column_that_tells_them(tmp_path: Path) -> None:
    to = sink(tmp_path / "x.csv", layout="rx380")
    mark = write(to, one("a", AT, voltage_l1=1)).bookmark
    with pytest.raises(SinkUnavailable, match="no column tells a from b; put"):
        write(to, one("b", AT, voltage_l1=1), mark)


def test_a_meter_that_has_nothing_for_the_columns_stops_nobody(tmp_path: Path) -> None:
    to = sink(tmp_path / "{at:YYYY}.csv", columns={"at": "{at}", "V": "{voltage}"})
    both = batch(columns("a", (AT, {"voltage": 1})), columns("pi", (AT, {"temperature": 48.3})))
    mark = write(to, both).bookmark
    assert write(to, one("pi", LATER, temperature=48.4), mark).skipped == 0
    assert {path.name: read(path) for path in tmp_path.glob("*.csv")} == {"2026.csv": f"at,V\n{AT[:-1]}.000Z,1\n"}


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(SinkUnavailable, match="may not be written"):
        write(sink(tmp_path / "x.csv"), one("a", AT, voltage=1))
    tmp_path.chmod(0o700)


def test_a_place_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(SinkUnavailable, match=r"logs"):
        write(sink(tmp_path / "logs" / "x.csv"), one("a", AT, voltage=1))


def test_the_bookmark_has_only_files_that_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_folder, "WRITES_KEPT", 3)
    to, mark = sink(tmp_path / "{at:YYYY-MM-DD}.csv"), ""
    for day in range(10, 20):
        mark = write(to, one("a", f"2026-11-{day}T12:00:00Z", voltage=1), mark).bookmark
    assert mark.count(".csv") == 3
    late = write(to, one("a", "2026-11-10T12:00:01Z", voltage=1), mark)
    assert late.skipped == 0 and read(tmp_path / "2026-11-10.csv").count("\n") == 3
    assert write(sink(tmp_path / "{at:YYYY-MM-DD}.csv"), one("a", AT, voltage=2), "no JSON").skipped == 0
