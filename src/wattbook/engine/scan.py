"""Find who answers on a line: one cheap question per address, then a closer look at whoever is there.

Any valid answer, an exception included, shows that somebody is there. An answer whose check fails is asked for again:
when it never comes clean, two devices answer at once. A device that thinks longer than a probe waits is heard while the
next address is asked; its frame names it, and it is asked again with patience.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from enum import Enum

from wattbook.codecs.conversation import Conversation, Pause
from wattbook.codecs.modbus import Request, open_rtu
from wattbook.engine.asking import Asking, asking, check_scannable, with_port
from wattbook.engine.recognise import Recognised, recognise
from wattbook.engine.take_turns import SharedLine
from wattbook.engine.trials import SCAN_S_MAX, Pass, pass_in_turn, serial_passes, tcp_passes
from wattbook.model.errors import ConfigError, Garbled, MeterError, Refused
from wattbook.profiles.profile import Profile, SerialSettings
from wattbook.transports.link import LinkLost
from wattbook.transports.ports import is_modbus_tcp, scheme_of

_PATIENT_S = 0.5  # for the first byte, where somebody was noticed
_SETTLE_S = 0.2  # for answers that are still to come
_TRIES = 3
_NOISE_MAX = 8  # addresses with bytes that are no answer, before it is no longer a matter of addresses
_ALIKE = 5  # units that answer one after another, before a device is asked whether it answers to all
_ODD_UNITS = (97, 193, 246)
_GATEWAY_CODES = (10, 11)  # exceptions of a gateway: nobody is behind it at this address
_GATEWAY_S_MAX = 4.0  # for its word that nobody is there: gateways wait up to 3 s for a slave
_GATEWAY_SLOWER = 2.0  # times as long as it took once: other masters may ask there too
_TCP_THOROUGH_S_MAX = 300.0


class Presence(Enum):
    """What an address did."""

    SILENT = "silent"
    PRESENT = "present"
    GARBLED = "garbled"


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody who answers."""

    port: str
    unit: int
    settings: SerialSettings | None  # None where they are not ours to set
    who: Recognised


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is."""

    done_s: float
    total_s: float  # of waiting, as planned: whoever answers makes it longer
    doing: str


@dataclass(slots=True)
class Outcome:
    """What was found on a port, growing while the scan goes on."""

    port: str
    found: list[Found] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    foreign: bool = False  # bytes came that are no Modbus
    asked: int = 0  # addresses, each once per setting


Tell = Callable[[Progress], None]


def _quiet(progress: Progress) -> None:
    """Nobody watches."""


def passes_of(port: str, profiles: Sequence[Profile], *, thorough: bool) -> list[Pass]:
    """What a scan of this port asks. Raises ConfigError."""
    check_scannable(port)
    with_port(port)
    if scheme_of(port) in ("tcp", "rtu+tcp"):
        return tcp_passes(profiles, thorough=thorough)
    return serial_passes(profiles, thorough=thorough)


class Scan:
    """One port's scan. `outcome` grows, so that a scan that is given up still tells what it found."""

    def __init__(
        self,
        port: str,
        profiles: Sequence[Profile],
        *,
        thorough: bool = False,
        addresses: Collection[int] = (),
        shared: SharedLine | None = None,
        tell: Tell = _quiet,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Plan. `addresses`: only these; none = all. `shared`: the port is read by the daemon, and is asked between
        its polls. Raises ConfigError."""
        self.outcome = Outcome(port)
        if shared is None:
            self.passes = passes_of(port, profiles, thorough=thorough)
        else:
            self.passes = [pass_in_turn(profiles, shared.settings, shared.units)]
        if addresses:
            self.passes = [few for few in (one.only(addresses) for one in self.passes) if few.trials]
            if not self.passes:
                raise ConfigError("none of these addresses is asked on such a line; a serial line has 1 to 247")
        self._shared = shared
        self._port, self._profiles, self._tell, self._monotonic = port, profiles, tell, monotonic
        self._network = scheme_of(port) in ("tcp", "rtu+tcp")
        self._tcp = is_modbus_tcp(port)
        self._bound_s = _TCP_THOROUGH_S_MAX if thorough else SCAN_S_MAX
        self._done_s = 0.0
        self._seen: set[tuple[int, int]] = set()  # (speed, unit) of whom something was said
        self._noise = 0
        self._absent_s: float | None = None  # until a gateway says that nobody is there; 0 = nobody says so

    @property
    def total_s(self) -> float:
        """How long it takes when nobody answers."""
        return sum(one.seconds for one in self.passes)

    def run(self) -> Outcome:
        """Ask everybody. Raises LinkLost when the port cannot be opened or vanishes."""
        began = self._monotonic()
        for number, one in enumerate(self.passes):
            left_s = began + self._bound_s - self._monotonic() if self._network else None
            with self._asking(one) as line:
                if not self._pass(line, one, left_s):
                    break
            self._done_s = sum(done.seconds for done in self.passes[: number + 1])
        return self.outcome

    def _asking(self, one: Pass) -> AbstractContextManager[Asking]:
        return asking(self._port, one.settings) if self._shared is None else self._shared.asking()

    def _pass(self, line: Asking, one: Pass, left_s: float | None) -> bool:
        """Ask the addresses of a pass; whether the scan shall go on."""
        self._noise = 0
        end = None if left_s is None else self._monotonic() + left_s
        began_s = self._done_s
        for number, trial in enumerate(one.trials):
            self._tell(Progress(began_s + number * one.trial_s, self.total_s, self._words(one, trial)))
            if end is not None and self._monotonic() > end:
                self._remark(
                    f"given up after {self._bound_s:.0f} s, {len(one.trials) - number} addresses were not asked;"
                    " --thorough takes longer"
                )
                return False
            if (one.settings.baud, trial.unit) in self._seen:
                continue
            self._look(line, one, trial)
            if self._noise > _NOISE_MAX:
                self.outcome.foreign = True
                return self._network is False  # another speed may understand it
            if self._tcp and self._answers_to_all(line, one, trial):
                return False
        if not self._tcp and one.trials:
            self._hear_the_last(line, one, one.trials[-1])
        return True

    def _hear_the_last(self, line: Asking, one: Pass, trial: Request) -> None:
        """Whoever thinks longer is heard while the next address is asked; behind the last there is none."""
        if (one.settings.baud, trial.unit) in self._seen:
            return
        presence, _ = self._ask(line, trial, _PATIENT_S)
        if presence is not Presence.SILENT or self._late(line, trial):
            self._look_again(line, one, trial)

    def _look(self, line: Asking, one: Pass, trial: Request) -> None:
        """Ask an address, and again whoever was heard late meanwhile."""
        self.outcome.asked += 1
        presence, heard = self._ask_first(line, one, trial)
        late = self._late(line, trial, b"" if presence is Presence.PRESENT else heard)
        if presence is Presence.PRESENT:
            self._meet(line, one, trial.unit)
        elif presence is Presence.GARBLED:
            other = _speaker(heard)
            late |= {trial.unit} if other is None or other == trial.unit else {other, trial.unit}
        for unit in sorted(late):
            if (one.settings.baud, unit) not in self._seen:
                self._look_again(line, one, replace(trial, unit=unit))

    def _ask_first(self, line: Asking, one: Pass, trial: Request) -> tuple[Presence, bytes]:
        """Ask an address. A gateway says that nobody is there after a time-out of its own, and asks nobody else before:
        the first such address tells how long to wait for each."""
        if not self._tcp or self._absent_s is not None:
            return self._ask(line, trial, max(one.timeout_s, self._absent_s or 0.0))
        began = self._monotonic()
        presence, heard = self._ask(line, trial, _GATEWAY_S_MAX)
        if presence is Presence.SILENT:
            self._absent_s = _GATEWAY_SLOWER * (self._monotonic() - began) if heard else 0.0
        return presence, heard

    def _late(self, line: Asking, trial: Request, rest: bytes = b"") -> set[int]:
        """Whose answers came after we had given them up; bytes of nobody are counted as noise.

        On a busy machine an answer may come in pieces, with our next request between them: `rest` came behind it.
        """
        before, line.tap.before = line.tap.before, b""
        if self._tcp or not before:
            return set()
        unit = _speaker(before) or _speaker(before + rest)
        if unit is None:
            self._noise += 1
            return {trial.unit - 1} if trial.unit > 1 else set()
        return {unit}

    def _look_again(self, line: Asking, one: Pass, trial: Request) -> None:
        """Ask patiently where somebody was noticed, when all that was asked before has been answered."""
        line.player.play(_settle())
        outcomes = []
        for _ in range(_TRIES):
            presence, _ = self._ask(line, trial, _PATIENT_S)
            line.tap.before = b""
            if presence is Presence.PRESENT:
                self._meet(line, one, trial.unit)
                return
            outcomes.append(presence)
        if outcomes.count(Presence.GARBLED) == _TRIES:
            self._noise += 1
            self._seen.add((one.settings.baud, trial.unit))
            self._remark(
                f"address {trial.unit} at {self._shown(one.settings)}: every answer is garbled; two devices may have "
                "this address. Connect one of them alone, give it another with set-address, and scan again"
            )

    def _ask(self, line: Asking, trial: Request, timeout_s: float) -> tuple[Presence, bytes]:
        """One question. Raises LinkLost."""
        line.tap.take()
        try:
            line.player.play(line.framing.exchange(trial, timeout_s))
        except LinkLost:
            raise
        except Refused as error:
            gone = self._tcp and error.code in _GATEWAY_CODES
            return Presence.SILENT if gone else Presence.PRESENT, line.tap.take()
        except Garbled:
            return Presence.GARBLED, line.tap.take()
        except MeterError:
            return Presence.SILENT, line.tap.take()
        return Presence.PRESENT, line.tap.take()

    def _meet(self, line: Asking, one: Pass, unit: int) -> None:
        """Ask who it is."""
        who = line.player.play(
            recognise(line.framing, self._profiles, unit=unit, timeout_s=_PATIENT_S, settings=one.settings)
        )
        line.tap.take()
        self._seen.add((one.settings.baud, unit))
        settings = None if self._network else one.settings if self._shared else _usual(one.settings, who)
        self.outcome.found.append(Found(self._port, unit, settings, who))

    def _answers_to_all(self, line: Asking, one: Pass, trial: Request) -> bool:
        """Whether a TCP device takes every unit for itself; then it is one meter and not 250."""
        if len(self.outcome.found) != _ALIKE or self.outcome.asked != _ALIKE:
            return False
        odd = (replace(trial, unit=unit) for unit in _ODD_UNITS)
        if not all(self._ask(line, one_odd, one.timeout_s)[0] is Presence.PRESENT for one_odd in odd):
            return False
        del self.outcome.found[1:]
        self._remark(f"it answers to every unit address; unit {self.outcome.found[0].unit} stands for all")
        return True

    def _remark(self, words: str) -> None:
        self.outcome.remarks.append(f"{self._port}: {words}")

    def _words(self, one: Pass, trial: Request) -> str:
        where = "" if self._network else f"{self._shown(one.settings)}, "
        return f"{where}address {trial.unit}"

    @staticmethod
    def _shown(settings: SerialSettings) -> str:
        return shown_settings(replace(settings, stopbits=1))


def _settle() -> Conversation[None]:
    yield Pause(_SETTLE_S)


def shown_settings(settings: SerialSettings) -> str:
    """As people write them: 9600 8N1."""
    return f"{settings.baud} {settings.characters}"


def _usual(settings: SerialSettings, who: Recognised) -> SerialSettings:
    """The settings with as many stop bits as the model has; a probe with two is heard by both."""
    serial = who.model.serial if who.model else None
    same = serial is not None and (serial.baud, serial.parity) == (settings.baud, settings.parity)
    return replace(settings, stopbits=serial.stopbits if same and serial else 1)


def _speaker(heard: bytes) -> int | None:
    """The address in a whole frame, after at most a glitch; None when there is none."""
    for start in range(min(4, len(heard))):
        try:
            return open_rtu(heard[start:])[0]
        except Garbled:
            continue
    return None
