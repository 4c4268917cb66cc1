from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from wattbook.engine.instants import parse_instant
from wattbook.model import ConfigError
from wattbook.model.era import ERA

PRAGUE = ZoneInfo("Europe/Prague")
NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)  # already the 22nd in Prague


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("now", NOW),
        ("today", datetime(2026, 11, 21, 23, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 20, 23, tzinfo=UTC)),
        ("-24h", datetime(2026, 11, 20, 23, 30, tzinfo=UTC)),
        ("-2w", datetime(2026, 11, 7, 23, 30, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-07-01 08:00", datetime(2026, 7, 1, 6, tzinfo=UTC)),
        ("2026-07-01T08:00:00Z", datetime(2026, 7, 1, 8, tzinfo=UTC)),
        ("2026-07-01T08:00:00+05:30", datetime(2026, 7, 1, 2, 30, tzinfo=UTC)),
    ],
)
def test_instants(text: str, says: datetime) -> None:
    assert parse_instant(text, zone=PRAGUE, now=NOW) == says


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-5",
        "2026-13-01",
        "-1y",
        "99999999999",
        "0001-01-01",
        "9999-12-31",
        "-999999w",
        "1899-12-31T23:59:59Z",
        "2201-01-01T00:00:00Z",
    ],
)
def test_what_is_no_instant(text: str) -> None:
    with pytest.raises(ConfigError, match="is no instant"):
        parse_instant(text, zone=PRAGUE, now=NOW)


@pytest.mark.parametrize("text", ["1900-01-01T00:00:00Z", "2200-12-31T23:59:59Z"])
def test_the_ends_of_what_can_be_asked_for(text: str) -> None:
    assert parse_instant(text, zone=PRAGUE, now=NOW) in ERA
