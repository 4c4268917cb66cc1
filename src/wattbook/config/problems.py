"""What no table can know alone: names that must be there, or be there once, and ports that fit their meters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_network

from wattbook.config.alert_problems import alert_problems
from wattbook.config.proxy_problems import proxy_problems
from wattbook.config.settings import (
    Config,
    LineSettings,
    MeterSettings,
    RetentionSettings,
    VirtualMeterSettings,
    parse_listen,
)
from wattbook.config.simulate_problems import simulate_problems
from wattbook.config.sink_problems import sink_problems
from wattbook.config.text import Problem, place_of
from wattbook.config.virtual_problems import virtual_problems
from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.model.vocabulary import all_names
from wattbook.profiles import swap_import_export
from wattbook.profiles.cirbus import ADDRESS_MAX as CIRBUS_ADDRESS_MAX
from wattbook.transports.ports import (
    AUTO,
    BROKER_SCHEMES,
    TLS_SCHEMES,
    default_port,
    host_and_port,
    is_modbus_tcp,
    parts_of,
    scheme_of,
    shown,
)

_TCP_UNIT_MAX = 255
HOST_EVERY_S_MIN = 1.0  # more often it would measure its own measuring


def problems_of(config: Config, text: str) -> Iterable[Problem]:
    """What each table cannot know alone: names that must be there, or be there once."""
    yield from _doubles("line", [line.name for line in config.lines], text)
    yield from _doubles("meter", config.meter_names, text)
    for number, line in enumerate(config.lines):
        for key, message in _line_problems(config, line):
            yield Problem(place_of(text, ("line", number, key)), f'line "{line.name}": {message}')
    for number, meter in enumerate(config.meter_tables):
        for key, message in _problems_of_meter(config, meter):
            yield Problem(place_of(text, ("meter", number, key)), f'meter "{meter.name}": {message}')
    yield from _api_problems(config, text)
    yield from sink_problems(config, text)
    yield from alert_problems(config, text)
    for number, rule in enumerate(config.retention):
        for key, message in _retention_problems(config, rule):
            yield Problem(place_of(text, ("retention", number, key)), f"[[retention]] {number + 1}: {message}")
    for number, proxy in enumerate(config.proxies):
        for key, message in proxy_problems(config, proxy):
            yield Problem(place_of(text, ("proxy", number, key)), f"[[proxy]] {number + 1}: {message}")
    yield from simulate_problems(config, text)


def _retention_problems(config: Config, rule: RetentionSettings) -> Iterator[tuple[str, str]]:
    """What a rule of retention names that is not there, as (key, message)."""
    meters = [meter.name for meter in config.meters]
    for name in rule.meters:
        if name not in meters:
            yield "meters", f'no meter is called "{name}"{did_you_mean(name, meters)}'
    for pattern in rule.quantities:
        if not any(fnmatchcase(name, pattern) for name in all_names()):
            yield "quantities", f'no quantity is called "{pattern}"{did_you_mean(pattern, all_names())}'


def _doubles(table: str, names: Sequence[str], text: str) -> Iterator[Problem]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield Problem(place_of(text, (table, number, "name")), f'two {table}s are called "{name}"')


def _line_problems(config: Config, line: LineSettings) -> Iterator[tuple[str, str]]:
    """What a line cannot be, as (key, message)."""
    if bool(line.port) == bool(line.ports):
        yield "port", 'it needs either "port" or "ports"'
        return
    key, ports = ("ports", line.ports) if line.ports else ("port", (line.port,))
    for port in ports:
        try:
            scheme = scheme_of(port)
            if scheme:
                known = [config.library.get(meter.model) for meter in _known(config, line)]
                modbus = not known or any(profile.modbus for profile in known)  # any may come on a line without
                host_and_port(parts_of(port), port, default_port(scheme, modbus=modbus or scheme == "tls"))
        except ConfigError as error:
            yield key, str(error)
            return
        yield from ((key, message) for message in _port_problems(config, line, port, scheme))
    yield from (("name", message) for message in _address_problems(config, line))
    yield from _certificate_problems(config, line, secure=any(scheme_of(port) in TLS_SCHEMES for port in ports))


def _certificate_problems(config: Config, line: LineSettings, *, secure: bool) -> Iterator[tuple[str, str]]:
    """Certificates that are not there, or of no use."""
    for key, file in (("ca", line.ca), ("certificate", line.certificate), ("key", line.key)):
        if file and not secure:
            yield key, "certificates are for tls:// (Modbus) and mqtts:// alone"
        elif file and not (config.path.parent / file).is_file():
            yield key, f"{file}: no such file"
    if line.key and not line.certificate:
        yield "key", 'it needs the "certificate" it belongs to'


def _known(config: Config, line: LineSettings) -> Sequence[MeterSettings]:
    """The meters of a line that can be on one, as far as their models are known."""
    known = set(config.library.names())
    return [
        meter
        for meter in config.meters_of(line)
        if meter.model in known and config.library.get(meter.model).protocol not in ("push", "host")
    ]


def _port_problems(config: Config, line: LineSettings, port: str, scheme: str) -> Iterator[str]:
    """Why this port does not fit the meters of its line, or the other lines."""
    profiles = [config.library.get(meter.model) for meter in _known(config, line)]
    broker = scheme in BROKER_SCHEMES
    for profile in profiles:
        if broker != (profile.protocol == "mqtt"):
            wanted = "the address of a broker, as mqtt://host" if profile.protocol == "mqtt" else "a line, not a broker"
            yield f'model "{profile.name}" needs {wanted}'
    if len({profile.listens for profile in profiles}) > 1:
        yield "it has meters that are asked and meters that speak first; each kind needs its own line"
    elif any(profile.listens for profile in profiles) and (line.ports or port == AUTO):
        yield "meters that speak first are heard on one port; name it"
    if scheme == "tls" and any(not profile.modbus for profile in profiles):
        yield "tls:// is for Modbus meters; others are heard over tcp://"
    others = [name for other in config.lines if other is not line for name in (other.port, *other.ports)]
    shared = is_modbus_tcp(port) and profiles and profiles[0].modbus  # a gateway puts its programs in a queue
    if port != AUTO and not broker and port in others and not shared:
        yield f"{shown(port)} is the port of another line too; put all its meters on one"


def _address_problems(config: Config, line: LineSettings) -> Iterator[str]:
    """Meters of one line that cannot be told apart."""
    seen: dict[tuple[object, ...], str] = {}
    several = bool(line.ports) or line.port == AUTO  # where a serial number tells two devices of one address apart
    for meter in _known(config, line):
        profile = config.library.get(meter.model)
        asked = profile.modbus or profile.cirbus
        default = asked.address_default if asked else ""
        address = default if meter.address is None else meter.address
        where = profile.mqtt.topic if profile.mqtt else ""
        key = (where, address, str(meter.serial) if several else "")
        if key in seen:
            other = seen[key]
            named = f"the address {address}" if address != "" else "no address"
            yield f'meters "{other}" and "{meter.name}" have {named}; give each one of its own'
        seen[key] = meter.name


def _problems_of_meter(config: Config, meter: MeterSettings | VirtualMeterSettings) -> Iterator[tuple[str, str]]:
    return _meter_problems(config, meter) if isinstance(meter, MeterSettings) else virtual_problems(config, meter)


def _meter_problems(config: Config, meter: MeterSettings) -> Iterator[tuple[str, str]]:
    lines = [line.name for line in config.lines]
    if meter.line and meter.line not in lines:
        yield "line", f'no line is called "{meter.line}"{did_you_mean(meter.line, lines)}'
    try:
        profile = config.library.get(meter.model)
    except ConfigError as error:
        yield "model", str(error)
        return
    if meter.quantities:
        try:
            told = swap_import_export(profile) if meter.swap_import_export else profile
            told.only(meter.quantities)
        except ConfigError as error:
            yield "quantities", str(error)
    if meter.line and profile.protocol == "push":
        yield "line", 'model "push" is fed by HTTP or import and takes no "line"'
    if profile.protocol == "host":
        yield from _host_problems(meter)
    if not meter.line and profile.protocol == "mqtt":
        yield "line", f'model "{meter.model}" needs a "line" with the broker\'s address'
    modbus = profile.modbus
    if modbus and meter.address is not None:
        if not isinstance(meter.address, int):
            yield "address", f"a Modbus address is a number, not {meter.address!r}"
        elif not 0 <= meter.address <= (most := _unit_max(config, meter, modbus.address_max)):
            yield "address", f"{meter.model} takes addresses up to {most}, not {meter.address}"
    if profile.cirbus and meter.address is not None:
        if not isinstance(meter.address, int):
            yield "address", f"a CIRBUS address is a number without quotes, not {meter.address!r}"
        elif not 0 <= meter.address <= CIRBUS_ADDRESS_MAX:
            yield "address", f"{meter.model} takes addresses from 0 to {CIRBUS_ADDRESS_MAX}, not {meter.address}"
    if meter.swap_import_export and not modbus:
        yield "swap_import_export", f'"{meter.model}" is no Modbus model: correct import and export in its profile'
    if meter.serial != "" and (modbus is None or modbus.identity.serial_number is None):
        yield "serial", f'model "{meter.model}" tells no serial number; leave it out'
    if profile.mqtt and profile.mqtt.addressed and meter.address is None:
        yield "address", "an MQTT meter needs the address that stands in its topic"


def _unit_max(config: Config, meter: MeterSettings, of_model: int) -> int:
    """The greatest address it can have: behind Modbus TCP any byte, and many devices answer to 255 alone."""
    network = any(line.name == meter.line and is_modbus_tcp(line.port) for line in config.lines)
    return max(of_model, _TCP_UNIT_MAX) if network else of_model


def _host_problems(meter: MeterSettings) -> Iterator[tuple[str, str]]:
    """What a meter cannot have that is this machine itself."""
    for key, given in (("line", meter.line), ("address", meter.address)):
        if given not in (None, ""):
            yield key, f'model "{meter.model}" is the machine that wattbook runs on and takes no "{key}"'
    if meter.every is not None and meter.every < HOST_EVERY_S_MIN:
        yield "every", f'this machine is looked at every "{HOST_EVERY_S_MIN:g}s" at the most'


def _api_problems(config: Config, text: str) -> Iterator[Problem]:
    names = [meter.name for meter in config.meters]
    api = config.api
    if api.energy_meter and api.energy_meter not in names:
        near = did_you_mean(api.energy_meter, names)
        yield Problem(place_of(text, ("api", "energy_meter")), f'no meter is called "{api.energy_meter}"{near}')
    if "energy" in api.legacy and not api.energy_meter:
        yield Problem(place_of(text, ("api", "legacy")), 'legacy = ["energy"] needs energy_meter = "a meter\'s name"')
    for key, networks in (("allow", api.allow), ("proxies", api.proxies)):
        for network in networks:
            try:
                ip_network(network)
            except ValueError as error:
                yield Problem(place_of(text, ("api", key)), f"no network: {error}; write as 192.168.0.0/24")
    if (api.certificate is None) != (api.key is None):
        yield Problem(place_of(text, ("api", "key")), 'https needs both "certificate" and "key"')
    for key, file in (("certificate", api.certificate), ("key", api.key)):
        if file is not None and not (config.path.parent / file).is_file():
            yield Problem(place_of(text, ("api", key)), f"{file}: no such file")
    try:
        parse_listen(api.listen)
    except ConfigError as error:
        yield Problem(place_of(text, ("api", "listen")), str(error))
