"""How a meter is asked in CIRBUS, Circutor's line of ASCII: which commands, and what the fields of an answer are."""

from __future__ import annotations

from dataclasses import dataclass

from wattbook.model.errors import ConfigError
from wattbook.profiles.scale import Scale

ADDRESS_MAX = 99  # two decimal digits in every frame


@dataclass(frozen=True, slots=True)
class CirbusAsk:
    """One command and its answer: fields of equal width, one after the other."""

    code: str  # three letters and more; upper and lower case differ (RVM is a maximum, RVm a minimum)
    quantities: tuple[str, ...]  # of the fields in their order; "" = a field whose meaning nobody told
    scale: Scale  # of every field, to the base unit
    digits: int = 9  # of a field
    fields_min: int = 1  # some devices send fewer fields than there are quantities

    @property
    def sizes(self) -> range:
        """How many characters of data an answer may have."""
        return range(self.fields_min * self.digits, len(self.quantities) * self.digits + 1, self.digits)


@dataclass(frozen=True, slots=True)
class CirbusSettings:
    """A CIRBUS model. The first command is answered at a size of its own: answers do not name their command, and so
    one that comes late is noticed."""

    asks: tuple[CirbusAsk, ...]
    address_default: int = 0
    pause_s: float = 0.0  # silence the device needs before each command

    def address(self, given: int | str | None) -> int:
        """The address to ask: the one given, else the model's. Raises ConfigError."""
        if given is None or given == "":
            return self.address_default
        text = str(given)
        if not (text.isascii() and text.isdecimal() and int(text) <= ADDRESS_MAX):
            raise ConfigError(f'a CIRBUS address is a number from 0 to {ADDRESS_MAX}, not "{given}"')
        return int(text)
