"""Which meter a foreign name means: the configuration is the authority, and an import never makes a meter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from wattbook.model import ConfigError
from wattbook.model.nearest import did_you_mean

_BEGINNING_MIN = 3  # letters of a name that stand for the whole: "GEN" for "generator", but never "T" for "tower"
_LOOSE = re.compile(r"[\s_.\-]+")


class Meters:
    """The meters that an import may fill."""

    def __init__(self, names: Sequence[str], *, default: str = "") -> None:
        """`default`: whose readings a file holds that names no meter. Raises ConfigError when there is none such."""
        self.names = tuple(names)
        self._by_fold = {fold(name): name for name in reversed(self.names)}
        if default and default not in self.names:
            raise ConfigError(self.unknown(default), place="--meter")
        self._default = default

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def called(self, text: str) -> str:
        """The meter that a foreign name means, case and separators aside, or the only one that begins so; "" = none."""
        if text in self.names:
            return text
        wanted = fold(text)
        if wanted in self._by_fold:
            return self._by_fold[wanted]
        if len(wanted) < _BEGINNING_MIN:
            return ""
        begins = [name for name in self.names if fold(name).startswith(wanted)]
        return begins[0] if len(begins) == 1 else ""

    def unknown(self, name: str) -> str:
        """Words about a name that is none."""
        near = did_you_mean(name, self.names)
        return f'no meter is called "{name}"{near}; a meter that is imported stands in wattbook.toml first'

    def the_one(self, what: str) -> str:
        """The meter of a file that names none. Raises ConfigError when nobody said which."""
        if self._default:
            return self._default
        if len(self.names) == 1:
            return self.names[0]
        raise ConfigError(f"{what} names no meter; say whose readings they are with --meter NAME")


def fold(name: str) -> str:
    """A name without what people write differently: "MAIN_A" and "main-a" are one."""
    return _LOOSE.sub("-", name.strip()).casefold()
