"""A small Elasticsearch, or OpenSearch: bulk, index templates, data streams and search, as the makers document them.

Run as a process:  elasticsearch_server.py PORT FOLDER elasticsearch|opensearch [USER PASSWORD]

A document is written to a file before it is answered, one by one, so a server that is killed in mid-batch has a part
of it. While a file `busy` lies in the folder, every document is refused with 429, as by a node that is overloaded.
"""

from __future__ import annotations

import json
import os
import re
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

ID_BYTES_MAX = 512
_FORM = re.compile(r"application/(x-ndjson|json|vnd\.elasticsearch\+(json|x-ndjson); ?compatible-with=[89])")


class Refused(Exception):
    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.error = {"type": kind, "reason": reason}


@dataclass
class Storage:
    """Index templates, data streams, field types and documents, and the file that remembers them."""

    path: Path
    lock: Lock = field(default_factory=Lock)
    templates: dict[str, Any] = field(default_factory=dict)
    streams: set[str] = field(default_factory=set)
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)

    def load(self) -> None:
        data = self.path.read_bytes() if self.path.exists() else b""
        data = data[: data.rfind(b"\n") + 1]  # the writer was killed in the last line; it has not answered
        for line in data.splitlines():
            self._take(json.loads(line))
        self.path.write_bytes(data)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND)

    def keep(self, *change: Any) -> None:
        os.write(self._file, json.dumps(change).encode() + b"\n")
        self._take(change)

    def _take(self, change: Any) -> None:
        match change:
            case ["template", name, body]:
                self.templates[name] = body
            case ["stream", name]:
                self.streams.add(name)
            case ["type", index, name, kind]:
                self.types.setdefault(index, {})[name] = kind
            case ["document", index, key, source]:
                self.documents.setdefault(index, {})[key] = source
            case _:
                raise AssertionError(change)

    def template_of(self, index: str) -> Mapping[str, Any]:
        fitting = [
            each
            for each in self.templates.values()
            if any(fnmatchcase(index, pattern) for pattern in each["index_patterns"])
        ]
        return max(fitting, key=lambda each: each.get("priority", 0), default={})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def do(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        where = urlsplit(self.path)
        try:
            self._admit(body)
            parts = [unquote(part) for part in where.path.strip("/").split("/")]
            with self.server.storage.lock:
                answer = self._answer([part for part in parts if part], body)
            if "filter_path" in parse_qs(where.query):
                answer = _filtered(answer)
            self._send(200, answer)
        except Refused as refused:
            error = {"root_cause": [refused.error], **refused.error}
            self._send(refused.status, {"error": error, "status": refused.status})

    do_GET = do_PUT = do_POST = do_HEAD = do  # noqa: N815  # so http.server wants it

    def _send(self, status: int, answer: Any) -> None:
        data = json.dumps(answer).encode()
        asked = self.headers.get("accept", "")
        compatible = asked if asked.startswith("application/vnd.elasticsearch+json") else "application/json"
        self.send_response(status)
        self.send_header("content-type", compatible)
        if self.server.product == "elasticsearch":
            self.send_header("X-elastic-product", "Elasticsearch")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _admit(self, body: bytes) -> None:
        if self.server.known and self.headers.get("authorization") != self.server.known:
            reason = f"unable to authenticate user [{self.server.user}] for REST request [{self.path}]"
            raise Refused(401, "security_exception", reason)
        form = self.headers.get("content-type", "")
        if body and not _FORM.fullmatch(form):
            reason = f"Content-Type header [{form}] is not supported"
            raise Refused(406, "media_type_header_exception", reason)

    def _answer(self, parts: list[str], body: bytes) -> Any:
        match self.command, parts:
            case "GET" | "HEAD", []:
                return self.server.info()
            case "GET" | "HEAD", ["_index_template", name]:
                if name not in self.server.storage.templates:
                    reason = f"index template matching [{name}] not found"
                    raise Refused(404, "resource_not_found_exception", reason)
                told = {"name": name, "index_template": self.server.storage.templates[name]}
                return {"index_templates": [told]}
            case "PUT", ["_index_template", name]:
                return self._put_template(name, json.loads(body))
            case "PUT", ["_data_stream", name]:
                return self._put_stream(name)
            case "GET", ["_data_stream"]:
                return {"data_streams": [{"name": name} for name in sorted(self.server.storage.streams)]}
            case "POST" | "PUT", ["_bulk"]:
                return self._bulk("", body)
            case "POST" | "PUT", [index, "_bulk"]:
                return self._bulk(index, body)
            case "GET" | "POST", [index, "_search"]:
                return self._search(index, json.loads(body or b"{}"))
            case "GET", [index, "_mapping"]:
                kinds = self.server.storage.types.get(index, {})
                return {index: {"mappings": {"properties": {name: {"type": kind} for name, kind in kinds.items()}}}}
            case "GET" | "POST", [index, "_count"]:
                return {"count": len(self._found(index))}
            case "POST" | "GET", [index, "_refresh"]:
                return {"_shards": {"total": 1, "successful": 1, "failed": 0}}
            case _:
                reason = f"no handler found for uri [{self.path}] and method [{self.command}]"
                raise Refused(400, "illegal_argument_exception", reason)

    def _put_template(self, name: str, body: Any) -> Any:
        for other, there in self.server.storage.templates.items():
            same = set(there["index_patterns"]) & set(body["index_patterns"])
            if other != name and same and there.get("priority", 0) == body.get("priority", 0):
                raise Refused(
                    400, "illegal_argument_exception",
                    f"index template [{name}] has index patterns {sorted(same)} matching patterns from existing "
                    f"templates [{other}] that have the same priority",
                )  # fmt: skip
        self.server.storage.keep("template", name, body)
        return {"acknowledged": True}

    def _put_stream(self, name: str) -> Any:
        if name in self.server.storage.streams or name in self.server.storage.documents:
            raise Refused(400, "resource_already_exists_exception", f"data_stream [{name}] already exists")
        if "data_stream" not in self.server.storage.template_of(name):
            reason = f"no matching index template found for data stream [{name}]"
            raise Refused(400, "illegal_argument_exception", reason)
        self.server.storage.keep("stream", name)
        return {"acknowledged": True}

    def _bulk(self, index: str, body: bytes) -> Any:
        if not body.endswith(b"\n"):
            reason = "The bulk request must be terminated by a newline [\\n]"
            raise Refused(400, "illegal_argument_exception", reason)
        lines = [json.loads(line) for line in body.splitlines()]
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        for action, _ in pairs:
            ((_, where),) = action.items()
            if len(where.get("_id", "").encode()) > ID_BYTES_MAX:
                reason = "Validation Failed: 1: id is too long, must be no longer than 512 bytes;"
                raise Refused(400, "action_request_validation_exception", reason)
        items = [self._put(action, source, index) for action, source in pairs]
        errors = any("error" in next(iter(item.values())) for item in items)
        return {"took": 1, "errors": errors, "items": items}

    def _put(self, action: Any, source: Any, index: str) -> Any:
        ((operation, where),) = action.items()
        index, key = where.get("_index", index), where["_id"]
        told = {"_index": index, "_id": key}
        try:
            there = self._check(operation, index, key, source)
        except Refused as refused:
            return {operation: {**told, "status": refused.status, "error": refused.error}}
        self.server.storage.keep("document", index, key, source)
        status, result = (200, "updated") if there else (201, "created")
        return {operation: {**told, "_version": 1 + there, "result": result, "status": status}}

    def _check(self, operation: str, index: str, key: str, source: Any) -> bool:
        storage = self.server.storage
        if (self.server.folder / "busy").exists():
            reason = "rejected execution of coordinating operation [coordinating_and_primary_bytes=0]"
            raise Refused(429, "es_rejected_execution_exception", reason)
        if index != index.lower():
            reason = f"Invalid index name [{index}], must be lowercase"
            raise Refused(400, "invalid_index_name_exception", reason)
        if index not in storage.streams and "data_stream" in storage.template_of(index):
            storage.keep("stream", index)
        if index in storage.streams and operation != "create":
            reason = "only write ops with an op_type of create are allowed in data streams"
            raise Refused(400, "illegal_argument_exception", reason)
        if index in storage.streams and "@timestamp" not in source:
            raise self._unfit("data stream timestamp field [@timestamp] is missing")
        there = key in storage.documents.get(index, {})
        if there and operation == "create":
            reason = f"[{key}]: version conflict, document already exists (current version [1])"
            raise Refused(409, "version_conflict_engine_exception", reason)
        for name, value in source.items():
            self._check_field(index, key, name, value)
        return there

    def _check_field(self, index: str, key: str, name: str, value: Any) -> None:
        mappings = self.server.storage.template_of(index).get("template", {}).get("mappings", {})
        fixed = mappings.get("properties", {}).get(name, {}).get("type")
        kind = fixed or self.server.storage.types.get(index, {}).get(name)
        if kind is None:
            kind = _inferred(value, mappings.get("dynamic_templates", []))
            self.server.storage.keep("type", index, name, kind)
        if kind in ("long", "float", "double") and isinstance(value, str) and not re.fullmatch(r"-?[\d.]+", value):
            raise self._unfit(f"failed to parse field [{name}] of type [{kind}] in document with id '{key}'.")

    def _unfit(self, reason: str) -> Refused:
        kind = "document" if self.server.product == "elasticsearch" else "mapper"
        return Refused(400, f"{kind}_parsing_exception", reason)

    def _found(self, index: str) -> list[tuple[str, str, Any]]:
        known = self.server.storage.documents
        names = [name for name in known if fnmatchcase(name, index)]
        if not names and "*" not in index:
            raise Refused(404, "index_not_found_exception", f"no such index [{index}]")
        return [(name, key, source) for name in names for key, source in known[name].items()]

    def _search(self, index: str, body: Any) -> Any:
        found = self._found(index)
        start = body.get("from", 0)
        hits = [
            {"_index": name, "_id": key, "_score": 1.0, "_source": source}
            for name, key, source in found[start : start + body.get("size", 10)]
        ]
        shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
        told = {"total": {"value": len(found), "relation": "eq"}, "max_score": 1.0, "hits": hits}
        return {"took": 1, "timed_out": False, "_shards": shards, "hits": told}


def _inferred(value: Any, templates: list[Any]) -> str:
    match value:
        case str():
            kind = "string"
        case bool():
            kind = "boolean"
        case int():
            kind = "long"
        case _:
            kind = "double"
    for each in templates:
        (rule,) = each.values()
        if rule["match_mapping_type"] == kind:
            found: str = rule["mapping"]["type"]
            return found
    return {"string": "text", "double": "float"}.get(kind, kind)


def _filtered(answer: Any) -> Any:
    """As `errors,items.*.status,items.*.error.type,items.*.error.reason` asks for it."""
    wanted = ("status", "error")
    items = [
        {operation: {name: result[name] for name in wanted if name in result}}
        for item in answer["items"]
        for operation, result in item.items()
    ]
    return {"errors": answer["errors"], "items": items}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, port: int, folder: Path, product: str, user: str = "", password: str = "") -> None:
        self.folder, self.product, self.user = folder, product, user
        self.known = f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}" if user else ""
        self.storage = Storage(folder / f"{product}.jsonl")
        self.storage.load()
        super().__init__(("127.0.0.1", port), Handler)

    def info(self) -> Any:
        version = {"number": "9.1.0", "build_flavor": "default", "lucene_version": "10.2.2"}
        tagline = "You Know, for Search"
        if self.product == "opensearch":
            version = {"distribution": "opensearch", "number": "3.1.0", "lucene_version": "10.2.1"}
            tagline = "The OpenSearch Project: https://opensearch.org/"
        return {"name": "small", "cluster_name": "small", "version": version, "tagline": tagline}


if __name__ == "__main__":
    Server(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:6]).serve_forever()
