"""An IEC 62056-21 meter read out through its optical port (modes A, B and C)."""

from __future__ import annotations

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.iec62056_21 import read_out
from wattbook.codecs.measured import Measured
from wattbook.profiles.profile import Profile


class OpticalMeter:
    """A meter of an IEC profile; an empty address calls whichever meter is there."""

    framed = False

    def __init__(self, profile: Profile, address: str = "", *, baud: int = 0) -> None:
        """Prepare; `baud` is the speed to sign on at, 0 = the model's. Raises ConfigError for a wrong address."""
        assert profile.iec is not None
        self._profile, self._settings, self._address = profile, profile.iec, address
        self._baud = baud or profile.serial.baud
        first = self.conversation(0.0)
        next(first)  # the codec checks the address before its first step
        first.close()

    def conversation(self, timeout_s: float) -> Conversation[Measured]:
        """Read it out; the standard itself says how long to wait. Raises Unreachable, Garbled or Refused."""
        telegram = yield from read_out(self._settings, self._address, baud=self._baud)
        measured = telegram.measured(self._profile)
        return Measured(measured.values, measured.doubt, checked=telegram.checked)
