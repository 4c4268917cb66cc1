"""Ports as text: what the configuration may call one, taken apart and shown, without opening any."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean

AUTO = "auto"  # every serial port of this machine
BYTE_SCHEMES = ("tcp", "rtu+tcp", "rfc2217")
BROKER_SCHEMES = ("mqtt", "mqtts")
MODBUS_TCP_PORT = 502
PORT_DEFAULTS = {"rfc2217": 2217, "mqtt": 1883, "mqtts": 8883}


def scheme_of(port: str) -> str:
    """What stands before ":", or "" for a device of this machine. Raises ConfigError for a scheme nobody here knows."""
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", port):
        return ""
    scheme = urlsplit(port).scheme
    if scheme not in (*BYTE_SCHEMES, *BROKER_SCHEMES):
        near = did_you_mean(scheme, (*BYTE_SCHEMES, *BROKER_SCHEMES))
        raise ConfigError(f'no line begins with "{scheme}://"{near}', place=shown(port))
    return scheme


def split_port(port: str) -> SplitResult:
    """The parts of a byte line given as an address. Raises ConfigError for what is none."""
    if scheme_of(port) not in BYTE_SCHEMES:
        raise ConfigError(
            f"no address of a line; one of: {', '.join(f'{name}://' for name in BYTE_SCHEMES)}", place=shown(port)
        )
    return urlsplit(port)


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
