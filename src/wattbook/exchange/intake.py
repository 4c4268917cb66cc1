"""What every reader of foreign files is given: what the user wishes, what the site is, and where to count."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from wattbook.exchange.lines import Seen
from wattbook.exchange.mapping import Target, Wishes
from wattbook.exchange.meters import Meters
from wattbook.exchange.tally import Tally
from wattbook.model import Columns, ConfigError


def unseen(size: int) -> None:
    """Nobody looks at the progress."""


@dataclass(slots=True)
class Intake:
    """One pass over foreign files."""

    meters: Meters
    wishes: Wishes
    zone: ZoneInfo  # of local times in the files
    latest_ms: int  # an instant after it is a mistake
    time: str = ""  # the column of times, or two joined by "+"; "" = recognised by its name
    time_form: str = ""  # "iso", "unix" or a strptime format; "" = recognised
    tally: Tally = field(default_factory=Tally)
    seen: Seen = unseen

    def at(self, target: Target, what: str) -> tuple[str, str]:
        """Meter and quantity of a target, when the file itself names no meter."""
        return target.meter or self.meters.the_one(what), target.quantity

    def nothing_mapped(self, what: str, names: Sequence[str]) -> ConfigError:
        """Words for a file of which nothing is known to be a quantity."""
        shown = ", ".join(f'"{name}"' for name in names[:20])
        example = f'--map "{names[0]}=METER.QUANTITY:UNIT"' if names else "--map"
        return ConfigError(
            f"{what}: nothing in it is known as a quantity; it has {shown}; say what they are: {example}"
        )


Reader = Callable[[Sequence[Path], Intake], Iterator[Columns]]
