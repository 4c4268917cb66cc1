"""What a profile says about a meter model: plain data, no logic of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.profiles.cirbus import CirbusSettings
from wattbook.profiles.scale import AS_IT_IS
from wattbook.profiles.scale import Scale as Scale

Parity = Literal["none", "even", "odd"]
Protocol = Literal["modbus", "iec62056-21", "dsmr", "sml", "mqtt", "push", "cirbus", "host"]
RegisterType = Literal["uint16", "int16", "sign16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
"""`sign16`: the highest bit is the sign, the others the magnitude."""
Form = Literal["", "four-quadrant"]
"""How a float hides more than its value: a four-quadrant power factor tells leading by counting on beyond 1 or -1."""
WordOrder = Literal["high-first", "low-first"]

REACTION_S = 0.2  # between two messages of IEC 62056-21 at the least
POWER_MAX_HOUSE = 100_000.0  # W: three phases of 145 A, what a house connection may have at most
POWER_MAX_LOW_VOLTAGE = 1e7  # W: three phases of 14 kA, more than any transformer for low voltage feeds
POWER_MAX_ANY = 1e9  # W: beyond what stands behind any meter of a customer

REGISTERS_OF: Mapping[RegisterType, int] = {
    "uint16": 1, "int16": 1, "sign16": 1, "uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4, "float64": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How characters stand on the wire."""

    baud: int = 9600
    bits: int = 8
    parity: Parity = "none"
    stopbits: int = 1

    @property
    def character_s(self) -> float:
        """Seconds one character takes on the wire, start and stop bits included."""
        return (1 + self.bits + (self.parity != "none") + self.stopbits) / self.baud

    @property
    def characters(self) -> str:
        """How characters stand on the wire, as people write it: 8N1."""
        return f"{self.bits}{self.parity[0].upper()}{self.stopbits}"


@dataclass(frozen=True, slots=True)
class Register:
    """One quantity in a Modbus device."""

    quantity: str
    address: int  # on the wire, 0-based; the file holds it as the vendor prints it
    type: RegisterType
    scale: Scale = AS_IT_IS  # to the base unit
    function: int = 4
    word_order: WordOrder = "high-first"
    absent: frozenset[int] = frozenset()  # raw values that mean "not available"
    minimum: float | None = None  # in the base unit; outside is suspect
    maximum: float | None = None
    resolution: Scale | None = None  # of a float, in the base unit: 0.1 is (1, 1); None = its bits are kept
    exponent_at: int | None = None  # wire address of an int16 with the power of ten that the device counts in now
    form: Form = ""
    rest_at: int | None = None  # wire address of a uint16 with what the count leaves out: minutes beside hours
    rest_of: int = 1  # how many of those make one of the count
    verified: bool = True  # False: the sources are not sure of this one

    @property
    def count(self) -> int:
        """How many 16-bit registers it takes."""
        return REGISTERS_OF[self.type]

    @property
    def scale_text(self) -> str:
        """What turns its count into the base unit, with the other register that this depends on, for people."""
        if self.exponent_at is not None:
            return f"{self.scale.text} x 10^[0x{self.exponent_at:04X}]"
        rest = f" + [0x{self.rest_at:04X}] / {self.rest_of}" if self.rest_at is not None else ""
        return self.scale.text + rest

    def counting_in(self, exponent: int) -> Register:
        """The same register of a device that counts in this power of ten and says so nowhere."""
        return replace(self, scale=self.scale.times_ten_to(exponent), exponent_at=None)


@dataclass(frozen=True, slots=True)
class Marker:
    """A register that tells the model: it holds one of these words."""

    function: int
    address: int  # on the wire
    words: frozenset[int]


@dataclass(frozen=True, slots=True)
class SerialNumber:
    """Where a device's serial number stands."""

    function: int
    address: int  # on the wire
    count: int  # registers
    type: Literal["number", "text"] = "number"  # text: two characters a register, filled up with NUL or blanks


@dataclass(frozen=True, slots=True)
class Identity:
    """How a device of this model is recognised, beyond plausible values. All of what is given must hold."""

    report_id: str = ""  # part of the text that function 17 tells
    markers: tuple[Marker, ...] = ()
    serial_number: SerialNumber | None = None  # tells two devices of one model apart


CommandName = Literal["reset-energy", "set-address"]


@dataclass(frozen=True, slots=True)
class Command:
    """What a device does when told to. With an `address` a register is written (function 6 or 16): `word`, or what
    the command is about, such as the new unit address. Without one the function code alone is the command, and the
    device repeats it when done."""

    function: int
    address: int | None = None  # on the wire
    word: int | None = None


@dataclass(frozen=True, slots=True)
class SunspecSettings:
    """Blocks that are found by a marker (SunSpec Information Model): register addresses count from a block's start."""

    bases: tuple[int, ...]  # where the marker may stand
    models: tuple[int, ...]  # ids of the blocks that have the registers, the most usual one first
    length: int  # of such a block, in registers, id and length not counted


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """A Modbus model: its registers and what the device can bear."""

    registers: tuple[Register, ...]
    read_max: int = 125  # registers a request may ask for
    holes: tuple[tuple[int, int, int], ...] = ()  # (function, first, last) addresses that answer with an exception
    pause_s: float = 0.0  # silence the device needs beyond the standard's 3.5 characters
    address_default: int = 1
    address_max: int = 247
    address_general: int = 0  # whoever is alone on the line answers to it; 0 = there is none
    identity: Identity = Identity()
    commands: Mapping[CommandName, Command] = field(default_factory=dict)
    sunspec: SunspecSettings | None = None


@dataclass(frozen=True, slots=True)
class ObisCode:
    """One quantity in an IEC 62056-21, DSMR or SML telegram that the vocabulary's own OBIS table does not give."""

    code: str  # C.D.E
    quantity: str
    unit: str = ""  # what the meter leaves out; "" = as sent
    sign: int = 1


@dataclass(frozen=True, slots=True)
class IecSettings:
    """How an IEC 62056-21 meter is asked."""

    mode: Literal["A", "B", "C", "D"] = "C"
    check: Literal["required", "optional"] = "required"  # optional: a missing BCC is accepted, a wrong one never
    baud_max: int = 19200  # the fastest speed to acknowledge; 300 = stay
    reaction_s: float = REACTION_S  # silence before the ACK (20 ms for meters with a lower-case third letter)
    wake_nuls: int = 0  # NUL characters some battery-fed meters need before the sign-on


@dataclass(frozen=True, slots=True)
class SmlSettings:
    """Faults of one model's SML, corrected by data."""

    crc: Literal["x25", "kermit"] = "x25"
    unsigned_codes: tuple[str, ...] = ()  # C.D.E codes whose 1 and 2 byte integers are sent unsigned but typed signed
    server_ids: tuple[str, ...] = ()  # hexadecimal beginnings of server ids by which `decode` knows the model itself


@dataclass(frozen=True, slots=True)
class Field:
    """One quantity in a JSON payload."""

    quantity: str
    path: str  # dots between keys, numbers for list places: "ENERGY.Power.0"; "" = the payload itself is the number
    scale: Scale = AS_IT_IS
    topic: str = ""  # when it comes on a topic of its own; {address} stands for the meter's address


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """How a meter speaks over MQTT."""

    topic: str  # {address} stands for the meter's address
    fields: tuple[Field, ...]
    time: str = ""  # path of an ISO 8601 or Unix time; "" = the moment of arrival

    def topic_of(self, field: Field) -> str:
        """The topic that a quantity comes on."""
        return field.topic or self.topic

    @property
    def addressed(self) -> bool:
        """Whether the meter's address stands in a topic."""
        return any("{address}" in self.topic_of(field) for field in self.fields)


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Where the machine that wattbook runs on tells of itself."""

    thermal_zones: tuple[str, ...] = ()  # types of Linux thermal zones that are the processor's, the best first


@dataclass(frozen=True, slots=True)
class Display:
    """The digits a register shows on the meter: 0025409.587 kWh has 7 and 3."""

    integer_digits: int
    decimals: int
    unit: str = "kWh"

    def text(self, value: float, factor: Decimal) -> str:
        """A base-unit value as the display shows it, zero-padded. `factor` turns the display's unit to the base's."""
        shown = (Decimal(repr(value)) / factor).quantize(Decimal(1).scaleb(-self.decimals))
        return f"{shown:0{self.integer_digits + 1 + self.decimals if self.decimals else self.integer_digits}f}"


@dataclass(frozen=True, slots=True)
class Profile:
    """One meter model."""

    name: str  # as in `model = "pzem-016"`
    title: str
    vendor: str
    protocol: Protocol
    source: str  # the document the numbers come from
    verified: bool
    serial: SerialSettings = SerialSettings()
    modbus: ModbusSettings | None = None
    obis: tuple[ObisCode, ...] = ()
    iec: IecSettings | None = None
    sml: SmlSettings | None = None
    mqtt: MqttSettings | None = None
    cirbus: CirbusSettings | None = None
    host: HostSettings | None = None
    display: Display | None = None
    unchecked: bool = False  # its format has no check: implausible values are suspect
    power_max: float = POWER_MAX_LOW_VOLTAGE  # W behind one meter, either way; more is implausible
    note: str = ""

    @property
    def wired(self) -> bool:
        """Whether it speaks in characters over a line of its own, so that speed and parity mean something."""
        return self.protocol not in ("mqtt", "push", "host")

    @property
    def listens(self) -> bool:
        """Whether meters of this model speak by themselves."""
        return self.protocol in ("dsmr", "sml", "mqtt", "push") or (self.iec is not None and self.iec.mode == "D")

    @property
    def speaks(self) -> str:
        """Protocol and settings of its line: "modbus, 9600 Bd 8N1"."""
        return f"{self.protocol}, {self.serial.baud} Bd {self.serial.characters}" if self.wired else self.protocol

    def only(self, quantities: Sequence[str]) -> Profile:
        """The same model asked for these registers alone, so that a line has time for others.

        Raises ConfigError for a quantity that the model lacks, or a model that is not asked register by register.
        """
        if self.modbus is None:
            raise ConfigError(f'model "{self.name}" tells everything at once; "quantities" is for Modbus meters')
        told = [register.quantity for register in self.modbus.registers]
        for name in quantities:
            if name not in told:
                raise ConfigError(f'model "{self.name}" does not tell "{name}"{did_you_mean(name, told)}')
        chosen = tuple(register for register in self.modbus.registers if register.quantity in quantities)
        return replace(self, modbus=replace(self.modbus, registers=chosen))
