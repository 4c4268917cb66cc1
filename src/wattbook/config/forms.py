"""What a form for each table of wattbook.toml asks for: taken from the settings themselves, so that both agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import time
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import annotated_types

from wattbook.config.alert_settings import KEYS, OF_ALL, AlertSettings, NotifySettings
from wattbook.config.comments import comment_of
from wattbook.config.settings import (
    BackupSettings,
    LineSettings,
    MeterSettings,
    SiteSettings,
    SupplySettings,
    VirtualMeterSettings,
)
from wattbook.model.errors import ConfigError
from wattbook.sinks import KINDS, SinkSettings, settings_class
from wattbook.values import DayTime, Seconds, Secret, Start

KeyJson = Mapping[str, Any]
SITE_KEYS = ("name", "timezone", "language", "on_reset", "commit_every")  # the others name files
OF_TABLE: Mapping[str, type] = {
    "site": SiteSettings, "supply": SupplySettings, "backup": BackupSettings, "alert": AlertSettings,
    "notify": NotifySettings, "sink": SinkSettings, "meter": MeterSettings, "line": LineSettings,
}  # fmt: skip
_SUGGEST = {
    "meters": "meters", "quantities": "quantities", "quantity": "quantities", "sinks": "sinks", "alerts": "alerts",
    "locations": "locations", "location": "locations",
}  # fmt: skip
_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
_MARKS = {get_args(Seconds)[1]: "duration", get_args(DayTime)[1]: "day time", get_args(Start)[1]: "text"}
_TYPES: Mapping[Any, str] = {
    str: "text", int: "whole", float: "number", bool: "flag", ZoneInfo: "zone", Path: "path", time: "day time",
    Secret: "secret",
}  # fmt: skip


@cache
def forms() -> Mapping[str, Any]:
    """The keys of every table that can be set from a browser."""
    kinds, missing = _sink_kinds()
    return {
        "site": {"keys": [key for key in keys_of(SiteSettings) if key["key"] in SITE_KEYS]},
        "supply": {"keys": keys_of(SupplySettings)},
        "backup": {"keys": keys_of(BackupSettings)},
        "alert": {
            "keys": [key for key in keys_of(AlertSettings) if key["key"] in OF_ALL],
            "kinds": {kind: _alert_keys(kind) for kind in KEYS},
        },
        "notify": {"keys": keys_of(NotifySettings)},
        "sink": {"keys": list(map(_with_kinds, keys_of(SinkSettings))), "kinds": kinds, "missing": missing},
        "meter": {"keys": keys_of(MeterSettings), "virtual": keys_of(VirtualMeterSettings)},
        "line": {"keys": keys_of(LineSettings)},
    }


def _alert_keys(kind: str) -> Sequence[KeyJson]:
    keys = {key["key"]: key for key in keys_of(AlertSettings)}
    return [
        {**keys[name], "default": _as_written(default, keys[name]["type"]), "required": default is None}
        for name, default in KEYS[kind].items()
    ]


def _sink_kinds() -> tuple[Mapping[str, Sequence[KeyJson]], Mapping[str, str]]:
    """The keys of each kind that can be used here, and why the others cannot."""
    kinds, missing = {}, {}
    common = {key["key"]: key for key in keys_of(SinkSettings)}
    for kind in KINDS:
        try:
            own = keys_of(settings_class(kind))
        except ConfigError as error:
            missing[kind] = str(error)
        else:
            kinds[kind] = [key for key in own if key["key"] != "kind" and key != common.get(key["key"])]
    return kinds, missing


def _with_kinds(key: KeyJson) -> KeyJson:
    return {**key, "type": "choice", "choices": list(KINDS)} if key["key"] == "kind" else key


def keys_of(settings: type[Any]) -> Sequence[KeyJson]:
    """What each key of a table is, in the order of the code."""
    hints = get_type_hints(settings, include_extras=True)
    return [_key(settings, item, hints[item.name]) for item in fields(settings)]


def is_secret(hint: object) -> bool:
    """Whether a key's type holds a secret, be it in a table."""
    return Secret in _leaves(hint)


def is_path(hint: object) -> bool:
    """Whether a key's type names a file or folder of this machine."""
    return Path in _leaves(hint)


def is_table(hint: object) -> bool:
    """Whether a key's value is a table."""
    return _shape(hint)[0] == "map"


def _leaves(hint: object) -> Iterator[Any]:
    """The plain types that a type is made of."""
    inner = get_args(hint)[:1] if get_origin(hint) is Annotated else get_args(hint)
    if not inner or get_origin(hint) is Literal:
        yield hint
    for each in inner:
        yield from _leaves(each)


def _key(settings: type, item: Field[Any], hint: object) -> KeyJson:
    kind, choices, least, most = _shape(hint)
    make: Any = item.default_factory
    default = item.default if make is MISSING else make()
    found: dict[str, Any] = {
        "key": item.name,
        "type": kind,
        "default": None if default is MISSING else _as_written(default, kind),
        "required": default is MISSING,
        "help": comment_of(settings, item.name),
    }
    optional = {"choices": choices, "min": least, "max": most, "suggest": _SUGGEST.get(item.name)}
    return {**found, **{key: value for key, value in optional.items() if value is not None}}


def _shape(hint: object) -> tuple[str, Sequence[Any] | None, float | None, float | None]:
    """Type, choices, and the least and greatest value, of a key's type."""
    marks: list[Any] = []
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            hint, *more = get_args(hint)
            marks += more
        elif origin in (Union, UnionType) and (rest := [each for each in get_args(hint) if each is not NoneType]):
            if len(rest) > 1:
                return _of_union(rest), None, None, None
            (hint,) = rest
        else:
            break
    least, most = _bounds(marks)
    if get_origin(hint) is Literal:
        return "choice", list(get_args(hint)), None, None
    marked = next((_MARKS[mark] for mark in marks if _hashable(mark) in _MARKS), None)
    return marked or _plain(hint), None, least, most


def _bounds(marks: Sequence[Any]) -> tuple[float | None, float | None]:
    """The least and the greatest number that pydantic's Field lets through."""
    found: dict[str, Any] = {}
    for bound in (each for mark in marks for each in getattr(mark, "metadata", ())):
        match bound:
            case annotated_types.Ge(least) | annotated_types.Gt(least):
                found["least"] = least
            case annotated_types.Le(most) | annotated_types.Lt(most):
                found["most"] = most
            case _:  # of other kinds: allow_inf_nan
                pass
    return found.get("least"), found.get("most")


def _hashable(mark: object) -> object:
    try:
        hash(mark)
    except TypeError:
        return None
    return mark


def _of_union(choices: Sequence[Any]) -> str:
    """A number or a text is a text; a text or a table is a table when it may be."""
    plain = {_plain(each) for each in choices}
    return next((kind for kind in ("map", "list") if kind in plain), "text")


def _plain(hint: Any) -> str:
    origin = get_origin(hint) or hint
    if origin is Annotated:
        return _shape(hint)[0]
    if origin in _TYPES:
        return _TYPES[origin]
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "map"
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return "list"
    return "text"


def _as_written(default: Any, kind: str) -> Any:
    """A default as it would stand in the file."""
    if isinstance(default, Secret) or is_dataclass(default):
        return None
    if kind == "duration" and isinstance(default, float):
        return duration_text(default)
    match default:
        case None | bool() | int() | float() | str():
            return default
        case ZoneInfo() | Path():
            return str(default)
        case time():
            return default.isoformat("minutes")
        case Mapping():
            return dict(default)
        case _:
            return list(default)


def duration_text(seconds: float) -> str:
    """A duration as people write it: the greatest unit that it is a whole number of."""
    for unit, size_s in _UNITS:
        if seconds >= size_s and seconds % size_s == 0:
            return f"{seconds / size_s:g}{unit}"
    return "0s" if seconds == 0 else f"{seconds * 1000:g}ms"
