"""wattbook.toml as typed settings. The only reader of configuration, secrets and environment.

Every problem of a file is found in one pass, each with its line and the nearest right name.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, TypeAdapter, ValidationError, ValidationInfo

from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.profiles import Library, Profile, SerialSettings

FILE_SIZE_MAX = 4_000_000  # bytes; 10,000 meters take about 2 MB
_EVERY_ASKED = {"modbus": 5.0, "iec62056-21": 300.0}  # seconds; a readout at 300 Bd takes 20 s of light on the meter
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|h|d)\s*")
_UNITS_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_NAME = re.compile(r"[^\x00-\x1f\x7f/#+]{1,100}")


def parse_duration(text: object) -> float:
    """Return the seconds of "5s", "15min", "1h", "200ms". Raises ValueError."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f'a duration is a text like "5s", "15min" or "1h", not {text!r}')
    return float(match[1]) * _UNITS_S[match[2]]


def _name(text: object) -> str:
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise ValueError(f'a name is up to 100 characters without "/", "#" and "+", not {text!r}')
    return text


def _zone(text: object) -> ZoneInfo:
    if not isinstance(text, str) or text not in available_timezones():
        raise ValueError(f'no time zone is called "{text}"{did_you_mean(str(text), available_timezones())}')
    return ZoneInfo(text)


class Secret(str):
    """A text that does not show itself in a log or an error. Written as { env = "NAME" } or { file = "…" }."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"


def _secret(given: object, info: ValidationInfo) -> Secret:
    folder: Path = (info.context or {}).get("folder", Path())
    match given:
        case str():
            return Secret(given)
        case {"env": str(name), **rest} if not rest:
            if name not in os.environ:
                raise ValueError(f"the environment has no variable {name}")
            return Secret(os.environ[name])
        case {"file": str(path), **rest} if not rest:
            try:
                return Secret((folder / path).read_text(encoding="utf-8").rstrip("\n"))
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"cannot read the secret in {path}: {error}") from error
        case _:
            raise ValueError('a secret is a text, { env = "NAME" } or { file = "PATH" }')


Seconds = Annotated[float, BeforeValidator(parse_duration)]
Name = Annotated[str, PlainValidator(_name)]
Zone = Annotated[ZoneInfo, PlainValidator(_zone)]
SecretText = Annotated[Secret, PlainValidator(_secret)]
_UTC = ZoneInfo("UTC")
_NO_SECRET = Secret()
_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """[site]: one place with one clock."""

    __pydantic_config__ = _STRICT
    name: Name = "Site"  # what people call it
    timezone: Zone = _UTC  # of days, months and tariffs: "Europe/Prague"
    book: Path = Path("wattbook.db")  # relative to the file
    commit_every: Seconds = 1.0  # what a power cut may cost of polled readings; longer spares SD cards
    profiles: Path | None = None  # a folder with models of one's own


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
    legacy: tuple[Literal["energy"], ...] = ()  # addresses of replaced systems to answer
    energy_meter: str = ""  # which meter feeds /electricity_meter/api/v1.0/energy
    allow: tuple[str, ...] = ()  # networks that may use the API beside this machine: "192.168.0.0/24"
    hosts: tuple[str, ...] = ()  # names under which browsers reach this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSettings:
    """[[line]]: one bus or connection; an MQTT broker is a line too."""

    __pydantic_config__ = _STRICT
    name: Name  # as meters refer to it
    port: str = ""  # a device, "auto", tcp://…, rtu+tcp://…, rfc2217://…, mqtt://…
    ports: tuple[str, ...] = ()  # find the meters by address on these
    baud: Annotated[int | None, Field(ge=50, le=4_000_000)] = None  # else the model's
    bits: Annotated[int | None, Field(ge=5, le=8)] = None  # else the model's
    parity: Literal["none", "even", "odd"] | None = None  # none, even or odd; else the model's
    stopbits: Annotated[int | None, Field(ge=1, le=2)] = None  # else the model's
    username: str = ""  # of an MQTT broker
    password: SecretText = _NO_SECRET  # a secret
    client_id: str = ""  # under which the broker keeps what came while wattbook was away
    ca: Path | None = None  # certificates that a mqtts:// broker is checked against
    certificate: Path | None = None  # this client's own, for brokers that ask for one
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
    location: Annotated[str, Field(max_length=200)] = ""  # a path: "plant/hall 2/press"
    line: str = ""  # "" = fed by push or import
    address: int | str | None = None  # on its line; else the model's
    every: Annotated[Seconds | None, Field(ge=0, le=86400 * 31)] = None  # else 5s (Modbus), 5min (optical), all (push)
    source: Literal["", "utility", "generator", "solar", "battery"] = ""  # where its energy comes from


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A whole wattbook.toml."""

    __pydantic_config__ = _STRICT
    site: SiteSettings = field(default_factory=SiteSettings)
    log: LogSettings = field(default_factory=LogSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    line: tuple[LineSettings, ...] = ()
    meter: tuple[MeterSettings, ...] = ()
    simulate: Mapping[str, Any] = field(default_factory=dict)  # read by `wattbook simulate` alone


@dataclass(frozen=True)
class Config:
    """The settings of one daemon, complete and consistent."""

    path: Path
    site: SiteSettings
    log: LogSettings
    api: ApiSettings
    lines: tuple[LineSettings, ...]
    meters: tuple[MeterSettings, ...]
    library: Library
    simulate: Mapping[str, Any]

    @cached_property
    def book(self) -> Path:
        """The book's file, absolute."""
        return (self.path.parent / self.site.book).resolve()

    @cached_property
    def profiles(self) -> Mapping[str, Profile]:
        """Meter name -> profile."""
        return {meter.name: self.library.get(meter.model) for meter in self.meters}

    def meters_of(self, line: LineSettings) -> Sequence[MeterSettings]:
        """The meters on a line, in the order of the file."""
        return [meter for meter in self.meters if meter.line == line.name]

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


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. `line` counts from 1; 0 = the file as a whole."""

    line: int
    message: str

    def at(self, path: Path) -> str:
        """One line of text with its place."""
        return f"{path.name}:{self.line}: {self.message}" if self.line else f"{path.name}: {self.message}"


def load(path: Path) -> Config:
    """Read wattbook.toml. Raises ConfigError that holds every problem, one a line."""
    config, problems = examine(path)
    if config is None or problems:
        raise ConfigError("\n".join(problem.at(path) for problem in problems))
    return config


def examine(path: Path) -> tuple[Config | None, Sequence[Problem]]:
    """Read wattbook.toml and return it with every problem found; no config when its shape is wrong."""
    try:
        if path.stat().st_size > FILE_SIZE_MAX:
            return None, [Problem(0, f"larger than {FILE_SIZE_MAX} bytes")]
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        return None, [Problem(0, f"cannot be read: {error}")]
    except tomllib.TOMLDecodeError as error:
        return None, [Problem(_line_in(str(error)), f"not TOML: {error}")]
    try:
        shaped = TypeAdapter(_File).validate_python(table, context={"folder": path.parent})
    except ValidationError as error:
        return None, list(_shape_problems(error, text))
    library, problems = _library(path, shaped, text)
    config = Config(
        path.resolve(), shaped.site, shaped.log, shaped.api, shaped.line, shaped.meter, library, shaped.simulate
    )
    problems += _meaning_problems(config, text)
    return config, problems


def _library(path: Path, file: _File, text: str) -> tuple[Library, list[Problem]]:
    """The models known here, and what is wrong with the user's own folder of them."""
    if file.site.profiles is None:
        return Library(), []
    library = Library([path.parent / file.site.profiles])
    try:
        list(library)
    except ConfigError as error:
        return Library(), [Problem(_place(text, ("site", "profiles")), str(error))]
    return library, []


def _shape_problems(error: ValidationError, text: str) -> Iterator[Problem]:
    for detail in error.errors():
        at = tuple(part for part in detail["loc"] if part not in ("int", "str"))
        message = detail["msg"].removeprefix("Value error, ")
        if detail["type"] == "literal_error":
            message = _not_one_of(detail["input"], detail["ctx"]["expected"])
        yield Problem(_place(text, at), _in_words(at, detail["type"], message))


def _not_one_of(given: object, expected: str) -> str:
    """Pydantic lists the choices as 'a', 'b' or 'c'."""
    choices = re.findall(r"'([^']*)'", expected)
    return f"cannot be {given!r}{did_you_mean(str(given), choices)}; one of: {', '.join(filter(None, choices))}"


_SHAPES: Mapping[str, type] = {
    "site": SiteSettings, "log": LogSettings, "api": ApiSettings, "line": LineSettings, "meter": MeterSettings,
}  # fmt: skip


def _in_words(at: Sequence[int | str], kind: str, message: str) -> str:
    """One pydantic error as a sentence of ours."""
    table, key = _table_name(at), str(at[-1]) if at else ""
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        if len(at) == 1:
            return f"unknown table [{key}]{did_you_mean(key, _SHAPES)}"
        known = [field.name for field in fields(_SHAPES[str(at[0])])]
        return f'{table}: unknown key "{key}"{did_you_mean(key, known)}'
    if kind in ("missing", "missing_argument"):
        return f'{table}: "{key}" is missing'
    return f"{table}: {key}: {message}"


def _table_name(at: Sequence[int | str]) -> str:
    if len(at) > 1 and isinstance(at[1], int):
        return f"[[{at[0]}]] {at[1] + 1}"
    return f"[{at[0]}]" if at else "the file"


def _meaning_problems(config: Config, text: str) -> Iterable[Problem]:
    """What each table cannot know alone: names that must be there, or be there once."""
    yield from _doubles("line", [line.name for line in config.lines], text)
    yield from _doubles("meter", [meter.name for meter in config.meters], text)
    for number, line in enumerate(config.lines):
        if bool(line.port) == bool(line.ports):
            yield Problem(_place(text, ("line", number)), f'line "{line.name}" needs either "port" or "ports"')
        yield from _mixed_kinds(config, line, number, text)
    for number, meter in enumerate(config.meters):
        for key, message in _meter_problems(config, meter):
            yield Problem(_place(text, ("meter", number, key)), f'meter "{meter.name}": {message}')
    yield from _api_problems(config, text)


def _doubles(table: str, names: Sequence[str], text: str) -> Iterator[Problem]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Problem(_place(text, (table, number, "name")), f'two {table}s are called "{name}"')


def _mixed_kinds(config: Config, line: LineSettings, number: int, text: str) -> Iterator[Problem]:
    """A line is asked or listened to, never both: who speaks first would talk over who is asked."""
    known = [meter for meter in config.meters_of(line) if meter.model in config.library.names()]
    if len({config.library.get(meter.model).listens for meter in known}) > 1:
        yield Problem(
            _place(text, ("line", number)),
            f'line "{line.name}" has meters that are asked and meters that speak first; each kind needs its own line',
        )


def _meter_problems(config: Config, meter: MeterSettings) -> Iterator[tuple[str, str]]:
    lines = [line.name for line in config.lines]
    if meter.line and meter.line not in lines:
        yield "line", f'no line is called "{meter.line}"{did_you_mean(meter.line, lines)}'
    try:
        profile = config.library.get(meter.model)
    except ConfigError as error:
        yield "model", str(error)
        return
    if meter.line and profile.protocol == "push":
        yield "line", 'model "push" is fed by HTTP or import and takes no "line"'
    if not meter.line and profile.protocol == "mqtt":
        yield "line", f'model "{meter.model}" needs a "line" with the broker\'s address'
    modbus = profile.modbus
    if modbus and meter.address is not None:
        if not isinstance(meter.address, int):
            yield "address", f"a Modbus address is a number, not {meter.address!r}"
        elif not 0 <= meter.address <= modbus.address_max:
            yield "address", f"{meter.model} takes addresses up to {modbus.address_max}, not {meter.address}"
    if profile.protocol == "mqtt" and meter.address is None:
        yield "address", "an MQTT meter needs the address that stands in its topic"


def _api_problems(config: Config, text: str) -> Iterator[Problem]:
    names = [meter.name for meter in config.meters]
    api = config.api
    if api.energy_meter and api.energy_meter not in names:
        near = did_you_mean(api.energy_meter, names)
        yield Problem(_place(text, ("api", "energy_meter")), f'no meter is called "{api.energy_meter}"{near}')
    if "energy" in api.legacy and not api.energy_meter:
        yield Problem(_place(text, ("api", "legacy")), 'legacy = ["energy"] needs energy_meter = "a meter\'s name"')
    for network in api.allow:
        try:
            ip_network(network)
        except ValueError as error:
            yield Problem(_place(text, ("api", "allow")), f"no network: {error}; write as 192.168.0.0/24")
    try:
        parse_listen(api.listen)
    except ConfigError as error:
        yield Problem(_place(text, ("api", "listen")), str(error))


def parse_listen(text: str) -> tuple[str, int]:
    """Return host and port of "127.0.0.1:8600" or "[::1]:8600". Raises ConfigError."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(f'listen is HOST:PORT, as "127.0.0.1:8600", not "{text}"')
    return host.removeprefix("[").removesuffix("]"), int(port)


def _place(text: str, at: Sequence[int | str]) -> int:
    """The line, from 1, where a key stands in a TOML text, or its table; 0 when it is nowhere."""
    if not at:
        return 0
    number = at[1] if len(at) > 1 and isinstance(at[1], int) else 0
    header = re.compile(rf"\s*\[{{1,2}}\s*{re.escape(str(at[0]))}\s*\]{{1,2}}\s*(#.*)?")
    key = re.compile(rf"\s*\"?{re.escape(str(at[-1]))}\"?\s*=")
    seen, table_line = -1, 0
    for line_number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            if seen == number and table_line:
                break
            if header.fullmatch(line):
                seen += 1
                table_line = line_number if seen == number else 0
        elif table_line and key.match(line):
            return line_number
    return table_line


def _line_in(message: str) -> int:
    match = re.search(r"line (\d+)", message)
    return int(match[1]) if match else 0
