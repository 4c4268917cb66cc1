"""An event of an alert -> the message that people get, with the curve of what it is about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from wattbook.config import AlertSettings, Config
from wattbook.engine.language import Language, language
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

    @property
    def _say(self) -> Language:
        return language(self.config.site.language)

    def of_test(self, key: str, who: str) -> Message:
        """The message that only shows that messages arrive."""
        title = f"[{self._say.say('tag.test')}] {self.config.site.name}"
        return Message(key, title, self._say.say("message.test", who=who))

    def of_event(self, event: Event, *, picture: bool) -> Message:
        """The message of one event. Reads the book for the picture."""
        body, site = event.body, self.config.site
        severity = str(body.get("severity", "info"))
        what = _how(event) or severity
        at = self._say.instant(event.at.astimezone(site.timezone))
        where = self._say.say("message.where", at=at, site=site.name, rule=event.subject)
        lines = [str(body.get("text", "")), "", where]
        if event.kind == TESTED:
            lines[0] = self._say.say("message.test_rule", rule=event.subject, who=event.actor)
        return Message(
            self.key(event.seq),
            f"[{self._say.say(f'tag.{what}')}] {site.name}: {event.subject}: {lines[0]}",
            "\n".join(lines),
            {"over": "recovered", "unwatched": "info"}.get(what, severity),
            self._curve(event) if picture and what != "unwatched" else b"",
        )

    def of_several(self, numbers: Sequence[int], lines: Sequence[str], more: int) -> Message:
        """One message for what was held back through quiet hours."""
        told = [*lines, *([self._say.say("message.more", count=str(more))] if more else [])]
        count = str(len(numbers) + more)
        title = self._say.say("message.several", site=self.config.site.name, count=count)
        return Message(self.key(numbers[-1]) + ".sum", title, "\n".join(told))

    def in_line(self, event: Event) -> str:
        """An event as a line of a sum."""
        at = self._say.minute(event.at.astimezone(self.config.site.timezone))
        text = str(event.body.get("text", ""))
        if (how := _how(event)) in ("over", "still"):
            text = self._say.say(f"message.line_{how}", text=text)
        return f"{at}  {event.subject}: {text}"

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
        return draw_curve(
            series.at_ms,
            series.values,
            unit=quantity(name).unit,
            limit=limit,
            zone=zone,
            decimal_sign=self._say.decimal_sign,
        )

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


def _how(event: Event) -> str:
    """What an event says beside its text; "" = that something is wrong."""
    if event.kind == RECOVERED:
        return "unwatched" if "unwatched" in event.body else "over"
    return {REMINDED: "still", TESTED: "test"}.get(event.kind, "")
