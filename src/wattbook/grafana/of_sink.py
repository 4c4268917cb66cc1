"""Find out where a sink's readings stand, from its settings: the same templates that the sink fills."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

from wattbook.config import Config
from wattbook.grafana import influxql, postgresql
from wattbook.grafana.readings import Readings, Series, Source
from wattbook.grafana.shapes import InfluxShape, SqlShape
from wattbook.model import Columns, ConfigError
from wattbook.model.around import Surroundings
from wattbook.model.batch import GOOD_CODE
from wattbook.model.place import lies_at
from wattbook.model.template import Template, parse_template
from wattbook.sinks import SinkSettings

Told = Mapping[str, Sequence[str]]  # meter -> the quantities that it tells
_PROBE = 1e9  # a value large enough that rounding to a few digits does not touch its factor
_SQL_DEFAULT = {"site": "{site}", "meter": "{meter}", "at": "{at:instant}"}
_IDENTIFYING = {"site", "meter", "quantity"}
_LOOPBACK = ("127.0.0.1", "::1", "localhost", "")


def readings_of(config: Config, sink: SinkSettings, told: Told) -> Readings | None:
    """Where the readings of a sink are; None for a kind that Grafana is not prepared for. Raises ConfigError."""
    chosen, found = _chosen(config, sink, told), None
    if sink.kind == "influxdb":
        found = _influxdb(cast(InfluxShape, sink), config.surroundings, chosen)
    if sink.kind == "sql":
        found = _sql(cast(SqlShape, sink), config.surroundings, chosen)
    if found is None:
        return None
    _check(sink, found)
    periods = {meter.name: config.every_s(meter) for meter in config.meters}
    return replace(found, zone=config.site.timezone.key, periods_s=periods)


def _chosen(config: Config, sink: SinkSettings, told: Told) -> Told:
    """What passes the filters of a sink."""
    places = {meter.name: meter.location for meter in config.meters}
    return {
        meter: [name for name in quantities if _fits(name, sink.quantities)]
        for meter, quantities in told.items()
        if _fits(meter, sink.meters)
        and (not sink.locations or any(lies_at(places.get(meter, ""), each) for each in sink.locations))
    }


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)


def _check(sink: SinkSettings, found: Readings) -> None:
    """Two meters in one series cannot be told apart again."""
    seen: dict[tuple[str, str, tuple[tuple[str, str], ...]], str] = {}
    for each in found.series:
        other = seen.setdefault((each.table, each.column, each.keys), each.meter)
        if other != each.meter:
            raise ConfigError(f'sink "{sink.name}": its templates do not tell "{other}" from "{each.meter}"')


def _influxdb(sink: InfluxShape, around: Surroundings, told: Told) -> Readings:
    measurement = parse_template(sink.measurement, around)
    tags = {name: parse_template(text, around) for name, text in sink.tags.items()}
    fields = [(parse_template(name, around), parse_template(text, around)) for name, text in sink.fields.items()]
    first = f"{influxql.identifier(sink.retention_policy)}." if sink.retention_policy else ""

    def place_of(meter: str, quantity: str) -> tuple[str, str, tuple[tuple[str, str], ...], float] | None:
        for name, value in fields:
            factor = _factor(value, meter, quantity)
            if factor is not None:
                table = measurement.of_meter(around, "", meter, quantity)
                keys = _keys(tags, around, meter, quantity)
                return f"{first}{influxql.identifier(table)}", name.of_meter(around, "", meter, quantity), keys, factor
        return None

    secret = _variable(sink.name, "TOKEN" if sink.token else "PASSWORD") if sink.token or sink.username else ""
    database = sink.bucket if sink.version == 2 else sink.database
    source = Source("influxdb", _without_user(sink.url), database, sink.username, secret, bool(sink.token))
    meter_tag = next((name for name, text in sink.tags.items() if text == "{meter}"), "")
    return Readings(source, "", tuple(_series(around, told, place_of)), meter_tag)


def _sql(sink: SqlShape, around: Surroundings, told: Told) -> Readings | None:
    url = urlsplit(sink.url.reveal())
    if url.scheme.partition("+")[0] not in ("postgresql", "postgres", "timescaledb"):
        return None
    columns = {name: parse_template(text, around) for name, text in (sink.columns or _SQL_DEFAULT).items()}
    table = ".".join(postgresql.identifier(part) for part in sink.table.split("."))

    def place_of(meter: str, quantity: str) -> tuple[str, str, tuple[tuple[str, str], ...], float] | None:
        keys = _keys(columns, around, meter, quantity)
        if not sink.columns:
            return table, quantity, keys, 1.0
        for name, value in columns.items():
            factor = _factor(value, meter, quantity)
            if factor is not None:
                return table, name, keys, factor
        return None

    sslmode = parse_qs(url.query).get("sslmode", [""])[0] or ("disable" if url.hostname in _LOOPBACK else "require")
    secret = _variable(sink.name, "PASSWORD")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or "localhost"
    where = f"{host}:{url.port or 5432}"
    source = Source("postgresql", where, unquote(url.path[1:]), unquote(url.username or ""), secret, sslmode=sslmode)
    return Readings(source, "", tuple(_series(around, told, place_of)), instant=_instant(columns, around, sink.name))


_PlaceOf = Callable[[str, str], tuple[str, str, tuple[tuple[str, str], ...], float] | None]


def _series(around: Surroundings, told: Told, place_of: _PlaceOf) -> Iterator[Series]:
    for meter, quantities in told.items():
        for quantity in quantities:
            found = place_of(meter, quantity)
            if found is not None:
                table, column, keys, factor = found
                yield Series(meter, around.facts(meter).location or meter, quantity, table, column, keys, factor)


def _keys(
    templates: Mapping[str, Template], around: Surroundings, meter: str, quantity: str
) -> tuple[tuple[str, str], ...]:
    """The tags or columns that tell meters and quantities apart. A location may change, so it is none of them."""
    return tuple(
        (name, template.of_meter(around, "", meter, quantity))
        for name, template in templates.items()
        if template.places and template.places <= _IDENTIFYING
    )


def _factor(template: Template, meter: str, quantity: str) -> float | None:
    """What turns the value of this quantity in a template into the base unit; None when the template is of others."""
    if len(template.parts) != 1 or not (template.places == {"value"} or template.quantities == {quantity}):
        return None
    (cell,) = template.cells(_row(meter, quantity), quantity)
    return _PROBE / cell if isinstance(cell, float | int) and cell else None


def _row(meter: str, quantity: str = "voltage") -> Columns:
    return Columns(
        "", meter, array("q", [1000]), array("q", [0]), {quantity: array("d", [_PROBE])}, array("B", [GOOD_CODE])
    )


def _instant(columns: Mapping[str, Template], around: Surroundings, sink: str) -> str:
    """The instant of a row in SQL, from the first column that holds one."""
    for name, template in columns.items():
        if template.places == {"at"}:
            (cell,) = template.cells(_row(""))
            column, clock = postgresql.identifier(name), f"AT TIME ZONE '{around.zone.key}'"
            if isinstance(cell, int | float):  # of the first second
                return f"to_timestamp({column} / {cell:.1f})"
            if hasattr(cell, "tzinfo"):
                return column if cell.tzinfo else f"{column} {clock}"
            exact = str(cell).endswith(("Z", "+00:00")) or ":ZZ" in template.text.replace(" ", "")
            return f"{column}::timestamptz" if exact else f"{column}::timestamp {clock}"
    raise ConfigError(f'sink "{sink}": no column is the instant of a reading')


def _variable(sink: str, what: str) -> str:
    return "".join(one if one.isascii() and one.isalnum() else "_" for one in f"WATTBOOK_{sink}_{what}".upper())


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
