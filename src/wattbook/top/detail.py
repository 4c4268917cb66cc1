"""One meter in full: how it fares, its power, every quantity, and the last events of its life."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from wattbook.top.answers import Event, Meter
from wattbook.top.house import House
from wattbook.top.trace import SPAN_S
from wattbook.top.words import change, clock, columns, length, number, spark, text

EVENTS_MAX = 8
_LINE_MAX = 60  # blocks


def detail(house: House, name: str, width: int) -> Text:
    """The whole panel, `width` columns wide."""
    meter = house.row(name)
    if meter is None:
        return Text("No meter is chosen.")
    parts = [*_head(house, meter), *_power(house, meter, width), *_values(house, meter), *_life(house, meter)]
    return Text("\n").join(parts)


def _head(house: House, meter: Meter) -> Iterator[Text]:
    yield Text(meter.name, style="bold underline")
    yield Text(meter.title or meter.model)
    where = " · ".join(filter(None, (meter.location, meter.source, meter.line and f"line {meter.line}")))
    if where:
        yield Text(where)
    if not house.connected:
        yield Text("state unknown: the connection is lost", style="bold")
    else:
        since = f" since {clock(meter.since, house.zone, house.now())}" if meter.since else ""
        yield Text(f"{meter.state}{since}" + (f": {meter.reason}" if meter.reason else ""), style="bold")
    count = meter.counters
    if count.polls:
        yield Text(
            f"answers in {meter.latency_s * 1000:.0f} ms · {count.answers} of {count.polls} asked"
            f" · {count.timeouts} time-outs · {count.garbled} damaged · {count.refused} refused"
        )
    for hint in (*meter.hints, *filter(None, [meter.refusal])):
        yield Text(f"! {hint}")


def _power(house: House, meter: Meter, width: int) -> Iterator[Text]:
    trace = house.traces.get(meter.name)
    blocks = min(_LINE_MAX, width)
    line = spark(trace, blocks, house.now().timestamp(), SPAN_S) if trace and blocks > 0 else ""
    if trace and line:
        low, high = trace.bounds()
        yield Text()
        yield Text(line)
        yield Text(f"{SPAN_S / 60:.0f} min, lowest {text(low, 'W')}, highest {text(high, 'W')}", style="dim")


def _values(house: House, meter: Meter) -> Iterator[Text]:
    yield Text()
    reading = house.readings.get(meter.name)
    if reading is None:
        yield Text("No reading yet")
        return
    old = "" if house.connected and meter.live else " · NOT LIVE"
    age = length((house.now() - reading.at).total_seconds())
    at = clock(reading.at, house.zone, house.now(), seconds=True)
    yield Text(f"Read {at}, {age} ago{old}", style="bold")
    rows = []
    for name, value in reading.values.items():
        known = house.quantities.get(name)
        shown, unit = number(value, known.unit) if known else (f"{value:g}", "")
        rows.append((known.title if known else name, shown, unit, "in doubt" if reading.doubted(name) else ""))
    yield from map(Text, columns(rows))
    today, before = (known.get(meter.name) for known in (house.energy.today, house.energy.yesterday))
    if today is not None:
        then = f", yesterday by now {text(before, 'Wh')} {change(today, before)}" if before is not None else ""
        yield Text(f"Today {text(today, 'Wh')}{then}".rstrip())


def _life(house: House, meter: Meter) -> Iterator[Text]:
    life = house.lives.get(meter.name)
    if life is None:
        return
    yield Text()
    yield Text("Life" if life.events else "Life: nothing was entered", style="bold")
    for event in reversed(life.events[-EVENTS_MAX:]):
        yield Text(_entered(house, event))


def _entered(house: House, event: Event) -> str:
    said = ", ".join(f"{key} {value}" for key, value in event.body.items() if isinstance(value, str | int | float))
    state = "" if event.state == "holds" else f" [{event.state}]"
    who = f" · {event.who}" if event.who else ""
    at = clock(event.entered, house.zone, house.now())
    return f"{at} {event.kind}{state}" + "".join(f" · {words}" for words in (said, event.why) if words) + who
