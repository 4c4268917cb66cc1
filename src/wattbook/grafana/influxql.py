"""Questions in InfluxQL, which InfluxDB 1.x, 2.x and 3.x understand.

It knows neither months nor hours of the week: Grafana sums and turns what it answers by transformations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wattbook.grafana.questions import Asked, Step, Target
from wattbook.grafana.readings import Readings, Series, groups
from wattbook.grafana.turn import MERGED, by_month, by_week

_INTERVALS: Mapping[Step, str] = {"hour": "1h", "day": "1d", "month": "1d"}


class InfluxQl:
    """Asks in InfluxQL. Meters of one measurement are asked for together where a tag tells them apart."""

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self._tag = readings.meter_tag
        self._zone = f"tz({_text(readings.zone)})"

    def curve(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        return Asked([
            self._over_time(each, f"mean({_column(each)}){_times(each[0].factor)}", self._all(each))
            for each in groups(series)
        ])  # fmt: skip

    def counts(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        return Asked([self._over_time(each, f"count({_column(each)})", self._only(each)) for each in groups(series)])

    def energy(self, series: Sequence[Series], step: Step) -> Asked:
        """See Questions."""
        interval, table = _INTERVALS[step], step == "month" and bool(self._tag)
        targets = [self._steps(each, interval, self._all(each), table=table) for each in groups(series)]
        if step != "month":
            return Asked(targets)
        return Asked(targets, by_month(self._readings.zone, [] if self._tag else [one.label for one in series]))

    def ranking(self, places: Mapping[str, Sequence[Series]]) -> Asked:
        """See Questions.

        The outer query has no time of its own: with one InfluxDB would not look at the step before the first.
        """
        return Asked([
            _target(f'SELECT sum("kWh") AS "kWh" FROM {", ".join(map(self._part, series))}', place)
            for place, series in places.items()
        ])  # fmt: skip

    def week(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        targets = [self._steps(each, "1h", self._only(each), table=False) for each in groups(series)]
        return Asked(targets, by_week(self._readings.zone))

    def last_seen(self, series: Sequence[Series]) -> Asked:
        """See Questions."""
        targets = []
        for each in groups(series):
            name, by = ("Last value", f"GROUP BY {identifier(self._tag)}") if self._tag else (each[0].meter, "")
            query = f"SELECT last({_column(each)}) AS {identifier(name)} FROM {each[0].table} {self._only(each)} {by}"
            targets.append(_target(query.rstrip(), "", table=True))
        return Asked(targets, MERGED if len(targets) > 1 else ())

    def _over_time(self, series: Sequence[Series], what: str, where: str) -> Target:
        by = f", {identifier(self._tag)}" if self._tag else ""
        query = f"SELECT {what} FROM {series[0].table} {where} GROUP BY time($__interval){by} fill(none)"
        return _target(query, self._alias(series))

    def _steps(self, series: Sequence[Series], interval: str, where: str, *, table: bool) -> Target:
        """The energy of each meter in steps. A register that falls counts nothing, and begins anew."""
        by = f", {identifier(self._tag)}" if self._tag else ""
        query = (
            f'SELECT {_difference(series[0])} AS "kWh" FROM {series[0].table} {where} '
            f"GROUP BY time({interval}){by} fill(previous) {self._zone}"
        )
        return _target(query, "" if table else self._alias(series), table=table)

    def _part(self, one: Series) -> str:
        """The energy of one meter in steps, to be summed."""
        return (
            f'(SELECT {_difference(one)} AS "kWh" FROM {one.table} {_where(one.keys)} '
            f"GROUP BY time(1h) fill(previous) {self._zone})"
        )

    def _alias(self, series: Sequence[Series]) -> str:
        one = series[0]
        return f"$tag_{self._tag}{one.label.removeprefix(one.meter)}" if self._tag else one.label

    def _all(self, series: Sequence[Series]) -> str:
        """What picks all meters of a group: those that come later too, where a tag tells them apart."""
        if not self._tag:
            return _where(series[0].keys)
        return _where(self._shared(series))

    def _only(self, series: Sequence[Series]) -> str:
        """What picks these meters alone."""
        if not self._tag:
            return _where(series[0].keys)
        names = " OR ".join(f"{identifier(self._tag)} = {_text(one.meter)}" for one in series)
        return f"{_where(self._shared(series))} AND ({names})"

    def _shared(self, series: Sequence[Series]) -> Sequence[tuple[str, str]]:
        """Tags that are the same for all of them but for the meter: the site, and a quantity that is a tag."""
        return [key for key in series[0].keys if key[0] != self._tag and all(key in one.keys for one in series)]


def identifier(name: str) -> str:
    """A name of a measurement, field or tag."""
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _column(series: Sequence[Series]) -> str:
    return identifier(series[0].column)


def _where(keys: Sequence[tuple[str, str]]) -> str:
    return "WHERE " + " AND ".join([*(f"{identifier(name)} = {_text(value)}" for name, value in keys), "$timeFilter"])


def _times(factor: float) -> str:
    return "" if factor == 1 else f" * {factor:.15g}"


def _difference(one: Series) -> str:
    return f"non_negative_difference(last({identifier(one.column)})){_times(one.factor / 1000)}"


def _target(query: str, alias: str, *, table: bool = False) -> Target:
    return {
        "query": query,
        "rawQuery": True,
        "resultFormat": "table" if table else "time_series",
        **({"alias": alias} if alias else {}),
    }
