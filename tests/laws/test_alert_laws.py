"""Whatever is read: raised and recovered alternate, nothing is said before its time, a restart changes nothing."""

from __future__ import annotations

from array import array

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from wattbook.config import AlertSettings
from wattbook.engine.alert_readings import Value, sight_of, values_for
from wattbook.engine.alert_state import Sight, State
from wattbook.model import Columns

values = st.lists(st.tuples(st.integers(0, 400_000), st.one_of(st.none(), st.floats(0, 100))), max_size=25)
sights = st.lists(st.tuples(st.integers(-50_000, 400_000), st.sampled_from([True, False, None])), max_size=25)


@st.composite
def rules(draw: st.DrawFn) -> AlertSettings:
    kind = draw(st.sampled_from(["above", "below", "rate", "en50160"]))
    return AlertSettings(
        name="rule",
        kind=kind,
        quantity="voltage",
        limit=draw(st.floats(1, 99)),
        hysteresis=draw(st.floats(0, 20)),
        lasting=draw(st.sampled_from([0.0, 1.0, 600.0])),
        nominal=50.0,
    )


@given(sights, st.sampled_from([0, 1000, 300_000]))
def test_raised_and_recovered_alternate_and_are_not_early(steps: list[tuple[int, bool | None]], lasting: int) -> None:
    state, at, said = State(), 0, []
    for by, bad in steps:
        at = max(at + by, 0)
        began = state.since
        change = state.see(Sight("", at, bad, 1.0), lasting)
        if change == "raised":
            assert at - state.since >= lasting
            assert began == state.since or lasting == 0
        said += [change] if change else []
    assert said == [("raised", "recovered")[number % 2] for number in range(len(said))]


@given(rules(), values, st.integers(0, 25))
def test_a_restart_anywhere_changes_nothing(
    rule: AlertSettings, told: list[tuple[int, float | None]], restart: int
) -> None:
    def play(restarts: bool) -> list[tuple[int, str]]:
        state, at, said = State(), 0, []
        for number, (by, value) in enumerate(told):
            at += by
            if restarts and number >= restart:
                state = msgspec.json.decode(msgspec.json.encode(state), type=State)
            if value is None:
                continue
            sight = sight_of(rule, state, "m/voltage", Value(at, "voltage", value))
            change = state.see(sight, rule.lasting_ms) if sight else None
            said += [(at, change)] if change else []
        return said

    once = play(False)
    assert once == play(True)
    assert [change for _, change in once] == [("raised", "recovered")[number % 2] for number in range(len(once))]


@given(st.lists(st.tuples(st.floats(0, 300), st.sampled_from([0, 1, 255])), min_size=1, max_size=20))
def test_only_good_values_count(cells: list[tuple[float, int]]) -> None:
    rule = AlertSettings(name="rule", kind="above", quantity="voltage", limit=1)
    columns = Columns(
        "", "m", array("q", range(len(cells))), array("q", range(len(cells))),
        {"voltage": array("d", [value for value, _ in cells])}, array("B", [0] * len(cells)),
        {"voltage": array("B", [code for _, code in cells])},
    )  # fmt: skip
    assert [value.value for value in values_for(rule, columns)] == [value for value, code in cells if code != 1]
