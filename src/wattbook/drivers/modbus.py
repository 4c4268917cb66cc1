"""A Modbus meter asked once: the requests its profile needs, and what they come to."""

from __future__ import annotations

from wattbook.codecs.conversation import Conversation, Pause
from wattbook.codecs.identity import read_serial, same_serial
from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus import Request
from wattbook.codecs.modbus_ask import Framing
from wattbook.codecs.registers import plan_profile
from wattbook.codecs.sunspec import walk
from wattbook.model.errors import ConfigError, MeterError, Refused, Stranger
from wattbook.profiles.profile import Profile, SunspecSettings


class ModbusMeter:
    """A meter of a Modbus profile at a unit address, on RTU or TCP as `framing` says."""

    framed = True

    def __init__(self, profile: Profile, address: int | str | None, framing: Framing, *, serial: str = "") -> None:
        """Plan the requests. Raises ConfigError for a wrong address or a profile that cannot be read.

        With a `serial` number the device must have it: it is asked for first, and again after every failure.
        """
        assert profile.modbus is not None
        self._settings, self._framing = profile.modbus, framing
        self._unit = unit_address(profile, address)
        self._plan = plan_profile(profile.modbus)
        self._requests = [] if profile.modbus.sunspec else self._requests_from(0)
        self._serial, self._is_it = serial, not serial
        if serial and profile.modbus.identity.serial_number is None:
            raise ConfigError(f"a {profile.name} has no serial number that could be asked for; leave it out")

    def conversation(self, timeout_s: float) -> Conversation[Measured]:
        """Read all registers. Raises Unreachable, Garbled, Refused, or Stranger for another device's serial number."""
        if self._settings.sunspec is None and not self._serial:
            return self._read(timeout_s)  # nothing to find first: one generator less in every poll
        return self._find_and_read(timeout_s)

    def _find_and_read(self, timeout_s: float) -> Conversation[Measured]:
        """Make sure that it is the right device, and where its block is, before its registers are read."""
        try:
            if not self._is_it:
                yield from self._identify(timeout_s)
            if self._settings.sunspec is None:
                return (yield from self._read(timeout_s))
            if not self._requests:
                self._requests = self._requests_from((yield from self._find(self._settings.sunspec, timeout_s)))
            return (yield from self._read(timeout_s))
        except MeterError:
            # Another device may answer next time, with its blocks elsewhere.
            self._requests = self._requests if self._settings.sunspec is None else []
            self._is_it = not self._serial
            raise

    def _identify(self, timeout_s: float) -> Conversation[None]:
        """Ask for the serial number. Raises Stranger when it is another one."""
        number = self._settings.identity.serial_number
        assert number is not None
        found = yield from read_serial(self._framing, number, unit=self._unit, timeout_s=timeout_s)
        if not same_serial(found, self._serial):
            raise Stranger(
                f"a device with the serial number {found} answers at address {self._unit}, not {self._serial}; "
                "correct the serial number, or connect the right device"
            )
        self._is_it = True

    def _read(self, timeout_s: float) -> Conversation[Measured]:
        words: tuple[int, ...] = ()
        for request in self._requests:
            if self._settings.pause_s:
                yield Pause(self._settings.pause_s)
            words += (yield from self._framing.exchange(request, timeout_s)).words
        return self._plan.decode(words)

    def _requests_from(self, base: int) -> list[Request]:
        return [Request(self._unit, block.function, base + block.first, block.count) for block in self._plan.blocks]

    def _find(self, settings: SunspecSettings, timeout_s: float) -> Conversation[int]:
        """Where the block with the registers begins."""
        function = self._plan.blocks[0].function
        steps = walk(settings)
        try:
            wanted = next(steps)
            while True:
                words = yield from self._words_or_none(Request(self._unit, function, *wanted), timeout_s)
                wanted = steps.send(words)
        except StopIteration as end:
            found: int = end.value
            return found

    def _words_or_none(self, request: Request, timeout_s: float) -> Conversation[tuple[int, ...] | None]:
        try:
            return (yield from self._framing.exchange(request, timeout_s)).words
        except Refused:
            return None  # nothing stands there


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
