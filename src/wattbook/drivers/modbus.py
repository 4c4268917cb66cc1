"""A Modbus meter asked once: the requests its profile needs, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from wattbook.codecs.conversation import Conversation, Pause
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus import Request
from wattbook.codecs.modbus_ask import Framing
from wattbook.codecs.registers import plan_profile
from wattbook.model.errors import ConfigError
from wattbook.model.reading import Quality
from wattbook.profiles.profile import Profile


class ModbusMeter:
    """A meter of a Modbus profile at a unit address, on RTU or TCP as `framing` says."""

    framed = True

    def __init__(self, profile: Profile, address: int | str | None, framing: Framing) -> None:
        """Plan the requests. Raises ConfigError for a wrong address or a profile that cannot be read."""
        assert profile.modbus is not None
        self._settings, self._framing = profile.modbus, framing
        self._unit = unit_address(profile, address)
        self._plan = plan_profile(profile.modbus)
        self._requests = [Request(self._unit, block.function, block.first, block.count) for block in self._plan.blocks]

    def conversation(self, timeout_s: float) -> Conversation[Measured]:
        """Read all registers. Raises Unreachable, Garbled or Refused."""
        words: tuple[int, ...] = ()
        for request in self._requests:
            if self._settings.pause_s:
                yield Pause(self._settings.pause_s)
            words += (yield from self._framing.exchange(request, timeout_s)).words
        return self._plan.decode(words)

    def doubt(self, at: datetime, measured: Measured) -> Mapping[str, Quality]:
        """What the profile calls impossible; the CRC vouches for the rest."""
        return measured.doubt


def unit_address(profile: Profile, address: int | str | None) -> int:
    """The unit to ask: what the configuration says, else the model's. Raises ConfigError."""
    assert profile.modbus is not None
    if address is None or address == "":
        return profile.modbus.address_default
    try:
        unit = int(address)
    except ValueError as error:
        raise ConfigError(f'a Modbus address is a number, not "{address}"') from error
    # 0 is for everybody, and nobody answers; but behind Modbus TCP it is an ordinary unit.
    if not 0 <= unit <= max(profile.modbus.address_max, 255):
        raise ConfigError(f"a Modbus address is from 1 to {profile.modbus.address_max}, not {unit}")
    return unit
