"""What looks wrong about a meter's wiring or its model, in plain words with the evidence. Pure: values in, words out.

One reading proves little: a motor starts, a phase switches over, a value is damaged. So a finding is told only when
`READINGS_IN_A_ROW` readings agree on it, and once. It is looked for at the start of a run, when people look too.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from wattbook.engine.plausible import bounds
from wattbook.model.vocabulary import Kind, quantity
from wattbook.profiles.profile import Profile, Register

READINGS_IN_A_ROW = 5  # longer than a start-up, a switch-over or a damaged value lasts, at any usual period
READINGS_MAX = 300  # of a run: 25 minutes at 5 s; without a load a reversed transformer shows nothing before
LOOK_EVERY = timedelta(seconds=1)  # a full line brings six readings a second of each meter: five of them prove nothing
DEAD_V = 20.0  # stray voltage on an open wire stays below, any network is far above
WIRING = ("missing-phase", "reversed-transformer")  # kinds of findings that say nothing about the model
_PHASES = ("l1", "l2", "l3")
_PAIRS = ("l12", "l23", "l31")
_PHASE_V, _PAIR_V = (80.0, 300.0), (80.0, 500.0)  # low-voltage networks: 100 to 277 V a phase, up to 480 V between two
_LOAD_W, _LOAD_A = 50.0, 0.3  # below, a sign is noise
_POWER_SLACK, _POWER_SLACK_W = 1.3, 100.0  # of U x I: meters average the three over different times
_HZ = (40.0, 70.0)
_ALL_ONES = {register_bits: (1 << register_bits) - 1 for register_bits in (16, 32, 64)}

Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong."""

    kind: str  # "missing-phase", "reversed-transformer", "word-order", "impossible-value"
    subject: str  # the phase or quantity: the same kind and subject are the same finding
    words: str  # what is seen, beside what it should be, and what to look at


def findings(values: Values, profile: Profile, source: str = "") -> Sequence[Finding]:
    """Everything that looks wrong about one reading; `source` is where the meter's energy comes from."""
    swapped = list(_word_order(values, profile))
    if swapped:
        return swapped  # it explains every other one
    dead = list(_missing_phase(values))
    return [
        *dead,
        *(() if source in ("solar", "battery") else _reversed(values)),
        *_impossible(values, profile),
        *(() if dead else _too_much_power(values)),  # without its voltage a phase has too much of it anyway
    ]


class Examination:
    """The first readings of one meter in a run. Used by one thread at a time."""

    def __init__(self, profile: Profile, source: str = "") -> None:
        self._profile, self._source = profile, source
        self._rows: dict[tuple[str, str], int] = {}  # readings in a row that agree
        self._told: set[tuple[str, str]] = set()
        self._left = READINGS_MAX
        self._looked_at: datetime | None = None

    @property
    def over(self) -> bool:
        """Whether enough readings were looked at."""
        return self._left <= 0

    def look(self, at: datetime, values: Values) -> Sequence[Finding]:
        """The findings that the reading of this instant makes certain; each is told once."""
        if self._looked_at is not None and abs(at - self._looked_at) < LOOK_EVERY:
            return ()
        self._looked_at = at
        self._left -= 1
        found = {(finding.kind, finding.subject): finding for finding in findings(values, self._profile, self._source)}
        self._rows = {key: self._rows.get(key, 0) + 1 for key in found}
        sure = [key for key, count in self._rows.items() if count >= READINGS_IN_A_ROW and key not in self._told]
        self._told.update(sure)
        return [found[key] for key in sure]


def _missing_phase(values: Values) -> Iterator[Finding]:
    volts = {phase: values[f"voltage_{phase}"] for phase in _PHASES if f"voltage_{phase}" in values}
    dead = [phase for phase, volt in volts.items() if abs(volt) < DEAD_V]
    if len(volts) < 3 or len(dead) != 1 or any(volts[phase] < _PHASE_V[0] for phase in volts if phase not in dead):
        return
    one, two = (phase for phase in volts if phase not in dead)
    yield Finding(
        "missing-phase",
        dead[0],
        f"{dead[0]} shows {volts[dead[0]]:.0f} V where {one} and {two} show {volts[one]:.0f} V and "
        f"{volts[two]:.0f} V: is its wire connected?",
    )


def _reversed(values: Values) -> Iterator[Finding]:
    """A phase that exports while the others import, by its power, else its current, else its power factor."""
    for base, least, unit in (("active_power", _LOAD_W, "W"), ("current", _LOAD_A, "A"), ("power_factor", 0.1, "")):
        told = {phase: values[f"{base}_{phase}"] for phase in _PHASES if f"{base}_{phase}" in values}
        back = [phase for phase, value in told.items() if value <= -least]
        forth = [phase for phase, value in told.items() if value >= least]
        if len(told) < 2 or not back or not forth or len(back) + len(forth) < len(told):
            continue
        named = " and ".join(f"{phase} ({told[phase]:.4g}{' ' * bool(unit)}{unit})" for phase in back)
        others = " and ".join(f"{phase} ({told[phase]:.4g}{' ' * bool(unit)}{unit})" for phase in forth)
        yield Finding(
            "reversed-transformer",
            " ".join(back),
            f"{quantity(base).title.lower()} of {named} is negative while {others} import: is its current transformer "
            "turned round? (A solar inverter on that phase alone looks the same.)",
        )
        return


def _impossible(values: Values, profile: Profile) -> Iterator[Finding]:
    registers = {one.quantity: one for one in profile.modbus.registers} if profile.modbus else {}
    has_ac = any(name.startswith(("frequency", "power_factor", "voltage_l")) for name in values)
    for name, value in values.items():
        register = registers.get(name)
        if words := _why_impossible(name, value, register, has_ac=has_ac):
            yield Finding("impossible-value", name, words)


def _why_impossible(name: str, value: float, register: Register | None, *, has_ac: bool) -> str:
    if register is not None and _is_all_ones(register, value):
        return f"{name} is {value:.10g}, which is all ones in {register.type}: that means not available, not a number"
    base = name.rsplit("_l", 1)[0]
    if base == "frequency" and not _HZ[0] <= value <= _HZ[1] and value != 0:
        return f"{name} is {value:g} Hz: no network has that; are scale and address right?"
    if base == "frequency" and value == 0:
        return f"{name} is 0 Hz: is there voltage at the meter, and is the address right?"
    if base == "power_factor" and abs(value) > 1.001:
        return f"{name} is {value:g}, and no power factor is beyond 1: is the scale right?"
    if base == "voltage" and has_ac and name[len(base) :].lstrip("_") in ("", *_PHASES, *_PAIRS):
        least, most = _PAIR_V if name.endswith(_PAIRS) or name == "voltage" else _PHASE_V
        if register is not None and register.maximum is not None:
            most = max(most, register.maximum)  # who states more measures through a voltage transformer
        if abs(value) > most or DEAD_V <= abs(value) < least:
            return (
                f"{name} is {value:g} V: no low-voltage network has that; is the scale or the transformer ratio right?"
            )
    return ""


def _too_much_power(values: Values) -> Iterator[Finding]:
    for suffixes, name in [(("",), "active_power"), (_PHASES, "active_power")] + [
        ((p,), f"active_power_{p}") for p in _PHASES
    ]:
        parts = [(f"voltage_{s}".rstrip("_"), f"current_{s}".rstrip("_")) for s in suffixes]
        if name not in values or any(u not in values or i not in values for u, i in parts):
            continue
        most = sum(abs(values[u] * values[i]) for u, i in parts)
        if abs(values[name]) > _POWER_SLACK * most + _POWER_SLACK_W:
            yield Finding(
                "impossible-value",
                name,
                f"{name} is {values[name]:.0f} W, and voltage times current give only {most:.0f} VA: are the scales of "
                "power and current right, and the current transformer's ratio?",
            )


def _word_order(values: Values, profile: Profile) -> Iterator[Finding]:
    """32-bit values that are impossible as read, and ordinary with their words the other way round."""
    mended: list[tuple[Register, float, float]] = []
    for register in profile.modbus.registers if profile.modbus else ():
        value = values.get(register.quantity)
        if value is None or register.count != 2 or register.exponent_at is not None:
            continue
        other = _swapped(register, value)
        if other is None or other == value:
            continue
        as_read, turned = _is_ordinary(register, value), _is_ordinary(register, other)
        if as_read and not turned:
            return  # one value that is right only as it is speaks for the order
        if turned and not as_read:
            mended.append((register, value, other))
    gauges = [row for row in mended if quantity(row[0].quantity).kind is Kind.GAUGE]
    if gauges:
        register, value, other = gauges[0]
        right = "low-first" if register.word_order == "high-first" else "high-first"
        unit = quantity(register.quantity).unit
        yield Finding(
            "word-order",
            "",
            f"{register.quantity} is {value:.6g} {unit}, and with its two words the other way round {other:.6g} {unit}"
            f' ({len(mended)} values are so): is word_order = "{right}" right for this device?',
        )


def _is_ordinary(register: Register, value: float) -> bool:
    """Whether a value is one that meters tell every day: more than possible, and not a trace of nothing."""
    its = bounds(register.quantity, 1e6)
    if quantity(register.quantity).kind is Kind.REGISTER:
        return 0 <= value <= 1e12
    low = -math.inf if register.minimum is None else register.minimum
    high = math.inf if register.maximum is None else register.maximum
    trace = 1e-3 if register.type.startswith("float") else 0.0  # floats with swapped words are mostly next to nothing
    base, unit = register.quantity.split("_l")[0], quantity(register.quantity).unit
    usual = {"V": 1e5, "A": 1e4, "Hz": 100.0}.get(unit, its.greatest)
    if base == "frequency":
        return _HZ[0] <= value <= _HZ[1]
    return max(low, its.least) <= value <= min(high, its.greatest, usual) and (value == 0 or abs(value) >= trace)


def _raw(register: Register, value: float) -> int | None:
    """The bits that gave this value, as far as they can be told again."""
    bits = 16 * register.count
    count = value * 10**register.scale.decimals / register.scale.multiplier
    if not math.isfinite(count):
        return None
    if register.type == "float32":
        try:
            return int.from_bytes(struct.pack(">f", count))
        except OverflowError:
            return None
    if register.type.startswith("float") or register.type == "sign16" or register.form:
        return None
    raw = round(count)
    return raw & _ALL_ONES[bits] if -(1 << (bits - 1)) <= raw <= _ALL_ONES[bits] else None


def _swapped(register: Register, value: float) -> float | None:
    raw = _raw(register, value)
    if raw is None:
        return None
    raw = (raw & 0xFFFF) << 16 | raw >> 16
    decode: Callable[[int], float] = register.scale.value
    if register.type == "float32":
        number: float = struct.unpack(">f", raw.to_bytes(4))[0]
        number = number * register.scale.multiplier / 10**register.scale.decimals
        return number if math.isfinite(number) else None
    if register.type == "int32" and raw >> 31:
        raw -= 1 << 32
    return decode(raw)


def _is_all_ones(register: Register, value: float) -> bool:
    unsigned = register.type.startswith("uint")
    return unsigned and register.exponent_at is None and _raw(register, value) == _ALL_ONES[16 * register.count]
