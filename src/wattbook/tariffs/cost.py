"""Energy times price, exact: no float, and no rounding before the one at the end."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact, InvalidOperation, Overflow

from wattbook.tariffs.currency import MINOR_DIGITS

ZERO = Decimal(0)
_KILO = Decimal("0.001")
# 10^15 Wh with 6 decimals times a price with 9 places and 12 decimals has 51 digits; more is a bug and not rounded.
_EXACT = Context(prec=60, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_UP)


def amount_of(energy_wh: Decimal, price: Decimal) -> Decimal:
    """What energy costs at a price of a kWh, exact."""
    return _EXACT.multiply(_EXACT.multiply(energy_wh, price), _KILO)


def total_of(amounts: Iterable[Decimal]) -> Decimal:
    """The sum, exact."""
    total = ZERO
    for each in amounts:
        total = _EXACT.add(total, each)
    return total


def rounded(amount: Decimal, currency: str) -> Decimal:
    """As it is paid: to the currency's minor unit, halves away from zero."""
    return amount.quantize(Decimal(1).scaleb(-MINOR_DIGITS[currency]), context=_ROUNDING)


def plain(amount: Decimal) -> str:
    """An exact amount as decimal text, without an exponent and without zeros that say nothing."""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
