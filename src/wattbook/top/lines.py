"""What stands above and below the table: the supply, the day, the sinks and the disk, in words."""

from __future__ import annotations

from rich.text import Text

from wattbook.model.sources import SOURCES
from wattbook.top.house import House
from wattbook.top.words import NOTHING, change, clock, duration, length, size, text

_SUPPLY = {
    "utility": "The utility feeds the house",
    "generator": "The generator feeds the house",
    "dark": "THE HOUSE IS DARK",
    "unknown": "What feeds the house is not known yet",
}
_FINE = ("present", "starting", "ok", "running")


def title(house: House, width: int) -> Text:
    """Whose house it is, how many meters are there, and the site's clock."""
    present = sum(meter.state == "present" for meter in house.meters.values())
    counted = f"{present} of {len(house.meters)} meters present" if house.connected else "state of the meters unknown"
    left, right = f" {house.about.site or 'wattbook'} · {counted}", f"{house.now().astimezone(house.zone):%H:%M:%S} "
    if len(left) + len(right) + 1 > width:
        left = left[: max(0, width - len(right) - 2)] + "…"
    return Text(left + " " * (width - len(left) - len(right)) + right, style="reverse" if house.connected else "dim")


def supply(house: House) -> Text:
    """What feeds the house, since when, and when it was last dark. Empty where no meter can tell."""
    known = house.supply
    if known.state is None:
        return Text()
    words, now = _SUPPLY.get(known.state, known.state), house.now()
    if not house.connected:
        words = f"last known: {words}"
    if known.since:
        since = clock(known.since, house.zone, now)
        words += f" since {since}" + (f" · {duration((now - known.since).total_seconds())}" if house.connected else "")
    if known.dark and known.dark.end:
        words += f" · dark {clock(known.dark.start, house.zone, now)}–{clock(known.dark.end, house.zone, now)}"
    return Text(" " + words, style="bold" if known.state == "dark" else "")


def day(house: House) -> Text:
    """Today's energy by source against yesterday up to this time; of all meters where none is a source."""
    parts = []
    for source in SOURCES:
        names = [meter.name for meter in house.meters.values() if meter.source == source]
        if told := _today(house, names):
            parts.append(f"{source} {told}")
    return Text(" Today " + " · ".join(parts)) if parts else Text()


def _today(house: House, names: list[str]) -> str:
    """ "12.400 kWh (+9 % on yesterday by now)"; yesterday is only compared when all of them tell it."""
    today, before = house.energy.today, house.energy.yesterday
    known = [name for name in names if name in today]
    if not known:
        return ""
    total = sum(today[name] for name in known)
    whole = all(name in before for name in known)
    then = sum(before[name] for name in known) if whole else None
    percent = change(total, then)
    against = f" ({percent} on yesterday's {text(then, 'Wh')} by now)" if percent and then is not None else ""
    return text(total, "Wh") + against


def trouble(house: House) -> Text:
    """That the connection is lost, or the book cannot be written; empty when all is well."""
    if not house.connected:
        if house.heard_at is None:
            return Text(f" {house.why}. Trying again …", style="bold reverse")
        at = clock(house.heard_at, house.zone, house.now(), seconds=True)
        lost = f" CONNECTION LOST · values are from {at}, {length(house.stale_s())} ago · trying again · {house.why}"
        return Text(lost, style="bold reverse")
    if house.about.gap:
        reason = house.about.gap.get("reason") or "no reason given"
        return Text(f" THE BOOK CANNOT BE WRITTEN: {reason}. Values are shown and not kept.", style="bold reverse")
    return Text()


def alerts(house: House) -> Text:
    """The alerts that are raised now; empty when none is."""
    told = []
    for alert in house.alerts:
        if alert.state == "raised":
            words = "; ".join(each.text for each in alert.about if each.state == "raised" and each.text) or alert.name
            told.append(words + (" (muted)" if alert.muted else ""))
    known = "ALERT" if house.connected else "ALERT, last known"
    return Text(f" {known}: " + " · ".join(told), style="bold") if told else Text()


def sinks(house: House) -> Text:
    """Each sink's state, those in trouble first."""
    told = []
    for sink in sorted(house.sinks, key=lambda sink: sink.state in _FINE):
        words = f"{sink.name} {sink.state if house.connected else 'unknown'}"
        words += f" ({sink.reason})" if sink.reason else ""
        words += f", {sink.behind} waiting" if sink.behind else ""
        words += f", {sink.set_aside} set aside" if sink.set_aside else ""
        told.append(words)
    return Text(" Sinks  " + " · ".join(told)) if told else Text()


def storage(house: House) -> Text:
    """How large the book is, and how long its disk lasts."""
    known = house.storage
    if known is None:
        return Text()
    full = f", full {clock(known.full_at, house.zone, house.now())[:10]}" if known.full_at else ""
    backup = clock(known.last_backup, house.zone, house.now()) if known.last_backup else NOTHING
    return Text(f" Book   {size(known.bytes_file)} · disk {size(known.bytes_free)} free{full} · last backup {backup}")
