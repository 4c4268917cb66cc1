"""The address of a foreign HTTP server, as a person writes it."""

from __future__ import annotations

from urllib.parse import quote, urlencode, urlsplit

_LOCAL = ("127.0.0.1", "localhost", "::1")


def http_address(url: str) -> str:
    """The address without a slash at its end. Raises ValueError: none, or one with a password in it."""
    if not is_http_address(url):
        raise ValueError('"url" is no address; one is http://127.0.0.1:8086')
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ValueError('"url" holds a user name; write it under "username", and its password under "password"')
    if parts.query or parts.fragment:
        raise ValueError('"url" must end before a "?" or "#"')
    return url.rstrip("/")


def is_http_address(url: str) -> bool:
    """Whether it has the form of one: http or https, a host, and no port that cannot be."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def is_local(url: str) -> bool:
    """Whether the server is on this machine."""
    return urlsplit(url).hostname in _LOCAL


def query(**told: str) -> str:
    """`?name=value&…` of what is not empty."""
    return "?" + urlencode({name: text for name, text in told.items() if text}, quote_via=quote)
