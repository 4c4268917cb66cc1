"""Tables: the plain one, and those whose columns must be mapped; what is bad in them, and the hour that comes twice."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from exchange_tools import imported, intake, write
from wattbook.exchange import tally as tallies
from wattbook.model import ConfigError
from wattbook.model.vocabulary import all_names


def test_the_plain_table_needs_no_mapping(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "plain.csv",
        "\ufeffmeter,at,voltage,active_energy_import\r\n"
        "main-a,2026-11-21T02:02:03.000+01:00,230.1,25409587\r\n"
        "main-b,2026-11-21T01:02:03Z,,1\r\n"
        "\r\n"
        "main-a,2026-11-21T01:02:08.0129Z,230.2,\r\n",
    )
    assert imported(table, intake()) == {
        ("main-a", "2026-11-21T01:02:03"): {"voltage": 230.1, "active_energy_import": 25409587.0},
        ("main-a", "2026-11-21T01:02:08.012"): {"voltage": 230.2},
        ("main-b", "2026-11-21T01:02:03"): {"active_energy_import": 1.0},
    }


def test_blank_lines_above_the_header_are_no_header(tmp_path: Path) -> None:
    table = write(tmp_path, "blank.csv", "\n  \n\n\nmeter,at,voltage\nmain-a,2026-11-21T01:02:03Z,230.1\n")
    assert imported(table, intake()) == {("main-a", "2026-11-21T01:02:03"): {"voltage": 230.1}}


BAD = [
    ("main-a,2026-11-21T01:02:03Z", "2 cells where the first line has 3"),
    ("main-a,2026-11-21T01:02:03Z,1,2", "4 cells"),
    ("main-a,2026-11-21T01:02:03Z,", "no value at all"),
    ("main-a,2026-11-21T01:02:03Z,abc", 'voltage: "abc" is no number'),
    ("main-a,2026-11-21T01:02:03Z,nan", "no number that can be kept"),
    ("main-a,2026-11-21T01:02:03Z,inf", "no number that can be kept"),
    ("main-a,2026-11-21T01:02:03Z,1_0", "is no number"),
    ("main-a,2026-11-21T01:02:03Z,1e300", "no number that can be kept"),
    ("main-a,soon,1", '"soon" is no time'),
    ("main-a,1969-12-31T23:59:59Z,1", "lies before 1970"),
    ("main-a,0001-01-01T00:00:00+14:00,1", "lies before 1970"),
    ("main-a,9999-12-31T23:59:59-12:00,1", "lies in the future"),
    ("main-a,2027-01-01T00:00:00Z,1", "lies in the future"),
    ("main-a,2026-03-29T02:30:00,1", "never was in Europe/Prague"),
    ("main-aa,2026-11-21T01:02:03Z,1", 'did you mean "main-a"'),
    ('"main-a,2026-11-21T01:02:03Z,1', "is no CSV"),
    (b"main-a,2026-11-21T01:02:03Z,\xff", "not UTF-8"),
    (b"main-a,2026-11-21T01:02:03Z," + b"1" * 70_000, "more than 64000 bytes"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_a_bad_row_is_told_with_its_line_and_the_good_ones_are_taken(
    tmp_path: Path, bad: str | bytes, reason: str
) -> None:
    bad = bad if isinstance(bad, bytes) else bad.encode()
    before = b"".join(b"main-a,2026-11-20T01:00:%02dZ,230\n" % second for second in range(30))
    after = b"main-b,2026-11-21T01:02:09Z,231\n"
    table = write(tmp_path, "bad.csv", b"meter,at,voltage\n" + before + bad + b"\n" + after)
    at = intake()
    assert len(imported(table, at)) == 31
    assert at.tally.rejected == 1
    (told,) = at.tally.listed
    assert (told.file, told.line) == ("bad.csv", 32) and reason in told.reason


@pytest.mark.parametrize("above", [b"", b"\n", b" \r\n", b"\xef\xbb\xbf\n"])
def test_a_header_that_is_not_utf8_is_bad_and_takes_no_row_with_it(tmp_path: Path, above: bytes) -> None:
    for name in ("Zähler", "Remark"):
        rows = "".join(f"2026-11-21T0{hour}:00:00Z;23{hour};x\n" for hour in range(3))
        table = above + f"Time;Voltage;{name}\n{rows}".encode("latin-1")
        at = intake(meter="main-a")
        found = imported(write(tmp_path, "latin.csv", table), at)
        assert [values["voltage"] for values in found.values()] == [230.0, 231.0, 232.0]
        bad = [above.count(b"\n") + 1] if name == "Zähler" else []
        assert [told.line for told in at.tally.listed] == bad


def test_every_bad_row_is_counted_and_some_are_listed(tmp_path: Path) -> None:
    rows = "".join(f"main-a,2026-11-20T01:{n // 60:02}:{n % 60:02}Z,{'x' if n % 2 else n}\n" for n in range(600))
    at = intake()
    assert len(imported(write(tmp_path, "bad.csv", "meter,at,voltage\n" + rows), at)) == 300
    assert at.tally.rejected == 300
    assert [bad.line for bad in at.tally.listed] == [*range(3, 3 + 2 * tallies.LISTED_MAX, 2)]


def test_a_line_of_many_blocks_is_skipped(tmp_path: Path) -> None:
    text = (
        b"meter,at,voltage\nmain-a,2026-11-21T01:00:00Z,1\n" + b"x" * 3_000_000 + b"\nmain-a,2026-11-21T01:00:01Z,2\n"
    )
    at = intake()
    assert len(imported(write(tmp_path, "long.csv", text), at)) == 2
    assert [bad.line for bad in at.tally.listed] == [3]


def test_a_table_may_have_more_quantities_than_a_reading(tmp_path: Path) -> None:
    names = [name for name in all_names() if name.startswith("analogue")][:96]
    first, second = ["1"] * 48 + [""] * 48, [""] * 48 + ["2"] * 48
    rows = (("main-a", first), ("main-b", second), ("main-a", ["3"] * 96))
    lines = [f"{meter},2026-11-21T01:00:0{place}Z,{','.join(cells)}" for place, (meter, cells) in enumerate(rows)]
    path = write(tmp_path, "all.csv", "\n".join([f"meter,at,{','.join(names)}", *lines, ""]))
    at = intake()
    assert imported(path, at) == {
        ("main-a", "2026-11-21T01:00:00"): dict.fromkeys(names[:48], 1.0),
        ("main-b", "2026-11-21T01:00:01"): dict.fromkeys(names[48:], 2.0),
    }
    assert [str(bad) for bad in at.tally.listed] == ["all.csv:4: more than 64 values in one reading"]


def test_columns_of_several_meters_are_counted_by_the_meter(tmp_path: Path) -> None:
    names = [name for name in all_names() if name.startswith("analogue")][:40]
    maps = [f"{meter}{name}={meter}.{name}" for meter in ("main-a", "main-b") for name in names]
    header = ",".join(each.split("=")[0] for each in maps)
    path = write(tmp_path, "two.csv", f"time,{header}\n2026-11-21T01:00:00Z{',1' * 80}\n")
    assert [len(values) for values in imported(path, intake(*maps)).values()] == [40, 40]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("meter,at,voltag", 'did you mean "voltage"'),
        ("meter,at,voltage,voltage", "stands twice"),
        ("meter;at;voltage", "first line must be"),
        ("meter,at", "1 to 64"),
    ],
)
def test_a_wrong_header_is_refused_in_words(tmp_path: Path, header: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        imported(write(tmp_path, "wrong.csv", f"{header}\n"), intake())


def test_a_meter_of_another_name_is_mapped(tmp_path: Path) -> None:
    table = write(tmp_path, "old.csv", "meter,at,voltage\npanel,2026-11-21T01:02:03Z,230.1\n")
    at = intake("panel=main-a")
    assert imported(table, at) == {("main-a", "2026-11-21T01:02:03"): {"voltage": 230.1}}


def test_a_foreign_table_with_a_mapping(tmp_path: Path) -> None:
    table = write(
        tmp_path,
        "foreign.csv",
        "Datum;Uhrzeit;Wirkleistung;Zählerstand;Bemerkung\n"
        "21.11.2026;02:00:00;1,25;25409,587;\n"
        "21.11.2026;02:15:00;null;25410,1;gut\n",
    )
    at = intake(
        "Wirkleistung=main-a.active_power:kW", "Zählerstand=main-b.active_energy_import:kWh", time="Datum+Uhrzeit"
    )
    assert imported(table, at) == {
        ("main-a", "2026-11-21T01:00:00"): {"active_power": 1250.0},
        ("main-b", "2026-11-21T01:00:00"): {"active_energy_import": 25409587.0},
        ("main-b", "2026-11-21T01:15:00"): {"active_energy_import": 25410100.0},
    }
    assert list(at.tally.left_out) == ["Bemerkung"]


def test_columns_called_as_quantities_need_no_mapping(tmp_path: Path) -> None:
    table = write(tmp_path, "own.csv", "time,Voltage L1,active power (kW),gas\n1795222923,230.1,1.5,7\n")
    at = intake(meter="main-a")
    assert imported(table, at) == {("main-a", "2026-11-21T01:02:03"): {"voltage_l1": 230.1, "active_power": 1500.0}}


def test_kwh_become_wh_exactly(tmp_path: Path) -> None:
    texts = [f"{whole}.{part:03}" for whole, part in ((0, 1), (25409, 587), (1118, 993), (999999, 999), (70, 229))]
    rows = "".join(f"2026-11-21T01:00:{place:02}Z,{text}\n" for place, text in enumerate(texts))
    table = write(tmp_path, "kwh.csv", "time,active_energy_import [kWh]\n" + rows)
    found = [values["active_energy_import"] for values in imported(table, intake(meter="main-a")).values()]
    assert found == [float(text.replace(".", "")) for text in texts]


@pytest.mark.parametrize(
    ("maps", "options", "words"),
    [
        (["Power=press.active_power"], {}, 'no meter is called "press"'),
        (["Power=main-a.activ_power"], {}, 'did you mean "active_power"'),
        (["Power=main-a.active_power:kV"], {}, "is no unit"),
        (["Power"], {}, "is not NAME=METER.QUANTITY"),
        ([], {}, "nothing in it is known as a quantity"),
        (["Power=active_power"], {}, "--meter NAME"),
        (["Power=main-a.active_power"], {"time": "When"}, 'no column "When"'),
        (["Power=main-a.active_power", "Other=main-a.active_power"], {}, "would both be"),
        (["Power=main-a.active_power"], {"meter": "main-c"}, 'did you mean "main-'),
    ],
)
def test_a_wrong_mapping_is_refused_in_words(
    tmp_path: Path, maps: list[str], options: dict[str, str], words: str
) -> None:
    table = write(tmp_path, "power.csv", "time,Power,Other\n2026-11-21T01:02:03Z,1,2\n")
    with pytest.raises(ConfigError, match=words):
        imported(table, intake(*maps, **options))


def test_a_time_that_could_be_two_is_not_guessed(tmp_path: Path) -> None:
    table = write(tmp_path, "us.csv", "time,active_power\n11/12/2026 01:02:03,1\n")
    with pytest.raises(ConfigError, match="--time-format"):
        imported(table, intake(meter="main-a"))
    at = intake(meter="main-a", form="%m/%d/%Y %H:%M:%S")
    assert list(imported(table, at)) == [("main-a", "2026-11-12T00:02:03")]


@pytest.mark.parametrize(
    ("cell", "instant"),
    [
        ("1795222923", "2026-11-21T01:02:03"),
        ("1795222923.25", "2026-11-21T01:02:03.250"),
        ("1795222923250", "2026-11-21T01:02:03.250"),
        ("1795222923250000", "2026-11-21T01:02:03.250"),
        ("1795222923250000000", "2026-11-21T01:02:03.250"),
        ("21.11.2026 02:02:03", "2026-11-21T01:02:03"),
        ("21-11-2026 02:02", "2026-11-21T01:02:00"),
        ("2026-11-21 02:02:03", "2026-11-21T01:02:03"),
        ("20261121T020203", "2026-11-21T01:02:03"),
    ],
)
def test_times_are_recognised(tmp_path: Path, cell: str, instant: str) -> None:
    table = write(tmp_path, "times.csv", f"time,active_power\n{cell},1\n")
    assert list(imported(table, intake(meter="main-a"))) == [("main-a", instant)]


# ---- the hour that comes twice

PRAGUE_NIGHT = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
PRAGUE_UTC = ["23:30", "00:00", "00:30", "01:00", "01:30", "02:00"]


def _night(tmp_path: Path, times: list[str], day: str, zone: str) -> list[str]:
    return [instant[11:16] for instant in _resolved(tmp_path, [f"{day} {time}" for time in times], zone)]


def _resolved(tmp_path: Path, times: list[str], zone: str = "Europe/Prague") -> list[str]:
    rows = "".join(f"{time}:00,{place}\n" for place, time in enumerate(times))
    at = intake(meter="main-a", zone=ZoneInfo(zone))
    found = imported(write(tmp_path, "night.csv", "timestamp,active_power\n" + rows), at)
    assert at.tally.rejected == 0 and len(at.tally.notes) >= 1 and "came twice" in at.tally.notes[0]
    by_row = {values["active_power"]: instant for (_, instant), values in found.items()}
    return [by_row[float(place)] for place in range(len(times))]


def test_the_order_of_rows_tells_which_of_two_hours_is_meant(tmp_path: Path) -> None:
    assert _night(tmp_path, PRAGUE_NIGHT, "2026-10-25", "Europe/Prague") == PRAGUE_UTC


def test_also_in_a_file_that_runs_backwards(tmp_path: Path) -> None:
    assert _night(tmp_path, PRAGUE_NIGHT[::-1], "2026-10-25", "Europe/Prague") == PRAGUE_UTC[::-1]


def test_also_when_there_is_one_reading_an_hour(tmp_path: Path) -> None:
    assert _night(tmp_path, ["01:00", "02:00", "02:00", "03:00"], "2026-10-25", "Europe/Prague") == [
        "23:00", "00:00", "01:00", "02:00",
    ]  # fmt: skip


def test_also_where_the_clock_goes_back_by_half_an_hour(tmp_path: Path) -> None:
    times = ["01:25", "01:35", "01:45", "01:55", "01:35", "01:45", "02:05"]
    assert _night(tmp_path, times, "2026-04-05", "Australia/Lord_Howe") == [
        "14:25", "14:35", "14:45", "14:55", "15:05", "15:15", "15:35",
    ]  # fmt: skip


@pytest.mark.parametrize("backwards", [False, True])
def test_what_was_in_last_years_hour_does_not_tell_of_this_years(tmp_path: Path, backwards: bool) -> None:
    days, hour = ("2025-10-26", "2026-10-25"), PRAGUE_NIGHT[1:5]
    order = -1 if backwards else 1
    found = _resolved(tmp_path, [f"{day} {time}" for day in days for time in hour][::order])
    assert found == [f"{day}T{time}:00" for day in days for time in PRAGUE_UTC[1:5]][::order]


@pytest.mark.parametrize("rows", [slice(2, None), slice(3, None), slice(5, None, -1), slice(4, None, -1)])
def test_also_in_a_file_that_begins_in_that_hour(tmp_path: Path, rows: slice) -> None:
    times, instants = ["01:00", *PRAGUE_NIGHT, "03:30"], ["23:00", *PRAGUE_UTC, "02:30"]
    assert _night(tmp_path, times[rows], "2026-10-25", "Europe/Prague") == instants[rows]


def test_each_meter_has_its_own_order_and_a_bad_row_beside_changes_nothing(tmp_path: Path) -> None:
    rows = "".join(
        f"{meter},2026-10-25T{time}:00,{'x' if (meter, place) == ('main-b', 2) else place}\n"
        for place, time in enumerate(PRAGUE_NIGHT)
        for meter in ("main-a", "main-b")
    )
    at = intake()
    found = imported(write(tmp_path, "two.csv", "meter,at,voltage\n" + rows), at)
    assert [instant[11:16] for meter, instant in found if meter == "main-a"] == PRAGUE_UTC
    assert sorted(instant[11:16] for meter, instant in found if meter == "main-b") == sorted(
        PRAGUE_UTC[:2] + PRAGUE_UTC[3:]
    )


# ---- what is no table


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", b"PK\x03\x04rest", "is a zip archive or a spreadsheet"),
        ("a.csv.gz", b"\x1f\x8b\x08rest", "gunzip"),
        ("a.xml", b"<?xml version='1.0'?>", "is XML"),
        ("a.csv", b"", "is empty"),
        ("a.bin", b"ab\x00cd", "is binary"),
        ("a.csv", b"one\ntwo\n", "has 1 columns"),
        ("e.csv", b"entity_id,type,unit,2026-01-05T10:00:00.000Z\n", "what was used by the hour"),
    ],
)
def test_what_cannot_be_imported_is_told_in_words(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        imported(write(tmp_path, name, content), intake())


def test_an_unknown_system_and_a_missing_file(tmp_path: Path) -> None:
    table = write(tmp_path, "a.csv", "meter,at,voltage\n")
    with pytest.raises(ConfigError, match='did you mean "influx"'):
        imported(table, intake(), system="inflx")
    with pytest.raises(ConfigError, match="No such file"):
        imported(tmp_path / "nowhere.csv", intake())
    with pytest.raises(ConfigError, match="several systems"):
        imported([table, write(tmp_path, "b.json", "{}")], intake())
