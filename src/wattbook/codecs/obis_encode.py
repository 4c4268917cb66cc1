"""Values written down as a meter says them, for the simulator and tests: the way back from `obis.measure`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from wattbook.codecs.obis import DataSet, code_of
from wattbook.model import quantity
from wattbook.model.vocabulary import unit_factor
from wattbook.profiles.profile import ObisCode


@dataclass(frozen=True, slots=True)
class Shown:
    """How a meter shows what is counted in one base unit: the unit it writes, and digits before and after the point."""

    unit: str
    decimals: int
    digits: int = 1  # before the point, zero-padded


IN_KILO: Mapping[str, Shown] = {  # as displays and readouts have it
    "Wh": Shown("kWh", 3, 7), "varh": Shown("kvarh", 3, 7), "VAh": Shown("kVAh", 3, 7), "W": Shown("kW", 3, 2),
    "var": Shown("kvar", 3, 2), "VA": Shown("kVA", 3, 2), "V": Shown("V", 1, 3), "A": Shown("A", 2, 3),
    "Hz": Shown("Hz", 2, 2), "1": Shown("", 3), "s": Shown("s", 0, 8),
}  # fmt: skip
IN_BASE: Mapping[str, Shown] = {  # as SML has it
    "Wh": Shown("Wh", 1), "varh": Shown("varh", 1), "VAh": Shown("VAh", 1), "W": Shown("W", 2), "var": Shown("var", 2),
    "VA": Shown("VA", 2), "V": Shown("V", 1), "A": Shown("A", 2), "Hz": Shown("Hz", 1), "s": Shown("s", 0),
}  # fmt: skip


def to_data_sets(
    values: Mapping[str, float],
    rows: tuple[ObisCode, ...] = (),
    *,
    shown: Mapping[str, Shown] = IN_KILO,
    full: bool = False,
) -> tuple[DataSet, ...]:
    """Write base-unit values as data sets; `full` codes are "1-0:1.8.0*255", others "1.8.0".

    `rows` are the profile's own codes. Quantities without a code, or whose unit is not in `shown`, are left out.
    """
    codes = code_of(rows)
    return tuple(
        _data_set(f"1-0:{codes[name]}*255" if full else codes[name], name, value, shown[quantity(name).unit])
        for name, value in values.items()
        if name in codes and quantity(name).unit in shown
    )


def _data_set(code: str, name: str, value: float, shown: Shown) -> DataSet:
    if name == "error_bits":
        return DataSet(code, f"{int(value):08X}")
    base = quantity(name).unit
    number = Decimal(repr(float(value))) / unit_factor(shown.unit or base, base)
    rounded = number.quantize(Decimal(1).scaleb(-shown.decimals))
    width = shown.digits + (shown.decimals + 1 if shown.decimals else 0) + (1 if rounded.is_signed() else 0)
    return DataSet(code, f"{rounded:0{width}f}", shown.unit)
