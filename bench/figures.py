"""The one shape of what a bench finds: what, how much, the target, and whether it is met."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

HEAD = ("what", "measured", "target", "met")


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. Without `at_least` and `at_most` it has no target: a peer, or what helps to judge the others."""

    what: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None = there is none."""
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def row(self) -> tuple[str, str, str, str]:
        """The cells under HEAD."""
        target = "; ".join(
            f"{sign} {number(bound)} {self.unit}".rstrip()
            for sign, bound in (("≥", self.at_least), ("≤", self.at_most))
            if bound is not None
        )
        told = {None: "", True: "yes", False: "NO"}[self.met]
        return self.what, f"{number(self.value)} {self.unit}".rstrip(), target, told


def number(value: float) -> str:
    """1234567 -> "1,234,567", 0.2345 -> "0.234", 99.1234 -> "99.12"."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3f}"


def show(figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print them: one JSON array, or a table for people."""
    if as_json:
        print(json.dumps([asdict(figure) for figure in figures]), flush=True)
        return
    print(table([figure.row for figure in figures]), flush=True)


def parse(text: str) -> list[Figure]:
    """Read what `show` printed as JSON. Raises ValueError, TypeError."""
    return [Figure(**figure) for figure in json.loads(text)]


def table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = HEAD) -> str:
    """Rows under a head, as wide as their cells."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(head))]
    return "\n".join(
        "  ".join(cell.rjust(width) if place == 1 else cell.ljust(width)
                  for place, (cell, width) in enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    )  # fmt: skip


def progress(text: str) -> None:
    """Say on standard error what goes on: a bench takes minutes."""
    print(f"  … {text}", file=sys.stderr, flush=True)
