"""Which kinds of sinks there are. A kind's module is imported when a configuration or a form names it.

It has the settings and no foreign library: that is imported where a sink is made, or first sends something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from wattbook.model import ConfigError
from wattbook.model.around import Surroundings
from wattbook.model.nearest import did_you_mean
from wattbook.sinks.sink import Sink, SinkSettings


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind of sink lives, which foreign packages it needs, and which extra of ours brings them."""

    module: str
    settings: str
    extra: str = ""
    packages: Sequence[str] = ()


KINDS: Mapping[str, Kind] = {
    "influxdb": Kind("influxdb", "InfluxSettings", "http", ("aiohttp",)),
    "sql": Kind("sql", "SqlSettings", "sql", ("sqlalchemy",)),
    "mongodb": Kind("mongodb", "MongoSettings", "mongodb", ("pymongo",)),
    "elasticsearch": Kind("elasticsearch", "ElasticsearchSettings", "elasticsearch", ("aiohttp",)),
    "console": Kind("console", "ConsoleSettings"),
    "csv": Kind("csv_files", "CsvSettings"),
    "mqtt": Kind("mqtt", "MqttSettings"),
    "http": Kind("http", "HttpSettings", "http", ("aiohttp",)),
    "prometheus": Kind("prometheus", "PrometheusSettings", "prometheus", ("cramjam", "aiohttp")),
    "kafka": Kind("kafka", "KafkaSettings", "kafka", ("confluent_kafka",)),
    "nats": Kind("nats", "NatsSettings", "nats", ("nats", "nkeys")),
}


def settings_class(kind: str) -> type[SinkSettings]:
    """The settings of a kind. Raises ConfigError: no such kind, or a package that it needs is not installed."""
    if kind not in KINDS:
        raise ConfigError(
            f'no kind of sink is called "{kind}"{did_you_mean(kind, KINDS)}; there are: {", ".join(KINDS)}'
        )
    where = KINDS[kind]
    missing = next((package for package in where.packages if find_spec(package) is None), None)
    if missing:
        raise ConfigError(_needs(kind, missing))
    found: type[SinkSettings] = getattr(import_module(f"wattbook.sinks.{where.module}"), where.settings)
    return found


def make_sink(settings: SinkSettings, around: Surroundings) -> Sink:
    """The sink of these settings. Raises ValueError, also when its library needs a package that is not installed."""
    try:
        return settings.make(around)
    except ModuleNotFoundError as error:
        package = (error.name or "wattbook").partition(".")[0]
        if package == "wattbook":
            raise
        raise ValueError(_needs(settings.kind, package)) from error


def _needs(kind: str, package: str) -> str:
    return f'a sink of kind "{kind}" needs the package {package}: pip install "wattbook[{KINDS[kind].extra}]"'
