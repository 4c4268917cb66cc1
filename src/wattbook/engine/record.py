"""What a line is asked to do, and the books it keeps of each meter."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wattbook.codecs.measured import Measured
from wattbook.codecs.modbus_ask import Framing, OutOfStep
from wattbook.drivers.asked import make_asked
from wattbook.engine.schedule import RETRIES, Patience
from wattbook.engine.status import MeterStatus
from wattbook.model.clock import STEP_MIN, Clock
from wattbook.model.errors import Garbled, MeterError, Refused, Stranger
from wattbook.model.keeping import Keeper
from wattbook.model.reading import Event, Reading
from wattbook.profiles.profile import Profile, SerialSettings
from wattbook.transports.tls import TlsSettings

log = logging.getLogger(__name__)

_GRAIN = timedelta(milliseconds=10)  # instants are kept to it
_SMOOTH = 1 / 8  # of the latency shown
_GARBLED_MIN = 3  # in a row: noise spoils one answer, two devices that speak at once spoil all
_TWO = "; when the line's other meters answer well, two devices may have this address: `wattbook scan` tells"
_HEAD = "; light from outside, or an optical head that is not quite in place?"


@dataclass(frozen=True, slots=True)
class MeterTask:
    """One meter to ask. `every_s` 0 = as often as the line allows; address None = the model's own."""

    name: str
    profile: Profile
    address: int | str | None = None
    every_s: float = 0.0
    location: str = ""
    serial: str = ""  # the number that the device must have; "" = any
    retries: int = RETRIES  # at once, after a damaged answer
    timeout_s: float | None = None  # for the first byte; None = it follows the meter


@dataclass(frozen=True, slots=True)
class LineTask:
    """One line. Several ports, or "auto" for all of this machine, bind each meter to the port where it answers."""

    name: str
    ports: tuple[str, ...]
    meters: tuple[MeterTask, ...]
    keeper: Keeper
    clock: Clock
    settings: SerialSettings = field(default_factory=SerialSettings)
    taken: tuple[str, ...] = ()  # ports of other lines, which "auto" must leave alone
    tls: TlsSettings = field(default_factory=TlsSettings)  # of a tls:// line


class MeterRecord:
    """One meter of a line: its driver, its status, and what its last answers were. Used by one thread at a time."""

    def __init__(self, task: MeterTask, line: LineTask, framing: Framing) -> None:
        self.name, self.every_s = task.name, task.every_s
        self.asked = make_asked(task.profile, task.address, framing, baud=line.settings.baud, serial=task.serial)
        self.status = MeterStatus(task.name, task.profile.name, line.name, task.location)
        self.patience = Patience(retries=task.retries, fixed_s=task.timeout_s)
        self._keeper, self._clock = line.keeper, line.clock
        self._answer_bytes = 0
        self._last_at: datetime | None = None
        self._stranger = ""  # what was said of another device in its place, so that it is said once
        self._garbled = 0  # failures of this kind in a row
        self._garbled_why = _HEAD if task.profile.protocol == "iec62056-21" else _TWO

    def begin(self) -> None:
        """It is being asked."""
        self.status.counters.polls += 1
        self.status.expected_bytes = self._answer_bytes

    def heard(self, size: int) -> None:
        """Bytes of the present answer, so far."""
        self.status.heard_bytes = size

    def answered(self, measured: Measured, *, first_byte_s: float, latency_s: float, now: float) -> datetime:
        """Hand over what it said; the answer is complete `now` (monotonic). Return that instant."""
        at = self._instant()
        status = self.status
        status.latency_s += (latency_s - status.latency_s) * (_SMOOTH if status.counters.answers else 1)
        status.counters.answers += 1
        self._answer_bytes, status.heard_bytes = status.heard_bytes, 0
        self.patience.answered(first_byte_s, now)
        self._stranger, self._garbled = "", 0
        if measured.values:
            status.last_at = at
            self._keeper.measured(Reading(self.name, at, measured.values, doubt=measured.doubt))
        if status.state != "present":
            self._back(at)
        return at

    def failed(self, error: MeterError, *, sought: bool = False) -> float:
        """Count a failure; return for how many seconds to set the meter aside.

        While it is `sought` on several ports, silence on one of them does not yet mean that it is away.
        """
        counters = self.status.counters
        self.status.heard_bytes = 0
        # Where the stream lost its place the others are asked first on a new one: this meter may be what spoils it.
        noise = isinstance(error, Garbled) and not isinstance(error, OutOfStep)
        self._garbled = self._garbled + 1 if noise else 0
        match error:
            case Garbled():
                counters.garbled += 1
            case Refused():
                counters.refused += 1
                self.status.refusal = str(error)
            case Stranger():
                self._meet(str(error))
            case _:
                counters.timeouts += 1
        delay_s = self.patience.failed(at_once=noise)
        if self.patience.away and not sought:
            self.gone(f"{error}{self._garbled_why}" if self._garbled >= _GARBLED_MIN else str(error))
        return delay_s

    def _meet(self, words: str) -> None:
        """Another device is in its place: say so once."""
        if words != self._stranger:
            self._stranger = words
            log.warning("%s: %s", self.name, words)
            self._keeper.note(Event("meter.stranger", self.name, self._clock.now(), {"reason": words}))

    def gone(self, reason: str) -> None:
        """It is away: say so once."""
        status = self.status
        status.heard_bytes = 0
        if status.state == "away":
            status.reason = reason
            return
        now = self._clock.now()
        status.state, status.reason, status.since = "away", reason, now
        log.warning("%s is away: %s", self.name, reason)
        self._keeper.note(Event("meter.away", self.name, now, {"reason": reason, "line": status.line}))

    def _back(self, at: datetime) -> None:
        status = self.status
        was_away, since = status.state == "away", status.since
        status.state, status.reason, status.since = "present", "", at
        if was_away:
            away_s = round((at - since).total_seconds(), 2) if since else 0
            log.warning("%s is back after %s s", self.name, away_s)
            self._keeper.note(Event("meter.back", self.name, at, {"away_s": away_s, "line": status.line}))

    def _instant(self) -> datetime:
        """Now, strictly after the meter's last reading; a clock that was set back is believed."""
        at, last = self._clock.now(), self._last_at
        if last is not None and at <= last and last - at < STEP_MIN:
            at = last + _GRAIN
        self._last_at = at
        return at
