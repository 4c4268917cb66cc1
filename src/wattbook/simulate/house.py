"""A house to show: two utility legs, a generator that starts when they fail, a two-tariff meter and a heat pump.

Everything is a function of the instant, with the energy as its base (load.py) and the power as its slope, so registers
never go backwards and need no state: the house has a past, and goes on wherever it is started.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wattbook.simulate.days import habits, weather
from wattbook.simulate.load import HIGH, LOW, OUTAGE_S, SLOT_S, SLOTS_A_DAY, Load, outage
from wattbook.simulate.source import EPOCH, Plausible, share

__all__ = ["OUTAGE_S", "SLOT_S", "House"]

BEGINNING = EPOCH - timedelta(weeks=104)  # a Thursday, as the epoch: registers stand at their first value until here
VOLTAGE_LEAST = 80.0  # a PZEM-016 lives on what it measures, from 80 V
STARTING_S = 8.0  # the generator needs until it carries
ZONE = timedelta(hours=1)  # meters keep winter time

# Mean power by hour of a working day, W.
_LEG_A = (
    180, 160, 150, 150, 160, 240, 520, 640, 420, 300, 280, 340,
    520, 420, 300, 320, 460, 780, 940, 860, 720, 560, 380, 240,
)  # fmt: skip
_LEG_B = (
    140, 130, 130, 130, 140, 200, 380, 460, 320, 260, 260, 300,
    360, 300, 260, 280, 380, 560, 700, 640, 540, 420, 300, 190,
)  # fmt: skip
_PUMP = (
    950, 900, 900, 900, 850, 600, 300, 250, 250, 250, 250, 300,
    350, 800, 800, 350, 300, 300, 350, 400, 450, 500, 900, 950,
)  # fmt: skip
_ESSENTIAL_W = 640.0  # what the generator carries
_WEEKEND = 1.25


class House:
    """The whole house. `leg_a`, `leg_b`, `generator`, `main` and `heat_pump` are what its meters measure."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self._leg_a = Load("leg a", _week(_LEG_A), seed, habits(seed, "leg a"))
        self._leg_b = Load("leg b", _week(_LEG_B), seed, habits(seed, "leg b"))
        self._pump = Load("heat pump", _week(_PUMP), seed, weather(seed))
        self.leg_a = Circuit(self, self._leg_a, self._pump, first_wh=1_284_310.0, fed=lambda at: not self.failing(at))
        self.leg_b = Circuit(self, self._leg_b, self._pump, first_wh=987_655.0, fed=lambda at: not self.failing(at))
        self.generator = Generator(self, first_wh=41_207.0)
        self.main = Main(self, (self._leg_a, self._leg_b, self._pump))
        self.heat_pump = Pump(self, self._pump)
        self.meters: Mapping[str, Circuit | Generator | Main | Pump] = {
            "main-a": self.leg_a,
            "main-b": self.leg_b,
            "generator": self.generator,
            "utility": self.main,
            "heat-pump": self.heat_pump,
        }

    def failing(self, elapsed_s: float) -> bool:
        """Whether the utility gives nothing."""
        slot, within_s = divmod(max(0.0, elapsed_s), SLOT_S)
        return 0 <= within_s - outage(self.seed, int(slot)) < OUTAGE_S

    def voltage(self, elapsed_s: float, name: str, load_w: float) -> float:
        """V of the utility: it breathes with the hours and sags with the load."""
        wave = 2.2 * math.sin(elapsed_s / 2900) + 0.9 * math.sin(elapsed_s / 173 + len(name))
        return 231.5 + wave - load_w / 1500 + self.flicker(elapsed_s, name, 0.3)

    def frequency(self, elapsed_s: float) -> float:
        """Hz of the utility."""
        return 50.0 + 0.02 * math.sin(elapsed_s / 47) + self.flicker(elapsed_s, "hz", 0.008)

    def flicker(self, elapsed_s: float, name: str, swing: float) -> float:
        """A small change from second to second."""
        return swing * (2 * share(self.seed, "flicker", name, int(elapsed_s)) - 1)


@dataclass(frozen=True)
class Circuit:
    """A leg of the utility, as a single-phase meter sees it: dead, and the meter with it, while the utility fails.

    The two legs carry half of what they share each, so that what the appliances take is never more than they give.
    """

    house: House
    load: Load
    shared: Load
    first_wh: float
    fed: Callable[[float], bool]
    cos_phi: float = 0.94

    def value(self, name: str, at: datetime) -> float | None:
        """The quantity at an instant."""
        elapsed_s = _elapsed_s(at)
        watts = self.load.power(elapsed_s) + self.shared.power(elapsed_s) / 2
        on = self.fed(elapsed_s)
        volts = self.house.voltage(elapsed_s, self.load.name, watts) if on else 0.0
        cos_phi = self.cos_phi - 0.1 / (1 + watts / 200)
        return _single_phase(
            name,
            volts,
            watts,
            cos_phi,
            self.house.frequency(elapsed_s) if on else 0.0,
            self.first_wh + self.load.energy(elapsed_s) + self.shared.energy(elapsed_s) / 2,
        )

    def powered(self, at: datetime) -> bool:
        """While the utility gives something."""
        return self.fed(_elapsed_s(at))


@dataclass(frozen=True)
class Generator:
    """It runs while the utility fails, and carries after some seconds of starting."""

    house: House
    first_wh: float
    carries_w: float = _ESSENTIAL_W

    def value(self, name: str, at: datetime) -> float | None:
        """The quantity at an instant."""
        elapsed_s = _elapsed_s(at)
        slot, within_s = divmod(max(0.0, elapsed_s), SLOT_S)
        since_s = within_s - outage(self.house.seed, int(slot))
        running = 0 <= since_s < OUTAGE_S
        carrying = STARTING_S <= since_s < OUTAGE_S
        energy = self.energy(elapsed_s)
        volts = 229.0 * min(1.0, max(0.0, since_s / 3)) + self.house.flicker(elapsed_s, "gen", 1.5) if running else 0.0
        hertz = 49.4 + self.house.flicker(elapsed_s, "gen hz", 0.4) if running else 0.0
        return _single_phase(name, max(0.0, volts), self.carries_w if carrying else 0.0, 0.97, hertz, energy)

    def energy(self, elapsed_s: float) -> float:
        """Wh on its register."""
        slot, within_s = divmod(max(0.0, elapsed_s), SLOT_S)
        since_s = within_s - outage(self.house.seed, int(slot))
        carried_s = min(max(0.0, since_s - STARTING_S), OUTAGE_S - STARTING_S)
        return self.first_wh + self.carries_w / 3600 * (int(slot) * (OUTAGE_S - STARTING_S) + carried_s)

    def powered(self, at: datetime) -> bool:
        """While it runs fast enough."""
        return (self.value("voltage", at) or 0.0) >= VOLTAGE_LEAST


@dataclass(frozen=True)
class Main:
    """The utility's own meter: everything that the house takes, by tariff."""

    house: House
    loads: Sequence[Load]
    first_wh: Mapping[int, float] = field(default_factory=lambda: {HIGH: 4_200_177.0, LOW: 21_209_409.0})

    def value(self, name: str, at: datetime) -> float | None:
        """The quantity at an instant."""
        elapsed_s = _elapsed_s(at)
        match name:
            case "active_energy_import":
                return sum(self._tariff(number, elapsed_s) for number in self.first_wh)
            case "active_energy_import_t1" | "active_energy_import_t2":
                return self._tariff(int(name[-1]), elapsed_s)
            case "active_power":
                return sum(load.power(elapsed_s) for load in self.loads)
            case _:
                pass
        if name.startswith("active_energy_export"):
            return 0.0
        return Plausible(self.house.seed).value(name, at)

    def powered(self, at: datetime) -> bool:
        """While the utility gives something."""
        return not self.house.failing(_elapsed_s(at))

    def _tariff(self, number: int, elapsed_s: float) -> float:
        return self.first_wh[number] + sum(load.energy(elapsed_s, number) for load in self.loads)


@dataclass(frozen=True)
class Pump:
    """The heat pump's meter: three phases of even load."""

    house: House
    load: Load
    first_wh: float = 12_345_678.0

    def value(self, name: str, at: datetime) -> float | None:
        """The quantity at an instant."""
        elapsed_s = _elapsed_s(at)
        match name:
            case "active_energy_import":
                return self.first_wh + self.load.energy(elapsed_s)
            case "active_energy_import_t1" | "active_energy_import_t2":
                return None
            case "active_power":
                return self.load.power(elapsed_s)
            case "active_power_l1" | "active_power_l2" | "active_power_l3":
                return self.load.power(elapsed_s) / 3
            case "frequency":
                return self.house.frequency(elapsed_s)
            case "voltage_l1" | "voltage_l2" | "voltage_l3":
                return self.house.voltage(elapsed_s, name, self.load.power(elapsed_s))
            case _:
                pass
        return 0.0 if name.startswith("active_energy_export") else None

    def powered(self, at: datetime) -> bool:
        """While the utility gives something: the generator does not carry it."""
        return not self.house.failing(_elapsed_s(at))


def _elapsed_s(at: datetime) -> float:
    """Seconds since the beginning's midnight by the meters' clock."""
    return max(0.0, (at - BEGINNING + ZONE).total_seconds())


def _week(by_hour: Sequence[float]) -> tuple[float, ...]:
    """Mean power of each slot of a week that begins, as the years 2026 and 2024's first whole week, on a Thursday."""
    hours = (*by_hour, by_hour[0])
    day = [hours[slot // 6] + (hours[slot // 6 + 1] - hours[slot // 6]) * (slot % 6) / 6 for slot in range(SLOTS_A_DAY)]
    return tuple(watts * (_WEEKEND if number in (2, 3) else 1.0) for number in range(7) for watts in day)


def _single_phase(
    name: str, volts: float, watts: float, cos_phi: float, hertz: float, energy_wh: float
) -> float | None:
    match name:
        case "voltage":
            return volts
        case "active_power":
            return watts
        case "current":
            return watts / (volts * cos_phi) if volts else 0.0
        case "power_factor":
            return cos_phi if watts else 0.0
        case "frequency":
            return hertz
        case "active_energy_import":
            return energy_wh
        case _:
            return None
