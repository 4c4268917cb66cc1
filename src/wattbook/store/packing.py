"""Values <-> cells: exact small integers with a power of ten where the numbers are decimal, floats where they are not.

A shape names the quantities of a reading in their order, each with its exponent: 230.1 V under -1 is the cell 2301.
What a meter once needed it keeps, so the shapes of a meter are few. Minus zero is written as zero; everything else
comes back bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from wattbook.model import BookError

Shape = tuple[tuple[str, int | None], ...]  # (quantity, exponent of ten; None = float)

WHOLE_MAX = 2**53  # beyond, a float no longer holds every integer, so neither may a cell
_FORMS_MAX = 64  # orders of quantities a meter has; one that shuffles them at every reading learns anew now and then
DECIMALS_MAX = 9  # more digits than any meter shows: such a number is binary, not decimal

encode_cells = msgspec.msgpack.Encoder().encode
decode_doubt = msgspec.msgpack.Decoder(dict[int, int]).decode
decode_cells = msgspec.msgpack.Decoder(list[int | float]).decode


def shape_text(shape: Shape) -> str:
    """The shape as the book stores it."""
    return msgspec.json.encode(shape).decode()


def parse_shape(text: str) -> Shape:
    """Read a stored shape."""
    return msgspec.json.decode(text, type=Shape)


def is_whole(cells: object, doubt: object, length: int) -> bool:
    """Whether stored cells (and doubt, None = none) can be read as a reading of so many quantities."""
    try:
        places = {} if doubt is None else decode_doubt(doubt)  # type: ignore[arg-type]
        return len(decode_cells(cells)) == length and all(place < length for place in places)  # type: ignore[arg-type]
    except (msgspec.MsgspecError, TypeError):
        return False


def divisor(exponent: int | None) -> int:
    """What a cell under an exponent is divided by to give its value; a float is it already."""
    return 1 if exponent is None else 10**-exponent


def divisors(shape: Shape) -> tuple[int | None, ...]:
    """What each cell is divided by to give its value; None = it is the value."""
    return tuple(None if exponent is None else 10**-exponent for _, exponent in shape)


def exponent_of(value: float) -> int | None:
    """The exponent of the last digit of the shortest decimal form, never above 0; None = not decimal."""
    exponent = Decimal(repr(float(value))).normalize().as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -DECIMALS_MAX:
        return None
    return min(exponent, 0) if abs(value) * 10 ** max(-exponent, 0) <= WHOLE_MAX else None


@dataclass(slots=True)
class Form:
    """How one meter's readings with one order of quantities are written. `shape_id` 0 = not yet asked for."""

    shape: Shape
    divisors: tuple[int | None, ...]
    shape_id: int = 0


class Packer:
    """One meter's exponents, learned from its values; never coarser than before."""

    def __init__(self, known: Shape = ()) -> None:
        self._exponents: dict[str, int | None] = dict(known)
        self._forms: dict[tuple[str, ...], Form] = {}

    def pack(self, values: Mapping[str, float]) -> tuple[Form, bytes]:
        """Return the form and the msgpack cells of these values. Raises BookError on what is not a finite number."""
        names = tuple(values)
        form = self._forms.get(names)
        if form is None:
            form = self._learn(names, values)
        cells: list[int | float] = []
        for value, divisor in zip(values.values(), form.divisors, strict=True):
            if divisor is None:
                cells.append(_as_float(value, values))
                continue
            scaled = value * divisor
            if not -WHOLE_MAX <= scaled <= WHOLE_MAX or (whole := round(scaled)) / divisor != value:
                self._learn(names, values)
                return self.pack(values)  # ends: every turn makes an exponent finer, or a column float
            cells.append(whole)
        return form, encode_cells(cells)

    def known(self, names: tuple[str, ...]) -> Form | None:
        """The form of readings with these quantities in this order, once there was one."""
        return self._forms.get(names)

    def _learn(self, names: tuple[str, ...], values: Mapping[str, float]) -> Form:
        if not all(map(_is_finite, values.values())):
            raise _refusal(values)
        for name, value in values.items():
            self._exponents[name] = _finer(self._exponents.get(name, 0), value)
        shape = tuple((name, self._exponents[name]) for name in names)
        form = Form(shape, divisors(shape))
        # Other orders of the same quantities learn again when they come: their exponents may have changed.
        if len(self._forms) >= _FORMS_MAX:
            self._forms.clear()
        self._forms = {
            other: known
            for other, known in self._forms.items()
            if all(self._exponents[name] == exponent for name, exponent in known.shape)
        } | {names: form}
        return form


def _finer(known: int | None, value: float) -> int | None:
    """The coarsest exponent not coarser than `known` that writes this value exactly; None = float."""
    needed = exponent_of(value)
    if known is None or needed is None:
        return None
    exponent = min(known, needed)
    scaled = value * 10**-exponent
    return exponent if abs(scaled) <= WHOLE_MAX and round(scaled) / 10**-exponent == value else None


def _as_float(value: float, values: Mapping[str, float]) -> float:
    if not _is_finite(value) or (number := float(value)) != value:
        raise _refusal(values)
    return number + 0.0  # minus zero becomes zero


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False


def _refusal(values: Mapping[str, float]) -> BookError:
    for name, value in values.items():
        if not _is_finite(value):
            return BookError(f"{name} is not a finite number; only those can be written down")
        if float(value) != value:
            return BookError(f"{name} is {value}: beyond 2**53 a counter cannot be written down exactly")
    raise AssertionError(f"no reason to refuse {values}")
