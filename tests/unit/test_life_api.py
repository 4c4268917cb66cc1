"""A meter's life by HTTP: entered, corrected, decided and undone, with who and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api_house import NOW, House, house
from wattbook.codecs.reading_json import format_instant
from wattbook.model import Quality, Reading, Span
from wattbook.store.life import ACCEPTED, DROPPED

ENERGY = "active_energy_import"
LIFE = "/api/v1/meters/workshop/life"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    with house(tmp_path) as home:
        yield home


def at(minute: float) -> str:
    return format_instant(NOW - timedelta(hours=2) + timedelta(minutes=minute))


async def tell(home: House, *steps: tuple[float, float]) -> None:
    """Send (minute, Wh) one by one, through the judge."""
    for minute, energy in steps:
        reading = {"meter": "workshop", "at": at(minute), "values": {ENERGY: energy, "voltage": 230.1}}
        assert (await home.client.post("/api/v1/readings", content=json.dumps(reading))).status_code == 200


async def order(home: House, status: int = 201, **given: Any) -> Any:
    body = {"why": "a test", **{key.rstrip("_"): value for key, value in given.items()}}
    answer = await home.client.post(LIFE, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def energy(home: House) -> tuple[float | None, str]:
    path = f"/api/v1/query?meter=workshop&quantity={ENERGY}&from={at(0)}&to={at(100)}&every=1d"
    points = (await home.client.get(path)).json()["points"]
    assert len(points) == 1
    return points[0]["value"], points[0]["quality"]


def readings(home: House) -> list[Reading]:
    span = Span(NOW - timedelta(days=1), NOW + timedelta(days=1))
    return [each for block in home.context.reader.columns("workshop", span) for each in block.readings()]


def good(home: House) -> list[float]:
    return [dict(each.good_values())[ENERGY] for each in readings(home) if ENERGY in dict(each.good_values())]


async def state(home: House) -> list[tuple[int, str, str, int]]:
    events = (await home.client.get(LIFE)).json()["events"]
    return [(each["number"], each["kind"], each["state"], each["readings"]) for each in events]


async def test_history_goes_on_over_a_replacement(home: House) -> None:
    await tell(home, (0, 1000), (5, 1010), (10, 500_000), (15, 500_030), (20, 500_050))
    assert (await energy(home))[0] == 500_050 - 1000  # 6 MW would be possible here, so nothing was doubted
    registers = {ENERGY: {"before": 1014, "after": 499_990}}
    (number,) = (await order(home, do="replace", from_=at(7), registers=registers, who="anna"))["numbers"]
    assert await energy(home) == (14 + 60, "spread")  # 100 minutes are asked, 20 are told
    event = (await home.client.get(LIFE)).json()["events"][0]
    assert (event["who"], event["why"], event["body"]["from"]) == ("anna", "a test", at(7))
    await order(home, do="undo", number=number)
    assert (await energy(home))[0] == 500_050 - 1000


async def test_what_was_doubted_is_good_when_the_replacement_is_entered(home: House) -> None:
    await tell(home, (0, 9_000_000), (5, 9_000_010), *((10 + n, 3_000_000 + n) for n in range(6)))
    assert len(good(home)) == 2
    assert (await energy(home))[0] == 10
    (number,) = (await order(home, do="replace"))["numbers"]  # without an instant: since it is in doubt
    assert len(good(home)) == 8
    assert (await energy(home)) == (15, "estimated")
    assert await state(home) == [(number, "meter.replaced", "holds", 6)]
    await tell(home, (30, 3_000_020))
    assert len(good(home)) == 9
    await order(home, do="undo", number=number)
    assert len(good(home)) == 3  # the last one came as good
    assert (await state(home))[0] == (number, "meter.replaced", "undone", 6)
    assert "undone already" in (await order(home, 400, do="undo", number=number))["error"]


GREW = f"{ENERGY} was 9000020 at {at(10)}, and cannot have grown to 90000210 by {at(12)}"
EARLY = f'{ENERGY} was %d at %s, so it cannot have begun at %d at %s; is "from" too early?'


@pytest.mark.parametrize(
    ("minute", "register", "said"),
    [
        (7, {"before": 9_000_012, "after": 5}, EARLY % (9_000_020, at(10), 5, at(7))),
        (12, {"before": 9_000_021, "after": 50}, EARLY % (9, at(18), 50, at(12))),
        (12, {"before": 90_000_210, "after": 5}, GREW),
    ],
)
async def test_a_replacement_that_the_readings_contradict_is_refused(
    home: House, minute: float, register: Mapping[str, float], said: str
) -> None:
    await tell(home, (0, 9_000_000), (5, 9_000_010), (10, 9_000_020), (15, 7), (16, 8), (17, 9), (18, 9))
    answer = await order(home, 400, do="replace", from_=at(minute), registers={ENERGY: register})
    assert answer["error"] == said
    await order(home, do="replace", from_=at(12), registers={ENERGY: {"before": 9_000_021, "after": 5}})
    assert (await energy(home))[0] == 21 + 4


async def test_a_new_device_may_begin_with_a_wrong_reading(home: House) -> None:
    await tell(home, (0, 9_000_000), (5, 9_000_010), (15, 900_000_000), (16, 8), (17, 9), (18, 9))
    await order(home, do="replace", from_=at(12), registers={ENERGY: {"before": 9_000_021, "after": 5}})


async def test_a_reset_needs_no_register_named(home: House) -> None:
    await tell(home, (0, 9_000_000), (5, 9_000_010), (10, 7), (11, 8))
    await order(home, do="reset")
    assert await energy(home) == (18, "estimated")


async def test_a_wrong_value_is_put_right_and_back(home: House) -> None:
    await tell(home, (0, 1000), (5, 1500), (10, 1020))
    assert [bool(each.doubt) for each in readings(home)] == [False, False, True]
    (number,) = (await order(home, do="correct", at=at(5), values={ENERGY: 1010}))["numbers"]
    assert readings(home)[1].values == {ENERGY: 1010, "voltage": 230.1}
    answer = await order(home, 400, do="correct", at=at(6), values={ENERGY: 1010})
    assert answer["error"] == f'"workshop" has no reading at {at(6)}; the nearest is {at(5)}'
    await order(home, do="undo", number=number)
    assert readings(home)[1].values == {ENERGY: 1500, "voltage": 230.1}


async def test_suspect_values_are_accepted_or_dropped_and_that_is_undone(home: House) -> None:
    await tell(home, (0, 9000), (1, 8000), (2, 9001), (3, 9e12), (4, 9002))
    as_told = readings(home)
    assert [each.doubt.get(ENERGY) for each in as_told] == [None, Quality.SUSPECT, None, Quality.SUSPECT, None]
    accepted = await order(home, do="accept", from_=at(1), to=at(2), quantities=[ENERGY])
    dropped = await order(home, do="drop", from_=at(2))
    told = readings(home)
    assert told[1].doubt == {} and told[1].values[ENERGY] == 8000
    assert told[3].values == {"voltage": 230.1}
    assert await state(home) == [
        (*accepted["numbers"], ACCEPTED, "holds", 1),
        (*dropped["numbers"], DROPPED, "holds", 1),
    ]
    assert "no suspect value" in (await order(home, 400, do="drop", from_=at(2)))["error"]
    for number in (*dropped["numbers"], *accepted["numbers"]):
        await order(home, do="undo", number=number)
    assert readings(home) == as_told


async def test_what_changed_later_is_undone_first(home: House) -> None:
    await tell(home, (0, 9000), (1, 8000))
    (first,) = (await order(home, do="accept", from_=at(1)))["numbers"]
    (second,) = (await order(home, do="correct", at=at(1), values={ENERGY: 9001}))["numbers"]
    assert f"number {second} changed" in (await order(home, 400, do="undo", number=first))["error"]
    await order(home, do="undo", number=second)
    await order(home, do="undo", number=first)


async def test_a_ratio_multiplies_what_is_told_from_then_on(home: House) -> None:
    await tell(home, (0, 1000), (5, 1010), (10, 1020))
    (number,) = (await order(home, do="ratio", ct=40, from_=at(5)))["numbers"]
    assert (await energy(home))[0] == 10 + 400
    await order(home, do="undo", number=number)
    assert (await energy(home))[0] == 20


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"do": "replce"}, 'did you mean "replace"'),
        ({"do": "replace", "form": "now"}, 'unknown key "form" (did you mean "from"'),
        ({"do": "replace", "why": " "}, "say why"),
        ({"do": "replace", "from": "2030-01-01"}, "still to come"),
        ({"do": "replace", "from": "noon"}, '"noon" is no instant'),
        ({"do": "replace", "registers": {"voltage": {"after": 1}}}, '"voltage" is no register'),
        ({"do": "replace", "registers": {"active_energy_imprt": {}}}, 'did you mean "active_energy_import"'),
        ({"do": "replace", "registers": {ENERGY: {"after": "1"}}}, "is a number in base units"),
        ({"do": "replace", "registers": {ENERGY: {"before": 1}}}, "cannot have ended at 1"),
        ({"do": "rollover", "registers": {ENERGY: {}}}, "say the modulus"),
        ({"do": "rollover", "registers": {ENERGY: {"modulus": 1000}}}, "cannot have ended at 1000"),
        ({"do": "rollover", "registers": {ENERGY: {"modulus": -5}}}, "the number above 0"),
        ({"do": "ratio", "ct": 0}, "a factor above 0"),
        ({"do": "rewire", "phases": ["l1", "l1", "l2"]}, '"phases"'),
        ({"do": "move"}, '"location" is a text'),
        ({"do": "accept", "from": "now", "to": "today"}, "does not lie after"),
        ({"do": "accept", "number": 1}, "nothing was proposed"),
        ({"do": "undo", "number": 1}, "nothing in the life"),
        ({"do": "undo", "number": "1"}, '"number" is the number'),
        ({"do": "correct", "at": "now", "values": {}}, '"values" is'),
    ],
    ids=lambda each: json.dumps(each) if isinstance(each, Mapping) else "",
)
async def test_a_wrong_order_is_refused_in_words(home: House, given: Mapping[str, Any], words: str) -> None:
    await tell(home, (0, 1000), (5, 1010))
    error = (await order(home, 400, **given))["error"]
    assert words in error


async def test_a_meter_or_a_body_that_is_none_is_refused(home: House) -> None:
    assert (await home.client.get("/api/v1/meters/workshp/life")).status_code == 404
    assert (await home.client.post("/api/v1/meters/workshp/life", json={})).status_code == 404
    assert (await home.client.post(LIFE, content=b"[1]")).status_code == 400
    assert (await home.client.post(LIFE, content=b" " * 200_000)).status_code == 413
