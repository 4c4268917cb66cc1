"""What `wattbook check` says of alerts and of those who are told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alert_house import settings
from wattbook.config import SEVERITIES, AlertSettings, NotifySettings, Secret
from wattbook.config.alert_settings import KEYS
from wattbook.model import ConfigError

ALERT = '[[alert]]\nname = "a"\nkind = '
NOTIFY = '[[notify]]\nname = "n"\nurl = "ntfy://ntfy.sh/topic"\n'


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (ALERT + '"abov"', "cannot be 'abov' (did you mean \"above\"?)"),
        (ALERT + '"above"', 'kind "above" needs "quantity"'),
        (ALERT + '"above"\nquantity = "activ_power"\nlimit = 1', 'no quantity is called "activ_power" (did you mean'),
        (ALERT + '"silent"\nmeters = ["main"]', 'no meter is called "main" (did you mean "main-a"?)'),
        (ALERT + '"silent"\nlimit = 1', 'kind "silent" takes no "limit"; it takes meters, lasting'),
        (ALERT + '"silent"\nlastin = "1min"', 'unknown key "lastin" (did you mean "lasting"?)'),
        (ALERT + '"silent"\nlasting = 5', 'a duration is a text like "5s"'),
        (ALERT + '"sink"\nsinks = ["scren"]', 'no sink is called "scren" (did you mean "screen"?)'),
        (ALERT + '"budget"\nmeters = ["main-a"]\nlimit = 1\nquantity = "voltage"', "a budget is of a register"),
        (ALERT + '"imbalance"\nquantity = "frequency"', 'imbalance is of "voltage" or "current"'),
        (ALERT + '"backup"\n' + ALERT + '"backup"', 'two alerts are called "a"'),
        (NOTIFY + 'alerts = ["x"]', 'no alert is called "x"'),
        (NOTIFY + 'quiet_from = "22:00"', 'quiet hours need "quiet_from" and "quiet_to"'),
        (NOTIFY + 'remind = "10s"', "greater than or equal to 300"),
        ('[[notify]]\nname = "n"\nurl = "ntfy"', "it is no address as apprise writes it"),
    ],
)
def test_each_mistake_is_said_with_its_place(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(tmp_path, table)
    assert said in str(caught.value)
    assert "wattbook.toml:" in str(caught.value)


@pytest.mark.parametrize("kind", KEYS)
def test_every_kind_can_be_written(tmp_path: Path, kind: str) -> None:
    needed = {"quantity": '"active_power"', "limit": "5", "meters": '["main-a"]'}
    lines = [f"{key} = {needed[key]}" for key, default in KEYS[kind].items() if default is None]
    config = settings(tmp_path, "\n".join([f'{ALERT}"{kind}"', *lines]))
    assert config.alerts[0].lasting_ms >= 0


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind in KEYS for key in KEYS[kind]])
def test_the_defaults_in_the_reference_can_be_written(tmp_path: Path, kind: str, key: str) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text(encoding="utf-8")
    told = re.search(rf"^\| `{key}` \| `(.+)` \|", page.split("## [[alert]]")[1], re.MULTILINE)
    if told is None or KEYS[kind][key] is None or told[1] == '""':
        return  # no default, or none that holds for every kind
    needed = {"quantity": '"active_power"', "limit": "5", "meters": '["main-a"]'}
    lines = [f"{name} = {needed[name]}" for name, default in KEYS[kind].items() if default is None]
    settings(tmp_path, "\n".join([f'{ALERT}"{kind}"', *lines, f"{key} = {told[1]}"]))


def test_the_address_of_a_target_does_not_show_itself() -> None:
    target = NotifySettings(name="n", url=Secret("mailto://user:geheim@example.org"))
    assert "geheim" not in repr(target)
    assert [target.wants("a", severity) for severity in SEVERITIES] == [True] * 3
    picky = NotifySettings(name="n", url=Secret("x://y"), severity="warning", alerts=("over*",))
    assert [picky.wants("over", severity) for severity in SEVERITIES] == [False, True, True]
    assert not picky.wants("under", "critical")
    assert AlertSettings(name="a", kind="silent").lasting_ms == 600_000
