"""What a key is for: the comment behind it in the code of its settings. Forms and the manual say the same."""

from __future__ import annotations

import re
import sys
from dataclasses import is_dataclass
from functools import cache
from importlib.abc import InspectLoader


@cache
def comment_of(settings: type, key: str) -> str:
    """The comment of a key, of the class that says it or of the nearest one above it; "" = there is none."""
    for each in settings.__mro__:
        if is_dataclass(each) and (found := _in_source(each, key)):
            return found
    return ""


def own_comment(settings: type, key: str) -> str:
    """The comment that this very class gives a key; "" = none."""
    return _in_source(settings, key)


def _in_source(settings: type, key: str) -> str:
    pattern = rf"^    {key}: (?:(?!^    \w+: ).)*?  # (.*?)$"
    found = re.search(pattern, _source(settings), re.MULTILINE | re.DOTALL)
    return found[1].replace("() =", "[] =") if found else ""  # as the file has it


@cache
def _source(settings: type) -> str:
    """The lines of a class. Python's own `inspect` parses the whole file for them: megabytes in an idle daemon."""
    loader = getattr(sys.modules[settings.__module__], "__loader__", None)
    whole = loader.get_source(settings.__module__) if isinstance(loader, InspectLoader) else None
    found = re.search(rf"^class {settings.__name__}\b.*?(?=^\S|\Z)", whole or "", re.MULTILINE | re.DOTALL)
    return found[0] if found else ""
