"""Where a sink writes to, for people to look at: never a user, a password or what else an address may hide."""

from __future__ import annotations

from pathlib import Path

from wattbook.sinks import SinkSettings


def target_of(settings: SinkSettings) -> str:
    """The servers of its address, or its file; "" = it has neither, or its address is a secret as a whole."""
    url, file = getattr(settings, "url", None), getattr(settings, "file", None)
    if isinstance(url, str) and url:
        return ",".join(map(_server, url.split(",")))
    return str(file) if isinstance(file, Path) else ""


def _server(url: str) -> str:
    """Scheme, host and port: paths and queries may be passwords, as those of web hooks are."""
    scheme, mark, rest = url.rpartition("://")
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return f"{scheme}{mark}{host}"
