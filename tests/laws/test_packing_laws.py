"""Laws of cells: every value comes back bit for bit, and decimal ones as small integers."""

from __future__ import annotations

import struct
from array import array

from hypothesis import given
from hypothesis import strategies as st

from book_tools import START
from wattbook.model import Reading, Readings
from wattbook.store.bulk import pack_alike
from wattbook.store.packing import Packer, decode_cells, divisors, parse_shape, shape_text
from wattbook.store.rows import cell_values

finite = st.floats(allow_nan=False, allow_infinity=False)
decimals = st.builds(lambda raw, places: raw / 10**places, st.integers(-(2**52), 2**52), st.integers(0, 9))
singles = st.floats(width=32, allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**52), 2**52)
value = st.one_of(finite, decimals, singles, whole)
names = st.sampled_from(["voltage", "current", "active_power", "frequency"])


def bits(number: float) -> bytes:
    return struct.pack("<d", number + 0.0)  # minus zero is written as zero


@given(st.lists(st.dictionaries(names, value, max_size=4), max_size=12))
def test_every_value_comes_back_bit_for_bit(readings: list[dict[str, float]]) -> None:
    packer = Packer()
    for values in readings:
        form, cells = packer.pack(values)
        stored = parse_shape(shape_text(form.shape))
        back = dict(cell_values(stored, divisors(stored), decode_cells(cells)))
        assert list(back) == list(values)
        assert [bits(number) for number in back.values()] == [bits(float(number)) for number in values.values()]


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1), st.integers(0, 6))
def test_a_meter_with_decimals_is_written_in_integers_with_one_exponent(raws: list[int], places: int) -> None:
    packer = Packer()
    for raw in raws:
        packer.pack({"voltage": raw / 10**places})
    for raw in raws:
        form, cells = packer.pack({"voltage": raw / 10**places})
        ((_, exponent),) = form.shape
        assert exponent is not None and -places <= exponent <= 0
        assert [type(cell) for cell in decode_cells(cells)] == [int]


@given(st.lists(value, min_size=1))
def test_exponents_only_become_finer_and_floats_stay(values: list[float]) -> None:
    packer = Packer()
    known: int | None = 0
    for number in values:
        ((_, exponent),) = packer.pack({"voltage": number})[0].shape
        assert exponent is None or (known is not None and exponent <= known)
        known = exponent


@given(st.lists(decimals, min_size=1))
def test_a_packer_goes_on_from_the_stored_shape(values: list[float]) -> None:
    packer = Packer()
    for number in values:
        form, _ = packer.pack({"voltage": number})
    again, _ = Packer(form.shape).pack({"voltage": values[-1]})
    assert again.shape == form.shape


@given(st.lists(st.tuples(value, value), min_size=1, max_size=20))
def test_many_at_once_are_packed_as_each_alone_or_left_to_it(told: list[tuple[float, float]]) -> None:
    readings = [{"voltage": voltage, "current": current} for voltage, current in told]
    form, _ = Packer().pack(readings[0])
    table = array("d", [value for values in readings for value in values.values()])
    for values, cells in zip(readings, pack_alike(table, form.divisors), strict=True):
        alone, alone_cells = Packer(form.shape).pack(values)
        assert cells in (None, alone_cells)
        assert cells is None or alone.shape == form.shape  # it needed nothing finer
    assert pack_alike(table, (1, None)) == [None] * len(readings)


def test_an_integer_that_no_float_holds_is_left_to_be_refused() -> None:
    assert pack_alike(array("d", [2**53 + 1, 5]), (1,)) == [None, b"\x91\x05"]
    (alike,) = Readings.of([Reading("m", START, {"voltage": 10**400})] * 100).alike()
    assert alike.table is None
