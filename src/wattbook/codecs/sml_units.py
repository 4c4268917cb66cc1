"""Units by their number in DLMS and SML (IEC 62056-62, table of physical units)."""

from __future__ import annotations

from collections.abc import Mapping

UNITS: Mapping[int, str] = {
    5: "h", 6: "min", 7: "s", 8: "°", 9: "°C", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh",
    33: "A", 35: "V", 44: "Hz", 56: "%",
}  # fmt: skip
UNIT_CODES: Mapping[str, int] = {unit: code for code, unit in UNITS.items()}
