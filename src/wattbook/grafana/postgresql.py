"""Questions in PostgreSQL's SQL. Energy is the difference of two registers, each looked up by the table's key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wattbook.grafana.questions import Asked, Step, Target
from wattbook.grafana.readings import Readings, Series, groups
from wattbook.grafana.turn import DAYS

_FROM, _TO = "$__timeFrom()::timestamptz", "$__timeTo()::timestamptz"
# Hours pass evenly, days and months do not: the one in which clocks change has an hour more or less.
_HOURS = "generate_series(date_trunc('hour', {start}, {zone}), {end}, '1 hour') AS edge(at)"
_LOCAL = (
    "(SELECT local AT TIME ZONE {zone} FROM generate_series(date_trunc('{step}', {start} AT TIME ZONE {zone}), "
    "{end} AT TIME ZONE {zone}, '1 {step}') AS local) AS edge(at)"
)


class Postgresql:
    """Asks in SQL. Meters of one table are asked for together."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._zone = _text(readings.zone)

    def curve(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        return Asked([self._over_time(each, f"avg(value){_times(each[0].factor)}") for each in groups(series)])

    def counts(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        return Asked([self._over_time(each, "count(value)") for each in groups(series)])

    def energy(self, series: Sequence[Series], step: Step) -> Asked:
        """See Questions."""
        last = '\nSELECT at AS "time", label AS metric, kwh AS "kWh" FROM step ORDER BY 1'
        return Asked([_target(self._steps(each, step) + last) for each in groups(series)])

    def ranking(self, places: Mapping[str, Sequence[Series]]) -> Asked:
        """See Questions."""
        last = '\nSELECT place AS "Place", sum(kwh) AS "kWh" FROM step GROUP BY 1 ORDER BY 2 DESC'
        everywhere = [one for series in places.values() for one in series]
        return Asked([_target(self._steps(each, "day") + last, table=True) for each in groups(everywhere)])

    def week(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        local = f"(at AT TIME ZONE {self._zone})"
        days = ", ".join(f'avg(kwh) FILTER (WHERE day = {number}) AS "{name}"' for number, name in enumerate(DAYS, 1))
        together = " UNION ALL ".join(
            f"({self._steps(each, 'hour')} SELECT at, kwh FROM step)" for each in groups(series)
        )
        query = (
            f"SELECT to_char(hour, 'FM00') AS \"Hour\", {days}\n"
            f"FROM (SELECT extract(hour FROM {local}) AS hour, extract(isodow FROM {local}) AS day, sum(kwh) AS kwh\n"
            f"FROM ({together}) AS steps GROUP BY at) AS hours GROUP BY 1 ORDER BY 1"
        )
        return Asked([_target(query, table=True)])

    def last_seen(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        queries = [
            f'SELECT label AS "Meter", place AS "Place", ({self._newest("instant", each)}) AS "Last reading" '
            f"FROM {_meters(each)}"
            for each in groups(series)
        ]
        return Asked([_target(" UNION ALL ".join(queries) + " ORDER BY 1", table=True)])

    def _over_time(self, series: Sequence[Series], what: str) -> Target:
        return _target(
            f'SELECT $__timeGroupAlias(instant,$__interval), label AS metric, {what} AS "value"\n'
            f"FROM {self._rows(series)} JOIN {_meters(series)} ON {_same_meter(series)}\n"
            "WHERE $__timeFilter(instant) AND value IS NOT NULL\nGROUP BY 1, 2 ORDER BY 1"
        )

    def _steps(self, series: Sequence[Series], step: Step) -> str:
        """Tables in which `step` is (at, label, place, kwh). A register before the first reading is that reading's."""
        earlier = self._newest("value", series, "AND instant <= edge.at")
        later = self._newest("value", series, "AND instant > edge.at", direction="ASC")
        edges = (_HOURS if step == "hour" else _LOCAL).format(zone=self._zone, step=step, start=_FROM, end=_TO)
        factor = _times(series[0].factor / 1000)
        return (
            f"WITH edge AS (SELECT at FROM {edges} UNION SELECT {_TO}),\n"
            f"register AS (SELECT label, place, edge.at, coalesce(({earlier}), ({later})) AS value\n"
            f"FROM edge CROSS JOIN {_meters(series)}),\n"
            "difference AS (SELECT label, place, at,\n"
            "lead(value) OVER (PARTITION BY label ORDER BY at) - value AS used FROM register),\n"
            f"step AS (SELECT label, place, at, greatest(used, 0){factor} AS kwh FROM difference\n"
            f"WHERE used IS NOT NULL AND at < {_TO})"
        )

    def _newest(self, what: str, series: Sequence[Series], more: str = "", *, direction: str = "DESC") -> str:
        """The last (or first) row of a meter m that has a value."""
        return (
            f"SELECT {what} FROM {self._rows(series)} WHERE value IS NOT NULL AND {_same_meter(series)} {more} "
            f"ORDER BY instant {direction} LIMIT 1"
        )

    def _rows(self, series: Sequence[Series]) -> str:
        one = series[0]
        keys = "".join(f", {identifier(name)} AS k{number}" for number, (name, _) in enumerate(one.keys))
        values = f"{self._readings.instant} AS instant, {identifier(one.column)} AS value{keys}"
        return f"(SELECT {values} FROM {one.table}) AS r"


def _same_meter(series: Sequence[Series]) -> str:
    return " AND ".join(f"r.k{number} = m.k{number}" for number in range(len(series[0].keys))) or "true"


def _meters(series: Sequence[Series]) -> str:
    rows = ", ".join("(" + ", ".join(map(_text, _row(one))) + ")" for one in series)
    keys = "".join(f", k{number}" for number in range(len(series[0].keys)))
    return f"(VALUES {rows}) AS m(label, place{keys})"


def _row(one: Series) -> Iterator[str]:
    yield one.label
    yield one.place
    for _, value in one.keys:
        yield value


def identifier(name: str) -> str:
    """A name of a table or column."""
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _times(factor: float) -> str:
    return "" if factor == 1 else f" * {factor:.15g}"


def _target(query: str, *, table: bool = False) -> Target:
    return {"rawSql": query, "rawQuery": True, "editorMode": "code", "format": "table" if table else "time_series"}
