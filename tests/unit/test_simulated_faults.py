"""Faults and the [simulate] table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wattbook.model.errors import ConfigError
from wattbook.profiles import Library
from wattbook.simulate import Faults, Options, SimulatedLine, SimulatedMeter, TimedFaults, build, parse_options
from wattbook.simulate.faults import Trouble


@pytest.mark.parametrize(
    ("plan", "active", "quiet"),
    [
        (TimedFaults("m", Faults(silent=True), 10, 20), (10, 19.9), (0, 9.9, 20, 70)),
        (TimedFaults("m", Faults(silent=True), 10, 20, every_s=60), (10, 19, 70, 79), (0, 20, 60, 80)),
        (TimedFaults("m", Faults(silent=True), 5), (5, 1e6), (0, 4.9)),
    ],
)
def test_timed_faults(plan: TimedFaults, active: tuple[float, ...], quiet: tuple[float, ...]) -> None:
    assert all(plan.active(elapsed_s) for elapsed_s in active)
    assert not any(plan.active(elapsed_s) for elapsed_s in quiet)


def test_a_timed_fault_wins_while_it_is_active() -> None:
    timed = TimedFaults("m", Faults(silent=True), 10, 20)
    trouble = Trouble("m", first=Faults(damage_every=2), timed=(timed, TimedFaults("other", Faults(), 0, 1)))
    trouble.started_at = 100.0
    assert trouble.now(105.0) == Faults(damage_every=2)
    assert trouble.now(115.0) == Faults(silent=True)
    trouble.set(Faults())
    assert trouble.now(121.0) == Faults()


@pytest.mark.parametrize("wrong", [{"damage_share": 1.5}, {"noise_before": 5000}, {"late_s": -1.0}, {"exception": 256}])
def test_impossible_faults_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"a fault's {next(iter(wrong))} must be from 0"):
        Faults(**wrong)


def test_faults_that_overlap_their_own_return_are_refused() -> None:
    with pytest.raises(ValueError, match="must end"):
        TimedFaults("m", Faults(), 0, 60, every_s=60)


def _of(model: str, port: str = "line") -> tuple[list[SimulatedLine], list[SimulatedMeter]]:
    return [SimulatedLine("line", port)], [SimulatedMeter("m", "line", Library().get(model))]


@pytest.mark.parametrize(
    ("model", "port", "target", "faults", "says"),
    [
        ("zpa-two-tariff", "line", "m", Faults(exception=2), "m: exception does nothing to an optical meter; it can"),
        ("sml", "line", "m", Faults(exception=2), "does nothing to a meter that speaks first"),
        ("pzem-016", "tcp://127.0.0.1:0", "m", Faults(noise_before=5), "does nothing to a Modbus TCP meter"),
        ("pzem-016", "line", "m", Faults(echo=True), "echo does nothing to a Modbus meter"),
        ("pzem-016", "line", "line", Faults(silent=True), "line: silent does nothing to the line of a Modbus meter"),
        ("sml", "line", "line", Faults(echo=True), "does nothing to the line of a meter that speaks first"),
        ("pzem-016", "tcp://127.0.0.1:0", "line", Faults(echo=True), "does nothing to the line of a Modbus TCP meter"),
    ],
)
def test_faults_that_would_do_nothing_are_refused(
    tmp_path: Path, model: str, port: str, target: str, faults: Faults, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        build(*_of(model, port), Options(tmp_path, faults=(TimedFaults(target, faults),)))


@pytest.mark.parametrize("model", ["pzem-016", "zpa-two-tariff", "sml"])
def test_faults_that_every_kind_has(tmp_path: Path, model: str) -> None:
    every = Faults(silent=True, damage_every=2, damage_share=0.5, late_s=1, noise_before=1, noise_after=1)
    plans = (TimedFaults("m", every), TimedFaults("line", Faults(unplugged=True)))
    assert build(*_of(model), Options(tmp_path, faults=plans)).addresses.keys() == {"line"}


def test_the_table() -> None:
    table = {
        "folder": "ports",
        "seed": 7,
        "fault": [{"target": "generator", "from": 10, "until": 20.5, "every": 60, "silent": True, "damage_share": 0.5}],
    }
    faults = Faults(silent=True, damage_share=0.5)
    assert parse_options(table, Path("house")) == Options(
        Path("house/ports"), 7, (TimedFaults("generator", faults, 10.0, 20.5, 60.0),)
    )
    assert parse_options({}) == Options()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"fold": "x"}, 'unknown key "fold" .did you mean "folder"'),
        ({"seed": "x"}, '"seed" must be int'),
        ({"seed": True}, '"seed" must be int'),
        ({"fault": [{"silent": True}]}, '"target" is missing'),
        (
            {"fault": [{"target": "m", "silnt": True}]},
            r'\[\[simulate.fault\]\] 1: unknown key "silnt" .did you mean "silent"',
        ),
        ({"fault": [{"target": "m", "silent": 1}]}, '"silent" must be bool'),
        ({"fault": [{"target": "m", "damage_share": 7}]}, "damage_share must be from 0 to 1"),
        ({"fault": [{"target": "m", "from": 9, "until": 3}]}, "must end after they begin"),
        ({"fault": {}}, '"fault" must be list'),
    ],
)
def test_a_wrong_table_names_the_key(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_options(table)
