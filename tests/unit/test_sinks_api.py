"""Sinks by HTTP: how they fare, and orders to pause, resume and replay."""

from __future__ import annotations

from pathlib import Path

from api_house import house, pzem
from shelf import Shelf
from sinks_house import SINKS, look, order, until, with_sink
from wattbook.codecs.reading_json import format_instant


async def test_how_a_sink_fares(tmp_path: Path) -> None:
    shelf = Shelf()
    async with with_sink(tmp_path, shelf) as home:
        home.keep(pzem(ago_s=10), pzem(ago_s=5))
        sink = await until(home, lambda sink: sink["written"] == 2 and not sink["behind"])
        assert sink["kind"] == "shelf" and sink["name"] == "shelf"
        assert (sink["newest"], sink["rejected"], sink["set_aside"], sink["reason"]) == (pzem_at(5), 0, 0, "")
        shelf.away = "the lock was changed"
        home.keep(pzem(ago_s=3))
        sink = await until(home, lambda sink: sink["state"] == "away")
        assert sink["reason"] == "the lock was changed" and sink["behind"] == 1
        text = (await home.client.get("/metrics")).text
        assert 'wattbook_sink_up{sink="shelf",kind="shelf"} 0' in text
        assert 'wattbook_sink_written_total{sink="shelf",kind="shelf"} 2' in text
        assert 'wattbook_sink_behind{sink="shelf",kind="shelf"} 1' in text


def pzem_at(ago_s: float) -> str:
    return format_instant(pzem(ago_s=ago_s).at)


async def test_pause_resume_and_replay(tmp_path: Path) -> None:
    shelf = Shelf()
    async with with_sink(tmp_path, shelf) as home:
        home.keep(*(pzem(ago_s=number) for number in range(60, 0, -10)))
        await until(home, lambda sink: sink["written"] == 6)
        assert (await order(home, do="pause")).json() == {"done": "pause"}
        home.keep(pzem(ago_s=5))
        assert (await look(home))["state"] == "paused" and len(shelf.rows) == 6
        await order(home, do="resume", who="anna")
        await until(home, lambda sink: sink["written"] == 7)
        shelf.rows.clear()
        assert (await order(home, do="replay", from_=format_instant(pzem(ago_s=20).at))).json() == {"done": "replay"}
        await until(home, lambda sink: len(shelf.rows) == 3)
        assert (await order(home, do="replay", refused=True)).json() == {"done": "replay", "taken": 0}
        who = [event.actor for event in home.context.reader.events_about("shelf", ("sink.paused", "sink.resumed"))]
        assert who == ["api 127.0.0.1", "anna"]


async def test_a_wrong_order_is_refused_with_the_nearest_right_word(tmp_path: Path) -> None:
    async with with_sink(tmp_path, Shelf()) as home:
        for status, told, name, given in (
            (404, 'did you mean "shelf"?', "shelv", {"do": "pause"}),
            (400, 'did you mean "pause"?', "shelf", {"do": "pauze"}),
            (400, '"do" is one of', "shelf", {}),
            (400, 'did you mean "from"?', "shelf", {"do": "replay", "form": "today"}),
            (400, "is no instant", "shelf", {"do": "replay", "from": "soon"}),
            (400, "takes neither", "shelf", {"do": "pause", "from": "today"}),
        ):
            answer = await order(home, name, **given)
            assert answer.status_code == status and told in answer.json()["error"], answer.text
        assert (await home.client.post(f"{SINKS}/shelf", content=b"[")).status_code == 400


async def test_without_sinks_the_list_is_empty(tmp_path: Path) -> None:
    with house(tmp_path) as home:
        assert (await home.client.get(SINKS)).json() == []
