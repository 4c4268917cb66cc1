"""Grafana's provisioning: the files of a folder that it reads when it starts. Secrets stay in its environment."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from wattbook.grafana.influxql import InfluxQl
from wattbook.grafana.pages import PAGES, TYPES, dashboard, source_uid
from wattbook.grafana.postgresql import Postgresql
from wattbook.grafana.questions import Questions
from wattbook.grafana.readings import Readings, Source

_MADE = "# Made by `wattbook grafana`; it writes the file anew each time.\n"


def files_of(found: Sequence[Readings], site: str, installed: PurePath) -> Mapping[str, str]:
    """Path in the folder -> content. `installed` is where that folder will lie for Grafana."""
    files = {
        "datasources/wattbook.yaml": _MADE + "apiVersion: 1\ndatasources:\n" + "".join(map(_source, found)),
        "dashboards/wattbook.yaml": _MADE + "apiVersion: 1\nproviders:\n" + _providers(found, installed),
    }
    for readings in found:
        for page in PAGES:
            told = dashboard(page, readings, _questions(readings), site)
            name = f"dashboards/wattbook-{readings.source.kind}/{page}.json"
            files[name] = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    return files


def _questions(readings: Readings) -> Questions:
    match readings.source.kind:
        case "influxdb":
            return InfluxQl(readings)
        case "postgresql":
            return Postgresql(readings)


def _source(readings: Readings) -> str:
    return "".join(f"  {line}\n" for line in _source_lines(readings))


def _source_lines(readings: Readings) -> Iterator[str]:
    source = readings.source
    yield f"- name: wattbook ({source.kind})"
    yield f"  uid: {source_uid(source.kind)}"
    yield f"  type: {TYPES[source.kind]}"
    yield "  access: proxy"
    yield f"  url: {_quoted(source.url)}"
    if source.user and not source.token:
        yield f"  user: {_quoted(source.user)}"
    yield "  jsonData:"
    yield from (_influxdb if source.kind == "influxdb" else _postgresql)(source)
    if source.secret:
        yield "  secureJsonData:"
        if source.token:
            yield f'    httpHeaderValue1: "Token $__env{{{source.secret}}}"'
        else:
            yield f"    password: $__env{{{source.secret}}}"


def _influxdb(source: Source) -> Iterator[str]:
    yield "    version: InfluxQL"
    yield f"    dbName: {_quoted(source.database)}"
    yield "    httpMode: POST"
    if source.token:
        yield "    httpHeaderName1: Authorization"


def _postgresql(source: Source) -> Iterator[str]:
    yield f"    database: {_quoted(source.database)}"
    yield f"    sslmode: {_quoted(source.sslmode)}"
    yield "    postgresVersion: 1500"
    yield "    timescaledb: false"


def _providers(found: Sequence[Readings], installed: PurePath) -> str:
    lines = []
    for readings in found:
        name = f"wattbook-{readings.source.kind}"
        path = _quoted(str(installed / "dashboards" / name))
        lines += [f"- name: {name}", f"  folder: wattbook ({readings.source.kind})", "  type: file"]
        lines += ["  allowUiUpdates: true", f"  options: {{ path: {path} }}"]
    return "".join(f"  {line}\n" for line in lines)


def _quoted(text: str) -> str:
    """A text in YAML, in which Grafana would take a $ for a variable."""
    return json.dumps(text.replace("$", "$$"), ensure_ascii=False)
