"""Meters that speak first: SML, DSMR P1 and mode D of IEC 62056-21."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from wattbook.codecs import dsmr, sml_encode
from wattbook.model.clock import Clock
from wattbook.profiles import Profile, SerialSettings
from wattbook.simulate.bus import NEVER, Say
from wattbook.simulate.faults import Trouble
from wattbook.simulate.readout import Readout
from wattbook.simulate.source import Source
from wattbook.simulate.statistics import Tally

SERVER_ID = "0A0157424B0000033605"  # the shape's own


@dataclass(frozen=True, slots=True)
class PushMeter:
    """One meter that sends a telegram every so often."""

    name: str
    profile: Profile
    readout: Readout
    source: Source
    trouble: Trouble
    every_s: float = 2.0
    serial: str = ""  # its own number; hexadecimal for SML
    _counts: Iterator[int] = field(default_factory=lambda: count(1))

    def telegram(self, clock: Clock) -> bytes:
        """What it sends now."""
        data_sets = self.readout.at(clock.now(), self.source, serial=self.serial)
        if self.profile.protocol != "sml":
            checked = self.profile.protocol == "dsmr" and not self.profile.unchecked
            return dsmr.encode_telegram(self.readout.identification, data_sets, crc=checked)
        number = next(self._counts)
        return sml_encode.encode_telegram(
            bytes.fromhex(self.serial or SERVER_ID),
            data_sets,
            counter=number & 0xFFFF_FFFF,
            sensor_time_s=int(number * self.every_s) & 0xFFFF_FFFF,
            crc=self.profile.sml.crc if self.profile.sml else "x25",
        )


class PushBus:
    """Meters on one line that speak first, each on its own beat; one waits while another speaks."""

    def __init__(
        self,
        meters: Sequence[PushMeter],
        serial: SerialSettings,
        tally: Tally,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._meters, self._serial, self._tally, self._clock = meters, serial, tally, clock
        self._beats = {meter.name: monotonic() for meter in meters}
        self._free_at = 0.0

    def listening(self) -> SerialSettings:
        """It hears nobody, at its own speed."""
        return self._serial

    def hear(self, data: bytes, at: float) -> None:
        """Nothing that is said to it matters."""

    def due(self) -> float:
        """The next beat."""
        return max(min(self._beats.values(), default=NEVER), self._free_at)

    def judged_from(self) -> float:
        """Nobody is judged to the tenth of a millisecond here."""
        return NEVER

    def act(self, now: float) -> Sequence[Say]:
        """Send the telegram of the meter whose beat came first; beats that were missed are left out."""
        meter = min(self._meters, key=lambda meter: self._beats[meter.name])
        beat = self._beats[meter.name]
        self._beats[meter.name] = beat + meter.every_s * max(1, int((now - beat) / meter.every_s) + 1)
        faults = meter.trouble.now(now)
        if faults.silent or not meter.source.powered(self._clock.now()):
            return ()
        data = meter.trouble.noise(faults.noise_before) + meter.trouble.damage(meter.telegram(self._clock), faults)
        data += meter.trouble.noise(faults.noise_after)
        say = Say(data, max(beat, self._free_at, now - 0.01) + faults.late_s, self._serial, meter.name)
        self._free_at = say.end
        return (say,)

    def said(self, say: Say, at: float) -> None:
        """Count it."""
        if say.meter:
            self._tally.answer(say.meter, at, due_s=0.0, late_s=at - say.end)

    def reset(self) -> None:
        """A meter that speaks first begins nothing that a pulled line could interrupt."""
