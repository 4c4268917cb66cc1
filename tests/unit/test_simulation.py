"""Lines and meters put together: what is refused, what is skipped, where the ports stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from wattbook.model.errors import ConfigError
from wattbook.profiles import Library
from wattbook.simulate import Faults, Options, SimulatedLine, SimulatedMeter, TimedFaults, build, demo_house, report
from wattbook.simulate.simulation import link_path
from wattbook.simulate.statistics import Tally

LIBRARY = Library()
PZEM, OPTICAL, SML = (LIBRARY.get(name) for name in ("pzem-016", "iec62056-21", "sml"))


@pytest.mark.parametrize(
    ("meters", "message"),
    [
        ([("a", PZEM, 4), ("b", PZEM, 4)], "two meters have the address 4"),
        ([("a", PZEM, 4), ("b", OPTICAL, "")], "different kinds cannot share a line: iec62056-21, modbus"),
        ([("a", PZEM, "four")], 'a Modbus address is a number, not "four"'),
        ([("a", PZEM, 4), ("a", PZEM, 5)], 'two simulated things are called "a"'),
        ([("line", PZEM, 4)], 'two simulated things are called "line"'),
    ],
)
def test_what_cannot_be_on_a_line(meters: list[tuple[str, object, object]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build([SimulatedLine("line", "x")], [SimulatedMeter(n, "line", p, a) for n, p, a in meters])  # type: ignore[arg-type]


def test_what_cannot_be_simulated_is_skipped_with_its_reason() -> None:
    lines = [
        SimulatedLine("broker", "mqtt://localhost"),
        SimulatedLine("empty", "x"),
        SimulatedLine("pushed", "y"),
    ]
    meters = [
        SimulatedMeter("m", "broker", LIBRARY.get("json-mqtt")),
        SimulatedMeter("p", "pushed", LIBRARY.get("push")),
        SimulatedMeter("lost", "", LIBRARY.get("push")),
    ]
    assert build(lines, meters).skipped == (
        "line broker: mqtt:// is not simulated",
        "line empty: no meter is on it",
        "line pushed: push meters are not simulated",
        "meter lost: it is on no line",
    )


def test_faults_for_nobody_are_refused() -> None:
    meters = [SimulatedMeter("main-a", "line", PZEM)]
    with pytest.raises(ConfigError, match='is called "mainA"'):
        build([SimulatedLine("line", "x")], meters, Options(faults=(TimedFaults("mainA", Faults()),)))
    with pytest.raises(ConfigError, match=r'nothing simulated is called "main-b".*main-a'):
        build([SimulatedLine("line", "x")], meters).set_faults("main-b", Faults())


@pytest.mark.parametrize(
    ("port", "path"),
    [
        ("/dev/ttyUSB0", "sim/ttyUSB0"),
        ("/dev/serial/by-id/usb-x", "sim/usb-x"),
        ("auto", "sim/line"),
        ("", "sim/line"),
        ("optical", "sim/optical"),
        ("/run/house/optical", "/run/house/optical"),
    ],
)
def test_where_the_links_stand(port: str, path: str) -> None:
    assert link_path(SimulatedLine("line", port), Path("sim")) == Path(path)


def test_a_file_in_the_place_of_a_port_is_kept(tmp_path: Path) -> None:
    (tmp_path / "line").write_text("precious")
    simulation = build([SimulatedLine("line", "line")], [SimulatedMeter("a", "line", PZEM)], Options(tmp_path))
    with pytest.raises(ConfigError, match="no simulated port"):
        simulation.start()
    assert (tmp_path / "line").read_text() == "precious"


def test_when_one_line_cannot_appear_none_stays(tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    lines = [SimulatedLine("first", "first"), SimulatedLine("second", "second")]
    meters = [SimulatedMeter("a", "first", PZEM), SimulatedMeter("b", "second", PZEM)]
    with pytest.raises(ConfigError):
        build(lines, meters, Options(tmp_path)).start()
    assert not (tmp_path / "first").is_symlink()


def test_the_demo_is_complete() -> None:
    demo = demo_house()
    assert [(meter.name, meter.line, meter.address) for meter in demo.meters] == [
        ("main-a", "rs485", 4),
        ("main-b", "rs485", 5),
        ("generator", "rs485", 6),
        ("utility", "optical", ""),
        ("heat-pump", "sml", ""),
    ]
    assert build(demo.lines, demo.meters).skipped == ()


def test_the_report_is_json_even_before_the_first_request() -> None:
    line = json.loads(report({"line": Tally().snapshot()}))["line"]
    assert line["share"] == 0.0
    assert line["gap_min_s"] is None


def test_a_tally_measures_between_the_first_and_the_last_request() -> None:
    tally = Tally()
    tally.answer("m", 0.9, due_s=1.0)  # of a request before the window
    for at in (1.0, 2.0, 3.0):
        tally.request(at)
        tally.asked("m")
        tally.answer("m", at + 0.9, due_s=0.95)
    seen = tally.snapshot()
    assert (seen.elapsed_s, seen.polls_per_s) == (2.0, 1.0)
    assert seen.share == pytest.approx(0.95)
    assert seen.meters["m"].gap_max_s == pytest.approx(1.0)
    tally.reset()
    assert tally.snapshot().answers == 0
