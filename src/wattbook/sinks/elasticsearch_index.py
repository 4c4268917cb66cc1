"""Names of indices, and the template by which Elasticsearch makes them."""

from __future__ import annotations

import re

import msgspec

from wattbook.model.around import Surroundings
from wattbook.model.template import Template

PRIORITY = 200  # above the maker's own (logs-*, metrics-*: 100)
_NAME = re.compile(r"[a-z0-9.][a-z0-9._-]{0,254}")


def check_names(place: Template, around: Surroundings) -> None:
    """Raises ValueError where a known meter would have an index of an impossible name."""
    for meter in around.meters or ("meter",):
        name = place.of_meter(around, "", meter, "voltage")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f'index: "{name}" can be no index: small letters, digits, "-", "_" and "." only. '
                'A name becomes so by ":slug", as in "{meter:slug}"'
            )


def pattern_of(place: Template) -> str:
    """What all its indices are called, with stars."""
    return "".join(part if isinstance(part, str) else "*" for part in place.parts)


def template_name(pattern: str) -> str:
    """What the index template of a pattern is called."""
    return "wattbook-" + pattern.replace("*", "x")


def index_template(pattern: str, *, stream: bool) -> bytes:
    """Texts are looked up whole. Numbers are doubles: else the first one decides, and 230 makes of 230.5 a 230."""
    double = {"mapping": {"type": "double"}}
    mappings = {
        "properties": {"@timestamp": {"type": "date"}},
        "dynamic_templates": [
            {"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 1024}}},
            {"whole": {"match_mapping_type": "long", **double}},
            {"others": {"match_mapping_type": "double", **double}},
        ],
    }
    told = {
        "index_patterns": [pattern],
        "priority": PRIORITY,
        "template": {"mappings": mappings},
        "_meta": {"description": "made by wattbook; change it as you like, it is made only when it is missing"},
    }
    return msgspec.json.encode(told | ({"data_stream": {}} if stream else {}))
