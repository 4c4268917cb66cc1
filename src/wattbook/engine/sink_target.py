"""Where a sink writes to, for people to look at: never a user, a password or what else an address may hide."""

from __future__ import annotations

import re
from pathlib import Path

from wattbook.sinks import SinkSettings

# Paths and queries may be passwords, as those of web hooks are. A password may hold any character: what is cut off
# before a host holds no other mark of an address, and what is behind the hosts no "@", else "anna:1" of
# "anna:1/2@host" would be taken for host and port.
_SCHEME = r"[a-z][a-z0-9+.-]*://"
_HOST = r"(?:\[[0-9a-f:.%]+\]|[\w.-]+)(?::\d+)?"
_ADDRESS = re.compile(rf"({_SCHEME})?(?:[^/?#,@]*@)?({_HOST}(?:,(?:{_SCHEME})?{_HOST})*)(?:[/?#][^@]*)?", re.IGNORECASE)


def target_of(settings: SinkSettings) -> str:
    """The servers of its address, or its file; "" = it has neither, or it is not sure what is a secret in it."""
    url, file = getattr(settings, "url", None), getattr(settings, "file", None)
    if isinstance(url, str) and url:
        found = _ADDRESS.fullmatch(url)
        return f"{found[1] or ''}{found[2]}" if found else ""
    return str(file) if isinstance(file, Path) else ""
