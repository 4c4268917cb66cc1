"""The decoder for what a meter of a profile sends by itself."""

from __future__ import annotations

from wattbook.codecs.dsmr import DsmrDecoder
from wattbook.codecs.sml import SmlDecoder
from wattbook.codecs.telegram import Decoder
from wattbook.model import ConfigError
from wattbook.profiles.profile import Profile


def make_decoder(profile: Profile) -> Decoder:
    """Return a new decoder. Raises ConfigError for a meter that has to be asked."""
    if profile.protocol == "sml":
        return SmlDecoder(profile.sml)
    if profile.protocol == "dsmr":
        return DsmrDecoder("optional" if profile.unchecked else "required")
    if profile.iec is not None and profile.iec.mode == "D":
        return DsmrDecoder("optional")  # mode D is P1's ancestor: the same frame, and never a CRC
    raise ConfigError(f"{profile.name} does not speak by itself; it has to be asked")
