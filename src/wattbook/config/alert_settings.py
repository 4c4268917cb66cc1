"""[[alert]] and [[notify]]: what is watched, and who is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from wattbook.values import DayTime, Name, Seconds, SecretText

_STRICT = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
_Number = Annotated[float, Field(allow_inf_nan=False, ge=-1e15, le=1e15)]
_Lasting = Annotated[Seconds | None, Field(ge=0, le=86400 * 31)]
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")  # from the least to the greatest
AlertKind = Literal[
    "above", "below", "rate", "silent", "supply", "generator", "en50160", "imbalance", "budget", "always-on",
    "sink", "disk", "backup",
]  # fmt: skip
OF_ALL = ("name", "kind", "severity")
# What each kind takes beside those, and what stands for a key that is left out.
KEYS: Mapping[str, Mapping[str, Any]] = {
    "above": {"meters": (), "quantity": None, "limit": None, "lasting": 0.0, "hysteresis": 0.0},
    "below": {"meters": (), "quantity": None, "limit": None, "lasting": 0.0, "hysteresis": 0.0},
    "rate": {"meters": (), "quantity": None, "limit": None, "within": 60.0, "hysteresis": 0.0},
    "silent": {"meters": (), "lasting": 600.0},
    "supply": {"lasting": 0.0},
    "generator": {"lasting": 0.0},
    "en50160": {"meters": (), "nominal": 230.0, "frequency": 50},
    "imbalance": {"meters": (), "quantity": "voltage", "limit": 2.0, "lasting": 600.0, "hysteresis": 0.0},
    "budget": {"meters": None, "quantity": "active_energy_import", "limit": None, "per": "day", "forecast": False},
    "always-on": {"meters": None, "limit": 20.0},
    "sink": {"sinks": (), "lasting": 600.0},
    "disk": {"limit": 5.0},
    "backup": {},
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """[[alert]]: something that is watched. Which keys a rule takes follows from its kind."""

    __pydantic_config__ = _STRICT
    name: Name  # of the rule, as messages and the page call it
    kind: AlertKind  # what is watched
    severity: Severity = "warning"  # info, warning or critical
    meters: tuple[str, ...] = ()  # of these; () = of all
    sinks: tuple[str, ...] = ()  # kind sink: these; () = all
    quantity: str = ""  # a name of the vocabulary
    limit: _Number | None = None  # in base units (W, V, Wh); imbalance and always-on: %; disk: % that must be free
    hysteresis: Annotated[float, Field(ge=0, le=1e15)] = 0.0  # it is over this far on the good side of the limit
    lasting: _Lasting = None  # it is so for this long before it is said; silent: so long without a word
    within: Annotated[Seconds, Field(ge=1, le=86400)] = 60.0  # kind rate: a change of `limit` in this time
    nominal: Annotated[float, Field(gt=0, le=1e6)] = 230.0  # kind en50160: V
    frequency: Literal[50, 60] = 50  # kind en50160: Hz
    per: Literal["day", "month"] = "day"  # kind budget: day or month, of the site's calendar
    forecast: bool = False  # kind budget: say it already when it is going to be exceeded

    def told(self, key: str) -> Any:
        """A key's value, or what stands for it where the file is silent."""
        given = getattr(self, key)
        return KEYS[self.kind].get(key) if given in (None, "", ()) else given

    @property
    def lasting_ms(self) -> int:
        """How long it is so before it is said."""
        return round(1000 * (self.told("lasting") or 0.0))

    def given(self) -> tuple[str, ...]:
        """The keys that the file sets to something else than the default."""
        return tuple(
            each.name
            for each in fields(self)
            if each.name not in OF_ALL and getattr(self, each.name) != each.default
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """[[notify]]: somebody who is told of alerts."""

    __pydantic_config__ = _STRICT
    name: Name  # as the page calls it
    url: SecretText  # where to, as apprise writes it: "mailtos://…", "tgram://…", "ntfy://…", "json://…". A secret
    alerts: tuple[str, ...] = ()  # of these rules; a "*" stands for anything. () = of all
    severity: Severity = "info"  # and of this severity or a greater one
    quiet_from: DayTime | None = None  # from this local time, "22:00", only critical alerts are sent
    quiet_to: DayTime | None = None  # until this one; then what was held back comes as one message
    remind: Annotated[Seconds | None, Field(ge=300, le=86400 * 31)] = None  # say it again so often while it lasts
    recovery: bool = True  # say also when it is over
    picture: bool = True  # e-mails show the curve

    def wants(self, rule: str, severity: str) -> bool:
        """Whether alerts of a rule are for this one."""
        serious = severity not in SEVERITIES or SEVERITIES.index(severity) >= SEVERITIES.index(self.severity)
        return serious and (not self.alerts or any(fnmatchcase(rule, pattern) for pattern in self.alerts))
