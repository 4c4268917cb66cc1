"""Wrong passwords cost time: each name and each address has a count, and what it must wait doubles."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_network

from wattbook.access.people import folded
from wattbook.transports.addresses import parse_ip

FORGIVEN_S = 3600.0  # after so long without a failure a count begins anew
_IPV6_PREFIX = 64  # one customer has at least so many addresses


@dataclass(slots=True)
class _Count:
    failures: int = 0
    last_s: float = 0.0


class Counts:
    """Failures by a text of a stranger's choice, in a table of fixed size.

    A place is chosen by a hash with a random key: nobody can fill the table, aim at another's place, or tell a name
    that exists from one that does not.
    """

    def __init__(self, *, places: int, free: int, wait_s_max: float) -> None:
        self._counts = [_Count() for _ in range(places)]
        self._key = secrets.token_bytes(16)
        self._free, self._wait_s_max = free, wait_s_max

    def wait_s(self, text: str, now_s: float) -> float:
        """How long this one must wait before it may try again; 0 = not at all."""
        count = self._of(text)
        over = count.failures - self._free
        if over < 0 or now_s - count.last_s > FORGIVEN_S:
            return 0.0
        pause_s = min(self._wait_s_max, 2.0 ** min(over, 30))
        return max(0.0, count.last_s + pause_s - now_s)

    def failed(self, text: str, now_s: float) -> None:
        """It was wrong."""
        count = self._of(text)
        count.failures = 1 if now_s - count.last_s > FORGIVEN_S else count.failures + 1
        count.last_s = now_s

    def succeeded(self, text: str) -> None:
        """It was right: the count begins anew."""
        self._of(text).failures = 0

    def _of(self, text: str) -> _Count:
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).digest()
        return self._counts[int.from_bytes(digest, "big") % len(self._counts)]


class Throttle:
    """Counts of names and of addresses together.

    A name waits a minute at most: whoever tries its password from elsewhere must not lock its owner out for long. An
    address waits a quarter of an hour.
    """

    def __init__(self) -> None:
        self._names = Counts(places=4096, free=5, wait_s_max=60.0)
        self._addresses = Counts(places=4096, free=10, wait_s_max=900.0)

    def wait_s(self, name: str, address: str, now_s: float) -> float:
        """Seconds until this name may be tried from this address; 0 = now."""
        return max(self._names.wait_s(folded(name), now_s), self._addresses.wait_s(_network(address), now_s))

    def failed(self, name: str, address: str, now_s: float) -> None:
        """A wrong name or password."""
        self._names.failed(folded(name), now_s)
        self._addresses.failed(_network(address), now_s)

    def succeeded(self, name: str) -> None:
        """The right one. The address keeps its count: an attacker may have one account, and try others."""
        self._names.succeeded(folded(name))


def _network(address: str) -> str:
    ip = parse_ip(address)
    return str(ip_network((ip, _IPV6_PREFIX), strict=False)) if isinstance(ip, IPv6Address) else str(ip)
