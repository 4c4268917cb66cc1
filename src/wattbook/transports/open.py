"""Open a line by the text that the configuration gives for it, and list the ports of this machine."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import serialx

from wattbook.model.errors import ConfigError, Unreachable
from wattbook.model.nearest import did_you_mean
from wattbook.profiles.profile import SerialSettings
from wattbook.transports.link import Link
from wattbook.transports.rfc2217 import Rfc2217Link
from wattbook.transports.serial import FOREIGN_ERRORS, SerialLink, explain
from wattbook.transports.tcp import TcpLink

SCHEMES = ("tcp", "rtu+tcp", "rfc2217")
_PORT_DEFAULTS = {"rfc2217": 2217}


def open_link(port: str, settings: SerialSettings) -> Link:
    """Open a device (`/dev/…`, `COM3`), `tcp://` or `rtu+tcp://host:port` (bytes as they are), or `rfc2217://host:port`.

    Raises Unreachable when it cannot be opened now, ConfigError when it never will.
    """
    if "://" not in port:
        return SerialLink(port, settings)
    address = split_port(port)
    host, number = host_and_port(address, port, _PORT_DEFAULTS.get(address.scheme, 0))
    if address.scheme == "rfc2217":
        return Rfc2217Link(host, number, settings)
    return TcpLink(host, number, settings)


def split_port(port: str) -> SplitResult:
    """The parts of a port given as an address. Raises ConfigError for a scheme nobody here knows."""
    address = urlsplit(port)
    if address.scheme not in SCHEMES:
        raise ConfigError(
            f'no line begins with "{address.scheme}://"{did_you_mean(address.scheme, SCHEMES)}', place=port
        )
    return address


def host_and_port(address: SplitResult, place: str, port_default: int) -> tuple[str, int]:
    """Host and TCP port of an address. Raises ConfigError when one is missing; a default of 0 is none."""
    try:
        number = address.port or port_default
    except ValueError as error:
        raise ConfigError(f"the port must be a number from 1 to 65535: {error}", place=place) from error
    if not address.hostname or not number:
        raise ConfigError("an address needs a host and a port, as in tcp://192.168.1.20:502", place=place)
    return address.hostname, number


def list_ports() -> list[str]:
    """The serial ports of this machine by their stable names (/dev/serial/by-id/…), for port = "auto"."""
    try:
        return sorted(port.device for port in serialx.list_serial_ports())
    except FOREIGN_ERRORS as error:
        raise Unreachable(f"the ports of this machine cannot be listed: {explain(error)}") from error
