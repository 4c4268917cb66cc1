"""A register that went back and stays there: has it rolled over, was it reset, or is it another one? Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

# Of a register whose width is not known: displays of 4 to 9 digits in kWh, with up to 3 decimals, and 32 bits.
_DECADES = tuple(10.0**power for power in range(6, 13))
_BITS = tuple(2.0**32 * 10.0**power for power in range(-2, 4))
_NEAR_KNOWN, _NEAR_GUESSED = 0.1, 0.001  # share of a modulus within which a register is near its end, or its beginning
_ZERO_SHARE = 0.1  # of what it showed before: more is no beginning
_ZERO = 1000.0  # base units, 1 kWh: what a register may show that was just reset ...
_ZERO_PER_S = 100_000 / 3600  # ... and what a house connection adds to that
_ZERO_S_MAX = 3600.0  # until its first reading; a meter that was away for longer may be another one


class Told(NamedTuple):
    """A register at an instant."""

    at_s: float
    value: float


def could_follow(before: Told, after: Told, slack: float, per_s: float) -> bool:
    """Whether a register can have gone from one to the other, by `slack` at once and `per_s` with time."""
    return 0 <= after.value - before.value <= slack + per_s * (after.at_s - before.at_s)


@dataclass(frozen=True, slots=True)
class Found:
    """What a register has most likely done."""

    kind: Literal["rollover", "reset", "step"]
    before: Told  # its last good reading
    first: Told  # the first one that does not go on from there
    modulus: float = 0.0  # of a rollover

    @property
    def sure(self) -> bool:
        """Whether it may be applied without asking anybody."""
        return self.kind != "step"

    def register(self) -> dict[str, float]:
        """What an event of the meter's life says of it."""
        match self.kind:
            case "rollover":
                return {"modulus": self.modulus}
            case "reset":
                return {"after": 0.0}
            case _:
                return {"before": self.before.value, "after": self.first.value}


def recognise(before: Told, first: Told, slack: float, per_s: float, modulus: float | None) -> Found:
    """Judge by the readings around the place. `modulus`: where this register begins anew, None = nobody says."""
    away_s = max(0.0, first.at_s - before.at_s)
    for candidate, near in _moduli(modulus):
        grown = candidate - before.value + first.value
        is_near = before.value >= candidate * (1 - near) and first.value <= candidate * near
        if candidate > before.value and is_near and grown <= slack + per_s * away_s:
            return Found("rollover", before, first, candidate)
    nothing = _ZERO + _ZERO_PER_S * min(away_s, _ZERO_S_MAX)
    if is_beginning(first, before.value) and first.value <= nothing:
        return Found("reset", before, first)
    return Found("step", before, first)


def is_beginning(first: Told, before: float) -> bool:
    """Whether a register shows next to nothing of what it showed before."""
    return first.value <= _ZERO_SHARE * before


def _moduli(known: float | None) -> Iterator[tuple[float, float]]:
    """Where a register may begin anew, and how near it must have been."""
    if known is not None:
        yield known, _NEAR_KNOWN
    for guessed in (*_DECADES, *_BITS):
        yield guessed, _NEAR_GUESSED
