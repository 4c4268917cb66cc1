"""Transformations that Grafana carries out itself, for a database that knows neither months nor days of the week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MERGED: Sequence[Mapping[str, Any]] = ({"id": "merge", "options": {}},)  # the rows of several tables in one
_JOINED: Mapping[str, Any] = {"id": "joinByField", "options": {"byField": "Time", "mode": "outer"}}
Transformations = Sequence[Mapping[str, Any]]


def by_month(zone: str, columns: Sequence[str] = ()) -> Transformations:
    """Days of kWh as months: from a table of Time, meter and kWh, or from a time series for each of the columns."""
    month = _format_time("Time", "YYYY-MM", zone)
    if columns:
        plain = {"id": "renameByRegex", "options": {"regex": "(.*) \\(sum\\)", "renamePattern": "$1"}}
        return [_JOINED, month, _group({"Time": ()}, dict.fromkeys(columns, "sum")), plain]
    matrix = {"columnField": "meter", "rowField": "Time", "valueField": "kWh (sum)", "emptyValue": "null"}
    return [
        *MERGED,
        month,
        _group({"Time": (), "meter": ()}, {"kWh": "sum"}),
        {"id": "groupingToMatrix", "options": matrix},
    ]


def by_week(zone: str) -> Transformations:
    """Hours of kWh, a time series for each meter, summed and turned to hour of the day by day of the week.

    The instant is doubled, so that it can be written in two ways.
    """
    total = {"mode": "reduceRow", "alias": "kWh", "reduce": {"reducer": "sum"}, "replaceFields": True}
    twice = {"left": {"matcher": {"id": "byName", "options": "Time"}}, "operator": "+", "right": {"fixed": "0"}}
    matrix = {"columnField": "Time", "rowField": "Hour", "valueField": "kWh (mean)", "emptyValue": "null"}
    as_time = [{"targetField": "Hour", "destinationType": "time"}]
    days = {str(number): name for number, name in enumerate(DAYS, 1)}
    return [
        _JOINED,
        {"id": "calculateField", "options": total},
        {"id": "calculateField", "options": {"mode": "binary", "alias": "Hour", "binary": twice}},
        {"id": "convertFieldType", "options": {"fields": {}, "conversions": as_time}},
        _format_time("Time", "E", zone),
        _format_time("Hour", "HH", zone),
        _group({"Time": (), "Hour": ()}, {"kWh": "mean"}),
        {"id": "groupingToMatrix", "options": matrix},
        {"id": "organize", "options": {
            "renameByName": {"Hour\\Time": "Hour", **days},
            "indexByName": {"Hour": 0, "Hour\\Time": 0, **{str(number): number for number in range(1, 8)}},
            "excludeByName": {},
        }},
        {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": "Hour"}]}},
    ]  # fmt: skip


def _format_time(field: str, form: str, zone: str) -> Mapping[str, Any]:
    return {
        "id": "formatTime",
        "options": {"timeField": field, "outputFormat": form, "timezone": zone, "useTimezone": True},
    }


def _group(by: Mapping[str, Sequence[str]], values: Mapping[str, str]) -> Mapping[str, Any]:
    fields: dict[str, Any] = {name: {"operation": "groupby", "aggregations": []} for name in by}
    fields |= {name: {"operation": "aggregate", "aggregations": [how]} for name, how in values.items()}
    return {"id": "groupBy", "options": {"fields": fields}}
