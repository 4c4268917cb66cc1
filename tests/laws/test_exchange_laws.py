"""What is exported and imported again is what it was; and samples in any order make the same readings."""

from __future__ import annotations

import math
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange_tools import imported, intake, seen, write
from wattbook.exchange import Tally
from wattbook.exchange.build import make_columns
from wattbook.exchange.gather import Gather
from wattbook.exchange.write_csv import csv_chunks
from wattbook.model import Columns
from wattbook.model.exact import EXACT_MAX

QUANTITIES = ("voltage", "active_power", "active_energy_import")
METERS = ("main-a", 'hall, "2"', "Škoda 😀", "=1+1", "a.b")
ZONES = ("Europe/Prague", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns", "UTC", "Africa/Monrovia")
VALUES = st.floats(-EXACT_MAX, EXACT_MAX, allow_nan=False) | st.integers(-EXACT_MAX, EXACT_MAX).map(float)


@st.composite
def blocks(draw: st.DrawFn) -> list[Columns]:
    """Readings of some meters, each in order of time, values here and there absent."""
    made = []
    for meter in draw(st.lists(st.sampled_from(METERS), unique=True, max_size=3)):
        at = sorted(draw(st.sets(st.integers(0, 1_795_000_000_000), min_size=1, max_size=12)))
        cells = {
            name: np.array([draw(VALUES | st.just(math.nan)) for _ in at])
            for name in draw(st.sets(st.sampled_from(QUANTITIES)))
        }
        made.append(make_columns(meter, np.array(at, np.int64), cells))
    return [block for block in made if block is not None]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=blocks(), zone=st.sampled_from(ZONES))
def test_the_plain_table_comes_back_as_it_was(tmp_path: Path, made: list[Columns], zone: str) -> None:
    path = write(tmp_path, "table.csv", b"".join(csv_chunks(made, QUANTITIES, ZoneInfo(zone))))
    at = intake(meters=METERS)
    assert imported(path, at) == seen(made)
    assert at.tally.rejected == 0


@given(data=st.data())
@pytest.mark.parametrize("samples_max", [1, 7, 1000])
def test_samples_in_any_order_make_the_same_readings(samples_max: int, data: st.DataObject) -> None:
    keys = st.tuples(st.sampled_from(METERS), st.sampled_from(QUANTITIES), st.integers(0, 400_000_000))
    samples = data.draw(st.dictionaries(keys, VALUES, max_size=30))
    order = data.draw(st.permutations(list(samples.items())))
    with Gather(Tally(), samples_max=samples_max) as gather:
        for (meter, quantity, at_ms), value in order:
            gather.add(meter, quantity, [at_ms], [value])
        found = seen(gather.columns())
    values = sorted(value for reading in found.values() for value in reading.values())
    assert values == sorted(samples.values())
    assert len(found) == len({(meter, at_ms) for meter, _, at_ms in samples})
