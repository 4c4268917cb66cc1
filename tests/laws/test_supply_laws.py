"""The history of the supply is a function of the readings: not of their order, cuts, looks or restarts between them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import nan

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from supply_house import RULE, START, at, evidence, history, in_short, reading, told
from wattbook.engine.supply import SETTLE_MS, Evidence, Memory, Supply
from wattbook.engine.supply_columns import evidences
from wattbook.model import Event, Reading
from wattbook.model.batch import GOOD_CODE, NO_DOUBT, SUSPECT_CODE, Columns, to_ms

END_S = 3_000.0

spans = st.lists(
    st.tuples(st.sampled_from(["utility", "generator", "dark"]), st.floats(10, 200)), min_size=1, max_size=8
)


def _day(spans: Sequence[tuple[str, float]]) -> list[Reading]:
    readings: list[Reading] = []
    start = 1.0
    for fed_by, length in spans:
        readings += told(fed_by, start, start + length)
        start += length
    return readings


def _disordered(readings: Sequence[Evidence], late_ms: Sequence[int]) -> list[Evidence]:
    """Each one delivered up to SETTLE_MS late, so in another order."""
    pairs = [(each.at + late_ms[place % len(late_ms)], place, each) for place, each in enumerate(readings)]
    return [each for _, _, each in sorted(pairs)]


@given(
    spans,
    st.lists(st.integers(0, SETTLE_MS - 1), min_size=1, max_size=40),
    st.lists(st.integers(1, 60), min_size=1, max_size=20),
    st.booleans(),
)
def test_any_order_and_any_cut_give_one_history(
    spans: Sequence[tuple[str, float]], late_ms: Sequence[int], cuts: Sequence[int], looks: bool
) -> None:
    readings = _day(spans)
    expected = history(readings, until=END_S)
    rest = _disordered(evidence(readings), late_ms)
    events: list[Event] = []
    memory = Memory()
    Supply(RULE, memory).begin(to_ms(START), boot="first")
    number = 0
    while rest:
        batch, rest = rest[: cuts[number % len(cuts)]], rest[cuts[number % len(cuts)] :]
        number += 1
        supply = Supply(RULE, msgspec.json.decode(msgspec.json.encode(memory), type=Memory))  # as from a bookmark
        events += supply.take(batch)
        if looks and rest:  # silence until the next one comes
            events += supply.take((), until=max(each.at for each in batch) - SETTLE_MS)
        memory = supply.memory
    events += Supply(RULE, memory).take((), until=to_ms(at(END_S)))
    assert events == expected


@given(spans, st.integers(0, 500), st.booleans())
def test_one_odd_value_changes_nothing(spans: Sequence[tuple[str, float]], place: int, dead: bool) -> None:
    readings = _day(spans)
    expected = [kind for kind, _ in in_short(history(readings, until=END_S))]
    fed = [number for number, each in enumerate(readings) if 0 < number < len(readings) - 1]
    if not fed:
        return
    number = fed[place % len(fed)]
    old = readings[number]
    second = (old.at - START).total_seconds()
    amps = 0.0 if old.values["current"] else 2.0
    odd = reading(old.meter, second, volts=0.0 if dead else 121.0, amps=amps)
    kinds = [kind for kind, _ in in_short(history([*readings[:number], odd, *readings[number + 1 :]], until=END_S))]
    assert len(kinds) <= len(expected) and set(kinds) <= set(expected)


@given(spans)
def test_states_follow_one_another_without_holes(spans: Sequence[tuple[str, float]]) -> None:
    events = history(_day(spans), until=END_S)
    assert all(before.at <= after.at for before, after in pairwise(events))
    assert all(before.kind != after.kind for before, after in pairwise(events))
    assert all(after.body["was"] in before.kind for before, after in pairwise(events))


NAMES = ("voltage", "voltage_l2", "current", "current_l3", "active_power", "active_energy_import")
cells = st.one_of(st.just(nan), st.sampled_from([0.0, 0.3, 0.4, 79.9, 80.0, 230.0]))
codes = st.sampled_from([GOOD_CODE, SUSPECT_CODE])
rows = st.lists(
    st.tuples(
        st.fixed_dictionaries(dict.fromkeys(NAMES, cells)),
        codes,
        st.dictionaries(st.sampled_from(NAMES), st.one_of(codes, st.just(NO_DOUBT)), max_size=3),
    ),
    min_size=1,
    max_size=20,
)


@given(st.sampled_from(["main-a", "generator", "heat-pump"]), rows, st.sets(st.sampled_from(NAMES)))
def test_columns_say_what_their_readings_say(
    meter: str, rows: Sequence[tuple[Mapping[str, float], int, Mapping[str, int]]], told: set[str]
) -> None:
    doubted = sorted({name for _, _, doubt in rows for name in doubt} & told)
    columns = Columns(
        "",
        meter,
        array("q", range(to_ms(START), to_ms(START) + len(rows))),
        array("q", range(7, 7 + len(rows))),
        {name: array("d", [values[name] for values, _, _ in rows]) for name in sorted(told)},
        array("B", [quality for _, quality, _ in rows]),
        {name: array("B", [doubt.get(name, NO_DOUBT) for _, _, doubt in rows]) for name in doubted},
    )
    one_by_one = [
        (seq, found)
        for seq, each in zip(columns.seq, columns.readings(), strict=True)
        if (found := RULE.evidence(each)) is not None
    ]
    assert list(evidences(RULE, columns)) == one_by_one
