"""What somebody wants changed in a meter's life, as JSON, understood and carried out: for the API and the command line.

{"do": "replace", "from": "2026-11-21T10:00", "registers": {"active_energy_import": {"before": 25409587, "after": 0}},
 "why": "the old one failed", "who": "anna"}
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from wattbook.codecs.reading_json import format_instant
from wattbook.engine.amend import Amender, By
from wattbook.engine.instants import parse_instant
from wattbook.model import BookError, ConfigError, Kind, Span, quantity
from wattbook.model.exact import EXACT_MAX
from wattbook.model.nearest import did_you_mean
from wattbook.store import UnknownMeter
from wattbook.store.life import (
    INSTALLED,
    MOVED,
    OVERLAYS,
    PHASES,
    PROPOSED,
    RATIO,
    REPLACED,
    RESET,
    REWIRED,
    ROLLOVER,
    undone_numbers,
)

WHY_SIZE_MAX = 500  # characters
_AHEAD_MAX = timedelta(minutes=1)  # a clock beside ours
_EVENT_OF = {
    "install": INSTALLED, "replace": REPLACED, "reset": RESET, "rollover": ROLLOVER, "ratio": RATIO,
    "rewire": REWIRED, "move": MOVED,
}  # fmt: skip
_KEYS = {
    "install": ("from", "registers"), "replace": ("from", "registers"), "reset": ("from", "registers"),
    "rollover": ("from", "registers"), "ratio": ("from", "ct", "pt"), "rewire": ("from", "swap", "turn", "phases"),
    "move": ("from", "location"), "correct": ("at", "values"), "accept": ("from", "to", "quantities", "number"),
    "drop": ("from", "to", "quantities"), "undo": ("number",),
}  # fmt: skip
DEEDS = tuple(_KEYS)
_ALWAYS = ("do", "why", "who")
_PARTS = {"install": ("after",), "replace": ("before", "after"), "reset": ("before", "after"), "rollover": ("modulus",)}


@dataclass(frozen=True, slots=True)
class _Order:
    """One order and what is needed to understand it."""

    amender: Amender
    meter: str
    given: Mapping[str, Any]
    by: By
    zone: tzinfo
    now: datetime

    def instant(self, key: str) -> datetime:
        """An instant of the order. Raises ConfigError."""
        text = self.given.get(key)
        if not isinstance(text, str):
            raise ConfigError(f'"{key}" is an instant as text: 2026-11-21T08:00, today, now or -24h')
        at = parse_instant(text, zone=self.zone, now=self.now)
        if at > self.now + _AHEAD_MAX:
            raise ConfigError(f"{key}: {text} is still to come; a meter's life is told afterwards")
        return at

    @property
    def since(self) -> datetime:
        """From when on a fact holds: as said, else from the first doubted reading of a register, else now."""
        if self.given.get("from"):
            return self.instant("from")
        return self.amender.first_doubted(self.meter) or self.now

    @property
    def names(self) -> list[str]:
        """The quantities it is about; empty = all. Raises UnknownQuantity."""
        names = self.given.get("quantities", [])
        if not isinstance(names, list):
            raise ConfigError('"quantities" is a list of names')
        return [quantity(str(name)).name for name in names]

    @property
    def number(self) -> int:
        """The number of the event it is about. Raises ConfigError."""
        number = self.given.get("number")
        if not isinstance(number, int) or isinstance(number, bool):
            raise ConfigError(f'"number" is the number of an event; see `wattbook meter show {self.meter}`')
        return number


def carry_out(
    amender: Amender, meter: str, given: Mapping[str, Any], *, who: str, zone: tzinfo, now: datetime
) -> list[int]:
    """Do what is ordered for a meter; return the numbers of the events written. `who` counts where the order is silent.

    Raises ConfigError or UnknownQuantity for an order that cannot be understood, BookError for one that cannot be done.
    """
    do = given.get("do")
    if not isinstance(do, str) or do not in _KEYS:
        raise ConfigError(f'"do" is one of {", ".join(_KEYS)}{did_you_mean(str(do), _KEYS)}')
    for key in given:
        if key not in (*_ALWAYS, *_KEYS[do]):
            known = (*_KEYS[do], *_ALWAYS)
            raise ConfigError(f'unknown key "{key}"{did_you_mean(key, known)}; {do} takes {", ".join(known)}')
    order = _Order(amender, meter, given, _by(given, who), zone, now)
    return _DOING.get(do, _enter)(order)


def _by(given: Mapping[str, Any], who: str) -> By:
    why = given.get("why")
    if not isinstance(why, str) or not why.strip():
        raise ConfigError("say why: it stays with the change")
    actor = given.get("who") or who
    if not isinstance(actor, str) or max(len(why), len(actor)) > WHY_SIZE_MAX:
        raise ConfigError(f'"who" and "why" are texts of at most {WHY_SIZE_MAX} characters')
    return By(actor, why.strip())


def _enter(order: _Order) -> list[int]:
    do = order.given["do"]
    body: dict[str, Any] = {"from": format_instant(order.since)}
    if do in _PARTS:
        body["registers"] = _registers(order, _PARTS[do])
        if not body["registers"]:
            raise ConfigError(f'the book knows no register of "{order.meter}" that went back then; name one')
    elif do == "ratio":
        body |= {key: _positive(order.given.get(key, 1), key) for key in ("ct", "pt")}
    elif do == "rewire":
        body |= _wiring(order.given)
    else:
        body["location"] = _text(order.given.get("location"), "location")
    return order.amender.enter(order.meter, _EVENT_OF[do], body, order.by)


def _registers(order: _Order, parts: Sequence[str]) -> dict[str, dict[str, float]]:
    """Quantity -> what is known of it; all registers of the meter when none is named."""
    given = order.given.get("registers") or {}
    if not isinstance(given, Mapping):
        raise ConfigError('"registers" is {quantity: {' + ": number, ".join(parts) + ": number}}")
    found = {name: _parts(name, its, parts) for name, its in given.items()}
    if not found and order.given["do"] == "rollover":
        raise ConfigError('say in "registers" where it begins anew: {"active_energy_import": {"modulus": 1000000000}}')
    for name, its in found.items():
        _check_end(order, name, its.get("before", its.get("modulus")))
        _check_after(order, name, its.get("after"))
    if order.given["do"] == "reset":
        return found or {name: {"after": 0.0} for name in order.amender.fallen(order.meter, order.since)}
    return found or {name: {} for name in _last_registers(order)}


def _last_registers(order: _Order) -> Mapping[str, tuple[datetime, float]]:
    try:
        return order.amender.reader.last_registers(order.meter)
    except UnknownMeter:
        return {}


def _check_end(order: _Order, name: str, end: float | None) -> None:
    """A register cannot have ended, or begun anew, below what it last told, nor far above."""
    last = order.amender.last_before(order.meter, name, order.since) if end is not None else None
    if end is None or last is None:
        return
    told = f"{name} was {last[1]:.10g} at {format_instant(last[0])}"
    if end < last[1]:
        raise ConfigError(f"{told}, so it cannot have ended at {end:.10g}; values are in base units (Wh)")
    if not order.amender.could_follow(order.meter, name, last, (order.since, end)):
        raise ConfigError(f"{told}, and cannot have grown to {end:.10g} by {format_instant(order.since)}")


def _check_after(order: _Order, name: str, after: float | None) -> None:
    """A register cannot have begun where none of its next readings goes on from."""
    told = order.amender.first_after(order.meter, name, order.since) if after is not None else []
    if after is None or not told:
        return
    begun = order.since, after
    if not any(order.amender.could_follow(order.meter, name, begun, each) for each in told):
        at, value = told[0]
        raise ConfigError(
            f"{name} was {value:.10g} at {format_instant(at)}, so it cannot have begun at {after:.10g} at "
            f'{format_instant(order.since)}; is "from" too early?'
        )


def _parts(name: str, its: object, parts: Sequence[str]) -> dict[str, float]:
    if quantity(name).kind is not Kind.REGISTER:
        raise ConfigError(f'"{name}" is no register: it tells an instant and counts nothing')
    if not isinstance(its, Mapping):
        raise ConfigError(f"{name}: say {' and '.join(parts)} as numbers in base units")
    for key in its:
        if key not in parts:
            raise ConfigError(f'{name}: unknown "{key}"{did_you_mean(key, parts)}; one of {", ".join(parts)}')
    told = {key: _number(value, f"{name}: {key}") for key, value in its.items() if value is not None}
    if "modulus" in parts and told.get("modulus", 0) <= 0:
        raise ConfigError(f"{name}: say the modulus, the number above 0 at which it begins anew")
    return told


def _wiring(given: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key in ("swap", "turn"):
        flag = given.get(key, False)
        if not isinstance(flag, bool):
            raise ConfigError(f'"{key}" is true or false')
        body[key] = flag
    if phases := given.get("phases"):
        if not isinstance(phases, list) or sorted(map(str, phases)) != list(PHASES):
            raise ConfigError('"phases" says what stands for l1, l2 and l3: ["l2", "l3", "l1"]')
        body["phases"] = phases
    return body


def _correct(order: _Order) -> list[int]:
    values = order.given.get("values")
    if not isinstance(values, Mapping) or not values:
        raise ConfigError('"values" is {quantity: number}, in base units')
    told = {quantity(name).name: _number(value, name) for name, value in values.items()}
    return order.amender.correct(order.meter, order.instant("at"), told, order.by)


def _accept(order: _Order) -> list[int]:
    if "number" not in order.given:
        return order.amender.accept(order.meter, _span(order), order.names, order.by)
    events = order.amender.reader.life_events(order.meter)
    event = next((each for each in events if each.seq == order.number and each.kind == PROPOSED), None)
    if event is None:
        raise BookError(f'nothing was proposed for "{order.meter}" under the number {order.number}')
    if order.number in undone_numbers(events) | {each.body.get("because") for each in events}:
        raise BookError(f"number {order.number} is decided already")
    body = {key: event.body[key] for key in ("from", "registers")}
    by = By(order.by.actor, order.by.why, {"because": order.number})
    return order.amender.enter(order.meter, str(event.body["kind"]), body, by)


def _drop(order: _Order) -> list[int]:
    return order.amender.drop(order.meter, _span(order), order.names, order.by)


def _undo(order: _Order) -> list[int]:
    return order.amender.undo(order.meter, order.number, order.by)


_DOING: Mapping[str, Callable[[_Order], list[int]]] = {
    "correct": _correct, "accept": _accept, "drop": _drop, "undo": _undo,
}  # fmt: skip


def _span(order: _Order) -> Span:
    start = order.instant("from")
    end = order.instant("to") if order.given.get("to") else order.now
    if end <= start:
        raise ConfigError(f'"to" ({order.given.get("to", "now")}) does not lie after "from" ({order.given["from"]})')
    return Span(start, end)


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ConfigError(f"{what} is a number in base units, not {value!r}")
    if not -EXACT_MAX <= value <= EXACT_MAX:
        raise ConfigError(f"{what}: a number beyond ±{EXACT_MAX} cannot be kept exactly")
    return float(value)


def _positive(value: object, what: str) -> float:
    number = _number(value, what)
    if number <= 0:
        raise ConfigError(f"{what} is a factor above 0, not {number:g}")
    return number


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 200:
        raise ConfigError(f'"{what}" is a text of at most 200 characters: "plant/hall 2/press"')
    return value.strip()


assert set(_EVENT_OF.values()) == set(OVERLAYS)
