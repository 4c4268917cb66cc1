"""What a column or series of a foreign file is here: `COLUMN=METER.QUANTITY[:UNIT]`, as the user says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from wattbook.exchange.meters import Meters
from wattbook.model import ConfigError, UnknownQuantity, quantity
from wattbook.model.vocabulary import UnknownUnit, unit_factor

_LEAVE_OUT = "-"
_UNIT = re.compile(r"(?P<name>.*?)\s*[\[(]\s*(?P<unit>[^\])]+?)\s*[\])]\s*")
_ALIKE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Target:
    """Where values go. `meter` "" = the one that the row, or the user, names."""

    meter: str
    quantity: str
    unit: str = ""  # of the foreign values; "" = the base unit

    @cached_property
    def factor(self) -> Decimal:
        """What turns a foreign value into the base unit."""
        base = quantity(self.quantity).unit
        return unit_factor(self.unit or base, base)

    @cached_property
    def power(self) -> int | None:
        """The factor as a power of ten; None = it is none."""
        exponent = self.factor.normalize().adjusted()
        return exponent if self.factor == Decimal(1).scaleb(exponent) else None

    def __str__(self) -> str:
        named = f"{self.meter}.{self.quantity}" if self.meter else self.quantity
        return f"{named}:{self.unit}" if self.unit else named


class Wishes:
    """What the user said about columns, series and foreign meter names."""

    def __init__(self, texts: Iterable[str], meters: Meters) -> None:
        """Each text is `NAME=METER.QUANTITY[:UNIT]`, `NAME=QUANTITY[:UNIT]`, `NAME=METER` (a meter of another name)
        or `NAME=-` (leave it out). Raises ConfigError."""
        self._targets: dict[str, Target | None] = {}
        self._renamed: dict[str, str] = {}
        self._unused: set[str] = set()
        for text in texts:
            name, equals, wanted = text.rpartition("=")
            if not equals or not name.strip() or not wanted.strip():
                raise ConfigError(
                    f'"{text}" is not NAME=METER.QUANTITY[:UNIT], as "Power=press.active_power:kW"', place="--map"
                )
            self._take(name.strip(), wanted.strip(), meters)

    def _take(self, name: str, wanted: str, meters: Meters) -> None:
        self._unused.add(name)
        if wanted == _LEAVE_OUT:
            self._targets[name] = None
        elif wanted in meters:
            self._renamed[name] = wanted
        else:
            self._targets[name] = parse_target(wanted, meters)

    def target(self, name: str, guessed: Target | None = None) -> Target | None:
        """Where a column or series goes: as the user says, else as guessed; None = nowhere."""
        if name in self._targets:
            self._unused.discard(name)
            return self._targets[name]
        return guessed

    def says(self, name: str) -> bool:
        """Whether the user said anything about this column or series."""
        return name in self._targets

    def meter(self, name: str) -> str:
        """The meter that the user says a foreign meter name means, else the name itself."""
        if name in self._renamed:
            self._unused.discard(name)
        return self._renamed.get(name, name)

    @property
    def unused(self) -> list[str]:
        """Names of which the file had nothing."""
        return sorted(self._unused)


def parse_target(text: str, meters: Meters) -> Target:
    """Understand `METER.QUANTITY[:UNIT]` or `QUANTITY[:UNIT]`. Raises ConfigError with the nearest right name."""
    meter, _, last = text.rpartition(".")
    name, _, unit = last.partition(":")
    if meter and meter not in meters:
        raise ConfigError(meters.unknown(meter), place=f"--map {text}")
    try:
        target = Target(meter, quantity(name).name, unit)
        _ = target.factor
    except (UnknownQuantity, UnknownUnit) as error:
        raise ConfigError(str(error), place=f"--map {text}") from error
    return target


def guess(column: str, known: Mapping[str, str]) -> Target | None:
    """What a column called `active_power`, `Active power (kW)`, or as one of `known` (-> `quantity[:unit]`), is."""
    match = _UNIT.fullmatch(column)
    name, unit = (match["name"], match["unit"]) if match else (column, "")
    folded = _ALIKE.sub("_", name.casefold()).strip("_")
    found, _, known_unit = known.get(folded, folded).partition(":")
    try:
        target = Target("", quantity(found).name, known_unit or unit)
        _ = target.factor
    except (UnknownQuantity, UnknownUnit):
        return None
    return target
