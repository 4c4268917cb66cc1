"""Is a value believable? For formats without a check, where a damaged byte can look like a number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from wattbook.model.exact import EXACT_MAX
from wattbook.model.reading import EMPTY, Quality
from wattbook.model.vocabulary import Kind, quantity

# Beyond what stands behind any meter of a customer: 500 kV, 100 kA. In the unit's own name, both directions.
_GAUGE_MAX: Mapping[str, float] = {"V": 5e5, "A": 1e5, "Hz": 500, "°": 360, "°C": 1000, "%": 1000}
_POWERS = ("W", "var", "VA")
_NEVER_BELOW_ZERO = ("Hz", "%")
_ENERGIES = ("Wh", "varh", "VAh")
_TIME_PER_S = 2.0  # an operating time runs with the clock
_SETTLE_S = 60.0  # a register moves in steps, the coarsest of 1 kWh: less than the greatest power makes in this time


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is believable of one quantity, in its base unit."""

    least: float
    greatest: float
    register: bool
    fastest_per_s: float = math.inf  # how fast a register can turn


@cache
def bounds(name: str, power_max: float) -> Bounds:
    """Return the bounds of a quantity where no power is above `power_max`, in W. Raises UnknownQuantity."""
    about = quantity(name)
    if about.kind is Kind.REGISTER:
        return Bounds(0.0, float(EXACT_MAX), True, _fastest_per_s(about.unit, power_max))
    if about.name.startswith("power_factor"):
        return Bounds(-1.0, 1.0, False)
    greatest = power_max if about.unit in _POWERS else _GAUGE_MAX.get(about.unit, math.inf)
    return Bounds(0.0 if about.unit in _NEVER_BELOW_ZERO else -greatest, greatest, False)


def _fastest_per_s(unit: str, power_max: float) -> float:
    if unit in _ENERGIES:
        return power_max / 3600
    return _TIME_PER_S if unit == "s" else math.inf


Point = tuple[datetime, float]


class Plausibility:
    """Judges the values of one meter, each against its bounds and registers against the reading before.

    A register that runs backwards, or faster than any supply could turn it, is suspect. When the next reading goes on
    from there, the meter was changed or reset: from then on that is the truth.
    """

    def __init__(self, power_max: float) -> None:
        self._power_max = power_max
        self._bounds: dict[str, Bounds] = {}  # of the quantities this meter tells; a lookup each, on a fast path
        self._trusted: dict[str, Point] = {}
        self._doubted: dict[str, Point] = {}

    def doubt(self, at: datetime, values: Mapping[str, float]) -> Mapping[str, Quality]:
        """Return the suspect ones among the values of one reading."""
        suspects: list[str] = []
        for name, value in values.items():
            its = self._bounds.get(name)
            if its is None:
                its = self._bounds[name] = bounds(name, self._power_max)
            if not its.least <= value <= its.greatest or (its.register and not self._follows(name, its, (at, value))):
                suspects.append(name)
        return dict.fromkeys(suspects, Quality.SUSPECT) if suspects else EMPTY

    def _follows(self, name: str, its: Bounds, told: Point) -> bool:
        """Whether a register goes on from what it told before."""
        trusted = self._trusted.get(name)
        if trusted is None:
            self._trusted[name] = told
            return True
        if follows(its, trusted, told):
            if trusted[0] < told[0]:
                self._trusted[name] = told
                self._doubted.pop(name, None)  # that one was damage, and another like it proves nothing
            return True
        doubted = self._doubted.get(name)
        if doubted is not None and doubted[0] < told[0] and follows(its, doubted, told):
            self._trusted[name] = told
            del self._doubted[name]
            return True
        self._doubted[name] = told
        return False


def follows(its: Bounds, before: Point, after: Point) -> bool:
    """Whether a register can have gone from one value to the other in that time, whichever is earlier."""
    if after[0] < before[0]:
        before, after = after, before
    turned = after[1] - before[1]
    if turned <= 0:
        return turned == 0
    return turned <= its.fastest_per_s * ((after[0] - before[0]).total_seconds() + _SETTLE_S)
