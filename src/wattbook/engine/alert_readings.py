"""What readings say to rules about values: above, below, rate of change, EN 50160, imbalance. Pure.

EN 50160:2010 (voltage characteristics in public distribution systems), low voltage: 4.2.1, the 10-second mean of the
frequency stays within 1 % of the nominal one (for 99.5 % of a year); 4.2.2, the 10-minute mean of the voltage's
r.m.s. value stays within 10 % of the nominal one (for 95 % of a week).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from wattbook.config import AlertSettings
from wattbook.engine.alert_state import Sight, State
from wattbook.model import Columns
from wattbook.model.batch import GOOD_CODE

VOLTAGE_MEAN_MS, VOLTAGE_SHARE = 600_000, 0.10
FREQUENCY_MEAN_MS, FREQUENCY_SHARE = 10_000, 0.01
_BUCKETS = 10  # into which the time of a rate is divided: what is older than all of them is forgotten
_PHASES = ("_l1", "_l2", "_l3")
_NOMINAL = ("frequency", "voltage", *(f"voltage{phase}" for phase in _PHASES))  # voltages to neutral


class Value(NamedTuple):
    """A good value of a quantity."""

    at: int
    quantity: str
    value: float


def quantities_of(rule: AlertSettings) -> Sequence[str]:
    """The quantities that a rule about values says something of."""
    return _NOMINAL if rule.kind == "en50160" else [rule.told("quantity")]


def values_for(rule: AlertSettings, columns: Columns) -> Iterator[Value]:
    """The good values of a meter that a rule is about, in the order in which they were written."""
    if rule.kind == "imbalance":
        yield from _spread(rule.told("quantity"), columns)
        return
    for name in columns.values:
        if name in quantities_of(rule):
            yield from (Value(at, name, value) for at, value in _good(columns, name))


def sight_of(rule: AlertSettings, state: State, about: str, value: Value) -> Sight | None:
    """What a value says to a rule in this state; None = nothing yet."""
    match rule.kind:
        case "above" | "imbalance":
            limit = rule.told("limit")
            bad = _beyond(value.value, limit, rule.hysteresis, state)
            return Sight(about, value.at, bad, value.value)
        case "below":
            bad = _beyond(-value.value, -rule.told("limit"), rule.hysteresis, state)
            return Sight(about, value.at, bad, value.value)
        case "rate":
            if value.at < state.at:
                return None  # late: what has come since must not be forgotten for it
            change = _change(state, value, round(1000 * rule.within))
            bad = _beyond(abs(change), rule.told("limit"), rule.hysteresis, state)
            return Sight(about, value.at, bad, change)
        case _:
            return _mean_sight(rule, state, about, value)


def _beyond(value: float, limit: float, hysteresis: float, state: State) -> bool | None:
    """Whether a value is over a limit; None = between the limit and where it is good again."""
    if value > limit:
        return True
    return None if state.state == "raised" and value > limit - hysteresis else False


def _change(state: State, value: Value, within_ms: int) -> float:
    """By how much the value changed within the time, and into which direction. Marks: [bucket, least, most]."""
    size = max(1, within_ms // _BUCKETS)
    bucket = value.at // size
    kept = [mark for mark in state.marks if bucket - _BUCKETS < mark[0] <= bucket]
    least = min([value.value, *(mark[1] for mark in kept)])
    most = max([value.value, *(mark[2] for mark in kept)])
    if kept and kept[-1][0] == bucket:
        kept[-1] = [bucket, min(kept[-1][1], value.value), max(kept[-1][2], value.value)]
    else:
        kept.append([bucket, value.value, value.value])
    state.marks = kept
    up, down = value.value - least, value.value - most
    return up if up >= -down else down


def _mean_sight(rule: AlertSettings, state: State, about: str, value: Value) -> Sight | None:
    """The mean of the stretch that this value ends, by the clock. Marks: [[start, sum, count]]."""
    of_frequency = value.quantity == "frequency"
    length = FREQUENCY_MEAN_MS if of_frequency else VOLTAGE_MEAN_MS
    start = value.at - value.at % length
    before = state.marks[0] if state.marks else None
    if before is not None and start < before[0]:
        return None  # of a stretch that was judged already
    if before is not None and start == before[0]:
        state.marks = [[start, before[1] + value.value, before[2] + 1]]
        return None
    state.marks = [[start, value.value, 1]]
    if before is None:
        return None
    mean = before[1] / before[2]
    nominal, share = (rule.frequency, FREQUENCY_SHARE) if of_frequency else (rule.nominal, VOLTAGE_SHARE)
    return Sight(about, int(before[0]) + length, abs(mean - nominal) > share * nominal, mean)


def _good(columns: Columns, name: str) -> Iterator[tuple[int, float]]:
    for at_ms, value, code in zip(columns.at_ms, columns.values[name], columns.codes(name), strict=True):
        if value == value and code == GOOD_CODE:
            yield at_ms, value


def _spread(base: str, columns: Columns) -> Iterator[Value]:
    """How far the phase that is furthest off lies from the mean of the three, in % of it (as NEMA MG 1 counts it)."""
    names = [base + phase for phase in _PHASES]
    if not all(name in columns.values for name in names):
        return
    told: list[Mapping[int, float]] = [dict(_good(columns, name)) for name in names]
    for at in columns.at_ms:
        phases = [each[at] for each in told if at in each]
        if len(phases) == len(_PHASES) and (mean := sum(phases) / len(phases)) > 0:
            yield Value(at, base, 100 * _furthest(phases, mean) / mean)


def _furthest(values: Iterable[float], mean: float) -> float:
    return max(abs(value - mean) for value in values)
