"""Ports as text: what the configuration may call one, taken apart and shown, without opening any."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean

AUTO = "auto"  # every serial port of this machine
BYTE_SCHEMES = ("tcp", "rtu+tcp", "rfc2217")  # as they are, whatever the protocol
MODBUS_SCHEMES = ("tcp", "tls")  # with Modbus meters: Modbus TCP, numbered frames; over TLS there is nothing else
BROKER_SCHEMES = ("mqtt", "mqtts")
TLS_SCHEMES = ("tls", "mqtts")
_MODBUS_PORTS = {"tcp": 502, "tls": 802}  # by the standards: Modbus TCP, and Modbus/TCP Security ("mbaps")
PORT_DEFAULTS = {"rfc2217": 2217, "mqtt": 1883, "mqtts": 8883}


_SCHEMES = tuple(dict.fromkeys((*BYTE_SCHEMES, *MODBUS_SCHEMES, *BROKER_SCHEMES)))


def scheme_of(port: str) -> str:
    """What stands before ":", or "" for a device of this machine.

    Raises ConfigError for a scheme nobody here knows, and for what is no address.
    """
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", port):
        return ""
    scheme = parts_of(port).scheme
    if scheme not in _SCHEMES:
        near = did_you_mean(scheme, _SCHEMES)
        raise ConfigError(f'no line begins with "{scheme}://"{near}', place=shown(port))
    return scheme


def parts_of(address: str) -> SplitResult:
    """The parts of an address. Raises ConfigError for what is none, as tcp://[:: is."""
    try:
        return urlsplit(address)
    except ValueError as error:  # whose words may hold a password
        raise ConfigError("this is no address", place=shown(address)) from error


def split_port(port: str) -> SplitResult:
    """The parts of a byte line given as an address. Raises ConfigError for what is none."""
    if scheme_of(port) not in BYTE_SCHEMES:
        raise ConfigError(
            f"no address of a line; one of: {', '.join(f'{name}://' for name in BYTE_SCHEMES)}", place=shown(port)
        )
    return parts_of(port)


@dataclass(frozen=True, slots=True)
class ModbusAddress:
    """Where Modbus TCP is spoken."""

    host: str
    port: int
    tls: bool


def is_modbus_tcp(port: str) -> bool:
    """Whether Modbus meters on this port speak Modbus TCP, not RTU."""
    return port.startswith(tuple(f"{scheme}://" for scheme in MODBUS_SCHEMES))


def modbus_address(port: str) -> ModbusAddress:
    """The parts of `tcp://HOST[:502]` or `tls://HOST[:802]`. Raises ConfigError."""
    address = parts_of(port)
    host, number = host_and_port(address, port, _MODBUS_PORTS[address.scheme])
    return ModbusAddress(host, number, address.scheme == "tls")


def default_port(scheme: str, *, modbus: bool) -> int:
    """The TCP port of an address without one; 0 = it must be given."""
    return (_MODBUS_PORTS.get(scheme, 0) if modbus else 0) or PORT_DEFAULTS.get(scheme, 0)


def host_and_port(address: SplitResult, place: str, port_default: int) -> tuple[str, int]:
    """Host and TCP port of an address. Raises ConfigError when one is missing; with a default of 0 it must be given."""
    try:
        number = address.port or port_default
    except ValueError as error:
        raise ConfigError(f"the port must be a number from 1 to 65535: {error}", place=shown(place)) from error
    if not address.hostname or not number:
        raise ConfigError("an address needs a host and a port, as in tcp://192.168.1.20:502", place=shown(place))
    return address.hostname, number


def shown(port: str) -> str:
    """A port as it may be shown: without the name and password that an address may carry."""
    return re.sub(r"^([A-Za-z][A-Za-z0-9+.-]*:/+)[^/]*@", r"\1", port)
