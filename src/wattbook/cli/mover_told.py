"""What a move came to, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from wattbook.cli.show import console, counted, for_people
from wattbook.engine.move import Goal, Moved, Origin
from wattbook.engine.sums import Sum
from wattbook.model import quantity

_SHOWN_MAX = 20  # differences told one by one


def show_moved(moved: Moved, origin: Origin, goal: Goal) -> None:
    """Print what was moved, and on stderr what was not."""
    say = partial(console().print, highlight=False)
    warn = partial(console(stderr=True).print, highlight=False)
    whole = moved.read.all
    say(f"{counted(moved.read.readings, 'reading')}, {counted(whole.count, 'value')}: {origin.title} → {goal.title}.")
    for name, each in _by_quantity(moved):
        shown = " ".join(for_people(each.total, quantity(name).unit)).rstrip()
        say(f"  {name:32} {each.count:12}  sum {shown}")
    say(f"checksum {whole.shown}{_verdict(moved)}")
    for line in _wrong(moved):
        warn(line)


def _wrong(moved: Moved) -> Iterator[str]:
    tally = moved.tally
    for note in tally.notes:
        yield f"# {note}"
    if tally.left_out:
        names = ", ".join(f"{name} ({count})" for name, count in tally.left_out.most_common(_SHOWN_MAX))
        yield f"# not mapped, left out: {names}"
    yield from _shown([str(bad) for bad in tally.listed], tally.rejected, "row is bad", "rows are bad")
    refused = [f"{each.meter}: {each.reason}" for each in moved.rejected]
    yield from _shown(
        list(dict.fromkeys(refused)), moved.refused, "reading was refused there", "readings were refused there"
    )
    yield from _shown([str(each) for each in moved.differ], len(moved.differ), "quantity differs", "quantities differ")


def _verdict(moved: Moved) -> str:
    if moved.there is None:
        return "; it was not read again there"
    return "; the same there" if not moved.differ else f"; there it is {moved.there.all.shown}"


def _shown(lines: Sequence[str], count: int, one: str, several: str) -> Iterator[str]:
    yield from lines[:_SHOWN_MAX]
    if count:
        yield f"{count} {one if count == 1 else several}."


def _by_quantity(moved: Moved) -> Sequence[tuple[str, Sum]]:
    sums: dict[str, Sum] = {}
    for (_, name), each in sorted(moved.read.of.items()):
        sums[name] = sums.get(name, Sum()) + each
    return sorted(sums.items())


def moved_as_json(moved: Moved, origin: Origin, goal: Goal) -> dict[str, object]:
    """The same for programs; sums in the units of the vocabulary."""
    whole = moved.read.all
    return {
        "from": origin.title,
        "to": goal.title,
        "readings": moved.read.readings,
        "values": whole.count,
        "checksum": whole.shown,
        "there": None if moved.there is None else moved.there.all.shown,
        "quantities": [
            {"quantity": name, "unit": quantity(name).unit, "count": each.count, "sum": each.total}
            for name, each in _by_quantity(moved)
        ],
        "differences": [
            {
                "meter": each.meter,
                "quantity": each.quantity,
                "read": {"count": each.read.count, "sum": each.read.total},
                "there": {"count": each.there.count, "sum": each.there.total},
            }
            for each in moved.differ
        ],
        "refused": [{"meter": each.meter, "at_ms": each.at_ms, "reason": each.reason} for each in moved.rejected],
        "refused_in_all": moved.refused,
        "bad": [{"file": bad.file, "line": bad.line, "reason": bad.reason} for bad in moved.tally.listed],
        "rejected": moved.tally.rejected,
        "left_out": dict(moved.tally.left_out),
        "notes": moved.tally.notes,
    }
