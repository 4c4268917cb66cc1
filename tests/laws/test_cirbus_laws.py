"""Laws of CIRBUS: no damage becomes a value, and it does not matter how bytes are bundled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cirbus_line import CVMK, endless, frame, meter, play
from wattbook.codecs.cirbus import encode_fields, encode_frame, parse_fields, parse_frame, read_out
from wattbook.codecs.cirbus_capture import CirbusReading, decode_cirbus
from wattbook.codecs.telegram import Damage
from wattbook.model import Garbled, MeterError
from wattbook.profiles import CirbusAsk, CirbusSettings, Library, Scale

PROFILE = Library().get("cvmk").cirbus
assert PROFILE is not None
ASKS = {ask.code: ask for ask in PROFILE.asks}
CASES = [
    *((ASKS[code], data, "00") for code, data in CVMK.items()),
    # Four fields, the fourth begins with the check of the first three: a digit damaged to a line feed ends it well.
    (ASKS["RVI"], "000000100" * 3 + "970000100", "00"),
    (ASKS["RAI"], "999999999" * 4, "99"),
]


def test_the_worst_case_is_one() -> None:
    _, data, address = CASES[-2]
    assert frame(f"${address}{data[:27]}")[-3:-1] == data[27:29].encode()


@pytest.mark.parametrize(("ask", "data", "address"), CASES, ids=lambda case: getattr(case, "code", None))
def test_a_damaged_byte_is_never_a_value(ask: CirbusAsk, data: str, address: str) -> None:
    good = frame(f"${address}{data}")
    settings = CirbusSettings((ask,))
    for at in range(len(good)):
        for byte in {*range(0, 256, 7), *b"$\n09+-AaFf \r"} - {good[at]}:
            bad = good[:at] + bytes([byte]) + good[at + 1 :]
            with pytest.raises(Garbled):
                play(read_out(settings, int(address), 0.5), lambda _, bad=bad: bad, endless([]))
            with pytest.raises(Garbled):
                play(read_out(settings, int(address), 0.5), lambda _, bad=bad: bad)
            heard = decode_cirbus(frame(f"${address}{ask.code}") + bad, settings)
            assert heard and all(isinstance(item, Damage) for item in heard)


@pytest.mark.parametrize(("code", "data"), CVMK.items())
def test_a_cut_answer_is_never_a_value(code: str, data: str) -> None:
    good = frame(f"$00{data}")
    for end in range(len(good)):
        with pytest.raises(MeterError):
            play(read_out(CirbusSettings((ASKS[code],)), 0, 0.5), lambda _, end=end: good[:end])


@given(st.lists(st.integers(1, 60), max_size=40), st.booleans())
def test_any_bundling_gives_the_same(sizes: list[int], echoes: bool) -> None:
    def line(sent: bytes) -> bytes:
        return (sent if echoes else b"") + meter(CVMK)(sent)

    whole = play(read_out(PROFILE, 0, 0.5), meter(CVMK))
    assert play(read_out(PROFILE, 0, 0.5), line, endless(sizes)) == whole


@given(st.binary(max_size=100))
def test_noise_is_no_answer_and_ends(noise: bytes) -> None:
    with pytest.raises(MeterError):
        play(read_out(PROFILE, 0, 0.5), lambda _: noise)


@given(st.integers(0, 99), st.binary(max_size=60).filter(lambda data: not set(b"$\n") & set(data)))
def test_every_frame_comes_back(address: int, data: bytes) -> None:
    assert parse_frame(encode_frame(address, data)) == (address, data)
    assert encode_frame(address, data) == frame(f"${address:02}{data.decode('latin-1')}")


SCALES = st.builds(Scale, st.sampled_from((1, 5, 10, 1000)), st.integers(0, 6))


@given(st.integers(3, 15).flatmap(lambda digits: st.tuples(
    st.just(digits), st.lists(st.integers(-(10 ** (digits - 1)) + 1, 10**digits - 1), min_size=4, max_size=4)
)), SCALES)  # fmt: skip
def test_every_number_comes_back(case: tuple[int, list[int]], scale: Scale) -> None:
    digits, numbers = case
    ask = CirbusAsk("RAI", ("current_l1", "current_l2", "current_l3", "current_n"), scale, digits=digits)
    data = "".join(f"{number:0{digits}d}" for number in numbers).encode()
    values = parse_fields(ask, data)
    assert list(values.values()) == [number * scale.multiplier / 10**scale.decimals for number in numbers]
    assert encode_fields(ask, values) == data


POLL = b"".join(frame(f"$07{code}") + frame(f"$07{data}") for code, data in CVMK.items())


@given(st.integers(0, len(POLL) - 1), st.integers(1, 255))
def test_a_damaged_byte_in_a_capture_adds_no_value(at: int, flip: int) -> None:
    (whole,) = decode_cirbus(POLL, PROFILE)
    assert isinstance(whole, CirbusReading)
    heard = decode_cirbus(POLL[:at] + bytes([POLL[at] ^ flip]) + POLL[at + 1 :], PROFILE)
    assert any(isinstance(item, Damage) for item in heard)
    for item in heard:
        if isinstance(item, CirbusReading):
            assert item.measured.values.items() < whole.measured.values.items()
