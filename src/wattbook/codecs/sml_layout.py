"""Where the values of an SML telegram stand, and what they are in another telegram that is laid out the same."""

from __future__ import annotations

from dataclasses import dataclass, field

from wattbook.codecs.obis import DataSet


@dataclass(frozen=True, slots=True)
class Number:
    """How the bytes of a number are read."""

    signed: bool
    power: int  # of ten
    is_word: bool = False  # bits, told in hexadecimal

    def text(self, value: int) -> str:
        """As a meter with a display would show it."""
        if self.is_word:
            return f"{value:X}"
        if self.power >= 0:
            return str(value * 10**self.power)
        digits = str(abs(value)).zfill(1 - self.power)
        return f"{'-' if value < 0 else ''}{digits[: self.power]}.{digits[self.power :]}"


@dataclass(slots=True)
class Slot:
    """One value's place, and what was read there last: most values of a meter stand still for minutes."""

    told: DataSet
    start: int = 0
    end: int = 0
    number: Number | None = None  # None: octets, or nothing that could change
    raw: bytes = b""

    def read(self, body: bytes) -> DataSet:
        """The value in this telegram."""
        raw = body[self.start : self.end]
        if raw != self.raw:
            told = self.told
            self.raw, self.told = raw, DataSet(told.code, self._text(raw), told.unit, told.status)
        return self.told

    def _text(self, raw: bytes) -> str:
        if self.number is not None:
            return self.number.text(int.from_bytes(raw, "big", signed=self.number.signed))
        return raw.decode() if raw.isalnum() and raw.isascii() else raw.hex()


@dataclass(slots=True)
class Layout:
    """What may differ between a telegram and others of the same layout, and what may not."""

    body: bytes  # of the telegram: its messages
    server_id: bytes = b""
    slots: list[Slot] = field(default_factory=list)
    _fixed: bytearray = field(init=False)  # ones where a telegram of this layout has the same bits

    def __post_init__(self) -> None:
        self._fixed = bytearray(b"\xff" * len(self.body))

    def loosen(self, start: int, end: int) -> None:
        """These bytes may differ: an id, a time, a signature, a value."""
        self._fixed[start:end] = bytes(end - start)

    def add(self, slot: Slot) -> None:
        """One more value, the next in the telegram's order."""
        self.slots.append(slot)
        self.loosen(slot.start, slot.end)

    def fits(self, body: bytes) -> bool:
        """Whether a telegram differs from this one in values and what is ignored only."""
        if len(body) != len(self.body):
            return False
        differing = int.from_bytes(body, "big") ^ int.from_bytes(self.body, "big")
        return not differing & int.from_bytes(self._fixed, "big")

    def data_sets(self, body: bytes) -> tuple[DataSet, ...]:
        """All values of a telegram that fits, in its order."""
        return tuple([slot.read(body) for slot in self.slots])
