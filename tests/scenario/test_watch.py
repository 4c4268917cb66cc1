"""Each kind of alert is raised, held and over through a real book; restarts in every state; history says nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from alert_house import START, Hands, Run, at, power_rule, settings, told
from wattbook.codecs.reading_json import format_instant
from wattbook.config import Config, load
from wattbook.model import Event, Reading

ABOVE = """
[[alert]]
name = "over"
kind = "above"
meters = ["main-a"]
quantity = "active_power"
limit = 5000
hysteresis = 500
lasting = "1min"
"""


def power(second: float, watts: float) -> Reading:
    return told(second, active_power=watts)


def every(start: float, end: float, make: Callable[[float], Reading], step: float = 10.0) -> list[Reading]:
    return [make(start + number * step) for number in range(math.ceil((end - start) / step))]


async def test_above_waits_holds_and_is_over(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, ABOVE), Hands())
    await run.hear(power(0, 3000), power(10, 6000), power(30, 6000), power(40, 4000))  # too short
    assert run.events() == []
    await run.hear(*every(50, 110, lambda second: power(second, 6000)), power(110, 6200))
    assert run.events() == [("raised", "over")]
    await run.hear(power(120, 7000), power(130, 4800))  # within the hysteresis
    assert run.events() == [("raised", "over")]
    await run.hear(power(140, 4400), power(150, 4900))
    assert run.events() == [("raised", "over"), ("recovered", "over")]
    raised, over = run.whole_events()
    assert raised.body["text"] == "main-a: Active power 6.2 kW, above 5 kW for 1 min"
    assert raised.body["since"] == format_instant(at(50))
    assert (over.body["lasted_s"], over.body["worst"]) == (90.0, 7000.0)
    await run.stop()


async def test_a_meter_that_is_read_seldom_is_beyond_a_limit_too(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, ABOVE), Hands())
    for second in range(0, 4500, 900):
        await run.hear(power(second, 3000 if second < 1800 else 6000))
    assert run.events() == [("raised", "over")]
    assert run.whole_events()[0].body["since"] == format_instant(at(1800))
    await run.stop()


async def test_what_was_before_a_long_silence_does_not_count(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, ABOVE), Hands())
    await run.hear(power(0, 3000), power(10, 6000))
    await run.hear(power(1000, 6000), power(1010, 6000))
    assert run.events() == []
    await run.hear(*every(1020, 1061, lambda second: power(second, 6000)))
    assert run.whole_events()[0].body["since"] == format_instant(at(1000))
    await run.stop()


async def test_a_second_long_silence_is_one_too(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, ABOVE), Hands())
    await run.hear(power(0, 3000), power(10, 3000), power(4010, 6000))
    await run.hear(power(9010, 6000))
    assert run.events() == []
    await run.stop()


@pytest.mark.parametrize("stop_after", range(1, 14))
async def test_a_restart_in_any_state_changes_nothing(tmp_path: Path, stop_after: int) -> None:
    config, clock = settings(tmp_path, ABOVE), Hands()
    watts = [3000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 6000, 4800, 4800, 4000, 4000, 4000]
    readings = [power(10.0 * number, value) for number, value in enumerate(watts)]
    run = Run(config, clock)
    await run.hear(*readings[:stop_after])
    await run.stop()
    run = Run(config, clock)
    await run.hear(*readings[stop_after:])
    await run.stop()
    run = Run(config, clock)
    await run.settled()
    assert run.events() == [("raised", "over"), ("recovered", "over")]
    await run.stop()


async def test_below_and_rate(tmp_path: Path) -> None:
    rules = """
[[alert]]
name = "flat"
kind = "below"
quantity = "voltage"
limit = 210
[[alert]]
name = "jump"
kind = "rate"
quantity = "voltage"
limit = 15
within = "1min"
"""
    run = Run(settings(tmp_path, rules), Hands())
    await run.hear(told(0, voltage=230), told(10, voltage=222), told(20, voltage=205))
    assert run.events() == [("raised", "flat"), ("raised", "jump")]
    await run.hear(told(30, voltage=212), told(200, voltage=212), told(210, voltage=213))
    assert run.events()[2:] == [("recovered", "flat"), ("recovered", "jump")]
    await run.stop()


async def test_a_late_reading_does_not_make_a_rate_forget_newer_ones(tmp_path: Path) -> None:
    rule = '[[alert]]\nname = "jump"\nkind = "rate"\nquantity = "active_power"\nlimit = 900\nwithin = "10min"\n'
    run = Run(settings(tmp_path, rule), Hands())
    await run.hear(power(0, 500), power(120, 1000))
    run.book.append([power(60, 600)], urgent=True).result(30)
    await run.settled()
    await run.hear(power(180, 50))
    assert run.events() == [("raised", "jump")]
    await run.stop()


async def test_a_silent_meter(tmp_path: Path) -> None:
    rule = '[[alert]]\nname = "silent"\nkind = "silent"\nmeters = ["main-a"]\nlasting = "10min"\n'
    config, clock = settings(tmp_path, rule), Hands()
    run = Run(config, clock)
    await run.hear(power(0, 1))
    await run.wait(590)
    assert run.events() == []
    await run.wait(660)
    assert run.events() == [("raised", "silent")]
    await run.stop()
    run = Run(config, clock)  # still silent
    await run.wait(1500)
    await run.hear(power(1501, 1))
    assert run.events() == [("raised", "silent"), ("recovered", "silent")]
    await run.stop()
    clock.at = at(9000)  # our own absence is nobody's silence
    run = Run(config, clock)
    await run.wait(9300)
    assert len(run.events()) == 2
    await run.stop()


SUPPLY = """
[[alert]]
name = "outage"
kind = "supply"
severity = "critical"
[[alert]]
name = "generator"
kind = "generator"
severity = "info"
"""


def supply(second: float, kind: str, **body: object) -> Event:
    return Event(f"supply.{kind}", "", at(second), {"from": format_instant(at(second)), **body})


async def test_the_supply_and_the_generator_with_its_time(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, SUPPLY), Hands())
    await run.note(supply(0, "utility"))
    await run.note(supply(100, "dark", reason="no meter of a source tells of power"))
    await run.note(supply(160, "generator", was="dark", was_s=60))
    await run.note(supply(3760, "utility", was="generator", was_s=3600))
    assert run.events() == [
        ("raised", "outage"), ("raised", "generator"), ("recovered", "outage"), ("recovered", "generator"),
    ]  # fmt: skip
    assert "the generator ran 1 h" in run.whole_events()[-1].body["text"]
    await run.stop()


async def test_a_dark_span_is_told_after_the_restart_once(tmp_path: Path) -> None:
    config, clock = settings(tmp_path, SUPPLY), Hands()
    run = Run(config, clock)
    await run.note(supply(0, "utility"))
    await run.stop()
    clock.at = at(4000)
    run = Run(config, clock)
    await run.settled()
    dark = supply(100, "dark", to=format_instant(at(4000)), reason="this machine was off", was="utility")
    await run.note(dark, supply(4000, "utility", was="dark"))
    await run.stop()
    run = Run(config, clock)
    await run.settled()
    assert run.events() == [("raised", "outage"), ("recovered", "outage")]
    assert run.whole_events()[0].body["text"] == "nothing fed the house for 1 h 5 min: this machine was off"
    await run.stop()


async def test_en_50160_judges_means_not_values(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, '[[alert]]\nname = "limits"\nkind = "en50160"\nmeters = ["main-a"]\n'), Hands())

    def volts(value: float, hertz: float = 50.0) -> Callable[[float], Reading]:
        return lambda second: told(second, voltage_l1=value, frequency=hertz)

    await run.hear(*every(0, 600, volts(230), 60), told(601, voltage_l1=300, frequency=50))  # one value alone
    await run.hear(*every(660, 1200, volts(231), 60))
    assert run.events() == []
    await run.hear(*every(1200, 1801, volts(256), 60))
    assert run.events() == [("raised", "limits")]
    assert run.whole_events()[0].body["text"] == "main-a: Voltage, L1 256 V is outside 207 to 253 V (EN 50160)"
    await run.hear(*every(1860, 2401, volts(256, 49.0), 60))  # the frequency is a second subject
    await run.hear(*every(2460, 3001, volts(230), 60))
    assert run.events() == [("raised", "limits")] * 2 + [("recovered", "limits")] * 2
    await run.stop()


async def test_imbalance_of_three_phases(tmp_path: Path) -> None:
    rule = '[[alert]]\nname = "uneven"\nkind = "imbalance"\nlasting = "20s"\n'
    run = Run(settings(tmp_path, rule), Hands())
    for second, third in ((0, 230.0), (10, 215.0), (20, 215.0), (30, 215.0), (40, 229.0)):
        await run.hear(told(second, voltage_l1=230.0, voltage_l2=230.0, voltage_l3=third))
    assert run.events() == [("raised", "uneven"), ("recovered", "uneven")]
    await run.stop()


async def test_a_budget_of_the_day_and_its_forecast(tmp_path: Path) -> None:
    rules = """
[[alert]]
name = "day"
kind = "budget"
meters = ["main-a"]
limit = 10_000
[[alert]]
name = "ahead"
kind = "budget"
meters = ["main-a"]
limit = 10_000
forecast = true
"""
    clock = Hands()
    run = Run(settings(tmp_path, rules), clock)
    past = [told(60.0 * minute, active_energy_import=10.0 * minute) for minute in range(-720, 1)]  # 600 Wh an hour
    await run.hear(*past[-1:])
    await run.hear(Reading("main-a", at(1), {"active_energy_import": 1.0}))
    run.book.append(past[:-1], urgent=True).result(30)
    await run.wait(130)
    assert [event for event in run.events() if event[1] == "day"] == []
    assert run.events() == [("raised", "ahead")]  # 7.2 kWh by noon are 14.4 kWh by midnight
    await run.hear(told(300, active_energy_import=4000.0))
    await run.wait(420)
    assert ("raised", "day") in run.events()
    await run.wait(12 * 3600 + 180, step_s=7200)  # another day
    assert run.events()[-2:] in ([("recovered", "day"), ("recovered", "ahead")],)
    await run.stop()


async def test_always_on_load_that_creeps_up(tmp_path: Path) -> None:
    config, clock = settings(tmp_path, '[[alert]]\nname = "base"\nkind = "always-on"\nmeters = ["main-a"]\n'), Hands()
    run = Run(config, clock)
    nights = [
        Reading("main-a", START - timedelta(days=day, hours=9, minutes=-minute), {"active_power": watts})
        for day in range(20, -1, -1)
        for minute in range(0, 60, 5)
        for watts in ([150.0] if day < 3 else [100.0])
    ]
    run.book.append(nights, urgent=True).result(30)
    await run.wait(130)
    assert run.events() == [("raised", "base")]
    assert run.whole_events()[0].body["text"] == "main-a: always on 150 W, before 100 W"
    await run.stop()


async def test_sink_backup_and_disk(tmp_path: Path) -> None:
    rules = """
[[alert]]
name = "sink"
kind = "sink"
lasting = "5min"
[[alert]]
name = "backup"
kind = "backup"
[[alert]]
name = "disk"
kind = "disk"
limit = 100
"""
    config, clock = settings(tmp_path, rules), Hands()
    run = Run(config, clock)
    await run.wait(61)
    assert run.events() == [("raised", "disk")]  # never is all of it free
    run.sink.state, run.sink.reason = "away", "connection refused"
    await run.wait(180)
    await run.note(Event("backup.failed", "", at(200), {"reason": "nothing is mounted at /mnt"}))
    await run.wait(430)
    assert run.events()[1:] == [("raised", "backup"), ("raised", "sink")]
    await run.stop()
    run = Run(config, clock)  # it begins, and nobody knows yet: that is not "over"
    await run.wait(500)
    run.sink.state = "away"
    await run.wait(600)
    assert len(run.events()) == 3
    run.sink.state = "waiting"
    await run.note(Event("backup.made", "", at(700), {}))
    assert sorted(run.events()[3:]) == [("recovered", "backup"), ("recovered", "sink")]
    await run.stop()


async def test_late_readings_and_history_raise_nothing(tmp_path: Path) -> None:
    run = Run(settings(tmp_path, ABOVE), Hands())
    await run.hear(power(0, 3000))
    old = [power(second, 9000) for second in range(-86_400, -80_000, 10)]
    await run.hear(*old[:5])
    run.book.append(old[5:], urgent=True).result(30)
    await run.hear(power(10, 3000))
    run.book.append([power(second, 9000) for second in range(-600, -400, 10)], urgent=True).result(30)  # late
    await run.settled()
    assert run.events() == []
    await run.stop()


async def test_a_clock_set_back_goes_on(tmp_path: Path) -> None:
    clock = Hands(at(7200))
    run = Run(settings(tmp_path, ABOVE), clock)
    await run.hear(*every(7200, 7270, lambda second: power(second, 6000)))
    assert run.events() == [("raised", "over")]
    clock.at = at(3600)
    await run.note(Event("clock.step", "", at(3600), {"by_s": -3600.0}))
    await run.hear(power(3601, 100))
    assert run.events() == [("raised", "over"), ("recovered", "over")]
    await run.stop()


async def test_reminders_are_decided_once(tmp_path: Path) -> None:
    rules = ABOVE + '[[notify]]\nname = "anna"\nurl = "json://127.0.0.1:1"\nremind = "10min"\n'
    config, clock = settings(tmp_path, rules), Hands()
    run = Run(config, clock)
    await run.hear(*every(0, 70, lambda second: power(second, 6000)))
    await run.wait(400)
    await run.stop()
    run = Run(config, clock)
    await run.wait(1400)
    assert run.events() == [("raised", "over"), ("reminded", "over"), ("reminded", "over")]
    assert run.whole_events()[1].body["to"] == ["anna"]
    await run.stop()


def reload(folder: Path, *changes: tuple[str, str]) -> Config:
    """The house after its file was changed."""
    file = folder / "wattbook.toml"
    text = file.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    file.write_text(text, encoding="utf-8")
    return load(file)


ANNA = '[[notify]]\nname = "anna"\nurl = "json://127.0.0.1:1"\nremind = "6h"\n'
GENERATOR = '[[meter]]\nname = "generator"\nmodel = "push"\nsource = "generator"\n'
SPARE = '[[meter]]\nname = "spare"\nmodel = "push"\n'


async def test_what_a_rule_watches_no_more_has_ended_and_is_not_reminded_of(tmp_path: Path) -> None:
    rules = power_rule("over") + '[[alert]]\nname = "silent"\nkind = "silent"\nlasting = "10min"\n' + ANNA
    clock = Hands()
    run = Run(settings(tmp_path, rules), clock)
    await run.hear(told(1, "generator", active_power=0.0), *every(0, 1200, lambda second: power(second, 9000), 60))
    assert run.events() == [("raised", "over"), ("raised", "silent")]
    await run.stop()
    run = Run(reload(tmp_path, (GENERATOR, SPARE), ('meters = ["main-a"]', 'meters = ["spare"]')), clock)
    await run.settled()
    over, silent = run.whole_events()[2:]
    assert [(each.kind, each.subject) for each in (over, silent)] == [
        ("alert.recovered", "over"), ("alert.recovered", "silent"),
    ]  # fmt: skip
    assert over.body["text"] == "main-a: Active power: no longer watched by this rule"
    assert (over.body["lasted_s"], over.body["value"], over.body["unwatched"]) == (1140.0, None, True)
    assert silent.body["text"] == "generator: no longer watched by this rule"
    assert run.alerts.watcher.standing().raised == 0
    assert run.alerts.watcher.now.heard.keys() == {"main-a"}
    for hour in range(1, 9):
        await run.wait(hour * 3600 - 60, step_s=300)
        await run.hear(power(hour * 3600, 9000), told(hour * 3600, "spare", active_power=10.0))
    assert [event for event in run.events()[4:] if event[0] == "reminded"] == []
    await run.stop()


@pytest.mark.parametrize("change", [
    ('quantity = "active_power"', 'quantity = "current"'),
    ('kind = "above"', 'kind = "below"'),
])  # fmt: skip
async def test_a_rule_about_something_else_begins_anew(tmp_path: Path, change: tuple[str, str]) -> None:
    clock = Hands()
    run = Run(settings(tmp_path, power_rule("over")), clock)
    await run.hear(power(0, 9000))
    await run.stop()
    run = Run(reload(tmp_path, change), clock)
    await run.settled()
    assert run.events() == [("raised", "over"), ("recovered", "over")]
    await run.hear(power(10, 9000))
    await run.stop()
    run = Run(reload(tmp_path), clock)  # it is said once
    await run.settled()
    assert run.events() == [("raised", "over"), ("recovered", "over")]
    await run.stop()


async def test_a_sink_that_is_removed_while_it_is_away_has_ended(tmp_path: Path) -> None:
    rule = '[[alert]]\nname = "sinks"\nkind = "sink"\nlasting = "10min"\n'
    clock = Hands()
    run = Run(settings(tmp_path, rule), clock)
    run.sink.state, run.sink.reason = "away", "it is off"
    await run.wait(1200)
    assert run.events() == [("raised", "sinks")]
    await run.stop()
    run = Run(reload(tmp_path, ('name = "screen"', 'name = "other"')), clock)
    await run.settled()
    assert run.events() == [("raised", "sinks"), ("recovered", "sinks")]
    assert run.whole_events()[-1].body["text"] == "screen: no longer watched by this rule"
    await run.stop()
