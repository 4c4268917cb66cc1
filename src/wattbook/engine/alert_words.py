"""What is said of an alert, in one line for people."""

from __future__ import annotations

from wattbook.config import AlertSettings
from wattbook.engine.alert_readings import FREQUENCY_SHARE, VOLTAGE_SHARE
from wattbook.engine.alert_state import Change, State
from wattbook.engine.language import Language


def in_words(words: Language, rule: AlertSettings, about: str, state: State, change: Change) -> str:
    """One sentence: what is so, or that it is over."""
    meter, _, name = about.partition("/")
    told = state.said or (_raised if change == "raised" else _recovered)(words, rule, name, state)
    return f"{meter}: {told}" if meter else told


def unwatched(words: Language, about: str) -> str:
    """One sentence: the rule does not watch this thing any more."""
    thing, _, name = about.partition("/")
    return ": ".join(filter(None, (thing, name and words.quantity(name), words.say("alert.unwatched"))))


def _raised(words: Language, rule: AlertSettings, name: str, state: State) -> str:
    quantity, value, limit = words.quantity(name), state.value, rule.told("limit")
    match rule.kind:
        case "above" | "below":
            return words.say(
                f"alert.{rule.kind}", quantity=quantity, value=words.value(name, value), limit=words.value(name, limit),
                lasting=_lasting(words, rule),
            )  # fmt: skip
        case "rate":
            within = words.duration(rule.within)
            return words.say("alert.rate", quantity=quantity, value=words.value(name, value), duration=within)
        case "imbalance":
            return words.say(
                "alert.imbalance", quantity=quantity, value=words.fixed(value or 0), limit=words.number(limit),
                lasting=_lasting(words, rule),
            )  # fmt: skip
        case "en50160":
            low, high = _band(rule, name)
            return words.say(
                "alert.en50160", quantity=quantity, value=words.value(name, value), low=words.number(low),
                high=words.value(name, high),
            )  # fmt: skip
        case _:
            return rule.name


def _recovered(words: Language, rule: AlertSettings, name: str, state: State) -> str:
    quantity = words.quantity(name)
    if rule.kind == "imbalance":
        return words.say("alert.even", quantity=quantity, value=words.fixed(state.value or 0))
    if name:
        return words.say("alert.again", quantity=quantity, value=words.value(name, state.value))
    return words.say("alert.over")


def _lasting(words: Language, rule: AlertSettings) -> str:
    return words.say("alert.lasting", duration=words.duration(rule.lasting_ms / 1000)) if rule.lasting_ms else ""


def _band(rule: AlertSettings, name: str) -> tuple[float, float]:
    nominal, share = (rule.frequency, FREQUENCY_SHARE) if name == "frequency" else (rule.nominal, VOLTAGE_SHARE)
    return nominal * (1 - share), nominal * (1 + share)
