"""The CIRBUS commands of the first CVMk, typed from its manual and the reader of its owners, and from no profile.

Of each: what its fields are (`-` nobody tells), digits of a field, fields at the least, factor to the base unit.
"""

from __future__ import annotations

ASKS: dict[str, tuple[str, int, int, str]] = {
    "RVI": ("voltage_l1 voltage_l2 voltage_l3 -", 9, 3, "1"),
    "ROI": ("voltage_l12 voltage_l23 voltage_l31 -", 9, 4, "1"),
    "RAI": ("current_l1 current_l2 current_l3 -", 9, 3, "0.001"),
    "RPI": ("active_power_l1 active_power_l2 active_power_l3 active_power", 9, 4, "1"),
    "RLI": ("reactive_power_l1_q1 reactive_power_l2_q1 reactive_power_l3_q1 reactive_power_q1", 9, 4, "1"),
    "RCI": ("reactive_power_l1_q4 reactive_power_l2_q4 reactive_power_l3_q4 reactive_power_q4", 9, 4, "1"),
    "RFI": ("power_factor_l1 power_factor_l2 power_factor_l3 power_factor", 3, 4, "0.01"),
    "RHI": ("frequency", 3, 1, "0.1"),
    "RWH": ("active_energy_import active_energy_export", 9, 1, "1"),
    "RLH": ("reactive_energy_q1 reactive_energy_q3", 9, 1, "1"),
    "RCH": ("reactive_energy_q4 reactive_energy_q2", 9, 1, "1"),
}
"""What it measures now, and its energies."""

EXTREMES: dict[str, tuple[str, int, int, str]] = {
    code[:2] + letter: (" ".join(f if f == "-" else f"{f}_{kind}" for f in fields.split()), *rest)
    for code, (fields, *rest) in ASKS.items()
    for letter, kind in (("M", "max"), ("m", "min"))
    if code in ("RVI", "ROI", "RAI", "RPI", "RLI", "RCI", "RFI") and code[:2] + letter != "ROm"
}
"""The same letters with M: maxima, with m: minima. No ROm is told; frequency's (RHM, RHm) are not asked."""
