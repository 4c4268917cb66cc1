"""A page of the manual for each meter model, from its profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wattbook.model.vocabulary import quantity
from wattbook.profiles import CirbusSettings, Library, ModbusSettings, MqttSettings, Profile

FOLDER = "models"


def pages() -> Mapping[str, Profile]:
    """File name below the reference -> its model."""
    return {f"{FOLDER}/{profile.name}.md": profile for profile in Library()}


def page(profile: Profile) -> Iterator[str]:
    """What one model tells, how it is connected and what is not certain."""
    yield f"# {profile.title}\n"
    facts = {
        "model": f"`{profile.name}`",
        "vendor": profile.vendor,
        "speaks": profile.speaks,
        "address": _address(profile),
        "numbers from": profile.source,
        "verified": "yes" if profile.verified else "no: compare a reading with the display",
        "recognised by": _recognised(profile),
        "commands": ", ".join(profile.modbus.commands) if profile.modbus else "",
    }
    yield "| | |\n| --- | --- |"
    yield from (f"| {name} | {fact} |" for name, fact in facts.items() if fact)
    if profile.note:
        yield f"\n{profile.note.strip()}"
    if profile.modbus:
        yield from _registers(profile.modbus)
    if profile.cirbus:
        yield from _asks(profile.cirbus)
    if profile.mqtt:
        yield from _fields(profile.mqtt)
    yield f"\n```toml\n{_example(profile)}```"


def _address(profile: Profile) -> str:
    if not profile.modbus:
        return ""
    general = profile.modbus.address_general
    told = f"{profile.modbus.address_default} unless set otherwise, up to {profile.modbus.address_max}"
    return told + (f"; whoever is alone on the line also answers {general}" if general else "")


def _recognised(profile: Profile) -> str:
    if not profile.modbus:
        return ""
    identity = profile.modbus.identity
    ways = [f'the text "{identity.report_id}" (function 17)'] if identity.report_id else []
    ways += [f"the words {sorted(one.words)} at {one.address:#06x}" for one in identity.markers]
    ways += ["the SunSpec marker"] if profile.modbus.sunspec else []
    return "; ".join(ways or ["plausible values"])


def _registers(settings: ModbusSettings) -> Iterator[str]:
    yield "\nAddresses are those of the wire, from 0" + (", counted from the block" if settings.sunspec else "") + ".\n"
    yield "| quantity | unit | function | address | type | scale | verified |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for one in settings.registers:
        order = ", low word first" if one.count > 1 and one.word_order == "low-first" else ""
        sure = "yes" if one.verified else "no"
        unit = quantity(one.quantity).unit
        yield (
            f"| `{one.quantity}` | {unit} | {one.function} | 0x{one.address:04X} | {one.type}{order} "
            f"| {one.scale_text} | {sure} |"
        )


def _asks(settings: CirbusSettings) -> Iterator[str]:
    yield "\n| quantity | unit | command | field | scale |\n| --- | --- | --- | --- | --- |"
    for ask in settings.asks:
        for field, name in enumerate(ask.quantities, 1):
            if name:
                yield f"| `{name}` | {quantity(name).unit} | {ask.code} | {field} | {ask.scale.text} |"


def _fields(settings: MqttSettings) -> Iterator[str]:
    yield "\n| quantity | unit | topic | path | scale |\n| --- | --- | --- | --- | --- |"
    for one in settings.fields:
        unit = quantity(one.quantity).unit
        yield f"| `{one.quantity}` | {unit} | `{settings.topic_of(one)}` | `{one.path}` | {one.scale.text} |"


def _example(profile: Profile) -> str:
    """The lines that a configuration needs."""
    meter = f'[[meter]]\nname = "main"\nmodel = "{profile.name}"\n'
    match profile.protocol:
        case "push" | "host":
            return meter
        case "mqtt":
            return f'[[line]]\nname = "broker"\nport = "mqtt://127.0.0.1"\n\n{meter}line = "broker"\naddress = "main"\n'
        case _:
            return f'[[line]]\nname = "line"\nport = "/dev/ttyUSB0"\n\n{meter}line = "line"\n'
