"""Which faults do anything to which kind of meter or line: asking for the others is a mistake, not a quiet success."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from wattbook.model.errors import ConfigError
from wattbook.simulate.faults import NO_FAULTS, Faults

_ANY = frozenset({"silent", "damage_every", "damage_share", "late_s"})
_NOISE = frozenset({"noise_before", "noise_after"})
_OF_METERS: Mapping[str, frozenset[str]] = {
    "a Modbus meter": _ANY | _NOISE | {"exception"},
    "a Modbus TCP meter": _ANY | {"exception"},
    "an optical meter": _ANY | _NOISE,
    "a CIRBUS meter": _ANY | _NOISE,
    "a meter that speaks first": _ANY | _NOISE,
}
_OF_LINES: Mapping[str, frozenset[str]] = {
    "a Modbus meter": frozenset({"unplugged", "echo"}),
    "a Modbus TCP meter": frozenset({"unplugged"}),
    "an optical meter": frozenset({"unplugged", "echo"}),
    "a CIRBUS meter": frozenset({"unplugged", "echo"}),
    "a meter that speaks first": frozenset({"unplugged"}),  # nobody sends what could be given back
}


def check_meter_faults(kind: str, name: str, faults: Faults) -> None:
    """Raise ConfigError for a fault that would do nothing to a meter of that kind (a key of the tables above)."""
    _check(_asked(faults) - _OF_METERS[kind], kind, _OF_METERS[kind], name)


def check_line_faults(kind: str, name: str, faults: Faults) -> None:
    """Raise ConfigError for a fault that would do nothing to a line of such meters."""
    _check(_asked(faults) - _OF_LINES[kind], f"the line of {kind}", _OF_LINES[kind], name)


def _asked(faults: Faults) -> set[str]:
    return {field.name for field in fields(Faults) if getattr(faults, field.name) != getattr(NO_FAULTS, field.name)}


def _check(idle: set[str], kind: str, able: frozenset[str], name: str) -> None:
    if idle:
        raise ConfigError(
            f"{', '.join(sorted(idle))} does nothing to {kind}; it can have {', '.join(sorted(able))}", place=name
        )
