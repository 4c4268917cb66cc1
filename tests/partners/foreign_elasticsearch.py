"""A small Elasticsearch and a small OpenSearch (elasticsearch_server.py), for what every sink must survive."""

from __future__ import annotations

import json
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from foreign_process import Served
from ports import free_port
from wattbook.model.batch import to_ms

_PROGRAM = Path(__file__).with_name("elasticsearch_server.py")
_ALL = 1_000_000


class ForeignElasticsearch(Served):
    """Elasticsearch with one user."""

    kind = "elasticsearch"
    at_least_once = False
    product: ClassVar[str] = "elasticsearch"
    user, password = "elastic", "hush-hush"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        options = [str(self.port), str(folder), self.product, self.user, self.password]
        super().__init__(folder, [sys.executable, str(_PROGRAM), *options])

    def table(self, port: int) -> str:
        return (
            f'[[sink]]\nname = "foreign"\nkind = "elasticsearch"\nurl = "http://127.0.0.1:{port}"\n'
            f'username = "{self.user}"\npassword = "{self.password}"\n'
        )

    def ask(self, path: str, body: Any = None) -> Any:
        known = b64encode(f"{self.user}:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {known}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def documents(self, index: str = "wattbook") -> Sequence[Mapping[str, Any]]:
        """Every hit: _index, _id and _source. (A real one gives at most 10,000 at once.)"""
        found: Sequence[Mapping[str, Any]] = self.ask(f"{index}/_search", {"size": _ALL})["hits"]["hits"]
        return found

    def rows(self) -> list[tuple[str, int, float]]:
        return [
            (each["meter"], to_ms(datetime.fromisoformat(each["@timestamp"])), each["active_energy_import"])
            for each in (hit["_source"] for hit in self.documents("wattbook*"))
            if "active_energy_import" in each
        ]


class ForeignOpenSearch(ForeignElasticsearch):
    """The same, as OpenSearch answers."""

    product = "opensearch"
