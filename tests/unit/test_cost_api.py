"""What energy costs: worked by hand, over clock changes, by register and by source; and what is not known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from api_house import House, house
from wattbook import config
from wattbook.model import Reading

QUARTER = timedelta(minutes=15)
TARIFF = """
[[tariff]]
currency = "CZK"

[[tariff.energy]]
name = "high"
price = "5.413"
register = "t1"

[[tariff.energy]]
name = "low"
price = 2.1
register = "t2"
times = ["22:00-06:00"]

[[tariff.energy]]
name = "diesel"
price = 12
source = "generator"

[[tariff.energy]]
name = "sold"
price = 0.9
export = true
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path, more=TARIFF) as home:
        yield home


def count(home: House, meter: str, start: datetime, quarters: int, **wh: float) -> None:
    """Registers that grow by so much in each quarter of an hour."""
    home.keep(
        *(
            Reading(meter, start + number * QUARTER, {name: 1e6 + number * each for name, each in wh.items()})
            for number in range(quarters + 1)
        )
    )


async def ask(home: House, question: str, status: int = 200) -> dict[str, Any]:
    async with home.client as client:
        response = await client.get(f"/api/v1/cost?{question}")
    assert response.status_code == status, response.text
    told: dict[str, Any] = response.json()
    return told


@pytest.mark.parametrize(
    ("day", "hours", "low_hours"),
    [("2026-11-10", 24, 8), ("2026-03-29", 23, 7), ("2026-10-25", 25, 9)],
)
async def test_a_day_of_two_tariffs_by_hand(home: House, day: str, hours: int, low_hours: int) -> None:
    """1 kWh an hour: on the days of clock changes the night has an hour less or more."""
    start = datetime.fromisoformat(day).replace(tzinfo=home.context.config.site.timezone).astimezone(UTC)
    count(home, "main-a", start, hours * 4, active_energy_import=250)
    end = (datetime.fromisoformat(day) + timedelta(days=1)).date()
    told = await ask(home, f"meter=main-a&from={day}&to={end}")
    (cost,) = told["costs"]
    by_hand = low_hours * Decimal("2.1") + (hours - low_hours) * Decimal("5.413")
    assert told["currency"] == "CZK"
    assert Decimal(cost["total"]["amount"]) == by_hand
    assert cost["total"]["energy"] == str(hours * 1000)
    assert "missing_s" not in cost["total"]
    assert {each["name"]: each["energy"] for each in cost["prices"]} == {
        "low": str(low_hours * 1000),
        "high": str((hours - low_hours) * 1000),
    }
    hourly = await ask(home, f"meter=main-a&from={day}&to={end}&every=1h")
    points = hourly["costs"][0]["points"]
    assert len(points) == hours
    assert sum(Decimal(each["amount"]) for each in points) == by_hand


async def test_six_years_of_two_tariffs_cost_what_each_of_them_costs(home: House) -> None:
    start = datetime(2020, 1, 1, tzinfo=home.context.config.site.timezone).astimezone(UTC)
    home.keep(
        *(
            Reading("main-a", start + timedelta(days=30 * number), {"active_energy_import": 345_600.0 * number})
            for number in range(70)
        )
    )
    (cost,) = (await ask(home, "meter=main-a&from=2020-01-01&to=2026-01-01&every=1y"))["costs"]
    assert len(cost["points"]) == 6
    for year, point in enumerate(cost["points"], 2020):
        (alone,) = (await ask(home, f"meter=main-a&from={year}-01-01&to={year + 1}-01-01"))["costs"]
        assert {"at": point["at"]} | alone["total"] == point | {"rounded": alone["total"]["rounded"]}
    long = await ask(home, "meter=main-a&from=2000-01-01&to=2026-01-01&every=1y", 400)
    assert long["error"] == "too long for prices that change within a day; ask for a shorter time"


async def test_the_register_decides_and_not_the_clock(home: House) -> None:
    """By day, when the clock says high: 60 Wh in t1 and 40 Wh in t2 each quarter, for two hours."""
    start = datetime(2026, 11, 21, 9, tzinfo=UTC)
    count(
        home, "heat-pump", start, 8,
        active_energy_import=100, active_energy_import_t1=60, active_energy_import_t2=40,
    )  # fmt: skip
    told = await ask(home, "meter=heat-pump&from=2026-11-21T10:00&to=2026-11-21T12:00")
    assert told["costs"][0]["total"]["amount"] == "3.27024"  # 0.480 x 5.413 + 0.320 x 2.1
    assert told["costs"][0]["total"]["rounded"] == "3.27"


async def test_a_consumer_pays_for_where_its_energy_came_from(home: House) -> None:
    """The generator gave a quarter of all, so a quarter of what the workshop used is diesel."""
    start = datetime(2026, 11, 21, 9, tzinfo=UTC)
    for meter, wh in (("main-a", 300), ("generator", 100), ("workshop", 200)):
        count(home, meter, start, 4, active_energy_import=wh)
    told = await ask(home, "meter=workshop&from=2026-11-21T10:00&to=2026-11-21T11:00")
    assert told["costs"][0]["total"]["amount"] == "5.6478"  # 0.6 x 5.413 + 0.2 x 12
    whole = await ask(home, "source=utility&source=generator&sum=true&from=2026-11-21T10:00&to=2026-11-21T11:00")
    assert whole["costs"][0]["total"]["amount"] == "11.2956"  # 1.2 x 5.413 + 0.4 x 12


async def test_what_is_sold_is_a_credit(home: House) -> None:
    start = datetime(2026, 11, 21, 9, tzinfo=UTC)
    count(home, "main-a", start, 4, active_energy_import=100, active_energy_export=500)
    told = await ask(home, "meter=main-a&from=2026-11-21T10:00&to=2026-11-21T11:00")
    assert told["costs"][0]["total"]["amount"] == "0.3652"  # 0.4 x 5.413 - 2 x 0.9
    assert told["costs"][0]["total"]["energy"] == "400"


async def test_what_is_not_known_is_told_and_costs_nothing(home: House) -> None:
    start = datetime(2026, 11, 21, 9, tzinfo=UTC)
    count(home, "main-a", start, 4, active_energy_import=100)
    told = await ask(home, "meter=main-a&from=2026-11-21T08:00&to=2026-11-21T11:00&every=1h")
    assert [each["amount"] for each in told["costs"][0]["points"]] == [None, None, "2.1652"]
    assert told["costs"][0]["points"][0] | {"at": ""} == {
        "at": "", "amount": None, "energy": None, "quality": "missing", "missing_s": 3600,
    }  # fmt: skip
    assert told["costs"][0]["total"]["missing_s"] == 7200
    assert (await ask(home, "meter=barn"))["costs"][0]["total"]["amount"] is None


async def test_locations_and_files(home: House) -> None:
    start = datetime(2026, 11, 21, 9, tzinfo=UTC)
    for meter, wh in (("main-a", 300), ("heat-pump", 100)):
        count(home, meter, start, 4, active_energy_import=wh)
    asked = (
        "location=house/panel&location=house/cellar&by=location&from=2026-11-21T10:00&to=2026-11-21T11:00&every=30min"
    )
    told = await ask(home, asked)
    assert [each["meter"] for each in told["costs"]] == ["house/panel", "house/cellar"]
    assert told["costs"][1]["total"]["amount"] == "2.1652"  # 0.4 x 5.413, all of it the utility's
    async with home.client as client:
        csv = (await client.get(f"/api/v1/cost/table?{asked}")).text
        xlsx = await client.get(f"/api/v1/cost/table?{asked}&format=xlsx")
    assert csv.splitlines()[:2] == [
        "at,house/panel [CZK],house/cellar [CZK],quality",
        "2026-11-21T10:00:00.000+01:00,3.2478,1.0826,estimated",
    ]
    assert xlsx.content[:2] == b"PK"


@pytest.mark.parametrize(
    ("question", "status", "words"),
    [
        ("", 400, '"meter" is missing'),
        ("meter=main-b", 404, 'did you mean "main-a"?'),
        ("source=solar", 404, 'no meter has source = "solar"'),
        ("source=sun", 404, 'no source is called "sun"'),
        ("location=attic", 404, 'no meter is at "attic"'),
        ("meter=main-a&from=2026-01-02&to=2026-01-01", 400, "lies before"),
        ("meter=main-a&every=7x", 400, "is no step of time"),
    ],
)
async def test_what_cannot_be_asked_is_told(home: House, question: str, status: int, words: str) -> None:
    assert words in (await ask(home, question, status))["error"]


async def test_without_a_tariff_nobody_says_what_energy_costs(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        assert "add a [[tariff]] to wattbook.toml" in (await ask(home, "meter=main-a", 404))["error"]
        async with home.client as client:
            assert (await client.get("/api/v1/about")).json()["currency"] is None


async def test_new_prices_begin_at_the_local_midnight(tmp_path: Path) -> None:
    fuel = "[[tariff.energy]]\nname = 'fuel'\nprice = 9\nsource = 'generator'\n"
    old = "[[tariff]]\ncurrency = 'EUR'\n[[tariff.energy]]\nname = 'old'\nprice = 1\n"
    new = "[[tariff]]\ncurrency = 'EUR'\nvalid_from = 2026-11-10\n[[tariff.energy]]\nname = 'new'\nprice = 2\n"
    with house(tmp_path, more=old + fuel + new + fuel) as home:
        count(home, "main-a", datetime(2026, 11, 9, 11, tzinfo=UTC), 96, active_energy_import=250)
        told = await ask(home, "meter=main-a&from=2026-11-09T12:00&to=2026-11-10T12:00")
        assert told["costs"][0]["total"]["amount"] == "36"  # 12 kWh at 1 and 12 kWh at 2


FUEL = "[[tariff.energy]]\nname = 'fuel'\nprice = 9\nsource = 'generator'\n"
FLAT = "[[tariff.energy]]\nname = 'flat'\nprice = 5\n" + FUEL
BY_REGISTER = (
    "[[tariff.energy]]\nname = 'high'\nprice = 6\nregister = 't1'\n"
    "[[tariff.energy]]\nname = 'low'\nprice = 4\nregister = 't2'\n"
) + FUEL
TWO_DAYS = "from=2026-11-09T12:00&to=2026-11-10T12:00"  # 12 hours of each


def changing(old: str, new: str) -> str:
    """A tariff whose prices are others from the second of the two days on."""
    return f"[[tariff]]\ncurrency = 'EUR'\n{old}[[tariff]]\ncurrency = 'EUR'\nvalid_from = 2026-11-10\n{new}"


def count_two_days(home: House, meter: str, **wh: float) -> None:
    count(home, meter, datetime(2026, 11, 9, 11, tzinfo=UTC), 96, **wh)


@pytest.mark.parametrize(
    ("old", "new", "days"),
    [(FLAT, BY_REGISTER, ["60", "62.4"]), (BY_REGISTER, FLAT, ["62.4", "60"])],
    ids=["to registers", "from registers"],
)
async def test_each_version_has_registers_of_its_own(tmp_path: Path, old: str, new: str, days: list[str]) -> None:
    """1 kWh an hour for 12 hours a day: 12 x 5, and 12 x (0.6 x 6 + 0.4 x 4)."""
    with house(tmp_path, more=changing(old, new)) as home:
        count_two_days(
            home, "main-a", active_energy_import=250, active_energy_import_t1=150, active_energy_import_t2=100
        )
        (by_day,) = (await ask(home, f"meter=main-a&{TWO_DAYS}&every=1d"))["costs"]
        (by_month,) = (await ask(home, f"meter=main-a&{TWO_DAYS}&every=1mo"))["costs"]
    assert [each["amount"] for each in by_day["points"]] == days
    assert [each["amount"] for each in by_month["points"]] == ["122.4"]
    assert (by_month["total"]["amount"], by_month["total"]["energy"]) == ("122.4", "24000")
    assert "missing_s" not in by_month["total"]


async def test_a_consumer_with_registers_is_shared_out_while_prices_are_flat(tmp_path: Path) -> None:
    """A quarter of all is diesel: 3.6 x 5 + 1.2 x 9, and then by its registers 2.88 x 6 + 1.92 x 4."""
    with house(tmp_path, more=changing(FLAT, BY_REGISTER)) as home:
        for meter, wh in (("main-a", 300), ("generator", 100)):
            count_two_days(home, meter, active_energy_import=wh)
        count_two_days(
            home, "heat-pump", active_energy_import=100, active_energy_import_t1=60, active_energy_import_t2=40
        )
        (cost,) = (await ask(home, f"meter=heat-pump&{TWO_DAYS}&every=1d"))["costs"]
    assert [each["amount"] for each in cost["points"]] == ["28.8", "24.96"]
    assert "missing_s" not in cost["total"]


async def test_a_meter_without_registers_is_refused_only_where_they_are_needed(tmp_path: Path) -> None:
    with house(tmp_path, more=changing(FLAT, BY_REGISTER)) as home:
        count_two_days(home, "main-a", active_energy_import=250)
        before = await ask(home, "meter=main-a&from=2026-11-09T12:00&to=2026-11-10")
        across = await ask(home, f"meter=main-a&{TWO_DAYS}", 400)
    assert before["costs"][0]["total"]["amount"] == "60"
    assert '"main-a" has no registers t1, t2' in across["error"]


async def test_days_after_the_last_version_have_no_price(tmp_path: Path) -> None:
    """12 hours at 1 kWh, then 12 hours of which nobody says what they cost."""
    ended = "[[tariff]]\ncurrency = 'EUR'\nvalid_to = 2026-11-10\n" + BY_REGISTER
    with house(tmp_path, more=ended) as home:
        count_two_days(
            home, "main-a", active_energy_import=250, active_energy_import_t1=150, active_energy_import_t2=100
        )
        (cost,) = (await ask(home, f"meter=main-a&{TWO_DAYS}&every=1d"))["costs"]
    assert [each["amount"] for each in cost["points"]] == ["62.4", None]
    assert cost["total"]["missing_s"] == 12 * 3600


@pytest.mark.parametrize(
    ("span", "currency", "amount"),
    [
        ("from=2026-11-09T12:00&to=2026-11-10", "BGN", "3.6"),  # 12 kWh at 0.3: the end is not included
        ("from=2026-11-10&to=2026-11-10T12:00", "EUR", "1.8"),  # 12 kWh at 0.15
        ("from=2026-11-10&to=2026-11-10", "EUR", None),  # nothing lies in it; it is of its instant
    ],
)
async def test_the_days_beside_a_change_of_currency(
    tmp_path: Path, span: str, currency: str, amount: str | None
) -> None:
    old = "[[tariff]]\ncurrency = 'BGN'\n" + FLAT.replace("= 5", "= 0.3")
    new = "[[tariff]]\ncurrency = 'EUR'\nvalid_from = 2026-11-10\n" + FLAT.replace("= 5", "= 0.15")
    with house(tmp_path, more=old + new) as home:
        count_two_days(home, "main-a", active_energy_import=250)
        told = await ask(home, f"meter=main-a&{span}")
        across = await ask(home, f"meter=main-a&{TWO_DAYS}", 400)
    assert (told["currency"], told["costs"][0]["total"]["amount"]) == (currency, amount)
    assert across["error"] == "prices are in BGN and EUR in that time; ask for each by itself"


SOLD_BY_REGISTER = (
    "[[tariff.energy]]\nname = 'sold high'\nprice = 2\nexport = true\nregister = 't1'\n"
    "[[tariff.energy]]\nname = 'sold low'\nprice = 1\nexport = true\nregister = 't2'\n"
)
SOLD = "[[tariff.energy]]\nname = 'sold'\nprice = 3\nexport = true\n"
EXPORTED = {"active_energy_export_t1": 150, "active_energy_export_t2": 100}  # Wh a quarter: 0.6 and 0.4 kWh an hour


@pytest.mark.parametrize("total", [{}, {"active_energy_export": 250}], ids=["registers alone", "and their sum"])
async def test_what_is_sold_by_register_is_a_credit(tmp_path: Path, total: dict[str, float]) -> None:
    """In 12 hours 60 for what was taken, less 7.2 x 2 and 4.8 x 1."""
    with house(tmp_path, more=changing(FLAT + SOLD_BY_REGISTER, FLAT)) as home:
        count_two_days(home, "main-a", active_energy_import=250, **EXPORTED, **total)
        (cost,) = (await ask(home, f"meter=main-a&{TWO_DAYS}&every=1d"))["costs"]
    assert [each["amount"] for each in cost["points"]] == ["40.8", "60"]
    assert "missing_s" not in cost["total"]
    sold = {each["name"]: (each["energy"], each["amount"]) for each in cost["prices"] if each["export"]}
    assert sold == {"sold high": ("7200", "-14.4"), "sold low": ("4800", "-4.8")}


async def test_what_is_sold_has_registers_of_its_own_in_each_version(tmp_path: Path) -> None:
    """By register 60 - 14.4 - 4.8, and then by the clock 60 - 12 x 3."""
    with house(tmp_path, more=changing(FLAT + SOLD_BY_REGISTER, FLAT + SOLD)) as home:
        count_two_days(home, "main-a", active_energy_import=250, active_energy_export=250, **EXPORTED)
        (cost,) = (await ask(home, f"meter=main-a&{TWO_DAYS}&every=1d"))["costs"]
    assert [each["amount"] for each in cost["points"]] == ["40.8", "24"]


async def test_a_meter_without_the_registers_that_are_sold_by(tmp_path: Path) -> None:
    """One that counts no export sold nothing; of one that counts it as a whole nobody knows the price."""
    with house(tmp_path, more=changing(FLAT + SOLD_BY_REGISTER, FLAT)) as home:
        count_two_days(home, "main-a", active_energy_import=250)
        (cost,) = (await ask(home, f"meter=main-a&{TWO_DAYS}"))["costs"]
        count(home, "main-a", datetime(2026, 11, 11, tzinfo=UTC), 1, active_energy_export=250)
        refused = await ask(home, f"meter=main-a&{TWO_DAYS}", 400)
    assert cost["total"]["amount"] == "120"
    assert '"main-a" has no registers t1, t2 of export' in refused["error"]


async def test_a_consumer_that_counts_export_sells_nothing(tmp_path: Path) -> None:
    with house(tmp_path, more=changing(FLAT + SOLD_BY_REGISTER, FLAT)) as home:
        for meter in ("main-a", "workshop"):
            count_two_days(home, meter, active_energy_import=250, active_energy_export=250)
        (cost,) = (await ask(home, f"meter=workshop&{TWO_DAYS}"))["costs"]
    assert cost["total"]["amount"] == "120"


def problems(folder: Path, tariff: str) -> list[str]:
    file = folder / "wattbook.toml"
    file.write_text(f'[site]\ntimezone = "Europe/Prague"\n{tariff}', encoding="utf-8")
    return [f"{each.line}: {each.message}" for each in config.examine(file)[1]]


PRICE = '[[tariff.energy]]\nname = "{}"\nprice = 1\n'


@pytest.mark.parametrize(
    ("tariff", "problem"),
    [
        ("[[tariff]]\ncurrency = 'CZKK'\n" + PRICE, "4: [[tariff]] 1: currency: no currency of ISO 4217 is called"),
        ("[tariff]\ncurrency = 'EUR'\n", '3: [[tariff]] 1: "energy" is missing'),
        ("[tariff]\ncurrency = 'EUR'\n" + PRICE + "tims = []\n", '8: [[tariff]] 1, energy 1: unknown key "tims"'),
        ("[tariff]\ncurrency = 'EUR'\n" + PRICE + "times = ['25:00-26:00']\n", "8: [[tariff]] 1, energy 1: times: "),
        ("[tariff]\ncurrency = 'EUR'\n" + PRICE + "days = ['wokday']\n", "8: [[tariff]] 1, energy 1: days: no"),
        (
            "[tariff]\ncurrency = 'EUR'\n" + PRICE + "times = ['22:00-06:00']\n",
            "5: [[tariff]] 1, energy 1: energy from utility: no price holds in month 1, mon, at 06:00",
        ),
        (
            "[tariff]\ncurrency = 'EUR'\n" + PRICE + "times = ['22:00-06:00']\n" + PRICE + "times = ['05:00-22:00']\n",
            '5: [[tariff]] 1, energy 1: energy from utility: "{}" and "{}" both hold in month 1, mon, at 05:00',
        ),
        (
            "[tariff]\ncurrency = 'EUR'\n" + PRICE + PRICE,
            '5: [[tariff]] 1, energy 1: energy from utility: "{}" and "{}" both hold all the time',
        ),
        (
            "[tariff]\ncurrency = 'EUR'\n" + PRICE + PRICE + "times = ['22:00-06:00']\nregister = 't2'\n",
            '5: [[tariff]] 1, energy 1: energy from utility: "{}" names no register, and others do',
        ),
        (
            "[[tariff]]\ncurrency = 'EUR'\nvalid_to = 2026-03-01\n" + PRICE
            + "[[tariff]]\ncurrency = 'EUR'\nvalid_from = 2026-04-01\n" + PRICE,
            "5: [[tariff]] 1: no tariff holds from 2026-03-01 until 2026-04-01",
        ),
        (
            "[tariff]\ncurrency = 'EUR'\n" + PRICE + "[[meter]]\nname = 'g'\nmodel = 'push'\nsource = 'generator'\n",
            "3: [[tariff]] 1: energy from generator has no price",
        ),
        (
            "[tariff]\ncurrency = 'EUR'\n" + PRICE + PRICE + "export = true\nsource = 'solar'\n",
            "8: [[tariff]] 1, energy 2: export to solar: only what the utility takes is a credit; leave out source",
        ),
        (
            "[tariff]\ncurrency = 'EUR'\n" + PRICE
            + "".join(PRICE + f"source = 'generator'\nregister = '{name}'\n" for name in ("t1", "t2")),
            "8: [[tariff]] 1, energy 2: energy from generator: only the utility's meter decides by registers",
        ),
    ],
)  # fmt: skip
def test_a_wrong_tariff_is_told_with_its_line(tmp_path: Path, tariff: str, problem: str) -> None:
    found = problems(tmp_path, tariff)
    assert any(each.startswith(problem) for each in found), found


def test_prices_are_read_as_they_are_written(tmp_path: Path) -> None:
    assert problems(tmp_path, "[tariff]\ncurrency = 'EUR'\n" + PRICE.replace("= 1", "= 0.1")) == []
    read = config.load(tmp_path / "wattbook.toml").tariff
    assert read is not None
    assert read.versions[0].prices[0].price == Decimal("0.1")
