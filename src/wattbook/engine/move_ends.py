"""Which database a sink writes to, so that a move can read from there: to begin with it, or to compare."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from wattbook.exchange.servers import Server, server_at
from wattbook.model import ConfigError
from wattbook.sinks import SinkSettings

READABLE = ("influxdb", "sql", "mongodb")


def server_of(settings: SinkSettings, site: str) -> Server:
    """The database that a sink of this site writes to. Raises ConfigError: it cannot be read here."""
    told: Any = settings  # each kind has settings of its own
    if settings.kind == "influxdb" and told.version == 1:
        measurement = told.measurement if _as_made(told) else ""
        url = f"{told.url.rstrip('/')}/{told.database}"
        return server_at(_with_user(url, told.username), table=measurement, password=told.password, site=site)
    if settings.kind == "mongodb" and "{" not in told.collection:
        server_url = told.url.reveal()
        path = "" if _names_database(server_url) or not told.database else f"/{told.database}"
        url = server_url.rstrip("/") + path if path else server_url
        return server_at(_with_user(url, told.username), table=told.collection, password=told.password, site=site)
    if settings.kind == "sql":
        url = f"sqlite:///{told.file}" if told.file else told.url.reveal()
        return server_at(url, table=told.table, password=told.password, site=site)
    raise ConfigError(f'what a sink of kind "{settings.kind}" wrote cannot be read again here', place=settings.name)


def read_back(settings: SinkSettings, site: str) -> Server | None:
    """The database behind a sink, where what stands there tells by itself which reading it is; else None."""
    if settings.kind not in READABLE or not _as_made(settings):
        return None
    try:
        return server_of(settings, site)
    except ConfigError:
        return None


_LAYOUT = ("measurement", "tags", "fields", "integers", "document", "id", "columns")


def _as_made(settings: SinkSettings) -> bool:
    """Whether a sink stores readings as it does when nothing is said of it: base units under their own names."""
    usual: Any = type(settings)(**{"name": "usual", "kind": settings.kind, **_needed(settings)})
    there = {each.name for each in fields(settings)}
    return all(getattr(settings, name) == getattr(usual, name) for name in _LAYOUT if name in there)


def _needed(settings: SinkSettings) -> dict[str, Any]:
    return {"url": getattr(settings, "url", "")} if any(each.name == "url" for each in fields(settings)) else {}


def _names_database(url: str) -> bool:
    return bool(url.partition("://")[2].partition("/")[2].partition("?")[0])


def _with_user(url: str, user: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{user}@{rest}" if user and "@" not in rest else url
