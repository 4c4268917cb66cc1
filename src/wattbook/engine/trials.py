"""Which addresses a scan asks, with which settings and in which order: the likeliest first, each once per setting."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wattbook.codecs.modbus import REQUEST_SIZE, Request
from wattbook.model.errors import ConfigError
from wattbook.profiles.profile import Parity, Profile, SerialSettings

ADDRESSES = range(1, 248)  # of a serial line, by the standard
UNIT_MAX = 255  # over TCP
TCP_UNITS = (1, 255, 0, *range(2, 248))  # a device that has no line behind it answers to one of the first three
SCAN_S_MAX = 60.0  # all addresses at the models' own settings
_BUDGET_S = 48.0  # of them for waiting and for requests; the rest is for who answers, and for slow wires
FIRST_BYTE_S = (0.02, 0.035)  # at the least: USB adapters hold bytes for 16 ms. At the most: nobody thinks longer, as
# a rule; who does is heard while the next address is asked, and asked again
FIRST_BYTE_THOROUGH_S = 0.05
FIRST_BYTE_TCP_S, FIRST_BYTE_TCP_THOROUGH_S = 0.2, 1.0  # a network, and often a gateway with a serial line behind it
FIRST_BYTE_IN_TURN_S = 0.1  # on a line in use: who answers later speaks into a poll, which is then asked again
_ANSWER_CHARACTERS = 5  # 3.5 of silence before an answer and its first byte
BAUDS = (9600, 19200, 38400, 2400, 4800, 115200, 57600, 1200)  # of meters, the likeliest first
_ADDRESSES = re.compile(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?", re.ASCII)
PARITIES: tuple[Parity, ...] = ("none", "even", "odd")


def addresses_of(text: str) -> frozenset[int]:
    """The addresses that a person names, as "1-20" or "4, 5, 30-32". Raises ConfigError."""
    named: set[int] = set()
    for part in text.split(","):
        named_as = _ADDRESSES.fullmatch(part)
        if named_as is None:
            raise ConfigError(f'addresses are written as "1-20" or "4,5,30-32", not "{text}"')
        least, most = int(named_as[1]), int(named_as[2] or named_as[1])
        if not least <= most <= UNIT_MAX:
            raise ConfigError(f"addresses go up to {UNIT_MAX}, and from the lower to the higher: not {part.strip()}")
        named.update(range(least, most + 1))
    return frozenset(named)


@dataclass(frozen=True, slots=True)
class Pass:
    """Addresses that are asked one after another with the same settings."""

    settings: SerialSettings
    trials: tuple[Request, ...]  # one an address: cheap, any answer shows that somebody is there
    first_byte_s: float
    share: float = 1.0  # of the line's time that is ours

    @property
    def trial_s(self) -> float:
        """How long an address takes at which nobody is."""
        return (REQUEST_SIZE * self.settings.character_s + self.timeout_s) / self.share

    @property
    def timeout_s(self) -> float:
        """How long to wait for the first byte of an answer."""
        return self.first_byte_s + _ANSWER_CHARACTERS * self.settings.character_s

    @property
    def seconds(self) -> float:
        """How long it takes when nobody answers."""
        return len(self.trials) * self.trial_s

    def only(self, addresses: Collection[int]) -> Pass:
        """The same with no addresses but these."""
        return replace(self, trials=tuple(trial for trial in self.trials if trial.unit in addresses))


def probing(settings: SerialSettings) -> SerialSettings:
    """Settings that devices of this speed and parity all hear: with two stop bits, 8N1 and 8N2 do not differ to a
    receiver, which looks at the first."""
    return replace(settings, stopbits=2 if settings.parity == "none" else settings.stopbits)


def serial_passes(profiles: Iterable[Profile], *, thorough: bool = False) -> list[Pass]:
    """The passes over a serial line: the models' own addresses, then all others at the models' own settings.

    `thorough` adds the speeds and parities that no model has by itself.
    """
    models = [profile for profile in profiles if profile.modbus is not None]
    by_setting: dict[SerialSettings, list[Profile]] = {}
    for model in models:
        by_setting.setdefault(probing(replace(model.serial, stopbits=1)), []).append(model)
    order = sorted(
        by_setting, key=lambda one: (-len(by_setting[one]), BAUDS.index(one.baud) if one.baud in BAUDS else 99)
    )
    first_byte_s = _first_byte_s(order)
    first, rest = [], []
    for settings in order:
        own = _own_trials(by_setting[settings])
        probe = _usual_probe(by_setting[settings])
        first.append(Pass(settings, tuple(own.values()), first_byte_s))
        others = (unit for unit in ADDRESSES if unit not in own)
        rest.append(Pass(settings, tuple(replace(probe, unit=unit) for unit in others), first_byte_s))
    return [*first, *rest, *(_thorough(models, set(order)) if thorough else ())]


def tcp_passes(profiles: Iterable[Profile], *, thorough: bool = False) -> list[Pass]:
    """The one pass over a connection; the speed behind it is not ours to set. The same for RTU over TCP."""
    models = [profile for profile in profiles if profile.modbus is not None]
    own = _own_trials(models)
    probe = _usual_probe(models)
    units = dict.fromkeys((*own, *TCP_UNITS))
    trials = tuple(own.get(unit, replace(probe, unit=unit)) for unit in units)
    return [Pass(SerialSettings(), trials, FIRST_BYTE_TCP_THOROUGH_S if thorough else FIRST_BYTE_TCP_S)]


def pass_in_turn(profiles: Iterable[Profile], settings: SerialSettings, taken: Collection[int]) -> Pass:
    """The one pass over a line that is in use: its settings are not ours to change, and `taken` addresses are known.

    Models that have these settings when they are new come first.
    """
    models = [profile for profile in profiles if profile.modbus is not None]
    alike = [each for each in models if (each.serial.baud, each.serial.parity) == (settings.baud, settings.parity)]
    own = _own_trials([*alike, *models])
    probe = _usual_probe(alike or models)
    units = [unit for unit in dict.fromkeys((*own, *ADDRESSES)) if unit in ADDRESSES and unit not in taken]
    trials = tuple(own.get(unit, replace(probe, unit=unit)) for unit in units)
    return Pass(settings, trials, FIRST_BYTE_IN_TURN_S, share=0.5)  # the polls have the other half, if they need it


def _thorough(models: Sequence[Profile], done: set[SerialSettings]) -> Iterator[Pass]:
    probe = _usual_probe(models)
    for parity in PARITIES:
        for baud in BAUDS:
            settings = probing(SerialSettings(baud, parity=parity))
            if settings not in done:
                trials = tuple(replace(probe, unit=unit) for unit in ADDRESSES)
                yield Pass(settings, trials, FIRST_BYTE_THOROUGH_S)


def _first_byte_s(order: Sequence[SerialSettings]) -> float:
    """What the settings leave for waiting, so that all of them together take less than a minute."""
    characters_s = sum((REQUEST_SIZE + _ANSWER_CHARACTERS) * settings.character_s for settings in order)
    left_s = _BUDGET_S / len(ADDRESSES) - characters_s
    return min(max(left_s / max(len(order), 1), FIRST_BYTE_S[0]), FIRST_BYTE_S[1])


def _own_trials(models: Sequence[Profile]) -> Mapping[int, Request]:
    """Address -> the probe of the first model that has it when it is new."""
    trials: dict[int, Request] = {}
    for model in models:
        assert model.modbus is not None
        unit = model.modbus.address_default
        if unit:
            trials.setdefault(unit, replace(probe_of(model), unit=unit))
    return trials


def _usual_probe(models: Sequence[Profile]) -> Request:
    """The probe that most of these models answer with values; the others at least with an exception."""
    counted = Counter(probe_of(model) for model in models)
    return max(counted, key=lambda one: (counted[one], -one.address, one.function), default=Request(0, 4, 0, 1))


def probe_of(model: Profile) -> Request:
    """The cheapest question a model answers: its first value. The unit is left out."""
    assert model.modbus is not None
    if model.modbus.sunspec is not None:
        return Request(0, model.modbus.registers[0].function, model.modbus.sunspec.bases[0], 2)
    first = min(model.modbus.registers, key=lambda one: (one.function, one.address))
    return Request(0, first.function, first.address, first.count)
