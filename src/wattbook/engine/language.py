"""The language of messages: texts, numbers and dates as it writes them, from engine/words/*.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path

from wattbook.model import quantity
from wattbook.model.vocabulary import base_names

WORDS = Path(__file__).parent / "words"
_KILO = ("W", "Wh", "var", "varh", "VA", "VAh")
_FEW = range(2, 5)  # days that Slavic languages count with another form than five and more


class Language:
    """One language. A text is named by its table and key: "alert.above"."""

    def __init__(self, words: Mapping[str, Mapping[str, str]]) -> None:
        self._words = words
        form = words["form"]
        self._signs = str.maketrans({".": form["decimal"], ",": form["group"]})

    def say(self, text: str, /, **parts: str) -> str:
        """A text with its parts filled in."""
        table, _, key = text.partition(".")
        return self._words[table][key].format(**parts)

    def reason(self, told: str) -> str:
        """A reason of our own; what others say stays as they say it."""
        return self._words["reason"].get(told, told)

    def number(self, value: float, digits: int = 4) -> str:
        """At most so many digits that say something, but never fewer than the whole ones."""
        text = f"{value:,.0f}" if abs(value) >= 10**digits else f"{value:.{digits}g}"
        return text.translate(self._signs)

    def fixed(self, value: float) -> str:
        """One digit after the decimal sign."""
        return f"{value:,.1f}".translate(self._signs)

    def value(self, name: str, value: float | None) -> str:
        """A quantity's value with its unit, as people read it: 5.2 kW, 229.8 V."""
        if value is None:
            return self.say("alert.unknown")
        unit = quantity(name).unit
        if unit in _KILO and abs(value) >= 1000:
            return f"{self.number(value / 1000)} k{unit}"
        return f"{self.number(value)} {unit}".rstrip()

    def quantity(self, name: str) -> str:
        """A quantity as people call it: Voltage, L1."""
        return ", ".join(self._parts(name)) if name else ""

    def _parts(self, name: str) -> Iterator[str]:
        base = max((each for each in base_names() if f"{name}_".startswith(f"{each}_")), key=len)
        yield self._words["quantity"][base]
        for suffix in name.removeprefix(base).split("_")[1:]:
            kind, number = suffix[0], suffix[1:]
            if suffix in self._words["detail"]:
                yield self.say(f"detail.{suffix}")
            elif kind == "l":
                yield "-".join(f"L{phase}" for phase in number)
            else:
                yield self.say(f"detail.{kind}", number=number)

    def duration(self, seconds: float) -> str:
        """A length of time as people say it and the page writes it: 45 s, 1 min 34 s, 10 min, 3 h 20 min, 2 days."""
        minutes, whole = divmod(int(seconds), 60)
        hours, over = divmod(minutes, 60)
        if minutes < 1:
            return self.say("duration.s", s=str(whole))
        if hours < 1:
            return self.say("duration.min_s" if whole else "duration.min", min=str(minutes), s=str(whole))
        if hours < 48:
            return self.say("duration.h_min" if over else "duration.h", h=str(hours), min=str(over))
        days = hours // 24
        return self.say("duration.days_few" if days in _FEW else "duration.days", days=str(days))

    def instant(self, local: datetime) -> str:
        """A local date and time of day, to the second."""
        return self._words["form"]["instant"].format(at=local)

    def minute(self, local: datetime) -> str:
        """A local date without its year, and the time of day."""
        return self._words["form"]["minute"].format(at=local)

    @property
    def decimal_sign(self) -> str:
        """What stands between the whole and the rest."""
        return self._words["form"]["decimal"]


@cache
def language(code: str) -> Language:
    """The language of a code: en, cs, es, ca, ms."""
    return Language(tomllib.loads((WORDS / f"{code}.toml").read_text(encoding="utf-8")))
