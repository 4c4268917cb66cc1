"""Protocol buffers: what is encoded comes back, and nothing makes the reader fail in another way than it says."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.protobuf import bytes_field, number_field, parse_fields, varint
from wattbook.model.errors import Garbled

NUMBERS = st.integers(1, 15)
FIELDS = st.lists(st.tuples(NUMBERS, st.integers(0, 2**64 - 1) | st.binary(max_size=300)), max_size=5)


@given(FIELDS)
def test_fields_come_back(fields: list[tuple[int, int | bytes]]) -> None:
    encoded = [
        number_field(number, content) if isinstance(content, int) else bytes_field(number, content)
        for number, content in fields
    ]
    assert list(parse_fields(b"".join(encoded))) == fields


@given(st.integers(-(2**63), -1))
def test_a_negative_number_is_its_twos_complement(number: int) -> None:
    assert varint(number) == varint(number + 2**64)
    assert len(varint(number)) == 10


@given(st.binary(max_size=40))
def test_anything_is_fields_or_garbled(data: bytes) -> None:
    with contextlib.suppress(Garbled):
        for number, content in parse_fields(data):
            assert number >= 0
            assert isinstance(content, int | bytes)
