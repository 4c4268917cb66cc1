"""What wattbook.toml says, for people to look at: without secrets, and without where they are kept."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, get_type_hints

from wattbook.config.edit import SINGLE
from wattbook.config.forms import OF_TABLE, is_secret
from wattbook.config.settings import VirtualMeterSettings
from wattbook.model.errors import ConfigError
from wattbook.sinks import SinkSettings, settings_class

_HOLDS_SECRET = re.compile(
    r"://[^/\s]*@|[?&;](?:[^=&;]*[-_.])?(?:token|key|password|passwd|secret|sig|auth)[^=&;]*=", re.I
)
_REFERENCE = re.compile(r"cannot read the secret in .*|the environment has no variable .*", re.DOTALL)


def tables_told(text: str) -> Mapping[str, Any]:
    """The tables that a browser may set, with the keys that stand in the text, which is right TOML."""
    whole = tomllib.loads(text)
    return {table: _of_name(table, whole.get(table)) for table in OF_TABLE}


def _of_name(table: str, found: Any) -> Any:
    if table in SINGLE:
        empty: Mapping[str, Any] | None = None if table == "backup" else {}
        return table_told(table, found) if isinstance(found, Mapping) else empty
    return [table_told(table, each) for each in found or () if isinstance(each, Mapping)]


def table_told(table: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """The keys of one table."""
    hints = hints_of(table, keys)
    return {key: _told(value, secret=key not in hints or is_secret(hints[key])) for key, value in keys.items()}


def hints_of(table: str, keys: Mapping[str, Any]) -> Mapping[str, Any]:
    """The types of a table's keys. Of a sink whose package is missing, those that all sinks have."""
    return get_type_hints(settings_of(table, keys), include_extras=True)


def settings_of(table: str, keys: Mapping[str, Any]) -> type:
    """The settings that a table is read as."""
    if table == "meter" and "formula" in keys:
        return VirtualMeterSettings
    if table != "sink":
        return OF_TABLE[table]
    try:
        return settings_class(str(keys.get("kind", "")))
    except ConfigError:
        return SinkSettings


def _told(value: Any, *, secret: bool) -> Any:
    match value:
        case {"env": str(), **rest} if secret and not rest:
            return {"secret": True, "from": "env"}
        case {"file": str(), **rest} if secret and not rest:
            return {"secret": True, "from": "file"}
        case Mapping():
            return {str(name): _told(each, secret=secret) for name, each in value.items()}
        case list():
            return [_told(each, secret=secret) for each in value]
        case str() if secret or _HOLDS_SECRET.search(value):
            return {"secret": True}
        case bool() | int() | float() | str():
            return {"secret": True} if secret else value
        case _:
            return str(value)  # a date


def without_references(message: str) -> str:
    """A problem's words without where a secret is kept."""
    return _REFERENCE.sub("the secret that is named there cannot be read", message)
