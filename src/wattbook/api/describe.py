"""What the OpenAPI page says about each route: summaries, shapes and examples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.responses import Response

from wattbook.api import shapes
from wattbook.api.describe_common import add_common
from wattbook.api.shapes import Schema, one_of, order_of, shape_of
from wattbook.model.sources import SOURCES

INTRODUCTION = (
    "Readings, energy and the state of meters. Values are in base units (V, A, W, Wh, Hz …), instants in UTC. "
    'Every error is {"error": "what happened, where, what to do"}. Until a password is '
    "set, this machine may ask freely. Then every request needs a session or `Authorization: Bearer …`; other machines "
    "may ask from the networks in [api] allow."
)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
METER = "Only this meter; may be repeated."
INSTANT = "An instant, included: ISO 8601 (local time of the site without an offset), today, yesterday, now or -24h."
EVERY = "Step: 15min, 1h, 1d, 1w, 1mo, 1y. Registers give the energy of each step. Empty: the readings as they are."
LOCATION = 'All meters at or below this place, as "plant/hall 2"; may be repeated. "/" is everywhere.'
BY = (
    '"source": energy by where it came from at the time it was used; one answer for each source. '
    '"location": one answer for each location, the sum of what is there.'
)
BELOW = 'The locations one level below this one, as "plant"; "/" is the uppermost level.'
COLUMNS = "Tell the points as three arrays under `columns`: much less to send and to read."
POINTS = "Without every: so many values at the most, for a chart; the least and the greatest of every column stay."

_READING: Mapping[str, Any] = {
    "meter": "main-a",
    "at": "2026-11-21T01:02:03.000Z",
    "values": {"voltage": 230.1, "active_energy_import": 25409587},
    "quality": "good",
}
_READING_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["meter", "at", "values"],
    "properties": {
        "meter": {"type": "string"},
        "at": {"type": "string", "format": "date-time"},
        "values": {"type": "object", "additionalProperties": {"type": "number"}},
        "quality": {"type": "string", "enum": ["good", "suspect"]},
        "doubt": {"type": "object", "description": "Quality of single values that differ."},
    },
}
_ERROR_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
}


def _errors(**statuses: str) -> dict[int | str, dict[str, Any]]:
    return {
        int(status.removeprefix("_")): {
            "description": text,
            "content": {"application/json": {"schema": _ERROR_SCHEMA, "example": {"error": text}}},
        }
        for status, text in statuses.items()
    }


def _get(
    summary: str,
    example: Any,
    *,
    schema: Mapping[str, Any] | None = None,
    kind: str = "application/json",
    also: str = "",
    loose: Mapping[str, Schema] | None = None,
    sometimes: Collection[str] = (),
    **errors: str,
) -> dict[str, Any]:
    """The arguments of a FastAPI route that answers raw bytes, so that its shape is told by an example.

    `loose`: schemas of the keys that are not always as in the example, `sometimes`: keys that are not always there.
    `also`: a second kind of content, in bytes.
    """
    shape = schema or shape_of(example, loose or {}, sometimes)
    content: dict[str, Any] = {kind: {"schema": shape, "example": example}}
    if also:
        content[also] = {"schema": {"type": "string", "format": "binary"}}
    return {
        "summary": summary,
        "response_class": Response,
        "responses": {200: {"description": "OK", "content": content}, **_errors(**errors)},
    }


route = _get  # for files of their own that describe other routes

_NO_METER = 'no meter is called "main-b"; did you mean "main-a"?'

_OF_METER: Mapping[str, Schema] = {
    "since": shapes.TEXT_OR_NULL,
    "hints": shapes.TEXTS,
    "last_at": shapes.TEXT_OR_NULL,
    "progress": shapes.OBJECT_OR_NULL,
}
METERS = _get(
    "Every meter and how it fares",
    [
        {
            "name": "main-a",
            "model": "pzem-016",
            "title": "PZEM-014 / PZEM-016 AC energy meter (RS-485)",
            "location": "house/panel/a",
            "source": "utility",
            "line": "rs485",
            "state": "present",
            "reason": "",
            "since": "2026-11-21T01:00:00.000Z",
            "hints": [],
            "refusal": "",
            "last_at": "2026-11-21T01:02:03.000Z",
            "latency_s": 0.031,
            "progress": {"heard": 412, "expected": 1180},
            "counters": {"polls": 9, "answers": 9, "timeouts": 0, "garbled": 0, "refused": 0},
        }
    ],
    loose=_OF_METER,
)
LIFE = _get(
    "What happened to a meter: replaced, reset, corrected, by whom and why",
    {
        "meter": "main-a",
        "events": [
            {
                "number": 8213,
                "kind": "meter.replaced",
                "entered": "2026-11-21T11:02:03.000Z",
                "who": "anna",
                "why": "the old one failed",
                "state": "holds",
                "readings": 12,
                "body": {
                    "from": "2026-11-21T10:00:00.000Z",
                    "registers": {"active_energy_import": {"before": 25409587, "after": 0}},
                },
            }
        ],
    },
    loose={"body": shapes.OBJECT},
    _404=_NO_METER,
)
_ORDER = {
    "do": "replace",
    "from": "2026-11-21T11:00",
    "registers": {"active_energy_import": {"before": 25409587, "after": 0}},
    "why": "the old one failed",
    "who": "anna",
}
CHANGE_LIFE: Mapping[str, Any] = {
    **_get("Change a meter's life or its readings", {"numbers": [8213]}, _400="say why: it stays with the change"),
    "status_code": 201,
    "description": (
        "`do` is install, replace, reset, rollover, ratio, rewire, move, correct, accept, drop or undo. An event of a "
        "meter's life rewrites no reading; what a correction changed is kept, so `undo` brings it back."
    ),
    "openapi_extra": order_of(
        _ORDER,
        "do",
        "why",
        do=one_of(
            "install", "replace", "reset", "rollover", "ratio", "rewire", "move", "correct", "accept", "drop", "undo"
        ),
        registers={"type": ["object", "null"], "additionalProperties": shapes.OBJECT},
        values=shapes.NUMBERS_BY_NAME,
        quantities=shapes.TEXTS,
        number={"type": "integer"},
        ct=shapes.NUMBER,
        pt=shapes.NUMBER,
        swap={"type": "boolean"},
        turn={"type": "boolean"},
        phases={"type": ["array", "null"], "items": shapes.TEXT},
        location={"type": "string", "maxLength": 200},
        at=shapes.TEXT,
        to=shapes.TEXT_OR_NULL,
        why={"type": "string", "minLength": 1, "maxLength": 500},
        who=shapes.WHO,
        **{"from": shapes.TEXT_OR_NULL},
    ),
}
_SINK_LIST = _get(
    "How readings reach other systems",
    [
        {
            "name": "influx",
            "kind": "influxdb",
            "target": "http://influx.example:8086",
            "state": "away",
            "reason": "http://influx.example:8086: no host of this name is known",
            "since": "2026-11-21T01:02:05.000Z",
            "behind": 18213,
            "newest": "2026-11-21T01:02:03.000Z",
            "written": 912034,
            "rejected": 0,
            "skipped": 0,
            "retries": 12,
            "set_aside": 0,
        }
    ],
    loose={"newest": shapes.TEXT_OR_NULL, "since": shapes.TEXT_OR_NULL},
)
SINKS: Mapping[str, Any] = {
    **_SINK_LIST,
    "description": (
        "`state` is starting, reading, waiting (it has everything), away, failed or paused; `reason` says why, `since` "
        "since when it takes nothing. `target`: where it writes to, without users, passwords and paths. "
        "`behind`: entries of the book that it has not taken. `newest`: instant of the newest reading that it has. "
        "`written`, `rejected`, `skipped` (corrections that it cannot take, readings that it had) and `retries` count "
        "since the start. `set_aside`: readings that it refused for ever, until they are replayed."
    ),
}
CHANGE_SINK: Mapping[str, Any] = {
    **_get(
        "Pause, resume or replay a sink",
        {"done": "replay", "taken": 2},
        sometimes=("taken",),
        _400='"do" is one of pause, resume, replay',
    ),
    "description": (
        "`do` is pause, resume or replay. A paused sink stays so over restarts. Replay delivers everything `from` an "
        "instant on once more (without it from the beginning), or, with `refused`, what the sink had set aside; then "
        "the answer says how many readings it has `taken` of it."
    ),
    "openapi_extra": order_of(
        {"do": "replay", "from": "2026-11-01"},
        "do",
        do=one_of("pause", "resume", "replay"),
        refused={"type": "boolean"},
        who=shapes.WHO,
        **{"from": shapes.TEXT},
    ),
}
SUPPLY = _get(
    "Which source feeds the house now: utility, generator, dark, or unknown",
    {
        "state": "generator",
        "since": "2026-11-21T01:20:05.000Z",
        "for_s": 3600.0,
        "generator_current": 0.3,
        "dark": {
            "from": "2026-11-21T01:02:03.000Z",
            "to": "2026-11-21T01:20:05.000Z",
            "reason": "this machine was off",
        },
        "last_at": {"utility": "2026-11-21T02:20:05.000Z", "generator": "2026-11-21T02:20:05.000Z"},
    },
    loose={
        "state": shapes.TEXT_OR_NULL,
        "since": shapes.TEXT_OR_NULL,
        "for_s": shapes.NUMBER_OR_NULL,
        "dark": shapes.OBJECT_OR_NULL,
        "last_at": {"type": "object", "additionalProperties": shapes.TEXT_OR_NULL},
    },
)
STORAGE = _get(
    "How large the book is, how fast it grows, when its disk will be full, and its newest backup",
    {
        "bytes_file": 4618240,
        "bytes_unused": 0,
        "bytes_a_day": 153000,
        "bytes_free": 28000000000,
        "readings_hot": 2163,
        "readings_sealed": 1555197,
        "full_at": None,
        "commit_every_s": 1.0,
        "last_backup": "2026-11-21T02:00:00.000Z",
        "backup_problem": "",
    },
    loose={
        "bytes_a_day": shapes.NUMBER_OR_NULL,
        "full_at": shapes.TEXT_OR_NULL,
        "last_backup": shapes.TEXT_OR_NULL,
    },
)
QUANTITIES = _get(
    "Titles and units of quantities; without names, of all that the meters told",
    [{"name": "voltage", "title": "Voltage", "unit": "V", "kind": "gauge", "obis": "12.7.0"}],
    _400='no quantity is called "volts"; did you mean "voltage"?',
)
LATEST = _get(
    "The latest reading of each meter in the book",
    [_READING],
    schema={"type": "array", "items": _READING_SCHEMA},
    _404=_NO_METER,
)
_ANSWER: Mapping[str, Any] = {
    "meter": "main-a",
    "quantity": "active_energy_import",
    "unit": "Wh",
    "every": "1h",
    "points": [{"at": "2026-11-21T01:00:00.000Z", "value": 412, "quality": "measured"}],
}
_QUALITY: Mapping[str, Any] = {
    "type": "string",
    "enum": ["good", "suspect", "measured", "spread", "estimated", "missing"],
}
_ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["meter", "quantity", "unit", "every"],
    "oneOf": [{"required": ["points"]}, {"required": ["columns"]}],
    "properties": {
        "meter": {"type": "string"},
        "source": {"type": "string", "enum": [*SOURCES, "unknown"]},
        "quantity": {"type": "string"},
        "unit": {"type": "string"},
        "every": {"type": ["string", "null"], "description": "null: values as they were read."},
        "meters": {"type": "array", "items": {"type": "string"}, "description": "What was added up."},
        "missing": {"type": "object", "description": "Of these, what is missing, and in how many steps."},
        "integrated": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Meters without such a register, whose power was added up over time.",
        },
        "points": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "value", "quality"],
                "properties": {
                    "at": {"type": "string", "format": "date-time", "description": "Of a step: its start."},
                    "value": {"type": ["number", "null"]},
                    "quality": _QUALITY,
                },
            },
        },
        "columns": {
            "type": "object",
            "required": ["steps_ms", "value", "quality"],
            "properties": {
                "steps_ms": {
                    "type": "array",
                    "items": {"type": "integer"},
                    "description": "The first instant in ms since 1970; each other one in ms since the one before.",
                },
                "value": {"type": "array", "items": {"type": ["number", "null"]}},
                "quality": {
                    "oneOf": [_QUALITY, {"type": "array", "items": _QUALITY}],
                    "description": "Of each value, or once of all.",
                },
            },
        },
    },
}
QUERY = _get(
    "One quantity over time: of a meter, or, in an array, of several, of a location, or by source",
    _ANSWER,
    schema={"oneOf": [_ANSWER_SCHEMA, {"type": "array", "items": _ANSWER_SCHEMA}]},
    _400='"1x" is no step of time; write for example 15min, 1h, 1d, 1w or 1mo',
    _404=_NO_METER,
)
TABLE = _get(
    "The answer of /api/v1/query as a file for a spreadsheet, CSV or XLSX: a column for each meter, source or location",
    "at,heat-pump,quality\n2026-11-21T00:00:00.000+01:00,412,measured\n",
    schema={"type": "string"},
    kind="text/csv",
    also=XLSX,
    _400="more than 20000 values; choose longer steps or a shorter time, or use `wattbook query --csv`",
    _404=_NO_METER,
)
_CELLS: Mapping[str, Any] = {"type": "array", "minItems": 168, "maxItems": 168, "items": {"type": "number"}}
HOURS = _get(
    "The energy of each hour of the week, from Monday 0:00 by the site's clock, of each location",
    {
        "quantity": "active_energy_import",
        "unit": "Wh",
        "from": "2026-11-01T00:00:00.000Z",
        "to": "2026-11-29T00:00:00.000Z",
        "places": [
            {
                "location": "plant/hall 2",
                "meters": ["press", "oven"],
                "deeper": False,
                "energy": [5200.0] * 168,
                "hours": [4.0] * 168,
                "missing": [0.0] * 168,
                "quality": ["measured"] * 168,
            }
        ],
    },
    schema={
        "type": "object",
        "required": ["quantity", "unit", "from", "to", "places"],
        "properties": {
            "places": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["location", "meters", "deeper", "energy", "hours", "missing", "quality"],
                    "properties": {
                        "location": {"type": "string"},
                        "meters": {"type": "array", "items": {"type": "string"}},
                        "deeper": {"type": "boolean", "description": "Whether there are locations below it."},
                        "energy": {**_CELLS, "description": "Of the hours of which something is known, added up."},
                        "hours": {**_CELLS, "description": "How many hours that were."},
                        "missing": {**_CELLS, "description": "Hours of which nothing is known."},
                        "quality": {"type": "array", "items": {"type": "string"}},
                    },
                },
            }
        },
    },
    _400='"1x" is no instant; write ISO 8601, today, yesterday, now or -24h',
    _404='no meter is at "hause"; did you mean "house"?',
)
VIRTUAL_METERS = _get(
    "The meters that are computed from others",
    [
        {
            "name": "house",
            "formula": "main-a + main-b",
            "location": "house",
            "source": "",
            "parts": {"main-a": 1.0, "main-b": 1.0},
        }
    ],
    loose={"parts": shapes.NUMBERS_BY_NAME},
)
_LIVE_STREAM = _get(
    "The last reading of each meter, then new ones and changes of state as they happen (server-sent events)",
    'id: 4711\ndata: {"meter":"main-a","at":"2026-11-21T01:02:03.000Z","values":{"voltage":230.1},"quality":"good",'
    '"seq":4711}\n\nevent: status\ndata: {"name":"heat-pump","state":"away","reason":"no answer",…}\n\n'
    'event: supply\ndata: {"state":"generator","since":"2026-11-21T01:20:05.000Z",…}\n\n'
    'event: alerts\ndata: {"raised":1,"changed":8213}\n\n',
    schema=shapes.EVENT,
    kind="text/event-stream",
    _404=_NO_METER,
    _503="too many live streams are open; close some pages",
)
LIVE: Mapping[str, Any] = {
    **_LIVE_STREAM,
    "description": (
        "An event without a name is a reading. `status`: a meter as /api/v1/meters has it. Who watches all meters is "
        "told of the house too: `supply` as /api/v1/supply has it, and `alerts`, at the beginning and whenever a rule "
        "is raised, is over, is muted or is tested: `raised` rules are so now, muted ones too, and `changed` is the "
        "number of the newest event, which /api/v1/alerts/history begins with."
    ),
}
METRICS = _get(
    "Counters and latest values for Prometheus (OpenMetrics)",
    '# TYPE wattbook_voltage_volts gauge\nwattbook_voltage_volts{meter="main-a"} 230.1\n# EOF\n',
    schema={"type": "string"},
    kind="application/openmetrics-text",
)
ENERGY = _get(
    "The address of the optical reader that wattbook replaces",
    {"energy": {"highTarif": "0004200.177", "lowTarif": "0021209.409", "suma": "0025409.587"}},
    loose=dict.fromkeys(("highTarif", "lowTarif", "suma"), shapes.TEXT_OR_0),
)

_PLAIN_TABLE = "meter,at,voltage,active_energy_import\nmain-a,2026-11-21T01:02:03Z,230.1,25409587\n"
_POST_READINGS: Mapping[str, Any] = {
    "post": {
        "summary": "Send readings of meters without a line; answered when they are durable",
        "description": (
            "One reading, an array of them, or one a line (NDJSON); or the plain table (CSV). gzip is welcome. The "
            "same reading may be sent again: it is kept once. Up to 16 MB. A body with one wrong row is refused whole."
        ),
        "operationId": "post_readings",
        "parameters": [
            {
                "name": "history",
                "in": "query",
                "description": "1: readings of the past, as `wattbook import` sends them, also of meters on a line.",
                "schema": {"type": "string", "enum": ["0", "1"]},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"oneOf": [_READING_SCHEMA, {"type": "array", "items": _READING_SCHEMA}]},
                    "example": [_READING],
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}, "example": _PLAIN_TABLE},
            },
        },
        "responses": {
            "200": {
                "description": "Durable",
                "content": {
                    "application/json": {
                        "schema": {"type": "object"},
                        "example": {"new": 1, "same": 0, "conflicts": 0},
                    }
                },
            },
            **{
                str(status): answer
                for status, answer in _errors(
                    _400='row 2: no quantity is called "volts"; did you mean "voltage"?',
                    _404=_NO_METER,
                    _409='"main-a" is read on line "rs485"; only meters without a line may be sent',
                    _413="the body is larger than 16000000 bytes; send it in parts",
                    _503="the disk is full; readings are kept when there is space again",
                ).items()
            },
        },
    }
}


def add_raw_routes(app: FastAPI) -> None:
    """Put what FastAPI cannot see into the description."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        schema = made()
        schema["paths"].setdefault("/api/v1/readings", _POST_READINGS)
        add_common(schema)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
