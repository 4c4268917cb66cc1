"""Who is told what and when; the mail, its key and its picture."""

from __future__ import annotations

import asyncio
import struct
import threading
import zlib
from collections.abc import AsyncIterator
from datetime import time
from pathlib import Path

import pytest

from alert_house import Hands, at, settings, told
from wattbook.config import Secret
from wattbook.engine.follow import Decision
from wattbook.engine.notify import HELD_MAX, Carrier, is_within
from wattbook.engine.notify_words import Words
from wattbook.model import Batch, ConfigError, Event
from wattbook.notify import Message, NotSent, Post, draw_curve
from wattbook.notify.mail import make_mail
from wattbook.notify.png import Canvas
from wattbook.store import Book, BookReader

RULES = """
[[alert]]
name = "over"
kind = "above"
meters = ["main-a"]
quantity = "active_power"
limit = 5000
[[notify]]
name = "anna"
url = "json://127.0.0.1:1"
"""


class Letterbox:
    """What was sent, kept; it may be shut."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.shut = False

    async def send(self, message: Message) -> None:
        if self.shut:
            raise NotSent("anna: nobody is at home")
        self.got.append(message)


class Told:
    """One target in front of a real book; what it is given comes by hand."""

    def __init__(self, folder: Path, more: str) -> None:
        config = settings(folder, RULES + more)
        self.clock, self.letterbox = Hands(), Letterbox()
        self.book = Book.open(config.book, clock=self.clock, commit_every_s=0.005)
        self.reader = BookReader(config.book)
        words = Words(config, self.reader, "c0ffee")
        self.carrier = Carrier(config.notify[0], self.letterbox, words, self.book, self.reader, self.clock)  # type: ignore[arg-type]
        self.bookmark, self._number = "", 0

    async def hear(self, kind: str, **body: object) -> Decision:
        self._number += 1
        said = {"severity": "warning", "text": "main-a: too much", "about": "main-a", "quantity": "active_power"}
        event = Event(kind, "over", self.clock.now(), said | body, seq=self._number)
        return await self._take(Batch((), (event,), "1"))

    async def idle(self) -> Decision:
        return await self._take(Batch((), (), ""))

    async def _take(self, batch: Batch) -> Decision:
        decision = await self.carrier.take(batch, self.bookmark)
        self.bookmark = decision.bookmark
        return decision

    def titles(self) -> list[str]:
        return [message.title for message in self.letterbox.got]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[object]:
    made: list[Told] = []

    def one(more: str = "") -> Told:
        made.append(Told(tmp_path, more))
        return made[-1]

    yield one
    for each in made:
        each.reader.close()
        await asyncio.to_thread(each.book.close)


async def test_each_event_is_one_message_with_its_number_and_is_noted(make) -> None:  # type: ignore[no-untyped-def]
    one = make()
    decision = await one.hear("alert.raised")
    assert [event.body for event in decision.events] == [{"numbers": [1]}]
    await one.hear("alert.recovered")
    assert [message.key for message in one.letterbox.got] == ["1.c0ffee", "2.c0ffee"]
    assert one.titles() == ["[warning] House: over: main-a: too much", "[over] House: over: main-a: too much"]
    assert (await one.idle()).events == ()


async def test_what_is_no_longer_watched_is_not_told_as_recovered(make) -> None:  # type: ignore[no-untyped-def]
    one = make()
    await one.hear("alert.recovered", text="main-a: no longer watched by this rule", unwatched=True)
    (message,) = one.letterbox.got
    assert message.title == "[not watched] House: over: main-a: no longer watched by this rule"
    assert (message.severity, message.picture) == ("info", b"")


async def test_recovery_severity_and_reminders_are_for_those_who_want_them(make) -> None:  # type: ignore[no-untyped-def]
    one = make('recovery = false\nseverity = "warning"\n')
    await one.hear("alert.recovered")
    await one.hear("alert.raised", severity="info")
    await one.hear("alert.reminded", to=["otto"])
    assert one.titles() == []
    await one.hear("alert.reminded", to=["anna"])
    assert one.titles() == ["[still] House: over: main-a: too much"]


async def test_what_is_muted_is_not_told_until_its_time(make) -> None:  # type: ignore[no-untyped-def]
    one = make()
    await one.hear("alert.muted", until="2026-11-21T12:00:00.000Z")
    await one.hear("alert.raised")
    assert one.titles() == []
    await one.hear("alert.tested")
    one.clock.at = at(3601)
    await one.hear("alert.raised")
    await one.hear("alert.muted")
    await one.hear("alert.recovered")
    await one.hear("alert.unmuted")
    await one.hear("alert.raised")
    assert [title.split("]")[0] for title in one.titles()] == ["[test", "[warning", "[warning"]


async def test_quiet_hours_hold_back_and_sum_up(make) -> None:  # type: ignore[no-untyped-def]
    one = make('quiet_from = "22:00"\nquiet_to = "07:00"\n')
    one.clock.at = at(10 * 3600)  # 22:00 in Prague
    await one.hear("alert.raised")
    await one.hear("alert.recovered")
    await one.idle()
    assert one.titles() == []
    await one.hear("alert.raised", severity="critical")
    assert one.titles() == ["[critical] House: over: main-a: too much"]
    one.clock.at = at(19 * 3600)
    one.letterbox.shut = True
    with pytest.raises(NotSent):
        await one.idle()
    one.letterbox.shut = False
    decision = await one.idle()
    assert [event.body for event in decision.events] == [{"numbers": [1, 2]}]
    assert one.letterbox.got[1].title == "House: 2 messages of the quiet hours"
    assert one.letterbox.got[1].body == "11-21 22:00  over: main-a: too much\n11-21 22:00  over: over: main-a: too much"
    assert (await one.idle()).events == ()


def test_quiet_hours_may_go_over_midnight() -> None:
    night, noon = (time(22), time(7)), (time(12), time(13))
    assert [is_within(time(hour), *night) for hour in (21, 22, 0, 6, 7)] == [False, True, True, True, False]
    assert [is_within(time(hour), *noon) for hour in (11, 12, 13)] == [False, True, False]


async def test_what_is_held_back_is_bounded(make) -> None:  # type: ignore[no-untyped-def]
    one = make('quiet_from = "11:00"\nquiet_to = "13:00"\n')
    for _ in range(HELD_MAX + 5):
        await one.hear("alert.raised")
    one.clock.at = at(3600)
    await one.idle()
    assert one.titles() == [f"House: {HELD_MAX + 5} messages of the quiet hours"]
    assert one.letterbox.got[0].body.endswith("and 5 more: see the page Alerts")


async def test_the_message_shows_the_curve(make) -> None:  # type: ignore[no-untyped-def]
    one = make()
    one.book.append([told(second, active_power=3000.0 + second) for second in range(0, 600, 10)], urgent=True).result(9)
    one.clock.at = at(600)
    await one.hear("alert.raised")
    picture = one.letterbox.got[0].picture
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (600, 200)


def test_a_mail_has_the_events_key_text_and_picture() -> None:
    curve = draw_curve([0, 1000, 2000], [1.0, float("nan"), 3.0], unit="V", limit=2.0)
    message = Message("8.c0ffee", "[over] Haus: příkon\n5 kW", "It is <over>.", "critical", curve)
    mail = make_mail(message, sender=("wattbook", "w@example.org"), to=[("", "anna@example.org")])
    assert mail["Message-ID"] == "<wattbook.8.c0ffee@example.org>"
    assert mail["Subject"] == "[over] Haus: příkon 5 kW"
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    assert "It is &lt;over&gt;." in mail.as_string()


def test_the_picture_is_a_right_png() -> None:
    canvas = Canvas(3, 2, [(255, 255, 255), (0, 0, 0)])
    canvas.dot(1, 1, 1)
    canvas.dot(9, 9, 1)  # outside
    data, place, chunks = canvas.png(), 8, {}
    while place < len(data):
        (size,) = struct.unpack(">I", data[place : place + 4])
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        assert struct.unpack(">I", data[place + 8 + size : place + 12 + size]) == (zlib.crc32(name + body),)
        chunks[name] = body
        place += size + 12
    assert zlib.decompress(chunks[b"IDAT"]) == b"\0\0\0\0" + b"\0\0\1\0"


@pytest.mark.parametrize("values", [[], [1.0], [float("nan")] * 3])
def test_too_few_values_make_no_picture(values: list[float]) -> None:
    assert draw_curve(range(len(values)), values) == b""


def test_a_flat_line_is_a_picture() -> None:
    assert draw_curve([0, 10], [0.0, 0.0])


class Slow(Post):
    """Its way out takes until it is let go."""

    let_go = threading.Event()

    def _send(self, message: Message) -> None:
        self.let_go.wait(30)


async def test_a_message_that_hangs_is_given_up_and_no_second_is_begun_beside_it() -> None:
    post = Slow("anna", Secret("json://127.0.0.1"), timeout_s=0.01)
    message = Message("1", "t", "b")
    with pytest.raises(NotSent, match="did not go out within"):
        await post.send(message)
    with pytest.raises(NotSent, match="hangs still"):
        await post.send(message)
    post.let_go.set()


class Quick(Post):
    """It has sent before anybody looks."""

    def _send(self, message: Message) -> None:
        pass


async def test_messages_may_follow_each_other_at_once() -> None:
    """A thread that has sent and has not ended yet is no message that hangs."""
    post = Quick("anna", Secret("json://127.0.0.1"))
    for _ in range(5000):
        await post.send(Message("1", "t", "b"))


async def test_an_address_nobody_understands_is_said() -> None:
    with pytest.raises(ConfigError, match="apprise does not understand"):
        await Post("anna", Secret("nothing://there")).send(Message("1", "t", "b"))
