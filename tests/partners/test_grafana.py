"""What `wattbook grafana` writes: of Grafana's own shape, and every query right in the real databases."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from foreign_influxdb import ForeignInflux
from foreign_process import running
from foreign_sql import ForeignPostgres
from grafana_house import (
    BEGIN,
    NOW,
    PLACES,
    PRAGUE,
    SINGLE,
    TOML,
    UTC,
    batches,
    instants,
    local_steps,
    power,
    span_of,
    used,
)
from running import wattbook
from wattbook import config as configuration

HERE = Path(__file__).parent / "grafana_schema"
SCHEMA = HERE.parents[2] / ".cache" / "grafana-schema"
NODE_RED = SCHEMA.with_name("node-red")  # for its parser of YAML
INTERVAL_S = 300
TWO = """
[[sink]]
name = "my f"
kind = "influxdb"
version = 2
url = "https://f.example"
org = "o"
bucket = "a$b: c"
token = "hidden"

[[sink]]
name = "pg"
kind = "sql"
url = "postgresql://tom:hidden@db/energy"
"""
PHASED = ("office L1", "office L2", "office L3")
WRONG = [  # what the check must find
    ('"schemaVersion"', '"schemaVersions"'),
    ('"lastNotNull"', "7"),
    ('"drawStyle": "line"', '"drawStyle": "curve"'),
    ('"fillOpacity"', '"opacity"'),
    ('"rawQuery": true', '"rawQuery": "yes"'),
    ('"gridPos"', '"position"'),
]
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

SEED = """
measurement = "ALL_SENSORS"
tags = {}
[sink.fields]
"{meter:upper}_VOLT" = "{voltage}"
"{meter:upper}_VOL1" = "{voltage_l1}"
"{meter:upper}_VOL2" = "{voltage_l2}"
"{meter:upper}_VOL3" = "{voltage_l3}"
"{meter:upper}_AMPS" = "{current}"
"{meter:upper}_AMP1" = "{current_l1}"
"{meter:upper}_AMP2" = "{current_l2}"
"{meter:upper}_AMP3" = "{current_l3}"
"{meter:upper}_KILO" = "{active_power:kW}"
"{meter:upper}_WHRS" = "{active_energy_import}"
"{meter:upper}_PZPF" = "{power_factor}"
"{meter:upper}_FREQ" = "{frequency}"
"""
LOGGER = """
table = "values"
[sink.columns]
what = "{quantity}"
who = "{meter}"
"the time" = "{at:instant}"
value = "{value}"
"""

Rows = dict[str, dict[datetime, float]]  # name -> instant -> value
Table = list[dict[str, Any]]


class Influx:
    """InfluxDB as Grafana's data source asks it."""

    kind = "influxdb"

    def __init__(self, folder: Path) -> None:
        self.server = ForeignInflux(folder / "influxdb")

    def table(self) -> str:
        return str(self.server.table(self.server.port))

    def answer(self, target: Mapping[str, Any], start: datetime, end: datetime) -> Rows | Table:
        within = f"time >= {_ms(start)}ms and time <= {_ms(end)}ms"
        query = target["query"].replace("$timeFilter", within).replace("$__interval", f"{INTERVAL_S}s")
        assert "$" not in query, query
        series = self.server.ask(query, database="house").get("series", [])
        if target["resultFormat"] == "table":
            return [
                {
                    "Time": _at(values[0]),
                    **each.get("tags", {}),
                    **dict(zip(each["columns"][1:], values[1:], strict=True)),
                }
                for each in series
                for values in each["values"]
            ]
        return {
            target["alias"].replace("$tag_meter", each.get("tags", {}).get("meter", "")): {
                _at(at): value for at, value in each["values"] if value is not None
            }
            for each in series
        }


class InfluxOfSeed(Influx):
    """One measurement without tags, a field for each quantity of each meter: the house monitor's own layout."""

    def table(self) -> str:
        return super().table() + SEED


class Postgres:
    """PostgreSQL as Grafana's data source asks it."""

    kind = "postgresql"

    def __init__(self, folder: Path) -> None:
        self.server = ForeignPostgres(folder)

    def table(self) -> str:
        return str(self.server.table(self.server.port))

    def answer(self, target: Mapping[str, Any], start: datetime, end: datetime) -> Rows | Table:
        query = _macros(target["rawSql"], start, end)
        with self.server.connect() as connection:
            cursor = connection.execute(query.encode())
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        if target["format"] == "table":
            return rows
        found: Rows = defaultdict(dict)
        (value,) = set(names) - {"time", "metric"}
        for row in rows:
            at = row["time"] if isinstance(row["time"], datetime) else _at(1000 * float(row["time"]))
            found[row["metric"]][at] = float(row[value])
        return found


def _macros(query: str, start: datetime, end: datetime) -> str:
    first, last = (f"'{_at(_ms(each)).isoformat().replace('+00:00', 'Z')}'" for each in (start, end))
    query = query.replace("$__timeFrom()", first).replace("$__timeTo()", last)
    query = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 BETWEEN {first} AND {last}", query)
    floor = rf'floor(extract(epoch from \1)/{INTERVAL_S})*{INTERVAL_S} AS "time"'
    query = re.sub(r"\$__timeGroupAlias\(([^),]*),\$__interval\)", floor, query)
    assert "$" not in query, query
    return query


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _at(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


class PostgresOfLogger(Postgres):
    """A row for each value, under names of one's own."""

    def table(self) -> str:
        return super().table() + LOGGER


Database = Influx | Postgres


@pytest.fixture(
    scope="module", params=[Influx, InfluxOfSeed, Postgres, PostgresOfLogger], ids=lambda made: made.__name__
)
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made: Database = request.param(tmp_path_factory.mktemp("database"))
    with running(made.server):
        yield made


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """An empty one."""
    made = Postgres(tmp_path_factory.mktemp("postgres"))
    with running(made.server):
        yield made


@pytest.fixture(scope="module")
def pages(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """The dashboards, and the database filled by the sink itself."""
    folder = tmp_path_factory.mktemp("grafana")
    path = folder / "wattbook.toml"
    path.write_text(TOML + database.table(), encoding="utf-8")
    _fill(path)
    said = wattbook("grafana", "-c", path, "--dir", folder / "provisioning")
    assert (said.returncode, said.stderr) == (0, "")
    files = (folder / "provisioning" / "dashboards" / f"wattbook-{database.kind}").glob("*.json")
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def _fill(path: Path, last: int | None = None) -> None:
    config = configuration.load(path)
    sink = config.sinks[0].make(config.surroundings)

    async def write() -> None:
        for batch in batches(config.site.name, last=last):
            await sink.write(batch, "")
        await sink.aclose()

    asyncio.run(write())


def _panel(page: Mapping[str, Any], title: str) -> Mapping[str, Any]:
    return next(panel for panel in page["panels"] if panel["title"] == title)


def _series(database: Database, page: Mapping[str, Any], title: str) -> Rows:
    panel = _panel(page, title)
    found: Rows = {}
    for target in panel["targets"]:
        answer = database.answer(target, *span_of(panel, page))
        assert isinstance(answer, dict)
        assert not found.keys() & answer.keys()
        found |= answer
    return found


def _table(database: Database, page: Mapping[str, Any], title: str) -> Table:
    """The answer of a table, turned by Grafana's own transformations."""
    panel = _panel(page, title)
    answers = [database.answer(target, *span_of(panel, page)) for target in panel["targets"]]
    return _turned(panel["transformations"], answers)


def _turned(transformations: list[Any], answers: list[Any]) -> Table:
    if not transformations:
        return [row for answer in answers for row in answer]
    if not (SCHEMA / "node").exists():
        pytest.skip("Grafana's packages are not installed: python web/partners.py")
    frames = [
        {"refId": chr(65 + at), "fields": fields} for at, answer in enumerate(answers) for fields in _frames(answer)
    ]
    done = subprocess.run(
        [(SCHEMA / "node").read_text(encoding="utf-8"), HERE / "transform.cjs"],
        input=json.dumps({"transformations": transformations, "frames": frames}),
        env=os.environ | {"NODE_PATH": str(SCHEMA / "node_modules"), "TZ": "America/New_York"},
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    (frame,) = json.loads(done.stdout)
    names = [field["name"] for field in frame]
    return [dict(zip(names, row, strict=True)) for row in zip(*(field["values"] for field in frame), strict=True)]


def _frames(answer: Rows | Table) -> list[list[Mapping[str, Any]]]:
    """A table is one frame, time series are one each: their values are called Value, and shown under their name."""
    if isinstance(answer, list):
        return [_fields(answer)]
    return [
        [
            {"name": "Time", "type": "time", "values": [_ms(at) for at in points]},
            {"name": "Value", "type": "number", "values": [*points.values()], "config": {"displayNameFromDS": name}},
        ]
        for name, points in answer.items()
    ]


def _fields(rows: Table) -> list[Mapping[str, Any]]:
    def field(name: str, cells: list[Any]) -> Mapping[str, Any]:
        if name == "Time":
            return {"name": name, "type": "time", "values": [_ms(cell) for cell in cells]}
        kind = "string" if all(isinstance(cell, str) for cell in cells) else "number"
        return {"name": name, "type": kind, "values": cells}

    return [field(name, [row[name] for row in rows]) for name in rows[0]]


def _step_lost(database: Database, step: str) -> timedelta | None:
    """InfluxDB has nothing to subtract from the first step of a meter's life."""
    if database.kind != "influxdb":
        return None
    return timedelta(hours=1) if step == "hour" else timedelta(days=1)


def test_no_panel_is_empty(database: Database, pages: Mapping[str, Any]) -> None:
    assert set(pages) == {"now", "energy", "places", "meters"}
    for page in pages.values():
        assert page["panels"]
        for panel in page["panels"]:
            start, end = span_of(panel, page)
            if end > BEGIN:  # the year before has no readings
                for target in panel["targets"]:
                    assert database.answer(target, start, end), (panel["title"], target)


@pytest.mark.parametrize(
    ("title", "names", "value"),
    [
        ("Power", [*SINGLE, "office"], None),
        ("Voltage", [*SINGLE, *PHASED], 230.0),
        ("Current", [*SINGLE, *PHASED], None),
        ("Power factor", [*SINGLE, "office"], None),
        ("Frequency", [*SINGLE, "office"], 50.0),
    ],
)
def test_curves_show_what_was_read(
    database: Database, pages: Mapping[str, Any], title: str, names: list[str], value: float | None
) -> None:
    found = _series(database, pages["now"], title)
    assert sorted(found) == sorted(names)
    start, end = span_of(_panel(pages["now"], title), pages["now"])
    count = sum(start <= at <= end for at in instants("main-a"))
    assert count == 6
    assert {len(points) for points in found.values()} == {count}
    if title == "Power":
        for meter, points in found.items():
            assert list(points.values()) == pytest.approx([power(meter, at) for at in instants(meter)[-count:]])
    if value is not None:
        assert list(found["main-a"].values()) == [value] * count
    if title == "Voltage":
        assert set(found["office L2"].values()) == {232.0}


def test_power_now_is_the_last_reading(database: Database, pages: Mapping[str, Any]) -> None:
    found = _series(database, pages["now"], "Power now")
    last = {meter: points[max(points)] for meter, points in found.items()}
    assert last == pytest.approx({meter: power(meter, instants(meter)[-1]) for meter in (*SINGLE, "office")})


@pytest.mark.parametrize(
    ("page", "title", "step"),
    [
        ("now", "Energy today", "hour"),
        ("now", "Until this time yesterday", "hour"),
        ("energy", "Today by hour (kWh)", "hour"),
        ("energy", "This week by day (kWh)", "day"),
        ("energy", "This month by day (kWh)", "day"),
        ("energy", "The chosen time by day (kWh)", "day"),
        ("energy", "Today", "hour"),
        ("energy", "This month", "day"),
        ("energy", "This month: as far, one before", "day"),
        ("energy", "This year", "day"),
    ],
)
def test_energy_of_each_step_is_the_difference_of_registers(
    database: Database, pages: Mapping[str, Any], page: str, title: str, step: str
) -> None:
    found = _series(database, pages[page], title)
    assert sorted(found) == sorted(PLACES)
    start, end = span_of(_panel(pages[page], title), pages[page])
    lost = _step_lost(database, step)
    for meter, points in found.items():
        wanted = {
            first.astimezone(UTC): used(meter, first, last, whole_steps=lost)
            for first, last in local_steps(start, end, step)
        }
        nonzero = {at: kwh for at, kwh in wanted.items() if kwh}
        assert {at: kwh for at, kwh in points.items() if kwh} == pytest.approx(nonzero)
        assert sum(points.values()) == pytest.approx(used(meter, start, end, whole_steps=lost))


def test_energy_of_each_month(database: Database, pages: Mapping[str, Any]) -> None:
    title = "This year by month (kWh)"
    start, end = span_of(_panel(pages["energy"], title), pages["energy"])
    lost = _step_lost(database, "month")
    wanted = {
        (first.strftime("%Y-%m"), meter): used(meter, first, last, whole_steps=lost)
        for first, last in local_steps(start, end, "month")
        for meter in PLACES
    }
    if database.kind == "influxdb":
        rows = _table(database, pages["energy"], title)
        month = "Time" if isinstance(database, InfluxOfSeed) else "Time\\meter"
        found = {(row[month], meter): row[meter] or 0.0 for row in rows for meter in PLACES}
    else:
        series = _series(database, pages["energy"], title)
        found = {
            (at.astimezone(PRAGUE).strftime("%Y-%m"), meter): kwh
            for meter, points in series.items()
            for at, kwh in points.items()
        }
    assert {key: kwh for key, kwh in found.items() if kwh} == pytest.approx(
        {key: kwh for key, kwh in wanted.items() if kwh}
    )


def test_places_are_ranked(database: Database, pages: Mapping[str, Any]) -> None:
    title = "Energy by place"
    start, end = span_of(_panel(pages["places"], title), pages["places"])
    wanted: dict[str, float] = defaultdict(float)
    for meter, place in PLACES.items():
        wanted[place] += used(meter, start, end)
    if database.kind == "influxdb":
        found = {place: sum(points.values()) for place, points in _series(database, pages["places"], title).items()}
    else:
        found = {row["Place"]: row["kWh"] for row in _table(database, pages["places"], title)}
    assert found == pytest.approx(dict(wanted))


@pytest.mark.parametrize("place", ["house/panel", "office"])
def test_hours_of_the_week_are_means(database: Database, pages: Mapping[str, Any], place: str) -> None:
    found = _table(database, pages["places"], place)
    assert [row["Hour"] for row in found] == [f"{hour:02}" for hour in range(24)]
    start, end = span_of(_panel(pages["places"], place), pages["places"])
    hours: dict[tuple[str, str], list[float]] = defaultdict(list)
    for first, last in local_steps(start, end, "hour"):
        kwh = sum(used(meter, first, last) for meter, where in PLACES.items() if where == place)
        hours[f"{first:%H}", DAYS[first.weekday()]].append(kwh)
    for row in found:
        assert list(row) == ["Hour", *DAYS]
        for day in DAYS:
            each = hours[row["Hour"], day]
            assert row[day] == pytest.approx(sum(each) / len(each)), (row["Hour"], day)


def test_meters_that_are_heard(database: Database, pages: Mapping[str, Any]) -> None:
    rows = _table(database, pages["meters"], "Last reading of each meter")
    name, last = ("meter", "Time") if database.kind == "influxdb" else ("Meter", "Last reading")
    if isinstance(database, InfluxOfSeed):  # a column for each meter
        rows = [{"meter": meter, **row} for row in rows for meter in PLACES if row[meter] is not None]
    seen = {row[name]: row[last] if isinstance(row[last], datetime) else _at(row[last]) for row in rows}
    assert seen == {meter: instants(meter)[-1] for meter in PLACES}
    counts = _series(database, pages["meters"], "Readings in each interval")
    assert {meter: sum(points.values()) for meter, points in counts.items()} == dict.fromkeys(PLACES, 24 * 6)


def test_dashboards_have_the_shape_of_grafanas_own_schema(pages: Mapping[str, Any], tmp_path: Path) -> None:
    """An unknown key or word fails, not only a wrong type: they stand as literals."""
    if not (SCHEMA / "node").exists():
        pytest.skip("Grafana's packages are not installed: python web/partners.py")
    (tmp_path / "node_modules").symlink_to(SCHEMA / "node_modules")
    (tmp_path / "checked.ts").write_text((HERE / "checked.ts").read_text(encoding="utf-8"), encoding="utf-8")
    lines = ['import type { Checked } from "./checked";']
    lines += [f"export const {name}: Checked = {json.dumps(page)};" for name, page in pages.items()]
    now = json.dumps(pages["now"])
    for number, (right, wrong) in enumerate(WRONG):
        assert right in now
        lines += ["// @ts-expect-error", f"export const wrong{number}: Checked = {now.replace(right, wrong, 1)};"]
    (tmp_path / "pages.ts").write_text("\n".join(lines), encoding="utf-8")
    options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"]
    node, tsc = (SCHEMA / "node").read_text(encoding="utf-8"), SCHEMA / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [node, tsc, *options, "pages.ts"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.stdout + done.stderr == ""


def test_no_secret_is_written(tmp_path: Path) -> None:
    path = tmp_path / "wattbook.toml"
    path.write_text(TOML + TWO, encoding="utf-8")
    said = wattbook("grafana", "-c", path, "--dir", tmp_path / "out")
    assert (said.returncode, said.stderr) == (0, "")
    assert "WATTBOOK_MY_F_TOKEN" in said.stdout and "WATTBOOK_PG_PASSWORD" in said.stdout
    written = [file.read_text(encoding="utf-8") for file in (tmp_path / "out").rglob("*") if file.is_file()]
    assert len(written) == 10
    assert not any("hidden" in text for text in written)


@pytest.mark.parametrize("form", ["iso", "local", "YYYY-MM-DDTHH:MM:SSZZ", "clock", "epoch", "epoch_ms"])
def test_instants_of_any_form_are_understood(postgres: Postgres, tmp_path: Path, form: str) -> None:
    """The hour before NOW, in a table whose instants are texts, numbers or local times."""
    path = tmp_path / "wattbook.toml"
    table = f'table = "of {form}"\n[sink.columns]\nwho = "{{meter}}"\nat = "{{at:{form}}}"\nw = "{{active_power:kW}}"\n'
    path.write_text(TOML + postgres.table() + ("append = true\n" + table), encoding="utf-8")
    _fill(path, last=6)
    assert wattbook("grafana", "-c", path, "--dir", tmp_path / "out").returncode == 0
    page = json.loads((tmp_path / "out/dashboards/wattbook-postgresql/now.json").read_text(encoding="utf-8"))
    found = _series(postgres, page, "Power")
    assert sorted(found) == [*SINGLE, "office"]
    for meter, points in found.items():
        assert list(points.values()) == pytest.approx([power(meter, at) for at in instants(meter)[-6:]])


def test_the_files_of_provisioning_are_yaml(tmp_path: Path) -> None:
    """Read by a real parser. A $ in a name is no variable of Grafana's."""
    parser = NODE_RED / "node_modules" / "js-yaml"
    if not parser.exists():
        pytest.skip("Node-RED is not installed: python web/partners.py")
    path = tmp_path / "wattbook.toml"
    path.write_text(TOML + TWO, encoding="utf-8")
    assert wattbook("grafana", "-c", path, "--dir", tmp_path / "out", "--installed", "/srv/a b").returncode == 0
    sources, providers = (_yaml(tmp_path / "out" / name / "wattbook.yaml") for name in ("datasources", "dashboards"))
    influx, postgres = sources["datasources"]
    assert (influx["type"], influx["url"], influx["jsonData"]["dbName"]) == ("influxdb", "https://f.example", "a$$b: c")
    assert influx["secureJsonData"] == {"httpHeaderValue1": "Token $__env{WATTBOOK_MY_F_TOKEN}"}
    assert (postgres["type"], postgres["url"], postgres["user"]) == ("grafana-postgresql-datasource", "db:5432", "tom")
    assert postgres["jsonData"]["sslmode"] == "require"
    assert postgres["secureJsonData"] == {"password": "$__env{WATTBOOK_PG_PASSWORD}"}
    folders = [one["options"]["path"] for one in providers["providers"]]
    assert folders == ["/srv/a b/dashboards/wattbook-influxdb", "/srv/a b/dashboards/wattbook-postgresql"]


def _yaml(file: Path) -> Any:
    program = "const y = require(process.argv[1]); const t = require('fs').readFileSync(process.argv[2], 'utf8');"
    program += "console.log(JSON.stringify(y.load(t)))"
    node = (NODE_RED / "node").read_text(encoding="utf-8")
    command = [node, "-e", program, NODE_RED / "node_modules" / "js-yaml", file]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_the_present_is_within_what_was_filled() -> None:
    assert instants("main-a")[-1] < NOW
