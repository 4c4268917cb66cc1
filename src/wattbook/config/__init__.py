"""wattbook.toml as typed settings. The only reader of configuration, secrets and environment."""

from wattbook.config.alert_settings import SEVERITIES, AlertSettings, NotifySettings
from wattbook.config.append import NotRight, Piece, append, change, free_name, pieces_text, present
from wattbook.config.edit import Edit
from wattbook.config.read import examine, load
from wattbook.config.settings import (
    ApiSettings,
    BackupSettings,
    Config,
    LineSettings,
    LogSettings,
    MeterSettings,
    ProxySettings,
    RetentionSettings,
    SiteSettings,
    SupplySettings,
    VirtualMeterSettings,
    parse_listen,
)
from wattbook.config.simulate_problems import buses_of
from wattbook.config.sinks import one_sink
from wattbook.config.text import Problem
from wattbook.values import Secret, parse_duration

__all__ = [
    "SEVERITIES",
    "AlertSettings",
    "ApiSettings",
    "BackupSettings",
    "Config",
    "Edit",
    "LineSettings",
    "LogSettings",
    "MeterSettings",
    "NotRight",
    "NotifySettings",
    "Piece",
    "Problem",
    "ProxySettings",
    "RetentionSettings",
    "Secret",
    "SiteSettings",
    "SupplySettings",
    "VirtualMeterSettings",
    "append",
    "buses_of",
    "change",
    "examine",
    "free_name",
    "load",
    "one_sink",
    "parse_duration",
    "parse_listen",
    "pieces_text",
    "present",
]
