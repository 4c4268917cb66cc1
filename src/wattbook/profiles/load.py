"""Read profiles from TOML, with errors that name the file, the key and the nearest right name."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast, get_args

from wattbook.model.errors import ConfigError, WattbookError
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import quantity, unit_factor
from wattbook.profiles.profile import (
    Display,
    Field,
    IecSettings,
    ModbusSettings,
    MqttSettings,
    ObisCode,
    Parity,
    Profile,
    Protocol,
    Register,
    RegisterType,
    Scale,
    SerialSettings,
    SmlSettings,
    WordOrder,
)

_PROFILE_SIZE_MAX = 1_000_000  # bytes; the largest meter has some hundred registers
_MISSING = object()


class Library:
    """The models known by name: those of wattbook and those of the user's own folders, which come first."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._folders = tuple(folders)

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

    def __iter__(self) -> Iterator[Profile]:
        return map(self.get, self.names())

    def get(self, name: str) -> Profile:
        """Return the profile of this name, or raise ConfigError with the nearest right one."""
        file = self._files.get(name)
        if file is None:
            raise ConfigError(f'no model is called "{name}"{did_you_mean(name, self._files)}')
        return load_profile(file)


def load_profile(file: Path | Traversable) -> Profile:
    """Read one profile. Raises ConfigError with its place."""
    text = file.read_bytes()
    if len(text) > _PROFILE_SIZE_MAX:
        raise ConfigError("too large for a profile", place=file.name)
    try:
        table = tomllib.loads(text.decode(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not TOML: {error}", place=file.name) from error
    return parse_profile(table, place=file.name)


def parse_profile(table: Mapping[str, Any], *, place: str) -> Profile:
    """Turn a TOML table into a profile. Raises ConfigError with `place` and the key."""
    top = _Table(table, place)
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
        note=model.text("note", default=""),
        serial=_serial(top.table("serial", optional=True)),
        modbus=_modbus(top) if protocol == "modbus" else None,
        obis=tuple(map(_obis, top.tables("obis"))),
        iec=_iec(top.table("iec62056-21", optional=True)) if protocol == "iec62056-21" else None,
        sml=_sml(top.table("sml", optional=True)) if protocol == "sml" else None,
        mqtt=_mqtt(top) if protocol == "mqtt" else None,
        display=_display(top.table("display")) if "display" in table else None,
    )
    model.done()
    top.done()
    return profile


def _serial(table: _Table) -> SerialSettings:
    settings = SerialSettings(
        baud=table.whole("baud", default=9600, least=50, most=4_000_000),
        bits=table.whole("bits", default=8, least=5, most=8),
        parity=cast(Parity, table.choice("parity", get_args(Parity), default="none")),
        stopbits=table.whole("stopbits", default=1, least=1, most=2),
    )
    table.done()
    return settings


def _modbus(top: _Table) -> ModbusSettings:
    table = top.table("modbus", optional=True)
    base = table.whole("address_base", default=0, least=-(10**6), most=10**6)
    function = table.whole("function", default=4, least=1, most=4)
    order = cast(WordOrder, table.choice("word_order", get_args(WordOrder), default="high-first"))
    holes = tuple(
        (hole.whole("function", default=function), hole.whole("first") - base, hole.whole("last") - base)
        for hole in table.tables("holes")
    )
    settings = ModbusSettings(
        registers=tuple(_register(row, base, function, order) for row in top.tables("register")),
        read_max=table.whole("read_max", default=125, least=1, most=125),
        holes=holes,
        pause_s=float(table.number("pause_s", default=Decimal(0))),
        address_default=table.whole("address_default", default=1, least=0, most=255),
        address_max=table.whole("address_max", default=247, least=1, most=255),
    )
    table.done()
    if not settings.registers:
        raise ConfigError("a Modbus profile needs at least one [[register]]", place=top.place)
    return settings


def _register(row: _Table, base: int, function: int, order: WordOrder) -> Register:
    name = row.quantity()
    minimum, maximum = row.number("minimum", default=None), row.number("maximum", default=None)
    register = Register(
        quantity=name,
        address=row.whole("address") - base,
        type=cast(RegisterType, row.choice("type", get_args(RegisterType))),
        scale=Scale.of(row.number("scale", default=Decimal(1)) * row.unit_factor(name)),
        function=row.whole("function", default=function, least=1, most=4),
        word_order=cast(WordOrder, row.choice("word_order", get_args(WordOrder), default=order)),
        absent=frozenset(row.wholes("absent")),
        minimum=None if minimum is None else float(minimum),
        maximum=None if maximum is None else float(maximum),
    )
    if not 0 <= register.address <= 0xFFFF:
        raise ConfigError(f"address {register.address + base} is outside 0..65535 on the wire", place=row.place)
    row.done()
    return register


def _obis(row: _Table) -> ObisCode:
    name = row.quantity()
    unit = row.text("unit", default="")
    if unit:
        row.check_unit(unit, name)
    code = ObisCode(row.text("code"), name, unit, row.whole("sign", default=1, least=-1, most=1))
    row.done()
    return code


def _iec(table: _Table) -> IecSettings:
    settings = IecSettings(
        mode=cast(Any, table.choice("mode", ("A", "B", "C", "D"), default="C")),
        check=cast(Any, table.choice("check", ("required", "optional"), default="required")),
        baud_max=table.whole("baud_max", default=19200, least=300, most=19200),
        reaction_s=float(table.number("reaction_s", default=Decimal("0.2"))),
        wake_nuls=table.whole("wake_nuls", default=0, least=0, most=1000),
    )
    table.done()
    return settings


def _sml(table: _Table) -> SmlSettings:
    settings = SmlSettings(
        crc=cast(Any, table.choice("crc", ("x25", "kermit"), default="x25")),
        unsigned_codes=tuple(table.texts("unsigned_codes")),
        server_ids=tuple(prefix.casefold() for prefix in table.texts("server_ids")),
    )
    table.done()
    return settings


def _mqtt(top: _Table) -> MqttSettings:
    table = top.table("mqtt")
    settings = MqttSettings(
        topic=table.text("topic"),
        time=table.text("time", default=""),
        fields=tuple(map(_field, top.tables("field"))),
    )
    table.done()
    if not settings.fields:
        raise ConfigError("an MQTT profile needs at least one [[field]]", place=top.place)
    return settings


def _field(row: _Table) -> Field:
    name = row.quantity()
    scale = Scale.of(row.number("scale", default=Decimal(1)) * row.unit_factor(name))
    field = Field(name, row.text("path"), scale, row.text("topic", default=""))
    row.done()
    return field


def _display(table: _Table) -> Display:
    display = Display(
        integer_digits=table.whole("integer_digits", least=1, most=15),
        decimals=table.whole("decimals", least=0, most=9),
        unit=table.text("unit", default="kWh"),
    )
    table.done()
    return display


class _Table:
    """A TOML table that knows its place and which of its keys were asked for."""

    def __init__(self, table: Mapping[str, Any], place: str) -> None:
        self._table, self.place = table, place
        self._asked: set[str] = set()

    def _get(self, key: str, kinds: tuple[type, ...], default: Any) -> Any:
        self._asked.add(key)
        value = self._table.get(key, default)
        if value is _MISSING:
            raise ConfigError(f'"{key}" is missing', place=self.place)
        if value is not default and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise ConfigError(f'"{key}" must be {kinds[0].__name__}, not {value!r}', place=self.place)
        return value

    def text(self, key: str, default: Any = _MISSING) -> str:
        return cast(str, self._get(key, (str,), default))

    def flag(self, key: str, default: Any = _MISSING) -> bool:
        return cast(bool, self._get(key, (bool,), default))

    def number(self, key: str, default: Any = _MISSING) -> Any:
        value = self._get(key, (Decimal, int), default)
        return Decimal(value) if isinstance(value, int) else value

    def whole(self, key: str, default: Any = _MISSING, least: int = 0, most: int = 10**6) -> int:
        value = cast(int, self._get(key, (int,), default))
        if not least <= value <= most:
            raise ConfigError(f'"{key}" must be from {least} to {most}, not {value}', place=self.place)
        return value

    def choice(self, key: str, choices: Sequence[str], default: Any = _MISSING) -> str:
        value = self.text(key, default)
        if value not in choices:
            known = ", ".join(choices)
            raise ConfigError(
                f'"{key}" cannot be "{value}"{did_you_mean(value, choices)}; one of: {known}', place=self.place
            )
        return value

    def wholes(self, key: str) -> Sequence[int]:
        return self._list(key, int)

    def texts(self, key: str) -> Sequence[str]:
        return self._list(key, str)

    def _list(self, key: str, kind: type) -> Sequence[Any]:
        values = self._get(key, (list,), [])
        if not all(isinstance(value, kind) for value in values):
            raise ConfigError(f'"{key}" must be a list of {kind.__name__}', place=self.place)
        return cast(Sequence[Any], values)

    def table(self, key: str, *, optional: bool = False) -> _Table:
        table = self._get(key, (dict,), {} if optional else _MISSING)
        return _Table(table, f"{self.place} [{key}]")

    def tables(self, key: str) -> Sequence[_Table]:
        rows = self._list(key, dict)
        return [_Table(row, f"{self.place} [[{key}]] {number}") for number, row in enumerate(rows, 1)]

    def quantity(self) -> str:
        name = self.text("quantity")
        try:
            return quantity(name).name
        except WattbookError as error:
            raise ConfigError(str(error), place=self.place) from error

    def unit_factor(self, name: str) -> Decimal:
        return self.check_unit(self.text("unit", default=quantity(name).unit), name)

    def check_unit(self, unit: str, name: str) -> Decimal:
        try:
            return unit_factor(unit, quantity(name).unit)
        except WattbookError as error:
            raise ConfigError(str(error), place=self.place) from error

    def done(self) -> None:
        """Raise ConfigError when the table holds a key nobody asked for."""
        for key in self._table:
            if key not in self._asked:
                raise ConfigError(f'unknown key "{key}"{did_you_mean(key, self._asked)}', place=self.place)
