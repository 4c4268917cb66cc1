"""The four pages of the built-in dashboard, in Grafana: Now, Energy, Places and hours, Meters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from wattbook.grafana.panels import Panel, bars, curve, heat, laid_out, months, ranking, stat, table
from wattbook.grafana.questions import Questions
from wattbook.grafana.readings import Readings, by_place

PLACES_MAX = 40  # heat maps on one page; each asks for a month of hours
ENERGY = "active_energy_import"
_CURVES = (
    ("Power", "active_power", "watt"),
    ("Voltage", "voltage", "volt"),
    ("Current", "current", "amp"),
    ("Power factor", "power_factor", "none"),
    ("Frequency", "frequency", "hertz"),
)
_SPANS = (("Today", "now/d", "1d", "hour"), ("This month", "now/M", "1M", "day"), ("This year", "now/y", "1y", "day"))
_HERE = ("active_power", ENERGY, "voltage", "current")  # what shows best that a meter is there
_SCHEMA = 41  # of dashboards; Grafana brings older ones up to its own

Build = Callable[[Readings, Questions], Iterator[Panel]]


def now(readings: Readings, ask: Questions) -> Iterator[Panel]:
    """What flows this second, and what was used today against yesterday."""
    period_s = max([*readings.periods_s.values(), 0.0])
    live = f"now-{max(300, int(3 * period_s))}s"  # older values do not look live
    if power := readings.of("active_power"):
        yield stat("Power now", ask.curve(power), "watt", "lastNotNull", height=6).over(live)
    if energy := readings.of(ENERGY):
        hours = ask.energy(energy, "hour")
        yield stat("Energy today", hours, "kwatth", "sum", width=12, height=6).over("now/d")
        yield stat("Until this time yesterday", hours, "kwatth", "sum", width=12, height=6).over("now/d", "1d")
    for title, base, unit in _CURVES:
        if series := readings.of(base):
            wide = 24 if base == "active_power" else 12
            yield curve(title, ask.curve(series), unit, period_s, width=wide, height=9)


def energy(readings: Readings, ask: Questions) -> Iterator[Panel]:
    """Day, week, month and year by meter, and each beside the one before."""
    series = readings.of(ENERGY)
    if not series:
        return
    yield bars("Today by hour (kWh)", ask.energy(series, "hour"), width=12, height=9).over("now/d")
    yield bars("This week by day (kWh)", ask.energy(series, "day"), width=12, height=9).over("now/w")
    yield bars("This month by day (kWh)", ask.energy(series, "day"), width=12, height=9).over("now/M")
    yield months("This year by month (kWh)", ask.energy(series, "month"), width=12, height=9).over("now/y")
    for title, span, before, step in _SPANS:
        asked = ask.energy(series, step)  # type: ignore[arg-type]  # of _SPANS
        yield stat(title, asked, "kwatth", "sum", width=12, height=5).over(span)
        yield stat(f"{title}: as far, one before", asked, "kwatth", "sum", width=12, height=5).over(span, before)
    yield bars("The chosen time by day (kWh)", ask.energy(series, "day"), height=9)


def places(readings: Readings, ask: Questions) -> Iterator[Panel]:
    """Which place uses most, and at which hour of the week."""
    series = readings.of(ENERGY)
    if not series:
        return
    found = by_place(series)
    rows = readings.source.kind == "postgresql"
    yield ranking("Energy by place", ask.ranking(found), rows=rows, height=max(5, min(20, 2 + len(found))))
    note = "Mean kWh of an hour in the chosen time, by hour of the day and day of the week."
    for place, members in list(found.items())[:PLACES_MAX]:
        asked = heat(place, ask.week(members), width=12, height=24)
        yield Panel(asked.title, asked.kind, asked.asked, asked.body, asked.width, asked.height, note)


def meters(readings: Readings, ask: Questions) -> Iterator[Panel]:
    """Whether each meter is heard."""
    series = readings.one_each(_HERE)
    if not series:
        return
    yield table("Last reading of each meter", ask.last_seen(series), height=10)
    counted = curve("Readings in each interval", ask.counts(series), "none", 0.0, height=9)
    yield Panel(counted.title, counted.kind, counted.asked, {**counted.body, "interval": "5m"}, height=9)


PAGES: Mapping[str, tuple[str, Build, str, str]] = {  # file -> title, its panels, its time, how often it is asked
    "now": ("Now", now, "now-1h", "10s"),
    "energy": ("Energy", energy, "now-30d/d", "5m"),
    "places": ("Places and hours", places, "now-28d/d", "15m"),
    "meters": ("Meters", meters, "now-24h", "1m"),
}


def dashboard(page: str, readings: Readings, ask: Questions, site: str) -> dict[str, Any]:
    """One page as a dashboard, with links to the others."""
    title, build, start, refresh = PAGES[page]
    kind = readings.source.kind
    source = {"type": TYPES[kind], "uid": source_uid(kind)}
    panels: Sequence[Panel] = list(build(readings, ask))
    return {
        "uid": f"wattbook-{kind}-{page}",
        "title": f"{site}: {title}",
        "tags": ["wattbook", f"wattbook-{kind}"],
        "timezone": readings.zone,
        "schemaVersion": _SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "time": {"from": start, "to": "now"},
        "refresh": refresh,
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [_link(kind)],
        "panels": laid_out(panels, source),
    }


TYPES = {"influxdb": "influxdb", "postgresql": "grafana-postgresql-datasource"}


def source_uid(kind: str) -> str:
    """What dashboards call their data source."""
    return f"wattbook-{kind}"


def _link(kind: str) -> Mapping[str, Any]:
    return {
        "title": "wattbook", "type": "dashboards", "tags": [f"wattbook-{kind}"], "icon": "external link",
        "asDropdown": False, "includeVars": False, "keepTime": False, "targetBlank": False, "tooltip": "", "url": "",
    }  # fmt: skip
