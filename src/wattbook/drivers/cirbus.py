"""A meter that is asked in CIRBUS."""

from __future__ import annotations

from wattbook.codecs.cirbus import read_out
from wattbook.codecs.conversation import Conversation
from wattbook.codecs.measured import Measured
from wattbook.profiles.profile import Profile


class CirbusMeter:
    """A meter of a CIRBUS profile. Frames begin with `$`: no silence is owed between them."""

    framed = False

    def __init__(self, profile: Profile, address: int | str | None) -> None:
        """Prepare. Raises ConfigError for a wrong address."""
        assert profile.cirbus is not None
        self._settings, self._address = profile.cirbus, profile.cirbus.address(address)

    def conversation(self, timeout_s: float) -> Conversation[Measured]:
        """Ask all commands. Raises Unreachable or Garbled."""
        return read_out(self._settings, self._address, timeout_s)
