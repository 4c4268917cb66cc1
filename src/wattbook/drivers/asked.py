"""A meter that is asked: what the collecting engine needs to know of it."""

from __future__ import annotations

from typing import Protocol

from wattbook.codecs.conversation import Conversation
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus_ask import Framing
from wattbook.drivers.cirbus import CirbusMeter
from wattbook.drivers.modbus import ModbusMeter
from wattbook.drivers.optical import OpticalMeter
from wattbook.model.errors import ConfigError
from wattbook.profiles.profile import Profile


class Asked(Protocol):
    """One meter on a line. It knows no clock, no port and no store."""

    framed: bool  # Modbus RTU: keep 3.5 characters of silence before each request

    def conversation(self, timeout_s: float) -> Conversation[Measured]:
        """Ask once. `timeout_s` is how long to wait for a first byte, where the protocol leaves that open.

        Raises Unreachable, Garbled or Refused.
        """
        ...


def make_asked(
    profile: Profile, address: int | str | None, framing: Framing, *, baud: int = 0, serial: str = ""
) -> Asked:
    """The driver of a model at an address (None: the model's own). Raises ConfigError.

    `baud` is the line's own speed where it differs from the model's: an optical meter is signed on at it. `serial` is
    the number that the device must have ("" = any).
    """
    match profile.protocol:
        case "modbus":
            return ModbusMeter(profile, address, framing, serial=serial)
        case "cirbus":
            return CirbusMeter(profile, address)
        case "iec62056-21" if not profile.listens:
            return OpticalMeter(profile, "" if address is None else str(address), baud=baud)
        case _:
            raise ConfigError(f'a meter of model "{profile.name}" speaks by itself and cannot be asked')
