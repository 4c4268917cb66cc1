"""What a sink refused for ever, by HTTP: page by page, and only what was not tried again; and how many that are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from api_house import NOW, House, house, pzem
from shelf import Shelf
from sinks_house import look, order, until, with_sink
from wattbook.api.refused import EVENTS_MAX
from wattbook.engine.deliver import REFUSED
from wattbook.engine.try_again import CountAside
from wattbook.model import Event
from wattbook.store import BookReader

REFUSED_HERE = "/api/v1/sinks/shelf/refused"


def small(meter: str, value: float) -> str:
    """Refuse what is above 100 Wh."""
    return "value out of range" if value > 100 else ""


async def refused(home: House, **asked: Any) -> dict[str, Any]:
    answer = await home.client.get(REFUSED_HERE, params=asked)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_what_was_refused_is_told_page_by_page_with_the_sinks_words(tmp_path: Path) -> None:
    async with with_sink(tmp_path, Shelf(accept=small)) as home:
        for number in range(3):  # one event each
            home.keep(pzem(ago_s=30 - 2 * number, energy=200.0 + number), pzem(ago_s=29 - 2 * number, energy=1.0))
            await until(home, lambda sink, number=number: sink["set_aside"] == number + 1)
        first = await refused(home, limit=2)
        assert [len(event["readings"]) for event in first["events"]] == [1, 1]
        (newest,) = first["events"][0]["readings"]
        assert newest == {
            "meter": "main-a",
            "site": "",
            "at": "2026-11-21T11:59:34.000Z",
            "reason": "value out of range",
        }
        assert first["before"] == first["events"][1]["number"] < first["events"][0]["number"]
        rest = await refused(home, limit=2, before=first["before"])
        assert len(rest["events"]) == 1 and rest["before"] is None


async def test_what_was_tried_again_is_told_no_more(tmp_path: Path) -> None:
    shelf = Shelf(accept=small)
    async with with_sink(tmp_path, shelf) as home:
        home.keep(pzem(ago_s=30, energy=200.0))
        await until(home, lambda sink: sink["set_aside"] == 1)
        shelf.accept = lambda meter, value: ""
        assert (await order(home, do="replay", refused=True)).json() == {"done": "replay", "taken": 1}
        assert await refused(home) == {"events": [], "before": None}
        assert (await look(home))["set_aside"] == 0


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/sinks/shelv/refused", 404, 'did you mean \\"shelf\\"?'),
        (f"{REFUSED_HERE}?limit={EVENTS_MAX + 1}", 400, "limit"),
        (f"{REFUSED_HERE}?before=0", 400, "before"),
    ],
)
async def test_what_cannot_be_meant_is_refused(tmp_path: Path, path: str, status: int, words: str) -> None:
    async with with_sink(tmp_path, Shelf()) as home:
        answer = await home.client.get(path)
        assert answer.status_code == status and words in answer.text


class Asked(BookReader):
    """A reader that remembers behind which event it was asked for what was refused."""

    behind: tuple[int, ...] = ()

    def events_about(self, subject: str, kinds: Sequence[str], *, after: int = 0) -> Sequence[Event]:
        if REFUSED in kinds:
            self.behind += (after,)
        return super().events_about(subject, kinds, after=after)


def test_counting_goes_on_from_the_last_event_and_knows_doubles(tmp_path: Path) -> None:
    with house(tmp_path) as home, Asked(home.context.config.book) as reader:
        aside = CountAside("shelf")
        first = _refuse(home, 10, 20)
        assert aside.count(reader) == 2
        second = _refuse(home, 20, 30)  # one of them once more
        assert [aside.count(reader), aside.count(reader)] == [3, 3]
        assert reader.behind == (0, first, second)


def _refuse(home: House, *seconds: int) -> int:
    """Write down what `engine.deliver` does; the event's number."""
    rows = [{"meter": "main-a", "at": f"2026-11-21T11:00:{each}.000Z", "reason": "no"} for each in seconds]
    return home.book.append_event(Event(REFUSED, "shelf", NOW, {"readings": rows})).result(timeout=30)
