"""The [cirbus] part of a profile.

[cirbus]
address_default = 0
pause_s = 0                 # silence before each command

[[cirbus.ask]]
code = "RVI"
digits = 9                  # of each field
quantities = ["voltage_l1", "voltage_l2", "voltage_l3", ""]
fields_min = 3              # the fourth may be missing
scale = 1
unit = "V"
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from wattbook.model.errors import WattbookError
from wattbook.model.vocabulary import quantity
from wattbook.profiles.cirbus import ADDRESS_MAX, CirbusAsk, CirbusSettings
from wattbook.profiles.table import PAUSE_S_MAX, Table

_CODE = re.compile(r"R[A-Z][A-Za-z](?:X[0-9])?")  # what begins otherwise (W, C) writes or clears
_DIGITS_MAX = 15  # a number of so many is still exact
_FIELDS_MAX = 16  # the longest known answer has 4


def cirbus_settings(top: Table) -> CirbusSettings:
    """Read the commands of a profile. Raises ConfigError with its place."""
    table = top.table("cirbus")
    settings = CirbusSettings(
        asks=tuple(map(_ask, table.tables("ask"))),
        address_default=table.whole("address_default", default=0, least=0, most=ADDRESS_MAX),
        pause_s=table.real("pause_s", default=0.0, least=0, most=PAUSE_S_MAX),
    )
    table.done()
    if not settings.asks:
        raise table.refuse("a CIRBUS profile needs at least one [[cirbus.ask]]")
    _check_once([ask.code for ask in settings.asks], table, "asked for")
    _check_once([name for ask in settings.asks for name in ask.quantities if name], table, "told")
    first, *others = settings.asks
    for other in others:
        if set(first.sizes) & set(other.sizes):
            raise table.refuse(
                f"{first.code} comes first and is answered as long as {other.code}; begin with a command whose answer "
                "has a length of its own, as RHI has, or a late answer could be taken for another one"
            )
    return settings


def _ask(row: Table) -> CirbusAsk:
    code = row.text("code")
    names = tuple(row.texts("quantities"))
    named = [name for name in names if name]
    if not _CODE.fullmatch(code):
        raise row.refuse(f'"{code}" is no command that reads: they are written as RVI, RVm or RWHX1')
    if not named or len(names) > _FIELDS_MAX:
        raise row.refuse(f'"quantities" must name the fields of the answer, 1 to {_FIELDS_MAX} of them')
    _check_unit(row, named)
    ask = CirbusAsk(
        code,
        names,
        scale=row.scale(named[0]),
        digits=row.whole("digits", default=9, least=1, most=_DIGITS_MAX),
        fields_min=row.whole("fields_min", default=len(names), least=1, most=len(names)),
    )
    row.done()
    return ask


def _check_unit(row: Table, names: Sequence[str]) -> None:
    """The fields of one answer have one scale, and so one unit."""
    try:
        units = {quantity(name).unit for name in names}
    except WattbookError as error:
        raise row.refuse(str(error)) from error
    if len(units) > 1:
        raise row.refuse(f"the fields of one command have one unit, not {' and '.join(sorted(units))}")


def _check_once(names: Sequence[str], table: Table, what: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise table.refuse(f'"{name}" is {what} {count} times; once is enough')
