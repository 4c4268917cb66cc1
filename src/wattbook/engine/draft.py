"""What a scan found, as the [[line]] and [[meter]] of a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wattbook.config import Config, LineSettings, Piece, free_name
from wattbook.engine.scan import Found, Outcome, shown_settings
from wattbook.profiles.profile import SerialSettings
from wattbook.transports.ports import parts_of, scheme_of


@dataclass(slots=True)
class Names:
    """Names that are given already, and the lines that stand in the file."""

    lines: list[str] = field(default_factory=list)
    meters: list[str] = field(default_factory=list)
    by_port: dict[str, LineSettings] = field(default_factory=dict)
    addresses: set[tuple[str, int]] = field(default_factory=set)  # (line, unit)

    @classmethod
    def of(cls, config: Config | None) -> Names:
        """Those of a configuration; None = there is none yet."""
        if config is None:
            return cls()
        units = {(meter.line, meter.address) for meter in config.meters if isinstance(meter.address, int)}
        return cls(
            [line.name for line in config.lines],
            list(config.meter_names),
            {line.port: line for line in config.lines if line.port},
            units,
        )


def draft(outcomes: Sequence[Outcome], names: Names) -> list[Piece]:
    """The pieces to append. Who stands in the file already is left out; who cannot be read is told in a comment."""
    return [piece for outcome in outcomes for piece in _of_port(outcome, names)]


def _of_port(outcome: Outcome, names: Names) -> Iterator[Piece]:
    known = [found for found in outcome.found if found.who.model is not None]
    settings = _of_most(known)
    line = names.by_port.get(outcome.port)
    pieces: list[Piece] = []
    name = line.name if line else free_name(_called(outcome.port), names.lines)
    for found in outcome.found:
        if (name, found.unit) in names.addresses:
            continue
        if found.who.model is None:
            words = f"{outcome.port}: address {found.unit} answers, but as no model known here; see `wattbook models`"
            pieces.append(Piece("", {}, words))
        elif found.settings != settings and found.settings is not None and settings is not None:
            words = (
                f"{outcome.port}: a {found.who.model.name} at address {found.unit} speaks"
                f" {shown_settings(found.settings)}, the others {shown_settings(settings)}; a line has one speed:"
                " set it in the device, and scan again"
            )
            pieces.append(Piece("", {}, words))
        else:
            pieces.append(_meter(found, name, names))
            names.addresses.add((name, found.unit))
    if line is None and any(piece.table == "meter" for piece in pieces):
        yield new_line(outcome.port, settings, names)
    yield from pieces


def new_line(port: str, settings: SerialSettings | None, names: Names) -> Piece:
    """The [[line]] of a port that has none yet, under a name that is free."""
    name = free_name(_called(port), names.lines)
    names.lines.append(name)
    return Piece("line", {"name": name, "port": port, **_keys(settings)})


def _meter(found: Found, line: str, names: Names) -> Piece:
    who = found.who
    assert who.model is not None
    name = free_name(f"{who.model.name}-{found.unit}", names.meters)
    names.meters.append(name)
    keys: dict[str, str | int] = {"name": name, "line": line, "model": who.model.name, "address": found.unit}
    if who.serial_number:
        keys["serial"] = who.serial_number
    return Piece("meter", keys, f"or {', or '.join(who.also)}: they cannot be told apart" if who.also else "")


def _of_most(found: Sequence[Found]) -> SerialSettings | None:
    counted = Counter(one.settings for one in found if one.settings is not None)
    return counted.most_common(1)[0][0] if counted else None


def _keys(settings: SerialSettings | None) -> dict[str, str | int]:
    if settings is None:
        return {}
    keys: dict[str, str | int] = {"baud": settings.baud, "parity": settings.parity}
    return {**keys, "stopbits": settings.stopbits} if settings.stopbits != 1 else keys


def _called(port: str) -> str:
    """A line's name after its port: ttyUSB0, or the host."""
    if scheme_of(port):
        return parts_of(port).hostname or "line"
    return Path(port).name or "line"
