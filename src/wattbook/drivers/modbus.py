"""A Modbus meter asked once: the requests its profile needs, and what they come to."""

from __future__ import annotations

from wattbook.codecs.conversation import Conversation, Pause
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus_ask import Framing, read
from wattbook.codecs.registers import decode_registers, plan_profile, words_of
from wattbook.model.errors import ConfigError
from wattbook.profiles.profile import Profile


class ModbusMeter:
    """A meter of a Modbus profile at a unit address, on RTU or TCP as `framing` says."""

    framed = True

    def __init__(self, profile: Profile, address: int | str | None, framing: Framing) -> None:
        """Plan the requests. Raises ConfigError for a wrong address or a profile that cannot be read."""
        assert profile.modbus is not None
        self._settings, self._framing = profile.modbus, framing
        self._unit = unit_address(profile, address)
        self._blocks = plan_profile(profile.modbus)

    def conversation(self, timeout_s: float) -> Conversation[Measured]:
        """Read all registers. Raises Unreachable, Garbled or Refused."""
        words: dict[tuple[int, int], int] = {}
        for block in self._blocks:
            if self._settings.pause_s:
                yield Pause(self._settings.pause_s)
            heard = yield from read(
                self._framing,
                unit=self._unit,
                function=block.function,
                address=block.first,
                count=block.count,
                timeout_s=timeout_s,
            )
            words.update(words_of(block, heard))
        return decode_registers(self._settings.registers, words)


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
