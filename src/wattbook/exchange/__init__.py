"""Files of other systems in, and of spreadsheets and data tools out: between bytes on disk and columns of readings.

It knows no book: what is read comes out as `Columns`, what is written goes in as `Columns`.
"""

from wattbook.exchange.intake import Intake
from wattbook.exchange.mapping import Wishes
from wattbook.exchange.meters import Meters
from wattbook.exchange.systems import AUTO, SYSTEMS, System, system_of
from wattbook.exchange.tally import BadRow, Tally

__all__ = ["AUTO", "SYSTEMS", "BadRow", "Intake", "Meters", "System", "Tally", "Wishes", "system_of"]
