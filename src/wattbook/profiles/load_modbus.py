"""Read what a profile says about a Modbus device: registers, identity, commands, and what it can bear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, cast, get_args

from wattbook.model.errors import ConfigError
from wattbook.profiles.profile import (
    REGISTERS_OF,
    Command,
    CommandName,
    Form,
    Identity,
    Marker,
    ModbusSettings,
    Register,
    RegisterType,
    Scale,
    SerialNumber,
    SunspecSettings,
    WordOrder,
)
from wattbook.profiles.table import PAUSE_S_MAX, Table

_ADDRESS_MAX = 0xFFFF  # on the wire
_VALUE_MAX = 1e15  # of a bound, in a base unit
_NUMBER_COUNT_MAX, _TEXT_COUNT_MAX = 4, 32  # registers of a serial number
_BLOCK_MAX = 2000  # registers; the largest SunSpec block has some hundred
_PLAIN_FUNCTIONS = range(65, 73)  # free for makers (Modbus Application Protocol V1.1b3, 5)


def modbus_settings(top: Table) -> ModbusSettings:
    """The [modbus] table and its [[register]] rows. Raises ConfigError."""
    table = top.table("modbus", optional=True)
    places = _Places(table)
    order = cast(WordOrder, table.choice("word_order", get_args(WordOrder), default="high-first"))
    rows = top.each("register", lambda row: (_register(row, places, order), row))
    settings = ModbusSettings(
        registers=tuple(register for register, _ in rows),
        read_max=table.whole("read_max", default=125, least=1, most=125),
        holes=table.each("holes", lambda row: _hole(row, places)),
        pause_s=table.real("pause_s", default=0.0, least=0, most=PAUSE_S_MAX),
        address_default=table.whole("address_default", default=1, least=0, most=255),
        address_max=table.whole("address_max", default=247, least=1, most=255),
        address_general=table.whole("address_general", default=0, least=0, most=255),
        identity=_identity(top.table("identity", optional=True), places),
        commands=_commands(top.table("command", optional=True), places),
        sunspec=_sunspec(top.table("sunspec")) if top.has("sunspec") else None,
    )
    table.done()
    if not top.tables("register"):
        raise ConfigError("a Modbus profile needs at least one [[register]]", place=top.place)
    _check_once(rows)
    _check_apart(rows)
    for register, row in rows:
        _check_readable(register, settings, row)
    return settings


_Rows = Sequence[tuple[Register, Table]]


def _check_once(rows: _Rows) -> None:
    """Two of one quantity would take each other's place."""
    seen: dict[str, int] = {}
    for register, row in rows:
        seen[register.quantity] = seen.get(register.quantity, 0) + 1
        if seen[register.quantity] == 2:
            count = sum(one.quantity == register.quantity for one, _ in rows)
            row.fault(f'{count} of them are "{register.quantity}"; a meter tells each quantity once', key="quantity")


class _Places:
    """How this vendor counts registers, and which function reads them."""

    def __init__(self, table: Table) -> None:
        self.base = table.whole("address_base", default=0, least=-(10**6), most=10**6)
        self.function = table.whole("function", default=4, least=3, most=4)

    def function_of(self, row: Table) -> int:
        """The function of a row, or the model's."""
        return row.whole("function", default=self.function, least=3, most=4)

    def address(self, row: Table, key: str = "address", *, count: int = 1) -> int:
        """The wire address of `count` registers from where the vendor prints them."""
        printed = row.whole(key)
        if not 0 <= printed - self.base <= _ADDRESS_MAX + 1 - count:
            raise row.refuse(f"{key} {printed} is outside 0..65535 on the wire")
        return printed - self.base


def _hole(row: Table, places: _Places) -> tuple[int, int, int]:
    hole = (places.function_of(row), places.address(row, "first"), places.address(row, "last"))
    row.done()
    if hole[1] > hole[2]:
        raise row.refuse(f"from {hole[1] + places.base} to {hole[2] + places.base} is no range of addresses")
    return hole


def _register(row: Table, places: _Places, order: WordOrder) -> Register:
    name = row.quantity()
    kind = cast(RegisterType, row.choice("type", get_args(RegisterType)))
    resolution = row.factor("resolution", default=None)
    register = Register(
        quantity=name,
        address=places.address(row, count=REGISTERS_OF[kind]),
        type=kind,
        scale=row.scale(name),
        function=places.function_of(row),
        word_order=cast(WordOrder, row.choice("word_order", get_args(WordOrder), default=order)),
        absent=frozenset(row.wholes("absent")),
        minimum=row.real("minimum", default=None, least=-_VALUE_MAX, most=_VALUE_MAX),
        maximum=row.real("maximum", default=None, least=-_VALUE_MAX, most=_VALUE_MAX),
        resolution=None if resolution is None else Scale.of(resolution * row.unit_factor(name)),
        exponent_at=places.address(row, "exponent_at") if row.has("exponent_at") else None,
        form=cast(Form, row.choice("form", get_args(Form), default="")),
        rest_at=places.address(row, "rest_at") if row.has("rest_at") else None,
        rest_of=row.whole("rest_of", least=2, most=0x10000) if row.has("rest_at") else 1,
        verified=row.flag("verified", default=True),
    )
    row.done()
    if register.minimum is not None and register.maximum is not None and register.minimum > register.maximum:
        raise row.refuse(f"minimum {register.minimum:g} is above maximum {register.maximum:g}")
    bits = 16 * REGISTERS_OF[kind]
    for raw in register.absent:
        if not -(1 << (bits - 1)) <= raw < 1 << bits:
            raise row.refuse(f'"absent" holds {raw}, which {kind} does not')
    is_float = kind.startswith("float")
    if resolution is not None and (resolution < 0 or not is_float):
        raise row.refuse('"resolution" is the last decimal a float is meant to have, above 0; integers have theirs')
    if register.exponent_at is not None and is_float:
        raise row.refuse('"exponent_at" is for integers; a float has its own exponent')
    if register.rest_at is not None and (kind not in ("uint16", "uint32") or register.exponent_at is not None):
        raise row.refuse('"rest_at" is for counts that never fall below zero: uint16 or uint32, without "exponent_at"')
    if register.form == "four-quadrant" and not (is_float and name.startswith("power_factor")):
        raise row.refuse('"four-quadrant" is how some devices send a power factor as a float')
    return register


def _identity(table: Table, places: _Places) -> Identity:
    identity = Identity(
        report_id=table.text("report_id", default=""),
        markers=table.each("marker", lambda row: _marker(row, places)),
        serial_number=_serial_number(table.table("serial_number"), places) if table.has("serial_number") else None,
    )
    table.done()
    return identity


def _marker(row: Table, places: _Places) -> Marker:
    marker = Marker(places.function_of(row), places.address(row), frozenset(row.wholes("words")))
    row.done()
    if not marker.words or not all(0 <= word <= 0xFFFF for word in marker.words):
        raise row.refuse('"words" lists what the register may hold, from 0 to 65535')
    return marker


def _serial_number(table: Table, places: _Places) -> SerialNumber:
    kind = table.choice("type", ("number", "text"), default="number")
    count = table.whole("count", least=1, most=_TEXT_COUNT_MAX if kind == "text" else _NUMBER_COUNT_MAX)
    number = SerialNumber(places.function_of(table), places.address(table, count=count), count, cast(Any, kind))
    table.done()
    return number


def _commands(table: Table, places: _Places) -> Mapping[CommandName, Command]:
    commands = {name: _command(table.table(name), places) for name in get_args(CommandName) if table.has(name)}
    table.done()
    return commands


def _command(table: Table, places: _Places) -> Command:
    function = table.whole("function", least=1, most=127)
    address = places.address(table) if table.has("address") else None
    word = table.whole("word", most=0xFFFF) if table.has("word") else None
    table.done()
    if address is None and (function not in _PLAIN_FUNCTIONS or word is not None):
        raise table.refuse('without "address" the function itself is the command, one of 65 to 72, and takes no "word"')
    if address is not None and function not in (6, 16):
        raise table.refuse(f"function {function} writes no register; 6 writes one, 16 several")
    return Command(function, address, word)


def _sunspec(table: Table) -> SunspecSettings:
    settings = SunspecSettings(
        bases=tuple(table.wholes("bases")),
        models=tuple(table.wholes("models")),
        length=table.whole("length", least=1, most=_BLOCK_MAX),
    )
    table.done()
    if not settings.bases or not all(0 <= base <= _ADDRESS_MAX - 4 for base in settings.bases):
        raise table.refuse('"bases" lists where the marker may stand, as [40000, 50000, 0]')
    if not settings.models or not all(1 <= number < 0xFFFF for number in settings.models):
        raise table.refuse('"models" lists the ids of the blocks that have these registers, as [201, 202, 203, 204]')
    return settings


def _check_apart(rows: _Rows) -> None:
    """No register may lie in another one: one of the two addresses or types is wrong."""
    in_order = sorted(rows, key=lambda row: (row[0].function, row[0].address))
    for (one, its), (other, row) in pairwise(in_order):
        if one.function == other.function and other.address < one.address + one.count:
            row.fault(
                f"{one.quantity} ({one.type}) and {other.quantity} overlap; check their addresses and types "
                f"(the other one: {its.place_of('address')})",
                key="address",
            )


def _check_readable(register: Register, settings: ModbusSettings, row: Table) -> None:
    at = [(register.address, register.address + register.count - 1)]
    at += [(place, place) for place in (register.exponent_at, register.rest_at) if place is not None]
    in_hole = any(
        function == register.function and low <= last and first <= high
        for function, low, high in settings.holes
        for first, last in at
    )
    if in_hole or register.count > settings.read_max:
        reason = "it lies in one of [[modbus.holes]]" if in_hole else "it is wider than read_max"
        row.fault(f"{register.quantity} cannot be read: {reason}", key="address")
