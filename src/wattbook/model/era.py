"""The years in which meters are read: none is older, and beyond them calendars end.

Readings that tell of other years are refused, and nobody can ask for them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from wattbook.model.batch import to_ms
from wattbook.model.span import Span

ERA = Span(datetime(1900, 1, 1, tzinfo=UTC), datetime(2201, 1, 1, tzinfo=UTC))
ERA_MS = range(to_ms(ERA.start), to_ms(ERA.end))  # the same in milliseconds since 1970 UTC
ERA_SAID = f"from {ERA.start.year} to {ERA.end.year - 1}"
