"""Is a value believable? One judge for all readings of a meter, however they come, on their way into the book.

What cannot be is kept as suspect: it is never shown as a fact and never counted as energy. A register that runs
backwards, or faster than the connection allows, is held to its last good reading until it goes on from there, until
it is recognised as reset or rolled over (engine/recognise_break.py), or until somebody decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from wattbook.engine.recognise_break import Found, Told, could_follow, is_beginning, recognise
from wattbook.model.exact import EXACT_MAX
from wattbook.model.reading import EMPTY, Quality, Reading, nothing
from wattbook.model.vocabulary import Kind, UnknownQuantity, quantity

# Beyond what stands behind any meter of a customer: 500 kV, 100 kA. In the unit's own name, both directions.
_GAUGE_MAX: Mapping[str, float] = {"V": 5e5, "A": 1e5, "Hz": 500, "°": 360, "°C": 1000, "%": 1000}
_POWERS = ("W", "var", "VA")
_NEVER_BELOW_ZERO = ("Hz", "%")
_ENERGIES = ("Wh", "varh", "VAh")
_TIME_PER_S = 2.0  # an operating time runs with the clock
SETTLE_S = 60.0  # a register moves in steps, the coarsest of 1 kWh: less than the greatest power makes in this time
_LATE_S_MAX = 86_400.0  # what comes later than that is history, whose own life is not known yet
_GOOD = Quality.GOOD
IN_A_ROW = 3  # consistent readings that make a jump more than damage
SMALL_IN_A_ROW = 60  # of a fall that the meter may soon have made up for: some lose their last minutes in a power cut
_SMALL = 1000.0  # base units, 1 kWh
_NOTHING = Told(math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is believable of one quantity, in its base unit."""

    least: float
    greatest: float
    register: bool
    fastest_per_s: float = math.inf  # how fast a register can turn

    @property
    def slack(self) -> float:
        """What a register may grow by at once."""
        return self.fastest_per_s * SETTLE_S


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


@dataclass(slots=True)
class Trusted:
    """What is believable of one quantity of one meter, and the last good reading of a register."""

    least: float
    greatest: float
    register: bool
    per_s: float
    slack: float  # what a register may grow by at once
    at_s: float = math.nan  # NaN: nothing is known, so everything is believed
    value: float = 0.0
    since_s: float = -math.inf  # what is older belongs to another counter
    in_a_row: int = 0  # suspect readings that go on from each other ...
    first: Told = _NOTHING  # ... the first of them
    last: Told = _NOTHING

    def trust(self, at_s: float, value: float) -> None:
        """Believe this, and forget what was doubted."""
        self.at_s, self.value, self.in_a_row = at_s, value, 0

    def doubted(self, told: Told) -> bool:
        """Count a suspect reading; return whether this is the one that makes it more than damage."""
        if (
            not self.in_a_row
            or told.at_s <= self.last.at_s
            or not could_follow(self.last, told, self.slack, self.per_s)
        ):
            self.in_a_row, self.first, self.last = 1, told, told
            return False
        self.in_a_row, self.last = self.in_a_row + 1, told
        fallen_by = self.value - self.first.value
        small = 0 < fallen_by <= min(self.slack, _SMALL) and not is_beginning(self.first, self.value)
        return self.in_a_row == (SMALL_IN_A_ROW if small else IN_A_ROW)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of a reading: its suspect values, and the registers that have certainly gone elsewhere."""

    doubt: Mapping[str, Quality] = field(default_factory=nothing)
    found: Mapping[str, Found] = field(default_factory=dict)


_BELIEVED = Verdict()


class MeterJudge:
    """Judges the readings of one meter, in the order they come. Used by one thread at a time."""

    def __init__(self, power_max: float, moduli: Mapping[str, float] = EMPTY, *, apply: bool = True) -> None:
        """Prepare. `moduli`: where registers begin anew, as far as the model tells; `apply`: believe what is recognised
        as a reset or a rollover, else doubt it until somebody decides."""
        self._power_max, self._moduli, self._apply = power_max, moduli, apply
        self._its: dict[str, Trusted] = {}

    def seed(self, name: str, at: datetime, value: float, since: datetime | None = None) -> None:
        """Take a register's last good reading. `since`: when it last began to count from another value."""
        its = self._its.get(name) or self._learn(self._its, name)
        its.trust(at.timestamp(), value)
        its.since_s = since.timestamp() if since else -math.inf

    def forget(self) -> None:
        """Believe the next reading whatever it is."""
        self._its = {}

    def judge(self, reading: Reading) -> Verdict:
        """Look at a reading. What came as suspect stays so and teaches nothing."""
        return self.judge_values(reading.at, reading.values, reading.quality, reading.doubt)

    def judge_values(
        self, at: datetime, values: Mapping[str, float], quality: Quality, doubt: Mapping[str, Quality]
    ) -> Verdict:
        """The same, of what is no object yet."""
        at_s = at.timestamp()
        known = self._its
        bad: list[str] | None = None
        trusting = not doubt and quality is _GOOD
        for name, value in values.items():
            its = known.get(name) or self._learn(known, name)
            if its.least <= value <= its.greatest:
                if not its.register:
                    continue
                if trusting or doubt.get(name, quality) is _GOOD:
                    since_s = at_s - its.at_s
                    if since_s >= 0 and 0 <= value - its.value <= its.slack + its.per_s * since_s:
                        its.at_s, its.value = at_s, value
                        its.in_a_row = 0  # what was doubted was damage, and another like it proves nothing
                        continue
                    if _is_late(its, at_s, value):
                        continue
                else:
                    continue
            if bad is None:
                bad = []
            bad.append(name)
        if bad is None:
            return _BELIEVED
        found = self._found({name: Told(at_s, values[name]) for name in bad})
        return Verdict({**doubt, **dict.fromkeys(bad, Quality.SUSPECT)}, found)

    def trusted(self, names: Sequence[str]) -> list[Trusted]:
        """What is believable of these quantities, for who judges many readings at once (engine/judge_body.py)."""
        known = self._its
        return [known.get(name) or self._learn(known, name) for name in names]

    def _found(self, bad: Mapping[str, Told]) -> Mapping[str, Found]:
        """The registers among these that have certainly gone elsewhere."""
        found = {}
        for name, told in bad.items():
            its = self._its[name]
            if not its.register or not its.least <= told.value <= its.greatest or told.at_s <= its.at_s:
                continue
            if its.doubted(told):
                found[name] = self._recognised(name, its)
        return found

    def _recognised(self, name: str, its: Trusted) -> Found:
        found = recognise(Told(its.at_s, its.value), its.first, its.slack, its.per_s, self._moduli.get(name))
        if self._apply and found.sure:
            its.since_s = its.first.at_s
            its.trust(*its.last)
        return found

    def _learn(self, known: dict[str, Trusted], name: str) -> Trusted:
        try:
            its = bounds(name, self._power_max)
        except UnknownQuantity:
            its = Bounds(-math.inf, math.inf, False)
        known[name] = Trusted(its.least, its.greatest, its.register, its.fastest_per_s, its.slack)
        return known[name]


def _is_late(its: Trusted, at_s: float, value: float) -> bool:
    """Whether a register that does not go on from its last good reading is the first one, or rightly came before it."""
    if math.isnan(its.at_s):
        its.trust(at_s, value)
        return True
    if at_s >= its.at_s:
        return False
    if at_s < its.since_s or its.at_s - at_s > _LATE_S_MAX:
        return True
    return could_follow(Told(at_s, value), Told(its.at_s, its.value), its.slack, its.per_s)
