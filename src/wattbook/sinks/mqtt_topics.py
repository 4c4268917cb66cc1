"""Topics made of names that people chose: a name never says more than a name."""

from __future__ import annotations

import re
from dataclasses import replace

from wattbook.model.around import Surroundings
from wattbook.model.template import Template, parse_template

TOPIC_SIZE_MAX = 65_535  # bytes (MQTT 5, 1.5.4)
_SPECIAL = re.compile(r"[%/+#\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def escape_name(name: str) -> str:
    """A name as one level of a topic: `/ + # %` and control characters as %2F; "_" where there is none.

    A "$" in front is written so too: such topics belong to the broker.
    """
    text = _SPECIAL.sub(_percent, name) or "_"
    return f"%24{text[1:]}" if text.startswith("$") else text


def parse_topic(text: str, around: Surroundings) -> Template:
    """The template of a topic. A location keeps its levels. Raises ValueError."""
    if any(sign in text for sign in "+#\0"):
        raise ValueError(f'"{text}" is no topic to publish to: "+" and "#" are for those who subscribe')
    template = parse_template(text, around)
    escaped = zip(
        template.parts, template.as_text(escape_name).parts, template.as_text(_escape_path).parts, strict=True
    )
    return replace(template, parts=tuple(path if _is_location(part) else level for part, level, path in escaped))


def check_is_of_meter(template: Template) -> None:
    """Raise ValueError when a topic changes with the reading: it would keep nothing."""
    if not template.steady:
        raise ValueError(f'"{template.text}" changes with every reading: a state needs a topic that stays')


def parse_plain_topic(text: str, around: Surroundings) -> str:
    """A topic that names nothing but the site; "" stays "". Raises ValueError."""
    template = parse_topic(text, around)
    if template.places - {"site"}:
        raise ValueError(f'"{text}" can name the {{site}} only: it is one topic for all meters')
    return template.of_meter(around, "", "") if text else ""


def _percent(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode(errors="replace"))


def _escape_path(path: str) -> str:
    return "/".join(escape_name(level) for level in path.split("/"))


def _is_location(part: object) -> bool:
    return getattr(part, "name", "") == "location"
