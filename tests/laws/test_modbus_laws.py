"""Laws of Modbus: what is encoded comes back, damage never becomes a value, plans are the cheapest there are."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.codecs.conversation import Receive
from wattbook.codecs.encode_registers import encode_register
from wattbook.codecs.modbus import (
    Request,
    Response,
    encode_request,
    encode_response,
    parse_request,
    parse_response,
    request_missing,
    tcp_frame,
)
from wattbook.codecs.modbus_ask import Rtu, Tcp, read
from wattbook.codecs.registers import (
    REGISTER_COST,
    REQUEST_COST,
    ReadPlan,
    decode_registers,
    plan_reads,
)
from wattbook.model.errors import ConfigError, Garbled, MeterError
from wattbook.model.exact import RAW_MAX
from wattbook.profiles.profile import REGISTERS_OF, Register, RegisterType, Scale

words = st.integers(0, 0xFFFF)
units = st.integers(1, 247)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    unit, address = draw(units), draw(words)
    match draw(st.sampled_from((1, 2, 3, 4, 5, 6, 15, 16, 17))):
        case (1 | 2) as function:
            return Request(unit, function, address, draw(st.integers(1, 2000)))
        case 5:
            return Request(unit, 5, address, 1, (draw(st.sampled_from((0, 0xFF00))),))
        case 15:
            bits = draw(st.binary(min_size=1, max_size=246))
            return Request(unit, 15, address, 8 * len(bits) - draw(st.integers(0, 7)), bits=bits)
        case 6:
            return Request(unit, 6, address, 1, (draw(words),))
        case 16:
            written = tuple(draw(st.lists(words, min_size=1, max_size=123)))
            return Request(unit, 16, address, len(written), written)
        case 17:
            return Request(unit, 17)
        case function:
            return Request(unit, function, address, draw(st.integers(1, 125)))


@given(requests())
def test_requests_come_back_and_tell_their_length(request: Request) -> None:
    frame = encode_request(request)
    assert parse_request(frame) == request
    for size in range(len(frame)):
        assert 0 < request_missing(frame[:size]) <= len(frame) - size
    assert request_missing(frame) == 0


def told(request: Request, heard: bytes) -> tuple[int, ...]:
    """What an RTU reader makes of these bytes."""
    conversation = read(Rtu(), unit=request.unit, address=request.address, count=request.count)
    conversation.send(None)  # type: ignore[arg-type]
    step = conversation.send(None)  # type: ignore[arg-type]
    assert isinstance(step, Receive)
    try:
        conversation.send(heard)
    except StopIteration as end:
        result: tuple[int, ...] = end.value
        return result
    raise AssertionError("the conversation goes on")


@given(st.lists(words, min_size=1, max_size=125), st.data())
def test_a_damaged_byte_is_never_a_value(values: list[int], data: st.DataObject) -> None:
    request = Request(4, 4, 0, len(values))
    frame = encode_response(Response(4, 4, tuple(values)))
    assert told(request, frame) == tuple(values)
    at = data.draw(st.integers(0, len(frame) - 1))
    damaged = bytearray(frame)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MeterError):
        told(request, bytes(damaged))
    with pytest.raises(Garbled):
        parse_response(bytes(damaged))


@given(st.lists(st.tuples(st.booleans(), st.lists(words, min_size=1, max_size=5)), max_size=4), st.data())
def test_any_cutting_of_a_tcp_stream_gives_the_same(late: list[tuple[bool, list[int]]], data: st.DataObject) -> None:
    """Late answers, whole, before ours: wherever the stream is cut into pieces, ours is found."""
    stream = b"".join(
        tcp_frame(100 + n, 9, struct.pack(f">BB{len(w)}H", 4, 2 * len(w), *w)) for n, (_, w) in enumerate(late)
    ) + tcp_frame(1, 4, b"\x04\x04\x00\x07\x00\x08")
    conversation = read(Tcp(), unit=4, address=0, count=2)
    conversation.send(None)  # type: ignore[arg-type]
    step = conversation.send(None)  # type: ignore[arg-type]
    assert isinstance(step, Receive)
    heard = b""
    while step.missing(heard) > 0:
        assert len(heard) + step.missing(heard) <= len(stream), "it waits for bytes that never come"
        heard = stream[: data.draw(st.integers(len(heard) + 1, len(stream)))]
    with pytest.raises(StopIteration) as end:
        conversation.send(heard)
    assert end.value.value == (7, 8)


def answer_frame(transaction: int, values: list[int], *, unit: int = 4) -> bytes:
    return tcp_frame(transaction, unit, struct.pack(f">BB{len(values)}H", 4, 2 * len(values), *values))


def ask_again(tcp: Tcp, pieces: Sequence[bytes], count: int) -> tuple[int, ...]:
    """One exchange on a connection where the stream comes in these pieces."""
    conversation = read(tcp, unit=4, address=0, count=count)
    conversation.send(None)  # type: ignore[arg-type]
    step = conversation.send(None)  # type: ignore[arg-type]
    assert isinstance(step, Receive)
    heard = b""
    for piece in pieces:
        heard += piece
        if step.missing(heard) <= 0:
            break
    with pytest.raises(StopIteration) as end:
        conversation.send(heard)
    told: tuple[int, ...] = end.value.value
    return told


@given(st.lists(words, min_size=1, max_size=125), st.booleans(), st.data())
def test_an_answer_cut_by_a_time_out_does_not_disturb_the_next(
    values: list[int], same: bool, data: st.DataObject
) -> None:
    """The quick way for whole answers gives way where the stream's place is within a frame."""
    tcp = Tcp()
    late = answer_frame(1, values if same else [1, *values[1:]])
    at = data.draw(st.integers(0, len(late)))
    first = read(tcp, unit=4, address=0, count=len(values))
    first.send(None)  # type: ignore[arg-type]
    first.send(None)  # type: ignore[arg-type]
    if at < len(late):
        with pytest.raises(MeterError):
            first.send(late[:at])
        rest = late[at:]
    else:
        with pytest.raises(StopIteration):
            first.send(late)
        rest = b""
    stream = rest + answer_frame(2, values)
    cut = data.draw(st.integers(0, len(stream)))
    assert ask_again(tcp, (stream[:cut], stream[cut:]), len(values)) == tuple(values)
    assert ask_again(tcp, (answer_frame(3, values),), len(values)) == tuple(values)


@given(st.lists(words, min_size=1, max_size=125), st.data())
def test_a_changed_head_is_never_the_quick_answer(values: list[int], data: st.DataObject) -> None:
    """Another transaction, protocol, length, unit, function or number of bytes: an error, or a wait for ours."""
    frame = bytearray(answer_frame(1, values))
    at = data.draw(st.integers(0, 8))
    frame[at] ^= data.draw(st.integers(1, 255))
    tcp = Tcp()
    conversation = read(tcp, unit=4, address=0, count=len(values))
    conversation.send(None)  # type: ignore[arg-type]
    conversation.send(None)  # type: ignore[arg-type]
    if at == 6 and frame[6] in (0, 255):  # a device that answers so to any unit
        with pytest.raises(StopIteration):
            conversation.send(bytes(frame))
    else:
        with pytest.raises(MeterError):
            conversation.send(bytes(frame))


def registers_at(*places: tuple[int, int]) -> list[Register]:
    kinds: dict[int, RegisterType] = {1: "uint16", 2: "uint32", 4: "uint64"}
    return [Register(f"analogue_c{n}", address, kinds[count]) for n, (address, count) in enumerate(places, 1)]


places = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from((1, 2, 4))), min_size=1, max_size=6, unique_by=lambda place: place[0]
)


def cheapest(registers: Sequence[Register], read_max: int, holes: Sequence[tuple[int, int, int]]) -> float:
    """The least cost over every way to group registers, by trying them all."""
    if not registers:
        return 0
    first, *rest = registers
    best = math.inf
    for size in range(len(rest) + 1):
        for others in itertools.combinations(rest, size):
            group = [first, *others]
            low = min(one.address for one in group)
            end = max(one.address + one.count for one in group)
            if end - low > read_max or any(a < end and low <= b for _, a, b in holes):
                continue
            left = [one for one in rest if one not in others]
            best = min(best, REQUEST_COST + REGISTER_COST * (end - low) + cheapest(left, read_max, holes))
    return best


@given(places, st.integers(4, 30), st.lists(st.tuples(st.integers(0, 64), st.integers(0, 3)), max_size=2))
def test_no_plan_is_cheaper(at: list[tuple[int, int]], read_max: int, gaps: list[tuple[int, int]]) -> None:
    registers = registers_at(*at)
    holes = [(4, first, first + more) for first, more in gaps]
    least = cheapest(registers, read_max, holes)
    if least == math.inf:
        with pytest.raises(ConfigError, match="cannot be read"):
            plan_reads(registers, read_max=read_max, holes=holes)
        return
    blocks = plan_reads(registers, read_max=read_max, holes=holes)
    assert sum(REQUEST_COST + REGISTER_COST * block.count for block in blocks) == least
    for block in blocks:
        assert block.count <= read_max
        assert not any(first < block.end and block.first <= last for _, first, last in holes)
    for register in registers:
        end = register.address + register.count
        assert any(block.first <= register.address and end <= block.end for block in blocks)


@pytest.mark.parametrize(("gap", "requests_"), [(9, 1), (10, 2)])
def test_a_gap_is_bridged_only_when_that_is_cheaper(gap: int, requests_: int) -> None:
    assert len(plan_reads(registers_at((0, 1), (1 + gap, 1)))) == requests_


def test_functions_are_never_mixed() -> None:
    one, other = registers_at((0, 1), (1, 1))
    holding = Register(other.quantity, 1, "uint16", function=3)
    assert [(block.function, block.first) for block in plan_reads([one, holding])] == [(3, 1), (4, 0)]


KINDS = st.sampled_from(sorted(REGISTERS_OF))
ORDERS = st.sampled_from(("high-first", "low-first"))
SCALES = st.builds(Scale, st.sampled_from((1, 5, 10, 1000, 3600)), st.integers(0, 6))


@given(KINDS, ORDERS, SCALES, st.data())
def test_every_raw_value_up_to_2_to_the_52_comes_back(
    kind: RegisterType, order: str, scale: Scale, data: st.DataObject
) -> None:
    bits = 16 * REGISTERS_OF[kind]
    if kind.startswith("float"):
        scale = Scale()
        value = data.draw(st.floats(width=32 if bits == 32 else 64, allow_nan=False, allow_infinity=False))
        raw = struct.pack(">f" if bits == 32 else ">d", value)
    else:
        low = -(1 << (bits - 1)) if kind.startswith("int") else 0
        number = data.draw(st.integers(max(low, -RAW_MAX), min(low + (1 << bits) - 1, RAW_MAX)))
        raw = (number & ((1 << bits) - 1)).to_bytes(bits // 8, "big")
    register = Register("analogue_c1", 7, kind, scale, word_order=order)  # type: ignore[arg-type]
    sent = list(struct.unpack(f">{bits // 16}H", raw))
    if order == "low-first":
        sent.reverse()
    decoded = ReadPlan([register]).decode(sent).values["analogue_c1"]
    assert encode_register(register, decoded) == tuple(sent)
    if kind.startswith("float"):
        assert struct.pack(">d", decoded) == struct.pack(">d", value)  # a scale of 1 keeps the bits


@given(st.integers(RAW_MAX + 1, 2**64 - 1))
def test_a_counter_beyond_is_an_error(raw: int) -> None:
    register = Register("active_energy_import", 0, "uint64")
    sent = struct.unpack(">4H", raw.to_bytes(8, "big"))
    with pytest.raises(Garbled, match="active_energy_import has more digits than can be kept exactly"):
        ReadPlan([register]).decode(sent)


@given(st.integers(-(10**6), 10**6), st.integers(0, 6), st.sampled_from([1, 2, 5, 25]))
def test_a_float_register_with_a_resolution_tells_decimals(number: int, decimals: int, step: int) -> None:
    value = number * step / 10**decimals
    sent = struct.unpack(">2H", struct.pack(">f", value))
    register = Register("analogue_c1", 0, "float32", resolution=Scale(step, decimals))
    coarse = abs(value) * 2**-24 < step / 10**decimals / 2  # else the float itself cannot tell the steps apart
    assert not coarse or ReadPlan([register]).decode(sent).values == {"analogue_c1": value}


@pytest.mark.parametrize(
    ("register", "sent"),
    [
        (Register("voltage", 0, "float32"), (0x7FC0, 0)),  # NaN
        (Register("voltage", 0, "float32"), (0x7F80, 0)),  # infinity
        (Register("voltage", 0, "uint16", absent=frozenset({0xFFFF})), (0xFFFF,)),
        (Register("voltage", 0, "int16", absent=frozenset({-32768})), (0x8000,)),
        (Register("voltage", 0, "int32", absent=frozenset({0x80000000})), (0x8000, 0)),
    ],
)
def test_not_available_is_no_value(register: Register, sent: tuple[int, ...]) -> None:
    assert ReadPlan([register]).decode(sent).values == {}
    assert decode_registers([register], {(4, n): word for n, word in enumerate(sent)}).values == {}


def test_outside_the_bounds_is_suspect() -> None:
    register = Register("voltage", 0, "uint16", Scale(1, 1), minimum=0, maximum=300)
    good, bad = (ReadPlan([register]).decode([raw]) for raw in (3000, 3001))
    assert (good.values, good.doubt) == ({"voltage": 300.0}, {})
    assert (bad.values, dict(bad.doubt)) == ({"voltage": 300.1}, {"voltage": "suspect"})
