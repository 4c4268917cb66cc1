"""Meter models as data: one TOML file each in `models/`, and the loader. The only place with register numbers."""

from wattbook.profiles.cirbus import CirbusAsk, CirbusSettings
from wattbook.profiles.load import Library, load_profile, parse_profile
from wattbook.profiles.profile import (
    POWER_MAX_ANY,
    Command,
    CommandName,
    Display,
    Field,
    Identity,
    IecSettings,
    ModbusSettings,
    MqttSettings,
    ObisCode,
    Profile,
    Register,
    Scale,
    SerialSettings,
    SmlSettings,
)
from wattbook.profiles.swap import swap_import_export

__all__ = [
    "POWER_MAX_ANY",
    "CirbusAsk",
    "CirbusSettings",
    "Command",
    "CommandName",
    "Display",
    "Field",
    "Identity",
    "IecSettings",
    "Library",
    "ModbusSettings",
    "MqttSettings",
    "ObisCode",
    "Profile",
    "Register",
    "Scale",
    "SerialSettings",
    "SmlSettings",
    "load_profile",
    "parse_profile",
    "swap_import_export",
]
