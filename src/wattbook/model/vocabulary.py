"""The vocabulary: every quantity a meter can tell, with its unit, kind and OBIS code.

A name is a base and suffixes in a fixed order: phase, tariff, quadrant, channel, statistics, as in `voltage_l12_max`,
`active_energy_import_t1`, `analogue_c3`. OBIS codes are the C.D.E groups of IEC 62056-61 for electricity (A = 1).
The whole table, as people see it, is generated into docs/reference/vocabulary.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache

from wattbook.model.errors import WattbookError
from wattbook.model.nearest import did_you_mean


class Kind(StrEnum):
    """Whether differences or values count."""

    REGISTER = "register"  # only ever grows: energy between two instants is a difference
    GAUGE = "gauge"  # the value of an instant


@dataclass(frozen=True, slots=True)
class Quantity:
    """One name of the vocabulary."""

    name: str
    unit: str  # base unit: V A W var VA Wh varh VAh Hz ° °C % s 1
    kind: Kind
    title: str  # what people read
    obis: str = ""  # C.D.E, or "" where IEC 62056-61 has none


class UnknownQuantity(WattbookError):
    """A name that is not in the vocabulary."""

    def __init__(self, name: str) -> None:
        super().__init__(f'no quantity is called "{name}"{did_you_mean(name, all_names())}')
        self.name = name


@dataclass(frozen=True, slots=True)
class _Base:
    unit: str
    kind: Kind
    title: str
    obis: str = ""
    phases: tuple[str, ...] = ()
    tariffs: bool = False
    quadrants: bool = False
    channels: bool = False


_LINES = ("l1", "l2", "l3")
_PAIRS = ("l12", "l23", "l31")
_R, _G = Kind.REGISTER, Kind.GAUGE

_BASES: Mapping[str, _Base] = {
    "voltage": _Base("V", _G, "Voltage", "12.7.0", (*_LINES, "n", *_PAIRS)),
    "current": _Base("A", _G, "Current", "11.7.0", (*_LINES, "n")),
    "active_power": _Base("W", _G, "Active power", "16.7.0", _LINES),
    "reactive_power": _Base("var", _G, "Reactive power", "", _LINES, quadrants=True),
    "apparent_power": _Base("VA", _G, "Apparent power", "9.7.0", _LINES),
    "power_factor": _Base("1", _G, "Power factor", "13.7.0", _LINES),
    "phase_angle": _Base("°", _G, "Phase angle", "", (*_LINES, *_PAIRS)),
    "frequency": _Base("Hz", _G, "Frequency", "14.7.0", _LINES),
    "active_energy_import": _Base("Wh", _R, "Active energy, import", "1.8.0", _LINES, tariffs=True),
    "active_energy_export": _Base("Wh", _R, "Active energy, export", "2.8.0", _LINES, tariffs=True),
    "reactive_energy_import": _Base("varh", _R, "Reactive energy, import", "3.8.0", _LINES, tariffs=True),
    "reactive_energy_export": _Base("varh", _R, "Reactive energy, export", "4.8.0", _LINES, tariffs=True),
    "reactive_energy": _Base("varh", _R, "Reactive energy", "", _LINES, tariffs=True, quadrants=True),
    "apparent_energy": _Base("VAh", _R, "Apparent energy", "9.8.0", _LINES, tariffs=True),
    "voltage_thd": _Base("%", _G, "Voltage distortion (THD)", "12.7.124", (*_LINES, *_PAIRS)),
    "current_thd": _Base("%", _G, "Current distortion (THD)", "11.7.124", (*_LINES, "n")),
    "temperature": _Base("°C", _G, "Temperature", channels=True),
    "operating_time": _Base("s", _R, "Operating time", "", (), tariffs=True),
    "error_bits": _Base("1", _G, "Error bits", "97.97.0"),
    "analogue": _Base("1", _G, "Analogue input", channels=True),
    "pulse_count": _Base("1", _R, "Pulse count", channels=True),
    # Of the machine that wattbook runs on; 100 % load: a mean of one process for every core.
    "processor_load": _Base("%", _G, "Processor load"),
    "storage_free": _Base("%", _G, "Free storage"),
    "memory_free": _Base("%", _G, "Free memory"),
}  # fmt: skip

_C_OF_PHASE = {"l1": 20, "l2": 40, "l3": 60, "n": 80}  # added to the total's C group (IEC 62056-61)
_OBIS_OF_DEMAND = {"active_power_demand": "1.4.0", "active_power_demand_max": "1.6.0"}  # D: 4 average, 6 its maximum
_PHASE_TITLES = {
    "l1": "L1", "l2": "L2", "l3": "L3", "n": "neutral", "l12": "L1-L2", "l23": "L2-L3", "l31": "L3-L1",
}  # fmt: skip
_STATISTIC_TITLES = {"demand": "demand", "max": "maximum", "min": "minimum"}

_NAME = re.compile(
    r"(?P<base>[a-z_]+?)"
    r"(?:_(?P<phase>l1|l2|l3|n|l12|l23|l31))?"
    r"(?:_t(?P<tariff>[1-8]))?"
    r"(?:_q(?P<quadrant>[1-4]))?"
    r"(?:_c(?P<channel>[1-9]|1[0-6]))?"
    r"(?P<demand>_demand)?(?P<extreme>_max|_min)?"
)


@cache
def quantity(name: str) -> Quantity:
    """Return the quantity of this name, or raise UnknownQuantity with the nearest right one."""
    match = _NAME.fullmatch(name)
    base = _BASES.get(match["base"]) if match else None
    if match is None or base is None or not _fits(base, match):
        raise UnknownQuantity(name)
    statistics = [part.strip("_") for part in (match["demand"], match["extreme"]) if part]
    details = [
        *([_PHASE_TITLES[match["phase"]]] if match["phase"] else []),
        *([f"tariff {match['tariff']}"] if match["tariff"] else []),
        *([f"quadrant {match['quadrant']}"] if match["quadrant"] else []),
        *([f"channel {match['channel']}"] if match["channel"] else []),
        *(_STATISTIC_TITLES[part] for part in statistics),
    ]
    title = ", ".join([base.title, *details])
    return Quantity(name, base.unit, base.kind, title, _obis(match, base))


def known_kind(name: str) -> Kind:
    """The kind of a quantity; a name that the vocabulary does not know is a gauge: nothing is counted from it."""
    try:
        return quantity(name).kind
    except UnknownQuantity:
        return Kind.GAUGE


def _fits(base: _Base, match: re.Match[str]) -> bool:
    """Whether this base takes the suffixes of the name."""
    return (
        (not match["phase"] or match["phase"] in base.phases)
        and (not match["tariff"] or base.tariffs)
        and (not match["quadrant"] or base.quadrants)
        and (not match["channel"] or base.channels)
        and (not (match["demand"] or match["extreme"]) or base.kind is _G)
    )


def _obis(match: re.Match[str], base: _Base) -> str:
    """The C.D.E code of a name, or "" where there is none."""
    phase, tariff, quadrant = match["phase"], match["tariff"], match["quadrant"]
    statistic = (match["demand"] or "") + (match["extreme"] or "")
    if statistic:
        return "" if phase or quadrant else _OBIS_OF_DEMAND.get(match["base"] + statistic, "")
    if quadrant:
        group = 4 + int(quadrant)
        return "" if phase else f"{group}.8.{tariff or 0}" if base.kind is _R else f"{group}.7.0"
    if not base.obis or (phase and phase not in _C_OF_PHASE):
        return ""
    c, d, e = base.obis.split(".")
    return f"{int(c) + _C_OF_PHASE.get(phase, 0)}.{d}.{tariff or e}"


@cache
def base_names() -> tuple[str, ...]:
    """Every base name, in the order of the documentation."""
    return tuple(_BASES)


@cache
def all_names() -> tuple[str, ...]:
    """Every name of the vocabulary."""
    return tuple(_generate())


def _generate() -> Iterator[str]:
    for name, base in _BASES.items():
        tariffs = ["", *(f"_t{n}" for n in range(1, 9))] if base.tariffs else [""]
        quadrants = ["", *(f"_q{n}" for n in range(1, 5))] if base.quadrants else [""]
        channels = ["", *(f"_c{n}" for n in range(1, 17))] if base.channels else [""]
        statistics = ["", "_demand", "_max", "_min", "_demand_max", "_demand_min"] if base.kind is _G else [""]
        for phase in ["", *(f"_{phase}" for phase in base.phases)]:
            for tariff in tariffs:
                for quadrant in quadrants:
                    for channel in channels:
                        for statistic in statistics:
                            yield f"{name}{phase}{tariff}{quadrant}{channel}{statistic}"


# Codes that meters send for a direction of flow: import counts up, export down, and the sum is our one signed power.
_DIRECTED: Mapping[str, tuple[str, int]] = {
    "1.7.0": ("active_power", +1), "2.7.0": ("active_power", -1),
    "21.7.0": ("active_power_l1", +1), "22.7.0": ("active_power_l1", -1),
    "41.7.0": ("active_power_l2", +1), "42.7.0": ("active_power_l2", -1),
    "61.7.0": ("active_power_l3", +1), "62.7.0": ("active_power_l3", -1),
    "3.7.0": ("reactive_power", +1), "4.7.0": ("reactive_power", -1),
    "23.7.0": ("reactive_power_l1", +1), "24.7.0": ("reactive_power_l1", -1),
    "43.7.0": ("reactive_power_l2", +1), "44.7.0": ("reactive_power_l2", -1),
    "63.7.0": ("reactive_power_l3", +1), "64.7.0": ("reactive_power_l3", -1),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ObisMeaning:
    """What a C.D.E code tells: a quantity, and for codes of one direction of flow (`directed`) its sign."""

    quantity: str
    sign: int = 1
    directed: bool = False


@cache
def obis_meanings() -> Mapping[str, ObisMeaning]:
    """C.D.E code -> meaning, for every code the vocabulary knows."""
    plain = {quantity(name).obis: ObisMeaning(name) for name in reversed(all_names()) if quantity(name).obis}
    directed = {code: ObisMeaning(name, sign, directed=True) for code, (name, sign) in _DIRECTED.items()}
    return plain | directed


_PREFIXES = {"": 0, "m": -3, "k": 3, "M": 6, "G": 9}
_SAME_UNITS = {
    "deg": "°",
    "C": "°C",
    "": "1",
    "Var": "var",
    "VAr": "var",
    "kVAr": "kvar",
    "VArh": "varh",
    "kVArh": "kvarh",
}
_TIMES = {"min": 60, "h": 3600}


class UnknownUnit(WattbookError):
    """A unit nobody here knows, or one that does not fit its quantity."""


@cache
def unit_factor(unit: str, base_unit: str) -> Decimal:
    """Return what turns a value in `unit` into the base unit: unit_factor("kWh", "Wh") is 1000."""
    unit = _SAME_UNITS.get(unit, unit)
    fitting = _units(base_unit)
    if unit not in fitting:
        raise UnknownUnit(f'"{unit}" is no unit of a quantity in {base_unit}{did_you_mean(unit, fitting)}')
    return fitting[unit]


def _units(base_unit: str) -> dict[str, Decimal]:
    """The units of a quantity, and what turns each into the base unit."""
    bare = base_unit in ("1", "%", "°", "°C")
    units = {
        prefix + base_unit: Decimal(1).scaleb(power) for prefix, power in _PREFIXES.items() if not (bare and prefix)
    }
    return units | {unit: Decimal(seconds) for unit, seconds in _TIMES.items() if base_unit == "s"}
