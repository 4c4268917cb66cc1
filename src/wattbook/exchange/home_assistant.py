"""Home Assistant's long-term statistics, whichever file they come from.

Each row stands for one hour. A counter's `state` is its register at the end of the hour, so its instant is an hour
after `start`; a gauge's `mean` is kept at the start of its hour. Names for `--map`: a statistic's id, as
"sensor.main_a_energy", or with the column to take, as "sensor.main_a_energy/sum" (the total that goes on growing
when the sensor was reset).
"""

from __future__ import annotations

from dataclasses import dataclass

from wattbook.exchange.gather import Gather
from wattbook.exchange.instants import BadCell
from wattbook.exchange.intake import Intake
from wattbook.exchange.mapping import Target
from wattbook.exchange.meters import fold
from wattbook.exchange.numbers import read_number
from wattbook.model import ConfigError, UnknownQuantity, quantity
from wattbook.model.vocabulary import UnknownUnit, unit_factor

COLUMNS = ("state", "sum", "mean", "min", "max")
_HOUR_MS = 3_600_000
_OF_UNIT = {
    "Wh": "active_energy_import", "W": "active_power", "V": "voltage", "A": "current", "Hz": "frequency",
    "VA": "apparent_power", "var": "reactive_power", "varh": "reactive_energy", "VAh": "apparent_energy",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statistic:
    """One series, and how it is called."""

    name: str  # "sensor.main_a_energy"
    unit: str
    counter: bool


class _Series:
    """Where the columns of a statistic go; found once."""

    def __init__(self, statistic: Statistic, intake: Intake) -> None:
        wishes = intake.wishes
        self.targets: dict[str, Target] = {}
        for column in COLUMNS:
            if target := wishes.target(f"{statistic.name}/{column}"):
                self.targets[column] = _with_unit(target, statistic)
        usual = "state" if statistic.counter else "mean"
        if not self.targets and (target := wishes.target(statistic.name, _guess(statistic, intake))):
            self.targets[usual] = _with_unit(target, statistic)
        self.says = wishes.says(statistic.name)


def _with_unit(target: Target, statistic: Statistic) -> Target:
    """The statistic's own unit, unless the user names another. Raises ConfigError when it does not fit."""
    if target.unit:
        return target
    try:
        unit_factor(statistic.unit, quantity(target.quantity).unit)
    except UnknownUnit as error:
        raise ConfigError(f"{statistic.name}: {error}; say its unit, as {target}:kWh", place="--map") from error
    return Target(target.meter, target.quantity, statistic.unit)


def _guess(statistic: Statistic, intake: Intake) -> Target | None:
    """`sensor.main_a_power` in W is the power of the meter "main-a"."""
    told = fold(statistic.name.rpartition(".")[2])
    meters = [name for name in intake.meters.names if told.startswith(fold(name) + "-")]
    if not meters:
        return None
    meter = max(meters, key=len)
    rest = told[len(fold(meter)) + 1 :].replace("-", "_")
    for base, named in _OF_UNIT.items():
        for name in (rest, named):
            if _fits(statistic.unit, base) and _is_quantity(name, base):
                return Target(meter, name, statistic.unit)
    return Target(meter, rest, statistic.unit) if rest == "power_factor" else None


def _fits(unit: str, base: str) -> bool:
    try:
        unit_factor(unit, base)
    except UnknownUnit:
        return False
    return bool(unit)


def _is_quantity(name: str, base: str) -> bool:
    try:
        return quantity(name).unit == base
    except UnknownQuantity:
        return False


class Statistics:
    """Puts rows of statistics where they belong."""

    def __init__(self, intake: Intake, gather: Gather) -> None:
        self._intake, self._gather = intake, gather
        self._series: dict[Statistic, _Series] = {}
        self.mapped = False
        self.names: dict[str, None] = {}

    def wanted(self, statistic: Statistic) -> bool:
        """Whether anything of it goes anywhere; counts it as left out when not."""
        series = self._series.get(statistic)
        if series is None:
            series = self._series[statistic] = _Series(statistic, self._intake)
        if series.targets:
            self.mapped = True
        elif not series.says:
            self.names[statistic.name] = None
        return bool(series.targets)

    def leave_out(self, statistic: Statistic, rows: int = 1) -> None:
        if not self._series[statistic].says:
            unit = f" ({statistic.unit})" if statistic.unit else ""
            self._intake.tally.leave_out(statistic.name + unit, rows)

    def take(self, statistic: Statistic, start_ms: int, values: dict[str, str]) -> None:
        """Raises BadCell, having taken nothing."""
        if not 0 <= start_ms <= self._intake.latest_ms:
            raise BadCell(f"{statistic.name}: its time lies before 1970 or in the future")
        found = [
            (column, target, read_number(values.get(column, ""), target))
            for column, target in self._series[statistic].targets.items()
        ]
        for column, target, value in found:
            meter, name = self._intake.at(target, statistic.name)
            at_ms = start_ms + _HOUR_MS if column in ("state", "sum") else start_ms
            self._gather.add_one(meter, name, at_ms, value)
