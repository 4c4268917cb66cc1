"""What each meter is and how it fares, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from wattbook.api.answers import Refusal, instant_text
from wattbook.api.context import ApiContext
from wattbook.engine.status import MeterStatus
from wattbook.model import Quantity, Reading, UnknownQuantity, quantity
from wattbook.model.nearest import did_you_mean


def all_meters(context: ApiContext) -> list[Mapping[str, Any]]:
    """Every meter of the configuration, in its order."""
    statuses = {status.meter: status for status in context.statuses()}
    return [meter_json(context, name, statuses.get(name)) for name in context.meters]


def virtual_meters(context: ApiContext) -> list[Mapping[str, Any]]:
    """Every meter that is computed from others, with how many times each real meter counts in it."""
    return [
        {
            "name": meter.name,
            "formula": meter.formula,
            "location": meter.location,
            "source": meter.source,
            "parts": {part: float(times) for part, times in context.config.parts_of(meter.name).items()},
        }
        for meter in context.config.virtual_meters
    ]


def one_meter(context: ApiContext, name: str) -> Mapping[str, Any] | None:
    """One meter, or None when it is not of this configuration."""
    if name not in context.meters:
        return None
    return meter_json(context, name, next((status for status in context.statuses() if status.meter == name), None))


def meter_json(context: ApiContext, name: str, status: MeterStatus | None) -> Mapping[str, Any]:
    """One meter; without a status it has not begun."""
    settings = context.meters[name]
    status = status or MeterStatus(meter=name, model=settings.model)
    return {
        "name": name,
        "model": settings.model,
        "title": context.config.profiles[name].title,
        "location": settings.location,
        "source": settings.source,
        "line": settings.line,
        "state": status.state,
        "reason": status.reason,
        "since": instant_text(status.since),
        "hints": list(status.hints),
        "refusal": status.refusal,
        "last_at": instant_text(status.last_at),
        "latency_s": round(status.latency_s, 4),
        "progress": _progress(status),
        "counters": asdict(status.counters),
    }


def _progress(status: MeterStatus) -> Mapping[str, int | None] | None:
    """How much of the answer being read now has come; `expected` is null while nobody knows."""
    if not status.heard_bytes:
        return None
    return {"heard": status.heard_bytes, "expected": status.expected_bytes or None}


def quantities_told(readings: Iterable[Reading]) -> list[Mapping[str, str]]:
    """Every quantity that some readings tell, by name; without those that the vocabulary does not know."""
    found = []
    for name in sorted({name for one in readings for name in one.values}):
        with suppress(UnknownQuantity):  # of a newer wattbook's book
            found.append(quantity_json(quantity(name)))
    return found


def quantity_json(quantity: Quantity) -> Mapping[str, str]:
    """One name of the vocabulary."""
    return {
        "name": quantity.name,
        "title": quantity.title,
        "unit": quantity.unit,
        "kind": quantity.kind,
        "obis": quantity.obis,
    }


def check_meter(context: ApiContext, name: str) -> None:
    """Raise Refusal unless a meter that is read or fed has this name."""
    if name in context.config.formulas:
        raise Refusal(404, f'"{name}" is computed from others and has no readings of its own; see /api/v1/query')
    if name not in context.meters:
        raise Refusal(404, f'no meter is called "{name}"{did_you_mean(name, context.meters)}')
