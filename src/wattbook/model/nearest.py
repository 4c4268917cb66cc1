"""The nearest right name, for messages about a wrong one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(wrong: str, right: Iterable[str]) -> str:
    """Return ` (did you mean "x"?)`, or an empty text when nothing is near."""
    names = {name.casefold(): name for name in right}
    near = difflib.get_close_matches(wrong.casefold(), names, n=1, cutoff=0.6)
    return f' (did you mean "{names[near[0]]}"?)' if near else ""
