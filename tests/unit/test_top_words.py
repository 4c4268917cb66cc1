"""What the terminal shows, without a terminal: numbers, lines of blocks, columns, and what is said of a house."""

from datetime import UTC, datetime, timedelta

import pytest

from wattbook.model import ConfigError
from wattbook.top import lines
from wattbook.top.answers import About, Alert, AlertState, Meter, Reading, Series, Sink, Supply, Virtual, Watched
from wattbook.top.ask import Place, parse_url
from wattbook.top.house import Computed, Energy, House, Lost, Meters, Opened, Past, Sinks
from wattbook.top.rows import Rows, columns, value_of, wanted
from wattbook.top.sorting import Sorting, in_order
from wattbook.top.trace import POINTS_MAX, Trace
from wattbook.top.words import change, duration, length, spark, text

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1234.0, "W", "1\u202f234 W"),
        (99.46, "W", "99.5 W"),
        (-0.01, "W", "0.0 W"),
        (12_345.0, "W", "12.35 kW"),
        (2_500_000.0, "var", "2.50 Mvar"),
        (25_409_587.0, "Wh", "25\u202f409.587 kWh"),
        (230.1, "V", "230.1 V"),
        (0.98, "1", "0.98"),
        (90_061.0, "s", "1 d 1 h"),
    ],
)
def test_values_as_people_read_them(value: float, unit: str, shown: str) -> None:
    assert text(value, unit) == shown


def test_lengths_of_time() -> None:
    assert [length(seconds) for seconds in (-5, 0.9, 59, 60, 7199, 90_000)] == [
        "0 s", "0 s", "59 s", "1 min", "1 h", "1 d",
    ]  # fmt: skip
    assert [duration(seconds) for seconds in (3, 125, 3600, 496_800)] == ["3 s", "2 min 5 s", "1 h", "5 d 18 h"]


def test_a_change_says_nothing_where_nothing_was() -> None:
    assert (change(110, 100), change(88, 100), change(1, 0), change(1, None)) == ("+10 %", "-12 %", "", "")


def test_a_line_of_blocks_ends_now_and_is_blank_where_nothing_is_known() -> None:
    trace = Trace()
    for second in range(0, 60, 10):
        trace.add(1000.0 + second, 100.0 + second)
    assert spark(trace, 10, 1100.0, 100.0) == "▆▆▇▇████  "  # after two periods it is no longer known
    assert spark(trace, 10, 2000.0, 100.0) == ""
    trace.add(1005.0, -50.0)  # the clock was set back
    assert spark(trace, 2, 1010.0, 10.0) == "█▁"


def test_a_trace_goes_forward_and_has_an_end() -> None:
    trace = Trace()
    for number in range(POINTS_MAX + 500):
        trace.add(number / 10, float(number))
    assert len(trace.means(10, POINTS_MAX / 10, 60.0)) == 10
    assert trace.bounds()[0] >= 500
    version = trace.version
    trace.fill([(1.0, 1.0)])
    assert trace.version != version


@pytest.mark.parametrize("width", [79, 81, 100, 120, 141, 400])
def test_columns_fill_the_width_and_no_more(width: int) -> None:
    fitting = columns(width)
    assert sum(column.width for column in fitting) <= width
    assert {"name", "active_power", "voltage", "current", "power_factor", "frequency", "state", "age", "spark"} <= {
        column.key for column in fitting
    }


def test_phases_are_one_mean_and_doubt_is_said() -> None:
    told = Reading("a", NOW, {"voltage_l1": 229.0, "voltage_l2": 231.0, "active_power_l1": 5.0, "active_power_l2": 7.0})
    assert (value_of(told, "voltage"), value_of(told, "active_power"), value_of(told, "current")) == (
        "ø230.0", "12.0 W", "–",
    )  # fmt: skip
    doubtful = Reading("a", NOW, {"voltage": 23.0, "frequency": 50.0}, doubt={"voltage": "suspect"})
    assert (value_of(doubtful, "voltage"), value_of(doubtful, "frequency")) == ("23.0?", "50.00")


def test_every_word_must_stand_in_what_is_said_of_a_meter() -> None:
    meter = Meter("heat-pump", location="house/cellar", model="zpa-two-tariff")
    assert wanted(meter, "")
    assert wanted(meter, "CELLAR heat")
    assert not wanted(meter, "cellar pzem")


def house() -> House:
    house = House(About("House"))
    for news in (
        Opened(),
        Meters([Meter("main-a", source="utility", state="present"), Meter("lamp", state="present")]),
        Reading("main-a", NOW, {"active_power": 777.0}),
        Reading("main-a", NOW, {"active_power": 111.0}, site="elsewhere"),
        Past([Series("main-a")]),
    ):
        house.take(news)
    return house


def test_of_another_house_nothing_is_shown() -> None:
    assert house().readings["main-a"].values == {"active_power": 777.0}


def test_a_lost_connection_leaves_nothing_that_looks_live() -> None:
    lost = house()
    lost.take(Supply("utility", NOW - timedelta(hours=2)))
    lost.take(Sinks([Sink("influx", state="present")]))
    assert "present" in lines.sinks(lost).plain
    lost.take(Lost("it is gone"))
    said = " ".join(each.plain for each in (lines.trouble(lost), lines.supply(lost), lines.sinks(lost)))
    assert "CONNECTION LOST · values are from" in said
    assert "last known: The utility feeds the house" in said
    assert "influx unknown" in said
    cells = Rows(lost).cells(lost.meters["main-a"], columns(80))
    assert "? unknown" in "".join(cell.plain for cell in cells)
    assert {str(cell.style) for cell in cells[1:6]} == {"dim"}


def test_sinks_in_trouble_come_first() -> None:
    told = house()
    told.take(Sinks([Sink("mqtt", state="present"), Sink("influx", state="away", reason="refused", behind=12)]))
    assert lines.sinks(told).plain == " Sinks  influx away (refused), 12 waiting · mqtt present"


def test_alerts_that_are_raised_stand_in_their_words() -> None:
    told = house()
    raised = Alert("over 5 kW", "raised", about=(AlertState("raised", "main-a: 5.2 kW is over 5 kW"), AlertState()))
    told.take(Watched((Alert("silent"), raised)))
    assert lines.alerts(told).plain == " ALERT: main-a: 5.2 kW is over 5 kW"
    told.take(Watched((Alert("silent"),)))
    assert lines.alerts(told).plain == ""


def test_today_is_compared_only_with_a_whole_yesterday() -> None:
    told = house()
    told.take(Energy({"main-a": 11_000.0, "lamp": 5.0}, {"main-a": 10_000.0}))
    assert lines.day(told).plain == " Today utility 11.000 kWh (+10 % on yesterday's 10.000 kWh by now)"
    told.take(Energy({"main-a": 11_000.0}, {}))
    assert lines.day(told).plain == " Today utility 11.000 kWh"


def test_a_dark_house_and_a_book_that_cannot_be_written_are_said() -> None:
    told = house()
    told.take(Supply("dark", NOW))
    told.take(About("House", gap={"since": None, "reason": "the disk is full"}))
    assert "THE HOUSE IS DARK" in lines.supply(told).plain
    assert "THE BOOK CANNOT BE WRITTEN: the disk is full" in lines.trouble(told).plain


@pytest.mark.parametrize(
    ("typed", "url"), [("house:8600", "http://house:8600"), ("https://a.example/w/", "https://a.example/w")]
)
def test_an_address_as_it_is_typed(typed: str, url: str) -> None:
    assert parse_url(typed) == url


@pytest.mark.parametrize(
    "typed", ["", "ftp://house", "http://house:eight", "http://anna:secret@house", "http://h/?a=1"]
)
def test_what_is_no_address(typed: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        parse_url(typed)


def test_below_a_reverse_proxy_and_with_names_of_any_kind() -> None:
    place = Place("https://a.example/w")
    assert place.path("meters/a b/life") == "/w/api/v1/meters/a%20b/life"
    assert place.path("query", [("meter", "a&b")]) == "/w/api/v1/query?meter=a%26b"


def test_a_virtual_meter_is_what_its_parts_are() -> None:
    house = House(About(site="House"))
    house.take(Opened())
    house.take(Meters([Meter("a", state="present"), Meter("b", state="present")]))
    house.take(Computed([Virtual("rest", "a - b", "house", parts={"a": 1.0, "b": -1.0})]))
    house.take(Reading("a", NOW, {"active_power": 1500.0}))
    assert "rest" not in house.readings  # of b nothing is known
    before = NOW - timedelta(seconds=3)
    house.take(Reading("b", before, {f"active_power_l{phase}": 100.0 for phase in (1, 2, 3)}, quality="suspect"))
    rest = house.readings["rest"]
    assert (rest.values, rest.at, rest.doubted("active_power")) == ({"active_power": 1200.0}, before, True)
    assert [(meter.name, meter.state) for meter in house.rows()][-1] == ("rest", "computed")
    house.take(Meter("b", state="away"))
    last = house.rows()[-1]
    assert (last.state, last.reason, last.live) == ("away", "b: not present", False)


def test_meters_stand_in_the_order_of_a_column_and_the_unknown_last() -> None:
    house = House(About(site="House"))
    house.take(Opened())
    powers = {"c": 5.0, "a": 700.0, "d": None, "B": 60.0}
    house.take(Meters([Meter(name, state="present") for name in powers]))
    for name, power in powers.items():
        house.take(Reading(name, NOW, {"active_power": power} if power is not None else {"voltage": 230.0}))

    def names(sorting: Sorting) -> str:
        return "".join(meter.name for meter in in_order(house, house.rows(), sorting))

    power = Sorting().by("active_power")
    assert (names(Sorting()), names(power), names(power.turn())) == ("cadB", "aBcd", "cBad")
    assert (names(Sorting("name")), names(Sorting("name", turned=True))) == ("aBcd", "dcBa")
    assert (power.mark, power.turn().mark, Sorting("name").mark) == ("▼", "▲", "▲")
    assert power.by("active_power").by("active_power") == Sorting()
    shown = columns(80)
    sorting, keys = Sorting(), []
    for _ in range(len(shown)):
        keys.append(sorting.key)
        sorting = sorting.next(shown)
    assert keys == ["", *(column.key for column in shown[:-1])] and sorting == Sorting()
