"""An IEC 62056-21 meter read out through its optical port (modes A, B and C)."""

from __future__ import annotations

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.iec62056_21 import read_out
from wattbook.codecs.measured import Measured
from wattbook.profiles.profile import Profile


class OpticalMeter:
    """A meter of an IEC profile; an empty address calls whichever meter is there."""

    framed = False

    def __init__(self, profile: Profile, address: str = "") -> None:
        assert profile.iec is not None
        self._profile, self._settings, self._address = profile, profile.iec, address

    def conversation(self, timeout_s: float) -> Conversation[Measured]:
        """Read it out; the standard itself says how long to wait. Raises Unreachable, Garbled or Refused."""
        telegram = yield from read_out(self._settings, self._address, baud=self._profile.serial.baud)
        measured = telegram.measured(self._profile)
        return Measured(measured.values, measured.doubt)
