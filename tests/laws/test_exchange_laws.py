"""What is exported and imported again is what it was; and neither order nor cuts change what is read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange_tools import imported, intake, seen, text, write
from wattbook.exchange import Tally
from wattbook.exchange.build import make_columns
from wattbook.exchange.gather import Gather
from wattbook.exchange.mongodb import documents
from wattbook.exchange.together import Together
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


ROWS = st.lists(
    st.tuples(
        st.sampled_from(METERS[:2]),
        st.sampled_from([0, 1, 86_400_000, 86_400_001, 400_000_000]),
        st.dictionaries(st.sampled_from(QUANTITIES), st.sampled_from([0.0, 1.5, 2.0]), min_size=1),
    ),
    max_size=30,
)


def _one_each(rows: Sequence[tuple[str, int, dict[str, float]]]) -> tuple[dict[tuple[str, str], object], int, int]:
    """What rows tell, one by one: the readings, how many rows told nothing new, how many contradict."""
    first: dict[tuple[str, int], dict[str, float]] = {}
    found: dict[tuple[str, str], dict[str, float]] = {}
    same = conflicts = 0
    for meter, at_ms, values in rows:
        for name, value in values.items():
            first.setdefault((meter, at_ms), {}).setdefault(name, value)
    for meter, at_ms, values in rows:
        reading = found.setdefault((meter, text(at_ms)), {})
        if any(value != first[meter, at_ms][name] for name, value in values.items()):
            conflicts += 1
        elif values.items() <= reading.items():
            same += 1
        else:
            reading |= values
    return dict(found), same, conflicts


@given(rows=ROWS, held_max=st.sampled_from([1, 2, 7, 1000]))
def test_rows_in_any_order_make_one_reading_of_an_instant_and_all_are_counted(
    rows: list[tuple[str, int, dict[str, float]]], held_max: int
) -> None:
    with Together(held_max=held_max) as together:
        for meter, at_ms, values in rows:
            block = make_columns(meter, np.array([at_ms]), {name: np.array([value]) for name, value in values.items()})
            assert block is not None
            together.add(block)
        joined = list(together.readings())
    found = seen(each.columns for each in joined)
    assert (found, sum(each.same for each in joined), sum(each.conflicts for each in joined)) == _one_each(rows)
    assert sum(map(len, joined)) == len(found) + _one_each(rows)[1] + _one_each(rows)[2]


LEAVES = (
    st.none() | st.booleans() | st.text(max_size=6) | st.integers() | st.floats(allow_nan=False)
    | st.sampled_from(["😀", "\\u00", "{[,", "\n{", -5, 1e300, 1e-7, math.inf, -math.inf])
)  # fmt: skip
INNER = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.text(max_size=3), LEAVES, max_size=3)
DOCUMENTS = st.lists(st.dictionaries(st.text(max_size=4), INNER, max_size=4), max_size=6)
FORMS = ("lines", "array", "indented", "indented array")


def _written(told: Sequence[object], form: str, *, ascii_only: bool) -> bytes:
    indent = 1 if form.startswith("indented") else None
    if form.endswith("array"):
        return json.dumps(told, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    return "\n".join(json.dumps(one, indent=indent, ensure_ascii=ascii_only) for one in told).encode("utf-8", "replace")


def _read_in_pieces(content: bytes, cuts: Sequence[int]) -> tuple[list[tuple[int, object]], list[str]]:
    edges, tally = [0, *sorted(cuts), len(content)], Tally()
    pieces = [content[begin:end] for begin, end in pairwise(edges)]
    return list(documents(pieces, tally)), [str(bad) for bad in tally.listed]


@given(data=st.data(), told=DOCUMENTS, form=st.sampled_from(FORMS), ascii_only=st.booleans())
def test_any_cutting_of_an_export_gives_the_same_documents(
    data: st.DataObject, told: list[dict[str, object]], form: str, ascii_only: bool
) -> None:
    content = b"\xef\xbb\xbf" * data.draw(st.integers(0, 1)) + _written(told, form, ascii_only=ascii_only)
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=12) | st.just(range(1, len(content))))
    found, bad = _read_in_pieces(content, cuts)
    assert [document for _, document in found] == told and not bad


@given(data=st.data(), told=DOCUMENTS, form=st.sampled_from(FORMS), spare=st.binary(max_size=3))
def test_also_of_an_export_that_is_damaged(
    data: st.DataObject, told: list[dict[str, object]], form: str, spare: bytes
) -> None:
    content = _written(told, form, ascii_only=True)
    place = data.draw(st.integers(0, len(content)))
    content = content[:place] + spare + content[place + data.draw(st.integers(0, 3)) :]
    cuts = data.draw(st.lists(st.integers(0, len(content)), max_size=12) | st.just(range(1, len(content))))
    assert repr(_read_in_pieces(content, cuts)) == repr(_read_in_pieces(content, []))


@pytest.mark.parametrize("between", ["\n", ","])
def test_what_is_right_within_a_wrong_document_is_none_of_the_export(between: str) -> None:
    wrong = '{"meter": "m", "history": [{"at": 2}, {"at": 3}], "power": oops}'
    told, bad = _read_in_pieces(f'{{"at": 1}}{between}{wrong}{between}{{"at": 4}}'.encode(), [])
    assert [document for _, document in told] == [{"at": 1}, {"at": 4}]
    assert len(bad) == 1
