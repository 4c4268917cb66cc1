"""What the books of one meter say when it is away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from wattbook.codecs.modbus_ask import Rtu
from wattbook.engine.record import LineTask, MeterRecord, MeterTask
from wattbook.model import Event, Garbled, Kept, Reading
from wattbook.profiles import Library


class Noon:
    def now(self) -> datetime:
        return datetime(2026, 11, 21, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class Nobody:
    async def keep(self, readings: Sequence[Reading]) -> Kept:
        raise AssertionError("polled readings are not waited for")

    def measured(self, reading: Reading) -> None:
        pass

    def note(self, event: Event) -> None:
        pass


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("pzem-016", "two devices may have this address"),
        ("cvmk", "two devices may have this address"),
        ("zpa-two-tariff", "light from outside, or an optical head that is not quite in place?"),
    ],
)
def test_answers_that_are_all_garbled_are_told_as_what_they_may_be(model: str, why: str) -> None:
    meter = MeterTask("house", Library().get(model))
    record = MeterRecord(meter, LineTask("line", ("port",), (meter,), Nobody(), Noon()), Rtu())
    for _ in range(5):
        record.failed(Garbled("block check 2C does not fit, 2D would"))
    assert record.status.state == "away"
    assert record.status.reason.startswith("block check") and why in record.status.reason
