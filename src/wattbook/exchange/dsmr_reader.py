"""CSV of dsmr-reader: its tables (`dsmr_consumption_electricityconsumption`, `dsmr_datalogger_dsmrreading`), and the
day export of its page, whose readings are the first of each day.

The hour export, and day exports of old versions, tell only what was used between two instants. A register cannot be
made from that (a missing hour would count as zero), so they are refused in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from wattbook.exchange.csv_rows import read_header
from wattbook.exchange.intake import Intake
from wattbook.exchange.tables import read_mapped
from wattbook.model import Columns, ConfigError

_TABLE = {
    "delivered_1": "active_energy_import_t1:kWh",
    "delivered_2": "active_energy_import_t2:kWh",
    "returned_1": "active_energy_export_t1:kWh",
    "returned_2": "active_energy_export_t2:kWh",
    **{f"phase_voltage_l{phase}": f"voltage_l{phase}:V" for phase in (1, 2, 3)},
    **{f"phase_power_current_l{phase}": f"current_l{phase}:A" for phase in (1, 2, 3)},
    **{f"phase_currently_delivered_l{phase}": f"active_power_l{phase}:kW" for phase in (1, 2, 3)},
    "currently_delivered": "active_power:kW",
}
# The log of telegrams calls the same by longer names.
_LOG = {
    f"electricity_{name}": _TABLE[name]
    for name in _TABLE
    if name.partition("_")[0] in ("delivered", "returned", "currently")
}
_DAY = re.compile(r"elect\w*[ _]?(?P<tariff>[12])\W.*reading|elect\w*(?P<raw>[12])(_returned)?_reading", re.IGNORECASE)
_USED = re.compile(r"elect\w*[ _]?[12]", re.IGNORECASE)
_RETURNED = ("returned", "terug")


def is_export(names: Sequence[str]) -> bool:
    """Whether a header is one of dsmr-reader's."""
    folded = [name.casefold() for name in names]
    return ("read_at" in folded and "delivered_1" in folded) or "electricity_delivered_1" in folded or _is_page(names)


def _is_page(names: Sequence[str]) -> bool:
    return sum(bool(_USED.match(name)) for name in names) >= 4


def read(files: Sequence[Path], intake: Intake) -> Iterator[Columns]:
    """Registers and gauges of the table; what is given back is shown by its registers, power is what is taken."""
    for path in files:
        names = read_header(path).names
        known = _TABLE | _LOG
        if _is_page(names):
            known = known | _of_page(names, path)
        yield from read_mapped([path], intake, known)


def _of_page(names: Sequence[str], path: Path) -> dict[str, str]:
    """The readings of the day export. Raises ConfigError when it has none."""
    known = {}
    for name in names:
        if match := _DAY.match(name):
            way = "export" if any(word in name.casefold() for word in _RETURNED) else "import"
            tariff = match["tariff"] or match["raw"]
            known[_folded(name)] = f"active_energy_{way}_t{tariff}:kWh"
    if not known:
        raise ConfigError(
            "tells what was used by the hour or day, not what the meter showed; export the days of dsmr-reader 5"
            " (with readings), or its table dsmr_consumption_electricityconsumption",
            place=str(path),
        )
    return known


def _folded(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"\s*[\[(].*", "", name).casefold()).strip("_")
