"""Values over time as a small picture, for a mail: the curve, its least and greatest value, the limit, the hours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from wattbook.notify.png import GLYPH_HEIGHT, GLYPH_WIDTH, Canvas, Colour

_WIDTH, _HEIGHT = 600, 200
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 12, 22  # margins, for what is written there
_PAPER, _GRID, _INK, _LINE, _LIMIT, _FILL = range(6)
_PALETTE: Sequence[Colour] = (
    (255, 255, 255), (226, 229, 233), (74, 85, 99), (14, 116, 144), (200, 60, 40), (218, 238, 243),
)  # fmt: skip
_KILO = ("W", "Wh", "VA")


def draw_curve(
    at_ms: Sequence[int], values: Sequence[float], *, unit: str = "", limit: float | None = None, zone: tzinfo = UTC,
    decimal_sign: str = ".",
) -> bytes:  # fmt: skip
    """A PNG of values in order of time; b"" where there are fewer than two. NaN is a gap."""
    known = [value for value in values if value == value]
    if len(known) < 2 or at_ms[-1] <= at_ms[0]:
        return b""
    shown = [*known, limit] if limit is not None else known
    low, high = _range(min(shown), max(shown))
    canvas = Canvas(_WIDTH, _HEIGHT, _PALETTE)
    _grid(canvas, low, high, unit, decimal_sign)
    _curve(canvas, at_ms, values, low, high)
    if limit is not None:
        canvas.row(_LEFT, _WIDTH - _RIGHT, _y(limit, low, high), _LIMIT, dashed=True)
    _hours(canvas, at_ms[0], at_ms[-1], zone)
    return canvas.png()


def _range(least: float, most: float) -> tuple[float, float]:
    """What the height of the picture stands for: a little more than the values need."""
    room = (most - least) * 0.08 or abs(most) * 0.05 or 1.0
    low = least - room
    return (0.0 if least >= 0 and low < 0 else low), most + room


def _y(value: float, low: float, high: float) -> int:
    return round(_HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM))


def _grid(canvas: Canvas, low: float, high: float, unit: str, decimal_sign: str) -> None:
    for step in range(5):
        value = low + (high - low) * step / 4
        y = _y(value, low, high)
        canvas.row(_LEFT, _WIDTH - _RIGHT, y, _GRID)
        text = _short(value, unit, max(abs(low), abs(high))).replace(".", decimal_sign)
        canvas.text(_LEFT - 6 - GLYPH_WIDTH * len(text), y - GLYPH_HEIGHT // 2, text, _INK)


def _short(value: float, unit: str, greatest: float) -> str:
    if unit in _KILO and greatest >= 1000:
        return f"{value / 1000:.2f} k{unit}"
    return f"{value:.1f} {unit}" if greatest < 1000 else f"{value:.0f} {unit}"


def _curve(canvas: Canvas, at_ms: Sequence[int], values: Sequence[float], low: float, high: float) -> None:
    """One column for each dot of the width: from the least to the greatest value there, joined to the one before."""
    width, begin, length = _WIDTH - _LEFT - _RIGHT, at_ms[0], at_ms[-1] - at_ms[0]
    columns: dict[int, list[int]] = {}
    for at, value in zip(at_ms, values, strict=True):
        if value == value:
            columns.setdefault(_LEFT + (at - begin) * width // length, []).append(_y(value, low, high))
    before: tuple[int, int] | None = None
    for x, heights in sorted(columns.items()):
        if before is not None:
            _join(canvas, before, (x, heights[0]))
        canvas.column(x, min(heights), max(heights) + 1, _LINE)
        before = x, heights[-1]


def _join(canvas: Canvas, start: tuple[int, int], end: tuple[int, int]) -> None:
    (from_x, from_y), (to_x, to_y) = start, end
    last = from_y
    for x in range(from_x, to_x + 1):
        y = round(from_y + (to_y - from_y) * (x - from_x) / max(to_x - from_x, 1))
        canvas.column(x, last, y + 1 if y >= last else y, _LINE)
        canvas.dot(x, y + 1, _LINE)
        last = y


def _hours(canvas: Canvas, begin: int, end: int, zone: tzinfo) -> None:
    width = _WIDTH - _LEFT - _RIGHT
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = datetime.fromtimestamp((begin + (end - begin) * share) / 1000, zone)
        text = f"{at:%H:%M}"
        x = min(_LEFT + round(width * share) - GLYPH_WIDTH * len(text) // 2, _WIDTH - GLYPH_WIDTH * len(text) - 2)
        canvas.text(x, _HEIGHT - _BOTTOM + 8, text, _INK)
