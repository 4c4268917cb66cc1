"""Virtual meters in the terminal: their power is that of their parts, by the formula. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from wattbook.top.answers import Meter, Reading, Virtual

POWER = "active_power"
COMPUTED = "computed"  # the state of a virtual meter all of whose parts are present


def power_of(reading: Reading) -> float | None:
    """The power that a reading tells, of three phases their sum."""
    total = reading.values.get(POWER)
    if total is not None:
        return total
    phases = [reading.values[name] for phase in "123" if (name := f"{POWER}_l{phase}") in reading.values]
    return sum(phases) if phases else None


def as_meter(virtual: Virtual, meters: Mapping[str, Meter]) -> Meter:
    """A virtual meter as a row: it is away while one of its parts is."""
    missing = [part for part in virtual.parts if part not in meters or meters[part].state != "present"]
    reason = f"{', '.join(missing)}: not present" if missing else ""
    title, state = f"= {virtual.formula}", "away" if missing else COMPUTED
    return Meter(virtual.name, "virtual", title, virtual.location, virtual.source, state=state, reason=reason)


def as_reading(virtual: Virtual, readings: Mapping[str, Reading]) -> Reading | None:
    """What it is now, as old and as doubtful as the worst of its parts; None where one of them tells no power."""
    known = [(readings.get(part), times) for part, times in virtual.parts.items()]
    told = [(reading, power_of(reading), times) for reading, times in known if reading is not None]
    powers = [power * times for _, power, times in told if power is not None]
    if not powers or len(powers) < len(virtual.parts):
        return None
    doubted = any(reading.doubted(POWER) for reading, _, _ in told)
    quality = "suspect" if doubted else "good"
    return Reading(virtual.name, min(reading.at for reading, _, _ in told), {POWER: sum(powers)}, quality)
