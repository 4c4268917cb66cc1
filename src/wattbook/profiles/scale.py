"""Exact scales: integers in, one division by a power of ten out."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_TEN_TO: tuple[int, ...] = tuple(10**power for power in range(40))


@dataclass(frozen=True, slots=True)
class Scale:
    """An exact scale: value = raw * multiplier / 10**decimals, one division at the end (design, exactness)."""

    multiplier: int = 1
    decimals: int = 0

    @classmethod
    def of(cls, factor: Decimal) -> Scale:
        """The scale of a decimal factor: 0.1 -> (1, 1), 1000 -> (1000, 0), 0.25 -> (25, 2), -0.1 -> (-1, 1)."""
        negative, digits, exponent = factor.normalize().as_tuple()
        assert isinstance(exponent, int), f"{factor} is no factor"
        whole = int("".join(map(str, digits))) * (-1 if negative else 1)
        return cls(whole * 10 ** max(exponent, 0), max(-exponent, 0))

    @property
    def text(self) -> str:
        """For people: "x 1000", "/ 10"; "" = as it is."""
        times = f"x {self.multiplier}" if self.multiplier != 1 else ""
        return times + (f"/ {10**self.decimals}" if self.decimals else "")

    def times_ten_to(self, exponent: int) -> Scale:
        """The scale of a meter that itself counts in powers of ten."""
        if exponent >= 0:
            return Scale(self.multiplier * _TEN_TO[exponent], self.decimals)
        return Scale(self.multiplier, self.decimals - exponent)

    def value(self, raw: int) -> float:
        """The scaled value of a raw integer; exact for every raw up to 2**52."""
        return raw * self.multiplier / _TEN_TO[self.decimals]


AS_IT_IS = Scale()
