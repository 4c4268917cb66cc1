"""What the meters of the simulated house would have told before it was started: the same registers, at a logger's pace.

Old days are read at the borders of slots, where no chance is in the registers; the last two weeks every minute. Where
the utility fails, and now and then for some hours for no reason that anybody knows, a meter tells nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from wattbook.model import Columns
from wattbook.model.batch import GOOD_CODE, to_ms
from wattbook.simulate.house import BEGINNING, ZONE, Circuit, Generator, House, Main, Pump
from wattbook.simulate.load import OUTAGE_S, SLOT_S, Load, outage
from wattbook.simulate.source import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

DAYS = 400  # a whole year can be compared with the one before, where it overlaps
FINE_DAYS = 14
FINE_S = 60.0
_AWAY_SHARE = 0.03  # of a meter's days
_AWAY_S = 18_000.0  # at the most
_RUNS_S = (10.0, 40.0, OUTAGE_S - 1)  # when a logger sees the generator, in seconds of a failure
_DAY_S = 86_400.0


def make_past(house: House, until: datetime) -> Iterator[Columns]:
    """Yield the readings of each of the house's meters in the DAYS before an aware instant, without numbers."""
    elapsed_s = _instants(until)
    failing = _failing(house, elapsed_s)
    for name, source in house.meters.items():
        match source:
            case Circuit():
                values = _circuit(house, source, elapsed_s)
            case Main():
                values = _main(source, elapsed_s)
            case Pump():
                values = _pump(source, elapsed_s)
            case Generator():
                yield _columns(name, *_generator(house, source, elapsed_s))
                continue
        told = ~(failing | _away(house.seed, name, elapsed_s))
        yield _columns(name, elapsed_s[told], {quantity: each[told] for quantity, each in values.items()})


def _instants(until: datetime) -> Floats:
    """Seconds since the house's beginning, rising, at which a logger reads."""
    end_s = (until - BEGINNING + ZONE) / timedelta(seconds=1)
    first_s, fine_s = (np.ceil((end_s - days * _DAY_S) / SLOT_S) * SLOT_S for days in (DAYS, FINE_DAYS))
    return np.concatenate((np.arange(first_s, fine_s, SLOT_S), np.arange(fine_s, end_s, FINE_S)))


def _failing(house: House, elapsed_s: Floats) -> Flags:
    return np.fromiter(map(house.failing, elapsed_s.tolist()), np.bool_, len(elapsed_s))


def _away(seed: int, name: str, elapsed_s: Floats) -> Flags:
    """When a logger heard nothing of a meter: some hours of few days."""
    away = np.zeros(len(elapsed_s), np.bool_)
    for day in range(int(elapsed_s[0] // _DAY_S), int(elapsed_s[-1] // _DAY_S)):
        if share(seed, "away", name, day) < _AWAY_SHARE:
            start_s = (day + 0.7 * share(seed, "away from", name, day)) * _DAY_S
            length_s = _AWAY_S * (0.2 + 0.8 * share(seed, "away for", name, day))
            away |= (elapsed_s >= start_s) & (elapsed_s < start_s + length_s)
    return away


def _circuit(house: House, leg: Circuit, elapsed_s: Floats) -> Mapping[str, Floats]:
    energy = leg.first_wh + energies(leg.load, elapsed_s) + energies(leg.shared, elapsed_s) / 2
    power = _mean_power(energy, elapsed_s)
    volts = 231.5 + 2.2 * np.sin(elapsed_s / 2900) + 0.9 * np.sin(elapsed_s / 173 + len(leg.load.name)) - power / 1500
    return {"voltage": volts.round(1), "active_power": power, "active_energy_import": np.floor(energy)}


def _main(main: Main, elapsed_s: Floats) -> Mapping[str, Floats]:
    registers = {
        f"active_energy_import_t{tariff}": first + sum(energies(load, elapsed_s, tariff) for load in main.loads)
        for tariff, first in main.first_wh.items()
    }
    told = {name: np.floor(register) for name, register in registers.items()}
    return {"active_energy_import": np.floor(sum(registers.values())), **told}


def _pump(pump: Pump, elapsed_s: Floats) -> Mapping[str, Floats]:
    energy = pump.first_wh + energies(pump.load, elapsed_s)
    return {"active_power": _mean_power(energy, elapsed_s).round(), "active_energy_import": np.floor(energy)}


def _generator(house: House, generator: Generator, elapsed_s: Floats) -> tuple[Floats, Mapping[str, Floats]]:
    """It tells something while it runs: in old days at the end of each run, then also before."""
    slots = np.arange(elapsed_s[0] // SLOT_S, elapsed_s[-1] // SLOT_S).astype(np.int64)
    starts = slots * SLOT_S + np.fromiter((outage(house.seed, slot) for slot in slots.tolist()), np.float64)
    often = starts >= elapsed_s[-1] - FINE_DAYS * _DAY_S
    instants = np.sort(np.concatenate((starts + _RUNS_S[-1], *(starts[often] + since_s for since_s in _RUNS_S[:-1]))))
    energy = np.fromiter(map(generator.energy, instants.tolist()), np.float64)
    same = np.ones(len(instants))
    return instants, {"voltage": 229 * same, "active_power": generator.carries_w * same,
                      "active_energy_import": np.floor(energy)}  # fmt: skip


def energies(load: Load, elapsed_s: Floats, tariff: int = 0) -> Floats:
    """`load.energy` of many instants; those within a slot cost a hundred times as much as its borders."""
    slots, within_s = np.divmod(elapsed_s, SLOT_S)
    each, place = np.unique(slots.astype(np.int64), return_inverse=True)
    before, whole = np.array([load.of_slot(slot, tariff) for slot in each.tolist()]).T
    parts = np.zeros(len(elapsed_s))
    for row in np.flatnonzero(within_s).tolist():
        parts[row] = load.part(int(slots[row]), float(within_s[row]))[0]
    told: Floats = before[place] + parts * whole[place]
    return told


def _mean_power(energy: Floats, elapsed_s: Floats) -> Floats:
    """W since the instant before."""
    power = np.diff(energy) / np.diff(elapsed_s) * 3600
    return np.concatenate((power[:1], power)).round(1)


def _columns(meter: str, elapsed_s: Floats, values: Mapping[str, Floats]) -> Columns:
    at_ms = to_ms(BEGINNING - ZONE) + np.rint(elapsed_s * 1000).astype(np.int64)
    cells = {name: array("d", column.tobytes()) for name, column in values.items()}
    return Columns(
        "", meter, array("q", at_ms.tobytes()), array("q"), cells, array("B", bytes([GOOD_CODE]) * len(at_ms))
    )
