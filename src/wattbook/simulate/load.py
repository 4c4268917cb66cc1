"""One branch of a simulated house: what it takes, as a function of the instant with the energy as its base.

The day is cut into slots of ten minutes. A slot's energy comes from the pattern of the week and from what the day is
like (season, weather, holidays); within it the seed decides when the utility fails and which appliances run when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate

from wattbook.simulate.source import share

SLOT_S = 600.0
OUTAGE_S = 75.0  # of each slot: the utility fails, and the generator carries the house
SLOTS_A_DAY = 144
SLOTS = 7 * SLOTS_A_DAY  # a week; its pattern repeats
DAYS = 7 * 209  # whole weeks, and four years but for two days: then days and seasons repeat
STEPS = 12  # appliances switch this often in a slot
HIGH, LOW = 1, 2  # tariffs
_ALIKE = (1.0,) * DAYS
_NIGHT_HOURS = frozenset({22, 23, 0, 1, 2, 3, 4, 5, 13, 14})  # the low tariff
_SLOTS_CACHED = 4096  # the slots that are asked for over and over


@dataclass(frozen=True)
class Load:
    """Mean power by slot of the week, what each day makes of it, and how restless it is.

    `hollow`: it rests while the utility fails. Energy in Wh since the epoch is exact in closed form.
    """

    name: str
    mean_w: Sequence[float]  # of each slot of the week
    seed: int
    daily: Sequence[float] = _ALIKE  # factor of each of DAYS
    hollow: bool = True
    _slots: dict[int, list[float]] = field(default_factory=dict)  # tariff (0 = any) -> Wh before each slot of the week
    _days: dict[int, list[float]] = field(default_factory=dict)  # tariff -> Wh before each day

    def __post_init__(self) -> None:
        for tariff in (0, HIGH, LOW):
            energies = [
                watts * SLOT_S / 3600 if tariff in (0, tariff_of(slot)) else 0.0
                for slot, watts in enumerate(self.mean_w)
            ]
            self._slots[tariff] = list(accumulate(energies, initial=0.0))
            week = [sum(energies[day * SLOTS_A_DAY : (day + 1) * SLOTS_A_DAY]) for day in range(7)]
            days = (factor * week[day % 7] for day, factor in enumerate(self.daily))
            self._days[tariff] = list(accumulate(days, initial=0.0))

    def energy(self, elapsed_s: float, tariff: int = 0) -> float:
        """Wh since the epoch; of one tariff, or (0) of all."""
        slot, within_s = divmod(max(0.0, elapsed_s), SLOT_S)
        before, whole = self.of_slot(int(slot), tariff)
        return before + (self.part(int(slot), within_s)[0] * whole if within_s else 0.0)

    def of_slot(self, slot: int, tariff: int = 0) -> tuple[float, float]:
        """Wh since the epoch when a slot begins, and Wh in it."""
        turns, place = divmod(slot, DAYS * SLOTS_A_DAY)
        day, of_week = place // SLOTS_A_DAY, place % SLOTS
        slots, days, factor = self._slots[tariff], self._days[tariff], self.daily[day]
        today = slots[of_week] - slots[of_week - place % SLOTS_A_DAY]
        return turns * days[DAYS] + days[day] + factor * today, factor * (slots[of_week + 1] - slots[of_week])

    def power(self, elapsed_s: float) -> float:
        """W at that instant: the slope of the energy."""
        slot, within_s = divmod(max(0.0, elapsed_s), SLOT_S)
        day = int(slot) // SLOTS_A_DAY % DAYS
        return self.part(int(slot), within_s)[1] * self.mean_w[int(slot) % SLOTS] * self.daily[day] * SLOT_S

    def part(self, slot: int, within_s: float) -> tuple[float, float]:
        """The share of the slot's energy used by now, and its slope per second."""
        failing = outage(self.seed, slot) if self.hollow else None
        length_s = SLOT_S - (OUTAGE_S if failing else 0.0)
        used_s, on = within_s, True
        if failing is not None and within_s >= failing:
            used_s, on = max(failing, within_s - OUTAGE_S), within_s >= failing + OUTAGE_S
        marks = _marks(self.seed, self.name, slot)
        step, within = divmod(used_s / length_s * STEPS, 1.0)
        place = min(int(step), STEPS - 1)
        rise = marks[place + 1] - marks[place]
        return marks[place] + within * rise, rise * STEPS / length_s if on else 0.0


@lru_cache(_SLOTS_CACHED)
def _marks(seed: int, name: str, slot: int) -> tuple[float, ...]:
    """Which share of a slot's energy is used after each step: restless, but 1 at the end."""
    weights = [0.35 + 2.4 * share(seed, name, slot, step) ** 3 for step in range(STEPS)]
    total = sum(weights)
    return (*accumulate((weight / total for weight in weights[:-1]), initial=0.0), 1.0)


@lru_cache(_SLOTS_CACHED)
def outage(seed: int, slot: int) -> float:
    """Seconds into the slot at which the utility fails."""
    return 60.0 + (SLOT_S - OUTAGE_S - 120.0) * share(seed, "outage", slot)


def tariff_of(slot: int) -> int:
    """HIGH or LOW in this slot of the week."""
    return LOW if slot % SLOTS_A_DAY * 24 // SLOTS_A_DAY in _NIGHT_HOURS else HIGH
