"""An event of an alert -> the message that people get, with the curve of what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from wattbook.config import AlertSettings, Config
from wattbook.engine.watch import RECOVERED, REMINDED, TESTED
from wattbook.model import Event, Span, WattbookError, quantity
from wattbook.notify import Message, draw_curve
from wattbook.store import BookReader

_SHOWN = timedelta(hours=3)  # of the curve, before the event
_VALUES_MAX = 50_000  # of the curve: 3 h at 5 readings a second
_POWER = "active_power"


@dataclass(frozen=True, slots=True)
class Words:
    """What messages of one site say. `lineage` names the book, so that keys are unique over all books."""

    config: Config
    reader: BookReader
    lineage: str

    def of_event(self, event: Event, *, picture: bool) -> Message:
        """The message of one event. Reads the book for the picture."""
        body, site = event.body, self.config.site
        over, severity = event.kind == RECOVERED, str(body.get("severity", "info"))
        what = {RECOVERED: "over", REMINDED: "still", TESTED: "test"}.get(event.kind, severity)
        local = event.at.astimezone(site.timezone)
        lines = [str(body.get("text", "")), "", f"{local:%Y-%m-%d %H:%M:%S}, {site.name}, rule {event.subject}"]
        if event.kind == TESTED:
            lines[0] = f"This is a test of the rule {event.subject}, asked for by {event.actor}. Nothing is wrong."
        return Message(
            self.key(event.seq),
            f"[{what}] {site.name}: {event.subject}: {lines[0]}",
            "\n".join(lines),
            "recovered" if over else severity,
            self._curve(event) if picture else b"",
        )

    def of_several(self, numbers: Sequence[int], lines: Sequence[str], more: int) -> Message:
        """One message for what was held back through quiet hours."""
        told = [*lines, *([f"and {more} more: see the page Alerts"] if more else [])]
        title = f"{self.config.site.name}: {len(numbers) + more} messages of the quiet hours"
        return Message(self.key(numbers[-1]) + ".sum", title, "\n".join(told))

    def in_line(self, event: Event) -> str:
        """An event as a line of a sum."""
        local = event.at.astimezone(self.config.site.timezone)
        what = {RECOVERED: "over: ", REMINDED: "still: "}.get(event.kind, "")
        return f"{local:%m-%d %H:%M}  {event.subject}: {what}{event.body.get('text', '')}"

    def key(self, number: int) -> str:
        """What names an event's message everywhere."""
        return f"{number}.{self.lineage}"

    def _curve(self, event: Event) -> bytes:
        rule = next((rule for rule in self.config.alerts if rule.name == event.subject), None)
        meter, name = self._drawn(event, rule)
        if not meter:
            return b""
        try:
            span = Span(event.at - _SHOWN, event.at + timedelta(seconds=1))
            series = self.reader.range(meter, name, span, limit=_VALUES_MAX)
        except WattbookError:
            return b""  # a message without its picture is better than none
        limit = rule.limit if rule is not None and rule.kind in ("above", "below") else None
        zone = self.config.site.timezone
        return draw_curve(series.at_ms, series.values, unit=quantity(name).unit, limit=limit, zone=zone)

    def _drawn(self, event: Event, rule: AlertSettings | None) -> tuple[str, str]:
        """The meter and the quantity of the curve."""
        about, name = str(event.body.get("about", "")), str(event.body.get("quantity", ""))
        real = [meter.name for meter in self.config.meters]
        if about in real and rule is not None and rule.kind == "imbalance":
            return about, f"{name}_l1"
        if about in real:
            return about, name or _POWER
        named = [meter for meter in (rule.meters if rule is not None else ()) if meter in real]
        feeding = [meter.name for meter in self.config.meters if meter.source == "utility"]
        return next(iter([*named, *feeding]), ""), (rule.quantity if rule and rule.kind == "above" else "") or _POWER
