"""What wattbook.toml says, table by table, and all of it together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Discriminator, Field, Tag

from wattbook.config.alert_settings import AlertSettings, NotifySettings
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.model.errors import ConfigError
from wattbook.model.formula import FORMULA_SIZE_MAX, Factors, parse_formula
from wattbook.model.sources import Source
from wattbook.model.virtual import expand
from wattbook.profiles import POWER_MAX_ANY, Library, Profile, SerialSettings, swap_import_export
from wattbook.sinks import SinkSettings
from wattbook.tariffs import Tariff
from wattbook.values import DayTime, Name, Seconds, Secret, SecretText, Zone

_EVERY_ASKED = {  # seconds
    "modbus": 5.0,
    "cirbus": 5.0,
    "iec62056-21": 300.0,  # a readout at 300 Bd takes 20 s of light on the meter
    "host": 60.0,  # the system's load is a mean of one minute
}
PROXY_LISTEN = "127.0.0.1:1502"  # 502 is for root alone
Policy = Literal["apply", "propose"]
_UTC = ZoneInfo("UTC")
_NO_SECRET = Secret()
_Period = Annotated[Seconds | None, Field(ge=0, le=86400 * 31)]
_Current = Annotated[float, Field(gt=0, le=10_000)]  # A; more stands behind no transformer of a house
_Patience = Annotated[Seconds, Field(ge=1, le=86400)]
_Source = Literal["", Source]
_Location = Annotated[str, Field(max_length=200)]
_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """[site]: one place with one clock."""

    __pydantic_config__ = _STRICT
    name: Name = "Site"  # what people call it
    timezone: Zone = _UTC  # of days, months and tariffs: "Europe/Prague"
    language: Literal["en", "cs", "es", "ca", "ms"] = "en"  # of messages; each browser chooses its own for the page
    book: Path = Path("wattbook.db")  # relative to the file
    commit_every: Annotated[Seconds, Field(ge=0, le=3600)] = (
        1.0  # what a power cut may cost of polled readings; longer spares SD cards
    )
    profiles: Path | None = None  # a folder with models of one's own
    on_reset: Policy = "apply"  # a register that begins anew is counted on, or that is left to you: propose


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """[log]: what the daemon says on standard error."""

    __pydantic_config__ = _STRICT
    level: Literal["debug", "info", "warning", "error"] = "info"  # debug, info, warning or error


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """[api]: the page and the addresses for programs."""

    __pydantic_config__ = _STRICT
    listen: str = "127.0.0.1:8600"  # HOST:PORT; beyond this machine only what `allow` names is answered
    certificate: Path | None = None  # for https, in PEM, with the chain that leads to its authority
    key: Path | None = None  # of that certificate
    legacy: tuple[Literal["energy"], ...] = ()  # addresses of replaced systems to answer
    energy_meter: str = ""  # which meter feeds /electricity_meter/api/v1.0/energy
    allow: tuple[str, ...] = ()  # networks from where people log in and programs show tokens: "192.168.0.0/24"
    proxies: tuple[str, ...] = ()  # addresses of reverse proxies whose X-Forwarded-For is believed: "127.0.0.1"
    hosts: tuple[str, ...] = ()  # names under which browsers reach this machine
    ask_password: bool = True  # the first visit on this machine is asked for a password while there is none


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """[[line]]: one bus or connection; an MQTT broker is a line too."""

    __pydantic_config__ = _STRICT
    name: Name  # as meters refer to it
    port: str = ""  # a device, "auto", tcp://…, tls://…, rtu+tcp://…, rfc2217://…, mqtt://…
    ports: tuple[str, ...] = ()  # find the meters by address on these
    baud: Annotated[int | None, Field(ge=50, le=4_000_000)] = None  # else the model's
    bits: Annotated[int | None, Field(ge=5, le=8)] = None  # else the model's
    parity: Literal["none", "even", "odd"] | None = None  # none, even or odd; else the model's
    stopbits: Annotated[int | None, Field(ge=1, le=2)] = None  # else the model's
    username: str = ""  # of an MQTT broker
    password: SecretText = _NO_SECRET  # a secret
    client_id: str = ""  # under which the broker keeps what came while wattbook was away
    ca: Path | None = None  # authorities that a tls:// or mqtts:// end is checked against; else the system's
    certificate: Path | None = None  # our own, for ends that ask for one
    key: Path | None = None  # of that certificate

    def serial(self, model: SerialSettings) -> SerialSettings:
        """How characters stand on this line: the model's settings where the file is silent."""
        return SerialSettings(
            baud=self.baud or model.baud,
            bits=self.bits or model.bits,
            parity=self.parity or model.parity,
            stopbits=self.stopbits or model.stopbits,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """[[meter]]: one device."""

    __pydantic_config__ = _STRICT
    name: Name  # stands in every reading: it is the meter's identity
    model: str  # one of `wattbook models list`
    location: _Location = ""  # a path: "plant/hall 2/press"
    line: str = ""  # "" = fed by push or import, or this machine itself (model "host")
    address: int | str | None = None  # on its line; else the model's
    serial: int | str = ""  # the device's number, where the model tells it
    every: _Period = None  # else 5s (Modbus, CIRBUS), 5min (optical), 1min (host), all (push)
    quantities: tuple[str, ...] = ()  # ask a Modbus meter for these alone; () = all that its model tells
    source: _Source = ""  # where its energy comes from: utility, generator, solar or battery
    swap_import_export: bool = False  # a Modbus meter that counts as export what is import; powers keep their signs
    retries: Annotated[int, Field(ge=0, le=10)] = 1  # at once after a damaged answer, before it is set aside
    timeout: Annotated[Seconds | None, Field(ge=0.01, le=60)] = None  # for the first byte; else it follows the meter
    power_max: Annotated[float | None, Field(gt=0, le=POWER_MAX_ANY)] = None  # W; values that imply more are suspect
    on_reset: Policy | None = None  # apply or propose; else the site's


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMeterSettings:
    """[[meter]] with a formula: computed from other meters when somebody asks; nothing of it is stored."""

    __pydantic_config__ = _STRICT
    name: Name  # as questions and other formulas refer to it
    formula: Annotated[str, Field(max_length=FORMULA_SIZE_MAX)]  # "main-a + main-b", "house - 'heat pump'", "a * 0.5"
    location: _Location = ""  # a path; a question about a location is answered from its real meters alone
    source: _Source = ""  # where its energy comes from: utility, generator, solar or battery


def _kind_of_meter(table: object) -> str:
    return "virtual" if isinstance(table, Mapping) and "formula" in table else "read"


MeterTable = Annotated[
    Annotated[MeterSettings, Tag("read")] | Annotated[VirtualMeterSettings, Tag("virtual")],
    Discriminator(_kind_of_meter),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplySettings:
    """[supply]: how is known which source feeds the house, from meters with a `source`."""

    __pydantic_config__ = _STRICT
    generator_current: _Current = 0.3  # A; the generator runs when its own meter tells more
    dark_after: _Patience = 45.0  # without any sign of power; a silent meter is asked again within 30s


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """[[proxy]]: a line served to other masters, between our own polls; there may be several for one line."""

    __pydantic_config__ = _STRICT
    line: str  # a line of Modbus meters, or one without meters
    listen: str = PROXY_LISTEN  # HOST:PORT; beyond this machine it needs `allow`
    kind: Literal["tcp", "rtu+tcp"] = "tcp"  # tcp (Modbus TCP) or rtu+tcp (RTU frames on a TCP connection)
    allow: tuple[str, ...] = ()  # networks that may ask beside this machine: "192.168.0.0/24"
    allow_write: tuple[str, ...] = ()  # addresses of clients that may also write; each write is an event in the book


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """[[retention]]: how long single readings are kept; quarters of an hour stay for ever. Without a rule all stay."""

    __pydantic_config__ = _STRICT
    raw: Annotated[Seconds, Field(ge=2 * 86400, le=86400 * 36500)]  # "90d": of days older than that quarters stay
    meters: tuple[str, ...] = ()  # of these; () = of all. Of several rules that fit, the first counts
    quantities: tuple[str, ...] = ()  # of these; a "*" stands for anything: "voltage*". () = of all

    def fits(self, meter: str, quantity: str) -> bool:
        """Whether this rule is about a quantity of a meter."""
        return (not self.meters or meter in self.meters) and (
            not self.quantities or any(fnmatchcase(quantity, pattern) for pattern in self.quantities)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings:
    """[backup]: copies of the whole book, each read back, made by the daemon."""

    __pydantic_config__ = _STRICT
    dir: Path  # a folder, best on another disk; relative to the file
    every: Annotated[Seconds, Field(ge=3600, le=86400 * 366)] = 86400.0  # 1h at least
    at: DayTime | None = None  # instead: every day at this local time, "03:00"
    keep: Annotated[int, Field(ge=1, le=10_000)] = 7  # so many of the newest stay
    require_mount: bool = False  # refuse when nothing is mounted there: a disk that is not plugged in


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A whole wattbook.toml."""

    __pydantic_config__ = _STRICT
    site: SiteSettings = field(default_factory=SiteSettings)
    log: LogSettings = field(default_factory=LogSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    line: tuple[LineSettings, ...] = ()
    meter: tuple[MeterTable, ...] = ()
    supply: SupplySettings = field(default_factory=SupplySettings)
    proxy: tuple[ProxySettings, ...] = ()
    retention: tuple[RetentionSettings, ...] = ()
    backup: BackupSettings | None = None
    alert: tuple[AlertSettings, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    sink: tuple[Mapping[str, Any], ...] = ()  # each read as its kind says: `config.sinks`
    tariff: Any = ()  # one table or several: `config.tariff`
    simulate: Mapping[str, Any] = field(default_factory=dict)  # read by the simulator alone: `simulate.options`


@dataclass(frozen=True)
class Config:
    """The settings of one daemon, complete and consistent."""

    path: Path
    site: SiteSettings
    log: LogSettings
    api: ApiSettings
    lines: tuple[LineSettings, ...]
    meter_tables: tuple[MeterSettings | VirtualMeterSettings, ...]  # in the order of the file
    library: Library
    simulate: Mapping[str, Any]
    supply: SupplySettings = field(default_factory=SupplySettings)
    proxies: tuple[ProxySettings, ...] = ()
    retention: tuple[RetentionSettings, ...] = ()
    backup: BackupSettings | None = None  # with an absolute folder
    sinks: tuple[SinkSettings, ...] = ()
    alerts: tuple[AlertSettings, ...] = ()
    notify: tuple[NotifySettings, ...] = ()
    tariff: Tariff | None = None  # None = nobody says what energy costs
    text: str = field(default="", repr=False)  # of the file, secrets included: what it says now is compared with it

    @cached_property
    def book(self) -> Path:
        """The book's file, absolute."""
        return (self.path.parent / self.site.book).resolve()

    @property
    def address(self) -> Path:
        """Where a running daemon says at which address it serves: commands that change its book go there."""
        return self.book.with_name(self.book.name + ".address")

    @cached_property
    def certificate(self) -> tuple[Path, Path] | None:
        """Certificate and key of https, absolute; None = plain http."""
        if self.api.certificate is None or self.api.key is None:
            return None
        return self.path.parent / self.api.certificate, self.path.parent / self.api.key

    @property
    def people(self) -> Path:
        """Where users and tokens are kept: only what they are worth as hashes, but for the owner's eyes alone."""
        return self.book.with_name(self.book.name + ".people")

    @property
    def secret(self) -> Path:
        """Where a running daemon keeps the secret that lets commands of its owner in."""
        return self.book.with_name(self.book.name + ".secret")

    @cached_property
    def meters(self) -> tuple[MeterSettings, ...]:
        """The meters that are read or fed."""
        return tuple(meter for meter in self.meter_tables if isinstance(meter, MeterSettings))

    @cached_property
    def surroundings(self) -> Surroundings:
        """The site and its meters, as templates of sinks may name them."""
        facts = {meter.name: MeterFacts(meter.location, meter.model, meter.source) for meter in self.meters}
        return Surroundings(self.site.name, self.site.timezone, facts)

    @cached_property
    def virtual_meters(self) -> tuple[VirtualMeterSettings, ...]:
        """The meters that are computed from others."""
        return tuple(meter for meter in self.meter_tables if isinstance(meter, VirtualMeterSettings))

    @cached_property
    def meter_names(self) -> tuple[str, ...]:
        """The names of all meters, real and virtual."""
        return tuple(meter.name for meter in self.meter_tables)

    @cached_property
    def formulas(self) -> Mapping[str, Factors]:
        """Virtual meter -> how many times the meters of its formula count."""
        return {meter.name: parse_formula(meter.formula, self.meter_names) for meter in self.virtual_meters}

    def parts_of(self, name: str) -> Factors:
        """How many times each real meter counts in a meter; a real one is its only part."""
        return expand(name, self.formulas.get)

    @cached_property
    def profiles(self) -> Mapping[str, Profile]:
        """Meter name -> profile, of what it is asked for."""
        return {meter.name: self._profile(meter) for meter in self.meters}

    def _profile(self, meter: MeterSettings) -> Profile:
        profile = self.whole_profile(meter)
        return profile.only(meter.quantities) if meter.quantities else profile

    def whole_profile(self, meter: MeterSettings) -> Profile:
        """All that a meter's model can tell, whatever it is asked for day by day."""
        profile = self.library.get(meter.model)
        return swap_import_export(profile) if meter.swap_import_export else profile

    def meters_of(self, line: LineSettings) -> Sequence[MeterSettings]:
        """The meters on a line, in the order of the file."""
        return [meter for meter in self.meters if meter.line == line.name]

    def serial_of(self, line: LineSettings) -> SerialSettings:
        """How characters stand on a line: its first meter's model says what the file does not."""
        meters = self.meters_of(line)
        return line.serial(self.profiles[meters[0].name].serial if meters else SerialSettings())

    def on_reset(self, meter: MeterSettings) -> Policy:
        """What is done when a register of a meter begins anew by itself."""
        return meter.on_reset or self.site.on_reset

    def listening(self, listen: str) -> Config:
        """The same configuration, served elsewhere. Raises ConfigError."""
        parse_listen(listen)
        return replace(self, api=replace(self.api, listen=listen))

    def every_s(self, meter: MeterSettings) -> float:
        """The meter's period in seconds; 0 = as often as it goes."""
        if meter.every is not None:
            return meter.every
        profile = self.profiles[meter.name]
        return 0.0 if profile.listens else _EVERY_ASKED.get(profile.protocol, 0.0)


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of "127.0.0.1:8600" or "[::1]:8600". Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f'listen is HOST:PORT, as "127.0.0.1:8600", not "{text}"')
    return host.removeprefix("[").removesuffix("]"), int(port)
