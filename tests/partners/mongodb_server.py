"""A small MongoDB: the wire protocol, SCRAM and the commands of a client that writes and reads documents.

Run as a process:  mongodb_server.py PORT FOLDER [USER PASSWORD AUTH_DATABASE]

After the maker's documents: wire protocol (OP_MSG with document sequences, OP_QUERY for the first hello), the
specifications of handshake and authentication, RFC 5802 and 7677. What is written goes to a file before it is
answered, so a killed server has it again; documents of one command are written one by one, as a real one does it.
A collection `system.rules` holds validators: {"_id": "collection", "field": "voltage", "most": 400}.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socketserver
import struct
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import bson

OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013
_ITERATIONS = 4096
_HASHES = {"SCRAM-SHA-1": "sha1", "SCRAM-SHA-256": "sha256"}
Document = Mapping[str, Any]


class CommandError(Exception):
    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"ok": 0.0, "code": code, "codeName": name, "errmsg": message}


@dataclass
class Storage:
    """Documents by database.collection and _id, and the file that remembers them."""

    path: Path
    lock: Lock = field(default_factory=Lock)
    collections: dict[str, dict[Any, Document]] = field(default_factory=dict)

    def load(self) -> None:
        data, place = self.path.read_bytes() if self.path.exists() else b"", 0
        while len(data) - place >= 4:
            size = struct.unpack_from("<i", data, place)[0]
            if size > len(data) - place:
                break  # the writer was killed here; it has not answered
            kept = bson.decode(data[place : place + size])
            self.collections.setdefault(kept["ns"], {})[_key(kept["o"]["_id"])] = kept["o"]
            place += size
        with self.path.open("ab") as file:
            file.truncate(place)
        self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND)

    def of(self, name: str) -> dict[Any, Document]:
        return self.collections.setdefault(name, {})

    def put(self, name: str, document: Document) -> None:
        os.write(self._file, bson.encode({"ns": name, "o": document}))
        self.of(name)[_key(document["_id"])] = document


def _key(value: Any) -> Any:
    return bson.encode({"": value}) if isinstance(value, dict | list) else value


@dataclass
class Scram:
    """The server's half of one conversation."""

    hash: str
    user: str
    password: str
    first_bare: str = ""
    server_first: str = ""

    def first(self, message: bytes) -> bytes:
        self.first_bare = message.decode().partition(",,")[2]
        said = dict(part.split("=", 1) for part in self.first_bare.split(","))
        if said["n"] != self.user:
            raise CommandError(18, "AuthenticationFailed", "Authentication failed.")
        nonce = said["r"] + base64.b64encode(os.urandom(24)).decode()
        salt = hashlib.new(self.hash, self.user.encode()).digest()[:16]
        self.server_first = f"r={nonce},s={base64.b64encode(salt).decode()},i={_ITERATIONS}"
        self._salt = salt
        return self.server_first.encode()

    def final(self, message: bytes) -> bytes:
        without_proof, _, proof = message.decode().rpartition(",p=")
        secret = self.password
        if self.hash == "sha1":
            secret = hashlib.md5(f"{self.user}:mongo:{self.password}".encode(), usedforsecurity=False).hexdigest()
        salted = hashlib.pbkdf2_hmac(self.hash, secret.encode(), self._salt, _ITERATIONS)
        said = f"{self.first_bare},{self.server_first},{without_proof}".encode()
        client_key = self._mac(salted, b"Client Key")
        signature = self._mac(hashlib.new(self.hash, client_key).digest(), said)
        expected = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        if not hmac.compare_digest(expected, base64.b64decode(proof)):
            raise CommandError(18, "AuthenticationFailed", "Authentication failed.")
        return b"v=" + base64.b64encode(self._mac(self._mac(salted, b"Server Key"), said))

    def _mac(self, key: bytes, text: bytes) -> bytes:
        return hmac.new(key, text, self.hash).digest()


class Connection(socketserver.StreamRequestHandler):
    """One client."""

    server: Server
    scram: Scram | None = None
    known = False

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(6, 1, 1)  # TCP_NODELAY

    def handle(self) -> None:
        while header := self.rfile.read(16):
            size, request, _, opcode = struct.unpack("<iiii", header)
            body = self.rfile.read(size - 16)
            command = _query(body) if opcode == OP_QUERY else _message(body)
            answer = bson.encode(self._answer(command))
            if opcode == OP_QUERY:
                payload, kind = struct.pack("<iqii", 8, 0, 0, 1) + answer, OP_REPLY
            else:
                payload, kind = struct.pack("<ib", 0, 0) + answer, OP_MSG
            self.wfile.write(struct.pack("<iiii", 16 + len(payload), 1, request, kind) + payload)

    def _answer(self, command: dict[str, Any]) -> Document:
        name = next(iter(command))
        do: Callable[[dict[str, Any]], Document] | None = getattr(self, f"_do_{name.lower()}", None)
        try:
            if do is None:
                raise CommandError(59, "CommandNotFound", f"no such command: '{name}'")
            free = name.lower() in ("hello", "ismaster", "saslstart", "saslcontinue", "ping", "endsessions")
            if self.server.user and not self.known and not free:
                raise CommandError(13, "Unauthorized", f"Command {name} requires authentication")
            with self.server.storage.lock:
                return {"ok": 1.0, **do(command)}
        except CommandError as error:
            return error.answer

    def _do_hello(self, command: dict[str, Any]) -> Document:
        told: dict[str, Any] = {
            "helloOk": True, "isWritablePrimary": True, "ismaster": True, "maxBsonObjectSize": 16777216,
            "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000, "logicalSessionTimeoutMinutes": 30,
            "minWireVersion": 0, "maxWireVersion": 21, "readOnly": False,
        }  # fmt: skip
        if command.get("saslSupportedMechs") == f"{self.server.source}.{self.server.user}":
            told["saslSupportedMechs"] = list(self.server.mechanisms)
        return told

    _do_ismaster = _do_hello

    def _do_ping(self, command: dict[str, Any]) -> Document:
        return {}

    _do_endsessions = _do_ping

    def _do_saslstart(self, command: dict[str, Any]) -> Document:
        if command["$db"] != self.server.source or command["mechanism"] not in self.server.mechanisms:
            raise CommandError(18, "AuthenticationFailed", "Authentication failed.")
        self.scram = Scram(_HASHES[command["mechanism"]], self.server.user, self.server.password)
        return {"conversationId": 1, "done": False, "payload": self.scram.first(command["payload"])}

    def _do_saslcontinue(self, command: dict[str, Any]) -> Document:
        if self.scram is None:
            raise CommandError(17, "ProtocolError", "No SASL session state found")
        if self.known:
            return {"conversationId": 1, "done": True, "payload": b""}
        answer = self.scram.final(command["payload"])
        self.known = True
        return {"conversationId": 1, "done": True, "payload": answer}

    def _do_insert(self, command: dict[str, Any]) -> Document:
        name = f"{command['$db']}.{command['insert']}"
        errors = []
        for index, document in enumerate(command["documents"]):
            if _key(document["_id"]) in self.server.storage.of(name):
                message = f"E11000 duplicate key error collection: {name} index: _id_"
                errors.append({"index": index, "code": 11000, "errmsg": message, "keyPattern": {"_id": 1}})
            else:
                self.server.storage.put(name, document)
        return {"n": len(command["documents"]) - len(errors), **({"writeErrors": errors} if errors else {})}

    def _do_update(self, command: dict[str, Any]) -> Document:
        name, storage = f"{command['$db']}.{command['update']}", self.server.storage
        found = made = 0
        upserted, errors = [], []
        for index, each in enumerate(command["updates"]):
            key, replacement = each["q"]["_id"], {"_id": each["q"]["_id"], **each["u"]}
            there = storage.of(name).get(_key(key))
            if error := self._forbidden(command, replacement):
                errors.append({"index": index, **error})
            elif there is not None:
                found += 1
                made += there != replacement
                storage.put(name, replacement)
            elif each.get("upsert"):
                upserted.append({"index": index, "_id": key})
                storage.put(name, replacement)
        told: dict[str, Any] = {"n": found + len(upserted), "nModified": made}
        return told | ({"upserted": upserted} if upserted else {}) | ({"writeErrors": errors} if errors else {})

    def _forbidden(self, command: dict[str, Any], document: Document) -> Document | None:
        if any(name.startswith("$") for name in document):
            return {"code": 52, "errmsg": "a replacement document must not contain update operators"}
        rule = self.server.storage.of(f"{command['$db']}.system.rules").get(command["update"])
        if rule is None or not document.get(rule["field"], 0) > rule["most"]:
            return None
        why = {"operatorName": "$lte", "specifiedAs": {rule["field"]: {"$lte": rule["most"]}},
               "reason": "comparison failed", "consideredValue": document[rule["field"]]}  # fmt: skip
        failing = {"failingDocumentId": document["_id"], "details": why}
        return {"code": 121, "errInfo": failing, "errmsg": "Document failed validation"}

    def _do_find(self, command: dict[str, Any]) -> Document:
        name = f"{command['$db']}.{command['find']}"
        found = list(_matching(self.server.storage.of(name), command.get("filter", {})))
        for by, direction in reversed(list(command.get("sort", {}).items())):
            found.sort(key=lambda each: each.get(by), reverse=direction < 0)  # used at once
        found = found[command.get("skip", 0) :][: command.get("limit") or None]
        return {"cursor": {"id": 0, "ns": name, "firstBatch": found}}

    def _do_count(self, command: dict[str, Any]) -> Document:
        documents = self.server.storage.of(f"{command['$db']}.{command['count']}")
        return {"n": sum(1 for _ in _matching(documents, command.get("query", {})))}


def _matching(documents: Mapping[Any, Document], wanted: Document) -> Iterator[Document]:
    return (each for each in documents.values() if all(each.get(name) == value for name, value in wanted.items()))


def _query(body: bytes) -> dict[str, Any]:
    end = body.index(b"\0", 4)
    database = body[4:end].decode().partition(".")[0]
    return {**bson.decode(body[end + 9 :]), "$db": database}


def _message(body: bytes) -> dict[str, Any]:
    command: dict[str, Any] = {}
    sequences: dict[str, list[Any]] = {}
    place = 4
    while place < len(body):
        kind, size = struct.unpack_from("<bi", body, place)
        section = body[place + 1 : place + 1 + size]
        place += 1 + size
        if kind == 0:
            command = bson.decode(section)
        else:
            end = section.index(b"\0", 4)
            sequences[section[4:end].decode()] = bson.decode_all(section[end + 1 :])
    return {**command, **sequences}


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, port: int, folder: Path, user: str = "", password: str = "", source: str = "admin") -> None:
        self.storage = Storage(folder / "mongodb.bson")
        self.storage.load()
        self.user, self.password, self.source = user, password, source
        # As a server that was upgraded from 3.6: a user of "old" has credentials of SCRAM-SHA-1 alone.
        self.mechanisms = ("SCRAM-SHA-1",) if user.startswith("old") else ("SCRAM-SHA-1", "SCRAM-SHA-256")
        super().__init__(("127.0.0.1", port), Connection)


if __name__ == "__main__":
    Server(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:6]).serve_forever()
