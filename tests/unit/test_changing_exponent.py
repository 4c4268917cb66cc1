"""A PM710 that goes to a coarser or finer power of ten changes the stored shape, and never what was written before."""

from __future__ import annotations

from wattbook.codecs.registers import plan_profile
from wattbook.profiles import Library
from wattbook.store.packing import Packer, Shape, decode_cells, divisors, parse_shape, shape_text
from wattbook.store.rows import cell_values

SETTINGS = Library().get("pm710").modbus
FIRST_BLOCK, EXPONENTS = 3999, 4104  # on the wire


def words(current: int, power: int, energy: int, exponents: tuple[int, int, int, int]) -> list[int]:
    """What the meter answers; `exponents` of current, voltage, power and energy."""
    block, tail = [0] * 55, [0] * 8
    block[0:2] = divmod(energy, 0x10000)
    block[4006 - 4000], block[4020 - 4000], block[4033 - 4000] = power & 0xFFFF, current, 2301
    tail[0:4] = [exponent & 0xFFFF for exponent in exponents]
    return block + tail


def test_a_changed_exponent_changes_the_shape_and_not_the_past() -> None:
    assert SETTINGS is not None
    plan, packer = plan_profile(SETTINGS), Packer()
    answers = [
        words(6500, 4500, 1223629, (-3, -1, -3, 0)),
        words(6501, -4501, 1223630, (-3, -1, -3, 0)),
        words(3251, 900, 122364, (-1, -1, 0, 1)),  # currents over 32.767 A: coarser
        words(65, -3, 1223645, (2, 0, 3, 2)),
        words(32767, 32767, 1223646, (-4, -1, -4, -2)),  # finer than ever
        words(6502, 4502, 1223631, (-3, -1, -3, 0)),
    ]
    written: list[tuple[dict[str, float], str, bytes]] = []
    for answer in answers:
        values = dict(plan.decode(answer).values)
        form, cells = packer.pack(values)
        written.append((values, shape_text(form.shape), cells))
    assert [values["current_l1"] for values, _, _ in written] == [6.5, 6.501, 325.1, 6500, 3.2767, 6.502]
    assert [values["active_power"] for values, _, _ in written] == [4500, -4501, 900000, -3000000, 3276.7, 4502]
    assert [values["active_energy_import"] for values, _, _ in written] == [
        1223629000, 1223630000, 1223640000, 122364500000, 12236460, 1223631000
    ]  # fmt: skip
    for values, text, cells in written:
        shape: Shape = parse_shape(text)
        assert dict(cell_values(shape, divisors(shape), decode_cells(cells))) == values
    shapes = [dict(parse_shape(text)) for _, text, _ in written]
    assert shapes[0]["current_l1"] != shapes[4]["current_l1"] == -4
    assert len({text for _, text, _ in written}) <= 3  # a meter that goes to and fro does not make a shape each time
