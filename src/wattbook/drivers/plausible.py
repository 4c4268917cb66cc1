"""Is a value believable? For formats without a check, where a damaged byte can look like a number."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache

from wattbook.model.reading import EMPTY, Quality
from wattbook.model.vocabulary import Kind, quantity

# Beyond what stands behind any meter of a customer: 500 kV, 100 kA, 1 GW. In the unit's own name, both directions.
_GAUGE_MAX: Mapping[str, float] = {
    "V": 5e5, "A": 1e5, "W": 1e9, "var": 1e9, "VA": 1e9, "Hz": 500, "°": 360, "°C": 1000, "%": 1000,
}  # fmt: skip
_NEVER_BELOW_ZERO = ("Hz", "%")
_POWER_MAX_PER_S: Mapping[str, float] = {
    "Wh": 1e9 / 3600, "varh": 1e9 / 3600, "VAh": 1e9 / 3600, "s": 2.0,
}  # fmt: skip
_REGISTER_MAX = float(2**52)  # more is not exact in a float
_SETTLE_S = 60.0  # a register may also catch up after a pause of the meter's own clock or display


@cache
def bounds(name: str) -> tuple[float, float]:
    """The least and greatest believable value of a quantity, in its base unit."""
    about = quantity(name)
    if about.kind is Kind.REGISTER:
        return 0.0, _REGISTER_MAX
    if about.name.startswith("power_factor"):
        return -1.0, 1.0
    greatest = _GAUGE_MAX.get(about.unit, float("inf"))
    return (0.0 if about.unit in _NEVER_BELOW_ZERO else -greatest), greatest


class Plausibility:
    """Judges the values of one meter, each against its bounds and registers against the reading before.

    A register that runs backwards, or faster than any supply could turn it, is suspect. When the next reading goes on
    from there, the meter was changed or reset: from then on that is the truth.
    """

    def __init__(self) -> None:
        self._trusted: dict[str, tuple[datetime, float]] = {}
        self._doubted: dict[str, tuple[datetime, float]] = {}

    def doubt(self, at: datetime, values: Mapping[str, float]) -> Mapping[str, Quality]:
        """Return the suspect ones among the values of one reading."""
        suspects = [name for name, value in values.items() if not self._believes(name, at, value)]
        return dict.fromkeys(suspects, Quality.SUSPECT) if suspects else EMPTY

    def _believes(self, name: str, at: datetime, value: float) -> bool:
        least, greatest = bounds(name)
        if not least <= value <= greatest:
            return False
        if greatest != _REGISTER_MAX:
            return True
        trusted = self._trusted.get(name)
        if trusted is None or follows(name, trusted, (at, value)):
            if trusted is None or trusted[0] < at:
                self._trusted[name] = (at, value)
            return True
        doubted = self._doubted.get(name)
        if doubted is not None and doubted[0] < at and follows(name, doubted, (at, value)):
            self._trusted[name] = (at, value)
            del self._doubted[name]
            return True
        self._doubted[name] = (at, value)
        return False


def follows(name: str, before: tuple[datetime, float], after: tuple[datetime, float]) -> bool:
    """Whether a register can have gone from one value to the other in that time, whichever is earlier."""
    (at_before, least), (at_after, greatest) = sorted((before, after))
    if greatest < least:
        return False
    fastest = _POWER_MAX_PER_S.get(quantity(name).unit)
    return fastest is None or greatest - least <= fastest * ((at_after - at_before).total_seconds() + _SETTLE_S)
