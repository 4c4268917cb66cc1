"""The words of an order in JSON: what it may say, and what is to be done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wattbook.model import ConfigError
from wattbook.model.nearest import did_you_mean


def check_order(given: Mapping[str, Any], keys: Sequence[str], deeds: Sequence[str]) -> None:
    """Raise ConfigError with the nearest right word for another key, or when "do" is none of the deeds."""
    for key in given:
        if key not in keys:
            raise ConfigError(f'nothing is called "{key}" in an order{did_you_mean(key, keys)}')
    if given.get("do") not in deeds:
        raise ConfigError(f'"do" is one of {", ".join(deeds)}{did_you_mean(str(given.get("do")), deeds)}')
