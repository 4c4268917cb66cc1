"""A profile proven against a capture: what each register said, and what speaks against it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wattbook.codecs.detect import Decoded, decode
from wattbook.codecs.telegram import Damage
from wattbook.engine.examine import WIRING, findings
from wattbook.model import Quality
from wattbook.profiles import Profile


@dataclass(frozen=True, slots=True)
class Proof:
    """What a capture says about a profile."""

    readings: Sequence[Mapping[str, Any]] = ()  # as in expected.json
    missing: Sequence[str] = ()  # quantities of the profile that no answer held
    suspect: Sequence[str] = ()  # outside minimum..maximum
    findings: Sequence[str] = ()  # against electrical sense, in words
    wiring: Sequence[str] = ()  # what looks wrong about the meter's wires, which the profile cannot help
    damage: Sequence[str] = ()
    differences: Sequence[str] = field(default=())  # from expected.json

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against the profile. Refusals of the device stand in `damage` and do."""
        return bool(self.readings) and not (self.suspect or self.findings or self.damage or self.differences)


def prove(profile: Profile, data: bytes, expected: Mapping[str, Any] | None = None) -> Proof:
    """Decode a capture by a profile. Raises ConfigError for what is no capture."""
    heard = decode(data, profile=profile)
    good = [item for item in heard if isinstance(item, Decoded) and (item.measured.values or not profile.modbus)]
    readings = [_shown(item) for item in good]
    damage = [f"byte {item.offset}: {item.message}" for item in heard if isinstance(item, Damage)]
    seen = {name for item in good for name in item.measured.values}
    told = [finding for item in good for finding in findings(item.measured.values, profile)]
    names = [register.quantity for register in profile.modbus.registers] if profile.modbus else []
    allowed = int(expected.get("errors", 0)) if expected else 0
    return Proof(
        readings=readings,
        missing=[name for name in names if name not in seen],
        suspect=sorted(
            {name for item in good for name, doubt in item.measured.doubt.items() if doubt is Quality.SUSPECT}
        ),
        findings=list(dict.fromkeys(one.words for one in told if one.kind not in WIRING)),
        wiring=list(dict.fromkeys(one.words for one in told if one.kind in WIRING)),
        damage=[] if len(damage) == allowed else damage or [f"none, where {allowed} were expected"],
        differences=_differences(readings, expected) if expected else [],
    )


def expected_of(profile: Profile, data: bytes) -> Mapping[str, Any]:
    """What is to stand beside a capture."""
    heard = decode(data, profile=profile)
    readings = [_shown(item) for item in heard if isinstance(item, Decoded) and item.measured.values]
    errors = sum(isinstance(item, Damage) for item in heard)
    return {"profile": profile.name, "readings": readings} | ({"errors": errors} if errors else {})


def _shown(item: Decoded) -> Mapping[str, Any]:
    values, doubt = dict(item.measured.values), list(item.measured.doubt)
    return {"meter": item.meter, "checked": item.checked, "values": values, "doubt": doubt}


def _differences(readings: Sequence[Mapping[str, Any]], expected: Mapping[str, Any]) -> list[str]:
    wanted = expected.get("readings", [])
    if not isinstance(wanted, list) or len(wanted) != len(readings):
        return [
            f"{len(readings)} readings, where expected.json has {len(wanted) if isinstance(wanted, list) else 'none'}"
        ]
    found = []
    for number, (reading, want) in enumerate(zip(readings, wanted, strict=True), 1):
        values = want.get("values", {}) if isinstance(want, dict) else {}
        for name in dict.fromkeys([*values, *reading["values"]]):
            have, should = reading["values"].get(name, "nothing"), values.get(name, "nothing")
            if have != should:
                found.append(f"reading {number}: {name} is {have}, expected {should}")
    return found
