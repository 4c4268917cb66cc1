"""Readings like those of a house's PZEM-016s: integer registers, noise, loads that come and go, jittering instants.

MONTH is harder to store than the data of the first comparison of stores, which VictoriaMetrics kept in 0.60 bytes a
sample and InfluxDB in 4.2: there these instants alone cost VictoriaMetrics 0.62. CALM, with a third of the noise and
instants of which nearly all lie within 20 ms, costs both of them what that data did.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from wattbook.model import Columns, Span
from wattbook.model.batch import to_ms

ZONE = ZoneInfo("Europe/Prague")
QUANTITIES = 6
_LOADS_W = (120.0, 150.0, 400.0, 1200.0, 2100.0)
_LOADS_SHARE = (0.5, 0.2, 0.15, 0.1, 0.05)
_LOAD_S = 300  # a load stays for so long
_GRAIN_MS = 10
_JITTER_GRAINS_MAX = 9

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plant:
    """Meters read at one period over some days."""

    start: datetime
    days: int
    meters: int
    every_s: int
    noise: float = 1.0  # of voltage and power: how many times that of MONTH
    jitter_ms: float = 20.0  # standard deviation of the instants

    @property
    def span(self) -> Span:
        return Span(self.start, self.start + timedelta(days=self.days))

    @property
    def names(self) -> list[str]:
        return [f"m{number}" for number in range(self.meters)]

    @property
    def samples(self) -> int:
        return self.meters * self.rows * QUANTITIES

    @property
    def rows(self) -> int:
        """Readings of a meter."""
        return self.days * 86_400 // self.every_s

    def columns(self) -> Iterator[Columns]:
        """Meter by meter."""
        for number, name in enumerate(self.names):
            yield _columns(name, self, np.random.default_rng(number))


MONTH = Plant(datetime(2026, 3, 10, tzinfo=ZONE), 30, 3, 5)  # the clocks go forward on the 29th
CALM = replace(MONTH, noise=0.3, jitter_ms=6.5)
YEAR = Plant(datetime(2025, 11, 1, tzinfo=ZONE), 365, 10, 60)
DECADE = Plant(datetime(2016, 11, 1, tzinfo=ZONE), 3652, 10, 60)


def _columns(name: str, plant: Plant, random: np.random.Generator) -> Columns:
    count = plant.rows
    grains = np.rint(random.normal(0, plant.jitter_ms, count) / _GRAIN_MS)
    jitter = np.clip(grains, -_JITTER_GRAINS_MAX, _JITTER_GRAINS_MAX).astype(np.int64) * _GRAIN_MS
    at = to_ms(plant.start) + np.arange(count, dtype=np.int64) * plant.every_s * 1000 + jitter
    values = _values(count, plant.every_s, plant.noise, random)
    return Columns(
        "",
        name,
        array("q", at.tobytes()),
        array("q", bytes(8 * count)),
        {quantity: array("d", value.tobytes()) for quantity, value in values.items()},
        array("B", bytes(count)),
    )


def _values(count: int, every_s: int, noise: float, random: np.random.Generator) -> dict[str, Floats]:
    seconds = np.arange(count) * float(every_s)
    volts = (
        230 + 2 * np.sin(seconds / 86_400 * 2 * np.pi) + np.sin(seconds / 1500) + random.normal(0, 0.15 * noise, count)
    )
    stays = max(1, _LOAD_S // every_s)
    load = np.repeat(random.choice(_LOADS_W, size=count // stays + 1, p=_LOADS_SHARE), stays)[:count]
    watts = np.maximum(load * (1 + random.normal(0, 0.004 * noise, count)), 0)
    factor = np.rint((0.9 + 0.05 * np.sin(load)) * 100) / 100
    volts = np.rint(volts * 10) / 10
    return {
        "voltage": volts,
        "current": np.rint(watts / volts / factor * 1000) / 1000,
        "active_power": np.rint(watts * 10) / 10,
        "active_energy_import": np.floor(25_409_587 + np.cumsum(watts * every_s / 3600)),
        "frequency": np.rint((50 + random.normal(0, 0.02, count)) * 10) / 10,
        "power_factor": factor,
    }
