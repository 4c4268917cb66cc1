"""What a meter said when asked, before anybody noted when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wattbook.model.reading import Quality, nothing


@dataclass(frozen=True, slots=True)
class Measured:
    """Values in base units (vocabulary), and the single ones that are doubted."""

    values: Mapping[str, float]
    doubt: Mapping[str, Quality] = field(default_factory=nothing)
    checked: bool = True  # whether a check (BCC, CRC) vouches for them
