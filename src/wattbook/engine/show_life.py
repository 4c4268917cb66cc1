"""A meter's life as JSON: what was entered about it, by whom and why, and whether it still holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wattbook.codecs.reading_json import format_instant
from wattbook.model import Event
from wattbook.store import BookReader
from wattbook.store.life import PROPOSED, UNDONE, undone_numbers

_BESIDE = ("why", "was", "undoes", "part_of", "doubted", "instead_of")  # of a body, what is told otherwise


def life_json(reader: BookReader, meter: str) -> Mapping[str, Any]:
    """All events in the order of their numbers."""
    events = reader.life_events(meter)
    return {"meter": meter, "events": [event_json(event, events) for event in events if "part_of" not in event.body]}


def event_json(event: Event, events: Sequence[Event]) -> Mapping[str, Any]:
    """One event. `state`: "holds", "undone", or of a proposal "open" or "decided"."""
    parts = [each for each in events if each.body.get("part_of") == event.seq]
    return {
        "number": event.seq,
        "kind": event.kind,
        "entered": format_instant(event.at),
        "who": event.actor,
        "why": event.body.get("why", ""),
        "state": _state(event, events),
        "readings": sum(len(each.body.get("was", ())) for each in (event, *parts)),
        **({"undoes": event.body["undoes"]} if event.kind == UNDONE else {}),
        "body": {key: value for key, value in event.body.items() if key not in _BESIDE},
    }


def _state(event: Event, events: Sequence[Event]) -> str:
    if event.seq in undone_numbers(events):
        return "undone"
    if event.kind != PROPOSED:
        return "holds"
    return "decided" if any(each.body.get("because") == event.seq for each in events) else "open"
