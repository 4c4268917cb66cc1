"""What a simulated meter measures: any quantity of the vocabulary as a pure function of the instant.

A register is the closed-form integral of its power, so it never goes backwards and a simulation that is started
again continues where the calendar says, without any state on disk.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from wattbook.model.vocabulary import Kind, quantity

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # registers stand at their first value until here
PERIOD_S = 600.0  # of the plausible meter's load: slow enough to look like a house, fast enough to see it move

_TARIFF_SHARES = {1: 0.35, 2: 0.65}  # of the energy; other tariffs exist on the meter and were never used
_PHASE_SHARES = {"l1": 0.5, "l2": 0.3, "l3": 0.2}
_GAUGES: Mapping[str, tuple[float, float]] = {  # base -> middle, swing
    "voltage": (230.0, 3.0),
    "current": (5.2, 2.6),
    "active_power": (1200.0, 600.0),
    "reactive_power": (240.0, 80.0),
    "apparent_power": (1224.0, 605.0),
    "power_factor": (0.97, 0.02),
    "phase_angle": (12.0, 4.0),
    "frequency": (50.0, 0.03),
    "voltage_thd": (2.1, 0.4),
    "current_thd": (8.0, 2.0),
    "temperature": (24.0, 3.0),
    "processor_load": (12.0, 6.0),
    "storage_free": (60.0, 0.5),
    "memory_free": (55.0, 5.0),
    "error_bits": (0.0, 0.0),
    "analogue": (0.5, 0.2),
}
_RATES: Mapping[str, float] = {  # base of a register -> its mean growth per second
    "active_energy_import": 1200 / 3600,
    "active_energy_export": 90 / 3600,
    "reactive_energy_import": 240 / 3600,
    "reactive_energy_export": 20 / 3600,
    "reactive_energy": 60 / 3600,
    "apparent_energy": 1224 / 3600,
    "operating_time": 1.0,
    "pulse_count": 0.5,
}


class Source(Protocol):
    """What stands behind a meter's terminals."""

    def value(self, name: str, at: datetime) -> float | None:
        """Return the quantity in its base unit at an aware instant; None = this meter does not measure it."""
        ...

    def powered(self, at: datetime) -> bool:
        """Whether the meter itself lives: a single-phase meter is fed by what it measures."""
        ...


def share(seed: int, *place: object) -> float:
    """Return a number in [0, 1) that depends on nothing but the seed and the place."""
    digest = hashlib.blake2b(repr((seed, *place)).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


@dataclass(frozen=True, slots=True)
class Plausible:
    """The default of any model: values one could meet in a house, told apart by the seed."""

    seed: int = 0

    def value(self, name: str, at: datetime) -> float | None:
        """Return a plausible value, by the kind and the base of the quantity's name."""
        base, rest = _split(name)
        elapsed_s = max(0.0, (at - EPOCH).total_seconds())
        if quantity(name).kind is Kind.REGISTER:
            return self._register(base, rest, elapsed_s)
        middle, swing = _GAUGES[base]
        if base == "voltage" and {"l12", "l23", "l31"} & set(rest):
            middle, swing = middle * math.sqrt(3), swing * math.sqrt(3)
        if base in ("current", "active_power", "reactive_power", "apparent_power"):
            portion = math.prod(_PHASE_SHARES.get(part, 1.0) for part in rest)
            middle, swing = middle * portion, swing * portion
        if "max" in rest or "min" in rest:
            return middle + swing * (1 if "max" in rest else -1)
        return middle + swing * math.sin(self._phase(elapsed_s))

    def powered(self, at: datetime) -> bool:
        """Always."""
        return True

    def _register(self, base: str, rest: tuple[str, ...], elapsed_s: float) -> float:
        """The integral of rate x (1 + sin / 2): it grows at every instant."""
        rate = _RATES[base] * math.prod(self._portion(part) for part in rest)
        swing = 0.0 if base == "operating_time" else 0.5
        waves = swing * (math.cos(self._phase(0.0)) - math.cos(self._phase(elapsed_s))) * PERIOD_S / math.tau
        first_s = (2 + 8 * share(self.seed, base)) * 365 * 86400  # as if mounted two to ten years ago
        return rate * (first_s + elapsed_s + waves)

    def _portion(self, part: str) -> float:
        if part[0] == "t":
            return _TARIFF_SHARES.get(int(part[1:]), 0.0)
        return _PHASE_SHARES.get(part, 1.0)

    def _phase(self, elapsed_s: float) -> float:
        return math.tau * (elapsed_s / PERIOD_S + share(self.seed, "phase"))


def _split(name: str) -> tuple[str, tuple[str, ...]]:
    """The base of a name and its suffixes: voltage_l12_max -> voltage, (l12, max)."""
    base = max((known for known in (*_GAUGES, *_RATES) if name == known or name.startswith(f"{known}_")), key=len)
    return base, tuple(part for part in name[len(base) :].split("_") if part)
