"""Addresses of clients: who is on this machine, and who belongs to a network that may ask."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """An address, or None; one of IPv4 that came in through a socket of IPv6 counts as IPv4."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def is_loopback(host: str) -> bool:
    """Whether what listens at this host is reached from this machine alone."""
    address = parse_ip(host)
    return host == "localhost" if address is None else address.is_loopback


def may_ask(client: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether a client is this machine or in one of the networks."""
    address = parse_ip(client)
    return address is not None and (
        address.is_loopback or any(address in network for network in networks if network.version == address.version)
    )
