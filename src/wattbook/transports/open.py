"""Open a line by the text that the configuration gives for it, and list the ports of this machine."""

from __future__ import annotations

import serialx

from wattbook.model.errors import Unreachable
from wattbook.profiles.profile import SerialSettings
from wattbook.transports.link import Link
from wattbook.transports.ports import PORT_DEFAULTS, host_and_port, scheme_of, split_port
from wattbook.transports.rfc2217 import Rfc2217Link
from wattbook.transports.serial import FOREIGN_ERRORS, SerialLink, explain
from wattbook.transports.tcp import TcpLink


def open_link(port: str, settings: SerialSettings) -> Link:
    """Open a device (`/dev/…`, `COM3`), `tcp://` or `rtu+tcp://host:port` (bytes as they are), or `rfc2217://host:port`.

    Raises Unreachable when it cannot be opened now, ConfigError when it never will.
    """
    if not scheme_of(port):
        return SerialLink(port, settings)
    address = split_port(port)
    host, number = host_and_port(address, port, PORT_DEFAULTS.get(address.scheme, 0))
    if address.scheme == "rfc2217":
        return Rfc2217Link(host, number, settings)
    return TcpLink(host, number, settings)


def list_ports() -> list[str]:
    """The serial ports of this machine by their stable names (/dev/serial/by-id/…), for port = "auto"."""
    try:
        return sorted(port.device for port in serialx.list_serial_ports())
    except FOREIGN_ERRORS as error:
        raise Unreachable(f"the ports of this machine cannot be listed: {explain(error)}") from error
