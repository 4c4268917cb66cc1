"""Laws of energy (design, rule 4): splits add up, nothing is negative, gaps are told, streaming changes nothing."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from wattbook.model import EnergyQuality, Point
from wattbook.store.history import Knots, energy_of_steps
from wattbook.store.rows import Sample

PERIOD_MS = 5_000
_END_MS = 400_000


@st.composite
def registers(draw: st.DrawFn) -> list[Sample]:
    """A register that only grows, read about every period, with gaps."""
    at_ms, value, samples = 0, draw(st.integers(0, 10**9)), []
    for distance, growth in draw(
        st.lists(
            st.tuples(st.sampled_from([4_000, 5_000, 6_000, 10_000, 10_010, 47_000]), st.integers(0, 500)), max_size=40
        )
    ):
        at_ms += distance
        value += growth
        samples.append(Sample(at_ms, value / 10, 0))
    return samples


edges = st.lists(st.integers(0, _END_MS), min_size=2, max_size=12, unique=True).map(sorted)


def steps(samples: Sequence[Sample], edges_ms: Sequence[int]) -> list[Point]:
    """The energy of each step, from every reading."""
    at_ms = np.array([sample.at_ms for sample in samples], np.int64)
    value = np.array([sample.value for sample in samples], np.float64)
    return list(energy_of_steps(Knots(at_ms, value), edges_ms, PERIOD_MS))


def register_at(samples: Sequence[Sample], at_ms: int) -> float:
    """The rule, written as it is said, with the whole register at hand."""
    place = bisect_right([sample.at_ms for sample in samples], at_ms)
    if place == 0:
        return samples[0].value
    before = samples[place - 1]
    if place == len(samples):
        return before.value
    after = samples[place]
    if after.at_ms - before.at_ms <= 2 * PERIOD_MS:
        return before.value
    return before.value + (after.value - before.value) * (at_ms - before.at_ms) / (after.at_ms - before.at_ms)


@given(registers(), edges)
def test_energy_is_the_difference_of_two_registers(samples: list[Sample], edges_ms: list[int]) -> None:
    for point, start, end in zip(steps(samples, edges_ms), edges_ms, edges_ms[1:], strict=False):
        if point.value is not None:
            expected = register_at(samples, end) - register_at(samples, start)
            assert math.isclose(point.value, expected, abs_tol=1e-5)
            assert point.value >= 0


@given(registers(), edges)
def test_any_split_adds_up(samples: list[Sample], edges_ms: list[int]) -> None:
    parts = steps(samples, edges_ms)
    (whole,) = steps(samples, [edges_ms[0], edges_ms[-1]])
    known = [part.value for part in parts if part.value is not None]
    assert len(parts) == len(edges_ms) - 1
    assert (whole.value is None) == (not known)
    if whole.value is not None:
        assert math.isclose(whole.value, sum(known), abs_tol=1e-4)


@given(registers(), edges)
def test_a_step_is_missing_exactly_where_no_two_readings_lie_around(samples: list[Sample], edges_ms: list[int]) -> None:
    for point, start, end in zip(steps(samples, edges_ms), edges_ms, edges_ms[1:], strict=False):
        covered = len(samples) > 1 and samples[0].at_ms < end and samples[-1].at_ms > start
        assert (point.quality is EnergyQuality.MISSING) == (not covered) == (point.value is None)


@given(registers(), edges)
def test_measured_means_that_no_gap_is_touched(samples: list[Sample], edges_ms: list[int]) -> None:
    gaps = [
        (before.at_ms, after.at_ms) for before, after in pairwise(samples) if after.at_ms - before.at_ms > 2 * PERIOD_MS
    ]
    for point, start, end in zip(steps(samples, edges_ms), edges_ms, edges_ms[1:], strict=False):
        if point.value is None:
            continue
        touched = any(gap_start < end and gap_end > start for gap_start, gap_end in gaps)
        open_start = samples[0].at_ms > start + 2 * PERIOD_MS
        open_end = samples[-1].at_ms + 2 * PERIOD_MS < end
        assert (point.quality is EnergyQuality.SPREAD) == (touched or open_start or open_end)


@given(registers(), st.data())
def test_a_single_spike_is_no_energy(samples: list[Sample], data: st.DataObject) -> None:
    if len(samples) < 3:
        return
    place = data.draw(st.integers(1, len(samples) - 2))
    wrong = data.draw(st.sampled_from([0.0, samples[-1].value + 1e6]))
    spiked = [*samples[:place], Sample(samples[place].at_ms, wrong, 0), *samples[place + 1 :]]
    without = [*samples[:place], *samples[place + 1 :]]
    if samples[place - 1].value <= wrong <= samples[place + 1].value:
        return
    whole = [0, _END_MS]
    assert steps(spiked, whole) == steps(without, whole)


@given(registers(), registers(), edges)
def test_a_register_that_starts_again_gives_no_energy_where_it_does(
    first: list[Sample], second: list[Sample], edges_ms: list[int]
) -> None:
    if len(first) < 3 or len(second) < 3:
        return
    moved = [Sample(first[-1].at_ms + sample.at_ms, sample.value - second[0].value, 0) for sample in second]
    raised = [Sample(sample.at_ms, sample.value + moved[-1].value + 1, 0) for sample in first]
    change = raised[-1].at_ms, moved[0].at_ms
    points = steps([*raised, *moved], edges_ms)
    for point, start, end in zip(points, edges_ms, edges_ms[1:], strict=False):
        assert point.value is None or point.value >= 0
        if change[0] < end and change[1] > start:
            assert point.quality in (EnergyQuality.ESTIMATED, EnergyQuality.MISSING)
