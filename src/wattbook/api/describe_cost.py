"""What the OpenAPI page says about costs."""

from __future__ import annotations

from wattbook.api.describe import XLSX, route
from wattbook.api.shapes import NUMBER, TEXT, TEXT_OR_NULL

SOURCE = "All meters that stand at this source: utility, generator, solar or battery; may be repeated."
_CHARGE = {  # without amounts where nothing is known
    "type": "object",
    "required": ["amount", "energy", "quality"],
    "properties": {
        "amount": TEXT_OR_NULL,
        "energy": TEXT_OR_NULL,
        "quality": TEXT,
        "missing_s": NUMBER,
        "rounded": TEXT,
    },
}
COST = route(
    "What energy costs, by the prices of [[tariff]]",
    {
        "currency": "CZK",
        "from": "2026-11-20T23:00:00.000Z",
        "to": "2026-11-21T12:00:00.000Z",
        "every": None,
        "costs": [
            {
                "meter": "main-a",
                "total": {"amount": "28.4175", "energy": "5250", "quality": "measured", "rounded": "28.42"},
                "prices": [
                    {
                        "name": "high tariff",
                        "source": "utility",
                        "export": False,
                        "price": "5.413",
                        "energy": "5250",
                        "amount": "28.4175",
                    }
                ],
            }
        ],
    },
    loose={"every": TEXT_OR_NULL, "total": _CHARGE},
    _404="nobody says what energy costs: add a [[tariff]] to wattbook.toml (see how-to/cost)",
)
TABLE = route(
    "The same as a file for a spreadsheet: an amount for each step",
    "at,main-a [CZK],quality\n2026-11-21T00:00:00.000+01:00,28.4175,measured\n",
    schema={"type": "string"},
    kind="text/csv",
    also=XLSX,
    _404="nobody says what energy costs: add a [[tariff]] to wattbook.toml (see how-to/cost)",
)
