"""The files of the seeds: RX380's logger and Lector, column by column, for writing and for reading them again."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

# Seed 004: rx380_data_YYYY-MM-DD.csv; comma, CR LF, local time, base units, an empty cell where a value is absent.
RX380_TIME = "timestamp"
RX380_COLUMNS: Mapping[str, str] = {
    **{f"voltage_{pair}": f"voltage_{pair}" for pair in ("l12", "l23", "l31")},
    **{f"voltage_{line}": f"voltage_{line}" for line in ("l1", "l2", "l3")},
    **{f"current_{line}": f"current_{line}" for line in ("l1", "l2", "l3")},
    "total_real_power": "active_power",
    "total_power_factor": "power_factor",
    "frequency": "frequency",
}
# Later versions of the logger add these. Its energies are left to `--map`: their unit is not known.
RX380_LATER: Mapping[str, str] = {
    **{f"voltage_{pair}_{end}": f"voltage_{pair}_{end}" for pair in ("l12", "l23", "l31") for end in ("max", "min")},
    "current_ln": "current_n",
    "total_apparent_power": "apparent_power",
    "total_reactive_power": "reactive_power",
}
# The table Office_Readings, names in lower case. What it calls kWh is kW; its energies are left to `--map` too.
OFFICE_COLUMNS: Mapping[str, str] = {
    **{f"voltage{place}_v": f"voltage_{place}" for place in ("l1", "l2", "l3", "l12", "l23", "l31")},
    **{f"voltage{pair}_{end}v": f"voltage_{pair}_{end}" for pair in ("l12", "l23", "l31") for end in ("max", "min")},
    **{f"currentl{line}_i": f"current_{phase}" for line, phase in zip("123n", ("l1", "l2", "l3", "n"), strict=True)},
    "totalrealpower_kwh": "active_power:kW",
    "totalapparentpower_kwh": "apparent_power:kVA",
    "totalreactivepower_kwh": "reactive_power:kvar",
    "totalpowerfactor_kwh": "power_factor",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One of Lector's codes: its elements are quantities in this order, in `unit`."""

    name: str
    quantities: tuple[str, ...]
    unit: str
    with_phases: tuple[str, ...] = ()  # its elements where an analyser (CVMk) tells the phases, then the total

    def told_by(self, columns: Container[str]) -> tuple[str, ...]:
        """Its elements in a file with these columns, in lower case."""
        last = f"{self.name}{len(self.with_phases) - 1}".casefold()
        return self.with_phases if last in columns else self.quantities


def _phases(base: str, *more: str) -> tuple[str, ...]:
    return tuple(f"{base}_{phase}" for phase in ("l1", "l2", "l3", *more))


# Seed 002: <meter>/YYYYMMDD.txt; "HORA" and <code><element> from 0, a tab behind every cell, values as %9.2f.
LECTOR_TIME = "HORA"
LECTOR_CODES = (
    Code("TPF", _phases("voltage"), "V"),
    Code("IPF", _phases("current", "n"), "A"),
    Code("FRE", ("frequency",), "Hz"),
    Code("PAF", _phases("active_power"), "kW"),
    Code("PAT", ("active_power",), "kW", (*_phases("active_power"), "active_power")),
    Code("PAP", ("apparent_power",), "kVA"),
    Code("PRT", ("reactive_power",), "kvar"),
    Code("FPT", ("power_factor",), "1", (*_phases("power_factor"), "power_factor")),
    Code("THDV", _phases("voltage_thd"), "%"),
    Code("THDI", _phases("current_thd", "n"), "%"),
    Code("CEA", ("active_energy_import",), "kWh"),
    Code("CER", ("reactive_energy",), "kvarh"),
    Code("AMC", tuple(f"analogue_c{channel}" for channel in range(1, 9)), "1"),
)


def lector_columns(names: Iterable[str]) -> dict[str, str]:
    """Column name in lower case -> quantity:unit, as a mapping knows it, for a file with these columns."""
    columns = {name.casefold() for name in names}
    return {
        f"{code.name}{place}".casefold(): f"{quantity}:{code.unit}"
        for code in LECTOR_CODES
        for place, quantity in enumerate(code.told_by(columns))
    }
