"""Something speaks on a line unasked: listen, and name what it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from wattbook.codecs.detect import decode
from wattbook.codecs.telegram import Damage
from wattbook.model.errors import WattbookError
from wattbook.profiles.profile import Profile, SerialSettings
from wattbook.transports.open import open_link

_LISTEN_S = 11.0  # at each speed: P1 meters speak every 10 s at the least
_QUIET_S = 1.5  # without a byte, once some came: a telegram is over
_SIZE_MAX = 65_536


def name_speaker(port: str, models: Iterable[Profile], *, monotonic: Callable[[], float] = time.monotonic) -> str:
    """What speaks there, in words. Raises LinkLost."""
    listening = [profile for profile in models if profile.listens and profile.protocol not in ("mqtt", "push")]
    for settings in dict.fromkeys(profile.serial for profile in listening):
        heard = _hear(port, settings, monotonic)
        of_settings = [profile for profile in listening if profile.serial == settings]
        if name := _named(heard, of_settings):
            return f"a meter speaks there by itself; `wattbook read {port} --model {name}` understands it"
    return (
        "bytes come that no question was asked for, and they are no telegram known here; another program or master may"
        " be asking on this line, or its two wires are swapped"
    )


def _named(heard: bytes, models: Iterable[Profile]) -> str:
    """The first model that makes a whole telegram of it."""
    if not heard.strip():
        return ""
    for model in models:
        try:
            telegrams = [item for item in decode(heard, profile=model) if not isinstance(item, Damage)]
        except WattbookError:
            continue
        if any(telegram.measured.values for telegram in telegrams):
            return model.name
    return ""


def _hear(port: str, settings: SerialSettings, monotonic: Callable[[], float]) -> bytes:
    """What comes at these settings, until a pause after the first of it."""
    heard, link = b"", open_link(port, settings)
    end = monotonic() + _LISTEN_S
    quiet_at = end
    try:
        while monotonic() < min(end, quiet_at) and len(heard) < _SIZE_MAX:
            chunk = link.read(0.2)
            if chunk:
                heard += chunk
                quiet_at = monotonic() + _QUIET_S
    finally:
        link.close()
    return heard
