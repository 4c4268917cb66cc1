"""Which kinds of sinks there are. A kind's module is imported when a configuration names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from wattbook.model import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.sinks.sink import SinkSettings


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind of sink lives, and which extra of the package it needs."""

    module: str
    settings: str
    extra: str = ""


KINDS: Mapping[str, Kind] = {
    "influxdb": Kind("influxdb", "InfluxSettings", "http"),
    "sql": Kind("sql", "SqlSettings", "sql"),
    "mongodb": Kind("mongodb", "MongoSettings", "mongodb"),
    "elasticsearch": Kind("elasticsearch", "ElasticsearchSettings", "elasticsearch"),
    "console": Kind("console", "ConsoleSettings"),
    "csv": Kind("csv_files", "CsvSettings"),
    "mqtt": Kind("mqtt", "MqttSettings"),
    "http": Kind("http", "HttpSettings", "http"),
    "prometheus": Kind("prometheus", "PrometheusSettings", "prometheus"),
    "kafka": Kind("kafka", "KafkaSettings", "kafka"),
    "nats": Kind("nats", "NatsSettings", "nats"),
}


def settings_class(kind: str) -> type[SinkSettings]:
    """The settings of a kind. Raises ConfigError: no such kind, or a package that it needs is not installed."""
    if kind not in KINDS:
        raise ConfigError(
            f'no kind of sink is called "{kind}"{did_you_mean(kind, KINDS)}; there are: {", ".join(KINDS)}'
        )
    where = KINDS[kind]
    try:
        module = import_module(f"wattbook.sinks.{where.module}")
    except ModuleNotFoundError as error:
        if not error.name or error.name.partition(".")[0] == "wattbook":
            raise
        package = error.name.partition(".")[0]
        raise ConfigError(
            f'a sink of kind "{kind}" needs the package {package}: pip install "wattbook[{where.extra}]"'
        ) from error
    found: type[SinkSettings] = getattr(module, where.settings)
    return found
