"""From a rule to an e-mail at a real SMTP server, one for each event, also when wattbook is killed in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mail_server import Mailbox, mail_server
from running import daemon, get_json, post, until, wattbook
from wattbook.notify import Message, NotSent, Post, SomeRefused
from wattbook.values import Secret

HOUSE = """
[site]
name = "Test house"
timezone = "Europe/Prague"
commit_every = "100ms"
[api]
listen = "127.0.0.1:0"
[[meter]]
name = "pushed"
model = "push"
[[alert]]
name = "over 5 kW"
kind = "above"
quantity = "active_power"
limit = 5000
[[notify]]
name = "anna"
url = "mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure&from=wattbook@example.org&to=anna@example.org"
"""


def _house(folder: Path, port: int) -> Path:
    path = folder / "wattbook.toml"
    path.write_text(HOUSE.replace("{port}", str(port)), encoding="utf-8")
    return path


def _push(url: str, watts: float, *, count: int = 3) -> None:
    for _ in range(count):
        reading = {"meter": "pushed", "at": datetime.now(UTC).isoformat(), "values": {"active_power": watts}}
        post(url + "api/v1/readings", json.dumps(reading).encode())
        time.sleep(0.03)  # readings of their own instants


def _history(url: str) -> list[dict[str, Any]]:
    return list(get_json(url + "api/v1/alerts/history")["events"])


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_one_mail_with_the_curve_for_one_event_over_kills(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    with mail_server() as (mailbox, port):
        config = _house(tmp_path, port)
        mailbox.refuses = True
        with daemon(config, log) as (url, process):
            _push(url, 3000)
            until(lambda: get_json(url + "api/v1/alerts")["rules"][0]["about"] != [])
            _push(url, 6000)
            until(lambda: mailbox.asked > 0)  # decided, and not yet told
            assert [event["event"] for event in _history(url)] == ["raised"]
            _kill(process)
        mailbox.refuses = False
        for _ in range(2):
            with daemon(config, log) as (url, process):
                until(lambda url=url: _history(url)[0]["sent"] == ["anna"])
                _push(url, 6000)
                _kill(process)
        with daemon(config, log) as (url, _):
            _push(url, 100)
            until(lambda: len(mailbox.got) == 2)
            until(lambda: _history(url)[0]["sent"] == ["anna"])
            events = _history(url)
            assert [event["event"] for event in events] == ["recovered", "raised"]
            test = wattbook("alert", "test", "anna", "-c", config)
            assert test.returncode == 0, test.stderr
            listed = wattbook("alert", "list", "-c", config)
            assert "over 5 kW" in listed.stdout, listed.stderr
    over, raised, tested = mailbox.got[1], mailbox.got[0], mailbox.got[2]
    assert str(raised["Subject"]).strip() == "[warning] Test house: over 5 kW: pushed: Active power 6 kW, above 5 kW"
    assert str(over["Subject"]).strip().startswith("[over] Test house: over 5 kW: pushed: Active power 100 W again")
    assert f".{events[1]['number']}." in raised["Message-ID"]
    assert raised["To"] == "anna@example.org"
    assert _picture(raised).startswith(b"\x89PNG\r\n\x1a\n")
    assert tested["Subject"] == "[test] Test house"


def _picture(mail: Any) -> bytes:
    (part,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    content: bytes = part.get_content()
    return content


def test_a_mail_that_was_under_way_when_we_were_killed_comes_again_as_the_same_mail(tmp_path: Path) -> None:
    with mail_server() as (mailbox, port):
        config, log = _house(tmp_path, port), tmp_path / "run.log"
        mailbox.hangs = True
        with daemon(config, log) as (url, process):
            until(lambda: "rules" in get_json(url + "api/v1/alerts"))
            _push_until_asked(url, mailbox)
            _kill(process)
        mailbox.hangs = False
        with daemon(config, log) as (url, _):
            until(lambda: _history(url)[0]["sent"] == ["anna"])
    assert len(mailbox.got) == 2
    assert len(set(mailbox.keys())) == 1


def _push_until_asked(url: str, mailbox: Mailbox) -> None:
    def asked() -> bool:
        _push(url, 6000, count=1)
        return mailbox.asked > 0

    until(asked)


def test_who_has_the_mail_gets_it_no_second_time_because_another_address_is_refused() -> None:
    anna, bob, gone = "anna@example.org", "bob@example.org", "gone@example.org"
    with mail_server() as (mailbox, port):
        url = f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure&from=w@example.org&to={anna},{bob},{gone}"
        target = Post("all", Secret(url))

        def send() -> None:
            asyncio.run(target.send(Message("7.c0ffee", "t", "b")))

        mailbox.refused = {bob: "450 4.2.0 greylisted", gone: "550 5.1.1 no such user"}
        with pytest.raises(NotSent, match="for now"):
            send()
        mailbox.refused = {bob: "550 5.1.1 no such user either"}
        with pytest.raises(SomeRefused, match="all others have the mail"):
            send()
    assert mailbox.takes == [[anna]]


def test_an_address_that_is_gone_does_not_hold_up_the_mails_of_others(tmp_path: Path) -> None:
    with mail_server() as (mailbox, port):
        mailbox.refused = {"gone@example.org": "550 5.1.1 no such user"}
        config = _house(tmp_path, port)
        config.write_text(config.read_text().replace("to=anna@", "to=gone@example.org,anna@"), encoding="utf-8")
        with daemon(config, tmp_path / "run.log") as (url, _):
            _push(url, 3000)
            until(lambda: get_json(url + "api/v1/alerts")["rules"][0]["about"] != [])
            _push(url, 6000)
            until(lambda: _history(url)[0]["sent"] == ["anna"])
            _push(url, 3000)
            until(lambda: len(_history(url)) == 2 and _history(url)[0]["sent"] == ["anna"])
    assert mailbox.takes == [["anna@example.org"]] * 2
    assert "refused gone@example.org; all others have the mail" in (tmp_path / "run.log").read_text()
