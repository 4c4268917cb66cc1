"""wattbook.toml as typed settings. The only reader of configuration, secrets and environment."""

from wattbook.config.read import examine, load
from wattbook.config.settings import (
    ApiSettings,
    Config,
    LineSettings,
    LogSettings,
    MeterSettings,
    ProxySettings,
    SiteSettings,
    SupplySettings,
    parse_listen,
)
from wattbook.config.text import Problem
from wattbook.config.values import Secret, parse_duration

__all__ = [
    "ApiSettings",
    "Config",
    "LineSettings",
    "LogSettings",
    "MeterSettings",
    "Problem",
    "ProxySettings",
    "Secret",
    "SiteSettings",
    "SupplySettings",
    "examine",
    "load",
    "parse_duration",
    "parse_listen",
]
