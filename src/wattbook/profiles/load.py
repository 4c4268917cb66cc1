"""Read profiles from TOML, with errors that name the file, the key and the nearest right name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast, get_args

from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.profiles.key_lines import KeyPath, key_lines
from wattbook.profiles.load_cirbus import cirbus_settings
from wattbook.profiles.load_modbus import modbus_settings
from wattbook.profiles.profile import (
    POWER_MAX_ANY,
    POWER_MAX_HOUSE,
    POWER_MAX_LOW_VOLTAGE,
    REACTION_S,
    Display,
    Field,
    HostSettings,
    IecSettings,
    MqttSettings,
    ObisCode,
    Parity,
    Profile,
    Protocol,
    SerialSettings,
    SmlSettings,
)
from wattbook.profiles.table import PAUSE_S_MAX, Source, Table, check_once

_PROFILE_SIZE_MAX = 1_000_000  # bytes; the largest meter has some hundred registers
_OBIS = re.compile(r"(?:\d{1,3}|[CFLP])\.(?:\d{1,3}|[CFLP])\.\d{1,3}", re.ASCII)  # C.D.E


class Library:
    """The models known by name: those of wattbook and those of the user's own folders, which come first."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = tuple(folders)
        self._loaded: dict[str, Profile] = {}

    @cached_property
    def _files(self) -> Mapping[str, Path | Traversable]:
        files: dict[str, Path | Traversable] = {}
        own = resources.files("wattbook.profiles").joinpath("models")
        for file in sorted(own.iterdir(), key=lambda file: file.name):
            if file.name.endswith(".toml"):
                files[file.name.removesuffix(".toml")] = file
        for folder in self._folders:
            if not folder.is_dir():
                raise ConfigError("no such folder of profiles", place=str(folder))
            files |= {path.stem: path for path in sorted(folder.glob("*.toml"))}
        return files

    def names(self) -> tuple[str, ...]:
        """Every model's name, sorted."""
        return tuple(sorted(self._files))

    def check_own(self) -> None:
        """Read every model of the user's folders. Raises ConfigError for the first that is none."""
        for name, file in self._files.items():
            if isinstance(file, Path) and file.parent in self._folders:
                self.get(name)

    def __iter__(self) -> Iterator[Profile]:
        return map(self.get, self.names())

    def get(self, name: str) -> Profile:
        """Return the profile of this name, or raise ConfigError with the nearest right one."""
        if name not in self._loaded:
            file = self._files.get(name)
            if file is None:
                raise ConfigError(f'no model is called "{name}"{did_you_mean(name, self._files)}')
            self._loaded[name] = load_profile(file)
        return self._loaded[name]


def load_profile(file: Path | Traversable) -> Profile:
    """Read one profile. Raises ConfigError with its place."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=file.name) from error
    if len(data) > _PROFILE_SIZE_MAX:
        raise ConfigError("too large for a profile", place=file.name)
    try:
        text = data.decode()
        table = tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, of dates and whole numbers
        raise ConfigError(f"not TOML: {error}", place=file.name) from error
    profile = parse_profile(table, place=file.name, lines=key_lines(text))
    if f"{profile.name}.toml" != file.name:
        raise ConfigError(f'a model called "{profile.name}" must be in {profile.name}.toml', place=file.name)
    return profile


def parse_profile(table: Mapping[str, Any], *, place: str, lines: Mapping[KeyPath, int] | None = None) -> Profile:
    """Turn a TOML table into a profile. Raises ConfigError with `place`, the line where `lines` tells it, and the key;
    with every fault of the rows at once, one a line."""
    source = Source(place, lines or {})
    try:
        profile = _profile(Table(table, source))
    except ConfigError as error:
        source.faults.append(error)
        source.end()
        raise
    source.end()
    return profile


def _power_max(protocol: Protocol, *, unchecked: bool) -> float:
    """What a model that says nothing is held to: closely where damage may look like a number."""
    if protocol == "mqtt":
        return POWER_MAX_ANY
    return POWER_MAX_HOUSE if unchecked or protocol == "cirbus" else POWER_MAX_LOW_VOLTAGE


def _profile(top: Table) -> Profile:
    model = top.table("model")
    protocol = cast(Protocol, model.choice("protocol", get_args(Protocol)))
    profile = Profile(
        name=model.text("name"),
        title=model.text("title"),
        vendor=model.text("vendor"),
        protocol=protocol,
        source=model.text("source"),
        verified=model.flag("verified"),
        unchecked=model.flag("unchecked", default=False),
        power_max=model.real(
            "power_max",
            least=1,
            most=POWER_MAX_ANY,
            default=_power_max(protocol, unchecked=model.flag("unchecked", default=False)),
        ),
        note=model.text("note", default=""),
        serial=_serial(top.table("serial", optional=True)),
        modbus=modbus_settings(top) if protocol == "modbus" else None,
        obis=top.each("obis", _obis),
        iec=_iec(top.table("iec62056-21", optional=True)) if protocol == "iec62056-21" else None,
        sml=_sml(top.table("sml", optional=True)) if protocol == "sml" else None,
        mqtt=_mqtt(top) if protocol == "mqtt" else None,
        cirbus=cirbus_settings(top) if protocol == "cirbus" else None,
        host=_host(top.table("host", optional=True)) if protocol == "host" else None,
        display=_display(top.table("display")) if top.has("display") else None,
    )
    model.done()
    top.done()
    return profile


def _serial(table: Table) -> SerialSettings:
    settings = SerialSettings(
        baud=table.whole("baud", default=9600, least=50, most=4_000_000),
        bits=table.whole("bits", default=8, least=5, most=8),
        parity=cast(Parity, table.choice("parity", get_args(Parity), default="none")),
        stopbits=table.whole("stopbits", default=1, least=1, most=2),
    )
    table.done()
    return settings


def _obis(row: Table) -> ObisCode:
    name = row.quantity()
    unit = row.text("unit", default="")
    if unit:
        row.check_unit(unit, name)
    sign = row.whole("sign", default=1, least=-1, most=1)
    code = ObisCode(_obis_code(row.text("code"), row), name, unit, sign)
    row.done()
    if sign == 0:
        raise row.refuse('"sign" must be 1 or -1, not 0')
    return code


def _obis_code(code: str, table: Table) -> str:
    if not _OBIS.fullmatch(code):
        raise table.refuse(f'"{code}" is no OBIS code; write its short form C.D.E, as in 1.8.0')
    return code


def _iec(table: Table) -> IecSettings:
    settings = IecSettings(
        mode=cast(Any, table.choice("mode", ("A", "B", "C", "D"), default="C")),
        check=cast(Any, table.choice("check", ("required", "optional"), default="required")),
        baud_max=table.whole("baud_max", default=19200, least=300, most=19200),
        reaction_s=table.real("reaction_s", default=REACTION_S, least=0, most=PAUSE_S_MAX),
        wake_nuls=table.whole("wake_nuls", default=0, least=0, most=1000),
    )
    table.done()
    return settings


def _sml(table: Table) -> SmlSettings:
    settings = SmlSettings(
        crc=cast(Any, table.choice("crc", ("x25", "kermit"), default="x25")),
        unsigned_codes=tuple(_obis_code(code, table) for code in table.texts("unsigned_codes")),
        server_ids=tuple(prefix.casefold() for prefix in table.texts("server_ids")),
    )
    table.done()
    for prefix in settings.server_ids:
        if not re.fullmatch("[0-9a-f]+", prefix):
            raise table.refuse(f'"{prefix}" is no beginning of a server id: hexadecimal digits')
    return settings


def _host(table: Table) -> HostSettings:
    settings = HostSettings(thermal_zones=tuple(table.texts("thermal_zones")))
    table.done()
    return settings


def _mqtt(top: Table) -> MqttSettings:
    table = top.table("mqtt")
    settings = MqttSettings(
        topic=table.text("topic"),
        time=table.text("time", default=""),
        fields=top.each("field", _field),
    )
    table.done()
    if not settings.fields:
        raise ConfigError("an MQTT profile needs at least one [[field]]", place=top.place)
    check_once((field.quantity for field in settings.fields), f"{top.place} [[field]]")
    return settings


def _field(row: Table) -> Field:
    name = row.quantity()
    field = Field(name, row.text("path"), row.scale(name), row.text("topic", default=""))
    row.done()
    return field


def _display(table: Table) -> Display:
    display = Display(
        integer_digits=table.whole("integer_digits", least=1, most=15),
        decimals=table.whole("decimals", least=0, most=9),
        unit=table.text("unit", default="kWh"),
    )
    table.check_unit(display.unit, "active_energy_import")
    table.done()
    return display
