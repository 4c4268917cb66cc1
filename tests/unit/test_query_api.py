"""The route of questions about several meters, places, virtual meters and sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api_house import House, house, pzem

ENERGY = "active_energy_import"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        for meter, growth in (("main-a", 10), ("workshop", 4), ("barn", 3)):
            home.keep(*(pzem(meter, ago_s=3600 - 60 * k, energy=1000.0 + growth * k) for k in range(61)))
        yield home


async def ask(home: House, query: str, status: int = 200) -> Any:
    answer = await home.client.get(f"/api/v1/query?from=-1h&{query}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def told(answer: Any) -> list[float | None]:
    return [point["value"] for point in answer["points"]]


async def test_one_meter_is_an_object_and_several_are_an_array(home: House) -> None:
    one = await ask(home, f"meter=barn&quantity={ENERGY}&every=30min")
    assert (one["meter"], told(one)) == ("barn", [90, 90])
    both = await ask(home, f"meter=barn&meter=workshop&quantity={ENERGY}&every=30min")
    assert [(each["meter"], told(each)) for each in both] == [("barn", [90, 90]), ("workshop", [120, 120])]
    place = await ask(home, f"location=house&quantity={ENERGY}&every=1h")
    assert [each["meter"] for each in place] == ["main-a"]


async def test_a_sum_is_one_object_that_names_its_parts(home: House) -> None:
    both = await ask(home, f"meter=barn&meter=workshop&quantity={ENERGY}&every=30min&sum=true")
    assert both["meters"] == ["barn", "workshop"] and told(both) == [210, 210]
    lame = await ask(home, f"meter=barn&meter=heat-pump&quantity={ENERGY}&every=30min&sum=true")
    assert told(lame) == [None, None] and lame["missing"] == {"heat-pump": 2}


async def test_a_virtual_meter_is_asked_as_any_other(home: House) -> None:
    sheds = await ask(home, f"meter=sheds&quantity={ENERGY}&every=30min")
    assert (sheds["meter"], told(sheds)) == ("sheds", [300, 300])
    listed = (await home.client.get("/api/v1/meters/virtual")).json()
    assert listed == [
        {
            "name": "sheds",
            "formula": "workshop + 2 * barn",
            "location": "yard",
            "source": "",
            "parts": {"workshop": 1.0, "barn": 2.0},
        }
    ]
    assert "sheds" not in [meter["name"] for meter in (await home.client.get("/api/v1/meters")).json()]
    latest = await home.client.get("/api/v1/readings/latest?meter=sheds")
    assert latest.status_code == 404 and "computed from others" in latest.text


async def test_energy_by_source_is_an_array_of_sources(home: House) -> None:
    parts = await ask(home, f"meter=barn&quantity={ENERGY}&every=1h&by=source")
    assert [(each["source"], told(each)) for each in parts] == [
        ("utility", [180]),
        ("generator", [0]),
        ("unknown", [0]),
    ]
    assert {point["quality"] for each in parts for point in each["points"]} == {"estimated"}  # the generator is silent


async def test_points_are_few_and_of_a_chart(home: House) -> None:
    few = await ask(home, "meter=barn&quantity=voltage&points=10")
    assert 2 <= len(few["points"]) <= 10 and few["every"] is None
    chosen = await ask(home, "meter=sheds&quantity=active_power&points=20")
    assert (chosen["every"], told(chosen)) == ("5min", [4500.0] * 12)


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [
        ("location=hause&quantity=voltage", 404, 'did you mean "house"'),
        ("meter=shed&quantity=voltage", 404, 'did you mean "sheds"'),
        ("meter=sheds&quantity=voltage&every=1h", 400, "does not add up"),
        (f"meter=sheds&quantity={ENERGY}", 400, "has no readings of its own"),
        (f"meter=barn&quantity={ENERGY}&every=1h&by=sorce", 400, 'not by "sorce"'),
        (f"meter=barn&quantity={ENERGY}&every=1h&sum=perhaps", 400, '"sum"'),
        ("meter=barn&quantity=voltage&points=many", 400, '"points"'),
        ("meter=barn&quantity=voltage&points=1", 400, "from 4 to"),
        ("quantity=voltage&meter=", 400, '"meter" is missing'),
        ("&".join(["quantity=voltage", *(f"meter={number}" for number in range(201))]), 400, '"meter"'),
    ],
)
async def test_wrong_questions_about_several_are_told(home: House, query: str, status: int, says: str) -> None:
    answer = await ask(home, query, status)
    assert list(answer) == ["error"] and says in answer["error"]


async def test_the_description_tells_all_of_it(home: House) -> None:
    description = (await home.client.get("/api/v1/openapi.json")).json()
    names = [each["name"] for each in description["paths"]["/api/v1/query"]["get"]["parameters"]]
    assert names == [
        "quantity", "meter", "location", "from", "to", "every", "aggregate", "sum", "by", "points", "columns",
    ]  # fmt: skip
