"""Panels as Grafana's schema has them: what is asked, and how the answer looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wattbook.grafana.questions import Asked

WIDTH = 24  # columns of Grafana's grid
_GAP_PERIODS = 3  # a line is broken where so many readings are missing
_GAP_S_MIN = 300.0
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TOOLTIP = {"mode": "multi", "sort": "desc"}
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
_PALETTE = {"mode": "palette-classic-by-name"}


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `body` is what differs from kind to kind."""

    title: str
    kind: str
    asked: Asked
    body: Mapping[str, Any]
    width: int = WIDTH
    height: int = 8
    note: str = ""

    def over(self, time_from: str, shift: str = "") -> Panel:
        """The panel about a time of its own: "now/d" is this day so far; a shift goes back from there."""
        more = {"timeFrom": time_from, "hideTimeOverride": False} | ({"timeShift": shift} if shift else {})
        return replace(self, body={**self.body, **more})

    def written(self, number: int, place: tuple[int, int], source: Mapping[str, str]) -> dict[str, Any]:
        """As it stands in a dashboard, at a column and row of the grid."""
        targets = [
            {"refId": _letter(at), "datasource": dict(source), **target} for at, target in enumerate(self.asked.targets)
        ]
        x, y = place
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            **({"description": self.note} if self.note else {}),
            "datasource": dict(source),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": targets,
            "transformations": list(self.asked.transformations),
            **self.body,
        }


def curve(title: str, asked: Asked, unit: str, period_s: float, width: int = WIDTH, height: int = 8) -> Panel:
    """Lines over time. They are broken where readings are missing; nothing is invented."""
    gap_ms = int(max(_GAP_S_MIN, _GAP_PERIODS * period_s) * 1000)
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 0, "showPoints": "never", "insertNulls": gap_ms}
    options = {"legend": _LEGEND, "tooltip": _TOOLTIP}
    return Panel(title, "timeseries", asked, _body(unit, options, custom), width, height)


def stat(title: str, asked: Asked, unit: str, calculation: str, width: int = WIDTH, height: int = 8) -> Panel:
    """A number for each meter."""
    options = {
        "reduceOptions": {"values": False, "calcs": [calculation], "fields": ""},
        "orientation": "auto",
        "colorMode": "none",
        "graphMode": "area" if calculation == "lastNotNull" else "none",
        "justifyMode": "auto",
        "textMode": "value_and_name",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return Panel(title, "stat", asked, _body(unit, options), width, height)


def bars(title: str, asked: Asked, width: int = WIDTH, height: int = 8) -> Panel:
    """kWh of each step, the meters upon each other."""
    custom = {"drawStyle": "bars", "lineWidth": 0, "fillOpacity": 80, "stacking": {"mode": "normal", "group": "A"}}
    legend = {**_LEGEND, "displayMode": "table", "placement": "right", "calcs": ["sum"]}
    return Panel(
        title, "timeseries", asked, _body("kwatth", {"legend": legend, "tooltip": _TOOLTIP}, custom), width, height
    )


def months(title: str, asked: Asked, width: int = WIDTH, height: int = 8) -> Panel:
    """kWh of each month: the bars stand beside names, as months are not equally long."""
    options = {
        "orientation": "auto", "showValue": "auto", "stacking": "normal", "groupWidth": 0.8, "barWidth": 0.9,
        "fullHighlight": False, "xTickLabelRotation": 0, "xTickLabelMaxLength": 0,
        "legend": _LEGEND, "tooltip": _TOOLTIP,
    }  # fmt: skip
    return Panel(title, "barchart", asked, _body("kwatth", options, {"fillOpacity": 80, "lineWidth": 0}), width, height)


def ranking(title: str, asked: Asked, *, rows: bool, width: int = WIDTH, height: int = 8) -> Panel:
    """A bar for each place. `rows`: the answer is a table with a row for each."""
    options = {
        "reduceOptions": {"values": rows, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "text",
        "namePlacement": "auto",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 300,
        "legend": {**_LEGEND, "showLegend": False},
    }
    return Panel(title, "bargauge", asked, _body("kwatth", options), width, height)


def heat(title: str, asked: Asked, width: int = WIDTH, height: int = 8) -> Panel:
    """A table whose cells are coloured by their value: Grafana's own heat map knows no hour of the week."""
    body = table("", asked).body
    defaults = {
        **body["fieldConfig"]["defaults"],
        "unit": "kwatth",
        "decimals": 2,
        "color": {"mode": "continuous-BlYlRd"},
        "custom": {"align": "center", "cellOptions": {"type": "color-background", "mode": "basic"}},
    }
    plain = [{"id": "custom.cellOptions", "value": {"type": "auto"}}, {"id": "unit", "value": "string"}]
    overrides = [{"matcher": {"id": "byName", "options": "Hour"}, "properties": plain}]
    config = {"defaults": defaults, "overrides": overrides}
    return Panel(title, "table", asked, {**body, "fieldConfig": config}, width, height)


def table(title: str, asked: Asked, width: int = WIDTH, height: int = 8) -> Panel:
    """The answer as it is."""
    options = {"frameIndex": 0, "showHeader": True, "cellHeight": "sm", "sortBy": []}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    return Panel(title, "table", asked, _body("", options, custom), width, height)


def _body(unit: str, options: Mapping[str, Any], custom: Mapping[str, Any] | None = None) -> dict[str, Any]:
    defaults = {
        **({"unit": unit} if unit else {}),
        "color": _PALETTE,
        "thresholds": {"mode": "absolute", "steps": [{"color": "green", "value": None}]},
        "mappings": [],
        "custom": dict(custom or {}),
    }
    return {"fieldConfig": {"defaults": defaults, "overrides": []}, "options": dict(options)}


def _letter(number: int) -> str:
    """A, B … Z, AA, AB …"""
    more, last = divmod(number, len(_LETTERS))
    return (_letter(more - 1) if more else "") + _LETTERS[last]


def laid_out(panels: Sequence[Panel], source: Mapping[str, str]) -> list[dict[str, Any]]:
    """Panels from left to right and from top to bottom."""
    written, x, y, tallest = [], 0, 0, 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        written.append(panel.written(number, (x, y), source))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return written
