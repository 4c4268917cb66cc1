"""What is said of an alert, in one line for people."""

from __future__ import annotations

from wattbook.config import AlertSettings
from wattbook.engine.alert_readings import FREQUENCY_SHARE, VOLTAGE_SHARE
from wattbook.engine.alert_state import Change, State
from wattbook.model import quantity

_KILO = ("W", "Wh", "var", "varh", "VA", "VAh")


def in_words(rule: AlertSettings, about: str, state: State, change: Change) -> str:
    """One sentence: what is so, or that it is over."""
    meter, _, name = about.partition("/")
    told = _raised(rule, meter, name, state) if change == "raised" else _recovered(rule, meter, name, state)
    return f"{meter}: {told}" if meter else told


def _raised(rule: AlertSettings, meter: str, name: str, state: State) -> str:
    if state.said:
        return state.said
    limit, lasting = rule.told("limit"), rule.lasting_ms / 1000
    for_s = f" for {duration(lasting)}" if lasting else ""
    match rule.kind:
        case "above" | "below":
            return f"{named(name)} {shown(name, state.value)}, {rule.kind} {shown(name, limit)}{for_s}"
        case "rate":
            return f"{named(name)} changed by {shown(name, state.value)} within {duration(rule.within)}"
        case "imbalance":
            return f"{named(name)} of one phase is {state.value or 0:.1f} % off the mean, above {limit:g} %{for_s}"
        case "en50160":
            return f"{named(name)} {shown(name, state.value)} is outside {_band(rule, name)} (EN 50160)"
        case _:
            return rule.name


def _recovered(rule: AlertSettings, meter: str, name: str, state: State) -> str:
    if state.said:
        return state.said
    if rule.kind == "imbalance":
        return f"{named(name)} is even again ({state.value or 0:.1f} %)"
    return f"{named(name)} {shown(name, state.value)} again" if name else "it is over"


def _band(rule: AlertSettings, name: str) -> str:
    nominal, share = (rule.frequency, FREQUENCY_SHARE) if name == "frequency" else (rule.nominal, VOLTAGE_SHARE)
    unit = quantity(name).unit
    return f"{nominal * (1 - share):g} to {nominal * (1 + share):g} {unit}"


def named(name: str) -> str:
    """A quantity as people call it."""
    return quantity(name).title if name else ""


def shown(name: str, value: float | None) -> str:
    """A value with its unit, as people read it: 5.2 kW, 229.8 V."""
    if value is None:
        return "unknown"
    unit = quantity(name).unit
    if unit in _KILO and abs(value) >= 1000:
        return f"{value / 1000:.4g} k{unit}"
    return f"{value:.4g} {unit}".rstrip()


def duration(seconds: float) -> str:
    """A length of time as people say it: 45 s, 10 min, 3 h 20 min, 2 days."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} days"
