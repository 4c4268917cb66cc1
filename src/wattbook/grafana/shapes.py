"""What is asked of the settings of those sinks whose databases Grafana reads.

Not their classes: who has an InfluxDB alone has no package for SQL installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from wattbook.values import Secret


class InfluxShape(Protocol):
    """A sink of kind influxdb."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def database(self) -> str: ...
    @property
    def bucket(self) -> str: ...
    @property
    def retention_policy(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def token(self) -> Secret: ...
    @property
    def measurement(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...
    @property
    def fields(self) -> Mapping[str, str]: ...


class SqlShape(Protocol):
    """A sink of kind sql. Of an SQLite database the url is empty."""

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> Secret: ...
    @property
    def table(self) -> str: ...
    @property
    def columns(self) -> Mapping[str, str]: ...
