"""The remote write sink against the real Prometheus and VictoriaMetrics."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from foreign_process import running
from foreign_prometheus import ForeignPrometheus, ForeignVictoria
from series_batches import batch, columns
from wattbook.model import SinkUnavailable
from wattbook.model.around import MeterFacts, Surroundings
from wattbook.sinks.prometheus import PrometheusSettings, PrometheusSink
from wattbook.values import Secret

AROUND = Surroundings("house", meters={"main-a": MeterFacts("house/panel a")})
Receiver = ForeignPrometheus | ForeignVictoria


@pytest.fixture(scope="module", params=[ForeignPrometheus, ForeignVictoria], ids=["prometheus", "victoria"])
def receiver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    with running(request.param(tmp_path_factory.mktemp("receiver"))) as server:
        yield server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignPrometheus]:
    """A Prometheus as it comes: nothing out of order."""
    with running(ForeignPrometheus(tmp_path_factory.mktemp("strict"), window="")) as server:
        yield server


@asynccontextmanager
async def sink(server: Receiver, **told: Any) -> AsyncIterator[PrometheusSink]:
    made = PrometheusSettings(name="p", url=f"http://127.0.0.1:{server.port}", **told).make(AROUND)
    try:
        yield made
    finally:
        await made.aclose()


def _now_ms() -> int:
    return int(time.time()) * 1000


async def test_readings_become_samples_once(receiver: Receiver) -> None:
    at_ms = _now_ms() - 3_600_000
    energies = [float(n) + 0.1 for n in range(100)]
    given = batch(
        columns("main-a", {"active_energy_import": energies, "voltage": [230.0, None] * 50}, at_ms=at_ms),
        columns("a-b ⚡", {"power_factor": [0.99]}, at_ms=at_ms + 7),
    )
    async with sink(receiver) as made:
        for _ in range(2):
            written = await made.write(given, "mark")
            assert (written.rejected, written.bookmark) == ((), "mark")
    assert sorted(receiver.rows()) == [("main-a", at_ms + 5000 * n, energies[n]) for n in range(100)]
    found = list(receiver.samples('{__name__="wattbook_voltage_volts"}'))
    assert len(found) == 50
    assert found[0][0] == {
        "__name__": "wattbook_voltage_volts", "site": "house", "meter": "main-a", "location": "house/panel a"
    }  # fmt: skip
    ((labels, at, value),) = receiver.samples('{__name__="wattbook_power_factor"}')
    assert (labels["meter"], "location" in labels, at, value) == ("a-b ⚡", False, at_ms + 7, 0.99)


async def test_a_metric_by_template(receiver: Receiver) -> None:
    async with sink(receiver, metric="{site}-{quantity}", labels={"where": "{meter}"}) as made:
        await made.write(batch(columns("m", {"voltage": [1.0]}, at_ms=_now_ms())), "")
    ((labels, _, _),) = receiver.samples('{__name__="house_voltage"}')
    assert labels == {"__name__": "house_voltage", "where": "m"}


async def test_many_readings_and_any_value(receiver: Receiver) -> None:
    """VictoriaMetrics keeps about 15 digits, of values together: no extremes beside each other."""
    extremes = [1e300, -0.0, 5e-324, 123456789012345680.0, -1.25]
    values = (extremes if isinstance(receiver, ForeignPrometheus) else [230.1, -5.0, 25409587.25, 0.0, 1.5]) * 4000
    given = columns("large", {"current": values}, at_ms=_now_ms() - 20_000, step_ms=1)
    async with sink(receiver) as made:
        assert (await made.write(batch(given), "")).rejected == ()
    found = sorted((at, value) for _, at, value in receiver.samples('{__name__="wattbook_current_amperes"}'))
    assert [value for _, value in found] == values


async def test_a_body_of_megabytes(receiver: Receiver) -> None:
    chance = random.Random(1)
    values = [chance.random() for _ in range(100_000)]
    given = columns("huge", {"apparent_power": values}, at_ms=_now_ms() - 10**7, step_ms=10)
    async with sink(receiver) as made:
        assert (await made.write(batch(given), "")).rejected == ()
    assert sum(1 for _ in receiver.samples('{__name__="wattbook_apparent_power_volt_amperes"}')) == 100_000


async def test_rows_out_of_order_in_a_batch_are_put_in_order(strict: ForeignPrometheus) -> None:
    at_ms = _now_ms() - 60_000
    given = columns("mixed", {"frequency": [1.0, 2.0, 3.0, 4.0]}, at_ms=at_ms)
    given.at_ms[1], given.at_ms[3] = given.at_ms[3], given.at_ms[1]
    async with sink(strict) as made:
        assert (await made.write(batch(given), "")).rejected == ()
    found = [(at - at_ms, value) for _, at, value in strict.samples('{meter="mixed"}')]
    assert found == [(0, 1.0), (5000, 4.0), (10000, 3.0), (15000, 2.0)]


@pytest.mark.parametrize("remembers", [True, False])
async def test_what_comes_again_or_late_is_told_and_the_rest_is_written(
    strict: ForeignPrometheus, remembers: bool
) -> None:
    """A batch that was written before a crash comes again with what is new since; other meters are not touched."""
    at_ms, old, new = _now_ms() - 600_000, f"old-{remembers}", f"new-{remembers}"
    async with sink(strict) as made:
        await made.write(batch(columns(old, {"voltage": [float(n) for n in range(20)]}, at_ms=at_ms)), "")
    again = batch(
        columns(old, {"voltage": [float(n) for n in range(50)]}, at_ms=at_ms),
        columns(new, {"voltage": [float(n) for n in range(50)]}, at_ms=at_ms),
    )
    async with sink(strict) as made:
        if remembers:
            await made.write(batch(columns(old, {"voltage": [19.0]}, at_ms=at_ms + 19 * 5000)), "")
        written = await made.write(again, "")
    late = [(one.meter, (one.at_ms - at_ms) // 5000) for one in written.rejected]
    assert late == [(old, n) for n in range(20 if remembers else 19)]  # the last is the same, which it takes again
    assert "something newer" in written.rejected[0].reason
    for meter in (old, new):
        assert [value for _, _, value in strict.samples(f'{{meter="{meter}"}}')] == [float(n) for n in range(50)]


async def test_nothing_is_received_there(tmp_path: Path) -> None:
    with running(ForeignPrometheus(tmp_path, options=["--web.enable-lifecycle"])) as server:
        async with sink(server, token=Secret("geheim")) as made:
            with pytest.raises(SinkUnavailable, match="enable-remote-write-receiver") as caught:
                await made.write(batch(columns("m", {"voltage": [1.0]})), "")
        assert "geheim" not in str(caught.value) + repr(made)
        server.kill()
        async with sink(server) as made:
            with pytest.raises(SinkUnavailable, match="no connection"):
                await made.write(batch(columns("m", {"voltage": [1.0]})), "")


async def test_one_that_is_too_old_holds_up_none_that_is_late_and_taken(tmp_path: Path) -> None:
    now_ms = _now_ms()
    with running(ForeignPrometheus(tmp_path, window="1h")) as server:
        async with sink(server) as made:
            for late_ms in (0, 1_800_000):
                some = [columns(meter, {"active_energy_import": [1.0]}, at_ms=now_ms - late_ms) for meter in "ab"]
                assert (await made.write(batch(*some), "")).rejected == ()
            a = columns("a", {"active_energy_import": [2.0]}, at_ms=now_ms - 1_200_000)
            b = columns("b", {"active_energy_import": [2.0]}, at_ms=now_ms - 10_800_000)
            written = await made.write(batch(a, b), "")
        assert [(each.meter, each.at_ms, each.late) for each in written.rejected] == [("b", now_ms - 10_800_000, True)]
        assert ("a", now_ms - 1_200_000, 2.0) in server.rows()
