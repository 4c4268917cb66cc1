"""Who really asks, where a reverse proxy stands between: believed only from proxies that [api] proxies names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from starlette.types import Scope

from wattbook.api.answers import Refusal
from wattbook.transports.addresses import is_loopback, parse_ip

Network = IPv4Network | IPv6Network
LOCAL_SCHEME = "wattbook-local"  # in Authorization: the secret of commands on this machine
_NAME_IT = 'in wattbook.toml: [api] proxies = ["{address}"]'


@dataclass(frozen=True, slots=True)
class Asker:
    """Where a request comes from."""

    address: str  # of the browser or program
    direct: bool  # no proxy stands between
    encrypted: bool  # TLS, as far as the browser sees


def asker_of(scope: Scope, proxies: Iterable[Network]) -> Asker:
    """Look behind a proxy. Raises Refusal when one of this machine does not say whom it stands for, or is not named.

    Taking such a one for this machine itself would give everybody behind it what only this machine may.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    forwarded = _values(scope, b"x-forwarded-for")
    if not _within(peer, proxies):
        if is_loopback(peer) and (forwarded or _values(scope, b"forwarded")):
            raise Refusal(403, f"a proxy that is not named forwards this; name it {_NAME_IT.format(address=peer)}")
        return Asker(peer, True, scope.get("scheme") == "https")
    if not forwarded:
        if not _has_local_secret(scope):
            raise Refusal(403, f"the proxy at {peer} must send X-Forwarded-For; see docs/how-to/reverse-proxy.md")
        return Asker(peer, False, scope.get("scheme") == "https")
    # Each proxy adds whom it sees at the end; what stands before the last that is no proxy of ours, anybody may claim.
    address = next((each for each in reversed(forwarded) if not _within(each, proxies)), forwarded[0])
    return Asker(address, False, _values(scope, b"x-forwarded-proto")[-1:] == ["https"])


def _values(scope: Scope, name: bytes) -> list[str]:
    """The elements of a header, in order, however many lines it has."""
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [each.strip() for line in lines for each in line.split(",") if each.strip()]


def _within(address: str, networks: Iterable[Network]) -> bool:
    ip = parse_ip(address)
    return ip is not None and any(ip in network for network in networks if network.version == ip.version)


def _has_local_secret(scope: Scope) -> bool:
    # Whether it is the right one is the gate's to say.
    return any(value.casefold().startswith(f"{LOCAL_SCHEME} ") for value in _values(scope, b"authorization"))
